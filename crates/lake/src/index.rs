//! The derived index: the current state of every service, for search, facets and hosts.
//!
//! ```text
//!   Glance* -> plan  -> new or changed service  -> a row of terms and columns (tantivy) + a record in facts.bin
//!                    -> the same service again  -> 14 bytes at the end of a log, nothing else
//!   query -> compile -> matching rows -> Gate -> count, facets, order -> services from facts.bin and times.bin
//! ```
//!
//! - [`Index::plan`] and [`Index::carry_out`] take the sightings of one version of the sightings table. Applying a
//!   version twice, sightings out of order, or a killed writer change nothing about the state that results (see
//!   [`write`]).
//! - [`Index::search`] and [`Index::scan`] answer the query language of [`crate::query`].
//! - Everything here is derived: [`Index::open`] starts anew what is damaged or of another format, and
//!   [`Index::applied`] then says `None`, which tells the lake to apply all versions again.
//! - [`Index::rebuild`] fills a new generation that nobody sees before it is complete.
//! - One process writes; others open the same folder for reading while it does.
//! - Answers are in the order of (address, port, transport), IPv4 addresses standing among IPv6 as `::ffff:a.b.c.d`.
//!
//! # Growth
//!
//! A search looks once at every match: totals, facets and orders are exact. Terms narrow first, so an address, a small
//! prefix or a rare word does not depend on how much there is. A broad query (`port:443` of a hundred million services)
//! grows with its matches, some tens of nanoseconds each, more with each facet; segments, and parts of large ones, are
//! searched side by side ([`run`]), [`plan`] says beforehand what a query costs, and a sample stands in for all where
//! that is enough. Memory: 24 bytes a touched service for the times (2.4 GB
//! at a hundred million: then they belong into columns of the segments), facets one number for each distinct value of
//! the field, and the page. Applying looks up every service in every segment: some microseconds each. Exporting
//! everything passes over the matches once for each [`search::SCAN_ROWS`] of them. A query for words that are left out
//! of the text index reads the text of every service that has such words and fits the rest of the query.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hinomi_model::{ContentHash, EvidenceRef, Facts, Marking, Outcome, SensorId, ServiceKey, Timestamp};
use tantivy::{IndexWriter, Searcher};

mod address;
mod block;
pub(crate) mod changed;
mod collect;
mod compile;
mod contents;
mod cursor;
mod damages;
pub(crate) mod directory;
mod distinct;
pub(crate) mod document;
mod eyes;
mod facet;
mod facts;
mod files;
mod folder;
mod guard;
mod histogram;
mod kept;
mod lane;
mod lanes;
mod letters;
mod listed;
mod mix;
mod opened;
mod order;
mod own;
mod pages;
mod plain;
mod plan;
mod prefix;
mod records;
pub(crate) mod run;
mod schema;
mod search;
mod segment;
mod sight;
mod standing;
mod still;
mod surely;
#[cfg(test)]
pub(crate) mod tests;
mod things;
mod times;
pub(crate) mod when;
mod wish;
pub(crate) mod write;
mod writer;

use changed::Heed;
use directory::{Around, Directory, Sayer};
use document::Templates;
use folder::{Generation, Payload};
use lanes::Lanes;
use times::View;
use write::{Glance, Plan, Remembered, Source};

use crate::error::LakeError;

/// One sighting, ready to be applied. The same content has the same facts and text as long as the index is not cleared.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// Which service.
    pub(crate) key: ServiceKey,
    /// When it was seen.
    pub(crate) time: Timestamp,
    /// What happened.
    pub(crate) outcome: Outcome,
    /// Who saw it.
    pub(crate) sensor: SensorId,
    /// One hash for all of its evidence.
    pub(crate) content: ContentHash,
    /// What was seen.
    pub(crate) evidence: Vec<EvidenceRef>,
    /// What that says.
    pub(crate) facts: Arc<Facts>,
    /// Readable text of the evidence, for full-text search.
    pub(crate) text: Arc<str>,
    /// AS number of the address.
    pub(crate) asn: Option<u32>,
    /// AS number of the address when it was seen, where it was another, or none.
    pub(crate) other_then: Option<Option<u32>>,
    /// Name of the network of the address.
    pub(crate) operator: Option<String>,
    /// Country of the address.
    pub(crate) country: Option<String>,
    /// Prefecture or region of the address.
    pub(crate) prefecture: Option<String>,
    /// Who may know.
    pub(crate) marking: Marking,
    /// Whether this content was never told before: then no record of it has to be looked for.
    pub(crate) fresh: bool,
}

impl Update {
    /// Where its address is.
    pub(crate) fn around(&self) -> Around<'_> {
        Around {
            asn: self.asn,
            operator: self.operator.as_deref(),
            country: self.country.as_deref(),
            prefecture: self.prefecture.as_deref(),
            other_then: self.other_then,
        }
    }
}

/// How often, and how long between, who reads looks whether an index stands that is built at this moment.
const BUILD_LOOKS: u32 = 100;
const BUILD_LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// The index in one folder.
pub(crate) struct Index {
    dir: PathBuf,
    read_only: bool,
    current: RwLock<Option<Arc<Generation>>>,
    writer: Mutex<Option<Writer>>,
}

/// Writes to a generation: the one in use, or one that is being built beside it.
struct Writer {
    generation: Arc<Generation>,
    terms: IndexWriter,
    payload: Payload,
    /// Version of the sightings table applied last.
    applied: Option<u64>,
    next_row: u64,
    /// Where every service is; loaded when something is first applied.
    directory: Option<Directory>,
    /// Lanes of services of several markings; loaded with the directory.
    lanes: Lanes,
    remembered: Remembered,
    templates: Templates,
    /// Whether the generation's reader has seen the last commit.
    seen: bool,
}

/// The index at one moment.
struct Moment {
    generation: Arc<Generation>,
    searcher: Searcher,
    times: Arc<View>,
}

impl Index {
    /// Opens the index; one that writes makes it when it is absent, and starts anew when it is damaged. Until it is
    /// built then,
    /// no version counts as applied, and who reads is told so ([`Index::wait_until_built`]).
    pub(crate) fn open(dir: &Path, read_only: bool) -> Result<Self, LakeError> {
        let index = Self { dir: dir.to_owned(), read_only, current: RwLock::new(None), writer: Mutex::new(None) };
        if read_only {
            index.refresh()?;
            return Ok(index);
        }
        std::fs::create_dir_all(dir).map_err(files::io(format!("make {}", dir.display())))?;
        match folder::current(dir)? {
            Some(number) => match Writer::open(dir, number) {
                Ok(writer) => {
                    index.use_generation(Arc::clone(&writer.generation));
                    *index.writer() = Some(writer);
                    folder::remove_others(dir, number);
                }
                Err(error) if folder::is_damage(&error) => {
                    tracing::warn!(%error, "the index cannot be used and is built again");
                    index.clear()?;
                }
                Err(error) => return Err(error),
            },
            None => index.clear()?,
        }
        Ok(index)
    }

    /// For who reads where there are sightings: waits a moment for the first index of a folder.
    pub(crate) fn wait_until_built(&self) -> Result<(), LakeError> {
        for _ in 0..BUILD_LOOKS {
            if self.shown().is_some() {
                return Ok(());
            }
            std::thread::park_timeout(BUILD_LOOK);
            self.refresh()?;
        }
        Err(LakeError::OtherIndex)
    }

    /// Version of the sightings table that was applied last, to the generation that is being built if there is one;
    /// none when everything has to be applied.
    pub(crate) fn applied(&self) -> Option<u64> {
        if let Some(writer) = self.writer().as_ref() {
            return writer.applied;
        }
        self.shown()
    }

    /// The same of the generation that searches see.
    pub(crate) fn shown(&self) -> Option<u64> {
        let generation = self.generation()?;
        let (rows, touches) = (generation.payload().ok()?.version, generation.times.version());
        rows.max(touches)
    }

    /// Who works out what sightings say, as long as this index stands.
    pub(crate) fn sayer(&self) -> Result<Sayer, LakeError> {
        Ok(self.writer().as_ref().ok_or(LakeError::ReadOnly)?.payload.sayer)
    }

    /// Works out what applying these sightings will do. Holds until something else is applied.
    pub(crate) fn plan(&self, glances: Vec<Glance>, source: &dyn Source) -> Result<Plan, LakeError> {
        self.writer().as_mut().ok_or(LakeError::ReadOnly)?.plan(glances, source, false)
    }

    /// The same of all the sightings that there are of their services: what stands of those is replaced.
    pub(crate) fn plan_anew(&self, glances: Vec<Glance>, source: &dyn Source) -> Result<Plan, LakeError> {
        self.writer().as_mut().ok_or(LakeError::ReadOnly)?.plan(glances, source, true)
    }

    /// What [`Index::rebuild`] was told of the facts that this index was built from.
    pub(crate) fn identified(&self) -> Option<u64> {
        self.writer().as_ref().and_then(|writer| writer.payload.identified)
    }

    /// Applies what was planned, as one version or as a part of it that is not its last. Applied versions are passed
    /// over. `heed` is told what changed before anything of it counts.
    pub(crate) fn carry_out(
        &self,
        version: Option<u64>,
        plan: Plan,
        source: &dyn Source,
        heed: Option<&dyn Heed>,
    ) -> Result<(), LakeError> {
        let mut slot = self.writer();
        let writer = slot.as_mut().ok_or(LakeError::ReadOnly)?;
        if version.is_some() && writer.applied >= version {
            return Ok(());
        }
        let done = writer.carry_out(version, plan, source, heed);
        if done.is_err() {
            // Whatever was half done is known by what is on disk alone: so it is opened again.
            let number = writer.generation.number;
            let identified = writer.payload.identified;
            drop(slot.take());
            let mut again = Writer::open(&self.dir, number)?;
            again.payload.identified = identified;
            if self.generation().is_some_and(|shown| shown.number == number) {
                self.use_generation(Arc::clone(&again.generation));
            }
            *slot = Some(again);
        }
        done
    }

    /// Builds everything anew: `fill` applies all versions to a new generation, which is shown when `fill` is done.
    /// Until then, and for good when it fails or is killed, the old one is searched. `identified` says from which
    /// facts.
    pub(crate) fn rebuild(
        &self,
        identified: Option<u64>,
        fill: impl FnOnce() -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        if self.read_only {
            return Err(LakeError::ReadOnly);
        }
        let number = folder::unused(&self.dir);
        let mut fresh = Writer::open(&self.dir, number)?;
        fresh.payload.identified = identified;
        let generation = Arc::clone(&fresh.generation);
        let before = self.writer().replace(fresh);
        if let Err(error) = fill().and_then(|()| folder::make_current(&self.dir, number)) {
            *self.writer() = before;
            folder::remove(&self.dir, number);
            return Err(error);
        }
        self.use_generation(generation);
        drop(before);
        folder::remove_others(&self.dir, number);
        Ok(())
    }

    /// Forgets everything at once; nothing is applied then.
    pub(crate) fn clear(&self) -> Result<(), LakeError> {
        self.rebuild(None, || Ok(()))
    }

    /// Services in the index, closed and pretending ones too.
    pub(crate) fn count(&self) -> u64 {
        self.moment().ok().flatten().map_or(0, |moment| search::count(&moment))
    }

    fn use_generation(&self, generation: Arc<Generation>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(generation);
    }

    /// Looks at what another process wrote.
    fn refresh(&self) -> Result<(), LakeError> {
        let Some(number) = folder::current(&self.dir)? else { return Ok(()) };
        match self.generation().filter(|generation| generation.number == number) {
            Some(generation) => generation.reload(),
            None => {
                self.use_generation(Arc::new(Generation::open(&self.dir, number, false)?));
                Ok(())
            }
        }
    }

    /// The index as it stands; none while there is none to read.
    fn moment(&self) -> Result<Option<Moment>, LakeError> {
        // The generation may be replaced while it is being opened: then the next one is there.
        self.look().or_else(|error| if self.read_only { self.look() } else { Err(error) })
    }

    fn look(&self) -> Result<Option<Moment>, LakeError> {
        if self.read_only {
            self.refresh()?;
        }
        let Some(generation) = self.generation() else { return Ok(None) };
        let (searcher, times) = (generation.searcher(), generation.times.view()?);
        Ok(Some(Moment { generation, searcher, times }))
    }

    fn generation(&self) -> Option<Arc<Generation>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if let Some(writer) = self.writer().take().filter(|_| !std::thread::panicking()) {
            writer.close();
        }
    }
}
