//! Time from left to right.

use std::time::Duration;

use hinomi_model::Timestamp;

use crate::moment;

/// The shortest time that a picture spans.
const SHORTEST: Duration = Duration::from_secs(60 * 60);

/// Where time begins and ends on a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Left edge.
    pub left: u32,
    /// Right edge.
    pub right: u32,
    /// The first moment.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// A date on the foot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Where.
    pub x: u32,
    /// Which anchor keeps the text inside: `start`, `middle` or `end`.
    pub anchor: &'static str,
    /// The date.
    pub label: String,
}

impl Axis {
    /// Where a time stands between the first and the last. Times that lie close together stand close together: the
    /// whole is an hour at least, with what there is in its middle.
    pub fn place(&self, time: Timestamp) -> u32 {
        let between = self.last.since(self.first).as_micros();
        let whole = between.max(SHORTEST.as_micros());
        let margin = (whole - between) / 2;
        let part = (margin + time.since(self.first).as_micros()) * u128::from(self.right - self.left) / whole;
        self.left + u32::try_from(part).unwrap_or(0)
    }

    /// First and last, or one in the middle where they lie close together.
    pub fn ticks(&self) -> Vec<Tick> {
        let (first, last) = (self.first, self.last);
        if last.since(first) < SHORTEST {
            let (from, to) = (moment::minute(first), moment::minute(last));
            let label = if from == to { from } else { format!("{} – {to}", from.trim_end_matches(" UTC")) };
            return vec![Tick { x: u32::midpoint(self.left, self.right), anchor: "middle", label }];
        }
        vec![
            Tick { x: self.left, anchor: "start", label: moment::minute(first) },
            Tick { x: self.right, anchor: "end", label: moment::minute(last) },
        ]
    }
}
