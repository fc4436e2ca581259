//! The door: no entitlement, no record.
//!
//! The operator of this installation sees everything, and so does an analyst, by name. A [`Member`] acts for organisations and sees what the rules give
//! ([`crate::rules`]): the lake ands his [`Entitlement`] into every question, so that what he may not see is not counted,
//! not listed, not paged, and answers as if it did not exist. [`crate::door::Door`] makes his readers; one made otherwise
//! shows nothing.
//!
//! A [`Witness`] writes looks down before anything is shown: every look of an analyst and of a member, and every look at
//! findings of C&C servers ([`cnc`]).

use std::io::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_lake::entitlement::Entitlement;
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
use hinomi_model::{CampaignId, Checkpoint, ContentHash, Purpose, Service, Timestamp};

use crate::ask::{self, AskError};
use crate::entitle::of_visitor;
use crate::witness::{Look, Sight, Witness};

mod cnc;
mod export;
mod viewer;
mod why;

pub use cnc::{CncFindings, CncList};
pub use export::{Outlet, Tally};
pub use viewer::{Member, Viewer};
pub(crate) use why::Ground;
pub use why::{Explained, MayLabel, MaySee, Reason, Why, explain};

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
    /// What is seen; none is everything, which only the operator has.
    may: Option<Arc<Entitlement>>,
    /// What that rests on.
    ground: Option<Arc<Ground>>,
    /// Whether the request that is answered was written down already.
    witnessed: bool,
    /// The same, where a request has several readers.
    request: Option<Request>,
}

/// Whether a request was written down, for all its readers.
pub type Request = Arc<Mutex<bool>>;

impl Reader {
    /// The lake through the eyes of this viewer: the operator's, or nothing.
    pub fn new(lake: Arc<Lake>, viewer: Viewer) -> Self {
        let may = match viewer {
            Viewer::Operator => None,
            Viewer::Analyst { .. } | Viewer::Member(_) | Viewer::Visitor { .. } => {
                Some(Arc::new(Entitlement::nothing()))
            }
        };
        Self { lake, viewer, witness: None, may, ground: None, witnessed: false, request: None }
    }

    /// The same lake for somebody, who sees what rests on this; nothing named is everything.
    fn of(&self, viewer: Viewer, may: Option<Arc<Entitlement>>, ground: Option<Arc<Ground>>) -> Self {
        let lake = Arc::clone(&self.lake);
        Self { lake, viewer, witness: None, may, ground, witnessed: false, request: None }
    }

    /// The same lake for an analyst, before who writes down what he looks at.
    pub(crate) fn of_analyst(&self, name: &str, purpose: Purpose, witness: Arc<dyn Witness>) -> Self {
        self.of(Viewer::Analyst { name: name.to_owned(), purpose }, None, None).before(witness)
    }

    /// The same lake for a visitor.
    pub(crate) fn of_visitor(&self, address: IpAddr, since: Timestamp) -> Self {
        self.of(Viewer::Visitor { address, since }, Some(Arc::new(of_visitor(address, since))), None)
    }

    /// The same lake for a member, who sees what rests on this.
    pub(crate) fn of_member(&self, member: Member, (may, ground): (Arc<Entitlement>, Arc<Ground>)) -> Self {
        self.of(Viewer::Member(member), Some(may), Some(ground))
    }

    /// The same with one who writes down what is looked at; without, findings of C&C servers are not shown.
    #[must_use]
    pub fn before(self, witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), witnessed: false, ..self }
    }

    /// The same for one request that asks several questions: it is written down here, once, and they are not.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn witnessed(&self, what: &'static str, asked: &str) -> Result<Self, ReadError> {
        self.look(what, asked)?;
        Ok(Self { witnessed: true, ..self.clone() })
    }

    /// The same for a request that has several readers: the first question of any of them is written down, once.
    #[must_use]
    pub fn within(self, request: Request) -> Self {
        Self { request: Some(request), ..self }
    }

    /// Who is looking.
    pub const fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// The lake, for the other questions of this crate.
    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// What is seen; none is everything.
    pub(crate) const fn may(&self) -> Option<&Arc<Entitlement>> {
        self.may.as_ref()
    }

    pub(crate) const fn ground(&self) -> Option<&Arc<Ground>> {
        self.ground.as_ref()
    }

    /// Has a look of an analyst, a member or a visitor written down, before it is answered; what to keep the answer within.
    pub(crate) fn look(&self, what: &'static str, asked: &str) -> Result<Option<Arc<Entitlement>>, ReadError> {
        let sight = match (&self.viewer, self.viewer.named()) {
            (Viewer::Operator, _) => return Ok(self.may.clone()),
            (_, Some(member)) => Sight::Records(Look::new(&member, what, asked)),
            (_, None) => Sight::SelfCheck,
        };
        if !self.witnessed {
            self.see(sight)?;
        }
        Ok(self.may.clone())
    }

    /// Has it written down; once for a request, but each look at findings.
    pub(crate) fn see(&self, sight: Sight) -> Result<(), ReadError> {
        let refuse = || ReadError::Unwitnessed("nobody was named to write it down".to_owned());
        let witness = self.witness.as_ref().ok_or_else(refuse)?;
        // Whoever asks beside this one of the same request waits: nothing is shown before it is written.
        let mut written = self.request.as_ref().map(|one| one.lock().unwrap_or_else(PoisonError::into_inner));
        let again = written.as_deref().is_some_and(|written| *written);
        if !again || !matches!(sight, Sight::Records(_) | Sight::SelfCheck) {
            witness.looked(sight).map_err(ReadError::Unwitnessed)?;
        }
        if let Some(written) = written.as_deref_mut() {
            *written = true;
        }
        Ok(())
    }

    /// A page of services with counts.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, or the lake cannot be read.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchPage, ReadError> {
        ask::check(request)?;
        let Some(may) = self.look("search", &request.query)? else { return Ok(self.lake.search(request)?) };
        Ok(self.lake.search(&SearchRequest { within: Some(may), ..request.clone() })?)
    }

    /// A page of services as they stood at a past moment.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, the lake cannot be read,
    /// or the
    /// knowledge asked for is no longer kept.
    pub fn as_of(&self, request: &PastRequest) -> Result<PastPage, ReadError> {
        ask::check_limit(request.limit)?;
        let Some(may) = self.look("as-of", &request.query)? else { return Ok(self.lake.as_of(request)?) };
        Ok(self.lake.as_of(&PastRequest { within: Some(may), ..request.clone() })?)
    }

    /// What is different between two moments or campaigns.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, or the lake cannot be read.
    pub fn diff(&self, request: &DiffRequest) -> Result<DiffPage, ReadError> {
        ask::check_limit(request.limit)?;
        let Some(may) = self.look("diff", &request.query)? else { return Ok(self.lake.diff(request)?) };
        Ok(self.lake.diff(&DiffRequest { within: Some(may), ..request.clone() })?)
    }

    /// What happened to services that a query shows, by time.
    ///
    /// # Errors
    /// When more is asked for than one answer holds, the query or cursor is not understood, the lake cannot be read, or
    /// the knowledge asked for is no longer kept.
    pub fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, ReadError> {
        ask::check_limit(request.limit)?;
        let Some(may) = self.look("changes", &request.query)? else { return Ok(self.lake.changes(request)?) };
        Ok(self.lake.changes(&ChangesRequest { within: Some(may), ..request.clone() })?)
    }

    /// What happened to services that a query shows, as it becomes known: what arrived after a place. Streams ask every
    /// moment: it is a look when there is something to see.
    ///
    /// # Errors
    /// As for [`Self::changes`].
    pub fn arrived(&self, request: &ArrivedRequest) -> Result<ArrivedPage, ReadError> {
        ask::check_limit(request.limit)?;
        let page = self.lake.arrived(&ArrivedRequest { within: self.may.clone(), ..request.clone() })?;
        if !page.events.is_empty() {
            self.look("arrivals", &request.query)?;
        }
        Ok(page)
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
        let may = self.look("presence", &address.to_string())?;
        let host = self.lake.presence_within(address, now, may.as_deref())?;
        Ok((!host.services.is_empty()).then_some(host))
    }

    /// What a search would cost, and why; nothing is run.
    ///
    /// # Errors
    /// When the query is not understood, or the lake cannot be read.
    pub fn explain(&self, query: &str) -> Result<Plan, ReadError> {
        match self.look("explain", query)? {
            None => Ok(self.lake.explain(query)?),
            Some(may) => Ok(self.lake.explain_within(query, &may)?),
        }
    }

    /// Services and history of one address; `None` when nothing was ever seen there.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn host(&self, address: IpAddr) -> Result<Option<Host>, ReadError> {
        let may = self.look("host", &address.to_string())?;
        let host = self.lake.host_within(address, may.as_ref())?;
        Ok((!host.services.is_empty() || !host.history.is_empty()).then_some(host))
    }

    /// One piece of evidence.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn evidence(&self, hash: &ContentHash) -> Result<Option<StoredEvidence>, ReadError> {
        match self.look("evidence", &hash.to_string())? {
            None => Ok(self.lake.evidence(hash)?),
            Some(may) => Ok(self.lake.evidence_within(hash, &may)?),
        }
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
        if self.look("pass", by)?.is_some() {
            return Err(ReadError::Refused("passes over the whole lake are the operator's".to_owned()));
        }
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
        let may = self.look("services", query)?;
        Ok(self.lake.scan_within(query, now, may.as_ref(), &mut hand_out)?)
    }

    /// Every campaign that left a checkpoint and when it last did, the last to do so first. The operator's and analysts'.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn campaigns(&self) -> Result<Vec<(CampaignId, Option<Timestamp>)>, ReadError> {
        if self.may.is_some() {
            return Ok(Vec::new());
        }
        self.look("surveys", "")?;
        let mut campaigns = self.lake.campaigns()?;
        campaigns.sort_by(|(left_id, left), (right_id, right)| right.cmp(left).then_with(|| right_id.cmp(left_id)));
        Ok(campaigns)
    }

    /// The newest checkpoint of a campaign: the sensor's own account of how far it is. The operator's and analysts'.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn checkpoint(&self, campaign: &CampaignId) -> Result<Option<Checkpoint>, ReadError> {
        if self.may.is_some() {
            return Ok(None);
        }
        self.look("surveys", "")?;
        Ok(self.lake.checkpoint(campaign)?)
    }

    /// How much there is; to a member, how many services he may see, and nothing else.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn status(&self) -> Result<Status, ReadError> {
        let Some(may) = self.look("status", "")? else { return Ok(self.lake.status()?) };
        let all = SearchRequest { within: Some(may), limit: 0, ..SearchRequest::default() };
        Ok(Status { services: self.lake.search(&all)?.total, ..Status::default() })
    }
}
