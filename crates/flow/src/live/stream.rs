//! IPFIX over TCP: a thread and a decoder a stream, at most 64 at a time.
//!
//! A stream ends when its peer ends it, when it is no IPFIX, or when no whole message came for ten minutes. Its templates
//! go with it (RFC 7011 section 8.1).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{ReceivedStatus, Sums};
use hinomi_wire::flow::{Decoder, ExporterCounts, Framing};

use super::desk::{Batch, Desk};
use super::part::{self, Part, plus};
use super::scrub::scrub_stack;
use super::sockets::WAIT;
use crate::subscribers::Subscribers;

/// Streams at a time; another one is closed at once, and counted.
const MAX_STREAMS: usize = 64;
/// Hosts of streams that ended, of which it is remembered one by one what they lost; all others are one.
const MAX_ENDED: usize = 1_024;
/// What stands for hosts that are not remembered one by one.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// How long a stream may bring no whole message.
const IDLE: Duration = Duration::from_mins(10);
/// Reads that are still done once the job stops: what had arrived before, and no endless flood.
const LAST_READS: u32 = 4_096;
/// Bytes of one read.
const READ_BYTES: usize = 65_536;

/// What streams counted.
pub(super) struct Streams {
    book: Mutex<Book>,
    subscribers: Arc<Subscribers>,
}

#[derive(Default)]
struct Book {
    open: BTreeMap<u64, Part>,
    ended: Part,
    /// What exporters lost stays lost when their stream is over. By host: a new stream has another port. Those within the
    /// subscribers' prefixes are one, the unspecified address: a subscriber's is not kept.
    hosts: BTreeMap<IpAddr, ExporterCounts>,
    counts: Sums,
    next: u64,
}

/// What ended a stream.
#[derive(Clone, Copy)]
enum Ended {
    ByPeer,
    Idle,
    Broken,
    Stopped,
}

impl Ended {
    const fn name(self) -> &'static str {
        match self {
            Self::ByPeer => "ended",
            Self::Idle => "idle",
            Self::Broken => "broken",
            Self::Stopped => "stopped",
        }
    }
}

impl Streams {
    /// None yet. Hosts of these subscribers are not remembered one by one.
    pub(super) fn new(subscribers: Arc<Subscribers>) -> Self {
        Self { book: Mutex::default(), subscribers }
    }

    /// The sums of all streams.
    pub(super) fn part(&self) -> Part {
        let book = self.book();
        let mut all = book.ended.clone();
        all.exporters = book.hosts.iter().map(|(host, counts)| (SocketAddr::new(*host, 0), *counts)).collect();
        for part in book.open.values() {
            all.add(part);
        }
        all.received.streams = book.counts.clone();
        all
    }

    /// A number for a new stream, if there is room for one.
    fn open(&self) -> Option<u64> {
        let mut book = self.book();
        if book.open.len() >= MAX_STREAMS {
            part::count(&mut book.counts, "refused");
            return None;
        }
        part::count(&mut book.counts, "opened");
        let number = book.next;
        book.next = number.wrapping_add(1);
        book.open.insert(number, Part::default());
        Some(number)
    }

    fn publish(&self, number: u64, part: Part) {
        self.book().open.insert(number, part);
    }

    fn end(&self, number: u64, part: Part, why: Ended) {
        let mut book = self.book();
        book.open.remove(&number);
        part::count(&mut book.counts, why.name());
        for (exporter, counts) in &part.exporters {
            let is_own = self.subscribers.contains(exporter.ip());
            book.lost(if is_own { OTHERS } else { exporter.ip() }, counts);
        }
        book.ended.add(&Part { exporters: Vec::new(), ..part });
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Whoever connects again and again, from however many hosts, must not make the list of exporters grow.
    fn lost(&mut self, host: IpAddr, counts: &ExporterCounts) {
        let is_full = self.hosts.len() >= MAX_ENDED && !self.hosts.contains_key(&host);
        let host = if is_full { OTHERS } else { host };
        self.hosts.entry(host).and_modify(|sum| sum.add(counts)).or_insert(*counts);
    }
}

/// Accepts streams until told to stop.
pub(super) fn accept<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    listener: &TcpListener,
    desk: &Desk<'scope>,
    streams: &'scope Streams,
) {
    while !desk.is_stopping() {
        // Nobody came within the socket's timeout, or who came is gone again.
        let Ok((stream, peer)) = listener.accept() else { continue };
        let Some(number) = streams.open() else { continue };
        let desk = desk.clone();
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let talk = move |desk| {
            let mut talk = Talk::new(desk, peer);
            let why = talk.run(stream, |part| streams.publish(number, part));
            talk.decoder.finish();
            streams.end(number, talk.part(), why);
            Ok(())
        };
        let job = move || desk.guarded("a stream", talk);
        if std::thread::Builder::new().spawn_scoped(scope, job).is_err() {
            streams.end(number, Part::default(), Ended::Broken);
        }
    }
}

struct Talk<'a> {
    desk: Desk<'a>,
    peer: SocketAddr,
    decoder: Decoder,
    framing: Framing,
    received: ReceivedStatus,
    heard: Timestamp,
}

impl<'a> Talk<'a> {
    fn new(desk: Desk<'a>, peer: SocketAddr) -> Self {
        let (decoder, heard) = (Decoder::new(desk.limits), desk.clock.now());
        Self { desk, peer, decoder, framing: Framing::new(), received: ReceivedStatus::default(), heard }
    }

    fn run(&mut self, mut stream: TcpStream, publish: impl Fn(Part)) -> Ended {
        use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        if stream.set_read_timeout(Some(WAIT)).is_err() {
            return Ended::Broken;
        }
        let (mut buffer, mut left) = (vec![0; READ_BYTES], LAST_READS);
        while left > 0 {
            if self.desk.is_stopping() {
                // What has arrived is taken in; a peer that goes on talking is not waited for.
                left -= 1;
                if stream.set_nonblocking(true).is_err() {
                    return Ended::Stopped;
                }
            }
            match stream.read(&mut buffer) {
                Ok(0) if self.framing.pending() == 0 => return Ended::ByPeer,
                Ok(0) => return Ended::Broken,
                Ok(count) => {
                    let read = buffer.get_mut(..count).unwrap_or_default();
                    let ended = self.take(read);
                    // Of subscribers' addresses nothing stays until the next read, which may be far away.
                    read.fill(0);
                    scrub_stack();
                    if let Some(why) = ended {
                        return why;
                    }
                    publish(self.part());
                }
                Err(error) if matches!(error.kind(), Interrupted | TimedOut | WouldBlock) => {
                    if self.desk.is_stopping() {
                        return Ended::Stopped;
                    }
                }
                Err(_) => return Ended::Broken,
            }
            let now = self.desk.clock.now();
            self.decoder.tick(now);
            if now.since(self.heard) >= IDLE {
                return Ended::Idle;
            }
        }
        Ended::Stopped
    }

    /// Takes in bytes; tells why the stream must end, if it must.
    #[inline(never)]
    fn take(&mut self, bytes: &[u8]) -> Option<Ended> {
        let Self { desk, peer, decoder, framing, .. } = self;
        let now = desk.clock.now();
        let (mut flows, mut messages) = (Batch::new(), 0_u64);
        let framed = {
            let keys = desk.keys.read();
            framing.push(bytes, |message| {
                plus(&mut messages, 1);
                decoder.decode(*peer, now, message, &mut |record| flows.extend(desk.inlet.take(&keys, &record)));
            })
        };
        if messages > 0 {
            self.heard = now;
        }
        if !flows.is_empty() {
            match self.desk.send(flows, now) {
                Some(waited) => plus(&mut self.received.waits, u64::from(waited)),
                None => return Some(Ended::Stopped),
            }
        }
        framed.is_err().then_some(Ended::Broken)
    }

    fn part(&self) -> Part {
        Part::of(&self.received, &self.decoder, self.desk.inlet.counts())
    }
}

#[cfg(test)]
mod tests {
    use hinomi_wire::flow::{Limits, Unit};

    use super::*;

    /// What a decoder counts of an exporter that sent one message and skipped so many records before the second.
    fn part(host: [u8; 4], port: u16, skipped: u32) -> Part {
        let mut decoder = Decoder::new(Limits::default());
        let exporter = SocketAddr::from((host, port));
        for number in [0, skipped] {
            // An IPFIX header, and a template of one field.
            let mut message = vec![0, 10, 0, 28];
            [1_795_392_000, number, 7].iter().for_each(|word: &u32| message.extend(word.to_be_bytes()));
            message.extend([0, 2, 0, 12, 1, 0, 0, 1, 0, 8, 0, 4]);
            decoder.decode(exporter, Timestamp::from_micros(1_795_392_000_000_000), &message, &mut |_| {});
        }
        Part::of(&ReceivedStatus::default(), &decoder, crate::inlet::InletCounts::default())
    }

    fn streams() -> Streams {
        Streams::new(Arc::new(Subscribers::read("198.18.0.0/16").expect("a list")))
    }

    fn lost(part: &Part) -> u64 {
        part.exporters.iter().map(|(_, counts)| counts.loss(Unit::Records).lost).sum()
    }

    #[test]
    fn what_a_stream_lost_stays_lost_when_it_has_ended() {
        let streams = streams();
        for port in 1..=3 {
            let number = streams.open().expect("room");
            streams.end(number, part([192, 0, 2, 1], port, 40), Ended::ByPeer);
        }
        let all = streams.part();
        assert_eq!(all.exporters.len(), 1, "one host, however often it connects: {:?}", all.exporters);
        assert_eq!(lost(&all), 3 * lost(&part([192, 0, 2, 1], 1, 40)));
        assert!(lost(&all) > 0);
    }

    #[test]
    fn subscribers_that_speak_ipfix_leave_no_address() {
        let streams = streams();
        for host in [[198, 18, 0, 7], [198, 18, 3, 9], [192, 0, 2, 1]] {
            streams.end(streams.open().expect("room"), part(host, 4_000, 40), Ended::ByPeer);
        }
        let all = streams.part();
        let hosts: Vec<IpAddr> = all.exporters.iter().map(|(address, _)| address.ip()).collect();
        assert_eq!(hosts, [IpAddr::from([192, 0, 2, 1]), OTHERS]);
        assert_eq!(lost(&all), 3 * lost(&part([192, 0, 2, 1], 1, 40)));
    }

    #[test]
    fn hosts_beyond_those_remembered_are_one() {
        let mut book = Book::default();
        let each = part([192, 0, 2, 1], 1, 40);
        let counts = each.exporters.first().expect("one").1;
        let hosts = u32::try_from(MAX_ENDED).expect("few") + 50;
        (0..hosts).for_each(|host| book.lost(IpAddr::V4((0x0a00_0000 + host).into()), &counts));
        assert_eq!(book.hosts.len(), MAX_ENDED + 1);
        let rest = book.hosts.get(&OTHERS).expect("the others");
        assert_eq!(rest.loss(Unit::Records).lost, 50 * counts.loss(Unit::Records).lost);
    }
}
