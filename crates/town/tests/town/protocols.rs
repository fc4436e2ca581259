//! Every protocol, at hosts all over a town of the largest size: what the truth says is what the wire shows.

use std::collections::BTreeMap;

use hinomi_model::{DeviceKind, Transport};
use hinomi_town::Truth;

use crate::client::{self, PATIENCE};
use crate::{sound, town};

/// Hosts asked of each persona and service.
const HOSTS_EACH: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_town_of_65536_answers_as_its_truth_says() {
    let running = town(65_536).await;
    assert!(running.sockets() < 70, "{} sockets", running.sockets());
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    let mut protocols: BTreeMap<String, usize> = BTreeMap::new();
    // Backwards, so that not only the first addresses are asked.
    for truth in sound(&running).iter().rev() {
        let count = asked
            .entry(format!("{} {} {:?} {}", truth.persona, truth.port, truth.protocol, truth.variant))
            .or_default();
        *count += 1;
        if *count <= HOSTS_EACH {
            check(truth).await;
            *protocols.entry(truth.protocol.as_ref().map_or(String::new(), ToString::to_string)).or_default() += 1;
        }
    }
    assert_eq!(protocols.len(), 15, "{protocols:?}");
    assert!(protocols.values().sum::<usize>() > 300, "{protocols:?}");
    let metrics = running.metrics();
    assert_eq!(metrics.misdirected, 0);
    running.shutdown().await;
}

/// Asks a service and compares.
async fn check(truth: &Truth) {
    let reply = match truth.transport {
        Transport::Tcp => ask_tcp(truth).await,
        Transport::Udp => ask_udp(truth).await,
    };
    let shown = normal(&reply);
    for expected in [&truth.model, &truth.version].into_iter().flatten() {
        let found = String::from_utf8_lossy(&shown).contains(&*String::from_utf8_lossy(&normal(expected.as_bytes())));
        assert!(found, "{expected:?} is not in {:?} of {truth:?}", String::from_utf8_lossy(&reply));
    }
    assert_eq!(truth.kind.is_some(), truth.model.is_some());
    assert_ne!(truth.kind, Some(DeviceKind::Decoy));
}

/// Letters and digits only, in lower case: `NC-2100` is also found in `Hoshimi-NC2100`.
fn normal(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
}

async fn ask_tcp(truth: &Truth) -> Vec<u8> {
    let mut stream = client::open(truth).await.unwrap_or_else(|error| panic!("{error}: {truth:?}"));
    let protocol = truth.protocol.as_ref().map_or("", |protocol| protocol.as_str());
    let (request, proof): (&[u8], &[u8]) = match protocol {
        "http" => (b"GET / HTTP/1.1\r\nHost: town\r\nConnection: close\r\n\r\n", b"HTTP/1.1 "),
        "ssh" => (b"", b"SSH-2.0-"),
        "telnet" => (b"", b"\xff"),
        "ftp" | "smtp" => (b"", b"220"),
        "rtsp" => (b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n", b"RTSP/1.0 "),
        "mqtt" => (b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04town", b"\x20\x02\x00"),
        "redis" => (b"PING\r\nINFO server\r\nQUIT\r\n", b""),
        "modbus" => (b"\x00\x07\x00\x00\x00\x05\x01\x2b\x0e\x02\x00", b"\x00\x07\x00\x00\x00"),
        other => panic!("no client for {other}"),
    };
    let reply = client::ask(&mut *stream, request, |reply| complete(protocol, reply)).await;
    assert!(reply.starts_with(proof), "{:?} of {truth:?}", String::from_utf8_lossy(&reply));
    if protocol == "redis" {
        let locked = reply.starts_with(b"-NOAUTH ");
        assert!(locked || reply.starts_with(b"+PONG\r\n$"), "{:?}", String::from_utf8_lossy(&reply));
        assert_eq!(locked, truth.version.is_none());
    }
    if protocol == "mqtt" {
        let open = (truth.variant == "anonymous-mqtt" && !truth.tls) || truth.persona == "fukurou-dk2";
        assert_eq!(reply[3], if open { 0 } else { 5 }, "{truth:?}");
    }
    match truth.tls {
        true => [reply, client::certificate(truth).await.expect("a certificate")].concat(),
        false => reply,
    }
}

fn complete(protocol: &str, reply: &[u8]) -> bool {
    let ends = |end: &[u8]| reply.windows(end.len()).any(|window| window == end);
    match protocol {
        "ssh" => ends(b"\r\n"),
        "ftp" | "smtp" => reply.ends_with(b"\r\n") && (!reply.starts_with(b"220-") || ends(b"\r\n220 ")),
        "telnet" => reply.ends_with(b": "),
        "rtsp" => ends(b"\r\n\r\n"),
        "mqtt" => reply.len() >= 4,
        "modbus" => reply.len() >= 6 && reply.len() >= 6 + usize::from(reply[5]),
        "redis" => ends(b"+OK\r\n"),
        _ => false,
    }
}

async fn ask_udp(truth: &Truth) -> Vec<u8> {
    let protocol = truth.protocol.as_ref().map_or("", |protocol| protocol.as_str());
    let ntp = [&[0x23u8][..], &[0; 47]].concat();
    let request: &[u8] = match protocol {
        "dns" => b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03",
        "ntp" => &ntp,
        "snmp" => {
            b"\x30\x3e\x02\x01\x03\x30\x11\x02\x04\x11\x22\x33\x44\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03\x04\x10\
              \x30\x0e\x04\0\x02\x01\0\x02\x01\0\x04\0\x04\0\x04\0\x30\x14\x04\0\x04\0\xa0\x0e\x02\x04\x01\x02\x03\x04\
              \x02\x01\0\x02\x01\0\x30\0"
        }
        "ssdp" => b"M-SEARCH * HTTP/1.1\r\nHOST: town\r\nMAN: \"ssdp:discover\"\r\nST: ssdp:all\r\n\r\n",
        "coap" => b"\x40\x01\x12\x34\xbb.well-known\x04core",
        "echonet-lite" => b"\x10\x81\0\x01\x05\xff\x01\x0e\xf0\x01\x62\x04\x82\0\x8a\0\x8c\0\xd6\0",
        other => panic!("no client for {other}"),
    };
    let reply = client::ask_datagram(truth.address, truth.port, request, PATIENCE).await;
    let reply = reply.unwrap_or_else(|| panic!("silence from {truth:?}"));
    if protocol == "ssdp" { [reply.clone(), description(truth, &reply).await].concat() } else { reply }
}

/// What LOCATION points to, which must be the host itself.
async fn description(truth: &Truth, reply: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(reply);
    let location = text.lines().find_map(|line| line.strip_prefix("LOCATION: http://")).expect("a location");
    let (authority, path) = location.split_once('/').expect("a path");
    let (host, port) = authority.split_once(':').expect("a port");
    assert_eq!(host, truth.address.to_string());
    let mut stream = client::connect(truth.address, port.parse().expect("a port"), PATIENCE).await.expect("connects");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: town\r\nConnection: close\r\n\r\n");
    let page = client::ask(&mut stream, request.as_bytes(), |_| false).await;
    assert!(page.starts_with(b"HTTP/1.1 200 ") && page.windows(7).any(|w| w == b"</root>"), "{path}");
    page
}
