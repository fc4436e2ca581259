//! What speaks for several endpoints, side by side: a bar of pieces for each, one piece a group of reasons.
//!
//! From the left what each group adds to the log-odds; a mark where the odds would be even, which the base rate asks for;
//! below, what speaks against pulls the end back to where a dot stands. Beyond the mark it is likelier than not.

use hinomi_model::cnc::{Finding, Group};

use super::scale::Scale;

/// Width of the drawing.
pub const WIDTH: u32 = 760;
const LEFT: u32 = 6;
const RIGHT: u32 = 746;
const TOP: u32 = 4;
const ROW: u32 = 52;
/// The most endpoints of one picture; the table has the rest.
const MAX_ROWS: usize = 20;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Height of the drawing.
    pub height: u32,
    /// Endpoints, in the order given.
    pub rows: Vec<Row>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub label: String,
    /// Upper edge.
    pub y: u32,
    /// What speaks for it.
    pub pieces: Vec<Piece>,
    /// What speaks against it, from where to where.
    pub against: Option<(u32, u32)>,
    /// Where the odds are even.
    pub even: u32,
    /// Where it stands.
    pub end: u32,
}

/// What one group adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The group's name in style sheets and catalogues.
    pub group: &'static str,
    /// Left edge.
    pub x: u32,
    /// Width.
    pub width: u32,
    /// What it adds, as text.
    pub value: String,
}

/// Draws findings, as many as there is room for.
pub fn draw<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Balance {
    let findings: Vec<&Finding> = findings.into_iter().take(MAX_ROWS).collect();
    let ends = findings.iter().flat_map(|finding| [sum_for(finding), -finding.fused.base_log_odds]);
    let scale = Scale::new(ends, (LEFT, RIGHT));
    let rows: Vec<Row> =
        (0..).zip(&findings).map(|(number, finding)| row(finding, TOP + number * ROW, &scale)).collect();
    Balance { height: TOP + u32::try_from(rows.len()).unwrap_or(0) * ROW, rows }
}

fn sum_for(finding: &Finding) -> f64 {
    finding.fused.contributions.iter().map(|part| part.log_odds.max(0.0)).sum()
}

fn row(finding: &Finding, y: u32, scale: &Scale) -> Row {
    let (mut from, mut pieces) = (0.0, Vec::new());
    for group in Group::ALL {
        let adds = finding.group(group).max(0.0);
        let (x, end) = (scale.place(from), scale.place(from + adds));
        from += adds;
        if end > x {
            pieces.push(Piece { group: group.name(), x, width: end - x, value: format!("+{adds:.1}") });
        }
    }
    let against = finding.group(Group::Context).min(0.0);
    let end = scale.place(from + against);
    Row {
        label: finding.endpoint.to_string(),
        y,
        pieces,
        against: (against < 0.0).then(|| (end, scale.place(from))),
        even: scale.place(-finding.fused.base_log_odds),
        end,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::finding;
    use super::*;

    #[test]
    fn pieces_follow_one_another_and_what_is_against_pulls_back() {
        let picture = draw([&finding(1)]);
        let [row] = picture.rows.as_slice() else { panic!("one row") };
        let groups: Vec<_> = row.pieces.iter().map(|piece| piece.group).collect();
        assert_eq!(groups, ["knowledge", "rhythm"]);
        assert_eq!(row.pieces[0].x + row.pieces[0].width, row.pieces[1].x);
        let (from, to) = row.against.expect("something speaks against it");
        assert_eq!((from, to), (row.end, row.pieces[1].x + row.pieces[1].width));
        assert!(row.even < row.end, "likelier than not");
    }

    #[test]
    fn many_are_bounded() {
        let all: Vec<_> = (1..=60).map(finding).collect();
        assert_eq!(draw(&all).rows.len(), MAX_ROWS);
        assert!(draw([]).rows.is_empty());
    }
}
