//! Where to look next: lists of targets are visited and nothing else, a killed survey of a list goes on with the same
//! one, and what is proposed is found.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{HINOMI, Installation, alone, finish, until};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// A town with every host of it in one network, and the scope of it.
fn town(here: &Installation, base: &str, seed: &str) -> (impl Drop + use<>, std::path::PathBuf) {
    let arguments = ["town", "up", "--json", "--size", "512", "--seed", seed, "--base", base];
    let (town, first) = here.start(&arguments);
    let up: Value = serde_json::from_str(&first).expect("the town");
    let ports = |name: &str| up[name].as_str().expect("ports").to_owned();
    let scope = here.scope("next", &[&format!("{base}/23")], &ports("tcp_ports"), &ports("udp_ports"));
    (town, scope)
}

#[test]
fn a_list_is_visited_and_nothing_else() {
    let here = Installation::new();
    let scope = here.scope("listed", &["127.97.0.0/24"], "80,81", "");
    let list = here.path("list");
    let lines =
        "# why\n127.97.0.7 80/tcp # likely\n127.97.0.7 80/tcp\n127.97.0.9\n127.97.1.1 80/tcp\n127.97.0.8 22/tcp\n";
    std::fs::write(&list, lines).expect("written");
    let planned =
        here.json(&["campaign", "new", "--scope", text(&scope), "--targets", text(&list), "--name", "listed"]);
    let plan = &planned["plan"];
    assert_eq!((&plan["targets"], &plan["addresses"]["left"], &plan["prefixes"]), (&3.into(), &2.into(), &1.into()));
    std::fs::remove_file(&list).expect("gone");
    let output = here.run(&["campaign", "start", "listed", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!((&report["finished"], &report["counts"]["targets_done"]), (&true.into(), &3.into()), "{report}");
    let ledger = here.json(&["campaign", "ledger", "listed", "--last", "100"]).to_string();
    assert!(ledger.contains("\"targets\":3"), "{ledger}");

    std::fs::write(&list, "127.97.0.7 80/tcp\n127.97.0.7 http/tcp\n").expect("written");
    let refused = here.fail(&["survey", "--scope", text(&scope), "--targets", text(&list)]);
    assert!(refused.contains("line 2") && refused.contains("http/tcp"), "{refused}");
    std::fs::write(&list, "127.98.0.7 80/tcp\n").expect("written");
    let refused = here.fail(&["survey", "--scope", text(&scope), "--targets", text(&list)]);
    assert!(refused.contains("no target of the list lies in the scope"), "{refused}");
}

#[test]
fn a_killed_survey_of_a_list_goes_on_with_the_same_one() {
    let _alone = alone();
    let here = Installation::new();
    let (_town, scope) = town(&here, "127.98.0.0", "4");
    let list: String = (0..512).map(|host| format!("127.98.{}.{}\n", host / 256, host % 256)).collect();
    let mut command = here.command(&["survey", "--scope", text(&scope), "--targets", "-", "--campaign", "piped"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(list.as_bytes()).expect("written");
    let done = || here.run(&["campaign", "status", "piped", "--json"]);
    until("some of it is done", Duration::from_secs(60), || {
        let told: Value = serde_json::from_slice(&done().stdout).unwrap_or_default();
        told["done"].as_u64().unwrap_or(0) > 100
    });
    child.kill().expect("killed");
    child.wait().expect("gone");
    let before: Value = serde_json::from_slice(&done().stdout).expect("a standing");
    assert_eq!(before["state"], "stopped", "{before}");
    let report = here.json(&["campaign", "resume", "piped"]);
    assert_eq!(report["finished"], true, "{report}");
    let resumed = report["counts"]["targets_resumed"].as_u64().expect("a count");
    assert!(resumed > 0 && resumed < report["targets"].as_u64().expect("a count"), "{report}");

    // The whole scope, surveyed in the ordinary way, has no service that the list had not.
    let whole = Installation::new();
    let ports = std::fs::read_to_string(&scope).expect("a scope");
    let value = |name: &str| {
        let line = ports.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim_start_matches([' ', '=']).trim_matches('"').to_owned()
    };
    let again = whole.scope("whole", &["127.98.0.0/23"], &value("tcp_ports"), &value("udp_ports"));
    whole.json(&["survey", "--scope", text(&again)]);
    let keys = |of: &Installation| -> BTreeSet<String> {
        of.services().iter().map(|one| format!("{} {} {}", one["address"], one["port"], one["transport"])).collect()
    };
    assert_eq!(keys(&here), keys(&whole));
}

#[test]
fn what_is_proposed_is_found_and_not_proposed_again() {
    let _alone = alone();
    let here = Installation::new();
    let (_town, scope) = town(&here, "127.96.0.0", "6");
    // The lower half at every port, the upper half at one: what else is open there?
    let half: String = (0..256).map(|host| format!("127.96.0.{host}\n")).collect();
    let known = here.path("known");
    std::fs::write(&known, half + &(0..256).map(|host| format!("127.96.1.{host} 80/tcp\n")).collect::<String>())
        .expect("written");
    here.json(&["survey", "--scope", text(&scope), "--targets", text(&known)]);
    let proposed = here.json(&["predict", "--scope", text(&scope), "--limit", "200", "--explore", "10%"]);
    let targets = proposed["targets"].as_array().expect("targets");
    assert_eq!((targets.len(), proposed["random"].as_u64()), (200, Some(20)), "{proposed}");
    assert!(targets.iter().all(|one| one["address"].as_str().expect("an address").starts_with("127.96.1.")
        || one["reason"].as_str().expect("a reason").starts_with("random")));

    // As people do it: one program's lines are the other's targets.
    let lines = here.succeed(&["predict", "--scope", text(&scope), "--limit", "200", "--explore", "0%"]);
    assert!(lines.lines().all(|line| line.contains("/tcp  # ") || line.contains("/udp  # ")), "{lines}");
    let mut command = Command::new(HINOMI);
    let piped = here.path("piped");
    std::fs::write(&piped, &lines).expect("written");
    command.args(["survey", "--scope", text(&scope), "--targets", "-", "--json", "--state"]).arg(here.state());
    command.stdin(std::fs::File::open(&piped).expect("opens"));
    let output = finish(command, Duration::from_secs(300));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let open = report["counts"]["open"].as_u64().expect("a count");
    println!("200 targets proposed, {open} open, {} expected", proposed["expected"]);
    assert!(open >= 60, "of 200 proposed: {report}");

    let planned = here.json(&["campaign", "new", "--scope", text(&scope), "--next", "100", "--name", "further"]);
    assert_eq!(planned["plan"]["targets"], 100, "{planned}");
    let visited: BTreeSet<String> =
        lines.lines().filter_map(|line| line.split("  #").next()).map(str::to_owned).collect();
    let next = here.succeed(&["predict", "--scope", text(&scope), "--limit", "200"]);
    assert!(
        next.lines().all(|line| !visited.contains(line.split("  #").next().unwrap_or_default())),
        "asked a moment ago"
    );
    assert!(here.fail(&["campaign", "new", "--scope", text(&scope), "--next", "5", "--due"]).contains("is due"));
}
