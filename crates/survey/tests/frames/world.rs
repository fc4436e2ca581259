//! The rest of the world: answers probes at the other end of the wire, as each test wants it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinomi_netio::{Backend, Interface, Receiver, Transmitter, Wanted};
use hinomi_wire::packet::{ICMP, ICMP6, Link, Packet, Tcp, UDP};

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
    /// As open, behind an extension header (of IPv6; as open over IPv4).
    Extended,
    /// As open, in a frame with a VLAN tag.
    Tagged,
    /// What nobody asked for, fifty times.
    Flood,
    /// A router says that probes are not permitted.
    Forbidden,
    /// Over UDP: a right answer, to another of our ports.
    ElsewhereTo,
    /// Over UDP: an answer in no language.
    Babble,
    /// Over UDP: "port unreachable" that quotes a question nobody put.
    ForgedUnreachable,
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
    /// Questions over UDP by address and port: how often, and what was last asked.
    pub(crate) questions: HashMap<(IpAddr, u16), (u32, Vec<u8>)>,
    /// Errors that the kernel at our end sent.
    pub(crate) errors: u32,
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
    let kind: &[u8] = match packet[0] >> 4 {
        4 => &[0x08, 0],
        6 => &[0x86, 0xdd],
        _ => &[], // It has a tag, which says so itself.
    };
    let frame = [to.as_slice(), &from, kind, packet].concat();
    slot.get_mut(..frame.len())?.copy_from_slice(&frame);
    Some(frame.len())
}

/// Notes what came and gives the answer, with how often it is sent.
fn meet(network: &[u8], seen: &mut Seen, reply: &impl Fn(Asked) -> Reply) -> Option<(Vec<u8>, usize)> {
    let packet = Packet::read(Link::Ip, network).ok()?;
    if packet.protocol == UDP {
        return meet_question(&packet, network, seen, reply);
    }
    if matches!((packet.protocol, packet.icmp), (ICMP, Some((3, _))) | (ICMP6, Some((1, _)))) {
        seen.errors += 1;
    }
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
        Reply::Extended => extended(segment(&packet, Tcp::SYN | Tcp::ACK, next, 64_000)),
        Reply::Tagged => tagged(&segment(&packet, Tcp::SYN | Tcp::ACK, next, 64_000)),
        Reply::Forged | Reply::Flood => segment(&packet, Tcp::SYN | Tcp::ACK, next.wrapping_add(77), 64_000),
        Reply::ZeroWindow => segment(&packet, Tcp::SYN | Tcp::ACK, next, 0),
        Reply::Unreachable => error(&packet, &network[..28], 1),
        Reply::Forbidden => error(&packet, &network[..28], 13),
        Reply::ElsewhereTo | Reply::Babble | Reply::ForgedUnreachable => panic!("over UDP only"),
    };
    Some((answer, how_often(said)))
}

fn how_often(said: Reply) -> usize {
    match said {
        Reply::Twice => 2,
        Reply::Flood => 50,
        _ => 1,
    }
}

/// With a header of destination options that are none (RFC 8200, 4.6).
fn extended(mut packet: Vec<u8>) -> Vec<u8> {
    if packet[0] >> 4 == 6 {
        let carries = std::mem::replace(&mut packet[6], 60);
        let length = u16::from_be_bytes([packet[4], packet[5]]) + 8;
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        packet.splice(40..40, [carries, 0, 1, 4, 0, 0, 0, 0]);
    }
    packet
}

/// With a tag of VLAN 7 (IEEE 802.1Q).
fn tagged(packet: &[u8]) -> Vec<u8> {
    let kind = if packet[0] >> 4 == 4 { [0x08, 0] } else { [0x86, 0xdd] };
    [&[0x81, 0, 0, 7][..], &kind, packet].concat()
}

fn meet_question(
    packet: &Packet,
    network: &[u8],
    seen: &mut Seen,
    reply: &impl Fn(Asked) -> Reply,
) -> Option<(Vec<u8>, usize)> {
    let (name, question) = ((packet.destination, packet.destination_port), packet.payload(network));
    let (times, last) = seen.questions.entry(name).or_default();
    let said = reply(Asked { to: name.0, port: name.1, before: *times });
    (*times, *last) = (*times + 1, question.to_vec());
    let mut answer = right_answer(name.1, question);
    let mut port = packet.source_port;
    match said {
        Reply::Silent => return None,
        Reply::Open | Reply::Twice | Reply::Extended | Reply::Tagged => {}
        // Another number than the question's, where the protocol has one.
        Reply::Forged | Reply::Flood => match name.1 {
            53 => answer[0] ^= 1,
            123 => answer[24] ^= 1,
            other => panic!("nothing to forge at {other}"),
        },
        Reply::ElsewhereTo => port ^= 1,
        Reply::Babble => answer = b"who is there?".to_vec(),
        Reply::Closed => return Some((error(packet, network, port_unreachable(packet)), 1)),
        Reply::Unreachable => return Some((error(packet, &network[..28], 1), 1)),
        Reply::Forbidden => return Some((error(packet, &network[..28], 13), 1)),
        Reply::ForgedUnreachable => {
            let mut quoted = network[..28].to_vec();
            quoted[5] ^= 1;
            return Some((error(packet, &quoted, 3), 1));
        }
        Reply::ZeroWindow => panic!("over TCP only"),
    }
    let datagram = datagram(packet, port, &answer);
    let datagram = match said {
        Reply::Extended => extended(datagram),
        Reply::Tagged => tagged(&datagram),
        _ => datagram,
    };
    Some((datagram, how_often(said)))
}

/// What a server says to the question of a port: DNS (53), NTP (123), and who knows no number (1900, SSDP).
fn right_answer(port: u16, question: &[u8]) -> Vec<u8> {
    match port {
        53 => {
            let mut answer = question.to_vec();
            answer[2] |= 0x80;
            answer
        }
        123 => {
            let mut answer = vec![0x24; 48];
            answer[24..32].copy_from_slice(&question[40..48]);
            answer
        }
        _ => b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nSERVER: a/1 UPnP/2.0 b/2\r\n\r\n".to_vec(),
    }
}

fn port_unreachable(packet: &Packet) -> u8 {
    if packet.source.is_ipv4() { 3 } else { 4 }
}

fn datagram(question: &Packet, to_port: u16, answer: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + answer.len()).expect("short").to_be_bytes();
    let mut udp = question.destination_port.to_be_bytes().to_vec();
    udp.extend(to_port.to_be_bytes());
    udp.extend(length);
    udp.extend([0, 0]);
    udp.extend(answer);
    around(question, UDP, udp, 6)
}

/// A packet back, with the checksum of what it carries filled in.
fn around(probe: &Packet, protocol: u8, mut carried: Vec<u8>, sum_at: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(carried.len()).expect("short").to_be_bytes();
    let pad: &[u8] = if carried.len() % 2 == 1 { &[0] } else { &[] };
    match (probe.destination, probe.source) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let sum = checksum(&[&from.octets(), &to.octets(), &[0, protocol, high, low], &[&carried, pad].concat()]);
            carried[sum_at..sum_at + 2].copy_from_slice(&sum);
            four(from.octets(), to.octets(), protocol, &carried)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let sum = checksum(&[&from.octets(), &to.octets(), &[0, protocol, high, low], &[&carried, pad].concat()]);
            carried[sum_at..sum_at + 2].copy_from_slice(&sum);
            [&[0x60, 0, 0, 0, high, low, protocol, 64][..], &from.octets(), &to.octets(), &carried].concat()
        }
        _ => panic!("one family"),
    }
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

/// From a router on the way, or the host: it quotes so much of what it is about (RFC 792, RFC 4443).
fn error(probe: &Packet, quoted: &[u8], code: u8) -> Vec<u8> {
    let IpAddr::V4(to) = probe.source else {
        return around(probe, ICMP6, [&[1, code, 0, 0, 0, 0, 0, 0][..], quoted].concat(), 2);
    };
    let mut icmp = [&[3, code, 0, 0, 0, 0, 0, 0][..], quoted].concat();
    let pad: &[u8] = if icmp.len() % 2 == 1 { &[0] } else { &[] };
    let sum = checksum(&[&[&icmp, pad].concat()]);
    icmp[2..4].copy_from_slice(&sum);
    four([198, 19, 255, 254], to.octets(), ICMP, &icmp)
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
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks_exact(2));
    let mut sum: u32 = words.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).expect("folded")).to_be_bytes()
}
