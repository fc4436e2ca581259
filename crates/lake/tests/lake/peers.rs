//! Other engines read the tables without our code: DuckDB, delta-rs, Polars and ClickHouse (chDB), from Python.

use std::path::Path;
use std::process::Command;

use hinomi_lake::erase::{Choice, Order};
use hinomi_lake::ledger::Kind;
use hinomi_lake::{CompactOptions, Lake};
use hinomi_model::{Outcome, Sighting, Sink};
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

/// The same questions by Polars: tables, lists, times, bytes, and an earlier version.
const POLARS: &str = r#"
import json, sys, polars as pl
table = lambda name, version=None: pl.scan_delta(f"{sys.argv[1]}/tables/{name}", version=version)
sightings, evidence, facts = (table(name) for name in ("sightings", "evidence", "facts"))
rows = lambda frame: [list(row) for row in frame.collect().iter_rows()]
moment = pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
join = (sightings.filter(pl.col("port") == 22).sort("address_high", "address_low")
        .select("address", "content", "evidence").explode("evidence").unnest("evidence")
        .join(evidence, on="hash", maintain_order="left")
        .join(facts.select("content", "product", "version"), on="content", maintain_order="left")
        .select("address", "product", "version", pl.col("bytes").cast(pl.String)))
print(json.dumps({
    "counts": [one.select(pl.len()).collect().item() for one in (sightings, evidence, facts)],
    "then": table("sightings", 1).select(pl.len()).collect().item(),
    "newest": rows(sightings.sort("time").tail(1).select("address", "port", "transport", moment, "outcome")),
    "audience": rows(sightings.filter(pl.col("port") == 80).select("audience")),
    "join": rows(join),
}))
"#;

/// And by ClickHouse, which reads the Delta log itself.
const CLICKHOUSE: &str = r#"
import json, os, sys
from chdb import session
os.chdir(sys.argv[1])  # It reads files below the folder where it is at home.
base = session.Session()
ask = lambda text: json.loads(str(base.query(text, "JSONCompact")))["data"]
table = lambda name: f"deltaLakeLocal('{sys.argv[1]}/tables/{name}')"
count = lambda name, also="": int(ask(f"SELECT count() FROM {table(name)} {also}")[0][0])
print(json.dumps({
    "counts": [count(name) for name in ("sightings", "evidence", "facts")],
    "then": count("sightings", "SETTINGS delta_lake_snapshot_version = 1"),
    "newest": ask(f"SELECT address, port, transport, formatDateTime(time, '%FT%T.%f'), outcome FROM {table('sightings')} ORDER BY time DESC LIMIT 1"),
    "audience": ask(f"SELECT audience FROM {table('sightings')} WHERE port = 80"),
    "join": ask(f"""SELECT s.address, f.product, f.version, e.bytes
        FROM (SELECT *, arrayJoin(evidence) AS piece FROM {table('sightings')} WHERE port = 22) s
        JOIN {table('evidence')} e ON e.hash = s.piece.hash JOIN {table('facts')} f ON f.content = s.content
        ORDER BY s.address_high, s.address_low"""),
}))
"#;

/// Whether the other engines are here.
fn engines() -> bool {
    let known =
        Command::new("python3").args(["-c", "import duckdb, deltalake, polars; from chdb import session"]).output();
    let known = known.is_ok_and(|output| output.status.success());
    if !known {
        stand_aside("reading by other engines needs python3 with duckdb, deltalake, pyarrow, polars and chdb-core");
    }
    known
}

fn python(script: &str, dir: &Path) -> String {
    python_with(script, dir, &[])
}

fn python_with(script: &str, dir: &Path, more: &[&str]) -> String {
    let output = Command::new("python3").args(["-c", script]).arg(dir).args(more).output().unwrap();
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

/// Version, rows and one earlier version by delta-rs, Polars and ClickHouse, and that delta-rs began with our checkpoint.
const FROM_CHECKPOINT: &str = r#"
import json, os, sys, duckdb, polars as pl
from deltalake import DeltaTable
from chdb import session
os.chdir(sys.argv[1])
root, then = f"{sys.argv[1]}/tables/sightings", int(open(f"{sys.argv[1]}/then").read())
table = DeltaTable(root)
rows = lambda table: duckdb.execute(f"SELECT count(*) FROM read_parquet({[uri.removeprefix('file://') for uri in table.file_uris()]!r})").fetchone()[0]
base = session.Session()
chdb = lambda also="": int(json.loads(str(base.query(f"SELECT count() FROM deltaLakeLocal('{root}') {also}", "JSONCompact")))["data"][0][0])
fields = [field["name"] for field in json.loads(table.schema().to_json())["fields"]]
print(json.dumps({
    "version": table.version(),
    "rows": [rows(table), pl.scan_delta(root).select(pl.len()).collect().item(), chdb()],
    "then": [rows(DeltaTable(root, version=then)), pl.scan_delta(root, version=then).select(pl.len()).collect().item(),
             chdb(f"SETTINGS delta_lake_snapshot_version = {then}")],
    "address": "address" in fields and table.metadata().name,
    "first": min(name for name in os.listdir(f"{root}/_delta_log") if name.endswith(".json") and name[0] == "0"),
}))
"#;

#[test]
fn other_engines_begin_with_our_checkpoint() {
    if !engines() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for seconds in 0..5 {
        let other = sighting("192.0.2.2", 22, seconds, "ssh S 2");
        lake.append(with_state(batch([sighting("192.0.2.1", 22, seconds, "ssh S 1"), other]), "half")).unwrap();
    }
    // Leaves nothing of the log but its checkpoint; a checkpoint that is due stands after more commits.
    crate::keep::erase(&lake, "192.0.2.2");
    let then = lake.status().unwrap().sightings.version.unwrap();
    std::fs::write(dir.path().join("then"), then.to_string()).unwrap();
    for seconds in 5..140 {
        let seen = if seconds == 139 { vec![sighting("192.0.2.3", 22, seconds, "ssh S 3")] } else { Vec::new() };
        lake.append(with_state(batch(seen), &seconds.to_string())).unwrap();
    }
    let (version, pointer) = (then + 135, dir.path().join("tables/sightings/_delta_log/_last_checkpoint"));
    let last: Value = serde_json::from_slice(&std::fs::read(pointer).unwrap()).unwrap();
    assert_eq!(last["version"], json!(then + 128));
    let told: Value = serde_json::from_str(&python(FROM_CHECKPOINT, dir.path())).unwrap();
    let expected = json!({
        "version": version, "rows": [6, 6, 6], "then": [5, 5, 5], "address": "sightings",
        "first": format!("{then:020}.json"),
    });
    assert_eq!(told, expected);
    drop(lake);
    let lake = open(dir.path());
    assert_eq!((lake.status().unwrap().sightings.rows, services(&lake).len()), (6, 2));
    assert_eq!(lake.checkpoint(&"spring".parse().unwrap()).unwrap().unwrap().state, "139");
}

#[test]
fn other_engines_read_what_we_wrote() {
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
    for script in [POLARS, CLICKHOUSE] {
        let told: Value = serde_json::from_str(&python(script, dir.path())).unwrap();
        assert_eq!((&told["counts"], &told["then"]), (&json!([3, 2, 2]), &json!(2)), "{told}");
        assert_eq!((&told["newest"], &told["join"]), (&newest, &joined));
        assert_eq!(told["audience"], json!([[["isac"]]]));
    }
}

/// What the handbook says of runs, by each engine: rows and observations, all of these one by one, what each service
/// said last, and the rows of the version before.
const RUNS_BY_DUCKDB: &str = r#"
import json, sys, duckdb
from deltalake import DeltaTable
def files(name, version=None):
    table = DeltaTable(f"{sys.argv[1]}/tables/{name}", version=version)
    return [uri.removeprefix("file://") for uri in table.file_uris()]
query = duckdb.connect()
for name in ("sightings", "facts"):
    query.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files(name)!r})")
ask = lambda text: [list(row) for row in query.execute(text).fetchall()]
print(json.dumps({
    "rows": ask("SELECT count(*) FROM sightings")[0][0],
    "observations": int(ask('SELECT sum(coalesce("count", 1)) FROM sightings')[0][0]),
    "looks": sorted(ask("""SELECT address, epoch_us(time), coalesce(campaign, ''), outcome FROM (
        SELECT * EXCLUDE (time, campaign, id, until, "count", times, campaigns),
               unnest(coalesce(times, [time])) AS time, unnest(coalesce(campaigns, [campaign])) AS campaign
        FROM sightings)""")),
    "last": ask("""SELECT s.address, s.outcome, f.version FROM sightings s LEFT JOIN facts f USING (content)
        QUALIFY row_number() OVER (PARTITION BY address, port, transport ORDER BY coalesce(until, time) DESC) = 1
        ORDER BY address"""),
    "then": ask(f"SELECT count(*) FROM read_parquet({files('sightings', int(sys.argv[2]))!r})")[0][0],
}))
"#;

const RUNS_BY_POLARS: &str = r#"
import json, sys, polars as pl
table = lambda name, version=None: pl.scan_delta(f"{sys.argv[1]}/tables/{name}", version=version)
sightings, facts = table("sightings"), table("facts")
rows = lambda frame: [list(row) for row in frame.collect().iter_rows()]
count = lambda frame: frame.select(pl.len()).collect().item()
looks = (sightings.with_columns(pl.coalesce("times", pl.concat_list("time")).alias("time"),
                                pl.coalesce("campaigns", pl.concat_list("campaign")).alias("campaign"))
         .explode("time", "campaign"))
newest = (sightings.sort(pl.coalesce("until", "time")).unique(["address", "port", "transport"], keep="last", maintain_order=True)
          .join(facts.select("content", "version"), on="content", how="left").sort("address"))
print(json.dumps({
    "rows": count(sightings),
    "observations": sightings.select(pl.coalesce("count", pl.lit(1)).sum()).collect().item(),
    "looks": sorted(rows(looks.select("address", pl.col("time").dt.timestamp("us"), pl.col("campaign").fill_null(""), "outcome"))),
    "last": rows(newest.select("address", "outcome", "version")),
    "then": count(table("sightings", int(sys.argv[2]))),
}))
"#;

const RUNS_BY_CLICKHOUSE: &str = r#"
import json, os, sys
from chdb import session
os.chdir(sys.argv[1])
base = session.Session()
ask = lambda text: json.loads(str(base.query(text, "JSONCompact")))["data"]
table = lambda name: f"deltaLakeLocal('{sys.argv[1]}/tables/{name}')"
print(json.dumps({
    "rows": int(ask(f"SELECT count() FROM {table('sightings')}")[0][0]),
    "observations": int(ask(f"SELECT sum(coalesce(count, 1)) FROM {table('sightings')}")[0][0]),
    "looks": sorted([address, int(time), campaign, outcome] for address, time, campaign, outcome in ask(f"""
        SELECT address, toUnixTimestamp64Micro(look.1), coalesce(look.2, ''), outcome FROM (
            SELECT address, outcome, arrayJoin(arrayZip(if(empty(times), [time], times),
                                                        if(empty(campaigns), [campaign], campaigns))) AS look
            FROM {table('sightings')})""")),
    "last": ask(f"""SELECT s.address, s.outcome, f.version FROM (
            SELECT * FROM {table('sightings')} ORDER BY coalesce(until, time) DESC LIMIT 1 BY address, port, transport) s
        LEFT JOIN {table('facts')} f ON f.content = s.content ORDER BY s.address"""),
    "then": int(ask(f"SELECT count() FROM {table('sightings')} SETTINGS delta_lake_snapshot_version = {sys.argv[2]}")[0][0]),
}))
"#;

/// Six days of four hosts: one changes, one is found closed, one is erased; then all is merged, and a day follows.
fn fill_and_compact(lake: &Lake) -> u64 {
    let day = |day: i64| {
        let seen = (1..=4_u8).map(|host| {
            let version = if host == 2 { day / 3 } else { 0 };
            let address = format!("192.0.2.{host}");
            let (mut one, piece) = sighting(&address, 22, day * 86_400, &format!("ssh S {version}"));
            one.campaign = (day % 3 > 0).then(|| format!("campaign-{}", day % 2).parse().unwrap());
            if host == 3 && day == 5 {
                (one.outcome, one.evidence) = (Outcome::Closed, Vec::new());
            }
            (one, piece)
        });
        lake.append(batch(seen)).unwrap();
    };
    (0..6).for_each(day);
    let order = Order { kind: Kind::Erase, reason: "a test".to_owned(), by: "a test".to_owned() };
    let last = |seen: &Sighting| seen.subject.address.to_string() == "192.0.2.4";
    assert_eq!(lake.delete(order, &Choice::anywhere(&last), false, &mut |_, _| {}).unwrap().sightings, 6);
    let before = lake.status().unwrap().sightings.version.unwrap();
    let mut options = CompactOptions::default();
    (options.all, options.file_rows) = (true, 2);
    lake.compact(&options, &mut |_, _| {}).unwrap();
    day(6);
    before
}

#[test]
fn other_engines_read_what_was_merged_and_erased() {
    if !engines() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let before = fill_and_compact(&lake);
    let mut looks = Vec::new();
    for host in 1..=4 {
        let address = format!("192.0.2.{host}");
        for entry in lake.host(address.parse().unwrap()).unwrap().history {
            let campaign = entry.campaign.unwrap_or_default();
            looks.push((address.clone(), entry.time.as_micros(), campaign, entry.outcome.name()));
        }
    }
    looks.sort();
    let last = json!([
        ["192.0.2.1", "open", "0"],
        ["192.0.2.2", "open", "2"],
        ["192.0.2.3", "open", "0"],
        ["192.0.2.4", "open", "0"]
    ]);
    // One run, two that differ, one before the closing and that; and the four rows of the day after.
    let expected =
        json!({ "rows": 1 + 2 + 2 + 4, "observations": 6 * 3 + 4, "looks": looks, "last": last, "then": 18 });
    assert_eq!(lake.status().unwrap().sightings.rows, 22);
    for script in [RUNS_BY_DUCKDB, RUNS_BY_POLARS, RUNS_BY_CLICKHOUSE] {
        let told: Value = serde_json::from_str(&python_with(script, dir.path(), &[&before.to_string()])).unwrap();
        assert_eq!(told, expected, "{script}");
    }
}
