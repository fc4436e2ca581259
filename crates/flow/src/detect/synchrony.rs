//! Subscribers that begin the same attack within seconds of each other have the same master.
//!
//! Onsets of one attack (same port, or same victim) within [`TOGETHER`] make a volley. A server whose clients take
//! part in volleys far more than their number explains (hypergeometric, corrected for all that is tried) is where the
//! order came from. The idea is that of GLASSO on darknet senders (Dark-GLASSO, 2020), applied to subscribers.

use std::collections::HashMap;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::statistics::{along, as_f64, from_u64, ln_hypergeometric_tail};
use super::view::ServerView;
use super::watch::Onset;
use super::{Code, Evidence, World};
use crate::purpose::Remote;
use crate::server::{CLIENTS_KEPT, Server, Servers};
use crate::sketch::KSmallest;

/// Onsets no further apart than this are one volley.
const TOGETHER: Duration = Duration::from_secs(10);
/// Fewer are no volley.
const MIN_VOLLEY: u64 = 3;
/// Clients of a volley that a server must have.
const MIN_HITS: u64 = 2;
/// The chance that even one server passes by chance, over all servers and volleys (Bonferroni). A share of false
/// discoveries would not do: what the attackers scan and flood is met by all of them too, and a thousand such true
/// discoveries would let lawful servers pass that two of them have in common.
const ONE_BY_CHANCE: f64 = 0.05;
/// Volleys looked at, the largest.
const MAX_VOLLEYS: usize = 64;
/// Times more clients in the volley than expected, in powers of ten.
const LIFT: [(f64, f64); 5] = [(0.3, 0.0), (0.6, 2.0), (1.0, 3.5), (2.0, 5.0), (4.0, 6.0)];

/// Subscribers that began the same attack at once.
struct Volley {
    epoch: u32,
    clients: KSmallest,
    size: u64,
    seconds: f64,
}

/// A server's part in a volley.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    hits: u64,
    clients: u64,
    lift: f64,
    ln_p: f64,
    seconds: f64,
}

/// Parts of all servers that pass.
pub(crate) fn parts(servers: &Servers, onsets: &[Onset]) -> HashMap<Remote, Part> {
    let volleys = volleys(onsets);
    let all: Vec<(Remote, Part)> = servers
        .sorted()
        .into_iter()
        .filter_map(|server| {
            let each = volleys.iter().filter_map(|volley| part(server, servers, volley));
            let best = each.min_by(|one, other| one.ln_p.total_cmp(&other.ln_p))?;
            Some((server.endpoint, best))
        })
        .collect();
    let tests = as_f64(all.len().max(1)) * as_f64(volleys.len().max(1));
    let least = (ONE_BY_CHANCE / tests).ln();
    all.into_iter().filter(|(_, part)| part.ln_p <= least).collect()
}

fn volleys(onsets: &[Onset]) -> Vec<Volley> {
    let mut sorted: Vec<&Onset> = onsets.iter().collect();
    sorted.sort_by_key(|onset| (onset.epoch, onset.attack, onset.time, onset.client));
    let same = |one: &&Onset, other: &&Onset| {
        one.epoch == other.epoch && one.attack == other.attack && other.time.since(one.time) <= TOGETHER
    };
    let mut found: Vec<Volley> = sorted.chunk_by(same).filter_map(volley).collect();
    found.sort_by_key(|volley| std::cmp::Reverse(volley.size));
    found.truncate(MAX_VOLLEYS);
    found
}

fn volley(onsets: &[&Onset]) -> Option<Volley> {
    let (first, last): (&&Onset, &&Onset) = (onsets.first()?, onsets.last()?);
    let mut clients = KSmallest::new(CLIENTS_KEPT);
    for onset in onsets {
        clients.insert(onset.client.0);
    }
    let size = clients.count();
    let seconds = span(first.time, last.time);
    (size >= MIN_VOLLEY).then_some(Volley { epoch: first.epoch, clients, size, seconds })
}

fn span(first: Timestamp, last: Timestamp) -> f64 {
    last.since(first).as_secs_f64()
}

fn part(server: &Server, servers: &Servers, volley: &Volley) -> Option<Part> {
    let set = server.client_set(volley.epoch)?;
    let (clients, hits) = (set.count(), set.common(&volley.clients));
    let all = servers.population(volley.epoch)?.subscribers().max(clients).max(volley.size);
    let hits = hits.min(clients).min(volley.size);
    let expected = from_u64(clients) * from_u64(volley.size) / from_u64(all);
    let ln_p = if hits < MIN_HITS { 0.0 } else { ln_hypergeometric_tail(hits, clients, volley.size, all) };
    Some(Part { hits, clients, lift: from_u64(hits) / expected.max(1e-9), ln_p, seconds: volley.seconds })
}

/// What volleys say of a server.
pub(crate) fn look(server: &ServerView, world: &World) -> Option<Evidence> {
    let part = world.volleys.get(&server.remote)?;
    let ratio = along(&LIFT, part.lift.log10()).min(-part.ln_p);
    let values = [
        ("onsets", from_u64(part.hits)),
        ("clients", from_u64(part.clients)),
        ("seconds", part.seconds),
        ("log10_p", part.ln_p / std::f64::consts::LN_10),
    ];
    Some(Evidence::new(Code::SynchronyOnset, ratio, &values))
}
