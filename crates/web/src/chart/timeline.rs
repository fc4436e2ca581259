//! A host's history as a picture: one row for each service, time from left to right, a dot for each sighting.

use hinomi_model::{Outcome, Timestamp};
use hinomi_share::HistoryEntry;

use super::axis::{Axis, Tick};

/// Width of the drawing.
pub const WIDTH: u32 = 760;

/// Where time begins and ends on it.
const LEFT: u32 = 96;
const RIGHT: u32 = 740;

/// Height of one row, and of what stands below them.
const ROW: u32 = 30;
const TOP: u32 = 14;
const FOOT: u32 = 28;

/// The most rows and the most dots of one picture; the table has the rest.
const MAX_ROWS: usize = 24;
const MAX_DOTS: usize = 400;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Height of the drawing.
    pub height: u32,
    /// Services, by port.
    pub rows: Vec<Row>,
    /// Dates along the foot.
    pub ticks: Vec<Tick>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As `443/tcp`.
    pub label: String,
    /// Middle of the row.
    pub y: u32,
    /// Stretches between sightings that found it open.
    pub spans: Vec<(u32, u32)>,
    /// Sightings.
    pub dots: Vec<Dot>,
}

/// One sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dot {
    /// Where in time.
    pub x: u32,
    /// `open`, `closed`, `pseudo`, or `change` when something differs.
    pub class: &'static str,
    /// When.
    pub time: Timestamp,
}

/// Draws a history, newest first as the lake gives it.
pub fn draw(history: &[HistoryEntry]) -> Timeline {
    let times = history.iter().map(|entry| entry.time);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Timeline::default() };
    let axis = Axis { left: LEFT, right: RIGHT, first, last };
    let mut services: Vec<_> = history.iter().map(|entry| (entry.port, entry.transport)).collect();
    services.sort_unstable();
    services.dedup();
    services.truncate(MAX_ROWS);
    let mut budget = MAX_DOTS;
    let mut rows = Vec::with_capacity(services.len());
    for (number, (port, transport)) in (0u32..).zip(services) {
        let seen = history.iter().rev().filter(|entry| (entry.port, entry.transport) == (port, transport));
        let seen: Vec<_> = seen.take(budget).collect();
        budget -= seen.len();
        rows.push(row(format!("{port}/{transport}"), TOP + number * ROW + ROW / 2, &seen, &axis));
    }
    let height = TOP + u32::try_from(rows.len()).unwrap_or(0) * ROW + FOOT;
    Timeline { height, rows, ticks: axis.ticks() }
}

fn row(label: String, y: u32, seen: &[&HistoryEntry], axis: &Axis) -> Row {
    let at = |entry: &HistoryEntry| axis.place(entry.time);
    let open = |entry: &HistoryEntry| entry.outcome == Outcome::Open;
    let pairs = seen.iter().zip(seen.iter().skip(1));
    let spans = pairs.filter(|(from, to)| open(from) && open(to)).map(|(from, to)| (at(from), at(to))).collect();
    let dots = seen.iter().map(|entry| Dot { x: at(entry), class: class(entry), time: entry.time }).collect();
    Row { label, y, spans, dots }
}

fn class(entry: &HistoryEntry) -> &'static str {
    let changed = entry.changes.iter().any(|change| change != "opened");
    if entry.outcome == Outcome::Open && changed { "change" } else { entry.outcome.name() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::Transport;

    fn entry(time: &str, port: u16, outcome: Outcome, changes: &[&str]) -> HistoryEntry {
        HistoryEntry {
            time: time.parse().expect("a time"),
            port,
            transport: Transport::Tcp,
            outcome,
            sensor: "survey".into(),
            campaign: None,
            remark: None,
            label: String::new(),
            changes: changes.iter().map(|change| (*change).to_owned()).collect(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn time_runs_to_the_right_and_changes_show() {
        let history = [
            entry("2026-11-03", 22, Outcome::Closed, &["closed"]),
            entry("2026-11-02", 22, Outcome::Open, &["version"]),
            entry("2026-11-01", 22, Outcome::Open, &["opened"]),
        ];
        let picture = draw(&history);
        let [row] = picture.rows.as_slice() else { panic!("one row") };
        let dots: Vec<_> = row.dots.iter().map(|dot| (dot.x, dot.class)).collect();
        assert_eq!(dots, [(LEFT, "open"), (418, "change"), (RIGHT, "closed")]);
        assert_eq!(row.spans, [(LEFT, 418)]);
    }

    #[test]
    fn a_single_sighting_stands_in_the_middle() {
        let picture = draw(&[entry("2026-11-03", 80, Outcome::Open, &["opened"])]);
        assert_eq!((picture.rows[0].dots[0].x, picture.ticks.len()), (418, 1));
        assert!(draw(&[]).rows.is_empty());
    }

    #[test]
    fn many_services_are_bounded() {
        let history: Vec<_> = (1..=500).map(|port| entry("2026-11-03", port, Outcome::Open, &[])).collect();
        let picture = draw(&history);
        assert_eq!(picture.rows.len(), MAX_ROWS);
    }
}
