use std::collections::{BTreeMap, BTreeSet};

use super::plain::{Plain, state_of, state_within};
use super::*;
use crate::entitlement::{Entitlement, Grant, Held, Marks, Stretch};
use crate::error::LakeError;
use crate::query::eval::matches;
use crate::query::tests::any_query;
use crate::query::{FIELDS, Field, Query, parse};
use crate::search::{Distinct, FacetCount, FacetRequest, HistogramRequest, SampleRequest, SearchRequest, Step};

fn request(query: &Query, limit: usize) -> SearchRequest {
    SearchRequest { query: query.to_string(), limit, now: Timestamp::from_micros(NOW), ..SearchRequest::default() }
}

/// Every match by pages, with the total each page told.
fn paged(index: &Index, mut request: SearchRequest) -> (Vec<hinomi_model::Service>, Vec<u64>) {
    let (mut all, mut totals) = (Vec::new(), Vec::new());
    loop {
        let page = index.search(&request).expect("an answer");
        totals.push(page.total);
        assert!(page.matches.len() <= request.limit);
        assert!(page.next.is_none() || page.matches.len() == request.limit);
        all.extend(page.matches);
        match page.next {
            Some(next) => request.cursor = Some(next),
            None => return (all, totals),
        }
    }
}

/// The matches a plain reading gives, in order.
fn expected<'a>(state: &'a [Plain], query: &Query) -> Vec<&'a Plain> {
    let now = Timestamp::from_micros(NOW);
    let shows = |plain: &&Plain| {
        let shown = matches(query, &plain.subject(), now);
        assert_eq!(shown, plain.answers(query, now), "{query} of {:?}", plain.service);
        shown
    };
    let mut found: Vec<&Plain> = state.iter().filter(shows).collect();
    if let Some(sort) = query.sort {
        // The state is by service, and this sort keeps that order among equals.
        found.sort_by(|a, b| {
            let (a, b) = (a.sort_value(sort.field), b.sort_value(sort.field));
            let values = if sort.descending { b.cmp(&a) } else { a.cmp(&b) };
            a.is_none().cmp(&b.is_none()).then(values)
        });
    }
    found
}

fn plain_facet(found: &[&Plain], field: Field) -> Vec<FacetCount> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for plain in found {
        for (folded, shown) in plain.facet_values(field) {
            *counts.entry(folded).or_default().entry(shown).or_default() += 1;
        }
    }
    let mut all: Vec<FacetCount> = counts
        .into_values()
        .map(|spellings| {
            let most = spellings.values().max().copied();
            let value = spellings.iter().find(|(_, count)| Some(**count) == most).map(|(shown, _)| shown.clone());
            FacetCount { value: value.expect("a value"), count: spellings.values().sum(), distinct: None }
        })
        .collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    all
}

/// Applies updates as several versions, so that there are several segments, replaced rows and touches.
fn applied(updates: &[Update], versions: usize) -> (tempfile::TempDir, Index) {
    let (folder, index) = fresh();
    let size = updates.len().div_ceil(versions).max(1);
    for (version, part) in (1..).zip(updates.chunks(size)) {
        index.apply(version, part.to_vec()).expect("applied");
    }
    (folder, index)
}

fn updates() -> impl Strategy<Value = Vec<Update>> {
    // Few addresses and a second look at some of them: upserts, touches and closings happen.
    prop::collection::vec((any_update(), prop::option::of((any_update(), any::<bool>()))), 1..60).prop_map(|pairs| {
        let again = |(first, second): (Update, Option<(Update, bool)>)| match second {
            None => vec![first],
            Some((other, true)) => vec![first.clone(), Update { time: other.time, ..first }],
            Some((other, false)) => vec![first.clone(), Update { key: first.key, ..other }],
        };
        pairs.into_iter().flat_map(again).collect()
    })
}

/// Conditions on markings.
fn marks() -> impl Strategy<Value = Marks> {
    let name = |names: &[&str]| Marks::Audience(names.iter().map(|name| (*name).to_owned()).collect());
    prop_oneof![
        4 => Just(Marks::Always(true)),
        2 => Just(Marks::Tlp([Tlp::Clear].into())),
        1 => Just(Marks::Tlp([Tlp::AmberStrict, Tlp::Red].into())),
        1 => Just(Marks::Purpose([Purpose::Exercise].into())),
        1 => Just(Marks::Any(vec![Marks::Unnamed, name(&["csirt"])])),
        1 => Just(Marks::All(vec![Marks::Not(Box::new(Marks::Unnamed)), name(&["isac"])])),
    ]
}

/// What somebody may see: some markings, some places, some stretches of time.
fn entitlement() -> impl Strategy<Value = Entitlement> {
    let stretch = prop_oneof![
        2 => Just(Stretch::ALWAYS),
        3 => (-1_500i64..0, 1i64..1_500).prop_map(|(from, hours)| Stretch {
            from: time(from).as_micros(),
            until: time(from + hours).as_micros(),
        }),
    ];
    let span = |(address, bits): (std::net::IpAddr, u8)| {
        let bits = if address.is_ipv4() { bits - 96 } else { bits };
        hinomi_model::address::bounds(ipnet::IpNet::new(address, bits).expect("a prefix"))
    };
    let ranges = prop::collection::vec(((address(), 118u8..=128).prop_map(span), stretch.clone()), 0..6);
    let asns = prop::collection::vec((select(&[64_500u32, 22][..]), stretch), 0..2);
    let held = (ranges, asns).prop_map(|(ranges, asns)| Arc::new(Held::new(ranges, asns))).boxed();
    let grant = (marks(), prop::collection::vec(held.clone(), 0..3), prop::collection::vec(held, 0..2))
        .prop_map(|(marks, held, not_held)| Grant { marks, held, not_held });
    prop::collection::vec(grant, 0..4).prop_map(Entitlement::new)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn answers_equal_a_plain_reading(
        updates in updates(),
        queries in prop::collection::vec(any_query(), 24),
        versions in 1usize..5,
        limit in 1usize..12,
        within in prop::option::of(entitlement()),
    ) {
        let (_folder, index) = applied(&updates, versions);
        let within = within.map(Arc::new);
        let state: Vec<Plain> = match &within {
            None => state_of(&updates),
            Some(may) => state_within(&updates, may),
        };
        if let Some(may) = &within {
            for piece in updates.iter().flat_map(|update| &update.evidence) {
                let rests = |plain: &Plain| plain.service.evidence.iter().any(|one| one.hash == piece.hash);
                let shown = state.iter().any(|plain| rests(plain) && !plain.is_hidden());
                prop_assert_eq!(index.shows_evidence(&piece.hash, may).expect("an answer").is_some(), shown);
            }
        }
        for query in queries {
            let found = expected(&state, &query);
            let request = SearchRequest { within: within.clone(), ..request(&query, limit) };
            let (services, totals) = paged(&index, request.clone());
            let wanted: Vec<_> = found.iter().map(|plain| plain.service.clone()).collect();
            prop_assert_eq!(services, wanted, "{}", query);
            prop_assert!(totals.iter().all(|total| *total == found.len() as u64), "{}", query);
            let facets: Vec<FacetRequest> = FIELDS
                .iter()
                .filter(|info| info.facet)
                .map(|info| FacetRequest { field: info.name.to_owned(), size: 1_000 })
                .collect();
            let page = index.search(&SearchRequest { facets, limit: 0, ..request }).expect("an answer");
            prop_assert!(page.matches.is_empty());
            for info in FIELDS.iter().filter(|info| info.facet) {
                let counts = plain_facet(&found, info.field);
                prop_assert_eq!(&page.facets[info.name], &counts, "{} of {}", info.name, query);
            }
        }
    }

    #[test]
    fn what_is_kept_for_an_asker_stays_true(updates in updates(), may in entitlement(), versions in 2usize..8) {
        let (_folder, index) = fresh();
        let may = Arc::new(may);
        let everything = parse("has:closed OR NOT has:closed OR has:pseudo").expect("a query");
        let request = SearchRequest { within: Some(Arc::clone(&may)), ..request(&everything, 1_000) };
        let mut told = Vec::new();
        for (version, part) in (1..).zip(updates.chunks(updates.len().div_ceil(versions))) {
            index.apply(version, part.to_vec()).expect("applied");
            told.extend_from_slice(part);
            let wanted: Vec<_> = state_within(&told, &may).into_iter().map(|plain| plain.service).collect();
            let page = index.search(&request).expect("an answer");
            prop_assert_eq!((page.total, page.matches), (wanted.len() as u64, wanted));
        }
    }

    #[test]
    fn a_facet_value_asked_for_gives_its_count(updates in updates()) {
        let (_folder, index) = applied(&updates, 3);
        for info in FIELDS.iter().filter(|info| info.facet) {
            let facets = vec![FacetRequest { field: info.name.to_owned(), size: 1_000 }];
            let request = SearchRequest { facets, ..request(&Query::default(), 0) };
            let page = index.search(&request).expect("an answer");
            for FacetCount { value, count, .. } in &page.facets[info.name] {
                let query = crate::query::exact(info.name, value).expect("a clause");
                let request = SearchRequest { query: query.clone(), ..SearchRequest::default() };
                let page = index.search(&request).expect("an answer");
                prop_assert_eq!(page.total, *count, "{}", query);
            }
        }
    }

    #[test]
    fn counts_of_different_things_equal_a_plain_reading(updates in updates(), query in any_query(), versions in 1usize..5) {
        let state = state_of(&updates);
        let (_folder, index) = applied(&updates, versions);
        let found = expected(&state, &query);
        let facets = |names: &[&str]| {
            names.iter().map(|name| FacetRequest { field: (*name).to_owned(), size: 1_000 }).collect::<Vec<_>>()
        };
        let names = ["port", "as", "net", "product", "tag"];
        for thing in [Field::Ip, Field::Net, Field::Port, Field::As, Field::Product, Field::Tag] {
            let things = |plain: &Plain| match thing {
                Field::Ip => vec![plain.service.key.address.to_string()],
                _ => plain.facet_values(thing).into_keys().collect(),
            };
            let distinct = Some(thing.name().to_owned());
            let asked = SearchRequest { distinct: distinct.clone(), ..request(&query, 0) };
            let page = index.search(&asked).expect("an answer");
            let all: BTreeSet<String> = found.iter().flat_map(|plain| things(plain)).collect();
            prop_assert_eq!(page.distinct, Some(Distinct { count: all.len() as u64, margin: 0 }), "{:?} of {}", thing, query);
            let asked = SearchRequest { distinct, facets: facets(&names), ..request(&query, 0) };
            let page = index.search(&asked).expect("an answer");
            for name in names {
                let field = Field::named(name).expect("a field").field;
                let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
                for plain in &found {
                    for value in plain.facet_values(field).into_keys() {
                        wanted.entry(value).or_default().extend(things(plain));
                    }
                }
                let fold = crate::query::words::fold;
                let told = |count: &FacetCount| (fold(&count.value), count.distinct.map_or(0, |each| each.count));
                let shown: Vec<u64> = page.facets[name].iter().map(|count| told(count).1).collect();
                prop_assert!(shown.is_sorted_by(|a, b| a >= b));
                let found: BTreeMap<_, _> = page.facets[name].iter().map(told).collect();
                let wanted: BTreeMap<_, _> = wanted.into_iter().map(|(value, all)| (value, all.len() as u64)).collect();
                prop_assert_eq!(found, wanted, "{:?} by {} of {}", thing, name, query);
            }
        }
    }

    #[test]
    fn histograms_equal_a_plain_reading(updates in updates(), query in any_query(), versions in 1usize..5) {
        const DAY: i64 = 24 * HOUR;
        let state = state_of(&updates);
        let (_folder, index) = applied(&updates, versions);
        let found = expected(&state, &query);
        for (field, step) in [
            (Field::Seen, Step::Day), (Field::First, Step::Day), (Field::CertExpires, Step::Day),
            (Field::Port, Step::Width(10)), (Field::Confidence, Step::Width(7)),
        ] {
            let histograms = vec![HistogramRequest { field: field.name().to_owned(), step }];
            let page = index.search(&SearchRequest { histograms, ..request(&query, 0) }).expect("an answer");
            let width = match step { Step::Width(width) => i64::from(width), _ => DAY };
            let mut wanted: BTreeMap<i64, u64> = BTreeMap::new();
            for plain in &found {
                if let Some((value, _)) = plain.sort_value(field) {
                    *wanted.entry(value.div_euclid(width) * width).or_default() += 1;
                }
            }
            let columns = &page.histograms[field.name()];
            let start = |text: &str| match step {
                Step::Width(_) => text.parse::<i64>().expect("a number"),
                _ => text.parse::<Timestamp>().expect("a time").as_micros(),
            };
            let starts: Vec<i64> = columns.iter().map(|column| start(&column.from)).collect();
            prop_assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == width), "none is left out");
            let told = columns.iter().filter(|column| column.count > 0);
            let told: BTreeMap<i64, u64> = told.map(|column| (start(&column.from), column.count)).collect();
            prop_assert_eq!(told, wanted, "{:?} of {}", field, query);
        }
    }

    #[test]
    fn a_sample_is_of_the_matches(updates in updates(), query in any_query(), seed: u64) {
        let (_folder, index) = applied(&updates, 1);
        let (_other_folder, other) = applied(&updates, 4);
        let whole = index.search(&request(&query, 1_000)).expect("an answer");
        let everything = SearchRequest { sample: Some(SampleRequest { size: 1 << 20, seed }), ..request(&query, 1_000) };
        let page = index.search(&everything).expect("an answer");
        prop_assert_eq!(&page.matches, &whole.matches);
        prop_assert_eq!(page.sampled.map(|told| (told.total, told.at_least, told.at_most)), Some((whole.total, whole.total, whole.total)));
        let some = SearchRequest { sample: Some(SampleRequest { size: 5, seed }), ..request(&query, 1_000) };
        let page = index.search(&some).expect("an answer");
        prop_assert!(page.matches.iter().all(|service| whole.matches.contains(service)));
        // Both indexes hold the same services; how many a query matches at most is known better of one than of the other.
        let all = SearchRequest { query: "has:closed OR NOT has:closed OR has:pseudo".into(), ..some };
        let mut pages = [&index, &other].map(|index| index.search(&all).expect("an answer").matches);
        pages.sort_by_key(Vec::len);
        prop_assert!(pages[0].iter().all(|service| pages[1].contains(service)));
    }

    #[test]
    fn nothing_matches_more_than_its_plan_says(updates in updates(), query in any_query(), versions in 1usize..5) {
        let (_folder, index) = applied(&updates, versions);
        let plan = index.explain(&query.to_string(), None).expect("a plan");
        let page = index.search(&request(&query, 0)).expect("an answer");
        prop_assert!(page.total <= plan.matches, "{}: {:?}", query, plan);
        let spend = |budget| index.search(&SearchRequest { budget: Some(budget), ..request(&query, 0) });
        prop_assert_eq!(spend(plan.rows).expect("it is enough").total, page.total);
        if let Some(less) = plan.rows.checked_sub(1) {
            let refused = matches!(spend(less), Err(LakeError::TooCostly { rows, budget }) if (rows, budget) == (plan.rows, less));
            prop_assert!(refused);
        }
    }

    #[test]
    fn the_order_of_arrival_and_repetition_change_nothing(
        (updates, shuffled) in updates().prop_flat_map(|updates| (Just(updates.clone()), Just(updates).prop_shuffle())),
    ) {
        let (_folder, index) = applied(&updates, 1);
        let (_other_folder, other) = applied(&[shuffled, updates].concat(), 7);
        let everything = parse("has:closed OR NOT has:closed OR has:pseudo").expect("a query");
        let request = request(&everything, 1_000);
        prop_assert_eq!(index.search(&request).expect("an answer"), other.search(&request).expect("an answer"));
        prop_assert_eq!(index.count(), other.count());
    }
}
