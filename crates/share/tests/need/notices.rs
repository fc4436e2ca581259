//! Notices tell nobody what he could not read: on random registers, markings and sightings, against the rules asked of
//! single records. And each finding is told to one party or counted among what nobody is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hinomi_model::{Outcome, Purpose, ServiceKey, Sighting, Transport};
use hinomi_share::notice::{Desk, Order, PURPOSES, Settings, draft, measure};
use hinomi_share::policy::Member;
use hinomi_share::register::{Claim, Held, Holders, Organisation, Register};
use hinomi_share::rules::Rules;
use hinomi_state::audiences::NewAudience;
use hinomi_state::claims::{Decision, Subject};
use hinomi_state::contacts::NewContact;
use hinomi_state::notices::Went;
use hinomi_state::organisations::{Deed, Kind, Profile, Relation};
use hinomi_state::{Database, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::questions::visible;
use crate::world::{DAYS, World, asn_of, banner, day, register, sightings};

fn deed(days: i64) -> Deed<'static> {
    Deed { by: "a tester", now: day(days) }
}

/// Writes a register into a database, as far as it can be; what it says then counts.
fn written(database: &Database, register: &Register, (silent, unwilling): (bool, bool)) -> Register {
    let first = deed(-400);
    for audience in ["isac", "csirt"] {
        let new = NewAudience { id: audience.into(), name_ja: String::new(), name_en: audience.into(), hidden: false };
        database.add_audience(first, &new).expect("an audience");
    }
    let ids: BTreeSet<&String> =
        register.organisations.keys().chain(register.claims.iter().map(|claim| &claim.organisation)).collect();
    for id in &ids {
        let kind = if *id == "vendor" { Kind::Csirt } else { Kind::Company };
        let profile = Profile { name_en: (*id).clone(), kind, ..Profile::default() };
        database.add_organisation(first, id, &profile).expect("an organisation");
    }
    for (id, one) in &register.organisations {
        let relate = |what, target: &str| drop(database.relate(first, id, (what, target), None));
        one.purposes.iter().for_each(|purpose| relate(Relation::Purpose, purpose.name()));
        one.audiences.iter().for_each(|audience| relate(Relation::Audience, audience));
        one.acts_for.iter().for_each(|other| relate(Relation::ActsFor, other));
        if !(silent && id == "port") {
            let mail = format!("{id}@example.org");
            let new = NewContact { role: "security".into(), mail, ..NewContact::default() };
            database.add_contact(first, id, &new).expect("a contact");
        }
    }
    for claim in &register.claims {
        let subject = match &claim.subject {
            Held::Prefix(prefix) => Subject::Prefix(*prefix),
            Held::As(number) => Subject::As(*number),
            Held::Domain(name) => Subject::Domain(name.clone()),
        };
        let asked = database.ask_claim(first, &claim.organisation, &subject).expect("asked");
        let decision = Decision { from: Some(claim.from), until: Some(claim.until), ..Decision::default() };
        // What another holds already, or this one at another time, stays as it is.
        drop(database.approve_claim(first, asked.number, &decision));
    }
    if unwilling && register.organisations.contains_key("city") {
        database.opt_out_of_notices(first, "city", Some("asked")).expect("opted out");
    }
    Register::read(database, day(DAYS)).expect("a register")
}

/// The last sighting of each service that is open.
fn open(all: &[Sighting]) -> BTreeMap<ServiceKey, &Sighting> {
    let mut last: BTreeMap<ServiceKey, &Sighting> = BTreeMap::new();
    for one in all {
        let known = last.entry(one.subject).or_insert(one);
        if one.time >= known.time {
            *known = one;
        }
    }
    last.retain(|_, one| one.outcome == Outcome::Open);
    last
}

/// What an organisation may see for a purpose, open at last.
fn theirs(
    rules: &Rules,
    register: &Register,
    all: &[Sighting],
    (organisation, purpose): (&str, Purpose),
) -> BTreeMap<ServiceKey, Sighting> {
    let member = Member { name: "x".into(), organisations: [organisation.to_owned()].into(), purpose };
    let own = visible(all, rules, &member, register);
    open(&own).into_iter().map(|(key, one)| (key, one.clone())).collect()
}

fn settings() -> Settings {
    Settings { name_en: "Watch".into(), reply_to: "notices@example.org".into(), ..Settings::default() }
}

type Case = (Register, Vec<Sighting>, (bool, bool));

fn holds((register, all, how): &Case, told: &AtomicUsize) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).expect("a database");
    let register = written(&database, register, *how);
    let rules = Arc::new(Rules::built_in().expect("rules"));
    let world = World::of(all);
    let door = world.door(&register, &rules);
    let settings = settings();
    let desk = Desk { door: &door, database: &database, settings: &settings, by: "a tester" };
    let order = Order { query: Some("port:22,80".into()), ..Order::default() };
    let drafted = draft(&desk, &order, day(DAYS)).expect("drafted");
    let (last, mut seen) = (open(all), BTreeSet::new());
    for notice in &drafted.notices {
        let organisation = notice.party.organisation.as_str();
        for said in database.notice_findings(notice.number).expect("findings") {
            let purpose: Purpose = said.purpose.parse().expect("a purpose");
            prop_assert!(PURPOSES.contains(&purpose) && last.contains_key(&said.service));
            let own = theirs(&rules, &register, all, (organisation, purpose));
            let Some(sighting) = own.get(&said.service) else {
                return Err(TestCaseError::fail(format!("{organisation} may not know {said:?}")));
            };
            prop_assert_eq!(sighting.marking.tlp.label(), said.label.as_str());
            prop_assert_eq!(sighting.time, said.seen, "what it is told is what it sees");
            let holders = Holders::new(&Arc::new(register.clone()));
            let (held, run) = holders.of(said.service.address, asn_of(said.service.address), said.seen);
            // The response team is told of what nobody else is, also in a notice of what it holds itself.
            let of_team = organisation == "vendor" && said.by.is_empty();
            let answers = held.contains(organisation) || run.contains(organisation) || of_team;
            prop_assert!(answers, "{organisation} answers for {said:?}");
            prop_assert!(seen.insert(said.service), "one party of one finding");
            let has_none = (how.1 && organisation == "city") || (how.0 && organisation == "port");
            prop_assert!(!has_none);
            told.fetch_add(1, Ordering::Relaxed);
        }
    }
    let counted: u64 = drafted.left.values().map(|left| left.count).sum();
    let wanted = last.values().filter(|one| PURPOSES.contains(&one.marking.purpose)).count();
    prop_assert_eq!(u64::try_from(wanted).unwrap_or(0), counted + u64::try_from(seen.len()).unwrap_or(0));
    // The same again tells nothing again.
    let again = draft(&desk, &order, day(DAYS)).expect("drafted");
    prop_assert!(again.notices.is_empty(), "{:?}", again.notices);
    Ok(())
}

#[test]
fn a_draft_tells_nobody_what_he_could_not_read() {
    let told = AtomicUsize::new(0);
    let cases = (register(), sightings(), (prop::bool::weighted(0.3), prop::bool::weighted(0.3)));
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner.run(&cases, |case| holds(&case, &told)).expect("holds");
    assert!(told.load(Ordering::Relaxed) > 0, "something was told in all that");
}

/// A sighting of one host's SSH at a day; nothing said is a look that finds it closed.
fn look(last: u8, at: i64, said: Option<u8>) -> Sighting {
    let subject = ServiceKey { address: [192, 0, 2, last].into(), port: 22, transport: Transport::Tcp };
    Sighting {
        sensor: "test".parse().expect("a name"),
        campaign: None,
        time: day(at),
        subject,
        outcome: if said.is_some() { Outcome::Open } else { Outcome::Closed },
        remark: None,
        evidence: said.map(|said| banner(said).reference()).into_iter().collect(),
        marking: hinomi_model::Marking::own(Purpose::ExposureReduction),
    }
}

/// Two organisations: one that holds the first addresses, and one that holds the last of them from day 6 on.
fn holders() -> Register {
    let one = |id: &str| Organisation {
        id: id.to_owned(),
        purposes: [Purpose::ExposureReduction].into(),
        ..Organisation::default()
    };
    let claim = |organisation: &str, net: &str, from: i64| Claim {
        organisation: organisation.to_owned(),
        subject: Held::Prefix(net.parse().expect("a prefix")),
        from: day(from),
        until: day(DAYS + 9),
    };
    Register {
        organisations: ["city", "port"].map(|id| (id.to_owned(), one(id))).into(),
        claims: vec![claim("city", "192.0.2.0/28", 0), claim("port", "192.0.2.5/32", 6)],
    }
}

/// What became of one notice about five hosts, by what was seen after it left.
#[test]
fn what_became_of_it_is_what_was_seen_and_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).expect("a database");
    written(&database, &holders(), (false, false));
    let (rules, settings) = (Arc::new(Rules::built_in().expect("rules")), settings());
    let before: Vec<Sighting> = (1..=5).map(|last| look(last, 2, Some(1))).collect();
    let ask = |all: &[Sighting], at: i64| {
        let world = World::of(all);
        let door = world.door(&Register::read(&database, day(at)).expect("a register"), &rules);
        (world, door)
    };
    let order = Order { query: Some("port:22".into()), ..Order::default() };
    let (_world, door) = ask(&before, 4);
    let desk = Desk { door: &door, database: &database, settings: &settings, by: "a tester" };
    let drafted = draft(&desk, &order, day(4)).expect("drafted");
    let number = drafted.notices.first().expect("one notice").number;
    assert_eq!((drafted.notices.len(), drafted.notices[0].findings), (1, 5), "{drafted:?}");
    database.release_notice(deed(4), "ann", number).expect("released");
    database.take_notice(deed(5), std::time::Duration::from_secs(60)).expect("asked").expect("it");
    database.settle_notice(deed(5), number, &Went::Sent, None).expect("settled");
    // 1 is not looked at, 2 answers alike, 3 says something else, 4 is closed, 5 is another's.
    let after = [look(2, 8, Some(1)), look(3, 8, Some(2)), look(4, 8, None), look(5, 8, Some(1))];
    let all = [before, after.to_vec()].concat();
    let (_world, door) = ask(&all, 9);
    let desk = Desk { door: &door, database: &database, settings: &settings, by: "a tester" };
    let notice = database.notice(number).expect("there");
    let became = measure(&desk, &notice, day(9)).expect("measured");
    let told: Vec<_> = became.iter().map(|one| (one.became.name(), one.when)).collect();
    let expected = [
        ("not-rescanned", None),
        ("open", Some(day(8))),
        ("changed", Some(day(8))),
        ("closed", Some(day(8))),
        ("address-changed", None),
    ];
    assert_eq!(told, expected, "{became:?}");
    assert!(became[2].product.contains("9.2"), "{:?}", became[2]);
    // Within the silence nothing is told again, but what was closed and is open again.
    let again = draft(&desk, &order, day(9)).expect("drafted");
    assert!(again.notices.iter().all(|one| one.party.organisation != "city"), "{again:?}");
    let all = [all, vec![look(4, 10, Some(1))]].concat();
    let (_world, door) = ask(&all, 11);
    let desk = Desk { door: &door, database: &database, settings: &settings, by: "a tester" };
    let back = draft(&desk, &order, day(11)).expect("drafted");
    let city: Vec<_> = back.notices.iter().filter(|one| one.party.organisation == "city").collect();
    let told = database.notice_findings(city.first().expect("told again").number).expect("findings");
    assert_eq!((city.len(), told.len(), told[0].service), (1, 1, look(4, 0, None).subject), "{back:?}");
}
