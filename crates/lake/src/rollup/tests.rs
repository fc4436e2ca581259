use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hinomi_model::time::FixedClock;
use hinomi_model::{
    Batch, Evidence, EvidenceKind, Facts, Identifier, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink, Transport,
};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::lake::LakeOptions;
use crate::place::Places;

/// Address and port.
type Place = (std::net::IpAddr, u16);

/// A sighting and what it saw.
type Told = (Sighting, Option<Evidence>);

/// The value of a service of this product.
type Value<'a> = &'a dyn Fn(&Place, &str) -> Option<String>;

/// A banner's word is its product.
struct Word;

impl Identifier for Word {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned());
        Facts { product: text, ..Facts::default() }
    }

    fn revision(&self) -> &str {
        "word"
    }
}

fn lake(folder: &std::path::Path) -> Lake {
    let clock = Arc::new(FixedClock(Timestamp::from_micros(MICROS_A_DAY * 20_000)));
    let places = Places::read(b"192.0.2.0/30,64500,Example,JP,Tokyo\n".as_slice()).expect("places");
    Lake::open(LakeOptions { dir: folder.to_owned(), read_only: false, identifier: Arc::new(Word), places, clock })
        .expect("a lake")
}

fn append(lake: &Lake, sightings: &[Told]) {
    let evidence = sightings.iter().filter_map(|(_, piece)| piece.clone()).collect();
    let sightings = sightings.iter().map(|(sighting, _)| sighting.clone()).collect();
    lake.append(Batch { sightings, evidence, ..Batch::default() }).expect("appended");
}

fn any_sighting() -> impl Strategy<Value = Told> {
    let outcome = prop_oneof![6 => Just(Outcome::Open), 2 => Just(Outcome::Closed), 1 => Just(Outcome::Pseudo)];
    let time = (0i64..6, 0i64..3).prop_map(|(day, part)| Timestamp::from_micros(day * MICROS_A_DAY + part * 1_000));
    let place = (0u8..6, select(&[22u16, 80][..]));
    (place, time, outcome, select(&["nginx", "caddy", "sshd"][..]), select(&["a", "b"][..])).prop_map(
        |((last, port), time, outcome, banner, sensor)| {
            let evidence = (outcome != Outcome::Closed).then(|| Evidence::new(EvidenceKind::Banner, banner));
            let sighting = Sighting {
                sensor: sensor.parse().expect("a name"),
                campaign: None,
                time,
                subject: ServiceKey { address: [192, 0, 2, last].into(), port, transport: Transport::Tcp },
                outcome,
                remark: None,
                evidence: evidence.iter().map(Evidence::reference).collect(),
                marking: Marking::own(Purpose::Exercise),
            };
            (sighting, evidence)
        },
    )
}

/// Which services count at the end of a day, and as which product: from all sightings until then, without a history.
fn standing(all: &[Told], day: i64) -> BTreeMap<Place, String> {
    let mut by_service: BTreeMap<Place, Vec<&Told>> = BTreeMap::new();
    for one in all.iter().filter(|(sighting, _)| day_of(sighting.time) <= day) {
        by_service.entry((one.0.subject.address, one.0.subject.port)).or_default().push(one);
    }
    let state = |seen: Vec<&Told>| {
        let answered = seen.iter().filter(|(sighting, _)| sighting.outcome != Outcome::Closed);
        let rank = |sighting: &Sighting| (sighting.time, sighting.outcome == Outcome::Open, sighting.content());
        let (newest, evidence) = answered.max_by_key(|(sighting, _)| rank(sighting))?;
        let closed = seen.iter().any(|(one, _)| one.outcome == Outcome::Closed && one.time > newest.time);
        let bytes = evidence.as_ref().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned())?;
        (newest.outcome == Outcome::Open && !closed).then_some(bytes)
    };
    by_service.into_iter().filter_map(|(key, seen)| Some((key, state(seen)?))).collect()
}

type Plain = BTreeMap<(i64, String), (u64, u64, u64, u64, u64)>;

/// A recount of one dimension, day by day.
fn plainly(all: &[Told], value: Value<'_>) -> Plain {
    let days: BTreeSet<i64> = all.iter().map(|(sighting, _)| day_of(sighting.time)).collect();
    let (mut counts, mut last): (Plain, BTreeMap<_, String>) = (Plain::new(), BTreeMap::new());
    for day in days {
        let mut now = BTreeMap::new();
        for (key, product) in standing(all, day) {
            if let Some(value) = value(&key, &product) {
                now.insert(key, value);
            }
        }
        let seen = |key: &Place| {
            all.iter().any(|(one, _)| day_of(one.time) == day && (one.subject.address, one.subject.port) == *key)
        };
        let values: BTreeSet<&String> = now.values().chain(last.values()).collect();
        for value in values {
            let of = |state: &BTreeMap<Place, String>| -> BTreeSet<Place> {
                state.iter().filter(|(_, one)| *one == value).map(|(key, _)| *key).collect()
            };
            let (here, before) = (of(&now), of(&last));
            let addresses: BTreeSet<_> = here.iter().map(|(address, _)| address).collect();
            let count = |keys: usize| keys as u64;
            let row = (
                count(here.len()),
                count(addresses.len()),
                count(here.difference(&before).count()),
                count(before.difference(&here).count()),
                count(here.iter().filter(|key| seen(key)).count()),
            );
            counts.insert((day, value.clone()), row);
        }
        last = now;
    }
    counts
}

fn told(lake: &Lake, dimension: &str) -> Plain {
    let (from, until) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));
    let rollups = lake.rollups(dimension, from, until).expect("counts");
    assert!(!rollups.behind);
    let row = |count: DayCount| {
        let numbers = (count.services, count.addresses, count.opened, count.closed, count.seen);
        ((day_of(count.day), count.value), numbers)
    };
    // A day on which nothing counts any more is told of all services, so that it is known to have been looked at.
    let counts = rollups.counts.into_iter().map(row);
    counts.filter(|(_, numbers)| *numbers != (0, 0, 0, 0, 0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn roll_ups_are_a_plain_recount(
        sightings in prop::collection::vec(any_sighting(), 1..40),
        steps in 1usize..4,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = lake(folder.path());
        let mut seen = BTreeSet::new();
        let sightings: Vec<_> = sightings.into_iter().filter(|(sighting, _)| seen.insert(sighting.id())).collect();
        for step in sightings.chunks(sightings.len().div_ceil(steps)) {
            append(&lake, step);
            prop_assert!(lake.roll_up(false).expect("rolled up").made, "late sightings correct past days");
        }
        prop_assert!(!lake.roll_up(false).expect("rolled up").made, "nothing is new");
        prop_assert_eq!(told(&lake, "all"), plainly(&sightings, &|_, _| Some(String::new())));
        prop_assert_eq!(told(&lake, "product"), plainly(&sightings, &|_, product| Some(product.to_owned())));
        prop_assert_eq!(told(&lake, "port"), plainly(&sightings, &|key, _| Some(key.1.to_string())));
        let tokyo = |key: &Place, _: &str| {
            let near = key.0 < std::net::IpAddr::from([192, 0, 2, 4]);
            near.then(|| "Tokyo".to_owned())
        };
        prop_assert_eq!(told(&lake, "prefecture"), plainly(&sightings, &tokyo));
    }
}

#[test]
fn a_day_without_a_look_has_no_row_and_an_unknown_dimension_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    assert_eq!(lake.rollups("all", Timestamp::default(), Timestamp::default()).expect("empty").counts, []);
    let piece = Evidence::new(EvidenceKind::Banner, "nginx");
    let on = |day: i64, outcome: Outcome| {
        let open = outcome == Outcome::Open;
        let sighting = Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: None,
            time: Timestamp::from_micros(day * MICROS_A_DAY),
            subject: ServiceKey { address: [192, 0, 2, 1].into(), port: 80, transport: Transport::Tcp },
            outcome,
            remark: None,
            evidence: if open { vec![piece.reference()] } else { Vec::new() },
            marking: Marking::own(Purpose::Exercise),
        };
        (sighting, open.then(|| piece.clone()))
    };
    append(&lake, &[on(1, Outcome::Open), on(4, Outcome::Closed), on(5, Outcome::Closed)]);
    assert_eq!(lake.roll_up(false).expect("rolled up").days, 3);
    let until = Timestamp::from_micros(i64::MAX);
    let all = lake.rollups("all", Timestamp::default(), until).expect("counts").counts;
    let brief: Vec<_> = all.iter().map(|one| (day_of(one.day), one.services, one.closed)).collect();
    assert_eq!(brief, [(1, 1, 0), (4, 0, 1), (5, 0, 0)], "days 2 and 3 were not looked at; day 5 was");
    assert!(matches!(lake.rollups("moon", Timestamp::default(), until), Err(LakeError::Unfit { .. })));
}

#[test]
fn runs_count_as_the_observations_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let piece = Evidence::new(EvidenceKind::Banner, "nginx");
    for day in 1..=9 {
        let sighting = Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: None,
            time: Timestamp::from_micros(day * MICROS_A_DAY),
            subject: ServiceKey { address: [192, 0, 2, 1].into(), port: 80, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: vec![piece.reference()],
            marking: Marking::own(Purpose::Exercise),
        };
        append(&lake, &[(sighting, Some(piece.clone()))]);
    }
    let before = lake.roll_up(true).expect("rolled up");
    let options = crate::compact::CompactOptions { all: true, ..Default::default() };
    lake.compact(&options, &mut |_, _| {}).expect("compacted");
    let rows: u64 = lake.sightings.files(|_| true).iter().map(|file| file.rows).sum();
    let looks: u64 = lake.sightings.files(|_| true).iter().map(|file| file.looks()).sum();
    assert_eq!((rows, looks), (1, 9));
    assert_eq!(lake.roll_up(true).expect("rolled up"), before);
    assert_eq!(before.days, 9);
}
