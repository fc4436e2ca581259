//! One collector with its state on several workers, over a real NATS server, finds what one process finds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{Installation, stand_aside, until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Debian's nats-server with JetStream on a port of its choice, ended with the test.
struct Nats {
    child: Child,
    url: String,
}

impl Nats {
    /// None, said aloud, where it is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", "-1", "-js"]).arg("-sd").arg(folder.join("store"));
        command.arg("--ports_file_dir").arg(folder).arg("-l").arg(folder.join("nats.log"));
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            stand_aside("nats-server is not installed");
            return None;
        };
        let mut nats = Self { child, url: String::new() };
        let file = folder.join(format!("nats-server_{}.ports", nats.child.id()));
        until("nats-server listens", PATIENCE, || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let ports: Value = serde_json::from_str(&text).unwrap_or_default();
            nats.url = ports["nats"][0].as_str().unwrap_or_default().to_owned();
            !nats.url.is_empty()
        });
        Some(nats)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Confidence by endpoint, as a collector's last line tells it: what is stored fades with the days since the flows.
fn candidates(lines: &[Value]) -> BTreeMap<String, f64> {
    let told = lines.last().and_then(|last| last["candidates"].as_array()).expect("a summary").iter();
    told.map(|finding| {
        let Value::Object(endpoint) = &finding["endpoint"] else { panic!("no endpoint: {finding}") };
        (format!("{}:{}", endpoint["address"], endpoint["port"]), finding["confidence"].as_f64().expect("a share"))
    })
    .collect()
}

#[test]
fn one_node_and_two_find_the_same_in_the_towns_flows() {
    let alone = Installation::new();
    let many = Installation::new();
    let Some(nats) = Nats::start(&many.path("")) else { return };
    let flows = alone.path("town.ipfix");
    let flows = flows.to_str().expect("a path");
    alone.succeed(&["town", "flows", "--hours", "48", "--until", "2026-11-22T07:30:00Z", "--out", flows]);
    let list = alone.path("subscribers.txt");
    fs::write(&list, "100.64.0.0/10\n").expect("written");
    let list = list.to_str().expect("a path");
    let collect = ["flow", "collect", "--subscribers", list, "--local-remotes", "--read", flows];
    let one = candidates(&alone.json_lines(&collect));
    let workers = ["0", "1"].map(|partition| {
        let (worker, first) = many.start(&["flow", "work", "--bus", &nats.url, "--partition", partition, "--json"]);
        assert!(first.contains("ready"), "{first}");
        worker
    });
    let told = many.json_lines(&[&collect[..], &["--bus", &nats.url, "--partitions", "2"]].concat());
    let spread = &told.last().expect("a summary")["status"]["spread"];
    assert!(spread["parcels"].as_u64() > Some(0) && spread["missed"].is_null(), "what is zero is not told: {spread}");
    let two = candidates(&told);
    let sure: Vec<_> = one.iter().filter(|(_, confidence)| **confidence > 0.9).collect();
    assert!(sure.len() >= 2, "the town has botnets: {one:?}");
    for (endpoint, confidence) in sure {
        // The keys of the two runs differ, and with them which of many clients are timed.
        let other = two.get(endpoint).copied().unwrap_or(0.0);
        assert!((confidence - other).abs() < 0.1, "{endpoint}: {one:?} {two:?}");
    }
    for worker in workers {
        assert_eq!(worker.interrupt(), Some(0));
    }
    assert!(blocks(&many.path("store")).is_empty(), "nothing of it was written to the bus's disk");
}

/// Files of messages under a JetStream store.
fn blocks(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(blocks(&path));
        } else if path.extension().is_some_and(|extension| extension == "blk") {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn planted_subscribers_leave_no_trace_on_a_bus_and_in_its_workers() {
    let here = Installation::new();
    let Some(nats) = Nats::start(&here.path("")) else { return };
    let store = here.path("store");
    let store = store.to_str().expect("a path");
    let told = here.json(&["flow", "audit", "--bus", &nats.url, "--bus-store", store]);
    assert_eq!(told["clean"], true, "{told}");
    let places = |list: &str| -> Vec<String> {
        let all = told[list].as_array().cloned().unwrap_or_default();
        all.iter().map(|each| each["where"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let searched = places("searched");
    for place in
        ["memory", "disk", "collector-memory", "worker-0-memory", "worker-1-memory", "collector-disk", "bus-store"]
    {
        assert!(searched.iter().any(|name| name == place), "{place}: {told}");
    }
    assert_eq!(
        searched.iter().filter(|place| *place == "bus").count(),
        3,
        "while they live, afterwards, at the end: {told}"
    );
    let controls = told["controls"].as_array().expect("a list");
    assert!(controls.iter().all(|control| control["found"] == true), "{told}");
    let controls = places("controls");
    for place in ["memory", "collector-memory", "worker-0-memory", "worker-1-memory", "collector-disk", "bus"] {
        assert!(controls.iter().any(|name| name == place), "{place}: {told}");
    }
    assert_eq!((&told["collector"]["core_dumps"], &told["collector"]["keys_destroyed"]), (&false.into(), &true.into()));
    assert!(blocks(&here.path("store")).is_empty(), "nothing of it was written to the bus's disk");
}

#[test]
fn a_worker_that_is_not_there_is_named() {
    let here = Installation::new();
    let Some(nats) = Nats::start(&here.path("")) else { return };
    let (_worker, first) = here.start(&["flow", "work", "--bus", &nats.url, "--partition", "0", "--json"]);
    assert!(first.contains("ready"), "{first}");
    let (list, log) = (here.path("subscribers.txt"), here.path("conn.log"));
    fs::write(&list, "10.0.0.0/8\n").expect("written");
    let line = "{\"ts\":1763769600.5,\"id.orig_h\":\"10.1.2.3\",\"id.orig_p\":40000,\"id.resp_h\":\"203.0.113.4\",\
                \"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":1.5,\"orig_pkts\":3,\"orig_ip_bytes\":300,\
                \"resp_pkts\":3,\"resp_ip_bytes\":900}\n";
    fs::write(&log, line).expect("written");
    let (list, log) = (list.to_str().expect("a path"), log.to_str().expect("a path"));
    let collect = ["flow", "collect", "--subscribers", list, "--read", log, "--partitions", "2", "--bus", &nats.url];
    let said = here.fail(&collect);
    assert!(said.contains("[1]") && said.contains("hinomi flow work"), "{said}");
}

#[test]
fn a_bus_that_is_not_there_is_told() {
    let here = Installation::new();
    let list = here.path("subscribers.txt");
    fs::write(&list, "100.64.0.0/10\n").expect("written");
    let said = here.fail(&["flow", "work", "--bus", "nats://user:secret@127.0.0.1:9", "--partition", "0"]);
    assert!(said.contains("127.0.0.1:9") && !said.contains("secret"), "{said}");
    let list = list.to_str().expect("a path");
    let collect = ["flow", "collect", "--subscribers", list, "--partitions", "2"];
    assert!(here.fail(&collect).contains("--bus"));
}
