//! What both engines must do alike. Each test runs on both.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_state::{Cut, Database, Identity, Member, Progress, StateError, Target, Value, Work};

use crate::cluster::Cluster;

/// Does the same on a file and on a server.
pub(crate) fn on_both(work: impl Fn(&Target)) {
    let folder = tempfile::tempdir().unwrap();
    work(&Target::Sqlite(folder.path().join("state.sqlite")));
    let Some(cluster) = Cluster::start() else { return };
    work(&Target::read(&cluster.url(), Path::new("/"), None, None).unwrap());
}

const LONG: Duration = Duration::from_secs(600);

fn identity(name: &str, lease: Duration) -> Identity {
    Identity {
        name: name.to_owned(),
        instance: format!("folder of {name}"),
        address: format!("http://{name}.example"),
        program: "hinomi 0".to_owned(),
        work: Work::Writer,
        lease,
    }
}

fn join(target: &Target, name: &str, lease: Duration) -> Member {
    Member::join(Database::open(target).unwrap(), identity(name, lease), Arc::new(SystemClock)).unwrap()
}

/// A clock that stands still until it is moved: what a stopped process sees.
#[derive(Debug, Default)]
struct Frozen(AtomicI64);

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

fn at(address: &str) -> impl Iterator<Item = std::net::IpAddr> {
    std::iter::once(address.parse().unwrap())
}

/// Asks until it is given; that it is given at last is what is tested, not when.
fn until_held(member: &Member, address: &str) -> u64 {
    loop {
        match member.hold(at(address)) {
            Ok(leases) => return leases[0].epoch,
            Err(StateError::Held { .. }) => std::thread::park_timeout(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn it_is_opened_asked_and_dropped_inside_a_runtime() {
    on_both(|target| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (first, second) = runtime.block_on(async {
            let database = Database::open(target).unwrap();
            let first = database.installation().unwrap();
            drop(database);
            // Another, which a member's thread holds too.
            let member = join(target, "inside", LONG);
            (first, member.installation().to_owned())
        });
        assert_eq!(first, second);
    });
}

#[test]
fn any_right_is_that_to_the_whole_or_what_is_free() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database.cut(&Cut::parts(2).unwrap()).unwrap();
        let (a, b) = (join(target, "a", LONG), join(target, "b", LONG));
        assert_eq!(a.hold_any().unwrap()[0].range, None);
        a.hold(at("10.0.0.1")).unwrap();
        b.hold(at("198.51.100.1")).unwrap();
        let any = b.hold_any().unwrap();
        assert!(any[0].range.is_some() && any == b.hold(at("198.51.100.1")).unwrap(), "what it holds already");
    });
}

#[test]
fn values_come_back_as_they_went() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let all = [
            Value::Null,
            Value::Integer(i64::MIN),
            Value::Integer(i64::MAX),
            Value::Text("'; DROP TABLE ranges; -- 日本 $1 {now}".to_owned()),
            Value::Bytes((0..=255).collect()),
        ];
        let rows = database.transact(|transaction| {
            transaction.execute("CREATE TABLE t (id {serial}, a BIGINT, b TEXT, c {bytes})", &[])?;
            for value in &all {
                let of = |wanted: bool| if wanted { value.clone() } else { Value::Null };
                let values = [
                    of(matches!(value, Value::Integer(_))),
                    of(matches!(value, Value::Text(_))),
                    of(matches!(value, Value::Bytes(_))),
                ];
                transaction.execute("INSERT INTO t (a, b, c) VALUES ($1, $2, $3)", &values)?;
            }
            transaction.query("SELECT id, a, b, c FROM t WHERE id <= $1 ORDER BY id", &[5.into()])
        });
        let rows = rows.unwrap();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0].optional_integer(1).unwrap(), None);
        assert_eq!((rows[1].integer(1).unwrap(), rows[2].integer(1).unwrap()), (i64::MIN, i64::MAX));
        assert_eq!(Value::from(rows[3].text(2).unwrap()), all[3]);
        assert_eq!(Value::from(rows[4].bytes(3).unwrap()), all[4]);
        assert!(rows[4].text(3).is_err() && rows[0].integer(9).is_err());
    });
}

#[test]
fn a_step_happens_whole_or_not_at_all() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database.transact(|transaction| transaction.execute("CREATE TABLE t (a BIGINT PRIMARY KEY)", &[])).unwrap();
        let refused: Result<(), _> = database.transact(|transaction| {
            transaction.execute("INSERT INTO t (a) VALUES ($1)", &[1.into()])?;
            Err(StateError::Refused { detail: "thought better of it".to_owned() })
        });
        assert!(matches!(refused, Err(StateError::Refused { .. })));
        // A statement that fails ends the step, whatever is made of it.
        let failed = database.transact(|transaction| {
            transaction.execute("INSERT INTO t (a) VALUES ($1)", &[2.into()])?;
            drop(transaction.execute("INSERT INTO nowhere (a) VALUES (1)", &[]));
            Ok(())
        });
        assert!(matches!(failed, Err(StateError::Database { .. })), "{failed:?}");
        let count = database.transact(|transaction| transaction.one("SELECT COUNT(*) FROM t", &[])?.integer(0));
        assert_eq!(count.unwrap(), 0);
    });
}

#[test]
fn many_that_read_and_write_at_once_count_right() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database
            .transact(|transaction| {
                transaction.execute("CREATE TABLE t (a BIGINT)", &[])?;
                transaction.execute("INSERT INTO t (a) VALUES (0)", &[])
            })
            .unwrap();
        let add = || {
            let step = database.transact(|transaction| {
                let before = transaction.one("SELECT a FROM t", &[])?.integer(0)?;
                transaction.execute("UPDATE t SET a = $1", &[(before + 1).into()])
            });
            // Told to try again is an answer too.
            u64::from(match step {
                Ok(_) => true,
                Err(StateError::Busy { .. }) => false,
                Err(error) => panic!("{error}"),
            })
        };
        let done: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| (0..5).map(|_| add()).sum::<u64>())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let count = database.transact(|transaction| transaction.one("SELECT a FROM t", &[])?.integer(0)).unwrap();
        assert_eq!(u64::try_from(count).unwrap(), done);
        assert!(done > 0);
    });
}

#[test]
fn a_newer_schema_is_refused_and_an_old_one_brought_up_once() {
    on_both(|target| {
        let opened: Vec<_> = std::thread::scope(|scope| {
            let opening: Vec<_> = (0..8).map(|_| scope.spawn(|| Database::open(target))).collect();
            opening.into_iter().map(|one| one.join().unwrap().unwrap()).collect()
        });
        let ids: std::collections::BTreeSet<_> = opened.iter().map(|one| one.installation().unwrap()).collect();
        assert_eq!(ids.len(), 1, "eight that start at once make one installation");
        let newer = "INSERT INTO hinomi_schema (step, applied) VALUES (99, 0)";
        opened[0].transact(|transaction| transaction.execute(newer, &[])).unwrap();
        let refused = Database::open(target).unwrap_err();
        assert!(matches!(refused, StateError::TooNew { found: 99, .. }), "{refused}");
        assert!(refused.to_string().contains("use a newer hinomi"));
    });
}

#[test]
fn a_range_has_one_holder_and_who_asks_is_told_which() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database.cut(&Cut::parts(2).unwrap()).unwrap();
        let (a, b) = (join(target, "a", LONG), join(target, "b", LONG));
        let of_a = a.hold(at("10.0.0.1")).unwrap();
        assert_eq!(a.hold(at("10.0.0.2")).unwrap(), of_a, "held is held");
        let error = b.hold(at("10.0.0.1")).unwrap_err().to_string();
        assert!(error.contains("server a at http://a.example") && error.contains("127.255.255.255"), "{error}");
        let of_b = b.hold(at("200.0.0.1")).unwrap();
        assert!(of_b[0].epoch > of_a[0].epoch);
        // All or nothing: what is free of it stays free.
        assert!(b.hold(at("2001:db8::1").chain(at("10.0.0.1"))).is_err());
        a.hold(at("2001:db8::1")).unwrap();
        // Beside writers, but alone among those that keep.
        b.hold_whole().unwrap();
        assert!(a.hold_whole().is_err() && a.hold_all().is_err());
        let held: Vec<_> = database.ranges().unwrap().into_iter().filter_map(|one| one.holder).collect();
        assert_eq!(held.len(), 4, "{held:?}");
        assert!(database.cut(&Cut::whole()).is_err(), "not while ranges are held");
        drop(a);
        assert!(until_held(&b, "10.0.0.1") > of_a[0].epoch, "given back at the end");
        b.release().unwrap();
        database.cut(&Cut::whole()).unwrap();
        assert_eq!(b.hold(at("10.0.0.1")).unwrap()[0].range.unwrap().to_string(), "all addresses");
    });
}

#[test]
fn a_lease_that_is_not_renewed_ends_by_the_databases_clock() {
    on_both(|target| {
        // Its own clock stands still, so that it believes to hold for ever.
        let clock = Arc::new(Frozen::default());
        let database = Database::open(target).unwrap();
        let stopped = Member::join(database.clone(), identity("stopped", LONG), clock.clone()).unwrap();
        let first = stopped.hold(at("10.0.0.1")).unwrap()[0];
        assert_eq!(stopped.hold(at("10.0.0.1")).unwrap()[0], first);
        // As after a long stop: its lease has ended.
        database.transact(|transaction| transaction.execute("UPDATE ranges SET expires = 1", &[])).unwrap();
        let other = join(target, "other", LONG);
        let epoch = until_held(&other, "10.0.0.1");
        assert!(epoch > first.epoch);
        // It wakes: what it held is gone, at the latest when it asks.
        clock.0.store(i64::MAX / 2, Ordering::Relaxed);
        assert!(matches!(stopped.hold(at("10.0.0.1")), Err(StateError::Held { .. })));
        drop(stopped);
        assert_eq!(other.hold(at("10.0.0.1")).unwrap()[0].epoch, epoch, "who lost it gives back nothing of others");
    });
}

#[test]
fn a_database_put_back_from_a_copy_gives_no_epoch_twice() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let a = join(target, "a", LONG);
        let before = a.hold(at("10.0.0.1")).unwrap()[0];
        a.release().unwrap();
        let old = "UPDATE installation SET epoch = 0, cut = 0";
        database.transact(|transaction| transaction.execute(old, &[])).unwrap();
        database.cut(&Cut::whole()).unwrap();
        let after = a.hold(at("10.0.0.1")).unwrap()[0];
        assert!(after.epoch > before.epoch && after.cut > before.cut, "{before:?} {after:?}");
    });
}

#[test]
fn a_lease_is_renewed_as_long_as_its_member_lives() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let lease = Duration::from_millis(600);
        let a = join(target, "a", lease);
        let epoch = a.hold(at("10.0.0.1")).unwrap()[0].epoch;
        let expires = || {
            let sql = "SELECT MAX(expires) FROM ranges";
            database.transact(|transaction| transaction.one(sql, &[])?.integer(0)).unwrap()
        };
        let first = expires();
        while expires() < first + 700_000 {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert_eq!(database.ranges().unwrap()[0].epoch.unsigned_abs(), epoch);
    });
}

#[test]
fn servers_are_listed_and_no_two_have_one_name() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let a = join(target, "a", LONG);
        a.tell_now(Progress { applied: Some(3), newest: Some(5) }).unwrap();
        let twin = Identity { instance: "another folder".to_owned(), ..identity("a", LONG) };
        let refused = Member::join(database.clone(), twin, Arc::new(SystemClock)).unwrap_err();
        assert!(refused.to_string().contains("another state folder is server a"), "{refused}");
        let replica = Identity { work: Work::Replica, ..identity("a", LONG) };
        let replica = Member::join(database.clone(), replica, Arc::new(SystemClock)).unwrap();
        let servers = database.servers().unwrap();
        assert_eq!(servers.iter().map(|one| one.work.as_str()).collect::<Vec<_>>(), ["replica", "writer"]);
        assert_eq!(servers[1].progress, Progress { applied: Some(3), newest: Some(5) });
        a.hold(at("10.0.0.1")).unwrap();
        assert!(database.forget("a").is_err(), "it holds a range");
        drop((a, replica));
        assert!(database.servers().unwrap().iter().all(|one| one.gone));
        assert!(database.forget("a").unwrap() && !database.forget("a").unwrap());
    });
}
