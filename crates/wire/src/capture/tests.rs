//! Files written by hand from the specifications, real ones where they are at hand, and hostile ones.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::flow::samples::sample;

type Owned = (i64, u16, u32, Vec<u8>);

fn read_all(bytes: &[u8]) -> (Vec<Owned>, Option<CaptureError>, Counts) {
    let mut capture = Capture::open(Cursor::new(bytes)).unwrap();
    let mut frames = Vec::new();
    let mut error = None;
    loop {
        match capture.next_frame() {
            Ok(Some(frame)) => {
                let time = frame.time.as_micros();
                frames.push((time, frame.link_number, frame.wire_bytes, frame.bytes.to_vec()));
            }
            Ok(None) => return (frames, error, capture.counts()),
            Err(reason) => assert!(error.replace(reason).is_none(), "one error, then the end"),
        }
    }
}

/// Writes numbers in one byte order.
#[derive(Clone, Copy)]
struct Writer(Order);

impl Writer {
    fn u32(self, number: u32) -> [u8; 4] {
        if self.0 == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u16(self, number: u16) -> [u8; 2] {
        if self.0 == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn pcap(self, magic: u32, frames: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut file = self.u32(magic).to_vec();
        file.extend([self.u16(2), self.u16(4)].concat());
        file.extend([self.u32(0), self.u32(0), self.u32(65_535), self.u32(0x1000_0001)].concat());
        for (seconds, fraction, bytes) in frames {
            let length = u32::try_from(bytes.len()).unwrap();
            file.extend([self.u32(*seconds), self.u32(*fraction), self.u32(length), self.u32(length + 10)].concat());
            file.extend(*bytes);
        }
        file
    }

    fn block(self, kind: u32, inside: &[u8]) -> Vec<u8> {
        let length = u32::try_from(inside.len() + 12).unwrap();
        [&self.u32(kind)[..], &self.u32(length), inside, &self.u32(length)].concat()
    }

    fn section(self) -> Vec<u8> {
        let inside = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &inside)
    }

    fn interface(self, link: u16, snapshot: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.u16(link)[..], &[0, 0], &self.u32(snapshot), options].concat())
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut option = [self.u16(code), self.u16(u16::try_from(value.len()).unwrap())].concat();
        option.extend(value);
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    fn enhanced(self, interface: u32, ticks: u64, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        let (high, low) = (u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xffff_ffff).unwrap());
        let head = [self.u32(interface), self.u32(high), self.u32(low), self.u32(length), self.u32(length)].concat();
        let mut inside = [&head[..], bytes].concat();
        inside.resize(inside.len().next_multiple_of(4), 0);
        inside.extend(self.option(1, b"a comment"));
        self.block(6, &inside)
    }

    fn simple(self, wire_bytes: u32, bytes: &[u8]) -> Vec<u8> {
        let mut inside = [&self.u32(wire_bytes)[..], bytes].concat();
        inside.resize(inside.len().next_multiple_of(4), 0);
        self.block(3, &inside)
    }
}

const ORDERS: [Writer; 2] = [Writer(Order::Big), Writer(Order::Little)];

#[test]
fn pcap_in_every_form() {
    for writer in ORDERS {
        for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_999)] {
            let file = writer.pcap(magic, &[(7, fraction, b"abc"), (8, 0, b"")]);
            let (frames, error, counts) = read_all(&file);
            assert_eq!(frames, [(7_250_000, 1, 13, b"abc".to_vec()), (8_000_000, 1, 10, Vec::new())]);
            assert!(error.is_none());
            assert_eq!(counts, Counts { frames: 2, ..Counts::default() });
        }
    }
}

#[test]
fn pcapng_with_sections_interfaces_and_clocks() {
    let mut file = Vec::new();
    let mut expected = Vec::new();
    for writer in ORDERS {
        file.extend(writer.section());
        file.extend(writer.interface(1, 4, &[]));
        file.extend(writer.interface(101, 0, &[writer.option(2, b"eth1"), writer.option(9, &[9])].concat()));
        file.extend(writer.interface(113, 0, &writer.option(9, &[0x80 | 10])));
        let offset = if writer.0 == Order::Big { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
        file.extend(writer.interface(276, 0, &writer.option(14, &offset)));
        file.extend(writer.block(0xbad, &[0; 40]));
        file.extend(writer.enhanced(0, 5_000_001, b"abcde"));
        file.extend(writer.enhanced(1, 5_000_000_000_000, b"x"));
        file.extend(writer.enhanced(2, 1_536, b"y"));
        file.extend(writer.enhanced(3, 1, b""));
        file.extend(writer.simple(9, b"1234"));
        expected.extend([
            (5_000_001, 1, 5, b"abcde".to_vec()),
            (5_000_000_000, 101, 1, b"x".to_vec()),
            (1_500_000, 113, 1, b"y".to_vec()),
            (100_000_001, 276, 0, Vec::new()),
            (100_000_001, 1, 9, b"1234".to_vec()),
        ]);
    }
    let (frames, error, counts) = read_all(&file);
    assert_eq!(frames, expected);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(counts, Counts { frames: 10, untimed: 2, other_blocks: 10, broken: 0 });
}

#[test]
fn the_old_packet_block() {
    for writer in ORDERS {
        let head = [&writer.u16(0)[..], &writer.u16(7), &[0; 4], &writer.u32(3), &writer.u32(4), &writer.u32(60)];
        let block = writer.block(2, &[&head.concat()[..], b"abcd"].concat());
        let file = [writer.section(), writer.interface(1, 0, &[]), block].concat();
        assert_eq!(read_all(&file).0, [(3, 1, 60, b"abcd".to_vec())]);
    }
}

#[test]
fn a_cut_file_gives_all_before_the_cut() {
    let writer = Writer(Order::Little);
    let pcap = writer.pcap(0xa1b2_c3d4, &[(1, 0, b"one"), (2, 0, b"two")]);
    let ng =
        [writer.section(), writer.interface(1, 0, &[]), writer.enhanced(0, 1, b"one"), writer.enhanced(0, 2, b"two")];
    for (file, whole) in [(pcap, 24 + 19), (ng.concat(), 28 + 20 + 52)] {
        for cut in whole..file.len() {
            let (frames, error, counts) = read_all(&file[..cut]);
            assert_eq!(frames.len(), 1, "{cut}");
            assert_eq!(frames[0].3, b"one");
            // A file that ends between frames is whole.
            let within = cut > whole;
            assert_eq!(matches!(error, Some(CaptureError::Truncated { .. })), within, "{cut}: {error:?}");
            assert_eq!(counts, Counts { frames: 1, broken: u64::from(within), ..counts });
        }
    }
}

#[test]
fn contradictions_end_the_file_with_a_reason() {
    let writer = Writer(Order::Little);
    let start = [writer.section(), writer.interface(1, 0, &[])].concat();
    let with = |block: Vec<u8>| read_all(&[start.clone(), block].concat()).1.map(|error| error.to_string());
    let says = |block: Vec<u8>, words: &str| {
        let error = with(block).unwrap();
        assert!(error.contains(words), "{error}");
    };
    says(writer.enhanced(1, 0, b""), "a packet's interface");
    says([&writer.u32(9)[..], &writer.u32(13)].concat(), "a block's length");
    says([&writer.u32(9)[..], &writer.u32(8)].concat(), "a block's length");
    says([&writer.u32(9)[..], &writer.u32(12), &writer.u32(16)].concat(), "second length");
    let long = [writer.u32(0), writer.u32(0), writer.u32(0), writer.u32(5), writer.u32(5)].concat();
    says(writer.block(6, &long), "a packet's length");
    let huge = [writer.u32(0), writer.u32(0), writer.u32(0), writer.u32(u32::MAX), writer.u32(5)].concat();
    says(writer.block(6, &huge), "a frame of 4294967295 bytes");
    says(writer.interface(1, 0, &writer.option(9, &[20])), "an interface's description");
    let mut many = start.clone();
    many.extend(writer.interface(1, 0, &[]).repeat(MAX_INTERFACES));
    assert!(matches!(read_all(&many).1, Some(CaptureError::TooManyInterfaces { .. })));
}

#[test]
fn what_is_no_capture_says_so() {
    let refused = |bytes: &[u8]| Capture::open(bytes).unwrap_err().to_string();
    assert!(refused(b"\x1f\x8b\x08\0").contains("gzip -d"));
    assert!(refused(b"#separator").contains("neither pcap nor pcapng"));
    assert!(refused(b"").contains("ends at byte 0"));
    assert!(refused(&Writer(Order::Big).u32(0xa1b2_c3d4)).contains("within the file's header"));
}

#[test]
fn real_captures_are_read_to_their_end() {
    let files = [("sflow/data-1140.pcap", 1), ("sflow/data-encap-vxlan.pcap", 1), ("sflow/data-qinq.pcap", 1)];
    for (name, expected) in files {
        let Some(bytes) = sample(name) else { return };
        let (frames, error, counts) = read_all(&bytes);
        assert!(error.is_none(), "{name}: {error:?}");
        assert_eq!((frames.len(), counts.frames), (expected, 1), "{name}");
        let packet = crate::packet::Packet::read(Link::Ethernet, &frames[0].3).unwrap();
        assert_eq!((packet.protocol, packet.cut), (17, None), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end(
        start in prop::sample::select(vec![
            Writer(Order::Little).pcap(0xa1b2_c3d4, &[]),
            Writer(Order::Big).section(),
            [Writer(Order::Little).section(), Writer(Order::Little).interface(1, 0, &[])].concat(),
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let file = [start, rest].concat();
        let (frames, _, counts) = read_all(&file);
        prop_assert!(frames.iter().map(|frame| frame.3.len()).sum::<usize>() <= file.len());
        prop_assert_eq!(counts.frames, u64::try_from(frames.len()).unwrap());
    }

    #[test]
    fn what_is_written_is_read(
        frames in prop::collection::vec(
            (any::<u32>(), 0..1_000_000_u32, prop::collection::vec(any::<u8>(), 0..80)),
            0..20,
        ),
    ) {
        for writer in ORDERS {
            let written: Vec<_> = frames.iter().map(|(s, f, bytes)| (*s, *f, bytes.as_slice())).collect();
            let (read, error, _) = read_all(&writer.pcap(0xa1b2_c3d4, &written));
            prop_assert!(error.is_none());
            prop_assert_eq!(read.len(), frames.len());
            for ((time, _, _, bytes), (seconds, micros, expected)) in read.iter().zip(&frames) {
                prop_assert_eq!(*time, i64::from(*seconds) * 1_000_000 + i64::from(*micros));
                prop_assert_eq!(bytes, expected);
            }
        }
    }
}
