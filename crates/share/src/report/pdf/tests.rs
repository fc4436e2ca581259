use super::*;
use crate::report::document::{Bar, Block, Number, Table};

fn document(text: &str) -> Document {
    let text = text.to_owned();
    let row = vec![text.clone(), text.clone()];
    let bar = |looked| Bar { label: text.clone(), value: u64::MAX, before: Some(3), looked };
    let bars = |lying| Block::Bars {
        title: text.clone(),
        lying,
        bars: vec![bar(true), bar(false)],
        absent: Some(text.clone()),
    };
    let number = Number { label: text.clone(), value: text.clone(), beside: text.clone() };
    let blocks = vec![
        Block::Heading(text.clone()),
        Block::Text(text.clone()),
        Block::Numbers(vec![number.clone(), number]),
        Block::Steps(vec![text.clone(); 3]),
        Block::Page,
        Block::Heading(text.clone()),
        bars(false),
        bars(true),
        Block::Table(Table { head: row.clone(), widths: vec![80, -20], rows: vec![row; 200] }),
        Block::Note(text.clone()),
    ];
    Document { title: text.clone(), subtitle: text.clone(), language: "ja", foot: text, blocks }
}

#[test]
fn hostile_texts_stay_on_the_page() {
    let font = Font::Named;
    for text in
        ["", "x", &"x".repeat(3_000), &"漢字 ".repeat(500), "\u{1f525}\u{0}()\\ <</Type/Catalog>>", &"）".repeat(300)]
    {
        let document = document(text);
        let laid = layout::lay(&document, &font.measure().expect("a measure"));
        assert!(laid.pages.len() < 600, "{}", laid.pages.len());
        let inside = |x: f32, y: f32| (0.0..=SIZE.0).contains(&x) && (0.0..=SIZE.1).contains(&y);
        for op in laid.pages.iter().flatten() {
            match op {
                Op::Text { x, y, text: shown, .. } if shown.chars().count() < 40 => {
                    assert!(inside(*x, *y) || text.chars().count() > 40, "{shown} at {x} {y}");
                }
                Op::Text { y, .. } => assert!((0.0..=SIZE.1).contains(y)),
                Op::Area { x, y, width, height, .. } => assert!(inside(*x, *y) && inside(x + width, y + height)),
                Op::Line { from, to, .. } => assert!(inside(from.0, from.1) && inside(to.0, to.1)),
            }
        }
        let bytes = write(&document, &font).expect("a file");
        assert!(bytes.starts_with(b"%PDF-1.") && bytes.ends_with(b"%%EOF"), "{text:.20}");
        assert_eq!(bytes, write(&document, &font).expect("the same"));
    }
}
