//! A watched interface: frames become flows in a [`Meter`], stripped of subscribers' addresses, handed on.
//!
//! The meter knows addresses for as long as a conversation lasts, five minutes at most between two of its records; it is
//! the one place besides the decoders that does, and it is empty when the job ends.

use std::io;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{FileStatus, ReceivedStatus};
use hinomi_wire::flow::FlowRecord;

use super::desk::{Batch, Desk};
use super::files::unread;
use super::interface::{BATCH, Frames, Interface};
use super::job::{Slot, publish};
use super::part::{self, Part, plus};
use crate::error::FlowError;
use crate::meter::{Meter, MeterConfig};

/// How often sums are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);
/// Failures one after another that end it.
const MAX_FAILURES: u32 = 64;
/// Batches that are still taken in once the job stops: what had arrived before, and no endless flood.
const LAST_BATCHES: usize = 4_096;

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
            }
        }
        for _ in 0..LAST_BATCHES {
            if self.once(false)?.is_none_or(|count| count == 0) {
                break;
            }
        }
        Ok(())
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
                if self.failures >= MAX_FAILURES {
                    return Err(FlowError::Watch { name: self.interface.name().to_owned(), source });
                }
                0
            }
        };
        self.received.kernel_drops = self.frames.drops();
        let now = self.desk.clock.now();
        self.take(now, count > 0);
        Ok(self.hand_on(now).then_some(count))
    }

    /// Frames of the last batch, if it brought any; and conversations whose time is over.
    fn take(&mut self, now: Timestamp, has_come: bool) {
        let Self { meter, frames, given, interface, .. } = self;
        let mut give = |record| given.push(record);
        if has_come {
            frames.met().for_each(|frame| meter.frame(now, Some(interface.link), frame, &mut give));
        }
        meter.advance(now, &mut give);
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
            flows.extend(self.given.drain(..).filter_map(|record| inlet.take(&keys, &record).ok()));
        }
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
