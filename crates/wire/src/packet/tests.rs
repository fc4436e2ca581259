//! Frames written by hand from the specifications.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
/// 192.0.2.1:40000 -> 198.51.100.2:23, SYN, with four bytes of payload.
const SYN: [u8; 44] = [
    0x45, 0, 0, 44, 0x30, 0x39, 0x40, 0, 63, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0, 23, 0, 0, 0, 1, 0,
    0, 0, 2, 0x50, 0x02, 0x72, 0x10, 0, 0, 0, 0, b'a', b'b', b'c', b'd',
];

fn ethernet(before: &[u8], packet: &[u8]) -> Vec<u8> {
    [&ETHERNET, before, packet].concat()
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend(payload);
    packet
}

const DNS: [u8; 10] = [0x12, 0x34, 0, 53, 0, 10, 0, 0, b'h', b'i'];

fn read(link: Link, frame: &[u8]) -> Packet {
    Packet::read(link, frame).unwrap()
}

#[test]
fn a_syn_is_read_whole() {
    let packet = read(Link::Ip, &SYN);
    assert_eq!(packet.source, IpAddr::from([192, 0, 2, 1]));
    assert_eq!(packet.destination, IpAddr::from([198, 51, 100, 2]));
    assert_eq!((packet.source_port, packet.destination_port, packet.protocol), (40_000, 23, TCP));
    assert_eq!((packet.ttl, packet.ip_id, packet.total_bytes), (63, 12_345, 44));
    let tcp = Tcp { sequence: 1, acknowledgement: 2, flags: Tcp::SYN, window: 0x7210 };
    assert_eq!(packet.tcp, Some(tcp));
    assert_eq!(packet.payload(&SYN), b"abcd");
    assert_eq!((packet.cut, packet.fragment, packet.icmp), (None, None, None));
}

#[test]
fn every_link_leads_to_the_same_packet() {
    let plain = read(Link::Ip, &SYN);
    let sll = [&[0; 14][..], &[8, 0], &SYN].concat();
    let sll2 = [&[8, 0][..], &[0; 18], &SYN].concat();
    let pppoe = ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 46, 0, 0x21], &SYN);
    let frames = [
        (Link::Ethernet, ethernet(&[8, 0], &SYN)),
        (Link::Ethernet, ethernet(&[0x81, 0, 0, 7, 8, 0], &SYN)),
        (Link::Ethernet, ethernet(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0], &SYN)),
        (Link::Ethernet, ethernet(&[0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64], &SYN)),
        (Link::Ethernet, ethernet(&[0x81, 0, 0, 7, 0x88, 0x47, 0, 2, 1, 64], &SYN)),
        (Link::Ethernet, pppoe),
        (Link::Cooked, sll),
        (Link::Cooked2, sll2),
        (Link::Loopback, [&[2, 0, 0, 0][..], &SYN].concat()),
        (Link::Loopback, [&[0, 0, 0, 2][..], &SYN].concat()),
    ];
    for (link, frame) in frames {
        let packet = read(link, &frame);
        assert_eq!(packet.payload(&frame), b"abcd", "{link:?}");
        assert_eq!(Packet { payload_at: plain.payload_at, ..packet }, plain, "{link:?}");
    }
}

#[test]
fn padding_of_the_link_is_no_payload() {
    let frame = [&SYN[..], &[0xff; 16]].concat();
    assert_eq!(read(Link::Ip, &frame).payload(&frame), b"abcd");
}

#[test]
fn other_frames_say_what_they_are() {
    let refused = |frame: &[u8]| Packet::read(Link::Ethernet, frame).unwrap_err();
    assert_eq!(refused(&ethernet(&[8, 6], &[0; 28])), Unread::NotIp(0x0806));
    assert_eq!(refused(&ethernet(&[0, 38], &[0; 38])), Unread::NotIp(38), "802.3 with a length");
    assert_eq!(refused(&ethernet(&[0x88, 0x47, 0, 2, 1, 64], &[0; 20])), Unread::NotIp(0x8847), "a pseudowire");
    assert_eq!(refused(&ETHERNET), Unread::Truncated);
    assert_eq!(refused(&ethernet(&[8, 0], &SYN[..19])), Unread::Truncated);
    assert_eq!(refused(&ethernet(&[8, 0], &[0x55; 40])), Unread::Malformed);
    let tags = [0x81, 0, 0, 1].repeat(MAX_TAGS + 1);
    assert_eq!(refused(&ethernet(&tags, &[8, 0])), Unread::TooManyTags);
    let labels = [0, 0, 0, 64].repeat(MAX_TAGS);
    assert_eq!(refused(&ethernet(&[&[0x88, 0x47][..], &labels].concat(), &SYN)), Unread::TooManyTags);
    assert_eq!(Packet::read(Link::Loopback, &[0, 0, 0, 7, 0x45]), Err(Unread::NotIp(7)));
}

#[test]
fn the_most_tags_that_are_read() {
    let mut tags = [0x81, 0, 0, 1].repeat(MAX_TAGS);
    tags.extend([8, 0]);
    assert_eq!(read(Link::Ethernet, &ethernet(&tags, &SYN)).cut, None);
}

#[test]
fn impossible_lengths_are_refused() {
    let mut short_header = SYN;
    short_header[0] = 0x44;
    assert_eq!(Packet::read(Link::Ip, &short_header), Err(Unread::Malformed));
    let mut short_total = SYN;
    short_total[3] = 19;
    assert_eq!(Packet::read(Link::Ip, &short_total), Err(Unread::Malformed));
    let mut short_tcp = SYN;
    short_tcp[32] = 0x40;
    let packet = read(Link::Ip, &short_tcp);
    assert_eq!((packet.cut, packet.destination_port, packet.tcp_flags()), (Some(Cut::Malformed), 23, Tcp::SYN));
}

#[test]
fn a_length_of_zero_is_left_to_the_network_card() {
    let mut frame = SYN;
    frame[3] = 0;
    let packet = read(Link::Ip, &frame);
    assert_eq!((packet.total_bytes, packet.payload(&frame)), (44, &b"abcd"[..]));
}

#[test]
fn options_are_skipped_and_missing_ones_cut() {
    let mut frame = SYN.to_vec();
    frame[0] = 0x46;
    frame[3] = 48;
    frame.splice(20..20, [1, 1, 1, 0]);
    assert_eq!(read(Link::Ip, &frame).destination_port, 23);
    let packet = read(Link::Ip, &frame[..22]);
    assert_eq!((packet.cut, packet.total_bytes, packet.payload_len), (Some(Cut::Truncated), 48, 0));
}

#[test]
fn fragments_tell_their_place() {
    let mut first = SYN;
    first[6] = 0x20;
    let packet = read(Link::Ip, &first);
    assert_eq!(packet.fragment, Some(Fragment { offset: 0, more: true }));
    assert_eq!((packet.destination_port, packet.cut), (23, None));
    let mut later = SYN;
    later[7] = 0x10;
    later[6] = 0;
    let packet = read(Link::Ip, &later);
    assert_eq!(packet.fragment, Some(Fragment { offset: 128, more: false }));
    assert_eq!((packet.destination_port, packet.cut), (0, Some(Cut::LaterFragment)));
}

#[test]
fn ipv6_with_extensions() {
    let hop = [44, 0, 1, 4, 0, 0, 0, 0];
    let fragment = [51, 0, 0, 1, 0, 1, 0xe2, 0x40];
    let authentication = [17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let frame = v6(0, &[&hop[..], &fragment, &authentication, &DNS].concat());
    let packet = read(Link::Ip, &frame);
    assert_eq!(packet.source, IpAddr::V6("2001:db8::1".parse::<Ipv6Addr>().unwrap()));
    assert_eq!((packet.source_port, packet.destination_port, packet.protocol), (0x1234, 53, UDP));
    assert_eq!((packet.ip_id, packet.fragment), (123_456, Some(Fragment { offset: 0, more: true })));
    assert_eq!(packet.payload(&frame), b"hi");
    assert_eq!((packet.total_bytes, packet.cut), (78, None));
}

#[test]
fn ipv6_chains_end() {
    let later = v6(44, &[17, 0, 0, 8, 0, 0, 0, 9, b'r', b'e', b's', b't']);
    let packet = read(Link::Ip, &later);
    assert_eq!((packet.protocol, packet.cut, packet.source_port), (UDP, Some(Cut::LaterFragment), 0));
    let endless = v6(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(20));
    assert_eq!(read(Link::Ip, &endless).cut, Some(Cut::TooManyExtensions));
    let missing = v6(60, &[17, 200, 0, 0, 0, 0, 0, 0]);
    assert_eq!(read(Link::Ip, &missing).cut, Some(Cut::Truncated));
    let nothing = v6(59, &[]);
    assert_eq!((read(Link::Ip, &nothing).cut, read(Link::Ip, &nothing).total_bytes), (None, 40));
    let atomic = v6(44, &[&[17, 0, 0, 0, 0, 0, 0, 9][..], &DNS].concat());
    assert_eq!((read(Link::Ip, &atomic).fragment, read(Link::Ip, &atomic).destination_port), (None, 53));
}

#[test]
fn icmp_has_a_type_and_no_ports() {
    let frame = v6(58, &[128, 0, 0, 0, 0, 1, 0, 1]);
    let packet = read(Link::Ip, &frame);
    assert_eq!((packet.icmp, packet.source_port, packet.destination_port), (Some((128, 0)), 0, 0));
}

#[test]
fn tunnels_are_told_from_outside() {
    let mut gre = SYN;
    gre[9] = 47;
    let packet = read(Link::Ip, &gre);
    assert_eq!((packet.protocol, packet.source_port, packet.payload_len, packet.cut), (47, 0, 24, None));
}

#[test]
fn what_a_cut_snapshot_holds_is_told() {
    for held in 20..SYN.len() {
        let packet = read(Link::Ip, &SYN[..held]);
        assert_eq!(packet.source, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(packet.total_bytes, 44);
        assert_eq!(packet.destination_port == 23, held >= 24, "{held}");
        assert_eq!(packet.tcp.is_some(), held >= 36, "{held}");
        assert_eq!(packet.cut, (held < 40).then_some(Cut::Truncated), "{held}");
    }
}

#[test]
fn numbers_of_links() {
    assert_eq!(Link::from_number(1), Some(Link::Ethernet));
    assert_eq!(Link::from_number(276), Some(Link::Cooked2));
    assert_eq!(Link::from_number(105), None, "802.11");
}

proptest! {
    #[test]
    fn any_bytes_are_bounded(
        link in prop::sample::select(vec![Link::Ethernet, Link::Loopback, Link::Ip, Link::Cooked, Link::Cooked2]),
        start in prop::sample::select(vec![&[][..], &ETHERNET, &[0x45], &[0x60], &[2, 0, 0, 0, 0x46]]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let frame = [start, &rest].concat();
        if let Ok(packet) = Packet::read(link, &frame) {
            prop_assert!(packet.payload_at + packet.payload_len <= frame.len());
            prop_assert_eq!(packet.payload(&frame).len(), packet.payload_len);
        }
    }

    /// More of a frame never tells less of it.
    #[test]
    fn a_longer_snapshot_agrees_with_a_shorter_one(
        rest in prop::collection::vec(any::<u8>(), 20..80),
        held in 20_usize..80,
    ) {
        let mut frame = rest;
        frame[0] = if frame[0] & 1 == 0 { 0x45 } else { 0x60 };
        // A length of zero makes the snapshot's own length count.
        frame[2] |= 1;
        frame[4] |= 1;
        let cut = &frame[..held.min(frame.len())];
        if let (Ok(whole), Ok(part)) = (Packet::read(Link::Ip, &frame), Packet::read(Link::Ip, cut)) {
            prop_assert_eq!((whole.source, whole.destination), (part.source, part.destination));
            prop_assert_eq!(whole.total_bytes, part.total_bytes);
            prop_assert!(part.source_port == 0 || part.source_port == whole.source_port);
            prop_assert!(part.cut.is_some() || part.tcp == whole.tcp);
        }
    }
}
