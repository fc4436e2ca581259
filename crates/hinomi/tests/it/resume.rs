//! kill -9 in the middle of a survey, again and again: nothing that was stored is lost, nothing is stored twice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::program::{Installation, alone, until};

/// The most kills; the survey may finish earlier.
const KILLS: u64 = 12;

#[test]
fn a_killed_survey_resumes_without_loss_or_repetition() {
    let _alone = alone();
    let here = Installation::new();
    let town = ["--size", "1024", "--seed", "5", "--base", "127.93.0.0"];
    let (_town, first) = here.start(&[&["town", "up", "--json"], town.as_slice()].concat());
    let up: serde_json::Value = serde_json::from_str(&first).expect("the town");
    let ports = up["tcp_ports"].as_str().expect("ports");
    let scope = here.scope("killed", &["127.93.0.0/22"], ports, "");
    let arguments = ["survey", "--scope", scope.to_str().expect("a path")];
    let mut kills = 0;
    for round in 0..KILLS {
        let mut command = here.command(&arguments);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("starts");
        let moment = Duration::from_millis(400 + round * 250);
        let end = std::time::Instant::now() + moment;
        until("the moment to kill", Duration::from_secs(30), || {
            std::time::Instant::now() >= end || matches!(child.try_wait(), Ok(Some(_)))
        });
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
    }
    assert!(kills >= 2, "the survey was too fast to be killed twice");
    let report = here.json(&arguments);
    assert!(report["finished"].as_bool().unwrap_or_default(), "{report}");

    let whole = Installation::new();
    let scope = whole.scope("whole", &["127.93.0.0/22"], ports, "");
    whole.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    let keys = |installation: &Installation| -> BTreeMap<(String, u64), serde_json::Value> {
        let services = installation.services();
        let key = |s: &serde_json::Value| {
            (s["address"].as_str().unwrap_or_default().to_owned(), s["port"].as_u64().unwrap_or_default())
        };
        services.into_iter().map(|service| (key(&service), service)).collect()
    };
    let (killed, unharmed) = (keys(&here), keys(&whole));
    let only = |a: &BTreeMap<(String, u64), _>, b: &BTreeMap<(String, u64), _>| -> Vec<(String, u64)> {
        a.keys().filter(|key| !b.contains_key(*key)).take(10).cloned().collect()
    };
    assert_eq!(only(&unharmed, &killed), [], "lost");
    assert_eq!(only(&killed, &unharmed), [], "invented");
    // One campaign over a town that stands still: each service was stored once.
    for (address, _) in killed.keys().step_by(97) {
        let host = here.json(&["host", address]);
        let mut seen: Vec<(u64, String)> = Vec::new();
        for entry in host["history"].as_array().expect("a history") {
            let outcome = entry["outcome"].as_str().unwrap_or_default().to_owned();
            seen.push((entry["port"].as_u64().unwrap_or_default(), outcome));
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{address} was stored twice: {host}");
    }
}
