//! From blocks to pages: where each text, line and area stands. The origin is at the lower left, in points.

use super::SIZE;
use super::font::Measure;
use crate::report::document::{Bar, Block, Document, Number, Table};

/// A colour of print.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour(pub(super) f32, pub(super) f32, pub(super) f32);

const INK: Colour = Colour(0.14, 0.13, 0.11);
const SOFT: Colour = Colour(0.36, 0.34, 0.29);
const RULE: Colour = Colour(0.82, 0.78, 0.70);
const MARK: Colour = Colour(0.75, 0.18, 0.09);
const BAR: Colour = Colour(0.18, 0.37, 0.54);
const PALE: Colour = Colour(0.74, 0.80, 0.86);

const LEFT: f32 = 52.0;
const WIDTH: f32 = SIZE.0 - 2.0 * LEFT;
const TOP: f32 = SIZE.1 - 56.0;
const BOTTOM: f32 = 62.0;
const TEXT: f32 = 10.5;
const SMALL: f32 = 8.5;
/// Lines of one cell.
const MAX_LINES: usize = 4;
/// What does not begin a line, and what does not end one.
const NOT_FIRST: &str = "、。，．・：；？！）」』】〉》〕］｝々ー…%）)],.;:!?っッゃゅょャュョ";
const NOT_LAST: &str = "（「『【〈《〔［｛([";

/// Something that is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Text { x: f32, y: f32, size: f32, bold: bool, colour: Colour, text: String },
    Area { x: f32, y: f32, width: f32, height: f32, colour: Colour },
    Line { from: (f32, f32), to: (f32, f32), width: f32, colour: Colour },
}

/// A page.
pub(super) type Page = Vec<Op>;

/// Where a heading stands.
pub(super) struct Mark {
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) top: f32,
}

/// All pages.
pub(super) struct Laid {
    pub(super) pages: Vec<Page>,
    pub(super) marks: Vec<Mark>,
}

/// Puts a document onto pages.
pub(super) fn lay(document: &Document, measure: &Measure<'_>) -> Laid {
    let mut pen = Pen { measure, laid: Laid { pages: vec![Vec::new()], marks: Vec::new() }, y: TOP };
    pen.area(LEFT, TOP + 14.0, WIDTH, 3.0, MARK);
    pen.paragraph(&document.title, 21.0, INK, true);
    pen.paragraph(&document.subtitle, SMALL, SOFT, false);
    pen.y -= 6.0;
    for (place, block) in document.blocks.iter().enumerate() {
        pen.block(block, document.blocks.get(place + 1));
    }
    pen.feet(&document.foot);
    pen.laid
}

struct Pen<'a> {
    measure: &'a Measure<'a>,
    laid: Laid,
    /// The upper edge of what comes next.
    y: f32,
}

impl Pen<'_> {
    fn put(&mut self, op: Op) {
        if let Some(page) = self.laid.pages.last_mut() {
            page.push(op);
        }
    }

    fn area(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        self.put(Op::Area { x, y, width, height, colour });
    }

    fn text(&mut self, (x, y): (f32, f32), size: f32, (colour, bold): (Colour, bool), text: &str) {
        let text = self.measure.shown(text);
        self.put(Op::Text { x, y, size, bold, colour, text });
    }

    /// The same, ending at `x`.
    fn text_to(&mut self, (x, y): (f32, f32), size: f32, look: (Colour, bool), text: &str) {
        let width = self.measure.text(&self.measure.shown(text), size);
        self.text((x - width, y), size, look, text);
    }

    fn new_page(&mut self) {
        self.laid.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Goes on on another page where so much does not fit.
    fn need(&mut self, height: f32) {
        if self.y - height < BOTTOM {
            self.new_page();
        }
    }

    fn block(&mut self, block: &Block, next: Option<&Block>) {
        match block {
            Block::Page => {
                if self.y < TOP {
                    self.new_page();
                }
            }
            Block::Heading(text) => {
                let room = if matches!(next, Some(Block::Bars { .. })) { 230.0 } else { 90.0 };
                self.need(room);
                self.y -= 12.0;
                let (page, top) = (self.laid.pages.len() - 1, self.y + 4.0);
                self.laid.marks.push(Mark { title: text.clone(), page, top });
                self.paragraph(text, 14.0, INK, true);
            }
            Block::Text(text) => self.paragraph(text, TEXT, INK, false),
            Block::Note(text) => self.paragraph(text, SMALL, SOFT, false),
            Block::Steps(steps) => self.steps(steps),
            Block::Numbers(numbers) => self.numbers(numbers),
            Block::Table(table) => self.table(table),
            Block::Bars { title, lying, bars, absent } => {
                self.paragraph(title, SMALL, SOFT, false);
                if *lying {
                    self.lying(bars)
                } else {
                    self.standing(bars)
                }
                if let Some(absent) = absent {
                    self.paragraph(absent, SMALL, SOFT, false);
                }
            }
        }
    }

    fn paragraph(&mut self, text: &str, size: f32, colour: Colour, bold: bool) {
        let lead = size * 1.62;
        for line in wrapped(self.measure, text, size, WIDTH) {
            self.need(lead);
            self.text((LEFT, self.y - size), size, (colour, bold), &line);
            self.y -= lead;
        }
        self.y -= 3.0;
    }

    fn steps(&mut self, steps: &[String]) {
        for (number, step) in (1..).zip(steps) {
            let lines = wrapped(self.measure, step, TEXT, WIDTH - 22.0);
            let lead = TEXT * 1.6;
            self.need(lead * count(lines.len()));
            self.text((LEFT + 2.0, self.y - TEXT), TEXT, (MARK, true), &number.to_string());
            for line in lines {
                self.text((LEFT + 22.0, self.y - TEXT), TEXT, (INK, false), &line);
                self.y -= lead;
            }
            self.y -= 3.0;
        }
    }

    fn numbers(&mut self, numbers: &[Number]) {
        self.need(96.0);
        self.y -= 8.0;
        let wide = WIDTH / count(numbers.len().max(1));
        for (place, one) in numbers.iter().enumerate() {
            let x = LEFT + wide * count(place);
            self.area(x, self.y - 2.0, wide - 12.0, 2.0, MARK);
            let label = wrapped(self.measure, &one.label, SMALL, wide - 14.0).into_iter().next().unwrap_or_default();
            self.text((x, self.y - 16.0), SMALL, (SOFT, false), &label);
            self.text((x, self.y - 50.0), 30.0, (INK, false), &one.value);
            self.text((x, self.y - 68.0), SMALL, (SOFT, false), &one.beside);
        }
        self.y -= 84.0;
    }

    fn table(&mut self, table: &Table) {
        let head: Vec<Vec<String>> = self.cells(&table.head, table);
        let body: Vec<Vec<Vec<String>>> = table.rows.iter().map(|row| self.cells(row, table)).collect();
        self.need(SMALL * 1.5 * 3.0 + 16.0);
        self.row(&head, table, true);
        for row in &body {
            let page = self.laid.pages.len();
            self.need(height_of(row));
            if self.laid.pages.len() != page {
                self.row(&head, table, true);
            }
            self.row(row, table, false);
        }
        self.y -= 10.0;
    }

    fn cells(&self, row: &[String], table: &Table) -> Vec<Vec<String>> {
        let cell = |(text, width): (&String, &i8)| {
            let mut lines = wrapped(self.measure, text, SMALL, column(*width) - 8.0);
            if lines.len() > MAX_LINES {
                lines.truncate(MAX_LINES);
                lines.iter_mut().next_back().into_iter().for_each(|last| last.push('…'));
            }
            lines
        };
        row.iter().zip(&table.widths).map(cell).collect()
    }

    fn row(&mut self, row: &[Vec<String>], table: &Table, is_head: bool) {
        let height = height_of(row);
        let mut x = LEFT;
        for (lines, width) in row.iter().zip(&table.widths) {
            for (place, line) in lines.iter().enumerate() {
                let y = self.y - SMALL - 3.0 - SMALL * 1.5 * count(place);
                let look = if is_head { (SOFT, true) } else { (INK, false) };
                match *width < 0 {
                    true => self.text_to((x + column(*width) - 4.0, y), SMALL, look, line),
                    false => self.text((x, y), SMALL, look, line),
                }
            }
            x += column(*width);
        }
        self.y -= height;
        let (from, to) = ((LEFT, self.y), (LEFT + WIDTH, self.y));
        self.put(Op::Line { from, to, width: if is_head { 0.9 } else { 0.4 }, colour: RULE });
    }

    fn standing(&mut self, bars: &[Bar]) {
        let tall = 150.0;
        self.need(tall + 34.0);
        let (most, base) = (most(bars), self.y - tall - 6.0);
        let wide = WIDTH / count(bars.len().max(1));
        self.text((LEFT, self.y - 8.0), SMALL, (SOFT, false), &most.to_string());
        for (place, bar) in bars.iter().enumerate() {
            let colour = if bar.looked { BAR } else { PALE };
            let x = LEFT + wide * count(place);
            self.area(x, base, (wide - 2.5).max(0.8), part(bar.value, most) * (tall - 14.0), colour);
        }
        self.put(Op::Line { from: (LEFT, base), to: (LEFT + WIDTH, base), width: 0.7, colour: SOFT });
        if let (Some(first), Some(last)) = (bars.first(), bars.last()) {
            self.text((LEFT, base - 12.0), SMALL, (SOFT, false), &first.label);
            self.text_to((LEFT + WIDTH, base - 12.0), SMALL, (SOFT, false), &last.label);
        }
        self.y = base - 20.0;
    }

    fn lying(&mut self, bars: &[Bar]) {
        let (most, row, names) = (most(bars), 19.0, 200.0);
        let room = WIDTH - names - 40.0;
        for bar in bars {
            self.need(row);
            let (begin, y) = (LEFT + names, self.y - 13.0);
            let label = wrapped(self.measure, &bar.label, SMALL, names - 8.0).into_iter().next().unwrap_or_default();
            self.text_to((begin - 8.0, y + 2.5), SMALL, (INK, false), &label);
            let width = part(bar.value, most) * room;
            self.area(begin, y, width.max(0.6), 10.0, BAR);
            if let Some(before) = bar.before {
                let x = begin + part(before, most) * room;
                self.put(Op::Line { from: (x, y - 3.0), to: (x, y + 13.0), width: 1.2, colour: MARK });
            }
            let past = bar.before.map_or(0.0, |before| part(before, most) * room).max(width);
            self.text((begin + past + 6.0, y + 2.0), SMALL, (INK, false), &bar.value.to_string());
            self.y -= row;
        }
        self.y -= 6.0;
    }

    /// Page numbers, when it is known how many there are.
    fn feet(&mut self, foot: &str) {
        let count = self.laid.pages.len();
        let foot = wrapped(self.measure, foot, 7.5, WIDTH - 80.0).into_iter().next().unwrap_or_default();
        let foot = self.measure.shown(&foot);
        for (number, page) in (1..).zip(&mut self.laid.pages) {
            let said = format!("{number} / {count}");
            let x = LEFT + WIDTH - self.measure.text(&said, 7.5);
            for (x, text) in [(LEFT, foot.clone()), (x, said)] {
                page.push(Op::Text { x, y: 34.0, size: 7.5, bold: false, colour: SOFT, text });
            }
        }
    }
}

fn column(width: i8) -> f32 {
    WIDTH * f32::from(width.unsigned_abs()) / 100.0
}

/// A small number of things.
fn count(number: usize) -> f32 {
    f32::from(u16::try_from(number).unwrap_or(u16::MAX))
}

fn height_of(row: &[Vec<String>]) -> f32 {
    let lines = row.iter().map(Vec::len).max().unwrap_or(1).max(1);
    SMALL * 1.5 * count(lines) + 6.0
}

fn most(bars: &[Bar]) -> u64 {
    bars.iter().map(|bar| bar.value.max(bar.before.unwrap_or(0))).max().unwrap_or(0).max(1)
}

/// A part of 1.
#[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
fn part(value: u64, most: u64) -> f32 {
    (value as f32 / most as f32).clamp(0.0, 1.0)
}

/// A text in lines that are no wider than this. Lines end at blanks, between characters that are no letters, and where a
/// word is wider than the line, anywhere.
fn wrapped(measure: &Measure<'_>, text: &str, size: f32, width: f32) -> Vec<String> {
    let text = measure.shown(text);
    let (mut lines, mut line, mut taken) = (Vec::new(), String::new(), 0.0);
    // The last two places where the line may end.
    let (mut end, mut end_before) = (0, 0);
    for c in text.chars() {
        let wide = measure.width(c) * size / 1000.0;
        if taken + wide > width && !line.is_empty() && c != ' ' {
            // What follows that place goes with the next one.
            let at = if NOT_FIRST.contains(c) && end == line.len() { end_before } else { end };
            let rest = line.split_off(if at == 0 { line.len() } else { at });
            lines.push(line.trim_end().to_owned());
            line = rest.trim_start().to_owned();
            (taken, end, end_before) = (measure.text(&line, size), 0, 0);
        }
        if c == ' ' && line.is_empty() {
            continue;
        }
        line.push(c);
        taken += wide;
        let is_wide = !c.is_ascii() && !NOT_LAST.contains(c);
        if c == ' ' || is_wide || matches!(c, '-' | '/' | ',') {
            (end_before, end) = (end, line.len());
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_lines_may_end() {
        let lines = |text: &str, width| wrapped(&Measure::Named, text, 10.0, width);
        assert_eq!(lines("one two three", 40.0), ["one two", "three"]);
        assert_eq!(lines("火の見櫓が鳴る。町", 70.0), ["火の見櫓が鳴", "る。町"], "a full stop begins no line");
        assert_eq!(lines(&"x".repeat(20), 50.0), ["x".repeat(10), "x".repeat(10)]);
        assert_eq!(lines("", 50.0), [""]);
        assert!(lines(&"漢".repeat(1_000), 5.0).iter().all(|line| line.chars().count() == 1), "never nothing");
    }
}
