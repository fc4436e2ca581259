//! A receiver: datagrams of one socket, decoded, stripped of subscribers' addresses, handed on.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::ReceivedStatus;
use hinomi_wire::flow::Decoder;

use super::datagrams::{BATCH, Datagrams};
use super::desk::{Batch, Desk};
use super::job::{Slot, publish};
use super::part::{Part, plus};
use super::scrub::scrub_stack;
use crate::error::FlowError;

/// How often sums are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(500);
/// Failures one after another that end a receiver.
const MAX_FAILURES: u32 = 64;
/// Batches that are still taken in once the job stops: what had arrived before, and no endless flood.
const LAST_BATCHES: usize = 65_536;
/// Flows that a batch's list has room for at first.
const FLOWS: usize = 2_048;

/// Receives until told to stop, and then what has arrived.
pub(super) fn run(socket: &UdpSocket, desk: Desk<'_>, slot: &Slot) -> Result<(), FlowError> {
    let buffer_bytes = socket2::SockRef::from(socket).recv_buffer_size().map_or(0, |bytes| bytes as u64);
    let mut receiver = Receiver {
        decoder: Decoder::new(desk.limits),
        received: ReceivedStatus { buffer_bytes, ..ReceivedStatus::default() },
        datagrams: Datagrams::new(),
        published: desk.clock.now(),
        failures: 0,
        desk,
    };
    let outcome = receiver.run(socket, slot);
    receiver.decoder.finish();
    publish(slot, receiver.part());
    outcome
}

struct Receiver<'a> {
    desk: Desk<'a>,
    decoder: Decoder,
    datagrams: Datagrams,
    received: ReceivedStatus,
    published: Timestamp,
    failures: u32,
}

impl Receiver<'_> {
    fn run(&mut self, socket: &UdpSocket, slot: &Slot) -> Result<(), FlowError> {
        while !self.desk.is_stopping() {
            if self.once(socket, true)?.is_none() {
                return Ok(());
            }
            let now = self.desk.clock.now();
            if now.since(self.published).max(self.published.since(now)) >= PUBLISH_EVERY {
                self.published = now;
                // Also when nobody sends: what waits for a template must not outlive its time.
                self.decoder.tick(now);
                publish(slot, self.part());
            }
        }
        for _ in 0..LAST_BATCHES {
            if self.once(socket, false)?.is_none_or(|count| count == 0) {
                break;
            }
        }
        Ok(())
    }

    /// Takes in one batch of datagrams and tells how many; none when nobody wants flows any more.
    fn once(&mut self, socket: &UdpSocket, waits: bool) -> Result<Option<usize>, FlowError> {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        match self.datagrams.receive(socket, waits) {
            Ok(()) => self.failures = 0,
            Err(error) if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) => return Ok(Some(0)),
            Err(source) => {
                plus(&mut self.received.errors, 1);
                self.failures += 1;
                return if self.failures >= MAX_FAILURES { Err(FlowError::Receive { source }) } else { Ok(Some(0)) };
            }
        }
        self.received.kernel_drops = self.datagrams.drops();
        let now = self.desk.clock.now();
        let flows = self.flows(now);
        let count = self.datagrams.met().count();
        // Of subscribers' addresses nothing stays until the next batch, which may be far away.
        self.datagrams.wipe();
        scrub_stack();
        if flows.is_empty() {
            return Ok(Some(count));
        }
        let Some(waited) = self.desk.send(flows, now) else { return Ok(None) };
        plus(&mut self.received.waits, u64::from(waited));
        Ok(Some(count))
    }

    #[inline(never)]
    fn flows(&mut self, now: Timestamp) -> Batch {
        let Self { desk, decoder, datagrams, .. } = self;
        let keys = desk.keys.read();
        let mut flows = Batch::with_capacity(FLOWS.min(datagrams.met().count() * BATCH));
        for (from, datagram) in datagrams.met() {
            decoder.decode(from, now, datagram, &mut |record| flows.extend(desk.inlet.take(&keys, &record)));
        }
        flows
    }

    fn part(&self) -> Part {
        Part::of(&self.received, &self.decoder, self.desk.inlet.counts())
    }
}
