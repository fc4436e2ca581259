//! `hinomi lake`: checked, backed up, held, erased and restored by the program itself.

use std::path::Path;

use crate::program::Installation;

/// Addresses of the services that are found.
fn addresses(home: &Installation, state: &Path) -> Vec<String> {
    let output = home.run(&["search", "--json", "--limit", "1000"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(state.exists());
    let found = told["matches"].as_array().expect("matches").iter();
    found.map(|one| one["address"].as_str().expect("an address").to_owned()).collect()
}

#[test]
fn a_lake_is_kept_backed_up_erased_and_restored() {
    let home = Installation::new();
    let scan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lake/tests/fixtures/scans/nmap.xml");
    home.succeed(&["import", scan.to_str().expect("a path")]);
    let all = addresses(&home, &home.state());
    let one = all.first().expect("services").clone();
    assert!(home.json(&["lake", "check", "--deep"]).as_array().is_some_and(|shelves| shelves.len() == 5));
    assert!(home.json(&["lake", "status"])["sightings"]["rows"].as_u64() > Some(0));
    let backup = home.path("backup");
    let backup = backup.to_str().expect("a path");
    assert_eq!(home.json(&["lake", "backup", backup])["number"], 1);
    home.succeed(&["lake", "hold", "add", "case", "--prefix", &one, "--reason", "a test"]);
    let held = home.json(&["lake", "erase", &one, "--reason", "a test"]);
    assert!(held["sightings"] == 0 && held["held"].as_u64() > Some(0), "{held}");
    home.succeed(&["lake", "hold", "release", "case", "--reason", "it is over"]);
    let erased = home.json(&["lake", "erase", &one, "--reason", "a test"]);
    assert!(erased["sightings"].as_u64() > Some(0), "{erased}");
    assert!(!addresses(&home, &home.state()).contains(&one));
    let proof = home.json(&["lake", "ledger"]);
    assert_eq!(proof["size"], 3);
    assert!(!proof.to_string().contains(&one));
    // The backup held it; the restore does not bring it back.
    std::fs::remove_dir_all(home.state()).expect("removed");
    assert_eq!(home.json(&["lake", "restore", backup])["erasures"], 1);
    let left = addresses(&home, &home.state());
    assert!(!left.contains(&one) && !left.is_empty());
    assert!(home.fail(&["lake", "restore", backup]).contains("not empty"));
    // Damage has an exit code of its own, and what is derived is made again.
    std::fs::write(home.state().join("index/CURRENT"), "nonsense").expect("written");
    assert_eq!(home.run(&["lake", "check"]).status.code(), Some(4));
    home.succeed(&["lake", "check", "--mend"]);
    assert_eq!(addresses(&home, &home.state()), left);
}

#[test]
fn many_imports_leave_few_files_and_what_happened_is_told() {
    let home = Installation::new();
    for day in 1..=10 {
        let scan = home.path("scan.list");
        let line = format!("open tcp 22 192.0.2.9 {}\n", 1_790_000_000 + day * 86_400);
        std::fs::write(&scan, format!("#masscan\n{line}# end\n")).expect("written");
        home.succeed(&["import", "--format", "masscan-list", scan.to_str().expect("a path")]);
    }
    let status = home.json(&["lake", "status"]);
    assert_eq!(status["sightings"]["rows"], 10);
    assert!(status["sightings"]["files"].as_u64() < Some(10), "{status}");
    assert!(status["compaction"]["last"]["time"].is_string(), "{status}");
    assert!(home.succeed(&["lake", "status"]).contains("compaction: 2"));
    let events = home.json_lines(&["changes", "net:192.0.2.0/24"]);
    assert_eq!((events.len(), &events[0]["what"]), (1, &"opened".into()), "{events:?}");
    assert!(home.succeed(&["changes"]).contains("192.0.2.9:22/tcp"));
    assert!(home.json_lines(&["changes", "--from", "2100-01-01"]).is_empty());
    assert!(home.fail(&["changes", "prot:ssh"]).contains('^'));
    assert_eq!(home.json(&["watch", "status"])["queries"], 0);
}
