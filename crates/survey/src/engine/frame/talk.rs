//! Those who accepted and may say something: bounded in number, bytes and time.
//!
//! The handshake is finished with the port's own first question, or with nothing where the service may speak first
//! ([`crate::grab::words`]). What comes back in order is kept; nothing of it is acknowledged. Who pauses, ends or has said
//! nothing in good time is taken back with a reset. A talk has its place among the connections to its host until that
//! has left, and where the words cannot leave in good time there is none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_wire::packet::{Packet, Tcp};
use tokio::time::Instant;

use super::errand::Departure;
use super::probe::Word;
use crate::config::Config;
use crate::grab::words::{self, First};
use crate::pace::HostTurn;
use crate::scope::Door;

/// Talks at the same time, at most; who accepts beyond that is taken back at once.
const MAX_TALKS: usize = 8_192;
/// What is kept of one, at most: 32 MiB of those that go on ([`MAX_TALKS`]), and 64 MiB of those that are over and wait
/// for their grab ([`super::shared::Shared::is_full`]).
const MAX_WORDS: usize = 4_096;
/// A word that has not left by then does not leave.
const LATEST: Duration = Duration::from_secs(1);
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
    /// Its place at its host.
    pub(super) turn: Option<HostTurn>,
    departure: Arc<Departure>,
    since: Instant,
    /// When its words were seen to have left.
    left: Option<Instant>,
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
}

impl Talks {
    pub(super) fn new(door: Arc<Door>, config: &Config) -> Self {
        let (speaks, patience) = (config.grab, config.banner_wait);
        Self { door, speaks, patience, first: HashMap::new(), talks: HashMap::new() }
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

    /// How many resets they may need, at most.
    pub(super) fn resets(&self) -> usize {
        self.talks.len() * 2
    }

    /// Our last acknowledgement is on its way, with so many bytes.
    pub(super) fn begin(&mut self, position: u64, word: Word, bytes: usize, held: (HostTurn, Arc<Departure>)) {
        let talk = Talk::new(position, word, bytes, held);
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
        over.map(|(_, talk)| talk).collect()
    }

    /// Whether there is none.
    pub(super) fn is_quiet(&self) -> bool {
        self.talks.is_empty()
    }
}

impl Talk {
    fn new(position: u64, word: Word, bytes: usize, (turn, departure): (HostTurn, Arc<Departure>)) -> Self {
        let start = word.mark.sequence;
        Self {
            position,
            word,
            words: Vec::new(),
            acknowledged: start,
            ended: false,
            is_reset: false,
            end: start.wrapping_add(u32::try_from(bytes).unwrap_or(0)),
            turn: Some(turn),
            departure,
            since: Instant::now(),
            left: None,
            last: None,
        }
    }

    /// Whether its words never left, and from here on never will.
    pub(super) fn is_unsaid(&self) -> bool {
        self.departure.recall();
        !self.departure.has_left()
    }

    /// Where resets have to stand to be believed over there (RFC 5961, 3): at the number that is expected next. Who has not
    /// said whether our words arrived is told before and behind them.
    pub(super) fn ends(&self) -> Vec<u32> {
        let start = self.word.mark.sequence;
        match (self.is_reset, self.acknowledged == self.end) {
            (true, _) => Vec::new(),
            (false, true) => vec![self.end],
            (false, false) if self.is_unsaid() => vec![start],
            (false, false) => vec![start, self.end],
        }
    }

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

    fn is_over(&mut self, now: Instant, patience: Duration) -> bool {
        if self.left.is_none() && self.departure.has_left() {
            self.left = Some(now);
        }
        let Some(left) = self.left else {
            return self.ended || self.departure.is_recalled() || now.duration_since(self.since) >= LATEST;
        };
        let paused = self.last.is_some_and(|last| now.duration_since(last) >= PAUSE);
        self.ended || paused || self.words.len() >= MAX_WORDS || now.duration_since(left) >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::super::cookie::Mark;
    use super::super::errand::Errand;
    use super::super::shared::Shared;
    use super::*;
    use crate::pace::Pace;
    use hinomi_model::scope::Rate;

    fn talk() -> Talk {
        let mark = Mark { source_port: 61_000, sequence: 100 };
        let to = IpAddr::from([192, 0, 2, 1]);
        let word = Word { to, port: 6379, mark, acknowledgement: 7_000, first: First::Listen };
        let rate = Rate { total_pps: 1, per_prefix_pps: 1, per_host_pps: 1, per_host_connections: 1 };
        let turn = Pace::new(rate).try_turn(to).expect("the first");
        Talk::new(1, word, 10, (turn, Arc::default()))
    }

    fn segment(sequence: u32, acknowledgement: u32, flags: u8) -> Tcp {
        Tcp { sequence, acknowledgement, flags, window: 1_000 }
    }

    fn say(talk: &Talk) {
        assert!(errand(talk).leave());
    }

    fn errand(talk: &Talk) -> Errand {
        Errand::word(talk.word, Arc::clone(&talk.departure), Shared::empty().errand())
    }

    #[tokio::test(start_paused = true)]
    async fn patience_begins_when_the_words_leave_and_late_ones_never_do() {
        let patience = Duration::from_millis(300);
        let mut late = talk();
        let waiting = errand(&late);
        tokio::time::advance(LATEST - Duration::from_millis(1)).await;
        assert!(!late.is_over(Instant::now(), patience), "nothing was said yet");
        let mut said = talk();
        say(&said);
        assert!(!said.is_over(Instant::now(), patience));
        tokio::time::advance(patience).await;
        assert!(said.is_over(Instant::now(), patience) && late.is_over(Instant::now(), patience));
        assert!(late.is_unsaid() && !waiting.leave() && !said.is_unsaid());
        let mut dropped = talk();
        drop(errand(&dropped));
        assert!(dropped.is_over(Instant::now(), patience) && dropped.is_unsaid());
    }

    #[test]
    fn resets_stand_where_they_are_believed() {
        let mut said = talk();
        assert_eq!(talk().ends(), [100], "nothing was said");
        say(&said);
        assert_eq!(said.ends(), [100, 110], "nobody knows whether it arrived");
        assert!(said.hear(segment(7_000, 110, Tcp::ACK), b""));
        assert_eq!(said.ends(), [110]);
        assert!(said.hear(segment(7_000, 0, Tcp::RST), b""));
        assert!(said.ends().is_empty());
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
        say(&silent);
        assert!(!silent.is_over(Instant::now(), patience));
        assert!(silent.hear(segment(7_000, 110, Tcp::ACK), b""), "our words arrived");
        tokio::time::advance(patience / 2).await;
        assert!(!silent.is_over(Instant::now(), patience));
        let mut endless = talk();
        say(&endless);
        for round in 0..10 {
            endless.hear(segment(7_000 + round * 1_000, 100, Tcp::ACK), &[b'x'; 1_000]);
        }
        assert_eq!(endless.words.len(), MAX_WORDS);
        assert!(endless.is_over(Instant::now(), patience));
        let mut greeting = talk();
        say(&greeting);
        greeting.hear(segment(7_000, 100, Tcp::ACK), b"220 ready\r\n");
        assert!(!greeting.is_over(Instant::now(), patience));
        tokio::time::advance(patience / 2).await;
        assert!(silent.is_over(Instant::now(), patience) && greeting.is_over(Instant::now(), patience));
    }
}
