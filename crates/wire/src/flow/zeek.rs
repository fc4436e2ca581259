//! Zeek's `conn.log`: tab-separated with its headers, and JSON, one connection a line. Either may change to the other.
//!
//! Columns are found by name, so logs with more columns (`labeled` ones) and logs that were rotated or joined, with
//! their headers again in the middle, are read. Both directions are told: the originator's is `forward`. Bytes are
//! those of IP packets (`orig_ip_bytes`) where the log has them. TCP flags come from `history`, whose letters tell
//! kinds of packets (upper case from the originator); that a packet with data has PSH set is taken for granted.
//!
//! Follows Zeek's documentation of `conn.log` and of its log writers. ICMP's types, which Zeek writes as ports, are not
//! ports. The reader takes what is unpacked already.

use std::io::BufRead;

use hinomi_model::Timestamp;

use super::file::{Counts, FileError, FlowFile, Reason};
use super::log::{Failure, Format, Log};
use super::number;
use super::{FlowRecord, Volume};

mod history;
mod json;
mod table;

/// What Zeek means by `unknown_transport`; reserved by IANA.
pub const UNKNOWN_PROTOCOL: u8 = 255;

/// Reads connections; see the module and [`super::file`].
#[derive(Debug)]
pub struct Connections<R>(Log<R, table::Columns>);

/// A connection as text, in the columns' order of importance.
#[derive(Clone, Copy, Debug, Default)]
struct Values<'a> {
    time: Option<&'a [u8]>,
    source: &'a [u8],
    source_port: &'a [u8],
    destination: &'a [u8],
    destination_port: &'a [u8],
    protocol: &'a [u8],
    protocol_number: Option<&'a [u8]>,
    duration: Option<&'a [u8]>,
    history: Option<&'a [u8]>,
    originator: Counted<'a>,
    responder: Counted<'a>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted<'a> {
    packets: Option<&'a [u8]>,
    ip_bytes: Option<&'a [u8]>,
    payload_bytes: Option<&'a [u8]>,
}

impl<R: BufRead> Connections<R> {
    /// Starts reading. An empty log is one without connections.
    pub fn new(source: R) -> Self {
        Self(Log::new(source, table::Columns::default()))
    }

    /// What was met so far.
    pub const fn counts(&self) -> &Counts {
        self.0.counts()
    }
}

impl Format for table::Columns {
    fn read(&mut self, line: &[u8]) -> Result<Option<FlowRecord>, Failure> {
        match line.first() {
            None => Ok(None),
            Some(b'#') => self.header(line).map(|()| None).map_err(Failure::File),
            Some(b'{') => json::read(line).map(Some).map_err(Failure::Line),
            Some(0x1f) if line.starts_with(b"\x1f\x8b") => Err(Failure::File(Reason::Gzip)),
            Some(_) => self.values(line).map(Some).map_err(Failure::Line),
        }
    }
}

impl<R: BufRead> Iterator for Connections<R> {
    type Item = Result<FlowRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<R: BufRead> FlowFile for Connections<R> {
    fn counts(&self) -> &Counts {
        self.0.counts()
    }
}

impl Values<'_> {
    fn flow(&self) -> Result<FlowRecord, Reason> {
        let time = self.time.ok_or(Reason::MissingValue("ts"))?;
        let start = time_of(time).ok_or(Reason::BadValue("ts"))?;
        let duration = optional(self.duration, number::seconds, "duration")?.unwrap_or(0).max(0);
        let source = number::address(self.source).ok_or(Reason::BadValue("id.orig_h"))?;
        let protocol = self.protocol(source.is_ipv6())?;
        let [forward_flags, reverse_flags] = match protocol {
            6 => history::flags(self.history.unwrap_or_default()),
            _ => [0, 0],
        };
        let port = |text, what| if is_icmp(protocol) { Ok(0) } else { port(text, what) };
        Ok(FlowRecord {
            source,
            destination: number::address(self.destination).ok_or(Reason::BadValue("id.resp_h"))?,
            source_port: port(self.source_port, "id.orig_p")?,
            destination_port: port(self.destination_port, "id.resp_p")?,
            protocol,
            forward: self.originator.volume(forward_flags, ["orig_pkts", "orig_ip_bytes", "orig_bytes"])?,
            reverse: Some(self.responder.volume(reverse_flags, ["resp_pkts", "resp_ip_bytes", "resp_bytes"])?),
            start,
            end: Timestamp::from_micros(start.as_micros().saturating_add(duration)),
            sampling: 1,
        })
    }

    fn protocol(&self, ipv6: bool) -> Result<u8, Reason> {
        let number = optional(self.protocol_number, number::unsigned, "ip_proto")?;
        match (self.protocol, number) {
            (b"icmp", _) if ipv6 => Ok(58),
            (b"unknown_transport", None) => Ok(UNKNOWN_PROTOCOL),
            (b"unknown_transport", Some(number)) => u8::try_from(number).map_err(|_| Reason::BadValue("ip_proto")),
            (name, _) => number::protocol(name).ok_or(Reason::BadValue("proto")),
        }
    }
}

impl Counted<'_> {
    fn volume(&self, tcp_flags: u8, [packets, ip_bytes, bytes]: [&'static str; 3]) -> Result<Volume, Reason> {
        let of_ip = optional(self.ip_bytes, number::unsigned, ip_bytes)?;
        let of_payload = optional(self.payload_bytes, number::unsigned, bytes)?;
        let packets = optional(self.packets, number::unsigned, packets)?.unwrap_or(0);
        Ok(Volume { packets, bytes: of_ip.or(of_payload).unwrap_or(0), tcp_flags })
    }
}

const fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, 1 | 58)
}

fn optional<T>(
    text: Option<&[u8]>,
    read: impl Fn(&[u8]) -> Option<T>,
    what: &'static str,
) -> Result<Option<T>, Reason> {
    text.map(|text| read(text).ok_or(Reason::BadValue(what))).transpose()
}

fn port(text: &[u8], what: &'static str) -> Result<u16, Reason> {
    number::unsigned(text).and_then(|port| u16::try_from(port).ok()).ok_or(Reason::BadValue(what))
}

/// Seconds since the epoch, or a time in words.
fn time_of(text: &[u8]) -> Option<Timestamp> {
    number::seconds(text).map(Timestamp::from_micros).or_else(|| number::date_time(text))
}

#[cfg(test)]
mod tests;
