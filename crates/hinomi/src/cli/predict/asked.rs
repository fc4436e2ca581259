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
use ipnet::Ipv6Net;

use super::super::campaign::status;
use super::super::survey::wanted_ports;
use super::super::targets::permitted;
use crate::books::{PlanFile, Shelf};
use crate::state::State;

/// Places that are kept for each kind: campaigns over whole ranges, from which most is learned, and lists.
const OF_EACH: usize = MAX_ASKED / 2;

/// Finished campaigns that are looked through for those that count.
const MAX_LOOKED_AT: usize = 4_096;

/// The newest finished campaigns that say what they asked, at most [`MAX_ASKED`].
pub(super) fn asked(state: &State) -> Result<Vec<Asked>> {
    let shelf = Shelf::of(state);
    let stored = status::stored(state)?;
    let mut finished: Vec<Finished> = stored.into_iter().filter_map(finished).collect();
    finished.sort_by_key(|one| std::cmp::Reverse(one.account.time));
    finished.truncate(MAX_LOOKED_AT);
    if finished.is_empty() {
        return Ok(Vec::new());
    }
    let mut look = Look { book: status::book(&shelf)?, shelf, scopes: BTreeMap::new(), room: MAX_LISTED };
    let (mut whole, mut lists) = (Vec::new(), Vec::new());
    for one in &finished {
        // Lists are large: of those that would not count none is read.
        let Some(asked) = look.asked(one, lists.len() < MAX_ASKED) else { continue };
        let kind = if asked.is_whole() { &mut whole } else { &mut lists };
        if kind.len() < MAX_ASKED {
            kind.push(asked);
        }
        if whole.len() >= OF_EACH && lists.len() >= OF_EACH {
            break;
        }
    }
    Ok(in_equal_parts(whole, lists))
}

/// As many of both, the first of each; where there are fewer of one, more of the other.
fn in_equal_parts<T>(mut one: Vec<T>, mut other: Vec<T>) -> Vec<T> {
    one.truncate(OF_EACH.max(MAX_ASKED.saturating_sub(other.len())));
    other.truncate(MAX_ASKED.saturating_sub(one.len()));
    one.extend(other);
    one
}

/// A campaign that came to its end.
struct Finished {
    id: CampaignId,
    account: Account,
    /// Prefixes of which it asked one address for all.
    aliased: Vec<Ipv6Net>,
}

fn finished((id, told): (CampaignId, Told)) -> Option<Finished> {
    let account = told.account.filter(|_| told.finished)?;
    Some(Finished { id, account, aliased: told.aliased })
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
    fn asked(&mut self, Finished { id, account, aliased }: &Finished, lists_too: bool) -> Option<Asked> {
        let started = self.book.runs(id).last();
        let digest = started.map(|run| run.start.digest.clone());
        let plan = self.shelf.plan(id).ok();
        let digest = digest.or_else(|| plan.as_ref().map(|plan| plan.digest.clone()))?;
        let when = (account.started, account.time);
        if let Some(listed) = plan.as_ref().filter(|plan| plan.targets.is_some()) {
            let asked = lists_too.then(|| self.of_list(listed, account.targets, when)).flatten()?;
            return Some(asked.without(aliased));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_do_not_drive_out_campaigns_over_whole_ranges() {
        let parts = |whole: usize, lists: usize| {
            let all = in_equal_parts(vec!["whole"; whole], vec!["list"; lists]);
            (all.iter().filter(|kind| **kind == "whole").count(), all.len())
        };
        assert_eq!(parts(3, 500), (3, MAX_ASKED));
        assert_eq!(parts(500, 500), (OF_EACH, MAX_ASKED));
        assert_eq!(parts(500, 3), (MAX_ASKED - 3, MAX_ASKED));
        assert_eq!(parts(3, 3), (3, 6));
    }
}
