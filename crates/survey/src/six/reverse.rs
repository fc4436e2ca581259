//! Walks reverse zones: the addresses below a prefix that have a name.
//!
//! A name server that says "no such name" (NXDOMAIN) of `8.b.d.0.1.0.0.2.ip6.arpa` says it of everything below (RFC
//! 8020), so a tree of 16 branches at each of 32 digits is walked where there is something, and only there. Some
//! servers make up a name for every address, or say of every name that it exists but has no records (compact denial, RFC
//! 9824); where all sixteen branches exist and an address of chance below exists too, the walk does not go on. Each
//! prefix has an equal part of the questions: no zone takes those of another. Others deny names that only lead to names,
//! against RFC 8020: what stands below is not found. Only the resolver is asked.

use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hinomi_model::address::from_u128;
use hinomi_wire::dns::{KIND_PTR, reverse_name};
use ipnet::Ipv6Net;
use serde::Serialize;
use siphasher::sip::SipHasher13;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::names::Lookups;
use crate::outward::Resolver;

/// The most questions of one walk.
pub const MAX_QUESTIONS: u64 = 200_000;

/// Nearer to the end than so many digits a network may really have named every address.
const MIN_MADE_UP: u8 = 6;

/// Digits of an address.
const DIGITS: u8 = 32;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Walked {
    /// Questions asked.
    pub questions: u64,
    /// Addresses with a name.
    pub found: u64,
    /// Questions that nobody answered.
    pub unanswered: u64,
    /// Branches at which names seem to be made up for every address.
    pub made_up: u64,
    /// Whether there was more than the questions were enough for.
    pub cut_short: bool,
    /// Why the first question was not answered.
    pub first_problem: Option<String>,
}

/// Questions that may still be asked, by prefix.
struct Parts(Vec<u64>);

impl Parts {
    /// The most questions below one branch.
    const EACH: u64 = 17;

    /// Of so many prefixes that there is not one round for each, the last have none.
    fn of(prefixes: &[Ipv6Net]) -> Self {
        let many = u64::try_from(prefixes.len()).unwrap_or(u64::MAX).clamp(1, MAX_QUESTIONS / Self::EACH);
        let part = |place| if place < many { MAX_QUESTIONS / many } else { 0 };
        Self((0_u64..).take(prefixes.len()).map(part).collect())
    }

    /// Takes the questions below one branch, if so many are left.
    fn take(&mut self, of: usize) -> bool {
        let left = self.0.get_mut(of).filter(|left| **left >= Self::EACH);
        left.map(|left| *left -= Self::EACH).is_some()
    }
}

/// The first digits of addresses.
#[derive(Clone, Copy, Debug)]
struct Branch {
    digits: u128,
    len: u8,
}

/// Walks the zones of these prefixes; `each` is called with every address that has a name, and how many questions were
/// asked until then.
pub async fn walk(prefixes: &[Ipv6Net], lookups: &Lookups, mut each: impl FnMut(u64, IpAddr)) -> Walked {
    let mut walked = Walked::default();
    let mut parts = Parts::of(prefixes);
    let mut waiting: Vec<(usize, Branch)> = prefixes.iter().map(|prefix| Branch::around(*prefix)).enumerate().collect();
    let mut turn = tokio::time::interval(Duration::from_secs(1) / lookups.per_second.max(1));
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asking = JoinSet::new();
    loop {
        // The deepest first: addresses come early, and few branches wait.
        while asking.len() < lookups.at_once.max(1)
            && let Some((of, branch)) = waiting.pop()
        {
            if !parts.take(of) {
                walked.cut_short = true;
                continue;
            }
            for _ in 0..16 {
                turn.tick().await;
            }
            walked.questions += 16;
            let resolver = lookups.resolver.clone();
            asking.spawn_blocking(move || (of, branch, branch.below(&resolver)));
        }
        let Some(answer) = asking.join_next().await else { return walked };
        let Ok((of, branch, below)) = answer else { continue };
        walked.questions += u64::from(branch.may_be_made_up(&below));
        for next in walked.take(below) {
            match next.len == DIGITS {
                true => each(walked.questions, from_u128(next.digits)),
                // What was asked for lies in a part of the first branches only.
                false if prefixes.iter().any(|prefix| next.meets(*prefix)) => waiting.push((of, next)),
                false => {}
            }
        }
    }
}

impl Walked {
    /// Takes the answers to what is right below a branch; gives what exists and is to be walked.
    fn take(&mut self, below: Below) -> Vec<Branch> {
        for why in below.answers.iter().filter_map(|(_, answer)| answer.as_ref().err()) {
            self.unanswered += 1;
            self.first_problem.get_or_insert_with(|| why.clone());
        }
        if below.made_up {
            self.made_up += 1;
            return Vec::new();
        }
        let there = below.answers.into_iter().filter(|(_, answer)| *answer == Ok(true));
        let there: Vec<Branch> = there.map(|(next, _)| next).collect();
        self.found += there.iter().filter(|next| next.len == DIGITS).count() as u64;
        there
    }
}

/// What is right below a branch.
struct Below {
    answers: Vec<(Branch, Result<bool, String>)>,
    /// Whether an address of chance exists, where that says something.
    made_up: bool,
}

impl Branch {
    /// The narrowest that holds a prefix and can be continued.
    fn around(prefix: Ipv6Net) -> Self {
        let len = (prefix.prefix_len() / 4).min(DIGITS - 1);
        let (digits, shift) = (u128::from(prefix.network()), 128 - 4 * u32::from(len));
        let digits = digits.checked_shr(shift).and_then(|front| front.checked_shl(shift)).unwrap_or(0);
        Self { digits, len }
    }

    /// The sixteen that begin with it.
    fn next(self) -> [Self; 16] {
        let unit = 124 - 4 * u32::from(self.len.min(DIGITS - 1));
        let mut digit = 0;
        [self; 16].map(|branch| {
            let next = Self { digits: branch.digits | digit << unit, len: branch.len + 1 };
            digit += 1;
            next
        })
    }

    /// Whether any address of the prefix begins so.
    fn meets(self, prefix: Ipv6Net) -> bool {
        let bits = (4 * self.len).min(prefix.prefix_len());
        let differ = self.digits ^ u128::from(prefix.network());
        differ.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
    }

    fn name(self) -> String {
        let whole = reverse_name(IpAddr::V6(Ipv6Addr::from(self.digits)));
        let missing = usize::from(DIGITS.saturating_sub(self.len)) * 2;
        whole.get(missing..).unwrap_or_default().to_owned()
    }

    fn below(self, resolver: &Resolver) -> Below {
        let answers = self.next().map(|next| (next, next.ask(resolver))).to_vec();
        let mut below = Below { answers, made_up: false };
        if self.may_be_made_up(&below) {
            below.made_up = self.somewhere().exists(resolver) == Ok(true);
        }
        below
    }

    fn may_be_made_up(self, below: &Below) -> bool {
        self.len + MIN_MADE_UP <= DIGITS && below.answers.iter().all(|(_, answer)| *answer == Ok(true))
    }

    /// An address of chance that begins so.
    fn somewhere(self) -> Self {
        let mut hasher = SipHasher13::new_with_keys(0, u64::from(self.len));
        hasher.write_u128(self.digits);
        let chance = u128::from(hasher.finish());
        let rest = u128::MAX.checked_shr(4 * u32::from(self.len)).unwrap_or(0);
        Self { digits: self.digits | (chance << 64 | chance) & rest, len: DIGITS }
    }

    /// Whether the name exists, with records or without.
    fn exists(self, resolver: &Resolver) -> Result<bool, String> {
        resolver.exists(&self.name(), KIND_PTR).map(|(exists, _)| exists)
    }

    /// Whether there is anything of that name; of a whole address, whether it has a name.
    fn ask(self, resolver: &Resolver) -> Result<bool, String> {
        let whole = self.len == DIGITS;
        resolver.exists(&self.name(), KIND_PTR).map(|(exists, records)| exists && (!whole || records))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv6Net {
        text.parse().expect("a prefix")
    }

    #[test]
    fn branches_are_named_and_continued() {
        let root = Branch::around(net("fd00:a::/50"));
        assert_eq!((root.name().as_str(), root.len), ("0.0.0.0.a.0.0.0.0.0.d.f.ip6.arpa", 12));
        let next = root.next();
        assert_eq!(next[7].name(), "7.0.0.0.0.a.0.0.0.0.0.d.f.ip6.arpa");
        let meets: Vec<bool> = next.iter().map(|next| next.meets(net("fd00:a::/50"))).collect();
        assert_eq!(meets.iter().take_while(|meets| **meets).count(), 4, "a quarter of sixteen: {meets:?}");
        assert!(!meets[4..].contains(&true));
        let whole = Branch::around(net("fd00:a::7/128"));
        assert_eq!(whole.len, 31);
        assert_eq!(Ipv6Addr::from(whole.next()[7].digits).to_string(), "fd00:a::7");
        assert_eq!(Branch::around(net("::/0")).name(), "ip6.arpa");
    }

    /// A name server that denies nothing and knows nothing: every name exists, without records.
    #[expect(clippy::disallowed_methods, reason = "the test's own name server answers on loopback")]
    fn denies_nothing() -> Resolver {
        let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let server = socket.local_addr().expect("an address");
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((count, from)) = socket.recv_from(&mut question) {
                question[2] |= 0x80;
                let _ = socket.send_to(&question[..count], from);
            }
        });
        Resolver::at(server)
    }

    #[test]
    fn a_zone_in_which_every_name_exists_is_left_at_once() {
        let lookups = Lookups { resolver: denies_nothing(), at_once: 4, per_second: 10_000, four: false };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let prefixes = [net("fd00:a::/48"), net("fd00:b::/64")];
        let walked = runtime.block_on(walk(&prefixes, &lookups, |_, address| panic!("{address} has no name")));
        assert_eq!((walked.made_up, walked.questions, walked.found, walked.unanswered), (2, 34, 0, 0), "{walked:?}");
    }

    #[test]
    fn each_prefix_has_an_equal_part_of_the_questions() {
        let mut parts = Parts::of(&[net("fd00:a::/48"), net("fd00:b::/48")]);
        let rounds = (0..).take_while(|_| parts.take(0)).count();
        assert_eq!(rounds as u64, MAX_QUESTIONS / 2 / 17);
        assert!(parts.take(1) && !parts.take(2), "the other still has its own");
        let all: u64 = Parts::of(&vec![net("fd00:a::/48"); 20_000]).0.iter().sum();
        assert!(all <= MAX_QUESTIONS, "{all}");
    }

    #[test]
    fn an_address_of_chance_tells_names_that_are_made_up() {
        let branch = Branch::around(net("fd00:a::/64"));
        let somewhere = branch.somewhere();
        assert!(somewhere.meets(net("fd00:a::/64")) && somewhere.len == DIGITS);
        let below = |there| Below { answers: branch.next().map(|next| (next, Ok(there))).to_vec(), made_up: there };
        assert!(branch.may_be_made_up(&below(true)) && !branch.may_be_made_up(&below(false)));
        assert!(!Branch::around(net("fd00:a::/112")).may_be_made_up(&below(true)), "it may have named them all");
        let mut walked = Walked::default();
        assert!(walked.take(below(true)).is_empty());
        let mut some = Below { made_up: false, ..below(true) };
        some.answers[5].1 = Ok(false);
        some.answers[6].1 = Err("no answer".to_owned());
        assert_eq!(walked.take(some).len(), 14);
        assert_eq!((walked.made_up, walked.unanswered, walked.first_problem.as_deref()), (1, 1, Some("no answer")));
    }
}
