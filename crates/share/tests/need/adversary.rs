//! Three organisations, one record, every way to ask.

use std::sync::Arc;

use hinomi_model::{Marking, Outcome, Purpose, ServiceKey, Sighting, Tlp, Transport};
use hinomi_share::policy::Member;
use hinomi_share::register::{Claim, Held, Organisation, Register};
use hinomi_share::rules::Rules;
use hinomi_share::{
    ArrivedRequest, ChangesRequest, Door, FacetRequest, Format, Known, NewWatch, PastRequest, ReadError, Reader,
    SearchRequest, Sight, Viewer,
};

use crate::world::{DAYS, World, banner, day};

fn register() -> Register {
    let one = |id: &str| Organisation {
        id: id.to_owned(),
        purposes: [Purpose::ExposureReduction].into(),
        audiences: if id == "member-b" { ["isac".to_owned()].into() } else { std::collections::BTreeSet::new() },
        ..Organisation::default()
    };
    let claim = |organisation: &str, net: &str, (from, until): (i64, i64)| Claim {
        organisation: organisation.to_owned(),
        subject: Held::Prefix(net.parse().expect("a prefix")),
        from: day(from),
        until: day(until),
    };
    Register {
        organisations: ["holder-a", "member-b", "outsider-c"].map(|id| (id.to_owned(), one(id))).into(),
        claims: vec![
            claim("holder-a", "192.0.2.0/29", (2, 10)),
            // Who holds the address afterwards learns nothing of before.
            claim("member-b", "192.0.2.0/29", (10, DAYS)),
            claim("outsider-c", "192.0.2.32/29", (0, DAYS)),
        ],
    }
}

fn key() -> ServiceKey {
    ServiceKey { address: [192, 0, 2, 1].into(), port: 22, transport: Transport::Tcp }
}

fn sighting(tlp: Tlp, audience: &[&str], at: i64) -> Sighting {
    Sighting {
        sensor: "test".parse().expect("a name"),
        campaign: "spring".parse().ok(),
        time: day(at),
        subject: key(),
        outcome: Outcome::Open,
        remark: Some("a remark".to_owned()),
        evidence: vec![banner(1).reference()],
        marking: Marking {
            tlp,
            audience: audience.iter().map(|name| (*name).to_owned()).collect(),
            ..Marking::own(Purpose::ExposureReduction)
        },
    }
}

fn member(id: &str, purpose: Purpose) -> Member {
    Member { name: format!("someone of {id}"), organisations: [id.to_owned()].into(), purpose }
}

/// How often the record turns up, over all ways to ask.
fn traces(reader: &Reader) -> Vec<(&'static str, bool)> {
    let all = "(has:closed OR -has:closed)";
    let facets = vec![FacetRequest { field: "port".into(), size: 10 }];
    let page = reader.search(&SearchRequest { query: all.into(), facets, ..SearchRequest::default() }).expect("a page");
    let mut file = Vec::new();
    reader.export(all, Format::Csv, day(DAYS), &mut file).expect("exported");
    let mut handed = 0;
    reader.each_service(all, day(DAYS), &mut |_| handed += 1).expect("handed out");
    let arrived = ArrivedRequest { query: String::new(), after: "0".into(), limit: 10, within: None };
    vec![
        ("total", page.total > 0),
        ("matches", !page.matches.is_empty()),
        ("facets", !page.facets["port"].is_empty()),
        ("host", reader.host(key().address).expect("told").is_some()),
        ("presence", reader.presence(key().address, day(DAYS)).expect("told").is_some()),
        ("evidence", reader.evidence(&banner(1).reference().hash).expect("told").is_some()),
        ("export", file.windows(9).any(|part| part == b"192.0.2.1")),
        ("services", handed > 0),
        ("as-of", reader.as_of(&PastRequest::new(all, day(DAYS))).expect("told").total > 0),
        ("changes", !reader.changes(&ChangesRequest::new("")).expect("told").events.is_empty()),
        ("arrived", !reader.arrived(&arrived).expect("told").events.is_empty()),
        ("explain", reader.explain("port:22").expect("told").matches > 0),
        ("status", reader.status().expect("told").services > 0),
        ("why", reader.why(&key()).expect("told").is_some()),
    ]
}

#[test]
fn one_record_is_told_to_whom_it_is_for_on_every_way_and_to_nobody_else_on_any() {
    use Purpose::{ExposureReduction, Research};
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let cases: &[(Tlp, &[&str], i64, &[&str])] = &[
        (Tlp::Clear, &[], 5, &["holder-a", "member-b", "outsider-c", "stranger"]),
        (Tlp::Green, &[], 5, &["holder-a", "member-b", "outsider-c"]),
        (Tlp::Amber, &[], 5, &["holder-a"]),
        (Tlp::AmberStrict, &[], 5, &["holder-a"]),
        (Tlp::AmberStrict, &[], 12, &["member-b"]),
        (Tlp::AmberStrict, &[], 1, &[]),
        (Tlp::Red, &[], 5, &[]),
        (Tlp::Red, &["isac"], 5, &["member-b"]),
        (Tlp::Green, &["isac"], 5, &["member-b"]),
        (Tlp::AmberStrict, &["isac"], 5, &[]),
    ];
    for (tlp, audience, at, told) in cases {
        let world = World::of(&[sighting(*tlp, audience, *at)]);
        for id in ["holder-a", "member-b", "outsider-c", "stranger"] {
            let (reader, looks) = world.member(&register(), &rules, &member(id, ExposureReduction));
            let wanted = told.contains(&id);
            for (way, found) in traces(&reader) {
                assert_eq!(found, wanted, "{way}: {id} of {tlp} {audience:?} on day {at}");
            }
            let looks = looks.0.lock().expect("alone");
            assert!(
                looks
                    .iter()
                    .all(|sight| matches!(sight, Sight::Records(look) if look.member.organisations.contains(id)))
            );
            // A stream that tells nothing is no look.
            assert_eq!(looks.len(), 11 + usize::from(wanted), "each look is written down");
            let (other, _) = world.member(&register(), &rules, &member(id, Research));
            assert!(traces(&other).iter().all(|(_, found)| !found), "{id} reads for another purpose");
        }
        assert!(traces(&world.reader).iter().all(|(_, found)| *found), "the operator sees everything");
    }
}

#[test]
fn an_embargo_closes_every_way_for_all_but_the_holder_and_opens_them_at_its_moment() {
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let until = day(DAYS + 3);
    let mut under = sighting(Tlp::Clear, &[], 5);
    under.marking.embargo = Some(until);
    let world = World::of(&[under]);
    let readers = ["holder-a", "member-b", "outsider-c", "stranger"]
        .map(|id| (id, world.member(&register(), &rules, &member(id, Purpose::ExposureReduction)).0));
    for now in [day(DAYS), day(DAYS + 2), until, day(DAYS + 9)] {
        world.set(now);
        for (id, reader) in &readers {
            let wanted = *id == "holder-a" || now >= until;
            for (way, found) in traces(reader) {
                assert_eq!(found, wanted, "{way}: {id} at {now}");
            }
        }
        assert!(traces(&world.reader).iter().all(|(_, found)| *found), "the operator sees everything");
    }
    let (_, reader) = &readers[0];
    let page = reader.search(&SearchRequest::default()).expect("a page");
    assert_eq!(page.matches.first().and_then(|one| one.terms.embargo), Some(until), "it is told with it");
}

#[test]
fn what_is_told_again_more_strictly_is_closed_on_every_way_and_never_opens_again() {
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let world = World::of(&[sighting(Tlp::Green, &[], 5)]);
    let reader = |id: &str| world.member(&register(), &rules, &member(id, Purpose::ExposureReduction)).0;
    let told = |id: &str| traces(&reader(id)).iter().filter(|(_, found)| *found).count();
    let all = traces(&world.reader).len();
    assert_eq!((told("outsider-c"), told("holder-a")), (all, all));
    let version = world.reader.arrivals_begin().expect("told").0;
    world.tell(&[sighting(Tlp::AmberStrict, &[], 5)]);
    for _ in 0..2 {
        assert_eq!((told("outsider-c"), told("holder-a")), (0, all));
        let known = PastRequest { known: Some(Known::Version(version)), ..PastRequest::new("", day(DAYS)) };
        assert_eq!(reader("outsider-c").as_of(&known).expect("told").total, 0, "nor by what was known before");
        assert_eq!(world.reader.as_of(&known).expect("told").total, 1);
        world.tell(&[sighting(Tlp::Clear, &[], 5)]);
        world.compact();
    }
    let mut under = sighting(Tlp::Clear, &[], 5);
    under.marking.embargo = Some(day(DAYS + 1));
    let other = World::of(&[sighting(Tlp::Clear, &[], 5)]);
    other.tell(&[under]);
    let outsider = other.member(&register(), &rules, &member("outsider-c", Purpose::ExposureReduction)).0;
    assert!(traces(&outsider).iter().all(|(_, found)| !found), "an embargo closes too");
    other.set(day(DAYS + 1));
    assert!(traces(&outsider).iter().all(|(_, found)| *found));
}

#[test]
fn an_older_sighting_that_may_be_seen_stands_where_the_last_one_may_not() {
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let world = World::of(&[sighting(Tlp::Green, &[], 3), sighting(Tlp::AmberStrict, &[], 5)]);
    let page = |id: &str| {
        let (reader, _) = world.member(&register(), &rules, &member(id, Purpose::ExposureReduction));
        let page = reader.search(&SearchRequest::default()).expect("a page");
        page.matches.iter().map(|one| (one.first_seen, one.last_seen)).collect::<Vec<_>>()
    };
    assert_eq!(page("outsider-c"), [(day(3), day(3))]);
    assert_eq!(page("holder-a"), [(day(3), day(5))]);
    let page = world.reader.search(&SearchRequest::default()).expect("a page");
    assert_eq!((page.total, page.matches[0].last_seen), (1, day(5)), "one row for the operator");
    assert_eq!(world.reader.status().expect("told").services, 1);
}

#[test]
fn an_as_counts_for_what_was_seen_while_the_address_was_in_it() {
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let organisation = |id: &str| Organisation {
        id: id.to_owned(),
        purposes: [Purpose::ExposureReduction].into(),
        ..Organisation::default()
    };
    let claim = |id: &str, asn: u32| Claim {
        organisation: id.to_owned(),
        subject: Held::As(asn),
        from: day(0),
        until: day(DAYS),
    };
    let register = Register {
        organisations: ["before", "after"].map(|id| (id.to_owned(), organisation(id))).into(),
        claims: vec![claim("before", 64_500), claim("after", 64_501)],
    };
    let (first, second) = (sighting(Tlp::Amber, &[], 3), sighting(Tlp::Amber, &[], 12));
    let world = World::moved(&first, &second, day(10));
    for _ in 0..2 {
        for (id, at) in [("before", 3), ("after", 12)] {
            let (reader, _) = world.member(&register, &rules, &member(id, Purpose::ExposureReduction));
            let host = reader.host(key().address).expect("told").expect("a host");
            assert_eq!(host.history.iter().map(|one| one.time).collect::<Vec<_>>(), [day(at)], "{id}");
            let asked = PastRequest::new("", day(DAYS));
            assert_eq!(reader.as_of(&asked).expect("told").matches[0].service.last_seen, day(at), "{id}");
            let events = reader.changes(&ChangesRequest::new("")).expect("told").events;
            assert!(events.iter().all(|one| one.time == day(at)), "{id}: {events:?}");
            let shown = reader.search(&SearchRequest::default()).expect("a page").total;
            assert_eq!(shown, u64::from(id == "after"), "the last sighting is in the other AS");
        }
        world.rebuild();
    }
}

#[test]
fn times_from_before_a_claim_are_not_told() {
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let world = World::of(&[sighting(Tlp::AmberStrict, &[], 3), sighting(Tlp::AmberStrict, &[], 14)]);
    let reader = |id: &str| world.member(&register(), &rules, &member(id, Purpose::ExposureReduction)).0;
    let (before, after) = (reader("holder-a"), reader("member-b"));
    let page = after.search(&SearchRequest::default()).expect("a page");
    assert_eq!(page.matches.iter().map(|one| one.first_seen).collect::<Vec<_>>(), [day(10)], "not the third day");
    assert_eq!(before.search(&SearchRequest::default()).expect("a page").total, 0, "it is another's now");
    let history = |reader: &Reader| {
        let host = reader.host(key().address).expect("told").expect("a host");
        host.history.iter().map(|one| one.time).collect::<Vec<_>>()
    };
    assert_eq!((history(&before), history(&after)), (vec![day(3)], vec![day(14)]), "each his own stretch");
    let events = after.changes(&ChangesRequest::new("")).expect("told").events;
    assert_eq!(events.iter().map(|one| (one.time, one.what.name())).collect::<Vec<_>>(), [(day(14), "opened")]);
    let why = after.why(&key()).expect("told").expect("seen");
    assert_eq!(why.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["holder"]);
    assert_eq!(why.claims.iter().map(|claim| claim.organisation.as_str()).collect::<Vec<_>>(), ["member-b"]);
    let may = after.may_see().expect("told");
    let strict = may.labels.iter().find(|one| one.label == "TLP:AMBER+STRICT").expect("a label");
    assert!(strict.held && !strict.anywhere && !may.everything && may.claims_total == 1);
}

#[test]
fn what_is_the_operators_is_not_there_for_members() {
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let world = World::of(&[sighting(Tlp::AmberStrict, &[], 5)]);
    let (reader, _) = world.member(&register(), &rules, &member("holder-a", Purpose::ExposureReduction));
    assert!(reader.campaigns().expect("told").is_empty());
    assert!(reader.checkpoint(&"spring".parse().expect("a name")).expect("told").is_none());
    assert!(reader.collector_status().expect("told").is_none());
    let findings = reader.cnc_findings(day(DAYS)).expect("told");
    assert!(findings.held.is_empty() && findings.withdrawn.is_empty());
    assert!(reader.cnc_list(day(DAYS)).expect("told").held.is_empty());
    let desk = reader.watches();
    let new = NewWatch { name: "mine".into(), query: "port:22".into(), owner: "holder-a".into(), within: None };
    assert!(matches!(desk.add(&new, day(1)), Err(ReadError::Refused(_))));
    assert!(desk.queries().expect("told").is_empty() && !desk.remove("mine").expect("told"));
}

#[test]
fn without_a_door_that_lets_members_in_there_is_no_reader_and_no_look() {
    let world = World::of(&[sighting(Tlp::Clear, &[], 5)]);
    let viewer = Viewer::Member(member("holder-a", Purpose::ExposureReduction));
    assert!(matches!(Door::new(world.reader).reader(&viewer), Err(ReadError::Refused(_))));
}
