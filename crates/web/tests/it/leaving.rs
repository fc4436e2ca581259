//! What leaves, what is done to accounts, and what each may see of both: told in the ledger, shown to whom it concerns.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hinomi_model::{Purpose, SystemClock};
use hinomi_share::ledger::{Actor, Event, Log, sha256_hex};
use hinomi_state::{NewPerson, PasswordHash, Role, Transaction};
use serde_json::Value;

use crate::sign_in::{Browser, WORD, inhabited};
use crate::world::World;

#[test]
fn what_leaves_is_told_with_its_sum_and_number() {
    let world = inhabited();
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    let departures = || std::mem::take(&mut *world.looks.departures.lock().expect("free"));
    for (format, lines) in [("jsonl", 0), ("csv", 1)] {
        let answer = eve.get(&format!("/api/v1/export?format={format}"));
        assert!(answer.status == 200 && answer.whole, "{format}");
        let told = departures();
        assert_eq!(told.len(), 1);
        let records = answer.text().lines().count() - lines;
        assert_eq!((told[0].format.as_str(), told[0].records, told[0].cut), (format, records as u64, false));
        assert_eq!(told[0].sha256, sha256_hex(&answer.body), "of the bytes that came");
        assert!(told[0].policies.is_empty(), "an analyst sees everything");
    }
    let parquet = eve.get("/api/v1/export?format=parquet&q=port:22");
    let told = departures();
    assert_eq!((told[0].sha256.clone(), told[0].cut), (sha256_hex(&parquet.body), false));
    // A question that is none leaves nothing; what cannot be told does not end as a whole file.
    assert_eq!(eve.get("/api/v1/export?q=port:x").status, 400);
    assert_eq!(departures(), []);
    world.looks.mute.store(true, Ordering::Relaxed);
    let untold = eve.get("/api/v1/export");
    assert!(untold.status != 200 || !untold.whole, "{}", untold.status);
    world.looks.mute.store(false, Ordering::Relaxed);
    // A member's export names the rules by which anything could pass.
    let mut ben = Browser::new(&world);
    ben.sign_in("ben", WORD);
    let answer = ben.get("/api/v1/export");
    let told = departures();
    assert!(answer.whole && answer.body.is_empty() && told[0].records == 0 && !told[0].cut);
    assert_eq!(told[0].policies.iter().map(String::as_str).collect::<Vec<_>>(), ["clear"], "he acts for nobody");
}

fn people(ann: &mut Browser<'_>, fields: &[(&str, &str)]) {
    let token = ann.token("/account/people");
    let answer = ann.post("/account/people", &[&[("token", token.as_str())], fields].concat());
    assert_eq!(answer.status, 200, "{fields:?}");
}

#[test]
fn changes_of_accounts_are_told_to_administrators_and_to_whom_they_concern() {
    let world = inhabited();
    let (mut ann, mut eve) = (Browser::new(&world), Browser::new(&world));
    ann.sign_in("ann", WORD);
    people(&mut ann, &[("do", "add"), ("name", "fay"), ("analyst", "yes")]);
    people(&mut ann, &[("do", "rights"), ("name", "fay"), ("administrator", "yes")]);
    people(&mut ann, &[("do", "close"), ("name", "fay")]);
    people(&mut ann, &[("do", "rights"), ("name", "eve"), ("analyst", "yes")]);
    eve.sign_in("eve", WORD);
    let token = eve.token("/account");
    let key = [("token", token.as_str()), ("do", "add-key"), ("label", "x"), ("days", "30"), ("purpose", "research")];
    assert_eq!(eve.post("/account", &key).status, 200);
    let told = |answer: &serde_json::Value| -> Vec<String> {
        let entries = answer["entries"].as_array().expect("entries");
        let text = |one: &serde_json::Value| one.as_str().unwrap_or_default().to_owned();
        let line = |one: &serde_json::Value| {
            let entry = &one["entry"];
            format!("{} {} by {}", text(&entry["account"]), text(&entry["change"]), text(&entry["by"]["name"]))
        };
        entries.iter().map(line).collect()
    };
    let mut all = told(&ann.get("/api/v1/ledger?of=accounts&limit=6").json());
    all.reverse();
    let expected = [
        "fay added by ann",
        "fay invited by ann",
        "fay rights-set by ann",
        "fay closed by ann",
        "eve rights-set by ann",
        "eve key-made by eve",
    ];
    assert_eq!(all, expected);
    // Page by page, without a gap.
    let first = ann.get("/api/v1/ledger?of=accounts&limit=2").json();
    let next = first["before"].as_u64().expect("more");
    let second = ann.get(&format!("/api/v1/ledger?of=accounts&limit=2&before={next}")).json();
    assert_eq!(told(&second), ["fay closed by ann", "fay rights-set by ann"]);
    // Others are told of their own account alone.
    assert_eq!(eve.get("/api/v1/ledger?of=accounts").status, 403);
    let own = told(&eve.get("/api/v1/ledger").json());
    assert_eq!(own[..2], ["eve key-made by eve", "eve rights-set by ann"]);
    assert!(own.iter().all(|line| line.starts_with("eve ")), "{own:?}");
    for bad in ["of=all", "limit=0", "before=x", "mine"] {
        assert_eq!(eve.get(&format!("/api/v1/ledger?{bad}")).status, 400, "{bad}");
    }
    let page = ann.get("/entitlement").text();
    assert!(page.contains("Changes of accounts") && page.contains("fay: closed"), "{page}");
    assert!(!eve.get("/entitlement").text().contains("fay"));
}

#[test]
fn everybody_is_told_what_they_may_see_and_nothing_of_others() {
    let world = inhabited();
    let (mut ben, mut eve) = (Browser::new(&world), Browser::new(&world));
    ben.sign_in("ben", WORD);
    eve.sign_in("eve", WORD);
    let may = ben.get("/api/v1/entitlement").json();
    assert_eq!((&may["everything"], &may["purpose"]), (&false.into(), &"exposure-reduction".into()));
    assert_eq!(may["labels"][0], serde_json::json!({ "label": "TLP:CLEAR", "anywhere": true, "held": false }));
    assert_eq!(may["labels"][2], serde_json::json!({ "label": "TLP:AMBER", "anywhere": false, "held": false }));
    assert!(may["rules"].as_array().expect("rules").iter().any(|rule| rule["id"] == "holder"));
    assert_eq!(ben.get("/api/v1/hosts/192.0.2.10/why").status, 404, "not seen, so nothing to tell");
    assert_eq!(ben.get("/api/v1/hosts/203.0.113.1/why").status, 404, "alike where nothing is");
    let page = ben.get("/entitlement?address=192.0.2.10");
    let text = page.text();
    assert!(page.status == 200 && text.contains("Nothing is seen there by you") && text.contains("wherever it is"));
    assert!(text.contains("who held the address when it was seen may know") && !text.contains(">eve<"));
    assert!(eve.get("/api/v1/entitlement").json()["everything"] == true);
    let why = eve.get("/api/v1/hosts/192.0.2.10/why").json();
    assert_eq!((why["everything"].clone(), why["services"].as_array().map(Vec::len)), (true.into(), Some(2)));
    assert!(eve.get("/hosts/192.0.2.10").text().contains("/entitlement?address=192.0.2.10"));
    assert_eq!(eve.get("/entitlement?address=nowhere").status, 400);
    let root = eve.get("/taxii2/default/").json();
    assert!(root["description"].as_str().is_some_and(|text| text.contains("/api/v1/entitlement")));
    // The rules that count stand in the status of who sees everything.
    assert!(eve.get("/api/v1/status").json()["policies"]["sha256"].as_str().is_some_and(|sum| sum.len() == 64));
    assert!(ben.get("/api/v1/status").json()["policies"].is_null());
    let alone = World::at_rest();
    assert_eq!(alone.get("/api/v1/ledger").status, 200, "whoever is at the machine");
}

/// Somebody who acts for these shops.
fn keeper(world: &World, name: &str, shops: &[String]) {
    let database = world.accounts.database().expect("a state");
    if world.accounts.person(name).expect("asked").is_none() {
        let password = Some(PasswordHash::of(WORD, name).expect("a password"));
        let (name, full_name) = (name.to_owned(), String::new());
        let new = NewPerson { name, full_name, administrator: false, analyst: false, password };
        world.accounts.add(&new, hinomi_model::Clock::now(&*world.clock)).expect("an account");
    }
    let id = world.accounts.person(name).expect("asked").expect("there").id;
    let enter = |step: &mut Transaction<'_>| {
        for shop in shops {
            let known = "INSERT INTO organisations (id, name_ja, name_en, kind, own, created) \
                         VALUES ($1, '', $1, 'company', 0, 0) ON CONFLICT DO NOTHING";
            step.execute(known, &[shop.into()])?;
            let of = "INSERT INTO memberships (person, organisation, role) VALUES ($1, $2, 'editor')";
            step.execute(of, &[(&id).into(), shop.into()])?;
        }
        Ok(())
    };
    database.transact(enter).expect("entered");
}

#[test]
fn who_acts_for_thousands_is_served_and_each_of_them_finds_what_was_looked_at() {
    let world = inhabited();
    let shops: Vec<String> = (0..3_000).map(|at| format!("shop-{at}")).collect();
    keeper(&world, "ben", &shops);
    keeper(&world, "dan", &shops[7..8]);
    keeper(&world, "fay", &["shop-9999".to_owned()]);
    let database = world.accounts.database().expect("a state");
    let log = Log::open(&database, world.folder.path(), Arc::new(SystemClock)).expect("a ledger");
    let by = Actor { name: "ben".into(), organisations: shops.iter().cloned().collect(), ..Actor::default() };
    let by = Actor { purpose: Some(Purpose::ExposureReduction), ..by };
    let question = Some(sha256_hex(b"net:192.0.2.0/24"));
    let look = log.append(Event::Look { by: by.clone(), what: "search".into(), question }).expect("written");
    let (format, records, sha256) = ("csv".to_owned(), 2, sha256_hex(b"x"));
    let export = Event::Export { by, format, records, sha256, policies: Default::default(), cut: false };
    let left = log.append(export).expect("written");
    let entries = |browser: &mut Browser<'_>| -> Vec<Value> {
        let answer = browser.get("/api/v1/ledger").json();
        let all = answer["entries"].as_array().expect("entries").clone();
        all.into_iter().filter(|one| one["entry"]["event"] == "look" || one["entry"]["event"] == "export").collect()
    };
    let [mut ben, mut dan, mut fay] = ["ben", "dan", "fay"].map(|name| {
        let mut browser = Browser::new(&world);
        assert_eq!(browser.sign_in(name, WORD).status, 303, "{name}");
        browser
    });
    assert_eq!(ben.get("/api/v1/search?q=port:22").status, 200);
    assert_eq!(ben.get("/organisation/alerts").status, 200);
    let own = entries(&mut ben);
    assert_eq!(own.iter().map(|one| one["place"].as_u64()).collect::<Vec<_>>(), [Some(left), Some(look)]);
    assert_eq!(own[1]["entry"]["by"]["group"]["organisations"], 3_000, "{own:?}");
    let told = |dan: &mut Browser<'_>, fay: &mut Browser<'_>| {
        let seen = entries(dan);
        assert_eq!(seen.len(), 2, "{seen:?}");
        for one in &seen {
            let by = &one["entry"]["by"];
            assert_eq!((&by["name"], &by["organisations"]), (&"ben".into(), &serde_json::json!(["shop-7"])));
            assert!(by.get("group").is_none(), "for whom besides is not told: {one}");
            assert!(one["entry"].get("question").is_none(), "nor at what: {one}");
        }
        assert_eq!(entries(fay), Vec::<Value>::new());
    };
    told(&mut dan, &mut fay);
    // Also when he does not act for it any more.
    world.accounts.set_role("ben", "shop-7", None::<Role>).expect("ended");
    told(&mut dan, &mut fay);
}
