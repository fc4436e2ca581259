//! This process among the servers of one lake: leases from the state database, given to the lake; replicas that follow.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use hinomi_lake::Lake;
use hinomi_lake::shared::{Leases, Mark};
use hinomi_model::SystemClock;
use hinomi_state::{Database, Identity, Lease, Member, Progress, Settings, StateError, Work};

/// What tells this state folder from others, in the folder.
const INSTANCE: &str = "server.id";
/// The marks of leases in the lake's logs; ranges are followed by their first address.
const RANGE: &str = "hinomi.range.";
const KEEPER: &str = "hinomi.keeper";
const CUT: &str = "hinomi.cut";

/// Joins the servers that the state folder's settings name; none where it is alone.
pub(crate) fn join(dir: &Path, work: Work) -> Result<Option<Member>> {
    let Settings { target, server } = Settings::of_state(dir)?;
    let Some(server) = server else { return Ok(None) };
    let who = Identity {
        name: server.name,
        instance: instance(dir)?,
        address: server.address,
        program: concat!("hinomi ", env!("CARGO_PKG_VERSION")).to_owned(),
        work,
        lease: server.lease,
    };
    Ok(Some(Member::join(Database::open(&target)?, who, Arc::new(SystemClock))?))
}

/// What only this state folder knows; made at the first need.
pub(crate) fn instance(dir: &Path) -> Result<String> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the state folder {}", dir.display()))?;
    let path = dir.join(INSTANCE);
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().chars().take(64).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    // The keys of this hasher are the system's own randomness.
    let part = || RandomState::new().build_hasher().finish();
    let text = format!("{:016x}{:016x}", part(), part());
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(text)
}

/// Leases of the state database, as the lake asks for them.
pub(crate) struct FromState(Member);

impl FromState {
    pub(crate) const fn new(member: Member) -> Self {
        Self(member)
    }
}

impl Leases for FromState {
    fn installation(&self) -> &str {
        self.0.installation()
    }

    fn hold(&self, addresses: &mut dyn Iterator<Item = IpAddr>) -> Result<Vec<Mark>, String> {
        let addresses: Vec<_> = addresses.collect();
        marks(if addresses.is_empty() { self.0.hold_any() } else { self.0.hold(addresses.into_iter()) })
    }

    fn hold_whole(&self) -> Result<Vec<Mark>, String> {
        marks(self.0.hold_whole())
    }

    fn hold_all(&self) -> Result<Vec<Mark>, String> {
        marks(self.0.hold_all())
    }

    fn lost(&self) {
        self.0.forget_leases();
    }

    fn tell(&self, applied: Option<u64>, newest: Option<u64>) {
        self.0.tell(Progress { applied, newest });
    }
}

/// What the logs say of these leases: the epoch of each, and the cut that they belong to.
fn marks(leases: Result<Vec<Lease>, StateError>) -> Result<Vec<Mark>, String> {
    let leases = leases.map_err(|error| error.to_string())?;
    let cut = leases.first().map(|lease| Mark { name: CUT.to_owned(), number: lease.cut });
    let mark = |lease: &Lease| {
        let name = lease.range.map_or_else(|| KEEPER.to_owned(), |range| format!("{RANGE}{:032x}", range.first));
        Mark { name, number: lease.epoch }
    };
    Ok(cut.into_iter().chain(leases.iter().map(mark)).collect())
}

/// A thread that keeps a replica's index up to what others write; it ends when this is dropped.
pub(crate) struct Follower {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Looks so often.
    pub(crate) fn start(lake: Arc<Lake>, member: Option<Member>, every: Duration) -> Result<Self> {
        let (stop, stopped) = channel();
        let spawned = std::thread::Builder::new().name("replica".to_owned()).spawn(move || {
            let mut quiet = true;
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                quiet = look(&lake, member.as_ref(), quiet);
            }
        });
        let thread = spawned.context("no thread for the replica starts")?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// One look; failures are told once until it works again.
fn look(lake: &Lake, member: Option<&Member>, quiet: bool) -> bool {
    let before = lake.applied();
    let followed = lake.follow().map_err(anyhow::Error::from).and_then(|applied| {
        let progress = Progress { applied, newest: lake.newest() };
        // A word by itself only when there is news; otherwise with the next.
        match member {
            Some(member) if applied != before => member.tell_now(progress).map_err(anyhow::Error::from),
            Some(member) => {
                member.tell(progress);
                Ok(())
            }
            None => Ok(()),
        }
    });
    match followed {
        Ok(()) => true,
        Err(error) => {
            if quiet {
                tracing::warn!(error = format!("{error:#}"), "the replica cannot follow; it answers from what it has");
            }
            false
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
