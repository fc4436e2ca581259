//! Whole services: what several pieces of evidence say together.

use hinomi_identify::Engine;
use hinomi_model::{DeviceKind, Evidence, EvidenceKind, Facts, Identifier};

fn identify(evidence: &[(EvidenceKind, &[u8])]) -> Facts {
    let evidence: Vec<Evidence> = evidence.iter().map(|(kind, bytes)| Evidence::new(*kind, *bytes)).collect();
    Engine::builtin().expect("built-in rules").identify(&evidence)
}

fn told(facts: &Facts) -> [Option<&str>; 3] {
    [facts.vendor.as_deref(), facts.product.as_deref(), facts.version.as_deref()]
}

#[test]
fn a_greeting_names_product_version_and_system() {
    let greeting = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
    let facts = identify(&[(EvidenceKind::Banner, greeting)]);
    assert_eq!(facts.protocol.as_ref().map(|protocol| protocol.as_str()), Some("ssh"));
    assert_eq!(told(&facts), [Some("OpenBSD"), Some("OpenSSH"), Some("9.2p1")]);
    assert_eq!(facts.os.as_deref(), Some("Debian 12"));
    assert_eq!(facts.cpe, ["cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*"]);
    assert_eq!(facts.summary.as_deref(), Some("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3"));
    let proof = facts.proofs.iter().find(|proof| proof.rule == "ssh/openssh").expect("a proof");
    let span = proof.start as usize..proof.end as usize;
    assert_eq!(&greeting[span], b"OpenSSH_9.2p1 Debian-2+deb12u3", "the span is exact");
}

#[test]
fn a_camera_behind_a_common_web_server_is_a_camera() {
    let page = "HTTP/1.1 200 OK\r\nServer: Boa/0.94.14rc21\r\n\r\n<html><title>BB-SC364 Network Camera</title></html>";
    let facts = identify(&[(EvidenceKind::Http, page.as_bytes())]);
    assert_eq!(told(&facts), [Some("Panasonic"), Some("BB-SC364"), None]);
    assert_eq!((facts.model.as_deref(), facts.kind), (Some("BB-SC364"), Some(DeviceKind::Camera)));
    assert_eq!(facts.cpe, ["cpe:2.3:a:boa:boa:0.94.14rc21:*:*:*:*:*:*:*"], "what it runs stays known");
    assert_eq!(facts.title.as_deref(), Some("BB-SC364 Network Camera"));
    assert_eq!(facts.summary.as_deref(), Some("200 OK Boa/0.94.14rc21"));
}

#[test]
fn a_device_of_a_maker_of_controllers_is_one_only_if_it_says_so() {
    // An identity of EtherNet/IP (cpppo 5.2.5): device type 14 is a controller, 12 a communications adapter.
    let identity = |device_type: u8| {
        let head = b"\x63\0\x3c\0\0\0\0\0\0\0\0\0\x01\0\x34\x34\0\0\0\0\0\0\0\0\x01\0\x0c\0\x36\0\x01\0\0\x02\xaf\x12\
            \0\0\0\0\0\0\0\0\0\0\0\0\x01\0";
        let rest = b"\0\x36\0\x14\x0b\x60\x31\x1a\x06\x6c\0\x141756-L61/B LOGIX5561\xff";
        identify(&[(EvidenceKind::Reply, &[&head[..], &[device_type], rest].concat())])
    };
    for (device_type, kind) in [(14, Some(DeviceKind::Controller)), (12, None), (0, None)] {
        let facts = identity(device_type);
        assert_eq!(told(&facts), [Some("Rockwell Automation"), Some("1756-L61/B LOGIX5561"), Some("20.11")]);
        assert_eq!(facts.kind, kind, "device type {device_type}");
    }
}

#[test]
fn nothing_is_claimed_of_what_says_nothing() {
    for bytes in [b"HTTP/1.1 200 OK\r\n\r\nhello".as_slice(), b"HTTP/1.1 404 Not Found\r\nServer: thing\r\n\r\n"] {
        let facts = identify(&[(EvidenceKind::Http, bytes)]);
        assert_eq!((told(&facts), facts.confidence.as_percent(), facts.kind), ([None; 3], 0, None));
    }
}

#[test]
fn an_open_broker_and_an_open_telnet_stand_out() {
    let facts = identify(&[(EvidenceKind::Mqtt, &[0x20, 2, 0, 0])]);
    assert_eq!(facts.protocol.as_ref().map(|protocol| protocol.as_str()), Some("mqtt"));
    assert!(facts.tags.iter().any(|tag| tag == "anonymous"), "{:?}", facts.tags);
    let refused = identify(&[(EvidenceKind::Mqtt, &[0x20, 2, 0, 5])]);
    assert!(refused.tags.is_empty(), "{:?}", refused.tags);
    let telnet = identify(&[(EvidenceKind::Banner, b"\xff\xfd\x01\xff\xfb\x03\r\nlogin: ")]);
    assert!(telnet.tags.iter().any(|tag| tag == "telnet-open"), "{:?}", telnet.tags);
}

#[test]
fn a_fork_is_not_taken_for_the_original() {
    let info = |more: &str| {
        let body = format!("# Server\r\nredis_version:7.2.4\r\n{more}redis_mode:standalone\r\n");
        format!("+PONG\r\n${}\r\n{body}\r\n", body.len())
    };
    let redis = identify(&[(EvidenceKind::Redis, info("").as_bytes())]);
    assert_eq!(told(&redis), [Some("Redis"), Some("Redis"), Some("7.2.4")]);
    let valkey = identify(&[(EvidenceKind::Redis, info("server_name:valkey\r\nvalkey_version:8.1.1\r\n").as_bytes())]);
    assert_eq!(told(&valkey), [Some("Valkey"), Some("Valkey"), Some("8.1.1")]);
    assert!(valkey.cpe.iter().all(|cpe| !cpe.contains(":redis:")), "{:?}", valkey.cpe);
}

#[test]
fn what_nobody_should_speak_any_more_is_old_tls() {
    for (version, old) in [(0x00, true), (0x01, true), (0x02, true), (0x03, false)] {
        let hello = [&[2, 0, 0, 38, 3, version][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
        let record = [&[22, 3, version, 0, 42][..], &hello].concat();
        let facts = identify(&[(EvidenceKind::Tls, &record)]);
        assert_eq!(facts.tags.iter().any(|tag| tag == "old-tls"), old, "{:?} {:?}", facts.tls_version, facts.tags);
        assert!(facts.tls_version.is_some());
    }
}
