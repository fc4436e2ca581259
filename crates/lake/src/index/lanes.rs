//! Services that were seen under several markings: a row more for each marking of theirs, a lane.
//!
//! ```text
//!   service under one marking     one row: everybody's
//!   service under several         its row: the operator's alone;  a lane for each marking: for who may not see all
//! ```
//!
//! A lane stands as if nothing but what bears its marking had ever been seen of the service. Who may not see all is shown
//! the newest lane that he may see, with the times of all that he may see. So where the last sighting of a service is not
//! for him, the one before stands in every count, facet and page. Lanes are rows like others; who is shown which is told by
//! the number of their state ([`Shown`]), so that of a service without lanes nothing has to be looked up.
//!
//! Two bounds: a service has [`MAX_LANES`] lanes, of more markings those that were seen last (one that made room and comes
//! again begins anew, until the index is built again); and a lane is its last sighting, so of a right that ended while the marking stayed nothing older stands in the present.
//!
//! At a hundred times the data: memory follows the services of several markings, some 200 bytes each; they are read once
//! after a commit, when somebody asks who may not see all.

use std::collections::{HashMap, HashSet};

use hinomi_model::{Marking, ServiceKey};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Searcher, SegmentReader, TERMINATED, Term};

use super::directory::Said;
use super::schema::{Columns, Shown, State, column};
use super::segment::{Spot, Spots};

/// The most lanes of a service.
pub(super) const MAX_LANES: usize = 16;

/// One lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) row: u64,
    pub(super) said: Said,
    pub(super) state: State,
    /// None is for nobody.
    pub(super) marking: Option<Marking>,
    /// AS number of when it was last seen.
    pub(super) asn: Option<u32>,
}

/// All lanes, and every marking of the index.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    by_spot: HashMap<Spot, Vec<Lane>>,
    markings: HashSet<Marking>,
}

impl Lanes {
    /// Those of an index.
    pub(super) fn read(searcher: &Searcher, columns: &Columns) -> tantivy::Result<Self> {
        let mut lanes = Self::default();
        for reader in searcher.segment_readers() {
            lanes.read_segment(reader, columns)?;
        }
        Ok(lanes)
    }

    /// The lanes of a service.
    pub(super) fn of(&self, spot: Spot) -> &[Lane] {
        self.by_spot.get(&spot).map_or(&[], Vec::as_slice)
    }

    /// The same by its name.
    pub(super) fn of_key(&self, key: &ServiceKey) -> &[Lane] {
        self.of(spot_of(key))
    }

    /// Whether there is more than one marking.
    pub(super) fn is_several(&self) -> bool {
        self.markings.len() > 1
    }

    /// Takes note of a marking; whether there are others.
    pub(super) fn heed(&mut self, marking: &Marking) -> bool {
        if !self.markings.contains(marking) {
            self.markings.insert(marking.clone());
        }
        self.is_several()
    }

    /// Puts a lane in the place of the one of its marking.
    pub(super) fn put(&mut self, key: &ServiceKey, lane: Lane) {
        let lanes = self.by_spot.entry(spot_of(key)).or_default();
        match lanes.iter_mut().find(|known| known.marking == lane.marking) {
            Some(known) => *known = lane,
            None => lanes.push(lane),
        }
    }

    /// Forgets one lane of a service.
    pub(super) fn let_go(&mut self, key: &ServiceKey, row: u64) {
        if let Some(lanes) = self.by_spot.get_mut(&spot_of(key)) {
            lanes.retain(|lane| lane.row != row);
        }
    }

    /// Forgets the lanes of a service.
    pub(super) fn forget(&mut self, key: &ServiceKey) {
        self.by_spot.remove(&spot_of(key));
    }

    fn read_segment(&mut self, reader: &SegmentReader, columns: &Columns) -> tantivy::Result<()> {
        let fast = reader.fast_fields();
        let mut markings = Vec::new();
        let marking = fast.str(column::MARKING)?;
        if let Some(marking) = &marking {
            let mut terms = marking.dictionary().stream()?;
            while terms.advance() {
                markings.push(serde_json::from_slice::<Marking>(terms.key()).ok());
            }
        }
        for marking in markings.iter().flatten() {
            self.heed(marking);
        }
        let (spots, row, said) = (Spots::open(reader)?, fast.u64(column::ROW)?, fast.u64(column::SAID)?);
        let (asn, then) = (fast.u64(column::ASN)?, fast.u64(column::AS_THEN)?);
        for state in [State::Open, State::Pseudo, State::Nothing] {
            let term = Term::from_field_u64(columns.state, state.number(Shown::Narrow));
            let inverted = reader.inverted_index(columns.state)?;
            let Some(mut found) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while found.doc() != TERMINATED {
                let doc = found.doc();
                if !reader.is_deleted(doc) {
                    let ordinal = marking.as_ref().and_then(|marking| marking.ords().first(doc));
                    let of = |at: u64| usize::try_from(at).ok().and_then(|at| markings.get(at)).cloned().flatten();
                    let number = then.first(doc).or_else(|| asn.first(doc)).filter(|asn| *asn > 0);
                    self.by_spot.entry(spots.get(doc)).or_default().push(Lane {
                        row: row.first(doc).unwrap_or(u64::MAX),
                        said: said.first(doc).map_or(Said::NOTHING, Said::of),
                        state,
                        marking: ordinal.and_then(of),
                        asn: number.and_then(|asn| u32::try_from(asn).ok()),
                    });
                }
                found.advance();
            }
        }
        Ok(())
    }
}

fn spot_of(key: &ServiceKey) -> Spot {
    (hinomi_model::address::to_u128(key.address), super::document::place_number(key))
}

#[cfg(test)]
mod tests {
    use super::super::segment::key_of;
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name_and_by_its_spot() {
        let key = ServiceKey { address: [192, 0, 2, 1].into(), port: 53, transport: hinomi_model::Transport::Udp };
        assert_eq!(key_of(spot_of(&key)), key);
    }
}
