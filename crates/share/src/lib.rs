//! Who may know, and how they are told.
//!
//! Records leave the lake through [`policy`] and nowhere else: search, host pages, evidence, exports, on the command
//! line as over HTTP. A [`Reader`] is the lake seen by one viewer; without a viewer there is no reader. Findings of C&C
//! servers are shown only before a [`Witness`].

pub mod ask;
pub mod inventory;
pub mod policy;
pub mod witness;

pub use ask::{AskError, MAX_FACETS, read_facets, term};
pub use hinomi_lake::cnc::{HeldFinding, LeftOut, Point, Story, Taken, ToWithdraw};
pub use hinomi_lake::export::Format;
pub use hinomi_lake::query::{FIELDS, FieldInfo, QueryError};
pub use hinomi_lake::search::{
    FacetCount, FacetRequest, HistoryEntry, Host, MAX_FACET_VALUES, MAX_LIMIT, SearchPage, SearchRequest,
    StoredEvidence,
};
pub use hinomi_lake::{LakeError, Status};
pub use inventory::{Inventory, inventory};
pub use policy::{CncFindings, CncList, ReadError, Reader, Viewer};
pub use witness::{Sight, Witness};

/// Every field of the query language, with an example and help in both languages.
pub fn query_fields() -> &'static [FieldInfo] {
    FIELDS
}
