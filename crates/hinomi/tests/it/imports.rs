//! Scans that other tools wrote: they become services, importing them again changes nothing, and what cannot be read is
//! told without losing the rest.

use std::io::Write;
use std::process::{Output, Stdio};

use crate::program::{Installation, samples, stand_aside};

#[test]
fn importing_again_changes_nothing() {
    let Some(folder) = samples() else {
        stand_aside("the sample data is not here (HINOMI_DATA names its folder)");
        return;
    };
    let here = Installation::new();
    for name in
        ["nmap_multiple_port.xml", "nmap_1port.xml", "issue4406.xml", "masscan_many_vuln.json", "masscan_no_vuln.json"]
    {
        let file = folder.join("scans").join(name);
        let path = file.to_str().expect("a path");
        let first = here.json(&["import", path]);
        assert_eq!(first["report"]["unreadable"], 0, "{first}");
        let again = here.json(&["import", path]);
        assert_eq!(again["report"]["stored"], 0, "{again}");
        assert_eq!(again["report"]["repeated"], first["report"]["stored"], "{again}");
    }
    let services = here.services();
    assert!(!services.is_empty(), "the samples hold open ports");
    assert!(services.iter().all(|service| service["sensor"].as_str().is_some_and(|s| s.starts_with("import:"))));
    let named = services.iter().filter(|service| service["product"].is_string()).count();
    assert!(named > 0, "nmap's own claims are kept as such: {services:?}");
}

const HEAD: &str = "<?xml version=\"1.0\"?>\n<!DOCTYPE nmaprun>\n<nmaprun scanner=\"nmap\" start=\"1790000000\">\n";

/// A host with three open ports.
fn host(name: &str) -> String {
    let port = |number: u16| {
        format!(
            "<port protocol=\"tcp\" portid=\"{number}\"><state state=\"open\"/><service name=\"{name}\" method=\"probed\"/></port>\n"
        )
    };
    format!("<host><address addr=\"192.0.2.1\"/><ports>{}{}{}</ports></host>\n", port(21), port(22), port(23))
}

fn whole() -> String {
    format!("{HEAD}{}</nmaprun>\n", host("ftp"))
}

/// What comes of importing these bytes in an installation of their own: success, records, services, stderr.
fn import(bytes: &[u8]) -> (bool, u64, usize, String) {
    let here = Installation::new();
    let file = here.path("scan");
    std::fs::write(&file, bytes).expect("written");
    let output = here.run(&["import", file.to_str().expect("a path"), "--json"]);
    let told: Option<serde_json::Value> = serde_json::from_slice(&output.stdout).ok();
    let records = told.as_ref().and_then(|told| told["report"]["records"].as_u64()).unwrap_or(0);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints = told.map(|told| told["report"]["complaints"].to_string()).unwrap_or_default();
    (output.status.success(), records, here.services().len(), complaints + &talk)
}

#[test]
fn bad_files_are_told_and_what_was_good_is_kept() {
    let whole = whole();
    let laughs =
        whole.replace("<!DOCTYPE nmaprun>", "<!DOCTYPE nmaprun [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>");
    let huge = |length: usize| {
        whole.replace("name=\"ftp\" method", &format!("name=\"ftp\" extrainfo=\"{}\" method", "x".repeat(length)))
    };
    let mut noise = whole.clone().into_bytes();
    let second = whole.find("portid=\"22\"").expect("a port");
    noise[second + 8] = 0xff;
    let cut = |pattern: &str| whole.as_bytes()[..whole.find(pattern).expect("there")].to_vec();
    let packed = |bytes: &[u8]| zstd::encode_all(bytes, 3).expect("packed");
    for (what, bytes, success, records, reason) in [
        ("whole", whole.clone().into_bytes(), true, 3, ""),
        ("cut between ports", cut("<port protocol=\"tcp\" portid=\"23\""), false, 2, "it was cut off"),
        ("cut in a tag", cut("id=\"22\""), false, 1, "was cut off"),
        ("billion laughs", laughs.into_bytes(), false, 0, "declares entities"),
        ("invalid UTF-8", noise, false, 1, "not UTF-8"),
        ("long attributes", huge(1_000_000).into_bytes(), true, 3, ""),
        ("an attribute beyond reason", huge(9_000_000).into_bytes(), false, 0, "longer than the 8388608 bytes"),
        ("nothing", Vec::new(), true, 0, "is empty, as masscan leaves it"),
        ("packed with zstd", packed(whole.as_bytes()), true, 3, ""),
        (
            "packed with gzip",
            b"\x1f\x8b\x08\0\0\0\0\0".to_vec(),
            false,
            0,
            "gzip -dc FILE | hinomi import - --time TIME",
        ),
        ("something else", b"hello".to_vec(), false, 0, "is not recognised"),
    ] {
        let (succeeded, read, services, talk) = import(&bytes);
        assert_eq!((succeeded, read, services as u64), (success, records, records), "{what}: {talk}");
        assert!(talk.contains(reason), "{what}: {talk}");
    }
}

#[test]
fn what_can_be_unpacked_of_half_a_file_is_kept() {
    // Numbers that do not pack well: the file spans several blocks.
    let hosts: String = (1..3_000_u64).map(|n| host(&format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))).collect();
    let packed = zstd::encode_all(format!("{HEAD}{hosts}</nmaprun>\n").as_bytes(), 3).expect("packed");
    let (success, records, services, talk) = import(&packed[..packed.len() / 2]);
    assert!(!success && talk.contains("could not read on") && talk.contains("what could be read was stored"), "{talk}");
    // Of all these hosts the address is the same: three services, seen anew by each that says something else.
    assert!((3..8_997).contains(&records) && services == 3, "{records} {services}");
}

fn from_stdin(here: &Installation, bytes: &[u8], arguments: &[&str]) -> Output {
    let mut command = here.command(&[&["import", "-", "--json"], arguments].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("piped").write_all(bytes).expect("taken");
    child.wait_with_output().expect("ends")
}

#[test]
fn stdin_is_a_file_without_a_time() {
    let here = Installation::new();
    let report = |output: &Output| -> serde_json::Value { serde_json::from_slice(&output.stdout).expect("JSON") };
    let first = from_stdin(&here, whole().as_bytes(), &[]);
    assert_eq!((first.status.success(), &report(&first)["report"]["stored"]), (true, &3.into()));
    let again = from_stdin(&here, whole().as_bytes(), &[]);
    assert_eq!((&report(&again)["report"]["stored"], &report(&again)["report"]["repeated"]), (&0.into(), &3.into()));
    // Nothing says when this was seen: a time made up would make it new at every import.
    let timeless = br#"[{"ip":"192.0.2.9","ports":[{"port":80,"proto":"tcp","status":"open"}]}]"#;
    let without = report(&from_stdin(&here, timeless, &[]));
    assert_eq!((&without["report"]["stored"], &without["report"]["unreadable"]), (&0.into(), &1.into()), "{without}");
    assert!(without["report"]["complaints"].to_string().contains("say it with --time"), "{without}");
    for stored in [1, 0] {
        let with = report(&from_stdin(&here, timeless, &["--time", "2026-11-01T00:00:00Z"]));
        assert_eq!(with["report"]["stored"], stored, "{with}");
    }
    assert_eq!(here.services().len(), 4);
}

#[test]
fn one_file_that_cannot_be_read_does_not_keep_the_others_out() {
    let here = Installation::new();
    let (good, folder, absent) = (here.path("good.xml"), here.path("folder"), here.path("absent.xml"));
    std::fs::write(&good, whole()).expect("written");
    std::fs::create_dir(&folder).expect("made");
    let text = |path: &std::path::Path| path.to_str().expect("a path").to_owned();
    let talk = here.fail(&["import", &text(&folder), &text(&absent), &text(&good)]);
    assert!(talk.contains("folder: is a folder: name the files in it"), "{talk}");
    assert!(talk.contains("absent.xml: cannot be opened") && talk.contains("2 of 3 files were left out"), "{talk}");
    assert_eq!(here.services().len(), 3);
    assert!(here.fail(&["import", &text(&absent)]).contains("cannot be opened"));
}

/// A row of Shadowserver: the common columns of its reports, and one more.
fn report_row(address: &str, port: u16, more: &str) -> String {
    format!("\"2026-11-01 02:03:04\",medium,{address},tcp,{port},h.example,t,64500,JP,Tokyo,Chiyoda,0,ptr,,{more}\r\n")
}

const REPORT_HEAD: &str =
    "\"timestamp\",severity,ip,protocol,port,hostname,tag,asn,geo,region,city,naics,hostname_source,sector,";

/// Files of the shape that their makers write, about made-up services: name, bytes, sensor, address, words to search for.
fn others() -> Vec<(&'static str, String, &'static str, &'static str, &'static str)> {
    let shodan = serde_json::json!({
        "ip_str": "192.0.2.21", "port": 8443, "transport": "tcp", "timestamp": "2026-10-02T03:04:05.678901",
        "_shodan": {"module": "https"}, "product": "Shodansaid", "version": "9.1", "hash": 1, "org": "<script>",
        "data": "HTTP/1.1 200 OK\r\nServer: lighttpd/1.4.69\r\n\r\n", "http": {"html": "<title>Pump \u{1b}[31m7</title>"},
        "opts": {},
    });
    let censys = serde_json::json!({"code": 200, "status": "OK", "result": {"hits": [{
        "ip": "2001:db8::22", "services": [{
            "port": 2222, "transport_protocol": "TCP", "service_name": "SSH", "observed_at": "2026-10-02T03:04:05Z",
            "banner": "SSH-2.0-dropbear_2022.83", "software": [{"vendor": "Censyssaid", "product": "dropbear"}],
        }],
    }]}});
    let http = format!(
        "\u{feff}{REPORT_HEAD}http,http_code,http_reason,server,device_vendor,device_model\r\n{}",
        report_row("192.0.2.23", 81, "HTTP/1.1,200,OK,Exampled/1.0,Shadowsaid,\"C \"\"1\"\",\nx\"")
    );
    let list = "#masscan\nopen tcp 24 192.0.2.24 1790000000\nbanner tcp 24 192.0.2.24 1790000001 ssh SSH-2.0-Masscansaid\\x0d\\x0a\n# end\n";
    vec![
        ("shodan.json", format!("{shodan}\n"), "import:shodan", "192.0.2.21", "Pump"),
        ("censys.json", censys.to_string(), "import:censys", "2001:db8::22", "dropbear"),
        ("2026-11-01-scan_http-example-asn.csv", http, "import:shadowserver", "192.0.2.23", "vendor:Shadowsaid"),
        ("masscan.txt", list.to_owned(), "import:masscan", "192.0.2.24", "Masscansaid"),
    ]
}

#[test]
fn what_search_engines_and_reports_saw_is_found_with_its_source() {
    let here = Installation::new();
    for (name, text, sensor, address, words) in others() {
        let file = here.path(name);
        std::fs::write(&file, text).expect("written");
        let path = file.to_str().expect("a path");
        let first = here.json(&["import", path]);
        let report = &first["report"];
        assert_eq!((&report["unreadable"], &report["other"]), (&0.into(), &0.into()), "{first}");
        assert!(report["stored"].as_u64().is_some_and(|stored| stored > 0), "{first}");
        assert_eq!(report["by_sensor"][sensor], report["stored"], "{first}");
        let again = here.json(&["import", path]);
        assert_eq!(
            (&again["report"]["stored"], &again["report"]["repeated"]),
            (&0.into(), &report["stored"]),
            "{again}"
        );
        let found = here.json(&["search", &format!("sensor:{sensor} {words}")]);
        assert_eq!(found["total"], 1, "{name}: {found}");
        assert_eq!(found["matches"][0]["address"], address, "{found}");
    }
    let text = here.succeed(&["host", "192.0.2.21"]);
    // What our own rules find in the answer goes before what Shodan says, and what a page says steers no terminal.
    assert!(text.contains("lighttpd") && !text.contains('\u{1b}'), "{text}");
    let host = here.json(&["host", "192.0.2.23"]).to_string();
    assert!(host.contains("claim/shadowserver-record"), "what Shadowserver says is said by Shadowserver: {host}");
}

#[test]
fn reports_of_something_else_are_counted_and_unknown_ones_are_asked_for() {
    let here = Installation::new();
    let events = "timestamp,protocol,src_ip,src_port,src_asn\n2026-11-01 00:00:00,tcp,192.0.2.1,1,64500\n";
    let file = here.path("2026-11-01-event4_ip_spoofer-example.csv");
    std::fs::write(&file, events).expect("written");
    let path = file.to_str().expect("a path");
    let report = here.json(&["import", path]);
    assert_eq!((&report["report"]["other"], &report["report"]["records"]), (&1.into(), &0.into()), "{report}");
    let output = here.run(&["import", path]);
    assert!(String::from_utf8_lossy(&output.stdout).contains(", 1 of something else"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 left out: the report tells of traffic"), "{output:?}");
    // Nothing but the name of the file says what this report is.
    let rows = format!("{REPORT_HEAD}what\r\n{}", report_row("192.0.2.31", 31, "x"));
    let unnamed = from_stdin(&here, rows.as_bytes(), &[]);
    let told = String::from_utf8_lossy(&unnamed.stdout).into_owned();
    assert!(!unnamed.status.success() && told.contains("--format shadowserver:REPORT"), "{told}");
    assert_eq!(here.services().len(), 0);
    let named = from_stdin(&here, rows.as_bytes(), &["--format", "shadowserver:scan_telnet"]);
    assert!(named.status.success(), "{named:?}");
    let services = here.services();
    assert_eq!(services.len(), 1);
    assert_eq!(services[0]["protocol"], "telnet", "{services:?}");
    for (format, reason) in [("shadowserver:x", "is no report of Shadowserver"), ("x", "is not a format: xml, ")] {
        let refused = from_stdin(&here, b"x", &["--format", format]);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(reason), "{refused:?}");
    }
}
