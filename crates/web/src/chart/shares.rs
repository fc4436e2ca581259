//! Parts of a whole, one bar a whole: how far services are on the way to post-quantum key exchange.
//!
//! Every bar has the same length, so that shares can be compared between wholes of different size; the numbers stand in
//! the table beside it.

use hinomi_share::inventory::Readiness;

/// Width of the drawing.
pub const WIDTH: u32 = 760;
const LEFT: u32 = 6;
const LENGTH: u32 = 748;
const ROW: u32 = 52;
const TOP: u32 = 4;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Height of the drawing.
    pub height: u32,
    /// One for each whole that has parts.
    pub bars: Vec<Bar>,
}

/// One whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its name in catalogues.
    pub name: &'static str,
    /// Upper edge.
    pub y: u32,
    /// Its parts, from the left.
    pub parts: Vec<Part>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in style sheets and catalogues.
    pub name: String,
    /// Left edge.
    pub x: u32,
    /// Width.
    pub width: u32,
    /// Share of the whole in percent, rounded.
    pub percent: u64,
}

/// Draws those that have any services.
pub fn draw(readiness: &[Readiness]) -> Shares {
    let wholes = readiness.iter().filter(|whole| whole.total > 0);
    let bars: Vec<Bar> = (0..).zip(wholes).map(|(number, whole)| bar(whole, TOP + number * ROW)).collect();
    Shares { height: TOP + u32::try_from(bars.len()).unwrap_or(0) * ROW, bars }
}

fn bar(whole: &Readiness, y: u32) -> Bar {
    let place = |count: u64| u32::try_from(u64::from(LENGTH) * count / whole.total.max(1)).unwrap_or(LENGTH);
    let (mut before, mut parts) = (0, Vec::new());
    for row in whole.rows.iter().filter(|row| row.count > 0) {
        let (from, to) = (place(before), place(before + row.count));
        before += row.count;
        let percent = (row.count * 200 + whole.total) / (whole.total * 2).max(1);
        parts.push(Part { name: row.value.clone(), x: LEFT + from, width: (to - from).max(1), percent });
    }
    Bar { name: whole.name, y, parts }
}

#[cfg(test)]
mod tests {
    use hinomi_share::inventory::Row;

    use super::*;

    fn whole(name: &'static str, counts: &[(&str, u64)]) -> Readiness {
        let row = |(value, count): &(&str, u64)| Row {
            value: (*value).to_owned(),
            query: String::new(),
            count: *count,
            source: None,
        };
        Readiness { name, total: counts.iter().map(|(_, count)| count).sum(), rows: counts.iter().map(row).collect() }
    }

    #[test]
    fn parts_follow_one_another_and_fill_the_bar() {
        let tls = whole("tls", &[("classic-only", 1), ("classic-chosen", 0), ("hybrid-preferred", 2)]);
        let picture = draw(&[tls, whole("ssh", &[])]);
        let [bar] = picture.bars.as_slice() else { panic!("only what has services: {picture:?}") };
        let [classic, hybrid] = bar.parts.as_slice() else { panic!("only parts that are there") };
        assert_eq!((classic.percent, hybrid.percent), (33, 67));
        assert_eq!((classic.x, classic.x + classic.width), (LEFT, hybrid.x));
        assert_eq!(hybrid.x + hybrid.width, LEFT + LENGTH);
        assert_eq!(picture.height, TOP + ROW);
    }

    #[test]
    fn huge_counts_stay_inside() {
        let picture = draw(&[whole("tls", &[("classic-only", 4_000_000_000), ("hybrid-offered", 1)])]);
        assert!(picture.bars[0].parts.iter().all(|part| part.x + part.width <= WIDTH));
    }
}
