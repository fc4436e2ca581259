//! Several servers as real processes, on one bucket and one PostgreSQL: they write at once, follow, are killed, are stopped
//! and wake too late.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

#[expect(dead_code, reason = "the suite of the state asks more of it")]
#[path = "../../../state/tests/state/cluster.rs"]
pub(crate) mod cluster;

use self::cluster::Cluster;
use crate::program::{Background, Installation, stand_aside, until};

/// As long as anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A bucket, ended with the test.
struct Bucket {
    child: Child,
    port: u16,
}

impl Bucket {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("HINOMI_MOTO") else {
            stand_aside("HINOMI_MOTO names no Python with moto");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../lake/tests/lake/object_store/server.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Some(Self { child, port: line.trim().parse().expect("the server says its port") })
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Scene {
    bucket: Bucket,
    cluster: Cluster,
}

impl Scene {
    fn start() -> Option<Self> {
        Some(Self { bucket: Bucket::start()?, cluster: Cluster::start()? })
    }

    /// A state folder of a server of this name.
    fn server(&self, name: &str) -> Installation {
        let here = Installation::new();
        let (state, port) = (here.state(), self.bucket.port);
        fs::create_dir_all(&state).expect("made");
        let write = |file: &str, text: String| fs::write(state.join(file), text).expect("written");
        let lake = format!("store = \"s3://lake/shared\"\nendpoint = \"http://127.0.0.1:{port}\"\n");
        write("lake.toml", lake + "credentials = \"keys.toml\"\n");
        write("keys.toml", "access_key = \"hinomi\"\nsecret_key = \"not a secret\"\n".to_owned());
        let url = self.cluster.url();
        let server = format!("[server]\nname = \"{name}\"\naddress = \"http://{name}.example\"\nlease_seconds = 5\n");
        write("state.toml", format!("[state]\nurl = \"{url}\"\n{server}"));
        here
    }
}

/// So many services of one /16, as masscan lists them; the number of the first.
fn list(net: &str, from: u32, count: u32) -> String {
    (from..from + count).map(|n| format!("open tcp 443 {net}.{}.{} 1790000000\n", n / 250, n % 250 + 1)).collect()
}

/// An import of a file, which is stored, and then of a pipe: it holds its range as long as the pipe is open.
struct Import {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Import {
    fn start(here: &Installation, first: &str) -> Self {
        let file = here.path("first.list");
        fs::write(&file, format!("#masscan\n{first}")).expect("written");
        let file = file.to_str().expect("a path");
        let mut command = here.command(&["import", "--format", "masscan-list", "--json", file, "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let pipe = child.stdin.take();
        let mut import = Self { child, pipe };
        import.tell("#masscan\n");
        import
    }

    fn tell(&mut self, lines: &str) {
        // Who was told that its range is lost reads no more.
        let _ = self.pipe.as_mut().expect("open").write_all(lines.as_bytes());
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    fn end(mut self) -> Output {
        drop(self.pipe.take());
        self.child.wait_with_output().expect("ends")
    }
}

/// The rows of one answer, whichever server gives it, without what differs by the moment of asking.
fn answer(here: &Installation) -> Vec<String> {
    let mut rows: Vec<_> = here.services().iter().map(ToString::to_string).collect();
    rows.sort();
    rows
}

fn holder(servers: &Value, of: &str) -> Option<String> {
    let ranges = servers["ranges"].as_array().expect("a list");
    let range = ranges.iter().find(|range| range["range"].as_str().is_some_and(|name| name.starts_with(of)));
    range.expect("a range")["holder"].as_str().map(str::to_owned)
}

fn replica(here: &Installation) -> (Background, String) {
    let (serving, line) = here.start(&["serve", "--replica", "--every", "1", "--port", "0", "--json"]);
    let url: Value = serde_json::from_str(&line).expect("JSON");
    (serving, url["url"].as_str().expect("an address").to_owned())
}

fn stored(output: &Output) -> u64 {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    let reports = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    reports.map(|told| told.expect("JSON")["report"]["stored"].as_u64().expect("a number")).sum()
}

/// Services of a file.
const MANY: u32 = 200;

#[test]
fn servers_of_one_lake_behave_as_one() {
    let Some(scene) = Scene::start() else { return };
    let (a, b, r) = (scene.server("a"), scene.server("b"), scene.server("r"));
    a.succeed(&["servers", "cut", "--parts", "2"]);
    let (_serving, _url) = replica(&r);

    // Both write at once, each its own range.
    let mut of_a = Import::start(&a, &list("10.1", 0, MANY));
    let mut of_b = Import::start(&b, &list("200.1", 0, MANY));
    let both = || {
        let servers = r.json(&["servers"]);
        (holder(&servers, "0.0.0.0"), holder(&servers, "128.0.0.0"))
    };
    until("both hold their ranges", PATIENCE, || both() == (Some("a".to_owned()), Some("b".to_owned())));
    let refused = Import::start(&scene.server("c"), &list("10.1", 0, 5)).end();
    let refused = String::from_utf8(refused.stderr).expect("text");
    assert!(refused.contains("is written by server a at http://a.example"), "{refused}");
    of_a.tell(&list("10.1", MANY, 10));
    of_b.tell(&list("200.1", MANY, 10));
    assert_eq!((stored(&of_a.end()), stored(&of_b.end())), (210, 210));
    let nobody = r.json(&["servers"]);
    assert_eq!(holder(&nobody, "0.0.0.0"), None, "given back at the end: {nobody}");

    // All three answer alike, once they have looked.
    until("the replica follows", PATIENCE, || {
        let told: Option<Value> = serde_json::from_slice(&r.run(&["search", "port:443", "--json"]).stdout).ok();
        told.and_then(|told| told["total"].as_u64()) == Some(420)
    });
    for here in [&a, &b] {
        assert_eq!(stored(&Import::start(here, &list("10.1", 0, 1)).end()), 0, "stored already, whoever stored it");
    }
    let answers = [&a, &b, &r].map(answer);
    assert_eq!(answers[0].len(), 420);
    assert!(answers[0] == answers[1] && answers[1] == answers[2], "all answer alike");
    let up_to_date = || {
        let servers = r.json(&["servers"]);
        let servers = servers["servers"].as_array().expect("a list");
        let of_r = servers.iter().find(|one| one["name"] == "r").expect("the replica");
        (of_r["work"].as_str(), of_r["behind"].as_u64()) == (Some("replica"), Some(0))
    };
    until("the replica says that it is up to date", PATIENCE, up_to_date);
}

#[test]
fn who_is_killed_or_sleeps_too_long_is_taken_over_and_loses_nothing() {
    let Some(scene) = Scene::start() else { return };
    let (a, b, r) = (scene.server("a"), scene.server("b"), scene.server("r"));
    let (_serving, _url) = replica(&r);
    let held_by = |name: &str| holder(&r.json(&["servers"]), "all").as_deref() == Some(name);
    // None while the first index is being built.
    let rows = || {
        let told: Option<Value> = serde_json::from_slice(&r.run(&["lake", "status", "--json"]).stdout).ok();
        told.and_then(|told| told["sightings"]["rows"].as_u64())
    };

    // Killed with a file acknowledged and more in the air.
    let mut of_a = Import::start(&a, &list("10.1", 0, MANY));
    of_a.tell(&list("10.1", MANY, 10));
    until("a has stored its file", PATIENCE, || held_by("a") && rows() == Some(200));
    of_a.signal("-KILL");
    drop(of_a.end());
    until("b takes over when the lease has ended", PATIENCE, || {
        let output = Import::start(&b, &list("10.1", 0, MANY + 10)).end();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || talk.contains("is written by server a"), "{talk}");
        output.status.success()
    });
    assert_eq!(rows(), Some(210), "told again by who heard no answer: none lost, none doubled");

    // Stopped past its lease, and woken while the other writes.
    let mut of_a = Import::start(&a, &list("10.2", 0, MANY));
    of_a.tell(&list("10.2", MANY, 10));
    until("a has stored its file", PATIENCE, || held_by("a") && rows() == Some(410));
    of_a.signal("-STOP");
    let mut of_b = Import::start(&b, &list("10.3", 0, MANY));
    until("b holds the range", PATIENCE, || {
        // Refused while the lease lasts: then it is told again.
        if of_b.child.try_wait().expect("asked").is_some() {
            of_b = Import::start(&b, &list("10.3", 0, MANY));
        }
        held_by("b")
    });
    of_a.signal("-CONT");
    let output = of_a.end();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the one that slept stored its rest");
    assert!(talk.contains("is written by server b") || talk.contains("another server has taken over"), "{talk}");
    of_b.tell(&list("10.3", MANY, 10));
    assert_eq!(stored(&of_b.end()), 210);
    assert_eq!(rows(), Some(620), "what the sleeper had in its hands was not acknowledged, and is not stored");
}
