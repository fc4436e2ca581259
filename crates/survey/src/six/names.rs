//! Asks the system's resolver for the addresses of names. Nothing is sent to a target.
//!
//! Each name is asked for AAAA, and for A where the scope has IPv4. So many questions at once and so many a second as
//! [`Lookups`] says; of one name at most [`MAX_ADDRESSES`] addresses are taken. Servers that answer for the names see
//! the resolver ask.

use std::collections::HashSet;
use std::io::{self, BufRead};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_wire::dns::{KIND_A, KIND_AAAA};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;

use super::hitlist::next_line;
use crate::outward::Resolver;

/// The most names of one run.
pub const MAX_NAMES: usize = 1_000_000;

/// The most addresses that are taken of one name.
pub const MAX_ADDRESSES: usize = 64;

/// So many names in a row without an answer, and the rest is given up: the resolver is not there.
const MAX_IN_VAIN: u32 = 256;

/// Longest name (RFC 1035, section 2.3.4).
const MAX_NAME_CHARACTERS: usize = 253;

/// Whom to ask, and how fast.
#[derive(Clone, Debug)]
pub struct Lookups {
    /// The resolver.
    pub resolver: Resolver,
    /// Questions at the same time.
    pub at_once: usize,
    /// Questions a second.
    pub per_second: u32,
    /// Whether IPv4 is asked for too.
    pub four: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// Names that were asked for.
    pub names: u64,
    /// Names that lead somewhere.
    pub found: u64,
    /// Names of which not every question was answered.
    pub unanswered: u64,
    /// Addresses beyond [`MAX_ADDRESSES`] of a name.
    pub left_out: u64,
    /// Whether the rest was given up because nothing was answered.
    pub given_up: bool,
    /// Why the first question was not answered.
    pub first_problem: Option<String>,
}

/// Names of a file, one a line, each once; what follows a blank, comma or `#` is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    names: Vec<String>,
    seen: HashSet<String>,
    /// Lines that are no name.
    pub unreadable: u64,
    /// Names beyond [`MAX_NAMES`].
    pub left_out: u64,
}

impl Names {
    /// Adds those of a file.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn read(&mut self, mut file: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while next_line(&mut file, &mut line)? {
            let text = String::from_utf8_lossy(&line);
            let first = text.trim_start_matches('\u{feff}').split(['#', ',', ';']).next().unwrap_or_default();
            let Some(word) = first.split_whitespace().next() else { continue };
            self.add(word);
        }
        Ok(())
    }

    fn add(&mut self, word: &str) {
        let name = word.trim_end_matches('.').to_ascii_lowercase();
        if !is_name(&name) {
            self.unreadable += 1;
        } else if self.names.len() >= MAX_NAMES {
            self.left_out += 1;
        } else if self.seen.insert(name.clone()) {
            self.names.push(name);
        }
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Letters, digits, hyphens and underscores in labels of 1 to 63, as servers of the world's names are called.
fn is_name(text: &str) -> bool {
    let letter = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    text.len() <= MAX_NAME_CHARACTERS && text.contains('.') && text.split('.').all(label)
}

/// Asks for all of them; `each` is called for every name with how many were asked until then, and its addresses.
pub async fn look_up(names: Names, lookups: &Lookups, mut each: impl FnMut(u64, &[IpAddr])) -> Answers {
    let (sender, mut answers) = mpsc::channel(lookups.at_once.max(1));
    let asking = tokio::spawn(ask_all(names.names, lookups.clone(), sender));
    let (mut told, mut in_vain) = (Answers::default(), 0);
    while let Some(outcome) = answers.recv().await {
        told.take(&outcome);
        let taken = outcome.addresses.get(..MAX_ADDRESSES).unwrap_or(&outcome.addresses);
        each(told.names, taken);
        in_vain = if outcome.problem.is_some() { in_vain + 1 } else { 0 };
        if in_vain >= MAX_IN_VAIN {
            told.given_up = true;
            break;
        }
    }
    // Nobody listens any more: it ends at its next name.
    drop(answers);
    let _ = asking.await;
    told
}

impl Answers {
    fn take(&mut self, outcome: &Outcome) {
        self.names += 1;
        self.found += u64::from(!outcome.addresses.is_empty());
        let left_out = outcome.addresses.len().saturating_sub(MAX_ADDRESSES);
        self.left_out += u64::try_from(left_out).unwrap_or(u64::MAX);
        if let Some(why) = &outcome.problem {
            self.unanswered += 1;
            self.first_problem.get_or_insert_with(|| why.clone());
        }
    }
}

/// What was said of one name.
#[derive(Default)]
struct Outcome {
    addresses: Vec<IpAddr>,
    problem: Option<String>,
}

async fn ask_all(names: Vec<String>, lookups: Lookups, answers: mpsc::Sender<Outcome>) {
    let slots = Arc::new(Semaphore::new(lookups.at_once.max(1)));
    let questions = if lookups.four { 2 } else { 1 };
    let mut turn = tokio::time::interval(Duration::from_secs(questions) / lookups.per_second.max(1));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for name in names {
        if answers.is_closed() {
            return;
        }
        turn.tick().await;
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let (resolver, answers) = (lookups.resolver.clone(), answers.clone());
        tokio::task::spawn_blocking(move || {
            let outcome = ask(&resolver, &name, questions > 1);
            // Nobody listens only when the whole run was given up.
            let _ = answers.blocking_send(outcome);
            drop(slot);
        });
    }
}

fn ask(resolver: &Resolver, name: &str, four: bool) -> Outcome {
    let mut outcome = Outcome::default();
    for kind in [Some(KIND_AAAA), four.then_some(KIND_A)].into_iter().flatten() {
        match resolver.addresses(name, kind) {
            Ok(addresses) => outcome.addresses.extend(addresses),
            Err(why) => outcome.problem = Some(why),
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_once_each_and_nonsense_is_counted() {
        let mut names = Names::default();
        let text = b"www.example.org\n# a remark\nWWW.example.org.\n\n  _dmarc.a-b.example.net , AAAA\n\
            local\na..b\nx y.z\n\xff.org\n";
        names.read(text.as_slice()).expect("readable");
        assert_eq!(names.names, ["www.example.org", "_dmarc.a-b.example.net"]);
        assert_eq!((names.len(), names.unreadable), (2, 4), "a name without a dot is none of the world's");
        let long = format!(
            "{}.org
{}.org",
            "a".repeat(64),
            "a.".repeat(200)
        );
        names.read(long.as_bytes()).expect("readable");
        assert_eq!((names.len(), names.unreadable), (2, 6));
    }
}
