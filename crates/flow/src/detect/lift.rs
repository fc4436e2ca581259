//! Servers that more infected clients reach than chance allows.
//!
//! Of `clients` of a server, `infected` are in the set of known infected subscribers, who are so many of all: the
//! hypergeometric tail says how likely that is by chance. Over all servers of an epoch the share of false discoveries
//! is held (Benjamini and Hochberg). What passes is weighed by how concentrated the infected are on it, so that a
//! search engine, which all of them reach too, says nothing.
//!
//! Joining a list of infected subscribers with flows serves the same purpose and is a further step: it has a switch
//! of its own: no flow is marked as an infected subscriber's unless
//! [`Keys::tell_infected`](crate::epoch::Keys::tell_infected) was given a recorded legal basis. While it is off this
//! detector sees no infected client and says nothing; all else works.

use std::collections::HashMap;

use super::statistics::{along, false_discovery, from_u64, ln_hypergeometric_tail};
use super::view::ServerView;
use super::{Code, Evidence, World};
use crate::purpose::Remote;
use crate::server::{Server, Servers};

/// At most this share of the servers named may be named by chance.
const FALSE_DISCOVERIES: f64 = 0.05;
/// Fewer infected clients are a coincidence whatever the sum says.
const MIN_INFECTED: u64 = 2;
/// How many times more infected clients than expected, in powers of ten.
const LIFT: [(f64, f64); 5] = [(0.3, 0.0), (0.6, 2.0), (1.0, 3.5), (2.0, 5.5), (4.0, 7.0)];

/// One server's count against chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lift {
    infected: u64,
    clients: u64,
    lift: f64,
    ln_p: f64,
}

/// Lifts of all servers that pass; empty while the switch is off.
pub(crate) fn lifts(servers: &Servers) -> HashMap<Remote, Lift> {
    let all: Vec<(Remote, Lift)> = servers
        .sorted()
        .into_iter()
        .filter_map(|server| Some((server.endpoint, best_epoch(server, servers)?)))
        .collect();
    let ln_p: Vec<f64> = all.iter().map(|(_, lift)| lift.ln_p).collect();
    let keep = false_discovery(&ln_p, FALSE_DISCOVERIES);
    all.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(found, _)| found).collect()
}

/// The epoch that says most; pseudonyms of two epochs cannot be joined.
fn best_epoch(server: &Server, servers: &Servers) -> Option<Lift> {
    let each = server.epochs().filter_map(|(epoch, state)| {
        let population = servers.population(epoch)?;
        of(state.infected_clients(), state.clients(), population.infected(), population.subscribers())
    });
    each.min_by(|one, other| one.ln_p.total_cmp(&other.ln_p))
}

fn of(infected: u64, clients: u64, all_infected: u64, all: u64) -> Option<Lift> {
    // Sketches estimate: no part is larger than its whole.
    let infected = infected.min(clients);
    let (all_infected, all) = (all_infected.max(infected), all.max(clients).max(all_infected));
    if clients == 0 || all_infected == 0 {
        return None;
    }
    let expected = from_u64(clients) * from_u64(all_infected) / from_u64(all);
    let ln_p = if infected < MIN_INFECTED { 0.0 } else { ln_hypergeometric_tail(infected, clients, all_infected, all) };
    Some(Lift { infected, clients, lift: from_u64(infected) / expected.max(1e-9), ln_p })
}

/// What the infected say of a server.
pub(crate) fn look(server: &ServerView, world: &World) -> Option<Evidence> {
    let lift = world.lifts.get(&server.remote)?;
    // How sure it is bounds how much it may say.
    let ratio = along(&LIFT, lift.lift.log10()).min(-lift.ln_p);
    let values = [
        ("infected", from_u64(lift.infected)),
        ("clients", from_u64(lift.clients)),
        ("lift", lift.lift),
        ("log10_p", lift.ln_p / std::f64::consts::LN_10),
    ];
    Some(Evidence::new(Code::LiftInfected, ratio, &values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_of_forty_infected_and_one_of_a_million_need_no_payload() {
        let lift = of(12, 13, 40, 1_000_000).unwrap();
        assert!(lift.ln_p < -100.0 && lift.lift > 10_000.0);
    }

    #[test]
    fn estimates_that_contradict_each_other_give_numbers() {
        // 250 of 262 clients are infected; the larger count is an estimate, and too small.
        let lift = of(250, 245, 400, 1_000_000).unwrap();
        assert!(lift.ln_p.is_finite() && lift.ln_p < -100.0 && lift.infected == 245);
    }

    #[test]
    fn a_server_that_everyone_reaches_is_reached_by_the_infected_too() {
        let lift = of(36, 900_000, 40, 1_000_000).unwrap();
        assert!((lift.lift - 1.0).abs() < 1e-9 && lift.ln_p > -1.5);
    }
}
