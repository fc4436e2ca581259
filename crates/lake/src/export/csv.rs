//! Services as comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! A formula begins with `=`, `+`, `-`, `@`, a tab or a return, in Japanese spreadsheets also with their full-width
//! forms; an apostrophe before it makes it text. At a hundred times the data nothing changes here.

use std::io::{self, Write};

use hinomi_model::Service;

/// The columns.
const HEADING: &[&str] = &[
    "address",
    "port",
    "transport",
    "first_seen",
    "last_seen",
    "sensor",
    "asn",
    "country",
    "protocol",
    "tls",
    "tls_version",
    "vendor",
    "product",
    "version",
    "model",
    "firmware",
    "kind",
    "os",
    "cpe",
    "confidence",
    "title",
    "summary",
    "certificate_subject",
    "certificate_issuer",
    "certificate_not_after",
    "certificate_sha256",
    "hassh",
    "host_key",
    "tags",
    "evidence",
];

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Writes the names of the columns.
pub(super) fn write_heading(out: &mut dyn Write) -> io::Result<()> {
    write_cells(out, HEADING.iter().map(|name| (*name).to_owned()))
}

/// Writes one service.
pub(super) fn write_service(out: &mut dyn Write, service: &Service) -> io::Result<()> {
    let (key, facts) = (service.key, &service.facts);
    let certificate = facts.certificate.as_ref();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let cells = [
        key.address.to_string(),
        key.port.to_string(),
        key.transport.to_string(),
        service.first_seen.to_string(),
        service.last_seen.to_string(),
        service.sensor.clone(),
        service.asn.map(|asn| asn.to_string()).unwrap_or_default(),
        text(&service.country),
        facts.protocol.as_ref().map(ToString::to_string).unwrap_or_default(),
        facts.tls.to_string(),
        text(&facts.tls_version),
        text(&facts.vendor),
        text(&facts.product),
        text(&facts.version),
        text(&facts.model),
        text(&facts.firmware),
        facts.kind.map(|kind| kind.name().to_owned()).unwrap_or_default(),
        text(&facts.os),
        facts.cpe.join(" "),
        facts.confidence.as_percent().to_string(),
        text(&facts.title),
        text(&facts.summary),
        certificate.map(|one| one.subject.clone()).unwrap_or_default(),
        certificate.map(|one| one.issuer.clone()).unwrap_or_default(),
        certificate.map(|one| one.not_after.to_string()).unwrap_or_default(),
        certificate.map(|one| one.sha256.clone()).unwrap_or_default(),
        text(&facts.hassh),
        text(&facts.host_key),
        facts.tags.join(" "),
        service.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    ];
    write_cells(out, cells.into_iter())
}

fn write_cells(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let line: Vec<_> = cells.map(|cell| safe(&cell)).collect();
    out.write_all(line.join(",").as_bytes())?;
    out.write_all(b"\r\n")
}

/// A cell that is text in every reader.
fn safe(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len() + 2);
    if cell.starts_with(FORMULA) {
        text.push('\'');
    }
    for c in cell.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    if text.contains(['"', ',', '\'']) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_become_text_and_controls_become_visible() {
        assert_eq!(safe("=HYPERLINK(\"http://x\")"), "\"'=HYPERLINK(\"\"http://x\"\")\"");
        for start in FORMULA {
            assert!(safe(&format!("{start}1+1")).starts_with("\"'"), "{start:?}");
        }
        assert_eq!(safe("a\r\nb\x1b[31m"), "a\\r\\nb\\u{1b}[31m");
        assert_eq!(safe("plain 管理"), "plain 管理");
    }

    proptest! {
        #[test]
        fn one_cell_stays_one_cell(cell: String) {
            let text = safe(&cell);
            prop_assert!(!text.contains(['\r', '\n']));
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let bare = inner.map_or(text.clone(), |inner| inner.replace("\"\"", ""));
            prop_assert!(!bare.contains('"'));
            prop_assert!(inner.is_some() || !text.contains(','));
            prop_assert!(!inner.unwrap_or(&text).starts_with(FORMULA));
        }
    }
}
