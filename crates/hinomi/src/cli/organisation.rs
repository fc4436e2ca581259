//! `hinomi organisation`: who is there, whom each acts for, what it may read for; documents of all of them.

pub(super) mod audience;
pub(super) mod claim;
pub(super) mod contact;
mod exchange;
mod way;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hinomi_model::{Clock, Purpose, SystemClock, Timestamp};
use hinomi_share::ledger::Log;
use hinomi_state::claims::{Claim, ClaimsOf};
use hinomi_state::contacts::FRESH_DAYS;
use hinomi_state::organisations::{Deed, Event, EventsOf, Kind, MAX_EVENTS, Organisation, Profile, Related, Relation};
use hinomi_state::{Database, Settings};
use serde::Serialize;
use serde_json::json;

use super::Common;
use crate::{output, witness};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  hinomi organisation add city-a --name-ja 甲市 --kind municipality --purpose exposure-reduction
  hinomi organisation change vendor --acts-for city-a --acts-for city-b
  hinomi organisation import customers.csv
  hinomi organisation export > register.toml
  hinomi organisation check --days 90")]
pub(crate) enum Verb {
    /// Enter an organisation.
    Add(Told),
    /// Say something else of it; what is not named stays.
    Change(Told),
    /// Every organisation.
    List {
        /// Also those that were closed.
        #[arg(long)]
        all: bool,
    },
    /// Everything about one.
    Show {
        /// Its id.
        id: String,
    },
    /// End one: what it holds, belongs to and may read for ends now. What it held before stays its own.
    Close {
        /// Its id.
        id: String,
    },
    /// What was done to one, or to all, by whom.
    History {
        /// Its id [default: all].
        id: Option<String>,
        /// After this entry.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
    },
    /// What needs a person: contacts that nobody confirmed, claims that end or are contested.
    Check {
        /// So many days ahead for claims.
        #[arg(long, default_value_t = 30)]
        days: u32,
        /// After so many days a contact must be confirmed.
        #[arg(long, default_value_t = FRESH_DAYS)]
        fresh: u32,
    },
    /// Take in organisations with contacts and claims, from a document of this program (.toml) or a table (.csv).
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Write all of it as a document.
    Export,
}

#[derive(Debug, Args)]
pub(crate) struct Told {
    /// Short and lasting, as city-a.
    id: String,
    /// Its name in Japanese.
    #[arg(long, value_name = "NAME")]
    name_ja: Option<String>,
    /// Its name in English.
    #[arg(long, value_name = "NAME")]
    name_en: Option<String>,
    /// authority, municipality, company, school, hospital, operator, vendor, csirt, community, other.
    #[arg(long)]
    kind: Option<Kind>,
    /// Its sector, as medical.
    #[arg(long)]
    sector: Option<String>,
    /// It runs this installation.
    #[arg(long)]
    own: bool,
    /// It may read for this: exposure-reduction, notification, research, exercise, cnc-detection; may be repeated.
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<Purpose>,
    /// It may no longer read for this.
    #[arg(long = "no-purpose", value_name = "PURPOSE")]
    no_purposes: Vec<Purpose>,
    /// It acts for this organisation; may be repeated.
    #[arg(long = "acts-for", value_name = "ID")]
    acts_for: Vec<String>,
    /// It no longer acts for this organisation.
    #[arg(long = "no-acts-for", value_name = "ID")]
    no_acts_for: Vec<String>,
}

/// The state and whoever changes it.
pub(super) struct Desk {
    pub(super) database: Database,
    by: String,
    pub(super) now: Timestamp,
}

impl Desk {
    fn open(common: &Common) -> Result<Self> {
        let state = common.state()?;
        let Settings { target, .. } = Settings::of_state(state.make()?)?;
        Ok(Self { database: Database::open(&target)?, by: witness::user(), now: SystemClock.now() })
    }

    /// Does something, and tells the ledger of what it changed. A change stands also where the ledger could not be told;
    /// then it is told with the next one.
    pub(super) fn done(common: &Common, work: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let desk = Self::open(common)?;
        let before = desk.database.register_number()?;
        let done = work(&desk);
        if desk.database.register_number()? == before {
            return done;
        }
        if let Err(error) = desk.tell(common) {
            output::talk(&format!("the ledger is not told yet: {}", output::clean(&format!("{error:#}"))));
        }
        done
    }

    fn tell(&self, common: &Common) -> Result<()> {
        let log = Log::open(&self.database, common.state()?.make()?, Arc::new(SystemClock))?;
        log.take_in()?;
        Ok(())
    }

    pub(super) fn deed(&self) -> Deed<'_> {
        Deed { by: &self.by, now: self.now }
    }
}

/// One thing as JSON, or as text.
pub(super) fn say(common: &Common, value: &impl Serialize, text: &str) -> Result<()> {
    match common.json {
        true => output::json(value),
        false => output::line(&output::clean(text)),
    }
}

/// Many things: an array under a name, or a line each.
pub(super) fn list<T: Serialize>(common: &Common, name: &str, all: &[T], line: impl Fn(&T) -> String) -> Result<()> {
    if common.json {
        return output::json(&json!({ name: all }));
    }
    all.iter().try_for_each(|one| output::line(&output::clean(&line(one))))
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    Desk::done(common, |desk| act(common, desk, verb))
}

fn act(common: &Common, desk: &Desk, verb: &Verb) -> Result<()> {
    match verb {
        Verb::Add(told) => add(common, desk, told),
        Verb::Change(told) => change(common, desk, told),
        Verb::List { all } => {
            let mut organisations = desk.database.organisations()?;
            organisations.retain(|one| *all || one.closed.is_none());
            list(common, "organisations", &organisations, line)
        }
        Verb::Show { id } => show(common, desk, id),
        Verb::Close { id } => {
            let closed = desk.database.close_organisation(desk.deed(), id)?;
            say(common, &closed, &format!("{id} is closed; what it held before stays its own"))
        }
        Verb::History { id, after } => {
            let of = EventsOf { organisation: id.as_deref(), claim: None, after: *after, limit: MAX_EVENTS };
            events(common, &desk.database.register_events(&of)?)
        }
        Verb::Check { days, fresh } => check(common, desk, *days, *fresh),
        Verb::Import { file } => exchange::import(common, desk, file),
        Verb::Export => exchange::export(common, desk),
    }
}

pub(super) fn events(common: &Common, events: &[Event]) -> Result<()> {
    list(common, "events", events, |event| {
        let Event { number, time, by, organisation, claim, action, detail } = event;
        let organisation = organisation.as_deref().map_or_else(String::new, |id| format!(" {id}"));
        let claim = claim.map_or_else(String::new, |number| format!(" claim {number}"));
        format!("{number} {time} {by}:{organisation}{claim}: {action}: {detail}")
    })
}

fn line(one: &Organisation) -> String {
    let Profile { sector, kind, own, .. } = &one.profile;
    let sector = sector.as_deref().map_or_else(String::new, |sector| format!(", {sector}"));
    let own = if *own { ", runs this installation" } else { "" };
    let closed = one.closed.map_or_else(String::new, |closed| format!(", closed {closed}"));
    format!("{}  {} ({kind}{sector}{own}{closed})", one.id, one.name(true))
}

fn add(common: &Common, desk: &Desk, told: &Told) -> Result<()> {
    let kind = told.kind.context("say what it is: --kind municipality, company, hospital, ...")?;
    let (name_ja, name_en) = (told.name_ja.clone().unwrap_or_default(), told.name_en.clone().unwrap_or_default());
    let profile = Profile { name_ja, name_en, sector: told.sector.clone(), kind, own: told.own };
    let added = desk.database.add_organisation(desk.deed(), &told.id, &profile)?;
    relations(desk, told)?;
    say(common, &added, &format!("{} is entered", line(&added)))
}

fn change(common: &Common, desk: &Desk, told: &Told) -> Result<()> {
    let before = desk.database.organisation(&told.id)?;
    let before = before.with_context(|| format!("there is no organisation {}", told.id))?.profile;
    let profile = Profile {
        name_ja: told.name_ja.clone().unwrap_or(before.name_ja),
        name_en: told.name_en.clone().unwrap_or(before.name_en),
        sector: told.sector.clone().or(before.sector),
        kind: told.kind.unwrap_or(before.kind),
        own: told.own || before.own,
    };
    let changed = desk.database.change_organisation(desk.deed(), &told.id, &profile)?;
    relations(desk, told)?;
    say(common, &changed, &line(&changed))
}

fn relations(desk: &Desk, told: &Told) -> Result<()> {
    let Told { id, purposes, no_purposes, acts_for, no_acts_for, .. } = told;
    for purpose in purposes {
        desk.database.relate(desk.deed(), id, (Relation::Purpose, purpose.name()), None)?;
    }
    for purpose in no_purposes {
        desk.database.unrelate(desk.deed(), id, (Relation::Purpose, purpose.name()))?;
    }
    for customer in acts_for {
        desk.database.relate(desk.deed(), id, (Relation::ActsFor, customer), None)?;
    }
    for customer in no_acts_for {
        desk.database.unrelate(desk.deed(), id, (Relation::ActsFor, customer))?;
    }
    Ok(())
}

fn show(common: &Common, desk: &Desk, id: &str) -> Result<()> {
    let one = desk.database.organisation(id)?.with_context(|| format!("there is no organisation {id}"))?;
    let relations = desk.database.relations_of(id)?;
    let acted_for_by = desk.database.related_to(Relation::ActsFor, id)?;
    let contacts = desk.database.contacts_of(id)?;
    let claims = desk.database.claims(&ClaimsOf { organisation: Some(id), ..ClaimsOf::default() })?;
    if common.json {
        return output::json(&json!({
            "organisation": one, "relations": relations, "acted_for_by": acted_for_by, "contacts": contacts,
            "claims": claims.iter().map(|claim| claim::with_word(claim, desk.now)).collect::<Vec<_>>(),
        }));
    }
    let mut text = line(&one);
    let stands = |related: &&Related| related.stands_at(desk.now);
    for related in relations.iter().filter(stands) {
        text += &format!("\n  {} {}{}", related.relation, related.target, until(related));
    }
    for related in acted_for_by.iter().filter(stands) {
        text += &format!("\n  acted for by {}{}", related.organisation, until(related));
    }
    for contact in &contacts {
        text += &format!("\n  contact {}", contact::line(contact, desk.now, FRESH_DAYS));
    }
    for claim in &claims {
        text += &format!("\n  claim {}", claim::line(claim, desk.now));
    }
    output::line(&output::clean(&text))
}

fn until(related: &Related) -> String {
    related.ends.map_or_else(String::new, |ends| format!(" until {ends}"))
}

fn check(common: &Common, desk: &Desk, days: u32, fresh: u32) -> Result<()> {
    let ahead = desk.now.plus(Duration::from_secs(u64::from(days) * 86_400));
    let ending = desk.database.claims(&ClaimsOf { ending: Some((desk.now, ahead)), ..ClaimsOf::default() })?;
    let contested = desk.database.claims(&ClaimsOf { contested: true, ..ClaimsOf::default() })?;
    let contacts = desk.database.contacts()?;
    let reachable: std::collections::BTreeSet<&str> = contacts.iter().map(|one| one.organisation.as_str()).collect();
    let organisations = desk.database.organisations()?;
    let open: Vec<&str> = organisations.iter().filter(|one| one.closed.is_none()).map(|one| one.id.as_str()).collect();
    let unreachable: Vec<&str> = open.iter().copied().filter(|id| !reachable.contains(id)).collect();
    let is_stale = |one: &&hinomi_state::contacts::Contact| {
        one.is_stale(desk.now, fresh) && open.binary_search(&one.organisation.as_str()).is_ok()
    };
    let stale: Vec<_> = contacts.iter().filter(is_stale).collect();
    if common.json {
        return output::json(&json!({
            "stale_contacts": stale, "without_contact": unreachable, "claims_ending": ending, "contested": contested,
        }));
    }
    for contact in &stale {
        output::line(&output::clean(&format!("contact {}", contact::line(contact, desk.now, fresh))))?;
    }
    unreachable.iter().try_for_each(|id| output::line(&format!("{id} has no contact")))?;
    let named = |word: &str, claim: &Claim| output::line(&format!("{word}: claim {}", claim::line(claim, desk.now)));
    ending.iter().try_for_each(|claim| named("ends", claim))?;
    contested.iter().try_for_each(|claim| named("contested", claim))?;
    let count = stale.len() + unreachable.len() + ending.len() + contested.len();
    output::talk(&format!("{count} things need a person"));
    Ok(())
}
