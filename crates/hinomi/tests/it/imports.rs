//! Real scans that other tools wrote: they become services, and importing them again changes nothing.

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
