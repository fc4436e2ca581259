use std::collections::BTreeMap;

use super::plain::{Plain, state_of};
use super::*;
use crate::query::tests::any_query;
use crate::query::{AddressRanges, FIELDS, Field, Query, parse};
use crate::search::{FacetCount, FacetRequest, SearchRequest};

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
fn expected<'a>(state: &'a [Plain], query: &Query, within: Option<&AddressRanges>) -> Vec<&'a Plain> {
    let mut found: Vec<&Plain> =
        state.iter().filter(|plain| plain.answers(query, within, Timestamp::from_micros(NOW))).collect();
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
            FacetCount { value: value.expect("a value"), count: spellings.values().sum() }
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn answers_equal_a_plain_reading(
        updates in updates(),
        queries in prop::collection::vec(any_query(), 24),
        versions in 1usize..5,
        limit in 1usize..12,
        within in prop::option::of(prop::collection::vec((address(), 120u8..=128), 0..6)),
    ) {
        let state = state_of(&updates);
        let (_folder, index) = applied(&updates, versions);
        let prefix = |(address, bits): (std::net::IpAddr, u8)| {
            let bits = if address.is_ipv4() { bits - 96 } else { bits };
            ipnet::IpNet::new(address, bits).expect("a prefix").trunc()
        };
        let within = within.map(|nets| Arc::new(AddressRanges::new(nets.into_iter().map(prefix))));
        for query in queries {
            let found = expected(&state, &query, within.as_deref());
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
    fn a_facet_value_asked_for_gives_its_count(updates in updates()) {
        let (_folder, index) = applied(&updates, 3);
        for info in FIELDS.iter().filter(|info| info.facet) {
            let facets = vec![FacetRequest { field: info.name.to_owned(), size: 1_000 }];
            let request = SearchRequest { facets, ..request(&Query::default(), 0) };
            let page = index.search(&request).expect("an answer");
            for FacetCount { value, count } in &page.facets[info.name] {
                let query = crate::query::exact(info.name, value).expect("a clause");
                let request = SearchRequest { query: query.clone(), ..SearchRequest::default() };
                let page = index.search(&request).expect("an answer");
                prop_assert_eq!(page.total, *count, "{}", query);
            }
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
