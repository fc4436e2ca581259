//! JSON logs: one object a line.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Counted, Values};
use crate::flow::FlowRecord;
use crate::flow::file::Reason;

/// A connection as the log writes it; what else it holds is skipped.
#[derive(Deserialize)]
struct Connection<'a> {
    #[serde(borrow, rename = "_path", default)]
    path: Option<Cow<'a, str>>,
    /// A number, or a time in words.
    #[serde(borrow)]
    ts: &'a RawValue,
    #[serde(borrow, rename = "id.orig_h")]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "id.orig_p")]
    source_port: &'a RawValue,
    #[serde(borrow, rename = "id.resp_h")]
    destination: Cow<'a, str>,
    #[serde(borrow, rename = "id.resp_p")]
    destination_port: &'a RawValue,
    #[serde(borrow)]
    proto: Cow<'a, str>,
    #[serde(borrow, default)]
    ip_proto: Option<&'a RawValue>,
    #[serde(borrow, default)]
    duration: Option<&'a RawValue>,
    #[serde(borrow, default)]
    history: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    orig_pkts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    orig_ip_bytes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    orig_bytes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resp_pkts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resp_ip_bytes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resp_bytes: Option<&'a RawValue>,
}

/// A line that begins with a brace.
pub(super) fn read(line: &[u8]) -> Result<FlowRecord, Reason> {
    let connection: Connection<'_> = serde_json::from_slice(line).map_err(|_| Reason::Json)?;
    if connection.path.as_ref().is_some_and(|path| !path.starts_with("conn")) {
        return Err(Reason::OtherLog);
    }
    Values {
        time: Some(unquoted(connection.ts)),
        source: connection.source.as_bytes(),
        source_port: unquoted(connection.source_port),
        destination: connection.destination.as_bytes(),
        destination_port: unquoted(connection.destination_port),
        protocol: connection.proto.as_bytes(),
        protocol_number: connection.ip_proto.map(unquoted),
        duration: connection.duration.map(unquoted),
        history: connection.history.as_ref().map(|history| history.as_bytes()),
        originator: Counted {
            packets: connection.orig_pkts.map(unquoted),
            ip_bytes: connection.orig_ip_bytes.map(unquoted),
            payload_bytes: connection.orig_bytes.map(unquoted),
        },
        responder: Counted {
            packets: connection.resp_pkts.map(unquoted),
            ip_bytes: connection.resp_ip_bytes.map(unquoted),
            payload_bytes: connection.resp_bytes.map(unquoted),
        },
    }
    .flow()
}

/// A number as it is written, also within quotes.
fn unquoted(value: &RawValue) -> &[u8] {
    let text = value.get().as_bytes();
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}
