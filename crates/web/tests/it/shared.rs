//! What organisations share: given and taken over TAXII with the client of OASIS, object by object as each may see it.

use std::process::Command;
use std::time::Duration;

use hinomi_model::Purpose;
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
        assert!(expected == 202 || answer.json()["http_status"] == expected.to_string(), "{}", answer.text());
    }
    let told = give(&world, &writer, "shared", &deep, TAXII).json();
    assert_eq!((&told["success_count"], &told["failure_count"]), (&0.into(), &1.into()), "{told}");
    assert_eq!(status(&vec![b' '; (5 << 20) + 1], TAXII), 413);
    assert_eq!(give(&world, &reader, "shared", empty, TAXII).status, 403, "a key that only reads");
    assert_eq!(give(&world, &writer, "services", empty, TAXII).status, 403);
    assert_eq!(give(&world, &writer, "shared-exercise", empty, TAXII).status, 403);
    assert_eq!(give(&world, &writer, "none", empty, TAXII).status, 404);
    let bare = ask(world.address, "POST", "/taxii2/default/collections/shared/objects/", TAXII);
    assert_eq!(bare.status, 401);
}
