//! Hosts of the real shape, made up, in every wrapping.

use std::io::Cursor;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::fields as fields_of;

fn read(text: &str) -> (Vec<Record>, Vec<String>) {
    let (good, bad): (Vec<_>, Vec<_>) = Records::new(Cursor::new(text)).partition(Result::is_ok);
    let errors = bad.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    (good.into_iter().filter_map(Result::ok).collect(), errors)
}

fn values(record: &Record, name: &str) -> Vec<String> {
    let first = record.evidence.first().expect("words");
    let list = fields_of(first.kind, &first.bytes);
    list.iter().filter(|field| field.name == name).map(|field| field.text().into_owned()).collect()
}

/// A host as Search v2 shows it.
fn searched() -> Value {
    let head = "HTTP/1.1 302 Found\r\nServer: lighttpd/1.4.69\r\nDate:  <REDACTED>\r\n";
    json!({
        "ip": "192.0.2.1", "last_updated_at": "2026-10-27T16:39:12.343Z", "location": {"city": "x"},
        "services": [
            {
                "port": 443, "transport_protocol": "TCP", "service_name": "HTTP", "extended_service_name": "HTTPS",
                "observed_at": "2026-10-27T14:44:01.811676766Z", "source_ip": "198.51.100.1", "banner": head,
                "banner_hex": data_encoding::HEXLOWER.encode(head.as_bytes()), "_encoding": {"banner": "DISPLAY_UTF8"},
                "http": {"response": {"status_code": 302, "body": "<TITLE>Moved</TITLE>", "html_title": "Moved"}},
                "software": [{"uniform_resource_identifier": "cpe:2.3:a:lighttpd:lighttpd:1.4.69:*:*:*:*:*:*:*",
                    "part": "a", "vendor": "lighttpd", "product": "lighttpd", "version": "1.4.69"}],
                "tls": {"version_selected": "TLSv1_3", "certificates": {"leaf_fp_sha_256": "ab"}},
            },
            {"port": 443, "transport_protocol": "QUIC", "service_name": "UNKNOWN", "banner": ""},
        ],
    })
}

/// A host as the Platform shows it.
fn of_the_platform() -> Value {
    json!({
        "ip": "2001:db8::7", "service_count": 2,
        "services": [
            {
                "port": 22, "protocol": "SSH", "transport_protocol": "tcp", "scan_time": "2026-10-27T14:44:01Z",
                "banner": "SSH-2.0-dropbear_2022.83", "ip": "2001:db8::7",
                "hardware": [{"vendor": "Example", "product": "X-100", "type": ["ROUTER"], "cpe": "cpe:2.3:h:example:x-100:*:*:*:*:*:*:*:*"}],
                "software": [{"vendor": "dropbear", "product": "dropbear_ssh", "version": "2022.83"}],
                "operating_systems": [{"product": "linux"}],
            },
            {
                "port": 80, "protocol": "HTTP", "transport_protocol": "tcp", "scan_time": "2026-10-27T14:44:01Z",
                "endpoints": [{"endpoint_type": "HTTP", "banner": "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", "http": {"body": "<p>"}}],
            },
        ],
    })
}

#[test]
fn search_shows_words_and_answers() {
    let (records, errors) = read(&searched().to_string());
    assert_eq!(errors, Vec::<String>::new());
    let [web, quic] = &*records else { panic!("two records") };
    assert_eq!((web.transport, quic.transport), (Transport::Tcp, Transport::Udp));
    assert_eq!(web.time, "2026-10-27T14:44:01.811676766Z".parse().ok());
    assert_eq!(quic.time, "2026-10-27T16:39:12.343Z".parse().ok(), "the host's");
    let kinds: Vec<_> = web.evidence.iter().map(|evidence| evidence.kind).collect();
    assert_eq!(kinds, [EvidenceKind::CensysRecord, EvidenceKind::Http]);
    let http = web.evidence.get(1).expect("an answer");
    assert!(http.bytes.ends_with(b"<REDACTED>\r\n\r\n<TITLE>Moved</TITLE>"), "{http:?}");
    assert_eq!(values(web, "claim.protocol"), ["HTTP"]);
    assert_eq!(values(web, "claim.tunnel"), ["tls"]);
    assert_eq!(values(web, "claim.version"), ["1.4.69"]);
    assert_eq!(values(web, "claim.cpe").len(), 1);
    assert!(values(quic, "claim.protocol").is_empty());
    let words = String::from_utf8_lossy(&web.evidence.first().expect("words").bytes).into_owned();
    assert!(!words.contains("198.51.100.1") && !words.contains("2026-10-27") && !words.contains("<TITLE>"), "{words}");
}

#[test]
fn the_platform_shows_devices() {
    let (records, errors) = read(&of_the_platform().to_string());
    assert_eq!(errors, Vec::<String>::new());
    let [ssh, web] = &*records else { panic!("two records") };
    assert_eq!(
        ssh.evidence.get(1).map(|seen| (seen.kind, &*seen.bytes)),
        Some((EvidenceKind::Banner, &b"SSH-2.0-dropbear_2022.83"[..]))
    );
    assert_eq!(values(ssh, "claim.product"), ["X-100"]);
    assert_eq!(values(ssh, "claim.device-type"), ["ROUTER"]);
    assert_eq!(values(ssh, "claim.os"), ["linux"]);
    assert_eq!(web.evidence.get(1).map(|seen| &*seen.bytes), Some(&b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<p>"[..]));
}

#[test]
fn every_wrapping_holds_the_same_hosts() {
    let (host, other) = (searched(), of_the_platform());
    let wrapped = [
        format!("{host}\n{other}\n"),
        format!("[{host},\n{other}]"),
        serde_json::to_string_pretty(&json!([host, other])).expect("JSON"),
        json!({"code": 200, "status": "OK", "result": {"query": "q", "hits": [host, other]}}).to_string(),
        serde_json::to_string_pretty(
            &json!({"result": {"hits": [{"host_v1": {"resource": host}}, {"host_v1": {"resource": other}}]}}),
        )
        .expect("JSON"),
        json!({"result": [{"resource": host}, {"resource": other}]}).to_string(),
        format!("{}{}", json!({"host": host}), json!({"host": other})),
    ];
    let (plain, _) = read(&format!("{host}\n{other}\n"));
    assert_eq!(plain.len(), 4);
    for text in wrapped {
        assert_eq!(super::super::detect(text.as_bytes()), Some(super::super::Format::Censys), "{text}");
        assert_eq!(read(&text), (plain.clone(), Vec::new()), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_and_the_rest_is_kept() {
    let host =
        |service: Value| json!({"ip": "192.0.2.1", "services": [service, {"port": 1, "transport_protocol": "UDP"}]});
    let text = format!(
        "{}\n{}\n{}\n{}\n{}",
        host(json!({"transport_protocol": "TCP"})),
        host(json!({"port": 1, "transport_protocol": "ICMP"})),
        json!({"ip": "192.0.2.256", "services": []}),
        json!({"parsed": {}}),
        "{\"ip\": \"192.0.2.1\", \"services\": [",
    );
    let (records, errors) = read(&text);
    assert_eq!((records.len(), errors.len()), (2, 5), "{errors:?}");
    for (number, part) in [(1, "port"), (2, "icmp"), (3, "address"), (4, "no ip"), (5, "cut off")] {
        let start = format!("line {number} ");
        assert!(errors.iter().any(|error| error.starts_with(&start) && error.contains(part)), "{part}: {errors:?}");
    }
}

#[test]
fn services_are_a_list_of_bounded_length() {
    let service = json!({"port": 1, "transport_protocol": "TCP"});
    let (records, errors) = read(&json!({"ip": "192.0.2.1", "services": {"80": service}}).to_string());
    assert_eq!((records.len(), errors.len()), (0, 1), "{errors:?}");
    assert!(errors.concat().contains("no list"), "{errors:?}");
    let (records, errors) = read(&json!({"ip": "192.0.2.1", "services": null}).to_string());
    assert_eq!((records.len(), errors.len()), (0, 0), "{errors:?}");
    let host = json!({"ip": "192.0.2.1", "services": vec![service; MAX_SERVICES + 2]});
    let (records, errors) = read(&host.to_string());
    assert_eq!((records.len(), errors.len()), (MAX_SERVICES, 1), "{errors:?}");
    assert!(errors.concat().contains(": 2 services beyond"), "{errors:?}");
}

#[test]
fn a_time_that_cannot_be_read_is_none_of_another() {
    let host = |own: &str, time: &str| {
        let service = json!({"port": 1, "transport_protocol": "TCP", "scan_time": own});
        json!({"ip": "192.0.2.1", "last_updated_at": time, "services": [service]}).to_string()
    };
    let good = "2026-10-27T14:44:01Z";
    for (own, time, told) in
        [(good, "soon", true), ("", good, true), ("", "", false), ("2026-10-27 14:44:01Z", "", true)]
    {
        let (records, errors) = read(&host(own, time));
        assert_eq!((records.len(), errors.len()), (1, 0), "{errors:?}");
        assert_eq!(records.first().and_then(|record| record.time), good.parse().ok().filter(|_| told));
    }
    for (own, time) in [("soon", good), ("", "soon")] {
        let (records, errors) = read(&host(own, time));
        assert_eq!((records.len(), errors.len()), (0, 1), "{own} {time}");
        assert!(errors.concat().contains("\"soon\" is no time"), "{errors:?}");
    }
}

#[test]
fn wrappers_without_end_are_no_host() {
    let mut value = searched();
    for _ in 0..100 {
        value = json!({"result": value});
    }
    let (records, errors) = read(&value.to_string());
    assert_eq!((records.len(), errors.len()), (0, 1), "{errors:?}");
}

proptest! {
    #[test]
    fn a_service_of_any_text_reads_back(banner in any::<String>(), product in any::<String>(), port in any::<u16>()) {
        let service = json!({"port": port, "transport_protocol": "TCP", "banner": banner, "software": [{"product": product}]});
        let (records, errors) = read(&json!({"ip": "192.0.2.1", "services": [service]}).to_string());
        prop_assert_eq!(errors.len(), 0);
        let record = records.first().expect("a record");
        prop_assert_eq!(record.port, port);
        prop_assert_eq!(values(record, "claim.product").concat(), product);
    }
}
