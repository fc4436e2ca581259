//! Names of keys and signatures. Numbers from RFC 3279, RFC 4055, RFC 5480, RFC 5758, RFC 8410 and NIST CSOR.

use x509_parser::public_key::PublicKey;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// As `rsa-2048`, `ec-256`, `ed25519`; the number of an algorithm that is not known here.
pub(super) fn key_name(key: &SubjectPublicKeyInfo<'_>) -> String {
    let number = key.algorithm.algorithm.to_id_string();
    match number.as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => format!("rsa-{}", rsa_bits(key)),
        "1.2.840.10045.2.1" => format!("ec-{}", curve_bits(key)),
        "1.2.840.10040.4.1" => format!("dsa-{}", dsa_bits(key)),
        "1.3.101.110" => "x25519".to_owned(),
        "1.3.101.112" => "ed25519".to_owned(),
        "1.3.101.113" => "ed448".to_owned(),
        "2.16.840.1.101.3.4.3.17" => "ml-dsa-44".to_owned(),
        "2.16.840.1.101.3.4.3.18" => "ml-dsa-65".to_owned(),
        "2.16.840.1.101.3.4.3.19" => "ml-dsa-87".to_owned(),
        _ => number,
    }
}

fn rsa_bits(key: &SubjectPublicKeyInfo<'_>) -> usize {
    // RSASSA-PSS keys have the form of plain ones but their own number, which the parser does not open.
    let content = &key.subject_public_key.data;
    let parsed = <x509_parser::public_key::RSAPublicKey<'_> as x509_parser::prelude::FromDer<_>>::from_der(content);
    parsed.map_or(0, |(_, key)| bits(key.modulus))
}

/// The length of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let Some(first) = number.get(zeros) else { return 0 };
    (number.len() - zeros) * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0)
}

fn curve_bits(key: &SubjectPublicKeyInfo<'_>) -> usize {
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match curve.map(|curve| curve.to_id_string()).as_deref() {
        Some("1.2.840.10045.3.1.1") => 192,
        Some("1.3.132.0.33") => 224,
        Some("1.2.840.10045.3.1.7" | "1.3.132.0.10" | "1.3.36.3.3.2.8.1.1.7") => 256,
        Some("1.3.132.0.34" | "1.3.36.3.3.2.8.1.1.11") => 384,
        Some("1.3.36.3.3.2.8.1.1.13") => 512,
        Some("1.3.132.0.35") => 521,
        _ => key.parsed().map_or(0, |key| key.key_size()),
    }
}

/// The public value is about as long as the prime.
fn dsa_bits(key: &SubjectPublicKeyInfo<'_>) -> usize {
    match key.parsed() {
        Ok(PublicKey::DSA(value)) => bits(value).next_multiple_of(64),
        _ => 0,
    }
}

/// As `sha256WithRSAEncryption`, the names of the standards; the number of an algorithm that is not known here.
pub(super) fn signature_name(algorithm: &AlgorithmIdentifier<'_>) -> String {
    let number = algorithm.algorithm.to_id_string();
    let name = match number.as_str() {
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.10040.4.3" => "dsa-with-sha1",
        "2.16.840.1.101.3.4.3.1" => "dsa-with-sha224",
        "2.16.840.1.101.3.4.3.2" => "dsa-with-sha256",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "ed25519",
        "1.3.101.113" => "ed448",
        "2.16.840.1.101.3.4.3.17" => "ml-dsa-44",
        "2.16.840.1.101.3.4.3.18" => "ml-dsa-65",
        "2.16.840.1.101.3.4.3.19" => "ml-dsa-87",
        _ => return number,
    };
    name.to_owned()
}
