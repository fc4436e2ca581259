//! The scorings of one endpoint over time: its confidence as a line, below it what kinds of reasons there were.

use hinomi_model::Timestamp;
use hinomi_model::cnc::Code;
use hinomi_share::{Point, Taken};

use super::axis::{Axis, Tick};
use super::scale::Scale;

/// Width of the drawing.
pub const WIDTH: u32 = 760;
const LEFT: u32 = 176;
const RIGHT: u32 = 740;
const TOP: u32 = 12;
/// Height of the line of confidence.
const BAND: u32 = 64;
const GAP: u32 = 16;
const ROW: u32 = 26;
const FOOT: u32 = 28;
/// The most scorings drawn: the newest.
const MAX_POINTS: usize = 120;
/// A reason of this log-likelihood ratio has the largest dot.
const LOUDEST: f64 = 8.0;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// Height of the drawing.
    pub height: u32,
    /// The line of confidence, as an SVG path.
    pub line: String,
    /// Its corners, with the confidence in percent.
    pub corners: Vec<(u32, u32, String)>,
    /// Where half sure is.
    pub even: u32,
    /// Upper and lower edge of the line.
    pub band: (u32, u32),
    /// Kinds of reasons, in the order of their codes.
    pub rows: Vec<Row>,
    /// When it was taken back.
    pub taken: Vec<u32>,
    /// Times along the foot.
    pub ticks: Vec<Tick>,
}

/// One kind of reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub code: Code,
    /// Middle of the row.
    pub y: u32,
    /// Where, how large, and whether it speaks for the finding.
    pub dots: Vec<(u32, u32, bool)>,
}

/// Draws the newest scorings of an endpoint, and when it was taken back.
pub fn draw(points: &[Point], taken: &[Taken]) -> Classes {
    let points = points.get(points.len().saturating_sub(MAX_POINTS)..).unwrap_or_default();
    let times = points.iter().map(|point| point.time);
    let Some(first) = times.clone().min() else { return Classes::default() };
    let taken: Vec<Timestamp> = taken.iter().map(|taken| taken.time).filter(|time| *time >= first).collect();
    let last = times.chain(taken.iter().copied()).max().unwrap_or(first);
    let axis = Axis { left: LEFT, right: RIGHT, first, last };
    let rows = rows(points, &axis);
    let height = TOP + BAND + GAP + u32::try_from(rows.len()).unwrap_or(0) * ROW + FOOT;
    let corners: Vec<_> = points
        .iter()
        .map(|point| (axis.place(point.time), level(point.confidence), format!("{:.0}%", point.confidence * 100.0)))
        .collect();
    Classes {
        height,
        line: path(&corners),
        corners,
        even: level(0.5),
        band: (TOP, TOP + BAND),
        rows,
        taken: taken.into_iter().map(|time| axis.place(time)).collect(),
        ticks: axis.ticks(),
    }
}

fn level(confidence: f64) -> u32 {
    TOP + BAND - Scale::new([0.0, 1.0], (0, BAND)).place(confidence)
}

fn path(corners: &[(u32, u32, String)]) -> String {
    let step = |(number, (x, y, _)): (usize, &(u32, u32, String))| {
        let letter = if number == 0 { 'M' } else { 'L' };
        format!("{letter}{x} {y}")
    };
    corners.iter().enumerate().map(step).collect()
}

fn rows(points: &[Point], axis: &Axis) -> Vec<Row> {
    let sizes = Scale::new([0.0, LOUDEST], (3, 8));
    let of = |code: Code| {
        let each = points.iter().flat_map(|point| point.reasons.iter().map(move |reason| (point.time, reason)));
        let own = each.filter(|(_, (known, _))| *known == code);
        own.map(|(time, (_, ratio))| (axis.place(time), sizes.place(ratio.abs()), *ratio > 0.0)).collect::<Vec<_>>()
    };
    let seen = Code::ALL.into_iter().map(|code| (code, of(code))).filter(|(_, dots)| !dots.is_empty());
    let top = TOP + BAND + GAP + ROW / 2;
    (0_u32..).zip(seen).map(|(number, (code, dots))| Row { code, y: top + number * ROW, dots }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::cnc::{Endpoint, Withdrawn};

    fn point(time: &str, confidence: f64, reasons: &[(Code, f64)]) -> Point {
        Point { time: time.parse().expect("a time"), confidence, reasons: reasons.to_vec() }
    }

    #[test]
    fn kinds_have_rows_and_time_runs_to_the_right() {
        let points = [
            point("2026-11-01", 0.6, &[(Code::BeaconFailed, 4.0)]),
            point("2026-11-03", 0.9, &[(Code::BeaconFailed, 8.0), (Code::ContextHours, -1.0)]),
        ];
        let endpoint: Endpoint = "203.0.113.9:1337/tcp".parse().expect("an endpoint");
        let gone = Taken { endpoint, time: "2026-11-05".parse().expect("a time"), reason: Withdrawn::Faded };
        let picture = draw(&points, &[gone]);
        let codes: Vec<_> = picture.rows.iter().map(|row| row.code).collect();
        assert_eq!(codes, [Code::BeaconFailed, Code::ContextHours]);
        assert_eq!(picture.rows[0].dots, [(LEFT, 6, true), (458, 8, true)]);
        assert_eq!(picture.rows[1].dots, [(458, 4, false)]);
        assert_eq!(picture.taken, [RIGHT]);
        assert!(picture.line.starts_with("M176 ") && picture.corners[0].1 > picture.corners[1].1, "up is surer");
        assert!(draw(&[], &[gone]).rows.is_empty());
    }

    #[test]
    fn many_scorings_are_bounded() {
        let points: Vec<_> = (0..1_000).map(|_| point("2026-11-01", 0.6, &[(Code::GraphPort, 1.0)])).collect();
        assert_eq!(draw(&points, &[]).rows[0].dots.len(), MAX_POINTS);
    }
}
