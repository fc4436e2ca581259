//! `hinomi contact`: whom to reach at an organisation, and when that was last true.

use anyhow::Result;
use clap::{Subcommand, ValueEnum};
use hinomi_model::Timestamp;
use hinomi_state::contacts::{Contact, FRESH_DAYS, Language, NewContact};

use super::{Desk, list, say};
use crate::cli::Common;

/// The language that somebody reads.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Reads {
    Ja,
    En,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  hinomi contact add city-a --role security --name 情報政策課 --mail csirt@city-a.example --phone '+81 3 0000 0000'
  hinomi contact list city-a
  hinomi contact stale --days 90
  hinomi contact confirm 12")]
pub(crate) enum Verb {
    /// Enter a contact; it counts as confirmed now.
    Add {
        /// The organisation.
        organisation: String,
        /// What for: security, abuse, technical, administrative, executive, or another word.
        #[arg(long, default_value = "security")]
        role: String,
        /// A person or a team.
        #[arg(long, default_value = "")]
        name: String,
        /// Where mail goes.
        #[arg(long)]
        mail: String,
        /// A telephone number.
        #[arg(long, default_value = "")]
        phone: String,
        /// What they read.
        #[arg(long, default_value = "ja")]
        language: Reads,
    },
    /// Contacts of one organisation, or of all.
    List {
        /// The organisation.
        organisation: Option<String>,
    },
    /// Say that a contact is still right.
    Confirm {
        /// Its number.
        number: i64,
    },
    /// Take a contact away.
    Remove {
        /// Its number.
        number: i64,
    },
    /// Contacts that nobody confirmed for long.
    Stale {
        /// For so many days.
        #[arg(long, default_value_t = FRESH_DAYS)]
        days: u32,
    },
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let desk = Desk::open(common)?;
    let each = |contact: &Contact| line(contact, desk.now, FRESH_DAYS);
    match verb {
        Verb::Add { organisation, role, name, mail, phone, language } => {
            let language = match language {
                Reads::Ja => Language::Ja,
                Reads::En => Language::En,
            };
            let (role, name) = (role.clone(), name.clone());
            let new = NewContact { role, name, mail: mail.clone(), phone: phone.clone(), language };
            let contact = desk.database.add_contact(desk.deed(), organisation, &new)?;
            say(common, &contact, &format!("contact {}", each(&contact)))
        }
        Verb::List { organisation: Some(organisation) } => {
            list(common, "contacts", &desk.database.contacts_of(organisation)?, each)
        }
        Verb::List { organisation: None } => list(common, "contacts", &desk.database.contacts()?, each),
        Verb::Confirm { number } => {
            let contact = desk.database.confirm_contact(desk.deed(), *number)?;
            say(common, &contact, &format!("contact {}", each(&contact)))
        }
        Verb::Remove { number } => {
            let contact = desk.database.remove_contact(desk.deed(), *number)?;
            say(common, &contact, &format!("contact {number} of {} is taken away", contact.organisation))
        }
        Verb::Stale { days } => {
            let mut contacts = desk.database.contacts()?;
            contacts.retain(|contact| contact.is_stale(desk.now, *days));
            list(common, "contacts", &contacts, |contact| line(contact, desk.now, *days))
        }
    }
}

pub(super) fn line(contact: &Contact, now: Timestamp, days: u32) -> String {
    let NewContact { role, name, mail, phone, language } = &contact.said;
    let phone = if phone.is_empty() { String::new() } else { format!(", {phone}") };
    let stale = if contact.is_stale(now, days) { ", stale" } else { "" };
    let (number, organisation, confirmed) = (contact.number, &contact.organisation, contact.confirmed);
    format!("{number} {organisation} {role}: {name} <{mail}>{phone}, {}, confirmed {confirmed}{stale}", language.name())
}
