//! The writer's directory: which row each service has, and what that row says, in one number.
//!
//! Seeing an unchanged service again must not look into the index: the directory answers in one step of memory. Held by
//! who writes, loaded from the columns of the index when something is first applied.
//!
//! ```text
//!   IPv4:  address 32 | port 16 | transport 1 | row 40 | said 39    one u128, and 16 more bits of said beside
//! ```
//!
//! Invariants: keys are exact; a slot of all zeros is empty, which no entry is, since the low bits of [`Said`] never
//! are. IPv6 services are few and lie in a map of their own.
//!
//! At a hundred times the data: 18 bytes a slot, a third to three quarters of the slots in use: some 29 bytes a service,
//! 2.9 GB at a hundred million. Shards grow one at a time, so that growing never takes twice the memory.

use std::collections::HashMap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ahash::RandomState;
use hinomi_model::{ContentHash, Marking, Outcome, SensorId, ServiceKey, Transport};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use super::run::{processors, side_by_side};
use crate::place::Place;

const SHARDS: usize = 256;
const FIRST_SLOTS: usize = 64;
/// So many wait for their shard while all are read: one after the other would be a walk through memory at random.
const MAX_WAITING: usize = 256;
const ROW_BITS: u32 = 40;
const LOW_BITS: u32 = 39;
const LOW: u64 = (1 << LOW_BITS) - 1;
const SAID: u64 = (1 << (LOW_BITS + 16)) - 1;
/// The most rows that can be numbered.
pub(super) const MAX_ROWS: u64 = 1 << ROW_BITS;

/// What a row says, in 55 bits: content, state, sensor, place and marking. Equal numbers say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said(u64);

impl Said {
    /// Nobody ever answered.
    pub(super) const NOTHING: Self = Self(1);

    /// As the column holds it.
    pub(super) const fn number(self) -> u64 {
        self.0
    }

    /// From the column.
    pub(super) const fn of(number: u64) -> Self {
        Self(number & SAID)
    }
}

/// Where an address is, as far as rows say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around<'a> {
    pub(crate) asn: Option<u32>,
    pub(crate) operator: Option<&'a str>,
    pub(crate) country: Option<&'a str>,
    pub(crate) prefecture: Option<&'a str>,
    /// The AS number when it was seen, where it was another, or none.
    pub(crate) other_then: Option<Option<u32>>,
}

impl<'a> Around<'a> {
    /// What the table of places knows.
    pub(crate) fn of(place: Option<&'a Place>) -> Self {
        let Some(place) = place else { return Self::default() };
        Self {
            asn: place.asn,
            operator: place.name.as_deref(),
            country: place.country.as_deref(),
            prefecture: place.prefecture.as_deref(),
            other_then: None,
        }
    }
}

/// Works out [`Said`], with a secret: strangers decide what content says, and must not make two of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sayer {
    secret: (u64, u64),
}

impl Sayer {
    /// One with a secret of its own.
    pub(super) fn new() -> Self {
        let random = || std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0_u8);
        Self { secret: (random(), random()) }
    }

    /// What a sighting says of its service.
    pub(crate) fn said(
        &self,
        content: &ContentHash,
        outcome: Outcome,
        sensor: &SensorId,
        around: &Around<'_>,
        marking: &Marking,
    ) -> Said {
        if outcome == Outcome::Closed {
            return Said::NOTHING;
        }
        // Gathered first: one long stretch is hashed much faster than many short ones.
        let mut told = Vec::with_capacity(256);
        told.extend_from_slice(content.as_bytes());
        told.push(u8::from(outcome == Outcome::Open));
        let mut text = |text: &str| {
            told.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            told.extend_from_slice(text.as_bytes());
        };
        text(sensor.as_str());
        text(marking.tlp.label());
        text(marking.purpose.name());
        marking.audience.iter().for_each(|name| text(name));
        if !marking.is_plain() {
            // What is plain says what it always said.
            text("\0");
            text(marking.licence.as_deref().unwrap_or_default());
            marking.handling.iter().for_each(|word| text(word));
            text(&marking.embargo.map_or_else(String::new, |until| until.to_string()));
        }
        [around.operator, around.country, around.prefecture]
            .into_iter()
            .for_each(|known| text(known.unwrap_or_default()));
        told.extend_from_slice(&around.asn.map_or(u64::MAX, u64::from).to_le_bytes());
        if let Some(then) = around.other_then {
            told.extend_from_slice(&then.map_or(u64::MAX, u64::from).to_le_bytes());
        }
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(&told);
        let number = hasher.finish() & SAID;
        Said(if number & LOW < 2 { number | 2 } else { number })
    }
}

/// Where a service's row is and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) row: u64,
    pub(super) said: Said,
}

/// All services that have rows.
pub(super) struct Directory {
    hasher: RandomState,
    shards: Vec<Shard>,
    others: HashMap<(IpAddr, u16, bool), Slot, RandomState>,
}

#[derive(Default)]
struct Shard {
    slots: Vec<u128>,
    tails: Vec<u16>,
    used: usize,
}

impl Directory {
    pub(super) fn new() -> Self {
        Self::with_room(0)
    }

    /// With room for so many services.
    fn with_room(services: usize) -> Self {
        // A shard has some more than its share.
        let share = services.div_ceil(SHARDS);
        let slots = if services == 0 { 0 } else { ((share + share / 16 + 1) * 4 / 3).next_power_of_two() };
        let shards = std::iter::repeat_with(|| Shard::with(slots)).take(SHARDS).collect();
        Self { hasher: RandomState::new(), shards, others: HashMap::default() }
    }

    /// Fills one with so many services, part by part, on several threads.
    pub(super) fn fill<E: Send>(
        services: usize,
        parts: usize,
        read: impl Fn(usize, &mut dyn FnMut(&ServiceKey, Slot)) -> Result<(), E> + Sync,
    ) -> Result<Self, E> {
        let Self { hasher, shards, others } = Self::with_room(services);
        let (shards, others): (Vec<_>, _) = (shards.into_iter().map(Mutex::new).collect(), Mutex::new(others));
        let pour = |(shard, waiting): (&Mutex<Shard>, &mut Vec<(u64, u64, Slot)>)| {
            let mut shard = locked(shard);
            waiting.drain(..).for_each(|(packed, hash, slot)| shard.add(packed, hash, slot, &hasher));
        };
        let part = |part: usize| {
            let mut waiting: Vec<Vec<_>> = (0..SHARDS).map(|_| Vec::with_capacity(MAX_WAITING)).collect();
            read(part, &mut |key, slot| match packed(key) {
                Some(packed) => {
                    let hash = hasher.hash_one(packed);
                    let at = shard_of(hash);
                    let Some(place) = shards.get(at).zip(waiting.get_mut(at)) else { return };
                    place.1.push((packed, hash, slot));
                    if place.1.len() == MAX_WAITING {
                        pour(place);
                    }
                }
                None => drop(locked(&others).insert(other(key), slot)),
            })?;
            shards.iter().zip(&mut waiting).for_each(pour);
            Ok(())
        };
        side_by_side(parts, processors(), part).into_iter().collect::<Result<(), E>>()?;
        let open = |shard: Mutex<Shard>| shard.into_inner().unwrap_or_else(PoisonError::into_inner);
        let others = others.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { hasher, shards: shards.into_iter().map(open).collect(), others })
    }

    /// The row of a service.
    pub(super) fn get(&self, key: &ServiceKey) -> Option<Slot> {
        let Some(packed) = packed(key) else { return self.others.get(&other(key)).copied() };
        let hash = self.hasher.hash_one(packed);
        self.shards.get(shard_of(hash))?.get(packed, hash)
    }

    /// Sets the row of a service.
    pub(super) fn put(&mut self, key: &ServiceKey, slot: Slot) {
        let Some(packed) = packed(key) else {
            self.others.insert(other(key), slot);
            return;
        };
        let hash = self.hasher.hash_one(packed);
        if let Some(shard) = self.shards.get_mut(shard_of(hash)) {
            shard.add(packed, hash, slot, &self.hasher);
        }
    }

    /// How many services.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.used).sum::<usize>() + self.others.len()
    }
}

/// Address, port and transport of an IPv4 service in 49 bits.
fn packed(key: &ServiceKey) -> Option<u64> {
    let IpAddr::V4(address) = key.address else { return None };
    let udp = u64::from(key.transport == Transport::Udp);
    Some((u64::from(u32::from(address)) << 17) | (u64::from(key.port) << 1) | udp)
}

fn other(key: &ServiceKey) -> (IpAddr, u16, bool) {
    (key.address, key.port, key.transport == Transport::Udp)
}

fn shard_of(hash: u64) -> usize {
    usize::from(hash.to_be_bytes().first().copied().unwrap_or(0))
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn with(slots: usize) -> Self {
        Self { slots: vec![0; slots], tails: vec![0; slots], used: 0 }
    }

    fn add(&mut self, key: u64, hash: u64, slot: Slot, hasher: &RandomState) {
        if self.is_full() {
            self.grow(hasher);
        }
        self.put(key, hash, slot);
    }

    fn get(&self, key: u64, hash: u64) -> Option<Slot> {
        let at = self.place(key, hash)?;
        let (slot, tail) = (*self.slots.get(at)?, *self.tails.get(at)?);
        (slot != 0).then(|| unpack(slot, tail))
    }

    /// Room for a key that is there, or may be put there.
    fn put(&mut self, key: u64, hash: u64, slot: Slot) {
        let Some(at) = self.place(key, hash) else { return };
        let packed = (u128::from(key) << (ROW_BITS + LOW_BITS))
            | (u128::from(slot.row & (MAX_ROWS - 1)) << LOW_BITS)
            | u128::from(slot.said.0 & LOW);
        if let Some(place) = self.slots.get_mut(at) {
            self.used += usize::from(*place == 0);
            *place = packed;
        }
        if let Some(tail) = self.tails.get_mut(at) {
            *tail = u16::try_from(slot.said.0 >> LOW_BITS).unwrap_or(0);
        }
    }

    /// Where a key is, or the empty slot where it would be; none in a shard without slots.
    fn place(&self, key: u64, hash: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & mask;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 || slot >> (ROW_BITS + LOW_BITS) == u128::from(key) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn is_full(&self) -> bool {
        (self.used + 1) * 4 > self.slots.len() * 3
    }

    fn grow(&mut self, hasher: &RandomState) {
        let size = (self.slots.len() * 2).max(FIRST_SLOTS);
        let old = std::mem::replace(self, Self::with(size));
        for (slot, tail) in old.slots.into_iter().zip(old.tails).filter(|(slot, _)| *slot != 0) {
            let key = u64::try_from(slot >> (ROW_BITS + LOW_BITS)).unwrap_or(0);
            self.put(key, hasher.hash_one(key), unpack(slot, tail));
        }
    }
}

fn unpack(slot: u128, tail: u16) -> Slot {
    let low = u64::try_from(slot & u128::from(LOW)).unwrap_or(0);
    let row = u64::try_from((slot >> LOW_BITS) & u128::from(MAX_ROWS - 1)).unwrap_or(0);
    Slot { row, said: Said(low | (u64::from(tail) << LOW_BITS)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::{Purpose, Terms, Timestamp};
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = ServiceKey> {
        let address = prop_oneof![
            any::<[u8; 2]>().prop_map(|tail| IpAddr::from([192, 0, tail[0], tail[1]])),
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<u8>().prop_map(|tail| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(tail)])),
        ];
        (address, any::<u16>(), any::<bool>()).prop_map(|(address, port, udp)| ServiceKey {
            address,
            port,
            transport: if udp { Transport::Udp } else { Transport::Tcp },
        })
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_map_holds(puts in prop::collection::vec((key(), 0..MAX_ROWS, 2..SAID), 0..600)) {
            let mut directory = Directory::new();
            let mut plain = HashMap::new();
            for (key, row, said) in puts {
                let said = Said(if said & LOW < 2 { said | 2 } else { said });
                directory.put(&key, Slot { row, said });
                plain.insert(key, Slot { row, said });
            }
            for (key, slot) in &plain {
                prop_assert_eq!(directory.get(key), Some(*slot));
                let near = ServiceKey { port: key.port ^ 1, ..*key };
                prop_assert_eq!(directory.get(&near), plain.get(&near).copied());
            }
            prop_assert_eq!(directory.len(), plain.len());
        }
    }

    #[test]
    fn everything_that_changes_a_row_changes_what_it_says() {
        let (sayer, marking) = (Sayer::new(), Marking::own(Purpose::Exercise));
        let sensor: SensorId = "survey".parse().expect("a name");
        let (nowhere, place) = (Around::default(), Around { asn: Some(64_500), ..Around::default() });
        let said = |content: &[u8], outcome, sensor: &SensorId, around: Around<'_>, marking: &Marking| {
            sayer.said(&ContentHash::of(content), outcome, sensor, &around, marking)
        };
        let base = said(b"a", Outcome::Open, &sensor, nowhere, &marking);
        assert_eq!(base, said(b"a", Outcome::Open, &sensor, nowhere, &marking));
        let audience = Marking { audience: vec!["isac".to_owned()], ..Marking::own(Purpose::Exercise) };
        let under = |terms: Terms| said(b"a", Outcome::Open, &sensor, nowhere, &marking.clone().under(terms));
        let handling = |word: &str| Terms { handling: [word.to_owned()].into(), ..Terms::default() };
        let others = [
            under(Terms { embargo: Some(Timestamp::from_micros(1)), ..Terms::default() }),
            under(Terms { licence: Some("CC0-1.0".to_owned()), ..Terms::default() }),
            under(handling("no-forward")),
            said(b"b", Outcome::Open, &sensor, nowhere, &marking),
            said(b"a", Outcome::Pseudo, &sensor, nowhere, &marking),
            said(b"a", Outcome::Open, &"decoy".parse().expect("a name"), nowhere, &marking),
            said(b"a", Outcome::Open, &sensor, place, &marking),
            said(b"a", Outcome::Open, &sensor, nowhere, &audience),
            Said::NOTHING,
        ];
        assert!(others.iter().all(|other| *other != base), "{others:?}");
        assert_ne!(Sayer::new(), sayer, "a secret of its own");
    }

    #[test]
    fn what_a_row_says_is_the_number_of_earlier_versions() {
        let sayer = Sayer { secret: (1, 2) };
        let (sensor, content): (SensorId, _) = ("survey".parse().expect("a name"), ContentHash::of(b"a"));
        let around = Around {
            asn: Some(64_500),
            operator: Some("Example"),
            country: Some("JP"),
            prefecture: None,
            other_then: Some(None),
        };
        let marking = Marking { audience: vec!["isac".to_owned()], ..Marking::own(Purpose::Exercise) };
        let terms =
            Terms { embargo: Some(Timestamp::from_micros(1)), licence: Some("CC0-1.0".to_owned()), ..Terms::default() };
        let open = sayer.said(&content, Outcome::Open, &sensor, &around, &marking);
        let pseudo = sayer.said(&content, Outcome::Pseudo, &sensor, &Around::default(), &marking.under(terms));
        assert_eq!((open.number(), pseudo.number()), (12_514_340_226_438_383, 5_461_682_431_668_517));
    }
}
