//! Who answers for an address, and how they are reached.
//!
//! The chain of a finding: who holds its longest claimed prefix, who holds those around it, who runs the AS, the response
//! teams. Only who answered for it when it was seen and still does: what was seen at an address that became another's is
//! not told to either ([`Chain::ChangedHands`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::Timestamp;
use hinomi_state::contacts::Contact;
use hinomi_state::organisations::{Kind, Organisation};
use hinomi_state::{Database, StateError};

use super::{PURPOSES, Settings};
use crate::register::{Held, Holders, Register};

/// Roles of contacts that are told, the first first; then whoever else there is.
const ROLES: [&str; 4] = ["security", "abuse", "technical", "administrative"];

/// Why somebody answers for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Id of the organisation.
    pub(super) organisation: String,
    /// `holder`, `network`, `as` or `csirt`.
    pub(super) basis: &'static str,
    /// The claim, as text; nothing for response teams.
    pub(super) by: String,
}

/// Who may be told, the nearest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chain {
    /// These.
    Of(Vec<Link>),
    /// Who holds the address now did not when it was seen, or the other way round.
    ChangedHands,
}

/// How somebody is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    /// Here.
    Contact(&'a Contact),
    /// They want no notices.
    OptedOut,
    /// No contact with a mail address is known.
    NoContact,
    /// They are not here any more, or agreed to no purpose of notices.
    NotEntitled,
}

/// Everything that decides who is told.
pub(super) struct Book {
    register: Arc<Register>,
    holders: Holders,
    organisations: BTreeMap<String, Organisation>,
    contacts: BTreeMap<String, Vec<Contact>>,
    opted_out: BTreeSet<String>,
    csirts: Vec<String>,
    now: Timestamp,
    fresh_days: u32,
}

impl Book {
    /// As it stands now.
    pub(super) fn read(database: &Database, settings: &Settings, now: Timestamp) -> Result<Self, StateError> {
        let register = Arc::new(Register::read(database, now)?);
        let organisations: BTreeMap<_, _> =
            database.organisations()?.into_iter().map(|one| (one.id.clone(), one)).collect();
        let mut contacts: BTreeMap<String, Vec<Contact>> = BTreeMap::new();
        for contact in database.contacts()? {
            contacts.entry(contact.organisation.clone()).or_default().push(contact);
        }
        let opted_out = database.notice_opt_outs()?.into_iter().map(|one| one.organisation).collect();
        let open = |id: &&String| register.organisations.contains_key(*id);
        let is_csirt = |id: &&String| organisations.get(*id).is_some_and(|one| one.profile.kind == Kind::Csirt);
        let csirts = match settings.csirts.is_empty() {
            true => organisations.keys().filter(open).filter(is_csirt).cloned().collect(),
            false => settings.csirts.iter().filter(open).filter(is_csirt).cloned().collect(),
        };
        let (holders, fresh_days) = (Holders::new(&register), settings.fresh_days);
        Ok(Self { register, holders, organisations, contacts, opted_out, csirts, now, fresh_days })
    }

    /// Who answers for what was seen there then.
    pub(super) fn chain(&self, address: IpAddr, asn: Option<u32>, then: Timestamp) -> Chain {
        let holder = |time| self.holders.holder(address, time).map(|claim| claim.organisation.as_str());
        if holder(then) != holder(self.now) {
            return Chain::ChangedHands;
        }
        let mut links: Vec<Link> = Vec::new();
        let still: BTreeSet<&str> =
            self.holders.around(address, self.now).map(|claim| claim.organisation.as_str()).collect();
        let around = self.holders.around(address, then).filter(|claim| still.contains(claim.organisation.as_str()));
        for claim in around {
            let basis = if links.is_empty() { "holder" } else { "network" };
            let Held::Prefix(prefix) = &claim.subject else { continue };
            add(&mut links, &claim.organisation, basis, prefix.to_string());
        }
        if let Some(number) = asn {
            let of = |time| self.holders.of_as(number, time).map(|claim| claim.organisation.as_str());
            if let Some(organisation) = of(then).filter(|then| of(self.now) == Some(*then)) {
                add(&mut links, organisation, "as", format!("AS{number}"));
            }
        }
        for csirt in &self.csirts {
            add(&mut links, csirt, "csirt", String::new());
        }
        Chain::Of(links)
    }

    /// How an organisation is reached.
    pub(super) fn reach(&self, organisation: &str) -> Reach<'_> {
        if self.opted_out.contains(organisation) {
            return Reach::OptedOut;
        }
        let known = self.register.organisations.get(organisation);
        if !known.is_some_and(|one| PURPOSES.iter().any(|purpose| one.purposes.contains(purpose))) {
            return Reach::NotEntitled;
        }
        let contacts = self.contacts.get(organisation).into_iter().flatten();
        let rank = |contact: &&Contact| {
            let role = ROLES.iter().position(|role| *role == contact.said.role).unwrap_or(ROLES.len());
            (contact.is_stale(self.now, self.fresh_days), role, std::cmp::Reverse(contact.confirmed), contact.number)
        };
        contacts.min_by_key(rank).map_or(Reach::NoContact, Reach::Contact)
    }

    /// Whether an organisation still has this contact.
    pub(super) fn has_contact(&self, organisation: &str, number: i64, mail: &str) -> bool {
        let mut contacts = self.contacts.get(organisation).into_iter().flatten();
        contacts.any(|contact| contact.number == number && contact.said.mail == mail)
    }

    /// Whether a contact is one that nobody confirmed for long.
    pub(super) fn is_stale(&self, contact: &Contact) -> bool {
        contact.is_stale(self.now, self.fresh_days)
    }

    /// The name of an organisation, for people.
    pub(super) fn name(&self, organisation: &str, japanese: bool) -> String {
        self.organisations.get(organisation).map_or(organisation, |one| one.name(japanese)).to_owned()
    }

    /// For which of the purposes of notices an organisation may read.
    pub(super) fn purposes(&self, organisation: &str) -> Vec<hinomi_model::Purpose> {
        let agreed = self.register.organisations.get(organisation).map(|one| &one.purposes);
        PURPOSES.into_iter().filter(|purpose| agreed.is_some_and(|agreed| agreed.contains(purpose))).collect()
    }
}

/// The nearest reason of each organisation counts.
fn add(links: &mut Vec<Link>, organisation: &str, basis: &'static str, by: String) {
    if links.iter().all(|link| link.organisation != organisation) {
        links.push(Link { organisation: organisation.to_owned(), basis, by });
    }
}
