//! What of the ledger concerns whoever asks: his own looks and those of his people for the organisations that he acts for,
//! what left and was told on their behalf, what was done to what they hold and to his account. Administrators ask for
//! changes of accounts besides; the operator sees all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use hinomi_share::Viewer;
use hinomi_share::ledger::{
    ACCOUNTS, Actor, Entry, Event, Group, LedgerError, Log, MAX_NAMED, account_concern, organisation_concern,
};
use hinomi_state::ledger::LedgerEntry;
use serde::Serialize;

use crate::app::App;
use crate::auth::{Caller, ask};
use crate::limits::{MAX_FELLOWS, MAX_LEDGER_ENTRIES};
use crate::page::fault::Fault;

/// Of which entries one asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that concern the caller.
    #[default]
    Mine,
    /// Changes of accounts; for administrators.
    Accounts,
}

/// One entry, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Told {
    /// From 0, by which a proof is asked for.
    pub(crate) place: u64,
    /// What it says.
    pub(crate) entry: Entry,
}

/// A page of them, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Told>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<u64>,
}

/// Whom an entry must concern.
struct Who {
    account: String,
    organisations: BTreeSet<String>,
}

impl Who {
    fn is(&self, by: &Actor) -> bool {
        account_concern(&by.name) == account_concern(&self.account)
            || !by.organisations.is_disjoint(&self.organisations)
    }

    /// Names those of theirs that an entry names by a digest.
    fn find(
        &self,
        log: &Log,
        entry: &mut Entry,
        known: &mut BTreeMap<Group, BTreeSet<String>>,
    ) -> Result<(), LedgerError> {
        let Some(by) = entry.event.by_mut() else { return Ok(()) };
        let Some(group) = by.group.as_ref().filter(|_| account_concern(&by.name) != account_concern(&self.account))
        else {
            return Ok(());
        };
        if !known.contains_key(group) {
            let mut own = log.organisations_of(group)?;
            own.retain(|id| self.organisations.contains(id));
            known.insert(group.clone(), own);
        }
        by.organisations = known.get(group).cloned().unwrap_or_default();
        Ok(())
    }

    /// What is told of an entry: of a look by somebody else, not at what and for whom besides.
    fn cut(&self, mut entry: Entry) -> Entry {
        let (Event::Look { by, .. } | Event::Export { by, .. } | Event::Notice { by, .. }) = &mut entry.event else {
            return entry;
        };
        if account_concern(&by.name) == account_concern(&self.account) {
            return entry;
        }
        let named = by.group.take().map_or(by.organisations.len() as u64, |group| group.organisations);
        by.organisations.retain(|id| self.organisations.contains(id));
        let wider = named > by.organisations.len() as u64;
        if by.organisations.len() > MAX_NAMED {
            by.group = Some(Group::of(&by.organisations).0);
            by.organisations.clear();
        }
        if let Event::Look { question, .. } = &mut entry.event
            && wider
        {
            *question = None;
        }
        entry
    }

    /// Whether it is theirs to know.
    fn may_know(&self, event: &Event) -> bool {
        match event {
            Event::Look { by, .. } | Event::Export { by, .. } => self.is(by),
            // What an organisation was told stands on its own page, by the purpose that it reads for.
            Event::Notice { by, .. } => self.is(by),
            Event::Ownership { organisation, .. } => self.organisations.contains(organisation),
            Event::Account { account, .. } => *account == self.account,
            Event::Policy { by, .. } => account_concern(&by.name) == account_concern(&self.account),
            _ => false,
        }
    }
}

/// A page of entries from before a place on.
pub(crate) async fn page(
    app: &App,
    caller: &Caller,
    which: Which,
    (before, limit): (Option<u64>, usize),
) -> Result<Page, Fault> {
    let none = || Fault::new(StatusCode::NOT_FOUND, "not-found").because(&"there is no ledger here");
    let log = app.door.ledger().ok_or_else(none)?;
    let most = u64::try_from(limit.min(MAX_LEDGER_ENTRIES)).unwrap_or(1).max(1);
    let Caller::Person(known) = caller else {
        return told(move || everything(&log, which, before, most)).await;
    };
    if which == Which::Accounts {
        if !known.person.administrator || caller.signed_in().is_none() {
            let why = "changes of accounts are for administrators who signed in";
            return Err(Fault::new(StatusCode::FORBIDDEN, "not-entitled").because(&why));
        }
        return told(move || about(&log, &[ACCOUNTS.to_owned()], before, most)).await;
    }
    let organisations = match caller.viewer() {
        Viewer::Member(member) => member.organisations,
        _ => BTreeSet::new(),
    };
    let who = Who { account: known.person.name.clone(), organisations };
    let named: Vec<String> = who.organisations.iter().cloned().collect();
    let fellows = ask(app, move |accounts| accounts.members_of(&named, MAX_FELLOWS)).await?;
    let mut concerns: BTreeSet<String> = who.organisations.iter().map(|id| organisation_concern(id)).collect();
    concerns.extend(fellows.iter().map(|name| account_concern(name)));
    concerns.insert(account_concern(&who.account));
    let concerns: Vec<String> = concerns.into_iter().collect();
    let work = move || {
        let (mut page, mut known) = (about(&log, &concerns, before, most)?, BTreeMap::new());
        page.entries.iter_mut().try_for_each(|told| who.find(&log, &mut told.entry, &mut known))?;
        page.entries.retain(|told| who.may_know(&told.entry.event));
        page.entries = page.entries.into_iter().map(|told| Told { entry: who.cut(told.entry), ..told }).collect();
        Ok(page)
    };
    told(work).await
}

async fn told<F>(work: F) -> Result<Page, Fault>
where
    F: FnOnce() -> Result<Page, LedgerError> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal"))?;
    done.map_err(|error| {
        tracing::error!(%error, "the ledger cannot be read");
        Fault::new(StatusCode::SERVICE_UNAVAILABLE, "state")
    })
}

fn everything(log: &Arc<Log>, which: Which, before: Option<u64>, most: u64) -> Result<Page, LedgerError> {
    if which == Which::Accounts {
        return about(log, &[ACCOUNTS.to_owned()], before, most);
    }
    log.take_in()?;
    let end = before.unwrap_or(u64::MAX).min(log.size()?);
    let from = end.saturating_sub(most);
    let mut rows = log.entries(from, end - from)?;
    rows.reverse();
    Ok(Page { entries: rows.iter().filter_map(read).collect(), before: (from > 0).then_some(from) })
}

fn about(log: &Arc<Log>, concerns: &[String], before: Option<u64>, most: u64) -> Result<Page, LedgerError> {
    let rows = log.about(concerns, before, most)?;
    let full = rows.len() as u64 >= most;
    let before = rows.last().map(|row| row.place).filter(|place| full && *place > 0);
    Ok(Page { entries: rows.iter().filter_map(read).collect(), before })
}

/// What a row says; nothing once that was deleted.
fn read(row: &LedgerEntry) -> Option<Told> {
    Some(Told { place: row.place, entry: Entry::read(row.data.as_ref()?)? })
}
