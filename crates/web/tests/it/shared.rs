//! What organisations share: given and taken over TAXII with the client of OASIS, object by object as each may see it.

use std::process::Command;
use std::time::Duration;

use hinomi_model::{Purpose, Tlp};
use hinomi_share::objects::{Giver, Shelf, Terms};
use hinomi_state::organisations::{Bulk, Deed};
use hinomi_state::{Accounts, NewKey, NewPerson, Role};

use crate::client::{Answer, ask, raw};
use crate::world::{NOW, World, stand_aside, time};

/// Three organisations, two of which are in an audience whose members do not know of each other.
const DOCUMENT: &str = "
format = 1
[[audience]]
id = 'isac'
name_en = 'ISAC'
hidden = true
[[organisation]]
id = 'city'
name_en = 'City'
kind = 'municipality'
purposes = ['exposure-reduction']
audiences = ['isac']
[[organisation.claim]]
subject = '198.51.100.0/24'
from = '2026-01-01'
until = '2027-01-01'
[[organisation]]
id = 'port'
name_en = 'Port'
kind = 'municipality'
purposes = ['exposure-reduction']
audiences = ['isac']
[[organisation.claim]]
subject = '203.0.113.0/24'
from = '2026-01-01'
until = '2027-01-01'
[[organisation]]
id = 'ward'
name_en = 'Ward'
kind = 'municipality'
purposes = ['exposure-reduction']
";

/// The three with an editor each.
pub(crate) fn town() -> World {
    World::organised(crate::taxii::marked(), |accounts| {
        let database = accounts.database().expect("a state");
        let bulk = Bulk::from_toml(DOCUMENT).expect("a register");
        database.import_register(Deed { by: "t", now: time("2026-02-01T00:00:00Z") }, &bulk).expect("entered");
        let (name, full_name) = ("ann".to_owned(), String::new());
        let first = NewPerson { name, full_name, administrator: true, analyst: false, password: None };
        accounts.add(&first, time(NOW)).expect("an account");
        for name in ["city", "port", "ward"] {
            person(accounts, name);
        }
    })
}

fn person(accounts: &Accounts, name: &str) {
    let (name, full_name) = (format!("{name}-editor"), String::new());
    let new = NewPerson { name: name.clone(), full_name, administrator: false, analyst: false, password: None };
    accounts.add(&new, time(NOW)).expect("an account");
    let organisation = name.trim_end_matches("-editor");
    accounts.set_role(&name, organisation, Some(Role::Editor)).expect("a role");
}

/// A key of an organisation's editor.
pub(crate) fn key(world: &World, organisation: &str, writes: bool) -> String {
    let person = world.accounts.person(&format!("{organisation}-editor")).expect("asked").expect("there");
    let new = NewKey {
        label: "test".into(),
        organisation: None,
        purpose: Purpose::ExposureReduction,
        writes,
        kinds: Vec::new(),
        expires: time(NOW).plus(Duration::from_secs(86_400)),
    };
    world.accounts.add_key(&person.id, &new, time(NOW)).expect("a key").0.reveal()
}

/// Gives an envelope as it stands.
pub(crate) fn give(world: &World, key: &str, collection: &str, envelope: &[u8], headers: &str) -> Answer {
    let head = format!(
        "POST /taxii2/default/collections/{collection}/objects/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {key}\r\nContent-Length: {}\r\n{headers}\r\n",
        envelope.len()
    );
    raw(world.address, &[head.as_bytes(), envelope].concat())
}

/// The media type in both directions.
pub(crate) const TAXII: &str =
    "Content-Type: application/taxii+json;version=2.1\r\nAccept: application/taxii+json;version=2.1\r\n";

#[test]
fn the_client_of_oasis_gives_and_each_sees_what_is_for_them() {
    let Some(python) = std::env::var_os("HINOMI_TAXII_PYTHON") else {
        return stand_aside("HINOMI_TAXII_PYTHON names no Python with taxii2-client");
    };
    let world = town();
    let keys: Vec<(&str, String)> = vec![
        ("city", key(&world, "city", true)),
        ("reader", key(&world, "city", false)),
        ("port", key(&world, "port", true)),
        ("ward", key(&world, "ward", true)),
    ];
    let keys = serde_json::to_string(&keys.into_iter().collect::<std::collections::BTreeMap<_, _>>()).expect("JSON");
    let bundle = world.folder.path().join("bundle.json");
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/taxii_shared.py"));
    let output = command.arg(format!("http://{}", world.address)).arg(keys).arg(&bundle).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let Some(validator) = std::env::var_os("HINOMI_STIX_VALIDATOR") else {
        return stand_aside("HINOMI_STIX_VALIDATOR names no stix2_validator");
    };
    let output = Command::new(validator).args(["--version", "2.1"]).arg(&bundle).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn hostile_envelopes_are_refused_by_the_book() {
    let world = town();
    let (writer, reader) = (key(&world, "city", true), key(&world, "city", false));
    let status = |body: &[u8], headers: &str| give(&world, &writer, "shared", body, headers).status;
    let empty = br#"{"objects":[]}"#;
    assert_eq!(status(empty, TAXII), 202);
    assert_eq!(status(empty, "Content-Type: application/json\r\n"), 415);
    assert_eq!(status(empty, "Content-Type: application/taxii+json;version=2.0\r\n"), 415);
    assert_eq!(status(empty, ""), 415);
    assert_eq!(status(empty, "Content-Type: application/taxii+json;version=2.1\r\nAccept: text/html\r\n"), 406);
    let deep = [&br#"{"objects":["#[..], &b"[".repeat(200_000), &b"]".repeat(200_000), b"]}"].concat();
    let many = [&br#"{"objects":["#[..], &b"1,".repeat(6_000), b"1]}"].concat();
    let twice = br#"{"objects":[],"objects":[]}"#;
    for (body, expected) in [
        (&b"nothing"[..], 400),
        (b"", 400),
        (b"[]", 400),
        (b"{\"objects\":[{\"id\":\"\xff\"}]}", 400),
        (twice, 400),
        (&many, 413),
        (&deep, 202),
    ] {
        let answer = give(&world, &writer, "shared", body, TAXII);
        assert_eq!(answer.status, expected, "{}", answer.text());
        assert!(expected == 202 || answer.json()["http_status"] == *expected.to_string(), "{}", answer.text());
    }
    let told = give(&world, &writer, "shared", &deep, TAXII).json();
    assert_eq!((&told["success_count"], &told["failure_count"]), (&0.into(), &1.into()), "{told}");
    // Said before anything is sent.
    let head = format!(
        "POST /taxii2/default/collections/shared/objects/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {writer}\r\nContent-Length: {}\r\n{TAXII}\r\n",
        (5 << 20) + 1
    );
    assert_eq!(raw(world.address, head.as_bytes()).status, 413);
    assert_eq!(give(&world, &reader, "shared", empty, TAXII).status, 403, "a key that only reads");
    assert_eq!(give(&world, &writer, "services", empty, TAXII).status, 403);
    assert_eq!(give(&world, &writer, "shared-exercise", empty, TAXII).status, 403);
    assert_eq!(give(&world, &writer, "none", empty, TAXII).status, 404);
    let bare = ask(world.address, "POST", "/taxii2/default/collections/shared/objects/", TAXII);
    assert_eq!(bare.status, 401);
}

/// An event of MISP, odd enough that bytes show.
const EVENT: &str = r##"{ "Event" : {"uuid":"5a0c2f3e-0000-4000-8000-000000000001","info":"Botnet","timestamp":"1790000000",
 "distribution":"3","date":"2026-09-21","analysis":"2","threat_level_id":"2",
 "Orgc":{"name":"X","uuid":"5a0c2f3e-0000-4000-8000-000000000009"},"Tag":[{"name":"tlp:LABEL","colour":"#33ff00"}],
 "Attribute":[{"uuid":"5a0c2f3e-0000-4000-8000-000000000002","type":"ip-dst|port","category":"Network activity",
 "value":"198.51.100.3|6667","to_ids":true,"distribution":"5","timestamp":"1790000000"}]} }"##;

/// Takes an event for this installation.
fn take_event(world: &World, number: char, label: &str) -> String {
    take_text(world, number, label, EVENT)
}

/// The same of another text.
fn take_text(world: &World, number: char, label: &str, text: &str) -> String {
    let text = text.replace("LABEL", label).replace("00000001", &format!("0000001{number}"));
    let shelf = Shelf::new(world.accounts.database().expect("a state"));
    let giver = Giver { organisation: String::new(), name: "t".into(), purpose: Purpose::ExposureReduction };
    let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "file", asn: &|_, _| None };
    let report = shelf.give_event(&terms, &text, time(NOW)).expect("taken");
    assert_eq!(report.successes.len(), 1, "{report:?}");
    text
}

#[test]
fn the_feed_of_misp_is_what_each_may_see_and_pymisp_agrees() {
    let Some(python) = std::env::var_os("HINOMI_MISP_PYTHON") else {
        return stand_aside("HINOMI_MISP_PYTHON names no Python with pymisp");
    };
    let world = town();
    let (green, amber) = (take_event(&world, '1', "green"), take_event(&world, '2', "amber"));
    take_event(&world, '3', "red");
    let keys: Vec<(&str, String)> =
        ["city", "port", "ward"].into_iter().map(|name| (name, key(&world, name, false))).collect();
    let city = keys[0].1.clone();
    let keys = serde_json::to_string(&keys.into_iter().collect::<std::collections::BTreeMap<_, _>>()).expect("JSON");
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/misp_feed.py"));
    let output = command.arg(format!("http://{}", world.address)).arg(keys).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let count = |name: &str, info: &str| {
        let all = told[name].as_array().expect("a list").iter();
        all.filter(|one| one.as_str().expect("text").starts_with(info)).count()
    };
    // The city holds the addresses: up to AMBER+STRICT of services (ten of twelve are not RED, one is elsewhere).
    assert_eq!([count("city", "Botnet"), count("port", "Botnet"), count("ward", "Botnet")], [2, 1, 1], "{told}");
    assert!(count("city", "Services") > count("ward", "Services") && count("ward", "Services") > 0, "{told}");
    assert_eq!(count("port", "Services"), count("ward", "Services"), "{told}");
    for (number, text) in [('1', green), ('2', amber)] {
        let path = format!("/compat/misp/feed/5a0c2f3e-0000-4000-8000-00000000001{number}.json");
        let answer = ask(world.address, "GET", &path, &format!("Authorization: {city}\r\n"));
        assert_eq!(answer.text(), text, "the bytes as they came");
    }
    for list in ["manifest.json", "hashes.csv"] {
        let path = format!("/compat/misp/feed/{list}");
        let answer = ask(world.address, "GET", &path, &format!("Authorization: {city}\r\n"));
        assert!(answer.status == 200 && answer.whole && !answer.body.is_empty(), "{list}");
        assert_eq!(answer.header("content-length"), "", "nobody knows how long it will be: it is written as it goes");
        assert_eq!(ask(world.address, "GET", &path, "").status, 401);
    }
}

#[test]
fn searches_of_misp_tell_events_of_others_as_the_feed_does() {
    let Some(python) = std::env::var_os("HINOMI_MISP_PYTHON") else {
        return stand_aside("HINOMI_MISP_PYTHON names no Python with pymisp");
    };
    let world = town();
    let domain = r#"{"uuid":"5a0c2f3e-0000-4000-8000-000000000003","type":"domain","category":"Network activity",
        "value":"evil.example","to_ids":true,"distribution":"5","timestamp":"1790000000"},{"uuid":"#;
    for (number, label, info) in [('1', "green", "Green"), ('2', "amber", "Amber"), ('3', "red", "Red")] {
        let text =
            EVENT.replace("Botnet", info).replacen("\"Attribute\":[{\"uuid\":", &format!("\"Attribute\":[{domain}"), 1);
        assert_ne!(text, EVENT);
        take_text(&world, number, label, &text);
    }
    // A newer version says nothing of the name any more: what it said before does not count.
    take_text(&world, '4', "green", &EVENT.replace("198.51.100.3|6667", "192.0.2.77|80").replace("Botnet", "Old"));
    take_text(&world, '4', "green", &EVENT.replace("1790000000", "1790000009").replace("Botnet", "New"));
    let names = ["city", "port", "ward"];
    let keys: std::collections::BTreeMap<&str, String> =
        names.into_iter().map(|name| (name, key(&world, name, false))).collect();
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/misp_others.py"));
    command.arg(format!("http://{}", world.address)).arg(serde_json::to_string(&keys).expect("JSON"));
    let output = command.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for (name, seen) in
        [("city", &["Amber", "Green", "New"][..]), ("port", &["Green", "New"]), ("ward", &["Green", "New"])]
    {
        let named: Vec<&str> = seen.iter().copied().filter(|one| *one != "New").collect();
        let by = &told[name]["by"];
        assert_eq!(told[name]["others"], serde_json::json!(seen), "{told}");
        assert_eq!(by["198.51.100.3|6667"], serde_json::json!(seen), "{told}");
        assert_eq!(by["198.51.100.0/29"], serde_json::json!(seen), "{told}");
        assert_eq!((&by["evil.example"], &by["EVIL.example"]), (&serde_json::json!(named), &serde_json::json!(named)));
        assert_eq!(
            (&by["192.0.2.77"], &by["nothing.example"]),
            (&serde_json::json!([]), &serde_json::json!([])),
            "{told}"
        );
        assert_eq!(told[name]["domains"], serde_json::json!(vec!["evil.example"; named.len()]), "{told}");
        assert_eq!(told[name]["events of domains"], serde_json::json!(named), "{told}");
        assert_eq!(told[name]["attributes"], serde_json::json!(vec!["198.51.100.3|6667"; seen.len()]), "{told}");
    }
}

#[test]
fn pages_of_searches_of_misp_are_bounded_in_bytes() {
    let world = World::with(crate::taxii::marked(), std::sync::Arc::new(hinomi_web::NoSurveys));
    let padded = format!("\"pad\":\"{}\",\"info\"", "x".repeat(5_000_000));
    for number in '1'..='7' {
        take_text(&world, number, "green", &EVENT.replacen("\"info\"", &padded, 1));
    }
    let search = |what: &str, more: &str| {
        let body = format!(r#"{{"value":"198.51.100.3|6667"{more}}}"#);
        let head = format!(
            "POST /compat/misp/{what}/restSearch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            "K".repeat(40),
            body.len()
        );
        raw(world.address, head.as_bytes())
    };
    let refused = search("events", "");
    assert!(refused.status == 400 && refused.text().contains("ask for fewer"), "{}", refused.status);
    let six = search("events", r#","limit":6"#);
    assert_eq!((six.status, six.json()["response"].as_array().map(Vec::len)), (200, Some(6)));
    let attributes = search("attributes", "");
    assert_eq!(attributes.status, 200);
    assert_eq!(attributes.json()["response"]["Attribute"].as_array().map(Vec::len), Some(7), "they alone are told");
}

#[test]
fn pages_and_the_api_tell_what_others_say_to_whoever_may_know() {
    let world = town();
    take_event(&world, '2', "amber");
    let hostile = crate::world::HOSTILE.replace('"', "\\\"");
    let object = format!(
        r#"{{"objects":[{{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-000000000001",
        "created":"2026-11-01T00:00:00.000Z","modified":"2026-11-01T00:00:00.000Z","name":"{hostile}","pattern_type":"stix",
        "pattern":"[ipv4-addr:value ISSUBSET '198.51.100.0/28' OR domain-name:value = 'evil.example']",
        "valid_from":"2026-11-01T00:00:00Z","valid_until":"2026-11-10T00:00:00Z",
        "object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]}}]}}"#
    );
    let port = key(&world, "port", true);
    let given = give(&world, &port, "shared", object.as_bytes(), TAXII);
    assert_eq!((given.status, &given.json()["success_count"]), (202, &1.into()), "{}", given.text());
    let said = |organisation: &str, about: &str| {
        let target = format!("/api/v1/objects?{about}");
        let answer = crate::keys::bearer(&world, &key(&world, organisation, false), &target);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let document = crate::schema::description();
        let schema = serde_json::json!({ "$ref": "#/components/schemas/SaidList" });
        assert_eq!(crate::schema::faults(&document, &schema, &answer.json(), "it"), Vec::<String>::new());
        answer.json()["objects"].as_array().expect("a list").clone()
    };
    let kinds = |organisation: &str, about: &str| {
        let all = said(organisation, about);
        all.iter().map(|one| one["kind"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("city", "address=198.51.100.3"), ["indicator", "misp-event"]);
    assert_eq!(kinds("ward", "address=198.51.100.3"), ["indicator"]);
    assert_eq!(kinds("ward", "value=EVIL.example"), ["indicator"]);
    assert!(kinds("ward", "address=198.51.100.16").is_empty());
    let one = &said("ward", "address=198.51.100.3")[0];
    assert_eq!((&one["source"], &one["own"], &one["holds"]), (&"port".into(), &false.into(), &false.into()));
    assert_eq!(said("port", "address=198.51.100.3")[0]["own"], true);
    for bad in ["", "address=x", "address=192.0.2.1&value=x", "value=", "q=x"] {
        let answer = crate::keys::bearer(&world, &port, &format!("/api/v1/objects?{bad}"));
        assert_eq!(answer.status, 400, "{bad}");
    }
    // On the page of a host, for whoever is at the machine of an installation without accounts.
    let open = World::with(crate::taxii::marked(), std::sync::Arc::new(hinomi_web::NoSurveys));
    take_event(&open, '2', "amber");
    for (language, words) in [("en", "What others say about this address"), ("ja", "他の組織が伝えていること")]
    {
        let page = open.page("/hosts/198.51.100.3", language);
        assert!(page.contains(words) && page.contains("Botnet") && page.contains("TLP:AMBER"), "{page}");
        assert!(!open.page("/hosts/198.51.100.4", language).contains(words));
    }
}
