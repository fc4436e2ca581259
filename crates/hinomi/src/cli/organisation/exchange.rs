//! Documents of the whole register: TOML both ways, and tables of small organisations in CSV (RFC 4180).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hinomi_state::contacts::Language;
use hinomi_state::organisations::{Bulk, BulkClaim, BulkContact, BulkOrganisation, Kind, MAX_BULK_BYTES};

use super::{Desk, say};
use crate::cli::Common;
use crate::output;

/// Columns that a table may have; `id` and `kind` must be there. Lists are parted by blanks.
const COLUMNS: [&str; 15] = [
    "id",
    "name_ja",
    "name_en",
    "kind",
    "sector",
    "purposes",
    "audiences",
    "acts_for",
    "acted_for_by",
    "claims",
    "contact_role",
    "contact_name",
    "contact_mail",
    "contact_phone",
    "contact_language",
];
/// The most rows of a table.
const MAX_ROWS: usize = 100_000;

pub(super) fn import(common: &Common, desk: &Desk, file: &Path) -> Result<()> {
    let mut text = String::new();
    let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let read = opened.take(MAX_BULK_BYTES + 1).read_to_string(&mut text);
    read.with_context(|| format!("cannot read {}", file.display()))?;
    if text.len() as u64 > MAX_BULK_BYTES {
        bail!("{} is larger than {} MiB", file.display(), MAX_BULK_BYTES >> 20);
    }
    let is_table = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let bulk = if is_table { from_table(&text) } else { Bulk::from_toml(&text).map_err(Into::into) };
    let bulk = bulk.with_context(|| format!("{} cannot be taken in", file.display()))?;
    let imported = desk.database.import_register(desk.deed(), &bulk)?;
    let told = format!(
        "new: {} organisations, {} audiences, {} relations, {} contacts, {} claims; changed: {} organisations",
        imported.organisations,
        imported.audiences,
        imported.relations,
        imported.contacts,
        imported.claims,
        imported.changed
    );
    say(common, &imported, &told)
}

pub(super) fn export(common: &Common, desk: &Desk) -> Result<()> {
    let bulk = desk.database.export_register(desk.now)?;
    match common.json {
        true => output::json(&bulk),
        false => output::line(bulk.to_toml()?.trim_end()),
    }
}

fn from_table(text: &str) -> Result<Bulk> {
    let mut rows = records(text.trim_start_matches('\u{feff}'))?.into_iter();
    let head = rows.next().context("the table is empty")?;
    if let Some(unknown) = head.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        bail!("the column {unknown:?} is not one of {}", COLUMNS.join(", "));
    }
    let mut bulk = Bulk { format: 1, ..Bulk::default() };
    for (number, row) in (2..).zip(rows) {
        if row.len() != head.len() {
            bail!("row {number} has {} cells, and the first has {}", row.len(), head.len());
        }
        let cells = head.iter().map(String::as_str).zip(row.iter().map(|cell| cell.trim())).collect();
        bulk.organisation.push(organisation(&cells).with_context(|| format!("row {number}"))?);
    }
    Ok(bulk)
}

fn organisation(cells: &BTreeMap<&str, &str>) -> Result<BulkOrganisation> {
    let cell = |name: &str| cells.get(name).copied().unwrap_or_default();
    let words = |name: &str| cell(name).split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    let claim = |text: &str| -> Result<BulkClaim> {
        Ok(BulkClaim { subject: text.parse()?, method: None, from: None, until: None })
    };
    let mut contact = Vec::new();
    if !cell("contact_mail").is_empty() {
        let role = if cell("contact_role").is_empty() { "security" } else { cell("contact_role") };
        let language = match cell("contact_language") {
            "" | "ja" => Language::Ja,
            "en" => Language::En,
            other => bail!("{other:?} is no language: ja or en"),
        };
        contact.push(BulkContact {
            role: role.to_owned(),
            name: cell("contact_name").to_owned(),
            mail: cell("contact_mail").to_owned(),
            phone: cell("contact_phone").to_owned(),
            language,
            confirmed: None,
        });
    }
    let purposes: Result<_, _> = words("purposes").iter().map(|word| word.parse()).collect();
    let claims: Result<_> = words("claims").iter().map(|word| claim(word)).collect();
    Ok(BulkOrganisation {
        id: cell("id").to_owned(),
        name_ja: cell("name_ja").to_owned(),
        name_en: cell("name_en").to_owned(),
        sector: Some(cell("sector").to_owned()).filter(|sector| !sector.is_empty()),
        kind: cell("kind").parse::<Kind>()?,
        own: false,
        purposes: purposes?,
        audiences: words("audiences"),
        acts_for: words("acts_for"),
        acted_for_by: words("acted_for_by"),
        contact,
        closed: None,
        claim: claims?,
    })
}

/// The rows of a table; empty lines are passed over.
fn records(text: &str) -> Result<Vec<Vec<String>>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            ',' if !quoted => {
                row.push(std::mem::take(&mut cell));
                was_quoted = false;
            }
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                let ended = std::mem::take(&mut row);
                was_quoted = false;
                if ended.iter().any(|cell| !cell.is_empty()) {
                    rows.push(ended);
                }
            }
            c => cell.push(c),
        }
        if rows.len() > MAX_ROWS {
            bail!("the table has more than {MAX_ROWS} rows");
        }
    }
    if quoted {
        bail!("a quoted cell does not end");
    }
    row.push(cell);
    if row.iter().any(|cell| !cell.is_empty()) {
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_as_spreadsheets_write_them() {
        let text = "\u{feff}id,kind,name_ja,claims\r\na,company,\"店, \"\"一\"\"\r\n号\",192.0.2.0/25 AS64500\r\n\r\nb,school,学校,\n";
        let bulk = from_table(text).unwrap();
        assert_eq!(bulk.organisation.len(), 2);
        assert_eq!(bulk.organisation[0].name_ja, "店, \"一\"\r\n号");
        assert_eq!(bulk.organisation[0].claim.len(), 2);
        assert!(bulk.organisation[1].claim.is_empty());
    }

    #[test]
    fn what_a_table_does_not_say_right_is_named() {
        let said = |text: &str| format!("{:#}", from_table(text).unwrap_err());
        assert!(said("").contains("empty"));
        assert!(said("id,kind,colour\n").contains("\"colour\""));
        assert!(said("id,kind\na\n").contains("row 2 has 1 cells"));
        assert!(said("id,kind\na,shop\n").contains("row 2: an organisation is one of"));
        assert!(said("id,kind,claims\na,company,192.0.2.0/40\n").contains("row 2: \"192.0.2.0/40\""));
        assert!(said("id,kind\n\"a,company\n").contains("does not end"));
        assert!(said("id,kind,purposes\na,company,fun\n").contains("fun"));
    }
}
