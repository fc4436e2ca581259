//! A RITA-like baseline: the four parts of its beacon score, one client and server at a time, nothing else.
//!
//! It sees the very flows that the detection sees. An endpoint has the score of its best client in its best
//! epoch (RITA looks at a day at a time too). What RITA adds from other
//! logs (names, certificates, threat feeds) is not in flows and is left out; so are its modifiers.

use std::collections::HashMap;

use crate::detect::rhythm;
use crate::detect::statistics::seconds;
use crate::detect::view::Pair;
use crate::finding::Endpoint;
use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};
use crate::server::Contact;

/// An endpoint is named from this score on: what RITA shows as high.
pub const NAMED_FROM: f64 = 0.8;
/// Contacts kept in all; a capture for evaluation has fewer.
const MAX_CONTACTS: usize = 4_000_000;

/// Every contact of every pair.
#[derive(Default)]
pub struct Baseline {
    pairs: HashMap<(u32, Remote, Pseudonym), Vec<Contact>>,
    contacts: usize,
}

impl Baseline {
    pub(crate) fn take(&mut self, flow: &Flow<CncDetection>) {
        if !flow.told_by_subscriber || self.contacts >= MAX_CONTACTS {
            return;
        }
        self.contacts += 1;
        self.pairs.entry((flow.epoch, flow.remote, flow.subscriber)).or_default().push(Contact::of(flow));
    }

    /// Endpoints by their best client's score, the highest first.
    pub fn ranked(&self) -> Vec<(Endpoint, f64)> {
        let mut spans: HashMap<u32, (f64, f64)> = HashMap::new();
        for ((epoch, _, _), contacts) in &self.pairs {
            let span = spans.entry(*epoch).or_insert((f64::INFINITY, f64::NEG_INFINITY));
            for contact in contacts {
                let start = seconds(contact.start.as_micros());
                *span = (span.0.min(start), span.1.max(start));
            }
        }
        let mut best: HashMap<Remote, f64> = HashMap::new();
        for ((epoch, remote, client), contacts) in &self.pairs {
            let Some((from, to)) = spans.get(epoch).copied() else { continue };
            let mut contacts = contacts.clone();
            contacts.sort_unstable();
            let pair = Pair { client: *client, contacts };
            if let Some(rhythm) = rhythm::of(&pair, from, to) {
                let score = best.entry(*remote).or_default();
                *score = score.max(rhythm.score());
            }
        }
        let endpoint =
            |remote: Remote| Endpoint { address: remote.address, port: remote.port, protocol: remote.protocol };
        let mut ranked: Vec<(Endpoint, f64)> =
            best.into_iter().map(|(remote, score)| (endpoint(remote), score)).collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        ranked
    }
}
