//! The rest of the world: answers probes at the other end of the wire, as each test wants it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinomi_netio::{Backend, Interface, Receiver, Transmitter, Wanted};
use hinomi_wire::packet::{Link, Packet, Tcp};

/// What a host says to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// SYN-ACK.
    Open,
    /// SYN-ACK, and the same once more.
    Twice,
    /// RST.
    Closed,
    /// Nothing, or it is lost.
    Silent,
    /// SYN-ACK that acknowledges what nobody sent.
    Forged,
    /// SYN-ACK with a window of zero.
    ZeroWindow,
    /// A router says that the host cannot be reached.
    Unreachable,
}

/// A probe as it left: to whom, to which port, from which port, and how often before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) to: IpAddr,
    pub(crate) port: u16,
    pub(crate) before: u32,
}

/// What was seen on the wire.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Probes by address and port.
    pub(crate) probes: HashMap<(IpAddr, u16), u32>,
    /// Resets by address and port.
    pub(crate) resets: HashMap<(IpAddr, u16), u32>,
}

pub(crate) struct World {
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl World {
    /// Answers at `right` until it is dropped.
    pub(crate) fn new(left: &Interface, right: &Interface, reply: impl Fn(Asked) -> Reply + Send + 'static) -> Self {
        let mut receiver = Receiver::open(right, &Wanted { ports: 1..=u16::MAX }).expect("a receiver");
        let mut sender = Transmitter::open(right, Backend::Packet, 0).expect("a sender");
        let (seen, over) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let (shared, stop) = (Arc::clone(&seen), Arc::clone(&over));
        let addresses = (left.hardware.expect("Ethernet"), right.hardware.expect("Ethernet"));
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                let mut answers = Vec::new();
                receiver
                    .receive(Duration::from_millis(20), |packet| {
                        let mut seen = shared.lock().expect("one at a time");
                        answers.extend(meet(packet.network, &mut seen, &reply));
                    })
                    .expect("received");
                for answer in answers.iter().flat_map(|(answer, times)| std::iter::repeat_n(answer, *times)) {
                    while sender.fill(1, |slot| put(slot, answer, addresses)) == 0 {
                        sender.flush().expect("sent");
                    }
                }
                sender.flush().expect("sent");
            }
            receiver.dropped().expect("counted")
        });
        Self { seen, over, thread: Some(thread) }
    }

    /// Ends; what was seen, and how much could not be.
    pub(crate) fn end(mut self) -> (Seen, u64) {
        // What is under way arrives.
        std::thread::park_timeout(Duration::from_millis(100));
        self.over.store(true, Ordering::Release);
        let dropped = self.thread.take().expect("running").join().expect("ended well");
        (std::mem::take(&mut *self.seen.lock().expect("free")), dropped)
    }
}

fn put(slot: &mut [u8], packet: &[u8], (to, from): ([u8; 6], [u8; 6])) -> Option<usize> {
    let kind = if packet[0] >> 4 == 4 { [0x08, 0] } else { [0x86, 0xdd] };
    let frame = [to.as_slice(), &from, &kind, packet].concat();
    slot.get_mut(..frame.len())?.copy_from_slice(&frame);
    Some(frame.len())
}

/// Notes what came and gives the answer, with how often it is sent.
fn meet(network: &[u8], seen: &mut Seen, reply: &impl Fn(Asked) -> Reply) -> Option<(Vec<u8>, usize)> {
    let packet = Packet::read(Link::Ip, network).ok()?;
    let tcp = packet.tcp?;
    let name = (packet.destination, packet.destination_port);
    if tcp.flags == Tcp::RST {
        *seen.resets.entry(name).or_default() += 1;
        return None;
    }
    assert_eq!(tcp.flags, Tcp::SYN, "nothing else is ever sent");
    let before = seen.probes.entry(name).or_default();
    let asked = Asked { to: name.0, port: name.1, before: *before };
    *before += 1;
    let said = reply(asked);
    let next = tcp.sequence.wrapping_add(1);
    let answer = match said {
        Reply::Silent => return None,
        Reply::Open | Reply::Twice => segment(&packet, Tcp::SYN | Tcp::ACK, next, 64_000),
        Reply::Closed => segment(&packet, Tcp::RST | Tcp::ACK, next, 0),
        Reply::Forged => segment(&packet, Tcp::SYN | Tcp::ACK, next.wrapping_add(77), 64_000),
        Reply::ZeroWindow => segment(&packet, Tcp::SYN | Tcp::ACK, next, 0),
        Reply::Unreachable => unreachable(&packet, network),
    };
    Some((answer, if said == Reply::Twice { 2 } else { 1 }))
}

fn segment(probe: &Packet, flags: u8, acknowledgement: u32, window: u16) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(probe.destination_port.to_be_bytes());
    tcp.extend(probe.source_port.to_be_bytes());
    tcp.extend(7_u32.to_be_bytes());
    tcp.extend(acknowledgement.to_be_bytes());
    tcp.extend([0x50, flags]);
    tcp.extend(window.to_be_bytes());
    tcp.extend([0; 4]);
    let (IpAddr::V4(from), IpAddr::V4(to)) = (probe.destination, probe.source) else {
        return six(probe, &tcp);
    };
    let sum = checksum(&[&from.octets(), &to.octets(), &[0, 6, 0, 20], &tcp]);
    tcp[16..18].copy_from_slice(&sum);
    four(from.octets(), to.octets(), 6, &tcp)
}

fn six(probe: &Packet, tcp: &[u8]) -> Vec<u8> {
    let (IpAddr::V6(from), IpAddr::V6(to)) = (probe.destination, probe.source) else { panic!("one family") };
    let mut tcp = tcp.to_vec();
    let sum = checksum(&[&from.octets(), &to.octets(), &[0, 6, 0, 20], &tcp]);
    tcp[16..18].copy_from_slice(&sum);
    [&[0x60, 0, 0, 0, 0, 20, 6, 64][..], &from.octets(), &to.octets(), &tcp].concat()
}

/// From a router on the way, with the first eight bytes of the segment, as RFC 792 has it.
fn unreachable(probe: &Packet, network: &[u8]) -> Vec<u8> {
    let IpAddr::V4(to) = probe.source else { panic!("of IPv4 only") };
    let mut icmp = [&[3, 1, 0, 0, 0, 0, 0, 0][..], &network[..28]].concat();
    let sum = checksum(&[&icmp]);
    icmp[2..4].copy_from_slice(&sum);
    four([198, 19, 255, 254], to.octets(), 1, &icmp)
}

fn four(from: [u8; 4], to: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).expect("short");
    let [high, low] = len.to_be_bytes();
    let mut header = [&[0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0][..], &from, &to].concat();
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum);
    [header, payload.to_vec()].concat()
}

/// RFC 1071.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = words.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).expect("folded")).to_be_bytes()
}
