use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::cnc::status::CollectorStatus;
use hinomi_wire::flow::{FlowRecord, Volume};

use super::*;
use crate::detect::detection::Detection;
use crate::epoch::{EpochLength, KeyEvent};
use crate::export::Gate;
use crate::finding::Held;
use crate::inlet::Inlet;
use crate::ledger::{self, Ledger};
use crate::live::{AnalysisConfig, Refuted, Scored};
use crate::pair::PairConfig;
use crate::server::{CLIENTS_KEPT, ServerConfig};
use crate::suppress::Knowledge;

const REASON: &str = "customers are told what to do about it, ticket 7";
const COMMAND: Endpoint =
    Endpoint { address: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 66)), port: 23, protocol: 6 };

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().expect("a time")
}

fn line(number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    [198, 18, high, low].into()
}

/// A real ledger; what else it does is told by the test.
struct Books {
    ledger: Ledger,
    out: PathBuf,
    refuted: bool,
    fails: bool,
    told_too_early: Rc<RefCell<bool>>,
}

impl Recorder for Books {
    fn keys(&mut self, _now: Timestamp, _events: &[KeyEvent]) -> io::Result<()> {
        Ok(())
    }

    fn deleted(&mut self, _now: Timestamp, _what: &str, _count: u64) -> io::Result<()> {
        Ok(())
    }

    fn scored(&mut self, _scored: &Scored) -> io::Result<()> {
        Ok(())
    }

    fn refuted(&mut self, _now: Timestamp) -> io::Result<Refuted> {
        let refuted = self.refuted;
        Ok(Box::new(move |_| refuted))
    }

    fn asked(&mut self, event: Event) -> io::Result<()> {
        if self.fails {
            return Err(io::Error::other("the disk is full"));
        }
        *self.told_too_early.borrow_mut() |= self.out.exists();
        self.ledger.append(now(), event).map(drop).map_err(io::Error::other)
    }

    fn status(&mut self, _status: &CollectorStatus) -> io::Result<()> {
        Ok(())
    }
}

/// A collector's inside with bots that met a known server, and a folder for the carrier's files.
struct Case {
    folder: tempfile::TempDir,
    keys: Keys,
    analysis: Analysis,
    subscribers: Arc<Subscribers>,
    books: Books,
    desk: OwnDesk,
    asks: SyncSender<Ask>,
}

impl Case {
    fn new(bots: &[u16]) -> Self {
        Self::believing(bots, 0.05)
    }

    fn believing(bots: &[u16], base_rate: f64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("state")).expect("made");
        let subscribers = Arc::new(Subscribers::read("198.18.0.0/16").expect("a list"));
        let mut keys = Keys::new(EpochLength::default());
        keys.advance(now()).expect("locked");
        let mut detection = Detection::new(ServerConfig::default()).with_base_rate(base_rate);
        detection.read_seeds("list", Some(now()), "203.0.113.66:23\n".as_bytes()).expect("a list");
        let mut analysis = Analysis::new(AnalysisConfig {
            detection,
            knowledge: Knowledge::builtin().expect("the built-in list"),
            pairs: PairConfig::default(),
            gate: Gate::default(),
            held: Held::default(),
            train: false,
            hub: None,
        });
        let mut inlet = Inlet::new(Arc::clone(&subscribers));
        let visits = bots.iter().map(|bot| (line(*bot), COMMAND.address, COMMAND.port));
        let others = (5_000..5_040).map(|other| (line(other), [203, 0, 113, 80].into(), 443));
        for (number, (from, to, port)) in visits.chain(others).enumerate() {
            let at = now().minus(Duration::from_secs(number as u64 % 3_000));
            let flow = inlet.take(&keys, &record(from, to, port, at)).expect("a flow");
            analysis.take([flow], at).expect("taken");
        }
        analysis.score(now(), 0.0, &|_| false).expect("scored");
        let ledger = Ledger::open(&folder.path().join("state/ledger.jsonl"), now()).expect("a ledger");
        let out = folder.path().join("out.csv");
        let books = Books { ledger, out, refuted: false, fails: false, told_too_early: Rc::default() };
        let basis = LegalBasis::new("order 12 of the licence, section 4").expect("words");
        let (desk, asks) = OwnDesk::open(&basis, &folder.path().join("state")).expect("a desk");
        Self { folder, keys, analysis, subscribers, books, desk, asks }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The carrier's list.
    fn lines(&self, text: &str) -> PathBuf {
        let path = self.path("lines.txt");
        fs::write(&path, text).expect("written");
        path
    }

    fn ask(&mut self, question: Question, reason: &str) -> Result<Answer, FlowError> {
        let words = |text| Words::new(text).expect("words");
        let request = Request { by: words("T. Ester (uid 1000)"), reason: words(reason), question };
        let Self { keys, analysis, subscribers, books, desk, .. } = self;
        desk.answer(
            &request,
            &AtomicBool::new(false),
            &mut World { keys, analysis, subscribers, recorder: books, now: now() },
        )
    }

    fn resolve(&mut self, lines: &str) -> Result<Answer, FlowError> {
        let (lines, out) = (self.lines(lines), self.path("out.csv"));
        self.ask(Question::Resolve { endpoint: COMMAND, lines, out }, REASON)
    }

    fn entries(&self) -> Vec<Event> {
        let entries = ledger::entries(&self.path("state/ledger.jsonl")).expect("a ledger");
        entries.into_iter().map(|entry| entry.event).collect()
    }

    fn told(&self) -> BTreeSet<String> {
        let text = fs::read_to_string(self.path("out.csv")).expect("an answer");
        text.lines().skip(1).filter_map(|row| row.split(',').next()).map(str::to_owned).collect()
    }
}

fn record(from: IpAddr, to: IpAddr, port: u16, at: Timestamp) -> FlowRecord {
    let volume = Volume { packets: 6, bytes: 700, tcp_flags: 27 };
    FlowRecord {
        source: from,
        destination: to,
        source_port: 40_000,
        destination_port: port,
        protocol: 6,
        forward: volume,
        reverse: Some(volume),
        start: at,
        end: at,
        sampling: 1,
    }
}

fn list(numbers: impl IntoIterator<Item = u16>) -> String {
    numbers.into_iter().map(|number| format!("{}\n", line(number))).collect()
}

#[test]
fn the_lines_that_are_told_are_the_planted_ones() {
    let bots = [3_u16, 77, 512, 600, 4_000];
    let mut case = Case::new(&bots);
    // The carrier asks of some lines only, and names one twice.
    let asked = "# ours\n".to_owned() + &list((0..600).chain([5_001, 77]));
    let Ok(Answer::Resolved(resolved)) = case.resolve(&asked) else { panic!("refused") };
    assert_eq!((resolved.asked, resolved.lines, resolved.epochs[0].lines), (602, 3, 5));
    let planted: BTreeSet<String> = [3, 77, 512].map(|bot| line(bot).to_string()).into();
    assert_eq!(case.told(), planted);
    let text = fs::read_to_string(case.path("out.csv")).expect("an answer");
    assert!(text.contains("198.18.0.3,2026-11-22T00:00:00Z,2026-11-23T00:00:00Z\r\n"), "{text}");
    assert_eq!(text.lines().count(), 4, "nobody twice: {text}");
}

#[cfg(unix)]
#[test]
fn the_answer_is_for_its_owner_alone_and_made_after_the_entry() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut case = Case::new(&[3, 4, 5]);
    assert!(case.resolve(&list(0..10)).is_ok());
    let mode = fs::metadata(case.path("out.csv")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!*case.books.told_too_early.borrow());
    let entries = case.entries();
    let [Event::Resolved { by, basis, reason, confidence_percent, asked, lines }] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!((by.as_str(), reason.as_str()), ("T. Ester (uid 1000)", REASON));
    assert!(basis.as_str().starts_with("order 12") && *confidence_percent >= LEAST_CONFIDENCE_PERCENT);
    assert_eq!((*asked, *lines), (10, 3));
    let ledger = fs::read_to_string(case.path("state/ledger.jsonl")).expect("a ledger");
    assert!(!ledger.contains("198.18.") && !ledger.contains("203.0.113."), "{ledger}");
}

#[test]
fn what_the_ledger_does_not_take_is_not_told() {
    let mut case = Case::new(&[3, 4, 5]);
    case.books.fails = true;
    assert!(matches!(case.resolve(&list(0..10)), Err(FlowError::Recorder { .. })));
    assert!(matches!(case.ask(Question::Counts, REASON), Err(FlowError::Recorder { .. })));
    assert!(!case.path("out.csv").exists());
}

#[test]
fn the_entry_stands_even_when_the_answer_cannot_be_written() {
    let mut case = Case::new(&[3, 4, 5]);
    let (lines, out) = (case.lines(&list(0..10)), case.path("no/such/folder.csv"));
    let told = case.ask(Question::Resolve { endpoint: COMMAND, lines, out }, REASON);
    assert!(matches!(told, Err(FlowError::File { .. })), "{told:?}");
    assert!(matches!(case.entries().as_slice(), [Event::Resolved { lines: 3, .. }]));
    // Nor is a file that is there written over.
    fs::write(case.path("out.csv"), "of somebody else").expect("written");
    assert!(case.resolve(&list(0..10)).is_err());
    assert_eq!(fs::read_to_string(case.path("out.csv")).expect("a file"), "of somebody else");
}

#[test]
fn a_slow_desk_does_nothing_for_who_went_away() {
    let mut case = Case::new(&[3, 4, 5]);
    let words = |text| Words::new(text).expect("words");
    let (lines, out) = (case.lines(&list(0..10)), case.path("out.csv"));
    let resolve = Question::Resolve { endpoint: COMMAND, lines, out };
    let mut answers = Vec::new();
    for (question, has_gone) in [(resolve.clone(), true), (Question::Counts, true), (resolve, false)] {
        let request = Request { by: words("T. Ester"), reason: words(REASON), question };
        let (reply, answer) = sync_channel(1);
        let cancelled = Arc::new(AtomicBool::new(false));
        case.asks.try_send(Ask { request, reply, cancelled: Arc::clone(&cancelled) }).expect("room");
        // The desk is busy with other things meanwhile.
        cancelled.store(has_gone, Ordering::Release);
        answers.push(answer);
    }
    let Case { keys, analysis, subscribers, books, desk, .. } = &mut case;
    desk.serve(&mut World { keys, analysis, subscribers, recorder: books, now: now() });
    let told: Vec<_> = answers.iter().map(|answer| answer.try_recv().expect("an answer")).collect();
    assert!(matches!(&told[..2], [Err(FlowError::NobodyWaits), Err(FlowError::NobodyWaits)]), "{told:?}");
    assert!(matches!(told[2], Ok(Answer::Resolved(_))) && case.path("out.csv").exists());
    assert!(matches!(case.entries().as_slice(), [Event::Resolved { .. }]), "one entry, of who waited");
}

#[test]
fn nobody_can_tell_when_the_key_is_gone() {
    let mut case = Case::new(&[3, 4, 5]);
    // A day later another key lives; the server's sketches of yesterday are still there.
    case.keys.advance(now().plus(Duration::from_hours(24))).expect("locked");
    assert!(matches!(case.resolve(&list(0..10)), Err(FlowError::NobodyCanTell)));
    let Ok(Answer::Counts(findings)) = case.ask(Question::Counts, REASON) else { panic!("refused") };
    assert!(findings.iter().all(|finding| finding.epochs.is_empty()), "{findings:?}");
    case.keys.destroy();
    assert!(matches!(case.resolve(&list(0..10)), Err(FlowError::NobodyCanTell)));
    assert!(!case.entries().iter().any(|event| matches!(event, Event::Resolved { .. })));
    assert!(!case.path("out.csv").exists());
}

#[test]
fn only_findings_that_are_sure_and_not_refuted_are_asked_about_and_never_without_a_reason() {
    let mut case = Case::new(&[3, 4, 5]);
    let (lines, out) = (case.lines(&list(0..10)), case.path("out.csv"));
    let other = Endpoint { port: 80, ..COMMAND };
    let about = |endpoint| Question::Resolve { endpoint, lines: lines.clone(), out: out.clone() };
    assert!(matches!(case.ask(about(other), REASON), Err(FlowError::NotHeld { .. })));
    let cloud = Endpoint { address: [203, 0, 113, 80].into(), port: 443, protocol: 6 };
    assert!(matches!(case.ask(about(cloud), REASON), Err(FlowError::NotHeld { .. })));
    assert!(matches!(case.ask(about(COMMAND), "because"), Err(FlowError::NoReason { .. })));
    assert!(matches!(case.ask(Question::Counts, "because"), Err(FlowError::NoReason { .. })));
    case.books.refuted = true;
    assert!(matches!(case.ask(about(COMMAND), REASON), Err(FlowError::NotHeld { .. })));
    assert!(case.entries().is_empty() && !case.path("out.csv").exists());
    // Likelier than not, which is enough to be held.
    let confidence = |case: &Case| case.analysis.held().findings().next().map_or(0.0, |held| held.confidence);
    let weaker = (1..40).map(|step| Case::believing(&[3, 4, 5], 0.05 * 0.7_f64.powi(step)));
    let mut unsure = weaker.into_iter().find(|case| confidence(case) < 0.8).expect("a weaker one");
    let told = unsure.resolve(&list(0..10));
    assert!(matches!(told, Err(FlowError::NotSureEnough { percent: 50..80, .. })), "{told:?}");
    let Ok(Answer::Counts(findings)) = unsure.ask(Question::Counts, REASON) else { panic!("refused") };
    assert!(findings.is_empty());
}

#[test]
fn wrong_lists_and_places_are_refused_before_anything_is_told() {
    let mut case = Case::new(&[3, 4, 5]);
    let told = case.resolve("198.18.0.3\n203.0.113.1\n").expect_err("not a line of ours").to_string();
    assert!(told.contains("line 2") && !told.contains("203.0.113.1"), "{told}");
    assert!(matches!(case.resolve("198.18.0.3\nsomebody\n"), Err(FlowError::NotOwnLine { line: 2 })));
    let inside = case.path("state/out.csv");
    let lines = case.lines(&list(0..10));
    let told = case.ask(Question::Resolve { endpoint: COMMAND, lines, out: inside.clone() }, REASON);
    assert!(matches!(told, Err(FlowError::AnswerInside { .. })) && !inside.exists());
    let folder = case.path("");
    let told = case.ask(Question::Resolve { endpoint: COMMAND, lines: folder, out: case.path("out.csv") }, REASON);
    assert!(matches!(told, Err(FlowError::File { .. })), "a folder is no list: {told:?}");
    let many = "198.18.0.3\n".repeat(MAX_LINES + 1);
    assert!(matches!(case.resolve(&many), Err(FlowError::TooManyLines { .. })));
    assert!(case.entries().is_empty() && !case.path("out.csv").exists());
}

#[test]
fn of_a_large_botnet_a_sample_is_known_and_it_is_said() {
    let bots: Vec<u16> = (0..900).collect();
    let mut case = Case::new(&bots);
    let Ok(Answer::Counts(findings)) = case.ask(Question::Counts, REASON) else { panic!("refused") };
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    let epoch = finding.epochs.last().expect("a living one");
    assert!(epoch.sampled && epoch.known == CLIENTS_KEPT as u64 && epoch.lines.abs_diff(900) < 300, "{epoch:?}");
    assert!(matches!(case.resolve(&list(0..2_000)), Ok(Answer::Resolved(Resolved { lines: 256, .. }))));
    let planted: BTreeSet<String> = bots.iter().map(|bot| line(*bot).to_string()).collect();
    assert!(case.told().is_subset(&planted));
}

#[test]
fn counts_name_no_line_and_no_pseudonym() {
    let mut case = Case::new(&[3, 4, 5]);
    let answer = case.ask(Question::Counts, REASON).expect("counts");
    let text = serde_json::to_string(&Reply::Answer(answer)).expect("JSON");
    assert!(text.contains("\"lines\":3") && !text.contains("198.18."), "{text}");
    let names = (3..6).filter_map(|bot| case.keys.name(line(bot), now())).map(|(name, ..)| name.0.to_string());
    assert!(names.into_iter().all(|name| !text.contains(&name)), "{text}");
    assert!(matches!(case.entries().as_slice(), [Event::Looked { .. }]));
}

#[test]
fn requests_and_answers_pass_between_processes_as_they_are() {
    let words = |text| Words::new(text).expect("words");
    let resolve = Question::Resolve { endpoint: COMMAND, lines: "/l".into(), out: "/o".into() };
    for question in [Question::Counts, resolve] {
        let request = Request { by: words("T. Ester"), reason: words(REASON), question };
        let text = serde_json::to_string(&request).expect("JSON");
        assert_eq!(serde_json::from_str::<Request>(&text).expect(&text), request);
    }
    let with_address = r#"{"by":"a","reason":"line 192.0.2.7 again","ask":"counts"}"#;
    assert!(serde_json::from_str::<Request>(with_address).is_err(), "the ledger holds no address");
}
