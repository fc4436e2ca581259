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
