//! What a scanned host says does nothing on any page.

use crate::world::{HOSTILE, World, every_page};

/// What must never stand in a page.
const ACTS: [&str; 6] = ["<script>", "<img", "onerror=alert(2)>{{7*7}}\u{202e}", "\u{202e}", "\u{200b}", "\u{1b}"];

#[test]
fn no_page_repeats_what_acts() {
    let world = World::surveyed();
    let mut shown = 0;
    for target in every_page(&world) {
        for language in ["ja", "en"] {
            let page = world.page(&target, language);
            for acting in ACTS {
                assert!(!page.contains(acting), "{target} has {acting:?}");
            }
            shown += usize::from(page.contains("&#60;script&#62;alert(1)"));
        }
    }
    assert!(shown >= 10, "it is shown, made harmless: {shown}");
}

#[test]
fn nor_does_what_a_visitor_asks_for() {
    let world = World::at_rest();
    let encoded = hinomi_web::link::encode(HOSTILE);
    for target in [
        format!("/search?q={encoded}"),
        format!("/search?q=%22{encoded}"),
        format!("/search?cursor={encoded}"),
        format!("/hosts/{encoded}"),
        format!("/evidence/{encoded}"),
        format!("/{encoded}?{encoded}={encoded}"),
        format!("/about?lang={encoded}"),
    ] {
        let page = world.get(&target).text();
        // The search box must give back what was typed, and an invisible character cannot act inside an attribute.
        let page = page
            .split("<input")
            .enumerate()
            .map(|(n, part)| if n == 0 { part } else { part.split_once('>').map_or(part, |(_, rest)| rest) });
        let page: String = page.collect();
        for acting in ACTS {
            assert!(!page.contains(acting), "{target} has {acting:?}");
        }
    }
}

#[test]
fn headers_cannot_be_split() {
    let world = World::at_rest();
    let answer = world.get("/search?lang=en%0d%0aX-Injected:%20yes&q=%0d%0aX-Injected:%20yes");
    assert!(!answer.headers.contains_key("x-injected"));
    assert!(answer.header("set-cookie").is_empty() || !answer.header("set-cookie").contains("yes"));
}
