//! The `shodan` command line, as it is installed from PyPI, against our server in place of theirs.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hinomi_model::Sink;
use hinomi_web::NoSurveys;
use hinomi_web::link::encode;
use serde_json::Value;

use crate::taxii::marked;
use crate::world::{HOSTILE, World, batch, open, stand_aside, web};

/// Where their program is.
fn program() -> Option<PathBuf> {
    let found = std::env::var_os("HINOMI_SHODAN").map(PathBuf::from);
    if found.is_none() {
        stand_aside("HINOMI_SHODAN names no shodan");
    }
    found
}

/// Their program with a home of its own.
fn command(world: &World, program: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(world.folder.path()).env("HOME", world.folder.path());
    command.env("SHODAN_API_URL", format!("http://{}/compat/shodan", world.address)).stdin(Stdio::null());
    // Its rate of one request a second is for their server.
    command.env("PYTHONUNBUFFERED", "1");
    command
}

fn run(world: &World, program: &PathBuf, arguments: &[&str]) -> Output {
    command(world, program, arguments).output().expect("it runs")
}

/// Runs and expects success.
fn said(world: &World, program: &PathBuf, arguments: &[&str]) -> String {
    let output = run(world, program, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "shodan {arguments:?}: {out} {err}");
    out.into_owned()
}

#[test]
fn their_command_line_searches_counts_and_downloads() {
    let Some(program) = program() else { return };
    let world = World::with(marked(), Arc::new(NoSurveys));
    let said = |arguments: &[&str]| said(&world, &program, arguments);
    assert!(said(&["init", "KEY"]).contains("Successfully initialized"));
    assert!(said(&["info"]).contains("Query credits available: 1000000"));
    assert_eq!(said(&["count", "port:80"]).trim(), "12");
    assert_eq!(said(&["count", "port:80", "-net:198.51.100.0/24"]).trim(), "1");
    assert_eq!(said(&["count", "product:nginx", "port:80,8080"]).trim(), "12");
    let stats = said(&["stats", "--facets", "port,product", "net:198.51.100.0/24"]);
    assert!(stats.contains("8080") && stats.to_lowercase().contains("lighttpd"), "{stats}");
    let host = said(&["host", "198.51.100.3"]);
    assert!(host.contains("8080/tcp") && host.contains("Number of open ports:    2"), "{host}");
    let missing = run(&world, &program, &["host", "203.0.113.1"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("No information available"), "{missing:?}");
    let found = said(&["search", "--fields", "ip_str,port", "--separator", " ", "port:8080"]);
    assert_eq!(found.lines().filter(|line| line.ends_with("8080 ")).count(), 12, "{found}");
    said(&["download", "--limit", "10", "some", "port:80"]);
    let parsed = said(&["parse", "--fields", "ip_str,product", "some.json.gz"]);
    assert_eq!(parsed.lines().filter(|line| line.contains("nginx")).count(), 10, "{parsed}");
    assert_eq!(said(&["myip"]).trim(), "127.0.0.1");
    assert!(said(&["honeyscore", "198.51.100.3"]).to_lowercase().contains("not a honeypot"));
    assert!(said(&["domain", "example.jp"]).contains("EXAMPLE.JP"));
    said(&["data", "list"]);
    let refused = run(&world, &program, &["count", "vuln:CVE-2021-20090"]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("there is no filter \"vuln\""), "{why}");
}

#[test]
fn their_alerts_are_saved_queries_and_their_scans_are_refused() {
    let Some(program) = program() else { return };
    let world = World::with(marked(), Arc::new(NoSurveys));
    let said = |arguments: &[&str]| said(&world, &program, arguments);
    said(&["init", "KEY"]);
    let made = said(&["alert", "create", "mine", "198.51.100.0/30", "2001:db8::/64"]);
    let id = made.lines().find_map(|line| line.strip_prefix("Alert ID: ")).expect("an id").trim().to_owned();
    let saved = world.get("/api/v1/watches").json();
    assert_eq!((&saved["watches"][0]["name"], saved["watches"].as_array().map(Vec::len)), (&"mine".into(), Some(1)));
    let list = said(&["alert", "list"]);
    assert!(list.contains(&id) && list.contains("198.51.100.0/30"), "{list}");
    assert!(said(&["alert", "info", &id]).contains("198.51.100.0/30"));
    assert!(said(&["alert", "triggers"]).contains("new_service"));
    said(&["alert", "enable", &id, "new_service"]);
    assert!(said(&["alert", "stats", "port"]).contains("8080"));
    said(&["alert", "download", "all", "--alert-id", &id]);
    said(&["alert", "remove", &id]);
    assert_eq!(world.get("/api/v1/watches").json()["watches"].as_array().map(Vec::len), Some(0));
    assert!(said(&["scan", "protocols"]).contains("modbus"));
    said(&["scan", "list"]);
    let refused = run(&world, &program, &["scan", "submit", "203.0.113.0/24"]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("a survey needs a scope"), "{why}");
}

#[test]
fn their_stream_tells_what_arrives() {
    let Some(program) = program() else { return };
    let world = World::with(marked(), Arc::new(NoSurveys));
    said(&world, &program, &["init", "KEY"]);
    let base = format!("http://{}/compat/shodan", world.address);
    let arguments = ["stream", "--streamer", &base, "--ports", "8443", "--fields", "ip_str,port", "--limit", "1"];
    let mut streaming = command(&world, &program, &arguments);
    let child = streaming.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    // What is seen while nobody listens yet is not told: it is seen again on other hosts until it is.
    let mut host = 0_u8;
    let child = std::sync::Mutex::new(child);
    let ended = || child.lock().expect("nobody failed").try_wait().expect("it is ours").is_some();
    while !ended() {
        host = host.checked_add(1).expect("it ends in time");
        let (address, seen) = (format!("192.0.2.{host}"), vec![web("nginx/1.22.1", "new")]);
        let looks = vec![
            open(&address, 8443, "2026-11-22T11:30:00Z", seen.clone()),
            open(&address, 81, "2026-11-22T11:30:00Z", seen),
        ];
        world.lake.append(batch(looks)).expect("room");
        std::thread::park_timeout(std::time::Duration::from_millis(500));
    }
    let output = child.into_inner().expect("nobody failed").wait_with_output().expect("it ended");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("192.0.2.") && told.contains("8443"), "{output:?}");
}

#[test]
fn errors_are_theirs_and_pages_follow_one_another() {
    let world = World::at_rest();
    let get = |target: &str| world.get(&format!("/compat/shodan{target}"));
    let bad = get("/shodan/host/count?key=K&query=moon:full");
    assert_eq!(bad.status, 400);
    assert!(bad.json()["error"].as_str().expect("an error").contains("\"moon\""), "{}", bad.text());
    for target in ["/shodan/nothing", "/shodan/host/none", "/shodan/scan/7", "/shodan/alert/9/info"] {
        let answer = get(target);
        assert!(answer.status >= 400 && answer.json()["error"].is_string(), "{target}");
    }
    let all = get("/shodan/host/search?limit=1000&query=").json();
    let total = all["total"].as_u64().expect("a total");
    let mut one_by_one = Vec::new();
    for offset in 0..total {
        let page = get(&format!("/shodan/host/search?query=&limit=1&offset={offset}")).json();
        assert_eq!(page["total"], total);
        one_by_one.extend(page["matches"].as_array().expect("matches").clone());
    }
    assert_eq!(Value::Array(one_by_one), all["matches"]);
    assert_eq!(get("/shodan/host/search?page=2&query=").json()["matches"], Value::Array(Vec::new()));
    // What a host says stays a value.
    let said = get(&format!("/shodan/host/count?query={}", encode(&format!("title:{HOSTILE:?}"))));
    assert!(said.status == 200 || said.json()["error"].is_string());
}
