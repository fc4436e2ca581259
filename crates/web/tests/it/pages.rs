//! What the pages show, without any script.

use crate::world::{World, every_page};

#[test]
fn every_page_is_whole_in_both_languages() {
    let world = World::surveyed();
    for target in every_page(&world) {
        for language in ["ja", "en"] {
            let page = world.page(&target, language);
            assert!(page.contains(&format!("<html lang=\"{language}\">")), "{target}");
            assert_eq!(page.matches("<h1").count(), 1, "{target}: one heading of the first order");
            assert!(page.contains("<main id=\"main\"") && page.contains("href=\"#main\""), "{target}");
            assert!(!page.contains("style=\"") && !page.contains(" onclick"), "{target}: nothing inline");
            assert_eq!(page.matches("<script").count(), 1, "{target}: one script, from a file");
            assert_eq!(page.matches("<table").count(), page.matches("<caption").count(), "{target}: captions");
            let unknown = page.split(['>', '<']).find(|text| text.starts_with("problem-") || text.starts_with("kind-"));
            assert_eq!(unknown, None, "{target}: a text is missing");
        }
    }
}

#[test]
fn pages_do_not_need_the_script() {
    let world = World::surveyed();
    let overview = world.page("/", "en");
    assert!(overview.contains("<form class=\"search-box\" action=\"/search\""));
    assert!(overview.contains("href=\"/search?q=tag%3Atelnet-open\""), "what stands out leads to a search");
    assert!(overview.contains("25%"), "progress as text");
    let surveys = world.page("/surveys", "en");
    for told in ["3,000 / 12,000", "812 a second", "1 minute", "noc@example.jp", "City of Example", "17"] {
        assert!(surveys.contains(told), "{told}");
    }
    assert!(surveys.contains("href=\"/surveys\">Show the latest"));
    for told in ["town-6", "stopped", "same command", "7 older surveys are not listed"] {
        assert!(surveys.contains(told), "{told}");
    }
}

#[test]
fn the_overview_counts_what_is_there() {
    let page = World::at_rest().page("/", "en");
    assert!(page.contains("7 hosts can be seen"), "{page}");
    for told in ["Telnet open", "No authentication", "Expired certificate", "Map of 192.0.2.0/24", "camera"] {
        assert!(page.contains(told), "{told}");
    }
    let empty = World::empty().page("/", "ja");
    assert!(empty.contains("まだ何も観測していません") && empty.contains("href=\"/guide#own\""));
}

#[test]
fn a_demonstration_says_so_on_every_page() {
    let world = World::simulated();
    for target in every_page(&world) {
        let page = world.page(&target, "en");
        assert!(page.contains("1,024 simulated devices on this machine"), "{target}");
    }
    assert!(world.page("/", "ja").contains("模擬の機器 1,024 台"));
    assert!(!World::at_rest().page("/", "en").contains("simulated devices"));
    for language in ["ja", "en"] {
        let guide = world.page("/guide", language);
        for command in ["hinomi scope new", "hinomi scope sign", "hinomi scope trust", "hinomi survey --scope"] {
            assert!(guide.contains(command), "{command}");
        }
    }
}

#[test]
fn search_narrows_by_links_and_points_at_mistakes() {
    let world = World::at_rest();
    let page = world.page("/search?q=protocol:ssh", "en");
    assert!(page.contains("href=\"/search?q=protocol%3Assh%20port%3A22\""), "facets narrow");
    assert!(page.contains("href=\"/api/v1/export?q=protocol%3Assh&#38;format=parquet\""));
    let wrong = world.get("/search?q=port:22%20prot:ssh&lang=en");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("port:22 <mark>prot"), "{}", wrong.text());
    assert!(wrong.text().contains("href=\"/search?q=port%3A22%20port%3Assh\""), "what was meant: {}", wrong.text());
    let japanese = world.get("/search?q=prot:ssh&lang=ja").text();
    assert!(japanese.contains("<p lang=\"ja\">&#34;prot&#34; という項目はありません"), "{japanese}");
    let none = world.page("/search?q=port:4", "en");
    assert!(none.contains("Nothing matches"));
}

#[test]
fn a_host_tells_its_story_down_to_the_bytes() {
    let world = World::at_rest();
    let page = world.page("/hosts/192.0.2.60", "en");
    for told in ["OpenBSD", "OpenSSH", "9.2p1", "Why we believe this", "ssh/openssh", "version", "closed", "2026-11-10"]
    {
        assert!(page.contains(told), "{told}");
    }
    let proof = page.split("href=\"").find(|part| part.starts_with("/evidence/") && part.contains("start="));
    let href = proof.and_then(|part| part.split('"').next()).expect("a proof").replace("&#38;", "&");
    let evidence = world.page(href.split('#').next().expect("a path"), "en");
    assert!(evidence.contains("<mark>OpenSSH_9.2p1"), "{evidence}");
    assert!(evidence.contains("id=\"mark\"") && evidence.contains("href=\"/hosts/192.0.2.60\""), "and back");
    let certificate = world.page("/hosts/192.0.2.40", "en");
    for told in ["Certificate", "2025-01-01", "days ago", "expired", "self-signed", "cam.example"] {
        assert!(certificate.contains(told), "{told}");
    }
}

#[test]
fn mistakes_lead_somewhere() {
    let world = World::at_rest();
    let expected = [
        ("/nowhere", 404),
        ("/hosts/203.0.113.77", 404),
        ("/hosts/not-an-address", 400),
        ("/hosts/fe80::1%25eth0", 400),
        ("/hosts/%ff%fe", 400),
        ("/evidence/abc", 400),
        ("/evidence/0000000000000000000000000000000000000000000000000000000000000000", 404),
        ("/search?cursor=zzz", 400),
    ];
    for (target, status) in expected {
        let answer = world.get(target);
        assert_eq!(answer.status, status, "{target}");
        assert!(answer.text().contains("href=\"/search\""), "{target}: a way on");
    }
    assert_eq!(world.get("/api/v1/nowhere").header("content-type"), "application/problem+json");
}

#[test]
fn large_evidence_is_shown_a_part_at_a_time() {
    use crate::world::{Look, banner, batch};
    use hinomi_model::Outcome;
    let long = banner(&"0123456789abcdef".repeat(4_096));
    let look = Look {
        address: "192.0.2.1",
        port: 7,
        time: "2026-11-22T11:00:00Z",
        outcome: Outcome::Open,
        evidence: vec![long],
    };
    let world = World::with(vec![batch(vec![look])], std::sync::Arc::new(hinomi_web::NoSurveys));
    let hash = world.evidence_of("192.0.2.1", "banner");
    let page = world.page(&format!("/evidence/{hash}?start=40000&end=40004"), "en");
    assert!(page.contains(">009c40</span>") && page.len() < 60_000, "{}", page.len());
    assert!(page.contains("Earlier bytes") && page.contains("Later bytes"));
    for odd in ["?start=99999999&end=1", "?from=99999999", "?start=-1&end=x", "?start=18446744073709551615&end=3"] {
        world.page(&format!("/evidence/{hash}{odd}"), "en");
    }
}
