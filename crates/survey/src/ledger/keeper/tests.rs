use std::fs;
use std::net::Ipv4Addr;

use hinomi_model::scope::{Contact, Probe, Rate, Rule};
use hinomi_model::time::FixedClock;
use hinomi_model::{ServiceKey, Transport};

use super::*;
use crate::ledger::{FILE_NAME, Run, verify};
use crate::scope::{Authorised, PrivateKey, Trust, sign};

const DOCUMENT: &str = r#"
format = 1
name = "t"
hours = "always"
valid_from = "2026-11-01T00:00:00Z"
valid_until = "2026-12-01T00:00:00Z"
[authority]
organisation = "O"
person = "P"
[contact]
email = "a@example.org"
[targets]
ranges = ["10.0.0.0/24"]
tcp_ports = "80"
probes = ["connect"]
[rate]
total_pps = 100
per_prefix_pps = 100
per_host_pps = 10
per_host_connections = 1
"#;

fn now() -> Timestamp {
    "2026-11-22".parse().expect("a date")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn authorised() -> Authorised {
    let key = PrivateKey::generate().expect("a key");
    let signed = sign(DOCUMENT.as_bytes(), &key).expect("signed");
    crate::scope::verify(signed.as_bytes(), &Trust::default().signer(key.public(), "N."), now()).expect("authorised")
}

struct Here {
    folder: tempfile::TempDir,
    books: Books,
}

impl Here {
    /// The books of a run that began with this list.
    fn new(list: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let opt_out_path = folder.path().join("opt-out.txt");
        fs::write(&opt_out_path, list).expect("written");
        let opt_out = Arc::new(OptOut::load(&opt_out_path).expect("a list"));
        let authorised = authorised();
        let tally = Arc::new(Tally::new(&authorised.scope().ranges));
        let clock: Arc<dyn Clock> = Arc::new(FixedClock(now()));
        let door = Door::new(authorised, Arc::clone(&opt_out), Arc::clone(&clock), Arc::default());
        let watched = Watched {
            campaign: "t-1".parse().expect("a name"),
            door: Arc::new(door.with_tally(Arc::clone(&tally))),
            opt_out,
            opt_out_path,
            clock,
            taken_back: Box::new(|| Ok(None)),
            asked_to_pause: Box::new(|| false),
            stop: Box::new(|| {}),
        };
        let ledger = Ledger::open(&folder.path().join(FILE_NAME), now()).expect("opens");
        let mut books = Books::new(ledger, watched, tally);
        books.begin(start()).expect("begins");
        Self { folder, books }
    }

    fn list(&self, text: &str) {
        fs::write(&self.books.watched.opt_out_path, text).expect("written");
    }

    /// A beat; says whether the door may send after it.
    fn beat(&mut self) -> Result<(), String> {
        self.books.tally.extend(Instant::now(), Duration::ZERO);
        let written = self.books.write(Instant::now(), false).map_err(|error| error.to_string());
        assert_eq!(self.books.tally.may_send(), written.is_ok(), "{written:?}");
        written
    }

    fn silent(&self, address: &str) -> bool {
        let address: Ipv4Addr = address.parse().expect("an address");
        self.books.watched.opt_out.with(|list| list.iter().any(|entry| entry.contains(&std::net::IpAddr::V4(address))))
    }
}

fn start() -> Start {
    Start {
        scope: "t".into(),
        digest: String::new(),
        signer: "N.".into(),
        contact: Contact { email: "a@example.org".into(), phone: String::new(), page: String::new() },
        rate: Rate { total_pps: 100, per_prefix_pps: 100, per_host_pps: 10, per_host_connections: 1 },
        job: "j".into(),
        targets: 256,
        engine: "connect".into(),
        by: "somebody".into(),
        version: "0".into(),
        opted_out: 0,
        opt_out_digest: String::new(),
        lease_s: 0,
        stored_before: 0,
        doubt: None,
    }
}

#[test]
fn nothing_is_sent_while_the_list_cannot_be_read() {
    let mut here = Here::new("10.0.0.7\n");
    assert_eq!(here.beat(), Ok(()));
    here.list("10.0.0.7\n10.0.0.8 by letter\n");
    assert!(here.beat().expect_err("unreadable").contains("line 2"));
    fs::remove_file(&here.books.watched.opt_out_path).expect("removed");
    assert!(here.beat().expect_err("gone").contains("is gone"));
    here.list("10.0.0.7\n10.0.0.8\n");
    assert_eq!(here.beat(), Ok(()));
    assert!(here.silent("10.0.0.7") && here.silent("10.0.0.8"));
}

#[test]
fn a_list_that_is_just_being_written_readmits_nobody() {
    let mut here = Here::new("10.0.0.7\n");
    here.list("");
    assert_eq!((here.beat(), here.silent("10.0.0.7")), (Ok(()), true));
    here.list("10.0.0.7\n10.0.0.8\n");
    assert_eq!((here.beat(), here.silent("10.0.0.7"), here.silent("10.0.0.8")), (Ok(()), true, true));
    here.list("10.0.0.8\n");
    assert_eq!((here.beat(), here.silent("10.0.0.7")), (Ok(()), true), "seen once");
    assert_eq!((here.beat(), here.silent("10.0.0.7")), (Ok(()), false), "seen twice");
}

#[test]
fn who_is_taken_off_the_list_does_not_end_the_run() {
    let mut here = Here::new("");
    here.list("10.0.0.0/24\n");
    assert_eq!(here.beat(), Ok(()));
    assert_eq!(here.beat(), Ok(()), "the entry is written with the beat after");
    here.list("");
    assert_eq!((here.beat(), here.beat()), (Ok(()), Ok(())));
    here.books.tally.sent(Ipv4Addr::new(10, 0, 0, 9).into(), 3);
    here.books.end(How::Finished).expect("ends");
    let book = verify(&here.folder.path().join(FILE_NAME), &[]).expect("holds").book;
    let runs = book.runs(&"t-1".parse().expect("a name"));
    assert_eq!(runs.last().map(|run: &Run| (run.packets, run.ended)), Some((3, Some(How::Finished))));
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let mut here = Here::new("");
    here.list("10.0.0.7\n");
    assert_eq!(here.beat(), Ok(()));
    let (ledger, away) = (here.folder.path().join(FILE_NAME), here.folder.path().join("away"));
    fs::rename(&ledger, &away).expect("moved");
    fs::create_dir(&ledger).expect("in its place");
    assert!(here.beat().is_err());
    fs::remove_dir(&ledger).expect("removed");
    fs::rename(&away, &ledger).expect("back");
    assert_eq!(here.beat(), Ok(()));
    let run = here.books.ledger.book().runs(&here.books.watched.campaign).last().cloned().expect("a run");
    assert_eq!(run.opted_out(), [net("10.0.0.7/32")]);
}

#[test]
fn a_scope_that_was_taken_back_shuts_the_door_at_the_second_look() {
    let mut here = Here::new("");
    let key = ServiceKey { address: Ipv4Addr::new(10, 0, 0, 9).into(), port: 80, transport: Transport::Tcp };
    let door = Arc::clone(&here.books.watched.door);
    here.books.watched.taken_back = Box::new(|| Ok(Some("by mistake".to_owned())));
    here.books.look_at_scope(Instant::now());
    assert!(door.permit(key, Probe::Connect).is_ok(), "one look may have met a file half written");
    here.books.look_at_scope(Instant::now());
    let refused = door.permit(key, Probe::Connect).expect_err("shut");
    assert_eq!(refused.rule, Rule::Revoked);
    here.books.watched.taken_back = Box::new(|| Ok(None));
    here.books.look_at_scope(Instant::now());
    assert!(door.permit(key, Probe::Connect).is_err(), "for good");
    let place = here.folder.path().join(FILE_NAME);
    here.books.end(How::Stopped).expect("ends");
    let book = verify(&place, &[]).expect("holds").book;
    let ended = book.runs(&"t-1".parse().expect("a name")).last().and_then(|run| run.ended);
    assert_eq!(ended, Some(How::Revoked));
}

#[test]
fn a_run_of_which_nobody_can_tell_whether_it_may_go_on_stops() {
    let mut here = Here::new("");
    let stopped = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = Arc::clone(&stopped);
    here.books.watched.stop = Box::new(move || told.store(true, std::sync::atomic::Ordering::Relaxed));
    here.books.watched.taken_back = Box::new(|| Err("permission denied".to_owned()));
    let start = Instant::now();
    here.books.look_at_scope(start);
    assert!(!stopped.load(std::sync::atomic::Ordering::Relaxed));
    here.books.look_at_scope(start + GIVE_UP);
    assert!(stopped.load(std::sync::atomic::Ordering::Relaxed));
    assert!(!here.books.watched.door.is_shut(), "nobody took it back");
}
