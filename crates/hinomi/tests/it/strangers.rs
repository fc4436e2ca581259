//! Small servers of the test's own on loopback that do what strangers do: speak IPv6 only, talk without end, write
//! bytes that are no text, keep a connection or end it. The survey is the whole program.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::program::{Installation, alone, stand_aside, until};

/// Longest wait for what a survey of one host does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The survey's bound on what is read from one connection, and how many connections one service gets.
const MAX_CONNECTION_BYTES: u64 = 64 * 1024;
const MAX_HANDSHAKES: u64 = 5;

/// What the talker would say if nobody stopped it.
const ENDLESS_BYTES: u64 = 10 << 30;

/// What the sockets of both sides may hold beside what was read.
const MAX_IN_FLIGHT_BYTES: u64 = 64 << 20;

/// The most memory of a survey of one host, in KiB: far below what the talker would say.
const MAX_MEMORY_KIB: u64 = 512 * 1024;

/// Serves every connection in a thread of its own for as long as the test runs.
fn serve(listener: TcpListener, visit: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let address = listener.local_addr().expect("bound");
    let visit = Arc::new(visit);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let visit = Arc::clone(&visit);
            std::thread::spawn(move || visit(stream));
        }
    });
    address
}

fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

/// Surveys these addresses, which must be of one host; gives the report.
fn survey(here: &Installation, range: &str, ports: &[SocketAddr]) -> Value {
    let ports: Vec<String> = ports.iter().map(|address| address.port().to_string()).collect();
    let scope = here.scope("strangers", &[range], &ports.join(","), "");
    let report = here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    assert_eq!(report["finished"], true, "{report}");
    report
}

fn service_at(here: &Installation, address: SocketAddr) -> Value {
    let services = here.services();
    let found = services.iter().find(|service| service["port"] == u64::from(address.port()));
    found.unwrap_or_else(|| panic!("{address} was not seen: {services:?}")).clone()
}

/// Every piece of evidence of a host, its kind and bytes, as the program shows them byte by byte.
fn evidence(here: &Installation, host: &str) -> Vec<(String, Vec<u8>)> {
    let text = here.succeed(&["host", host, "--bytes"]);
    let mut pieces: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("  evidence ") {
            pieces.push((rest.split(' ').next().unwrap_or_default().to_owned(), Vec::new()));
        } else if let (Some(row), Some((_, bytes))) = (line.strip_prefix("    "), pieces.last_mut()) {
            let hex = row.get(8..55).unwrap_or_default();
            bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("two digits")));
        }
    }
    pieces
}

fn pieces(here: &Installation, host: &str, kind: &str) -> Vec<Vec<u8>> {
    evidence(here, host).into_iter().filter(|(of, _)| of == kind).map(|(_, bytes)| bytes).collect()
}

/// The head of one request; none when the client has gone.
fn request(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 * 1024 {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn a_service_on_ipv6_is_found_and_identified() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        stand_aside("this machine has no IPv6 loopback");
        return;
    };
    let _alone = alone();
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&hosts);
    let address = serve(listener, move |mut stream| {
        let Some(head) = request(&mut stream) else { return };
        seen.lock().expect("a lock").extend(head.lines().find(|line| line.starts_with("Host:")).map(str::to_owned));
        let answer = response("404 Not Found", "Server: nginx/1.22.1\r\nConnection: close\r\n", b"none");
        let _gone_is_fine = stream.write_all(&answer);
    });
    let here = Installation::new();
    survey(&here, "::1/128", &[address]);
    let service = service_at(&here, address);
    assert_eq!(service["address"], "::1", "{service}");
    assert_eq!((&service["protocol"], &service["product"]), (&"http".into(), &"nginx".into()), "{service}");
    assert_eq!(service["version"], "1.22.1", "{service}");
    assert_eq!(*hosts.lock().expect("a lock"), [format!("Host: {address}")], "asked once, by its name");
    let found = here.json(&["search", "net:::1/128 product:nginx"]);
    assert_eq!(found["total"], 1, "{found}");
}

/// Says as much as it can until the other side has had enough; reports how much went out.
fn talk_without_end(mut stream: TcpStream, said: &Sender<(u64, Option<ErrorKind>)>) {
    let block = b"the fire tower sees smoke in the seventh ward and rings the bell\r\n".repeat(1_000);
    let mut sent = 0;
    while sent < ENDLESS_BYTES {
        match stream.write(&block) {
            Ok(count) => sent += count as u64,
            Err(error) => {
                let _nobody_listens = said.send((sent, Some(error.kind())));
                return;
            }
        }
    }
    let _nobody_listens = said.send((sent, None));
}

/// The most memory that a process has had, in KiB; 0 once it is gone.
fn high_water_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_banner_of_ten_gigabytes_is_cut_off() {
    let _alone = alone();
    let (sender, said): (_, Receiver<(u64, Option<ErrorKind>)>) = channel();
    let address = serve(loopback(), move |stream| talk_without_end(stream, &sender));
    let here = Installation::new();
    let scope = here.scope("endless", &["127.0.0.1/32"], &address.port().to_string(), "");
    let mut command = here.command(&["survey", "--json", "--scope", scope.to_str().expect("a path")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let mut memory_kib = 0;
    until("the survey ends", PATIENCE, || {
        memory_kib = memory_kib.max(high_water_kib(child.id()));
        child.try_wait().expect("a child").is_some()
    });
    let output = child.wait_with_output().expect("an end");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let (sent, end) = said.recv_timeout(PATIENCE).expect("the talker was stopped");
    println!("sent {sent} bytes, read {}, memory {memory_kib} KiB", report["counts"]["bytes_received"]);
    assert!(matches!(end, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "saw the end: {end:?}");
    assert!(sent > MAX_CONNECTION_BYTES, "it could say more than is read: {sent}");
    assert!(sent < MAX_CONNECTION_BYTES + MAX_IN_FLIGHT_BYTES, "it was stopped: {sent}");
    let read = report["counts"]["bytes_received"].as_u64().expect("a count");
    assert!((MAX_CONNECTION_BYTES..=MAX_HANDSHAKES * MAX_CONNECTION_BYTES).contains(&read), "{report}");
    assert_eq!(report["counts"]["pseudo"], 1, "counted as what it is: {report}");
    assert!((1..MAX_MEMORY_KIB).contains(&memory_kib), "{memory_kib} KiB");
    let shown = here.succeed(&["host", "127.0.0.1"]);
    assert!(shown.contains(" pseudo "), "{shown}");
}

/// Bytes that no text has: alone, cut off, too long, beyond the last character.
const NO_TEXT: &[u8; 8] = b"\xff\xfe\xc3\x28\x80\x81\xf5\xc0";

/// A certificate whose subject is no text, and its key.
fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    const PLACE: &[u8] = b"NOTEXT88";
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["axolotl.example".to_owned()]).expect("names");
    params.distinguished_name.push(DnType::CommonName, "axolotl-NOTEXT88");
    let mut der = params.self_signed(&key).expect("a certificate").der().to_vec();
    let places: Vec<usize> =
        der.windows(PLACE.len()).enumerate().filter(|(_, part)| *part == PLACE).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 2, "subject and issuer");
    places.into_iter().for_each(|at| der[at..at + NO_TEXT.len()].copy_from_slice(NO_TEXT));
    (der.into(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

fn serve_tls(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).expect("a pair");
    let config = Arc::new(config);
    serve(loopback(), move |stream| {
        let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else { return };
        let mut stream = StreamOwned::new(connection, stream);
        while request(&mut stream).is_some() {
            let _gone_is_fine = stream.write_all(&response("404 Not Found", "", b"none"));
        }
    })
}

#[test]
fn bytes_that_are_no_text_are_kept_shown_and_found() {
    let _alone = alone();
    let banner = [b"220 dragonfly ", &NO_TEXT[..], b" FTP \x1b[2J\xe2\x80\xae server\r\n"].concat();
    let page = [b"<title>salamander ", &NO_TEXT[..], b"</title>"].concat();
    let head =
        [b"HTTP/1.1 404 Not Found\r\nServer: newt-", &NO_TEXT[..], b"\x1b]0;x\x07/1.0\r\nContent-Length: "].concat();
    let answer = [&head[..], page.len().to_string().as_bytes(), b"\r\n\r\n", &page].concat();
    let (certificate, key) = certificate();
    let (greeting, whole) = (banner.clone(), answer.clone());
    let ftp = serve(loopback(), move |mut stream| {
        let _gone_is_fine = stream.write_all(&greeting);
        let _until_the_client_goes = stream.read(&mut [0; 64]);
    });
    let web = serve(loopback(), move |mut stream| {
        while request(&mut stream).is_some() {
            let _gone_is_fine = stream.write_all(&whole);
        }
    });
    let tls = serve_tls(certificate.clone(), key);
    let here = Installation::new();
    survey(&here, "127.0.0.1/32", &[ftp, web, tls]);
    // Kept to the byte.
    assert_eq!(pieces(&here, "127.0.0.1", "banner"), [banner]);
    assert!(pieces(&here, "127.0.0.1", "http").contains(&answer));
    assert_eq!(pieces(&here, "127.0.0.1", "certificate"), [certificate.to_vec()]);
    // Shown without what steers a terminal or turns text; what is not UTF-8 would have failed before this.
    for shown in [here.succeed(&["host", "127.0.0.1"]), here.succeed(&["search", "dragonfly"])] {
        let unsafe_ones = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!shown.chars().any(unsafe_ones), "{shown:?}");
    }
    let service = service_at(&here, tls);
    assert!(service["cert_subject"].as_str().is_none_or(|subject| subject.contains("axolotl")), "{service}");
    // Found by the words beside them, each at its own port.
    for (words, address) in [("dragonfly", ftp), ("newt", web), ("title:salamander*", web), ("axolotl", tls)] {
        let found = here.json(&["search", words]);
        assert_eq!(found["total"], 1, "{words}: {found}");
        assert_eq!(found["matches"][0]["port"], u64::from(address.port()), "{words}: {found}");
    }
}

/// A picture of one pixel.
const PICTURE: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// How a web server of the test treats its visitors.
struct Manner {
    page: Vec<u8>,
    icon: Vec<u8>,
    keeps: bool,
}

/// The first lines of the requests of each connection that had any.
type Requests = Arc<Mutex<Vec<Vec<String>>>>;

fn web_server(manner: Manner) -> (SocketAddr, Requests) {
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let address = serve(loopback(), move |mut stream| {
        // Noted before it is answered: connections stand in the order in which they asked.
        let mut place = None;
        while let Some(head) = request(&mut stream).filter(|head| head.starts_with("GET ")) {
            let line = head.lines().next().unwrap_or_default().to_owned();
            let answer = if line.starts_with("GET / ") { &manner.page } else { &manner.icon };
            let mut seen = seen.lock().expect("a lock");
            let mine = *place.get_or_insert(seen.len());
            if mine == seen.len() {
                seen.push(Vec::new());
            }
            seen[mine].push(line);
            drop(seen);
            if stream.write_all(answer).is_err() || !manner.keeps || head.contains("Connection: close") {
                break;
            }
        }
    });
    (address, requests)
}

#[test]
fn icons_are_asked_for_once_and_kept_whole() {
    let _alone = alone();
    let linked = b"<html><head><link rel=\"icon\" href=\"/img/i.gif\"></head></html>";
    let html = "Content-Type: text/html\r\n";
    let closing = "Content-Type: text/html\r\nConnection: close\r\n";
    let ok = |body: &[u8]| response("200 OK", html, body);
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nGIF89a only half".to_vec();
    let (keeps, keeping) = web_server(Manner { page: ok(linked), icon: ok(PICTURE), keeps: true });
    let (closes, closed) =
        web_server(Manner { page: response("401 Unauthorized", closing, b"<html>"), icon: ok(PICTURE), keeps: false });
    let (absent, missing) =
        web_server(Manner { page: response("404 Not Found", html, linked), icon: ok(PICTURE), keeps: true });
    let (every, paging) = web_server(Manner { page: ok(b"<html>"), icon: ok(b"<html>no icon</html>"), keeps: true });
    let (half, halving) = web_server(Manner { page: response("200 OK", closing, b"x"), icon: cut, keeps: false });
    let here = Installation::new();
    let report = survey(&here, "127.0.0.1/32", &[keeps, closes, absent, every, half]);
    let asked = |requests: &Requests| requests.lock().expect("a lock").clone();
    let once = |path: &str| format!("GET {path} HTTP/1.1");
    assert_eq!(asked(&keeping), [[once("/"), once("/img/i.gif")]], "one connection, two requests");
    assert_eq!(asked(&closed), [[once("/")], [once("/favicon.ico")]], "one more connection, for an icon by custom");
    assert_eq!(asked(&missing), [[once("/")]], "an error page has no icon");
    assert_eq!(asked(&paging), [[once("/"), once("/favicon.ico")]]);
    assert_eq!(asked(&halving), [[once("/")], [once("/favicon.ico")]]);
    assert_eq!(report["counts"]["by_reason"]["icon is not whole"], 1, "{report}");
    assert_eq!(pieces(&here, "127.0.0.1", "favicon"), [PICTURE, PICTURE], "two icons, pages and halves are none");
}
