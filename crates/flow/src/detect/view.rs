//! A server as the detectors see it: plain numbers and the timelines of some of its clients.
//!
//! The view is made from a server's sketches when it is scored and lives no longer than the scoring. Timelines are kept
//! for candidates only ([`MAX_PAIRS`], [`MAX_SESSIONS`]); counts come from sketches that saw everything.

use hinomi_model::Timestamp;
use hinomi_wire::flow::Volume;

use super::statistics::{from_u64, quantile, seconds, sorted};
use crate::purpose::{Pseudonym, Remote};

/// Clients whose timelines are looked at.
pub const MAX_PAIRS: usize = 64;
/// Sessions of one client that are looked at, the newest ones.
pub const MAX_SESSIONS: usize = 512;

/// Both directions of one connection, or what was seen of it.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) out: Volume,
    pub(crate) back: Volume,
}

/// Bytes a packet of headers alone has at most: IPv6 or options included.
const HEADERS_ALONE_BYTES: u64 = 72;
const RST: u8 = 4;

impl Session {
    pub(crate) fn start_seconds(&self) -> f64 {
        seconds(self.start.as_micros())
    }

    pub(crate) fn duration_seconds(&self) -> f64 {
        self.end.since(self.start).as_secs_f64()
    }

    /// The server gave nothing but headers, and the attempt was short: refused, reset, or no answer at all.
    pub(crate) fn in_vain(&self) -> bool {
        let answered = self.back.bytes > self.back.packets.saturating_mul(HEADERS_ALONE_BYTES);
        !answered && self.duration_seconds() < 60.0 && (self.back.packets == 0 || self.back.tcp_flags & RST != 0
            || self.out.tcp_flags & RST != 0 || self.back.packets <= 4)
    }
}

/// One client of a server, in one epoch.
pub(crate) struct Pair {
    pub(crate) client: Pseudonym,
    /// Sorted by start.
    pub(crate) sessions: Vec<Session>,
}

impl Pair {
    /// Gaps between starts in seconds; those below a second are one visit.
    pub(crate) fn gaps(&self) -> Vec<f64> {
        let starts = self.starts();
        starts.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)).collect()
    }

    /// Starts in seconds, of visits at least a second apart.
    pub(crate) fn starts(&self) -> Vec<f64> {
        let mut kept: Vec<f64> = Vec::with_capacity(self.sessions.len());
        for session in &self.sessions {
            let start = session.start_seconds();
            if kept.last().is_none_or(|last| start - last >= 1.0) {
                kept.push(start);
            }
        }
        kept
    }
}

/// What limits the evidence: how much of the traffic was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// One of so many packets; 1 is all.
    pub(crate) sampling: u32,
    /// Share of records that the exporters sent and nobody got, 0 to 1.
    pub(crate) loss: f64,
}

/// One server endpoint when it is scored.
pub(crate) struct ServerView {
    pub(crate) remote: Remote,
    /// Distinct pseudonyms of the epoch that has most.
    pub(crate) clients: u64,
    /// Epochs in which it was seen.
    pub(crate) epochs: u32,
    pub(crate) flows: u64,
    /// Flows in which the server answered.
    pub(crate) answered: u64,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    /// Flows by hour of the day, in the user's local time.
    pub(crate) hours: [u64; 24],
    pub(crate) pairs: Vec<Pair>,
    pub(crate) seen: Seen,
}

/// Median bytes, packets and durations over the sessions looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sizes {
    pub(crate) bytes_out: f64,
    pub(crate) bytes_back: f64,
    pub(crate) packet_bytes_out: f64,
    pub(crate) packet_bytes_back: f64,
    pub(crate) duration_seconds: f64,
    pub(crate) longest_seconds: f64,
}

impl ServerView {
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.pairs.iter().flat_map(|pair| &pair.sessions)
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let median = |of: &dyn Fn(&Session) -> f64| quantile(&sorted(self.sessions().map(of)), 0.5);
        let each = |volume: &Volume| from_u64(volume.bytes) / from_u64(volume.packets.max(1));
        Sizes {
            bytes_out: median(&|session| from_u64(session.out.bytes)),
            bytes_back: median(&|session| from_u64(session.back.bytes)),
            packet_bytes_out: median(&|session| each(&session.out)),
            packet_bytes_back: median(&|session| each(&session.back)),
            duration_seconds: median(&Session::duration_seconds),
            longest_seconds: self.sessions().map(Session::duration_seconds).fold(0.0, f64::max),
        }
    }

    /// A number that is this endpoint's own: seeds what is drawn for it, so that any run draws the same.
    pub(crate) fn seed(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let octets = match self.remote.address {
            std::net::IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(six) => six.octets(),
        };
        for byte in octets.into_iter().chain(self.remote.port.to_be_bytes()).chain([self.remote.protocol]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash
    }
}
