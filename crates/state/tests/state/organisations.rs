//! Organisations, whom they act for, contacts, audiences, documents of all of them. Each test runs on both engines.

use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_state::audiences::NewAudience;
use hinomi_state::claims::ClaimsOf;
use hinomi_state::contacts::{Language, NewContact};
use hinomi_state::organisations::{Bulk, Deed, EventsOf, Kind, Profile, Relation};
use hinomi_state::{Database, StateError};

use crate::suite::on_both;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn deed(text: &str) -> Deed<'static> {
    Deed { by: "a tester", now: at(text) }
}

pub(crate) fn profile(name: &str) -> Profile {
    Profile { name_ja: name.to_owned(), name_en: String::new(), sector: None, kind: Kind::Municipality, own: false }
}

pub(crate) fn refusal<T: std::fmt::Debug>(done: Result<T, StateError>) -> String {
    match done {
        Err(StateError::Refused { detail }) => detail,
        other => panic!("not refused: {other:?}"),
    }
}

fn actions(database: &Database, organisation: &str) -> Vec<String> {
    let of = EventsOf { organisation: Some(organisation), limit: 100, ..EventsOf::default() };
    database.register_events(&of).unwrap().into_iter().map(|event| event.action).collect()
}

#[test]
fn organisations_come_change_and_go() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let before = database.register_number().unwrap();
        let city = database.add_organisation(deed("2026-01-01"), "city-a", &profile("市")).unwrap();
        assert_eq!((city.name(true), city.name(false), city.closed), ("市", "市", None));
        assert!(database.register_number().unwrap() > before);
        assert!(refusal(database.add_organisation(deed("2026-01-01"), "city-a", &profile("市"))).contains("already"));
        assert!(refusal(database.add_organisation(deed("2026-01-01"), "City", &profile("市"))).contains("no id"));
        assert!(refusal(database.add_organisation(deed("2026-01-01"), "b", &profile(""))).contains("needs a name"));
        let own = Profile { own: true, ..profile("自分") };
        database.add_organisation(deed("2026-01-01"), "own", &own).unwrap();
        assert!(refusal(database.change_organisation(deed("2026-01-02"), "city-a", &own)).contains("own runs this"));
        let number = database.register_number().unwrap();
        database.change_organisation(deed("2026-01-02"), "city-a", &profile("市")).unwrap();
        assert_eq!(database.register_number().unwrap(), number, "saying the same changes nothing");
        let school = Profile { kind: Kind::School, sector: Some("education".to_owned()), ..profile("学校") };
        let changed = database.change_organisation(deed("2026-01-03"), "city-a", &school).unwrap();
        assert_eq!(changed.profile, school);
        let closed = database.close_organisation(deed("2026-01-04"), "city-a").unwrap();
        assert_eq!(closed.closed, Some(at("2026-01-04")));
        assert!(refusal(database.close_organisation(deed("2026-01-05"), "city-a")).contains("was closed"));
        assert!(refusal(database.change_organisation(deed("2026-01-05"), "city-a", &school)).contains("was closed"));
        let told = ["organisation added", "organisation changed", "organisation closed"];
        assert_eq!(actions(&database, "city-a"), told);
        assert_eq!(database.organisations().unwrap().len(), 2, "closed ones stay in the list");
    });
}

#[test]
fn relations_have_a_time_and_end_with_what_they_lead_to() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        for id in ["vendor", "city-a", "city-b"] {
            database.add_organisation(deed("2026-01-01"), id, &profile(id)).unwrap();
        }
        let isac = NewAudience { id: "isac".into(), name_ja: "会".into(), name_en: String::new(), hidden: true };
        database.add_audience(deed("2026-01-01"), &isac).unwrap();
        assert!(refusal(database.add_audience(deed("2026-01-01"), &isac)).contains("already"));
        let acts = |customer| (Relation::ActsFor, customer);
        assert!(database.relate(deed("2026-02-01"), "vendor", acts("city-a"), None).unwrap());
        assert!(!database.relate(deed("2026-02-02"), "vendor", acts("city-a"), None).unwrap(), "it stands");
        assert!(refusal(database.relate(deed("2026-02-02"), "vendor", acts("vendor"), None)).contains("itself"));
        assert!(
            refusal(database.relate(deed("2026-02-02"), "vendor", acts("nobody"), None)).contains("no organisation")
        );
        let purpose = (Relation::Purpose, "research");
        assert!(database.relate(deed("2026-02-01"), "city-a", purpose, Some(at("2026-03-01"))).unwrap());
        assert!(
            refusal(database.relate(deed("2026-02-01"), "city-a", (Relation::Purpose, "fun"), None)).contains("fun")
        );
        assert!(
            refusal(database.relate(deed("2026-04-01"), "city-a", purpose, Some(at("2026-03-01")))).contains("ahead")
        );
        let related = database.relations_of("city-a").unwrap();
        assert!(related[0].stands_at(at("2026-02-15")) && !related[0].stands_at(at("2026-03-01")));
        for member in ["city-a", "city-b"] {
            assert!(database.relate(deed("2026-02-01"), member, (Relation::Audience, "isac"), None).unwrap());
        }
        // Members of a hidden audience see themselves alone; who is not one sees nothing.
        assert_eq!(database.members_seen_by("isac", "city-a", at("2026-02-02")).unwrap(), ["city-a"]);
        assert!(database.members_seen_by("isac", "vendor", at("2026-02-02")).unwrap().is_empty());
        assert!(database.members_seen_by("isac", "city-a", at("2026-01-02")).unwrap().is_empty(), "not yet");
        assert!(database.members_seen_by("other", "city-a", at("2026-02-02")).unwrap().is_empty());
        assert!(database.unrelate(deed("2026-05-01"), "city-b", (Relation::Audience, "isac")).unwrap());
        assert!(!database.unrelate(deed("2026-05-02"), "city-b", (Relation::Audience, "isac")).unwrap());
        assert!(
            database.relate(deed("2026-05-01"), "city-b", (Relation::Audience, "isac"), None).unwrap(),
            "and again"
        );
        database.close_organisation(deed("2026-06-01"), "city-a").unwrap();
        let customers = database.relations_of("vendor").unwrap();
        assert_eq!(customers[0].ends, Some(at("2026-06-01")), "nobody acts for what is closed");
        database.close_audience(deed("2026-07-01"), "isac").unwrap();
        assert!(database.related_to(Relation::Audience, "isac").unwrap().iter().all(|one| one.ends.is_some()));
        assert!(
            refusal(database.relate(deed("2026-07-02"), "city-b", (Relation::Audience, "isac"), None))
                .contains("closed")
        );
    });
}

#[test]
fn contacts_grow_stale_until_they_are_confirmed() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database.add_organisation(deed("2026-01-01"), "city-a", &profile("市")).unwrap();
        let new = NewContact {
            role: "security".into(),
            name: "情報 花子".into(),
            mail: "csirt@city-a.example".into(),
            phone: "+81 3 0000 0000".into(),
            language: Language::Ja,
        };
        let contact = database.add_contact(deed("2026-01-01"), "city-a", &new).unwrap();
        assert_eq!(contact.said, new);
        let broken = NewContact { mail: "a@b.example\r\nBcc: x@y.example".into(), ..new.clone() };
        assert!(refusal(database.add_contact(deed("2026-01-01"), "city-a", &broken)).contains("no mail address"));
        assert!(refusal(database.add_contact(deed("2026-01-01"), "none", &new)).contains("no organisation"));
        let later = at("2026-01-01").plus(Duration::from_secs(181 * 86_400));
        assert!(contact.is_stale(later, 180) && !contact.is_stale(later, 365));
        let confirmed = database.confirm_contact(Deed { by: "a", now: later }, contact.number).unwrap();
        assert!(!confirmed.is_stale(later, 180));
        database.remove_contact(Deed { by: "a", now: later }, contact.number).unwrap();
        assert!(refusal(database.remove_contact(deed("2026-01-01"), contact.number)).contains("no contact"));
        assert!(database.contacts().unwrap().is_empty() && database.contacts_of("city-a").unwrap().is_empty());
        let of = EventsOf { organisation: Some("city-a"), limit: 100, ..EventsOf::default() };
        let kept = format!("{:?}", database.register_events(&of).unwrap());
        assert!(!kept.contains("花子") && !kept.contains("csirt@"), "the history holds nobody's name: {kept}");
    });
}

/// One vendor and its many small customers.
fn document(customers: usize, claims: usize) -> Bulk {
    let mut text = "format = 1\n[[audience]]\nid = 'isac'\nname_en = 'ISAC'\nhidden = true\n\
         [[organisation]]\nid = 'vendor'\nname_en = 'Vendor'\nkind = 'vendor'\n"
        .to_owned();
    for customer in 0..customers {
        text += &format!(
            "[[organisation]]\nid = 'shop-{customer}'\nname_ja = '店 {customer}'\nkind = 'company'\nsector = 'retail'\n\
             purposes = ['exposure-reduction']\naudiences = ['isac']\nacted_for_by = ['vendor']\n\
             [[organisation.contact]]\nrole = 'security'\nmail = 'shop-{customer}@example.org'\n"
        );
        for claim in 0..claims {
            let [.., a, b, c] = u32::try_from(customer * claims + claim).unwrap().to_be_bytes();
            text += &format!(
                "[[organisation.claim]]\nsubject = '10.{a}.{b}.{c}'\nfrom = '2026-01-01'\nuntil = '2027-01-01'\n"
            );
        }
    }
    Bulk::from_toml(&text).unwrap()
}

#[test]
fn a_document_of_thousands_is_taken_in_once() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let bulk = document(2_000, 10);
        let imported = database.import_register(deed("2026-02-01"), &bulk).unwrap();
        assert_eq!((imported.organisations, imported.audiences, imported.claims), (2_001, 1, 20_000));
        assert_eq!((imported.relations, imported.contacts), (6_000, 2_000));
        let number = database.register_number().unwrap();
        let again = database.import_register(deed("2026-02-02"), &bulk).unwrap();
        assert_eq!(again, hinomi_state::organisations::Imported::default());
        assert_eq!(database.register_number().unwrap(), number, "nothing changed");
        let claims = database.claims(&ClaimsOf::default()).unwrap();
        assert_eq!(claims.len(), 20_000);
        assert!(claims.iter().all(|claim| claim.holds_at(at("2026-06-01")) && claim.from == Some(at("2026-01-01"))));
        // What is written out is read again, and says the same.
        let out = database.export_register(at("2026-02-03")).unwrap();
        let text = out.to_toml().unwrap();
        assert_eq!(Bulk::from_toml(&text).unwrap(), out);
        let other = tempfile::tempdir().unwrap();
        let copy = Database::open(&hinomi_state::Target::Sqlite(other.path().join("copy.sqlite"))).unwrap();
        copy.import_register(deed("2026-02-03"), &out).unwrap();
        assert_eq!(copy.export_register(at("2026-02-03")).unwrap(), out);
    });
}

#[test]
fn who_is_closed_is_told_for_what_it_held() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database.import_register(deed("2026-02-01"), &document(3, 2)).unwrap();
        database.close_organisation(deed("2026-03-01"), "shop-1").unwrap();
        let out = database.export_register(at("2026-04-01")).unwrap();
        let shop = out.organisation.iter().find(|one| one.id == "shop-1").unwrap();
        assert_eq!((shop.closed, shop.claim.len()), (Some(at("2026-03-01")), 2));
        assert!(shop.contact.is_empty() && shop.purposes.is_empty() && shop.audiences.is_empty());
        let other = tempfile::tempdir().unwrap();
        let copy = Database::open(&hinomi_state::Target::Sqlite(other.path().join("copy.sqlite"))).unwrap();
        let read = Bulk::from_toml(&out.to_toml().unwrap()).unwrap();
        copy.import_register(deed("2026-04-01"), &read).unwrap();
        let held = |database: &Database| {
            let claims = database.claims(&ClaimsOf::default()).unwrap().into_iter();
            let mut held: Vec<_> = claims
                .map(|one| format!("{} {} {:?} {:?}", one.organisation, one.subject, one.from, one.until))
                .collect();
            held.sort();
            held
        };
        assert_eq!(held(&copy), held(&database), "who held what when");
        assert_eq!(copy.organisation("shop-1").unwrap().unwrap().closed, Some(at("2026-03-01")));
        assert_eq!(copy.export_register(at("2026-04-01")).unwrap(), out);
        let again = copy.import_register(deed("2026-04-02"), &read).unwrap();
        assert_eq!(again, hinomi_state::organisations::Imported::default());
        // A document closes nothing, and who is closed begins nothing.
        let refused = |text: &str| {
            let bulk =
                Bulk::from_toml(&format!("format = 1\n[[organisation]]\nkind = 'company'\nname_en = 'X'\n{text}"));
            copy.import_register(deed("2026-04-03"), &bulk.unwrap()).unwrap_err().to_string()
        };
        assert!(refused("id = 'shop-2'\nclosed = '2026-03-01'").contains("closes nothing"));
        assert!(refused("id = 'x'\nclosed = '2026-03-01'\npurposes = ['research']").contains("nothing besides"));
        assert!(refused("id = 'x'\nclosed = '2027-03-01'").contains("time to come"));
        let late = "id = 'x'\nclosed = '2026-03-01'\n[[organisation.claim]]\nsubject = 'AS64500'\nfrom = '2026-01-01'\n\
             until = '2026-06-01'";
        assert!(refused(late).contains("when its holder is closed"));
    });
}

#[test]
fn a_document_that_does_not_do_changes_nothing() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        database.import_register(deed("2026-02-01"), &document(2, 1)).unwrap();
        let number = database.register_number().unwrap();
        let shop = "format = 1\n[[organisation]]\nid = 'new'\nname_en = 'New'\nkind = 'company'\n";
        for (more, why) in [
            ("acts_for = ['nobody']", "no other organisation \"nobody\""),
            ("acts_for = ['new']", "no other organisation \"new\""),
            ("audiences = ['none']", "no audience \"none\""),
            ("[[organisation.claim]]\nsubject = '10.0.0.1'", "shop-1 holds 10.0.0.1/32 from 2026-01-01T00:00:00Z"),
            ("[[organisation.claim]]\nsubject = '10.0.1.1'\nfrom = '2027-01-01'\nuntil = '2026-01-01'", "end after"),
            ("[[organisation.contact]]\nrole = 'security'\nmail = 'nothing'", "no mail address"),
            ("[[organisation]]\nid = 'new'\nname_en = 'New'\nkind = 'company'\n", "stands twice"),
        ] {
            let bulk = Bulk::from_toml(&format!("{shop}{more}\n")).unwrap();
            let said = refusal(database.import_register(deed("2026-02-02"), &bulk));
            assert!(said.contains(why), "{said}");
        }
        assert_eq!(database.register_number().unwrap(), number);
        assert!(database.organisation("new").unwrap().is_none());
        for wrong in ["", "format = 2", "format = 1\nother = 3", &format!("{shop}purposes = ['fun']")] {
            assert!(Bulk::from_toml(wrong).is_err(), "{wrong:?}");
        }
    });
}

#[test]
fn two_that_change_the_register_at_once_leave_every_entry() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        std::thread::scope(|scope| {
            for part in ["a", "b", "c"] {
                let database = database.clone();
                scope.spawn(move || {
                    for number in 0..5 {
                        database
                            .add_organisation(deed("2026-01-01"), &format!("{part}-{number}"), &profile("x"))
                            .unwrap();
                    }
                });
            }
        });
        let events = database.register_events(&EventsOf { limit: 100, ..EventsOf::default() }).unwrap();
        let mut numbers: Vec<i64> = events.iter().map(|event| event.number).collect();
        numbers.dedup();
        assert_eq!((numbers.len(), numbers.last().copied()), (15, database.register_number().ok()));
        let after = EventsOf { after: numbers[9], limit: 2, ..EventsOf::default() };
        assert_eq!(database.register_events(&after).unwrap(), events[10..12]);
    });
}
