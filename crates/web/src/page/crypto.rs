//! The cryptography inventory: what is in use, what is ready, what ends soon, what is weak. Every number is a link to the
//! search behind it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_share::inventory::{self, Inventory, List, Readiness, Row};

use super::fault::{self, Fault};
use super::host::crypto::weakness_label;
use super::{Frame, render};
use crate::app::App;
use crate::chart::shares::{self, Shares};
use crate::link;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// Rows of one list on the page, but for what is weak, which is there whole.
const MAX_ROWS: usize = 12;

#[derive(Template)]
#[template(path = "crypto.html")]
struct CryptoPage {
    frame: Frame,
    empty: bool,
    shares: Shares,
    shares_width: u32,
    legend: Vec<(String, String)>,
    readiness: Vec<Table>,
    lists: Vec<Table>,
    /// Where the bill of materials is.
    cbom: String,
}

/// Counts with their bars.
struct Table {
    name: &'static str,
    caption: String,
    column: String,
    note: Option<String>,
    rows: Vec<Line>,
    /// How many values are not shown, in words.
    more: Option<String>,
}

struct Line {
    label: Seen,
    note: Option<&'static str>,
    href: String,
    count: String,
    /// Of 100.
    width: u64,
    /// In the style sheet.
    class: String,
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    let now = app.now();
    match desk.ask(move |reader| inventory::inventory(reader, now)).await {
        Ok(found) => render(&visit, StatusCode::OK, &compose(&visit, &found)),
        Err(error) => fault::page(&visit, &Fault::from(error)),
    }
}

fn compose(visit: &Visit, found: &Inventory) -> CryptoPage {
    let w = &visit.words;
    let shares = shares::draw(&found.readiness);
    let readiness = found.readiness.iter().filter(|part| part.total > 0);
    let lists = found.lists.iter().filter(|list| list.rows.iter().any(|row| row.count > 0));
    let mut legend: Vec<String> = Vec::new();
    for part in shares.bars.iter().flat_map(|bar| &bar.parts) {
        if !legend.contains(&part.name) {
            legend.push(part.name.clone());
        }
    }
    CryptoPage {
        frame: Frame::new(visit, &w.say("crypto-title"), "crypto"),
        empty: shares.bars.is_empty(),
        legend: legend.into_iter().map(|name| (w.say(&format!("pq-{name}")), name)).collect(),
        shares,
        shares_width: shares::WIDTH,
        readiness: readiness.map(|part| readiness_table(w, part)).collect(),
        lists: lists.map(|list| list_table(w, list)).collect(),
        cbom: link::with_parameters("/api/v1/export", [("q", ""), ("format", "cyclonedx")]),
    }
}

fn readiness_table(w: &Words, part: &Readiness) -> Table {
    let caption = w.with(&format!("crypto-ready-{}", part.name), w.count("services-count", part.total));
    let rows = part.rows.iter().filter(|row| row.count > 0);
    let most = part.total;
    let line = |row: &Row| line(&w.say(&format!("pq-{}", row.value)), row, most, format!("q-{}", row.value));
    let rows = rows.map(line).collect();
    Table { name: part.name, caption, column: w.say("crypto-column-pq"), note: None, rows, more: None }
}

fn list_table(w: &Words, list: &List) -> Table {
    let most = list.rows.iter().map(|row| row.count).max().unwrap_or(0);
    let label = |row: &Row| match list.name {
        "weak" => weakness_label(w, &row.value),
        "certificates" => w.say(&format!("certificates-{}", row.value)),
        _ => row.value.clone(),
    };
    let limit = if list.name == "weak" { list.rows.len() } else { MAX_ROWS };
    let rows: Vec<&Row> = list.rows.iter().filter(|row| row.count > 0).take(limit).collect();
    let more = u64::try_from(list.left_out(rows.len())).unwrap_or(u64::MAX);
    Table {
        name: list.name,
        caption: w.say(&format!("crypto-list-{}", list.name)),
        column: w.say(&format!("crypto-column-{}", list.name)),
        note: w.find("crypto-note-", list.name),
        rows: rows.into_iter().map(|row| line(&label(row), row, most, "f-plain".to_owned())).collect(),
        more: (more > 0).then(|| w.count("crypto-more", more)),
    }
}

fn line(label: &str, row: &Row, most: u64, class: String) -> Line {
    Line {
        label: Seen::word(label),
        note: row.source,
        href: link::search(&row.query),
        count: moment::grouped(row.count),
        width: (row.count.saturating_mul(100) / most.max(1)).max(1),
        class,
    }
}
