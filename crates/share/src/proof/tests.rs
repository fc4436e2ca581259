//! What is asked, and what counts. Real name and web servers are asked in the program's own tests.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hinomi_model::Timestamp;
use hinomi_state::Target;
use hinomi_state::organisations::{Kind, Profile};

use super::*;

#[derive(Default)]
struct Table {
    texts: BTreeMap<String, String>,
    addresses: Vec<IpAddr>,
    files: BTreeMap<IpAddr, Vec<u8>>,
    asked: RefCell<Vec<String>>,
}

impl World for Table {
    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        self.asked.borrow_mut().push(name.to_owned());
        Ok(self.texts.get(name).cloned().into_iter().collect())
    }

    fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        Ok(self.addresses.clone())
    }

    fn fetch(&self, address: IpAddr, name: &str, token: &str) -> Result<Vec<u8>, String> {
        self.asked.borrow_mut().push(format!("{address} {name} {token}"));
        self.files.get(&address).cloned().ok_or_else(|| "answers 404".to_owned())
    }
}

fn named(text: &str) -> (Vec<String>, usize) {
    let names = names(&text.parse().unwrap()).unwrap();
    let bare = |name: String| name.trim_start_matches("_hinomi-challenge.").to_owned();
    (names.any.into_iter().map(bare).collect(), names.all.len())
}

#[test]
fn zones_are_those_of_the_prefix_its_parts_and_above() {
    let all = |text: &str| names(&text.parse().unwrap()).unwrap().all;
    assert_eq!(named("example.org"), (vec!["example.org".to_owned()], 0));
    assert_eq!(named("192.0.2.0/24").0, ["2.0.192.in-addr.arpa", "0.192.in-addr.arpa", "192.in-addr.arpa"]);
    assert_eq!(named("192.0.2.7").0.first().map(String::as_str), Some("7.2.0.192.in-addr.arpa"));
    assert_eq!(named("10.0.0.0/8").0, ["10.in-addr.arpa"]);
    assert_eq!(named("192.0.0.0/22"), (vec!["0.192.in-addr.arpa".to_owned(), "192.in-addr.arpa".to_owned()], 4));
    let parts = ["0.0.192", "1.0.192", "2.0.192", "3.0.192"].map(|zone| format!("{LABEL}.{zone}.in-addr.arpa"));
    assert_eq!(all("192.0.0.0/22"), parts);
    assert_eq!(all("192.0.2.128/25").len(), 128);
    assert_eq!(named("2001:db8::/32").0, ["8.b.d.0.1.0.0.2.ip6.arpa", "0.1.0.0.2.ip6.arpa"]);
    let (any, parts) = named("2001:db8:1200::/39");
    assert_eq!(any.first().map(String::as_str), Some("1.8.b.d.0.1.0.0.2.ip6.arpa"));
    assert_eq!(parts, 2);
    assert!(names(&"AS64500".parse().unwrap()).is_err());
}

fn claimed(what: &str) -> (tempfile::TempDir, Database, Claim, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).unwrap();
    let profile = Profile { name_ja: "市".into(), name_en: "".into(), sector: None, kind: Kind::Other, own: false };
    database.add_organisation(now(), "city-a", &profile).unwrap();
    let claim = database.ask_claim(now(), "city-a", &what.parse().unwrap()).unwrap();
    let token = claim.token.clone().unwrap().text;
    (folder, database, claim, token)
}

fn now() -> Deed<'static> {
    Deed { by: "a tester", now: Timestamp::from_micros(1_780_000_000_000_000) }
}

#[test]
fn every_part_of_a_prefix_must_show_the_token() {
    let (_folder, database, claim, token) = claimed("192.0.0.0/23");
    let ask = |world: &Table| prove(&database, now(), (claim.number, Method::Dns, None), world);
    let mut world = Table::default();
    world.texts.insert("_hinomi-challenge.0.0.192.in-addr.arpa".into(), token.clone());
    let said = ask(&world).unwrap_err().to_string();
    assert!(said.contains("_hinomi-challenge.1.0.192.in-addr.arpa has no TXT record"), "{said}");
    world.texts.insert("_hinomi-challenge.1.0.192.in-addr.arpa".into(), "v=spf1".into());
    assert!(ask(&world).unwrap_err().to_string().contains("other TXT records"));
    world.texts.insert("_hinomi-challenge.1.0.192.in-addr.arpa".into(), token);
    assert!(matches!(ask(&world), Ok(Settled::Proved(_))));
}

#[test]
fn the_holder_of_the_zone_above_may_show_it() {
    let (_folder, database, claim, token) = claimed("192.0.2.64/26");
    let mut world = Table::default();
    world.texts.insert("_hinomi-challenge.0.192.in-addr.arpa".into(), token);
    assert!(prove(&database, now(), (claim.number, Method::Dns, None), &world).is_ok());
    assert_eq!(world.asked.borrow().len(), 2, "the nearest zone first, and no further than needed");
}

#[test]
fn a_web_server_shows_one_address_and_no_network() {
    let (_folder, database, wide, _) = claimed("192.0.2.0/29");
    let world = Table::default();
    let said = prove(&database, now(), (wide.number, Method::Http, None), &world).unwrap_err();
    assert!(matches!(said, ProofError::Unfit(_)), "{said}");
    let one = database.ask_claim(now(), "city-a", &"192.0.2.7".parse().unwrap()).unwrap();
    let elsewhere = Some("192.0.2.8".parse().unwrap());
    assert!(prove(&database, now(), (one.number, Method::Http, elsewhere), &world).is_err());
    assert!(world.asked.borrow().is_empty(), "nothing was asked");
    let mut world = Table::default();
    let address: IpAddr = "192.0.2.7".parse().unwrap();
    world.files.insert(address, b"<html>secret</html>".to_vec());
    let said = prove(&database, now(), (one.number, Method::Http, None), &world).unwrap_err().to_string();
    assert!(said.contains("something else") && !said.contains("secret"), "{said}");
    let token = one.token.unwrap().text;
    world.files.insert(address, format!("{token}\r\n").into_bytes());
    assert!(matches!(prove(&database, now(), (one.number, Method::Http, None), &world), Ok(Settled::Proved(_))));
}

#[test]
fn a_domain_is_asked_at_few_of_its_addresses() {
    let (_folder, database, claim, token) = claimed("example.org");
    let addresses: Vec<IpAddr> = (1..=9).map(|last| IpAddr::from([192, 0, 2, last])).collect();
    let mut world = Table { addresses, ..Table::default() };
    world.files.insert("192.0.2.9".parse().unwrap(), token.clone().into_bytes());
    assert!(prove(&database, now(), (claim.number, Method::Http, None), &world).is_err());
    assert_eq!(world.asked.borrow().len(), MAX_ADDRESSES);
    world.files.insert("192.0.2.3".parse().unwrap(), token.into_bytes());
    assert!(prove(&database, now(), (claim.number, Method::Http, None), &world).is_ok());
}
