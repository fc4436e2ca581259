//! Random organisations, claims in time, markings; and a lake of sightings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use hinomi_identify::Engine;
use hinomi_lake::{CompactOptions, Lake, LakeOptions, Places};
use hinomi_model::{
    Batch, Clock, Evidence, EvidenceKind, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink as _, Terms, Timestamp,
    Tlp, Transport,
};
use hinomi_share::door::Witnesses;
use hinomi_share::policy::Member;
use hinomi_share::register::{Claim, Held, Organisation, Register};
use hinomi_share::rules::Rules;
use hinomi_share::{Departure, Door, Reader, Sight, Viewer, Witness};
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) const DAY: i64 = 86_400_000_000;
/// Days that are played.
pub(crate) const DAYS: i64 = 20;
const NAMES: &[&str] = &["city", "port", "ward", "vendor"];
const AUDIENCES: &[&str] = &["isac", "csirt"];
const PURPOSES: &[Purpose] = &[Purpose::ExposureReduction, Purpose::Research];
const LICENCES: &[&str] = &["CC-BY-4.0", "internal"];
const HANDLING: &[&str] = &["no-forward", "pap:amber"];
const LABELS: &[Tlp] = &[Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];

pub(crate) fn day(day: i64) -> Timestamp {
    Timestamp::from_micros(day * DAY)
}

fn names(all: &'static [&'static str]) -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(select(all).prop_map(ToOwned::to_owned), 0..=all.len())
}

/// Nested prefixes of a /24, and AS numbers.
fn subject() -> impl Strategy<Value = Held> {
    let prefix = (0u8..32, 24u8..=32).prop_map(|(low, bits)| {
        Held::Prefix(ipnet::IpNet::new(Ipv4Addr::new(192, 0, 2, low).into(), bits).expect("a prefix").trunc())
    });
    prop_oneof![8 => prefix, 1 => select(&[64_500u32, 64_501][..]).prop_map(Held::As)]
}

pub(crate) fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let claim = (select(NAMES), subject(), 0..DAYS, 1..DAYS).prop_map(|(name, subject, from, days)| Claim {
        organisation: name.to_owned(),
        subject,
        from: day(from),
        until: day(from + days),
    });
    prop::collection::vec(claim, 0..10)
}

pub(crate) fn register() -> impl Strategy<Value = Register> {
    let purposes = prop::collection::btree_set(select(PURPOSES), 1..=2);
    let one = (names(NAMES), names(AUDIENCES), purposes, prop::option::of(Just("water".to_owned())));
    let all = prop::collection::vec(one, NAMES.len());
    (all, claims(), prop::bool::weighted(0.2)).prop_map(|(all, claims, gone)| {
        let organisation = |(id, (acts_for, audiences, purposes, sector)): (&&str, _)| {
            ((*id).to_owned(), Organisation { id: (*id).to_owned(), sector, acts_for, audiences, purposes })
        };
        let mut organisations: BTreeMap<String, Organisation> = NAMES.iter().zip(all).map(organisation).collect();
        if gone {
            organisations.remove("ward");
        }
        Register { organisations, claims }
    })
}

pub(crate) fn member() -> impl Strategy<Value = Member> {
    (names(NAMES), select(PURPOSES)).prop_map(|(organisations, purpose)| Member {
        name: "tester".to_owned(),
        organisations,
        purpose,
    })
}

pub(crate) fn marking() -> impl Strategy<Value = Marking> {
    let audience = prop_oneof![3 => Just(BTreeSet::new()), 2 => names(AUDIENCES)];
    let purpose = prop_oneof![4 => Just(Purpose::ExposureReduction), 1 => Just(Purpose::Research)];
    let embargo = prop::option::weighted(0.3, (0..DAYS * 2).prop_map(day));
    let licence = prop::option::weighted(0.3, select(LICENCES).prop_map(ToOwned::to_owned));
    let terms = (embargo, licence, names(HANDLING)).prop_map(|(embargo, licence, handling)| Terms {
        embargo,
        licence,
        handling,
    });
    let terms = prop_oneof![2 => Just(Terms::default()), 1 => terms];
    (select(LABELS), audience, purpose, terms).prop_map(|(tlp, audience, purpose, terms)| {
        Marking { tlp, audience: audience.into_iter().collect(), ..Marking::own(purpose) }.under(terms)
    })
}

pub(crate) fn address() -> impl Strategy<Value = IpAddr> {
    (0u8..40).prop_map(|low| Ipv4Addr::new(192, 0, 2, low).into())
}

/// Sightings of a few services; moments do not repeat for one service.
pub(crate) fn sightings() -> impl Strategy<Value = Vec<Sighting>> {
    let one = (address(), select(&[22u16, 80][..]), 0..DAYS * 24, marking(), 0u8..8, 0u8..3);
    prop::collection::vec(one, 1..50).prop_map(|all| {
        let mut by_moment = BTreeMap::new();
        for (address, port, hour, marking, outcome, said) in all {
            let outcome = if outcome == 0 { Outcome::Closed } else { Outcome::Open };
            let evidence = if outcome == Outcome::Open { vec![banner(said).reference()] } else { Vec::new() };
            let sighting = Sighting {
                sensor: "test".parse().expect("a name"),
                campaign: None,
                time: Timestamp::from_micros(hour * DAY / 24),
                subject: ServiceKey { address, port, transport: Transport::Tcp },
                outcome,
                remark: None,
                evidence,
                marking,
            };
            by_moment.insert((sighting.subject, sighting.time), sighting);
        }
        by_moment.into_values().collect()
    })
}

pub(crate) fn banner(said: u8) -> Evidence {
    Evidence::new(EvidenceKind::Banner, format!("SSH-2.0-OpenSSH_9.{said}\r\n"))
}

/// AS numbers of the addresses.
pub(crate) fn places() -> Places {
    Places::read(&b"192.0.2.0/28,64500,One,JP\n192.0.2.16/28,64501,Two,JP\n"[..]).expect("places")
}

pub(crate) fn asn_of(address: IpAddr) -> Option<u32> {
    places().find(address).and_then(|place| place.asn)
}

/// A clock that is set.
pub(crate) struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A lake of these sightings.
pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub(crate) reader: Reader,
    lake: Arc<Lake>,
    clock: Arc<SetClock>,
}

impl World {
    pub(crate) fn of(sightings: &[Sighting]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identifier = Arc::new(Engine::builtin().expect("rules"));
        let clock = Arc::new(SetClock(AtomicI64::new(day(DAYS).as_micros())));
        let (dir, places) = (folder.path().to_owned(), places());
        let options =
            LakeOptions { dir, read_only: false, identifier, places, clock: Arc::clone(&clock) as Arc<dyn Clock> };
        let lake = Lake::open(options).expect("a lake");
        // The table is there also when there is nothing to see.
        for part in sightings.chunks(sightings.len().div_ceil(3).max(1)) {
            let evidence = (0..3).map(banner).collect();
            lake.append(Batch { sightings: part.to_vec(), evidence, ..Batch::default() }).expect("appended");
        }
        let lake = Arc::new(lake);
        let reader = Reader::new(Arc::clone(&lake), Viewer::Operator).before(Arc::new(Looks::default()));
        Self { reader, lake, _folder: folder, clock }
    }

    /// A lake of two sightings, of which the addresses moved from one AS to another between, at a moment.
    pub(crate) fn moved(first: &Sighting, second: &Sighting, at: Timestamp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(SetClock(AtomicI64::new(first.time.as_micros())));
        let open = |table: &str| {
            std::fs::write(folder.path().join("places.csv"), table).expect("written");
            let identifier = Arc::new(Engine::builtin().expect("rules"));
            let (dir, clock) = (folder.path().to_owned(), Arc::clone(&clock) as Arc<dyn Clock>);
            let options = LakeOptions { dir, read_only: false, identifier, places: Places::default(), clock };
            Arc::new(Lake::open(options).expect("a lake"))
        };
        let batch = |one: &Sighting| Batch {
            sightings: vec![one.clone()],
            evidence: (0..3).map(banner).collect(),
            ..Batch::default()
        };
        open("192.0.2.0/24,64500,One,JP\n").append(batch(first)).expect("appended");
        clock.0.store(at.as_micros(), Ordering::SeqCst);
        let lake = open("192.0.2.0/24,64501,Two,JP\n");
        lake.append(batch(second)).expect("appended");
        clock.0.store(day(DAYS).as_micros(), Ordering::SeqCst);
        let reader = Reader::new(Arc::clone(&lake), Viewer::Operator).before(Arc::new(Looks::default()));
        Self { reader, lake, _folder: folder, clock }
    }

    /// Makes the index anew.
    pub(crate) fn rebuild(&self) {
        self.lake.rebuild_index().expect("rebuilt");
    }

    /// Tells more.
    pub(crate) fn tell(&self, sightings: &[Sighting]) {
        let batch = Batch { sightings: sightings.to_vec(), evidence: (0..3).map(banner).collect(), ..Batch::default() };
        self.lake.append(batch).expect("appended");
    }

    /// Puts what was told together.
    pub(crate) fn compact(&self) {
        let mut options = CompactOptions::default();
        options.all = true;
        self.lake.compact(&options, &mut |_, _| {}).expect("compacted");
    }

    /// Sets the clock.
    pub(crate) fn set(&self, now: Timestamp) {
        self.clock.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// A door of this register.
    pub(crate) fn door(&self, register: &Register, rules: &Arc<Rules>) -> Door {
        self.door_with(register, rules, &Arc::default())
    }

    fn door_with(&self, register: &Register, rules: &Arc<Rules>, looks: &Arc<Looks>) -> Door {
        Door::new(self.reader.clone()).for_members(register.clone(), Arc::clone(rules), Of(Arc::clone(looks)))
    }

    /// The reader of a member, and what was written down of him.
    pub(crate) fn member(&self, register: &Register, rules: &Arc<Rules>, member: &Member) -> (Reader, Arc<Looks>) {
        let looks = Arc::new(Looks::default());
        let door = self.door_with(register, rules, &looks);
        (door.reader(&Viewer::Member(member.clone())).expect("a reader"), looks)
    }
}

/// Keeps what was looked at.
#[derive(Default)]
pub(crate) struct Looks(pub(crate) Mutex<Vec<Sight>>);

impl Witness for Looks {
    fn looked(&self, sight: Sight) -> Result<(), String> {
        self.0.lock().expect("alone").push(sight);
        Ok(())
    }

    fn left(&self, _: Departure) -> Result<(), String> {
        Ok(())
    }
}

struct Of(Arc<Looks>);

impl Witnesses for Of {
    fn of(&self, _: &Member) -> Arc<dyn Witness> {
        Arc::clone(&self.0) as Arc<dyn Witness>
    }

    fn of_visitors(&self) -> Arc<dyn Witness> {
        Arc::clone(&self.0) as Arc<dyn Witness>
    }
}
