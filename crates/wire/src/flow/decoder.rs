//! One decoder for all protocols and exporters: datagrams in, [`FlowRecord`]s and counts out.
//!
//! ```text
//!   datagram -> version -> exporter -> domain -> set -> template's plan -> record -> each(FlowRecord)
//!                               \_ uptime, number: reboots, loss      \_ held until the template comes
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::books::{Books, Seat};
use super::counts::{Counts, Reason, wide};
use super::exporter::{Exporter, ExporterCounts, is_old};
use super::limits::{Kept, Limits};
use super::record::FlowRecord;
use super::{ipfix, netflow5, netflow9, sflow};

/// How often what is old is looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Decodes NetFlow v5 and v9, IPFIX and sFlow v5.
///
/// An exporter is an address with its port, as the transport sessions of RFC 7011 are: two behind one address do not
/// mix. Who wants one exporter for all ports of an address gives port 0.
#[derive(Debug)]
pub struct Decoder {
    exporters: HashMap<SocketAddr, Exporter>,
    books: Books,
    swept: Option<Timestamp>,
}

/// What a datagram claims to be.
#[derive(Clone, Copy)]
enum Version {
    NetFlow5,
    NetFlow9,
    Ipfix,
    Sflow5,
}

impl Version {
    fn of(datagram: &[u8]) -> Option<Self> {
        match datagram {
            [0, 5, ..] => Some(Self::NetFlow5),
            [0, 9, ..] => Some(Self::NetFlow9),
            [0, 10, ..] => Some(Self::Ipfix),
            [0, 0, 0, 5, ..] => Some(Self::Sflow5),
            _ => None,
        }
    }
}

impl Decoder {
    /// One that knows nobody yet.
    pub fn new(limits: Limits) -> Self {
        let books = Books { limits, kept: Kept::default(), counts: Counts::default(), specs: Vec::new() };
        Self { exporters: HashMap::new(), books, swept: None }
    }

    /// Decodes a datagram, or one message of a stream (see [`Framing`](super::Framing)), and hands out its records;
    /// before them those of earlier data whose template it brings.
    pub fn decode(
        &mut self,
        exporter: SocketAddr,
        received: Timestamp,
        datagram: &[u8],
        each: &mut impl FnMut(FlowRecord),
    ) {
        self.books.counts.received(datagram.len());
        self.tick(received);
        let Some(version) = Version::of(datagram) else {
            return self.books.counts.refuse(Reason::UnknownVersion, datagram.len());
        };
        if !self.exporters.contains_key(&exporter) && self.exporters.len() >= self.books.limits.exporters {
            return self.books.counts.refuse(Reason::TooManyExporters, datagram.len());
        }
        let refusals = self.books.counts.refusals();
        let known = self.exporters.entry(exporter).or_insert_with(|| Exporter::new(received));
        let mut seat = Seat { exporter: known, books: &mut self.books, received };
        match version {
            Version::NetFlow5 => netflow5::read(&mut seat, datagram, each),
            Version::NetFlow9 => netflow9::read(&mut seat, datagram, each),
            Version::Ipfix => ipfix::read(&mut seat, datagram, each),
            Version::Sflow5 => sflow::read(&mut seat, datagram, each),
        }
        let refused = self.books.counts.refusals().saturating_sub(refusals);
        known.counts.heard(received, wide(datagram.len()), refused);
    }

    /// What became of every byte.
    pub const fn counts(&self) -> &Counts {
        &self.books.counts
    }

    /// What each exporter did.
    pub fn exporters(&self) -> impl Iterator<Item = (SocketAddr, &ExporterCounts)> {
        self.exporters.iter().map(|(&address, exporter)| (address, &exporter.counts))
    }

    /// What is kept now.
    pub const fn kept(&self) -> Kept {
        self.books.kept
    }

    /// Forgets an exporter: its stream ended, and its templates with it (RFC 7011 section 8.1). Returns what it did.
    pub fn forget(&mut self, exporter: SocketAddr) -> Option<ExporterCounts> {
        let known = self.exporters.remove(&exporter)?;
        let counts = known.counts;
        known.close(&mut self.books);
        Some(counts)
    }

    /// Nothing more will come: what still waits is given up and counted as [`Reason::MissingTemplate`].
    pub fn finish(&mut self) {
        for exporter in self.exporters.values_mut() {
            exporter.give_up(&mut self.books);
        }
    }

    /// Forgets what is old, once a minute. [`decode`](Self::decode) does so by the time of receipt; who hears nothing
    /// calls this, or data that wait for a template stay as long as every exporter is silent.
    pub fn tick(&mut self, now: Timestamp) {
        let swept = *self.swept.get_or_insert(now);
        if !is_old(swept, now, SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        let idle = self.books.limits.idle;
        for (_, gone) in self.exporters.extract_if(|_, exporter| is_old(exporter.counts.last_seen, now, idle)) {
            self.books.counts.forgotten = self.books.counts.forgotten.saturating_add(1);
            gone.close(&mut self.books);
        }
        for exporter in self.exporters.values_mut() {
            exporter.sweep(&mut self.books, now);
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

#[cfg(test)]
mod build;
#[cfg(test)]
mod conformance;
#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests;
