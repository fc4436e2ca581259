//! What the detectors of one scoring look at beside the server itself.

use std::collections::HashMap;

use hinomi_model::Timestamp;

use super::graph::{self, Near};
use super::lift::{self, Lift};
use super::model::Model;
use super::seeds::SeedBook;
use super::synchrony::{self, Part};
use super::watch::Watch;
use crate::purpose::Remote;
use crate::server::Servers;

/// Everything around one server at one scoring.
pub struct World<'a> {
    pub(crate) now: Timestamp,
    pub(crate) seeds: &'a SeedBook,
    pub(crate) watch: &'a Watch,
    pub(crate) model: Option<&'a Model>,
    /// Servers with a state.
    pub(crate) servers: usize,
    /// Of these, how many on each port.
    pub(crate) ports: HashMap<u16, usize>,
    /// Subscribers of the epoch that has most.
    pub(crate) subscribers: u64,
    pub(crate) lifts: HashMap<Remote, Lift>,
    pub(crate) volleys: HashMap<Remote, Part>,
    pub(crate) near: HashMap<Remote, Near>,
}

impl<'a> World<'a> {
    /// Reckons once what needs all servers.
    pub fn new(
        now: Timestamp,
        servers: &Servers,
        seeds: &'a SeedBook,
        watch: &'a Watch,
        model: Option<&'a Model>,
    ) -> Self {
        let all = servers.sorted();
        let mut ports: HashMap<u16, usize> = HashMap::new();
        for server in &all {
            *ports.entry(server.port()).or_default() += 1;
        }
        let epochs = all.iter().flat_map(|server| server.epochs().map(|(epoch, _)| epoch));
        let epochs: std::collections::BTreeSet<u32> = epochs.collect();
        let counts = epochs.into_iter().filter_map(|epoch| servers.population(epoch)).map(|all| all.subscribers());
        Self {
            now,
            seeds,
            watch,
            model,
            servers: all.len(),
            ports,
            subscribers: counts.max().unwrap_or(0),
            lifts: lift::lifts(servers),
            volleys: synchrony::parts(servers, watch.onsets()),
            near: graph::near(servers, seeds),
        }
    }
}
