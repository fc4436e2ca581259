use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::scope::{Probe, Rule};
use hinomi_model::time::FixedClock;
use hinomi_model::{ServiceKey, Timestamp, Transport};
use tokio::net::TcpListener;

use super::*;
use crate::metrics::Metrics;

const DOCUMENT: &str = r#"
format = 1
name = "test"
hours = "always"
valid_from = "2026-11-01T00:00:00Z"
valid_until = "2026-12-01T00:00:00Z"

[authority]
organisation = "Test"
person = "T. Ester"

[contact]
email = "t@example.org"

[targets]
ranges = ["127.0.0.0/24"]
exclude = ["127.0.0.99"]
tcp_ports = "1-65535"
udp_ports = "1-65535"
probes = ["connect", "http", "dns"]

[rate]
total_pps = 1000
per_prefix_pps = 1000
per_host_pps = 1000
per_host_connections = 4
"#;

fn now() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().expect("a time")
}

fn trusted(key: &PrivateKey) -> Trust {
    Trust::default().signer(key.public(), "tester")
}

fn signed(text: &str) -> (String, PrivateKey) {
    let key = PrivateKey::generate().expect("a key");
    (sign(text.as_bytes(), &key).expect("a valid document"), key)
}

#[test]
fn only_a_fitting_signature_of_a_trusted_key_authorises() {
    let (text, key) = signed(DOCUMENT);
    let authorised = verify(text.as_bytes(), &trusted(&key), now()).expect("authorised");
    assert_eq!((authorised.scope().name.as_str(), authorised.signer()), ("test", "tester"));
    let again = sign(text.as_bytes(), &key).expect("signing again replaces the signature");
    assert_eq!(again, text);
    let unsigned = verify(DOCUMENT.as_bytes(), &trusted(&key), now());
    assert!(matches!(unsigned, Err(VerifyError::Unsigned)));
    let unknown = verify(text.as_bytes(), &Trust::default(), now());
    assert!(matches!(unknown, Err(VerifyError::Unknown { .. })));
    let late = verify(text.as_bytes(), &trusted(&key), "2026-12-01".parse().expect("a date"));
    assert!(matches!(late, Err(VerifyError::Expired { .. })));
}

#[test]
fn every_changed_byte_is_noticed() {
    let (text, key) = signed(DOCUMENT);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        let Some(byte) = bytes.get_mut(at) else { continue };
        *byte ^= 1;
        let verdict = verify(&bytes, &trusted(&key), now());
        assert!(verdict.is_err(), "byte {at} of the file was changed and nobody noticed");
    }
    let longer = format!("{text}\n[targets]\nranges = [\"0.0.0.0/0\"]\n");
    assert!(matches!(verify(longer.as_bytes(), &trusted(&key), now()), Err(VerifyError::Damaged(_))));
    let (before, _) = text.split_once(signature::MARKER).expect("a marker");
    assert!(matches!(verify(before.as_bytes(), &trusted(&key), now()), Err(VerifyError::Unsigned)));
}

#[test]
fn a_key_of_ones_own_authorises_loopback_only() {
    let key = PrivateKey::generate().expect("a key");
    let own = Trust::default().own(key.public());
    let home = sign(DOCUMENT.as_bytes(), &key).expect("signed");
    assert_eq!(verify(home.as_bytes(), &own, now()).expect("authorised").signer(), "self");
    for range in ["198.18.0.0/24", "126.0.0.0/7", "::/0", "10.0.0.0/8"] {
        let abroad = DOCUMENT.replace("127.0.0.0/24", range);
        let abroad = sign(abroad.as_bytes(), &key).expect("signed");
        assert!(matches!(verify(abroad.as_bytes(), &own, now()), Err(VerifyError::NotOwn { .. })), "{range}");
    }
}

#[test]
fn documents_that_make_no_sense_say_why() {
    let cases = [
        ("name = \"test\"", "name = \"a b\"", "name:"),
        ("format = 1", "format = 9", "format 9"),
        ("127.0.0.0/24", "127.0.0.0/40", "targets.ranges"),
        ("127.0.0.0/24", "fe80::1%eth0", "zone"),
        ("exclude = ", "exlude = ", "unknown field"),
        ("\"http\"", "\"exploit\"", "no probe"),
        ("total_pps = 1000", "total_pps = 0", "rate"),
        ("t@example.org", "nobody", "contact.email"),
        ("t@example.org", "a team@example.org", "contact.email"),
        ("T. Ester", " ", "authority"),
        ("2026-12-01T00:00:00Z", "2026-10-01T00:00:00Z", "valid_until"),
        ("\"always\"", "\"sometimes\"", "hours of the day"),
        ("tcp_ports = \"1-65535\"", "tcp_ports = \"0-70000\"", "not a port"),
    ];
    for (from, to, complaint) in cases {
        let text = DOCUMENT.replacen(from, to, 1);
        let problem = Document::read(text.as_bytes()).and_then(|document| document.check());
        let said = problem.expect_err(to).to_string();
        assert!(said.contains(complaint), "{to}: {said}");
    }
    assert_eq!(Document::read(&[b'#'; document::MAX_BYTES + 1]), Err(DocumentError::TooLong));
    assert!(matches!(Document::read(b"name = \"\xff\""), Err(DocumentError::NotText { at: 8 })));
}

fn door(opt_out: &str) -> Door {
    let (text, key) = signed(DOCUMENT);
    let authorised = verify(text.as_bytes(), &trusted(&key), now()).expect("authorised");
    let list = OptOut::default();
    list.replace(opt_out.split_whitespace().map(|prefix| prefix.parse().expect("a prefix")).collect());
    Door::new(authorised, Arc::new(list), Arc::new(FixedClock(now())), Arc::new(Metrics::default()))
}

fn key(address: &str, port: u16) -> ServiceKey {
    ServiceKey { address: address.parse::<IpAddr>().expect("an address"), port, transport: Transport::Tcp }
}

/// Listens at an address that the scope does not permit, asks the door to connect, and sees whether anybody comes.
#[tokio::test]
async fn the_door_connects_where_it_may_and_nowhere_else() {
    let door = door("127.0.0.98/32");
    for (address, expected) in [
        ("127.0.0.1", None),
        ("127.0.0.98", Some("opted out")),
        ("127.0.0.99", Some("excluded")),
        ("127.0.1.1", Some("reserved")),
        ("127.9.0.1", Some("reserved")),
    ] {
        let listener = TcpListener::bind((address, 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        match (door.permit(key(address, port), Probe::Connect), expected) {
            (Ok(permit), None) => {
                let connection = door.connect(permit, Duration::from_secs(1)).await;
                assert!(connection.is_ok(), "{address} is permitted");
            }
            (Err(refused), Some(rule)) => {
                assert!(refused.rule.to_string().starts_with(rule), "{address}: {}", refused.rule);
                let visitor = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
                assert!(visitor.is_err(), "somebody came to {address}");
            }
            (verdict, _) => panic!("{address}: {verdict:?}, expected {expected:?}"),
        }
    }
    assert_eq!(door.metrics().counts().packets_sent, 1);
    assert_eq!(door.metrics().counts().by_reason.values().sum::<u64>(), 4);
}

/// A permit is no pass for ever: what is forbidden after it was given is not sent.
#[tokio::test]
async fn a_permit_is_asked_again_when_it_is_used() {
    let (text, signer) = signed(DOCUMENT);
    let authorised = verify(text.as_bytes(), &trusted(&signer), now()).expect("authorised");
    let list = Arc::new(OptOut::default());
    let clock = Arc::new(FixedClock(now()));
    let door = Door::new(authorised, Arc::clone(&list), clock, Arc::new(Metrics::default()));
    let listener = TcpListener::bind("127.0.0.7:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let permit = door.permit(key("127.0.0.7", port), Probe::Connect).expect("permitted");
    list.replace(vec!["127.0.0.7/32".parse().expect("a prefix")]);
    let refused = door.connect(permit, Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(DoorError::Refused(Refused { rule: Rule::OptOut { .. }, .. }))));
}

#[test]
fn an_opt_out_list_with_a_line_that_cannot_be_read_stops_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("opt-out.txt");
    assert!(OptOut::load(&path).is_ok(), "no file is an empty list");
    std::fs::write(&path, "# asked by mail\n192.0.2.0/24\nexample.org\n").expect("written");
    let problem = OptOut::load(&path).expect_err("a line is no prefix").to_string();
    assert!(problem.contains("line 3"), "{problem}");
}

#[test]
fn ports_of_a_probe_are_read() {
    let scope = |probes: &str| {
        let text = DOCUMENT.replace("[\"connect\", \"http\", \"dns\"]", probes);
        Document::read(text.as_bytes()).and_then(|document| document.check())
    };
    let named = scope("[\"connect\", \"modbus:1502,2502\"]").expect("a scope");
    assert_eq!(named.probes, [Probe::Connect, Probe::Modbus]);
    assert_eq!(named.named_at(2502).collect::<Vec<_>>(), [Probe::Modbus]);
    assert_eq!(named.named_at(502).count(), 0);
    let all = scope("[\"all\", \"modbus:1502\"]").expect("a scope");
    assert_eq!(all.probes, Probe::all().collect::<Vec<_>>());
    for (wrong, reason) in [("modbus:", "no port"), ("modbus:x", "not a port"), ("modbsu:1", "is no probe")] {
        let said = scope(&format!("[\"{wrong}\"]")).expect_err("refused").to_string();
        assert!(said.contains(reason), "{said}");
    }
}

/// A scope of these ranges for TCP and UDP port 80, as documents make them.
pub(crate) fn scope_of(ranges: Vec<ipnet::IpNet>, exclude: Vec<ipnet::IpNet>) -> hinomi_model::Scope {
    use hinomi_model::scope::{Authority, Contact, Hours, PortSet, Probe, Rate, Scope};
    let ports = || "80".parse::<PortSet>().expect("a port");
    let rate = Rate { total_pps: 1, per_prefix_pps: 1, per_host_pps: 1, per_host_connections: 1 };
    Scope {
        name: "gate".to_owned(),
        authority: Authority { organisation: "o".to_owned(), person: "p".to_owned(), reference: String::new() },
        contact: Contact { email: "a@b".to_owned(), phone: String::new(), page: String::new() },
        ranges,
        exclude,
        tcp: ports(),
        udp: ports(),
        probes: Probe::all().collect(),
        probe_ports: Vec::new(),
        rate,
        hours: Hours::always(),
        valid_from: Timestamp::from_micros(0),
        valid_until: Timestamp::from_micros(i64::MAX),
    }
}
