//! Every link on every page leads somewhere.

use std::collections::BTreeSet;

use crate::world::{World, every_page};

fn links(page: &str) -> BTreeSet<String> {
    let marked = ["href=\"", "src=\"", "action=\""].into_iter().flat_map(|mark| page.split(mark).skip(1));
    let values = marked.filter_map(|rest| rest.split('"').next());
    values.map(|value| value.replace("&#38;", "&").replace("&#39;", "'").replace("&#34;", "\"")).collect()
}

#[test]
fn every_link_answers_and_none_leaves() {
    let world = World::surveyed();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for target in every_page(&world) {
        let page = world.page(&target, "en");
        for link in links(&page) {
            assert!(link.starts_with('/') || link.starts_with('#'), "{target} leads away: {link}");
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            if !path.is_empty() && known.insert(path.to_owned()) {
                let answer = world.get(path);
                assert_eq!(answer.status, 200, "{link} on {target}");
            }
            let there = if path.is_empty() {
                page.clone()
            } else {
                String::from_utf8_lossy(&world.get(path).body).into_owned()
            };
            assert!(
                anchor.is_empty() || there.contains(&format!("id=\"{anchor}\"")),
                "{link} on {target}: no such place"
            );
        }
    }
    assert!(known.len() > 60, "{}", known.len());
}
