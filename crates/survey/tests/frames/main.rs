//! Bare frames, really sent and really answered, in a network namespace of the test's own.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test says what it expected by failing")]

mod net;
mod shelf;
mod world;

use std::sync::Arc;
use std::time::Duration;

use hinomi_survey::{Authorised, Backend, Campaign, Config, Coverage, Door, Engine, FrameEngine, Frames, Metrics};
use hinomi_survey::{OptOut, Order, Pace, PrivateKey, Report, Share, Survey, Trust};
use tokio::sync::watch;

use net::{RANGE, RANGE6, inside_a_namespace, ip, pair};
use shelf::Shelf;
use world::{Asked, Reply, World};

/// A signed scope for these ranges.
fn authorised(ranges: &[&str], tcp_ports: &str, rate_pps: u32) -> Authorised {
    let ranges = ranges.iter().map(|range| format!("{range:?}")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "format = 1\nname = \"frames\"\nhours = \"always\"\nvalid_from = \"2020-01-01T00:00:00Z\"\n\
         valid_until = \"2099-01-01T00:00:00Z\"\n[authority]\norganisation = \"t\"\nperson = \"t\"\n\
         [contact]\nemail = \"t@localhost\"\n[targets]\nranges = [{ranges}]\nexclude = [\"198.19.0.13\"]\n\
         tcp_ports = \"{tcp_ports}\"\nudp_ports = \"\"\nprobes = [\"connect\"]\n[rate]\ntotal_pps = {rate_pps}\n\
         per_prefix_pps = {rate_pps}\nper_host_pps = {rate_pps}\nper_host_connections = 4\n"
    );
    let key = PrivateKey::generate().expect("a key");
    let signed = hinomi_survey::scope::sign(text.as_bytes(), &key).expect("signed");
    let trust = Trust::default().signer(key.public(), "tester");
    let now = "2026-11-22T00:00:00Z".parse().expect("a time");
    hinomi_survey::scope::verify(signed.as_bytes(), &trust, now).expect("authorised")
}

/// How a test surveys.
struct Run {
    ranges: &'static [&'static str],
    ports: &'static str,
    rate_pps: u32,
    backend: Option<Backend>,
    passes: u32,
}

const SMALL: Run = Run { ranges: &["198.19.0.0/20"], ports: "80", rate_pps: 20_000, backend: None, passes: 2 };

/// Surveys without a grab; gives the report, what was stored, and the list of those who asked not to be probed.
fn survey(run: &Run, while_running: impl FnOnce(Arc<OptOut>, watch::Sender<bool>) + Send + 'static) -> (Report, Shelf) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let notes = tempfile::tempdir().expect("a folder");
    runtime.block_on(async {
        let authorised = authorised(run.ranges, run.ports, run.rate_pps);
        let rate = authorised.scope().rate;
        let (list, metrics) = (Arc::new(OptOut::default()), Arc::new(Metrics::default()));
        let clock = Arc::new(hinomi_model::SystemClock);
        let door = Arc::new(Door::new(authorised, Arc::clone(&list), clock.clone(), metrics));
        let pace = Arc::new(Pace::new(rate));
        let config = Config { grab: false, answer_wait: Duration::from_millis(700), ..Config::near() };
        let frames = Frames { only: run.backend, passes: run.passes, notes: notes.path().to_owned() };
        let engine = FrameEngine::open(Arc::clone(&door), Arc::clone(&pace), &config, frames).expect("an engine");
        eprintln!("{}", engine.name());
        let engines: Vec<Arc<dyn Engine>> = vec![Arc::new(engine)];
        let order = Order { ports: None, seed: 7, share: Share::WHOLE };
        let campaign = Campaign::new("frames-1".parse().expect("a name"), &door, &order, &engines).expect("a campaign");
        let shelf = Shelf::default();
        let survey = Survey {
            door,
            engines,
            pace,
            sink: Arc::new(shelf.clone()),
            clock,
            sensor: "survey".parse().expect("a name"),
            marking: hinomi_model::Marking::own(hinomi_model::Purpose::ExposureReduction),
            config,
        };
        let (stop_sender, stop) = watch::channel(false);
        let beside = std::thread::spawn(move || while_running(list, stop_sender));
        let report = survey.run(campaign, stop).await.expect("surveyed");
        beside.join().expect("ended well");
        (report, shelf)
    })
}

fn nothing(_: Arc<OptOut>, stop: watch::Sender<bool>) {
    // Dropped only at the end of the survey would need more; a sender that is gone leaves the last word standing.
    drop(stop);
}

#[test]
fn every_open_host_is_found_and_taken_back_by_every_backend() {
    if !inside_a_namespace("every_open_host_is_found_and_taken_back_by_every_backend") {
        return;
    }
    let (left, right) = pair();
    for backend in [Backend::XdpCopy, Backend::Packet, Backend::RawIp] {
        let world = World::new(&left, &right, |asked: Asked| match asked.port {
            80 => Reply::Open,
            81 => Reply::Closed,
            _ => Reply::Silent,
        });
        let run = Run { ports: "80-82", backend: Some(backend), ..SMALL };
        let (report, shelf) = survey(&run, nothing);
        let (seen, dropped) = world.end();
        assert_eq!(dropped, 0);
        let counts = &report.counts;
        assert!(report.finished, "{backend}");
        // One address of the range is excluded by the scope.
        assert_eq!((counts.open, counts.closed, counts.silent), (4_095, 4_095, 4_095), "{backend}: {counts:?}");
        assert_eq!(counts.targets_done, report.targets, "{backend}");
        assert_eq!(shelf.subjects().len(), 4_095);
        assert!(seen.probes.values().all(|times| *times >= 2), "{backend}: each target was asked twice, canaries more often");
        assert_eq!(seen.probes.len(), 3 * 4_095);
        assert!(!seen.probes.keys().any(|(address, _)| address.to_string() == "198.19.0.13"), "excluded");
        assert!(seen.probes.keys().filter(|(_, port)| *port == 80).all(|name| seen.resets.contains_key(name)));
        assert!(seen.resets.keys().all(|(_, port)| *port == 80), "only what was begun is taken back");
        let coverage = report.coverage.expect("two visits");
        let missed = coverage.missed().expect("enough was seen");
        assert!(missed.high < 0.01, "{backend}: {coverage:?} {missed:?}");
    }
}

#[test]
fn the_estimate_holds_the_truth_when_answers_are_lost() {
    if !inside_a_namespace("the_estimate_holds_the_truth_when_answers_are_lost") {
        return;
    }
    let (left, right) = pair();
    let mut held = 0;
    for seed in 0..5_u64 {
        let world = World::new(&left, &right, move |asked: Asked| match lost(seed, asked) {
            true => Reply::Silent,
            false => Reply::Open,
        });
        let (report, shelf) = survey(&SMALL, nothing);
        world.end();
        let found = shelf.subjects().len();
        let missed = report.coverage.as_ref().and_then(Coverage::missed).expect("enough was seen");
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let truth = (4_095 - found) as f64;
        assert!(truth > 60.0, "a fifth of a fifth was lost: {found} found");
        held += u32::from((missed.low..=missed.high).contains(&truth));
        eprintln!("missed {truth}, estimate {missed:?}");
    }
    // Nineteen in twenty are to be expected; less than three of five comes once in a thousand.
    assert!(held >= 3, "{held} of 5");
}

/// One answer in five is lost, independently of all others.
fn lost(seed: u64, asked: Asked) -> bool {
    let bytes = format!("{seed} {} {} {}", asked.to, asked.port, asked.before);
    let hash = hinomi_model::ContentHash::of(bytes.as_bytes()).to_string();
    u64::from_str_radix(&hash[..8], 16).expect("hexadecimal") % 5 == 0
}

#[test]
fn forged_doubled_and_odd_answers_are_counted_and_believed_by_none() {
    if !inside_a_namespace("forged_doubled_and_odd_answers_are_counted_and_believed_by_none") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |asked: Asked| match asked.port {
        80 => Reply::Forged,
        81 => Reply::Twice,
        82 => Reply::ZeroWindow,
        _ => Reply::Unreachable,
    });
    let (report, shelf) = survey(&Run { ports: "80-83", ..SMALL }, nothing);
    world.end();
    let reason = |name: &str| report.counts.by_reason.get(name).copied().unwrap_or(0);
    assert_eq!(report.counts.open, 4_095, "{:?}", report.counts);
    assert!(shelf.subjects().iter().all(|subject| subject.port == 81));
    assert_eq!(reason("answers that are none of ours"), 2 * 4_095);
    assert_eq!(reason("answered with a window of zero: no service"), 2 * 4_095);
    assert_eq!(reason("told by ICMP: not to be reached"), 2 * 4_095);
}

#[test]
fn hosts_of_ipv6_are_found_beside_those_of_ipv4() {
    if !inside_a_namespace("hosts_of_ipv6_are_found_beside_those_of_ipv4") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Open);
    let run = Run { ranges: &["198.19.4.0/24", "fd00:19::/116"], ..SMALL };
    let (report, shelf) = survey(&run, nothing);
    world.end();
    assert_eq!(report.counts.open, 256 + 4_096, "{:?}", report.counts);
    assert_eq!(shelf.subjects().iter().filter(|subject| subject.address.is_ipv6()).count(), 4_096);
    assert_eq!(RANGE6, "fd00:19::/112", "the range lies in what is routed");
}

#[test]
fn who_opts_out_while_frames_are_sent_gets_no_more() {
    if !inside_a_namespace("who_opts_out_while_frames_are_sent_gets_no_more") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Silent);
    // Eight seconds' worth, so that the list changes in the middle.
    let run = Run { ranges: &[RANGE], rate_pps: 16_000, passes: 2, ..SMALL };
    let (report, _) = survey(&run, |list, _stop| {
        std::thread::park_timeout(Duration::from_secs(2));
        list.replace(vec!["198.19.128.0/17".parse().expect("a prefix")]);
        std::thread::park_timeout(Duration::from_secs(5));
    });
    let (seen, _) = world.end();
    let of = |upper: bool| {
        let half = seen.probes.iter().filter(|((address, _), _)| match address {
            std::net::IpAddr::V4(four) => (four.octets()[2] >= 128) == upper,
            std::net::IpAddr::V6(_) => false,
        });
        half.map(|(_, times)| u64::from(*times)).sum::<u64>()
    };
    assert!(report.finished);
    assert_eq!(of(false), 2 * 32_768 - 2, "the rest was asked twice, but for the excluded");
    assert!((8_000..32_768).contains(&of(true)), "about a quarter was asked before: {}", of(true));
    let refused = report.counts.by_reason.get("refused: frame").copied().unwrap_or(0);
    assert_eq!(of(true) + refused, 2 * 32_768 + 2, "what was not sent was refused, the excluded twice");
}

#[test]
fn an_interface_that_goes_down_ends_the_run_with_its_reason() {
    if !inside_a_namespace("an_interface_that_goes_down_ends_the_run_with_its_reason") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Silent);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let beside = std::thread::spawn(|| {
        std::thread::park_timeout(Duration::from_secs(1));
        ip("link set left down");
    });
    let said = runtime.block_on(failing_survey());
    beside.join().expect("ended well");
    drop(world);
    assert!(said.contains("interface"), "{said}");
}

async fn failing_survey() -> String {
    let notes = tempfile::tempdir().expect("a folder");
    let authorised = authorised(&[RANGE], "80", 5_000);
    let rate = authorised.scope().rate;
    let clock = Arc::new(hinomi_model::SystemClock);
    let door = Arc::new(Door::new(authorised, Arc::default(), clock.clone(), Arc::default()));
    let pace = Arc::new(Pace::new(rate));
    let config = Config { grab: false, ..Config::near() };
    let frames = Frames { only: None, passes: 1, notes: notes.path().to_owned() };
    let engine = FrameEngine::open(Arc::clone(&door), Arc::clone(&pace), &config, frames).expect("an engine");
    let engines: Vec<Arc<dyn Engine>> = vec![Arc::new(engine)];
    let order = Order { ports: None, seed: 7, share: Share::WHOLE };
    let campaign = Campaign::new("frames-1".parse().expect("a name"), &door, &order, &engines).expect("a campaign");
    let survey = Survey {
        door,
        engines,
        pace,
        sink: Arc::new(Shelf::default()),
        clock,
        sensor: "survey".parse().expect("a name"),
        marking: hinomi_model::Marking::own(hinomi_model::Purpose::ExposureReduction),
        config,
    };
    let (_stop_sender, stop) = watch::channel(false);
    survey.run(campaign, stop).await.expect_err("the interface is down").to_string()
}
