//! Who may know, and how they are told.
//!
//! Records leave the lake through [`policy`] and nowhere else: search, host pages, evidence, exports, on the command
//! line as over HTTP. A [`Reader`] is the lake seen by one viewer; without a viewer there is no reader. Findings of C&C
//! servers are shown only before a [`Witness`].

pub mod advice;
pub mod alert;
pub mod ask;
pub mod door;
pub mod entitle;
pub mod inventory;
pub mod ledger;
pub mod notice;
pub mod objects;
pub mod policy;
pub mod proof;
pub mod register;
pub mod report;
pub mod rulebook;
pub mod rules;
pub mod stix;
pub mod taxii;
pub mod watch;
pub mod witness;

pub use advice::Concern;
pub use ask::{AskError, MAX_FACETS, MAX_SAMPLE, read_facets, read_histograms, read_known, read_side, term};
pub use door::Door;
pub use hinomi_lake::cnc::{HeldFinding, LeftOut, Point, Story, Taken, ToWithdraw};
pub use hinomi_lake::export::Format;
pub use hinomi_lake::past::arrivals::{Arrived, ArrivedPage, ArrivedRequest};
pub use hinomi_lake::past::changes::{ChangeEvent, ChangesPage, ChangesRequest};
pub use hinomi_lake::past::days::{Days, OnDay};
pub use hinomi_lake::past::diff::{DiffPage, DiffRequest, Difference, Side, What};
pub use hinomi_lake::past::presence::{HostPresence, ServicePresence, Stretch, Was};
pub use hinomi_lake::past::{FRESH, Happened, PastPage, PastRequest, PastService, Presence};
pub use hinomi_lake::query::{FIELDS, FieldInfo, QueryError};
pub use hinomi_lake::rollup::{DIMENSIONS, DayCount, Rollups};
pub use hinomi_lake::search::{
    Bucket, Distinct, FacetCount, FacetRequest, HistogramRequest, HistoryEntry, Host, MAX_FACET_VALUES, MAX_HISTOGRAMS,
    MAX_LIMIT, Plan, PlanStep, SampleRequest, Sampled, SearchPage, SearchRequest, Step, StoredEvidence,
};
pub use hinomi_lake::watch::{Event, Events, NewWatch, Saved};
pub use hinomi_lake::{CompactionStatus, Known, LakeError, Status};
pub use inventory::{Inventory, inventory};
pub use policy::{CncFindings, CncList, Member, ReadError, Reader, Viewer};
pub use watch::{Standing, WatchDesk, is_filed, is_query_error};
pub use witness::{Departure, Sight, Witness};

/// Every field of the query language, with an example and help in both languages.
pub fn query_fields() -> &'static [FieldInfo] {
    FIELDS
}
