//! Who accepts is spoken to, or taken back.
//!
//! A talk begins only where nothing has to wait for it: a connection of its host is free, the budgets of host and prefix have
//! a packet now, and its resets will find room. Everybody else is taken back at once and grabbed over a connection.

use std::sync::Arc;

use hinomi_model::{ServiceKey, Transport};
use hinomi_wire::packet::Tcp;
use tokio::time::Instant;

use super::super::{Discovery, Found, Job, Opened, Tidings};
use super::MAX_RESETS;
use super::cookie;
use super::errand::{Departure, Errand};
use super::listener::{Listener, Parts};
use super::probe::{Segment, Word};
use super::talk::Talk;
use crate::grab::words::First;
use crate::pace::HostTurn;

const NOT_TAKEN_BACK: &str = "connections that were not taken back, for too many were open";

impl Listener {
    /// Goes on to the handshake's end, and hears what comes; false where the connection is to be taken back at once.
    pub(super) fn begin_talk(&mut self, position: u64, key: ServiceKey, tcp: Tcp, port: u16) -> bool {
        let Some(first) = self.parts.talks.first(key.port) else { return false };
        let mark = cookie::Mark { source_port: port, sequence: tcp.acknowledgement };
        let acknowledgement = tcp.sequence.wrapping_add(1);
        let word = Word { to: key.address, port: key.port, mark, acknowledgement, first };
        let Some(words) = self.parts.questions.first_words(&word) else { return false };
        let Some(turn) = self.parts.pace.try_turn(key.address) else { return false };
        // Last of all, for what is taken here is to be spent.
        if !self.may_talk() || !self.parts.pace.try_reserve(key.address) {
            return false;
        }
        let departure = Arc::new(Departure::default());
        let errand = Errand::word(word, Arc::clone(&departure), self.parts.shared.errand());
        if self.parts.resets.try_send(errand).is_err() {
            return false;
        }
        // It counts as found from now on, though it is told when it has spoken.
        self.open.insert(position);
        self.parts.shared.found();
        self.parts.talks.begin(position, word, words.len(), (turn, departure));
        true
    }

    /// Whether one more may be spoken to: words and resets find room, and nobody said stop. Who answers to the last
    /// probes is spoken to like all others.
    fn may_talk(&self) -> bool {
        let Parts { shared, talks, stop, .. } = &self.parts;
        // Its word, and the two resets it may need.
        !*stop.borrow() && talks.has_room() && !shared.is_full() && self.has_room(3)
    }

    /// Whether so many errands find room besides the resets of those who are spoken to.
    fn has_room(&self, errands: usize) -> bool {
        self.parts.shared.errands() + self.parts.talks.resets() + errands <= MAX_RESETS
    }

    /// Takes back what has said what it says, and tells it; all of it where nothing more is heard.
    pub(super) fn end_talks(&mut self, now: Instant, all: bool) {
        for talk in self.parts.talks.over(now, all) {
            self.end_talk(talk);
        }
    }

    fn end_talk(&self, mut talk: Talk) {
        let (word, position) = (talk.word, talk.position);
        let key = ServiceKey { address: word.to, port: word.port, transport: Transport::Tcp };
        let is_unsaid = talk.is_unsaid();
        let ends = talk.ends();
        for (at, sequence) in ends.iter().enumerate() {
            let mark = cookie::Mark { sequence: *sequence, ..word.mark };
            let turn = if at + 1 == ends.len() { talk.turn.take() } else { None };
            self.reset(Segment { to: key.address, port: key.port, mark, reset: true }, turn);
        }
        if talk.words.is_empty() && !talk.ended && !is_unsaid {
            self.parts.metrics.reason("took a connection and said nothing on the handshake");
        }
        self.parts.metrics.received(talk.words.len());
        let question = match word.first {
            First::Listen => None,
            First::Ask(question) => Some(question),
        };
        let opened = match is_unsaid || self.parts.shared.is_full() {
            true => Opened::Known,
            false => Opened::Spoke { question, words: talk.words },
        };
        let discovery = Discovery::Open(opened);
        self.tell(Tidings::Found(Found { job: Job { position, key }, discovery, slot: None }));
    }

    /// A connection that we began and do not want is taken back.
    pub(super) fn take_back(&self, key: ServiceKey, tcp: Tcp, port: u16) {
        let mark = cookie::Mark { source_port: port, sequence: tcp.acknowledgement };
        let reset = Segment { to: key.address, port: key.port, mark, reset: true };
        match self.has_room(1) {
            true => self.reset(reset, None),
            false => self.parts.metrics.reason(NOT_TAKEN_BACK),
        }
    }

    /// Takes a connection back, and with it its place at the host.
    fn reset(&self, reset: Segment, turn: Option<HostTurn>) {
        let errand = Errand::reset(reset, turn, self.parts.shared.errand());
        if self.parts.resets.try_send(errand).is_err() {
            self.parts.metrics.reason(NOT_TAKEN_BACK);
        }
    }
}
