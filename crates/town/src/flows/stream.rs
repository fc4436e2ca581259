//! Flows and messages in the order of time, from any moment on, in bounded memory.
//!
//! Sessions are reckoned a block at a time; what they tell later than the block waits in a heap, which holds no more
//! than the pieces of the sessions that go on ([`LONGEST_SECONDS`] at most).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use hinomi_model::Timestamp;

use super::Router;
use super::clock::Block;
use super::ipfix::{Exporter, Message};
use super::sampling::Sampling;
use super::session::{Flow, LONGEST_SECONDS};

/// A router sends what it has this often at least.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Templates are told again after so long.
const INTRODUCE_EVERY: Duration = Duration::from_mins(10);
/// Domain of the router that tells both directions in one record, and of that which does not.
const DOMAINS: [u32; 2] = [1, 2];

/// A flow, when it was told, and by which of the two domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When the router tells it.
    pub time: Timestamp,
    /// Its observation domain: 1 tells both directions in one record, 2 each in its own.
    pub domain: u32,
    /// What it tells.
    pub flow: Flow,
}

/// In the heap: by time, then in the order of the reckoning.
struct Waiting {
    number: u64,
    told: Told,
}

impl Waiting {
    const fn rank(&self) -> (Timestamp, u64) {
        (self.told.time, self.number)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Every flow told from a moment on; it never ends.
pub struct Flows {
    town: Router,
    from: Timestamp,
    /// The first block that is not reckoned yet.
    block: Block,
    waiting: BinaryHeap<Reverse<Waiting>>,
    number: u64,
}

impl Flows {
    pub(super) fn new(town: Router, from: Timestamp) -> Self {
        let block = Block::of(from.minus(Duration::from_secs_f64(LONGEST_SECONDS)));
        Self { town, from, block, waiting: BinaryHeap::new(), number: 0 }
    }

    fn reckon(&mut self) {
        for session in self.town.sessions(self.block) {
            let domain = if session.line.is_told_in_halves() { DOMAINS[1] } else { DOMAINS[0] };
            session.told(|time, flow| {
                if time >= self.from {
                    let told = Told { time, domain, flow };
                    self.waiting.push(Reverse(Waiting { number: self.number, told }));
                    self.number += 1;
                }
            });
        }
        self.block = self.block.next();
    }
}

impl Iterator for Flows {
    type Item = Told;

    fn next(&mut self) -> Option<Told> {
        loop {
            // No session of a later block is told before that block begins.
            if self.waiting.peek().is_some_and(|Reverse(next)| next.told.time < self.block.start()) {
                return self.waiting.pop().map(|Reverse(next)| next.told);
            }
            self.reckon();
        }
    }
}

/// The messages that tell them; never ends.
pub struct Messages {
    flows: Flows,
    seed: u64,
    sampling: Sampling,
    exporters: [Exporter; 2],
    next_flush: Timestamp,
    next_introduction: Timestamp,
    /// The flow that comes after the next flush.
    held: Option<Told>,
    ready: VecDeque<Message>,
}

impl Messages {
    pub(super) fn new(flows: Flows, seed: u64, sampling: Sampling) -> Self {
        let from = flows.from;
        let exporters = DOMAINS.map(|domain| Exporter::new(domain, sampling));
        let (held, ready) = (None, VecDeque::new());
        Self { flows, seed, sampling, exporters, next_flush: from, next_introduction: from, held, ready }
    }

    /// Sends what waits, and the templates when it is their time.
    fn tick(&mut self) {
        let now = self.next_flush;
        let introduces = now >= self.next_introduction;
        for exporter in &mut self.exporters {
            self.ready.extend(exporter.flush(now));
            if introduces {
                self.ready.push_back(exporter.introduce(now));
            }
        }
        if introduces {
            self.next_introduction = now.plus(INTRODUCE_EVERY);
        }
        self.next_flush = now.plus(FLUSH_EVERY);
    }
}

impl Iterator for Messages {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let told = self.held.take().or_else(|| self.flows.next())?;
            if told.time >= self.next_flush {
                self.held = Some(told);
                self.tick();
                continue;
            }
            let exporter = self.exporters.iter_mut().zip(DOMAINS).find(|(_, domain)| *domain == told.domain);
            if let Some((exporter, _)) = exporter
                && let Some(flow) = self.sampling.left(self.seed, &told.flow)
            {
                self.ready.extend(exporter.take(told.time, &flow));
            }
        }
    }
}
