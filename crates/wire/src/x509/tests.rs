//! Certificates made with OpenSSL; expectations are what `openssl x509` prints of them (`testdata/README.md`).

use super::*;

const RSA: &[u8] = include_bytes!("../../testdata/x509-rsa.der");
const EC: &[u8] = include_bytes!("../../testdata/x509-ec.der");
const ED25519: &[u8] = include_bytes!("../../testdata/x509-ed25519.der");

fn value(bytes: &[u8], name: &str) -> Option<String> {
    let found = fields(bytes).expect("fields");
    found.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
}

#[test]
fn facts_are_those_openssl_prints() {
    let facts = certificate_facts(RSA).expect("facts");
    let name = r"emailAddress=a@example.org,CN=router.example,OU=\#1,O=Example\, Inc.,C=JP";
    assert_eq!(facts.subject, name);
    assert_eq!(facts.issuer, name);
    assert!(facts.self_signed);
    assert_eq!(facts.names, ["router.example", "*.lan", "192.0.2.1", "2001:db8::1"]);
    assert_eq!(facts.not_before.to_string(), "2026-11-22T01:32:47Z");
    assert_eq!(facts.not_after.to_string(), "2036-11-19T01:32:47Z");
    assert_eq!((facts.key.as_str(), facts.signature.as_str()), ("rsa-2048", "sha256WithRSAEncryption"));
    assert_eq!(facts.sha256, "a802e058b5286cb79ea69f1fa548991c4e8a8ba1d97769c6f83f8e3d53967487");
}

#[test]
fn names_in_any_script_and_dates_far_away_are_read() {
    let facts = certificate_facts(EC).expect("facts");
    assert_eq!(facts.subject, "CN=ルーター,O=株式会社見本");
    assert_eq!(facts.not_after.to_string(), "2126-10-29T01:32:47Z");
    assert_eq!((facts.key.as_str(), facts.signature.as_str()), ("ec-384", "ecdsa-with-SHA256"));
}

#[test]
fn a_certificate_without_a_name_is_one() {
    let facts = certificate_facts(ED25519).expect("facts");
    assert_eq!((facts.subject.as_str(), facts.key.as_str(), facts.signature.as_str()), ("", "ed25519", "ed25519"));
    assert_eq!(value(ED25519, "cert.cn"), None);
}

#[test]
fn fields_stand_where_their_spans_say() {
    assert_eq!(value(RSA, "cert.cn").as_deref(), Some("router.example"));
    assert_eq!(value(RSA, "cert.org").as_deref(), Some("Example, Inc."));
    assert_eq!(value(RSA, "cert.serial").as_deref(), Some("f00dcafe"));
    assert_eq!(value(RSA, "cert.names").as_deref(), Some("router.example,*.lan,192.0.2.1,2001:db8::1"));
    let found = fields(RSA).expect("fields");
    let cn = found.iter().find(|field| field.name == "cert.cn").expect("a common name");
    assert_eq!(RSA.get(cn.span.clone()), Some(&b"router.example"[..]));
}

#[test]
fn bytes_behind_the_certificate_do_not_change_its_name() {
    let longer = [RSA, b"tail"].concat();
    assert_eq!(certificate_facts(&longer), certificate_facts(RSA));
}

#[test]
fn cut_certificates_are_refused() {
    for end in 0..RSA.len() {
        assert!(certificate_facts(RSA.get(..end).expect("a part")).is_err());
    }
}

#[test]
fn every_single_broken_byte_is_survived() {
    for der in [RSA, EC, ED25519] {
        for at in 0..der.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut broken = der.to_vec();
                if let Some(byte) = broken.get_mut(at) {
                    *byte ^= flip;
                }
                let _ = (certificate_facts(&broken), fields(&broken));
            }
        }
    }
}
