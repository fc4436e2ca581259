//! What ZGrab2 kept of what a server sent, as evidence of its own kind.

use data_encoding::BASE64;
use hinomi_model::evidence::{self, Evidence, EvidenceKind};
use serde_json::Value;

use crate::recognise;

/// The most certificates of a chain.
const MAX_CHAIN: usize = 8;

/// Where modules keep the log of a TLS handshake.
const HANDSHAKES: &[&str] =
    &["/handshake_log", "/tls/handshake_log", "/tls_log/handshake_log", "/response/request/tls_log/handshake_log"];

/// The evidence in a module's result.
pub(super) fn evidence(result: &Value) -> Vec<Evidence> {
    let mut list: Vec<Evidence> = banner(result).into_iter().chain(http(result)).collect();
    if let Some(log) = HANDSHAKES.iter().find_map(|pointer| result.pointer(pointer)) {
        list.extend(certificates(log));
    }
    list
}

/// Only a banner that names its protocol: ZGrab2 may also write banners in base64 or hexadecimal.
fn banner(result: &Value) -> Option<Evidence> {
    let text = result.get("banner").or_else(|| result.pointer("/server_id/raw"))?.as_str()?;
    recognise(text.as_bytes())?;
    Some(Evidence::new(EvidenceKind::Banner, text))
}

fn certificates(log: &Value) -> impl Iterator<Item = Evidence> {
    let decode = |kind, value: &Value| {
        let der = BASE64.decode(value.get("raw")?.as_str()?.as_bytes()).ok()?;
        Some(Evidence::new(kind, der))
    };
    let first = log.pointer("/server_certificates/certificate");
    let chain = log.pointer("/server_certificates/chain").and_then(Value::as_array);
    let first = first.and_then(|value| decode(EvidenceKind::Certificate, value));
    let chain = chain.into_iter().flatten().take(MAX_CHAIN);
    first.into_iter().chain(chain.filter_map(move |value| decode(EvidenceKind::ChainCertificate, value)))
}

/// An answer put together again from its parts.
fn http(result: &Value) -> Option<Evidence> {
    let response = result.get("response")?;
    let status = response.get("status_line").and_then(Value::as_str)?;
    let protocol = response.pointer("/protocol/name").and_then(Value::as_str).unwrap_or("HTTP/1.1");
    let mut bytes = Vec::with_capacity(4096);
    push_line(&mut bytes, &[protocol, " ", status]);
    for (name, values) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
        if name == "unknown" {
            values.as_array().into_iter().flatten().for_each(|header| push_unknown(&mut bytes, header));
        } else {
            push_headers(&mut bytes, &name.replace('_', "-"), values);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    let body = response.get("body").and_then(Value::as_str).unwrap_or_default();
    let room = (evidence::MAX_BYTES + 1).saturating_sub(bytes.len());
    bytes.extend_from_slice(body.as_bytes().get(..room).unwrap_or(body.as_bytes()));
    Some(Evidence::new(EvidenceKind::Http, bytes))
}

fn push_unknown(bytes: &mut Vec<u8>, header: &Value) {
    if let (Some(name), Some(values)) = (header.get("key").and_then(Value::as_str), header.get("value")) {
        push_headers(bytes, &name.replace('_', "-"), values);
    }
}

fn push_headers(bytes: &mut Vec<u8>, name: &str, values: &Value) {
    // ZGrab2 removed the transfer coding; the body that follows has none.
    if name == "transfer-encoding" {
        return;
    }
    for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
        push_line(bytes, &[name, ": ", value]);
    }
}

/// A line break in a part would make another header: it becomes a blank.
fn push_line(bytes: &mut Vec<u8>, parts: &[&str]) {
    for byte in parts.iter().flat_map(|part| part.bytes()) {
        bytes.push(if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
    }
    bytes.extend_from_slice(b"\r\n");
}
