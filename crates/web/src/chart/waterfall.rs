//! How the confidence in one finding came to be: from the base rate, group by group, to where it stands.

use hinomi_model::cnc::{Finding, Group};

use super::scale::Scale;

/// Width of the drawing.
pub const WIDTH: u32 = 760;
const LEFT: u32 = 176;
const RIGHT: u32 = 684;
const TOP: u32 = 8;
const ROW: u32 = 30;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waterfall {
    /// Height of the drawing.
    pub height: u32,
    /// Where the odds are even.
    pub even: u32,
    /// Base rate, groups, result.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `base`, the name of a group, or `result`: in style sheets and catalogues.
    pub name: &'static str,
    /// Upper edge of the row.
    pub y: u32,
    /// Left edge.
    pub x: u32,
    /// Width, at least one.
    pub width: u32,
    /// Where the next step goes on.
    pub end: u32,
    /// What it adds, or comes to.
    pub value: String,
    /// Whether the cap of the group held something back.
    pub capped: bool,
}

/// Draws a finding.
pub fn draw(finding: &Finding) -> Waterfall {
    let fused = &finding.fused;
    let parts: Vec<_> = Group::ALL
        .into_iter()
        .filter_map(|group| fused.contributions.iter().find(|part| part.group == group))
        .collect();
    let mut sums = vec![0.0, fused.base_log_odds];
    for part in &parts {
        sums.push(sums.last().copied().unwrap_or(0.0) + part.log_odds);
    }
    let scale = Scale::new(sums.iter().copied(), (LEFT, RIGHT));
    let step = |name, y, from: f64, to: f64, value, capped| {
        let (one, end) = (scale.place(from), scale.place(to));
        Step { name, y, x: one.min(end), width: one.abs_diff(end).max(1), end, value, capped }
    };
    let mut steps = vec![step("base", TOP, 0.0, fused.base_log_odds, signed(fused.base_log_odds), false)];
    let (mut y, mut from) = (TOP + ROW, fused.base_log_odds);
    for part in parts {
        let to = from + part.log_odds;
        steps.push(step(part.group.name(), y, from, to, signed(part.log_odds), part.capped));
        (y, from) = (y + ROW, to);
    }
    steps.push(step("result", y, 0.0, fused.log_odds, signed(fused.log_odds), false));
    Waterfall { height: y + ROW, even: scale.place(0.0), steps }
}

fn signed(value: f64) -> String {
    format!("{value:+.2}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::super::tests::finding;
    use super::*;

    #[test]
    fn it_goes_from_the_base_rate_to_the_result() {
        let found = finding(1);
        let picture = draw(&found);
        let names: Vec<_> = picture.steps.iter().map(|step| step.name).collect();
        assert_eq!(names, ["base", "knowledge", "rhythm", "context", "result"]);
        let ends: Vec<_> = picture.steps.iter().map(|step| step.end).collect();
        assert_eq!(ends[3], ends[4], "the last step ends where the result stands");
        assert!(ends[0] < picture.even && ends[4] > picture.even);
        assert_eq!(picture.steps[0].value, "−7.60");
    }
}
