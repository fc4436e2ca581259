//! Files written by hand from the headers' comments, and hostile ones.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

mod peer;

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::flow::Volume;

pub(super) fn read_all(file: &[u8]) -> (Vec<FlowRecord>, Vec<FileError>, Counts) {
    let mut reader = Flows::new(file);
    let (mut flows, mut errors) = (Vec::new(), Vec::new());
    for item in reader.by_ref() {
        match item {
            Ok(flow) => flows.push(flow),
            Err(error) => errors.push(error),
        }
    }
    (flows, errors, reader.counts().clone())
}

fn block(kind: u16, flags: u16, records: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&records.to_le_bytes()[..], &length, &kind.to_le_bytes(), &flags.to_le_bytes(), body].concat()
}

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).unwrap();
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body].concat()
}

fn layout_1(flags: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(blocks.len()).unwrap();
    let head = [&[0x0c, 0xa5, 1, 0][..], &flags.to_le_bytes(), &count.to_le_bytes(), &[0; 128 + 136]].concat();
    [head, blocks.concat()].concat()
}

fn layout_2(compression: u8, blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut head = vec![0x0c, 0xa5, 2, 0, 0, 1, 7, 1];
    head.extend([0; 8]);
    head.extend([compression, 0]);
    head.resize(36, 0);
    head.extend(u32::try_from(blocks.len()).unwrap().to_le_bytes());
    [head, blocks.concat()].concat()
}

fn element(kind: u16, body: &[u8]) -> Vec<u8> {
    record(kind, body)
}

fn v3(elements: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(elements.len()).unwrap().to_le_bytes();
    record(11, &[&count[..], &[0; 6], &elements.concat()].concat())
}

fn generic(first: u64, packets: u64) -> Vec<u8> {
    let mut body: Vec<u8> = [first, first + 1_500, 9_000, packets, packets * 60].map(u64::to_le_bytes).concat();
    body.extend([40_000_u16, 1_337].map(u16::to_le_bytes).concat());
    body.extend([6, 0x12, 0, 0]);
    element(1, &body)
}

fn addresses() -> Vec<u8> {
    element(2, &[[1, 2, 0, 192], [2, 100, 51, 198]].concat())
}

fn plain(records: &[Vec<u8>]) -> Vec<u8> {
    layout_2(0, &[block(3, 0, u32::try_from(records.len()).unwrap(), &records.concat())])
}

/// Flows of version 1.6 with both kinds of counters and ends. The short records of old collectors come first, if
/// wanted: nfdump itself does not read them any more.
pub(super) fn legacy_file(short: bool) -> Vec<u8> {
    let map = record(2, &[3_u16, 12, 4, 14, 16, 0].map(u16::to_le_bytes).concat());
    let flow = |kind: u16, flags: u16, ends: &[u8], counters: &[u8]| {
        let mut body = [flags, 3, 250, 750].map(u16::to_le_bytes).concat();
        body.extend([1_600_000_000_u32, 1_600_000_060].map(u32::to_le_bytes).concat());
        body.extend([0, 0x1b, 6, 0]);
        body.extend([50_000_u16, 23].map(u16::to_le_bytes).concat());
        body.extend(if kind == 10 { &[1, 0, 0, 0][..] } else { &[] });
        // The extensions of the map: interfaces, packets and bytes of the other direction.
        let outbound = [0_u32, 7, 700].map(u32::to_le_bytes).concat();
        record(kind, &[&body[..], ends, counters, &outbound].concat())
    };
    let narrow = [5_u32, 500].map(u32::to_le_bytes).concat();
    let wide = [5_u64, 500].map(u64::to_le_bytes).concat();
    let ends_4 = [[1, 2, 0, 192], [2, 100, 51, 198]].concat();
    let ends_6 = [0x2001_0db8_0000_0000_u64, 1, 0x2001_0db8_0000_0000, 2].map(u64::to_le_bytes).concat();
    let mut records = vec![map, flow(10, 6, &ends_4, &wide), flow(10, 7, &ends_6, &wide)];
    if short {
        records.insert(1, flow(1, 0, &ends_4, &narrow));
    }
    let count = u32::try_from(records.len()).unwrap();
    layout_1(0, &[block(2, 0, count, &records.concat())])
}

#[test]
fn layout_2_is_read() {
    let outbound = element(5, &[1_u64, 4, 400].map(u64::to_le_bytes).concat());
    let mut miscellaneous = [0; 16];
    miscellaneous[14] = 0x11;
    let miscellaneous = element(4, &miscellaneous);
    let records =
        [v3(&[generic(1_000, 3), addresses(), outbound, miscellaneous, element(99, b"future")]), record(8, &[0; 4])];
    let (flows, errors, counts) = read_all(&plain(&records));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(flows.len(), 1);
    assert_eq!((flows[0].source, flows[0].source_port), ("192.0.2.1".parse::<IpAddr>().unwrap(), 40_000));
    assert_eq!((flows[0].destination, flows[0].destination_port), ("198.51.100.2".parse::<IpAddr>().unwrap(), 1_337));
    assert_eq!(flows[0].forward, Volume { packets: 3, bytes: 180, tcp_flags: 0x12 });
    assert_eq!(flows[0].reverse, Some(Volume { packets: 4, bytes: 400, tcp_flags: 0x11 }));
    assert_eq!((flows[0].start.as_micros(), flows[0].end.as_micros()), (1_000_000, 2_500_000));
    assert_eq!((counts.records, counts.other, flows[0].sampling), (1, 1, 0));
}

#[test]
fn layout_1_is_read() {
    let (flows, errors, counts) = read_all(&legacy_file(true));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!((flows.len(), counts.other), (3, 1));
    for flow in &flows {
        assert_eq!((flow.source_port, flow.destination_port, flow.protocol), (50_000, 23, 6));
        assert_eq!(flow.forward, Volume { packets: 5, bytes: 500, tcp_flags: 0x1b });
        assert_eq!(flow.reverse, Some(Volume { packets: 7, bytes: 700, tcp_flags: 0 }));
        assert_eq!(flow.start.as_micros(), 1_600_000_000_250_000);
        assert_eq!(flow.end.as_micros(), 1_600_000_060_750_000);
    }
    assert_eq!(flows[1].source, "192.0.2.1".parse::<IpAddr>().unwrap());
    assert_eq!(flows[2].destination, "2001:db8::2".parse::<IpAddr>().unwrap());
}

#[test]
fn what_no_exporter_told() {
    let (flows, errors, counts) = read_all(&plain(&[
        v3(&[generic(0, 1), addresses()]),
        v3(&[generic(1, 0), addresses()]),
        v3(&[generic(1, 1)]),
        v3(&[element(1, &[0; 10])]),
        v3(&[addresses()]).repeat(1),
    ]));
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].start.as_micros(), 9_000_000, "the time of receipt");
    assert_eq!(flows[0].reverse, None);
    let reasons: Vec<_> = errors.iter().filter_map(FileError::reason).collect();
    assert_eq!(reasons, [Reason::Event, Reason::NotIp, Reason::Truncated("a record's element"), Reason::NotIp]);
    assert_eq!((counts.records, counts.left_out_in_all()), (1, 4));
}

#[test]
fn other_files_say_what_to_do() {
    let refused = |file: &[u8]| {
        let (flows, errors, _) = read_all(file);
        assert!(flows.is_empty() && errors.len() == 1 && errors[0].ends_the_file());
        errors[0].to_string()
    };
    assert!(refused(&layout_2(2, &[])).contains("compressed with bzip2: convert it with nfdump -r FILE -y -w NEW"));
    assert!(refused(&layout_2(4, &[])).contains("zstd"));
    assert!(refused(&layout_1(8, &[])).contains("bzip2"));
    assert!(refused(&[0x0c, 0xa5, 3, 0]).contains("its layout 3"));
    assert!(refused(&[0xa5, 0x0c, 0, 2]).contains("little-endian"));
    assert!(refused(b"\x1f\x8b\x08\0").contains("gzip -d"));
    assert!(refused(b"").contains("not a file of nfdump"));
    assert!(refused(&layout_2(0, &[])[..30]).contains("ends within its header"));
    let mut encrypted = layout_2(0, &[]);
    encrypted[17] = 1;
    assert!(refused(&encrypted).contains("encrypted"));
}

#[test]
fn a_broken_block_counts_all_it_promised() {
    let good = v3(&[generic(1, 1), addresses()]);
    let blocks = [
        block(3, 0, 10, &[&good[..], &[11, 0, 3, 0]].concat()),
        block(3, 0, 3, &good),
        block(4, 0, 6, &[0; 40]),
        block(3, 0, 1, &good),
    ];
    let (flows, errors, counts) = read_all(&layout_2(0, &blocks));
    assert_eq!((flows.len(), errors.len()), (3, 2));
    assert_eq!(counts.left_out[&Reason::Invalid("a record's length")], 9);
    assert_eq!(counts.left_out[&Reason::Invalid("a block's number of records")], 2);
    assert_eq!(counts.other, 6);

    let packed = [block(3, 0, 5, b"not packed"), block(3, 1, 1, &good)];
    let (flows, errors, counts) = read_all(&layout_2(3, &packed));
    assert_eq!((flows.len(), errors.len(), counts.left_out[&Reason::Decompress]), (1, 1, 5));
}

#[test]
fn a_cut_file_gives_all_before_the_cut() {
    let good = block(3, 0, 1, &v3(&[generic(1, 1), addresses()]));
    let file = layout_2(0, &[good.clone(), good.clone()]);
    for cut in 40 + good.len()..file.len() {
        let (flows, errors, _) = read_all(&file[..cut]);
        assert_eq!((flows.len(), errors.len()), (1, usize::from(cut > 40 + good.len())), "{cut}");
    }
}

#[test]
fn a_promise_of_much_costs_nothing() {
    let mut file = layout_2(0, &[]);
    file.extend(u32::MAX.to_le_bytes());
    file.extend(u32::try_from(MAX_BLOCK_BYTES).unwrap().to_le_bytes());
    file.extend([3, 0, 0, 0]);
    let mut reader = Flows::new(file.as_slice());
    assert!(matches!(reader.next(), Some(Err(FileError::File { reason: Reason::Truncated(_), .. }))));
    assert!(reader.packed.capacity() < 1_000_000);
    file[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(Flows::new(file.as_slice()).next(), Some(Err(FileError::File { reason: Reason::TooLong, .. }))));
}

fn unpack(decompress: fn(&[u8], usize, &mut Vec<u8>) -> Option<()>, input: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut output = vec![1, 2, 3];
    decompress(input, limit, &mut output).map(|()| output)
}

#[test]
fn lz4_by_hand() {
    let lz4 = |input: &[u8], limit| unpack(lz4::decompress, input, limit);
    assert_eq!(lz4(b"\x30abc", 3).unwrap(), b"abc");
    assert_eq!(lz4(b"\x30abc", 2), None, "the limit");
    // Three literals, nine from three before, then one literal.
    assert_eq!(lz4(b"\x35abc\x03\0\x10d", 99).unwrap(), b"abcabcabcabcd");
    assert_eq!(lz4(b"\x1fa\x01\0\xff\x02\x00", 999).unwrap(), vec![b'a'; 1 + 4 + 15 + 255 + 2]);
    assert_eq!(lz4(b"\x1fa\x01\0\xff\x02\x00", 276), None, "the limit");
    for wrong in [&b""[..], b"\x40abc", b"\x35abc\x04\0\x10d", b"\x35abc\0\0\x10d", b"\x35abc\x03", b"\xf0\xff"] {
        assert_eq!(lz4(wrong, 999), None, "{wrong:?}");
    }
}

#[test]
fn lzo_by_hand() {
    let lzo = |input: &[u8], limit| unpack(lzo::decompress, input, limit);
    const END: [u8; 3] = [0x11, 0, 0];
    let with = |start: &[u8]| [start, &END].concat();
    assert_eq!(lzo(&with(b"\x14abc"), 3).unwrap(), b"abc");
    assert_eq!(lzo(&with(b"\x14abc"), 2), None, "the limit");
    assert_eq!(lzo(&with(b"\x01abcd"), 99).unwrap(), b"abcd", "a run without the first byte's short form");
    // Distance 3: two bytes by the short code, five by another with a literal after it.
    assert_eq!(lzo(&with(b"\x14abc\x08\0"), 99).unwrap(), b"abcab");
    assert_eq!(lzo(&with(b"\x14abc\x89\0x"), 99).unwrap(), b"abcabcabx");
    assert_eq!(lzo(&with(b"\x14abc\x48\0"), 99).unwrap(), b"abcabc");
    assert_eq!(lzo(&with(b"\x14abc\x20\x01\x08\0"), 99).unwrap().len(), 3 + 31 + 1 + 2);
    for wrong in [&b""[..], b"\x14abc", b"\x14ab", b"\x14abc\x0c\0\x11\0\0", b"\x14abc\x11\0\0z", b"\0\0\0"] {
        assert_eq!(lzo(wrong, 999), None, "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_unpack_within_the_limit(input in prop::collection::vec(any::<u8>(), 0..300), limit in 0..5_000_usize) {
        for decompress in [lz4::decompress, lzo::decompress] {
            let mut output = Vec::new();
            let _ = decompress(&input, limit, &mut output);
            prop_assert!(output.len() <= limit);
        }
    }

    #[test]
    fn a_changed_file_ends(at in any::<prop::sample::Index>(), byte in any::<u8>(), second in any::<bool>()) {
        let good = v3(&[generic(1, 1), addresses()]);
        let mut file = if second { plain(&[good.clone(), good.clone(), good]) } else { legacy_file(true) };
        let at = at.index(file.len());
        file[at] = byte;
        let (flows, errors, counts) = read_all(&file);
        prop_assert_eq!(counts.records, u64::try_from(flows.len()).unwrap());
        prop_assert!(counts.left_out_in_all() + counts.read_errors >= u64::try_from(errors.len()).unwrap());
    }

    #[test]
    fn any_block_ends(
        body in prop::collection::vec(any::<u8>(), 0..200),
        kind in 0..5_u16,
        compression in 0..5_u8,
        records in any::<u32>(),
    ) {
        let (flows, errors, _) = read_all(&layout_2(compression, &[block(kind, 0, records, &body)]));
        prop_assert!(flows.len() + errors.len() <= body.len() + 2);
    }
}
