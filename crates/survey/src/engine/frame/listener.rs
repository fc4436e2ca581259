//! Listens: what comes in is checked, counted, and told on once.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use hinomi_model::{ServiceKey, Transport};
use hinomi_netio::Receiver;
use hinomi_wire::packet::{ICMP, ICMP6, Link, Packet, TCP, Tcp, UDP};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::super::{Discovery, Found, Job, Opened, Passed, Tidings, Work};
use super::cookie::{Cookie, position};
use super::errand::Errand;
use super::governor::Governor;
use super::known::{Answer, Known};
use super::notebook::{HeardNotes, Noted};
use super::question::Questions;
use super::shared::{Mark, Shared};
use super::talk::Talks;
use crate::campaign::{Leg, Progress};
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::sweep::{Ladder, Logarithm};

/// How often notes are written and what is settled is told.
const TICK: Duration = Duration::from_millis(50);
/// How often canaries are judged and the estimate is told.
const SECOND: Duration = Duration::from_secs(1);
/// How long the end waits for resets to leave.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for packets.
const PATIENCE: Duration = Duration::from_millis(10);

/// What a listener needs besides its work.
pub(super) struct Parts {
    pub(super) cookie: Arc<Cookie>,
    pub(super) questions: Arc<Questions>,
    pub(super) shared: Arc<Shared>,
    pub(super) notes: HeardNotes,
    pub(super) resets: SyncSender<Errand>,
    /// Bounded by [`Shared::is_full`]: while too much waits the walk stops, and what still comes is told without bytes.
    pub(super) tell: mpsc::UnboundedSender<Tidings>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) governor: Governor,
    pub(super) sources: Vec<IpAddr>,
    /// Who accepts is spoken to.
    pub(super) talks: Talks,
    pub(super) answer_wait: Duration,
    pub(super) pace: Arc<Pace>,
    /// Becomes true when the survey is told to stop.
    pub(super) stop: watch::Receiver<bool>,
}

/// See the module.
pub(super) struct Listener {
    pub(super) parts: Parts,
    pub(super) leg: Arc<Leg>,
    ladder: Ladder,
    /// Where anybody is asked over UDP.
    pub(super) logarithm: Option<Logarithm>,
    known: Known,
    /// Found at positions that are not yet told as settled.
    pub(super) open: BTreeSet<u64>,
    told: u64,
    /// Answers to questions over UDP are waited for from this position on: a while longer than they count as settled.
    pub(super) waited_for: u64,
    /// What was settled at a moment: from there on it is waited next.
    waiting: (Instant, u64),
    visits: u64,
    first_pass: FirstPass,
    recent: Recent,
    /// Whether everything that answered since the leg began is known.
    is_whole: bool,
    /// Since when nothing but errands is left.
    heard_since: Option<Instant>,
}

/// Of the first pass: how many answered, and how many are counted as silent.
#[derive(Default)]
struct FirstPass {
    answered: u64,
    silent: u64,
}

/// Positions that answered other than by opening, lately: who repeats himself is counted once.
#[derive(Default)]
struct Recent {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

/// Marks the positions of those whom a probe was said not to be permitted to.
const TOLD: u64 = 1 << 63;
/// Positions that are remembered at once.
const MAX_RECENT: usize = 1 << 20;

impl Recent {
    fn is_new(&mut self, position: u64) -> bool {
        if self.now.len() >= MAX_RECENT {
            self.turn();
        }
        !self.before.contains(&position) && self.now.insert(position)
    }

    /// Forgets the older half.
    fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

impl Listener {
    pub(super) fn new(work: &Work, noted: &Noted, parts: Parts) -> Self {
        let leg = Arc::clone(&work.leg);
        let ladder = leg.ladder();
        let logarithm = leg.has(Transport::Udp).then(|| leg.logarithm());
        let told = work.start();
        let mut listener = Self {
            parts,
            leg,
            ladder,
            logarithm,
            known: Known::default(),
            open: BTreeSet::new(),
            told,
            waited_for: told,
            waiting: (Instant::now(), told),
            visits: 0,
            first_pass: FirstPass::default(),
            recent: Recent::default(),
            is_whole: noted.is_known || told == work.leg.positions().start,
            heard_since: None,
        };
        listener.remember(&noted.answers, &work.done);
        let unheard = listener.parts.shared.unheard;
        listener.known.lost(0, unheard);
        listener
            .parts
            .metrics
            .reasons("probes to whose answers nobody may have listened, for a run was killed", unheard);
        listener
    }

    /// What earlier runs found; what of it was not grabbed is found again.
    fn remember(&mut self, answers: &[u64], done: &Progress) {
        for position in answers {
            let Some((target, key)) = self.target_of(*position) else { continue };
            let answer = self.known.answered(target, self.leg.pass_of(*position));
            if answer == Answer::New && !done.contains(*position) {
                self.tell_found(*position, key, Opened::Known);
            }
        }
    }

    /// Listens until everything was heard, or nobody sends any more and patience is over.
    pub(super) fn run(mut self, mut receivers: Vec<Receiver>) -> Result<(), String> {
        let (mut tick, mut second) = (Instant::now() + TICK, Instant::now() + SECOND);
        loop {
            let wait = if receivers.len() > 1 { PATIENCE / 4 } else { PATIENCE };
            for receiver in &mut receivers {
                receiver.receive(wait, |packet| self.hear(packet.network)).map_err(|error| error.to_string())?;
            }
            self.parts.notes.write_answers().map_err(|error| not_noted(&error))?;
            let now = Instant::now();
            let heard_all = self.parts.shared.is_over() || self.parts.tell.is_closed();
            if now < tick && !heard_all {
                continue;
            }
            tick = now + TICK;
            self.settle(now)?;
            let is_over = heard_all || self.is_done(now);
            self.end_talks(now, is_over);
            if now >= second || is_over {
                second = now + SECOND;
                let dropped = receivers.iter().map(|receiver| receiver.dropped().unwrap_or(0)).sum();
                self.look_around(dropped, now);
            }
            if is_over {
                self.parts.shared.end();
                return Ok(());
            }
        }
    }

    /// Whether everything was heard and nothing is left to be sent; it is not waited long for the last resets.
    fn is_done(&mut self, now: Instant) -> bool {
        if !self.parts.shared.all_heard() || !self.parts.talks.is_quiet() {
            return false;
        }
        let since = *self.heard_since.get_or_insert(now);
        self.parts.shared.errands() == 0 || now.duration_since(since) >= LAST_WAIT
    }

    /// Tells what is settled by now, after it is noted.
    fn settle(&mut self, now: Instant) -> Result<(), String> {
        let Some(mark) = now.checked_sub(self.parts.answer_wait).and_then(|then| self.parts.shared.mark_before(then))
        else {
            return Ok(());
        };
        self.parts.notes.heard(mark.upto).map_err(|error| not_noted(&error))?;
        let upto = mark.upto.max(self.told);
        let (except, found) = settled(&mut self.open, self.told, upto);
        let visits = mark.visits.saturating_sub(std::mem::replace(&mut self.visits, mark.visits));
        self.count_silent(mark);
        // What an earlier run had visited and not told counts like what this one visits.
        let earlier = self.parts.shared.start.min(upto).saturating_sub(self.told);
        let visits = (visits + earlier).saturating_sub(found);
        self.tell(Tidings::Passed(Passed { positions: self.told..upto, except, visits }));
        self.told = upto;
        self.wait_on(now);
        Ok(())
    }

    /// Moves on from where answers over UDP are waited for.
    fn wait_on(&mut self, now: Instant) {
        let (since, upto) = self.waiting;
        if now.duration_since(since) >= self.parts.answer_wait {
            self.waited_for = upto;
            self.waiting = (now, self.told);
        }
    }

    /// Those who say nothing are counted in the first pass.
    fn count_silent(&mut self, mark: Mark) {
        let silent = mark.first.saturating_sub(self.first_pass.answered);
        self.parts.metrics.silent(silent.saturating_sub(self.first_pass.silent));
        self.first_pass.silent = silent.max(self.first_pass.silent);
    }

    fn look_around(&mut self, dropped: u64, now: Instant) {
        self.known.lost(dropped, 0);
        self.parts.metrics.reasons("answers for which this machine had no room", dropped);
        self.parts.governor.judge(dropped, self.parts.shared.sent(), now);
        if self.leg.passes() > 1 && self.is_whole {
            self.tell(Tidings::Coverage(self.known.coverage().clone()));
        }
    }

    fn hear(&mut self, network: &[u8]) {
        let Ok(packet) = Packet::read(Link::Ip, network) else {
            return self.parts.metrics.reason("a packet that cannot be read");
        };
        if !self.parts.sources.contains(&packet.destination) {
            return; // The filter looks at ports only; ICMP comes for others too.
        }
        match (packet.protocol, packet.tcp) {
            (TCP, Some(tcp)) => self.hear_tcp(&packet, tcp, network),
            (UDP, _) => self.hear_udp(&packet, network),
            (ICMP | ICMP6, _) => self.hear_icmp(&packet, network),
            _ => self.parts.metrics.reason("a packet that cannot be read"),
        }
    }

    fn hear_tcp(&mut self, packet: &Packet, tcp: Tcp, network: &[u8]) {
        const SYN_ACK: u8 = Tcp::SYN | Tcp::ACK;
        let is_reset = tcp.flags & Tcp::RST != 0;
        if tcp.flags & SYN_ACK != SYN_ACK && self.parts.talks.hear(packet, tcp, network) {
            return;
        }
        if !is_reset && tcp.flags & SYN_ACK != SYN_ACK {
            return self.parts.metrics.reason("a packet that answers nothing");
        }
        let key = ServiceKey { address: packet.source, port: packet.source_port, transport: Transport::Tcp };
        let asked = tcp.acknowledgement.wrapping_sub(1);
        let Some((pass, number)) = self.parts.cookie.read(key.address, key.port, packet.destination_port, asked) else {
            return self.spoofed();
        };
        if u32::from(pass) >= self.leg.passes() {
            return self.hear_canary(number, key, tcp, packet.destination_port);
        }
        let Some((at, target)) = self.place(number, pass, key) else { return self.spoofed() };
        self.parts.metrics.received(usize::try_from(packet.total_bytes).unwrap_or(0));
        if is_reset {
            return self.closed(at, pass);
        }
        if tcp.window == 0 {
            return self.no_service(at, pass, || (key, tcp, packet.destination_port));
        }
        let opened = match self.answered(at, target, key) {
            None => return,
            Some(Answer::New) if self.begin_talk(at, key, tcp, packet.destination_port) => return,
            Some(answer) => (answer == Answer::New).then_some(Opened::Known),
        };
        if let Some(opened) = opened {
            self.tell_found(at, key, opened);
        }
        self.take_back(key, tcp, packet.destination_port);
    }

    /// The position and target that an answer speaks of, when it is that target's.
    pub(super) fn place(&self, number: u32, pass: u16, key: ServiceKey) -> Option<(u64, u64)> {
        let at = position(number, self.parts.shared.sent())?;
        let (target, of) = self.target_of(at)?;
        (of == key && self.leg.pass_of(at) == u32::from(pass)).then_some((at, target))
    }

    pub(super) fn target_of(&self, position: u64) -> Option<(u64, ServiceKey)> {
        if !self.leg.positions().contains(&position) {
            return None;
        }
        let target = self.ladder.at(self.leg.step_of(position))?;
        self.leg.target(target).map(|key| (target, key))
    }

    /// Notes an answer; none when it is a repetition. What is new is to be told.
    pub(super) fn answered(&mut self, position: u64, target: u64, key: ServiceKey) -> Option<Answer> {
        let pass = self.leg.pass_of(position);
        let answer = self.known.answered(target, pass);
        if answer == Answer::Repeated {
            return None;
        }
        self.parts.notes.answered(position);
        self.first_pass.answered += u64::from(pass == 0);
        if answer == Answer::New {
            if pass > 0 {
                self.parts.metrics.not_silent();
            }
            if self.parts.questions.may_be_repeated(key) {
                self.parts.governor.offer(key);
            }
        }
        Some(answer)
    }

    pub(super) fn closed(&mut self, position: u64, pass: u16) {
        if pass == 0 && self.recent.is_new(position) {
            self.first_pass.answered += 1;
            self.parts.metrics.closed(1);
        }
    }

    /// It accepts connections and takes no data: nobody serves there (LZR, USENIX Security 2021).
    fn no_service(&mut self, position: u64, pass: u16, answer: impl Fn() -> (ServiceKey, Tcp, u16)) {
        if self.recent.is_new(position) {
            self.first_pass.answered += u64::from(pass == 0);
            self.parts.metrics.reason("answered with a window of zero: no service");
            let (key, tcp, port) = answer();
            self.take_back(key, tcp, port);
        }
    }

    pub(super) fn tell_found(&mut self, position: u64, key: ServiceKey, opened: Opened) {
        self.open.insert(position);
        self.parts.shared.found();
        let job = Job { position, key };
        self.tell(Tidings::Found(Found { job, discovery: Discovery::Open(opened), slot: None }));
    }

    fn hear_canary(&mut self, number: u32, key: ServiceKey, tcp: Tcp, port: u16) {
        match self.parts.governor.answered(number, key, Instant::now()) {
            None => self.spoofed(),
            Some(is_first) if is_first && tcp.flags & Tcp::RST == 0 => self.take_back(key, tcp, port),
            Some(_) => {}
        }
    }

    /// Somebody says that this probe is not permitted; each counts once.
    pub(super) fn not_permitted(&mut self, position: u64) {
        if self.recent.is_new(position | TOLD) {
            self.parts.governor.not_permitted();
        }
    }

    pub(super) fn spoofed(&self) {
        self.parts.metrics.reason("answers that are none of ours");
    }

    pub(super) fn tell(&self, tidings: Tidings) {
        // Nobody takes it: seen at the next turn.
        let _ = self.parts.tell.send(tidings);
    }
}

/// Takes those out of what was found that stand below `upto`; gives the ones from `told` on, and how many there were.
/// Who answered late stands below: that position was told as settled before, and only its visit is counted anew.
fn settled(open: &mut BTreeSet<u64>, told: u64, upto: u64) -> (Vec<u64>, u64) {
    let later = open.split_off(&upto);
    let mut all = std::mem::replace(open, later);
    let found = all.len() as u64;
    (all.split_off(&told).into_iter().collect(), found)
}

fn not_noted(error: &std::io::Error) -> String {
    format!("the notes of the campaign cannot be written: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_late_settles_nobody_else() {
        let (mut progress, mut open) = (Progress::default(), BTreeSet::from([50, 150]));
        let (except, found) = settled(&mut open, 0, 100);
        assert_eq!((except.as_slice(), found), (&[50][..], 1));
        progress.pass(0..100, &except);
        // 50 is still being grabbed when 30 answers, longer after its probe than answers are waited for.
        open.insert(30);
        let (except, found) = settled(&mut open, 100, 200);
        assert_eq!((except.as_slice(), found), (&[150][..], 2));
        progress.pass(100..200, &except);
        assert!(!progress.contains(50) && !progress.contains(150) && progress.contains(30));
        assert_eq!(progress.done(), 198);
        assert!(open.is_empty());
    }
}
