//! What is remembered of an exporter: its domains with their templates, samplers, numbers, and data that wait.
//!
//! Everything here is bounded by [`Limits`](super::Limits), by exporter and in total; [`Books`] hold the totals. What
//! two exporters say never mixes: the same template id means something else at each of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::books::{Books, Held};
use super::counts::wide;
use super::limits::Kept;
use super::plan::Template;
use super::sampling::Samplers;
use super::sequence::{Gap, Loss, Sequence, Unit};
use super::times::Boot;

/// Uptime so far behind what it should be is another boot; less is a datagram that came late.
const REBOOT_MS: i32 = -300_000;
/// So far ahead, it is a fall that wraps around.
const REBOOT_WRAPPED_MS: i32 = 864_000_000;

/// Within which a template id, a sampler and a sequence number mean one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum DomainKey {
    /// Engine type and id.
    NetFlow5(u16),
    /// Source id.
    NetFlow9(u32),
    /// Observation domain.
    Ipfix(u32),
    /// Agent and sub-agent.
    Sflow(IpAddr, u32),
}

/// What one exporter did, for those who weigh its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterCounts {
    /// When it was heard last.
    pub last_seen: Timestamp,
    /// Datagrams, or messages of a stream.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Flow records given out.
    pub records: u64,
    /// Items refused, for whatever [`Reason`](super::Reason).
    pub refused: u64,
    /// Times its uptime fell: templates and samplers were forgotten.
    pub reboots: u64,
    /// Times its numbers began anew: how many are lost cannot be told.
    pub resets: u64,
    /// Datagrams that came after a later one.
    pub late: u64,
    losses: [Loss; Unit::ALL.len()],
}

impl ExporterCounts {
    fn new(now: Timestamp) -> Self {
        Self {
            last_seen: now,
            datagrams: 0,
            bytes: 0,
            records: 0,
            refused: 0,
            reboots: 0,
            resets: 0,
            late: 0,
            losses: [Loss::default(); Unit::ALL.len()],
        }
    }

    /// What arrived and what did not, as the protocol with that unit counts.
    pub fn loss(&self, unit: Unit) -> Loss {
        self.losses.get(unit as usize).copied().unwrap_or_default()
    }

    /// What arrived and what did not, for every unit.
    pub fn losses(&self) -> impl Iterator<Item = (Unit, Loss)> {
        Unit::ALL.into_iter().zip(self.losses)
    }

    /// The largest share lost in any unit: what this exporter's silence is worth.
    pub fn lost_share(&self) -> f64 {
        self.losses.iter().map(Loss::share).fold(0.0, f64::max)
    }

    /// Adds what the same exporter did at another time, or another one did.
    pub fn add(&mut self, other: &Self) {
        self.last_seen = self.last_seen.max(other.last_seen);
        let sums = [
            (&mut self.datagrams, other.datagrams),
            (&mut self.bytes, other.bytes),
            (&mut self.records, other.records),
            (&mut self.refused, other.refused),
            (&mut self.reboots, other.reboots),
            (&mut self.resets, other.resets),
            (&mut self.late, other.late),
        ];
        sums.into_iter().for_each(|(sum, more)| *sum = sum.saturating_add(more));
        for (mine, theirs) in self.losses.iter_mut().zip(other.losses) {
            mine.received = mine.received.saturating_add(theirs.received);
            mine.lost = mine.lost.saturating_add(theirs.lost);
        }
    }

    pub(super) fn heard(&mut self, at: Timestamp, bytes: u64, refused: u64) {
        self.last_seen = self.last_seen.max(at);
        self.datagrams = self.datagrams.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        self.refused = self.refused.saturating_add(refused);
    }

    pub(super) fn arrived(&mut self, unit: Unit, count: u32) {
        if let Some(loss) = self.losses.get_mut(unit as usize) {
            loss.received = loss.received.saturating_add(u64::from(count));
        }
    }

    pub(super) fn lost(&mut self, unit: Unit, count: u32) {
        if let Some(loss) = self.losses.get_mut(unit as usize) {
            loss.lost = loss.lost.saturating_add(u64::from(count));
        }
    }

    fn found(&mut self, unit: Unit, count: u32) {
        if let Some(loss) = self.losses.get_mut(unit as usize) {
            loss.lost = loss.lost.saturating_sub(u64::from(count));
        }
    }
}

/// A template and when it was said or used last.
#[derive(Debug)]
pub(super) struct Known {
    /// The template.
    pub template: Template,
    /// Said or used.
    pub used: Timestamp,
}

/// One observation domain.
#[derive(Debug, Default)]
pub(super) struct Domain {
    /// By id.
    pub templates: HashMap<u16, Known>,
    /// By the id of the template they wait for.
    pub held: HashMap<u16, Vec<Held>>,
    /// Numbers of messages.
    pub sequence: Sequence,
    /// When an IPFIX exporter booted.
    pub boot: Boot,
    /// Uptime of the last message, and when it came.
    uptime: Option<(u32, Timestamp)>,
}

impl Domain {
    /// Sees an uptime; whether it says that the exporter began anew.
    fn rebooted(&mut self, uptime_ms: u32, received: Timestamp) -> bool {
        let Some((before, at)) = self.uptime.replace((uptime_ms, received)) else { return false };
        let passed_ms = received.as_micros().saturating_sub(at.as_micros()) / 1_000;
        // Modulo 2^32, as uptime itself.
        let passed = u32::try_from(passed_ms.rem_euclid(1 << 32)).unwrap_or_default();
        let ahead = uptime_ms.wrapping_sub(before.wrapping_add(passed)).cast_signed();
        !(REBOOT_MS..=REBOOT_WRAPPED_MS).contains(&ahead)
    }
}

/// One exporter.
#[derive(Debug)]
pub(super) struct Exporter {
    /// By protocol and number.
    pub domains: HashMap<DomainKey, Domain>,
    /// Rates told by options.
    pub samplers: Samplers,
    /// Drops within the exporter by sFlow data source, as last told.
    pub drops: HashMap<(DomainKey, u64), u32>,
    /// How much of its allowance is used.
    pub kept: Kept,
    /// What it did.
    pub counts: ExporterCounts,
}

impl Exporter {
    /// One that was not known before.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            domains: HashMap::new(),
            samplers: Samplers::default(),
            drops: HashMap::new(),
            kept: Kept::default(),
            counts: ExporterCounts::new(now),
        }
    }

    /// The domain; none when there is no room for another.
    pub(super) fn domain(&mut self, books: &mut Books, key: DomainKey) -> Option<&mut Domain> {
        if !self.domains.contains_key(&key) {
            if !books.has_room(&self.kept, |kept| kept.domains, 1) {
                return None;
            }
            self.kept.domains += 1;
            books.kept.domains += 1;
        }
        Some(self.domains.entry(key).or_default())
    }

    /// Sees an uptime, and forgets what was said before another boot.
    pub(super) fn see_uptime(&mut self, books: &mut Books, key: DomainKey, uptime_ms: u32, received: Timestamp) {
        let Some(domain) = self.domains.get_mut(&key) else { return };
        if !domain.rebooted(uptime_ms, received) {
            return;
        }
        self.counts.reboots = self.counts.reboots.saturating_add(1);
        let templates = domain.templates.len();
        let waiting = std::mem::take(&mut domain.held);
        // What remains is the uptime that was just seen.
        *domain = Domain { uptime: domain.uptime, ..Domain::default() };
        self.kept.templates = self.kept.templates.saturating_sub(templates);
        books.kept.templates = books.kept.templates.saturating_sub(templates);
        for held in waiting.into_values().flatten() {
            books.give_up(&mut self.kept, &held);
        }
        let selectors = self.samplers.forget(key);
        self.kept.selectors = self.kept.selectors.saturating_sub(selectors);
        books.kept.selectors = books.kept.selectors.saturating_sub(selectors);
    }

    /// Sees a message's number, and accounts for what should have come before it.
    pub(super) fn see_number(&mut self, key: DomainKey, unit: Unit, number: u32, advance: Option<u32>) {
        let Some(domain) = self.domains.get_mut(&key) else { return };
        let gap = domain.sequence.observe(number, advance);
        let advance = advance.unwrap_or_default();
        self.counts.arrived(unit, advance);
        match gap {
            Gap::None => {}
            Gap::Lost(count) => self.counts.lost(unit, count),
            Gap::Late => {
                self.counts.late = self.counts.late.saturating_add(1);
                self.counts.found(unit, advance);
            }
            Gap::Reset => self.counts.resets = self.counts.resets.saturating_add(1),
        }
    }

    /// Gives up what waited too long, and forgets templates that nobody spoke of for long.
    pub(super) fn sweep(&mut self, books: &mut Books, now: Timestamp) {
        let (held_age, idle) = (books.limits.held_age, books.limits.idle);
        for domain in self.domains.values_mut() {
            for list in domain.held.values_mut() {
                for held in list.extract_if(.., |held| is_old(held.at, now, held_age)) {
                    books.give_up(&mut self.kept, &held);
                }
            }
            domain.held.retain(|_, list| !list.is_empty());
            let before = domain.templates.len();
            domain.templates.retain(|_, known| !is_old(known.used, now, idle));
            let gone = before - domain.templates.len();
            self.kept.templates = self.kept.templates.saturating_sub(gone);
            books.kept.templates = books.kept.templates.saturating_sub(gone);
            books.counts.forgotten = books.counts.forgotten.saturating_add(wide(gone));
        }
    }

    /// Gives up all that waits.
    pub(super) fn give_up(&mut self, books: &mut Books) {
        for domain in self.domains.values_mut() {
            for held in std::mem::take(&mut domain.held).into_values().flatten() {
                books.give_up(&mut self.kept, &held);
            }
        }
    }

    /// Gives back everything it used.
    pub(super) fn close(mut self, books: &mut Books) {
        self.give_up(books);
        books.kept.domains = books.kept.domains.saturating_sub(self.kept.domains);
        books.kept.templates = books.kept.templates.saturating_sub(self.kept.templates);
        books.kept.selectors = books.kept.selectors.saturating_sub(self.kept.selectors);
    }
}

/// Whether that was longer ago.
pub(super) fn is_old(then: Timestamp, now: Timestamp, age: Duration) -> bool {
    now.since(then) > age
}
