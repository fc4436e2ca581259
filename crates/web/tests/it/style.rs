//! The style sheet: enough contrast in both themes (WCAG 2.2, 1.4.3 and 1.4.11), and nothing from elsewhere.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../assets/style.css");

/// Colours by name in each theme.
fn themes() -> [BTreeMap<String, [f64; 3]>; 2] {
    let (light, rest) = STYLE.split_once("@media (prefers-color-scheme: dark)").expect("a dark theme");
    let dark = rest.split_once("\n}\n").expect("its end").0;
    [light, dark].map(|part| {
        let lines = part.lines().filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        let pairs = lines.map(|(name, hex)| (name.to_owned(), colour(hex.trim_end_matches(';'))));
        pairs.collect()
    })
}

fn colour(hex: &str) -> [f64; 3] {
    let digits = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")) / 255.0)
}

/// The contrast ratio of WCAG 2.2.
fn contrast(left: [f64; 3], right: [f64; 3]) -> f64 {
    let linear = |value: f64| if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    let luminance = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (left, right) = (luminance(left), luminance(right));
    (left.max(right) + 0.05) / (left.min(right) + 0.05)
}

#[test]
fn text_can_be_read_in_both_themes() {
    for theme in themes() {
        assert!(theme.len() >= 24, "every colour has a value in both themes: {}", theme.len());
        let check = |front: &str, back: &str, least: f64| {
            let ratio = contrast(theme[front], theme[back]);
            assert!(ratio >= least, "{front} on {back}: {ratio:.2}");
        };
        for back in ["paper", "sheet", "wash"] {
            for front in ["ink", "soft", "link", "fire"] {
                check(front, back, 4.5);
            }
            check("focus", back, 3.0);
        }
        check("fire", "fire-wash", 4.5);
        check("ink", "fire-wash", 4.5);
        check("mark-ink", "mark", 4.5);
        check("paper", "ink", 4.5);
        check("fire", "sheet", 3.0);
        check("plain", "paper", 3.0);
    }
}

#[test]
fn the_style_sheet_loads_nothing() {
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}
