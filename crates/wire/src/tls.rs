//! TLS as far as it is in the clear: our ClientHello, and what the server says before it encrypts.
//!
//! Follows RFC 8446 (TLS 1.3) and RFC 5246 (TLS 1.2), and is lenient: devices still speak TLS 1.0 with RSA key exchange
//! and 3DES, which no TLS library offers any more, so the handshake is our own. It never finishes: nothing is
//! encrypted, verified or trusted, the server only tells who it is.
//!
//! [`client_hello`] builds the question, [`ServerFlight`] reads the answer (ServerHello, certificates up to TLS 1.2,
//! alert). Evidence of kind `tls` is [`summary_bytes`] of that flight: records of TLS again, without certificates and
//! without what is random. Certificates are evidence of their own.

mod flight;
mod hello;
mod names;
mod record;

use crate::{Field, Malformed};

pub use flight::{Alert, MAX_CERTIFICATES, ServerFlight};
pub use hello::{ClientHelloOptions, Offer, client_hello};
pub use names::{alert_name, cipher_name, group_name, is_post_quantum, version_name};
pub use record::{MAX_HANDSHAKE_BYTES, MAX_RECORD_BYTES, looks_like_tls};

/// Whether nothing is gained by reading on: the server has said all it says in the clear, or does not speak TLS.
pub fn complete(bytes: &[u8]) -> bool {
    match ServerFlight::parse(bytes) {
        Ok(flight) => flight.done,
        Err(Malformed::Truncated { .. }) => false,
        Err(_) => true,
    }
}

/// The flight as stored: the ServerHello with random, session id and key share zeroed, the group of the key exchange or
/// the length of its prime, and the alert, each as one TLS record. The same server gives the same bytes.
pub fn summary_bytes(flight: &ServerFlight) -> Vec<u8> {
    let mut bytes = Vec::new();
    if !flight.server_hello.is_empty() {
        bytes.extend(record::encode(record::HANDSHAKE, flight.record_version, &flight.server_hello));
    }
    if let (Some(group), true) = (flight.group, flight.group_from_key_exchange) {
        let [high, low] = group.to_be_bytes();
        let message = [flight::SERVER_KEY_EXCHANGE, 0, 0, 3, flight::NAMED_CURVE, high, low];
        bytes.extend(record::encode(record::HANDSHAKE, flight.record_version, &message));
    }
    if let Some([high, low]) = flight.dh_prime_bytes.map(u16::to_be_bytes) {
        // One byte of the prime stands for it: what was an empty message would not be one of Diffie-Hellman.
        let message = [flight::SERVER_KEY_EXCHANGE, 0, 0, 3, high, low, 0];
        bytes.extend(record::encode(record::HANDSHAKE, flight.record_version, &message));
    }
    if let Some(alert) = flight.alert {
        bytes.extend(record::encode(record::ALERT, flight.record_version, &[alert.level, alert.description]));
    }
    mask(&mut bytes);
    bytes
}

/// The named parts of stored evidence: `tls.version` as `1.2`, `tls.cipher` and `tls.group` by IANA name (unknown
/// ones in hexadecimal), `tls.dh-bits` as `1024`, `tls.alpn`, `tls.alert` as `handshake_failure`.
///
/// # Errors
/// When the bytes do not begin with TLS records of a server.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let flight = ServerFlight::parse(bytes)?;
    let spans = &flight.spans;
    let mut found = Vec::new();
    if let Some(version) = flight.version {
        found.push(Field::computed("tls.version", version_name(version), spans.version.clone()));
    }
    if let Some(cipher) = flight.cipher {
        found.push(Field::computed("tls.cipher", cipher_name(cipher), spans.cipher.clone()));
    }
    if let Some(alpn) = &flight.alpn {
        found.push(Field::computed("tls.alpn", alpn.clone(), spans.alpn.clone()));
    }
    if let Some(group) = flight.group {
        found.push(Field::computed("tls.group", group_name(group), spans.group.clone()));
    }
    if let Some(bytes) = flight.dh_prime_bytes {
        let bits = (u32::from(bytes) * 8).to_string();
        found.push(Field::computed("tls.dh-bits", bits, spans.dh_prime.clone()));
    }
    if let Some(alert) = flight.alert {
        found.push(Field::computed("tls.alert", alert_name(alert.description), spans.alert.clone()));
    }
    if let Some(problem) = &flight.problem {
        found.push(Field::computed("malformed", problem.to_string(), 0..bytes.len()));
    }
    Ok(found)
}

/// The named parts of the answer to [`Offer::Hybrid`]: `tls.hybrid.group`, `tls.hybrid.alert`.
///
/// # Errors
/// As [`fields`].
pub fn hybrid_fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    Ok(renamed(fields(bytes)?, &[("tls.group", "tls.hybrid.group"), ("tls.alert", "tls.hybrid.alert")]))
}

/// The named parts of the answer to [`Offer::Old`]: `tls.old.version`, `tls.old.cipher`, `tls.old.dh-bits`,
/// `tls.old.alert`.
///
/// # Errors
/// As [`fields`].
pub fn old_fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let names = [
        ("tls.version", "tls.old.version"),
        ("tls.cipher", "tls.old.cipher"),
        ("tls.dh-bits", "tls.old.dh-bits"),
        ("tls.alert", "tls.old.alert"),
    ];
    Ok(renamed(fields(bytes)?, &names))
}

/// Only the fields with a new name: what a server says to a narrow offer is no preference of its.
fn renamed<'a>(fields: Vec<Field<'a>>, names: &[(&str, &'static str)]) -> Vec<Field<'a>> {
    let rename = |field: Field<'a>| {
        let name = names.iter().find(|(from, _)| field.name == *from).map(|(_, to)| *to)?;
        Some(Field { name: name.into(), ..field })
    };
    fields.into_iter().filter_map(rename).collect()
}

/// Blanks randoms, session id, key shares and signatures; the fields stay the same. The random that marks a
/// HelloRetryRequest is constant and stays.
pub fn mask(bytes: &mut [u8]) {
    let Ok(flight) = ServerFlight::parse(bytes) else { return };
    for at in flight.volatile {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = 0;
        }
    }
}

#[cfg(test)]
mod tests;
