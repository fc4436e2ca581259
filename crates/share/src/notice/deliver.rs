//! Released notices leave: looked at once more, written into the ledger, handed to the relay.
//!
//! At most once by itself: a notice is in one hand before its first byte leaves, and what may have arrived is never sent
//! again but by a person's word. The message is the same at every try, its Message-ID too, so that a mailbox that got it
//! twice by such a word shows it once.

use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_state::notices::{Notice, NoticeFile, Said, Taken, Went};
use hinomi_state::organisations::Deed;

use super::party::{Book, Reach};
use super::sight::{Sighted, is_theirs, sight_of};
use super::{Desk, NoticeError};
use crate::ledger::{Actor, Event, Log, sha256_hex};

/// How often a notice is tried.
pub const MAX_TRIES: i64 = 8;
/// For how long who took a notice has it alone; a relay has answered before.
pub const HOLD: Duration = Duration::from_secs(600);
/// The pause after the first try; each further one is four times as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(8 * 3_600);

/// A notice as it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The notice.
    pub notice: &'a Notice,
    /// What goes with it.
    pub files: &'a [NoticeFile],
    /// The date of the message.
    pub date: Timestamp,
}

/// What the relay said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It took the message.
    Taken,
    /// It surely did not take it, and may another time.
    NotYet(String),
    /// It does not take it.
    Refused(String),
    /// It was told everything and did not say whether it took it.
    Unknown(String),
}

/// Hands messages to a relay.
pub trait Relay {
    /// The bytes of a message (RFC 5322); the same for the same notice.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn write(&self, outgoing: &Outgoing<'_>) -> Result<Vec<u8>, String>;

    /// Hands it over.
    fn pass(&self, to: &str, message: &[u8]) -> Passed;
}

/// How many left, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Delivered {
    /// The relay took so many.
    pub sent: u64,
    /// So many are tried again.
    pub again: u64,
    /// So many were not taken or may not be told any more.
    pub ended: u64,
    /// Of so many nobody knows whether they arrived.
    pub unsure: u64,
}

/// Sends what is released and due, as long as `going` says so.
///
/// # Errors
/// When the state cannot be read or written. That a notice did not leave is no error.
pub fn deliver(
    desk: &Desk<'_>,
    log: &Log,
    relay: &dyn Relay,
    (now, going): (&dyn Fn() -> Timestamp, &dyn Fn(u64) -> bool),
) -> Result<Delivered, NoticeError> {
    let deed = || Deed { by: desk.by, now: now() };
    let mut done = Delivered { unsure: desk.database.unsure_notices(deed())?, ..Delivered::default() };
    let mut tried = 0;
    while going(tried) {
        let Some(taken) = desk.database.take_notice(deed(), HOLD)? else { break };
        tried += 1;
        let (went, sum) = try_one(desk, log, relay, &taken, now());
        match &went {
            Went::Sent => done.sent += 1,
            Went::Again(..) => done.again += 1,
            Went::Unsure(_) => done.unsure += 1,
            Went::GivenUp(_) | Went::Void(_) => done.ended += 1,
        }
        desk.database.settle_notice(deed(), taken.notice.number, &went, sum.as_deref())?;
    }
    Ok(done)
}

fn try_one(desk: &Desk<'_>, log: &Log, relay: &dyn Relay, taken: &Taken, now: Timestamp) -> (Went, Option<String>) {
    let notice = &taken.notice;
    let later = |why: String| match notice.tries < MAX_TRIES {
        true => Went::Again(pause(notice.tries), why),
        false => Went::GivenUp(why),
    };
    match objection(desk, notice, now) {
        Ok(None) => {}
        Ok(Some(why)) => return (Went::Void(why), None),
        Err(error) => return (later(error.to_string()), None),
    }
    let files = match desk.database.notice_files(notice.number) {
        Ok(files) => files,
        Err(error) => return (later(error.to_string()), None),
    };
    let message = match relay.write(&Outgoing { notice, files: &files, date: taken.released }) {
        Ok(message) => message,
        Err(why) => return (Went::GivenUp(why), None),
    };
    let sum = sha256_hex(&message);
    // Nothing leaves that the ledger does not tell of. One entry for a message, however often it is tried.
    if notice.sha256.as_deref() != Some(&sum)
        && let Err(error) = log.append(told(notice, &sum))
    {
        return (later(error.to_string()), None);
    }
    let went = match relay.pass(&notice.party.mail, &message) {
        Passed::Taken => Went::Sent,
        Passed::NotYet(why) => later(why),
        Passed::Refused(why) => Went::GivenUp(why),
        Passed::Unknown(why) => Went::Unsure(why),
    };
    (went, Some(sum))
}

fn told(notice: &Notice, sum: &str) -> Event {
    Event::Notice {
        by: Actor { name: notice.released_by.join(", "), ..Actor::default() },
        recipient: notice.party.organisation.clone(),
        channel: "mail".to_owned(),
        findings: u64::try_from(notice.findings).unwrap_or(0),
        sha256: sum.to_owned(),
    }
}

/// The pause after so many tries.
fn pause(tries: i64) -> Duration {
    let power = u32::try_from(tries.saturating_sub(1)).unwrap_or(0);
    FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(power)).min(LONGEST_PAUSE)
}

/// Why a notice may not leave as it was drafted, if it may not: the register and the lake went on since.
fn objection(desk: &Desk<'_>, notice: &Notice, now: Timestamp) -> Result<Option<String>, NoticeError> {
    let book = Book::read(desk.database, desk.settings, now)?;
    let party = &notice.party;
    match book.reach(&party.organisation) {
        Reach::OptedOut => return Ok(Some("they want no notices".to_owned())),
        Reach::NotEntitled => return Ok(Some("they may not read for a purpose of notices any more".to_owned())),
        Reach::NoContact => return Ok(Some("the contact was taken away".to_owned())),
        Reach::Contact(_) => {}
    }
    if !book.has_contact(&party.organisation, party.contact, &party.mail) {
        return Ok(Some("the contact was taken away or changed".to_owned()));
    }
    let said = desk.database.notice_findings(notice.number)?;
    let mut keys: Vec<_> = said.iter().map(|one| one.service).collect();
    keys.sort_unstable();
    keys.dedup();
    let seen = sight_of(desk, &book, &party.organisation, &keys, now)?;
    let as_said = |one: &Said, seen: &Sighted| seen.label.label() == one.label && seen.purpose.name() == one.purpose;
    let stands = |one: &&Said| {
        let seen = seen.get(&one.service);
        seen.is_some_and(|seen| as_said(one, seen) && is_theirs(&book, &party.organisation, seen))
    };
    let gone = said.iter().filter(|one| !stands(one)).count();
    Ok((gone > 0).then(|| {
        format!("{gone} findings are closed, marked otherwise, not theirs, or not theirs to know any more: draft anew")
    }))
}
