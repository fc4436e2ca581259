//! The fan-in table as a picture: which C&C servers are found, by number of bots and by sampling.
//!
//! A plain SVG of its own: no script, no font of its own, readable in print, with title and description for those who
//! do not see it. The numbers stand in the cells; shades only help to find them.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::grid::Cell;

const CELL_WIDTH: usize = 76;
const CELL_HEIGHT: usize = 40;
const LEFT: usize = 92;
const TOP: usize = 84;
const EDGE: usize = 16;
/// Below this share of the runs the ground is light and the number dark.
const DARK_FROM: f64 = 0.55;

/// Words of the picture.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What it shows.
    pub title: &'static str,
    /// What the numbers in the cells are.
    pub legend: &'static str,
    /// Of the rows.
    pub bots: &'static str,
    /// Of the columns.
    pub sampling: &'static str,
}

/// In English.
pub const ENGLISH: Words = Words {
    title: "C&C servers found, by bots and sampling (composed)",
    legend: "share of runs in which the server is named; below it: past the export gate",
    bots: "bots",
    sampling: "one packet looked at of so many",
};

/// In Japanese.
pub const JAPANESE: Words = Words {
    title: "C&Cサーバーの発見率：ボット数とサンプリング別（合成）",
    legend: "サーバーが名指しされた試行の割合。下段は関門を通った割合",
    bots: "ボット数",
    sampling: "何パケットに1つを見たか",
};

/// The picture of a table's cells.
pub fn svg(cells: &[Cell], words: &Words) -> String {
    let rows: Vec<u32> = cells.iter().map(|cell| cell.bots).collect::<BTreeSet<_>>().into_iter().collect();
    let columns: Vec<u32> = cells.iter().map(|cell| cell.sampling).collect::<BTreeSet<_>>().into_iter().collect();
    let width = LEFT + columns.len() * CELL_WIDTH + EDGE;
    let height = TOP + rows.len() * CELL_HEIGHT + EDGE;
    let mut text = head(width, height, words);
    for (place, sampling) in columns.iter().enumerate() {
        let x = LEFT + place * CELL_WIDTH + CELL_WIDTH / 2;
        label(&mut text, (x, TOP - 8), "middle", &format!("1:{sampling}"));
    }
    for (place, bots) in rows.iter().enumerate() {
        label(&mut text, (LEFT - 10, TOP + place * CELL_HEIGHT + CELL_HEIGHT / 2 + 4), "end", &bots.to_string());
    }
    for cell in cells {
        let column = columns.iter().position(|sampling| *sampling == cell.sampling).unwrap_or(0);
        let row = rows.iter().position(|bots| *bots == cell.bots).unwrap_or(0);
        draw(&mut text, cell, (LEFT + column * CELL_WIDTH, TOP + row * CELL_HEIGHT));
    }
    text.push_str("</g>\n</svg>\n");
    text
}

fn head(width: usize, height: usize, words: &Words) -> String {
    let Words { title, legend, bots, sampling } = *words;
    let (title, legend) = (escaped(title), escaped(legend));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"t d\">\n<title id=\"t\">{title}</title>\n\
         <desc id=\"d\">{legend}</desc>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <g font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <text x=\"{EDGE}\" y=\"22\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n\
         <text x=\"{EDGE}\" y=\"40\">{legend}</text>\n\
         <text x=\"{EDGE}\" y=\"{}\">{bots}</text>\n<text x=\"{LEFT}\" y=\"{}\">{sampling}</text>\n",
        TOP - 8,
        TOP - 26,
    )
}

fn label(text: &mut String, (x, y): (usize, usize), anchor: &str, words: &str) {
    // Writing into a string does not fail.
    let _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn draw(text: &mut String, cell: &Cell, (x, y): (usize, usize)) {
    let named = cell.named.clamp(0.0, 1.0);
    let ink = if named >= DARK_FROM { "#fff" } else { "#222" };
    let (width, height) = (CELL_WIDTH - 2, CELL_HEIGHT - 2);
    let (middle, first, second) = (x + CELL_WIDTH / 2, y + 17, y + 32);
    let _ = write!(
        text,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"#1f4e79\" \
         fill-opacity=\"{:.2}\" stroke=\"#bbb\"/>\n\
         <text x=\"{middle}\" y=\"{first}\" text-anchor=\"middle\" fill=\"{ink}\">{named:.2}</text>\n\
         <text x=\"{middle}\" y=\"{second}\" text-anchor=\"middle\" fill=\"{ink}\" font-size=\"10\">{:.2}</text>\n",
        0.04 + 0.92 * named,
        cell.exported.clamp(0.0, 1.0),
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bots: u32, sampling: u32, named: f64) -> Cell {
        Cell {
            bots,
            sampling,
            named,
            exported: named / 2.0,
            first: named,
            false_exports: 0,
            false_names: 0,
            baseline_named: 0.0,
            baseline_false: 0,
        }
    }

    #[test]
    fn every_cell_has_its_numbers_and_the_picture_its_words() {
        let cells = [cell(2, 1, 0.25), cell(2, 64, 0.5), cell(50, 1, 1.0), cell(50, 64, 0.75)];
        for words in [ENGLISH, JAPANESE] {
            let picture = svg(&cells, &words);
            assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
            assert_eq!(picture.matches("<rect ").count(), 1 + cells.len());
            assert!(
                ["<title", "<desc", ">1:64<", ">50<", ">0.25<", ">1.00<"].iter().all(|part| picture.contains(part))
            );
            assert!(picture.contains("C&amp;C") && !picture.contains("C&C"));
        }
    }

    #[test]
    fn no_cells_make_an_empty_picture() {
        assert!(!svg(&[], &ENGLISH).contains("fill-opacity"));
    }
}
