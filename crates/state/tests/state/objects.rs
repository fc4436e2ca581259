//! Objects of others, on both engines.

use hinomi_model::Timestamp;
use hinomi_state::Database;
use hinomi_state::objects::{
    Keeping, MAX_NAMED_IN_ALL, NewObject, ObjectFacts, ObjectPlace, ObjectQuery, ObjectSight, Which,
};

use crate::suite::on_both;

const ALL: ObjectSight =
    ObjectSight { all: true, givers: Vec::new(), free: Vec::new(), placed: Vec::new(), places: None };

fn object(id: &str, version: i64, source: &str, body: &str) -> NewObject {
    let text = |text: &str| text.to_owned();
    let facts = ObjectFacts {
        collection: text("shared"),
        source: text(source),
        id: text(id),
        version,
        kind: text("indicator"),
        form: text("stix"),
        marking: text(source),
        giver: text(source),
        seen: Timestamp::from_micros(i64::MAX),
        ..ObjectFacts::default()
    };
    let place = |low, high| ObjectPlace { low, high, asn: Some(64_500), saying: (low != 7).into() };
    NewObject {
        facts,
        body: body.as_bytes().to_vec(),
        digest: body.to_owned(),
        places: vec![place(0x10, 0x1f), place(0x40, 0x40), place(7, 7), place(7, 7)],
        values: vec![(text("domain"), text("a.example")), (text("domain"), text("a.example"))],
    }
}

fn asked() -> ObjectQuery {
    ObjectQuery { limit: 100, ..ObjectQuery::default() }
}

#[test]
fn bytes_stay_and_each_moment_is_later() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let now = Timestamp::from_micros(1_000);
        let new = [object("a", 1, "x", "{ }"), object("a", 1, "y", "{}"), object("a", 2, "x", "{}")];
        let at = |micros| Keeping::Added(Timestamp::from_micros(micros));
        assert_eq!(database.keep_objects(&new, now).unwrap(), [at(1_000), at(1_001), at(1_002)]);
        // A clock that was set back changes nothing of that.
        let again = [object("a", 1, "x", "{ }"), object("a", 1, "x", "{}"), object("b", 0, "x", "{}")];
        let known = Keeping::Known(now);
        assert_eq!(
            database.keep_objects(&again, Timestamp::from_micros(5)).unwrap(),
            [known, Keeping::Clash, at(1_003)]
        );
        let rows = database.object_rows(&asked(), &ALL).unwrap();
        assert_eq!(rows.iter().map(|row| row.added.as_micros()).collect::<Vec<_>>(), [1_000, 1_001, 1_002, 1_003]);
        assert_eq!(rows[0].facts.seen, now, "not of later than it was added");
        assert_eq!((rows[0].places.len(), rows[3].facts.id.as_str()), (3, "b"));
        let bodies = database.object_bodies(&[now, Timestamp::from_micros(1_001)]).unwrap();
        assert_eq!(bodies.into_values().collect::<Vec<_>>(), [b"{ }".to_vec(), b"{}".to_vec()]);
        assert_eq!(database.remove_objects(&[now, Timestamp::from_micros(9)]).unwrap(), 1);
        let later = database.keep_objects(&[object("a", 1, "x", "{ }")], Timestamp::from_micros(5)).unwrap();
        assert_eq!(later, [at(1_004)], "what is given again is later than all");
    });
}

#[test]
fn objects_are_found_by_address_value_id_and_sight() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let new = [object("a", 1, "x", "1"), object("b", 1, "y", "2"), object("c", 1, "z", "3")];
        database.keep_objects(&new, Timestamp::from_micros(1)).unwrap();
        let ids = |asked: &ObjectQuery, sight: &ObjectSight| {
            let rows = database.object_rows(asked, sight).unwrap();
            rows.into_iter().map(|row| row.facts.id).collect::<String>()
        };
        let which = |which| ObjectQuery { which, ..asked() };
        for (address, found) in [(0x10, "abc"), (0x1f, "abc"), (0x20, ""), (0x40, "abc"), (0x41, ""), (7, "")] {
            assert_eq!(ids(&which(Which::Address(address)), &ALL), found, "{address:x}");
        }
        assert_eq!(database.object_markings().unwrap(), ["x", "y", "z"]);
        assert_eq!(ids(&which(Which::Value("a.example".into())), &ALL), "abc");
        let naming = |spans: &[(u128, u128)], values: &[&str]| {
            which(Which::Naming(spans.to_vec(), values.iter().map(|value| (*value).to_owned()).collect()))
        };
        assert_eq!(ids(&naming(&[(0x00, 0x10)], &[]), &ALL), "abc", "also what is only named");
        assert_eq!(ids(&naming(&[(0x20, 0x3f)], &["a.example"]), &ALL), "abc");
        assert_eq!(ids(&naming(&[(0x20, 0x3f), (0x41, u128::MAX)], &["b.example"]), &ALL), "");
        assert_eq!(ids(&which(Which::Ids(vec!["b".into(), "d".into()])), &ALL), "b");
        assert_eq!(ids(&ObjectQuery { newest: true, limit: 2, ..asked() }, &ALL), "cb");
        assert_eq!(ids(&ObjectQuery { after: 1, kinds: vec!["indicator".into()], ..asked() }, &ALL), "bc");
        assert_eq!(ids(&ObjectQuery { kinds: vec!["malware".into()], ..asked() }, &ALL), "");
        let sight = |givers: &[&str], free: &[&str], placed: &[&str], places| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            ids(
                &asked(),
                &ObjectSight { all: false, givers: own(givers), free: own(free), placed: own(placed), places },
            )
        };
        assert_eq!(sight(&[], &[], &[], None), "");
        assert_eq!(sight(&["x"], &["y"], &[], None), "ab");
        assert_eq!(sight(&[], &[], &["z"], None), "c");
        assert_eq!(sight(&[], &[], &["z"], Some((vec![(0x30, 0x3f), (0x1f, 0x20)], vec![]))), "c");
        assert_eq!(sight(&[], &[], &["z"], Some((vec![(0x30, 0x3f)], vec![]))), "");
        assert_eq!(sight(&["x"], &[], &["z"], Some((vec![], vec![64_500]))), "ac");
        assert_eq!(sight(&[], &[], &["z"], Some((vec![], vec![]))), "");
    });
}

#[test]
fn a_status_is_for_whoever_gave_it_and_pulls_go_on() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let now = Timestamp::from_micros(1);
        let body = database.keep_status(("city", "ann"), now, |id| format!("status {id}")).unwrap();
        let id = body.strip_prefix("status ").unwrap();
        assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
        assert_eq!(database.status_of(("city", "ann"), id).unwrap(), Some(body.clone()));
        for other in [("city", "eve"), ("port", "ann"), ("", "ann")] {
            assert_eq!(database.status_of(other, id).unwrap(), None, "{other:?}");
        }
        assert_eq!(database.pulled_after("u").unwrap(), None);
        database.keep_pulled("u", "2026-01-01T00:00:00Z", now).unwrap();
        database.keep_pulled("u", "2026-01-02T00:00:00Z", now).unwrap();
        assert_eq!(database.pulled_after("u").unwrap().as_deref(), Some("2026-01-02T00:00:00Z"));
    });
}

#[test]
fn what_all_objects_of_a_giver_name_is_bounded_and_counted() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let now = Timestamp::from_micros(1_000);
        let named = |giver: &str| {
            let sql = "SELECT named FROM object_givers WHERE giver = $1";
            database.transact(|step| step.one(sql, &[giver.into()])?.integer(0)).unwrap()
        };
        database
            .keep_objects(&[object("a", 1, "x", "{}"), object("b", 1, "x", "{}"), object("a", 1, "y", "{}")], now)
            .unwrap();
        assert_eq!((named("x"), named("y")), (8, 4), "three places and a value each");
        let nearly = MAX_NAMED_IN_ALL - 4;
        let set = "UPDATE object_givers SET named = $1 WHERE giver = 'x'";
        database.transact(|step| step.execute(set, &[nearly.into()])).unwrap();
        let more = [
            object("c", 1, "x", "{}"),
            object("d", 1, "x", "{}"),
            object("d", 1, "y", "{}"),
            object("a", 1, "x", "{}"),
        ];
        let told = database.keep_objects(&more, now).unwrap();
        assert!(matches!(told[0], Keeping::Added(_)) && matches!(told[2], Keeping::Added(_)), "{told:?}");
        assert_eq!((told[1], told[3]), (Keeping::Crowded { named: MAX_NAMED_IN_ALL }, Keeping::Known(now)));
        // What goes makes room.
        let Keeping::Added(added) = told[0] else { panic!("not added") };
        assert_eq!((database.remove_objects(&[added]).unwrap(), named("x")), (1, nearly));
        assert!(matches!(database.keep_objects(&more[1..2], now).unwrap()[0], Keeping::Added(_)));
        let empty = NewObject { places: Vec::new(), values: Vec::new(), ..object("e", 1, "x", "{}") };
        assert!(matches!(database.keep_objects(&[empty], now).unwrap()[0], Keeping::Added(_)), "names nothing");
    });
}
