//! What was found out of segments for askers who may not see all, kept from question to question.
//!
//! Of a segment and what somebody is entitled to: the rows that lead to what he may see ([`super::own`]), and what is sure
//! of each row ([`super::surely`]). Neither changes as long as the segment stands and the grants are these. Grants are
//! told by where they lie in memory, and are held so that no others come to lie there.
//!
//! At a hundred times the data: [`MAX_BYTES`] in all; what was used longest ago goes first, and is found out again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tantivy::index::SegmentId;

use super::own::Way;
use super::surely::Surely;
use crate::entitlement::{Entitlement, Grant};

/// The most memory for all askers, in bytes.
const MAX_BYTES: usize = 256 << 20;
/// What an asker takes besides, in each segment.
const HEAD_BYTES: usize = 256;
/// From so many askers and segments on it is looked who is gone.
const TIDIED_FROM: usize = 1_024;

/// Everything kept.
#[derive(Default)]
pub(super) struct Kept(Mutex<All>);

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("askers", &self.all().by_key.len()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct All {
    by_key: HashMap<Key, One>,
    bytes: usize,
    /// Grows with each use.
    clock: u64,
    tidied_from: usize,
}

/// Segment, and where in memory the grants lie.
type Key = (SegmentId, usize);
/// Empty until it is found out: who else wants it waits for that.
type Slot<T> = Arc<Mutex<Option<T>>>;

#[derive(Debug)]
struct One {
    grants: Arc<[Grant]>,
    bits: Slot<Arc<Surely>>,
    way: Slot<Way>,
    /// Rows that questions had to look at, at most.
    looked_at: u64,
    bytes: usize,
    used: u64,
}

impl Kept {
    /// What is sure of the rows of a segment for who is entitled to this and will look at so many of them at most; found
    /// out once `enough` were to be looked at, by questions together.
    pub(super) fn bits(
        &self,
        segment: SegmentId,
        may: &Entitlement,
        (rows, enough): (u64, u64),
        find: impl FnOnce() -> tantivy::Result<Surely>,
    ) -> tantivy::Result<Option<Arc<Surely>>> {
        let key = key_of(segment, may);
        let looked_at = |one: &mut One| {
            one.looked_at = one.looked_at.saturating_add(rows);
            (Arc::clone(&one.bits), one.looked_at >= enough)
        };
        let (slot, wanted) = self.all().slot(key, may, looked_at);
        let mut bits = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if bits.is_none() && wanted {
            let found = Arc::new(find()?);
            self.all().add(key, found.bytes());
            *bits = Some(found);
        }
        Ok(bits.clone())
    }

    /// The rows of a segment in which all lies that who is entitled to this may see.
    pub(super) fn way(
        &self,
        segment: SegmentId,
        may: &Entitlement,
        find: impl FnOnce() -> tantivy::Result<Way>,
    ) -> tantivy::Result<Way> {
        let key = key_of(segment, may);
        let slot = self.all().slot(key, may, |one: &mut One| Arc::clone(&one.way));
        let mut way = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*way {
            return Ok(known.clone());
        }
        let found = find()?;
        self.all().add(key, found.as_ref().map_or(0, |rows| size_of_val(&**rows)));
        *way = Some(found.clone());
        Ok(found)
    }

    /// Forgets segments that stand no more, and askers who are entitled to something else by now.
    pub(super) fn tidy(&self, standing: &HashSet<SegmentId>) {
        let mut all = self.all();
        all.retain(|(segment, _), _| standing.contains(segment));
        all.forget_gone();
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn slot<T>(&mut self, key: Key, may: &Entitlement, which: impl FnOnce(&mut One) -> T) -> T {
        self.clock += 1;
        if self.by_key.len() >= self.tidied_from.max(TIDIED_FROM) && !self.by_key.contains_key(&key) {
            self.forget_gone();
            self.tidied_from = self.by_key.len() * 2;
        }
        let Self { by_key, bytes, clock, .. } = self;
        let one = by_key.entry(key).or_insert_with(|| {
            *bytes += HEAD_BYTES;
            let grants = Arc::clone(may.shared_grants());
            One { grants, bits: Slot::default(), way: Slot::default(), looked_at: 0, bytes: HEAD_BYTES, used: 0 }
        });
        one.used = *clock;
        which(one)
    }

    fn retain(&mut self, mut stays: impl FnMut(&Key, &One) -> bool) {
        let bytes = &mut self.bytes;
        self.by_key.retain(|key, one| {
            let stays = stays(key, one);
            *bytes -= if stays { 0 } else { one.bytes };
            stays
        });
    }

    /// Forgets grants that nobody else holds any more.
    fn forget_gone(&mut self) {
        let mut held: HashMap<usize, usize> = HashMap::new();
        self.by_key.keys().for_each(|(_, place)| *held.entry(*place).or_default() += 1);
        self.retain(|(_, place), one| Arc::strong_count(&one.grants) > held.get(place).copied().unwrap_or(0));
    }

    /// Takes note of how much was found out, and lets go of the half that was used longest ago when it is too much.
    fn add(&mut self, key: Key, bytes: usize) {
        let Some(one) = self.by_key.get_mut(&key) else { return };
        one.bytes += bytes;
        self.bytes += bytes;
        if self.bytes <= MAX_BYTES {
            return;
        }
        let mut others: Vec<(u64, Key, usize)> = self
            .by_key
            .iter()
            .filter(|(other, _)| **other != key)
            .map(|(key, one)| (one.used, *key, one.bytes))
            .collect();
        others.sort_unstable_by_key(|(used, ..)| *used);
        for (_, key, bytes) in others {
            if self.bytes <= MAX_BYTES / 2 {
                break;
            }
            self.by_key.remove(&key);
            self.bytes -= bytes;
        }
    }
}

fn key_of(segment: SegmentId, may: &Entitlement) -> Key {
    (segment, Arc::as_ptr(may.shared_grants()).cast::<()>().addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entitlement::Marks;
    use crate::index::sight::Sure;

    fn may() -> Entitlement {
        Entitlement::new([Grant::anywhere(Marks::Always(true))])
    }

    fn of(kept: &Kept, segment: SegmentId, may: &Entitlement, sure: Sure, rows: u32) -> Option<Sure> {
        let bits = kept.bits(segment, may, (1, 1), || Ok(Surely::of(rows, |_| sure)));
        bits.expect("made").map(|bits| bits.of_row(5))
    }

    #[test]
    fn what_is_kept_is_one_askers_and_one_segments() {
        let (kept, mine, theirs) = (Kept::default(), may(), may());
        let (one, other) = (SegmentId::generate_random(), SegmentId::generate_random());
        assert_eq!(of(&kept, one, &mine, Sure::Shown, 100), Some(Sure::Shown));
        let later = mine.at(hinomi_model::Timestamp::default());
        assert_eq!(of(&kept, one, &later, Sure::Hidden, 100), Some(Sure::Shown), "kept");
        assert_eq!(of(&kept, one, &theirs, Sure::Hidden, 100), Some(Sure::Hidden), "equal rights of another");
        assert_eq!(of(&kept, other, &mine, Sure::Asked, 100), Some(Sure::Asked));
        let asked = |rows| kept.bits(other, &theirs, (rows, 10), || Ok(Surely::of(1, |_| Sure::Shown))).expect("asked");
        assert!(asked(5).is_none() && asked(4).is_none(), "not worth it yet");
        assert!(asked(1).is_some() && asked(0).is_some(), "ten rows were looked at by now");
        let way = |rows: Option<&[u32]>| kept.way(one, &mine, || Ok(rows.map(Arc::from))).expect("found out");
        assert_eq!((way(None), way(Some(&[7]))), (None, None), "also that it is no way");
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let (kept, stays) = (Kept::default(), may());
        let (one, other) = (SegmentId::generate_random(), SegmentId::generate_random());
        of(&kept, one, &stays, Sure::Shown, 100);
        of(&kept, other, &stays, Sure::Shown, 100);
        for _ in 0..3 * TIDIED_FROM {
            of(&kept, one, &may(), Sure::Shown, 100);
        }
        assert!(kept.all().by_key.len() <= TIDIED_FROM + 2, "{}", kept.all().by_key.len());
        kept.tidy(&[one].into());
        assert_eq!(kept.all().by_key.keys().copied().collect::<Vec<_>>(), [key_of(one, &stays)]);
        let sum: usize = kept.all().by_key.values().map(|one| one.bytes).sum();
        assert_eq!(sum, kept.all().bytes);
        assert_eq!(of(&kept, one, &stays, Sure::Hidden, 100), Some(Sure::Shown), "kept");
    }

    #[test]
    fn memory_is_bounded_and_the_last_one_stays() {
        let (kept, segment) = (Kept::default(), SegmentId::generate_random());
        let rows = 40 << 20;
        let askers: Vec<Entitlement> = (0..40).map(|_| may()).collect();
        for asker in &askers {
            of(&kept, segment, asker, Sure::Shown, rows);
            assert!(kept.all().bytes <= MAX_BYTES + 1, "{}", kept.all().bytes);
        }
        let sum: usize = kept.all().by_key.values().map(|one| one.bytes).sum();
        assert_eq!(sum, kept.all().bytes);
        let last = askers.last().expect("some");
        assert_eq!(of(&kept, segment, last, Sure::Hidden, rows), Some(Sure::Shown), "kept");
        assert_eq!(of(&kept, segment, &askers[0], Sure::Hidden, 64), Some(Sure::Hidden), "found out again");
    }
}
