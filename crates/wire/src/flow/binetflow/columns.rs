//! Which column holds what.

use crate::flow::file::Reason;

/// The most columns of a file.
const MAX_COLUMNS: usize = 256;

/// Argus' names of what is read, long and short, in the order of [`Columns::values`].
const NAMES: [(&str, &str); 16] = [
    ("StartTime", "stime"),
    ("Proto", "proto"),
    ("SrcAddr", "saddr"),
    ("DstAddr", "daddr"),
    ("Sport", "sport"),
    ("Dport", "dport"),
    ("Dir", "dir"),
    ("Dur", "dur"),
    ("LastTime", "ltime"),
    ("State", "state"),
    ("TotPkts", "pkts"),
    ("SrcPkts", "spkts"),
    ("DstPkts", "dpkts"),
    ("TotBytes", "bytes"),
    ("SrcBytes", "sbytes"),
    ("DstBytes", "dbytes"),
];
/// So many of them must be there.
const REQUIRED: usize = 4;

/// Per column of the file the place in [`NAMES`].
#[derive(Debug)]
pub(super) struct Columns(Vec<Option<usize>>);

/// A line's values as text; what is absent or empty is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) start: &'a [u8],
    pub(super) protocol: &'a [u8],
    pub(super) source: &'a [u8],
    pub(super) destination: &'a [u8],
    pub(super) source_port: Option<&'a [u8]>,
    pub(super) destination_port: Option<&'a [u8]>,
    pub(super) direction: Option<&'a [u8]>,
    pub(super) duration: Option<&'a [u8]>,
    pub(super) last: Option<&'a [u8]>,
    pub(super) state: Option<&'a [u8]>,
    pub(super) packets: Option<&'a [u8]>,
    pub(super) source_packets: Option<&'a [u8]>,
    pub(super) destination_packets: Option<&'a [u8]>,
    pub(super) bytes: Option<&'a [u8]>,
    pub(super) source_bytes: Option<&'a [u8]>,
    pub(super) destination_bytes: Option<&'a [u8]>,
}

impl Columns {
    /// Whether a line names columns: no value of a source address is called so.
    pub(super) fn are_named_by(line: &[u8]) -> bool {
        split(line).any(|value| value == b"SrcAddr" || value == b"saddr")
    }

    pub(super) fn read(line: &[u8]) -> Result<Self, Reason> {
        let place =
            |name: &[u8]| NAMES.iter().position(|(long, short)| name == long.as_bytes() || name == short.as_bytes());
        let columns: Vec<Option<usize>> = split(line).take(MAX_COLUMNS).map(place).collect();
        match NAMES.iter().take(REQUIRED).enumerate().find(|(place, _)| !columns.contains(&Some(*place))) {
            Some((_, (missing, _))) => Err(Reason::MissingColumn(missing)),
            None => Ok(Self(columns)),
        }
    }

    pub(super) fn values<'a>(&self, line: &'a [u8]) -> Result<Values<'a>, Reason> {
        let mut values: [Option<&[u8]>; NAMES.len()] = [None; NAMES.len()];
        for (place, value) in self.0.iter().zip(split(line)) {
            if let Some(slot) = place.and_then(|place| values.get_mut(place)).filter(|_| !value.is_empty()) {
                *slot = Some(value);
            }
        }
        let [start, protocol, source, destination, source_port, destination_port, rest @ ..] = values;
        let [direction, duration, last, state, packets, source_packets, destination_packets, rest @ ..] = rest;
        let [bytes, source_bytes, destination_bytes] = rest;
        let required = |value: Option<&'a [u8]>, name| value.ok_or(Reason::MissingValue(name));
        Ok(Values {
            start: required(start, "StartTime")?,
            protocol: required(protocol, "Proto")?,
            source: required(source, "SrcAddr")?,
            destination: required(destination, "DstAddr")?,
            source_port,
            destination_port,
            direction,
            duration,
            last,
            state,
            packets,
            source_packets,
            destination_packets,
            bytes,
            source_bytes,
            destination_bytes,
        })
    }
}

fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
