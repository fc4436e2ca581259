//! One lake, several servers: who may write which addresses, and what keeps out who may no more.
//!
//! ```text
//!   Leases::hold(addresses) -> marks -> raise: each table's log says them -> refresh -> ... -> commit, if they still stand
//! ```
//!
//! - A [`Mark`] is a name and a number that only grows: the epoch of a lease. Before the first write under a lease the mark
//!   is written into the log of every table (a `txn` action of the Delta protocol). A commit of this server is an attempt to
//!   put the next version, and is made only when all versions before it say no greater number. So who lost a lease cannot
//!   commit after its successor has begun, whatever clocks, pauses and late packets do: the version is taken, and reading on
//!   shows the greater number.
//! - What the former holder committed before that, the successor has read before it looks what is stored already: nothing
//!   that was acknowledged is lost, and what is told to both is stored once.
//! - What takes rows away or replaces all facts is done by who holds every range. Merging files needs no mark: its commit
//!   names the files that it replaces.
//! - A replica keeps an index of its own of tables that others write, and writes none of them.
//!
//! Who gives leases is not known here: the binary wires [`Leases`] to a database.
//! At a hundred times the data nothing changes here: three small commits for each lease that is taken.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::durable;
use crate::error::LakeError;
use crate::lake::{Lake, LakeOptions};
use crate::lock::WriteLock;
use crate::table::store::Claim;
use crate::table::{DataFile, Table};

/// The epoch of a lease, as logs tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Of what.
    pub name: String,
    /// Greater than every number before.
    pub number: u64,
}

/// Who gives the right to write. Reasons are for people, and say which server to ask.
pub trait Leases: Send + Sync {
    /// Who writes this lake: the same for all its servers, and for no other.
    fn installation(&self) -> &str;

    /// The right to write these addresses, held or taken now; without addresses any right at all, so that who deletes
    /// anything has it to take over first.
    ///
    /// # Errors
    /// When another server has it, or nobody can be asked.
    fn hold(&self, addresses: &mut dyn Iterator<Item = IpAddr>) -> Result<Vec<Mark>, String>;

    /// The right to merge files, beside writers.
    ///
    /// # Errors
    /// As [`Leases::hold`].
    fn hold_whole(&self) -> Result<Vec<Mark>, String>;

    /// The right to everything: nobody else writes.
    ///
    /// # Errors
    /// As [`Leases::hold`].
    fn hold_all(&self) -> Result<Vec<Mark>, String>;

    /// Somebody else has what was held here: it must be asked for again.
    fn lost(&self);

    /// Hears how far the index is: the version of the sightings that it shows, and the newest known here.
    fn tell(&self, _applied: Option<u64>, _newest: Option<u64>) {}
}

/// How a process takes part in a lake.
pub(crate) enum Part {
    /// It is the only writer.
    Alone,
    /// It writes beside other servers.
    Shared(Shared),
    /// It follows what others write.
    Replica,
}

/// What a server of several holds.
pub(crate) struct Shared {
    leases: Arc<dyn Leases>,
    granted: Mutex<Vec<Mark>>,
}

impl Part {
    /// How the store is told who writes.
    pub(crate) fn claim(&self, read_only: bool) -> Claim {
        match self {
            Self::Alone if !read_only => Claim::Alone,
            Self::Shared(shared) => {
                Claim::Shared(format!("the servers of installation {}", shared.leases.installation()))
            }
            _ => Claim::Nothing,
        }
    }

    /// Whether it follows what others write, with an index of its own.
    pub(crate) const fn follows(&self) -> bool {
        matches!(self, Self::Replica)
    }

    const fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Shared(shared) => Some(shared),
            _ => None,
        }
    }
}

/// Which deletion of rows the index has seen, in its folder.
const DELETION: &str = "index/deletion";
/// The most bytes of that.
const MAX_DELETION_BYTES: u64 = 64;

impl Lake {
    /// Opens a lake for writing beside other servers: its tables are in a bucket, and the right to write comes from
    /// `leases`.
    ///
    /// # Errors
    /// As [`Lake::open`]; also when the tables are in this folder, which no other server reaches.
    pub fn open_shared(options: LakeOptions, leases: Arc<dyn Leases>) -> Result<Self, LakeError> {
        remote(&options)?;
        let part = Shared { leases, granted: Mutex::default() };
        Self::open_as(LakeOptions { read_only: false, ..options }, Part::Shared(part))
    }

    /// Opens a lake to follow what others write: its index is its own, its tables are read.
    ///
    /// # Errors
    /// As [`Lake::open`]; also when the tables are in this folder.
    pub fn open_replica(options: LakeOptions) -> Result<Self, LakeError> {
        remote(&options)?;
        Self::open_as(LakeOptions { read_only: true, ..options }, Part::Replica)
    }

    /// Brings the index of a replica up to what others committed; the version of the sightings that it shows then.
    ///
    /// # Errors
    /// When tables or index cannot be read; the next call goes on.
    pub fn follow(&self) -> Result<Option<u64>, LakeError> {
        let _one = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        self.see_what_others_did()?;
        Ok(self.applied())
    }

    /// The version of the sightings that the index shows: the newest known, when nothing after what was applied last has
    /// rows.
    pub fn applied(&self) -> Option<u64> {
        let (newest, shown) = (self.newest(), self.index.shown());
        let waits = |file: &DataFile| shown.is_none_or(|shown| file.newest() > shown);
        if self.sightings.files(waits).is_empty() { newest } else { shown }
    }

    /// The newest version of the sightings that is known here.
    pub fn newest(&self) -> Option<u64> {
        self.sightings.version()
    }

    /// Looks at the tables, and brings the index up to them; builds it anew where rows were taken away or all facts
    /// replaced.
    pub(crate) fn see_what_others_did(&self) -> Result<(), LakeError> {
        self.refresh()?;
        if self.is_alone() {
            return self.catch_up();
        }
        let deletion = self.sightings.noted(crate::erase::APPLICATION);
        let seen = self.seen_deletion()?;
        if self.index.applied().is_some() && deletion != seen {
            tracing::info!("rows were taken out of the tables: the index is built anew");
            self.build_index()?;
        } else {
            self.mend()?;
        }
        if deletion == seen { Ok(()) } else { self.note_deletion(deletion) }
    }

    /// After a look at sightings: their evidence was committed before them, and is known from here on.
    pub(crate) fn see_evidence_of_others(&self) -> Result<(), LakeError> {
        if self.is_alone() { Ok(()) } else { self.pieces.keyed.table.refresh() }
    }

    fn seen_deletion(&self) -> Result<Option<u64>, LakeError> {
        let read = durable::read(&self.deletion_path(), MAX_DELETION_BYTES)?;
        Ok(read.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()))
    }

    /// Notes that the index has seen this deletion.
    pub(crate) fn note_deletion(&self, version: Option<u64>) -> Result<(), LakeError> {
        let Some(version) = version.filter(|_| !self.is_alone()) else { return Ok(()) };
        durable::write(&self.deletion_path(), version.to_string().as_bytes())
    }

    fn deletion_path(&self) -> PathBuf {
        self.dir.join(DELETION)
    }

    /// The right to store these sightings, where the lake is shared. Must stand before what is stored already is asked.
    /// What has none, as the position of a campaign, stands on what was granted before: what another took over since is
    /// told by the logs.
    pub(crate) fn may_write(&self, addresses: &mut dyn Iterator<Item = IpAddr>) -> Result<(), LakeError> {
        let Some(shared) = self.part.shared() else { return Ok(()) };
        let mut addresses = addresses.peekable();
        if addresses.peek().is_none() && !self.marks().is_empty() {
            return Ok(());
        }
        let addresses: &mut dyn Iterator<Item = IpAddr> = &mut addresses;
        let marks = shared.leases.hold(addresses).map_err(|why| LakeError::NotOurs { why })?;
        self.grant(shared, marks)
    }

    /// The right to take rows away, or to replace all facts.
    pub(crate) fn may_rewrite(&self) -> Result<(), LakeError> {
        let Some(shared) = self.part.shared() else { return Ok(()) };
        let marks = shared.leases.hold_all().map_err(|why| LakeError::NotOurs { why })?;
        self.grant(shared, marks)
    }

    /// The right to merge files.
    pub(crate) fn may_merge(&self) -> Result<(), LakeError> {
        self.hold_whole().map(drop)
    }

    /// The right to replace all rows of a table that follows from the others; what its next commit stands on.
    pub(crate) fn may_derive(&self, table: &Table) -> Result<Vec<Mark>, LakeError> {
        let marks = self.hold_whole()?;
        self.heed_loss(table.raise(&marks, self.clock.now()))?;
        Ok(marks)
    }

    fn hold_whole(&self) -> Result<Vec<Mark>, LakeError> {
        let Some(shared) = self.part.shared() else { return Ok(Vec::new()) };
        shared.leases.hold_whole().map_err(|why| LakeError::NotOurs { why })
    }

    fn grant(&self, shared: &Shared, marks: Vec<Mark>) -> Result<(), LakeError> {
        let tables = [&self.pieces.keyed.table, &self.knowledge.keyed.table, &self.sightings];
        for table in tables {
            self.heed_loss(table.raise(&marks, self.clock.now()))?;
        }
        *shared.granted.lock().unwrap_or_else(PoisonError::into_inner) = marks;
        Ok(())
    }

    /// What every commit of this lake stands on; nothing where it is not shared.
    pub(crate) fn marks(&self) -> Vec<Mark> {
        let granted = |shared: &Shared| shared.granted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.part.shared().map(granted).unwrap_or_default()
    }

    /// Whether facts that are worked out may be stored: not by a replica, and not before a lease is held.
    pub(crate) fn may_keep_facts(&self) -> bool {
        match &self.part {
            Part::Alone => true,
            Part::Shared(_) => !self.marks().is_empty(),
            Part::Replica => false,
        }
    }

    /// Tells the other servers how far the index is.
    pub(crate) fn tell_progress(&self) {
        if let Some(shared) = self.part.shared() {
            shared.leases.tell(self.applied(), self.newest());
        }
    }

    /// Whether others committed sightings since the index was brought up to date, and before this version.
    pub(crate) fn is_crossed(&self, version: u64) -> bool {
        let applied = self.index.applied();
        let others = |newest: u64| newest < version && applied.is_none_or(|applied| newest > applied);
        self.part.shared().is_some() && !self.sightings.files(|file| others(file.newest())).is_empty()
    }

    /// Whether nobody else may write to these tables.
    pub(crate) const fn is_alone(&self) -> bool {
        matches!(self.part, Part::Alone)
    }

    /// Forgets what was held when a log shows that somebody else has it.
    pub(crate) fn heed_loss<T>(&self, done: Result<T, LakeError>) -> Result<T, LakeError> {
        if let (Err(LakeError::Fenced { .. }), Some(shared)) = (&done, self.part.shared()) {
            shared.leases.lost();
            shared.granted.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        done
    }
}

/// The lock of a replica: nobody else writes its index.
pub(crate) fn lock(options: &LakeOptions, part: &Part) -> Result<Option<WriteLock>, LakeError> {
    if !matches!(part, Part::Replica) {
        return Ok(None);
    }
    fs::create_dir_all(&options.dir).map_err(LakeError::io("creating", &options.dir))?;
    WriteLock::take(&options.dir).map(Some)
}

fn remote(options: &LakeOptions) -> Result<(), LakeError> {
    if crate::table::store::is_remote(&options.dir) {
        return Ok(());
    }
    let file = options.dir.join("lake.toml").display().to_string();
    let detail = "several servers share tables in a bucket: name it here with store = \"s3://…\"".to_owned();
    Err(LakeError::Settings { file, detail })
}

impl Table {
    /// Has the log say these marks, unless it says greater ones.
    pub(crate) fn raise(&self, marks: &[Mark], now: hinomi_model::Timestamp) -> Result<(), LakeError> {
        for _ in 0..crate::table::MAX_ATTEMPTS {
            let missing: Vec<_> = marks.iter().filter(|mark| self.noted(&mark.name) < Some(mark.number)).collect();
            if missing.is_empty() {
                return self.check_marks(marks);
            }
            if let Some(over) = marks.iter().find(|mark| self.noted(&mark.name) > Some(mark.number)) {
                return Err(self.fenced(over));
            }
            if self.put_marks(&missing, now)? {
                return Ok(());
            }
            self.refresh()?;
        }
        Err(LakeError::Overtaken { table: self.name().to_owned(), attempts: crate::table::MAX_ATTEMPTS })
    }

    /// Refuses when the log as it is known says others than these.
    pub(crate) fn check_marks(&self, marks: &[Mark]) -> Result<(), LakeError> {
        let other = marks.iter().find(|mark| self.noted(&mark.name) != Some(mark.number));
        other.map_or(Ok(()), |mark| Err(self.fenced(mark)))
    }

    fn fenced(&self, mark: &Mark) -> LakeError {
        let found = self.noted(&mark.name).map_or_else(|| "none".to_owned(), |number| number.to_string());
        LakeError::Fenced { table: self.name(), mark: mark.name.clone(), ours: mark.number, found }
    }
}
