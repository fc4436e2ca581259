//! What every binary codec keeps, whatever it is fed: it does not panic, its spans lie within the evidence, and masking
//! changes no field and, done twice, nothing more. Fed are known messages, all their beginnings, the same with bytes
//! changed, and noise.

use hinomi_model::EvidenceKind;
use hinomi_wire::{fields, mask};
use proptest::prelude::*;

/// One message a kind of evidence at least. Where they come from stands in `testdata/README.md`; the others were laid
/// out by hand after the specifications that the codecs name.
const MESSAGES: &[(EvidenceKind, &[u8])] = &[
    (EvidenceKind::Tls, include_bytes!("../testdata/tls12-rsa.bin")),
    (EvidenceKind::Tls, include_bytes!("../testdata/tls13.bin")),
    (EvidenceKind::Tls, include_bytes!("../testdata/tls13-retry.bin")),
    (EvidenceKind::Tls, include_bytes!("../testdata/tls-alert.bin")),
    (EvidenceKind::Certificate, include_bytes!("../testdata/x509-rsa.der")),
    (EvidenceKind::ChainCertificate, include_bytes!("../testdata/x509-ec.der")),
    (EvidenceKind::SshKex, include_bytes!("../testdata/ssh-kexinit.bin")),
    (EvidenceKind::SshHostKey, include_bytes!("../testdata/ssh-host-key.bin")),
    (EvidenceKind::Mqtt, include_bytes!("../testdata/mqtt-connack.bin")),
    (EvidenceKind::Mqtt, b"\x20\x06\0\0\x03\x21\0\x14"),
    (EvidenceKind::Dns, include_bytes!("../testdata/dns-version.bin")),
    (
        EvidenceKind::Dns,
        b"\x12\x34\x84\0\0\x01\0\x01\0\0\0\x01\x07version\x04bind\0\0\x10\0\x03\
          \xC0\x0C\0\x10\0\x03\0\0\0\x3C\0\x0D\x0C9.18.28-test\0\0\x29\x04\xD0\0\0\0\0\0\0",
    ),
    (EvidenceKind::Ntp, include_bytes!("../testdata/ntp-chrony.bin")),
    (EvidenceKind::Snmp, include_bytes!("../testdata/snmp-report.bin")),
    (EvidenceKind::Coap, include_bytes!("../testdata/coap-core.bin")),
    (
        EvidenceKind::EchonetLite,
        b"\x10\x81\0\x07\x0E\xF0\x01\x05\xFF\x01\x72\x04\xD6\x04\x01\x02\x79\x01\x82\x04\x01\x0D\x01\0\
          \x8A\x03\0\0\x77\x8C\x0CGW-1\0\0\0\0\0\0\0\0",
    ),
    (EvidenceKind::Modbus, include_bytes!("../testdata/modbus-regular.bin")),
    (
        EvidenceKind::Modbus,
        b"\x12\x34\0\0\0\x21\x01\x2B\x0E\x01\x01\0\0\x03\0\x0ACompany id\x01\x03XYZ\x02\x06V2.11 \
          \x12\x35\0\0\0\x0F\x01\x2B\x0E\x02\x02\0\0\x01\x05\x05M-340",
    ),
];

fn assert_laws(kind: EvidenceKind, bytes: &[u8]) {
    let found = fields(kind, bytes);
    for field in &found {
        let span = &field.span;
        assert!(span.start <= span.end && span.end <= bytes.len(), "{kind} {} {span:?}", field.name);
    }
    let mut masked = bytes.to_vec();
    mask(kind, &mut masked);
    assert_eq!(fields(kind, &masked), found, "{kind}: masking changes no field");
    let once = masked.clone();
    mask(kind, &mut masked);
    assert_eq!(masked, once, "{kind}: masking twice changes nothing more");
}

#[test]
fn known_messages_are_sound() {
    for (kind, message) in MESSAGES {
        let found = fields(*kind, message);
        assert!(!found.is_empty() && found.iter().all(|field| field.name != "malformed"), "{kind}: {found:?}");
        assert_laws(*kind, message);
    }
}

#[test]
fn real_servers_are_told_by_name() {
    let told = |kind: EvidenceKind, name: &str| {
        let messages = MESSAGES.iter().filter(|(of, _)| *of == kind);
        let values = messages.flat_map(|(_, message)| fields(kind, message)).filter(|field| field.name == name);
        values.map(|field| field.text().into_owned()).next().unwrap_or_default()
    };
    assert_eq!(told(EvidenceKind::Dns, "dns.version"), "dnsmasq-2.90");
    assert_eq!(told(EvidenceKind::Snmp, "snmp.enterprise"), "8072", "Net-SNMP");
    assert_eq!(told(EvidenceKind::Ntp, "ntp.refid"), "127.127.1.1");
    assert_eq!(told(EvidenceKind::Coap, "coap.resource-types"), "ticks");
    assert_eq!(told(EvidenceKind::Modbus, "modbus.model"), "EW-340");
    assert_eq!(told(EvidenceKind::Mqtt, "mqtt.version"), "3.1.1");
}

#[test]
fn every_beginning_keeps_the_laws() {
    for (kind, message) in MESSAGES {
        for end in 0..message.len() {
            assert_laws(*kind, message.get(..end).expect("a beginning"));
        }
    }
}

#[test]
fn every_kind_reads_every_other_kind() {
    for (kind, _) in MESSAGES {
        for (_, message) in MESSAGES {
            assert_laws(*kind, message);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_messages_keep_the_laws(
        index in 0..MESSAGES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (kind, message) = MESSAGES.get(index).expect("within");
        let mut message = message.to_vec();
        for (at, byte) in changes {
            let at = at.index(message.len());
            if let Some(place) = message.get_mut(at) {
                *place = byte;
            }
        }
        assert_laws(*kind, &message);
    }

    #[test]
    fn noise_keeps_the_laws(index in 0..MESSAGES.len(), noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let (kind, _) = MESSAGES.get(index).expect("within");
        assert_laws(*kind, &noise);
    }
}
