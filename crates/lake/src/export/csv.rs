//! Services as comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! A formula begins with `=`, `+`, `-`, `@`, a tab or a return, in Japanese spreadsheets also with their full-width
//! forms; an apostrophe before it makes it text. At a hundred times the data nothing changes here.

use std::io::{self, Write};

use hinomi_model::Service;

use crate::facts::list::{CRYPTO_COLUMNS, FACT_COLUMNS};

/// The columns before and after the facts: name and cell.
type Part = (&'static str, fn(&Service) -> String);

const BEFORE: &[Part] = &[
    ("address", |one| one.key.address.to_string()),
    ("port", |one| one.key.port.to_string()),
    ("transport", |one| one.key.transport.to_string()),
    ("first_seen", |one| one.first_seen.to_string()),
    ("last_seen", |one| one.last_seen.to_string()),
    ("sensor", |one| one.sensor.clone()),
    ("asn", |one| one.asn.map(|asn| asn.to_string()).unwrap_or_default()),
    ("country", |one| one.country.clone().unwrap_or_default()),
];

const AFTER: &[Part] = &[
    ("evidence", |one| one.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    ("embargo", |one| one.terms.embargo.map(|until| until.to_string()).unwrap_or_default()),
    ("licence", |one| one.terms.licence.clone().unwrap_or_default()),
    ("handling", |one| one.terms.handling.iter().cloned().collect::<Vec<_>>().join(" ")),
];

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Writes the names of the columns.
pub(super) fn write_heading(out: &mut dyn Write) -> io::Result<()> {
    let name = |(name, _): &Part| *name;
    let facts = FACT_COLUMNS.iter().map(|column| column.name);
    let crypto = CRYPTO_COLUMNS.iter().map(|column| column.name);
    let names = BEFORE.iter().map(name).chain(facts).chain(AFTER.iter().map(name)).chain(crypto);
    write_cells(out, names.map(ToOwned::to_owned))
}

/// Writes one service.
pub(super) fn write_service(out: &mut dyn Write, service: &Service) -> io::Result<()> {
    let cell = |(_, cell): &Part| cell(service);
    let facts = FACT_COLUMNS.iter().map(|column| column.text(&service.facts));
    let crypto = CRYPTO_COLUMNS.iter().map(|column| column.text(&service.facts));
    write_cells(out, BEFORE.iter().map(cell).chain(facts).chain(AFTER.iter().map(cell)).chain(crypto))
}

/// Writes one line of cells.
pub(crate) fn write_cells(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
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
