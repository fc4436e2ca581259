//! Channels of organisations, and how it is known that mail is wanted where they send it.

use std::time::Duration;

use hinomi_model::Timestamp;
use serde::Serialize;

use super::{
    CHANNEL, FRESH_DAYS, MAX_CHANNELS_OF_ONE, MAX_CODES_A_DAY, MemberChannel, NO_SERVER, Way, member_channel,
    new_number, own_name, stored,
};
use crate::alerts::message::{MESSAGE, add_message, message};
use crate::alerts::{Message, NewChannel, NewMessage, new_secret};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::organisations::book::{Entry, note, room};
use crate::organisations::{Deed, open};
use crate::secret;
use crate::value::Value;

/// How long an address is left alone after a code.
const CODE_PAUSE: Duration = Duration::from_secs(86_400);
/// Characters of a code: 80 bits.
pub(crate) const CODE_CHARS: usize = 20;
/// What a message that carries a code has for events: members are not shown those.
pub(crate) const CODE_MESSAGE: &str = "\"code\"";

/// By what it is known that mail is wanted at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// Nothing yet.
    Nothing,
    /// It is a contact of the organisation, and fresh.
    Contact,
    /// Whoever reads mail there gave away the code that was sent there.
    Code,
}

impl Shown {
    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Contact => "contact",
            Self::Code => "code",
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        match text {
            "contact" => Self::Contact,
            "code" => Self::Code,
            _ => Self::Nothing,
        }
    }
}

fn find(
    transaction: &mut Transaction<'_>,
    organisation: &str,
    name: &str,
) -> Result<Option<MemberChannel>, StateError> {
    let sql = format!("{CHANNEL} WHERE m.organisation = $1 AND m.name = $2");
    transaction.query(&sql, &[organisation.into(), name.into()])?.first().map(member_channel).transpose()
}

/// Whether this address is that of a contact of the organisation that somebody made sure of lately.
fn is_contact(
    transaction: &mut Transaction<'_>,
    organisation: &str,
    mail: &str,
    now: Timestamp,
) -> Result<bool, StateError> {
    let fresh = now.minus(Duration::from_secs(u64::from(FRESH_DAYS) * 86_400));
    let sql = "SELECT number FROM contacts WHERE organisation = $1 AND LOWER(mail) = $2 AND confirmed > $3";
    let values = [organisation.into(), (&mail.to_lowercase()).into(), fresh.as_micros().into()];
    Ok(!transaction.query(sql, &values)?.is_empty())
}

/// Room for one more code to this address, and from this organisation, or from `account` and the id of one.
pub(crate) fn may_send_code(
    transaction: &mut Transaction<'_>,
    organisation: &str,
    mail: &str,
    now: Timestamp,
) -> Result<(), StateError> {
    let mail = mail.to_lowercase();
    let old = now.minus(CODE_PAUSE).as_micros();
    transaction.execute("DELETE FROM member_codes WHERE sent <= $1", &[old.into()])?;
    let count = |transaction: &mut Transaction<'_>, column: &str, of: &str| {
        transaction.one(&format!("SELECT COUNT(*) FROM member_codes WHERE {column} = $1"), &[of.into()])?.integer(0)
    };
    if count(transaction, "mail", &mail)? > 0 {
        return Err(StateError::refused("a code was sent to this address less than a day ago; no other is sent today"));
    }
    if count(transaction, "organisation", organisation)? >= MAX_CODES_A_DAY {
        let whose = if organisation.starts_with("account ") { "account" } else { "organisation" };
        return Err(StateError::refused(format!("{MAX_CODES_A_DAY} codes were sent for this {whose} today")));
    }
    let sql = "INSERT INTO member_codes (mail, organisation, sent) VALUES ($1, $2, $3)";
    transaction.execute(sql, &[(&mail).into(), organisation.into(), now.as_micros().into()]).map(drop)
}

impl Database {
    /// Makes a channel of an organisation; what arrives from `begins` on is told to it. Where it mails to an address that
    /// is no fresh contact of the organisation, `ask` makes the message that takes the code there.
    ///
    /// # Errors
    /// When the organisation is not there, the name is taken, what is said does not do, there are too many, a code was
    /// sent there lately, or the database cannot be written.
    pub fn add_member_channel(
        &self,
        deed: Deed<'_>,
        (organisation, name): (&str, &str),
        (new, begins): (&NewChannel, u64),
        ask: &(dyn Fn(&str) -> NewMessage + Sync),
    ) -> Result<MemberChannel, StateError> {
        own_name(name)?;
        new.check()?;
        let (key, now) = (new_secret()?, deed.now.as_micros());
        let code: String = secret::hash(&secret::secret()?).chars().take(CODE_CHARS).collect();
        let said = serde_json::to_string(new).map_err(|error| StateError::refused(error.to_string()))?;
        self.transact(|transaction| {
            open(transaction, organisation)?;
            if find(transaction, organisation, name)?.is_some() {
                return Err(StateError::refused(format!("a channel is called {name} already")));
            }
            let own = "SELECT COUNT(*) FROM member_channels WHERE organisation = $1";
            room(transaction, (own, &[organisation.into()]), MAX_CHANNELS_OF_ONE, "channels of one organisation")?;
            let shown = match &new.to {
                Way::Mail(mail) if is_contact(transaction, organisation, mail, deed.now)? => Shown::Contact,
                Way::Mail(mail) => {
                    may_send_code(transaction, organisation, mail, deed.now)?;
                    Shown::Nothing
                }
                _ => Shown::Contact,
            };
            let number = new_number()?;
            let sql = "INSERT INTO alert_channels (number, name, said, secret, created, created_by, after, made, server) \
                       VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)";
            // No name of the operator's has a stroke in it.
            let whole = format!("{organisation}/{name}");
            let mut values: Vec<Value> = vec![number.into(), (&whole).into(), (&said).into(), (&key).into()];
            values.extend([now.into(), deed.by.into(), now.into(), NO_SERVER.into()]);
            transaction.execute(sql, &values)?;
            let sql = "INSERT INTO member_channels (number, organisation, name, begins, shown, code, reported) \
                       VALUES ($1, $2, $3, $4, $5, $6, '')";
            let mut values: Vec<Value> = vec![number.into(), organisation.into(), name.into(), stored(begins)];
            values.extend([shown.name().into(), (&code).into()]);
            transaction.execute(sql, &values)?;
            note(transaction, deed, &Entry::of(organisation, "channel made", name))?;
            let Some(made) = find(transaction, organisation, name)? else {
                return Err(StateError::damaged("a channel that was just written is not there".to_owned()));
            };
            if shown == Shown::Nothing {
                let message = NewMessage { events: CODE_MESSAGE.to_owned(), told: Vec::new(), ..ask(&code) };
                add_message(transaction, &made.channel, &message, deed.now)?;
            }
            Ok(made)
        })
    }

    /// Takes the code that was mailed; from then on the channel is open.
    ///
    /// # Errors
    /// When there is no such channel, it is another code, or the database cannot be written.
    pub fn confirm_member_channel(
        &self,
        deed: Deed<'_>,
        (organisation, name): (&str, &str),
        code: &str,
    ) -> Result<MemberChannel, StateError> {
        self.transact(|transaction| {
            let none = || StateError::refused(format!("there is no channel {name}"));
            let found = find(transaction, organisation, name)?.ok_or_else(none)?;
            let number = found.channel.number;
            let kept = transaction.one("SELECT code FROM member_channels WHERE number = $1", &[number.into()])?;
            if !secret::same(code.trim(), kept.text(0)?) {
                return Err(StateError::refused("this is not the code that was sent to the address"));
            }
            let sql = "UPDATE member_channels SET shown = $1 WHERE number = $2";
            transaction.execute(sql, &[Shown::Code.name().into(), number.into()])?;
            note(transaction, deed, &Entry::of(organisation, "channel confirmed", name))?;
            Ok(MemberChannel { shown: Shown::Code, ..found })
        })
    }

    /// Removes a channel of an organisation with its messages; tells whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn remove_member_channel(&self, deed: Deed<'_>, organisation: &str, name: &str) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let Some(found) = find(transaction, organisation, name)? else { return Ok(false) };
            let number = found.channel.number;
            for table in ["alert_messages", "alert_told", "member_places"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE channel = $1"), &[number.into()])?;
            }
            for table in ["member_channels", "alert_channels"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE number = $1"), &[number.into()])?;
            }
            note(transaction, deed, &Entry::of(organisation, "channel removed", name))?;
            Ok(true)
        })
    }

    /// The channels of an organisation, or of all, by organisation, the first made first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn member_channels(&self, organisation: Option<&str>) -> Result<Vec<MemberChannel>, StateError> {
        // Of an organisation that was closed nobody is told any more.
        let open = "m.organisation IN (SELECT id FROM organisations WHERE closed IS NULL)";
        let sql = format!(
            "{CHANNEL} WHERE m.organisation = $1 OR ($1 = '' AND {open}) ORDER BY m.organisation, c.created, m.name"
        );
        let values = [organisation.unwrap_or_default().into()];
        self.transact(|transaction| transaction.query(&sql, &values)?.iter().map(member_channel).collect())
    }

    /// The newest messages of a channel of an organisation, the newest first, without those that carried a code; none
    /// when there is no such channel.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn member_messages(
        &self,
        organisation: &str,
        name: &str,
        limit: u32,
    ) -> Result<Option<Vec<Message>>, StateError> {
        let sql = format!("{MESSAGE} WHERE channel = $1 AND events <> $2 ORDER BY number DESC LIMIT $3");
        self.transact(|transaction| {
            let Some(found) = find(transaction, organisation, name)? else { return Ok(None) };
            let values = [found.channel.number.into(), CODE_MESSAGE.into(), i64::from(limit).into()];
            transaction.query(&sql, &values)?.iter().map(message).collect::<Result<_, _>>().map(Some)
        })
    }

    /// Whether mail to this channel still rests on something: a contact that was removed or went stale is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_still_shown(&self, channel: &MemberChannel, now: Timestamp) -> Result<bool, StateError> {
        let Way::Mail(mail) = &channel.channel.said.to else { return Ok(true) };
        match channel.shown {
            Shown::Nothing => Ok(false),
            Shown::Code => Ok(true),
            Shown::Contact => self.transact(|transaction| is_contact(transaction, &channel.organisation, mail, now)),
        }
    }
}
