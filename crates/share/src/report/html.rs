//! A report as HTML, for the pages and as a file of its own. It prints.

use std::fmt::Write;

use super::document::{Bar, Block, Document, Table};

/// Style of a report that stands alone.
pub const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#24211d;--soft:#5d564b;--rule:#ddd2bd;--bar:#2f5f8a;--pale:#b9c9d8;--mark:#c02f17}\
@media(prefers-color-scheme:dark){:root{--ink:#ece5d6;--soft:#b0a793;--rule:#36404e;--bar:#5d9fd6;--pale:#37506a;\
--mark:#ff8264}}\
body{font:16px/1.7 'Noto Sans CJK JP','Hiragino Sans','Yu Gothic',sans-serif;color:var(--ink);max-width:56rem;\
margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid var(--rule);\
vertical-align:top;overflow-wrap:break-word}.number{text-align:right}\
.report-numbers{display:flex;flex-wrap:wrap;gap:1rem}.report-numbers div{flex:1 1 11rem;border-top:3px solid var(--mark);\
padding-top:.4rem}.report-value{font-size:2.2rem;line-height:1.2}.report-note,.report-beside{color:var(--soft);\
font-size:.875rem}.report-bar{fill:var(--bar)}.report-pale{fill:var(--pale)}.report-before{stroke:var(--mark);\
stroke-width:2}.report-rule{stroke:var(--rule)}.report-text{fill:var(--ink);font-size:13px}.report-picture{overflow-x:auto}svg{display:block;width:100%;min-width:34rem;height:auto}\
@media print{svg{min-width:0}.report-page{break-before:page}h2{break-after:avoid}tr,svg{break-inside:avoid}}";

/// Width of a picture.
const WIDTH: u64 = 760;
/// Height of standing bars.
const TALL: u64 = 170;
/// Height of the row of a lying bar.
const ROW: u64 = 26;
/// Where lying bars begin.
const NAMES: u64 = 300;

/// A whole file.
pub fn page(document: &Document) -> String {
    let (title, language) = (escaped(&document.title), document.language);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        body(document)
    )
}

/// What stands inside of a page.
pub fn body(document: &Document) -> String {
    let mut out = String::new();
    let title = escaped(&document.title);
    put(&mut out, format_args!("<h1>{title}</h1>\n<p class=\"report-note\">{}</p>\n", escaped(&document.subtitle)));
    let (mut breaks, mut heading) = (false, document.title.as_str());
    for (number, block) in document.blocks.iter().enumerate() {
        match block {
            Block::Page => breaks = true,
            Block::Heading(text) => {
                heading = text;
                let class = if std::mem::take(&mut breaks) { " class=\"report-page\"" } else { "" };
                put(&mut out, format_args!("<h2{class}>{}</h2>\n", escaped(text)));
            }
            Block::Text(text) => put(&mut out, format_args!("<p>{}</p>\n", escaped(text))),
            Block::Note(text) => put(&mut out, format_args!("<p class=\"report-note\">{}</p>\n", escaped(text))),
            Block::Steps(steps) => {
                out.push_str("<ol>\n");
                steps.iter().for_each(|step| put(&mut out, format_args!("<li>{}</li>\n", escaped(step))));
                out.push_str("</ol>\n");
            }
            Block::Numbers(numbers) => {
                out.push_str("<div class=\"report-numbers\">\n");
                for one in numbers {
                    let (label, beside) = (escaped(&one.label), escaped(&one.beside));
                    let value = escaped(&one.value);
                    put(
                        &mut out,
                        format_args!(
                            "<div><span>{label}</span><br><span class=\"report-value\">{value}</span><br>\
                         <span class=\"report-beside\">{beside}</span></div>\n"
                        ),
                    );
                }
                out.push_str("</div>\n");
            }
            Block::Table(table) => draw_table(&mut out, table, heading),
            Block::Bars { title, lying, bars, absent } => {
                let (title, id) = (escaped(title), format!("bars-{number}"));
                put(&mut out, format_args!("<p>{title}</p>\n"));
                if *lying {
                    draw_lying(&mut out, &id, &title, bars)
                } else {
                    draw_standing(&mut out, &id, &title, bars)
                }
                if let Some(absent) = absent {
                    put(&mut out, format_args!("<p class=\"report-note\">{}</p>\n", escaped(absent)));
                }
            }
        }
    }
    out
}

/// Writing to a text does not fail.
fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(what);
}

fn draw_table(out: &mut String, table: &Table, heading: &str) {
    let class = |place: usize| match table.widths.get(place) {
        Some(width) if *width < 0 => " class=\"number\"",
        _ => "",
    };
    let caption = escaped(heading);
    put(out, format_args!("<div class=\"scroll\" tabindex=\"0\"><table>\n<caption>{caption}</caption>\n<thead><tr>"));
    for (place, name) in table.head.iter().enumerate() {
        put(out, format_args!("<th scope=\"col\"{}>{}</th>", class(place), escaped(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            put(out, format_args!("<td{}>{}</td>", class(place), escaped(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn begin(out: &mut String, (id, title): (&str, &str), height: u64) {
    put(
        out,
        format_args!(
            "<div class=\"report-picture\" tabindex=\"0\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}\">\n<title id=\"{id}\">{title}</title>\n"
        ),
    );
}

fn most(bars: &[Bar]) -> u64 {
    bars.iter().map(|bar| bar.value.max(bar.before.unwrap_or(0))).max().unwrap_or(0).max(1)
}

/// `whole` parts of `most`, without running over.
fn scaled(value: u64, most: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(whole) / u128::from(most.max(1))).unwrap_or(whole)
}

fn draw_standing(out: &mut String, id: &str, title: &str, bars: &[Bar]) {
    begin(out, (id, title), TALL + 30);
    let (most, count) = (most(bars), u64::try_from(bars.len()).unwrap_or(1).max(1));
    put(out, format_args!("<text class=\"report-text\" x=\"2\" y=\"14\">{most}</text>\n"));
    put(out, format_args!("<path class=\"report-rule\" d=\"M0 {TALL}.5H{WIDTH}\"/>\n"));
    for (place, bar) in (0_u64..).zip(bars) {
        let (x, next) = (WIDTH * place / count, WIDTH * (place + 1) / count);
        let width = (next - x).saturating_sub(3).max(1);
        let height = scaled(bar.value, most, TALL - 24);
        let class = if bar.looked { "report-bar" } else { "report-pale" };
        put(
            out,
            format_args!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{height}\"><title>{}: {}</title></rect>\n",
                TALL - height,
                escaped(&bar.label),
                bar.value
            ),
        );
    }
    for (bar, x, anchor) in [(bars.first(), 0, "start"), (bars.last(), WIDTH, "end")] {
        if let Some(bar) = bar {
            let label = escaped(&bar.label);
            put(
                out,
                format_args!(
                    "<text class=\"report-text\" x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{label}</text>\n",
                    TALL + 20
                ),
            );
        }
    }
    out.push_str("</svg></div>\n");
}

fn draw_lying(out: &mut String, id: &str, title: &str, bars: &[Bar]) {
    let rows = u64::try_from(bars.len()).unwrap_or(0);
    begin(out, (id, title), rows * ROW + 4);
    let most = most(bars);
    for (place, bar) in (0_u64..).zip(bars) {
        let (top, width) = (place * ROW, scaled(bar.value, most, WIDTH - NAMES - 60));
        put(
            out,
            format_args!(
                "<text class=\"report-text\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"report-bar\" x=\"{NAMES}\" y=\"{}\" width=\"{width}\" height=\"14\"/>\n\
             <text class=\"report-text\" x=\"{}\" y=\"{}\">{}</text>\n",
                NAMES - 8,
                top + 17,
                escaped(&bar.label),
                top + 6,
                NAMES + width + 6,
                top + 17,
                bar.value
            ),
        );
        if let Some(before) = bar.before {
            let x = NAMES + scaled(before, most, WIDTH - NAMES - 60);
            put(out, format_args!("<path class=\"report-before\" d=\"M{x} {}V{}\"/>\n", top + 3, top + 23));
        }
    }
    out.push_str("</svg></div>\n");
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_said_acts() {
        let cell = "<script>alert('x')</script>".to_owned();
        let table = Table { head: vec![cell.clone()], widths: vec![100], rows: vec![vec![cell.clone()]] };
        let bar = Bar { label: cell.clone(), value: u64::MAX, before: Some(0), looked: false };
        let bars =
            |lying| Block::Bars { title: cell.clone(), lying, bars: vec![bar.clone()], absent: Some(cell.clone()) };
        let blocks =
            vec![Block::Heading(cell.clone()), Block::Text(cell.clone()), Block::Table(table), bars(true), bars(false)];
        let document = Document { title: cell.clone(), subtitle: cell.clone(), language: "en", foot: cell, blocks };
        let html = page(&document);
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
    }
}
