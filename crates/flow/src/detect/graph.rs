//! What lies near known endpoints: the same odd port, the same network, the same clients.
//!
//! Clients and servers make a bipartite graph. A walk that starts again and again at servers which a list names, and
//! goes from server to client to server, stays where known endpoints' clients go (personalised PageRank); against the
//! same walk from anywhere, that says how much a server belongs to them rather than to everybody. Edges are the
//! sampled clients of each server: the samples are coordinated (smallest pseudonyms), so that servers with the same
//! clients keep the same ones.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ports;
use super::statistics::{along, as_f64};
use super::view::ServerView;
use super::{Code, Evidence, World};
use crate::purpose::{Pseudonym, Remote};
use crate::server::{Server, Servers};

use super::seeds::SeedBook;

/// Chance to start again at each step.
const RESTART: f64 = 0.2;
/// Steps of the walk; what is left after them is below a thousandth.
const STEPS: usize = 20;
/// Known endpoints compared client set by client set, those with most clients.
const MAX_COMPARED: usize = 64;
/// Clients that a server must share with known endpoints.
const MIN_SHARED: u64 = 2;

/// Known endpoints in the same network.
const NETWORK: [(f64, f64); 3] = [(0.0, 0.0), (1.0, 0.6), (5.0, 1.6)];
/// How much likelier the walk from known endpoints is here than the walk from anywhere, in powers of ten.
const RANK: [(f64, f64); 3] = [(0.3, 0.0), (1.0, 1.5), (2.0, 3.0)];

/// What the clients of a server say of its nearness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    jaccard: f64,
    shared: u64,
    rank: f64,
}

/// The /24 or /48 of an address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(four) => IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() & 0xffff_ff00)),
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 80))),
    }
}

/// Nearness of all servers to those that a list names; empty where none is met.
pub(crate) fn near(servers: &Servers, seeds: &SeedBook) -> HashMap<Remote, Near> {
    let all = servers.sorted();
    let known: Vec<bool> = all.iter().map(|server| seeds.names(server.address(), server.port())).collect();
    if !known.contains(&true) {
        return HashMap::new();
    }
    let ranks = ranks(&all, &known);
    let mut compared: Vec<&Server> =
        all.iter().zip(&known).filter(|(_, known)| **known).map(|(server, _)| *server).collect();
    compared.sort_by_key(|server| std::cmp::Reverse(server.most_clients()));
    compared.truncate(MAX_COMPARED);
    let others = all.iter().zip(&known).zip(ranks).filter(|((_, known), _)| !**known);
    others
        .map(|((server, _), rank)| {
            let (shared, jaccard) = compared.iter().map(|seed| common(server, seed)).fold((0, 0.0_f64), most);
            (server.endpoint, Near { jaccard, shared, rank })
        })
        .collect()
}

fn most(one: (u64, f64), other: (u64, f64)) -> (u64, f64) {
    (one.0.max(other.0), one.1.max(other.1))
}

/// Shared clients and the Jaccard index in the epoch that shares most.
fn common(one: &Server, other: &Server) -> (u64, f64) {
    let each = one.epochs().filter_map(|(epoch, state)| {
        let theirs = other.client_set(epoch)?;
        Some((state.clients.common(theirs), state.clients.jaccard(theirs)))
    });
    each.fold((0, 0.0), most)
}

/// For each server the walk from known ones against the walk from anywhere.
fn ranks(all: &[&Server], known: &[bool]) -> Vec<f64> {
    let graph = Graph::of(all);
    let count = as_f64(known.iter().filter(|known| **known).count()).max(1.0);
    let from_known: Vec<f64> = known.iter().map(|known| if *known { 1.0 / count } else { 0.0 }).collect();
    let anywhere = vec![1.0 / as_f64(all.len().max(1)); all.len()];
    let (near, usual) = (graph.walk(&from_known), graph.walk(&anywhere));
    near.iter().zip(usual).map(|(near, usual)| near / usual.max(f64::MIN_POSITIVE)).collect()
}

/// Which clients each server has, by number.
struct Graph {
    servers: Vec<Vec<usize>>,
    client_degrees: Vec<f64>,
}

impl Graph {
    fn of(all: &[&Server]) -> Self {
        let mut numbers: BTreeMap<(u32, Pseudonym), usize> = BTreeMap::new();
        let mut client_degrees: Vec<f64> = Vec::new();
        let mut servers = Vec::with_capacity(all.len());
        for server in all {
            let mut clients = Vec::new();
            for (key, _) in server.timelines() {
                let number = *numbers.entry((key.epoch, key.client)).or_insert_with(|| {
                    client_degrees.push(0.0);
                    client_degrees.len() - 1
                });
                if let Some(degree) = client_degrees.get_mut(number) {
                    *degree += 1.0;
                }
                clients.push(number);
            }
            servers.push(clients);
        }
        Self { servers, client_degrees }
    }

    /// Where a walk is that starts again with that chance at those places.
    fn walk(&self, restart: &[f64]) -> Vec<f64> {
        let mut here = restart.to_vec();
        for _ in 0..STEPS {
            let mut at_clients = vec![0.0; self.client_degrees.len()];
            for (clients, weight) in self.servers.iter().zip(&here) {
                for client in clients {
                    if let Some(at) = at_clients.get_mut(*client) {
                        *at += weight / as_f64(clients.len());
                    }
                }
            }
            let share = |client: &usize| {
                let degree = self.client_degrees.get(*client).copied().unwrap_or(1.0);
                at_clients.get(*client).copied().unwrap_or(0.0) / degree.max(1.0)
            };
            let next = self
                .servers
                .iter()
                .zip(restart)
                .map(|(clients, start)| RESTART * start + (1.0 - RESTART) * clients.iter().map(share).sum::<f64>());
            here = next.collect();
        }
        here
    }
}

/// What is near this server.
pub(crate) fn look(server: &ServerView, world: &World) -> Vec<Evidence> {
    [odd_port(server, world), same_network(server, world), same_clients(server, world)].into_iter().flatten().collect()
}

fn odd_port(server: &ServerView, world: &World) -> Option<Evidence> {
    let ratio = ports::log_likelihood_ratio(server.remote, world);
    let seeds = f64::from(world.seeds.on_port(server.remote.port));
    let values = [("port", f64::from(server.remote.port)), ("seeds", seeds), ("ratio", ratio.exp())];
    (ratio > 0.0).then(|| Evidence::new(Code::GraphPort, ratio, &values))
}

fn same_network(server: &ServerView, world: &World) -> Option<Evidence> {
    let seeds = f64::from(world.seeds.neighbours(server.remote.address));
    let ratio = along(&NETWORK, seeds);
    (ratio > 0.0).then(|| Evidence::new(Code::GraphNetwork, ratio, &[("seeds", seeds)]))
}

fn same_clients(server: &ServerView, world: &World) -> Option<Evidence> {
    let near = world.near.get(&server.remote)?;
    if near.shared < MIN_SHARED {
        return None;
    }
    let ratio = along(&RANK, near.rank.max(1e-9).log10()) * along(&[(0.0, 0.3), (0.3, 1.0)], near.jaccard);
    let values = [("jaccard", near.jaccard), ("rank", near.rank)];
    (ratio > 0.0).then(|| Evidence::new(Code::GraphClients, ratio, &values))
}
