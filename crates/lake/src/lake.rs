//! The lake, open.
//!
//! ```text
//!   <state>/lock                      who writes
//!   <state>/places.csv                optional: prefix,asn,name,country,prefecture
//!   <state>/places/                   as it was before
//!   <state>/tables/sightings|evidence|facts    Parquet and _delta_log
//!   <state>/index/                    derived
//! ```
//!
//! At a hundred times the data: opening reads the log (see [`crate::table`]) and nothing else; names of evidence are
//! read when they are first asked for.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::{CampaignId, Checkpoint, Clock, ContentHash, Identifier, Service, Timestamp};

use crate::cnc::Journal;
use crate::compact::background::Bell;
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::evidence::{EVIDENCE, Pieces};
use crate::facts::FACTS;
use crate::identify::Knowledge;
use crate::index::Index;
use crate::lock::WriteLock;
use crate::looks::Looks;
use crate::past::owners::OwnersAtHand;
use crate::place::{Places, PlacesAtHand};
use crate::recent::Recent;
use crate::search::{Plan, SearchPage, SearchRequest, StoredEvidence};
use crate::shared::{self, Part};
use crate::sightings::SIGHTINGS;
use crate::table::Table;
use crate::table::definition::Definition;
use crate::table::store::Root;
use crate::watch::Watching;

/// Of so many observations of an asker's own is looked whether they rest on a piece of evidence.
const MAX_PROVING_LOOKS: usize = 1 << 20;

/// How to open a lake.
pub struct LakeOptions {
    /// The state folder; made when absent, unless for reading only.
    pub dir: PathBuf,
    /// Open without the right to write: beside a writer, or on a copy.
    pub read_only: bool,
    /// The rules.
    pub identifier: Arc<dyn Identifier>,
    /// Where addresses are. When empty, `places.csv` of the state folder is used and followed, if it is there.
    pub places: Places,
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
}

/// Sightings at rest, and every question asked of them.
pub struct Lake {
    pub(crate) dir: PathBuf,
    /// Where the tables are.
    pub(crate) root: Root,
    pub(crate) sightings: Table,
    pub(crate) pieces: Pieces,
    pub(crate) knowledge: Knowledge,
    pub(crate) index: Index,
    pub(crate) places: PlacesAtHand,
    pub(crate) owners: Arc<OwnersAtHand>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Held while files are merged: one merge at a time.
    pub(crate) compacting: Mutex<()>,
    /// Rung after appends.
    pub(crate) bell: Arc<Bell>,
    pub(crate) watching: Watching,
    /// How this process takes part.
    pub(crate) part: Part,
    writer: Option<Writer>,
    /// Of a replica, whose index nobody else may write.
    _lock: Option<WriteLock>,
}

/// The right to write, and what the writer remembers.
struct Writer {
    recent: Mutex<Recent>,
    _lock: WriteLock,
}

impl Lake {
    /// Opens a state folder. A writer mends what a kill left and brings the index up to the tables. Who only reads
    /// needs
    /// an index that a writer has built.
    ///
    /// # Errors
    /// When another process writes there, when something was written by a newer version, or cannot be read.
    pub fn open(options: LakeOptions) -> Result<Self, LakeError> {
        Self::open_as(options, Part::Alone)
    }

    pub(crate) fn open_as(options: LakeOptions, part: Part) -> Result<Self, LakeError> {
        let lock = shared::lock(&options, &part)?;
        let claim = part.claim(options.read_only);
        let index_folder = options.dir.join("index");
        let LakeOptions { dir, read_only, identifier, places, clock } = options;
        let writer = if read_only { None } else { Some(Writer::new(&dir)?) };
        let now = clock.now();
        let places = PlacesAtHand::new(places, &dir, now)?;
        let root = Root::of_state(&dir, &claim, &clock)?;
        let open = |definition: &'static Definition| {
            if read_only { Table::open(&root, definition) } else { Table::open_or_create(&root, definition, now) }
        };
        let (evidence, sightings, facts) = (open(&EVIDENCE)?, open(&SIGHTINGS)?, open(&FACTS)?);
        let follows = part.follows();
        let index = Index::open(&index_folder, read_only && !follows)?;
        if read_only && !follows && !sightings.files(|_| true).is_empty() {
            index.wait_until_built()?;
        }
        let (pieces, knowledge) = (Pieces::new(evidence), Knowledge::new(facts, identifier));
        let (compacting, bell) = (Mutex::default(), Arc::default());
        let watching = Watching::of_state(&dir, Arc::clone(&clock));
        let _lock = lock;
        let lake = Self {
            dir,
            root,
            sightings,
            pieces,
            knowledge,
            index,
            places,
            owners: Arc::default(),
            clock,
            compacting,
            bell,
            watching,
            part,
            writer,
            _lock,
        };
        if !read_only {
            crate::past::owners::keep(&lake.dir, now);
            lake.finish_deletion()?;
        }
        if !read_only || follows {
            if lake.is_alone() { lake.mend()? } else { lake.see_what_others_did()? }
        }
        Ok(lake)
    }

    /// A page of services that match, with counts.
    ///
    /// # Errors
    /// When the query or the cursor cannot be understood, or the index cannot be read.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchPage, LakeError> {
        match &request.within {
            None => self.index.search(request),
            Some(may) => self.index.search(&SearchRequest { within: Some(self.asked_now(may)), ..request.clone() }),
        }
    }

    /// What a search would cost and why, without running it.
    ///
    /// # Errors
    /// When the query cannot be understood or the index cannot be read.
    pub fn explain(&self, query: &str) -> Result<Plan, LakeError> {
        self.index.explain(query, None)
    }

    /// The same for who may not see all: it knows of nothing else.
    ///
    /// # Errors
    /// When the query cannot be understood or the index cannot be read.
    pub fn explain_within(&self, query: &str, may: &Arc<Entitlement>) -> Result<Plan, LakeError> {
        self.index.explain(query, Some(&self.asked_now(may)))
    }

    /// Every service that matches, by address and port, one at a time; the number of them.
    ///
    /// # Errors
    /// When the query cannot be understood, the index cannot be read, or `each` refuses.
    pub fn scan(
        &self,
        query: &str,
        now: Timestamp,
        each: &mut dyn FnMut(Service) -> Result<(), LakeError>,
    ) -> Result<u64, LakeError> {
        self.index.scan(query, now, None, each)
    }

    /// The same for who may not see all; none is all.
    ///
    /// # Errors
    /// As [`Self::scan`].
    pub fn scan_within(
        &self,
        query: &str,
        now: Timestamp,
        may: Option<&Arc<Entitlement>>,
        each: &mut dyn FnMut(Service) -> Result<(), LakeError>,
    ) -> Result<u64, LakeError> {
        let may = may.map(|may| self.asked_now(may));
        self.index.scan(query, now, may.as_ref(), each)
    }

    /// The services of one address as last seen, by port.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn services_of(&self, address: IpAddr) -> Result<Vec<Service>, LakeError> {
        self.index.services_of(address.to_canonical(), None)
    }

    /// One piece of evidence, as it was stored.
    ///
    /// # Errors
    /// When the tables cannot be read, or the bytes no longer have this hash.
    pub fn evidence(&self, hash: &ContentHash) -> Result<Option<StoredEvidence>, LakeError> {
        self.see_others()?;
        self.pieces.get(hash)
    }

    /// The same for who may not see all: a piece that something rests on that he may see. What a service shows now is
    /// looked up; what it showed before is looked for among the asker's own addresses, as far as [`MAX_PROVING_LOOKS`]
    /// observations reach. So an old piece that is known anywhere is not given.
    ///
    /// # Errors
    /// As [`Self::evidence`].
    pub fn evidence_within(
        &self,
        hash: &ContentHash,
        may: &Arc<Entitlement>,
    ) -> Result<Option<StoredEvidence>, LakeError> {
        self.see_others()?;
        let may = &self.asked_now(may);
        let shown = match self.index.shows_evidence(hash, may)? {
            Some(first) => Some(first),
            None => self.showed_evidence(hash, may)?,
        };
        let Some(first) = shown else { return Ok(None) };
        // When others first showed it is theirs to know.
        let stored = self.pieces.get(hash)?;
        Ok(stored.map(|stored| StoredEvidence { first_seen: stored.first_seen.max(first), ..stored }))
    }

    /// The present, by the clock of this lake.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What an asker may see at this moment: embargoes end by this machine's clock, whatever moment a question is about.
    pub(crate) fn asked_now(&self, may: &Entitlement) -> Arc<Entitlement> {
        Arc::new(may.at(self.clock.now()))
    }

    /// When something that the asker held rested on this piece.
    fn showed_evidence(&self, hash: &ContentHash, may: &Entitlement) -> Result<Option<Timestamp>, LakeError> {
        let Some(own) = may.own_ranges() else { return Ok(None) };
        let files = self.sightings.files(|_| true);
        let looks = Looks::new(&self.sightings, &files, Some(Arc::new(own)));
        for look in self.visible(looks, Some(may))?.take(MAX_PROVING_LOOKS) {
            let look = look?;
            if look.run.first.evidence.iter().any(|piece| piece.hash == *hash) {
                return Ok(Some(look.time));
            }
        }
        Ok(None)
    }

    /// The newest checkpoint of a campaign.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn checkpoint(&self, campaign: &CampaignId) -> Result<Option<Checkpoint>, LakeError> {
        self.see_others()?;
        let state = self.sightings.note(&application(campaign))?;
        Ok(state.map(|state| Checkpoint { campaign: campaign.clone(), state }))
    }

    /// Every campaign that left a checkpoint, and when it last did.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn campaigns(&self) -> Result<Vec<(CampaignId, Option<Timestamp>)>, LakeError> {
        self.see_others()?;
        let campaign = |name: &str| name.strip_prefix(APPLICATION)?.parse().ok();
        let notes = self.sightings.notes().into_iter();
        Ok(notes.filter_map(|(name, _, time)| Some((campaign(&name)?, time))).collect())
    }

    /// Findings of C&C servers. Needs no right to write: the journal has its own lock.
    pub fn cnc(&self) -> Journal {
        Journal::of_state(&self.dir)
    }

    /// What the collector of flows last said of itself; `None` when none ever ran.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn collector_status(&self) -> Result<Option<CollectorStatus>, LakeError> {
        crate::cnc::collector_status(&self.dir)
    }

    /// A reader takes note of what the writer committed since.
    pub(crate) fn see_others(&self) -> Result<(), LakeError> {
        if self.reads_only() { self.refresh() } else { Ok(()) }
    }

    /// Whether this is a lake without the right to write.
    pub(crate) const fn reads_only(&self) -> bool {
        self.writer.is_none()
    }

    /// Takes note of commits that this process did not make.
    pub(crate) fn refresh(&self) -> Result<(), LakeError> {
        let facts = &self.knowledge.keyed.table;
        let removals = facts.removals();
        // Sightings first: the evidence of what is seen then was committed before.
        [&self.sightings, &self.pieces.keyed.table, facts].into_iter().try_for_each(Table::refresh)?;
        if facts.removals() != removals {
            self.knowledge.forget();
        }
        Ok(())
    }

    /// The right to write, for one at a time.
    pub(crate) fn writer(&self) -> Result<MutexGuard<'_, Recent>, LakeError> {
        let writer = self.writer.as_ref().ok_or(LakeError::ReadOnly)?;
        Ok(writer.recent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Writer {
    fn new(dir: &Path) -> Result<Self, LakeError> {
        fs::create_dir_all(dir).map_err(LakeError::io("creating", dir))?;
        Ok(Self { recent: Mutex::default(), _lock: WriteLock::take(dir)? })
    }
}

/// Campaigns sign their notes in the log so.
const APPLICATION: &str = "hinomi.campaign.";

/// Whether a note in the log is a campaign's.
pub(crate) fn is_campaign(application: &str) -> bool {
    application.starts_with(APPLICATION)
}

/// How a campaign signs its notes in the log.
pub(crate) fn application(campaign: &CampaignId) -> String {
    format!("{APPLICATION}{campaign}")
}
