//! One blocking interface over both engines.
//!
//! Invariants: a transaction happens whole or not at all, and as if alone (`SERIALIZABLE`, `BEGIN IMMEDIATE`); one that
//! crossed another is done again, at most [`MAX_ATTEMPTS`] times; at most [`MAX_CONNECTIONS`] connections stand, each
//! statement ends after [`PATIENCE`]. A connection that broke is not used again: the next need makes another, so that the
//! database may go and come back. At a hundred times the data nothing changes here.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::dialect::Dialect;
use crate::error::{Fault, FaultKind, StateError};
use crate::postgres::Postgres;
use crate::settings::Target;
use crate::sqlite::Sqlite;
use crate::value::{Row, Value};

/// The most connections of one process.
pub(crate) const MAX_CONNECTIONS: usize = 4;
/// How long a statement, a connection being made, or a wait for one may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The most rows of an answer.
pub(crate) const MAX_ROWS: usize = 1 << 20;
/// How often a transaction is done again because it crossed another, or found its connection broken.
const MAX_ATTEMPTS: u32 = 20;
/// How much longer is waited after each attempt.
const PAUSE: Duration = Duration::from_millis(5);

/// One connection to an engine.
pub(crate) trait Session: Send {
    /// How this engine speaks.
    fn dialect(&self) -> &'static Dialect;
    /// Begins a transaction that others cannot cross.
    fn begin(&mut self) -> Result<(), Fault>;
    /// Before a transaction, so that it sees what the others did: waits until nobody else changes the schema.
    fn lock_schema(&mut self) -> Result<(), Fault>;
    /// After it.
    fn unlock_schema(&mut self) -> Result<(), Fault>;
    /// Several statements, in this engine's words.
    fn batch(&mut self, sql: &str) -> Result<(), Fault>;
    /// One statement; how many rows it changed.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault>;
    /// One question.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault>;
    /// Whether it may serve again.
    fn is_usable(&mut self) -> bool;
}

/// The state, open. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
    place: String,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Box<dyn Session>>,
    lent: usize,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.shared.place)
    }
}

impl Database {
    /// Opens the state and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be reached, or was written by a newer version.
    pub fn open(target: &Target) -> Result<Self, StateError> {
        let (pool, returned) = Default::default();
        let shared = Shared { target: target.clone(), place: target.place(), pool, returned };
        let database = Self { shared: Arc::new(shared) };
        crate::migrate::bring_up(&database)?;
        Ok(database)
    }

    /// Where it is, for people; never with a password.
    pub fn place(&self) -> &str {
        &self.shared.place
    }

    /// Does something as one step. `work` may run several times; nothing of a run that failed stays.
    ///
    /// # Errors
    /// What `work` says, or what keeps the database from doing it.
    pub fn transact<T: Send>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, StateError> + Sync,
    ) -> Result<T, StateError> {
        self.run(Step::Rows, work)
    }

    /// The same for what changes the schema: one process at a time.
    pub(crate) fn transact_schema<T: Send>(
        &self,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, StateError> + Sync,
    ) -> Result<T, StateError> {
        self.run(Step::Schema, work)
    }

    fn run<T: Send>(
        &self,
        step: Step,
        work: impl Fn(&mut Transaction<'_>) -> Result<T, StateError> + Sync,
    ) -> Result<T, StateError> {
        // In a thread of its own, since a caller inside an asynchronous runtime may not block on another one.
        std::thread::scope(|scope| {
            let handle = scope.spawn(|| self.attempts(step, &work));
            handle.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause))
        })
    }

    fn attempts<T>(
        &self,
        step: Step,
        work: &dyn Fn(&mut Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut last = Fault::new(FaultKind::Conflict, "nothing was tried");
        for attempt in 0..MAX_ATTEMPTS {
            let mut session = self.borrow()?;
            let done = locked(session.as_mut(), step, work);
            let usable =
                !matches!(&done, Err(Failed::Engine(fault) | Failed::Final(fault)) if fault.kind == FaultKind::Lost);
            self.give_back(session, usable);
            match done {
                Ok(done) => return Ok(done),
                Err(Failed::Work(error)) => return Err(error),
                Err(Failed::Final(fault)) if fault.kind == FaultKind::Lost => {
                    return Err(StateError::Unsure { place: self.shared.place.clone(), why: fault.why });
                }
                Err(Failed::Engine(fault) | Failed::Final(fault)) if fault.kind == FaultKind::Refused => {
                    return Err(StateError::Database { place: self.shared.place.clone(), why: fault.why });
                }
                Err(Failed::Engine(fault) | Failed::Final(fault)) => last = fault,
            }
            std::thread::park_timeout(PAUSE * attempt);
        }
        let (place, why) = (self.shared.place.clone(), last.why);
        Err(if last.kind == FaultKind::Lost {
            StateError::Unreachable { place, why }
        } else {
            StateError::Busy { place, why }
        })
    }

    fn borrow(&self) -> Result<Box<dyn Session>, StateError> {
        let full = |pool: &mut Pool| pool.lent >= MAX_CONNECTIONS;
        let pool = self.shared.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.returned.wait_timeout_while(pool, PATIENCE, full);
        let (mut pool, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let why = format!("all {MAX_CONNECTIONS} connections stayed in use");
            return Err(StateError::Busy { place: self.shared.place.clone(), why });
        }
        pool.lent += 1;
        let idle = pool.idle.pop();
        drop(pool);
        if let Some(session) = idle {
            return Ok(session);
        }
        connect_patiently(&self.shared.target).map_err(|fault| {
            self.return_seat(None);
            let (place, why) = (self.shared.place.clone(), fault.why);
            match fault.kind {
                FaultKind::Conflict => StateError::Busy { place, why },
                _ => StateError::Unreachable { place, why },
            }
        })
    }

    fn give_back(&self, mut session: Box<dyn Session>, usable: bool) {
        let kept = usable && session.is_usable();
        self.return_seat(kept.then_some(session));
    }

    fn return_seat(&self, session: Option<Box<dyn Session>>) {
        let mut pool = self.shared.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.lent = pool.lent.saturating_sub(1);
        pool.idle.extend(session);
        drop(pool);
        self.shared.returned.notify_one();
    }
}

/// Connects; again where others were in the way, as they are while several make one file.
fn connect_patiently(target: &Target) -> Result<Box<dyn Session>, Fault> {
    let mut done = connect(target);
    for attempt in 1..MAX_ATTEMPTS {
        if !matches!(&done, Err(fault) if fault.kind == FaultKind::Conflict) {
            break;
        }
        std::thread::park_timeout(PAUSE * attempt);
        done = connect(target);
    }
    done
}

fn connect(target: &Target) -> Result<Box<dyn Session>, Fault> {
    Ok(match target {
        Target::Sqlite(path) => Box::new(Sqlite::open(path)?),
        Target::Postgres(target) => Box::new(Postgres::connect(target)?),
    })
}

/// Where an attempt failed.
enum Failed {
    /// In what was asked for: it is not tried again.
    Work(StateError),
    /// In the engine, before anything was final.
    Engine(Fault),
    /// While it was made final.
    Final(Fault),
}

/// What a transaction is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Rows,
    Schema,
}

fn locked<T>(
    session: &mut dyn Session,
    step: Step,
    work: &dyn Fn(&mut Transaction<'_>) -> Result<T, StateError>,
) -> Result<T, Failed> {
    if step == Step::Rows {
        return once(session, work);
    }
    session.lock_schema().map_err(Failed::Engine)?;
    let done = once(session, work);
    session.unlock_schema().map_err(Failed::Engine)?;
    done
}

fn once<T>(
    session: &mut dyn Session,
    work: &dyn Fn(&mut Transaction<'_>) -> Result<T, StateError>,
) -> Result<T, Failed> {
    session.begin().map_err(Failed::Engine)?;
    let mut transaction = Transaction { session, fault: None };
    let done = work(&mut transaction);
    let fault = transaction.fault.take();
    match (done, fault) {
        (_, Some(fault)) => {
            // What cannot be rolled back is a connection that is not used again.
            drop(session.batch("ROLLBACK"));
            Err(Failed::Engine(fault))
        }
        (Err(error), None) => {
            drop(session.batch("ROLLBACK"));
            Err(Failed::Work(error))
        }
        (Ok(done), None) => session.batch("COMMIT").map(|()| done).map_err(Failed::Final),
    }
}

/// One step that happens whole or not at all.
pub struct Transaction<'a> {
    session: &'a mut dyn Session,
    fault: Option<Fault>,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}

impl Transaction<'_> {
    /// One statement; how many rows it changed.
    ///
    /// # Errors
    /// When the database refuses; the transaction is over then.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StateError> {
        can_be_kept(values)?;
        let said = self.session.dialect().say(sql);
        let done = self.session.execute(&said, values);
        self.note(done)
    }

    /// One question.
    ///
    /// # Errors
    /// When the database refuses; the transaction is over then.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StateError> {
        can_be_kept(values)?;
        let said = self.session.dialect().say(sql);
        let found = self.session.query(&said, values);
        self.note(found)
    }

    /// A question with one row for an answer.
    ///
    /// # Errors
    /// When there is none, or the database refuses.
    pub fn one(&mut self, sql: &str, values: &[Value]) -> Result<Row, StateError> {
        let rows = self.query(sql, values)?;
        rows.into_iter().next().ok_or_else(|| StateError::damaged(format!("no row answers {sql:?}")))
    }

    /// Several statements without values.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StateError> {
        let said = self.session.dialect().say(sql);
        let done = self.session.batch(&said);
        self.note(done)
    }

    /// Keeps a failure, so that the whole is done again or given up, whatever the caller makes of it.
    fn note<T>(&mut self, done: Result<T, Fault>) -> Result<T, StateError> {
        done.map_err(|fault| {
            let why = fault.why.clone();
            self.fault.get_or_insert(fault);
            StateError::Database { place: String::new(), why }
        })
    }
}

/// PostgreSQL has no NUL in texts: neither has SQLite here, so that both answer alike.
fn can_be_kept(values: &[Value]) -> Result<(), StateError> {
    match values.iter().any(|value| matches!(value, Value::Text(text) if text.contains('\0'))) {
        true => Err(StateError::refused("a text holds a NUL character, which nothing here does")),
        false => Ok(()),
    }
}
