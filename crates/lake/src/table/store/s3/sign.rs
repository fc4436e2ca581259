//! Signs requests: AWS Signature Version 4, in the `Authorization` header, the body's SHA-256 among what is signed, so that
//! a server that checks it refuses a body that changed on the way.
//!
//! Specification: "Create a signed AWS API request", AWS Identity and Access Management User Guide.
//! At a hundred times the data nothing changes here.

use std::fmt::Write;

use hinomi_model::Timestamp;
use ring::{digest, hmac};

use super::settings::Settings;

/// What is signed of a request.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    /// `GET`, `PUT`, `DELETE`.
    pub(super) method: &'a str,
    /// Host and port, as the request names them.
    pub(super) host: &'a str,
    /// Path, encoded.
    pub(super) path: &'a str,
    /// Query, encoded, sorted by name.
    pub(super) query: &'a str,
    /// SHA-256 of the body, hexadecimal.
    pub(super) body: &'a str,
}

/// The headers that carry the signature.
pub(super) fn headers(settings: &Settings, request: &Signed<'_>, now: Timestamp) -> Vec<(&'static str, String)> {
    let time = stamp(now);
    let day = time.get(..8).unwrap_or_default();
    let keys = &settings.keys;
    let mut signed = vec![
        ("host", request.host.to_owned()),
        ("x-amz-content-sha256", request.body.to_owned()),
        ("x-amz-date", time.clone()),
    ];
    signed.extend(keys.session_token.clone().map(|token| ("x-amz-security-token", token)));
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let Signed { method, path, query, body, .. } = request;
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body}");
    let scope = format!("{day}/{}/s3/aws4_request", settings.region);
    let told = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(digest(canonical.as_bytes()).as_ref()));
    let key = [day, &settings.region, "s3", "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", keys.secret_key).into_bytes(), |key, part| mac(&key, part.as_bytes()));
    let signature = hex(&mac(&key, told.as_bytes()));
    let access = &keys.access_key;
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}");
    signed.retain(|(name, _)| *name != "host");
    signed.push(("authorization", authorization));
    signed
}

fn stamp(now: Timestamp) -> String {
    let time = now.to_utc();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", time.hour(), time.minute(), time.second())
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn digest(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

/// SHA-256 of these bytes, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest(bytes).as_ref())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3) and those of `kept`.
pub(super) fn encode(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || (c.is_ascii() && kept.contains(c)) {
            encoded.push(c);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Keys, Settings};
    use super::*;

    /// The "GET Bucket (List Objects)" example of the Amazon S3 API reference, "Signature Calculations for the
    /// Authorization Header".
    #[test]
    fn the_published_example_has_its_signature() {
        let keys = Keys {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let settings = Settings { region: "us-east-1".to_owned(), keys, ..Settings::example() };
        let empty = sha256(b"");
        let request = Signed {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: "max-keys=2&prefix=J",
            body: &empty,
        };
        let now = Timestamp::from_micros(1_369_353_600_000_000);
        let headers = headers(&settings, &request, now);
        let (_, authorization) = headers.last().unwrap();
        let signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
        assert!(authorization.ends_with(signature), "{authorization}");
    }

    #[test]
    fn names_are_encoded_byte_by_byte() {
        assert_eq!(encode("a b/ü~", "/"), "a%20b/%C3%BC~");
        assert_eq!(encode("a/b", ""), "a%2Fb");
    }
}
