//! Evidence laid out by hand, and certificates of OpenSSL (`testdata/README.md`).

use std::collections::BTreeSet;

use hinomi_model::Evidence;
use hinomi_wire::tls::{ClientHelloOptions, Offer, client_hello};

use super::*;

fn told(evidence: &[(EvidenceKind, Vec<u8>)]) -> Cryptography {
    let pieces: Vec<Evidence> = evidence.iter().map(|(kind, bytes)| Evidence::new(*kind, bytes.clone())).collect();
    let views: Vec<View<'_>> = pieces.iter().map(View::read).collect();
    crate::basics::facts(&views).crypto.expect("cryptography")
}

/// One record with a ServerHello: version, cipher, and of TLS 1.3 the version and group in extensions.
fn hello(version: u16, cipher: u16, group: Option<u16>) -> Vec<u8> {
    let mut body = version.min(0x0303).to_be_bytes().to_vec();
    body.extend([0; 33]);
    body.extend(cipher.to_be_bytes());
    body.push(0);
    if let Some(group) = group {
        let [high, low] = group.to_be_bytes();
        body.extend([0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, high, low]);
    }
    let length = u8::try_from(body.len()).expect("short");
    [&[22, 3, 3, 0, length + 4, 2, 0, 0, length], body.as_slice()].concat()
}

fn alert(description: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, description]
}

fn kexinit(lists: [&str; 4]) -> Vec<u8> {
    let mut payload = vec![20; 17];
    let [kex, keys, ciphers, macs] = lists;
    for list in [kex, keys, ciphers, ciphers, macs, macs, "none", "none", "", ""] {
        payload.extend(u32::try_from(list.len()).expect("short").to_be_bytes());
        payload.extend(list.as_bytes());
    }
    payload.extend([0; 5]);
    payload
}

#[test]
fn what_a_server_prefers_and_has_is_told_apart() {
    use EvidenceKind::{Tls, TlsHybrid};
    let classic = (Tls, hello(0x0304, 0x1301, Some(0x001D)));
    let judged = |evidence: &[(EvidenceKind, Vec<u8>)]| told(evidence).post_quantum.expect("a judgement").name();
    assert_eq!(judged(&[(Tls, hello(0x0304, 0x1301, Some(0x11EC)))]), "hybrid-preferred");
    assert_eq!(judged(std::slice::from_ref(&classic)), "classic-chosen");
    let hybrid = (TlsHybrid, hello(0x0304, 0x1301, Some(0x11ED)));
    assert_eq!(judged(&[classic.clone(), hybrid]), "hybrid-offered");
    assert_eq!(judged(&[classic.clone(), (TlsHybrid, alert(40))]), "classic-only");
    assert_eq!(judged(&[classic, (TlsHybrid, alert(80))]), "classic-chosen", "its own trouble is no refusal");
    assert_eq!(judged(&[(Tls, hello(0x0303, 0xC02F, None))]), "classic-only");
}

#[test]
fn a_narrow_offer_says_nothing_of_what_was_chosen() {
    let first = (EvidenceKind::Tls, hello(0x0304, 0x1301, Some(0x001D)));
    let old = (EvidenceKind::TlsOld, hello(0x0301, 0x0005, None));
    for evidence in [[first.clone(), old.clone()], [old, first]] {
        let told = told(&evidence);
        assert_eq!(told.versions, ["1.3", "1.0"]);
        assert_eq!(told.cipher.as_deref(), Some("TLS_AES_128_GCM_SHA256"));
        assert_eq!(told.weak, ["tls-1.0", "rc4", "no-forward-secrecy"]);
    }
}

#[test]
fn ssh_tells_everything_at_once() {
    let modern = kexinit([
        "mlkem768x25519-sha256,curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
        "ssh-ed25519",
        "aes256-gcm@openssh.com",
        "hmac-sha2-256",
    ]);
    let modern = told(&[(EvidenceKind::SshKex, modern)]);
    assert_eq!(modern.post_quantum, Some(PostQuantum::HybridPreferred));
    assert_eq!(modern.kex, ["mlkem768x25519-sha256", "curve25519-sha256"], "signals are no exchanges");
    assert!(modern.weak.is_empty(), "{:?}", modern.weak);
    let old = kexinit(["diffie-hellman-group1-sha1", "ssh-rsa,ssh-dss", "3des-cbc,aes128-cbc", "hmac-md5"]);
    let old = told(&[(EvidenceKind::SshKex, old)]);
    assert_eq!(old.post_quantum, Some(PostQuantum::ClassicOnly));
    assert_eq!(old.weak, ["3des", "ssh-dss", "ssh-group1", "ssh-cbc-only"]);
    let later = kexinit(["curve25519-sha256,sntrup761x25519-sha512@openssh.com", "ssh-ed25519", "aes128-ctr", "x"]);
    assert_eq!(told(&[(EvidenceKind::SshKex, later)]).post_quantum, Some(PostQuantum::HybridOffered));
}

#[test]
fn keys_and_signatures_are_judged_by_size_and_hash() {
    assert_eq!(weak_key("rsa-1024"), Some("rsa-short"));
    assert_eq!(weak_key("ec-192"), Some("ec-short"));
    assert_eq!(weak_key("dsa-2048"), Some("dsa-key"));
    for fine in ["rsa-2048", "ec-256", "ed25519", "ml-dsa-65", "rsa-0", "1.2.3"] {
        assert_eq!(weak_key(fine), None, "{fine}");
    }
    assert_eq!(weak_signature("sha1WithRSAEncryption"), Some("sha1-signature"));
    assert_eq!(weak_signature("ecdsa-with-SHA1"), Some("sha1-signature"));
    assert_eq!(weak_signature("md5WithRSAEncryption"), Some("md5-signature"));
    assert_eq!(weak_signature("sha256WithRSAEncryption"), None);
    assert_eq!(weak_signature("ml-dsa-65"), None);
}

#[test]
fn nothing_is_judged_weak_without_a_source() {
    let ciphers = ["TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", "TLS_RSA_WITH_NULL_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"];
    let known: Vec<&str> = hinomi_model::crypto::WEAKNESSES.iter().map(|weakness| weakness.name).collect();
    assert!(ciphers.iter().flat_map(|cipher| weak_cipher(cipher)).all(|name| known.contains(&name)));
    assert!(hinomi_model::crypto::WEAKNESSES.iter().all(|weakness| !weakness.source.is_empty()));
}

#[test]
fn hybrid_exchanges_of_every_family_are_known() {
    let judged = |exchange: &str| told(&[(EvidenceKind::SshKex, kexinit([exchange, "k", "c", "m"]))]).post_quantum;
    // Names of OpenSSH, TinySSH, Amazon, Open Quantum Safe and Tectia.
    for hybrid in [
        "sntrup761x25519-sha512",
        "sntrup4591761x25519-sha512@tinyssh.org",
        "mlkem768nistp256-sha256",
        "x25519-kyber-512r3-sha256-d00@amazon.com",
        "ecdh-nistp384-kyber-768r3-sha384-d00@openquantumsafe.org",
        "curve25519-frodokem1344-sha512@ssh.com",
    ] {
        assert_eq!(judged(hybrid), Some(PostQuantum::HybridPreferred), "{hybrid}");
    }
    for classic in ["curve25519-sha256", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"] {
        assert_eq!(judged(classic), Some(PostQuantum::ClassicOnly), "{classic}");
    }
}

#[test]
fn old_versions_are_open_where_none_was_asked_for() {
    use EvidenceKind::{SshKex, Tls, TlsOld};
    let first = (Tls, hello(0x0303, 0xC02F, None));
    assert!(told(std::slice::from_ref(&first)).old_versions_open);
    assert!(!told(&[first.clone(), (TlsOld, alert(70))]).old_versions_open, "it refused");
    assert!(!told(&[first, (TlsOld, hello(0x0301, 0x002F, None))]).old_versions_open);
    assert!(!told(&[(Tls, hello(0x0301, 0x002F, None))]).old_versions_open, "it has nothing newer");
    assert!(!told(&[(SshKex, kexinit(["x", "k", "c", "m"]))]).old_versions_open);
}

/// The cipher suites that we offer.
fn suites(offer: Offer) -> Vec<u16> {
    let hello = client_hello(&ClientHelloOptions { offer, ..Default::default() });
    let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
    let at = 44 + usize::from(hello[43]);
    (at + 2..at + 2 + usize::from(number(at))).step_by(2).map(number).collect()
}

/// A hello with a Diffie-Hellman key exchange of a prime of 1024 bits.
fn short_prime() -> Vec<u8> {
    let exchange = [&[22, 3, 3, 0, 134, 12, 0, 0, 130, 0, 128][..], &[7; 128]].concat();
    [hello(0x0303, 0x0033, None), exchange].concat()
}

#[test]
fn every_weakness_can_be_found() {
    use EvidenceKind::{Certificate, SshKex, Tls, TlsOld};
    let first = suites(Offer::Everything).into_iter().map(|suite| (Tls, hello(0x0303, suite, None)));
    let old = suites(Offer::Old).into_iter().map(|suite| (TlsOld, hello(0x0302, suite, None)));
    let versions = [0x0300, 0x0301, 0x0302].map(|version| (TlsOld, hello(version, 0x002F, None)));
    let certificates: [&[u8]; 3] = [
        include_bytes!("../../testdata/weak-rsa.der"),
        include_bytes!("../../testdata/weak-ec.der"),
        include_bytes!("../../testdata/weak-dsa.der"),
    ];
    let certificates = certificates.map(|bytes| (Certificate, bytes.to_vec()));
    let exchanges = "diffie-hellman-group1-sha1,diffie-hellman-group-exchange-sha1";
    let ssh = (SshKex, kexinit([exchanges, "ssh-dss", "aes128-cbc", "hmac-sha1"]));
    let all = first.chain(old).chain(versions).chain(certificates).chain([(Tls, short_prime()), ssh]);
    let found: BTreeSet<String> = all.flat_map(|piece| told(&[piece]).weak).collect();
    for weakness in hinomi_model::crypto::WEAKNESSES {
        assert!(found.contains(weakness.name), "{}", weakness.name);
    }
}
