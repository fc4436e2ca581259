//! Sessions between a line and a remote end, and the records in which routers tell them.

use std::net::IpAddr;

use hinomi_model::Timestamp;

use super::clock;
use super::line::Line;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
/// FIN, SYN, PSH and ACK: an ordinary connection from beginning to end.
pub(super) const WHOLE: u8 = 27;
pub(super) const FIN: u8 = 1;
pub(super) const PSH_ACK: u8 = 24;
/// A router tells of a session that goes on after so long, as a piece.
pub(super) const ACTIVE_TIMEOUT_SECONDS: f64 = 1_800.0;
/// A router tells of a session that fell silent after so long at most.
const INACTIVE_TIMEOUT_SECONDS: f64 = 15.0;
/// The longest session there is: what began earlier than this before a span has ended before it.
pub(super) const LONGEST_SECONDS: f64 = 12.0 * 3_600.0;

/// Where a remote end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Remote {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) protocol: u8,
}

/// Packets and bytes of one direction of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Packets.
    pub packets: u64,
    /// Bytes of the IP packets.
    pub bytes: u64,
    /// Union of the TCP flags; 0 where it is not TCP.
    pub tcp_flags: u8,
}

/// Packets, bytes and flags of one direction.
pub(super) const fn amount(packets: u64, bytes: u64, tcp_flags: u8) -> Amount {
    Amount { packets, bytes, tcp_flags }
}

/// A flow as a router tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Who sent the forward packets.
    pub source: IpAddr,
    /// Who they were sent to.
    pub destination: IpAddr,
    /// Port of the source.
    pub source_port: u16,
    /// Port of the destination.
    pub destination_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// From source to destination.
    pub forward: Amount,
    /// From destination to source; none where the router tells each direction in a record of its own.
    pub reverse: Option<Amount>,
    /// First packet, to the millisecond.
    pub start: Timestamp,
    /// Last packet, to the millisecond.
    pub end: Timestamp,
}

/// What happens between one line and one remote end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) line: Line,
    pub(super) line_port: u16,
    pub(super) remote: Remote,
    /// Whether the line asked.
    pub(super) begun_by_line: bool,
    /// Seconds since 1970.
    pub(super) start: f64,
    pub(super) lasts: f64,
    /// From the line.
    pub(super) out: Amount,
    /// To the line.
    pub(super) back: Amount,
}

impl Session {
    /// The records of it, each with the moment at which the router tells it.
    pub(super) fn told(&self, mut tell: impl FnMut(Timestamp, Flow)) {
        let pieces = (self.lasts.min(LONGEST_SECONDS) / ACTIVE_TIMEOUT_SECONDS).ceil().max(1.0) as u64;
        let length = self.lasts.min(LONGEST_SECONDS) / pieces as f64;
        for piece in 0..pieces {
            let start = self.start + piece as f64 * length;
            let of = |whole: Amount| self.part(whole, piece, pieces);
            self.tell_piece(start, start + length, of(self.out), of(self.back), piece + 1 == pieces, &mut tell);
        }
    }

    fn tell_piece(
        &self,
        start: f64,
        end: f64,
        out: Amount,
        back: Amount,
        is_last: bool,
        tell: &mut impl FnMut(Timestamp, Flow),
    ) {
        let closed = self.remote.protocol == TCP && (out.tcp_flags | back.tcp_flags) & (FIN | RST) != 0;
        let silence = if is_last && !closed { INACTIVE_TIMEOUT_SECONDS } else { 0.5 };
        let told = clock::at(end + silence);
        let own = (self.line.address(self.remote.address), self.line_port);
        let far = (self.remote.address, self.remote.port);
        let outward = self.record(own, far, out, start, end);
        let inward = self.record(far, own, back, start, end);
        let (first, second) = if self.begun_by_line { (outward, inward) } else { (inward, outward) };
        if !self.line.is_told_in_halves() {
            return tell(told, Flow { reverse: Some(second.forward), ..first });
        }
        for half in [first, second].into_iter().filter(|half| half.forward.packets > 0) {
            // The answer begins a round trip later.
            let later = if half == first { 0 } else { 20_000 };
            let start = Timestamp::from_micros(half.start.as_micros() + later).min(half.end);
            tell(told, Flow { start, ..half });
        }
    }

    fn record(&self, from: (IpAddr, u16), to: (IpAddr, u16), forward: Amount, start: f64, end: f64) -> Flow {
        Flow {
            source: from.0,
            destination: to.0,
            source_port: from.1,
            destination_port: to.1,
            protocol: self.remote.protocol,
            forward,
            reverse: None,
            start: clock::at(start),
            end: clock::at(end),
        }
    }

    /// A piece's share of what went one way: only the first has the SYN, only the last the FIN.
    fn part(&self, whole: Amount, piece: u64, pieces: u64) -> Amount {
        if pieces == 1 {
            return whole;
        }
        let share = |all: u64| all / pieces + u64::from(piece == 0) * (all % pieces);
        let edge = if piece == 0 { SYN } else { 0 } | if piece + 1 == pieces { FIN } else { 0 };
        let tcp_flags = if self.remote.protocol == TCP { (edge | PSH_ACK) & whole.tcp_flags } else { 0 };
        Amount { packets: share(whole.packets), bytes: share(whole.bytes), tcp_flags }
    }
}
