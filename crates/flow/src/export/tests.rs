use std::collections::BTreeSet;
use std::io::Write as _;
use std::marker::PhantomData;
use std::process::{Command, Stdio};
use std::sync::Arc;

use hinomi_wire::flow::Volume;
use proptest::prelude::*;

use super::*;
use crate::purpose::{Flow, Pseudonym, Remote};
use crate::server::{Server, ServerConfig};
use crate::subscribers::Subscribers;

const DAY: Day = Day(20_779);

/// A server that so many clients met in each of these epochs.
fn server(address: &str, clients_by_epoch: &[u64]) -> Server {
    let remote = Remote { address: address.parse().expect("an address"), port: 1_337, protocol: 6 };
    let mut server = Server::new(remote, 0);
    for (epoch, clients) in clients_by_epoch.iter().enumerate() {
        for client in 0..*clients {
            let subscriber = Pseudonym(crate::sketch::spread(client + 1_000 * epoch as u64));
            let flow = Flow {
                subscriber,
                subscriber_port: 40_000,
                remote,
                epoch: epoch as u32,
                out: Some(Volume::default()),
                back: None,
                told_by_subscriber: true,
                start: Timestamp::from_micros(0),
                end: Timestamp::from_micros(0),
                sampling: 1,
                infected: false,
                purpose: PhantomData,
            };
            server.take(&flow, &ServerConfig::default());
        }
    }
    server
}

fn pass(clients: &[u64], confidence: f64, corroboration: &[Corroboration]) -> Result<Shared, Held> {
    let server = server("203.0.113.5", clients);
    Gate::default().pass(&Candidate::of(&server, confidence, corroboration.iter().copied()), DAY)
}

#[test]
fn the_gate_wants_k_in_one_epoch_and_two_epochs_or_a_witness() {
    assert_eq!(pass(&[4, 4, 4], 0.95, &[]), Err(Held::TooFewClients { had: 4, k: 5 }));
    assert_eq!(pass(&[9], 0.95, &[]), Err(Held::OneEpoch));
    assert!(pass(&[5, 1], 0.95, &[]).is_ok());
    assert!(pass(&[1], 0.95, &[Corroboration::Decoy]).is_ok());
    assert_eq!(pass(&[50, 50], 0.49, &[]), Err(Held::Unsure));
    let lax = Gate::new(1, Vec::new());
    let alone = server("203.0.113.5", &[2, 2]);
    assert_eq!(lax.pass(&Candidate::of(&alone, 0.9, []), DAY), Err(Held::TooFewClients { had: 2, k: 3 }));
}

#[test]
fn a_members_own_range_is_told_to_that_member_alone() {
    let range = Arc::new(Subscribers::read("203.0.113.0/24").expect("a list"));
    let gate = Gate::new(5, vec![Member { name: "isp-a".into(), range }]);
    let candidate = Candidate::of(&server("203.0.113.5", &[9, 9]), 0.9, [Corroboration::Seed]);
    assert_eq!(gate.pass(&candidate, DAY), Err(Held::MemberOnly { member: "isp-a".into() }));
}

#[test]
fn confidence_is_told_in_tens() {
    let told = |confidence| pass(&[5, 5], confidence, &[]).map(|shared| shared.confidence_percent());
    assert_eq!((told(0.999), told(0.74), told(0.501)), (Ok(90), Ok(70), Ok(50)));
}

/// Listed and withdrawn on the same day.
fn gone(address: [u8; 4], port: u16) -> Delisted {
    Delisted { address: address.into(), port, transport: Transport::Tcp, listed: DAY, withdrawn: DAY, again: 0 }
}

fn batch() -> Batch {
    let all = ["203.0.113.5", "198.51.100.77", "2001:db8::17", "2001:db8:0:1::9"];
    let shared = |address: &str| {
        let candidate = Candidate::of(&server(address, &[6, 6]), 0.87, []);
        Gate::default().pass(&candidate, DAY).expect("passes")
    };
    let withdrawn = Delisted { listed: Day(20_760), ..gone([192, 0, 2, 9], 23) };
    Batch::new(DAY, all.iter().chain(&all).map(|address| shared(address)).collect(), vec![withdrawn])
}

#[test]
fn a_list_is_sorted_and_names_nobody_twice() {
    let batch = batch();
    let addresses: Vec<String> = batch.endpoints().iter().map(|shared| shared.address().to_string()).collect();
    assert_eq!(addresses, ["198.51.100.77", "203.0.113.5", "2001:db8::17", "2001:db8:0:1::9"]);
    assert_eq!(batch.listed().to_string(), "2026-11-22");
}

#[test]
fn the_shared_record_has_six_fields_and_no_others() {
    let value: serde_json::Value = serde_json::from_str(&Form::Json.write(&batch())).expect("JSON");
    let first = value.pointer("/endpoints/0").and_then(serde_json::Value::as_object).expect("an object");
    let fields: Vec<&str> = first.keys().map(String::as_str).collect();
    let mut wanted = ["address", "port", "transport", "confidence_percent", "valid_until", "purpose"];
    wanted.sort_unstable();
    let mut fields = fields;
    fields.sort_unstable();
    assert_eq!(fields, wanted);
    assert_eq!(first.get("valid_until").and_then(serde_json::Value::as_str), Some("2026-12-22"));
}

#[test]
fn texts_are_as_their_readers_want_them() {
    let batch = batch();
    let csv = Form::Csv.write(&batch);
    assert!(csv.contains("\r\n203.0.113.5,1337,tcp,80,2026-12-22,cnc-detection,listed\r\n"), "{csv}");
    assert!(csv.ends_with("192.0.2.9,23,tcp,,,cnc-detection,withdrawn\r\n"), "{csv}");
    let rpz = Form::Rpz.write(&batch);
    assert!(rpz.contains("\n32.5.113.0.203.rpz-ip CNAME .\n"), "{rpz}");
    assert!(rpz.contains("\n128.17.zz.db8.2001.rpz-ip CNAME .\n"), "{rpz}");
    assert!(rpz.contains("\n128.9.zz.1.0.db8.2001.rpz-ip CNAME .\n"), "{rpz}");
    let flowspec = Form::Flowspec.write(&batch);
    let line = "announce flow route { match { destination 203.0.113.5/32; protocol =tcp; destination-port =1337; } \
                then { discard; } }\n";
    assert!(flowspec.contains(line), "{flowspec}");
    assert!(
        flowspec.contains("\nwithdraw flow route { match { destination 192.0.2.9/32; protocol =tcp; "),
        "{flowspec}"
    );
    let nftables = Form::Nftables.write(&batch);
    let places = ["set cnc_v6 {", "flush set inet hinomi cnc_v4\n", "flush set inet hinomi cnc_v6\n"];
    let filled = ["add element inet hinomi cnc_v4 {", "203.0.113.5 . tcp . 1337", "add element inet hinomi cnc_v6 {"];
    let order: Vec<_> = places.iter().chain(&filled).map(|text| nftables.find(text)).collect();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "made, emptied, filled: {nftables}");
    assert!(!nftables.contains("192.0.2.9"));
}

#[test]
fn an_empty_list_empties_the_sets() {
    let nftables = Form::Nftables.write(&Batch::new(DAY, Vec::new(), Vec::new()));
    assert!(nftables.ends_with("flush set inet hinomi cnc_v6\n"), "{nftables}");
}

#[test]
fn every_announced_flow_can_be_withdrawn_in_the_same_words() {
    let batch = batch();
    let delist = |shared: &Shared| {
        let (address, port, transport) = key(shared);
        Delisted { address, port, transport, listed: DAY, withdrawn: DAY, again: 0 }
    };
    let back = Batch::new(DAY, Vec::new(), batch.endpoints().iter().map(delist).collect());
    let lines = |batch: &Batch, verb: &str| -> BTreeSet<String> {
        Form::Flowspec.write(batch).lines().filter_map(|line| line.strip_prefix(verb).map(str::to_owned)).collect()
    };
    assert_eq!(lines(&batch, "announce "), lines(&back, "withdraw "));
    assert_eq!(lines(&back, "withdraw ").len(), 4);
}

#[test]
fn what_nobody_can_hold_any_more_is_not_withdrawn() {
    let on = |days| Batch::new(DAY.plus(days), Vec::new(), vec![gone([192, 0, 2, 9], 23)]).withdrawn().len();
    assert_eq!((on(0), on(30), on(31)), (1, 1, 0));
}

#[test]
fn a_later_zone_of_the_day_has_a_greater_serial_and_nothing_else_changes() {
    let serial = |number| Form::Rpz.write(&batch().numbered(number)).contains(&format!(" 20261122{number:02} "));
    assert!(serial(1) && serial(2) && serial(99));
    assert_eq!(batch().numbered(0).number(), 1);
    assert_eq!(batch().numbered(1_000).number(), 99);
    for form in Form::ALL.into_iter().filter(|form| *form != Form::Rpz) {
        assert_eq!(form.write(&batch()), form.write(&batch().numbered(2)), "{}", form.name());
    }
}

#[test]
fn the_same_list_is_the_same_bytes_whatever_the_order() {
    let batch = batch();
    let turned = Batch::new(DAY, batch.endpoints().iter().rev().copied().collect(), batch.withdrawn().to_vec());
    for form in Form::ALL {
        assert_eq!(form.write(&batch), form.write(&turned), "{}", form.name());
    }
}

/// The only object of a bundle.
fn object(batch: &Batch) -> serde_json::Value {
    let bundle: serde_json::Value = serde_json::from_str(&Form::Stix.write(batch)).expect("JSON");
    assert_eq!(bundle["objects"].as_array().map(Vec::len), Some(1));
    bundle.pointer("/objects/0").cloned().expect("an object")
}

/// The list of one endpoint, so many days later.
fn alone(days: u16) -> Batch {
    let shared = |listed| {
        let candidate = Candidate::of(&server("198.51.100.77", &[6, 6]), 0.87, []);
        Gate::default().pass(&candidate, listed).expect("passes")
    };
    Batch::new(DAY.plus(days), vec![shared(DAY.plus(days))], Vec::new())
}

#[test]
fn an_endpoint_is_one_object_in_all_lists_and_a_withdrawal_revokes_it() {
    let taken = Delisted { listed: DAY.plus(2), withdrawn: DAY.plus(3), ..gone([198, 51, 100, 77], 1_337) };
    let revoked = |days| object(&Batch::new(DAY.plus(days), Vec::new(), vec![taken]));
    let versions = [object(&alone(0)), object(&alone(1)), object(&alone(2)), revoked(3)];
    for version in &versions {
        assert_eq!(version["id"], versions[0]["id"]);
        assert_eq!(version["created"], "2026-01-01T00:00:00.000Z", "tells nobody when it was found");
    }
    let modified: Vec<&str> = versions.iter().filter_map(|version| version["modified"].as_str()).collect();
    assert!(modified.is_sorted_by(|one, next| one < next), "each is a later version: {modified:?}");
    assert_eq!(versions[3]["revoked"], true);
    assert!(versions[..3].iter().all(|version| version.get("revoked").is_none()));
    assert_eq!(revoked(9), versions[3], "nothing comes after a revocation, so all lists say it alike");
}

#[test]
fn a_withdrawal_on_the_day_of_the_listing_is_later_too() {
    let revoked = object(&Batch::new(DAY, Vec::new(), vec![gone([198, 51, 100, 77], 1_337)]));
    assert_eq!(object(&alone(0))["modified"], "2026-11-22T00:00:00.000Z");
    assert_eq!(revoked["modified"], "2026-11-22T00:00:00.001Z");
}

#[test]
fn what_was_revoked_comes_again_as_another_object() {
    let place = ("198.51.100.77".parse().expect("an address"), 1_337, Transport::Tcp);
    let again = alone(5).named_again([(place, 1)]);
    assert_ne!(object(&again)["id"], object(&alone(5))["id"]);
    let taken = Delisted { again: 1, listed: DAY.plus(5), withdrawn: DAY.plus(6), ..gone([198, 51, 100, 77], 1_337) };
    let revoked = object(&Batch::new(DAY.plus(6), Vec::new(), vec![taken]));
    assert_eq!((&revoked["id"], &revoked["revoked"]), (&object(&again)["id"], &serde_json::Value::Bool(true)));
    for form in Form::ALL.into_iter().filter(|form| *form != Form::Stix) {
        assert_eq!(form.write(&again), form.write(&alone(5)), "{}", form.name());
    }
}

/// Whether the validator of OASIS accepts a text; `None` where it is not installed.
fn accepted(text: &str) -> Option<Result<(), String>> {
    let program = std::env::var("HINOMI_STIX_VALIDATOR").unwrap_or_else(|_| "stix2_validator".to_owned());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bundle.json");
    std::fs::write(&path, text).expect("written");
    let Ok(output) = Command::new(&program).args(["--version", "2.1"]).arg(&path).output() else {
        assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "{program} is not installed");
        eprintln!("{program} (pip: stix2-validator 3.2.0) is not installed: the bundle is not checked by it");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(if output.status.success() { Ok(()) } else { Err(said) })
}

#[test]
fn the_validator_of_oasis_accepts_the_bundle() {
    let text = Form::Stix.write(&batch());
    if let Some(verdict) = accepted(&text) {
        assert_eq!(verdict, Ok(()));
        let broken = text.replacen("\"pattern_type\": \"stix\",", "", 1);
        assert!(accepted(&broken).is_some_and(|verdict| verdict.is_err()), "it accepts anything");
    }
}

/// The zone checker of BIND.
#[test]
fn bind_accepts_the_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rpz");
    let accepts = |zone: &str| {
        std::fs::write(&path, zone).expect("written");
        Command::new("named-checkzone").arg("rpz.example").arg(&path).output().map(|output| output.status.success())
    };
    let zone = Form::Rpz.write(&batch());
    match accepts(&zone) {
        Ok(accepted) => {
            assert!(accepted);
            assert!(accepts(&zone.replace("CNAME", "NAME")).is_ok_and(|accepted| !accepted), "it accepts anything");
        }
        Err(_) => {
            assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "named-checkzone is not installed");
            eprintln!("named-checkzone (bind9-utils) is not installed: the zone is not checked by it");
        }
    }
}

/// What a checker says of a text, given by standard input; none, said aloud, where it is not installed.
fn said_by(program: &str, arguments: &[&str], text: &str) -> Option<(bool, String)> {
    let (input, output) = (Stdio::piped(), Stdio::piped());
    let spawned = Command::new(program).args(arguments).stdin(input).stdout(output).stderr(Stdio::piped()).spawn();
    let mut child = spawned.expect("starts");
    // Who refuses a text early does not read on.
    let _ = child.stdin.take().expect("piped").write_all(text.as_bytes());
    let ended = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    if ["not found", "No module named", "No such file"].iter().any(|missing| said.contains(missing)) {
        assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "{program} {arguments:?}: {said}");
        eprintln!("stands aside: {said}");
        return None;
    }
    Some((ended.status.success(), said))
}

/// The kernel's own packet filter, in a network namespace without a way out: loaded twice, as operators do each day.
#[test]
fn nftables_takes_the_sets_and_what_is_withdrawn_leaves_them() {
    let load = |text: &str| {
        let script = "cat > \"$0\" && nft -c -f \"$0\" && nft -f \"$0\" && nft -f \"$0\" && nft list ruleset";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sets.nft");
        let path = path.to_str().expect("text");
        said_by("unshare", &["--map-root-user", "--net", "sh", "-c", script, path], text)
    };
    let text = Form::Nftables.write(&batch());
    let Some((accepted, ruleset)) = load(&text) else { return };
    assert!(accepted, "{ruleset}");
    for shared in batch().endpoints() {
        let element = format!("{} . {} . {}", shared.address(), shared.transport(), shared.port());
        assert!(ruleset.contains(&element), "{element}: {ruleset}");
    }
    let later = format!("{text}\n{}", Form::Nftables.write(&Batch::new(DAY, Vec::new(), Vec::new())));
    let (accepted, ruleset) = load(&later).expect("as before");
    assert!(accepted && !ruleset.contains("elements"), "{ruleset}");
    assert!(
        load(&text.replace("inet_proto", "inet_protocol")).is_some_and(|(accepted, _)| !accepted),
        "it takes anything"
    );
}

/// The parser behind ExaBGP's command pipe.
#[test]
fn exabgp_reads_every_flow_specification() {
    const SCRIPT: &str = "
import sys
from exabgp.configuration.setup import environment
environment.setup('')
from exabgp.reactor.api import API
api = API(type('Reactor', (), {})())
for line in sys.stdin:
    if line.strip() and not line.startswith('#'):
        print(line.split()[0], *[change.nlri for change in api.api_flow(line.strip())])
";
    let read = |text: &str| said_by("/usr/bin/python3", &["-c", SCRIPT], text);
    let text = Form::Flowspec.write(&batch());
    let Some((ended, routes)) = read(&text) else { return };
    assert!(ended, "{routes}");
    let written: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(routes.lines().count(), written.len(), "{routes}");
    assert!(routes.lines().all(|route| route.contains(" flow destination-ipv")), "{routes}");
    for shared in batch().endpoints() {
        let (address, port) = (shared.address(), shared.port());
        let of = |route: &&str| {
            route.contains(&format!(" {address}/")) && route.ends_with(&format!("destination-port ={port}"))
        };
        assert_eq!(routes.lines().filter(of).count(), 1, "{address} {port}: {routes}");
    }
    let (_, nonsense) = read(&text.replace("destination-port", "destination-harbour")).expect("as before");
    assert!(!nonsense.contains("flow destination"), "it takes anything: {nonsense}");
}

proptest! {
    #[test]
    fn no_cell_is_a_formula(addresses in proptest::collection::vec(any::<[u16; 8]>(), 1..20)) {
        let candidate = Candidate::of(&server("203.0.113.5", &[6, 6]), 0.9, []);
        let shared = Gate::default().pass(&candidate, DAY).expect("passes");
        let all = addresses.iter().map(|segments| Shared { address: IpAddr::V6((*segments).into()), ..shared });
        let all = all.chain([Shared { address: "::1".parse().expect("an address"), ..shared }]);
        let csv = Form::Csv.write(&Batch::new(DAY, all.collect(), Vec::new()));
        for cell in csv.lines().flat_map(|line| line.split(',')) {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', ':']), "{}", cell);
        }
    }
}
