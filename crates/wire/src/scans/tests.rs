//! Files of other scanners: real samples where they are at hand, and hostile ones.

use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use hinomi_model::evidence::EvidenceKind;
use proptest::prelude::*;

use super::*;
use crate::fields;

/// A real sample; none when the folder of samples is not there.
fn sample(name: &str) -> Option<Vec<u8>> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("HINOMI_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join("scans").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("stands aside: no sample {}; set HINOMI_DATA to the folder that holds scans/", path.display());
    }
    bytes
}

fn read_all(format: Format, bytes: &[u8]) -> (Vec<Record>, Vec<String>) {
    let mut records = Vec::new();
    let mut errors = Vec::new();
    for item in read(format, Cursor::new(bytes)) {
        match item {
            Ok(record) => records.push(record),
            Err(error) => errors.push(error.to_string()),
        }
    }
    (records, errors)
}

fn claim(record: &Record, name: &str) -> Option<String> {
    let evidence = record.evidence.first()?;
    let list = fields(evidence.kind, &evidence.bytes);
    list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
}

#[test]
fn real_nmap_files() {
    for (name, ports) in [("nmap_1port.xml", 1), ("nmap_multiple_port.xml", 5), ("issue4406.xml", 0)] {
        let Some(bytes) = sample(name) else { return };
        let elements = bytes.windows(6).filter(|part| part == b"<port ").count();
        let (records, errors) = read_all(detect(&bytes).expect("a format"), &bytes);
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        assert_eq!(records.len(), elements, "{name}");
        assert!(records.len() >= ports, "{name}");
        for record in &records {
            let evidence = record.evidence.first().expect("evidence");
            assert_eq!(evidence.kind, EvidenceKind::NmapService);
            assert!(memchr::memmem::find(&bytes, &evidence.bytes).is_some(), "byte for byte");
            assert!(evidence.bytes.starts_with(b"<port ") && evidence.bytes.ends_with(b"</port>"));
        }
    }
}

#[test]
fn real_masscan_files() {
    let Some(bytes) = sample("masscan_many_vuln.json") else { return };
    let (records, errors) = read_all(detect(&bytes).expect("a format"), &bytes);
    assert_eq!(errors, Vec::<String>::new());
    let ports: Vec<_> = records.iter().map(|record| record.port).collect();
    assert_eq!(ports, [8080, 3000, 8443, 80]);
    assert!(records.iter().all(|record| record.state == State::Open && record.time == epoch("1785522037")));
    let Some(empty) = sample("masscan_no_vuln.json") else { return };
    assert_eq!(read_all(Format::MasscanJson, &empty), (Vec::new(), Vec::new()));
}

const HEAD: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner=\"nmap\" start=\"1700000000\">\n";

#[test]
fn nmap_states_times_and_bad_records() {
    let text = format!(
        "{HEAD}<host endtime=\"1700000009\"><address addr=\"00:11:22:33:44:55\" addrtype=\"mac\"/>\
         <address addr=\"192.0.2.7\" addrtype=\"ipv4\"/><ports>\
         <port protocol=\"tcp\" portid=\"22\"><state state=\"open\"/><service name=\"ssh\" product=\"OpenSSH\" method=\"probed\"/></port>\
         <port protocol=\"sctp\" portid=\"9\"><state state=\"open\"/></port>\n\
         <port protocol=\"tcp\" portid=\"99999\"><state state=\"open\"/></port>\
         <port protocol=\"udp\" portid=\"53\"><state state=\"open|filtered\"/></port></ports></host>\
         <host><address addr=\"2001:db8::1\" addrtype=\"ipv6\"/><ports><port protocol=\"tcp\" portid=\"1\">\
         <state state=\"closed\"/></port></ports></host></nmaprun>"
    );
    let (records, errors) = read_all(Format::Xml, text.as_bytes());
    let seen: Vec<_> = records.iter().map(|r| (r.address.to_string(), r.port, r.transport, r.state)).collect();
    assert_eq!(
        seen,
        [
            ("192.0.2.7".to_owned(), 22, Transport::Tcp, State::Open),
            ("192.0.2.7".to_owned(), 53, Transport::Udp, State::Filtered),
            ("2001:db8::1".to_owned(), 1, Transport::Tcp, State::Closed),
        ]
    );
    assert_eq!(records.first().and_then(|record| record.time), epoch("1700000009"));
    assert_eq!(records.last().and_then(|record| record.time), epoch("1700000000"));
    assert_eq!(records.first().and_then(|record| claim(record, "claim.product")).as_deref(), Some("OpenSSH"));
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().any(|error| error.starts_with("line 4 ") && error.contains("\"sctp\" is not a transport")));
    assert!(errors.iter().any(|error| error.starts_with("line 5 ") && error.contains("\"99999\" is no port number")));
}

#[test]
fn hostile_xml_ends_with_its_reason() {
    let whole = format!(
        "{HEAD}<host><address addr=\"192.0.2.7\"/><ports><port protocol=\"tcp\" portid=\"22\"><state state=\"open\"/></port>\
         <port protocol=\"tcp\" portid=\"23\"><state state=\"open\"/></port></ports></host></nmaprun>"
    );
    let reason = |bytes: &[u8]| read_all(Format::Xml, bytes).1.join("; ");
    assert!(reason(b"").contains("it is empty"));
    assert!(reason(b"<html></html>").contains("the first element is not nmaprun"));
    let laughs = whole.replace("<!DOCTYPE nmaprun>", "<!DOCTYPE nmaprun [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>");
    assert!(reason(laughs.as_bytes()).contains("declares entities"));
    assert!(reason(whole.replace("192.0.2.7", "&b;").as_bytes()).contains("no IPv4 or IPv6 address"));
    let mut bad = whole.clone().into_bytes();
    let at = memchr::memmem::find(&bad, b"\"23\"").expect("a port") + 1;
    bad.get_mut(at..=at).expect("a byte").fill(0xff);
    let (records, errors) = read_all(Format::Xml, &bad);
    assert_eq!((records.len(), errors.len()), (1, 1));
    assert!(errors.concat().contains("not UTF-8"), "{errors:?}");
    let deep = format!("{HEAD}{}", "<a>".repeat(200));
    assert!(reason(deep.as_bytes()).contains("nested deeper"));
    let cut = whole.find("<port protocol=\"tcp\" portid=\"23\"").expect("a port");
    for end in [cut, cut + 10, cut + 40, cut + 60] {
        let (records, errors) = read_all(Format::Xml, whole.as_bytes().get(..end).expect("a part"));
        assert_eq!((records.len(), errors.len()), (1, 1), "{end} {errors:?}");
        assert!(errors.concat().contains("cut off"), "{errors:?}");
    }
}

#[test]
fn an_endless_tag_is_refused_in_bounded_memory() {
    struct Endless(&'static [u8]);
    impl std::io::Read for Endless {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                room.fill(b'x');
                return Ok(room.len());
            }
            self.0.read(room)
        }
    }
    let source = std::io::BufReader::new(Endless(b"<nmaprun args=\""));
    let errors: Vec<_> = nmap::Records::new(source).map(|item| item.expect_err("an error")).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors.iter().all(|error| error.ends_the_file() && error.to_string().contains("longer than the 8388608")));
    let source = std::io::BufReader::new(Endless(b"[{\"ip\": \"192.0.2.1\" "));
    let first = masscan::Records::new(source.take(3_000_000)).next().expect("an item").expect_err("an error");
    assert!(first.to_string().contains("longer than any record"), "{first}");
}

#[test]
fn masscan_xml_carries_banners() {
    let text = "<?xml version=\"1.0\"?>\n<!-- masscan v1.0 scan -->\n<nmaprun scanner=\"masscan\" start=\"1\">\n\
        <host endtime=\"1700000000\"><address addr=\"192.0.2.9\" addrtype=\"ipv4\"/><ports><port protocol=\"tcp\" portid=\"22\">\
        <state state=\"open\" reason=\"response\"/><service name=\"ssh\" banner=\"SSH-2.0-dropbear&#x0d;&#x0a;\"></service>\
        </port></ports></host></nmaprun>";
    let (records, errors) = read_all(Format::Xml, text.as_bytes());
    assert_eq!(errors, Vec::<String>::new());
    let record = records.first().expect("a record");
    let kinds: Vec<_> = record.evidence.iter().map(|evidence| evidence.kind).collect();
    assert_eq!(kinds, [EvidenceKind::MasscanRecord, EvidenceKind::Banner]);
    assert_eq!(record.evidence.last().map(|evidence| &*evidence.bytes), Some(&b"SSH-2.0-dropbear\r\n"[..]));
    assert_eq!(claim(record, "claim.protocol").as_deref(), Some("ssh"));
}

#[test]
fn broken_masscan_lists_lose_only_what_is_broken() {
    let good = |port: u16| {
        format!(
            r#"{{ "ip": "192.0.2.1", "timestamp": "1700000000", "ports": [ {{"port": {port}, "proto": "tcp", "status": "open"}} ] }}"#
        )
    };
    let ports = |text: &str| {
        let (records, errors) = read_all(Format::MasscanJson, text.as_bytes());
        (records.iter().map(|record| record.port).collect::<Vec<_>>(), errors)
    };
    let none = Vec::<String>::new();
    let (a, b, c) = (good(1), good(2), good(3));
    assert_eq!(ports(&format!("[\n{a},\n{b},\n]\n")), (vec![1, 2], none.clone()), "a trailing comma");
    assert_eq!(ports(&format!("[\n{a}\n,\n{b}\n")), (vec![1, 2], none.clone()), "no bracket");
    assert_eq!(ports(&format!("[\n{a},\n{{finished: 1}}\n]\n")), (vec![1], none.clone()), "an end mark");
    assert_eq!(ports(&format!("{a}\n{b}\n")), (vec![1, 2], none.clone()), "one a line");
    let half = a.get(..70).expect("a part");
    let (found, errors) = ports(&format!("[\n{half}\n{b},\n{c}\n]"));
    assert_eq!((found, errors.len()), (vec![2, 3], 1), "{errors:?}");
    assert!(errors.concat().contains("line 2 (byte 2)"), "{errors:?}");
    let (found, errors) = ports(&format!("[\n{a},\nSegmentation fault\n{b}]"));
    assert_eq!((found, errors.len()), (vec![1, 2], 1), "{errors:?}");
    let (found, errors) = ports(&format!("[{a},{half}"));
    assert_eq!((found, errors.len()), (vec![1], 1), "{errors:?}");
    let (found, errors) = ports(&format!("[{a},\n{}\n,{c}]", b.replace("tcp", "icmp")));
    assert_eq!((found, errors.len()), (vec![1, 3], 1), "{errors:?}");
}

#[test]
fn masscan_banners_are_seen_bytes() {
    let text = r#"[{"ip":"192.0.2.1","timestamp":"1","ports":[{"port":80,"proto":"tcp","service":{"name":"http","banner":"HTTP/1.1 200 OK\r\nServer: x\u00e9\r\n\r\n"}}]}]"#;
    let (records, errors) = read_all(Format::MasscanJson, text.as_bytes());
    assert_eq!(errors, Vec::<String>::new());
    let record = records.first().expect("a record");
    let http = record.evidence.get(1).expect("evidence");
    assert_eq!((http.kind, &*http.bytes), (EvidenceKind::Http, &b"HTTP/1.1 200 OK\r\nServer: x\xe9\r\n\r\n"[..]));
    assert_eq!(claim(record, "claim.protocol").as_deref(), Some("http"));
}

#[test]
fn zgrab_lines_give_a_record_a_module() {
    let text = concat!(
        r#"{"ip":"192.0.2.5","data":{"ssh":{"status":"success","protocol":"ssh","result":{"server_id":{"raw":"SSH-2.0-OpenSSH_9.2"}},"timestamp":"2026-11-22T00:00:00Z"},"#,
        r#""tls":{"status":"connection-refused","protocol":"tls","timestamp":"2026-11-22T00:00:01Z"}}}"#,
        "\n{\"ip\":\"192.0.2.6\",\"data\":{\"http\":{\"status\":\"success\",\"protocol\":\"http\",\"port\":8080,\"result\":{\"response\":",
        r#"{"status_line":"200 OK","protocol":{"name":"HTTP/1.1"},"headers":{"server":["lighttpd/1.4"],"x_frame_options":["DENY"],"unknown":[{"key":"x_a","value":["b\r\nc: d"]}]},"body":"<title>T</title>","#,
        r#""request":{"tls_log":{"handshake_log":{"server_certificates":{"certificate":{"raw":"MAA="},"chain":[{"raw":"MAEA"}]}}}}}}}}}"#,
        "\nnot json\n{\"domain\":\"x\",\"data\":{\"http\":{\"status\":\"unknown-error\"}}}\n",
    );
    assert_eq!(detect(text.as_bytes()), Some(Format::Zgrab));
    let (records, errors) = read_all(Format::Zgrab, text.as_bytes());
    let seen: Vec<_> = records.iter().map(|record| (record.port, record.state)).collect();
    assert_eq!(seen, [(22, State::Open), (443, State::Closed), (8080, State::Open)]);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().any(|error| error.starts_with("line 3 ")), "{errors:?}");
    let [ssh, _, http] = &*records else { panic!("three records") };
    let kinds: Vec<_> = http.evidence.iter().map(|evidence| evidence.kind).collect();
    use EvidenceKind as K;
    assert_eq!(kinds, [K::ZgrabRecord, K::Http, K::Certificate, K::ChainCertificate]);
    let http = http.evidence.get(1).expect("evidence");
    let list = fields(http.kind, &http.bytes);
    let names: Vec<_> = list.iter().map(|field| (&*field.name, field.text().into_owned())).collect();
    assert!(names.contains(&("http.server", "lighttpd/1.4".to_owned())), "{names:?}");
    assert!(names.contains(&("http.header.x-a", "b  c: d".to_owned())), "{names:?}");
    assert_eq!(claim(ssh, "claim.protocol").as_deref(), Some("ssh"));
    assert_eq!(ssh.time, "2026-11-22T00:00:00Z".parse().ok());
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_record() {
    for text in [
        "<nmaprun start=\"1\"><host><address addr=\"192.0.2.1\"/><ports><port protocol=\"tcp\" portid=\"1\">\
         <state state=\"open\"/></port></ports></host></nmaprun>",
        "{\"ip\":\"192.0.2.1\",\"timestamp\":\"1\",\"ports\":[{\"port\":1,\"proto\":\"tcp\",\"status\":\"open\"}]}",
        "open tcp 1 192.0.2.1 1\n",
        "{\"ip\":\"192.0.2.1\",\"data\":{\"ssh\":{\"status\":\"success\",\"protocol\":\"ssh\",\"result\":{}}}}",
        "{\"ip_str\":\"192.0.2.1\",\"port\":1,\"transport\":\"tcp\"}",
        "{\"ip\":\"192.0.2.1\",\"services\":[{\"port\":1,\"transport_protocol\":\"TCP\"}]}",
    ] {
        let marked = format!("\u{feff}{text}");
        let format = detect(marked.as_bytes()).expect("a format");
        let (records, errors) = read_all(format, marked.as_bytes());
        assert_eq!((records.len(), errors), (1, Vec::new()), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let report = shadowserver::report::named("scan_http");
        for format in [
            Format::Xml,
            Format::MasscanJson,
            Format::MasscanList,
            Format::MasscanBinary,
            Format::Zgrab,
            Format::Shodan,
            Format::Censys,
            Format::Shadowserver(report),
        ] {
            prop_assert!(read(format, Cursor::new(&bytes)).count() <= bytes.len() + 1);
        }
    }

    #[test]
    fn a_cut_anywhere_loses_nothing_before_it(cut in 0_usize..1000) {
        let port = |n| format!("<port protocol=\"tcp\" portid=\"{n}\"><state state=\"open\"/></port>");
        let ports: String = (1..=10).map(port).collect();
        let text = format!("{HEAD}<host><address addr=\"192.0.2.1\"/><ports>{ports}</ports></host></nmaprun>");
        let part = text.as_bytes().get(..cut.min(text.len())).expect("a part");
        let (records, errors) = read_all(Format::Xml, part);
        let whole = memchr::memmem::find_iter(part, b"</port>").count();
        prop_assert_eq!(records.len(), whole);
        prop_assert_eq!(errors.len(), usize::from(part.len() < text.len()));
    }
}
