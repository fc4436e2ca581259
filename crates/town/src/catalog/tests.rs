use std::collections::BTreeSet;

use super::*;
use crate::persona::Speech;

#[test]
fn every_persona_file_is_embedded_and_parses() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("personas");
    let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    let embedded: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(on_disk, embedded);
    for (name, text) in FILES {
        let persona = Persona::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(format!("{}.toml", persona.id), *name);
    }
}

#[test]
fn there_are_enough_personas_of_each_sort() {
    let personas = personas().expect("personas");
    let count = |prefix: &str| personas.iter().filter(|persona| persona.id.starts_with(prefix)).count();
    let (servers, faults) = (count("server-"), count("fault-"));
    assert!(personas.len() - servers - faults >= 26, "devices");
    assert!(servers >= 5 && faults >= 5);
    let devices =
        personas.iter().filter(|persona| !persona.id.starts_with("server-") && !persona.id.starts_with("fault-"));
    for persona in devices {
        assert!((2..=4).contains(&persona.firmware.len()), "{} has {} releases", persona.id, persona.firmware.len());
    }
}

#[test]
fn every_protocol_of_the_survey_is_spoken() {
    let personas = personas().expect("personas");
    let spoken: BTreeSet<_> =
        personas.iter().flat_map(|persona| &persona.services).filter_map(|service| service.speech.protocol()).collect();
    let wanted = [
        "http",
        "ssh",
        "telnet",
        "ftp",
        "smtp",
        "rtsp",
        "mqtt",
        "redis",
        "modbus",
        "dns",
        "ntp",
        "snmp",
        "ssdp",
        "coap",
        "echonet-lite",
    ];
    assert_eq!(spoken, wanted.into_iter().collect());
}

#[test]
fn every_page_that_is_named_exists() {
    for service in personas().expect("personas").iter().flat_map(|persona| &persona.services) {
        let Speech::Http(http) = &service.speech else { continue };
        let named = http.pages.iter().map(|page| &page.page).chain([&http.page]);
        for name in named.filter(|name| !name.is_empty()) {
            assert!(!page(name).is_empty(), "page {name:?} of service {}", service.name);
        }
    }
}

#[test]
fn what_is_wrong_with_a_persona_is_said() {
    let (name, good) = FILES.iter().find(|(name, _)| name.starts_with("tsutae")).expect("the file");
    let broken = [
        (good.replace("weight = 30", "weight = 0"), "weight"),
        (good.replace("share = 0.3", "share = 0.9"), "shares"),
        (good.replace("add = [\"mqtt-anonymous\"]", "add = [\"mqtt-nobody\"]"), "mqtt-nobody"),
        (good.replace("code = 5", "code = 5\nretries = 3"), "retries"),
        (good.replace("[certificate]", "[certificat]"), "certificat"),
    ];
    for (text, reason) in broken {
        let error = Persona::parse(name, &text).expect_err(reason).to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
}
