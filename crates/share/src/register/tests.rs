//! From the state to the register, on a real database.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hinomi_model::time::FixedClock;
use hinomi_model::{Clock, Purpose, Timestamp};
use hinomi_state::claims::Decision;
use hinomi_state::organisations::{Bulk, Deed, Relation};
use hinomi_state::{Database, Target};

use super::{Current, Desk, Register};
use crate::door::Registers;

/// A clock that is set.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn deed(text: &str) -> Deed<'static> {
    Deed { by: "a tester", now: at(text) }
}

const DOCUMENT: &str = "
format = 1
[[audience]]
id = 'isac'
[[organisation]]
id = 'vendor'
name_en = 'Vendor'
kind = 'vendor'
acts_for = ['city-a', 'city-b']
[[organisation]]
id = 'city-a'
name_en = 'A'
kind = 'municipality'
sector = 'government'
purposes = ['exposure-reduction', 'notification']
audiences = ['isac']
[[organisation.claim]]
subject = '192.0.2.0/24'
from = '2026-01-01'
until = '2026-06-01'
[[organisation]]
id = 'city-b'
name_en = 'B'
kind = 'municipality'
[[organisation.claim]]
subject = '192.0.2.0/24'
from = '2026-06-01'
until = '2027-01-01'
[[organisation.claim]]
subject = 'AS64500'
[[organisation.claim]]
subject = 'city-b.example'
";

#[test]
fn a_record_of_then_belongs_to_who_held_the_address_then() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).unwrap();
    database.import_register(deed("2026-02-01"), &Bulk::from_toml(DOCUMENT).unwrap()).unwrap();
    let desk = Desk::new(database.clone(), Arc::new(FixedClock(at("2026-07-01"))));
    let current = desk.now().unwrap();
    let address = "192.0.2.7".parse().unwrap();
    let holder = |time: &str| current.holders.holder(address, at(time)).map(|claim| claim.organisation.as_str());
    assert_eq!(
        ["2025-12-31", "2026-05-31", "2026-06-01", "2026-12-31", "2027-01-01"].map(holder),
        [None, Some("city-a"), Some("city-b"), Some("city-b"), None]
    );
    let organisations = &current.register.organisations;
    let city = &organisations["city-a"];
    assert_eq!(city.sector.as_deref(), Some("government"));
    assert_eq!(city.purposes, [Purpose::ExposureReduction, Purpose::Notification].into());
    assert_eq!(city.audiences, ["isac".to_owned()].into());
    assert_eq!(organisations["vendor"].acts_for, ["city-a".to_owned(), "city-b".to_owned()].into());
    assert_eq!(
        current.holders.of_as(64_500, at("2026-07-01")).map(|claim| claim.organisation.as_str()),
        Some("city-b")
    );
    // What is closed may read nothing, and its past is nobody else's.
    database.close_organisation(deed("2026-08-01"), "city-a").unwrap();
    let later = Register::read(&database, at("2026-08-01")).unwrap();
    assert!(!later.organisations.contains_key("city-a"));
    assert_eq!(later.organisations["vendor"].acts_for, ["city-b".to_owned()].into());
    assert_eq!(super::Holders::new(&Arc::new(later)).holder(address, at("2026-05-31")).unwrap().organisation, "city-a");
}

#[test]
fn it_is_read_again_when_something_changed_or_its_time_came() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).unwrap();
    database.import_register(deed("2026-02-01"), &Bulk::from_toml(DOCUMENT).unwrap()).unwrap();
    let clock = Arc::new(Hands::default());
    let desk = Desk::new(database.clone(), clock.clone());
    let current = |time: &str| {
        clock.0.store(at(time).as_micros(), Ordering::Relaxed);
        desk.now().unwrap()
    };
    let first = current("2026-03-01");
    let same = |left: &Arc<Current>, right: &Arc<Current>| Arc::ptr_eq(left, right);
    assert!(same(&first, &current("2026-04-01")), "nothing changed");
    let purpose = (Relation::Purpose, "research");
    database.relate(deed("2026-04-01"), "city-b", purpose, Some(at("2026-05-01"))).unwrap();
    let second = current("2026-04-02");
    assert!(!same(&first, &second) && second.register.organisations["city-b"].purposes.contains(&Purpose::Research));
    assert!(same(&second, &current("2026-04-30")));
    let third = current("2026-05-01");
    assert!(third.register.organisations["city-b"].purposes.is_empty(), "its time was over, though nobody changed it");
    assert_eq!(third.number, second.number);
    assert_eq!(third.edition, second.edition + 1, "the door asks anew what may be seen");
    assert_eq!(Registers::current(&desk).unwrap().0, third.edition);
    // A right that was taken away is gone at the next question.
    let claim = database.ask_claim(deed("2026-05-01"), "city-a", &"2001:db8::/32".parse().unwrap()).unwrap();
    database.approve_claim(deed("2026-05-01"), claim.number, &Decision::default()).unwrap();
    let address = "2001:db8::1".parse().unwrap();
    assert!(current("2026-05-02").holders.holder(address, at("2026-05-02")).is_some());
    database.refuse_claim(deed("2026-05-03"), claim.number, "forged").unwrap();
    assert!(current("2026-05-03").holders.holder(address, at("2026-05-02")).is_none());
}
