//! What the listener asks the sender to send before the walk goes on: resets, and the last acknowledgements of handshakes.
//!
//! An errand counts as waiting until it is sent or dropped, so that the end of a run can wait for it. A connection's
//! place at its host ([`HostTurn`]) is free again when the reset that takes the connection back has left. A word leaves once or never:
//! sender and listener agree on that by its [`Departure`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use super::probe::{Frame, Segment, Word};
use crate::pace::HostTurn;

/// See the module.
pub(super) struct Errand {
    frame: Frame,
    /// Of a word.
    departure: Option<Arc<Departure>>,
    _waiting: Waiting,
    _turn: Option<HostTurn>,
}

impl Errand {
    /// A connection is taken back, and with it its place at the host.
    pub(super) fn reset(segment: Segment, turn: Option<HostTurn>, waiting: Waiting) -> Self {
        Self { frame: Frame::Segment(segment), departure: None, _waiting: waiting, _turn: turn }
    }

    /// A handshake's end, for which the budgets of host and prefix were taken.
    pub(super) const fn word(word: Word, departure: Arc<Departure>, waiting: Waiting) -> Self {
        Self { frame: Frame::Word(word), departure: Some(departure), _waiting: waiting, _turn: None }
    }

    /// What is to be sent.
    pub(super) const fn frame(&self) -> Frame {
        self.frame
    }

    /// Whether it is a word.
    pub(super) const fn is_word(&self) -> bool {
        self.departure.is_some()
    }

    /// Whether it may still leave; from here on a word counts as said.
    pub(super) fn leave(&self) -> bool {
        self.departure.as_ref().is_none_or(|departure| departure.leave())
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if let Some(departure) = &self.departure {
            departure.recall();
        }
    }
}

/// One errand that waits.
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

const WAITS: u8 = 0;
const LEFT: u8 = 1;
const RECALLED: u8 = 2;

/// Whether a word has left.
#[derive(Debug, Default)]
pub(super) struct Departure(AtomicU8);

impl Departure {
    fn leave(&self) -> bool {
        self.0.compare_exchange(WAITS, LEFT, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// It does not leave any more, unless it has left.
    pub(super) fn recall(&self) {
        let _ = self.0.compare_exchange(WAITS, RECALLED, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn has_left(&self) -> bool {
        self.0.load(Ordering::Acquire) == LEFT
    }

    pub(super) fn is_recalled(&self) -> bool {
        self.0.load(Ordering::Acquire) == RECALLED
    }
}

#[cfg(test)]
mod tests {
    use super::super::cookie::Mark;
    use super::*;
    use crate::grab::words::First;

    fn word(departure: &Arc<Departure>, count: &Arc<AtomicUsize>) -> Errand {
        let mark = Mark { source_port: 1, sequence: 2 };
        let word = Word { to: [192, 0, 2, 1].into(), port: 21, mark, acknowledgement: 3, first: First::Listen };
        Errand::word(word, Arc::clone(departure), Waiting::new(count))
    }

    #[test]
    fn a_word_leaves_or_is_recalled_and_counts_until_then() {
        let count = Arc::default();
        let (said, late, dropped) = (Arc::default(), Arc::default(), Arc::default());
        let errands = [&said, &late, &dropped].map(|departure| word(departure, &count));
        assert_eq!(count.load(Ordering::Acquire), 3);
        late.recall();
        assert_eq!([errands[0].leave(), errands[1].leave()], [true, false]);
        said.recall();
        drop(errands);
        assert_eq!([&said, &late, &dropped].map(|departure| departure.has_left()), [true, false, false]);
        assert!(!said.is_recalled() && late.is_recalled() && dropped.is_recalled());
        assert_eq!(count.load(Ordering::Acquire), 0);
    }
}
