//! The worked notebooks of `docs/notebooks` run on a lake made here, and count what Hinomi counts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use hinomi_lake::{CompactOptions, FacetRequest, Lake, SearchRequest};
use hinomi_model::{Outcome, Sink};
use serde_json::{Map, Value, json};

use crate::support::{batch, open, request, sighting, stand_aside};

const WEEK_SECONDS: i64 = 7 * 24 * 3_600;

/// Three weekly looks at thirty services; one in ten says something else in the end, one is closed,
/// one says nothing. Two looks are merged, the third is not yet. How many rows that makes.
fn fill(lake: &Lake) -> u64 {
    look(lake, 0..2);
    let mut options = CompactOptions::default();
    options.all = true;
    let merged = lake.compact(&options, &mut |_, _| {}).unwrap().rows_after;
    let status = lake.status().unwrap();
    look(lake, 2..3);
    merged - status.evidence.rows - status.facts.rows + 30
}

fn look(lake: &Lake, weeks: std::ops::Range<i64>) {
    for week in weeks {
        let seen = (0..30).map(|n: i64| {
            let version = if week == 2 && n % 10 == 0 { 9 } else { n % 3 };
            let banner = format!("ssh Server{} {version}", n % 4);
            let address = format!("192.0.{}.{}", 2 + n % 2, 1 + n / 2);
            let (mut one, piece) = sighting(&address, 22, week * WEEK_SECONDS + n, &banner);
            if week == 2 && n == 7 {
                one.outcome = Outcome::Closed;
            }
            if n == 8 {
                one.evidence.clear();
            }
            (one, piece)
        });
        lake.append(batch(seen)).unwrap();
    }
}

fn notebooks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/notebooks/run.py")
}

/// What each notebook counted; those whose engine is not installed say so and are left out.
fn told(dir: &Path) -> Map<String, Value> {
    // Spark is in an environment of its own, and wants to know where it is.
    let spark = std::env::var_os("HINOMI_SPARK_PYTHON").unwrap_or_else(|| "python3".into());
    let mut all = run("python3".as_ref(), dir, &["duckdb", "polars", "clickhouse"]);
    all.extend(run(&spark, dir, &["spark"]));
    let missing: Vec<_> = all.iter().filter(|(_, told)| told.get("missing").is_some()).map(|(name, _)| name).collect();
    if !missing.is_empty() {
        stand_aside(&format!("packages of the notebooks {missing:?} are not installed"));
    }
    all.into_iter().filter(|(_, told)| told.get("missing").is_none()).collect()
}

fn run(python: &OsStr, dir: &Path, wanted: &[&str]) -> Map<String, Value> {
    let mut command = Command::new(python);
    command.arg(notebooks()).arg(dir).args(wanted).env("PYSPARK_PYTHON", python).env("SPARK_LOCAL_IP", "127.0.0.1");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// The same by Hinomi.
fn expected(lake: &Lake, rows: u64, told: &Value) -> Value {
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    let total = |query: &str| lake.search(&request(query)).unwrap().total;
    let facets = vec![FacetRequest { field: "product".to_owned(), size: 10 }];
    let page = lake.search(&SearchRequest { facets, ..request("") }).unwrap();
    let products: Map<_, _> = page.facets["product"].iter().map(|one| (one.value.clone(), json!(one.count))).collect();
    let host = lake.host(text("address").parse().unwrap()).unwrap();
    json!({
        "services": page.total,
        "products": products,
        "address": text("address"),
        "history": host.history.len(),
        "prefix": text("prefix"),
        "prefix_services": total(&format!("net:{}", text("prefix"))),
        "pieces": page.matches.iter().map(|service| service.evidence.len()).sum::<usize>(),
        "sightings": 90,
        "first_version": 30,
        "runs": rows,
    })
}

#[test]
fn every_notebook_counts_what_hinomi_counts() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows = fill(&lake);
    assert_eq!(rows, 60, "each pair of looks is one row");
    for (name, told) in told(dir.path()) {
        assert_eq!(told, expected(&lake, rows, &told), "{name}");
    }
}
