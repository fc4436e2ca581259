//! Servers that more infected clients reach than chance allows.
//!
//! Of `clients` of a server, `infected` are in the set of known infected subscribers, who are so many of all: the
//! hypergeometric tail says how likely that is by chance, corrected for every server and epoch that could pass
//! (Bonferroni). What passes is weighed by how concentrated the infected are on it, so that a search engine, which all
//! of them reach too, says nothing.
//!
//! Joining a list of infected subscribers with flows serves the same purpose and is a further step: it has a switch
//! of its own: no flow is marked as an infected subscriber's unless
//! [`Keys::tell_infected`](crate::epoch::Keys::tell_infected) was given a recorded legal basis. While it is off this
//! detector sees no infected client and says nothing; all else works.

use std::collections::HashMap;

use super::statistics::{along, as_f64, from_u64, ln_hypergeometric_tail};
use super::view::ServerView;
use super::{Code, Evidence, World};
use crate::purpose::Remote;
use crate::server::{Server, Servers};

/// The chance that even one server passes by chance, over all servers and epochs. A share of false discoveries would not
/// do: what infected subscribers scan and flood is met by several of them and by hardly anybody else. A thousand such
/// true discoveries would let fifty lawful servers pass that two of them have in common.
const ONE_BY_CHANCE: f64 = 0.05;
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
    let (mut all, mut tests) = (Vec::new(), 0);
    for server in servers.sorted() {
        let each = epochs(server, servers);
        // One that too few clients met cannot pass, whoever they are, and is no try.
        tests += each.iter().filter(|lift| lift.clients >= MIN_INFECTED).count();
        // The epoch that says most; pseudonyms of two epochs cannot be joined.
        let best = each.into_iter().min_by(|one, other| one.ln_p.total_cmp(&other.ln_p));
        all.extend(best.map(|lift| (server.endpoint, lift)));
    }
    passing(all, tests).collect()
}

fn epochs(server: &Server, servers: &Servers) -> Vec<Lift> {
    let each = server.epochs().filter_map(|(epoch, state)| {
        let population = servers.population(epoch)?;
        of(state.infected_clients(), state.clients(), population.infected(), population.subscribers())
    });
    each.collect()
}

/// Those that chance does not explain after so many tries.
fn passing<T>(all: Vec<(T, Lift)>, tests: usize) -> impl Iterator<Item = (T, Lift)> {
    let least = (ONE_BY_CHANCE / as_f64(tests.max(1))).ln();
    all.into_iter().filter(move |(_, lift)| lift.ln_p <= least)
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
    fn what_the_infected_attack_lets_no_lawful_server_pass() {
        // Of a million subscribers forty are infected. They scan a thousand hosts, each met by twelve of them; twenty
        // thousand lawful servers have three hundred clients each, and two of the infected are among them now and then.
        let (scanned, lawful) = (of(12, 12, 40, 1_000_000).unwrap(), of(2, 300, 40, 1_000_000).unwrap());
        assert!(lawful.ln_p.exp() < 1e-4, "chance brings about one such among twenty thousand: {}", lawful.ln_p.exp());
        let all: Vec<(u32, Lift)> =
            (0..21_000).map(|name| (name, if name < 1_000 { scanned } else { lawful })).collect();
        let passed: Vec<u32> = passing(all, 21_000).map(|(name, _)| name).collect();
        assert_eq!(passed, (0..1_000).collect::<Vec<u32>>());
        let few = of(2, 3, 40, 1_000_000).unwrap();
        assert_eq!(passing(vec![("few", few)], 1_000_000).count(), 1, "two of three clients are no chance");
    }

    #[test]
    fn a_server_that_everyone_reaches_is_reached_by_the_infected_too() {
        let lift = of(36, 900_000, 40, 1_000_000).unwrap();
        assert!((lift.lift - 1.0).abs() < 1e-9 && lift.ln_p > -1.5);
    }
}
