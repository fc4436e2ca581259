//! The cryptography inventory of real servers: OpenSSL 3.5 (in Node.js) with and without hybrid groups, OpenSSL 3.0 that
//! still takes TLS 1.0, OpenSSH and what Debian made of it. Every number of `hinomi crypto` is that of the search beside
//! it. `.ci/install` brings a Node.js with OpenSSL 3.5; Debian 12's own OpenSSL has no ML-KEM.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

use crate::daemons;
use crate::ports;
use crate::program::{Installation, alone, stand_aside};

/// Serves HTTPS with the groups of its second argument and says `c` for each connection.
const NODE: &str = r"
const fs = require('node:fs'), https = require('node:https'), folder = process.argv[1], groups = process.argv[2];
const own = name => fs.readFileSync(`${folder}/${name}`);
const server = https.createServer({ key: own('ec.key'), cert: own('ec.pem'), ecdhCurve: groups }, (_, answer) => answer.end('<title>it</title>'));
server.on('connection', () => console.log('c'));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
";

/// The most connections that a survey may make to one service.
const MAX_HANDSHAKES: usize = 5;

/// Ends with its owner; what it says is counted.
struct Server {
    child: Child,
    port: u16,
    lines: mpsc::Receiver<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server that says its port, as the last number of a line.
fn start(mut command: Command) -> Server {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let number = |line: String| line.rsplit(':').next().and_then(|port| port.trim().parse().ok());
    let port = lines.iter().find_map(number).expect("it says its port");
    Server { child, port, lines }
}

/// A Node.js whose OpenSSL has ML-KEM.
fn node() -> Option<PathBuf> {
    let node = PathBuf::from(std::env::var_os("HINOMI_NODE")?);
    let version = Command::new(&node).args(["-p", "process.versions.openssl"]).output().ok()?;
    let version = String::from_utf8(version.stdout).ok()?;
    let mut numbers = version.split('.').filter_map(|number| number.trim().parse::<u32>().ok());
    let new = (numbers.next()?, numbers.next()?) >= (3, 5);
    new.then_some(node)
}

fn node_server(node: &Path, folder: &Path, groups: &str) -> Server {
    let mut command = Command::new(node);
    command.args(["-e", NODE]).arg(folder).arg(groups);
    start(command)
}

/// OpenSSL's own server, which takes everything that it was built with.
fn old_server(folder: &Path) -> Server {
    let mut command = Command::new("openssl");
    command.current_dir(folder).env("OPENSSL_CONF", "/dev/null");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-key", "rsa.key", "-cert", "rsa.pem", "-www"]);
    command.args(["-cipher", "ALL:@SECLEVEL=0"]);
    start(command)
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).env("OPENSSL_CONF", "/dev/null").args(arguments).output();
    let output = output.expect("openssl");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A good certificate for ten days, and one with a short key and SHA-1.
fn make_certificates(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("req.conf"), "[req]\ndistinguished_name=dn\n[dn]\n").expect("written");
    let common = ["req", "-config", "req.conf", "-x509", "-nodes", "-subj", "/CN=own.example"];
    let good = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "10"];
    openssl(folder, &[&common[..], &good, &["-keyout", "ec.key", "-out", "ec.pem"]].concat());
    let weak = ["-newkey", "rsa:1024", "-sha1", "-days", "100"];
    openssl(folder, &[&common[..], &weak, &["-keyout", "rsa.key", "-out", "rsa.pem"]].concat());
}

fn at(services: &[Value], port: u16) -> &Value {
    services.iter().find(|service| service["port"] == port).unwrap_or_else(|| panic!("nothing at {port}"))
}

fn weak(service: &Value) -> Vec<&str> {
    let names = service["crypto"]["weak"].as_array();
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_inventory_of_real_servers_is_theirs() {
    let Some(node) = node() else { return stand_aside("no Node.js with OpenSSL 3.5 (HINOMI_NODE)") };
    let _alone = alone();
    let here = Installation::new();
    let folder = here.path("keys");
    make_certificates(&folder);
    let hybrid_first = node_server(&node, &folder, "auto");
    let hybrid_too = node_server(&node, &folder, "X25519:X25519MLKEM768");
    let classic = node_server(&node, &folder, "X25519:P-256");
    let old = old_server(&folder);
    let nodes = [&hybrid_first, &hybrid_too, &classic];
    let mut ports: Vec<u16> = nodes.into_iter().map(|server| server.port).chain([old.port]).collect();
    let sshd = daemons::find("openssh").filter(|daemon| daemon.missing().is_none());
    let room = here.path("sshd");
    std::fs::create_dir_all(&room).expect("a folder");
    if sshd.is_none() {
        stand_aside("no sshd (OpenSSH)");
    }
    let sshd = sshd.map(|daemon| daemons::start(daemon, &room, ports::fresh()).expect("sshd"));
    ports.extend(sshd.iter().map(|server| server.address().port()));
    let list = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let scope = here.scope("crypto", &["127.0.0.1/32"], &list, "");
    let report = here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    assert_eq!(report["finished"], true, "{report}");
    let services = here.services();

    for (server, judged, group) in [
        (&hybrid_first, "hybrid-preferred", "X25519MLKEM768"),
        (&hybrid_too, "hybrid-offered", "x25519"),
        (&classic, "classic-only", "x25519"),
    ] {
        let seen = at(&services, server.port);
        let crypto = &seen["crypto"];
        assert_eq!((crypto["post_quantum"].as_str(), crypto["group"].as_str()), (Some(judged), Some(group)), "{seen}");
        assert_eq!((&crypto["versions"][0], &seen["tls_version"]), (&"1.3".into(), &"1.3".into()));
        assert!(crypto["old_versions_open"].is_null(), "it was asked, and refused: {seen}");
        assert_eq!((&seen["certificate"]["key"], &crypto["chain"]), (&"ec-256".into(), &1.into()), "{seen}");
        assert_eq!(weak(seen), Vec::<&str>::new(), "{seen}");
        let connections = server.lines.try_iter().filter(|line| line == "c").count();
        assert!((2..=MAX_HANDSHAKES).contains(&connections), "{judged}: {connections} connections");
    }
    let seen = at(&services, old.port);
    assert_eq!(seen["crypto"]["versions"][0], "1.3");
    let taken = seen["crypto"]["versions"][1].as_str().expect("an old version");
    assert!(["1.0", "1.1"].contains(&taken), "{seen}");
    for expected in ["rsa-short", "sha1-signature", "cbc"] {
        assert!(weak(seen).contains(&expected), "{expected}: {seen}");
    }
    if let Some(server) = &sshd {
        let seen = at(&services, server.address().port());
        assert_eq!(seen["crypto"]["post_quantum"], "hybrid-preferred", "{seen}");
        let first = seen["crypto"]["kex"][0].as_str().unwrap_or_default();
        assert!(first.starts_with("sntrup761x25519-sha512"), "{seen}");
        assert_eq!(seen["crypto"]["host_key"], "ed25519");
    }
    every_number_is_that_of_its_search(&here);
    its_columns_tell_it_apart(&here, old.port);
    its_bill_of_materials_is_cyclonedx(&here, &hybrid_first, &old);
    without_permission_nothing_more_is_asked(&hybrid_too);
}

fn every_number_is_that_of_its_search(here: &Installation) {
    let inventory = here.json(&["crypto"]);
    let groups = ["readiness", "lists"].into_iter().flat_map(|part| inventory[part].as_array().expect("a list"));
    let rows: Vec<&Value> = groups.flat_map(|list| list["rows"].as_array().expect("rows")).collect();
    assert!(rows.len() > 20, "{inventory}");
    for row in rows {
        let found = here.json(&["search", "--limit", "0", row["query"].as_str().expect("a query")]);
        assert_eq!(found["total"], row["count"], "{row}");
    }
    let count = |query: &str| here.json(&["search", "--limit", "0", query])["total"].as_u64().expect("a number");
    assert_eq!(count("tls.group:x25519mlkem768 pq:hybrid*"), 1);
    assert_eq!(count("cert.expires:0d..30d cert.key:ec-256"), 3);
    assert_eq!(count("weak:rsa-short tls.version:<1.2"), 1);
    let told = here.succeed(&["crypto"]);
    assert!(told.contains("hybrid-preferred") && told.contains("rsa-short (RFC 9325"), "{told}");
}

/// A column of CSV in which no cell before it has a comma within quotes that matters here.
fn column(table: &str, name: &str) -> Vec<String> {
    let rows: Vec<Vec<String>> = table.lines().map(cells).collect();
    let at = rows.first().and_then(|head| head.iter().position(|cell| cell == name)).expect("the column");
    rows.iter().skip(1).map(|row| row.get(at).cloned().expect("a cell")).collect()
}

/// The cells of a line (RFC 4180).
fn cells(line: &str) -> Vec<String> {
    let (mut all, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    all.push(cell);
    all
}

fn its_columns_tell_it_apart(here: &Installation, old: u16) {
    let table = here.succeed(&["export", "--format", "csv", "has:tls"]);
    let (ports, states) = (column(&table, "port"), column(&table, "tls_old_versions"));
    let of: Vec<_> = ports.iter().zip(&states).collect();
    assert_eq!(of.len(), 4, "{table}");
    for (port, state) in of {
        let expected = if *port == old.to_string() { "taken" } else { "refused" };
        assert_eq!(state, expected, "{port}: {table}");
    }
    assert_eq!(column(&table, "post_quantum").iter().filter(|how| *how == "hybrid-preferred").count(), 1);
    assert!(column(&table, "weak").iter().any(|names| names.split(' ').any(|name| name == "rsa-short")), "{table}");
}

/// Holds a file against the schema of CycloneDX 1.6, strictly, and says every fault.
const HOLD: &str = r"
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
if fault is not None: sys.exit(repr(fault)[:4000])
print('valid')
";

fn its_bill_of_materials_is_cyclonedx(here: &Installation, hybrid: &Server, old: &Server) {
    let file = here.path("crypto.cdx.json");
    let path = file.to_str().expect("a path");
    let told = here.json(&["crypto", "--format", "cyclonedx", "--out", path]);
    assert!(told["rows"].as_u64() >= Some(4), "{told}");
    let text = std::fs::read_to_string(&file).expect("written");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let components = whole["components"].as_array().expect("components");
    let of = |name: &str| {
        let found = components.iter().find(|one| one["bom-ref"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {text}"))
    };
    let places = |one: &Value| -> Vec<String> {
        let all = one["evidence"]["occurrences"].as_array().expect("places");
        all.iter().map(|place| place["location"].as_str().expect("a place").to_owned()).collect()
    };
    let (new, aged) = (format!("127.0.0.1:{}", hybrid.port), format!("127.0.0.1:{}", old.port));
    let group = of("algorithm/X25519MLKEM768");
    let properties = &group["cryptoProperties"]["algorithmProperties"];
    assert_eq!((&properties["primitive"], &properties["nistQuantumSecurityLevel"]), (&"combiner".into(), &3.into()));
    assert_eq!(places(group), std::slice::from_ref(&new));
    let classic = &of("algorithm/ec-256")["cryptoProperties"]["algorithmProperties"];
    assert_eq!((&classic["primitive"], &classic["nistQuantumSecurityLevel"]), (&"signature".into(), &0.into()));
    let newest = of("protocol/tls/1.3");
    assert!(places(newest).contains(&new) && places(newest).contains(&aged), "{newest}");
    let suites = newest["cryptoProperties"]["protocolProperties"]["cipherSuites"].as_array().expect("suites");
    assert!(
        suites.iter().any(|suite| suite["name"].as_str().is_some_and(|name| name.starts_with("TLS_AES_"))),
        "{newest}"
    );
    let aged_only = components.iter().filter(|one| places(one) == [aged.clone()]);
    let names: Vec<_> = aged_only.map(|one| one["bom-ref"].as_str().unwrap_or_default()).collect();
    assert!(
        names.iter().any(|name| name.starts_with("protocol/tls/1.")) && names.contains(&"algorithm/rsa-1024"),
        "{names:?}"
    );
    let certificates: Vec<_> =
        components.iter().filter(|one| one["cryptoProperties"]["assetType"] == "certificate").collect();
    assert_eq!(certificates.len(), 2, "one of the three, one of the old: {text}");
    assert!(certificates.iter().all(|one| one["name"] == "CN=own.example" && one["hashes"][0]["alg"] == "SHA-256"));
    assert!(text.contains("TLS older than 1.2: refused") && text.contains("TLS older than 1.2: taken"));
    let narrowed = here.succeed(&["crypto", "--format", "cyclonedx", &format!("port:{}", old.port)]);
    assert!(!narrowed.contains(&new) && narrowed.contains(&aged), "{narrowed}");

    let Some(python) = std::env::var_os("HINOMI_CYCLONEDX_PYTHON").filter(|path| Path::new(path).exists()) else {
        return stand_aside("no cyclonedx-python-lib (HINOMI_CYCLONEDX_PYTHON, .ci/install)");
    };
    let held = |file: &Path| Command::new(&python).args(["-c", HOLD]).arg(file).output().expect("Python runs");
    let output = held(&file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What holds it must be able to refuse.
    let wrong = here.path("wrong.cdx.json");
    std::fs::write(&wrong, text.replace("\"primitive\":\"combiner\"", "\"primitive\":\"cipher\"")).expect("written");
    assert!(!held(&wrong).status.success());
}

/// What a scope without `tls-offers` leaves open is said to be open.
fn without_permission_nothing_more_is_asked(server: &Server) {
    let here = Installation::new();
    let port = server.port.to_string();
    let scope = here.scope_for(&["connect", "tls", "http"], "less", &["127.0.0.1/32"], &port, "");
    here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    let services = here.services();
    let crypto = &at(&services, server.port)["crypto"];
    assert_eq!((&crypto["post_quantum"], &crypto["old_versions_open"]), (&"classic-chosen".into(), &true.into()));
    let table = here.succeed(&["export", "--format", "csv"]);
    let cells = column(&table, "tls_old_versions");
    assert_eq!(cells, ["not-asked"], "{table}");
    let connections = server.lines.try_iter().filter(|line| line == "c").count();
    assert_eq!(connections, 2, "a hello, and a session for what is inside");
}
