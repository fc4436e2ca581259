//! What is sent next: resets and canaries first, then those whose turn was put off, then the walk.
//!
//! Every frame takes its packet from the budgets of host and prefix. Where it has to wait, its turn is put off to just that
//! moment and the walk goes on. Positions below [`Course::upto`] were all handed out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::{ServiceKey, Transport};
use tokio::time::Instant;

use super::super::Work;
use super::cookie::Cookie;
use super::errand::Errand;
use super::probe::{Frame, Segment, Template};
use super::question::{Question, Questions};
use super::shared::Shared;
use crate::campaign::{Leg, Positions};
use crate::pace::Pace;

/// Turns that are put off at the same time, at most; then the walk waits.
const MAX_LATE: usize = 4_096;
/// Frames that come before the walk, at most.
const MAX_FIRST: usize = 512;

/// See the module.
pub(super) struct Course {
    leg: Arc<Leg>,
    pace: Arc<Pace>,
    cookie: Arc<Cookie>,
    questions: Arc<Questions>,
    templates: Vec<Template>,
    steps: Positions,
    next: u64,
    /// The pass that `next` belongs to.
    pass: u16,
    end: u64,
    /// When the second pass may begin.
    pass_opens: Instant,
    spacing: Duration,
    /// Whether a pass has ended, and the batch of its last probe with it.
    is_between: bool,
    late: Late,
    canaries: VecDeque<Frame>,
    first: VecDeque<Errand>,
    /// Nothing begins any more, and no handshake is ended.
    is_ended: bool,
    visits: u64,
    /// How long there is nothing to send.
    wait: Option<Duration>,
}

/// Frames whose turn was put off, by when it comes.
#[derive(Default)]
struct Late {
    by_time: BTreeMap<(Instant, u64), Turn>,
    positions: BTreeSet<u64>,
    /// Tells turns of one moment apart.
    number: u64,
}

/// What is put off.
enum Turn {
    Probe(u64, ServiceKey),
    Errand(Errand),
    Canary(Frame),
}

impl Course {
    pub(super) fn new(
        work: &Work,
        shared: &Shared,
        pace: Arc<Pace>,
        (cookie, questions): (Arc<Cookie>, Arc<Questions>),
        templates: Vec<Template>,
        spacing: Duration,
    ) -> Self {
        let leg = Arc::clone(&work.leg);
        let (next, end) = (shared.start, leg.positions().end);
        let steps = leg.walk_from(next);
        let pass = pass_of(&leg, next);
        let pass_opens = Instant::now() + spacing;
        let (late, canaries, first) = (Late::default(), VecDeque::new(), VecDeque::new());
        let (visits, wait) = (0, None);
        Self {
            leg,
            pace,
            cookie,
            questions,
            templates,
            steps,
            next,
            pass,
            end,
            pass_opens,
            spacing,
            is_between: false,
            late,
            canaries,
            first,
            is_ended: false,
            visits,
            wait,
        }
    }

    /// To be sent before the walk goes on, when its host's budget allows.
    pub(super) fn first(&mut self, errand: Errand) {
        self.first.push_back(errand);
    }

    /// How many more may be put in front: probes that were put off take no room from them.
    pub(super) fn room(&self) -> usize {
        let waiting = self.first.len() + self.canaries.len();
        MAX_FIRST.saturating_sub(waiting).min(MAX_LATE.saturating_sub(self.late.others()))
    }

    /// From now on only what takes back is sent; words that wait are dropped.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
        self.first.retain(|errand| !errand.is_word());
    }

    /// A probe that is no part of the walk and tells `number` back.
    pub(super) fn canary(&mut self, key: ServiceKey, number: u32) {
        let pass = u16::try_from(self.leg.passes()).unwrap_or(1);
        self.canaries.push_back(self.frame(pass, key, number));
    }

    /// Everything below was handed out.
    pub(super) fn upto(&self) -> u64 {
        self.late.positions.first().copied().unwrap_or(self.next)
    }

    /// The walk stands here; some before it may be put off.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Targets that were written.
    pub(super) const fn visits(&self) -> u64 {
        self.visits
    }

    /// Whether the walk is in its first pass.
    pub(super) const fn is_first_pass(&self) -> bool {
        self.pass == 0
    }

    /// Whether the walk is at its end and nothing is put off.
    pub(super) fn is_done(&self) -> bool {
        self.next >= self.end && self.late.positions.is_empty()
    }

    /// How long there is nothing to send, where that is why less was written than was wanted.
    pub(super) const fn take_wait(&mut self) -> Option<Duration> {
        self.wait.take()
    }

    /// How fast.
    pub(super) fn pace(&self) -> Arc<Pace> {
        Arc::clone(&self.pace)
    }

    /// Writes the next frame; gives its length, or nothing when there is none at this moment. Without `walk` only
    /// what is no probe of it.
    pub(super) fn write(&mut self, slot: &mut [u8], walk: bool) -> Option<usize> {
        loop {
            let frame = self.next_frame(walk)?;
            let (questions, cookie) = (&self.questions, &self.cookie);
            let written = self.templates.iter().find_map(|template| match &frame {
                Frame::Segment(segment) => template.write(slot, segment),
                Frame::Question(question) => questions.write(slot, template, question, cookie),
                Frame::Word(word) => template.write_word(slot, word, &questions.first_words(word)?),
            });
            // A family without a way: no range of it is in the scope, so no target is either.
            if let Some(len) = written {
                return Some(len);
            }
        }
    }

    fn next_frame(&mut self, walk: bool) -> Option<Frame> {
        if let Some(frame) = self.front() {
            return Some(frame);
        }
        if !self.late.by_time.is_empty() {
            let now = Instant::now();
            match self.late.due(now, walk) {
                Some(Turn::Errand(errand)) => return Some(errand.frame()),
                Some(Turn::Canary(frame)) => return Some(frame),
                Some(Turn::Probe(position, key)) => {
                    return Some(self.visit(position, pass_of(&self.leg, position), key));
                }
                None => {}
            }
            if walk && (self.late.positions.len() >= MAX_LATE || self.next >= self.end) {
                self.wait = self.late.wait(now);
                return None;
            }
        }
        if walk { self.probe() } else { None }
    }

    /// What comes before the walk and need not wait.
    fn front(&mut self) -> Option<Frame> {
        while let Some(errand) = self.first.pop_front() {
            if self.is_ended && errand.is_word() || !errand.leave() {
                continue;
            }
            // The budgets were asked before a word was promised.
            let wait = if errand.is_word() { Duration::ZERO } else { self.pace.reserve(errand.frame().to()) };
            if wait.is_zero() {
                return Some(errand.frame());
            }
            self.late.put_off(Turn::Errand(errand), Instant::now() + wait);
        }
        while let Some(frame) = self.canaries.pop_front() {
            let wait = self.pace.reserve(frame.to());
            if wait.is_zero() {
                return Some(frame);
            }
            self.late.put_off(Turn::Canary(frame), Instant::now() + wait);
        }
        None
    }

    fn probe(&mut self) -> Option<Frame> {
        while self.late.positions.len() < MAX_LATE {
            let (position, index) = self.position()?;
            let Some(key) = index.and_then(|index| self.leg.target(index)) else { continue };
            self.visits += 1;
            let wait = self.pace.reserve(key.address);
            if wait.is_zero() {
                return Some(self.visit(position, self.pass, key));
            }
            self.late.put_off(Turn::Probe(position, key), Instant::now() + wait);
        }
        self.wait = self.late.wait(Instant::now());
        None
    }

    fn visit(&self, position: u64, pass: u16, key: ServiceKey) -> Frame {
        self.frame(pass, key, u32::try_from(position & u64::from(u32::MAX)).unwrap_or(0))
    }

    fn frame(&self, pass: u16, key: ServiceKey, number: u32) -> Frame {
        let (to, port) = (key.address, key.port);
        match key.transport {
            Transport::Tcp => {
                Frame::Segment(Segment { to, port, mark: self.cookie.mark(to, port, pass, number), reset: false })
            }
            Transport::Udp => Frame::Question(Question { to, port, pass }),
        }
    }

    /// The next position of the walk.
    fn position(&mut self) -> Option<(u64, Option<u64>)> {
        match self.steps.next() {
            Some((position, index)) => {
                self.next = position + 1;
                Some((position, index))
            }
            None => self.next_pass(),
        }
    }

    /// The first position of the next pass, when its time has come.
    fn next_pass(&mut self) -> Option<(u64, Option<u64>)> {
        if self.next >= self.end {
            return None;
        }
        let now = Instant::now();
        if now < self.pass_opens || !std::mem::replace(&mut self.is_between, true) {
            // Not in one batch with the pass before: what came of that one is counted apart.
            self.wait = Some(self.pass_opens.saturating_duration_since(now));
            return None;
        }
        self.is_between = false;
        self.pass_opens = now + self.spacing;
        self.steps = self.leg.walk_from(self.next);
        self.pass = pass_of(&self.leg, self.next);
        let (position, index) = self.steps.next()?;
        self.next = position + 1;
        Some((position, index))
    }
}

fn pass_of(leg: &Leg, position: u64) -> u16 {
    u16::try_from(leg.pass_of(position)).unwrap_or(0)
}

impl Late {
    fn put_off(&mut self, turn: Turn, until: Instant) {
        if let Turn::Probe(position, _) = turn {
            self.positions.insert(position);
        }
        self.number += 1;
        self.by_time.insert((until, self.number), turn);
    }

    /// What is due; without `probes` only what is none: who was told to stop begins nothing any more.
    fn due(&mut self, now: Instant, probes: bool) -> Option<Turn> {
        let mut past = self.by_time.iter().take_while(|((until, _), _)| *until <= now);
        let key = past.find(|(_, turn)| probes || matches!(turn, Turn::Errand(_))).map(|(key, _)| *key)?;
        let turn = self.by_time.remove(&key)?;
        if let Turn::Probe(position, _) = turn {
            self.positions.remove(&position);
        }
        Some(turn)
    }

    /// How many are no probes of the walk.
    fn others(&self) -> usize {
        self.by_time.len().saturating_sub(self.positions.len())
    }

    fn wait(&self, now: Instant) -> Option<Duration> {
        self.by_time.first_key_value().map(|((until, _), _)| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cookie::Mark;
    use super::*;
    use hinomi_model::Transport;

    #[test]
    fn who_was_told_to_stop_takes_back_and_begins_nothing() {
        let (mut late, now) = (Late::default(), Instant::now());
        let key = ServiceKey { address: [192, 0, 2, 1].into(), port: 80, transport: Transport::Tcp };
        let mark = Mark { source_port: 1, sequence: 2 };
        late.put_off(Turn::Probe(5, key), now);
        let reset = Segment { to: key.address, port: 80, mark, reset: true };
        let shared = Shared::empty();
        late.put_off(Turn::Errand(Errand::reset(reset, None, shared.errand())), now);
        late.put_off(Turn::Canary(Frame::Segment(Segment { reset: false, ..reset })), now);
        assert_eq!((shared.errands(), late.others()), (1, 2));
        late.put_off(Turn::Probe(6, key), now + Duration::from_secs(1));
        assert!(matches!(late.due(now, false), Some(Turn::Errand(_))));
        assert_eq!(shared.errands(), 0);
        assert!(late.due(now, false).is_none(), "only probes and canaries are left");
        assert_eq!(late.positions.first(), Some(&5), "what was not begun is not handed out");
        assert!(matches!(late.due(now, true), Some(Turn::Probe(5, _))));
        assert!(matches!(late.due(now, true), Some(Turn::Canary(_))));
        assert!(late.due(now, true).is_none(), "not yet");
    }
}
