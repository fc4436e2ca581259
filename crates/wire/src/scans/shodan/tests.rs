//! Banners of the real shape, made up, and hostile ones.

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

fn web() -> Value {
    json!({
        "ip": 3_221_225_985_u32, "ip_str": "192.0.2.1", "port": 8443, "transport": "tcp", "hash": -5,
        "timestamp": "2026-10-02T03:04:05.678901", "org": "Example", "hostnames": ["x.example"],
        "_shodan": {"module": "https-simple-new", "crawler": "c", "options": {}},
        "product": "lighttpd", "version": "1.4.69", "os": "Linux", "devicetype": "webcam",
        "cpe": ["cpe:/a:lighttpd:lighttpd:1.4.69"], "cpe23": ["cpe:2.3:a:lighttpd:lighttpd:1.4.69:*:*:*:*:*:*:*"],
        "data": "HTTP/1.1 200 OK\r\nServer: lighttpd/1.4.69\r\nTransfer-Encoding: chunked\r\n\r\n",
        "http": {"html": "<title>Camera</title>", "server": "lighttpd/1.4.69", "status": 200},
        "ssl": {"versions": ["TLSv1.2", "-SSLv3"], "chain": [
            "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nMAMCAQI=\n-----END CERTIFICATE-----\n",
        ]},
    })
}

#[test]
fn a_banner_is_words_and_what_was_seen() {
    let (records, errors) = read(&format!("{}\n", web()));
    assert_eq!(errors, Vec::<String>::new());
    let [record] = &*records else { panic!("one record") };
    assert_eq!((record.address, record.port), (IpAddr::from([192, 0, 2, 1]), 8443));
    assert_eq!(record.time, "2026-10-02T03:04:05.678901Z".parse().ok());
    use EvidenceKind as K;
    let kinds: Vec<_> = record.evidence.iter().map(|evidence| evidence.kind).collect();
    assert_eq!(kinds, [K::ShodanRecord, K::Http, K::Certificate, K::ChainCertificate]);
    let http = record.evidence.get(1).expect("an answer");
    assert_eq!(&*http.bytes, b"HTTP/1.1 200 OK\r\nServer: lighttpd/1.4.69\r\n\r\n<title>Camera</title>");
    assert_eq!(values(record, "claim.protocol"), ["https"]);
    assert_eq!(values(record, "claim.product"), ["lighttpd"]);
    assert_eq!(values(record, "claim.device-type"), ["webcam"]);
    assert_eq!(values(record, "claim.tunnel"), ["ssl"]);
    assert_eq!(values(record, "claim.cpe"), ["cpe:2.3:a:lighttpd:lighttpd:1.4.69:*:*:*:*:*:*:*"]);
    let words = String::from_utf8_lossy(&record.evidence.first().expect("words").bytes).into_owned();
    for absent in ["192.0.2.1", "2026-10-02", "x.example", "Camera", "BEGIN", "crawler"] {
        assert!(!words.contains(absent), "{absent} in {words}");
    }
}

#[test]
fn the_same_service_elsewhere_and_later_has_the_same_words() {
    let mut other = web();
    for (name, value) in [("ip_str", "192.0.2.2"), ("timestamp", "2026-10-03T00:00:00.000001"), ("org", "Other")] {
        *other.get_mut(name).expect("a member") = value.into();
    }
    let (records, _) = read(&format!("{}\n{other}\n", web()));
    let [a, b] = &*records else { panic!("two records") };
    assert_eq!(a.evidence, b.evidence);
    assert_ne!((a.address, a.time), (b.address, b.time));
}

#[test]
fn ssh_is_a_greeting_and_a_key() {
    let banner = json!({
        "ip_str": "2001:db8::1", "port": 22, "transport": "tcp", "timestamp": "2026-10-02T03:04:05",
        "_shodan": {"module": "ssh"}, "data": "SSH-2.0-dropbear_2022.83\nKey type: ssh-rsa\nKey: AAAA\n",
        "ssh": {"key": "AAAAB3NzaC1yc2EAAAADAQAB\n", "type": "ssh-rsa"},
    });
    let (records, errors) = read(&banner.to_string());
    assert_eq!(errors, Vec::<String>::new());
    let record = records.first().expect("a record");
    let kinds: Vec<_> = record.evidence.iter().map(|evidence| evidence.kind).collect();
    assert_eq!(kinds, [EvidenceKind::ShodanRecord, EvidenceKind::Banner, EvidenceKind::SshHostKey]);
    assert_eq!(record.evidence.get(1).map(|banner| &*banner.bytes), Some(&b"SSH-2.0-dropbear_2022.83\n"[..]));
}

#[test]
fn a_host_lookup_gives_a_record_a_banner() {
    let banner = |port: u16| json!({"port": port, "transport": "udp", "timestamp": "2026-10-02T03:04:05", "data": ""});
    let host = json!({"ip_str": "192.0.2.3", "ports": [53, 123], "data": [banner(53), banner(123)]});
    let (records, errors) = read(&host.to_string());
    let seen: Vec<_> = records.iter().map(|record| (record.port, record.transport)).collect();
    assert_eq!((seen, errors.len()), (vec![(53, Transport::Udp), (123, Transport::Udp)], 0));
    assert!(records.iter().all(|record| record.address == IpAddr::from([192, 0, 2, 3])));
}

#[test]
fn banners_beyond_the_bound_are_counted() {
    let banner = json!({"port": 1, "transport": "tcp"});
    let host = json!({"ip_str": "192.0.2.3", "data": vec![banner; MAX_BANNERS + 3]});
    let (records, errors) = read(&host.to_string());
    assert_eq!((records.len(), errors.len()), (MAX_BANNERS, 1), "{errors:?}");
    assert!(errors.concat().contains(": 3 banners beyond"), "{errors:?}");
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let line = |change: fn(&mut Value)| {
        let mut banner = web();
        change(&mut banner);
        format!("{banner}\n")
    };
    let text = [
        line(|banner| banner["port"] = 70_000.into()),
        line(|banner| banner["transport"] = "sctp".into()),
        line(|banner| banner["ip_str"] = "x".into()),
        line(|banner| banner["timestamp"] = "yesterday".into()),
        line(|banner| banner["timestamp"] = 1.into()),
        "[1]\n{\"ip\": 1\n\n".to_owned(),
        line(|banner| drop(banner.as_object_mut().map(|members| members.remove("ip_str")))),
        line(|banner| banner["timestamp"] = Value::Null),
        line(|banner| banner["timestamp"] = "2026-10-02 03:04:05+00:00".into()),
    ];
    let (records, errors) = read(&text.concat());
    assert_eq!(errors.len(), 7, "{errors:?}");
    for (number, part) in [
        (1, "no port"),
        (2, "sctp"),
        (3, "address"),
        (4, "\"yesterday\" is no time"),
        (5, "time is no text"),
        (6, "no address"),
        (7, "EOF"),
    ] {
        let start = format!("line {number} ");
        assert!(errors.iter().any(|error| error.starts_with(&start) && error.contains(part)), "{part}: {errors:?}");
    }
    let times: Vec<_> = records.iter().map(|record| record.time.is_some()).collect();
    assert_eq!(times, [true, false, true]);
    assert!(records.iter().all(|record| record.address == IpAddr::from([192, 0, 2, 1])), "also from the number");
}

proptest! {
    #[test]
    fn a_banner_of_any_text_reads_back(data in any::<String>(), product in any::<String>(), port in any::<u16>()) {
        let banner = json!({"ip_str": "192.0.2.1", "port": port, "transport": "tcp", "data": data, "product": product});
        let (records, errors) = read(&banner.to_string());
        prop_assert_eq!(errors.len(), 0);
        let record = records.first().expect("a record");
        prop_assert_eq!(record.port, port);
        let claimed = values(record, "claim.product");
        prop_assert_eq!(claimed.concat(), product);
    }
}
