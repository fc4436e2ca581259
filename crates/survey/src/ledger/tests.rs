use std::collections::BTreeMap;
use std::fs;

use hinomi_model::CampaignId;
use hinomi_model::scope::{Contact, Rate};

use super::event::Asked;
use super::*;
use crate::scope::{PrivateKey, sign};

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

const SCOPE: &str = r#"
format = 1
name = "office"
hours = "always"
valid_from = "2026-11-01T00:00:00Z"
valid_until = "2026-12-01T00:00:00Z"
[authority]
organisation = "O"
person = "P"
[contact]
email = "a@example.org"
[targets]
ranges = ["10.0.0.0/22"]
exclude = ["10.0.3.0/24"]
tcp_ports = "80"
probes = ["all"]
[rate]
total_pps = 100
per_prefix_pps = 100
per_host_pps = 10
per_host_connections = 1
"#;

struct Place {
    folder: tempfile::TempDir,
    digest: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let signed = sign(SCOPE.as_bytes(), &PrivateKey::generate().expect("a key")).expect("signed");
        let digest = crate::scope::read_signed(signed.as_bytes()).expect("signed").digest.to_string();
        fs::create_dir(folder.path().join(SCOPES)).expect("a folder");
        fs::write(folder.path().join(SCOPES).join(format!("{digest}.toml")), signed).expect("written");
        Self { folder, digest }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(FILE_NAME)
    }

    fn open(&self) -> Ledger {
        Ledger::open(&self.path(), NOW).expect("opens")
    }

    fn started(&self, run: u64) -> Event {
        let start = Start {
            scope: "office".into(),
            digest: self.digest.clone(),
            signer: "N.".into(),
            contact: Contact { email: "a@example.org".into(), phone: String::new(), page: String::new() },
            rate: Rate { total_pps: 100, per_prefix_pps: 100, per_host_pps: 10, per_host_connections: 1 },
            job: "j".into(),
            targets: 1_024,
            engine: "connect".into(),
            by: "somebody".into(),
            version: "0".into(),
            opted_out: 0,
            opt_out_digest: String::new(),
            lease_s: 20,
            stored_before: 0,
            doubt: None,
        };
        Event::Started { campaign: campaign(), run, start: Box::new(start) }
    }

    fn prove(&self, stored: u64) -> Vec<String> {
        prove(&self.path(), &[], &stored_at(stored, NOW)).expect("a proof").objections
    }
}

fn campaign() -> CampaignId {
    "office-1".parse().expect("a name")
}

fn stored_at(packets: u64, time: Timestamp) -> BTreeMap<CampaignId, Stored> {
    BTreeMap::from([(campaign(), Stored { packets, time })])
}

fn tally(run: u64, prefixes: &[(&str, u64)], outside: u64) -> Event {
    let prefixes: Vec<_> = prefixes.iter().map(|(prefix, count)| (prefix.parse().expect("a prefix"), *count)).collect();
    let packets = outside + prefixes.iter().map(|(_, count)| count).sum::<u64>();
    let (probes, refused, not_taken) = (BTreeMap::from([("connect".to_owned(), packets)]), BTreeMap::new(), 0);
    Event::Tally {
        campaign: campaign(),
        run,
        from: NOW,
        to: NOW,
        packets,
        outside,
        not_taken,
        prefixes,
        probes,
        refused,
    }
}

fn ended(run: u64, packets: u64) -> Event {
    Event::Ended { campaign: campaign(), run, how: How::Finished, packets }
}

fn write(place: &Place, events: Vec<Event>) -> Ledger {
    let mut ledger = place.open();
    for event in events {
        ledger.append(NOW, event).expect("written");
    }
    ledger
}

#[test]
fn a_run_that_kept_to_its_scope_is_proved() {
    let place = Place::new();
    let noted =
        write(&place, vec![place.started(1), tally(1, &[("10.0.0.0/24", 5), ("10.0.1.0/24", 2)], 0)]).checkpoint();
    write(&place, vec![tally(1, &[("10.0.0.0/24", 1)], 0), ended(1, 8)]);
    let proof = prove(&place.path(), std::slice::from_ref(&noted), &stored_at(8, NOW)).expect("a proof");
    assert_eq!(proof.objections, Vec::<String>::new());
    let held = proof.campaigns.get(&campaign()).expect("told of");
    assert_eq!((held.packets, held.in_doubt, held.open, held.prefixes), (8, 0, false, 2));
    assert_eq!(Checkpoint::read(&noted.to_text()), Some(noted));
    assert!(place.prove(9).concat().contains("8 packets, the store of 9; 0 at most"));
}

#[test]
fn campaigns_that_the_ledger_does_not_know_are_older_or_an_objection() {
    let place = Place::new();
    let torn = Event::Mended { torn_bytes: 1 };
    write(&place, vec![torn]);
    let told = |time| prove(&place.path(), &[], &stored_at(8, time)).expect("a proof");
    assert!(told(NOW).objections.concat().contains("the ledger does not"));
    let before = told(Timestamp::from_micros(NOW.as_micros() - 1));
    assert_eq!((before.objections.len(), before.older), (0, vec![campaign()]));
}

#[test]
fn what_may_not_have_been_sent_is_an_objection() {
    for (sent, outside, why) in [
        ("10.0.4.0/24", 0, "no range of the scope contains"),
        ("10.0.0.0/16", 0, "no range of the scope contains"),
        ("10.0.3.0/24", 0, "the scope excludes"),
        ("10.0.0.0/24", 3, "3 packets to addresses outside"),
    ] {
        let place = Place::new();
        write(&place, vec![place.started(1), tally(1, &[(sent, 1)], outside), ended(1, 1 + outside)]);
        let objections = place.prove(1 + outside).concat();
        assert!(objections.contains(why), "{sent}: {objections}");
    }
}

#[test]
fn the_scope_must_lie_beside_and_be_the_one_named() {
    let place = Place::new();
    write(&place, vec![place.started(1), tally(1, &[("10.0.0.0/24", 1)], 0), ended(1, 1)]);
    let file = place.folder.path().join(SCOPES).join(format!("{}.toml", place.digest));
    let text = fs::read_to_string(&file).expect("a scope");
    fs::write(&file, text.replace("10.0.0.0/22", "10.0.0.0/21")).expect("written");
    assert!(place.prove(1).concat().contains("changed after it was signed"));
    let other =
        sign(SCOPE.replace("office", "else").as_bytes(), &PrivateKey::generate().expect("a key")).expect("signed");
    fs::write(&file, other).expect("written");
    assert!(place.prove(1).concat().contains("another one than the run names"));
    fs::remove_file(&file).expect("removed");
    assert!(place.prove(1).concat().contains("cannot be read"));
}

#[test]
fn a_killed_run_leaves_a_doubt_with_a_bound() {
    let place = Place::new();
    let beat = Event::Beat { campaign: campaign(), run: 1, packets: 40 };
    let ledger = write(&place, vec![place.started(1), beat]);
    let doubt = ledger.book().runs(&campaign()).last().and_then(Run::doubt).expect("in doubt");
    assert_eq!((doubt.run, doubt.at_most), (1, 100 * 20 + 10));
    assert_eq!(place.prove(9_999), Vec::<String>::new(), "a run that is open is not compared");
    write(&place, vec![place.started(2), tally(2, &[("10.0.1.0/24", 10)], 0), ended(2, 10)]);
    assert_eq!(place.prove(2_060), Vec::<String>::new(), "50 and 2,010 in doubt");
    assert!(place.prove(2_061).concat().contains("2010 at most are in doubt"));
}

#[test]
fn entries_that_do_not_fit_the_run_are_refused() {
    let opt_out = || Event::OptOut {
        campaign: campaign(),
        run: 1,
        entries: 1,
        digest: String::new(),
        added: vec!["10.0.0.0/23".parse().expect("a prefix")],
        more: 0,
        removed: Vec::new(),
    };
    let wrong: [(Vec<Event>, &str); 6] = [
        (vec![ended(1, 0)], "does not go on here"),
        (vec![tally(1, &[("10.0.0.0/24", 2)], 0), ended(1, 3)], "its tallies say 2"),
        (vec![ended(1, 0), tally(1, &[], 0)], "does not go on here"),
        (
            vec![Event::Beat { campaign: campaign(), run: 1, packets: 5 }, tally(1, &[], 0), ended(1, 5)],
            "tallies say 0",
        ),
        (vec![opt_out(), tally(1, &[("10.0.1.0/24", 1)], 0)], "which had opted out"),
        (vec![tally(7, &[], 0)], "does not go on here"),
    ];
    for (position, (events, why)) in wrong.into_iter().enumerate() {
        let place = Place::new();
        let mut ledger = place.open();
        let first = if position == 0 { Vec::new() } else { vec![place.started(1)] };
        let all: Vec<Event> = first.into_iter().chain(events).collect();
        let said = all.iter().map(|event| ledger.append(NOW, event.clone())).find_map(Result::err);
        let said = said.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(why), "{position}: {said}");
        assert!(verify(&place.path(), &[]).is_ok(), "{position}: what is refused is not written");
        forge(&place.path(), &all);
        let said = verify(&place.path(), &[]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(why), "{position}: {said}");
    }
}

#[test]
fn who_is_taken_off_the_list_may_be_probed_again() {
    let place = Place::new();
    let net = || vec!["10.0.0.0/23".parse().expect("a prefix")];
    let opt_out = |added, removed| Event::OptOut {
        campaign: campaign(),
        run: 1,
        entries: 0,
        digest: String::new(),
        added,
        more: 0,
        removed,
    };
    let again = tally(1, &[("10.0.1.0/24", 1)], 0);
    write(&place, vec![place.started(1), opt_out(net(), Vec::new()), opt_out(Vec::new(), net()), again, ended(1, 1)]);
    assert_eq!(place.prove(1), Vec::<String>::new());
}

#[test]
fn packets_after_the_end_of_the_scope_are_an_objection() {
    let end: Timestamp = "2026-12-01".parse().expect("a date");
    let after = |seconds: i64| Timestamp::from_micros(end.as_micros() + seconds * 1_000_000);
    for (from, to, packets, holds) in [
        (after(-600), after(3), 1, true),
        (after(3), after(600), 0, true),
        (after(-600), after(600), 1, false),
        (after(60), after(70), 1, false),
        (after(-40 * 86_400), after(-600), 1, false),
    ] {
        let place = Place::new();
        let mut sent = tally(1, &[("10.0.0.0/24", packets)], 0);
        if let Event::Tally { from: since, to: until, .. } = &mut sent {
            (*since, *until) = (from, to);
        }
        write(&place, vec![place.started(1), sent, ended(1, packets)]);
        assert_eq!(place.prove(packets).is_empty(), holds, "{from} to {to}: {:?}", place.prove(packets));
    }
}

/// A log with a good chain, whatever it says.
fn forge(path: &Path, events: &[Event]) {
    let (mut text, mut previous) = (Vec::new(), String::new());
    for (number, event) in (0..).zip(events) {
        let entry = Entry { number, time: NOW, previous, event: event.clone() };
        let line = serde_json::to_vec(&entry).expect("JSON");
        previous = HEXLOWER.encode(&leaf::<Sha256>(&line));
        text.extend(line);
        text.push(b'\n');
    }
    fs::write(path, text).expect("written");
}

#[test]
fn any_changed_byte_is_seen_and_a_torn_line_is_mended() {
    let place = Place::new();
    let noted = write(&place, vec![place.started(1), tally(1, &[("10.0.0.0/24", 5)], 0), ended(1, 5)]).checkpoint();
    let whole = fs::read(place.path()).expect("a file");
    for at in (0..whole.len() - 1).step_by(3) {
        let mut changed = whole.clone();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1;
        }
        fs::write(place.path(), &changed).expect("written");
        assert!(verify(&place.path(), std::slice::from_ref(&noted)).is_err(), "byte {at}");
    }
    fs::write(place.path(), [whole.as_slice(), b"{\"number\":3,\"ti"].concat()).expect("written");
    assert_eq!(verify(&place.path(), std::slice::from_ref(&noted)).expect("holds").torn_bytes, 15);
    let by = "somebody".to_owned();
    let asked = Event::Asked { what: Asked::Added, prefix: "10.0.0.7/32".parse().expect("a prefix"), by };
    write(&place, vec![asked.clone()]);
    let entries = newest(&place.path(), 2, |_| true).expect("holds");
    assert!(matches!(entries.first().map(|entry| &entry.event), Some(Event::Mended { torn_bytes: 15 })));
    assert_eq!(entries.last().map(|entry| entry.event.clone()), Some(asked));
    assert!(verify(&place.path(), &[noted]).is_ok());
}
