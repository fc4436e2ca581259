//! The door: no entitlement, no record.
//!
//! Today there is one kind of viewer, the operator of this installation, who sits at its own machine: the server
//! answers on loopback only and the command line reads the operator's own files. Everything he asks still passes
//! here, so that organisations, audiences and purposes change one module and not every page. Findings of C&C servers
//! need a [`Witness`] besides: whoever looks at them is written down first.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_lake::cnc::{Book, HeldFinding, Journal, LeftOut, Story, Taken, ToWithdraw};
use hinomi_lake::export::Format;
use hinomi_lake::pass::{Engine, Order, Passed};
use hinomi_lake::past::arrivals::{ArrivedPage, ArrivedRequest};
use hinomi_lake::past::changes::{ChangesPage, ChangesRequest};
use hinomi_lake::past::diff::{DiffPage, DiffRequest};
use hinomi_lake::past::presence::HostPresence;
use hinomi_lake::past::{PastPage, PastRequest};
use hinomi_lake::query::QueryError;
use hinomi_lake::search::{Host, Plan, SearchPage, SearchRequest, StoredEvidence};
use hinomi_lake::{Lake, LakeError, Status};
use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::cnc::{Endpoint, ExportVerdict, Finding};
use hinomi_model::{CampaignId, Checkpoint, ContentHash, Purpose, Service, Timestamp};
use serde::Serialize;

use crate::ask::{self, AskError};
use crate::witness::{Sight, Witness};

/// Who is looking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Viewer {
    /// The operator of this installation, at the machine itself. May read every record of the local lake.
    Operator,
    /// A person or program that acts for organisations of the register.
    Member(Member),
}

/// A person or program that acts for organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name of the account, or of the key and its account; for the ledger.
    pub name: String,
    /// Ids of the organisations that are acted for.
    pub organisations: BTreeSet<String>,
    /// What is read for.
    pub purpose: Purpose,
}

/// Why a question was not answered. Says no more about records than the viewer may know.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The query text cannot be understood.
    #[error(transparent)]
    Query(QueryError),
    /// More is asked for than one answer holds.
    #[error(transparent)]
    Asked(#[from] AskError),
    /// What was asked for cannot be done, for a reason of the asker's.
    #[error("{0}")]
    Unfit(String),
    /// The cursor is not valid.
    #[error("this cursor is not valid here; start again from the first page")]
    Cursor,
    /// What is asked for was true, or known, and is no longer kept.
    #[error("{0}")]
    Forgotten(String),
    /// A look at findings could not be written down.
    #[error("this look could not be written into the ledger, so nothing is shown: {0}")]
    Unwitnessed(String),
    /// Nothing is shown to this viewer.
    #[error("{0}")]
    Refused(String),
    /// The lake failed; the text is for the operator's log.
    #[error("{0}")]
    Failed(String),
}

impl From<LakeError> for ReadError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Query(query) => Self::Query(query),
            LakeError::Cursor => Self::Cursor,
            LakeError::TooCostly { rows, budget } => Self::Asked(AskError::TooCostly { rows, budget }),
            LakeError::Unfit { detail } => Self::Unfit(detail),
            forgotten @ LakeError::Forgotten { .. } => Self::Forgotten(forgotten.to_string()),
            other => Self::Failed(chain(&other)),
        }
    }
}

/// An error and everything it rests on, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The lake as one viewer may see it. Cheap to clone. Every method reads files and may block.
#[derive(Clone)]
pub struct Reader {
    lake: Arc<Lake>,
    viewer: Viewer,
    witness: Option<Arc<dyn Witness>>,
}

/// Findings of C&C servers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CncFindings {
    /// What is held, the surest first.
    pub held: Vec<HeldFinding>,
    /// What was taken back or has faded, the newest first.
    pub withdrawn: Vec<Taken>,
    /// What of the journal could not be read.
    pub left_out: LeftOut,
}

/// What a list that leaves may be made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CncList {
    /// Held findings with what the export gate said of them, the surest first.
    pub held: Vec<(Finding, ExportVerdict)>,
    /// Endpoints that an earlier list named and that are not held any more.
    pub to_withdraw: Vec<ToWithdraw>,
    /// How often lists took an endpoint back before; those never taken back are missing.
    pub listed_again: BTreeMap<Endpoint, u32>,
    /// Lists of any form that were shared on the day of the moment asked for.
    pub lists_today: u64,
    /// What of the journal could not be read.
    pub left_out: LeftOut,
}

impl Reader {
    /// The lake through the eyes of this viewer.
    pub const fn new(lake: Arc<Lake>, viewer: Viewer) -> Self {
        Self { lake, viewer, witness: None }
    }

    /// The same with one who writes down what is looked at; without, findings of C&C servers are not shown.
    #[must_use]
    pub fn before(self, witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// Who is looking.
    pub const fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// The lake, for the other questions of this crate.
    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A page of services with counts.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, or the lake cannot be read.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchPage, ReadError> {
        ask::check(request)?;
        Ok(self.lake.search(request)?)
    }

    /// A page of services as they stood at a past moment.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, the lake cannot be read,
    /// or the
    /// knowledge asked for is no longer kept.
    pub fn as_of(&self, request: &PastRequest) -> Result<PastPage, ReadError> {
        ask::check_limit(request.limit)?;
        Ok(self.lake.as_of(request)?)
    }

    /// What is different between two moments or campaigns.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, or the lake cannot be read.
    pub fn diff(&self, request: &DiffRequest) -> Result<DiffPage, ReadError> {
        ask::check_limit(request.limit)?;
        Ok(self.lake.diff(request)?)
    }

    /// What happened to services that a query shows, by time.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, the lake cannot be read, or
    /// the knowledge asked for is no longer kept.
    pub fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, ReadError> {
        ask::check_limit(request.limit)?;
        Ok(self.lake.changes(request)?)
    }

    /// What happened to services that a query shows, as it becomes known: what arrived after a place.
    ///
    /// # Errors
    /// As for [`Self::changes`].
    pub fn arrived(&self, request: &ArrivedRequest) -> Result<ArrivedPage, ReadError> {
        ask::check_limit(request.limit)?;
        Ok(self.lake.arrived(request)?)
    }

    /// The version of the sightings that is known now, and the place where what arrives after it begins.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn arrivals_begin(&self) -> Result<(u64, String), ReadError> {
        Ok(self.lake.arrivals_begin()?)
    }

    /// When the services of an address were there, and when nobody looked; `None` when nothing ever answered there.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn presence(&self, address: IpAddr, now: Timestamp) -> Result<Option<HostPresence>, ReadError> {
        let host = self.lake.presence(address, now)?;
        Ok((!host.services.is_empty()).then_some(host))
    }

    /// What a search would cost, and why; nothing is run.
    ///
    /// # Errors
    /// When the query is not understood, or the lake cannot be read.
    pub fn explain(&self, query: &str) -> Result<Plan, ReadError> {
        Ok(self.lake.explain(query)?)
    }

    /// Services and history of one address; `None` when nothing was ever seen there.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn host(&self, address: IpAddr) -> Result<Option<Host>, ReadError> {
        let host = self.lake.host(address)?;
        Ok((!host.services.is_empty() || !host.history.is_empty()).then_some(host))
    }

    /// One piece of evidence.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn evidence(&self, hash: &ContentHash) -> Result<Option<StoredEvidence>, ReadError> {
        Ok(self.lake.evidence(hash)?)
    }

    /// Writes every match to `out` and tells how many.
    ///
    /// # Errors
    /// When the query is not understood, the lake cannot be read or `out` cannot be written.
    pub fn export(
        &self,
        query: &str,
        format: Format,
        now: Timestamp,
        out: &mut (dyn Write + Send),
    ) -> Result<u64, ReadError> {
        Ok(self.lake.export(query, now, format, out)?)
    }

    /// Runs a pass over the whole lake and writes its result to `out`; the ledger of the lake says who asked for it.
    ///
    /// # Errors
    /// When its result is no file, the lake cannot be read, the ledger or `out` cannot be written.
    pub fn pass(
        &self,
        order: &Order,
        engine: &dyn Engine,
        by: &str,
        (format, out): (Format, &mut (dyn Write + Send)),
    ) -> Result<Passed, ReadError> {
        Ok(self.lake.pass_into(order, engine, by, (format, out))?)
    }

    /// Hands out every match, by address and port, and tells how many; nothing of it is kept in memory.
    ///
    /// # Errors
    /// When the query is not understood or the lake cannot be read.
    pub fn each_service(&self, query: &str, now: Timestamp, each: &mut dyn FnMut(Service)) -> Result<u64, ReadError> {
        let mut hand_out = |service| {
            each(service);
            Ok(())
        };
        Ok(self.lake.scan(query, now, &mut hand_out)?)
    }

    /// Every campaign that left a checkpoint and when it last did, the last to do so first.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn campaigns(&self) -> Result<Vec<(CampaignId, Option<Timestamp>)>, ReadError> {
        let mut campaigns = self.lake.campaigns()?;
        campaigns.sort_by(|(left_id, left), (right_id, right)| right.cmp(left).then_with(|| right_id.cmp(left_id)));
        Ok(campaigns)
    }

    /// The newest checkpoint of a campaign: the sensor's own account of how far it is.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn checkpoint(&self, campaign: &CampaignId) -> Result<Option<Checkpoint>, ReadError> {
        Ok(self.lake.checkpoint(campaign)?)
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn status(&self) -> Result<Status, ReadError> {
        Ok(self.lake.status()?)
    }

    /// Findings of C&C servers as they stood, or will have faded, at this moment: what is held, what was taken back.
    ///
    /// # Errors
    /// When the look cannot be written down, or the journal cannot be read.
    pub fn cnc_findings(&self, now: Timestamp) -> Result<CncFindings, ReadError> {
        let Some(book) = self.cnc_book(Sight::Findings, |journal| journal.read_until(now))? else {
            return Ok(CncFindings::default());
        };
        Ok(CncFindings { held: book.held(now), withdrawn: book.taken(now), left_out: book.left_out })
    }

    /// Everything told of one endpoint until this moment; `None` when nothing was.
    ///
    /// # Errors
    /// When the look cannot be written down, or the journal cannot be read.
    pub fn cnc_finding(&self, endpoint: &Endpoint, now: Timestamp) -> Result<Option<Story>, ReadError> {
        let book = self.cnc_book(Sight::Finding, |journal| journal.read_until(now))?;
        Ok(book.and_then(|book| book.story(endpoint, now)))
    }

    /// What a list that leaves may be made of; who lets it leave asks the export gate for each.
    ///
    /// # Errors
    /// When the look cannot be written down, or the journal cannot be read.
    pub fn cnc_list(&self, now: Timestamp) -> Result<CncList, ReadError> {
        let Some(book) = self.cnc_book(Sight::List, Journal::read)? else { return Ok(CncList::default()) };
        let held = book.held(now).into_iter().map(|held| (held.finding, held.export)).collect();
        let (to_withdraw, lists_today) = (book.to_withdraw(now), book.lists_on(now));
        let listed_again = book.listed_again();
        Ok(CncList { held, to_withdraw, listed_again, lists_today, left_out: book.left_out })
    }

    /// What the collector of flows last said of itself: sums and exporters, no finding; `None` when none ever ran.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn collector_status(&self) -> Result<Option<CollectorStatus>, ReadError> {
        Ok(self.lake.collector_status()?)
    }

    /// The journal, after the look was written down; `None` where there is none, and so nothing to look at.
    fn cnc_book(
        &self,
        sight: Sight,
        read: impl FnOnce(&Journal) -> Result<Book, LakeError>,
    ) -> Result<Option<Book>, ReadError> {
        let journal = self.lake.cnc();
        if !journal.exists() {
            return Ok(None);
        }
        let refuse = || ReadError::Unwitnessed("nobody was named to write it down".to_owned());
        self.witness.as_ref().ok_or_else(refuse)?.looked(sight).map_err(ReadError::Unwitnessed)?;
        Ok(Some(read(&journal)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hinomi_identify::Engine;
    use hinomi_lake::{LakeOptions, Places};
    use hinomi_model::SystemClock;
    use hinomi_model::cnc::{Listing, Message};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Witness for Counting {
        fn looked(&self, _sight: Sight) -> Result<(), String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn findings_are_shown_before_a_witness_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let identifier = Arc::new(Engine::builtin().expect("rules"));
        let (dir, clock) = (folder.path().to_owned(), Arc::new(SystemClock));
        let options = LakeOptions { dir, read_only: false, identifier, places: Places::default(), clock };
        let lake = Arc::new(Lake::open(options).expect("a lake"));
        let alone = Reader::new(Arc::clone(&lake), Viewer::Operator);
        let now = Timestamp::default();
        assert!(alone.cnc_findings(now).is_ok_and(|findings| findings == CncFindings::default()), "nothing is there");
        lake.cnc().append(&[Message::Listed(Listing::default())], now).expect("written");
        let endpoint = "203.0.113.9:1/tcp".parse().expect("an endpoint");
        assert!(matches!(alone.cnc_findings(now), Err(ReadError::Unwitnessed(_))));
        assert!(matches!(alone.cnc_finding(&endpoint, now), Err(ReadError::Unwitnessed(_))));
        assert!(matches!(alone.cnc_list(now), Err(ReadError::Unwitnessed(_))));
        let witness = Arc::new(Counting::default());
        let seen = alone.before(Arc::clone(&witness) as Arc<dyn Witness>);
        assert!(
            seen.cnc_findings(now).is_ok() && seen.cnc_finding(&endpoint, now).is_ok() && seen.cnc_list(now).is_ok()
        );
        assert_eq!(witness.0.load(Ordering::Relaxed), 3);
    }
}
