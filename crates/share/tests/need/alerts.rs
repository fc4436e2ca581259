//! Alerts of members: each organisation is told of what single records may be read by it, and of nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use hinomi_model::{Purpose, Sighting};
use hinomi_share::alert::members::{new_watch, plan};
use hinomi_share::policy::Member;
use hinomi_share::register::Register;
use hinomi_share::rules::Rules;
use hinomi_share::{ArrivedRequest, Reader};
use hinomi_state::alerts::{NewChannel, Way};
use hinomi_state::contacts::Language;
use hinomi_state::organisations::{Deed, Kind, Profile};
use hinomi_state::{Database, Target};
use proptest::prelude::*;
use serde_json::Value;

use crate::questions::visible;
use crate::world::{DAYS, World, day, register, sightings};

const QUERIES: [&str; 3] = ["port:22", "has:closed OR -has:closed", "version:9.1"];

/// A state with two organisations that have these saved queries, and a feed for all of them.
fn state(folder: &tempfile::TempDir) -> Database {
    let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).expect("a database");
    let deed = Deed { by: "a tester", now: day(0) };
    for id in ["city", "port"] {
        let profile = Profile { name_ja: id.into(), name_en: id.into(), sector: None, kind: Kind::Company, own: false };
        database.add_organisation(deed, id, &profile).expect("an organisation");
        for query in QUERIES {
            let new = new_watch(query, query, Purpose::ExposureReduction, 0).expect("a query");
            database.add_member_watch(deed, id, &new).expect("saved");
        }
        let (language, watches, quiet) = (Language::En, BTreeSet::new(), None);
        let said =
            NewChannel { to: Way::Feed, language, watches, every_minutes: 0, again_hours: 0, quiet, monthly: false };
        let ask = |_: &str| unreachable!("a feed needs no code");
        database.add_member_channel(deed, (id, "feed"), (&said, 0), &ask).expect("a channel");
    }
    database
}

/// What was told, in words that name the change and the saved query.
fn told(database: &Database, organisation: &str) -> BTreeSet<String> {
    let messages = database.member_messages(organisation, "feed", 1_000).expect("messages").expect("a channel");
    let events = |text: &String| serde_json::from_str::<Vec<Value>>(text).expect("events");
    let lines = |event: Value| -> Vec<String> {
        let queries = event["queries"].as_array().expect("queries").clone();
        let name = |query: &Value| {
            format!("{} {} {} {} {query}", event["time"], event["service"], event["what"], event["after"])
        };
        queries.iter().map(name).collect()
    };
    messages.iter().flat_map(|one| events(&one.events)).flat_map(lines).collect()
}

/// What a reader of a lake is told that arrives in it.
fn arrives(reader: &Reader) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for query in QUERIES {
        let mut after = "0".to_owned();
        loop {
            let asked = ArrivedRequest { query: query.to_owned(), after, limit: 50, within: None };
            let page = reader.arrived(&asked).expect("arrived");
            for one in page.events {
                let event = serde_json::to_value(&one.event).expect("JSON");
                let name = Value::from(query);
                lines.insert(format!(
                    "{} {} {} {} {name}",
                    event["time"], event["service"], event["what"], event["after"]
                ));
            }
            after = page.next;
            if !page.more {
                break;
            }
        }
    }
    lines
}

/// A lake that holds only what this organisation may read, one by one.
fn alone(all: &[Sighting], rules: &Rules, organisation: &str, register: &Register) -> World {
    let member = Member {
        name: "tester".to_owned(),
        organisations: BTreeSet::from([organisation.to_owned()]),
        purpose: Purpose::ExposureReduction,
    };
    World::of(&visible(all, rules, &member, register))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, ..ProptestConfig::default() })]

    /// Two organisations, claims in time, markings: what each is told is what a lake of its own records would tell.
    #[test]
    fn each_organisation_is_told_of_what_it_may_read_record_by_record(register in register(), all in sightings()) {
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let world = World::of(&all);
        let folder = tempfile::tempdir().expect("a folder");
        let database = state(&folder);
        let door = world.door(&register, &rules);
        plan(&door, &database, day(DAYS)).expect("planned");
        for organisation in ["city", "port"] {
            let expected = arrives(&alone(&all, &rules, organisation, &register).reader);
            prop_assert_eq!(told(&database, organisation), expected, "{}", organisation);
        }
        prop_assert_eq!(plan(&door, &database, day(DAYS)).expect("planned"), 0, "nothing is told twice");
    }
}
