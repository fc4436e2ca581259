//! What only a server has: it goes away and comes back, asks for passwords, speaks TLS.

use std::path::Path;

use hinomi_state::{Database, StateError, Target};

use crate::cluster::Cluster;

fn open(url: &str, password: Option<&str>, ca: Option<&str>) -> Result<Database, StateError> {
    Database::open(&Target::read(url, Path::new("/"), password.map(str::to_owned), ca.map(Into::into)).unwrap())
}

#[test]
fn a_server_that_went_away_is_used_again_when_it_is_back() {
    let Some(cluster) = Cluster::start() else { return };
    let database = open(&cluster.url(), None, None).unwrap();
    let id = database.installation().unwrap();
    cluster.stop();
    let error = database.installation().unwrap_err();
    assert!(matches!(error, StateError::Unreachable { .. }), "{error}");
    cluster.go();
    assert_eq!(database.installation().unwrap(), id, "the first asking after it came back is answered");
}

#[test]
fn a_line_that_breaks_inside_a_step_does_the_step_again() {
    let Some(cluster) = Cluster::start() else { return };
    let database = open(&cluster.url(), None, None).unwrap();
    let other = open(&cluster.url(), None, None).unwrap();
    let runs = std::sync::atomic::AtomicU32::new(0);
    let counted = database.transact(|transaction| {
        transaction.execute("UPDATE installation SET epoch = epoch + 1", &[])?;
        if runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            // From outside, as an administrator would.
            let kill = "SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'hinomi' AND pid <> pg_backend_pid()) t";
            other.transact(|transaction| transaction.query(kill, &[])).unwrap();
        }
        transaction.one("SELECT epoch FROM installation", &[])?.integer(0)
    });
    assert_eq!((counted.unwrap(), runs.into_inner()), (1, 2), "done twice, counted once");
}

#[test]
fn a_password_is_asked_for_and_never_told() {
    let Some(cluster) = Cluster::start() else { return };
    let database = open(&cluster.url(), None, None).unwrap();
    database.transact(|transaction| transaction.execute("ALTER ROLE hinomi PASSWORD 'right word'", &[])).unwrap();
    cluster.write("data/pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n", 0o600);
    cluster.reload();
    let url = cluster.tcp_url("127.0.0.1");
    // The server reads its settings a moment later.
    let mut refused = open(&url, Some("wrong word"), None);
    while refused.is_ok() {
        refused = open(&url, Some("wrong word"), None);
    }
    let error = refused.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("wrong word"), "{error}");
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    open(&url, Some("right word"), None).unwrap();
}

#[test]
fn a_role_that_may_only_change_rows_can_start() {
    let Some(cluster) = Cluster::start() else { return };
    let owner = open(&cluster.url(), None, None).unwrap();
    for grant in [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "CREATE ROLE clerk LOGIN",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
    ] {
        owner.transact(|transaction| transaction.execute(grant, &[])).unwrap();
    }
    let clerk = open(&cluster.url().replace("hinomi@", "clerk@"), None, None).unwrap();
    assert_eq!(clerk.installation().unwrap(), owner.installation().unwrap());
    let made = clerk.transact(|transaction| transaction.execute("CREATE TABLE t (a BIGINT)", &[]));
    assert!(made.unwrap_err().to_string().contains("permission denied"));
}

#[test]
fn a_wait_for_what_another_holds_is_told_as_busy() {
    let Some(cluster) = Cluster::start() else { return };
    let database = open(&cluster.url(), None, None).unwrap();
    // As the server ends a statement that takes too long, by a shorter time of the statement's own.
    let runs = std::sync::atomic::AtomicU32::new(0);
    let done = database.transact(|transaction| {
        if runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            transaction.execute("SET LOCAL statement_timeout = '1ms'", &[])?;
            transaction.query("SELECT CAST(pg_sleep(60) AS TEXT)", &[])?;
        }
        transaction.one("SELECT epoch FROM installation", &[])?.integer(0)
    });
    assert_eq!((done.unwrap(), runs.into_inner()), (0, 2), "ended by the server, done again");
}

fn pem(what: &str, der: &[u8]) -> String {
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", data_encoding::BASE64.encode(der))
}

#[test]
fn tls_proves_who_the_server_is() {
    let Some(mut cluster) = Cluster::start() else { return };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    cluster.write("data/server.crt", &pem("CERTIFICATE", made.cert.der()), 0o600);
    cluster.write("data/server.key", &pem("PRIVATE KEY", &made.signing_key.serialize_der()), 0o600);
    cluster.write("other.crt", &pem("CERTIFICATE", other.cert.der()), 0o644);
    cluster.write("ca.crt", &pem("CERTIFICATE", made.cert.der()), 0o644);
    cluster.write("data/postgresql.auto.conf", "ssl = on\nfsync = off\n", 0o600);
    cluster.write("data/pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n", 0o600);
    cluster.stop();
    cluster.go_anywhere();
    let (url, ca) = (cluster.tcp_url("localhost"), cluster.path("ca.crt"));
    let wanted = format!("{url}?sslmode=require");
    let database = open(&wanted, None, Some(&ca)).unwrap();
    let used = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
    let version = database.transact(|transaction| Ok(transaction.one(used, &[])?.text(0)?.to_owned())).unwrap();
    assert_eq!(version, "TLSv1.3");
    assert!(open(&url, None, Some(&ca)).is_err(), "the server takes nothing in the clear");
    let error = open(&wanted, None, Some(&cluster.path("other.crt"))).unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    let elsewhere = format!("{}?sslmode=require", cluster.tcp_url("127.0.0.1"));
    assert!(open(&elsewhere, None, Some(&ca)).is_err(), "another name than the certificate's");
}
