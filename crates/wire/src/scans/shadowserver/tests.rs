//! Reports with the real columns and made-up rows, and hostile ones.

use std::io::Cursor;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::fields as fields_of;
use crate::scans::{Format, detect};

const HEAD: &str = "\"timestamp\",\"severity\",\"ip\",\"protocol\",\"port\",\"hostname\",\"tag\",\"asn\",\"geo\",\"region\",\"city\",\"naics\",\"hostname_source\",\"sector\"";

/// A report: the columns beyond the common ones, and what its rows say there.
fn report_of(columns: &str, rows: &[&str]) -> String {
    let row = |(number, rest): (usize, &&str)| {
        format!(
            "\"2026-11-0{} 01:02:03\",\"medium\",\"192.0.2.{}\",\"tcp\",\"{}\",\"h.example\",\"t\",64500,\"JP\",\"Tokyo\",\"Chiyoda\",0,\"ptr\",\"\"{rest}\r\n",
            number + 1,
            number + 1,
            1000 + number
        )
    };
    let rows: String = rows.iter().enumerate().map(row).collect();
    format!("\u{feff}{HEAD}{columns}\r\n{rows}")
}

fn read(report: Option<&'static Report>, text: &str) -> (Vec<Record>, Vec<ScanError>) {
    let (good, bad): (Vec<_>, Vec<_>) = Records::new(Cursor::new(text), report).partition(Result::is_ok);
    (good.into_iter().filter_map(Result::ok).collect(), bad.into_iter().filter_map(Result::err).collect())
}

fn values(record: &Record, name: &str) -> Vec<String> {
    let first = record.evidence.first().expect("words");
    let list = fields_of(first.kind, &first.bytes);
    assert!(!list.iter().any(|field| field.name == "malformed"), "{list:?}");
    list.iter().filter(|field| field.name == name).map(|field| field.text().into_owned()).collect()
}

#[test]
fn a_row_is_words_and_what_was_seen() {
    let columns = ",http,http_code,http_reason,content_type,server,set_cookie,transfer_encoding,device_vendor,device_type,device_model,device_version";
    let rows = [
        ",\"HTTP/1.1\",\"200\",\"OK\",\"text/html\",\"Boa/0.94\",\"a=\"\"b\"\"\nX: y\",\"chunked\",\"Example\",\"camera\",\"C-1\",\"2.0\"",
    ];
    let text = report_of(columns, &rows);
    assert_eq!(detect(text.as_bytes()), Some(Format::Shadowserver(None)));
    let (records, errors) = read(report::named("scan_http"), &text);
    assert!(errors.is_empty(), "{errors:?}");
    let [record] = &*records else { panic!("one record") };
    assert_eq!((record.address, record.port, record.transport), (IpAddr::from([192, 0, 2, 1]), 1000, Transport::Tcp));
    assert_eq!(record.time, "2026-11-01T01:02:03Z".parse().ok());
    let [words, http] = &*record.evidence else { panic!("two pieces: {record:?}") };
    let words = String::from_utf8_lossy(&words.bytes);
    assert!(words.starts_with("report,severity,protocol,port,tag,http,"), "{words}");
    assert!(!words.contains("192.0.2") && !words.contains("h.example") && !words.contains("2026-"), "{words}");
    let sent = "HTTP/1.1 200 OK\r\nServer: Boa/0.94\r\nContent-Type: text/html\r\nSet-Cookie: a=\"b\" X: y\r\n\r\n";
    assert_eq!((http.kind, String::from_utf8_lossy(&http.bytes)), (EvidenceKind::Http, sent.into()));
    assert_eq!(values(record, "claim.protocol"), ["http"]);
    assert_eq!(values(record, "claim.vendor"), ["Example"]);
    assert_eq!(values(record, "claim.product"), ["C-1"]);
    assert_eq!(values(record, "claim.version"), ["2.0"]);
    assert_eq!(values(record, "claim.device-type"), ["camera"]);
    assert_eq!(values(record, "claim.banner"), ["Boa/0.94"]);
}

#[test]
fn ssh_and_certificates_are_seen() {
    let columns = ",serverid_raw,raw_cert,raw_cert_chain";
    let pem = |last: &str| format!("-----BEGIN CERTIFICATE-----\nMAMCAQ{last}=\n-----END CERTIFICATE-----\n");
    let rows = format!(",SSH-2.0-dropbear,\"{}\",\"{}{}\"", pem("E"), pem("I"), pem("M"));
    let (records, errors) = read(report::named("scan6_ssh"), &report_of(columns, &[&rows, ",,none,"]));
    assert!(errors.is_empty(), "{errors:?}");
    use EvidenceKind as K;
    let kinds = |record: &Record| record.evidence.iter().map(|evidence| evidence.kind).collect::<Vec<_>>();
    let [whole, bare] = &*records else { panic!("two records") };
    let chain = [K::ShadowserverRecord, K::Banner, K::Certificate, K::ChainCertificate, K::ChainCertificate];
    assert_eq!(kinds(whole), chain);
    assert_eq!(kinds(bare), [K::ShadowserverRecord]);
    assert_eq!(values(whole, "claim.protocol"), ["ssh"]);
    let words = bare.evidence.first().map(|words| String::from_utf8_lossy(&words.bytes).into_owned());
    assert!(words.is_some_and(|words| words.contains("none")), "what cannot be read stays in the words");
}

#[test]
fn versions_of_programs_are_told_by_their_report_only() {
    let text = report_of(",version", &[",7.4.1"]);
    let version = |name| values(read(report::named(name), &text).0.first().expect("a record"), "claim.version");
    assert_eq!(version("scan_redis"), ["7.4.1"]);
    assert_eq!(version("scan_slp"), Vec::<String>::new());
}

#[test]
fn reports_of_something_else_are_left_out_with_the_reason() {
    let text = "timestamp,protocol,src_ip,src_port,src_asn,infection\n2026-11-01 00:00:00,tcp,192.0.2.1,1,64500,x\n\
        2026-11-01 00:00:01,tcp,192.0.2.2,1,64500,x\n";
    assert_eq!(detect(text.as_bytes()), Some(Format::Shadowserver(None)));
    let (records, errors) = read(report::named("event4_ip_spoofer"), text);
    assert_eq!((records.len(), errors.len()), (0, 2));
    for error in errors {
        assert!(!error.ends_the_file());
        assert!(matches!(error, ScanError::Other { reason, .. } if reason.contains("sensors met")), "{error}");
    }
}

/// The columns of `event4_sinkhole_http`, as the schema of September 2024 has them.
const SINKHOLE: &str = "timestamp,protocol,src_ip,src_port,src_asn,src_geo,src_region,src_city,src_hostname,src_naics,\
    src_sector,device_vendor,device_type,device_model,severity,dst_ip,dst_port,dst_asn,dst_geo,dst_region,dst_city,\
    dst_hostname,dst_naics,dst_sector,public_source,infection,family,tag,application,version,event_id,http_url,http_host,\
    http_agent,forwarded_by,ssl_cipher,http_referer";

/// A row of it: where it came from, what it is infected with and the family.
fn met(address: &str, port: &str, infection: &str, family: &str) -> String {
    format!(
        "2026-11-01 01:02:03,tcp,{address},{port},64500,JP,Tokyo,Chiyoda,h.example,,,Example,router,R-1,critical,\
         198.51.100.9,80,64501,US,,,sinkhole.example,,,,{infection},{family},t,http,,77,/secret?who=me,called.example,\
         Agent/1,10.0.0.7,,http://page.example/\n"
    )
}

#[test]
fn a_sinkhole_tells_of_infected_hosts_and_nothing_of_what_they_asked() {
    let rows = [
        met("192.0.2.1", "40123", "avalanche-andromeda", "andromeda"),
        met("192.0.2.1", "40124", "mirai", ""),
        met("2001:db8::1", "", "necurs", ""),
        met("192.0.2.300", "1", "x", ""),
        met("192.0.2.2", "70000", "x", ""),
        met("192.0.2.3", "1", "x", "").replace("2026-11-01 01:02:03", "yesterday"),
        met("192.0.2.4", "1", "x", "").replace(",tcp,", ",gre,"),
        "2026-11-01 01:02:03,tcp,192.0.2.5\n".to_owned(),
    ];
    let text = format!("{SINKHOLE}\n{}", rows.concat());
    for report in ["event4_sinkhole_http", "event6_sinkhole_http", "event4_microsoft_sinkhole_http"] {
        let (records, errors) = read(report::named(report), &text);
        let [first, second, third] = &*records else { panic!("{report}: {records:?}") };
        assert_eq!((first.address, first.port), (IpAddr::from([192, 0, 2, 1]), 0), "the host, not a service");
        assert_eq!(first.time, "2026-11-01T01:02:03Z".parse().ok());
        assert_eq!(values(first, "claim.protocol"), ["infection"]);
        assert_eq!(
            (values(first, "claim.infection"), values(first, "claim.family")),
            (vec!["infected".into()], vec!["andromeda".into()])
        );
        assert_eq!(values(first, "claim.source-port"), ["40123"]);
        assert_eq!(values(first, "claim.sinkhole"), ["sinkhole.example"]);
        assert_eq!(
            (values(first, "claim.vendor"), values(first, "claim.device-type")),
            (vec!["Example".into()], vec!["router".into()])
        );
        assert_eq!(
            (values(second, "claim.family"), values(third, "claim.family")),
            (vec!["mirai".into()], vec!["necurs".into()])
        );
        for record in &records {
            let words = String::from_utf8_lossy(&record.evidence.first().expect("words").bytes).into_owned();
            for private in
                ["secret", "called.example", "Agent", "10.0.0.7", "page.example", "192.0.2", "h.example", "2026-"]
            {
                assert!(!words.contains(private), "{private}: {words}");
            }
        }
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        for (line, part) in [(5, "192.0.2.300"), (6, "70000"), (7, "no time"), (8, "gre"), (9, "3 columns")] {
            let start = format!("line {line} ");
            assert!(told.iter().any(|told| told.starts_with(&start) && told.contains(part)), "{part}: {told:?}");
        }
    }
}

#[test]
fn who_only_scans_is_not_called_infected() {
    let rows = [
        met("192.0.2.1", "1", "http-scan", ""),
        met("192.0.2.2", "2", "rdp-scan", "mirai"),
        met("192.0.2.3", "3", "ssh-brute-force", ""),
    ];
    let text = format!("{SINKHOLE}\n{}", rows.concat());
    let (records, errors) = read(report::named("event4_honeypot_http_scan"), &text);
    assert_eq!(records.iter().map(|record| record.address.to_string()).collect::<Vec<_>>(), ["192.0.2.2"]);
    let left_out =
        |error: &ScanError| matches!(error, ScanError::Other { reason, .. } if reason.contains("no malware"));
    assert!(errors.len() == 2 && errors.iter().all(left_out), "{errors:?}");
    let (records, errors) = read(report::named("event4_honeypot_brute_force"), &text);
    assert_eq!((records.len(), errors.len()), (3, 0), "who tries passwords is misused at least");
    assert_eq!(values(records.last().expect("a record"), "claim.family"), ["ssh-brute-force"]);
}

#[test]
fn the_name_of_who_was_attacked_is_not_kept() {
    let row = met("192.0.2.1", "40123", "mirai", "").replace("sinkhole.example,,,,", "victim.example,,,sensor,");
    assert!(row.contains("victim.example"), "{row}");
    let text = format!("{SINKHOLE}\n{row}");
    for report in ["event4_honeypot_brute_force", "event4_honeypot_darknet", "event4_honeypot_http_scan"] {
        let (records, errors) = read(report::named(report), &text);
        let ([record], []) = (&*records, &*errors) else { panic!("{report}: {records:?} {errors:?}") };
        assert_eq!(values(record, "claim.sinkhole"), ["sensor"], "{report}");
        let words = String::from_utf8_lossy(&record.evidence.first().expect("words").bytes).into_owned();
        assert!(words.contains("40123") && !words.contains("victim"), "{report}: {words}");
    }
    // Who takes part in an attack may be a reflector, or somebody whose address was forged.
    let (records, errors) = read(report::named("event4_ddos_participant"), &text);
    let left_out =
        |error: &ScanError| matches!(error, ScanError::Other { reason, .. } if reason.contains("sensors met"));
    assert!(records.is_empty() && errors.len() == 1 && errors.iter().all(left_out), "{records:?} {errors:?}");
    assert_eq!(["event6_ddos_participant", "event_ddos_participant6"].map(infection::means), [None, None]);
    // Nor is it told where an older version kept it.
    for (report, state) in [("event4_ddos_participant", None), ("event4_honeypot_brute_force", Some("infected"))] {
        let words = format!("report,src_port,dst_hostname,infection\n{report},1,victim.example,mirai\n");
        let list = fields_of(EvidenceKind::ShadowserverRecord, words.as_bytes());
        assert!(!list.iter().any(|field| field.text().contains("victim")), "{report}: {list:?}");
        let told = list.iter().find(|field| field.name == "claim.infection").map(|field| field.text().into_owned());
        assert_eq!(told.as_deref(), state, "{report}");
    }
}

#[test]
fn what_was_taken_over_is_a_host() {
    let text = report_of(
        ",device_vendor,category,family,detail,account,dst_hostname",
        &[",Example,webshell,gamma,/shell.php,root,victim"],
    );
    for report in ["compromised_iot", "compromised_iot6", "compromised_website", "compromised_website6"] {
        let (records, errors) = read(report::named(report), &text);
        assert!(errors.is_empty(), "{errors:?}");
        let [record] = &*records else { panic!("one record") };
        assert_eq!((record.port, values(record, "claim.infection")), (0, vec!["compromised".to_owned()]));
        assert_eq!(values(record, "claim.family"), ["gamma"]);
        let words = String::from_utf8_lossy(&record.evidence.first().expect("words").bytes).into_owned();
        assert!(["root", "shell.php", "victim"].iter().all(|private| !words.contains(private)), "{words}");
    }
}

#[test]
fn an_unknown_report_ends_the_file_unless_it_is_empty() {
    let (records, errors) = read(None, &report_of(",x", &[",1", ",2"]));
    assert_eq!((records.len(), errors.len()), (0, 1), "{errors:?}");
    assert!(errors.iter().all(|error| error.ends_the_file() && error.to_string().contains("--format shadowserver:")));
    let (records, errors) = read(None, &report_of(",x", &[]));
    assert_eq!((records.len(), errors.len()), (0, 0));
    let (records, errors) = read(None, &report_of(",product,banner", &[",x,y"]));
    assert_eq!((records.len(), errors.len()), (1, 0), "known by its columns: {errors:?}");
    let named = |text: &str| {
        let words = read(None, text).0.into_iter().next().and_then(|record| record.evidence.into_iter().next());
        words.map(|words| String::from_utf8_lossy(&words.bytes).contains("scan_vnc,"))
    };
    let four = report_of(",product,banner", &[",x,y"]);
    assert_eq!(named(&four), Some(true), "the address says which twin it is");
    assert_eq!(named(&four.replace("192.0.2.1", "2001:db8::1")), Some(false));
    let (_, errors) = read(None, "a,b\n1,2\n");
    assert!(errors.iter().all(ScanError::ends_the_file) && errors.len() == 1);
}

#[test]
fn bad_rows_are_told_with_their_line() {
    let good = report_of(",banner", &[",x"]);
    let rows = [
        "\"2026-11-01 01:02:03\",,192.0.2.1,tcp,99999,,,,,,,,,,x",
        "\"2026-11-01 01:02:03\",,192.0.2.300,tcp,1,,,,,,,,,,x",
        "\"2026-11-01 01:02:03\",,192.0.2.1,gre,1,,,,,,,,,,x",
        "\"2026-11-01 01:02:03\",,192.0.2.1,,1,,,,,,,,,,x",
        "\"01.11.2026\",,192.0.2.1,tcp,1,,,,,,,,,,x",
        "\"2026-11-01 01:02:03\",,192.0.2.1,tcp,1,,x",
        "\"2026-11-01 01:02:03\",,192.0.2.1,tcp,1,,,,,,,,,,\"x",
        "\"2026-11-01 01:02:04\",,192.0.2.9,UDP,1,,,,,,,,,,y",
    ];
    let (records, errors) = read(report::named("scan_telnet"), &format!("{good}{}", rows.join("\n")));
    let seen: Vec<_> = records.iter().map(|record| (record.address, record.transport)).collect();
    assert_eq!(seen, [(IpAddr::from([192, 0, 2, 1]), Transport::Tcp), (IpAddr::from([192, 0, 2, 9]), Transport::Udp)]);
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 7, "{told:?}");
    for (line, part) in [
        (3, "99999"),
        (4, "192.0.2.300"),
        (5, "gre"),
        (6, "no protocol"),
        (7, "no time"),
        (8, "7 columns"),
        (9, "cut off"),
    ] {
        let start = format!("line {line} ");
        assert!(told.iter().any(|told| told.starts_with(&start) && told.contains(part)), "{part}: {told:?}");
    }
}

proptest! {
    #[test]
    fn a_row_of_any_text_reads_back(banner in any::<String>(), vendor in any::<String>(), port in any::<u16>()) {
        let mut text = format!("{HEAD},banner,device_vendor\n").into_bytes();
        let port = port.to_string();
        let cells = ["2026-11-01 00:00:00", "", "192.0.2.1", "udp", &port, "", "", "", "", "", "", "", "", "", &banner, &vendor];
        csv::write(&mut text, cells.iter().map(|cell| cell.as_bytes()));
        let (records, errors) = read(report::named("scan_telnet"), &String::from_utf8(text).expect("text"));
        prop_assert!(errors.is_empty(), "{:?}", errors);
        let record = records.first().expect("a record");
        prop_assert_eq!(record.port.to_string(), port);
        prop_assert_eq!(values(record, "claim.vendor").concat(), vendor);
        prop_assert_eq!(values(record, "claim.banner").concat(), banner);
    }
}
