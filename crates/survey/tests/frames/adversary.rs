//! Frames that nobody permitted, offered to the door by the million: none leaves, as the kernel at the other end counts.

use std::process::Command;
use std::sync::Arc;

use hinomi_netio::Interface;
use hinomi_survey::scope::FrameDoor;
use hinomi_survey::{Backend, Door};

use super::world;

/// How many frames are offered; more where the environment says so.
const OFFERED: &str = "HINOMI_FRAMES_OFFERED";
const USUAL: u64 = 500_000;

/// Counts at the other end, without any code of ours: all frames, and those that the scope permits.
const COUNTERS: &str = "table netdev watch {
    counter everything { }
    counter permitted { }
    chain c {
        type filter hook ingress device right priority 0; policy drop;
        counter name everything
        ip saddr 198.18.0.1 ip daddr 198.19.0.0/20 ip daddr != 198.19.0.13 tcp dport 80 tcp flags == syn counter name permitted
        ip saddr 198.18.0.1 ip daddr 198.19.0.0/20 ip daddr != 198.19.0.13 tcp dport 80 tcp flags == rst counter name permitted
        ip saddr 198.18.0.1 ip daddr 198.19.0.0/20 ip daddr != 198.19.0.13 ip length 40 tcp dport 80 tcp flags == ack tcp doff 5 counter name permitted
        ip saddr 198.18.0.1 ip daddr 198.19.0.0/20 ip daddr != 198.19.0.13 ip length 58 udp dport 53 udp length 38 @th,80,80 0x00000001000000000000 @th,160,112 0x0776657273696f6e0462696e6400 @th,272,32 0x00100003 counter name permitted
        ip saddr 198.18.0.1 ip daddr 198.19.0.0/20 ip daddr != 198.19.0.13 ip length 76 udp dport 123 udp length 56 @th,64,32 0x23000000 @th,96,96 0x0 @th,192,96 0x0 @th,288,96 0x0 counter name permitted
    }
}";

/// Offers frames to a door over `left`; gives how many left, and how many of them the scope permits.
pub(crate) fn besiege(door: Arc<Door>, left: &Interface, right: &Interface, backend: Backend) -> (u64, u64, u64) {
    // The kernel's own neighbour discovery is no frame of ours.
    for quiet in ["left", "right"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{quiet}/disable_ipv6"), "1").expect("of this namespace");
    }
    nft(COUNTERS);
    let source = "198.18.0.1".parse().expect("an address");
    let (mut frames, _) = FrameDoor::open(door, left, vec![source], Some(backend)).expect("a door");
    let offered = std::env::var(OFFERED).ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL);
    let hardware = (right.hardware.expect("Ethernet"), left.hardware.expect("Ethernet"));
    let (mut dice, mut asked) = (Dice(7), 0);
    while asked < offered {
        let batch = frames
            .fill(64, |slot| {
                asked += 1;
                let frame = odd_frame(&mut dice, hardware, backend.has_link_header());
                slot.get_mut(..frame.len())?.copy_from_slice(&frame);
                Some(frame.len())
            })
            .expect("the scope is open");
        frames.flush(batch).expect("sent");
    }
    super::wait_until(|| counted("everything") > 0);
    (asked, counted("everything"), counted("permitted"))
}

/// A SYN or a question like ours, and then something wrong with it, most of the time.
fn odd_frame(dice: &mut Dice, (to, from): ([u8; 6], [u8; 6]), link: bool) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 198, 18, 0, 1, 198, 19];
    packet.extend([dice.below(16), dice.below(255)]);
    match dice.below(1) {
        0 => {
            let flags = [2, 2, 4, 16, 24, 17][usize::from(dice.below(5))];
            packet.extend([0xf0, 0, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        }
        _ => ask(dice, &mut packet),
    }
    for _ in 0..dice.below(3) {
        let at = usize::from(dice.below(u8::try_from(packet.len() - 1).expect("short")));
        packet[at] = dice.below(255);
    }
    if dice.below(3) > 0 {
        // What is wrong is not to be found by its sums alone.
        fill_sums(&mut packet);
    }
    match dice.below(12) {
        0 => packet.truncate(usize::from(dice.below(40))),
        1 => packet.extend(std::iter::repeat_n(dice.below(255), usize::from(dice.below(200)))),
        2 => packet[16..20].copy_from_slice(&[dice.below(255), dice.below(255), dice.below(255), dice.below(255)]),
        3 => packet[16..20].copy_from_slice(&[198, 19, 0, 13]),
        4 => packet[20..22].copy_from_slice(&[dice.below(255), dice.below(255)]),
        5 => packet = [&[0x60, 0, 0, 0, 0, 20, 6, 64][..], &[0xfd; 32], &packet[20..]].concat(),
        _ => {}
    }
    if !link {
        return packet;
    }
    let kind: &[u8] = match dice.below(20) {
        0 => &[0x08, 0x06],
        1 => &[0x81, 0x00, 0x00, 0x07, 0x08, 0x00],
        2 => &[0x86, 0xdd],
        3 => &[0x88, 0x64],
        _ => &[0x08, 0x00],
    };
    [to.as_slice(), &from, kind, &packet].concat()
}

/// A question of DNS or NTP, to its port or to another.
fn ask(dice: &mut Dice, packet: &mut Vec<u8>) {
    let mut question = match dice.below(1) {
        0 => b"..\0\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03".to_vec(),
        _ => [&[0x23][..], &[0; 39], b"........"].concat(),
    };
    let port = match (question.len(), dice.below(9)) {
        (30, 1..) | (_, 0) => 53,
        _ => 123,
    };
    match dice.below(9) {
        0 => question.push(dice.below(255)),
        1 => question.truncate(usize::from(dice.below(29))),
        2 => question[2] = 1, // Recursion desired.
        _ => {
            let mark = if port == 53 { 0 } else { 40 };
            question.iter_mut().skip(mark).take(2).for_each(|byte| *byte = dice.below(255));
        }
    }
    let length = u8::try_from(question.len() + 8).expect("short");
    (packet[3], packet[9]) = (length + 20, 17);
    packet.extend([0xf0, dice.below(255), 0, port, 0, length, 0, 0]);
    packet.extend(question);
    fill_sums(packet);
}

/// The sums of a header of IPv4 without options and of the datagram behind it (RFC 791, RFC 768).
fn fill_sums(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let sum = world::checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&sum);
    if packet[9] != 17 || packet.len() < 28 {
        return;
    }
    packet[26..28].fill(0);
    let (addresses, datagram) = (&packet[12..20], &packet[20..]);
    let pad: &[u8] = if datagram.len() % 2 == 1 { &[0] } else { &[] };
    let length = u16::try_from(datagram.len()).expect("short").to_be_bytes();
    let sum = match world::checksum(&[addresses, &[0, 17], &length, &[datagram, pad].concat()]) {
        [0, 0] => [0xff, 0xff],
        sum => sum,
    };
    packet[26..28].copy_from_slice(&sum);
}

fn nft(script: &str) -> String {
    let output = Command::new("nft").arg(script).output().expect("nft (package nftables)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn counted(name: &str) -> u64 {
    let said = nft(&format!("list counter netdev watch {name}"));
    let number = said.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
    number.and_then(|text| text.parse().ok()).expect("a counter")
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u8) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u8::try_from((z ^ (z >> 31)) % (u64::from(limit) + 1)).expect("a byte")
    }
}
