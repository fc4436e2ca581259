//! Passes on a Spark cluster: a master and two workers as processes of their own, the lake in an S3 endpoint.
//!
//! Every job gives what threads give, and what a lake in a folder gives that was asked by other commands; also when a
//! worker is killed while it has a share.

mod cluster;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use self::cluster::{Bucket, Cluster};
use crate::program::{HINOMI, Installation, finish, stand_aside, until};

/// The most that Spark may take for one job here.
const PATIENCE: Duration = Duration::from_secs(240);

/// What no process may be told and no log may hold.
const SECRET: &str = "never-to-be-seen-in-a-log";

const RULE: &str = "[[rule]]\nname = \"own/thing\"\nfield = \"line\"\npattern = '^220 Thing FTP server (?<version>[0-9.]+)'\n\
    source = \"test\"\nvendor = \"Rule Maker\"\nproduct = \"Thing\"\nversion = \"{version}\"\nconfidence = 90\n\
    examples = [{ text = \"220 Thing FTP server 2.1 ready\", version = \"2.1\" }]\n";

/// Looks at a hundred addresses of three networks on four days; some say something else each time, some are missing.
fn scans(home: &Installation) -> Vec<String> {
    let scan = |day: u32| {
        let looks = (0..100_u32).filter(|host| !(host % 5 == 1 && day == 2));
        let line = |host: u32| {
            let version = if host.is_multiple_of(3) { day } else { host % 4 };
            format!(
                r#"{{"ip":"192.0.{}.{}","data":{{"ftp":{{"status":"success","protocol":"ftp","port":21,"timestamp":"2026-0{}-02T03:04:05Z","result":{{"banner":"220 Thing FTP server {version}.1 ready\r\n"}}}}}}}}"#,
                host % 3,
                host + 1,
                day + 1
            )
        };
        let file = home.path(&format!("scan-{day}.jsonl"));
        fs::write(&file, looks.map(line).collect::<Vec<_>>().join("\n") + "\n").expect("written");
        file.to_str().expect("a path").to_owned()
    };
    (0..4).map(scan).collect()
}

/// Takes the scans in while a rule of the user's own stands, and puts the rule away: facts want to be derived again.
fn fill(home: &Installation) {
    let rules = home.state().join("rules");
    fs::create_dir_all(&rules).expect("made");
    fs::write(rules.join("own.toml"), RULE).expect("written");
    let scans = scans(home);
    home.succeed(&std::iter::once("import").chain(scans.iter().map(String::as_str)).collect::<Vec<_>>());
    fs::remove_file(rules.join("own.toml")).expect("removed");
}

/// The counts of each day by everything that matters here.
fn counts(home: &Installation) -> BTreeMap<&'static str, Value> {
    let by = ["all", "vendor"];
    by.into_iter().map(|by| (by, home.json(&["rollup", "--by", by, "--days", "100000"])["counts"].clone())).collect()
}

/// Runs a pass on the cluster.
fn by_spark(home: &Installation, cluster: &Cluster, arguments: &[&str]) -> std::process::Output {
    let python = cluster.python.to_str().expect("a path");
    let engine = ["lake", "pass", "--engine", "spark", "--master", &cluster.master, "--spark-python", python];
    let conf = ["--spark-conf", "spark.executor.memory=512m", "--spark-conf", "spark.driver.memory=512m"];
    let output = finish(home.command(&[&engine[..], &conf, arguments].concat()), PATIENCE);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    output
}

fn locally(home: &Installation, job: &str) -> String {
    let told = home.succeed(&["lake", "pass", job, "--shares", "3", "--threads", "2"]);
    assert!(told.lines().count() > 2, "{told}");
    told
}

#[test]
fn a_cluster_gives_what_threads_give_also_when_a_worker_is_killed() {
    let Some((bucket, cluster)) = Bucket::start().zip(Cluster::start()) else {
        return stand_aside("a cluster needs HINOMI_MOTO, HINOMI_SPARK_PYTHON (pyspark, pyarrow, pandas) and Java");
    };
    let (home, twin) = (Installation::new(), Installation::new());
    bucket.settle(&home.state(), SECRET);
    [&home, &twin].into_iter().for_each(fill);

    let churn = locally(&home, "churn");
    assert_eq!(String::from_utf8(by_spark(&home, &cluster, &["churn", "--shares", "5"]).stdout).expect("text"), churn);

    twin.succeed(&["rollup", "--rebuild"]);
    by_spark(&home, &cluster, &["rollup", "--shares", "3"]);
    let (told, expected) = (counts(&home), counts(&twin));
    assert_eq!(told, expected);
    assert!(told["vendor"].as_array().is_some_and(|rows| !rows.is_empty()), "{told:?}");

    let again = twin.json(&["identify", "--again"]);
    let done: Value =
        serde_json::from_slice(&by_spark(&home, &cluster, &["reidentify", "--shares", "3", "--json"]).stdout)
            .expect("JSON");
    assert_eq!((&done["changed"], &done["rows"]), (&again["changed"], &again["total"]));
    assert!(done["changed"].as_u64() > Some(0), "{done}");
    assert_eq!(home.services(), twin.services());

    let presence = locally(&home, "presence");
    let told = killed_in_the_middle(&home, cluster);
    assert_eq!(told, presence);
    assert!(told.contains("\"longest_gap_days\":58"), "{told}");
}

/// The pass `presence`, while which one of the workers is killed; what it printed.
fn killed_in_the_middle(home: &Installation, mut cluster: Cluster) -> String {
    let (started, gate) = (home.path("started"), home.path("gate"));
    let shut = File::create(&gate).expect("made");
    shut.lock().expect("locked");
    let executor = executor_at_a_gate(home, &started, &gate);
    let executor = executor.to_str().expect("a path");
    let running = || fs::read_to_string(&started).map_or(0, |text| text.lines().count());
    let told = std::thread::scope(|scope| {
        let lent = cluster.lent();
        let job = scope.spawn(move || by_spark(home, &lent, &["presence", "--shares", "6", "--executor", executor]));
        until("a share on each worker", PATIENCE, || running() >= 2 || job.is_finished());
        assert!(!job.is_finished(), "the job went by its gate");
        cluster.kill_a_worker();
        shut.unlock().expect("unlocked");
        job.join().expect("the job ends")
    });
    assert!(running() > 6, "six shares, and the one that was lost again: {}", running());
    cluster.assert_nowhere(SECRET);
    assert!(!String::from_utf8_lossy(&told.stderr).contains(SECRET));
    String::from_utf8(told.stdout).expect("text")
}

/// The program, which tells that it has a share and waits at a gate before it reads it.
fn executor_at_a_gate(home: &Installation, started: &Path, gate: &Path) -> std::path::PathBuf {
    let file = home.path("executor");
    let script = format!(
        "#!/bin/sh\nif [ \"$2\" = pass-share ]; then\n    echo share >> '{}'\n    flock -s '{}' true\nfi\nexec '{HINOMI}' \"$@\"\n",
        started.display(),
        gate.display()
    );
    fs::write(&file, script).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&file, mode).expect("may be run");
    file
}
