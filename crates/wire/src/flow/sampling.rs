//! One of how many packets was looked at: told in the record, by an option about its sampler, or about everything.
//!
//! Options come in their own records and at their own time; what they say is remembered per domain, and looked up in
//! the exporter's other domains where its own says nothing.

use std::collections::HashMap;

use super::exporter::DomainKey;
use super::field::{FieldSpec, Place, Slot, View};

/// The fields that tell a rate, in whichever order they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RateSlots {
    /// samplingInterval (34) or samplerRandomInterval (50): one of so many.
    one_of: Slot,
    /// samplingPacketInterval (305): so many are taken,
    taken: Slot,
    /// samplingPacketSpace (306): then so many are left out.
    left_out: Slot,
    /// samplingSize (309): so many are taken
    size: Slot,
    /// samplingPopulation (310): of so many.
    population: Slot,
    /// samplingProbability (311), a float.
    probability: Slot,
}

impl RateSlots {
    /// Takes a field that tells a rate; whether it was one.
    pub(super) fn take(&mut self, spec: &FieldSpec, slot: Slot) -> bool {
        let place = match spec.id {
            34 | 50 => &mut self.one_of,
            305 => &mut self.taken,
            306 => &mut self.left_out,
            309 => &mut self.size,
            310 => &mut self.population,
            311 if matches!(slot.width(), 4 | 8) => &mut self.probability,
            _ => return false,
        };
        if slot.is_told() && slot.width() <= 8 && !place.is_told() {
            *place = slot;
        }
        slot.is_told()
    }

    /// The rate; 0 when it is not told or makes no sense.
    pub(super) fn read<P: Place>(&self, view: &View<'_, P>) -> u32 {
        let one_of = view.number(self.one_of);
        if one_of > 0 {
            return narrow(one_of);
        }
        if self.left_out.is_told() {
            let taken = view.number(self.taken);
            return narrow(ratio(taken.saturating_add(view.number(self.left_out)), taken));
        }
        if self.population.is_told() {
            return narrow(ratio(view.number(self.population), view.number(self.size)));
        }
        self.probability(view)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float saturates as a cast, and it is positive here"
    )]
    fn probability<P: Place>(&self, view: &View<'_, P>) -> u32 {
        let share = match self.probability.width() {
            4 => f64::from(f32::from_be_bytes(view.array(self.probability))),
            8 => f64::from_be_bytes(view.array(self.probability)),
            _ => return 0,
        };
        if share > 0.0 && share <= 1.0 { (1.0 / share).round() as u32 } else { 0 }
    }
}

fn narrow(rate: u64) -> u32 {
    u32::try_from(rate).unwrap_or(u32::MAX)
}

/// To the nearest whole; 0 of nothing.
fn ratio(all: u64, taken: u64) -> u64 {
    all.saturating_add(taken / 2).checked_div(taken).unwrap_or_default()
}

/// What an option was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Selector {
    /// The domain.
    Everything,
    /// A sampler (48) or selector (302).
    Sampler(u64),
    /// An interface.
    Interface(u64),
}

/// What an options template tells us, if it tells us anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OptionPlan {
    rate: RateSlots,
    sampler: Slot,
    interface: Slot,
    boot: Slot,
    useful: bool,
}

/// What one options record told us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// About what.
    pub selector: Selector,
    /// 0 when it told no rate.
    pub rate: u32,
    /// systemInitTimeMilliseconds; 0 when it did not tell.
    pub boot_ms: u64,
}

impl OptionPlan {
    /// Takes a field of the template.
    pub(super) fn take(&mut self, spec: &FieldSpec, slot: Slot) {
        if spec.enterprise != 0 || !slot.is_told() || slot.width() > 8 {
            return;
        }
        match spec.id {
            48 | 302 => self.sampler = slot,
            10 => self.interface = slot,
            160 => {
                self.boot = slot;
                self.useful = true;
            }
            _ => self.useful |= self.rate.take(spec, slot),
        }
    }

    /// Reads a record; none when the template tells nothing that we use.
    pub(super) fn read<P: Place>(&self, view: &View<'_, P>) -> Option<Told> {
        let selector = if self.sampler.is_told() {
            Selector::Sampler(view.number(self.sampler))
        } else if self.interface.is_told() {
            Selector::Interface(view.number(self.interface))
        } else {
            Selector::Everything
        };
        self.useful.then(|| Told { selector, rate: self.rate.read(view), boot_ms: view.number(self.boot) })
    }
}

/// What became of a rate that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learnt {
    /// It took no new place.
    Known,
    /// It took one.
    New,
    /// It was not remembered.
    NoRoom,
}

/// The rates that an exporter told by options.
#[derive(Clone, Debug, Default)]
pub(super) struct Samplers {
    of_domain: HashMap<(DomainKey, Selector), u32>,
    of_any: HashMap<Selector, u32>,
    has_interfaces: bool,
}

impl Samplers {
    /// Remembers a rate.
    pub(super) fn learn(&mut self, domain: DomainKey, told: &Told, has_room: bool) -> Learnt {
        if told.rate == 0 {
            return Learnt::Known;
        }
        let key = (domain, told.selector);
        let learnt = if self.of_domain.contains_key(&key) { Learnt::Known } else { Learnt::New };
        if learnt == Learnt::New && !has_room {
            return Learnt::NoRoom;
        }
        self.of_domain.insert(key, told.rate);
        self.of_any.insert(told.selector, told.rate);
        self.has_interfaces |= matches!(told.selector, Selector::Interface(_));
        learnt
    }

    /// Forgets what a domain told, and returns how much that was.
    pub(super) fn forget(&mut self, domain: DomainKey) -> usize {
        let before = self.of_domain.len();
        self.of_domain.retain(|(of, _), _| *of != domain);
        self.of_any = self.of_domain.iter().map(|((_, selector), rate)| (*selector, *rate)).collect();
        before - self.of_domain.len()
    }

    /// Whether any interface has a rate of its own.
    pub(super) const fn has_interfaces(&self) -> bool {
        self.has_interfaces
    }

    /// The rate of that selector, of that domain or else of any.
    pub(super) fn rate(&self, domain: DomainKey, selector: Selector) -> Option<u32> {
        self.of_domain.get(&(domain, selector)).or_else(|| self.of_any.get(&selector)).copied()
    }
}

/// The rate of the records of one set: looked up once for all, or once for each run of records of one sampler.
#[derive(Debug)]
pub(super) struct Rates<'a> {
    samplers: &'a Samplers,
    domain: DomainKey,
    of_everything: u32,
    last: Option<(Selector, u32)>,
}

impl<'a> Rates<'a> {
    /// For a set of that domain.
    pub(super) fn new(samplers: &'a Samplers, domain: DomainKey) -> Self {
        let of_everything = samplers.rate(domain, Selector::Everything).unwrap_or_default();
        Self { samplers, domain, of_everything, last: None }
    }

    /// Where no record names a sampler or an interface that could differ.
    #[inline]
    pub(super) const fn of_everything(&self) -> u32 {
        self.of_everything
    }

    /// Whether interfaces must be looked at.
    #[inline]
    pub(super) const fn by_interface(&self) -> bool {
        self.samplers.has_interfaces()
    }

    /// Of one selector; of everything where it is not known.
    pub(super) fn of(&mut self, selector: Selector) -> u32 {
        if let Some((last, rate)) = self.last
            && last == selector
        {
            return rate;
        }
        let rate = self.samplers.rate(self.domain, selector).unwrap_or(self.of_everything);
        self.last = Some((selector, rate));
        rate
    }
}
