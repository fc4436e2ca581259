//! Two halves of a session, as NetFlow tells them, become one flow.
//!
//! An exporter without biflows (RFC 5103) tells each direction in a record of its own. A half waits for the other for
//! minutes at most; if it does not come, the half goes on alone, and whether there was an answer stays unknown. Records
//! of both directions pass through at once. Sessions longer than an exporter's active timeout come in pieces: a half is
//! joined with the first waiting one whose time overlaps its own.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use hinomi_model::Timestamp;

use crate::purpose::{CncDetection, Flow, Pseudonym, Remote};
use crate::rows::Rows;

/// Halves of one pair of ends that wait.
const MAX_HALVES: usize = 8;
/// Clocks of exporters and the resolution of their times: halves this far apart still overlap.
const SLACK: Duration = Duration::from_secs(2);

/// How long and how many halves wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairConfig {
    /// How long a half waits.
    pub life: Duration,
    /// How many wait at most.
    pub max_waiting: usize,
}

impl Default for PairConfig {
    fn default() -> Self {
        Self { life: Duration::from_secs(120), max_waiting: 262_144 }
    }
}

/// What became of the flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairCounts {
    /// Flows taken in.
    pub flows: u64,
    /// Flows of both directions, passed on.
    pub whole: u64,
    /// Sessions made of two halves.
    pub joined: u64,
    /// Halves passed on alone when their time was over.
    pub alone: u64,
    /// Halves passed on alone before their time because the table was full.
    pub crowded_out: u64,
    /// Halves that wait now.
    pub waiting: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    subscriber: Pseudonym,
    subscriber_port: u16,
    remote: Remote,
    epoch: u32,
}

/// In few words: it is asked for every half. The port is part of the first, which is spread already.
impl Hash for Ends {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.subscriber.0 ^ u64::from(self.subscriber_port) << 32 ^ u64::from(self.epoch));
        self.remote.hash(state);
    }
}

/// Joins halves.
pub struct Pairs {
    waiting: Rows<Ends, Flow<CncDetection>>,
    counts: PairCounts,
}

impl Pairs {
    /// An empty table.
    pub fn new(config: PairConfig) -> Self {
        Self { waiting: Rows::new(config.max_waiting, config.life, ends_of), counts: PairCounts::default() }
    }

    /// What became of the flows.
    pub const fn counts(&self) -> PairCounts {
        PairCounts { waiting: self.waiting.waiting() as u64, ..self.counts }
    }

    /// Takes in one flow; what is ready goes to `ready`.
    pub fn take(&mut self, flow: Flow<CncDetection>, now: Timestamp, ready: &mut Vec<Flow<CncDetection>>) {
        self.counts.flows = self.counts.flows.saturating_add(1);
        self.expire(now, ready);
        if flow.out.is_some() && flow.back.is_some() {
            self.counts.whole = self.counts.whole.saturating_add(1);
            ready.push(flow);
            return;
        }
        let ends = ends_of(&flow);
        let partner = self.waiting.find(&ends, |waiting| belongs(waiting, &flow));
        if let Some(other) = partner.and_then(|spot| self.waiting.take_out(&ends, spot)) {
            self.counts.joined = self.counts.joined.saturating_add(1);
            ready.push(join(&other, &flow));
        } else if self.waiting.length(&ends) >= MAX_HALVES {
            self.counts.crowded_out = self.counts.crowded_out.saturating_add(1);
            ready.push(flow);
        } else {
            self.wait(flow, now, ready);
        }
    }

    /// Passes on the halves whose time is over.
    pub fn expire(&mut self, now: Timestamp, ready: &mut Vec<Flow<CncDetection>>) {
        while let Some(flow) = self.waiting.pop_over(now) {
            self.counts.alone = self.counts.alone.saturating_add(1);
            ready.push(flow);
        }
    }

    /// Passes on all that wait: at the end of a file, or of an epoch's key.
    pub fn finish(&mut self, ready: &mut Vec<Flow<CncDetection>>) {
        while let Some(flow) = self.waiting.pop() {
            self.counts.alone = self.counts.alone.saturating_add(1);
            ready.push(flow);
        }
    }

    fn wait(&mut self, flow: Flow<CncDetection>, now: Timestamp, ready: &mut Vec<Flow<CncDetection>>) {
        while let Some(oldest) = self.waiting.pop_crowded() {
            self.counts.crowded_out = self.counts.crowded_out.saturating_add(1);
            ready.push(oldest);
        }
        self.waiting.push(flow, now);
    }
}

/// Whether two halves are of one session.
fn belongs(waiting: &Flow<CncDetection>, flow: &Flow<CncDetection>) -> bool {
    waiting.out.is_some() != flow.out.is_some()
        && waiting.start <= flow.end.plus(SLACK)
        && flow.start <= waiting.end.plus(SLACK)
}

const fn ends_of(flow: &Flow<CncDetection>) -> Ends {
    let (subscriber, subscriber_port) = (flow.subscriber, flow.subscriber_port);
    Ends { subscriber, subscriber_port, remote: flow.remote, epoch: flow.epoch }
}

/// One flow of two halves. Who is seen first began; at the same time, the side with the larger port did.
fn join(one: &Flow<CncDetection>, other: &Flow<CncDetection>) -> Flow<CncDetection> {
    let (outward, inward) = if one.out.is_some() { (one, other) } else { (other, one) };
    let tie = outward.start == inward.start;
    let told_by_subscriber =
        if tie { outward.subscriber_port >= outward.remote.port } else { outward.start < inward.start };
    Flow {
        out: outward.out,
        back: inward.back,
        told_by_subscriber,
        start: outward.start.min(inward.start),
        end: outward.end.max(inward.end),
        sampling: if outward.sampling.min(inward.sampling) == 0 { 0 } else { outward.sampling.max(inward.sampling) },
        infected: outward.infected || inward.infected,
        ..*outward
    }
}

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use hinomi_wire::flow::Volume;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn half(client: u64, outward: bool, start: i64) -> Flow<CncDetection> {
        let volume = Some(Volume { packets: 3, bytes: 300, tcp_flags: 0x1a });
        Flow {
            subscriber: Pseudonym(client),
            subscriber_port: 40_000,
            remote: Remote { address: [203, 0, 113, 1].into(), port: 1_337, protocol: 6 },
            epoch: 0,
            out: volume.filter(|_| outward),
            back: volume.filter(|_| !outward),
            told_by_subscriber: outward,
            start: at(start),
            end: at(start + 5),
            sampling: 1,
            infected: false,
            purpose: PhantomData,
        }
    }

    #[test]
    fn two_halves_become_one_and_the_first_began() {
        let (mut pairs, mut ready) = (Pairs::new(PairConfig::default()), Vec::new());
        pairs.take(half(1, false, 101), at(110), &mut ready);
        pairs.take(half(2, true, 100), at(110), &mut ready);
        assert!(ready.is_empty());
        pairs.take(half(1, true, 100), at(111), &mut ready);
        let session = ready.first().expect("joined");
        assert!(session.out.is_some() && session.back.is_some() && session.told_by_subscriber);
        assert_eq!((session.start, session.end), (at(100), at(106)));
        pairs.expire(at(229), &mut ready);
        assert_eq!(ready.len(), 1);
        pairs.expire(at(230), &mut ready);
        assert_eq!(ready.len(), 2, "the other client's half goes on alone");
        assert_eq!((pairs.counts().joined, pairs.counts().alone, pairs.counts().waiting), (1, 1, 0));
    }

    #[test]
    fn pieces_of_a_long_session_are_joined_by_their_time() {
        let (mut pairs, mut ready) = (Pairs::new(PairConfig::default()), Vec::new());
        for (outward, start) in [(true, 0), (true, 60), (false, 60), (false, 0)] {
            pairs.take(half(1, outward, start), at(70), &mut ready);
        }
        let spans: Vec<_> = ready.iter().map(|flow| (flow.start, flow.end)).collect();
        assert_eq!(spans, [(at(60), at(65)), (at(0), at(5))]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_made(
            seen in proptest::collection::vec((0_u64..6, any::<bool>(), 0_i64..400), 0..120),
            most in 1_usize..20,
        ) {
            let config = PairConfig { max_waiting: most, ..PairConfig::default() };
            let (mut pairs, mut ready) = (Pairs::new(config), Vec::new());
            for (place, (client, outward, start)) in seen.iter().enumerate() {
                pairs.take(half(*client, *outward, *start), at(place as i64), &mut ready);
                prop_assert!(pairs.counts().waiting <= most as u64);
            }
            pairs.finish(&mut ready);
            let of = |volume: Option<Volume>| volume.map_or(0, |volume| volume.packets);
            let packets = |flow: &Flow<CncDetection>| of(flow.out) + of(flow.back);
            prop_assert_eq!(ready.iter().map(packets).sum::<u64>(), 3 * seen.len() as u64);
            let counts = pairs.counts();
            prop_assert_eq!(counts.whole + 2 * counts.joined + counts.alone + counts.crowded_out, counts.flows);
            prop_assert_eq!(counts.waiting, 0);
        }
    }
}
