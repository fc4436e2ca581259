//! Argus flows as CSV: `ra -c ,` and the `binetflow` files of the CTU datasets.
//!
//! The first line names the columns, in Argus' long words (`SrcAddr`) or its short ones (`saddr`); joined files may
//! name them again. Both directions are told. The arrow in `Dir` says who began: where it points left, source and
//! destination change places. `State` tells TCP flags where it has the form `SPA_SA`; of the single words only `REQ`, a
//! request without an answer, tells any. Times without a zone are UTC.
//!
//! Many files tell bytes per direction but packets only together: then each direction that has bytes gets half of them.
//! Management records and flows below IP are left out under their reasons.

use std::io::BufRead;

use hinomi_model::Timestamp;

use super::file::{Counts, FileError, FlowFile, Reason};
use super::log::{Failure, Format, Log};
use super::number;
use super::{FlowRecord, Volume};
use crate::packet::{ICMP, ICMP6, TCP, Tcp};

mod columns;

use columns::{Columns, Values};

/// Reads flows; see the module and [`super::file`].
#[derive(Debug)]
pub struct Flows<R>(Log<R, Option<Columns>>);

impl<R: BufRead> Flows<R> {
    /// Starts reading. An empty file is one without flows.
    pub fn new(source: R) -> Self {
        Self(Log::new(source, None))
    }

    /// What was met so far.
    pub const fn counts(&self) -> &Counts {
        self.0.counts()
    }
}

/// As the file names them; none before it does.
impl Format for Option<Columns> {
    fn read(&mut self, line: &[u8]) -> Result<Option<FlowRecord>, Failure> {
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        if text.starts_with(b"\x1f\x8b") {
            return Err(Failure::File(Reason::Gzip));
        }
        if Columns::are_named_by(text) {
            *self = Some(Columns::read(text).map_err(Failure::File)?);
            return Ok(None);
        }
        // Without names no later line can be read either.
        let columns = self.as_ref().ok_or(Failure::File(Reason::NoHeader))?;
        columns.values(text).and_then(|values| flow(&values)).map(Some).map_err(Failure::Line)
    }
}

impl<R: BufRead> Iterator for Flows<R> {
    type Item = Result<FlowRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<R: BufRead> FlowFile for Flows<R> {
    fn counts(&self) -> &Counts {
        self.0.counts()
    }
}

fn flow(values: &Values<'_>) -> Result<FlowRecord, Reason> {
    let protocol = protocol(values.protocol)?;
    let start = time(values.start).ok_or(Reason::BadValue("StartTime"))?;
    let end = match (values.duration, values.last) {
        (Some(duration), _) => {
            let duration = number::seconds(duration).ok_or(Reason::BadValue("Dur"))?.max(0);
            Timestamp::from_micros(start.as_micros().saturating_add(duration))
        }
        (None, Some(last)) => time(last).ok_or(Reason::BadValue("LastTime"))?.max(start),
        (None, None) => start,
    };
    let [forward, reverse] = volumes(values, protocol)?;
    let flow = FlowRecord {
        source: number::address(values.source).ok_or(Reason::BadValue("SrcAddr"))?,
        destination: number::address(values.destination).ok_or(Reason::BadValue("DstAddr"))?,
        source_port: port(values.source_port, protocol, "Sport")?,
        destination_port: port(values.destination_port, protocol, "Dport")?,
        protocol,
        forward,
        reverse: Some(reverse),
        start,
        end,
        sampling: 1,
    };
    Ok(if points_left(values.direction) { turned(flow) } else { flow })
}

/// Argus is sure, or fairly sure (`<?`), that the destination began.
fn points_left(arrow: Option<&[u8]>) -> bool {
    let arrow = arrow.unwrap_or_default().trim_ascii();
    arrow.starts_with(b"<") && !arrow.ends_with(b">")
}

fn turned(flow: FlowRecord) -> FlowRecord {
    FlowRecord {
        source: flow.destination,
        destination: flow.source,
        source_port: flow.destination_port,
        destination_port: flow.source_port,
        forward: flow.reverse.unwrap_or_default(),
        reverse: Some(flow.forward),
        ..flow
    }
}

fn protocol(name: &[u8]) -> Result<u8, Reason> {
    match name {
        b"man" => Err(Reason::Management),
        b"arp" | b"rarp" | b"llc" | b"ipx" | b"ipx/spx" | b"stp" | b"lldp" | b"ether" | b"lacp" | b"cdp" | b"isis"
        | b"mpls" | b"pppoe" | b"loop" | b"decnet" | b"aarp" => Err(Reason::NotIp),
        name => number::protocol(name).ok_or(Reason::BadValue("Proto")),
    }
}

fn time(text: &[u8]) -> Option<Timestamp> {
    number::seconds(text).map(Timestamp::from_micros).or_else(|| number::date_time(text))
}

/// Types of ICMP, in the place of ports and often in hexadecimal, are no ports.
fn port(text: Option<&[u8]>, protocol: u8, what: &'static str) -> Result<u16, Reason> {
    let Some(text) = text.filter(|_| !matches!(protocol, ICMP | ICMP6)) else { return Ok(0) };
    if text.first().is_some_and(u8::is_ascii_alphabetic) {
        return Err(Reason::NamedPort(what));
    }
    let number = match text.strip_prefix(b"0x") {
        Some(digits) => std::str::from_utf8(digits).ok().and_then(|digits| u16::from_str_radix(digits, 16).ok()),
        None => number::unsigned(text).and_then(|number| u16::try_from(number).ok()),
    };
    number.ok_or(Reason::BadValue(what))
}

fn volumes(values: &Values<'_>, protocol: u8) -> Result<[Volume; 2], Reason> {
    let count =
        |text: Option<&[u8]>, what| text.map(|text| number::unsigned(text).ok_or(Reason::BadValue(what))).transpose();
    let bytes = [count(values.source_bytes, "SrcBytes")?, count(values.destination_bytes, "DstBytes")?];
    let bytes = split(bytes, count(values.bytes, "TotBytes")?, [true, true]);
    let packets = [count(values.source_packets, "SrcPkts")?, count(values.destination_packets, "DstPkts")?];
    let packets = split(packets, count(values.packets, "TotPkts")?, bytes.map(|bytes| bytes > 0));
    let flags = if protocol == TCP { flags(values.state.unwrap_or_default()) } else { [0, 0] };
    let [there, back] = [0, 1].map(|side: usize| {
        let of = |list: [u64; 2]| list.get(side).copied().unwrap_or_default();
        let tcp_flags = flags.get(side).copied().unwrap_or_default();
        Volume { packets: of(packets), bytes: of(bytes), tcp_flags }
    });
    Ok([there, back])
}

/// Two directions from what is told of each and of both together. Where only the sum is told, the directions that were
/// used get equal parts.
fn split(told: [Option<u64>; 2], sum: Option<u64>, used: [bool; 2]) -> [u64; 2] {
    match (told, sum) {
        ([Some(there), Some(back)], _) => [there, back],
        ([Some(there), None], Some(sum)) => [there, sum.saturating_sub(there)],
        ([None, Some(back)], Some(sum)) => [sum.saturating_sub(back), back],
        ([None, None], Some(sum)) if used == [true, true] => [sum.div_ceil(2), sum / 2],
        ([None, None], Some(sum)) if used == [false, true] => [0, sum],
        ([None, None], Some(sum)) => [sum, 0],
        ([there, back], None) => [there.unwrap_or(0), back.unwrap_or(0)],
    }
}

/// `SPA_SA`: what the source sent, what the destination did. A word without the line is a state of the whole.
fn flags(state: &[u8]) -> [u8; 2] {
    let Some(line) = state.iter().position(|byte| *byte == b'_') else {
        return if state == b"REQ" { [Tcp::SYN, 0] } else { [0, 0] };
    };
    let of = |letters: &[u8]| letters.iter().fold(0, |flags, letter| flags | flag(*letter));
    [of(state.get(..line).unwrap_or_default()), of(state.get(line + 1..).unwrap_or_default())]
}

const fn flag(letter: u8) -> u8 {
    match letter {
        b'F' => Tcp::FIN,
        b'S' => Tcp::SYN,
        b'R' => Tcp::RST,
        b'P' => Tcp::PSH,
        b'A' => Tcp::ACK,
        b'U' => 0x20,
        b'E' => 0x40,
        b'C' => 0x80,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
