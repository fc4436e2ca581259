use std::collections::HashSet;
use std::time::Instant;

use super::*;
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::query::AddressRanges;
use crate::search::{FacetRequest, SearchPage, SearchRequest};

fn ask(index: &Index, query: &str) -> SearchPage {
    let request =
        SearchRequest { query: query.to_owned(), now: Timestamp::from_micros(NOW), ..SearchRequest::default() };
    index.search(&request).expect(query)
}

fn keys(page: &SearchPage) -> Vec<String> {
    page.matches.iter().map(|service| service.key.to_string()).collect()
}

/// How many bytes all files of a folder have.
fn size_of(folder: &std::path::Path) -> u64 {
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    std::fs::read_dir(folder).expect("a folder").flatten().map(size).sum()
}

#[test]
fn an_unchanged_service_seen_again_is_not_indexed_again() {
    let (folder, index) = fresh();
    let many: Vec<Update> =
        (0..500).map(|n| update(&format!("192.0.2.{}", n % 250), n, -10, &format!("banner {n}"))).collect();
    index.apply(1, many.clone()).expect("applied");
    let before = size_of(folder.path());
    let again = many.into_iter().map(|update| Update { time: time(-1), ..update }).collect();
    index.apply(2, again).expect("applied");
    let grown = size_of(folder.path()) - before;
    // times.bin is written for the first time: at most 24 bytes a row and its head, and the commit names a version.
    assert!(grown <= 500 * 24 + 32 + 64, "{grown} bytes for nothing new");
    let page = ask(&index, "sort:seen");
    assert_eq!((page.total, page.matches[0].last_seen, page.matches[0].first_seen), (500, time(-1), time(-10)));
}

#[test]
fn the_newest_content_wins_and_times_widen_whatever_the_order() {
    let (_folder, index) = fresh();
    index.apply(1, vec![update("192.0.2.1", 22, -5, "new")]).expect("applied");
    index.apply(2, vec![update("192.0.2.1", 22, -9, "old")]).expect("applied");
    let page = ask(&index, "");
    assert_eq!(page.matches[0].facts.product.as_deref(), Some("new"));
    assert_eq!((page.matches[0].first_seen, page.matches[0].last_seen), (time(-9), time(-5)));
    assert_eq!(ask(&index, "old").total, 0, "what is over is not found by its words");
    index.apply(3, vec![update("192.0.2.1", 22, -1, "newest")]).expect("applied");
    let page = ask(&index, "newest");
    assert_eq!((page.matches[0].first_seen, page.matches[0].last_seen), (time(-9), time(-1)));
    assert_eq!(index.count(), 1);
}

#[test]
fn closed_services_go_and_come_back() {
    let (_folder, index) = fresh();
    index.apply(1, vec![update("192.0.2.1", 22, -5, "a"), update("192.0.2.1", 80, -5, "b")]).expect("applied");
    index.apply(2, vec![closed("192.0.2.1", 22, -3), closed("192.0.2.9", 22, -3)]).expect("applied");
    assert_eq!(keys(&ask(&index, "")), ["192.0.2.1:80/tcp"]);
    assert_eq!(keys(&ask(&index, "has:closed")), ["192.0.2.1:22/tcp"]);
    assert_eq!(ask(&index, "-has:closed").total, 1);
    assert_eq!(index.services_of([192, 0, 2, 1].into(), None).expect("services").len(), 1);
    index.apply(3, vec![update("192.0.2.9", 22, -4, "late news of what is over")]).expect("applied");
    assert_eq!(ask(&index, "ip:192.0.2.9").total, 0);
    index.apply(4, vec![update("192.0.2.1", 22, -1, "a")]).expect("applied");
    assert_eq!(ask(&index, "").total, 2);
    assert_eq!(index.count(), 3);
}

#[test]
fn what_pretends_is_counted_only_when_asked_for() {
    let (_folder, index) = fresh();
    let pretends = Update { outcome: Outcome::Pseudo, ..update("192.0.2.1", 1, -2, "tarpit") };
    index.apply(1, vec![pretends, update("192.0.2.1", 22, -2, "a")]).expect("applied");
    assert_eq!((ask(&index, "").total, ask(&index, "has:pseudo").total), (1, 1));
    assert_eq!(ask(&index, "port:22 OR has:pseudo").total, 2);
    assert_eq!(index.count(), 2);
}

#[test]
fn versions_apply_once_and_survive_reopening_and_kills() {
    let (folder, index) = fresh();
    assert_eq!(index.applied(), None);
    index.apply(4, vec![update("192.0.2.1", 22, -5, "a")]).expect("applied");
    index.apply(4, vec![update("192.0.2.2", 22, -5, "ignored")]).expect("passed over");
    index.apply(3, vec![update("192.0.2.3", 22, -5, "ignored")]).expect("passed over");
    assert_eq!((index.applied(), index.count()), (Some(4), 1));
    drop(index);
    // What a killed writer leaves: records and rows that no commit names.
    let facts = folder.path().join("1/facts.bin");
    let length = std::fs::metadata(&facts).expect("there").len();
    let mut bytes = std::fs::read(&facts).expect("read");
    bytes.extend_from_slice(&[7; 1_000]);
    std::fs::write(&facts, bytes).expect("written");
    std::fs::write(folder.path().join("1/terms/left-over.idx"), "half").expect("written");
    let index = Index::open(folder.path(), false).expect("open");
    assert_eq!(std::fs::metadata(&facts).expect("there").len(), length);
    assert_eq!((index.applied(), ask(&index, "a").total), (Some(4), 1));
    index.apply(5, vec![update("192.0.2.1", 22, -1, "a"), update("192.0.2.2", 22, -1, "b")]).expect("applied");
    assert_eq!((index.applied(), keys(&ask(&index, "b"))), (Some(5), vec!["192.0.2.2:22/tcp".to_owned()]));
}

#[test]
fn damage_starts_anew_and_says_that_nothing_is_applied() {
    for file in ["facts.bin", "times.bin", "terms/meta.json"] {
        let (folder, index) = fresh();
        index.apply(1, vec![update("192.0.2.1", 22, -5, "a")]).expect("applied");
        drop(index);
        std::fs::write(folder.path().join("1").join(file), b"{}").expect("damaged");
        assert!(Index::open(folder.path(), true).is_err(), "{file}: a reader cannot mend it");
        let index = Index::open(folder.path(), false).expect(file);
        assert_eq!((index.applied(), index.count()), (None, 0), "{file}");
        index.apply(1, vec![update("192.0.2.1", 22, -5, "a")]).expect("applied again");
        assert_eq!(ask(&index, "a").total, 1);
        assert!(!folder.path().join("1").exists(), "{file}: what was damaged is gone");
    }
}

#[test]
fn a_second_writer_is_refused_and_harms_nothing() {
    let (folder, index) = fresh();
    index.apply(1, vec![update("192.0.2.1", 22, -5, "a")]).expect("applied");
    assert!(matches!(Index::open(folder.path(), false), Err(LakeError::Index { .. })));
    assert_eq!((ask(&index, "a").total, index.applied()), (1, Some(1)));
}

#[test]
fn a_reader_follows_a_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let reader = Index::open(folder.path(), true).expect("nothing there yet");
    assert_eq!((ask(&reader, "a").total, reader.count(), reader.applied()), (0, 0, None));
    let writer = Index::open(folder.path(), false).expect("an index");
    writer.apply(1, vec![update("192.0.2.1", 22, -5, "a")]).expect("applied");
    assert_eq!((ask(&reader, "a").total, reader.applied()), (1, Some(1)));
    writer.apply(2, vec![update("192.0.2.1", 22, -2, "a"), update("192.0.2.2", 22, -2, "a")]).expect("applied");
    let page = ask(&reader, "seen:<3h");
    assert_eq!((page.total, page.matches[0].last_seen), (2, time(-2)));
    writer.apply(3, vec![closed("192.0.2.1", 22, -1)]).expect("applied");
    assert_eq!(ask(&reader, "a").total, 1);
    assert!(matches!(reader.apply(4, Vec::new()), Err(LakeError::ReadOnly)));
    assert!(matches!(reader.clear(), Err(LakeError::ReadOnly)));
    writer.clear().expect("cleared");
    assert_eq!((ask(&reader, "").total, reader.applied(), writer.applied()), (0, None, None));
    writer.apply(1, vec![update("192.0.2.7", 22, -5, "a")]).expect("applied");
    assert_eq!(keys(&ask(&reader, "a")), ["192.0.2.7:22/tcp"]);
}

#[test]
fn a_rebuild_is_shown_when_it_is_complete_or_not_at_all() {
    let (folder, index) = fresh();
    let reader = Index::open(folder.path(), true).expect("open");
    index.apply(1, vec![update("192.0.2.1", 22, -5, "a")]).expect("applied");
    let failed = index.rebuild(Some(3), || {
        assert_eq!((index.applied(), index.shown()), (None, Some(1)));
        index.apply(1, vec![update("192.0.2.1", 22, -5, "b")])?;
        assert_eq!((ask(&index, "a").total, ask(&index, "b").total, ask(&reader, "a").total), (1, 0, 1));
        Err(LakeError::ReadOnly)
    });
    assert!(matches!(failed, Err(LakeError::ReadOnly)));
    assert_eq!((index.applied(), index.identified()), (Some(1), None));
    index.apply(2, vec![update("192.0.2.2", 22, -5, "a")]).expect("the old one goes on");
    assert_eq!((ask(&index, "a").total, ask(&reader, "a").total), (2, 2));
    let fill = || index.apply(2, vec![update("192.0.2.1", 22, -5, "b")]);
    index.rebuild(Some(3), fill).expect("rebuilt");
    assert_eq!((ask(&index, "").total, ask(&reader, "b").total, index.shown()), (1, 1, Some(2)));
    drop(index);
    let index = Index::open(folder.path(), false).expect("open");
    assert_eq!((index.applied(), index.identified()), (Some(2), Some(3)));
}

#[test]
fn pages_stay_in_place_while_data_arrives() {
    let (_folder, index) = fresh();
    let first: Vec<Update> =
        (0..60).map(|n| update(&format!("192.0.2.{n}"), 22, -5, &format!("banner {}", n % 7))).collect();
    index.apply(1, first).expect("applied");
    for sort in ["", "sort:product", "sort:-product", "sort:-port"] {
        let mut request = SearchRequest { query: format!("port:22 {sort}"), limit: 7, ..SearchRequest::default() };
        let mut shown = HashSet::new();
        let mut version = index.applied().expect("applied");
        loop {
            let page = index.search(&request).expect("a page");
            for service in &page.matches {
                assert!(shown.insert(service.key), "{sort}: {} twice", service.key);
            }
            let Some(next) = page.next else { break };
            request.cursor = Some(next);
            version += 1;
            let n = version % 250;
            index
                .apply(version, vec![update(&format!("198.51.100.{n}"), 22, -4, &format!("other {n}"))])
                .expect("applied");
        }
        let old = shown.iter().filter(|key| key.to_string().starts_with("192.0.2.")).count();
        assert_eq!(old, 60, "{sort}: every service that did not change is shown");
    }
    let foreign = SearchRequest { cursor: Some("00ff".into()), ..SearchRequest::default() };
    assert!(matches!(index.search(&foreign), Err(LakeError::Cursor)));
}

#[test]
fn words_left_out_of_the_index_are_found_in_the_text() {
    let (_folder, index) = fresh();
    let long = "x".repeat(70);
    let texts = ["id deadbeef01234567 end", "serial 12345678", &long, "plain end", "deadbeef"];
    let all = (0..).zip(texts).map(|(n, text)| update("192.0.2.1", n, -5, text)).collect();
    index.apply(1, all).expect("applied");
    let ports =
        |query: &str| -> Vec<u16> { ask(&index, query).matches.iter().map(|service| service.key.port).collect() };
    assert_eq!(ports("deadbeef01234567"), [0]);
    assert_eq!(ports("\"id deadbeef01234567 end\""), [0]);
    assert_eq!(ports("\"deadbeef01234567 id\""), [] as [u16; 0]);
    assert_eq!(ports("12345678"), [1]);
    assert_eq!(ports("1234*"), [1]);
    assert_eq!(ports("deadbeef*"), [0, 4]);
    assert_eq!(ports(&long), [2]);
    assert_eq!(ports("xxx*"), [2]);
    assert_eq!(ports("-deadbeef01234567 end"), [3]);
}

#[test]
fn an_entitlement_hides_everything_else() {
    let (_folder, index) = fresh();
    let all = (0..50).map(|n| update(&format!("192.0.2.{n}"), 22, -5, "a")).collect();
    index.apply(1, all).expect("applied");
    let within =
        Some(Arc::new(Entitlement::of_addresses(&AddressRanges::new(["192.0.2.8/29".parse().expect("a prefix")]))));
    let facets =
        vec![FacetRequest { field: "net".into(), size: 10 }, FacetRequest { field: "product".into(), size: 10 }];
    let page = index.search(&SearchRequest { within, facets, ..SearchRequest::default() }).expect("an answer");
    assert_eq!((page.total, page.matches.len()), (8, 8));
    assert!(page.facets.values().all(|counts| counts[0].count == 8), "{:?}", page.facets);
    let nobody = Some(Arc::new(Entitlement::nothing()));
    assert_eq!(
        index.search(&SearchRequest { within: nobody, ..SearchRequest::default() }).expect("an answer").total,
        0
    );
}

#[test]
fn a_wide_entitlement_hides_by_bits_what_a_narrow_one_hides_by_looking() {
    let (_folder, index) = fresh();
    let all = (0..30_000_u32).map(|n| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n * 7 % 65_536 * 3);
        update(&address.to_string(), 22, -5, if n % 3 == 0 { "a" } else { "b" })
    });
    let all: Vec<Update> = all.collect();
    index.apply(1, all.clone()).expect("applied");
    let nets = (0..1_000_u32).map(|n| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n * 197);
        ipnet::IpNet::new(address.into(), 25 + (n % 8) as u8).expect("a prefix").trunc()
    });
    let within = AddressRanges::new(nets);
    let may = Arc::new(Entitlement::of_addresses(&within));
    for (query, word) in [("", None), ("a", Some("a")), ("b sort:-seen", Some("b"))] {
        let request = SearchRequest { query: query.into(), within: Some(Arc::clone(&may)), ..SearchRequest::default() };
        let fits =
            |update: &&Update| within.contains(update.key.address) && word.is_none_or(|word| &*update.text == word);
        let wanted: HashSet<_> = all.iter().filter(fits).map(|update| update.key).collect();
        assert_eq!(index.search(&request).expect("an answer").total, wanted.len() as u64, "{query}");
    }
}

#[test]
fn of_many_markings_the_newest_are_known() {
    let (_folder, index) = fresh();
    let under = |day: i64| {
        let embargo = Some(time(day * 24));
        Update { marking: Marking { embargo, ..Marking::own(Purpose::Exercise) }, ..update("192.0.2.1", 22, day, "a") }
    };
    let all: Vec<Update> = (-40..0).map(under).collect();
    for (version, update) in (1..).zip(&all) {
        index.apply(version, vec![update.clone()]).expect("applied");
    }
    let range = AddressRanges::new(["192.0.2.0/24".parse().expect("a prefix")]);
    let within = Some(Arc::new(Entitlement::of_addresses(&range)));
    let page = |index: &Index| {
        let request = SearchRequest { within: within.clone(), ..SearchRequest::default() };
        index.search(&request).expect("an answer").matches
    };
    let found = page(&index);
    assert_eq!(found.iter().map(|service| service.last_seen).collect::<Vec<_>>(), [time(-1)]);
    let (_other_folder, other) = fresh();
    other.apply(1, all.clone()).expect("applied");
    assert_eq!(page(&other), found, "told at once, the same are known");
    // Backwards and by fours: the first four are told again beside newer ones.
    let (_third_folder, third) = fresh();
    for (version, part) in (1..).zip(all.rchunks(4)) {
        third.apply(version, [&all[..2], part].concat()).expect("applied");
    }
    assert_eq!(page(&third), found, "whatever the order");
    assert_eq!((index.count(), ask(&index, "").total), (1, 1));
}

#[test]
fn characters_and_expressions_are_found_in_what_was_said_since_too() {
    let (_folder, index) = fresh();
    let texts = |from: u32, count: u32| -> Vec<Update> {
        let text = |n: u32| format!("unit {n} of {} {}", n % 10, "filling ".repeat(40));
        (from..from + count).map(|n| update("192.0.2.1", u16::try_from(n).expect("a port"), -5, &text(n))).collect()
    };
    index.apply(1, texts(0, 2_000)).expect("applied");
    let total = |query: &str| ask(&index, query).total;
    // The first question notes what is there, the next ones use the notes.
    for _ in 0..3 {
        assert_eq!(
            (total("text:\"nit 77 o\""), total("text:/unit 77[0-4] of/"), total("text:/^unit .+/")),
            (1, 5, 2_000)
        );
    }
    index.apply(2, texts(5_000, 1_000)).expect("applied");
    assert_eq!(
        (total("text:\"nit 5077 o\""), total("text:/unit 77[0-4] of/ OR text:5001"), total("text:ng")),
        (1, 6, 3_000)
    );
    assert_eq!(total("port:77 text:/UNIT 7+/"), 1, "few candidates are read one by one");
    assert_eq!(total("-text:/unit 77[0-4] of/"), 2_995);
    let error = ask_error(&index, "text:/(/");
    assert!(error.contains("regular expression"), "{error}");
}

fn ask_error(index: &Index, query: &str) -> String {
    let request = SearchRequest { query: query.to_owned(), ..SearchRequest::default() };
    index.search(&request).expect_err("refused").to_string()
}

#[test]
fn a_scan_hands_over_everything_in_order() {
    let (_folder, index) = fresh();
    let all = (0..200).rev().map(|n| update(&format!("192.0.2.{}", n % 20), n, -5, &format!("b{}", n % 3))).collect();
    index.apply(1, all).expect("applied");
    let mut seen = Vec::new();
    let count = index.scan("b1", time(0), None, &mut |service| {
        seen.push((service.key.address, service.key.port));
        Ok(())
    });
    assert_eq!(count.expect("scanned"), seen.len() as u64);
    assert_eq!(seen.len(), ask(&index, "b1").total as usize);
    assert!(seen.is_sorted());
    let stopped = index.scan("", time(0), None, &mut |_| Err(LakeError::ReadOnly));
    assert!(matches!(stopped, Err(LakeError::ReadOnly)));
}

#[test]
fn facets_that_cannot_be_counted_are_named() {
    let (_folder, index) = fresh();
    let facets = vec![FacetRequest { field: "seen".into(), size: 3 }];
    let error = index.search(&SearchRequest { facets, ..SearchRequest::default() }).expect_err("refused");
    assert!(error.to_string().contains("cannot count by \"seen\""), "{error}");
}

#[test]
fn a_hundred_thousand_services_smoke() {
    // Without optimisation a fifth will do.
    const SERVICES: u32 = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    let (folder, index) = fresh();
    let make = |n: u32, hours: i64| {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n / 3).to_string();
        let banner = format!("Server build {} of {}", n % 5_000, n % 37);
        update(&address, u16::try_from(n % 3 * 1_000).expect("a port"), hours, &banner)
    };
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        println!("{what:<40} {:>9.1} ms", start.elapsed().as_secs_f64() * 1_000.0);
    };
    timed("apply all new", &mut || {
        index.apply(1, (0..SERVICES).map(|n| make(n, -5)).collect()).expect("applied");
    });
    timed("apply the same again", &mut || {
        index.apply(2, (0..SERVICES).map(|n| make(n, -1)).collect()).expect("applied");
    });
    println!("on disk: {} bytes", size_of(folder.path()));
    for query in [
        "",
        "ip:10.0.1.1",
        "net:10.0.1.0/24",
        "net:10.0.0.0/8",
        "build",
        "\"build 77\" port:2000",
        "seen:<2h sort:-seen",
    ] {
        timed(query, &mut || {
            ask(&index, query);
        });
    }
    timed("three facets over everything", &mut || {
        let facets = ["product", "port", "net"].map(|name| FacetRequest { field: name.into(), size: 20 }).to_vec();
        index.search(&SearchRequest { facets, ..SearchRequest::default() }).expect("an answer");
    });
    timed("scan everything", &mut || {
        let count = index.scan("", time(0), None, &mut |_| Ok(())).expect("scanned");
        assert_eq!(count, u64::from(SERVICES));
    });
}
