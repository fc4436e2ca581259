//! The pictures, as drawn.

use crate::world::World;

/// The part of a page from one mark to the end of the drawing.
fn drawing(page: &str, class: &str) -> String {
    let start = page.find(&format!("<svg class=\"{class}\"")).expect("a drawing");
    let end = page[start..].find("</svg>").expect("its end");
    page[start..start + end + 6].to_owned()
}

#[test]
fn the_map_and_the_timeline_look_like_this() {
    let world = World::at_rest();
    insta::assert_snapshot!("map", drawing(&world.page("/", "en"), "panel"));
    insta::assert_snapshot!("timeline", drawing(&world.page("/hosts/192.0.2.60", "ja"), "timeline"));
    insta::assert_snapshot!("balance", drawing(&world.page("/flow", "en"), "balance"));
    let endpoint = world.page("/flow/203.0.113.9:1337-tcp", "ja");
    insta::assert_snapshot!("waterfall", drawing(&endpoint, "balance waterfall"));
    insta::assert_snapshot!("classes", drawing(&endpoint, "balance classes"));
}

#[test]
fn pictures_are_described_and_stand_beside_their_table() {
    let world = World::at_rest();
    for (target, class) in [
        ("/", "panel"),
        ("/hosts/192.0.2.60", "timeline"),
        ("/flow", "balance"),
        ("/flow/203.0.113.9:1337-tcp", "balance waterfall"),
        ("/flow/203.0.113.9:1337-tcp", "balance classes"),
    ] {
        let page = world.page(target, "ja");
        let picture = drawing(&page, class);
        for part in ["role=\"img\"", "aria-labelledby=", "<title id=", "<desc id="] {
            assert!(picture.contains(part), "{target}: {part}");
        }
        assert!(page.contains("<table"), "{target}");
    }
}
