//! What leaves, what is done to accounts, and what each may see of both: told in the ledger, shown to whom it concerns.

use std::sync::atomic::Ordering;

use hinomi_share::ledger::sha256_hex;

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
