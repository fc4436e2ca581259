//! Which words may leave in a frame: the questions that the scope permits at a port, byte for byte; in datagrams under
//! any mark, and on a handshake's last acknowledgement the one that is said first there ([`crate::grab::words`]).
//!
//! What may be asked where is what the grab would ask there ([`crate::grab::hints`]): plant equipment hears its own
//! question or none. The question is put together again from the mark it carries and compared; so nothing else leaves,
//! whoever wrote the frame.

use std::collections::HashMap;

use hinomi_model::scope::{Probe, Scope};
use hinomi_model::{ServiceKey, Transport};

use super::Asked;
use crate::grab::words::{self, First};
use crate::grab::{hints, marks};

/// What may be asked, and how often it was since this was last looked at.
#[derive(Default)]
pub(super) struct Questions {
    contact: String,
    /// Worked out at the first question to each port.
    by_port: HashMap<u16, Vec<Probe>>,
    counts: Vec<(Probe, u64)>,
}

impl Questions {
    pub(super) fn naming(contact: &str) -> Self {
        Self { contact: contact.to_owned(), ..Self::default() }
    }

    /// Whether a datagram is a question that may be asked there; if so, it is counted.
    pub(super) fn is_one(&mut self, scope: &Scope, asked: &Asked<'_>) -> bool {
        let Some(bytes) = asked.carried else { return false };
        let probe = match asked.transport {
            Transport::Tcp => self.said_first(scope, asked, bytes),
            Transport::Udp => self.asked_over_udp(scope, asked, bytes),
        };
        let Some(probe) = probe else { return false };
        match self.counts.iter_mut().find(|(known, _)| *known == probe) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((probe, 1)),
        }
        true
    }

    fn said_first(&self, scope: &Scope, asked: &Asked<'_>, bytes: &[u8]) -> Option<Probe> {
        let Some(First::Ask(question)) = words::first(scope, asked.port) else { return None };
        let key = ServiceKey { address: asked.destination, port: asked.port, transport: Transport::Tcp };
        words::request(question, key, &self.contact).filter(|request| request == bytes).map(|_| question.probe())
    }

    fn asked_over_udp(&mut self, scope: &Scope, asked: &Asked<'_>, bytes: &[u8]) -> Option<Probe> {
        let probes = self.by_port.entry(asked.port).or_insert_with(|| hints::udp(scope, asked.port));
        let key = ServiceKey { address: asked.destination, port: asked.port, transport: Transport::Udp };
        let fits = |probe: &&Probe| marks::is_question(**probe, key, &self.contact, bytes);
        probes.iter().find(fits).copied()
    }

    /// How often each probe was asked since this was last called.
    pub(super) fn take_counts(&mut self) -> impl Iterator<Item = (Probe, u64)> {
        std::mem::take(&mut self.counts).into_iter()
    }
}
