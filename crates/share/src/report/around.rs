//! What the state says of an organisation besides what is seen of it.

use hinomi_model::Timestamp;
use hinomi_state::alerts::Way;
use hinomi_state::claims::{Claim, ClaimsOf};
use hinomi_state::contacts::{Contact, Language};
use hinomi_state::notices::{NoticeState, NoticesOf};
use hinomi_state::{Database, StateError};

use super::Report;

/// Messages of a channel that are looked at.
const MESSAGES: u32 = 200;

/// What the state says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// What people call the organisation.
    pub name: String,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// Its contacts.
    pub contacts: Vec<Contact>,
    /// Who was told.
    pub told: Vec<Told>,
}

/// How often one was told during the month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The channel.
    pub name: String,
    /// Messages that arrived.
    pub sent: u64,
    /// Messages that did not.
    pub lost: u64,
}

impl Around {
    /// Of this organisation, in the month of a report that was made for it.
    ///
    /// # Errors
    /// When it is not there, or the state cannot be asked.
    pub fn of(
        database: &Database,
        organisation: &str,
        report: &Report,
        language: Language,
    ) -> Result<Self, StateError> {
        let month = report.month;
        let found = database.organisation(organisation)?;
        let none = || StateError::Refused { detail: format!("there is no organisation {organisation}") };
        let found = found.ok_or_else(none)?;
        let mut told = Vec::new();
        for channel in database.member_channels(Some(organisation))? {
            let name = channel.channel.name;
            let messages = database.member_messages(organisation, &name, MESSAGES)?.unwrap_or_default();
            let during = |made: Timestamp| month.start() <= made && made < month.end();
            let count = |state: &str| messages.iter().filter(|one| one.state == state && during(one.made)).count();
            let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
            let target = match &channel.channel.said.to {
                Way::Mail(to) => format!("{name} ({to})"),
                _ => name,
            };
            told.push(Told { name: target, sent: number(count("sent")), lost: number(count("given-up")) });
        }
        let notices = notices(database, organisation, report)?;
        if notices > 0 {
            let name = if language == Language::Ja { "お知らせ" } else { "Notices" };
            told.push(Told { name: name.to_owned(), sent: notices, lost: 0 });
        }
        Ok(Self {
            name: found.name(language == Language::Ja).to_owned(),
            claims: database.claims(&ClaimsOf { organisation: Some(organisation), ..ClaimsOf::default() })?,
            contacts: database.contacts_of(organisation)?,
            told,
        })
    }
}

/// Notices that left for the organisation during the month, of those that its reader may know of: what tells of another
/// purpose is not counted.
fn notices(database: &Database, organisation: &str, report: &Report) -> Result<u64, StateError> {
    let may = &report.may;
    let Some(purpose) = may.purpose.filter(|_| may.organisations.iter().any(|one| one == organisation)) else {
        return Ok(0);
    };
    let organisations = Some([organisation.to_owned()].into());
    let sent = NoticesOf { organisations, state: Some(NoticeState::Sent), limit: 1_000, ..NoticesOf::default() };
    let during = |time: Timestamp| report.month.start() <= time && time < report.month.end();
    let all = database.notices(&sent)?;
    let own = all.iter().filter(|one| one.sent.is_some_and(during) && one.purposes.iter().all(|each| each == purpose));
    Ok(u64::try_from(own.count()).unwrap_or(u64::MAX))
}
