//! Every question of a member: what he is told is what single records may be read, and what others have changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hinomi_lake::entitlement::Seen;
use hinomi_model::{Outcome, Service, ServiceKey, Sighting};
use hinomi_share::entitle::{decide, facts_of};
use hinomi_share::policy::Member;
use hinomi_share::register::{Claim, Holders, Register};
use hinomi_share::rules::Rules;
use hinomi_share::{
    ArrivedRequest, ChangesRequest, DiffRequest, FacetRequest, Format, HistogramRequest, PastRequest, Reader,
    SearchRequest, Side, Step,
};
use proptest::prelude::*;

use crate::world::{DAYS, World, asn_of, banner, day, marking, member, register, sightings};

const ALL: &str = "(has:closed OR -has:closed)";

/// Which sightings the rules let a member see, one by one.
pub(crate) fn visible(all: &[Sighting], rules: &Rules, member: &Member, register: &Register) -> Vec<Sighting> {
    visible_at(all, rules, member, register, day(DAYS))
}

/// The same at a moment.
fn visible_at(
    all: &[Sighting],
    rules: &Rules,
    member: &Member,
    register: &Register,
    now: hinomi_model::Timestamp,
) -> Vec<Sighting> {
    let register = Arc::new(register.clone());
    let (facts, holders) = (facts_of(member, &register), Holders::new(&register));
    let allowed = |one: &&Sighting| {
        let (address, time) = (one.subject.address, one.time);
        let seen = Seen { address, asn: asn_of(address), time, marking: &one.marking };
        decide(rules, &facts, &holders, &seen, now).expect("a decision").allowed
    };
    all.iter().filter(allowed).cloned().collect()
}

fn search(query: &str, limit: usize) -> SearchRequest {
    let facet = |field: &str| FacetRequest { field: field.to_owned(), size: 100 };
    SearchRequest {
        query: query.to_owned(),
        facets: ["port", "product", "version", "tlp", "purpose", "net", "as", "operator"].map(facet).into(),
        histograms: vec![
            HistogramRequest { field: "seen".into(), step: Step::Day },
            HistogramRequest { field: "first".into(), step: Step::Week },
        ],
        limit,
        now: day(DAYS),
        ..SearchRequest::default()
    }
}

/// Every service by pages, each of which tells the same total.
fn paged(reader: &Reader, query: &str, limit: usize) -> (u64, Vec<Service>) {
    let (mut all, mut cursor, mut total) = (Vec::new(), None, None);
    loop {
        let page = reader.search(&SearchRequest { cursor, ..search(query, limit) }).expect("a page");
        assert_eq!(*total.get_or_insert(page.total), page.total);
        all.extend(page.matches);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return (page.total, all),
        }
    }
}

fn exported(reader: &Reader, query: &str) -> String {
    let mut out = Vec::new();
    reader.export(query, Format::Jsonl, day(DAYS), &mut out).expect("exported");
    String::from_utf8(out).expect("text")
}

/// The newest sighting of each marking of each service, and of those that may be read the newest of each service.
fn newest(all: &[Sighting], may: impl Fn(&Sighting) -> bool) -> BTreeMap<ServiceKey, &Sighting> {
    let mut of_marking: Vec<&Sighting> = Vec::new();
    for one in all.iter().filter(|one| one.outcome != Outcome::Closed) {
        match of_marking.iter_mut().find(|known| (known.subject, &known.marking) == (one.subject, &one.marking)) {
            Some(known) if known.time < one.time => *known = one,
            Some(_) => {}
            None => of_marking.push(one),
        }
    }
    let mut newest: BTreeMap<ServiceKey, &Sighting> = BTreeMap::new();
    for one in of_marking.into_iter().filter(|one| may(one)) {
        let known = newest.entry(one.subject).or_insert(one);
        if known.time < one.time {
            *known = one;
        }
    }
    newest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Tables are read look by look: the answers are those of a lake that holds nothing else.
    #[test]
    fn the_past_is_told_as_if_nothing_else_had_been_seen(
        register in register(), member in member(), all in sightings(),
        (first, second) in (0..DAYS, 0..DAYS), limit in 1usize..6,
    ) {
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let own = visible(&all, &rules, &member, &register);
        let (whole, mine) = (World::of(&all), World::of(&own));
        let (reader, looks) = whole.member(&register, &rules, &member);
        let (from, to) = (first.min(second), first.max(second));
        for query in ["", "port:22", "has:closed OR -has:closed", "version:9.1"] {
            let at = PastRequest { limit, ..PastRequest::new(query, day(to)) };
            prop_assert_eq!(reader.as_of(&at).expect("a page"), mine.reader.as_of(&at).expect("a page"));
            let (side, now) = (|at| Side::At(day(at)), day(DAYS));
            let asked = DiffRequest {
                query: query.to_owned(), from: side(from), to: side(to), now, limit, cursor: None, within: None,
            };
            prop_assert_eq!(reader.diff(&asked).expect("a page"), mine.reader.diff(&asked).expect("a page"));
            let asked = ChangesRequest { limit, ..ChangesRequest::new(query) };
            prop_assert_eq!(reader.changes(&asked).expect("a page"), mine.reader.changes(&asked).expect("a page"));
        }
        for low in 0..40_u8 {
            let address = [192, 0, 2, low].into();
            prop_assert_eq!(
                reader.presence(address, day(DAYS)).expect("told"), mine.reader.presence(address, day(DAYS)).expect("told")
            );
            let history = |reader: &Reader| reader.host(address).expect("a host").map(|host| host.history);
            let (told, wanted) = (history(&reader).unwrap_or_default(), history(&mine.reader).unwrap_or_default());
            prop_assert_eq!(told, wanted);
        }
        let arrived = |reader: &Reader| {
            let (mut after, mut events) = ("0".to_owned(), Vec::new());
            loop {
                let asked = ArrivedRequest { query: String::new(), after, limit: 3, within: None };
                let page = reader.arrived(&asked).expect("arrived");
                events.extend(page.events.into_iter().map(|one| format!("{:?}", one.event)));
                after = page.next;
                if !page.more {
                    events.sort();
                    return events;
                }
            }
        };
        prop_assert_eq!(arrived(&reader), arrived(&mine.reader));
        prop_assert!(looks.0.lock().expect("alone").len() > 80, "each look is written down");
    }

    /// The present is told row by row: the newest sighting that may be read, among the last ones of each marking.
    #[test]
    fn the_present_is_told_row_by_row(register in register(), member in member(), all in sightings(), limit in 1usize..5) {
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let own = visible(&all, &rules, &member, &register);
        let world = World::of(&all);
        let (reader, _) = world.member(&register, &rules, &member);
        let readable: BTreeSet<_> = own.iter().map(|one| (one.subject, one.time)).collect();
        let shown = newest(&all, |one| readable.contains(&(one.subject, one.time)));
        let wanted: BTreeSet<ServiceKey> = shown.keys().copied().collect();
        let (total, services) = paged(&reader, ALL, limit);
        let keys: BTreeSet<ServiceKey> = services.iter().map(|one| one.key).collect();
        prop_assert_eq!((&keys, total), (&wanted, wanted.len() as u64));
        for sort in ["sort:-seen", "sort:first", "sort:product", "sort:-port"] {
            let (total, services) = paged(&reader, &format!("{ALL} {sort}"), limit);
            prop_assert_eq!((services.len(), total), (wanted.len(), wanted.len() as u64));
        }
        let page = reader.search(&search(ALL, 0)).expect("counts");
        for (field, counts) in &page.facets {
            let sum: u64 = counts.iter().map(|one| one.count).sum();
            prop_assert!(sum <= page.total, "{}", field);
        }
        prop_assert_eq!(page.facets["port"].iter().map(|one| one.count).sum::<u64>(), page.total);
        prop_assert_eq!(page.histograms["seen"].iter().map(|one| one.count).sum::<u64>(), page.total);
        prop_assert_eq!(reader.explain(ALL).expect("a plan").matches, page.total);
        prop_assert_eq!(exported(&reader, ALL).lines().count() as u64, page.total);
        let mut handed = BTreeSet::new();
        reader.each_service(ALL, day(DAYS), &mut |one| {
            handed.insert(one.key);
        }).expect("handed out");
        prop_assert_eq!(&handed, &wanted);
        for service in &services {
            // Times that are told lie within what may be read.
            let (first, held) = (service.first_seen, readable.iter().any(|(key, _)| *key == service.key));
            prop_assert!(held && first <= service.last_seen);
            prop_assert_eq!(Some(service.last_seen), shown.get(&service.key).map(|one| one.time));
            prop_assert!(reader.why(&service.key).expect("told").is_some());
        }
        for said in 0..3 {
            let hash = banner(said).reference().hash;
            let rests = |one: &Sighting| one.evidence.iter().any(|piece| piece.hash == hash);
            let now = services.iter().any(|one| {
                one.evidence.iter().any(|piece| piece.hash == hash) && {
                    let query = format!("ip:{} port:{}", one.key.address, one.key.port);
                    reader.search(&search(&query, 1)).expect("a page").total > 0
                }
            });
            let given = reader.evidence(&hash).expect("told").is_some();
            prop_assert!(!given || own.iter().any(rests), "nothing that may be read rests on it");
            prop_assert!(given || !now, "a service that is shown rests on it");
        }
        for key in all.iter().map(|one| one.subject).filter(|key| !own.iter().any(|one| one.subject == *key)) {
            prop_assert_eq!(reader.why(&key).expect("told"), None);
        }
    }

    /// Services of which nothing may be read change no answer, count, order, cursor, plan or error.
    #[test]
    fn what_others_have_changes_nothing(register in register(), member in member(), all in sightings(), budget in 0u64..3) {
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let own: BTreeSet<_> = visible(&all, &rules, &member, &register).into_iter().map(|one| one.subject).collect();
        let near: Vec<Sighting> = all.iter().filter(|one| own.contains(&one.subject)).cloned().collect();
        let (whole, alone) = (World::of(&all), World::of(&near));
        let readers = [&whole, &alone].map(|world| world.member(&register, &rules, &member).0);
        let [one, other] = &readers;
        for query in ["", ALL, "port:22", "version:9.1 OR version:9.2", "text:openssh", "sort:-seen", "tlp:red", "first:<10d"] {
            let distinct = Some("ip".to_owned());
            for asked in [
                search(query, 2),
                SearchRequest { distinct, histograms: Vec::new(), ..search(query, 1) },
                SearchRequest { budget: Some(budget), ..search(query, 1) },
            ] {
                prop_assert_eq!(format!("{:?}", one.search(&asked)), format!("{:?}", other.search(&asked)));
            }
            prop_assert_eq!(one.explain(query).expect("a plan"), other.explain(query).expect("a plan"));
            prop_assert_eq!(exported(one, query), exported(other, query));
        }
        prop_assert_eq!(one.status().expect("told"), other.status().expect("told"));
        prop_assert_eq!(one.may_see().expect("told"), other.may_see().expect("told"));
        prop_assert!(one.campaigns().expect("told").is_empty());
        let said = |reader: &Reader| format!("{:?}", reader.rollups("all", day(0), day(DAYS)).map(|told| told.counts));
        prop_assert_eq!(said(one), said(other));
    }

    /// An embargo opens at its moment, in every question, without another register or another rule.
    #[test]
    fn time_passes_and_embargoes_end(
        register in register(), member in member(), all in sightings(), moments in prop::collection::vec(0..DAYS * 2 + 2, 3),
    ) {
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let world = World::of(&all);
        let (reader, _) = world.member(&register, &rules, &member);
        for now in moments.into_iter().map(day) {
            world.set(now);
            let own = visible_at(&all, &rules, &member, &register, now);
            let mine = World::of(&own);
            let readable: BTreeSet<_> = own.iter().map(|one| (one.subject, one.time)).collect();
            let mut histories = 0;
            for low in 0..40_u8 {
                let host = reader.host([192, 0, 2, low].into()).expect("told");
                histories += host.map_or(0, |host| host.history.len());
            }
            prop_assert_eq!(histories, own.len());
            let (_, services) = paged(&reader, ALL, 7);
            prop_assert!(services.iter().all(|one| readable.contains(&(one.key, one.last_seen))));
            prop_assert_eq!(exported(&reader, ALL).lines().count(), services.len());
            let at = PastRequest { limit: 100, ..PastRequest::new(ALL, day(DAYS)) };
            prop_assert_eq!(reader.as_of(&at).expect("a page"), mine.reader.as_of(&at).expect("a page"));
        }
    }

    /// Where rights do not end, the present is that of a lake that holds nothing else, also after some of it was told again
    /// with other markings: what any telling closes is closed, in every question.
    #[test]
    fn the_present_is_told_as_if_nothing_else_had_been_seen(
        register in register(), member in member(), all in sightings(), again in prop::collection::vec((0usize..50, marking()), 0..8),
    ) {
        let claims = register.claims.into_iter().map(|claim| Claim { from: day(0), until: day(DAYS * 9), ..claim });
        let register = Register { claims: claims.collect(), ..register };
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let whole = World::of(&all);
        let mut all = all;
        for (at, marking) in again {
            let Some(one) = all.get_mut(at) else { continue };
            whole.tell(&[Sighting { marking: marking.clone(), ..one.clone() }]);
            one.marking = one.marking.together(&marking);
        }
        let mine = World::of(&visible(&all, &rules, &member, &register));
        let (reader, _) = whole.member(&register, &rules, &member);
        for query in ["", ALL, "port:22", "version:9.1 OR version:9.2", "sort:-seen", "sort:first", "has:closed", "seen:<9d"] {
            let asked = search(query, 100);
            let (told, wanted) = (reader.search(&asked).expect("a page"), mine.reader.search(&asked).expect("a page"));
            prop_assert_eq!(&told, &wanted, "{}", query);
            prop_assert_eq!(exported(&reader, query), exported(&mine.reader, query));
            let at = PastRequest { limit: 100, ..PastRequest::new(query.replace("sort:-seen", "").replace("sort:first", ""), day(DAYS)) };
            prop_assert_eq!(reader.as_of(&at).expect("a page"), mine.reader.as_of(&at).expect("a page"));
        }
        let changes = |reader: &Reader| reader.changes(&ChangesRequest { limit: 100, ..ChangesRequest::new("") }).expect("a page");
        prop_assert_eq!(changes(&reader), changes(&mine.reader));
        for low in 0..40_u8 {
            let host = |reader: &Reader| reader.host([192, 0, 2, low].into()).expect("told");
            prop_assert_eq!(host(&reader), host(&mine.reader));
        }
        for said in 0..3 {
            let hash = banner(said).reference().hash;
            let mine = mine.reader.search(&search(ALL, 100)).expect("a page");
            let shown = mine.matches.iter().any(|one| one.evidence.iter().any(|piece| piece.hash == hash));
            prop_assert!(!shown || reader.evidence(&hash).expect("told").is_some());
        }
    }
}
