//! What does not depend on records: the account, lists of words, and what there is nothing of here.

use std::collections::BTreeMap;

use axum::Extension;
use axum::http::StatusCode;
use serde_json::json;

use super::query;
use super::search::FACETS;
use super::{Desk, Path, Refusal, Told};
use crate::guard::Source;

/// What is told where a number of credits is wanted: there are none to use up.
const ENOUGH: u32 = 1_000_000;

/// `GET /api-info`
pub(super) async fn account(_: Desk) -> Told {
    Told(json!({
        "query_credits": ENOUGH,
        "scan_credits": 0,
        "monitored_ips": 0,
        "plan": "hinomi",
        "https": true,
        "telnet": true,
        "unlocked": true,
        "unlocked_left": ENOUGH,
        "usage_limits": { "query_credits": ENOUGH, "scan_credits": 0, "monitored_ips": ENOUGH },
    }))
}

/// `GET /account/profile`
pub(super) async fn profile(_: Desk) -> Told {
    Told(json!({ "member": true, "credits": 0, "display_name": null, "created": null }))
}

/// `GET /shodan/host/search/facets`
pub(super) async fn facets(_: Desk) -> Told {
    Told(json!(FACETS.iter().map(|(name, _)| *name).collect::<Vec<_>>()))
}

/// `GET /shodan/host/search/filters`
pub(super) async fn filters(_: Desk) -> Told {
    Told(json!(query::filters()))
}

/// `GET /shodan/protocols`: those that services are recognised by; what can be ordered is in a scope.
pub(super) async fn protocols(_: Desk) -> Told {
    const KNOWN: [(&str, &str); 12] = [
        ("bacnet", "BACnet/IP, building automation"),
        ("dns", "Domain Name System"),
        ("ftp", "File Transfer Protocol"),
        ("http", "HTTP, also inside TLS"),
        ("modbus", "Modbus/TCP, plant control"),
        ("mqtt", "MQTT, message broker"),
        ("rtsp", "Real Time Streaming Protocol, cameras"),
        ("sip", "Session Initiation Protocol, telephony"),
        ("smtp", "Simple Mail Transfer Protocol"),
        ("snmp", "Simple Network Management Protocol"),
        ("ssh", "Secure Shell"),
        ("telnet", "Telnet"),
    ];
    Told(json!(KNOWN.into_iter().collect::<BTreeMap<_, _>>()))
}

/// `POST /shodan/scan`: refused, whatever is named and whoever asks. Their client shows these words, and none with 403.
pub(super) async fn no_scan() -> Refusal {
    Refusal::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "nothing is scanned by asking here: a survey needs a scope that is signed for its ranges, and those are ranges whose \
         holder was proved (hinomi scope, hinomi survey, hinomi claim)",
    )
}

/// `GET /shodan/scan/{id}`
pub(super) async fn unknown_scan(_: Desk, Path(_): Path<String>) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such scan")
}

/// Lists of which there is nothing here.
pub(super) async fn nothing(_: Desk) -> Told {
    Told(json!({ "matches": [], "total": 0 }))
}

/// The same as a bare list.
pub(super) async fn empty(_: Desk) -> Told {
    Told(json!([]))
}

/// The same as members.
pub(super) async fn no_members(_: Desk) -> Told {
    Told(json!({}))
}

/// `GET /tools/myip`: the address that the request came from, as a bare string.
pub(super) async fn own_address(_: Desk, Extension(Source(address)): Extension<Source>) -> Told {
    Told(json!(address.to_canonical().to_string()))
}
