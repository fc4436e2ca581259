//! Bare frames, really sent and really answered, in a network namespace of the test's own.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test says what it expected by failing")]

mod adversary;
mod datagrams;
mod net;
mod odd;
mod shelf;
mod six;
mod talks;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::CampaignId;
use hinomi_survey::{Authorised, Backend, Campaign, Config, Coverage, Door, Engine, FrameEngine, Frames, Metrics};
use hinomi_survey::{OptOut, Order, Pace, PrivateKey, Report, Share, Survey, SurveyError, Trust};
use tokio::sync::watch;

use net::{RANGE, RANGE6, inside_a_namespace, ip, pair};
use shelf::Shelf;
use world::{Asked, Reply, World};

/// A signed scope for these ranges.
fn authorised(ranges: &[&str], tcp_ports: &str, rate_pps: u32) -> Authorised {
    authorised_with_udp(ranges, (tcp_ports, ""), rate_pps)
}

/// The same with UDP ports, and every probe where there are any.
fn authorised_with_udp(ranges: &[&str], (tcp_ports, udp_ports): (&str, &str), rate_pps: u32) -> Authorised {
    let probes = if udp_ports.is_empty() { "\"connect\"" } else { "\"all\"" };
    authorised_for(ranges, (tcp_ports, udp_ports, probes), rate_pps)
}

/// The same with these probes.
fn authorised_for(ranges: &[&str], asked: (&str, &str, &str), rate_pps: u32) -> Authorised {
    authorised_within(ranges, asked, rate_pps, (rate_pps, rate_pps, 4))
}

/// The same within these limits: packets a second of a prefix and of a host, and connections to a host.
fn authorised_within(
    ranges: &[&str],
    (tcp_ports, udp_ports, probes): (&str, &str, &str),
    rate_pps: u32,
    (prefix_pps, host_pps, connections): (u32, u32, u16),
) -> Authorised {
    let ranges = ranges.iter().map(|range| format!("{range:?}")).collect::<Vec<_>>().join(", ");
    let text = format!(
        "format = 1\nname = \"frames\"\nhours = \"always\"\nvalid_from = \"2020-01-01T00:00:00Z\"\n\
         valid_until = \"2099-01-01T00:00:00Z\"\n[authority]\norganisation = \"t\"\nperson = \"t\"\n\
         [contact]\nemail = \"t@localhost\"\n[targets]\nranges = [{ranges}]\nexclude = [\"198.19.0.13\"]\n\
         tcp_ports = \"{tcp_ports}\"\nudp_ports = \"{udp_ports}\"\nprobes = [{probes}]\n[rate]\ntotal_pps = {rate_pps}\n\
         per_prefix_pps = {prefix_pps}\nper_host_pps = {host_pps}\nper_host_connections = {connections}\n"
    );
    // The same signature each time: another scope would be another job.
    let key = PrivateKey::from_text(&"7".repeat(64)).expect("a key");
    let signed = hinomi_survey::scope::sign(text.as_bytes(), &key).expect("signed");
    let trust = Trust::default().signer(key.public(), "tester");
    let now = "2026-11-22T00:00:00Z".parse().expect("a time");
    hinomi_survey::scope::verify(signed.as_bytes(), &trust, now).expect("authorised")
}

/// How a test surveys.
struct Run {
    ranges: &'static [&'static str],
    ports: &'static str,
    udp_ports: &'static str,
    probes: &'static str,
    grab: bool,
    rate_pps: u32,
    /// Of a prefix and of a host, and connections to a host; none for the rate itself, and four.
    limits: Option<(u32, u32, u16)>,
    backend: Option<Backend>,
    passes: u32,
    answer_wait_ms: u64,
}

const SMALL: Run = Run {
    ranges: &["198.19.0.0/20"],
    ports: "80",
    udp_ports: "",
    probes: "\"connect\"",
    grab: false,
    rate_pps: 20_000,
    limits: None,
    backend: None,
    passes: 2,
    answer_wait_ms: 2_000,
};

/// Surveys without a grab; gives the report, what was stored, and the list of those who asked not to be probed.
fn survey(run: &Run, while_running: impl FnOnce(Arc<OptOut>) + Send + 'static) -> (Report, Shelf) {
    let notes = tempfile::tempdir().expect("a folder");
    let list = Arc::new(OptOut::default());
    let shelf = Shelf::default();
    let beside = std::thread::spawn({
        let list = Arc::clone(&list);
        move || while_running(list)
    });
    let report = run_with(run, list, shelf.clone(), notes.path()).expect("surveyed");
    beside.join().expect("ended well");
    (report, shelf)
}

fn run_with(run: &Run, list: Arc<OptOut>, shelf: Shelf, notes: &Path) -> Result<Report, SurveyError> {
    run_by(run, list, shelf, (notes, Arc::new(hinomi_model::SystemClock)))
}

/// The same by this clock.
fn run_by(
    run: &Run,
    list: Arc<OptOut>,
    shelf: Shelf,
    (notes, clock): (&Path, Arc<dyn hinomi_model::Clock>),
) -> Result<Report, SurveyError> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let limits = run.limits.unwrap_or((run.rate_pps, run.rate_pps, 4));
        let asked = (run.ports, run.udp_ports, run.probes);
        let authorised = authorised_within(run.ranges, asked, run.rate_pps, limits);
        let rate = authorised.scope().rate;
        let door = Arc::new(Door::new(authorised, list, Arc::clone(&clock), Arc::new(Metrics::default())));
        let pace = Arc::new(Pace::new(rate));
        let config = Config {
            grab: run.grab,
            answer_wait: Duration::from_millis(run.answer_wait_ms),
            connect_timeout: Duration::from_secs(3),
            contact: "https://scan.example.org/".to_owned(),
            ..Config::near()
        };
        let frames = Frames { only: run.backend, passes: run.passes, notes: notes.to_owned() };
        let engine = FrameEngine::open(Arc::clone(&door), Arc::clone(&pace), &config, frames).expect("an engine");
        eprintln!("{}", engine.name());
        let engines: Vec<Arc<dyn Engine>> = vec![Arc::new(engine)];
        let order = Order { ports: None, list: None, seed: 7, share: Share::WHOLE };
        let campaign = Campaign::new(campaign(), &door, &order, &engines).expect("a campaign");
        let survey = Survey {
            door,
            engines,
            pace,
            sink: Arc::new(shelf),
            clock,
            sensor: "survey".parse().expect("a name"),
            marking: hinomi_model::Marking::own(hinomi_model::Purpose::ExposureReduction),
            config,
        };
        let (_stop_sender, stop) = watch::channel(false);
        survey.run(campaign, stop).await
    })
}

fn campaign() -> CampaignId {
    "frames-1".parse().expect("a name")
}

fn nothing(_: Arc<OptOut>) {}

/// Where a survey that is to be killed keeps what it keeps.
const KILLED: &str = "HINOMI_FRAMES_KILLED";
const KILLED_RUN: Run = Run { ranges: &["198.19.0.0/18"], rate_pps: 2_500, passes: 1, answer_wait_ms: 200, ..SMALL };

/// Not a test but what the next one starts and kills; alone it does nothing.
#[test]
fn a_survey_to_be_killed() {
    let Some(folder) = std::env::var_os(KILLED).map(PathBuf::from) else { return };
    let shelf = Shelf::at(&folder, &campaign());
    let report = run_with(&KILLED_RUN, Arc::default(), shelf, &folder).expect("surveyed");
    assert!(report.finished);
}

#[test]
fn killed_fifty_times_each_probe_leaves_once_or_twice_and_all_answers_are_kept() {
    if !inside_a_namespace("killed_fifty_times_each_probe_leaves_once_or_twice_and_all_answers_are_kept") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Open);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "a_survey_to_be_killed", "--nocapture"]).env(KILLED, folder.path());
    let mut kills = 0;
    for round in 0..50_u64 {
        let mut child = command.spawn().expect("starts");
        // Before it sends, while it sends, and when the first answers are settled.
        std::thread::park_timeout(Duration::from_millis(40 + round * 97 % 640));
        if child.try_wait().expect("asked").is_some() {
            break;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
    }
    assert!(command.status().expect("starts").success());
    let (seen, dropped) = world.end();
    assert_eq!(dropped, 0);
    let mut times = BTreeMap::new();
    seen.probes.values().for_each(|count| *times.entry(*count).or_insert(0) += 1);
    eprintln!("{kills} kills; targets by how often they were asked: {times:?}");
    assert!(kills >= 20, "{kills}");
    assert_eq!(seen.probes.len(), 16_383, "none never");
    let stored = std::fs::read_to_string(folder.path().join("subjects")).expect("stored");
    let kept = stored.lines().collect::<BTreeSet<_>>().len();
    eprintln!("{kept} of 16383 answers kept");
    // A probe that was sent twice is not sent again; what was under way at both kills is lost, and counted as unheard.
    assert!(kept + 10 * kills >= 16_383, "{kept}");
    // Canaries are asked now and then besides.
    let often = times.range(3..).map(|(_, targets)| targets).sum::<u32>();
    assert!(often <= 64, "{times:?}");
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
        assert!(
            seen.probes.values().all(|times| *times >= 2),
            "{backend}: each target was asked twice, canaries more often"
        );
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
    let seeds = std::env::var("HINOMI_FRAMES_SEEDS").map_or(5, |text| text.parse().expect("a number of runs"));
    let mut held = 0;
    for seed in 0..seeds {
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
        held += u64::from((missed.low..=missed.high).contains(&truth));
        eprintln!("missed {truth}, estimate {missed:?}");
    }
    // Nineteen in twenty are to be expected; less than three of five comes once in a thousand.
    let wanted = if seeds < 100 { seeds * 3 / 5 } else { seeds * 9 / 10 };
    assert!(held >= wanted, "{held} of {seeds}");
}

/// One answer in five is lost, independently of all others.
fn lost(seed: u64, asked: Asked) -> bool {
    let bytes = format!("{seed} {} {} {}", asked.to, asked.port, asked.before);
    let hash = hinomi_model::ContentHash::of(bytes.as_bytes()).to_string();
    u64::from_str_radix(&hash[..8], 16).expect("hexadecimal").is_multiple_of(5)
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
    let (report, _) = survey(&run, |list| {
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

/// Waits for something that comes by itself, within bounds.
fn wait_until(is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn frames_that_nobody_permitted_do_not_leave() {
    if !inside_a_namespace("frames_that_nobody_permitted_do_not_leave") {
        return;
    }
    let (left, right) = pair();
    let clock = Arc::new(hinomi_model::SystemClock);
    let metrics = Arc::new(Metrics::default());
    let authorised = authorised_with_udp(SMALL.ranges, ("80", "53, 123"), 1);
    let door = Arc::new(Door::new(authorised, Arc::default(), clock, Arc::clone(&metrics)));
    let (offered, left_us, permitted) = adversary::besiege(door, &left, &right, Backend::Packet);
    let counts = metrics.counts();
    eprintln!("{offered} offered, {left_us} left, {permitted} of them permitted");
    assert_eq!(left_us, permitted, "nothing else leaves");
    assert_eq!(left_us, counts.packets_sent, "what leaves is counted");
    assert_eq!(counts.by_reason.get("refused: frame"), Some(&(offered - left_us)), "what does not is counted too");
    assert!(left_us > offered / 20 && left_us < offered / 2, "some of each: {left_us} of {offered}");
}

#[test]
fn a_range_of_which_a_part_is_led_elsewhere_is_not_for_frames() {
    if !inside_a_namespace("a_range_of_which_a_part_is_led_elsewhere_is_not_for_frames") {
        return;
    }
    let (_left, _right) = pair();
    let open = || {
        let authorised = authorised(SMALL.ranges, "80", 100);
        let pace = Arc::new(Pace::new(authorised.scope().rate));
        let door = Door::new(authorised, Arc::default(), Arc::new(hinomi_model::SystemClock), Arc::default());
        let frames = Frames { only: Some(Backend::Packet), passes: 1, notes: PathBuf::from("/nowhere") };
        FrameEngine::open(Arc::new(door), pace, &Config::near(), frames).map(|engine| engine.name())
    };
    assert_eq!(open().expect("one way"), "frames (AF_PACKET on left)");
    for (part, said) in [("unreachable 198.19.7.0/24", "another way"), ("198.19.3.3/32 dev right", "another way")] {
        ip(&format!("route add {part}"));
        let why = open().expect_err("a part is led elsewhere").to_string();
        assert!(why.contains(said), "{why}");
        ip(&format!("route del {part}"));
    }
    ip("route add 198.19.7.0/24 via 198.18.0.2 dev left");
    assert!(open().is_ok(), "a longer route the same way is no other way");
    ip("route replace 198.19.0.0/16 dev left");
    assert!(open().expect_err("on the link").to_string().contains("not behind a gateway"));
}
