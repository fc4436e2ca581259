use proptest::prelude::*;

use super::*;
use crate::index::Update;
use crate::index::tests::any_update;
use crate::query::tests::any_query;
use hinomi_model::Outcome;
use hinomi_model::time::FixedClock;

fn change(update: Update, what: What, version: u64) -> Changed {
    let before = (what != What::Opened).then(|| Arc::clone(&update.facts));
    let pseudo = update.outcome == Outcome::Pseudo;
    Changed { update, what, before, pseudo, version }
}

fn any_change() -> impl Strategy<Value = Changed> {
    let what = proptest::sample::select(&[What::Opened, What::Content, What::Closed, What::Reopened][..]);
    (any_update(), what).prop_map(|(update, what)| change(update, what, 1))
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock(crate::index::tests::time(0)))
}

fn book(folder: &tempfile::TempDir, queries: &[String]) -> WatchBook {
    let book = WatchBook::of_state(folder.path());
    for (number, query) in queries.iter().enumerate() {
        let new = NewWatch {
            name: format!("query {number}"),
            query: query.clone(),
            owner: "somebody".to_owned(),
            within: (number % 4 == 3).then(|| vec!["192.0.2.0/25".parse().expect("a prefix")]),
        };
        book.add(&new, Timestamp::default()).expect(query);
    }
    book
}

/// What asking every query about every change fires.
fn plainly(queries: &[Saved], changes: &[Changed]) -> Vec<(ServiceKeyText, u64)> {
    let now = crate::index::tests::time(0);
    let mut all = Vec::new();
    for change in changes {
        for one in queries {
            let within =
                one.within.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&change.update.key.address)));
            let matcher = Matcher::new(&crate::query::parse(&one.query).expect("saved"));
            if within && matcher.fits(&subject_of(change), now) {
                all.push((name_of(change), one.id));
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

type ServiceKeyText = String;

fn told(book: &WatchBook) -> Vec<(ServiceKeyText, u64)> {
    let events = book.events(0, MAX_EVENTS, None).expect("events").events;
    let pairs = |event: Event| event.watches.into_iter().map(move |id| (event.change.clone(), id));
    let mut all: Vec<_> = events.into_iter().flat_map(pairs).collect();
    all.sort();
    all
}

fn once(changes: Vec<Changed>) -> Vec<Changed> {
    let mut seen = std::collections::HashSet::new();
    changes.into_iter().filter(|change| seen.insert(name_of(change))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_fires_is_what_asking_every_query_gives(
        queries in prop::collection::vec(any_query(), 1..40),
        changes in prop::collection::vec(any_change(), 1..40),
        steps in 1usize..4,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let queries: Vec<String> = queries.iter().map(ToString::to_string).collect();
        let book = book(&folder, &queries);
        let changes = once(changes);
        let watching = Watching::of_state(folder.path(), clock());
        for step in changes.chunks(changes.len().div_ceil(steps)) {
            watching.heed(step).expect("heeded");
        }
        let saved = book.queries().expect("queries");
        prop_assert_eq!(told(&book), plainly(&saved, &changes));
        prop_assert_eq!(watching.status().queries, saved.len() as u64);
    }

    #[test]
    fn a_kill_at_any_byte_loses_nothing_and_tells_nothing_twice(
        changes in prop::collection::vec(any_change(), 2..24),
        cut in 0.0f64..1.0,
        noise in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let book = book(&folder, &["".to_owned(), "port:22".to_owned()]);
        let mut changes = once(changes);
        let last = changes.split_off(changes.len() / 2);
        let last: Vec<Changed> = last.into_iter().map(|change| Changed { version: 2, ..change }).collect();
        let watching = Watching::of_state(folder.path(), clock());
        watching.heed(&changes).expect("heeded");
        let segment = folder.path().join(FOLDER).join("events-00000000000000000001.log");
        let safe = std::fs::read(&segment).unwrap_or_default().len();
        watching.heed(&last).expect("heeded");
        drop(watching);
        // What was synced stays; of the step that was being written any part may be there, and anything after it.
        if let Ok(bytes) = std::fs::read(&segment) {
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place")]
            let keep = safe + ((bytes.len() - safe) as f64 * cut) as usize;
            std::fs::write(&segment, [&bytes[..keep], &noise].concat()).expect("written");
        }
        let before = book.events(0, MAX_EVENTS, None).expect("events");
        let watching = Watching::of_state(folder.path(), clock());
        watching.heed(&last).expect("heeded");
        watching.heed(&last).expect("heeded");
        let all = [changes, last].concat();
        let saved = book.queries().expect("queries");
        prop_assert_eq!(told(&book), plainly(&saved, &all));
        let after = book.events(before.next, MAX_EVENTS, None).expect("events");
        let numbers: Vec<u64> = before.events.iter().chain(&after.events).map(|event| event.number).collect();
        prop_assert_eq!(&numbers, &(1..=numbers.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!((after.missed, after.damaged), (0, 0));
    }
}

#[test]
fn readers_go_on_by_number_and_by_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["".to_owned(), "port:80".to_owned()]);
    let watching = Watching::of_state(folder.path(), clock());
    let of = |port: u16, version| {
        change(
            crate::index::tests::update("192.0.2.1", port, i64::try_from(version).expect("small"), "x"),
            What::Opened,
            version,
        )
    };
    for version in 1..=4 {
        watching.heed(&[of(22, version), of(80, version)]).expect("heeded");
    }
    let first = book.events(0, 3, None).expect("events");
    assert_eq!((first.events.len(), first.next), (3, 3));
    let rest = book.events(first.next, 100, None).expect("events");
    assert_eq!((rest.events.len(), rest.next, book.newest().expect("newest")), (5, 8, 8));
    let of_port = book.events(0, 100, Some(2)).expect("events");
    assert!(of_port.events.iter().all(|event| event.service.port == 80) && of_port.events.len() == 4);
    // The oldest segment is gone: who asks for it is told.
    let path = |first: u64| folder.path().join(FOLDER).join(format!("events-{first:020}.log"));
    let text = std::fs::read_to_string(path(1)).expect("read");
    let tail: Vec<&str> = text.lines().skip(5).collect();
    std::fs::write(path(6), tail.join("\n") + "\n").expect("written");
    std::fs::remove_file(path(1)).expect("removed");
    let late = book.events(2, 100, None).expect("events");
    assert_eq!((late.missed, late.events.len(), late.next), (3, 3, 8));
}

#[test]
fn a_damaged_line_within_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["".to_owned()]);
    let watching = Watching::of_state(folder.path(), clock());
    for version in 1..=3 {
        let update = crate::index::tests::update("192.0.2.1", 22, version, "x");
        watching.heed(&[change(update, What::Opened, version.unsigned_abs())]).expect("heeded");
    }
    let path = folder.path().join(FOLDER).join("events-00000000000000000001.log");
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let events = book.events(0, 10, None).expect("events");
    assert_eq!((events.events.len(), events.damaged, events.next), (2, 1, 3));
}

#[test]
fn saved_queries_are_kept_to_their_bounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["port:22".to_owned()]);
    let add = |name: &str, query: &str| {
        let new = NewWatch { name: name.into(), query: query.into(), owner: "x".into(), within: None };
        book.add(&new, Timestamp::default())
    };
    assert!(matches!(add("query 0", "port:23"), Err(LakeError::Unfit { .. })), "the name is taken");
    assert!(matches!(add("other", "prot:23"), Err(LakeError::Query(_))));
    assert!(matches!(add("a\nb", "port:23"), Err(LakeError::Unfit { .. })));
    assert!(book.remove("query 0").expect("removed") && !book.remove("query 0").expect("nothing"));
    assert_eq!(add("query 0", "PORT:23").expect("added").id, 2, "numbers are not given twice");
    assert!(is_filed("port:22 -kind:router").expect("a query") && !is_filed("-kind:router").expect("a query"));
    std::fs::write(folder.path().join(FOLDER).join("queries.json"), "{").expect("written");
    assert!(matches!(book.queries(), Err(LakeError::Damaged { .. })));
}

#[test]
fn services_of_one_content_are_told_apart_by_where_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["operator:Example".to_owned(), "prefecture:Kyoto".to_owned(), "as:64500".to_owned()]);
    let watching = Watching::of_state(folder.path(), clock());
    let at = |address: &str, operator: Option<&str>, prefecture: Option<&str>, asn| {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        let update = crate::index::tests::update(address, 22, -1, "the same");
        change(Update { operator: own(operator), prefecture: own(prefecture), asn, ..update }, What::Opened, 1)
    };
    let changes = [
        at("192.0.2.1", None, None, None),
        at("192.0.2.2", Some("Example"), None, None),
        at("192.0.2.3", None, Some("Kyoto"), None),
        at("192.0.2.4", None, None, Some(64_500)),
    ];
    watching.heed(&changes).expect("heeded");
    let fired: Vec<_> =
        told(&book).into_iter().map(|(_, id)| id).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    assert_eq!(fired, [1, 2, 3]);
    assert_eq!(told(&book), plainly(&book.queries().expect("queries"), &changes));
}

#[test]
fn queries_are_asked_where_they_are_rare_here_and_not_where_they_are_rare_elsewhere() {
    const SHARED: u32 = 30;
    let folder = tempfile::tempdir().expect("a folder");
    // All of them are of one /16, which is rare on the whole Internet, and every second one has this port.
    let mut queries: Vec<String> = (0..SHARED).map(|n| format!("net:10.0.0.0/16 product:p{n}")).collect();
    queries.extend((0..SHARED).map(|n| format!("net:10.0.{n}.0/24 port:443")));
    let book = book(&folder, &queries);
    let watching = Watching::of_state(folder.path(), clock());
    let one = |n: u32| {
        let address = std::net::Ipv4Addr::from((10 << 24) + n / 2 % (SHARED * 256));
        let port = if n.is_multiple_of(2) { 80 } else { 443 };
        let product = format!("p{}", n.wrapping_mul(2_654_435_761) % SHARED);
        change(crate::index::tests::update(&address.to_string(), port, -1, &product), What::Opened, 1)
    };
    let changes: Vec<Changed> = (0..6_000).map(one).collect();
    let (learning, later) = changes.split_at(4_000);
    learning.chunks(500).for_each(|step| watching.heed(step).expect("heeded"));
    let before = watching.status();
    later.chunks(500).for_each(|step| watching.heed(step).expect("heeded"));
    let after = watching.status();
    let (asked, looked) = (after.asked - before.asked, after.changes - before.changes);
    // One or two by its product, one by its /24, and those that the walk through the addresses did not show yet.
    assert!(looked == 2_000 && asked < 4 * looked, "{asked} queries were asked for {looked} changes");
    let mut all = plainly(&book.queries().expect("queries"), &changes);
    all.truncate(MAX_EVENTS);
    assert_eq!(told(&book), all);
}

#[test]
fn a_list_that_changes_is_followed_as_if_all_of_it_were_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["port:22".to_owned(), "product:a".to_owned(), "product:b".to_owned()]);
    let watching = Watching::of_state(folder.path(), clock());
    let step = |hours: i64| {
        let one = |(n, banner)| {
            change(crate::index::tests::update(&format!("192.0.2.{n}"), 22, hours, banner), What::Opened, 1)
        };
        [(1, "a"), (2, "b"), (3, "c")].map(one)
    };
    let fired = |hours: i64| {
        let before = book.newest().expect("newest");
        watching.heed(&step(hours)).expect("heeded");
        let events = book.events(before, 100, None).expect("events").events;
        events.into_iter().map(|event| event.watches).collect::<Vec<_>>()
    };
    assert_eq!(fired(-9), [vec![1, 2], vec![1, 3], vec![1]]);
    assert!(book.remove("query 1").expect("removed"));
    assert_eq!(fired(-8), [vec![1], vec![1, 3], vec![1]]);
    let new = |name: &str, query: &str, within: Option<&str>| NewWatch {
        name: name.to_owned(),
        query: query.to_owned(),
        owner: "somebody".to_owned(),
        within: within.map(|net| vec![net.parse().expect("a prefix")]),
    };
    book.add(&new("query 1", "product:c", None), Timestamp::default()).expect("added");
    assert!(book.remove("query 0").expect("removed"));
    book.add(&new("query 0", "port:22", Some("192.0.2.2/32")), Timestamp::default()).expect("added");
    assert_eq!(fired(-7), [vec![3, 5], vec![4]]);
    // A number that stands for another query, as in a folder that was restored, is another query.
    let file = folder.path().join(FOLDER).join("queries.json");
    let text = std::fs::read_to_string(&file).expect("a file").replace("product:b", "product:c");
    std::fs::write(&file, text).expect("written");
    assert_eq!(fired(-6), [vec![5], vec![3, 4]]);
}

#[test]
fn saved_queries_that_cannot_be_read_stop_no_sightings() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["port:22".to_owned()]);
    let watching = Watching::of_state(folder.path(), clock());
    let opened = |version: u64| {
        let hours = i64::try_from(version).expect("small");
        [change(crate::index::tests::update("192.0.2.1", 22, hours, "x"), What::Opened, version)]
    };
    watching.heed(&opened(1)).expect("heeded");
    let path = folder.path().join(FOLDER).join("queries.json");
    let whole = std::fs::read(&path).expect("read");
    for broken in ["{", r#"{"format": 99}"#] {
        std::fs::write(&path, broken).expect("written");
        watching.heed(&opened(1 + broken.len() as u64)).expect("the queries read last go on");
        assert!(watching.status().unread);
        let other = Watching::of_state(folder.path(), clock());
        other.heed(&opened(9)).expect("nothing was read yet");
        assert!(other.status().unread);
    }
    assert_eq!(told(&book).len(), 3);
    std::fs::write(&path, whole).expect("written");
    watching.heed(&opened(50)).expect("heeded");
    assert_eq!((told(&book).len(), watching.status().unread), (4, false));
}

#[test]
fn an_answer_is_bounded_by_its_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = Journal::open(folder.path()).expect("a journal");
    let event = |number: u64| Event {
        number: 0,
        change: format!("change {number}"),
        version: 1,
        what: "opened".to_owned(),
        facts: Vec::new(),
        seen: Timestamp::default(),
        told: Timestamp::default(),
        service: crate::index::tests::update("192.0.2.1", 22, 0, "x").key,
        watches: (1_000_000_000_000_000..).take(100_000).collect(),
    };
    journal.append((0..8).map(event).collect()).expect("appended");
    let first = journal::read(folder.path(), 0, MAX_EVENTS, None).expect("read");
    assert!((2..8).contains(&first.events.len()), "{}", first.events.len());
    let rest = journal::read(folder.path(), first.next, MAX_EVENTS, None).expect("read");
    assert_eq!((first.events.len() + rest.events.len(), rest.next), (8, 8));
}

#[test]
fn saved_queries_with_expressions_are_bounded_in_sum() {
    let folder = tempfile::tempdir().expect("a folder");
    let book = book(&folder, &["text:/first/".to_owned()]);
    let path = folder.path().join(FOLDER).join("queries.json");
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("queries");
    let all = file["queries"].as_array_mut().expect("queries");
    let model = all[0].clone();
    for number in 1..saved::MAX_WITH_EXPRESSIONS {
        let mut one = model.clone();
        one["name"] = format!("copy {number}").into();
        all.push(one);
    }
    std::fs::write(&path, file.to_string()).expect("written");
    let add = |query: &str| {
        let new = NewWatch { name: query.into(), query: query.into(), owner: "x".into(), within: None };
        book.add(&new, Timestamp::default())
    };
    assert!(matches!(add("port:22 -text:x,/more/"), Err(LakeError::Unfit { .. })));
    add("port:22 text:\"/more/\"").expect("no expression");
}

#[test]
fn saved_expressions_are_bounded_by_what_they_take_when_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let queries = book(&folder, &["text:/first/".to_owned(), "port:22".to_owned()]).queries().expect("queries");
    let check = |query: &str, most_bytes| {
        saved::check_expressions(
            crate::query::parse(query).expect("a query").filter.as_ref(),
            &queries,
            (10, most_bytes),
        )
    };
    let (small, large) = ("text:/second/", "text:/[a-z]{300}/");
    assert!(check(small, 1 << 15).is_ok() && check("port:22", 0).is_ok());
    let error = check(large, 1 << 15).expect_err("too large").to_string();
    assert!(error.contains("bytes"), "{error}");
    assert!(check(large, 1 << 20).is_ok() && check(small, 1).is_err());
}

/// A banner's word is its product.
struct Word;

impl hinomi_model::Identifier for Word {
    fn identify(&self, evidence: &[hinomi_model::Evidence]) -> hinomi_model::Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned());
        hinomi_model::Facts { product: text, ..hinomi_model::Facts::default() }
    }

    fn revision(&self) -> &str {
        "word"
    }
}

fn lake(folder: &tempfile::TempDir) -> crate::lake::Lake {
    let (dir, identifier, places) = (folder.path().to_owned(), Arc::new(Word), crate::place::Places::default());
    let options = crate::lake::LakeOptions { dir, read_only: false, identifier, places, clock: clock() };
    crate::lake::Lake::open(options).expect("a lake")
}

/// Something seen at an address, or nothing.
fn seen(lake: &crate::lake::Lake, hours: i64, banner: Option<&str>) {
    let outcome = if banner.is_some() { Outcome::Open } else { Outcome::Closed };
    seen_by(lake, "survey", outcome, hours, banner);
}

fn seen_by(lake: &crate::lake::Lake, sensor: &str, outcome: Outcome, hours: i64, banner: Option<&str>) {
    let evidence: Vec<_> =
        banner.iter().map(|text| hinomi_model::Evidence::new(hinomi_model::EvidenceKind::Banner, *text)).collect();
    let model = crate::index::tests::update("192.0.2.1", 80, hours, "");
    let sighting = hinomi_model::Sighting {
        sensor: sensor.parse().expect("a name"),
        campaign: None,
        time: model.time,
        subject: model.key,
        outcome,
        remark: None,
        evidence: evidence.iter().map(hinomi_model::Evidence::reference).collect(),
        marking: model.marking,
    };
    let batch = hinomi_model::Batch { sightings: vec![sighting], evidence, ..hinomi_model::Batch::default() };
    hinomi_model::Sink::append(lake, batch).expect("appended");
}

#[test]
fn a_lake_tells_each_change_once_and_an_index_built_anew_tells_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = lake(&folder);
    seen(&open, -9, Some("before anybody asked"));
    let book = book(&folder, &["port:80".to_owned(), "product:caddy".to_owned()]);
    seen(&open, -8, Some("nginx"));
    seen(&open, -7, Some("nginx"));
    seen(&open, -6, Some("caddy"));
    seen(&open, -5, None);
    seen(&open, -4, None);
    seen(&open, -3, Some("caddy"));
    seen(&open, -10, Some("late news of what is over"));
    let told = || -> Vec<(String, Vec<u64>)> {
        let events = book.events(0, 100, None).expect("events").events;
        events.into_iter().map(|event| (event.what, event.watches)).collect()
    };
    let expected = [("changed", vec![1]), ("changed", vec![1, 2]), ("closed", vec![1, 2]), ("reopened", vec![1, 2])];
    let expected: Vec<_> = expected.into_iter().map(|(what, ids)| (what.to_owned(), ids)).collect();
    assert_eq!(told(), expected);
    assert_eq!(book.events(0, 1, None).expect("events").events[0].facts, ["product"]);
    open.rebuild_index().expect("rebuilt");
    drop(open);
    std::fs::remove_dir_all(folder.path().join("index")).expect("removed");
    let open = lake(&folder);
    assert_eq!(told(), expected, "what an index learns anew is no news");
    seen(&open, -1, None);
    assert_eq!(told().len(), expected.len() + 1);
}

fn whats(book: &WatchBook) -> Vec<(String, Vec<u64>)> {
    let events = book.events(0, 100, None).expect("events").events;
    events.into_iter().map(|event| (event.what, event.watches)).collect()
}

#[test]
fn what_pretends_fires_only_who_asks_for_it_also_when_it_closes_and_answers_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = lake(&folder);
    let book = book(&folder, &["port:80".to_owned(), "port:80 has:pseudo".to_owned()]);
    seen_by(&open, "survey", Outcome::Pseudo, -9, Some("anything"));
    seen(&open, -8, None);
    seen_by(&open, "survey", Outcome::Pseudo, -7, Some("anything"));
    let of_pseudo = |what: &str| (what.to_owned(), vec![2]);
    assert_eq!(whats(&book), [of_pseudo("opened"), of_pseudo("closed"), of_pseudo("reopened")]);
    seen(&open, -6, Some("anything"));
    assert_eq!(whats(&book).last(), Some(&("changed".to_owned(), vec![1])), "it pretends no more");
}

#[test]
fn sensors_that_take_turns_at_a_service_that_stays_the_same_fire_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = lake(&folder);
    let book = book(&folder, &["port:80".to_owned()]);
    for hours in -9..-3 {
        let sensor = if hours % 2 == 0 { "survey" } else { "decoy" };
        seen_by(&open, sensor, Outcome::Open, hours, Some("nginx"));
    }
    assert_eq!(whats(&book), [("opened".to_owned(), vec![1])]);
    seen_by(&open, "decoy", Outcome::Open, -2, Some("caddy"));
    assert_eq!(whats(&book).len(), 2);
}

/// The same by other rules.
struct Newer;

impl hinomi_model::Identifier for Newer {
    fn identify(&self, evidence: &[hinomi_model::Evidence]) -> hinomi_model::Facts {
        let product = Word.identify(evidence).product.map(|product| product + " by newer rules");
        hinomi_model::Facts { product, ..hinomi_model::Facts::default() }
    }

    fn revision(&self) -> &str {
        "newer"
    }
}

#[test]
fn what_was_pending_is_told_before_an_index_is_built_anew() {
    let (folder, aside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let index = folder.path().join("index");
    let copy = |from: &Path, to: &Path| {
        let done = std::process::Command::new("cp").arg("-rT").args([from, to]).status().expect("cp");
        assert!(done.success());
    };
    let open = lake(&folder);
    seen(&open, -9, Some("nginx"));
    drop(open);
    copy(&index, &aside.path().join("index"));
    // Stored and not applied, as after a kill; then rules are better, and the index is to be built anew.
    let newer = || {
        let (dir, identifier, places) = (folder.path().to_owned(), Arc::new(Newer), crate::place::Places::default());
        let options = crate::lake::LakeOptions { dir, read_only: false, identifier, places, clock: clock() };
        crate::lake::Lake::open(options).expect("a lake")
    };
    let open = newer();
    seen(&open, -8, Some("caddy"));
    open.identify_again(&mut |_, _| {}).expect("identified");
    drop(open);
    std::fs::remove_dir_all(&index).expect("removed");
    copy(&aside.path().join("index"), &index);
    let book = book(&folder, &["port:80".to_owned()]);
    let open = newer();
    assert_eq!(whats(&book), [("changed".to_owned(), vec![1])]);
    assert!(open.index.identified().is_some() && open.index.identified() == open.knowledge.identified(), "built anew");
}
