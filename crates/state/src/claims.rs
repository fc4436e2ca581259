//! Claims: who says to hold a prefix, an AS number, a domain; how it was proved; from when until when.
//!
//! ```text
//!   ask --token--> asked --proof--> proved --(time)--> expired
//!                    |  \--another holds the same--> contested --a person--> proved | refused
//!                    +--> refused, withdrawn
//! ```
//!
//! - What was held counts from [`Claim::from`] until before [`Claim::until`], also when the claim has ended since: a record
//!   from then belongs to who held the address then.
//! - Two organisations never hold the same subject at the same time; nested ones are usual, and the narrowest counts.
//! - Wide subjects are decided by a person. Every step is an entry of the history.
//!
//! At a hundred times the data: millions of claims; what reads all of them would want pages.

mod decide;
mod proof;
mod subject;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hinomi_model::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

pub use decide::{Decision, Settled};
pub use proof::MAX_CHECKS_A_DAY;
pub use subject::{NotASubject, Subject, canonical};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{Entry, moment, note, optional_moment, room, take_numbers};
use crate::organisations::{Deed, open};
use crate::value::{Row, Value};

/// How long a claim is good when nothing else is said: a year.
pub const TERM: Duration = Duration::from_secs(365 * 86_400);
/// The longest that a person may decide.
pub const MAX_TERM: Duration = Duration::from_secs(10 * 366 * 86_400);
/// How long a token is good.
pub const TOKEN_TERM: Duration = Duration::from_secs(7 * 86_400);
/// The most claims, in all and of one organisation, ended ones too.
pub const MAX_CLAIMS: i64 = 500_000;
const MAX_OF_ONE: i64 = 20_000;

/// How a claim was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A TXT record under the domain or in the reverse zone.
    Dns,
    /// A token on a web server of the domain or address.
    Http,
    /// Who holds what lies around it, or the AS, says so.
    Vouched,
    /// A person of this installation decided.
    Manual,
}

impl Method {
    /// As stored and written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Vouched => "vouched",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let all = [Self::Dns, Self::Http, Self::Vouched, Self::Manual];
        let found = all.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| StateError::refused("a claim is proved by dns, http, vouched or manual"))
    }
}

/// What was decided about a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing yet.
    Asked,
    /// It was proved.
    Proved,
    /// It is not so, and never was.
    Refused,
    /// Who held it gave it up.
    Withdrawn,
}

impl Standing {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Proved => "proved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn read(text: &str) -> Result<Self, StateError> {
        let all = [Self::Asked, Self::Proved, Self::Refused, Self::Withdrawn];
        let found = all.into_iter().find(|standing| standing.name() == text);
        found.ok_or_else(|| StateError::damaged(format!("{text:?} is no standing of a claim")))
    }
}

/// What a claimant shows to prove a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// 128 bits of chance, as 32 hexadecimal digits; of this claim alone.
    pub text: String,
    /// Before this moment.
    pub until: Timestamp,
}

/// A claim as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Its number.
    pub number: i64,
    /// Id of the organisation.
    pub organisation: String,
    /// What is claimed.
    pub subject: Subject,
    /// What was decided.
    pub standing: Standing,
    /// How it was proved, or how it was when another stood in the way.
    pub method: Option<Method>,
    /// When it was asked for, or asked for again.
    pub asked: Timestamp,
    /// By whom.
    pub asked_by: String,
    /// What is to be shown; none when nothing is open.
    pub token: Option<Token>,
    /// The claim of another organisation that stands in the way: a person decides.
    pub contested_by: Option<i64>,
    /// When it was decided.
    pub decided: Option<Timestamp>,
    /// By whom.
    pub decided_by: Option<String>,
    /// What was held counts from this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

impl Claim {
    /// Whether it holds at a moment.
    pub fn holds_at(&self, time: Timestamp) -> bool {
        self.from.zip(self.until).is_some_and(|(from, until)| from <= time && time < until)
    }

    /// In a word, as of a moment.
    pub fn word(&self, now: Timestamp) -> &'static str {
        match self.standing {
            Standing::Asked if self.contested_by.is_some() => "contested",
            Standing::Proved if self.from.is_some_and(|from| now < from) => "begins later",
            Standing::Proved if !self.holds_at(now) => "expired",
            standing => standing.name(),
        }
    }
}

const COLUMNS: &str = "number, organisation, subject, standing, method, asked, asked_by, token, token_until, contested_by, \
     decided, decided_by, valid_from, valid_until";

fn read(row: &Row) -> Result<Claim, StateError> {
    let subject = row.text(2)?;
    let token = row.optional_text(7)?.map(ToOwned::to_owned).zip(optional_moment(row, 8)?);
    Ok(Claim {
        number: row.integer(0)?,
        organisation: row.text(1)?.to_owned(),
        subject: subject.parse().map_err(|error: NotASubject| StateError::damaged(error.to_string()))?,
        standing: Standing::read(row.text(3)?)?,
        method: row.optional_text(4)?.map(str::parse).transpose()?,
        asked: moment(row, 5)?,
        asked_by: row.text(6)?.to_owned(),
        token: token.map(|(text, until)| Token { text, until }),
        contested_by: row.optional_integer(9)?,
        decided: optional_moment(row, 10)?,
        decided_by: row.optional_text(11)?.map(ToOwned::to_owned),
        from: optional_moment(row, 12)?,
        until: optional_moment(row, 13)?,
    })
}

fn select(transaction: &mut Transaction<'_>, condition: &str, values: &[Value]) -> Result<Vec<Claim>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM claims WHERE {condition} ORDER BY number");
    transaction.query(&sql, values)?.iter().map(read).collect()
}

/// The claim, which must be there.
fn find(transaction: &mut Transaction<'_>, number: i64) -> Result<Claim, StateError> {
    let found = select(transaction, "number = $1", &[number.into()])?.into_iter().next();
    found.ok_or_else(|| StateError::refused(format!("there is no claim {number}")))
}

pub(crate) fn all(transaction: &mut Transaction<'_>) -> Result<Vec<Claim>, StateError> {
    select(transaction, "1 = 1", &[])
}

/// A token that nobody can foresee.
fn new_token() -> Result<String, StateError> {
    let mut bytes = [0; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| StateError::refused("the system has no randomness for a token; try again"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Ends everything that an organisation claims; tells how many claims that were.
pub(crate) fn end_all(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    organisation: &str,
) -> Result<u64, StateError> {
    let now = Value::from(deed.now.as_micros());
    let close = "UPDATE claims SET standing = 'withdrawn', token = NULL, token_until = NULL, contested_by = NULL \
         WHERE organisation = $1 AND standing = 'asked'";
    let asked = transaction.execute(close, &[organisation.into()])?;
    let end = "UPDATE claims SET standing = 'withdrawn', token = NULL, token_until = NULL, valid_until = \
         CASE WHEN valid_from > $2 THEN valid_from ELSE $2 END \
         WHERE organisation = $1 AND standing = 'proved' AND valid_until > $2";
    Ok(asked + transaction.execute(end, &[organisation.into(), now])?)
}

/// What a question about claims is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimsOf<'a> {
    /// Of this organisation only.
    pub organisation: Option<&'a str>,
    /// To this alone.
    pub subject: Option<&'a Subject>,
    /// Those that hold now and end before this moment.
    pub ending: Option<(Timestamp, Timestamp)>,
    /// Those that a person must decide.
    pub contested: bool,
}

impl Database {
    /// Asks for a claim, or asks again: for a new token, or so that a claim that holds be renewed.
    ///
    /// # Errors
    /// When the organisation is not there or has too many, or the database cannot be asked.
    pub fn ask_claim(&self, deed: Deed<'_>, organisation: &str, subject: &Subject) -> Result<Claim, StateError> {
        let token = new_token()?;
        let until = deed.now.plus(TOKEN_TERM).as_micros();
        self.transact(|transaction| {
            open(transaction, organisation)?;
            let text = subject.to_string();
            let same =
                select(transaction, "organisation = $1 AND subject = $2", &[organisation.into(), (&text).into()])?;
            let open = same.iter().find(|claim| claim.standing == Standing::Asked || claim.holds_at(deed.now));
            let (action, number) = match open {
                Some(claim) => ("claim asked again", claim.number),
                None => {
                    let own = "SELECT COUNT(*) FROM claims WHERE organisation = $1";
                    room(transaction, (own, &[organisation.into()]), MAX_OF_ONE, "claims of one organisation")?;
                    room(transaction, ("SELECT COUNT(*) FROM claims", &[]), MAX_CLAIMS, "claims")?;
                    let number = take_numbers(transaction, 1)?;
                    let sql = "INSERT INTO claims (number, organisation, subject, standing, asked, asked_by, checks, \
                         first_check) VALUES ($1, $2, $3, 'asked', $4, $5, 0, 0)";
                    let values = [number.into(), organisation.into(), (&text).into(), deed.now.as_micros().into()];
                    transaction.execute(sql, &[&values[..], &[deed.actor()]].concat())?;
                    ("claim asked", number)
                }
            };
            let sql = "UPDATE claims SET token = $1, token_until = $2, asked = $3, asked_by = $4 WHERE number = $5";
            let (now, by) = (deed.now.as_micros(), deed.actor());
            transaction.execute(sql, &[(&token).into(), until.into(), now.into(), by, number.into()])?;
            note(transaction, deed, &Entry { claim: Some(number), ..Entry::of(organisation, action, &text) })?;
            find(transaction, number)
        })
    }

    /// One claim.
    ///
    /// # Errors
    /// When it is not there, or the database cannot be asked.
    pub fn claim(&self, number: i64) -> Result<Claim, StateError> {
        self.transact(|transaction| find(transaction, number))
    }

    /// Claims, by number.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn claims(&self, of: &ClaimsOf<'_>) -> Result<Vec<Claim>, StateError> {
        let (mut wanted, mut values) = (vec!["1 = 1".to_owned()], Vec::<Value>::new());
        if let Some(organisation) = of.organisation {
            values.push(organisation.into());
            wanted.push(format!("organisation = ${}", values.len()));
        }
        if let Some(subject) = of.subject {
            values.push((&subject.to_string()).into());
            wanted.push(format!("subject = ${}", values.len()));
        }
        if let Some((now, before)) = of.ending {
            values.extend([now.as_micros().into(), before.as_micros().into()]);
            let (now, before) = (values.len() - 1, values.len());
            wanted.push(format!("valid_from <= ${now} AND valid_until > ${now} AND valid_until < ${before}"));
        }
        if of.contested {
            wanted.push("standing = 'asked' AND contested_by IS NOT NULL".to_owned());
        }
        self.transact(|transaction| select(transaction, &wanted.join(" AND "), &values))
    }
}
