//! Those who accepted and may say something: bounded in number, bytes and time.
//!
//! The handshake is finished with the port's own first question, or with nothing where the service may speak first
//! ([`crate::grab::words`]). What comes back in order is kept; nothing of it is acknowledged. Who pauses, ends or has said
//! nothing in good time is taken back with a reset.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_wire::packet::{Packet, Tcp};
use tokio::time::Instant;

use super::probe::Word;
use crate::config::Config;
use crate::grab::words::{self, First};
use crate::scope::Door;

/// Talks at the same time, at most; who accepts beyond that is taken back at once.
const MAX_TALKS: usize = 8_192;
/// What is kept of one, at most: with [`MAX_TALKS`], 32 MiB.
const MAX_WORDS: usize = 4_096;
/// A pause this long ends what is being said.
const PAUSE: Duration = Duration::from_millis(200);

/// One talk.
pub(super) struct Talk {
    pub(super) position: u64,
    pub(super) word: Word,
    /// What came, in order.
    pub(super) words: Vec<u8>,
    /// Our number that is expected over there next.
    pub(super) acknowledged: u32,
    /// It ended the connection.
    pub(super) ended: bool,
    /// It broke the connection off.
    pub(super) is_reset: bool,
    /// Our number behind our words.
    end: u32,
    since: Instant,
    last: Option<Instant>,
}

/// All talks.
pub(super) struct Talks {
    door: Arc<Door>,
    /// Only where a grab follows.
    speaks: bool,
    patience: Duration,
    first: HashMap<u16, Option<First>>,
    talks: HashMap<(IpAddr, u16, u16), Talk>,
    /// When the last one was over.
    quiet_since: Option<Instant>,
}

/// So long after the last talk everything that takes it back has left.
const QUIET: Duration = Duration::from_millis(300);

impl Talks {
    pub(super) fn new(door: Arc<Door>, config: &Config) -> Self {
        let (speaks, patience) = (config.grab, config.banner_wait);
        Self { door, speaks, patience, first: HashMap::new(), talks: HashMap::new(), quiet_since: None }
    }

    /// What to say first to a port, where it is spoken to at all.
    pub(super) fn first(&mut self, port: u16) -> Option<First> {
        if !self.speaks {
            return None;
        }
        *self.first.entry(port).or_insert_with(|| words::first(self.door.scope(), port))
    }

    pub(super) fn has_room(&self) -> bool {
        self.talks.len() < MAX_TALKS
    }

    /// Our last acknowledgement is on its way, with so many bytes.
    pub(super) fn begin(&mut self, position: u64, word: Word, bytes: usize) {
        let start = word.mark.sequence;
        let talk = Talk {
            position,
            word,
            words: Vec::new(),
            acknowledged: start,
            ended: false,
            is_reset: false,
            end: start.wrapping_add(u32::try_from(bytes).unwrap_or(0)),
            since: Instant::now(),
            last: None,
        };
        self.talks.insert((word.to, word.port, word.mark.source_port), talk);
    }

    /// Takes in a segment; whether it is of a talk.
    pub(super) fn hear(&mut self, packet: &Packet, tcp: Tcp, network: &[u8]) -> bool {
        let name = (packet.source, packet.source_port, packet.destination_port);
        let Some(talk) = self.talks.get_mut(&name) else { return false };
        talk.hear(tcp, packet.payload(network))
    }

    /// Those that are over, or all; they are forgotten here.
    pub(super) fn over(&mut self, now: Instant, all: bool) -> Vec<Talk> {
        let patience = self.patience;
        let over = self.talks.extract_if(|_, talk| all || talk.is_over(now, patience));
        let over: Vec<Talk> = over.map(|(_, talk)| talk).collect();
        if !over.is_empty() {
            self.quiet_since = Some(now);
        }
        over
    }

    /// Whether there is none, and nothing of them is left to be sent.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.talks.is_empty() && self.quiet_since.is_none_or(|since| now.duration_since(since) >= QUIET)
    }
}

impl Talk {
    fn hear(&mut self, tcp: Tcp, carried: &[u8]) -> bool {
        let next = self.word.acknowledgement.wrapping_add(u32::try_from(self.words.len()).unwrap_or(0));
        let is_next = tcp.sequence == next;
        if tcp.flags & Tcp::RST != 0 {
            // Only one that stands where the next byte would is believed (RFC 5961, 3).
            self.is_reset |= is_next;
            self.ended |= is_next;
            return is_next;
        }
        // Whoever does not know our number knows nothing of the talk.
        let is_ours = tcp.flags & Tcp::ACK != 0 && [self.word.mark.sequence, self.end].contains(&tcp.acknowledgement);
        if !is_ours {
            return false;
        }
        if tcp.acknowledgement == self.end {
            self.acknowledged = self.end;
        }
        if is_next && !self.ended {
            let room = MAX_WORDS - self.words.len().min(MAX_WORDS);
            self.words.extend(carried.iter().take(room));
            self.ended |= tcp.flags & Tcp::FIN != 0;
            if !carried.is_empty() {
                self.last = Some(Instant::now());
            }
        }
        true
    }

    fn is_over(&self, now: Instant, patience: Duration) -> bool {
        let paused = self.last.is_some_and(|last| now.duration_since(last) >= PAUSE);
        self.ended || paused || self.words.len() >= MAX_WORDS || now.duration_since(self.since) >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::super::cookie::Mark;
    use super::*;

    fn talk() -> Talk {
        let mark = Mark { source_port: 61_000, sequence: 100 };
        let to = IpAddr::from([192, 0, 2, 1]);
        let word = Word { to, port: 6379, mark, acknowledgement: 7_000, first: First::Listen };
        Talk {
            position: 1,
            word,
            words: Vec::new(),
            acknowledged: 100,
            ended: false,
            is_reset: false,
            end: 110,
            since: Instant::now(),
            last: None,
        }
    }

    fn segment(sequence: u32, acknowledgement: u32, flags: u8) -> Tcp {
        Tcp { sequence, acknowledgement, flags, window: 1_000 }
    }

    #[test]
    fn words_are_taken_in_order_from_who_knows_our_number() {
        let mut talk = talk();
        let ack = Tcp::ACK;
        assert!(talk.hear(segment(7_000, 110, ack), b"+PO"));
        assert!(talk.hear(segment(7_000, 110, ack), b"+PO"), "the same again");
        assert!(talk.hear(segment(7_009, 110, ack), b"later"), "a gap");
        assert!(!talk.hear(segment(7_003, 111, ack), b"forged"));
        assert!(!talk.hear(segment(7_003, 110, 0), b"forged"));
        assert!(!talk.hear(segment(9_999, 0, Tcp::RST), b""), "not where the next byte would be");
        assert!(talk.hear(segment(7_003, 110, ack | Tcp::FIN), b"NG\r\n"));
        assert_eq!((talk.words.as_slice(), talk.acknowledged, talk.ended), (&b"+PONG\r\n"[..], 110, true));
        assert!(talk.hear(segment(7_007, 110, ack), b"more"), "behind the end nothing counts");
        assert_eq!(talk.words.len(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_pauses_says_too_much_or_nothing_is_over() {
        let patience = Duration::from_secs(1);
        let mut silent = talk();
        assert!(!silent.is_over(Instant::now(), patience));
        assert!(silent.hear(segment(7_000, 110, Tcp::ACK), b""), "our words arrived");
        tokio::time::advance(patience / 2).await;
        assert!(!silent.is_over(Instant::now(), patience));
        let mut endless = talk();
        for round in 0..10 {
            endless.hear(segment(7_000 + round * 1_000, 100, Tcp::ACK), &[b'x'; 1_000]);
        }
        assert_eq!(endless.words.len(), MAX_WORDS);
        assert!(endless.is_over(Instant::now(), patience));
        let mut greeting = talk();
        greeting.hear(segment(7_000, 100, Tcp::ACK), b"220 ready\r\n");
        assert!(!greeting.is_over(Instant::now(), patience));
        tokio::time::advance(patience / 2).await;
        assert!(silent.is_over(Instant::now(), patience) && greeting.is_over(Instant::now(), patience));
    }
}
