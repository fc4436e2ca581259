//! What is wrong is refused, with the reason, and nothing is sent.

use std::fs;
use std::net::TcpListener;

use crate::program::{Installation, alone};

const LOOPBACK: &[&str] = &["127.91.0.0/28"];

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("a path")
}

/// Listens inside the scope, so that a packet that leaves would be seen.
fn listener(here: &Installation) -> (TcpListener, std::path::PathBuf) {
    let listener = TcpListener::bind("127.91.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("nonblocking");
    let port = listener.local_addr().expect("bound").port().to_string();
    let scope = here.scope("refused", LOOPBACK, &port, "");
    (listener, scope)
}

fn refused(here: &Installation, scope: &std::path::Path, listener: &TcpListener, reason: &str) {
    let said = here.fail(&["survey", "--scope", text(scope)]);
    assert!(said.contains(reason), "expected {reason:?} in: {said}");
    assert!(listener.accept().is_err(), "somebody came although it was refused: {reason}");
}

#[test]
fn scopes_that_authorise_nothing() {
    let here = Installation::new();
    let (listener, scope) = listener(&here);
    let signed = fs::read_to_string(&scope).expect("a scope");
    let (body, seal) = signed.split_once("# hinomi-scope-signature").expect("a signature");
    let attempt = |content: String, reason: &str| {
        fs::write(&scope, content).expect("written");
        refused(&here, &scope, &listener, reason);
    };
    attempt(body.to_owned(), "not signed");
    attempt(signed.replace("127.91.0.0/28", "127.91.0.0/27"), "changed after it was signed");
    attempt(format!("{body}# hinomi-scope-signature\n# key = 00\n"), "damaged");
    attempt(format!("{}# hinomi-scope-signature{seal}", body.replace("format = 1", "format = 2")), "changed");
    attempt("this is = = not toml".to_owned(), "cannot be read");
    attempt("\u{0}".repeat(100), "cannot be read");
    attempt("x".repeat(5 << 20), "longer than");
    let expired =
        body.replace("valid_until = \"20", "valid_until = \"19").replace("valid_from = \"20", "valid_from = \"18");
    fs::write(&scope, expired).expect("written");
    here.succeed(&["scope", "sign", text(&scope)]);
    refused(&here, &scope, &listener, "ended at");
    fs::write(&scope, &signed).expect("written");
    fs::write(here.state().join("opt-out.txt"), "127.91.0.0/16\nnonsense\n").expect("written");
    refused(&here, &scope, &listener, "line 2");
    fs::write(here.state().join("opt-out.txt"), "127.91.0.0/16\n").expect("written");
    let report = here.json(&["survey", "--scope", text(&scope)]);
    assert_eq!(report["counts"]["packets_sent"], 0, "{report}");
    assert_eq!(report["counts"]["by_reason"]["refused: opted out"], 16, "{report}");
    assert!(listener.accept().is_err(), "somebody came to one who opted out");
}

#[test]
fn scopes_beyond_ones_own_machine() {
    let here = Installation::new();
    let file = here.path("far.toml");
    let new = ["scope", "new", "--name", "far", "--range", "198.51.100.0/24", "--organisation", "T", "--person", "T"];
    here.succeed(&[&new[..], &["--email", "t@example.org", "--out", text(&file)]].concat());
    here.succeed(&["scope", "sign", text(&file)]);
    let said = here.fail(&["scope", "verify", text(&file)]);
    assert!(said.contains("loopback addresses only"), "{said}");
    let key = here.path("signer.key");
    let public = here.succeed(&["scope", "key", text(&key)]);
    here.succeed(&["scope", "sign", text(&file), "--key", text(&key)]);
    let said = here.fail(&["scope", "verify", text(&file)]);
    assert!(said.contains("not trusted"), "{said}");
    here.succeed(&["scope", "trust", public.trim(), "--name", "the signer"]);
    here.succeed(&["scope", "verify", text(&file)]);
    let answer = here.json(&["scope", "explain", "--scope", text(&file), "198.51.100.7"]);
    assert_eq!(answer["allowed"], false);
    assert_eq!(answer["refusal"]["rule"], "reserved", "documentation addresses are never probed: {answer}");
    for address in ["fe80::1%eth0", "198.51.100.700", ""] {
        here.fail(&["scope", "explain", "--scope", text(&file), address]);
    }
}

#[test]
fn explain_tells_transports_and_ports_of_probes_apart() {
    let here = Installation::new();
    let scope = here.scope("both", LOOPBACK, "9", "53");
    let explain = |more: &[&str]| {
        here.json(&[&["scope", "explain", "--scope", text(&scope), "127.91.0.1", "--port", "53"], more].concat())
    };
    assert_eq!(explain(&["--udp", "--probe", "dns"])["allowed"], true);
    assert_eq!(explain(&[])["refusal"]["rule"], "port");
    let named = here.scope_for(&["all", "modbus:1502"], "named", LOOPBACK, "9,1502", "");
    let shown = here.json(&["scope", "show", text(&named)]);
    assert_eq!(shown["probe_ports"]["modbus"], "1502", "{shown}");
}

#[test]
fn a_state_folder_has_one_writer() {
    let here = Installation::new();
    let _alone = alone();
    let (mut writer, first) = here.start(&[]);
    assert!(first.starts_with("http://127.0.0.1:"), "{first}");
    let scope = here.scope("second", LOOPBACK, "9", "");
    let said = here.fail(&["survey", "--scope", text(&scope)]);
    assert!(said.contains("in use by another hinomi") && said.contains(&writer.id().to_string()), "{said}");
    here.succeed(&["search", "--json", "port:80"]);
    let (reader, second) = here.start(&["serve", "--port", "0"]);
    assert!(second.starts_with("http://127.0.0.1:"), "a server only reads: {second}");
    writer.kill();
    here.succeed(&["survey", "--scope", text(&scope)]);
    assert_eq!(reader.interrupt(), Some(0));
}

#[test]
fn a_port_in_use_and_an_address_beyond_loopback() {
    let here = Installation::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let said = here.fail(&["serve", "--port", &port]);
    assert!(said.contains("in use"), "{said}");
    let said = here.fail(&["serve", "--address", "0.0.0.0", "--port", "0"]);
    assert!(said.contains("other machines") && said.contains("127.0.0.1"), "{said}");
}

#[test]
fn files_that_are_no_scans() {
    let here = Installation::new();
    let write = |name: &str, content: &[u8]| {
        let path = here.path(name);
        fs::write(&path, content).expect("written");
        path
    };
    let good = "<host><address addr=\"192.0.2.1\" addrtype=\"ipv4\"/><ports><port protocol=\"tcp\" portid=\"80\">\
        <state state=\"open\"/><service name=\"http\" product=\"nginx\" version=\"1.2\"/></port></ports></host>";
    let cut = write("cut.xml", format!("<?xml version=\"1.0\"?><nmaprun start=\"1\">{good}<host><add").as_bytes());
    let said = here.fail(&["import", text(&cut)]);
    assert!(said.contains("ended before it should"), "{said}");
    assert_eq!(here.services().len(), 1, "what could be read is there");
    let mut bomb = String::from("<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY a0 \"lol\">");
    (1..10).for_each(|n| bomb.push_str(&format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))));
    bomb.push_str(&format!("]><nmaprun start=\"1\">{good}<x>&a9;</x></nmaprun>"));
    let bomb = write("bomb.xml", bomb.as_bytes());
    let output = here.run(&["import", text(&bomb)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.to_lowercase().contains("entit") || said.to_lowercase().contains("doctype"), "{said}");
    let noise = write("noise.bin", &[0xff, 0xfe, 0x00, 0x9f].repeat(5_000));
    let said = here.fail(&["import", text(&noise)]);
    assert!(said.contains("not recognised"), "{said}");
    let said = here.fail(&["import", text(&here.path("absent.xml"))]);
    assert!(said.contains("cannot be opened"), "{said}");
}

#[test]
fn queries_that_cannot_be_understood_point_at_the_place() {
    let here = Installation::new();
    here.succeed(&["scope", "sign", text(&here.scope("q", LOOPBACK, "9", ""))]);
    let said = here.fail(&["search", "prodct:nginx"]);
    assert!(said.contains("product") && said.contains('^'), "{said}");
    let said = here.fail(&["search", "(port:80"]);
    assert!(said.contains('^'), "{said}");
}

#[test]
fn more_than_one_answer_holds() {
    let here = Installation::new();
    here.succeed(&["scope", "sign", text(&here.scope("q", LOOPBACK, "9", ""))]);
    let said = here.fail(&["search", "port:80", "--limit", "5000"]);
    assert!(said.contains("5000") && said.contains("1000") && said.contains("export"), "{said}");
    let said = here.fail(&["search", "--facets", "port:5000"]);
    assert!(said.contains("port:5000") && said.contains("1000"), "{said}");
    let page = here.json(&["search", "NOT port:80", "--facets", "port,product:3", "--limit", "0"]);
    assert!(page["facets"]["product"].is_array(), "options may follow the query: {page}");
}

/// A scope whose first day is to come: its signature is good, and nothing is sent under it.
#[test]
fn a_scope_before_its_first_day() {
    let here = Installation::new();
    let (listener, scope) = listener(&here);
    let written = fs::read_to_string(&scope).expect("a scope");
    let (body, _) = written.split_once("# hinomi-scope-signature").expect("a signature");
    let early =
        body.replace("valid_from = \"20", "valid_from = \"21").replace("valid_until = \"20", "valid_until = \"22");
    fs::write(&scope, early).expect("written");
    here.succeed(&["scope", "sign", text(&scope)]);
    let output = here.run(&["scope", "verify", text(&scope), "--json"]);
    assert_eq!(output.status.code(), Some(3), "an exit code of its own");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&told["valid"], &told["not_yet_valid"], &told["signer"]),
        (&false.into(), &true.into(), &"self".into())
    );
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("signed by self, valid from 21") && said.contains("not yet valid"), "{said}");
    refused(&here, &scope, &listener, "not valid yet");
}

#[test]
fn every_command_answers_in_json() {
    let here = Installation::new();
    let file = here.path("draft.toml");
    let new = ["scope", "new", "--name", "draft", "--range", "127.0.0.1/32", "--out", text(&file)];
    let told = here.json(&new);
    assert_eq!(told["file"], text(&file));
    assert!(told["missing"].as_str().is_some_and(|missing| missing.contains("authority")), "{told}");
    let key = here.json(&["scope", "key", text(&here.path("signer.key"))])["public_key"].clone();
    let trust = ["scope", "trust", key.as_str().expect("a key"), "--name", "N."];
    assert_eq!(here.json(&trust)["added"], true);
    assert_eq!(here.json(&trust)["added"], false, "believing twice changes nothing");
    here.succeed(&["scope", "sign", text(&here.scope("q", LOOPBACK, "9", ""))]);
    let (server, line) = here.start(&["serve", "--port", "0", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert!(told["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{told}");
    assert_eq!(server.interrupt(), Some(0));
}

#[test]
fn rules_that_are_broken_say_where() {
    let here = Installation::new();
    let folder = here.path("rules");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("bad.toml"), "[[rule]]\nname = \"x/y\"\nfield = \"banner\"\npattern = \"(\"\n")
        .expect("written");
    let said = here.fail(&["rules", "test", text(&folder)]);
    assert!(said.contains("bad.toml"), "{said}");
    here.succeed(&["rules", "test"]);
}

/// A file system of one megabyte fills up: the survey says so, what was stored stays, and it resumes with more room.
#[test]
fn a_full_disk() {
    let here = Installation::new();
    let mount = here.path("small");
    fs::create_dir(&mount).expect("a folder");
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1500k", "none", text(&mount)])
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        crate::program::stand_aside("a small file system cannot be mounted: needs root");
        return;
    }
    let _alone = alone();
    let town = ["--size", "2048", "--base", "127.92.0.0"];
    let (_town, first) = here.start(&[&["town", "up", "--json"], town.as_slice()].concat());
    let up: serde_json::Value = serde_json::from_str(&first).expect("the town");
    let scope = here.scope("full", &["127.92.0.0/21"], up["tcp_ports"].as_str().expect("ports"), "");
    let _mounted = Mounted(mount.clone());
    let small = mount.join("state");
    fs::create_dir(&small).expect("a folder");
    fs::copy(here.state().join("own.key"), small.join("own.key")).expect("the key");
    let survey = |arguments: &[&str]| {
        let mut command = std::process::Command::new(crate::program::HINOMI);
        command.args(arguments).args(["--state", text(&small)]);
        crate::program::finish(command, std::time::Duration::from_secs(300))
    };
    let output = survey(&["survey", "--scope", text(&scope)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("no room"), "{said}");
    let bigger = std::process::Command::new("mount")
        .args(["-o", "remount,size=200m", text(&mount)])
        .output()
        .is_ok_and(|output| output.status.success());
    assert!(bigger, "remount");
    let output = survey(&["survey", "--scope", text(&scope), "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["finished"], true, "{report}");
}

/// A mounted file system that goes with the test.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// The index of an earlier version is derived: who searches has it built again, and finds what was there.
#[test]
fn a_folder_of_an_earlier_version_is_searched_at_once() {
    let here = Installation::new();
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../lake/tests/fixtures/state-v1");
    let copied = std::process::Command::new("cp").arg("-r").arg(fixture).arg(here.state()).status();
    assert!(copied.is_ok_and(|status| status.success()));
    let counted = here.json(&["search", "--limit", "1"]);
    let again = here.json(&["search", "--limit", "1"]);
    assert!(counted["total"].as_u64().is_some_and(|total| total > 0), "{counted}");
    assert_eq!(counted["total"], again["total"]);
}
