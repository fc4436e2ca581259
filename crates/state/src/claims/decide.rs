//! What becomes of a claim: proved, vouched for, refused, withdrawn; and what stands in its way.

use std::time::Duration;

use hinomi_model::Timestamp;

use super::{Claim, MAX_TERM, Method, Standing, Subject, TERM, find, select};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{Entry, note};
use crate::organisations::{Deed, open};
use crate::value::Value;

/// What a person of this installation decides about a claim.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// It counts from this moment on; none: from now, or on without a gap where it holds.
    pub from: Option<Timestamp>,
    /// Before this moment; none: a year after now.
    pub until: Option<Timestamp>,
    /// Others who hold the same then end where this begins.
    pub instead: bool,
    /// Why.
    pub note: String,
}

/// What came of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The claim is proved.
    Proved(Claim),
    /// It is shown to be right, but another organisation holds the same: a person decides.
    Contested {
        /// The claim.
        claim: Claim,
        /// The one that stands in the way.
        by: Box<Claim>,
    },
}

/// How a claim is to be settled.
pub(super) struct Settlement {
    pub(super) method: Method,
    pub(super) from: Option<Timestamp>,
    pub(super) until: Timestamp,
    pub(super) instead: bool,
    pub(super) detail: String,
}

/// Settles a claim that can be: asked for, or proved and holding.
pub(super) fn settle(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    claim: &Claim,
    how: &Settlement,
) -> Result<Settled, StateError> {
    open(transaction, &claim.organisation)?;
    let renewed = claim.holds_at(deed.now).then_some(claim.from).flatten();
    if claim.standing != Standing::Asked && renewed.is_none() {
        return Err(StateError::refused(format!(
            "claim {} is {}: ask for it anew",
            claim.number,
            claim.word(deed.now)
        )));
    }
    if claim.subject.is_wide() && how.method != Method::Manual {
        return Err(StateError::refused(format!(
            "{} is so wide that a person of this installation decides: hinomi claim approve {}",
            claim.subject, claim.number
        )));
    }
    let from = how.from.or(renewed).unwrap_or(deed.now);
    // Only a person makes shorter what a person made long.
    let until = match (how.method, renewed) {
        (Method::Manual, _) | (_, None) => how.until,
        _ => how.until.max(claim.until.unwrap_or(how.until)),
    };
    if from >= until || how.until.since(deed.now.max(from)) > MAX_TERM {
        return Err(StateError::refused("the claim must end after it begins, and within ten years"));
    }
    let others = in_the_way(transaction, claim, from, until)?;
    match others.first() {
        Some(other) if how.method != Method::Manual => return contest(transaction, deed, claim, other, how),
        Some(other) if !how.instead => {
            return Err(StateError::refused(format!(
                "{} holds {} by claim {} until {}: refuse that claim, or approve this one with --instead, which ends \
                 the other where this begins",
                other.organisation,
                other.subject,
                other.number,
                other.until.unwrap_or_default()
            )));
        }
        _ => others.iter().try_for_each(|other| give_way(transaction, deed, other, from))?,
    }
    let sql = "UPDATE claims SET standing = 'proved', method = $1, token = NULL, token_until = NULL, \
         contested_by = NULL, decided = $2, decided_by = $3, valid_from = $4, valid_until = $5 WHERE number = $6";
    let [now, from_value, until_value] = [deed.now, from, until].map(|time| Value::from(time.as_micros()));
    let values = [how.method.name().into(), now, deed.actor(), from_value, until_value, claim.number.into()];
    transaction.execute(sql, &values)?;
    let detail = format!("{}, {}, from {from} until {until}; {}", claim.subject, how.method, how.detail);
    let action = if renewed.is_some() { "claim renewed" } else { "claim proved" };
    note(transaction, deed, &entry(claim, action, detail))?;
    find(transaction, claim.number).map(Settled::Proved)
}

/// Claims of other organisations to the same subject that hold at any moment of a time.
fn in_the_way(
    transaction: &mut Transaction<'_>,
    claim: &Claim,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Claim>, StateError> {
    let condition = "subject = $1 AND organisation <> $2 AND valid_from < $3 AND valid_until > $4 \
         AND valid_from < valid_until";
    let subject = claim.subject.to_string();
    let values = [(&subject).into(), (&claim.organisation).into(), until.as_micros().into(), from.as_micros().into()];
    select(transaction, condition, &values)
}

fn contest(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    claim: &Claim,
    other: &Claim,
    how: &Settlement,
) -> Result<Settled, StateError> {
    let sql = "UPDATE claims SET contested_by = $1, method = $2, token = NULL, token_until = NULL WHERE number = $3";
    transaction.execute(sql, &[other.number.into(), how.method.name().into(), claim.number.into()])?;
    let (holder, number) = (&other.organisation, other.number);
    let detail = format!("{}, {}, {}; {holder} holds it by claim {number}", claim.subject, how.method, how.detail);
    note(transaction, deed, &entry(claim, "claim contested", detail))?;
    Ok(Settled::Contested { claim: find(transaction, claim.number)?, by: Box::new(other.clone()) })
}

/// Ends another's claim where a new one begins.
fn give_way(transaction: &mut Transaction<'_>, deed: Deed<'_>, other: &Claim, at: Timestamp) -> Result<(), StateError> {
    let ends = other.from.map_or(at, |from| from.max(at));
    let sql = "UPDATE claims SET valid_until = $1, token = NULL, token_until = NULL WHERE number = $2";
    transaction.execute(sql, &[ends.as_micros().into(), other.number.into()])?;
    let before = other.until.unwrap_or_default();
    let detail = format!("{}: ends {ends}, before: {before}", other.subject);
    note(transaction, deed, &entry(other, "claim ended for another's", detail))
}

pub(super) fn entry<'a>(claim: &'a Claim, action: &'a str, detail: impl Into<String>) -> Entry<'a> {
    Entry { claim: Some(claim.number), ..Entry::of(&claim.organisation, action, detail) }
}

/// What gives an organisation the right to vouch for a claim: its own claim to what lies around it, or to the AS.
fn basis(claims: Vec<Claim>, subject: &Subject, origin: Option<u32>, now: Timestamp) -> Option<Claim> {
    let around = |claim: &Claim| match (&claim.subject, subject) {
        (Subject::As(number), Subject::Prefix(_)) => origin == Some(*number),
        (own, wanted) => own.covers(wanted),
    };
    let mut found: Vec<Claim> = claims.into_iter().filter(|claim| claim.holds_at(now) && around(claim)).collect();
    found.sort_by_key(|claim| std::cmp::Reverse(claim.until));
    found.into_iter().next()
}

impl Database {
    /// A person of this installation says that a claim is right.
    ///
    /// # Errors
    /// When it cannot be settled so, or the database cannot be asked.
    pub fn approve_claim(&self, deed: Deed<'_>, number: i64, decision: &Decision) -> Result<Claim, StateError> {
        let settlement = Settlement {
            method: Method::Manual,
            from: decision.from,
            until: decision.until.unwrap_or_else(|| deed.now.plus(TERM)),
            instead: decision.instead,
            detail: decision.note.clone(),
        };
        self.transact(|transaction| {
            let claim = find(transaction, number)?;
            match settle(transaction, deed, &claim, &settlement)? {
                Settled::Proved(claim) => Ok(claim),
                Settled::Contested { .. } => Err(StateError::damaged("a decision of a person was contested")),
            }
        })
    }

    /// An organisation that holds what lies around a claim, or the AS that its addresses are announced from (`origin`),
    /// says that it is right. It counts no longer than what it rests on.
    ///
    /// # Errors
    /// When that organisation has no right to, the claim cannot be settled so, or the database cannot be asked.
    pub fn vouch_claim(
        &self,
        deed: Deed<'_>,
        number: i64,
        voucher: &str,
        origin: Option<u32>,
    ) -> Result<Settled, StateError> {
        self.transact(|transaction| {
            let claim = find(transaction, number)?;
            if claim.organisation == voucher {
                return Err(StateError::refused("nobody vouches for a claim of their own"));
            }
            open(transaction, voucher)?;
            let held = select(transaction, "organisation = $1 AND valid_from IS NOT NULL", &[voucher.into()])?;
            let Some(basis) = basis(held, &claim.subject, origin, deed.now) else {
                return Err(StateError::refused(format!(
                    "{voucher} holds nothing around {}, and not the AS that announces it: it cannot vouch for it",
                    claim.subject
                )));
            };
            let until = deed.now.plus(TERM).min(basis.until.unwrap_or_default());
            let detail = format!("by {voucher}, which holds {} by claim {}", basis.subject, basis.number);
            let settlement = Settlement { method: Method::Vouched, from: None, until, instead: false, detail };
            settle(transaction, deed, &claim, &settlement)
        })
    }

    /// Says that a claim is not right. One that was proved counts as never held.
    ///
    /// # Errors
    /// When it is not there or over, or the database cannot be asked.
    pub fn refuse_claim(&self, deed: Deed<'_>, number: i64, why: &str) -> Result<Claim, StateError> {
        self.finish(deed, number, Standing::Refused, why)
    }

    /// Gives a claim up. What was held until now stays in the history.
    ///
    /// # Errors
    /// When it is not there or over, or the database cannot be asked.
    pub fn withdraw_claim(&self, deed: Deed<'_>, number: i64, why: &str) -> Result<Claim, StateError> {
        self.finish(deed, number, Standing::Withdrawn, why)
    }

    fn finish(&self, deed: Deed<'_>, number: i64, standing: Standing, why: &str) -> Result<Claim, StateError> {
        self.transact(|transaction| {
            let claim = find(transaction, number)?;
            if matches!(claim.standing, Standing::Refused | Standing::Withdrawn) {
                return Err(StateError::refused(format!("claim {number} is {} already", claim.word(deed.now))));
            }
            let held = claim.from.zip(claim.until);
            let (from, until) = match (standing, held) {
                (Standing::Withdrawn, Some((from, until))) => (Some(from), Some(until.min(deed.now).max(from))),
                _ => (None, None),
            };
            let sql = "UPDATE claims SET standing = $1, token = NULL, token_until = NULL, contested_by = NULL, \
                 decided = $2, decided_by = $3, valid_from = $4, valid_until = $5 WHERE number = $6";
            let time = |time: Option<Timestamp>| Value::from(time.map(Timestamp::as_micros));
            let values = [
                standing.name().into(),
                deed.now.as_micros().into(),
                deed.actor(),
                time(from),
                time(until),
                number.into(),
            ];
            transaction.execute(sql, &values)?;
            let held = held.map_or_else(String::new, |(from, until)| format!("; it stood from {from} until {until}"));
            let action = if standing == Standing::Refused { "claim refused" } else { "claim withdrawn" };
            note(transaction, deed, &entry(&claim, action, format!("{}: {why}{held}", claim.subject)))?;
            find(transaction, number)
        })
    }
}

/// How long a proof that a machine saw is good.
pub(super) fn usual_end(now: Timestamp, term: Option<Duration>) -> Timestamp {
    now.plus(term.unwrap_or(TERM).min(TERM))
}
