//! Taking and telling objects: bytes, versions, audiences, what is refused.

use hinomi_model::{Purpose, Timestamp, Tlp};
use hinomi_state::audiences::NewAudience;
use hinomi_state::objects::Which;
use hinomi_state::organisations::Deed;
use hinomi_state::{Database, Target};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::taxii::Ask;

const UUID: &str = "33fe3b22-0201-47cf-85d0-97c02164528d";

fn shelf() -> (TempDir, Shelf) {
    let folder = TempDir::new().unwrap();
    let database = Database::open(&Target::Sqlite(folder.path().join("s.sqlite"))).unwrap();
    (folder, Shelf::new(database))
}

fn now(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + seconds * 1_000_000)
}

fn giver(organisation: &str) -> Giver {
    Giver { organisation: organisation.to_owned(), name: "ann".to_owned(), purpose: Purpose::ExposureReduction }
}

fn give(shelf: &Shelf, organisation: &str, objects: &[&str]) -> Report {
    let giver = giver(organisation);
    let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "", asn: &|_, _| None };
    shelf.give_each(&terms, objects, now(0)).unwrap()
}

fn indicator(version: &str, more: &str) -> String {
    format!(
        "{{ \"type\":\"indicator\",\"spec_version\":\"2.1\", \"id\":\"indicator--{UUID}\",\n\"created\":\"2026-01-01T00:00:00.000Z\",\
         \"modified\":\"{version}\",\"name\":\"\\u65e5 x\",\"pattern_type\":\"stix\",\
         \"pattern\":\"[ipv4-addr:value = '198.51.100.7']\",\"valid_from\":\"2026-01-01T00:00:00Z\"{more}}}"
    )
}

fn told(shelf: &Shelf, filter: &[(&str, &str)]) -> Vec<String> {
    let sight = Sight::operator();
    let shared = shelf.collection(&sight, None, "shared").unwrap();
    let mut ask = Ask { limit: 100, ..Ask::default() };
    filter.iter().for_each(|(name, values)| ask.filter.add(name, values).unwrap());
    shelf.page_of(&sight, &shared, &ask, true).unwrap().objects.into_iter().map(|one| one.body).collect()
}

#[test]
fn bytes_come_back_as_they_came_and_versions_are_chosen() {
    let (_folder, shelf) = shelf();
    let [old, new] = ["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"].map(|version| indicator(version, ""));
    assert_eq!(give(&shelf, "city", &[&new, &old]).successes.len(), 2);
    assert_eq!(told(&shelf, &[]), std::slice::from_ref(&new), "the last, whichever came first");
    assert_eq!(told(&shelf, &[("match[version]", "first")]), std::slice::from_ref(&old));
    assert_eq!(told(&shelf, &[("match[version]", "all")]), [new.clone(), old.clone()]);
    assert_eq!(told(&shelf, &[("match[version]", "2026-01-01T00:00:00Z,last")]), [new.clone(), old]);
    assert!(told(&shelf, &[("match[version]", "2020-01-01T00:00:00Z")]).is_empty());
    assert!(told(&shelf, &[("match[type]", "malware")]).is_empty());
    assert!(told(&shelf, &[("match[spec_version]", "2.0")]).is_empty());
    assert_eq!(
        told(&shelf, &[("match[spec_version]", "2.1"), ("match[type]", "malware,indicator")]),
        std::slice::from_ref(&new)
    );

    // The very same is known; other bytes are refused, and nothing is overwritten; another giver has his own chain.
    let again = give(&shelf, "city", &[&new, &indicator("2026-02-01T00:00:00.000Z", ",\"lang\":\"ja\"")]);
    assert_eq!((again.known, again.failures.len()), (1, 1), "{again:?}");
    let other = indicator("2026-02-01T00:00:00.000Z", ",\"revoked\":true");
    assert_eq!(give(&shelf, "port", &[&other]).successes.len(), 1);
    assert_eq!(told(&shelf, &[]), [new, other]);
}

#[test]
fn what_is_no_object_is_told_and_the_rest_is_taken() {
    let (_folder, shelf) = shelf();
    let good = indicator("2026-01-01T00:00:00.000Z", "");
    let huge = indicator("2026-01-02T00:00:00.000Z", &format!(",\"x\":\"{}\"", "x".repeat(MAX_OBJECT_BYTES)));
    let twice = indicator("2026-01-03T00:00:00.000Z", ",\"name\":\"y\"");
    let report = give(&shelf, "city", &["3", "{}", &good, &huge, &twice, r#"{"id":"x\u0000","type":"y"}"#]);
    assert_eq!((report.total, report.successes.len(), report.failures.len()), (6, 1, 5));
    let said: Vec<&str> = report.failures.iter().map(|one| one.message.as_str()).collect();
    for (said, why) in said.iter().zip(["no object", "no id", "bytes", "twice", "not its type"]) {
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(told(&shelf, &[]), [good]);
}

#[test]
fn audiences_have_collections_of_their_own_and_statements_say_nothing() {
    let (_folder, shelf) = shelf();
    let new = NewAudience { id: "isac".into(), name_ja: "医療".into(), name_en: "ISAC".into(), hidden: true };
    let deed = Deed { by: "t", now: now(0) };
    shelf.database.add_audience(deed, &new).unwrap();
    let statement = format!(
        r#"{{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--{UUID}","created":"2026-01-01T00:00:00Z",
            "definition_type":"statement","definition":{{"statement":"(c)"}}}}"#
    );
    let marked =
        indicator("2026-01-01T00:00:00.000Z", &format!(",\"object_marking_refs\":[\"marking-definition--{UUID}\"]"));
    let giver = giver("city");
    let terms = Terms { giver: &giver, audience: Some("isac"), unmarked: Tlp::Amber, origin: "", asn: &|_, _| None };
    shelf.give_each(&terms, &[&statement], now(0)).unwrap();
    // Known from an earlier gift of the same source; to another it is a marking that nobody knows.
    shelf.give_each(&terms, &[&marked], now(1)).unwrap();
    let other = super::Giver { organisation: "port".to_owned(), ..giver.clone() };
    shelf.give_each(&Terms { giver: &other, ..terms }, &[&marked], now(2)).unwrap();
    let sight = Sight::operator();
    assert!(told(&shelf, &[]).is_empty(), "not what is shared with everybody");
    let said = shelf.newest(&sight, Which::Ids(vec![format!("indicator--{UUID}")]), now(3)).unwrap();
    let labels: Vec<_> = said.iter().map(|one| (one.source.as_deref().unwrap(), one.label.as_str())).collect();
    assert_eq!(labels, [("port", "TLP:RED"), ("city", "TLP:AMBER")]);
    let rows = shelf.database.object_markings().unwrap();
    assert_eq!(rows.len(), 1, "AMBER in an audience is for that audience: {rows:?}");
    assert!(rows[0].contains("TLP:RED") && rows[0].contains("isac"));
    let audience = shelf.collection(&sight, Some(""), "audience-isac").unwrap();
    assert!(audience.can_write && shelf.collection(&sight, None, "audience-none").is_err());
    let page = shelf.page_of(&sight, &audience, &Ask { limit: 1, ..Ask::default() }, false).unwrap();
    assert_eq!((page.objects.len(), page.next.is_some()), (1, true));
    for bad in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA"] {
        let ask = Ask { limit: 1, next: Some(bad.to_owned()), ..Ask::default() };
        assert!(matches!(shelf.page_of(&sight, &audience, &ask, false), Err(ObjectsError::Cursor)), "{bad}");
    }
    assert_eq!(shelf.forget(&format!("indicator--{UUID}"), None).unwrap(), 2);
}

#[test]
fn what_holds_now_is_told_apart_and_exercises_are_kept_apart() {
    let (_folder, shelf) = shelf();
    let until = indicator("2026-01-01T00:00:00.000Z", ",\"valid_until\":\"2026-03-01T00:00:00Z\"");
    let drill = until
        .replace(UUID, "33fe3b22-0201-47cf-85d0-97c02164528e")
        .replace("\"name\"", "\"labels\":[\"exercise\"],\"name\"");
    give(&shelf, "city", &[&until, &drill]);
    let about = |now: Timestamp| {
        let which = Which::Address(hinomi_model::address::to_u128("198.51.100.7".parse().unwrap()));
        let said = shelf.newest(&Sight::operator(), which, now).unwrap();
        said.iter().map(|one| (one.id.clone(), one.holds)).collect::<Vec<_>>()
    };
    let id = format!("indicator--{UUID}");
    assert_eq!(about("2026-02-01T00:00:00Z".parse().unwrap()), [(id.clone(), true)]);
    assert_eq!(about("2026-03-01T00:00:00Z".parse().unwrap()), [(id.clone(), false)]);
    assert_eq!(about("2025-03-01T00:00:00Z".parse().unwrap()), [(id, false)]);
    let sight = Sight::operator();
    let apart = shelf.collection(&sight, Some(""), "shared-exercise").unwrap();
    assert!(!apart.can_write);
    assert_eq!(
        shelf.page_of(&sight, &apart, &Ask { limit: 9, ..Ask::default() }, true).unwrap().objects[0].body,
        drill
    );
}

fn event(tags: &str, distribution: &str, attributes: &str) -> String {
    format!(
        r#"{{"Event":{{"uuid":"{UUID}","info":"x","timestamp":"1790000000","distribution":{distribution},
            "Tag":[{tags}],"Attribute":[{attributes}]}}}}"#
    )
}

#[test]
fn events_of_misp_are_as_closed_as_their_most_closed_part() {
    let tag = |name: &str| format!(r#"{{"name":"{name}"}}"#);
    let attribute = |more: &str| format!(r#"{{"type":"ip-dst|port","value":"198.51.100.7|443","to_ids":true{more}}}"#);
    for (tags, distribution, more, label) in [
        (tag("tlp:clear"), "\"3\"", "", "TLP:CLEAR"),
        (tag("TLP:White"), "3", ",\"distribution\":\"5\"", "TLP:CLEAR"),
        (tag("tlp:clear"), "2", "", "TLP:GREEN"),
        (tag("tlp:clear"), "1", "", "TLP:AMBER"),
        (tag("tlp:clear"), "0", "", "TLP:RED"),
        (tag("tlp:clear"), "4", "", "TLP:RED"),
        (tag("tlp:clear"), "5", "", "TLP:RED"),
        (tag("tlp:clear"), "null", "", "TLP:RED"),
        (tag("tlp:clear"), "\"x\"", "", "TLP:RED"),
        (String::new(), "3", "", "TLP:RED"),
        (tag("tlp:unknown"), "3", "", "TLP:RED"),
        (format!("{},{}", tag("tlp:clear"), tag("tlp:amber+strict")), "3", "", "TLP:AMBER+STRICT"),
        (tag("tlp:clear"), "3", ",\"distribution\":0", "TLP:RED"),
        (tag("tlp:clear"), "3", ",\"Tag\":[{\"name\":\"tlp:green\"}]", "TLP:GREEN"),
    ] {
        let (_folder, shelf) = shelf();
        let text = event(&tags, distribution, &attribute(more));
        assert!(is_event(&text));
        let giver = giver("");
        let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "file", asn: &|_, _| None };
        assert_eq!(shelf.give_event(&terms, &text, now(0)).unwrap().successes.len(), 1);
        let keys = shelf.event_keys(&Sight::operator(), &Which::All).unwrap();
        let said = shelf.newest(&Sight::operator(), Which::All, now(1)).unwrap();
        let bodies = shelf.event_bodies(&keys).unwrap();
        assert_eq!((said[0].label.as_str(), bodies[0].1.as_str()), (label, text.as_str()), "{text}");
    }
}

#[test]
fn what_events_say_is_found_and_drills_and_nonsense_are_not() {
    let (_folder, shelf) = shelf();
    let giver = giver("");
    let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "file", asn: &|_, _| None };
    let each = r#"{"type":"ip-src","value":"198.51.100.7","to_ids":true},{"type":"ip-dst","value":"198.51.100.8","to_ids":false},
        {"type":"domain","value":"Evil.example","to_ids":"1"},{"type":"url","value":"http://198.51.100.9/a","to_ids":true},
        {"type":"filename|sha256","value":"a.exe|ABCD","to_ids":true},{"type":"comment","value":"198.51.100.10"}"#;
    shelf.give_event(&terms, &event("", "3", each), now(0)).unwrap();
    let found = |which| shelf.newest(&Sight::operator(), which, now(1)).unwrap().len();
    let at = |text: &str| found(Which::Address(hinomi_model::address::to_u128(text.parse().unwrap())));
    assert_eq!(["7", "8", "9", "10"].map(|last| at(&format!("198.51.100.{last}"))), [1, 0, 1, 0]);
    for (value, count) in [("evil.example", 1), ("http://198.51.100.9/a", 1), ("abcd", 1), ("a.exe", 0)] {
        assert_eq!(found(Which::Value(value.to_owned())), count, "{value}");
    }
    let row = &shelf
        .database
        .object_rows(
            &hinomi_state::objects::ObjectQuery { after: i64::MIN, limit: 9, ..Default::default() },
            &Sight::operator().filter(Vec::new()),
        )
        .unwrap()[0];
    assert_eq!(row.places.len(), 4, "all four addresses are named, said or not");
    let drill = event(r#"{"name":"exercise:generic=\"comcheck\""}"#, "3", "").replace("02164528d", "02164528e");
    shelf.give_event(&terms, &drill, now(0)).unwrap();
    assert_eq!(shelf.event_keys(&Sight::operator(), &Which::All).unwrap().len(), 1);
    for bad in [
        "{}",
        "[]",
        "",
        r#"{"Event":{"uuid":"x","info":"i","timestamp":"1"}}"#,
        &event("", "3", "").replace("1790000000", "-1"),
    ] {
        assert!(shelf.give_event(&terms, bad, now(0)).is_err(), "{bad}");
    }
}

#[test]
fn events_are_one_whatever_the_case_of_their_uuid_and_the_first_source_keeps_it() {
    let (_folder, shelf) = shelf();
    let give = |organisation: &str, text: &str, at: i64| {
        let giver = giver(organisation);
        let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "", asn: &|_, _| None };
        assert_eq!(shelf.give_event(&terms, text, now(at)).unwrap().successes.len(), 1);
    };
    let told = || {
        let keys = shelf.event_keys(&Sight::operator(), &Which::Ids(vec![UUID.to_owned()])).unwrap();
        assert_eq!(keys, shelf.event_keys(&Sight::operator(), &Which::All).unwrap());
        shelf.event_bodies(&keys).unwrap().into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    let mixed = event("", "3", "").replace("33fe", "33Fe");
    let later = |seconds: &str| event("", "3", "").replace("1790000000", seconds);
    give("city", &mixed, 0);
    give("port", &later("1790000009"), 1);
    assert_eq!(told(), [mixed], "another's newer one does not stand for it");
    let newer = later("1790000005");
    give("city", &newer, 2);
    assert_eq!(told(), [newer]);
}

#[test]
fn what_others_propose_names_addresses_and_is_told_as_a_proposal() {
    let (_folder, shelf) = shelf();
    let giver = giver("");
    let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "file", asn: &|_, _| None };
    let each = r#"{"type":"ip-src","value":"198.51.100.7","to_ids":true,"ShadowAttribute":[
        {"type":"ip-src","value":"198.51.100.8","to_ids":true},{"type":"ip-src","value":"198.51.100.7","to_ids":true}]}"#;
    let more = r#""ShadowAttribute":[{"type":"ip-dst|port","value":"198.51.100.9|80","to_ids":"1"},
        {"type":"ip-dst","value":"198.51.100.10","to_ids":true,"proposal_to_delete":true},
        {"type":"domain","value":"proposed.example","to_ids":true},{"type":"ip-dst","value":"198.51.100.11"}],"Attribute""#;
    let text = event("", "3", each).replacen("\"Attribute\"", more, 1);
    shelf.give_event(&terms, &text, now(0)).unwrap();
    let found = |which| shelf.newest(&Sight::operator(), which, now(1)).unwrap();
    let at = |last: u8| {
        let address = hinomi_model::address::to_u128(format!("198.51.100.{last}").parse().unwrap());
        found(Which::Address(address)).first().map(|said| said.proposed)
    };
    assert_eq!([7, 8, 9, 10, 11].map(at), [Some(false), Some(true), Some(true), None, None]);
    assert!(found(Which::Value("proposed.example".to_owned())).is_empty());
    let all = hinomi_state::objects::ObjectQuery { after: i64::MIN, limit: 9, ..Default::default() };
    let row = &shelf.database.object_rows(&all, &Sight::operator().filter(Vec::new())).unwrap()[0];
    assert_eq!(row.places.len(), 5, "who may not see one of them does not see the event");
}

proptest! {
    #[test]
    fn whatever_is_sent_is_refused_or_kept_and_never_a_crash(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..600) {
        let _ = super::json::envelope(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = super::stix::Object::read(&text);
        super::pattern::read(&text, &mut super::stix::Named::default());
        let whole = indicator("2026-01-01T00:00:00.000Z", "");
        let part: String = whole.chars().take(cut).collect();
        let broken = format!("{part}{text}");
        let _ = super::stix::Object::read(&broken);
        let _ = is_event(&broken);
    }
}
