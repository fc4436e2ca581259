//! A watched interface: frames become flows in a [`Meter`], stripped of subscribers' addresses, handed on.
//!
//! The meter knows addresses for as long as a conversation lasts, five minutes at most between two of its records; it is
//! the one place besides the decoders that does, and it is empty when the job ends. Of a batch nothing stays: neither its
//! frames, nor the records that it brought to an end, nor what reading them left on the stack. What the table itself has
//! dropped lies in its freed places until others take them.

use std::hint::black_box;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{FileStatus, ReceivedStatus};
use hinomi_wire::flow::FlowRecord;

use super::desk::{Batch, Desk};
use super::files::unread;
use super::interface::{BATCH, Frames, Interface};
use super::job::{Slot, publish};
use super::part::{self, Part, plus};
use super::scrub::scrub_stack;
use crate::error::FlowError;
use crate::meter::{Meter, MeterConfig};

/// How often sums are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);
/// Failures one after another that end it.
const MAX_FAILURES: u32 = 64;
/// Batches that are still taken in once the job stops: what had arrived before, and no endless flood.
const LAST_BATCHES: usize = 4_096;
/// A clock that goes back by more than this was set: what was measured by the old one ends.
const SET_BACK: Duration = Duration::from_secs(5);

/// Watches until told to stop, and then takes in what has arrived.
pub(super) fn run(interface: &Interface, desk: Desk<'_>, slot: &Slot) -> Result<(), FlowError> {
    let received = ReceivedStatus { buffer_bytes: interface.buffer_bytes(), ..ReceivedStatus::default() };
    let mut watch = Watch {
        interface,
        meter: Meter::new(MeterConfig::default()),
        frames: Frames::new(),
        given: Vec::with_capacity(BATCH),
        records: 0,
        received,
        published: desk.clock.now(),
        latest: Timestamp::default(),
        failures: 0,
        desk,
    };
    let outcome = watch.run(slot);
    watch.finish();
    publish(slot, watch.part());
    outcome
}

struct Watch<'a> {
    desk: Desk<'a>,
    interface: &'a Interface,
    meter: Meter,
    frames: Frames,
    /// Records of the last batch; empty between two.
    given: Vec<FlowRecord>,
    records: u64,
    received: ReceivedStatus,
    published: Timestamp,
    /// When it was last advanced.
    latest: Timestamp,
    failures: u32,
}

impl Watch<'_> {
    fn run(&mut self, slot: &Slot) -> Result<(), FlowError> {
        while !self.desk.is_stopping() {
            if self.once(true)?.is_none() {
                return Ok(());
            }
            let now = self.desk.clock.now();
            if now.since(self.published).max(self.published.since(now)) >= PUBLISH_EVERY {
                self.published = now;
                publish(slot, self.part());
                self.look()?;
            }
        }
        for _ in 0..LAST_BATCHES {
            if self.once(false)?.is_none_or(|count| count == 0) {
                break;
            }
        }
        Ok(())
    }

    /// An interface that is gone is silent for ever: nobody would know that nothing is heard any more.
    fn look(&self) -> Result<(), FlowError> {
        let name = || self.interface.name().to_owned();
        if self.interface.is_there() { Ok(()) } else { Err(FlowError::InterfaceGone { name: name() }) }
    }

    /// Takes in one batch of frames and tells how many; none when nobody wants flows any more.
    fn once(&mut self, waits: bool) -> Result<Option<usize>, FlowError> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        let count = match self.frames.receive(self.interface, waits) {
            Ok(count) => {
                self.failures = 0;
                count
            }
            Err(error) if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) => 0,
            Err(source) => {
                plus(&mut self.received.errors, 1);
                self.failures += 1;
                // Going down is told once (ENETDOWN), and may come before it is taken away.
                self.look()?;
                if self.failures >= MAX_FAILURES {
                    return Err(FlowError::Watch { name: self.interface.name().to_owned(), source });
                }
                0
            }
        };
        self.received.kernel_drops = self.frames.drops();
        let now = self.desk.clock.now();
        let is_wanted = self.take(now, count > 0);
        scrub_stack();
        Ok(is_wanted.then_some(count))
    }

    /// Frames of the last batch, if it brought any; and conversations whose time is over. False when nobody wants flows any
    /// more.
    #[inline(never)]
    fn take(&mut self, now: Timestamp, has_come: bool) -> bool {
        let Self { meter, frames, given, interface, latest, .. } = self;
        let mut give = |record| given.push(record);
        if latest.since(now) > SET_BACK {
            meter.finish(&mut give);
        }
        *latest = now;
        if has_come {
            frames.met().for_each(|frame| meter.frame(now, Some(interface.link), frame, &mut give));
            frames.wipe();
        }
        meter.advance(now, &mut give);
        self.hand_on(now)
    }

    /// Makes flows of what the meter gave. False when nobody wants them any more.
    fn hand_on(&mut self, now: Timestamp) -> bool {
        if self.given.is_empty() {
            return true;
        }
        plus(&mut self.records, self.given.len() as u64);
        let mut flows = Batch::with_capacity(self.given.len());
        {
            let keys = self.desk.keys.read();
            let inlet = &mut self.desk.inlet;
            flows.extend(self.given.iter().filter_map(|record| inlet.take(&keys, record).ok()));
        }
        wipe(&mut self.given);
        let sent = self.desk.send(flows, now);
        plus(&mut self.received.waits, u64::from(sent == Some(true)));
        sent.is_some()
    }

    /// Every conversation ends with the watch.
    fn finish(&mut self) {
        let given = &mut self.given;
        self.meter.finish(&mut |record| given.push(record));
        let now = self.desk.clock.now();
        self.hand_on(now);
        scrub_stack();
    }

    fn part(&self) -> Part {
        let name = self.interface.name().to_owned();
        let kind = "interface".to_owned();
        let mut file = FileStatus { name, kind, records: self.records, ..FileStatus::default() };
        unread(&self.meter, &mut file);
        let received = ReceivedStatus { frames: self.meter.counts().frames, ..self.received.clone() };
        let inlet = part::inlet_status(self.desk.inlet.counts());
        Part { received, inlet, files: vec![file], ..Part::default() }
    }
}

/// Writes over the addresses in it before it is emptied: the next batch may be far away or shorter.
fn wipe(records: &mut Vec<FlowRecord>) {
    const NOBODY: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    for record in records.iter_mut() {
        (record.source, record.destination) = (NOBODY, NOBODY);
    }
    black_box(&mut *records).clear();
}
