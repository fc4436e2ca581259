//! Other engines read the tables without our code: DuckDB and delta-rs, from Python.

use std::path::Path;
use std::process::Command;

use hinomi_model::{Outcome, Sink};
use serde_json::{Value, json};

use crate::support::{batch, open, services, sighting, stand_aside, with_state};

const SCRIPT: &str = r#"
import json, sys, duckdb
from deltalake import DeltaTable
root = sys.argv[1]
tables = {name: DeltaTable(f"{root}/tables/{name}") for name in ("sightings", "evidence", "facts")}
query = duckdb.connect()
query.execute("SET TimeZone = 'UTC'")
for name, table in tables.items():
    files = [uri.removeprefix("file://") for uri in table.file_uris()]
    query.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files!r})")
ask = lambda text: [list(row) for row in query.execute(text).fetchall()]
first = DeltaTable(f"{root}/tables/sightings", version=1)
fields = [[field["name"], field["type"] if isinstance(field["type"], str) else field["type"]["type"]]
          for field in json.loads(tables["sightings"].schema().to_json())["fields"]]
print(json.dumps({
    "versions": {name: table.version() for name, table in tables.items()},
    "files_then": len(first.file_uris()),
    "counts": ask("SELECT (SELECT count(*) FROM sightings), (SELECT count(*) FROM evidence), (SELECT count(*) FROM facts)"),
    "newest": ask("SELECT address, port, transport, strftime(time, '%Y-%m-%dT%H:%M:%S.%f'), outcome FROM sightings ORDER BY time DESC LIMIT 1"),
    "join": ask("""SELECT s.address, f.product, f.version, e.bytes::VARCHAR
                   FROM (SELECT *, unnest(evidence, recursive := true) FROM sightings) s
                   JOIN evidence e ON e.hash = s.hash JOIN facts f ON f.content = s.content
                   WHERE s.port = 22 ORDER BY s.address_high, s.address_low"""),
    "order": ask("SELECT address FROM (SELECT DISTINCT address, address_high, address_low FROM sightings) ORDER BY address_high, address_low"),
    "fields": fields,
}))
"#;

/// Whether the other engines are here.
fn engines() -> bool {
    let known = Command::new("python3").args(["-c", "import duckdb, deltalake"]).output();
    let known = known.is_ok_and(|output| output.status.success());
    if !known {
        stand_aside("reading by other engines needs python3 with the packages duckdb and deltalake");
    }
    known
}

fn python(script: &str, dir: &Path) -> String {
    let output = Command::new("python3").args(["-c", script]).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A checkpoint by delta-rs.
const CHECKPOINT: &str = r#"
import glob, os, sys
from deltalake import DeltaTable
log = f"{sys.argv[1]}/tables/sightings/_delta_log"
DeltaTable(f"{sys.argv[1]}/tables/sightings").create_checkpoint()
assert glob.glob(f"{log}/*.checkpoint.parquet") and os.path.exists(f"{log}/_last_checkpoint")
"#;

/// Version and rows as delta-rs and DuckDB see them.
const COUNT: &str = r#"
import sys, duckdb
from deltalake import DeltaTable
table = DeltaTable(f"{sys.argv[1]}/tables/sightings")
files = [uri.removeprefix("file://") for uri in table.file_uris()]
print(table.version(), duckdb.execute(f"SELECT count(*) FROM read_parquet({files!r})").fetchone()[0], end="")
"#;

#[test]
fn a_checkpoint_of_another_engine_is_in_nobodys_way() {
    if !engines() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for seconds in 1..4 {
        let seen = batch([sighting("192.0.2.1", 22, seconds, "ssh S 1")]);
        lake.append(with_state(seen, &seconds.to_string())).unwrap();
    }
    python(CHECKPOINT, dir.path());
    lake.append(batch([sighting("192.0.2.2", 22, 9, "ssh S 2")])).unwrap();
    drop(lake);
    assert_eq!(python(COUNT, dir.path()), "4 4", "the other engine goes on from its checkpoint");
    let lake = open(dir.path());
    assert_eq!((lake.status().unwrap().sightings.rows, services(&lake).len()), (4, 2));
    let campaign = "spring".parse().unwrap();
    assert_eq!(lake.checkpoint(&campaign).unwrap().unwrap().state, "3");
    drop(lake);
    // Some engine removed what its checkpoint replaces: with the commits went what campaigns noted in them.
    for version in 0..3 {
        let commit = dir.path().join(format!("tables/sightings/_delta_log/{version:020}.json"));
        std::fs::remove_file(commit).unwrap();
    }
    assert_eq!(python(COUNT, dir.path()), "4 4", "it is a sound table for the other engine");
    let Err(error) = crate::support::open_reader(dir.path()) else { panic!("opened without its commits") };
    assert!(error.to_string().contains("commit 0 is missing"), "{error}");
    assert!(error.to_string().contains("put the commits back from a backup"), "{error}");
}

#[test]
fn duckdb_and_delta_read_what_we_wrote() {
    if !engines() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let seen = [sighting("192.0.2.10", 22, 1, "ssh OpenSSH 9.6"), sighting("192.0.2.9", 22, 2, "ssh OpenSSH 9.6")];
    lake.append(with_state(batch(seen), "half")).unwrap();
    let (mut gone, piece) = sighting("2001:db8::1", 80, 3, "http nginx 1.24");
    gone.outcome = Outcome::Closed;
    gone.marking.audience = vec!["isac".to_owned()];
    lake.append(batch([(gone, piece)])).unwrap();
    lake.identify_again(&mut |_, _| {}).unwrap();
    let told: Value = serde_json::from_str(&python(SCRIPT, dir.path())).unwrap();
    assert_eq!(told["counts"], json!([[3, 2, 2]]));
    assert_eq!((&told["versions"]["sightings"], &told["files_then"]), (&json!(2), &json!(1)));
    let newest = json!([["2001:db8::1", 80, "tcp", "2026-09-21T14:13:23.000000", "closed"]]);
    assert_eq!(told["newest"], newest);
    let banner = "ssh OpenSSH 9.6";
    let joined = json!([["192.0.2.9", "OpenSSH", "9.6", banner], ["192.0.2.10", "OpenSSH", "9.6", banner]]);
    assert_eq!(told["join"], joined);
    assert_eq!(told["order"], json!([["192.0.2.9"], ["192.0.2.10"], ["2001:db8::1"]]));
    let fields = told["fields"].as_array().unwrap();
    for expected in [json!(["time", "timestamp"]), json!(["evidence", "array"]), json!(["address_low", "long"])] {
        assert!(fields.contains(&expected), "{expected} in {fields:?}");
    }
}
