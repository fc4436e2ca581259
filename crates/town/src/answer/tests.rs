use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::config::TownConfig;

/// The first host that serves this persona's service, and its answer.
fn ask(persona: &str, service: &str, datagram: &[u8]) -> Option<Vec<u8>> {
    let plan = Plan::new(TownConfig { size: 4_096, ..TownConfig::default() }).expect("a plan");
    let mut hosts = plan.hosts().filter(|host| host.persona.id == persona);
    let (host, service) = hosts
        .find_map(|host| host.services().find(|(found, _)| found.name == service).map(|(found, _)| (host, found)))
        .expect("a host with that service");
    answer(datagram, &Question { plan: &plan, host: &host, service })
}

#[test]
fn version_bind_is_told_or_refused() {
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07VERSION\x04bind\0\0\x10\0\x03";
    let told = ask("server-name-time", "dns", query).expect("an answer");
    assert_eq!(told[..4], [0x12, 0x34, 0x81, 0x00]);
    assert!(told.windows(7).any(|window| window == b"-Debian"));
    let refused = ask("server-name-time", "dns-silent", query).expect("an answer");
    assert_eq!(refused[3], 0x85, "recursion available, refused");
}

#[test]
fn time_is_told_to_clients_only() {
    let mut packet = [0u8; 48];
    packet[0] = 0x23;
    packet[40..].copy_from_slice(b"original");
    let told = ask("tokinokane-ts1", "ntp", &packet).expect("an answer");
    assert_eq!((told.len(), told[0], told[1], &told[12..15]), (48, 0x24, 1, &b"GPS"[..]));
    assert_eq!(&told[24..32], b"original");
    packet[0] = 0x26; // control, as used for amplification
    assert_eq!(ask("tokinokane-ts1", "ntp", &packet), None);
}

#[test]
fn discovery_names_the_engine() {
    let discovery = [
        0x30, 0x3e, 2, 1, 3, 0x30, 0x11, 2, 4, 0x11, 0x22, 0x33, 0x44, 2, 3, 0, 0xff, 0xe3, 4, 1, 4, 2, 1, 3, 4, 0x10,
        0x30, 0x0e, 4, 0, 2, 1, 0, 2, 1, 0, 4, 0, 4, 0, 4, 0, 0x30, 0x14, 4, 0, 4, 0, 0xa0, 0x0e, 2, 4, 1, 2, 3, 4, 2,
        1, 0, 2, 1, 0, 0x30, 0,
    ];
    let report = ask("komorebi-ap6", "snmp", &discovery).expect("an answer");
    assert!(report.windows(4).any(|window| window == [0x11, 0x22, 0x33, 0x44]), "the message id comes back");
    assert!(report.windows(13).any(|window| window == b"KOMOREBI-AP6E"));
    let engine = (0x8000_0000u32 | 4_200_051).to_be_bytes();
    assert!(report.windows(4).any(|window| window == engine));
}

#[test]
fn searches_are_answered_for_what_is_there() {
    let search = |target: &str| {
        format!("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nST: {target}\r\n\r\n")
    };
    let answer = ask("kagaribi-ax30", "ssdp", search("ssdp:all").as_bytes()).expect("an answer");
    let text = String::from_utf8(answer).expect("text");
    assert!(text.contains("KB-AX30/") && text.contains(":49152/rootDesc.xml"), "{text}");
    assert!(ask("kagaribi-ax30", "ssdp", search("urn:schemas-upnp-org:device:Other:1").as_bytes()).is_none());
}

#[test]
fn resources_and_nodes_are_described() {
    let get = b"\x42\x01\xab\xcd\x01\x02\xbb.well-known\x04core";
    let links = ask("hakari-dc1", "coap", get).expect("an answer");
    assert_eq!(links[..6], [0x62, 0x45, 0xab, 0xcd, 1, 2]);
    assert!(links.windows(13).any(|window| window == b"hakari.dcu100"));
    assert_eq!(ask("hakari-dc1", "coap", b"\x40\x00\x12\x34"), Some(b"\x70\x00\x12\x34".to_vec()), "a ping");

    let get = [0x10, 0x81, 0, 7, 5, 0xff, 1, 0x0e, 0xf0, 1, 0x62, 3, 0x8a, 0, 0x8c, 0, 0xd6, 0];
    let node = ask("ienomon-hg2", "echonet", &get).expect("an answer");
    assert_eq!(node[10..12], [0x72, 3]);
    assert_eq!(node[12..17], [0x8a, 3, 0xff, 0xf1, 0x01]);
    let unknown = [0x10, 0x81, 0, 7, 5, 0xff, 1, 0x0e, 0xf0, 1, 0x62, 1, 0xaa, 0];
    assert_eq!(ask("ienomon-hg2", "echonet", &unknown).expect("a refusal")[10], 0x52);
}

#[test]
fn answers_are_never_much_larger_than_an_ethernet_frame() {
    let plan = Plan::new(TownConfig { size: 512, ..TownConfig::default() }).expect("a plan");
    assert!(plan.host(Ipv4Addr::LOCALHOST).is_none(), "nobody outside the range");
    let get = b"\x40\x01\xab\xcd\xbb.well-known\x04core";
    for host in plan.hosts() {
        for (service, _) in host.services() {
            let size = answer(get, &Question { plan: &plan, host: &host, service }).map_or(0, |answer| answer.len());
            assert!(size < 1_200);
        }
    }
}

proptest! {
    #[test]
    fn any_datagram_is_answered_or_met_with_silence(
        start in 0usize..7,
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let starts: [&[u8]; 7] = [
            b"",
            b"\x10\x81",
            b"\x30\x3e\x02\x01\x03\x30",
            b"\x40\x01",
            b"M-SEARCH * HTTP/1.1\r\nST:",
            b"\x23",
            b"\0\0\x01\0\0\x01\0\0\0\0\0\0",
        ];
        let datagram = [starts[start], &noise].concat();
        let plan = Plan::new(TownConfig { size: 200, ..TownConfig::default() }).expect("a plan");
        for host in plan.hosts() {
            for (service, _) in host.services() {
                let _any = answer(&datagram, &Question { plan: &plan, host: &host, service });
            }
        }
    }
}
