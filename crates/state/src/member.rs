//! This process as one server of several: says that it is there, and keeps its leases.
//!
//! A thread renews what is held, three times in the time of a lease. Where it cannot (the database is away, the process was
//! stopped), the leases end here no later than there, since their time is counted from before each renewal was asked for;
//! the next need asks the database. Dropping a member gives everything back. At a hundred times the data: one small
//! transaction a third of a lease, one more when a range is written for the first time.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hinomi_model::{Clock, Timestamp};

use crate::database::Database;
use crate::error::StateError;
use crate::leases::{self, Lease, Taken};
use crate::ranges::{self, Range};
use crate::servers::{self, Progress, Work};

/// How often the cut may change between looking and taking.
const MAX_LOOKS: u32 = 5;

/// Who this server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name, which no other has.
    pub name: String,
    /// What only this state folder knows.
    pub instance: String,
    /// Where it is; may be empty.
    pub address: String,
    /// Its program and version.
    pub program: String,
    /// What it does.
    pub work: Work,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
}

/// This process among the servers of one installation.
pub struct Member {
    shared: Arc<Shared>,
    installation: String,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({:?})", self.shared.who)
    }
}

struct Shared {
    database: Database,
    who: Identity,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The ranges and under which cut; empty until they are first needed.
    ranges: Vec<Range>,
    cut: u64,
    held: BTreeMap<String, Held>,
    progress: Progress,
    ends: bool,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    lease: Lease,
    /// Until then it stands in the database for certain, by this machine's clock.
    until: Timestamp,
}

impl Member {
    /// Joins the servers of this database.
    ///
    /// # Errors
    /// When the database cannot be asked, or another state folder uses the name.
    pub fn join(database: Database, who: Identity, clock: Arc<dyn Clock>) -> Result<Self, StateError> {
        let installation = database.installation()?;
        database.transact(|transaction| servers::register(transaction, &who))?;
        let (state, changed) = Default::default();
        let shared = Arc::new(Shared { database, who, clock, state, changed });
        let of_thread = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("leases".to_owned()).spawn(move || of_thread.keep());
        let thread = spawned.map_err(|error| StateError::refused(format!("no thread for leases starts: {error}")))?;
        Ok(Self { shared, installation, thread: Some(thread) })
    }

    /// Which installation this is.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// The right to write these addresses: leases that are held, and those of free ranges, taken now.
    ///
    /// # Errors
    /// When another server holds one of the ranges; then none is taken. When the database cannot be asked.
    pub fn hold(&self, addresses: impl Iterator<Item = IpAddr>) -> Result<Vec<Lease>, StateError> {
        let addresses: Vec<IpAddr> = addresses.collect();
        self.shared.hold(&|ranges| {
            let mut wanted: Vec<_> = addresses.iter().map(|address| Some(range_of(ranges, *address))).collect();
            wanted.sort_unstable();
            wanted.dedup();
            wanted
        })
    }

    /// The right to work on the whole beside writers, as compaction does.
    ///
    /// # Errors
    /// As [`Member::hold`].
    pub fn hold_whole(&self) -> Result<Vec<Lease>, StateError> {
        self.shared.hold(&|_| vec![None])
    }

    /// Any right at all, which who asks for everything has to take over first: that to work on the whole, or where another
    /// has it, a range that is free.
    ///
    /// # Errors
    /// When others hold all of them, with who works on the whole; when the database cannot be asked.
    pub fn hold_any(&self) -> Result<Vec<Lease>, StateError> {
        let whole = self.hold_whole();
        if !matches!(whole, Err(StateError::Held { .. })) {
            return whole;
        }
        let mut ranges = self.ranges_held_first();
        let free = |range: Range| self.shared.hold(&|_| vec![Some(range)]).ok();
        ranges.find_map(free).map_or(whole, Ok)
    }

    fn ranges_held_first(&self) -> impl Iterator<Item = Range> + use<> {
        let state = self.shared.state();
        let mut ranges = state.ranges.clone();
        ranges.sort_by_key(|range| !state.held.contains_key(&leases::key(Some(*range))));
        ranges.into_iter()
    }

    /// The right to everything, so that nobody else writes.
    ///
    /// # Errors
    /// As [`Member::hold`].
    pub fn hold_all(&self) -> Result<Vec<Lease>, StateError> {
        self.shared.hold(&|ranges| ranges.iter().copied().map(Some).chain([None]).collect())
    }

    /// Gives everything back that is held.
    ///
    /// # Errors
    /// When the database cannot be asked; then the leases end by themselves.
    pub fn release(&self) -> Result<(), StateError> {
        let mut state = self.shared.state();
        let leases = state.leases();
        state.held.clear();
        let who = &self.shared.who.name;
        self.shared.database.transact(|transaction| leases::release(transaction, who, &leases))
    }

    /// Notes that the lake refused a lease as lost: it is asked for anew at the next need.
    pub fn forget_leases(&self) {
        self.shared.state().held.clear();
    }

    /// Says how far the index is, with the next word.
    pub fn tell(&self, progress: Progress) {
        self.shared.state().progress = progress;
    }

    /// Says now that this server is there, and how far its index is.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn tell_now(&self, progress: Progress) -> Result<(), StateError> {
        self.tell(progress);
        self.shared.renew()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.state().ends = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The range of an address: the last that does not begin behind it.
fn range_of(ranges: &[Range], address: IpAddr) -> Range {
    let at = ranges.partition_point(|range| range.first <= ranges::number(address));
    let found = at.checked_sub(1).and_then(|at| ranges.get(at)).copied();
    found.unwrap_or(Range { first: 0, last: u128::MAX })
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, wanted: &dyn Fn(&[Range]) -> Vec<Option<Range>>) -> Result<Vec<Lease>, StateError> {
        let mut state = self.state();
        for _ in 0..MAX_LOOKS {
            if state.ranges.is_empty() {
                self.look(&mut state)?;
            }
            let wanted = wanted(&state.ranges);
            let now = self.clock.now();
            let stands = |range: &Option<Range>| state.held.get(&leases::key(*range)).filter(|held| held.until > now);
            let missing: Vec<_> = wanted.iter().filter(|range| stands(range).is_none()).copied().collect();
            if missing.is_empty() {
                return Ok(wanted.iter().filter_map(|range| stands(range).map(|held| held.lease)).collect());
            }
            let (name, cut, lease) = (&self.who.name, state.cut, self.who.lease);
            let taken = self.database.transact(|transaction| leases::take(transaction, name, &missing, cut, lease))?;
            match taken {
                Taken::All(leases) => {
                    let until = now.plus(lease);
                    let each = leases.into_iter().map(|lease| (leases::key(lease.range), Held { lease, until }));
                    state.held.extend(each);
                }
                Taken::CutAnew => {
                    state.ranges.clear();
                    state.held.clear();
                }
            }
        }
        Err(StateError::refused("leases end sooner than they can be used; make lease_seconds greater"))
    }

    fn look(&self, state: &mut State) -> Result<(), StateError> {
        let (cut, rows) = self.database.transact(|transaction| {
            let cut = transaction.one("SELECT cut FROM installation", &[])?.integer(0)?;
            Ok((cut, transaction.query("SELECT first, last FROM ranges ORDER BY first", &[])?))
        })?;
        let ranges: Result<Vec<_>, _> = rows.iter().map(ranges::read).collect();
        state.ranges = ranges?.into_iter().flatten().collect();
        state.cut = u64::try_from(cut).unwrap_or(0);
        Ok(())
    }

    /// Until the member goes.
    fn keep(&self) {
        let (mut quiet, pause) = (true, self.who.lease / 3);
        loop {
            let state = self.state();
            let waited = self.changed.wait_timeout_while(state, pause, |state| !state.ends);
            let ends = waited.unwrap_or_else(PoisonError::into_inner).0.ends;
            if ends {
                break;
            }
            match self.renew() {
                Ok(()) => quiet = true,
                Err(error) if quiet => {
                    tracing::warn!(%error, "leases cannot be renewed; nothing is written when they have ended");
                    quiet = false;
                }
                Err(_) => {}
            }
        }
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "leases cannot be given back; they end by themselves");
        }
    }

    fn renew(&self) -> Result<(), StateError> {
        let (leases, progress) = {
            let state = self.state();
            (state.leases(), state.progress)
        };
        let asked = self.clock.now();
        let (who, lease) = (&self.who, self.who.lease);
        let stand = self.database.transact(|transaction| {
            servers::hear(transaction, who, progress, false)?;
            leases::renew(transaction, &who.name, &leases, lease)
        })?;
        let mut state = self.state();
        for (lease, stands) in leases.iter().zip(stand) {
            let key = leases::key(lease.range);
            // It may have been given back or taken anew meanwhile.
            let Some(held) = state.held.get_mut(&key).filter(|held| held.lease == *lease) else { continue };
            if stands {
                held.until = held.until.max(asked.plus(self.who.lease));
            } else {
                state.held.remove(&key);
            }
        }
        Ok(())
    }

    fn leave(&self) -> Result<(), StateError> {
        let (leases, progress) = {
            let state = self.state();
            (state.leases(), state.progress)
        };
        self.database.transact(|transaction| {
            servers::hear(transaction, &self.who, progress, true)?;
            leases::release(transaction, &self.who.name, &leases)
        })
    }
}

impl State {
    fn leases(&self) -> Vec<Lease> {
        self.held.values().map(|held| held.lease).collect()
    }
}
