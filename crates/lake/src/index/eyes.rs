//! Rows of one segment as an asker may see them: which of them, and from when until when.
//!
//! A row is told by its marking, its address and AS number, and when it last answered. Markings are few: which grants
//! each of them fits is found once for a segment ([`Sight`]); then a row that is marked for everybody, or for nobody,
//! costs one number, and of others a look among the asker's places and times. Who asks for many rows gets what is sure of
//! them as bits that are kept ([`super::surely`]); then only what is not sure is looked at.
//!
//! Times that the asker may not see are not told ([`Eyes::cut`]): first seen is not before his stretch begins, and what was
//! found closed when he may not know it is still open.

use std::cmp::Ordering;
use std::sync::Arc;

use hinomi_model::address::from_u128;
use hinomi_model::{Marking, Timestamp};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::address::Addresses;
use super::block::Block;
use super::lanes::{Lane, Lanes};
use super::schema::{Shown, State, column};
use super::segment::Spots;
use super::surely::{Kept, Surely, is_set, set};
use super::times::{Seen, View};
use crate::entitlement::{Entitlement, Grant, Held, Seen as Observed, Stretch};

/// What is sure is found for a segment when one row in so many is looked at; otherwise each of them by itself.
const SURE_SHARE: u64 = 512;
/// The most bits of a bitmap of addresses: 16 MB.
const MAX_BITS: usize = 1 << 27;

/// An asker who may not see all, the lanes of services of several markings, and what is sure of segments.
#[derive(Debug)]
pub(super) struct Narrow {
    pub(super) may: Arc<Entitlement>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) kept: Arc<Kept>,
}

/// What rows of one marking need.
enum Sight {
    /// Nobody of the askers may see them.
    Hidden,
    /// All of them, whenever they were seen.
    Shown,
    /// Those of certain places and times.
    Placed(Vec<Place>),
}

/// Where and when a grant is for.
struct Place {
    /// All of these.
    held: Vec<Where>,
    /// None of these.
    not_held: Vec<Arc<Held>>,
}

/// Places and times in the numbers of a segment.
#[derive(Clone)]
struct Where {
    held: Arc<Held>,
    /// One bit for each small number of an address; none where each row is looked up.
    bits: Option<Arc<[u64]>>,
}

/// One segment through the eyes of an asker.
pub(super) struct Eyes {
    sights: Vec<Sight>,
    /// By the same number; kept for who judges single rows.
    markings: Vec<Option<Marking>>,
    marking: Option<StrColumn>,
    addresses: Addresses,
    asn: Column<u64>,
    as_then: Column<u64>,
    row: Column<u64>,
    state: Column<u64>,
    /// Whether any row is a lane, or of a service with lanes.
    laned: bool,
    spots: Spots,
    times: Arc<View>,
    narrow: Arc<Narrow>,
    surely: Option<Arc<Surely>>,
}

/// What is known of a row whatever is seen of its service later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sure {
    Shown,
    Hidden,
    /// It must be looked at.
    Asked,
}

impl Eyes {
    /// A segment of which about so many rows are looked at.
    pub(super) fn open(
        reader: &SegmentReader,
        narrow: &Arc<Narrow>,
        times: &Arc<View>,
        rows: u64,
    ) -> tantivy::Result<Self> {
        let mut eyes = Self::unsure(reader, narrow, times, false)?;
        // A judge may say something else of the same row at any time.
        if !narrow.may.is_judged() {
            let make = || {
                let wide = Self::unsure(reader, narrow, times, true)?;
                Ok(Surely::of(reader.max_doc(), |doc| wide.sure(doc)))
            };
            let wanted = rows.saturating_mul(SURE_SHARE) >= u64::from(reader.max_doc());
            eyes.surely = narrow.kept.get(reader.segment_id(), &narrow.may, wanted, make)?;
        }
        Ok(eyes)
    }

    fn unsure(reader: &SegmentReader, narrow: &Arc<Narrow>, times: &Arc<View>, wide: bool) -> tantivy::Result<Self> {
        let (fast, addresses) = (reader.fast_fields(), Addresses::open(reader)?);
        let marking = fast.str(column::MARKING)?;
        let mut markings = Vec::new();
        if let Some(marking) = &marking {
            let mut terms = marking.dictionary().stream()?;
            while terms.advance() {
                markings.push(serde_json::from_slice(terms.key()).ok());
            }
        }
        let mut places = Places { addresses: &addresses, wide, made: Vec::new() };
        let sights = markings.iter().map(|marking| sight(&narrow.may, marking.as_ref(), &mut places)).collect();
        let (asn, as_then, row) = (fast.u64(column::ASN)?, fast.u64(column::AS_THEN)?, fast.u64(column::ROW)?);
        let state = fast.u64(column::STATE)?;
        Ok(Self {
            laned: State::read(state.max_value()).1 != Shown::All,
            state,
            surely: None,
            sights,
            markings,
            marking,
            asn,
            as_then,
            row,
            spots: Spots::open(reader)?,
            times: Arc::clone(times),
            narrow: Arc::clone(narrow),
            addresses,
        })
    }

    /// Leaves of a block what may be seen.
    pub(super) fn hold(&self, block: &mut Block) {
        match &self.surely {
            Some(surely) => block.retain(|_, doc| match surely.of_row(doc) {
                Sure::Shown => true,
                Sure::Hidden => false,
                Sure::Asked => self.sees(doc),
            }),
            None => block.retain(|_, doc| self.sees(doc)),
        }
    }

    /// Whether a row is shown whatever is seen of it later, with all that was seen since it was shown first.
    fn sure(&self, doc: DocId) -> Sure {
        match self.shown(doc) {
            Shown::All => {}
            Shown::Narrow => return Sure::Asked,
            Shown::Wide => return Sure::Hidden,
        }
        let Some((sight, marking)) = self.sight(doc) else { return Sure::Hidden };
        // Which grants it fits changes when its embargo ends.
        if marking.as_ref().is_some_and(|marking| marking.embargo.is_some()) {
            return Sure::Asked;
        }
        match sight {
            Sight::Hidden => Sure::Hidden,
            Sight::Shown => Sure::Shown,
            Sight::Placed(places) => {
                let small = self.addresses.small(doc);
                let how = places.iter().map(|place| place.sure(small, doc, self));
                how.fold(Sure::Hidden, |all, one| match (all, one) {
                    (Sure::Shown, _) | (_, Sure::Shown) => Sure::Shown,
                    (Sure::Asked, _) | (_, Sure::Asked) => Sure::Asked,
                    _ => Sure::Hidden,
                })
            }
        }
    }

    fn shown(&self, doc: DocId) -> Shown {
        if self.laned { self.state.first(doc).map_or(Shown::Wide, |state| State::read(state).1) } else { Shown::All }
    }

    /// What may be told of when a row was seen; nothing of a row that may not be seen.
    pub(super) fn cut(&self, doc: DocId, seen: Seen) -> Seen {
        match self.shown(doc) {
            Shown::All => {}
            Shown::Narrow => return self.newest(doc).map(|(_, seen)| seen).unwrap_or_default(),
            Shown::Wide => return Seen::default(),
        }
        let Some(stretch) = self.stretch(doc, seen.last) else { return Seen::default() };
        let Some((_, Some(marking))) = self.sight(doc) else { return Seen::default() };
        self.told(doc, (marking, self.asn(doc)), stretch, seen)
    }

    /// Times of what is marked like this, of which the last is known to be the asker's.
    fn told(&self, doc: DocId, how: How<'_>, stretch: Stretch, seen: Seen) -> Seen {
        let first = seen.first.map(|first| first.max(stretch.from));
        // Where a judge has a say, nothing between is known to be his.
        let is_his = |first: &i64| !self.narrow.may.is_judged() || self.may_know(doc, how, *first);
        Seen {
            last: seen.last,
            first: first.filter(is_his).or(seen.last),
            closed: seen.closed.filter(|closed| self.may_know(doc, how, *closed)),
        }
    }

    /// Whether the asker may see what is marked like this at the address of a row, at a moment.
    fn may_know(&self, doc: DocId, (marking, asn): How<'_>, time: i64) -> bool {
        let address = from_u128(self.addresses.whole(self.addresses.small(doc)));
        self.narrow.may.admits(&Observed { address, asn, time: Timestamp::from_micros(time), marking })
    }

    /// The row of the newest lane of a row's service that the asker may see, and the times of all of those.
    fn newest(&self, doc: DocId) -> Option<(u64, Seen)> {
        let lanes = self.narrow.lanes.of(self.spots.get(doc));
        let address = from_u128(self.addresses.whole(self.addresses.small(doc)));
        let (mut shown, mut all) = (None::<((i64, bool), &Lane)>, Seen::default());
        for lane in lanes.iter().filter(|lane| lane.state != State::Nothing) {
            let (Some(marking), seen) = (&lane.marking, self.times.get(lane.row)) else { continue };
            let Some(last) = seen.last else { continue };
            let at = Observed { address, asn: lane.asn, time: Timestamp::from_micros(last), marking };
            let Some(stretch) = self.narrow.may.stretch(&at) else { continue };
            let told = self.told(doc, (marking, lane.asn), stretch, seen);
            all = all.merge(Seen { closed: None, ..told });
            let rank = (last, lane.state == State::Open);
            let newer = |(known, other): (_, &Lane)| rank.cmp(&known).then_with(|| by_marking(lane, other)).is_gt();
            if shown.is_none_or(newer) {
                shown = Some((rank, lane));
            }
        }
        let (_, newest) = shown?;
        let closed = |lane: &Lane| {
            let (marking, closed) = (lane.marking.as_ref()?, self.times.get(lane.row).closed?);
            self.may_know(doc, (marking, newest.asn), closed).then_some(closed)
        };
        all.closed = lanes.iter().filter_map(closed).max();
        Some((newest.row, all))
    }

    fn sees(&self, doc: DocId) -> bool {
        match self.shown(doc) {
            Shown::All => {}
            Shown::Narrow => return self.newest(doc).is_some_and(|(row, _)| self.row.first(doc) == Some(row)),
            Shown::Wide => return false,
        }
        match self.sight(doc) {
            None | Some((Sight::Hidden, _)) => false,
            Some((Sight::Shown, marking)) => self.judged(doc, marking),
            Some((Sight::Placed(places), marking)) => {
                let small = self.addresses.small(doc);
                let asn = self.asn(doc);
                let last = self.last(doc);
                places.iter().any(|place| place.holds(small, asn, last, &self.addresses)) && self.judged(doc, marking)
            }
        }
    }

    fn stretch(&self, doc: DocId, last: Option<i64>) -> Option<Stretch> {
        let (sight, marking) = self.sight(doc)?;
        let widest = match sight {
            Sight::Hidden => None,
            Sight::Shown => Some(Stretch::ALWAYS),
            Sight::Placed(places) => {
                let (address, asn) = (self.addresses.whole(self.addresses.small(doc)), self.asn(doc));
                let of = |place: &Place| place.stretch(address, asn, last?);
                places.iter().filter_map(of).reduce(Stretch::widest)
            }
        };
        widest.filter(|_| self.judged(doc, marking))
    }

    fn sight(&self, doc: DocId) -> Option<(&Sight, &Option<Marking>)> {
        let ordinal = usize::try_from(self.marking.as_ref()?.ords().first(doc)?).ok()?;
        self.sights.get(ordinal).zip(self.markings.get(ordinal))
    }

    /// The AS number of when it was last seen.
    fn asn(&self, doc: DocId) -> Option<u32> {
        let asn = self.as_then.first(doc).or_else(|| self.asn.first(doc)).filter(|asn| *asn > 0);
        asn.and_then(|asn| u32::try_from(asn).ok())
    }

    fn last(&self, doc: DocId) -> Option<i64> {
        self.times.get(self.row.first(doc).unwrap_or(u64::MAX)).last
    }

    /// Whether the judge agrees, where there is one.
    fn judged(&self, doc: DocId, marking: &Option<Marking>) -> bool {
        if !self.narrow.may.is_judged() {
            return true;
        }
        let (Some(marking), Some(last)) = (marking, self.last(doc)) else { return false };
        let address = from_u128(self.addresses.whole(self.addresses.small(doc)));
        self.narrow.may.judges(&Observed { address, asn: self.asn(doc), time: Timestamp::from_micros(last), marking })
    }
}

/// How something is marked, and its AS number.
type How<'a> = (&'a Marking, Option<u32>);

/// Of lanes of one moment the stricter is shown.
fn by_marking(one: &Lane, other: &Lane) -> Ordering {
    match (&one.marking, &other.marking) {
        (Some(one), Some(other)) => one.by_strictness(other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}

/// Which grants a marking fits. What cannot be read is for nobody.
fn sight(may: &Entitlement, marking: Option<&Marking>, places: &mut Places<'_>) -> Sight {
    let Some(marking) = marking else { return Sight::Hidden };
    let fitting: Vec<&Grant> = may.grants().iter().filter(|grant| grant.marks.fit(marking, may.now())).collect();
    if fitting.iter().any(|grant| grant.held.is_empty() && grant.not_held.is_empty()) {
        return Sight::Shown;
    }
    // What is let through by a grant that asks for less need not be asked for more.
    let needless = |at: usize, grant: &Grant| {
        let less = |(other, one): (usize, &&Grant)| {
            one.asks_no_more_than(grant) && (other < at || !grant.asks_no_more_than(one))
        };
        fitting.iter().enumerate().filter(|(other, _)| *other != at).any(less)
    };
    let needed = fitting.iter().enumerate().filter(|(at, grant)| !needless(*at, grant));
    let placed: Vec<Place> = needed.map(|(_, grant)| places.of(grant)).collect();
    if placed.is_empty() { Sight::Hidden } else { Sight::Placed(placed) }
}

/// Makes places, each bitmap once.
struct Places<'a> {
    addresses: &'a Addresses,
    /// Whether bitmaps are worth their making.
    wide: bool,
    made: Vec<Where>,
}

impl Places<'_> {
    fn of(&mut self, grant: &Grant) -> Place {
        let held = grant.held.iter().map(|held| self.one(held)).collect();
        Place { held, not_held: grant.not_held.clone() }
    }

    fn one(&mut self, held: &Arc<Held>) -> Where {
        if let Some(known) = self.made.iter().find(|known| Arc::ptr_eq(&known.held, held)) {
            return known.clone();
        }
        let made = Where { held: Arc::clone(held), bits: self.bits(held).map(Into::into) };
        self.made.push(made.clone());
        made
    }

    fn bits(&self, held: &Held) -> Option<Vec<u64>> {
        let bits = usize::try_from(self.addresses.greatest()).unwrap_or(usize::MAX);
        if !self.wide || bits >= MAX_BITS {
            return None;
        }
        let mut words = vec![0_u64; bits / 64 + 1];
        for (low, high) in held.spans() {
            let from = self.addresses.find(low).0;
            let until = high.checked_add(1).map_or(u32::MAX, |next| self.addresses.find(next).0);
            set(&mut words, u64::from(from), u64::from(until).min(bits as u64 + 1));
        }
        Some(words)
    }
}

impl Place {
    /// What is sure of a row with this small number of an address.
    fn sure(&self, small: u32, doc: DocId, eyes: &Eyes) -> Sure {
        if self.held.iter().any(|held| held.never(small)) {
            return Sure::Hidden;
        }
        let Some(last) = eyes.last(doc) else { return Sure::Asked };
        let simply = |held: &Where| held.lasts_from(small).is_some_and(|from| from <= last);
        if self.not_held.is_empty() && self.held.iter().all(simply) {
            return Sure::Shown;
        }
        let lasting = self.stretch(eyes.addresses.whole(small), eyes.asn(doc), last);
        // What is seen later is seen within a stretch without an end, too.
        if lasting.is_some_and(|stretch| stretch.until == i64::MAX) { Sure::Shown } else { Sure::Asked }
    }

    fn holds(&self, small: u32, asn: Option<u32>, last: Option<i64>, addresses: &Addresses) -> bool {
        let Some(last) = last else { return false };
        self.held.iter().all(|held| held.holds(small, asn, last, addresses))
            && self.not_held.iter().all(|held| held.gap(addresses.whole(small), asn, last).is_some())
    }

    fn stretch(&self, address: u128, asn: Option<u32>, last: i64) -> Option<Stretch> {
        let within = self.held.iter().map(|one| one.held.stretch(address, asn, last));
        let without = self.not_held.iter().map(|held| held.gap(address, asn, last));
        within.chain(without).try_fold(Stretch::ALWAYS, |mine, other| Some(mine.narrowest(other?)))
    }
}

impl Where {
    /// Whether nothing at this address ever counts.
    fn never(&self, small: u32) -> bool {
        self.held.is_by_address() && self.bits.as_ref().is_some_and(|words| !is_set(words, small))
    }

    /// From when on everything at this address counts without an end, where that is known without a look.
    fn lasts_from(&self, small: u32) -> Option<i64> {
        let sure = self.held.sure().filter(|sure| sure.until == i64::MAX)?;
        self.bits.as_ref().is_some_and(|words| is_set(words, small)).then_some(sure.from)
    }

    fn holds(&self, small: u32, asn: Option<u32>, last: i64, addresses: &Addresses) -> bool {
        let inside = self.bits.as_ref().map(|words| is_set(words, small));
        match (inside, self.held.sure()) {
            (Some(true), Some(sure)) if sure.holds(last) => true,
            (Some(false), _) if self.held.is_by_address() => false,
            _ => self.held.stretch(addresses.whole(small), asn, last).is_some(),
        }
    }
}
