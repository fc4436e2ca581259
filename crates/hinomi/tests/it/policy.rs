//! `hinomi policy`, and what the ledger tells of rules, accounts and exports, with the real program.

use std::fs;

use serde_json::Value;

use crate::program::Installation;

const SCAN: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner=\"nmap\" start=\"1790000000\">\n\
     <host starttime=\"1790000000\"><status state=\"up\"/><address addr=\"192.0.2.7\" addrtype=\"ipv4\"/><ports>\
     <port protocol=\"tcp\" portid=\"23\"><state state=\"open\"/><service name=\"telnet\" method=\"probed\"/></port>\
     </ports></host>\n<runstats><finished time=\"1790000001\"/></runstats></nmaprun>\n";

fn entries(home: &Installation, kind: &str) -> Vec<Value> {
    let all = home.json_lines(&["ledger", "show", "--last", "200"]);
    all.into_iter().filter(|line| line["kind"] == kind).map(|line| line["entry"].clone()).collect()
}

#[test]
fn rules_are_checked_shown_and_asked() {
    let home = Installation::new();
    let built_in = home.json(&["policy", "check"]);
    let folder = home.state().join("policies");
    fs::create_dir_all(&folder).expect("made");
    let own = "@id(\"water\") @says(\"Waterworks know of one another\")\n\
         permit (principal is Member, action == Action::\"read\", resource is Record)\n\
         when { principal.sectors.contains(\"water\") && resource.tlp <= 2 };\n";
    fs::write(folder.join("own.cedar"), own).expect("written");
    let checked = home.json(&["policy", "check"]);
    assert_eq!(checked["rules"].as_u64(), built_in["rules"].as_u64().map(|rules| rules + 1));
    assert_ne!(checked["sha256"], built_in["sha256"]);
    assert!(home.succeed(&["policy", "show"]).contains("Waterworks know of one another"));
    for (id, sector) in [("works", "water"), ("city", "government")] {
        let add = ["organisation", "add", id, "--name-en", id, "--kind", "company", "--sector", sector];
        home.succeed(&[&add[..], &["--purpose", "exposure-reduction"]].concat());
    }
    let explain = |id: &str, rest: &[&str]| {
        home.json(&[&["policy", "explain", "--organisation", id, "--address", "192.0.2.7"], rest].concat())
    };
    let amber = ["--label", "amber"];
    let works = &explain("works", &amber)["records"][0];
    assert_eq!((&works["allowed"], &works["rules"][0]["id"]), (&true.into(), &"water".into()));
    let city = &explain("city", &amber)["records"][0];
    assert_eq!((&city["allowed"], city["rules"].as_array().map(Vec::len)), (&false.into(), Some(0)));
    let other = &explain("works", &["--label", "amber", "--marked", "research"])["records"][0];
    assert_eq!((&other["allowed"], &other["rules"][0]["id"]), (&false.into(), &"other-purpose".into()));
    let nobody = ["policy", "explain", "--organisation", "nobody", "--address", "192.0.2.7", "--label", "clear"];
    assert!(home.fail(&nobody).contains("no open organisation"));
    fs::write(folder.join("own.cedar"), "permit (principal, action, resource);").expect("written");
    assert!(home.fail(&["policy", "check"]).contains("@id"));
}

#[test]
fn accounts_exports_and_rules_are_entries() {
    let home = Installation::new();
    let scan = home.path("scan.xml");
    fs::write(&scan, SCAN).expect("written");
    home.succeed(&["import", scan.to_str().expect("a path")]);
    let out = home.path("all.jsonl");
    home.succeed(&["export", "--out", out.to_str().expect("a path")]);
    let sum = hinomi_share::ledger::sha256_hex(&fs::read(&out).expect("written"));
    let told = entries(&home, "export");
    assert_eq!((told.len(), &told[0]["sha256"], &told[0]["records"]), (1, &sum.into(), &1.into()));
    assert!(told[0]["by"]["name"].as_str().is_some_and(|name| name.starts_with("operator ")), "{told:?}");
    home.succeed(&["account", "add", "ann", "--administrator", "--no-password"]);
    let key = home.json(&["account", "key", "add", "ann", "test"]);
    home.succeed(&["account", "key", "revoke", "ann", key["id"].as_str().expect("an id")]);
    let done = entries(&home, "account");
    let changes: Vec<_> = done.iter().filter_map(|one| one["change"].as_str()).collect();
    assert_eq!(changes, ["added", "key-made", "key-revoked"]);
    assert!(
        done.iter().all(|one| one["account"] == "ann"
            && one["by"]["name"]
                == told[0]["by"]["name"]
                    .as_str()
                    .map(|name| name.split(" by ").next().unwrap_or_default())
                    .unwrap_or_default()),
        "{done:?}"
    );
    let secret = key["key"].as_str().and_then(|text| text.rsplit('_').next()).expect("a secret");
    assert!(!home.succeed(&["ledger", "show", "--last", "200"]).contains(secret), "no secret stands in the ledger");
    home.json(&["ledger", "check"]);
}

#[test]
fn rules_are_asked_with_the_as_of_then() {
    let home = Installation::new();
    let scan = home.path("scan.xml");
    fs::create_dir_all(home.state()).expect("made");
    for (asn, at) in [(64_500, 1_790_000_000), (64_501, 1_790_000_100)] {
        fs::write(home.state().join("places.csv"), format!("192.0.2.0/24,{asn},Somebody\n")).expect("written");
        fs::write(&scan, SCAN.replace("1790000000", &at.to_string())).expect("written");
        // Whoever writes keeps the table as it is.
        home.succeed(&["import", scan.to_str().expect("a path")]);
    }
    for (id, asn) in [("before", "AS64500"), ("after", "AS64501")] {
        let add = ["organisation", "add", id, "--name-en", id, "--kind", "company", "--purpose", "exposure-reduction"];
        home.succeed(&add);
        let claim = home.json(&["claim", "ask", id, asn])["number"].to_string();
        home.succeed(&["claim", "approve", &claim, "--from", "2020-01-01"]);
    }
    let may = |id: &str, at: &[&str]| {
        let asked = ["policy", "explain", "--organisation", id, "--address", "192.0.2.7", "--label", "amber"];
        home.json(&[&asked[..], at].concat())["records"][0]["allowed"].clone()
    };
    let then = ["--at", "2021-01-01"];
    assert_eq!((may("before", &then), may("before", &[])), (true.into(), false.into()));
    assert_eq!((may("after", &then), may("after", &[])), (false.into(), true.into()));
}
