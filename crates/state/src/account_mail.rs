//! Where people are told of changes of their own accounts (ASVS 5.0, 6.3.7), and the messages that tell them.
//!
//! ```text
//!   address -> a code is mailed there -> entered by its owner -> it counts
//!   change of the account --same step--> message in the outbox of alerts -> relay
//! ```
//!
//! - A message is made in the step of the change, by the one place that writes down all of them: no way of changing can
//!   forget to tell, and none tells twice.
//! - Who changes the address is told at the one before; that goes on until the new one was confirmed.
//! - A message has no secret and no link: who gets it can do nothing with it but know. Nothing stands in it as a stranger
//!   sent it.
//! - Who was not told yet of a change is not told of the next one of its kind by the same.
//!
//! At a hundred times the data: a row or two for each account.

mod agent;
mod words;

use std::time::Duration;

use hinomi_model::Timestamp;
use serde::Serialize;

use crate::accounts::Accounts;
use crate::alerts::members::{CODE_CHARS, CODE_MESSAGE, NO_SERVER, language_of, may_send_code, new_number};
use crate::alerts::message::add_message;
use crate::alerts::{CHANNEL, NewChannel, NewMessage, Way, channel};
use crate::contacts::Language;
use crate::database::Transaction;
use crate::deeds::note;
use crate::error::StateError;
use crate::organisations::words::mail as checked_mail;
use crate::people::find;
use crate::secret;
use crate::value::Value;

/// How long an address waits for its code to be entered.
const WAITS: Duration = Duration::from_secs(7 * 86_400);

/// An address of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountMail {
    /// Where to.
    pub mail: String,
    /// In which language.
    pub language: Language,
    /// Whether its owner gave the code: until then nothing else is sent there.
    pub confirmed: bool,
}

impl Accounts {
    /// The addresses of an account: the one that counts first, then one that waits.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn account_mails(&self, person: &str) -> Result<Vec<AccountMail>, StateError> {
        let sql = "SELECT mail, language, confirmed FROM account_mails WHERE person = $1 ORDER BY confirmed DESC";
        let rows = self.transact(|transaction| transaction.query(sql, &[person.into()]))?;
        let read = |row: &crate::value::Row| {
            Ok(AccountMail {
                mail: row.text(0)?.to_owned(),
                language: language_of(row.text(1)?)?,
                confirmed: row.integer(2)? == 1,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Names an address for an account; a code goes there, and what is there before counts until it is entered.
    ///
    /// # Errors
    /// When it is none, a code was sent there lately, there is no such account, or the state cannot be written.
    pub fn ask_account_mail(
        &self,
        person: &str,
        (mail, language): (&str, Language),
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mail = mail.trim();
        checked_mail(mail)?;
        let code: String = secret::hash(&secret::secret()?).chars().take(CODE_CHARS).collect();
        self.transact(|transaction| {
            let owner =
                find(transaction, "id", person)?.ok_or_else(|| StateError::refused("there is no such account"))?;
            may_send_code(transaction, &format!("account {person}"), mail, now)?;
            forget_unconfirmed(transaction, now)?;
            let sql = "INSERT INTO account_mails (person, confirmed, mail, language, code) VALUES ($1, 0, $2, $3, $4) \
                       ON CONFLICT (person, confirmed) DO UPDATE SET mail = $2, language = $3, code = $4";
            let kept = secret::hash(&code);
            transaction.execute(sql, &[person.into(), mail.into(), language.name().into(), (&kept).into()])?;
            let (subject, body) = words::code(language, &owner.name, &code);
            let message = NewMessage { subject, body, events: CODE_MESSAGE.to_owned(), told: Vec::new() };
            send(transaction, person, (mail, language), &message, now)
        })
    }

    /// Takes the code that was mailed: from now on this address counts, and the one before is told so.
    ///
    /// # Errors
    /// When none waits, it is another code, or the state cannot be written.
    pub fn confirm_account_mail(&self, person: &str, code: &str) -> Result<(), StateError> {
        let wrong = || StateError::refused("this is not the code that was sent to the address");
        self.transact(|transaction| {
            let owner = find(transaction, "id", person)?.ok_or_else(wrong)?;
            let sql = "SELECT code FROM account_mails WHERE person = $1 AND confirmed = 0";
            let rows = transaction.query(sql, &[person.into()])?;
            let kept = rows.first().ok_or_else(wrong)?.text(0)?;
            if !secret::same(&secret::hash(code.trim()), kept) {
                return Err(wrong());
            }
            note(transaction, self.actor(), &owner.name, ("mail-set", ""))?;
            transaction.execute("DELETE FROM account_mails WHERE person = $1 AND confirmed = 1", &[person.into()])?;
            let sql = "UPDATE account_mails SET confirmed = 1, code = '' WHERE person = $1";
            transaction.execute(sql, &[person.into()]).map(drop)
        })
    }

    /// Takes the addresses of an account away; the one that counted is told so. Tells whether there were any.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remove_account_mail(&self, person: &str) -> Result<bool, StateError> {
        self.transact(|transaction| {
            let Some(owner) = find(transaction, "id", person)? else { return Ok(false) };
            let there = "SELECT mail FROM account_mails WHERE person = $1";
            if transaction.query(there, &[person.into()])?.is_empty() {
                return Ok(false);
            }
            note(transaction, self.actor(), &owner.name, ("mail-removed", ""))?;
            transaction.execute("DELETE FROM account_mails WHERE person = $1", &[person.into()])?;
            Ok(true)
        })
    }

    /// Tells somebody that their account was signed in to with a browser that it was not known by.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn tell_new_browser(&self, person: &str, (source, agent): (&str, &str)) -> Result<(), StateError> {
        self.transact(|transaction| {
            let Some(owner) = find(transaction, "id", person)? else { return Ok(()) };
            tell(transaction, &owner.name, (&owner.name, "signed-in"), (source, agent))
        })
    }
}

/// Tells the owner of an account of a change of it, where they gave an address and it is worth a message. A sign-in has
/// where it came from, and what its browser calls itself.
pub(crate) fn tell(
    transaction: &mut Transaction<'_>,
    account: &str,
    (by, action): (&str, &str),
    (source, agent): (&str, &str),
) -> Result<(), StateError> {
    if !words::is_told(action) {
        return Ok(());
    }
    let sql = "SELECT m.person, m.mail, m.language, {now} FROM account_mails m JOIN people p ON p.id = m.person \
               WHERE p.name = $1 AND m.confirmed = 1";
    let rows = transaction.query(sql, &[account.into()])?;
    let Some(row) = rows.first() else { return Ok(()) };
    let (person, mail, language) = (row.text(0)?, row.text(1)?, language_of(row.text(2)?)?);
    let now = Timestamp::from_micros(row.integer(3)?);
    // By whom or from where is of the kind: nobody hides behind a message that waits.
    let kind = format!("account: {action}, {}", if source.is_empty() { by } else { source });
    let events = serde_json::to_string(&kind).map_err(|error| StateError::refused(error.to_string()))?;
    let sql = "SELECT w.number FROM alert_messages w JOIN alert_channels c ON c.number = w.channel \
               WHERE c.name = $1 AND w.state = 'waiting' AND w.events = $2 LIMIT 1";
    if !transaction.query(sql, &[(&channel_name(person, mail)).into(), (&events).into()])?.is_empty() {
        return Ok(());
    }
    let (subject, body) = words::change(language, (account, action), (by, source, agent), now);
    let message = NewMessage { subject, body, events, told: Vec::new() };
    send(transaction, person, (mail, language), &message, now)
}

/// The name of the channel to an address: one for each, so that a message that waits for the one before goes there.
fn channel_name(person: &str, mail: &str) -> String {
    format!("account {person} {mail}")
}

/// Puts a message into the outbox of alerts, for an address of an account.
fn send(
    transaction: &mut Transaction<'_>,
    person: &str,
    (mail, language): (&str, Language),
    message: &NewMessage,
    now: Timestamp,
) -> Result<(), StateError> {
    let said = NewChannel {
        to: Way::Mail(mail.to_owned()),
        language,
        watches: std::collections::BTreeSet::new(),
        every_minutes: 0,
        again_hours: 0,
        quiet: None,
        monthly: false,
    };
    let said = serde_json::to_string(&said).map_err(|error| StateError::refused(error.to_string()))?;
    forget(transaction)?;
    let name = channel_name(person, mail);
    let sql = "INSERT INTO alert_channels (number, name, said, secret, created, created_by, after, made, server) \
               VALUES ($1, $2, $3, '', $4, '', 0, $4, $5) ON CONFLICT (name) DO UPDATE SET said = $3";
    let values: [Value; 5] =
        [new_number()?.into(), (&name).into(), (&said).into(), now.as_micros().into(), NO_SERVER.into()];
    transaction.execute(sql, &values)?;
    let of = channel(&transaction.one(&format!("{CHANNEL} WHERE name = $1"), &[(&name).into()])?)?;
    add_message(transaction, &of, message, now)
}

/// Addresses of a closed account go; what waits for them is still sent.
pub(crate) fn forget_closed(transaction: &mut Transaction<'_>, person: &str, now: Timestamp) -> Result<(), StateError> {
    transaction.execute("DELETE FROM account_mails WHERE person = $1", &[person.into()])?;
    forget_unconfirmed(transaction, now)
}

/// Addresses whose code was not entered for [`WAITS`] go.
fn forget_unconfirmed(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<(), StateError> {
    let sql = "DELETE FROM account_mails WHERE confirmed = 0 AND EXISTS (SELECT 1 FROM alert_channels c \
               WHERE c.name = 'account ' || account_mails.person || ' ' || account_mails.mail AND c.made <= $1)";
    transaction.execute(sql, &[now.minus(WAITS).as_micros().into()]).map(drop)
}

/// Addresses that nobody has any more go, with what was sent there, once nothing waits for them.
fn forget(transaction: &mut Transaction<'_>) -> Result<(), StateError> {
    let gone = "SELECT c.number FROM alert_channels c WHERE c.server = '' AND c.name LIKE 'account %' \
                AND NOT EXISTS (SELECT 1 FROM account_mails m WHERE c.name = 'account ' || m.person || ' ' || m.mail) \
                AND NOT EXISTS (SELECT 1 FROM alert_messages w WHERE w.channel = c.number AND w.state = 'waiting')";
    transaction.execute(&format!("DELETE FROM alert_messages WHERE channel IN ({gone})"), &[])?;
    transaction.execute(&format!("DELETE FROM alert_channels WHERE number IN ({gone})"), &[]).map(drop)
}
