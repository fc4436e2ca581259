//! What is read of a segment to tell who may see its rows, opened once for all askers.

use hinomi_model::Marking;
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::schema::{Shown, State, column};
use super::segment::Spots;

/// Columns of one segment.
pub(super) struct Opened {
    pub(super) spots: Spots,
    /// All markings, by the number that rows have; none where one cannot be read.
    pub(super) markings: Vec<Option<Marking>>,
    marking: Option<StrColumn>,
    asn: Column<u64>,
    as_then: Column<u64>,
    row: Column<u64>,
    state: Column<u64>,
    /// Whether any row is a lane, or of a service with lanes.
    laned: bool,
}

impl Opened {
    pub(super) fn open(reader: &SegmentReader) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let marking = fast.str(column::MARKING)?;
        let mut markings = Vec::new();
        if let Some(marking) = &marking {
            let mut terms = marking.dictionary().stream()?;
            while terms.advance() {
                markings.push(serde_json::from_slice(terms.key()).ok());
            }
        }
        let state = fast.u64(column::STATE)?;
        Ok(Self {
            spots: Spots::open(reader)?,
            markings,
            marking,
            asn: fast.u64(column::ASN)?,
            as_then: fast.u64(column::AS_THEN)?,
            row: fast.u64(column::ROW)?,
            laned: State::read(state.max_value()).1 != Shown::All,
            state,
        })
    }

    /// The number of a row's marking.
    pub(super) fn marking(&self, doc: DocId) -> Option<usize> {
        usize::try_from(self.marking.as_ref()?.ords().first(doc)?).ok()
    }

    /// Who is shown a row.
    pub(super) fn shown(&self, doc: DocId) -> Shown {
        if self.laned { self.state.first(doc).map_or(Shown::Wide, |state| State::read(state).1) } else { Shown::All }
    }

    /// The AS number of when it was last seen.
    pub(super) fn asn(&self, doc: DocId) -> Option<u32> {
        let asn = self.as_then.first(doc).or_else(|| self.asn.first(doc)).filter(|asn| *asn > 0);
        asn.and_then(|asn| u32::try_from(asn).ok())
    }

    /// Its number among the times.
    pub(super) fn row(&self, doc: DocId) -> u64 {
        self.row.first(doc).unwrap_or(u64::MAX)
    }
}
