//! TAXII with the client of OASIS, and what it got with their validator of STIX.

use std::process::Command;
use std::sync::Arc;

use hinomi_model::{Batch, Marking, Purpose, Tlp};
use hinomi_web::NoSurveys;

use crate::world::{World, open, stand_aside, web};

/// Services of five labels, one of which also has a service of an exercise beside it.
pub(crate) fn marked() -> Vec<Batch> {
    let labels = [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];
    let mut batches = Vec::new();
    for (host, tlp) in (1..).zip(labels.into_iter().cycle().take(12)) {
        let address = if host == 12 { "2001:db8::c".to_owned() } else { format!("198.51.100.{host}") };
        let time = format!("2026-11-{:02}T10:00:00.{:03}Z", host.min(20), host);
        let looks = [(80, "nginx/1.22.1"), (8080, "lighttpd/1.4.69")]
            .map(|(port, server)| open(&address, port, &time, vec![web(server, "A \u{202e}\"title\"")]));
        let mut batch = crate::world::batch(looks.into());
        for sighting in &mut batch.sightings {
            sighting.marking = Marking { tlp, ..Marking::own(Purpose::ExposureReduction) };
        }
        batches.push(batch);
    }
    batches.push(crate::world::batch(vec![open("198.51.100.1", 22, "2026-11-21T10:00:00Z", vec![])]));
    batches
}

#[test]
fn the_client_of_oasis_walks_everything_and_their_validator_agrees() {
    let Some(python) = std::env::var_os("HINOMI_TAXII_PYTHON") else {
        return stand_aside("HINOMI_TAXII_PYTHON names no Python with taxii2-client");
    };
    let world = World::with(marked(), Arc::new(NoSurveys));
    let bundle = world.folder.path().join("bundle.json");
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/taxii.py"));
    command.arg(format!("http://{}", world.address)).arg(&bundle);
    let output = command.output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["observed"], &told["markings"], &told["drills"]), (&24.into(), &5.into(), &1.into()), "{told}");
    assert_eq!(told["addresses"].as_array().map(Vec::len), Some(12), "each once, though two services are there");
    let Some(validator) = std::env::var_os("HINOMI_STIX_VALIDATOR") else {
        return stand_aside("HINOMI_STIX_VALIDATOR names no stix2_validator");
    };
    let output = Command::new(validator).args(["--version", "2.1"]).arg(&bundle).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_object_bears_the_label_of_its_own_service() {
    let world = World::with(marked(), Arc::new(NoSurveys));
    let target = "/taxii2/default/collections/services/objects/?limit=1000&match%5Btype%5D=observed-data";
    let objects = world.get(target).json()["objects"].as_array().expect("objects").clone();
    let search = |label: &str| {
        let target = format!("/api/v1/search?limit=1000&q=-purpose:exercise%20tlp:{label}");
        world.get(&target).json()["total"].as_u64().expect("a total")
    };
    for (label, id) in [
        ("clear", "94868c89-83c2-464b-929b-a1a8aa3c8487"),
        ("%22amber%2Bstrict%22", "939a9414-2ddd-4d32-a0cd-375ea402b003"),
        ("red", "e828b379-4e03-4974-9ac4-e53a884c97c1"),
    ] {
        let marked = objects.iter().filter(|one| one["object_marking_refs"][0] == format!("marking-definition--{id}"));
        assert_eq!((marked.count() as u64, search(label) > 0), (search(label), true), "{label}");
    }
}
