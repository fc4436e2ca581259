//! The index against a plain reading of the same sightings.

mod behaviour;
mod plain;
mod queries;

use std::sync::Arc;

use hinomi_model::sighting::content_of;
use hinomi_model::{
    CertificateFacts, Confidence, ContentHash, Cryptography, DeviceKind, Evidence, EvidenceKind, Facts, Marking,
    Outcome, PostQuantum, Purpose, SensorId, ServiceKey, Timestamp, Tlp, Transport,
};
use proptest::prelude::*;
use proptest::sample::select;

use super::write::{Glance, Source};
use super::{Index, Update};

/// Noon of 2026-11-22 in microseconds; what "now" is in these tests.
const NOW: i64 = 20_779 * 86_400_000_000 + 43_200_000_000;
const HOUR: i64 = 3_600_000_000;

pub(crate) fn time(hours: i64) -> Timestamp {
    Timestamp::from_micros(NOW + hours * HOUR)
}

/// A sighting of some banner at an address.
pub(crate) fn update(address: &str, port: u16, hours: i64, banner: &str) -> Update {
    let evidence = Evidence::new(EvidenceKind::Banner, banner).reference();
    let facts = Facts { protocol: "ssh".parse().ok(), product: Some(banner.to_owned()), ..Facts::default() };
    Update {
        key: ServiceKey { address: address.parse().expect("an address"), port, transport: Transport::Tcp },
        time: time(hours),
        outcome: Outcome::Open,
        sensor: "survey".parse().expect("a name"),
        content: content_of(std::slice::from_ref(&evidence)),
        evidence: vec![evidence],
        facts: Arc::new(facts),
        text: banner.into(),
        asn: None,
        other_then: None,
        operator: None,
        country: None,
        prefecture: None,
        fresh: false,
        marking: Marking::own(Purpose::Exercise),
    }
}

fn closed(address: &str, port: u16, hours: i64) -> Update {
    Update {
        outcome: Outcome::Closed,
        content: ContentHash::of(b""),
        evidence: Vec::new(),
        facts: Arc::default(),
        text: "".into(),
        ..update(address, port, hours, "")
    }
}

impl Index {
    /// Plans and carries out in one step.
    #[expect(clippy::needless_pass_by_value, reason = "tests hand over what they have just made")]
    fn apply(&self, version: u64, updates: Vec<Update>) -> Result<(), crate::error::LakeError> {
        let sayer = self.sayer()?;
        let glances = updates.iter().enumerate().map(|(at, update)| Glance::of(update, at, &sayer)).collect();
        let plan = self.plan(glances, &updates)?;
        self.carry_out(Some(version), plan, &updates, None)
    }
}

impl Source for Vec<Update> {
    fn teller(&self, at: usize) -> Option<(ContentHash, &SensorId, &Marking)> {
        self.get(at).map(|update| (update.content, &update.sensor, &update.marking))
    }

    fn update(&self, at: usize) -> Option<Update> {
        self.get(at).cloned()
    }
}

/// An index in a folder of its own.
fn fresh() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().expect("a folder");
    let index = Index::open(folder.path(), false).expect("an index");
    (folder, index)
}

const NAMES: &[&str] =
    &["nginx", "Nginx", "Apache httpd", "OpenSSH", "camera", "Let's Encrypt", "a,b(c)", "ログイン画面"];
const VERSIONS: &[&str] = &["1.4", "1.10", "9.6p1", "v2.0-rc1", "1.4~rc1", "0"];
const TEXTS: &[&str] = &[
    "SSH-2.0-OpenSSH_9.6p1 Debian",
    "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\na login page",
    "id deadbeef01234567 end",
    "serial 12345678",
    "ログイン画面へようこそ",
    "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    "",
];

fn some(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(select(values).prop_map(str::to_owned))
}

fn certificate() -> impl Strategy<Value = Option<CertificateFacts>> {
    let make = |(subject, issuer, hours): (&str, &str, i64)| CertificateFacts {
        subject: format!("CN={subject}"),
        issuer: issuer.to_owned(),
        names: vec!["www.example.jp".to_owned()],
        not_before: time(hours - 24 * 90),
        not_after: time(hours),
        self_signed: false,
        key: "ec-256".to_owned(),
        signature: "ecdsa-with-SHA256".to_owned(),
        sha256: "00".repeat(32),
    };
    prop::option::of((select(NAMES), select(NAMES), -900i64..900).prop_map(make))
}

fn cryptography() -> impl Strategy<Value = Cryptography> {
    let lists = (
        prop::collection::vec(select(VERSIONS).prop_map(str::to_owned), 0..3),
        prop::collection::vec(select(NAMES).prop_map(str::to_owned), 0..3),
        prop::collection::vec(select(&["tls-1.0", "rsa-short"][..]).prop_map(str::to_owned), 0..2),
    );
    let one = (some(NAMES), some(NAMES), some(NAMES), prop::option::of(select(&PostQuantum::ALL[..])));
    (lists, one).prop_map(|((versions, kex, weak), (group, cipher, host_key, post_quantum))| Cryptography {
        versions,
        group,
        cipher,
        chain: 1,
        ciphers: kex.clone(),
        macs: kex.clone(),
        kex,
        host_key,
        post_quantum,
        weak,
        old_versions_open: false,
    })
}

/// What some evidence says; evidence and facts go together, as an identifier's would.
fn told() -> impl Strategy<Value = (Facts, &'static str)> {
    let names = (some(NAMES), some(NAMES), some(VERSIONS), some(NAMES), some(VERSIONS), some(NAMES), some(NAMES));
    let kinds: Vec<DeviceKind> = DeviceKind::all().collect();
    let lists = (
        prop::collection::vec(select(&["telnet-open", "Expired", "expired"][..]).prop_map(str::to_owned), 0..3),
        prop::collection::vec(
            select(&["cpe:2.3:a:openbsd:openssh:9.6", "cpe:2.3:a:f5:nginx:1.4"][..]).prop_map(str::to_owned),
            0..2,
        ),
    );
    let rest = (
        select(&["ssh", "http", "rtsp"][..]),
        any::<bool>(),
        some(&["1.2", "1.3"]),
        prop::option::of(select(kinds)),
        select(&[0u8, 50, 80, 100][..]),
        certificate(),
        some(&["ec7378c1a92f5a8dde7e8b7a1ddf33d1", "0a07365cc01fa9fc82608ba4019af499"]),
        some(&["SHA256:Abc", "SHA256:abd"]),
        prop::option::of(cryptography()),
    );
    (names, lists, rest, select(TEXTS)).prop_map(|(names, (tags, cpe), rest, text)| {
        let (vendor, product, version, model, firmware, os, title) = names;
        let (protocol, tls, tls_version, kind, confidence, certificate, hassh, host_key, crypto) = rest;
        let facts = Facts {
            protocol: protocol.parse().ok(),
            confidence: Confidence::percent(confidence),
            vendor,
            product,
            version,
            model,
            firmware,
            os,
            title,
            tls,
            tls_version,
            kind,
            certificate,
            hassh,
            host_key,
            crypto,
            cpe,
            tags,
            ..Facts::default()
        };
        (facts, text)
    })
}

fn address() -> impl Strategy<Value = std::net::IpAddr> {
    let v4 = (0u32..1024).prop_map(|low| std::net::Ipv4Addr::from(0xc000_0200 + low).into());
    let v6 = (0u128..64).prop_map(|low| std::net::Ipv6Addr::from((0x2001_0db8 << 96) + low).into());
    prop_oneof![4 => v4, 1 => v6]
}

/// Audiences that markings name.
const AUDIENCES: &[&[&str]] = &[&[], &["isac"], &["isac", "csirt"]];

/// A sighting of something, somewhere near the others.
pub(crate) fn any_update() -> impl Strategy<Value = Update> {
    let key = (address(), select(&[22u16, 80, 443][..]), any::<bool>()).prop_map(|(address, port, udp)| ServiceKey {
        address,
        port,
        transport: if udp { Transport::Udp } else { Transport::Tcp },
    });
    let outcome = prop_oneof![8 => Just(Outcome::Open), 1 => Just(Outcome::Closed), 1 => Just(Outcome::Pseudo)];
    let around = (
        select(&["survey", "import:nmap", "Import:nmap"][..]),
        prop::option::of(select(&[64_500u32, 64_501, 22][..])),
        (some(&["JP", "jp", "DE"]), some(&["Example Net", "example net"]), some(&["Tokyo", "Hokkaido"])),
        (select(&[Tlp::Clear, Tlp::AmberStrict][..]), select(AUDIENCES)),
    );
    (key, -1_500i64..2, outcome, told(), around).prop_map(|(key, hours, outcome, (facts, text), around)| {
        let (sensor, asn, (country, operator, prefecture), (tlp, audience)) = around;
        let audience: Vec<String> = audience.iter().map(|name: &&str| (*name).to_owned()).collect();
        // One piece, or two of which others have the second.
        let own = Evidence::new(EvidenceKind::Banner, format!("{text}{facts:?}")).reference();
        let shared = Evidence::new(EvidenceKind::Http, text).reference();
        let evidence: Vec<_> = [own, shared].into_iter().take(if facts.tls { 2 } else { 1 }).collect();
        Update {
            key,
            time: time(hours),
            outcome,
            sensor: sensor.parse().expect("a name"),
            content: content_of(&evidence),
            evidence,
            facts: Arc::new(facts),
            text: text.into(),
            asn,
            other_then: None,
            country,
            operator,
            prefecture,
            fresh: false,
            marking: Marking { tlp, audience, ..Marking::own(Purpose::Research) },
        }
    })
}
