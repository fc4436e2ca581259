//! X.509 certificates as facts. Nothing is verified: what a device says of itself is kept as it says it.
//!
//! Follows RFC 5280 (profile), RFC 4514 (names as text); DER is read by the `x509-parser` crate. Invalid text is
//! replaced, control characters are kept: display escapes them.

mod algorithms;
mod name;

use std::net::IpAddr;
use std::ops::Range;

use hinomi_model::{CertificateFacts, Timestamp};
use ring::digest::{SHA256, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::{Field, Malformed};

/// The most subject alternative names that are kept.
pub const MAX_NAMES: usize = 64;

/// The longest of them: a domain name has at most 253 characters.
const MAX_NAME_BYTES: usize = 255;

const MICROS_A_SECOND: i64 = 1_000_000;
const COMMON_NAME: &str = "2.5.4.3";
const ORGANISATION: &str = "2.5.4.10";

/// What a certificate says. Bytes behind the certificate are ignored.
///
/// # Errors
/// When the bytes are no certificate in DER.
pub fn certificate_facts(der: &[u8]) -> Result<CertificateFacts, Malformed> {
    let (rest, certificate) = parse(der)?;
    let own = der.get(..der.len() - rest.len()).unwrap_or(der);
    let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(MICROS_A_SECOND));
    Ok(CertificateFacts {
        subject: name::to_text(certificate.subject()),
        issuer: name::to_text(certificate.issuer()),
        names: alternative_names(&certificate).0,
        not_before: moment(certificate.validity().not_before.timestamp()),
        not_after: moment(certificate.validity().not_after.timestamp()),
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        key: algorithms::key_name(certificate.public_key()),
        signature: algorithms::signature_name(&certificate.signature_algorithm),
        sha256: hexadecimal(digest(&SHA256, own).as_ref()),
    })
}

fn parse(der: &[u8]) -> Result<(&[u8], X509Certificate<'_>), Malformed> {
    X509Certificate::from_der(der).map_err(|error| match error {
        x509_parser::nom::Err::Incomplete(_) => Malformed::Truncated { what: "X.509 certificate", at: der.len() },
        _ => Malformed::Invalid { what: "X.509 certificate", at: 0 },
    })
}

/// The names, and the bytes of the extension that holds them.
fn alternative_names<'a>(certificate: &X509Certificate<'a>) -> (Vec<String>, &'a [u8]) {
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(list) = extension.parsed_extension() {
            let names = list.general_names.iter().filter_map(readable).take(MAX_NAMES).collect();
            return (names, extension.value);
        }
    }
    (Vec::new(), &[])
}

fn readable(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.chars().take(MAX_NAME_BYTES).collect()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// The named parts of stored evidence: `cert.subject`, `cert.issuer` (RFC 4514), `cert.cn`, `cert.org` of the subject,
/// `cert.names` (comma separated), `cert.key`, `cert.signature`, `cert.serial` (hexadecimal).
///
/// # Errors
/// When the bytes are no certificate in DER.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let (_, certificate) = parse(bytes)?;
    let span = |part: &[u8]| span_within(bytes, part);
    let (subject, issuer) = (certificate.subject(), certificate.issuer());
    let mut found = vec![
        Field::computed("cert.subject", name::to_text(subject), span(subject.as_raw())),
        Field::computed("cert.issuer", name::to_text(issuer), span(issuer.as_raw())),
    ];
    for (field, kind) in [("cert.cn", COMMON_NAME), ("cert.org", ORGANISATION)] {
        let first = subject.iter_attributes().find(|attribute| attribute.attr_type().to_id_string() == kind);
        if let Some(attribute) = first {
            let value = attribute.attr_value();
            found.push(Field::computed(field, name::value_text(value), span(value.data)));
        }
    }
    let (names, extension) = alternative_names(&certificate);
    if !names.is_empty() {
        found.push(Field::computed("cert.names", names.join(","), span(extension)));
    }
    let key = certificate.public_key();
    found.push(Field::computed("cert.key", algorithms::key_name(key), span(key.raw)));
    let signature = &certificate.signature_algorithm;
    found.push(Field::computed(
        "cert.signature",
        algorithms::signature_name(signature),
        span(signature.algorithm.as_bytes()),
    ));
    let serial = certificate.raw_serial();
    found.push(Field::computed("cert.serial", serial_text(serial), span(serial)));
    Ok(found)
}

/// Hexadecimal as people compare it: without the byte that only keeps the number positive.
fn serial_text(serial: &[u8]) -> String {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => hexadecimal(rest),
        other => hexadecimal(other),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where `part`, a slice of `whole`, stands in it; the whole if it is no slice of it.
fn span_within(whole: &[u8], part: &[u8]) -> Range<usize> {
    let offset = part.as_ptr().addr().checked_sub(whole.as_ptr().addr());
    let span = offset.and_then(|start| Some(start..start.checked_add(part.len())?));
    span.filter(|span| span.end <= whole.len()).unwrap_or(0..whole.len())
}

#[cfg(test)]
mod tests;
