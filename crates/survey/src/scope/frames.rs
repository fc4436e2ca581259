//! The door for whole frames.
//!
//! Whoever holds a [`FrameDoor`] writes frames; none is handed to the interface before it was read back and found to be a
//! SYN (or the reset that takes a SYN back, or an acknowledgement) from our own address to an address and port that the
//! scope permits now, or an acknowledgement or a datagram there whose bytes are a question that the scope permits at that
//! port ([`questions`]). What is not, is counted and never sent. The check reads the frame's own bytes: a mistake in whatever made the frame ends here.

mod questions;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hinomi_model::Transport;
use hinomi_model::scope::Probe;
use hinomi_netio::{Backend, Interface, OpenError, Sent, Transmitter};
use hinomi_wire::packet::{Link, Packet};

use super::door::Door;
use super::gate::{Gate, is_open};
use super::tally;
use questions::Questions;

/// Sends frames that the scope permits.
pub struct FrameDoor {
    door: Arc<Door>,
    transmitter: Transmitter,
    sources: Vec<IpAddr>,
    gate: Gate,
    questions: Questions,
    tally: Option<tally::Own>,
    /// Of the opt-out list that the gate was made with.
    version: u64,
}

/// A batch of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Frames to be sent.
    pub written: usize,
    /// Frames that the scope does not permit; they are gone.
    pub refused: usize,
    /// How many of these would have begun something: no resets, and no last acknowledgements of a handshake.
    pub refused_probes: usize,
}

/// Why a batch was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Outside the hours of the scope, or before it is valid.
    #[error("the scope does not permit sending at this moment")]
    NotNow,
    /// After its end.
    #[error("the scope has ended; a new one makes a new campaign")]
    Expired,
    /// Taken back by who answers for it.
    #[error("the scope was taken back")]
    Revoked,
    /// The interface is gone or down.
    #[error("the interface does not send: {0}; start the campaign again to resume")]
    Interface(#[from] io::Error),
}

impl FrameDoor {
    /// A door onto an interface, by the best way the machine allows; frames must come from one of `sources`. Gives
    /// besides why better ways were not to be had.
    ///
    /// # Errors
    /// When there is no way at all: each with its reason.
    pub fn open(
        door: Arc<Door>,
        interface: &Interface,
        sources: Vec<IpAddr>,
        only: Option<Backend>,
    ) -> Result<(Self, Vec<OpenError>), Vec<OpenError>> {
        let (transmitter, refusals) = match only {
            Some(backend) => (Transmitter::open(interface, backend, 0).map_err(|error| vec![error])?, Vec::new()),
            None => Transmitter::best(interface, 0)?,
        };
        let (version, gate) = door.gate();
        let tally = door.tally().map(tally::Tally::own);
        let questions = Questions::default();
        Ok((Self { door, transmitter, sources, gate, questions, tally, version }, refusals))
    }

    /// The same door, where questions with room for words name this contact.
    #[must_use]
    pub fn naming(self, contact: &str) -> Self {
        Self { questions: Questions::naming(contact), ..self }
    }

    /// How frames are sent.
    pub const fn backend(&self) -> Backend {
        self.transmitter.backend()
    }

    /// Lets `each` write up to `want` frames, of which those stay that the scope permits. [`FrameDoor::flush`] sends them.
    ///
    /// # Errors
    /// When nothing may be sent at this moment.
    pub fn fill(&mut self, want: usize, mut each: impl FnMut(&mut [u8]) -> Option<usize>) -> Result<Batch, FrameError> {
        self.look_again();
        if self.door.is_shut() {
            return Err(FrameError::Revoked);
        }
        if self.tally.as_ref().is_some_and(|own| !own.tally().may_send()) {
            return Err(FrameError::NotNow); // Until the ledger is so far.
        }
        let now = self.door.now();
        if !is_open(self.door.scope(), now) {
            let is_over = now >= self.door.scope().valid_until;
            return Err(if is_over { FrameError::Expired } else { FrameError::NotNow });
        }
        let (gate, sources, link) = (&self.gate, &self.sources, self.transmitter.backend().has_link_header());
        let (own, questions, scope) = (&mut self.tally, &mut self.questions, self.door.scope());
        let (mut refused, mut refused_probes) = (0, 0);
        let written = self.transmitter.fill(want, |slot| {
            // Bounded: a caller that writes nothing but refused frames gets through its batch and no further.
            while refused < want {
                let len = each(slot)?;
                let frame = slot.get(..len)?;
                let mut may_leave =
                    |asked: &Asked<'_>| asked.is_permitted(gate, sources, |asked| questions.is_one(scope, asked));
                if let Some(asked) = read(frame, link).filter(&mut may_leave) {
                    if let Some(own) = own {
                        own.sent(asked.destination);
                    }
                    return Some(len);
                }
                refused += 1;
                refused_probes += usize::from(begins(frame, link));
            }
            None
        });
        let mut segments = u64::try_from(written).unwrap_or(0);
        for (probe, count) in self.questions.take_counts() {
            segments = segments.saturating_sub(count);
            if let Some(tally) = self.door.tally() {
                tally.with_probe(probe, count);
            }
        }
        if let Some(tally) = self.door.tally() {
            tally.with_probe(Probe::Connect, segments);
        }
        self.door.metrics().refused_frames(u64::try_from(refused).unwrap_or(0));
        Ok(Batch { written, refused, refused_probes })
    }

    /// Sends what was written.
    ///
    /// # Errors
    /// When the interface does not take frames.
    pub fn flush(&mut self, batch: Batch) -> Result<Sent, FrameError> {
        let written = u64::try_from(batch.written).unwrap_or(0);
        let met = self.transmitter.flush();
        // Where sending failed nobody knows how many left: then all count as sent.
        let dropped = met.as_ref().map_or(0, |met| met.dropped.min(written));
        if let Some(tally) = self.door.tally() {
            tally.not_taken(dropped);
        }
        self.door.metrics().reasons("frames that the interface did not take", dropped);
        self.door.metrics().sent(written - dropped);
        let met = met?;
        Ok(met)
    }

    /// Takes up a changed opt-out list.
    fn look_again(&mut self) {
        if self.door.opt_out_version() != self.version {
            (self.version, self.gate) = self.door.gate();
        }
    }
}

/// What a frame would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked<'a> {
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    transport: Transport,
    /// What it carries; datagrams always carry something, if only nothing.
    carried: Option<&'a [u8]>,
}

impl Asked<'_> {
    fn is_permitted(&self, gate: &Gate, sources: &[IpAddr], is_question: impl FnOnce(&Self) -> bool) -> bool {
        sources.contains(&self.source)
            && gate.permits(self.destination, self.transport, self.port)
            && (self.carried.is_none() || is_question(self))
    }
}

const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;
const PUSH_ACK: u8 = 24;
/// Length of a TCP header without options, in words, in its place.
const PLAIN: u8 = 0x50;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Reads what a frame would do; none when it is anything but a SYN or a reset without data, an
/// acknowledgement, or a whole datagram.
#[inline]
fn read(frame: &[u8], link: bool) -> Option<Asked<'_>> {
    let network = if link { frame.get(14..)? } else { frame };
    let version = network.first()? >> 4;
    let named = link.then(|| frame.get(12..14)).flatten();
    match (version, named) {
        (4, None | Some([0x08, 0x00])) => read_four(network),
        (6, None | Some([0x86, 0xdd])) => read_six(network),
        _ => None,
    }
}

/// Whether a frame that was refused would have begun something.
fn begins(frame: &[u8], link: bool) -> bool {
    let link = if link { Link::Ethernet } else { Link::Ip };
    Packet::read(link, frame).is_ok_and(|packet| packet.tcp.is_none_or(|tcp| tcp.flags & SYN != 0))
}

#[inline]
fn read_four(packet: &[u8]) -> Option<Asked<'_>> {
    let (header, rest): (&[u8; 20], _) = packet.split_first_chunk()?;
    let [first, _, long, short, _, _, fragment, offset, _, protocol, _, _, a, b, c, d, e, f, g, h] = *header;
    let len = usize::from(u16::from_be_bytes([long, short]));
    let whole = first == 0x45 && fragment & 0x3f == 0 && offset == 0 && len == packet.len();
    let (source, destination) = (Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into());
    let (transport, (port, carried)) = match protocol {
        TCP => (Transport::Tcp, tcp_port(rest, &[a, b, c, d, e, f, g, h])?),
        UDP => (Transport::Udp, udp_port(rest, &[a, b, c, d, e, f, g, h]).filter(|_| sum(0, header) == 0xffff)?),
        _ => return None,
    };
    whole.then_some(Asked { source, destination, port, transport, carried })
}

fn read_six(packet: &[u8]) -> Option<Asked<'_>> {
    let (header, rest): (&[u8; 40], _) = packet.split_first_chunk()?;
    let [_, _, _, _, long, short, protocol, _, addresses @ ..] = header;
    let (from, to) = addresses.split_first_chunk::<16>()?;
    let to: [u8; 16] = to.try_into().ok()?;
    let whole = usize::from(u16::from_be_bytes([*long, *short])) == rest.len();
    let (transport, (port, carried)) = match *protocol {
        TCP => (Transport::Tcp, tcp_port(rest, addresses)?),
        UDP => (Transport::Udp, udp_port(rest, addresses)?),
        _ => return None,
    };
    let (source, destination) = (Ipv6Addr::from(*from).into(), Ipv6Addr::from(to).into());
    whole.then_some(Asked { source, destination, port, transport, carried })
}

/// The port of a TCP header that is a SYN, a reset or an acknowledgement and carries nothing, or of one that carries
/// something, which is told besides.
#[inline]
fn tcp_port<'a>(segment: &'a [u8], addresses: &[u8]) -> Option<(u16, Option<&'a [u8]>)> {
    let header: &[u8; 14] = segment.first_chunk()?;
    let [_, _, high, low, .., offset, flags] = *header;
    let port = u16::from_be_bytes([high, low]);
    match flags {
        SYN | RST => (usize::from(offset >> 4) * 4 == segment.len()).then_some((port, None)),
        ACK => (offset == PLAIN && segment.len() == 20).then_some((port, None)),
        PUSH_ACK if offset == PLAIN => {
            let length = u32::try_from(segment.len()).ok()?;
            let start = u32::from(TCP) + length + u32::from(sum(0, addresses));
            let words = segment.get(20..).filter(|words| !words.is_empty())?;
            (sum(start, segment) == 0xffff).then_some((port, Some(words)))
        }
        _ => None,
    }
}

/// The port of a datagram and what it carries, when its length and its sum are right (RFC 768).
fn udp_port<'a>(datagram: &'a [u8], addresses: &[u8]) -> Option<(u16, Option<&'a [u8]>)> {
    let (header, carried): (&[u8; 8], _) = datagram.split_first_chunk()?;
    let [_, _, high, low, long, short, one, other] = *header;
    let length = u16::from_be_bytes([long, short]);
    let start = u32::from(UDP) + u32::from(length) + u32::from(sum(0, addresses));
    let whole = usize::from(length) == datagram.len() && [one, other] != [0, 0] && sum(start, datagram) == 0xffff;
    whole.then_some((u16::from_be_bytes([high, low]), Some(carried)))
}

/// The sum of RFC 1071; all ones over what has its checksum in it.
fn sum(start: u32, bytes: &[u8]) -> u16 {
    let (pairs, last) = bytes.as_chunks::<2>();
    let words = pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair)));
    let last = last.first().map_or(0, |byte| u32::from(*byte) << 8);
    // At most a thousand words: the sum has room.
    let sum = start + last + words.sum::<u32>();
    let once = (sum & 0xffff) + (sum >> 16);
    u16::try_from((once & 0xffff) + (once >> 16)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
