//! What programs read of a notice.
//!
//! - CSV with the columns that Shadowserver's reports begin with (`timestamp`, `severity`, `ip`, `protocol`, `port`, ...),
//!   so that what reads those reads this; ours follow. Cells that a spreadsheet would run are disarmed.
//! - IntelMQ events (field names of IntelMQ 3, `classification.type` of the Reference Security Incident Taxonomy).
//! - IDEA0 messages (idea.cesnet.cz), X-ARF v4 reports of type `vulnerability/open_service` (xarf.org), one for each finding.
//! - `subscribers`: address, port, transport and time alone, for an ISP that looks up whose line it was then. The ISP joins
//!   it itself; we never learn who it is.

use hinomi_model::Timestamp;
use hinomi_state::contacts::Language;
use hinomi_state::notices::{NoticeFile, Said};
use serde_json::{Value, json};

use super::{ANONYMOUS, Settings, words};
use crate::stix::own_uuid;

/// The version of X-ARF that reports follow.
const XARF_VERSION: &str = "4.2.0";
/// Reports that go with a mail; all of them are exported.
const MAX_ATTACHED_REPORTS: usize = 500;

/// A form for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeFormat {
    /// As Shadowserver's reports.
    Csv,
    /// One event a line.
    IntelMq,
    /// One message a line.
    Idea,
    /// An array of reports.
    Xarf,
    /// For the look-up of lines.
    Subscribers,
}

/// The findings of a notice in a form for programs.
pub fn formatted(format: NoticeFormat, settings: &Settings, token: &str, said: &[Said], now: Timestamp) -> String {
    let lines = |each: &dyn Fn(usize, &Said) -> Value| -> String {
        said.iter().enumerate().map(|(at, one)| format!("{}\n", each(at + 1, one))).collect()
    };
    match format {
        NoticeFormat::Csv => csv(token, said),
        NoticeFormat::Subscribers => subscribers(token, said),
        NoticeFormat::IntelMq => lines(&|place, one| intelmq(settings, (token, place), one)),
        NoticeFormat::Idea => lines(&|place, one| idea(settings, (token, place), one, now)),
        NoticeFormat::Xarf => {
            let reports: Vec<Value> =
                said.iter().enumerate().map(|(at, one)| xarf(settings, (token, at + 1), one)).collect();
            format!("{}\n", serde_json::to_string_pretty(&reports).unwrap_or_default())
        }
    }
}

/// What goes with the mail; with that to who runs a network the table by which lines are looked up.
pub(super) fn attached(
    settings: &Settings,
    token: &str,
    (said, basis): (&[Said], &str),
    now: Timestamp,
) -> Vec<NoticeFile> {
    let file = |name: &str, media: &str, format, said: &[Said]| NoticeFile {
        name: name.to_owned(),
        media: media.to_owned(),
        content: formatted(format, settings, token, said, now),
    };
    let few = said.get(..MAX_ATTACHED_REPORTS).unwrap_or(said);
    let mut files = vec![
        file("findings.csv", "text/csv", NoticeFormat::Csv, said),
        file("xarf.json", "application/json", NoticeFormat::Xarf, few),
    ];
    if ["network", "as"].contains(&basis) {
        files.push(file("subscribers.csv", "text/csv", NoticeFormat::Subscribers, said));
    }
    files
}

/// `2026-11-22 09:30:00`
fn moment(time: Timestamp) -> String {
    let at = time.to_utc();
    let (date, clock) = (at.date(), at.time());
    format!("{date} {:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second())
}

/// A cell in quotes; what would be a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: Vec<String>| format!("{}\r\n", cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(","));
    let mut text = row(head.iter().map(|name| (*name).to_owned()).collect());
    text.extend(rows.map(row));
    text
}

fn csv(token: &str, said: &[Said]) -> String {
    let head = [
        "timestamp",
        "severity",
        "ip",
        "protocol",
        "port",
        "hostname",
        "tag",
        "asn",
        "geo",
        "region",
        "city",
        "service",
        "product",
        "banner",
        "concern",
        "confidence",
        "first_seen",
        "tlp",
        "terms",
        "evidence_sha256",
        "notice",
        "finding",
    ];
    let row = |(at, one): (usize, &Said)| {
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        vec![
            moment(one.seen),
            one.severity.clone(),
            one.service.address.to_string(),
            one.service.transport.to_string(),
            one.service.port.to_string(),
            String::new(),
            std::iter::once(one.concern.as_str())
                .chain(one.tags.iter().map(String::as_str))
                .collect::<Vec<_>>()
                .join(";"),
            number(one.asn),
            one.country.clone().unwrap_or_default(),
            String::new(),
            String::new(),
            one.protocol.clone(),
            one.product.clone(),
            one.summary.clone(),
            one.concern.clone(),
            one.confidence.to_string(),
            moment(one.first),
            one.label.clone(),
            one.terms.join(";"),
            one.evidence.join(";"),
            token.to_owned(),
            (at + 1).to_string(),
        ]
    };
    table(&head, said.iter().enumerate().map(row))
}

fn subscribers(token: &str, said: &[Said]) -> String {
    let row = |(at, one): (usize, &Said)| {
        let key = one.service;
        let time = one.seen.to_string();
        vec![
            key.address.to_string(),
            key.port.to_string(),
            key.transport.to_string(),
            time,
            token.to_owned(),
            (at + 1).to_string(),
        ]
    };
    table(&["address", "port", "transport", "time_utc", "notice", "finding"], said.iter().enumerate().map(row))
}

/// Where the Reference Security Incident Taxonomy has it: class and type.
fn taxonomy(concern: &str) -> (&'static str, &'static str) {
    match concern {
        "resolver" | "reflector" => ("vulnerable", "ddos-amplifier"),
        ANONYMOUS => ("vulnerable", "information-disclosure"),
        "telnet" | "plant" | "database" | "desktop" | "camera" | "files" | "admin" | "messages" | "printer"
        | "provider" => ("vulnerable", "potentially-unwanted-accessible"),
        _ => ("vulnerable", "vulnerable-system"),
    }
}

fn intelmq(settings: &Settings, (token, place): (&str, usize), one: &Said) -> Value {
    let (taxonomy, kind) = taxonomy(&one.concern);
    let mut event = json!({
        "feed.name": "Hinomi",
        "feed.provider": settings.name(Language::En),
        "feed.accuracy": f64::from(one.confidence),
        "time.source": one.seen.to_string(),
        "time.observation": one.seen.to_string(),
        "classification.taxonomy": taxonomy,
        "classification.type": kind,
        "classification.identifier": format!("open-{}", one.concern),
        "source.ip": one.service.address.to_string(),
        "source.port": one.service.port,
        "protocol.transport": one.service.transport.name(),
        "event_description.text": words::concern_word(Language::En, &one.concern),
        "tlp": one.label.trim_start_matches("TLP:"),
        "extra.severity": one.severity,
        "extra.notice": token,
        "extra.finding": place,
        "extra.first_seen": one.first.to_string(),
    });
    let more = [
        ("protocol.application", json!(one.protocol), !one.protocol.is_empty()),
        ("source.asn", json!(one.asn), one.asn.is_some()),
        ("source.geolocation.cc", json!(one.country), one.country.is_some()),
        ("extra.product", json!(one.product), !one.product.is_empty()),
        ("extra.banner", json!(one.summary), !one.summary.is_empty()),
        ("extra.terms", json!(one.terms), !one.terms.is_empty()),
        ("extra.evidence_sha256", json!(one.evidence), !one.evidence.is_empty()),
    ];
    if let Some(members) = event.as_object_mut() {
        members.extend(more.into_iter().filter(|(.., known)| *known).map(|(name, value, _)| (name.to_owned(), value)));
    }
    event
}

fn idea(settings: &Settings, (token, place): (&str, usize), one: &Said, now: Timestamp) -> Value {
    let address = if one.service.address.is_ipv4() { "IP4" } else { "IP6" };
    let mut protocols = vec![one.service.transport.name().to_owned()];
    protocols.extend(Some(one.protocol.clone()).filter(|name| !name.is_empty()));
    let category = if one.concern == ANONYMOUS { "Vulnerable.Config" } else { "Vulnerable.Open" };
    json!({
        "Format": "IDEA0",
        "ID": own_uuid("notice", &format!("{token} {place}")),
        "CreateTime": now.to_string(),
        "DetectTime": one.seen.to_string(),
        "EventTime": one.first.to_string(),
        "Category": [category],
        "Confidence": f64::from(one.confidence) / 100.0,
        "Description": words::concern_word(Language::En, &one.concern),
        "Note": one.product,
        "Source": [{ address: [one.service.address.to_string()], "Port": [one.service.port], "Proto": protocols }],
        "Node": [{ "Name": node_name(settings), "Type": ["Relay"], "SW": ["Hinomi"] }],
    })
}

/// Our domain, turned round as IDEA names nodes: `jp.example.hinomi`.
fn node_name(settings: &Settings) -> String {
    let mut parts: Vec<String> = settings.domain().split('.').map(|part| part.replace('-', "_")).collect();
    parts.reverse();
    parts.push("hinomi".to_owned());
    parts.join(".")
}

fn xarf(settings: &Settings, (token, place): (&str, usize), one: &Said) -> Value {
    let who = json!({
        "org": settings.name(Language::En).chars().take(200).collect::<String>(),
        "contact": settings.reply_to,
        "domain": settings.domain(),
    });
    let service = if one.protocol.is_empty() { one.concern.as_str() } else { one.protocol.as_str() };
    let evidence = if one.summary.is_empty() { "" } else { one.summary.as_str() };
    let mut report = json!({
        "xarf_version": XARF_VERSION,
        "report_id": own_uuid("notice", &format!("{token} {place}")),
        "timestamp": one.seen.to_string(),
        "reporter": who,
        "sender": who,
        "source_identifier": one.service.address.to_string(),
        "category": "vulnerability",
        "type": "open_service",
        "service": service,
        "evidence_source": "automated_scan",
        "confidence": f64::from(one.confidence) / 100.0,
        "description": words::concern_word(Language::En, &one.concern),
        "first_seen": one.first.to_string(),
        "transport": one.service.transport.name(),
        "severity": one.severity,
        "tlp": one.label,
        "tags": [format!("concern:{}", one.concern)],
        "notice": token,
        "finding": place,
    });
    if let Some(members) = report.as_object_mut() {
        if one.service.port > 0 {
            members.insert("source_port".to_owned(), json!(one.service.port));
        }
        if !evidence.is_empty() {
            let payload = data_encoding::BASE64.encode(evidence.as_bytes());
            let sum = crate::ledger::sha256_hex(evidence.as_bytes());
            let piece = json!({
                "content_type": "text/plain",
                "description": "the first line that it answered",
                "payload": payload,
                "hash": format!("sha256:{sum}"),
            });
            members.insert("evidence".to_owned(), json!([piece]));
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use hinomi_model::{ServiceKey, Transport};

    use super::*;

    fn said() -> Said {
        let seen = "2026-11-22T00:30:00.5Z".parse().unwrap();
        Said {
            service: ServiceKey { address: "2001:db8::7".parse().unwrap(), port: 53, transport: Transport::Udp },
            concern: "resolver".to_owned(),
            severity: "medium".to_owned(),
            confidence: 80,
            seen,
            first: seen,
            asn: Some(64_500),
            country: Some("JP".to_owned()),
            protocol: "dns".to_owned(),
            product: "=HYPERLINK(\"x\")".to_owned(),
            summary: "a \"line\", of a host".to_owned(),
            tags: vec!["recursion".to_owned()],
            evidence: Vec::new(),
            purpose: "exposure-reduction".to_owned(),
            label: "TLP:AMBER".to_owned(),
            terms: Vec::new(),
            by: String::new(),
        }
    }

    fn of(format: NoticeFormat) -> String {
        let settings = Settings {
            name_en: "Watch".to_owned(),
            reply_to: "notices@watch-1.example.jp".to_owned(),
            ..Settings::default()
        };
        formatted(format, &settings, "token", &[said()], said().seen)
    }

    #[test]
    fn a_table_runs_nothing_and_keeps_its_columns() {
        let csv = of(NoticeFormat::Csv);
        let rows: Vec<&str> = csv.split("\r\n").collect();
        assert!(
            rows[0].starts_with("\"timestamp\",\"severity\",\"ip\",\"protocol\",\"port\",\"hostname\",\"tag\",\"asn\"")
        );
        assert!(rows[1].starts_with(
            "\"2026-11-22 00:30:00\",\"medium\",\"2001:db8::7\",\"udp\",\"53\",\"\",\"resolver;recursion\",\"64500\""
        ));
        assert!(
            rows[1].contains("\"'=HYPERLINK(\"\"x\"\")\"") && rows[1].contains("\"a \"\"line\"\", of a host\""),
            "{csv}"
        );
        assert_eq!(
            of(NoticeFormat::Subscribers).lines().nth(1),
            Some("\"2001:db8::7\",\"53\",\"udp\",\"2026-11-22T00:30:00.5Z\",\"token\",\"1\"")
        );
    }

    #[test]
    fn programs_get_what_their_formats_ask_for() {
        let event: Value = serde_json::from_str(&of(NoticeFormat::IntelMq)).unwrap();
        assert_eq!((&event["classification.type"], &event["tlp"]), (&json!("ddos-amplifier"), &json!("AMBER")));
        let idea: Value = serde_json::from_str(&of(NoticeFormat::Idea)).unwrap();
        assert_eq!(
            (&idea["Source"][0]["IP6"][0], &idea["Node"][0]["Name"]),
            (&json!("2001:db8::7"), &json!("jp.example.watch_1.hinomi"))
        );
        let reports: Value = serde_json::from_str(&of(NoticeFormat::Xarf)).unwrap();
        let required = [
            "xarf_version",
            "report_id",
            "timestamp",
            "reporter",
            "sender",
            "source_identifier",
            "category",
            "type",
            "service",
        ];
        assert!(required.iter().all(|name| !reports[0][*name].is_null()), "{reports}");
        assert_eq!(reports[0]["report_id"], idea["ID"], "one finding, one id");
        assert_eq!(of(NoticeFormat::Xarf), of(NoticeFormat::Xarf));
    }
}
