//! Which finished campaigns asked what, for those who say where to look next: from the plans and scopes that are kept.
//!
//! A campaign counts when what its plan says comes to as many targets as its account does; a share of a job, or one of
//! which the plan is gone, does not say which targets it asked.

use std::collections::BTreeMap;

use anyhow::Result;
use hinomi_model::scope::{PortSet, Scope};
use hinomi_model::{CampaignId, Timestamp, Transport};
use hinomi_survey::ledger::Book;
use hinomi_survey::predict::{Asked, MAX_ASKED};
use hinomi_survey::scope::read_signed;
use hinomi_survey::sweep::{MAX_LISTED, Targets};
use hinomi_survey::{Account, Told};

use super::super::campaign::status;
use super::super::survey::wanted_ports;
use super::super::targets::permitted;
use crate::books::{PlanFile, Shelf};
use crate::state::State;

/// The newest finished campaigns, at most [`MAX_ASKED`].
pub(super) fn asked(state: &State) -> Result<Vec<Asked>> {
    let shelf = Shelf::of(state);
    let stored = status::stored(state)?;
    let mut finished: Vec<(CampaignId, Account)> = stored.into_iter().filter_map(finished).collect();
    finished.sort_by_key(|(_, account)| std::cmp::Reverse(account.time));
    finished.truncate(MAX_ASKED);
    if finished.is_empty() {
        return Ok(Vec::new());
    }
    let mut look = Look { book: status::book(&shelf)?, shelf, scopes: BTreeMap::new(), room: MAX_LISTED };
    Ok(finished.iter().filter_map(|(id, account)| look.asked(id, account)).collect())
}

fn finished((id, told): (CampaignId, Told)) -> Option<(CampaignId, Account)> {
    let account = told.account.filter(|_| told.finished)?;
    Some((id, account))
}

struct Look {
    shelf: Shelf,
    book: Book,
    /// Scopes that were read, by digest.
    scopes: BTreeMap<String, Option<Scope>>,
    /// Targets of lists that may still be taken into memory.
    room: usize,
}

impl Look {
    fn asked(&mut self, id: &CampaignId, account: &Account) -> Option<Asked> {
        let started = self.book.runs(id).last();
        let digest = started.map(|run| run.start.digest.clone());
        let plan = self.shelf.plan(id).ok();
        let digest = digest.or_else(|| plan.as_ref().map(|plan| plan.digest.clone()))?;
        let when = (account.started, account.time);
        if let Some(listed) = plan.as_ref().filter(|plan| plan.targets.is_some()) {
            return self.of_list(listed, account.targets, when);
        }
        let scope = self.scope(&digest)?;
        let ports = plan.as_ref().and_then(|plan| wanted_ports(plan.tcp_ports.as_ref(), plan.udp_ports.as_ref()));
        let found = [ports, Some(permitted(scope))].into_iter().flatten().find(|ports| {
            Targets::new(&scope.ranges, ports.clone()).is_ok_and(|targets| targets.len() == account.targets)
        });
        let Some(ports) = found else {
            tracing::info!(campaign = %id, "what this campaign asked is not known");
            return None;
        };
        let of = |wanted| ports.iter().filter(|(of, _)| *of == wanted).map(|(_, port)| *port).collect::<PortSet>();
        Some(Asked::whole(scope, of(Transport::Tcp), of(Transport::Udp), when.0, when.1))
    }

    fn of_list(&mut self, plan: &PlanFile, targets: u64, (started, ended): (Timestamp, Timestamp)) -> Option<Asked> {
        let list = self.shelf.list(plan.targets.as_deref()?).ok()?;
        // Of all lists together no more is kept than one list may have: the oldest are forgotten.
        let left = usize::try_from(list.len()).ok().and_then(|many| self.room.checked_sub(many));
        if list.len() != targets || left.is_none() {
            return None;
        }
        self.room = left.unwrap_or(0);
        let random = plan.explored.as_deref().and_then(|digest| self.shelf.list(digest).ok());
        Some(Asked::list(list, random, started, ended))
    }

    fn scope(&mut self, digest: &str) -> Option<&Scope> {
        let path = self.shelf.scope(digest);
        let read = || read_signed(&std::fs::read(path).ok()?).ok().map(|signed| signed.scope);
        self.scopes.entry(digest.to_owned()).or_insert_with(read).as_ref()
    }
}
