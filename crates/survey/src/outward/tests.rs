use std::collections::BTreeMap;

use super::*;
use crate::scope::{PrivateKey, Trust, sign, verify};

/// A world that is as a table says. The real one is asked in the program's own tests, with real servers.
#[derive(Default)]
struct World {
    page: Option<u16>,
    source: Option<IpAddr>,
    /// Where packets to one target leave from, if not from there.
    other: Option<(IpAddr, IpAddr)>,
    names: BTreeMap<IpAddr, Vec<String>>,
    addresses: BTreeMap<String, Vec<IpAddr>>,
}

impl Outside for World {
    fn source_towards(&self, target: IpAddr) -> Result<IpAddr, String> {
        if let Some((_, source)) = self.other.filter(|(other, _)| *other == target) {
            return Ok(source);
        }
        self.source.ok_or_else(|| "no route".to_owned())
    }

    fn page(&self, _address: &str) -> Result<u16, String> {
        self.page.ok_or_else(|| "refused".to_owned())
    }

    fn names_of(&self, address: IpAddr) -> Result<Vec<String>, String> {
        Ok(self.names.get(&address).cloned().unwrap_or_default())
    }

    fn addresses_of(&self, name: &str, _like: IpAddr) -> Result<Vec<IpAddr>, String> {
        Ok(self.addresses.get(name).cloned().unwrap_or_default())
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Everything as it should be, for probes from 9.9.9.1.
fn good() -> World {
    World {
        page: Some(200),
        source: Some(ip("9.9.9.1")),
        names: BTreeMap::from([(ip("9.9.9.1"), vec!["other.example".into(), "scan.example".into()])]),
        other: None,
        addresses: BTreeMap::from([("scan.example".into(), vec![ip("9.9.9.9"), ip("9.9.9.1")])]),
    }
}

fn authorised(range: &str, page: &str) -> Authorised {
    let text = format!(
        r#"
format = 1
name = "t"
hours = "always"
valid_from = "2026-01-01T00:00:00Z"
valid_until = "2027-01-01T00:00:00Z"
[authority]
organisation = "O"
person = "P"
[contact]
email = "a@example.org"
page = "{page}"
[targets]
ranges = ["{range}"]
tcp_ports = "80"
probes = ["all"]
[rate]
total_pps = 100
per_prefix_pps = 100
per_host_pps = 10
per_host_connections = 1
"#
    );
    let key = PrivateKey::generate().expect("a key");
    let signed = sign(text.as_bytes(), &key).expect("signed");
    let trust = Trust::default().signer(key.public(), "N.");
    verify(signed.as_bytes(), &trust, "2026-06-01".parse().expect("a date")).expect("authorised")
}

fn objections(world: &World, sources: &[&str]) -> Vec<Objection> {
    let sources: Vec<IpAddr> = sources.iter().map(|text| ip(text)).collect();
    clear(&authorised("9.9.9.0/24", "https://scan.example/"), &sources, world).err().unwrap_or_default()
}

#[test]
fn own_ranges_are_cleared_without_a_question() {
    let scope = authorised("10.0.0.0/8", "");
    let cleared = clear(&scope, &[], &World::default()).expect("cleared");
    assert!(cleared.is_for(&scope) && !cleared.is_for(&authorised("10.0.0.0/16", "")));
}

#[test]
fn every_range_and_both_its_ends_are_looked_at() {
    let world = World { other: Some((ip("8.8.9.255"), ip("9.9.9.2"))), ..good() };
    let scope = authorised("9.9.9.0/24\", \"8.8.8.0/23", "https://scan.example/");
    let said = clear(&scope, &[], &world).err().unwrap_or_default();
    let [Objection::NoName { source_address, .. }] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(*source_address, ip("9.9.9.2"));
}

#[test]
fn public_ranges_need_page_and_confirmed_names() {
    assert_eq!(objections(&good(), &[]), []);
    assert_eq!(objections(&World { source: None, ..good() }, &["9.9.9.1"]), [], "the source was named");
    let first = |world: World, sources: &[&str]| {
        objections(&world, sources).first().map(ToString::to_string).unwrap_or_default()
    };
    assert!(first(World { page: None, ..good() }, &[]).contains("(refused)"));
    assert!(first(World { page: Some(404), ..good() }, &[]).contains("it answers 404"));
    assert!(first(World { source: None, ..good() }, &[]).contains("name it with --source"));
    assert!(first(World { source: Some(ip("192.168.1.2")), ..good() }, &[]).contains("others do not see"));
    assert!(first(World { names: BTreeMap::new(), ..good() }, &[]).contains("has no reverse name"));
    assert!(first(World { addresses: BTreeMap::new(), ..good() }, &[]).contains("it leads nowhere"));
    assert!(first(good(), &["9.9.9.1", "9.9.9.2"]).contains("9.9.9.2 has no reverse name"));
    let nothing = clear(&authorised("9.9.9.0/24", ""), &[], &World::default()).expect_err("refused");
    assert_eq!(nothing.first(), Some(&Objection::NoPage));
    assert_eq!(nothing.len(), 2, "everything that stands against it is said at once");
}
