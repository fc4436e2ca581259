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
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use hinomi_model::address::from_u128;
use hinomi_model::{Marking, Timestamp};
use tantivy::{DocId, SegmentReader};

use super::block::Block;
use super::kept::Kept;
use super::lanes::{Lane, Lanes};
use super::opened::{Opened, Segments};
use super::own::Own;
use super::plan::Planner;
use super::schema::{Shown, State};
use super::sight::{Place, Places, Sight, Sure, sight};
use super::surely::Surely;
use super::times::{Seen, View};
use crate::entitlement::{Entitlement, Seen as Observed, Stretch};

/// What is sure is found for a segment once questions together looked at one row in so many; before, each of them by itself.
const SURE_SHARE: u64 = 512;
/// Where a judge keeps anything from being sure, bitmaps of addresses are made for so many rows.
const BITMAPS_FROM_ROWS: u64 = 20_000;

/// An asker who may not see all, the lanes of services of several markings, and what is sure of segments.
#[derive(Debug)]
pub(super) struct Narrow {
    pub(super) may: Arc<Entitlement>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) kept: Arc<Kept>,
    pub(super) segments: Arc<Segments>,
    /// The asker's own way into the index, once it was looked for.
    own: OnceLock<Option<Own>>,
}

impl Narrow {
    pub(super) fn new(may: Arc<Entitlement>, lanes: Arc<Lanes>, kept: Arc<Kept>, segments: Arc<Segments>) -> Self {
        Self { may, lanes, kept, segments, own: OnceLock::new() }
    }

    /// The asker's own way into the index, at one moment of it.
    pub(super) fn own(&self, planner: &Planner<'_>) -> tantivy::Result<Option<Own>> {
        if let Some(known) = self.own.get() {
            return Ok(known.clone());
        }
        let found = planner.own(&self.may, &self.kept, &self.segments)?;
        Ok(self.own.get_or_init(|| found).clone())
    }
}

/// One segment through the eyes of an asker.
pub(super) struct Eyes {
    /// Of each marking; found when something is not sure.
    sights: OnceLock<Vec<Sight>>,
    /// Whether bitmaps of addresses are worth their making.
    wide: bool,
    /// The range that a row was found in last.
    near: AtomicUsize,
    opened: Arc<Opened>,
    times: Arc<View>,
    narrow: Arc<Narrow>,
    surely: Option<Arc<Surely>>,
}

impl Eyes {
    /// A segment of which about so many rows are looked at.
    pub(super) fn open(
        reader: &SegmentReader,
        narrow: &Arc<Narrow>,
        times: &Arc<View>,
        rows: u64,
    ) -> tantivy::Result<Self> {
        let wide = narrow.may.is_judged() && rows >= BITMAPS_FROM_ROWS;
        let mut eyes = Self::unsure(reader, narrow, times, wide)?;
        // A judge may say something else of the same row at any time.
        if !narrow.may.is_judged() {
            let make = || {
                let wide = Self::unsure(reader, narrow, times, true)?;
                Ok(Surely::of(reader.max_doc(), |doc| wide.sure(doc)))
            };
            let enough = u64::from(reader.max_doc()).div_ceil(SURE_SHARE);
            eyes.surely = narrow.kept.bits(reader.segment_id(), &narrow.may, (rows, enough), make)?;
        }
        Ok(eyes)
    }

    fn unsure(reader: &SegmentReader, narrow: &Arc<Narrow>, times: &Arc<View>, wide: bool) -> tantivy::Result<Self> {
        let opened = narrow.segments.of(reader)?;
        let (times, narrow) = (Arc::clone(times), Arc::clone(narrow));
        Ok(Self { sights: OnceLock::new(), wide, near: AtomicUsize::new(0), opened, times, narrow, surely: None })
    }

    fn sights(&self) -> &[Sight] {
        self.sights.get_or_init(|| {
            let addresses = &self.opened.spots.addresses;
            let mut places = Places { addresses, wide: self.wide, made: Vec::new() };
            let markings = self.opened.markings.iter();
            markings.map(|marking| sight(&self.narrow.may, marking.as_ref(), &mut places)).collect()
        })
    }

    /// Leaves of a block what may be seen.
    pub(super) fn hold(&self, block: &mut Block) {
        match &self.surely {
            Some(surely) => {
                let ends = block.first().zip(block.last());
                if ends.is_some_and(|(first, last)| surely.are_shown(*first, *last)) {
                    return;
                }
                let mut any_asked = 0;
                block.sift(|doc| {
                    let [shown, asked] = surely.bits(doc);
                    any_asked |= asked;
                    shown | asked
                });
                if any_asked > 0 {
                    block.retain(|_, doc| surely.of_row(doc) == Sure::Shown || self.sees(doc));
                }
            }
            None => block.retain(|_, doc| self.sees(doc)),
        }
    }

    /// Whether a row is shown whatever is seen of it later, with all that was seen since it was shown first.
    fn sure(&self, doc: DocId) -> Sure {
        match self.opened.shown(doc) {
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
                let small = self.small(doc);
                let how = places.iter().map(|place| place.sure(small, doc, self));
                how.fold(Sure::Hidden, |all, one| match (all, one) {
                    (Sure::Shown, _) | (_, Sure::Shown) => Sure::Shown,
                    (Sure::Asked, _) | (_, Sure::Asked) => Sure::Asked,
                    _ => Sure::Hidden,
                })
            }
        }
    }

    /// What may be told of when a row was seen; nothing of a row that may not be seen.
    pub(super) fn cut(&self, doc: DocId, seen: Seen) -> Seen {
        match self.opened.shown(doc) {
            Shown::All => {}
            Shown::Narrow => return self.newest(doc).map(|(_, seen)| seen).unwrap_or_default(),
            Shown::Wide => return Seen::default(),
        }
        let Some((sight, Some(marking))) = self.sight(doc) else { return Seen::default() };
        let Some(stretch) = self.stretch(doc, sight, seen.last) else { return Seen::default() };
        if !self.judged(doc, marking) {
            return Seen::default();
        }
        self.told(doc, (marking, &|| self.asn(doc)), stretch, seen)
    }

    /// When a row was last seen, as far as may be told.
    pub(super) fn cut_last(&self, doc: DocId, row: u64) -> Option<i64> {
        match self.surely.as_ref().map(|surely| surely.of_row(doc)) {
            Some(Sure::Shown) => self.times.last(row),
            Some(Sure::Hidden) => None,
            Some(Sure::Asked) | None => self.cut(doc, self.times.get(row)).last,
        }
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
        let address = from_u128(self.address(doc));
        self.narrow.may.admits(&Observed { address, asn: asn(), time: Timestamp::from_micros(time), marking })
    }

    /// The row of the newest lane of a row's service that the asker may see, and the times of all of those.
    fn newest(&self, doc: DocId) -> Option<(u64, Seen)> {
        let lanes = self.narrow.lanes.of(self.opened.spots.get(doc));
        let address = from_u128(self.address(doc));
        let (mut shown, mut all) = (None::<((i64, bool), &Lane)>, Seen::default());
        for lane in lanes.iter().filter(|lane| lane.state != State::Nothing) {
            let (Some(marking), seen) = (&lane.marking, self.times.get(lane.row)) else { continue };
            let Some(last) = seen.last else { continue };
            let at = Observed { address, asn: lane.asn, time: Timestamp::from_micros(last), marking };
            let Some(stretch) = self.narrow.may.stretch(&at) else { continue };
            let told = self.told(doc, (marking, &|| lane.asn), stretch, seen);
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
            self.may_know(doc, (marking, &|| newest.asn), closed).then_some(closed)
        };
        all.closed = lanes.iter().filter_map(closed).max();
        Some((newest.row, all))
    }

    fn sees(&self, doc: DocId) -> bool {
        match self.opened.shown(doc) {
            Shown::All => {}
            Shown::Narrow => return self.newest(doc).is_some_and(|(row, _)| self.opened.row(doc) == row),
            Shown::Wide => return false,
        }
        match self.sight(doc) {
            None | Some((Sight::Hidden, _)) => false,
            Some((Sight::Shown, marking)) => marking.as_ref().is_some_and(|marking| self.judged(doc, marking)),
            Some((Sight::Placed(places), marking)) => {
                let small = self.small(doc);
                let asn = self.asn(doc);
                let last = self.last(doc);
                places.iter().any(|place| place.holds(small, asn, last, &self.opened.spots.addresses))
                    && marking.as_ref().is_some_and(|marking| self.judged(doc, marking))
            }
        }
    }

    /// From when until when what is marked with this sight is the asker's around when it was last seen; a judge is not
    /// asked.
    fn stretch(&self, doc: DocId, sight: &Sight, last: Option<i64>) -> Option<Stretch> {
        match sight {
            Sight::Hidden => None,
            Sight::Shown => Some(Stretch::ALWAYS),
            Sight::Placed(places) => {
                let by_address = places.iter().all(Place::is_by_address);
                let (address, asn) = (self.address(doc), if by_address { None } else { self.asn(doc) });
                let of = |place: &Place| place.stretch_near((address, asn), last?, &self.near);
                places.iter().filter_map(of).reduce(Stretch::widest)
            }
        }
    }

    fn sight(&self, doc: DocId) -> Option<(&Sight, &Option<Marking>)> {
        let number = self.opened.marking(doc)?;
        self.sights().get(number).zip(self.opened.markings.get(number))
    }

    /// The address of a row.
    fn address(&self, doc: DocId) -> u128 {
        self.whole(self.small(doc))
    }

    fn small(&self, doc: DocId) -> u32 {
        self.opened.spots.addresses.small(doc)
    }

    pub(super) fn whole(&self, small: u32) -> u128 {
        self.opened.spots.addresses.whole(small)
    }

    pub(super) fn asn(&self, doc: DocId) -> Option<u32> {
        self.opened.asn_then(doc)
    }

    pub(super) fn last(&self, doc: DocId) -> Option<i64> {
        self.times.last(self.opened.row(doc))
    }

    /// Whether the judge agrees, where there is one.
    fn judged(&self, doc: DocId, marking: &Marking) -> bool {
        if !self.narrow.may.is_judged() {
            return true;
        }
        let Some(last) = self.last(doc) else { return false };
        let address = from_u128(self.address(doc));
        self.narrow.may.judges(&Observed { address, asn: self.asn(doc), time: Timestamp::from_micros(last), marking })
    }
}

/// How something is marked, and who tells its AS number.
type How<'a> = (&'a Marking, &'a dyn Fn() -> Option<u32>);

/// Of lanes of one moment the stricter is shown.
fn by_marking(one: &Lane, other: &Lane) -> Ordering {
    match (&one.marking, &other.marking) {
        (Some(one), Some(other)) => one.by_strictness(other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}
