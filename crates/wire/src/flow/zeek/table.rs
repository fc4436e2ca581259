//! Tab-separated logs, as their headers describe them.

use super::Values;
use crate::flow::FlowRecord;
use crate::flow::file::Reason;

/// The most columns of a log.
const MAX_COLUMNS: usize = 512;

/// The columns that are read, in [`NAMES`]' order.
const NAMES: [&str; 15] = [
    "ts",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "ip_proto",
    "duration",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "orig_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "resp_bytes",
];
/// So many of them must be there.
const REQUIRED: usize = 6;

/// What the headers say so far.
#[derive(Debug)]
pub(super) struct Columns {
    separator: u8,
    unset: Vec<u8>,
    /// Per column of the file the place in [`NAMES`]; none before `#fields`.
    wanted: Option<Vec<Option<usize>>>,
}

impl Default for Columns {
    fn default() -> Self {
        Self { separator: b'\t', unset: b"-".to_vec(), wanted: None }
    }
}

impl Columns {
    /// Takes a line that begins with `#`. What is not known is a comment.
    pub(super) fn header(&mut self, line: &[u8]) -> Result<(), Reason> {
        // The separator's own line stands before it is known.
        let at = line.iter().position(|byte| *byte == self.separator || *byte == b' ').unwrap_or(line.len());
        let (name, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
        match name {
            b"#separator" => self.separator = separator(value).ok_or(Reason::BadValue("#separator"))?,
            b"#unset_field" => self.unset = value.to_vec(),
            b"#path" if !value.starts_with(b"conn") => return Err(Reason::OtherLog),
            b"#fields" => self.wanted = Some(self.fields(value)?),
            _ => {}
        }
        Ok(())
    }

    fn fields(&self, value: &[u8]) -> Result<Vec<Option<usize>>, Reason> {
        let columns: Vec<Option<usize>> = value
            .split(|byte| *byte == self.separator)
            .take(MAX_COLUMNS)
            .map(|column| NAMES.iter().position(|name| name.as_bytes() == column))
            .collect();
        match NAMES.iter().take(REQUIRED).enumerate().find(|(place, _)| !columns.contains(&Some(*place))) {
            Some((_, missing)) => Err(Reason::MissingColumn(missing)),
            None => Ok(columns),
        }
    }

    /// A line of values.
    pub(super) fn values(&self, line: &[u8]) -> Result<FlowRecord, Reason> {
        let wanted = self.wanted.as_ref().ok_or(Reason::NoHeader)?;
        let mut values: [Option<&[u8]>; NAMES.len()] = [None; NAMES.len()];
        for (place, value) in wanted.iter().zip(line.split(|byte| *byte == self.separator)) {
            if let Some(slot) = place.and_then(|place| values.get_mut(place)).filter(|_| value != self.unset) {
                *slot = Some(value);
            }
        }
        let [time, source, source_port, destination, destination_port, protocol, rest @ ..] = values;
        let [protocol_number, duration, history, rest @ ..] = rest;
        let [packets, ip_bytes, payload_bytes, back_packets, back_ip_bytes, back_payload_bytes] = rest;
        let required = |value: Option<_>, name| value.ok_or(Reason::MissingValue(name));
        Values {
            time,
            source: required(source, "id.orig_h")?,
            source_port: required(source_port, "id.orig_p")?,
            destination: required(destination, "id.resp_h")?,
            destination_port: required(destination_port, "id.resp_p")?,
            protocol: required(protocol, "proto")?,
            protocol_number,
            duration,
            history,
            originator: super::Counted { packets, ip_bytes, payload_bytes },
            responder: super::Counted {
                packets: back_packets,
                ip_bytes: back_ip_bytes,
                payload_bytes: back_payload_bytes,
            },
        }
        .flow()
    }
}

/// `\x09`, or the byte itself.
fn separator(value: &[u8]) -> Option<u8> {
    match value {
        [byte] => Some(*byte),
        [b'\\', b'x', digits @ ..] => u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok(),
        _ => None,
    }
}
