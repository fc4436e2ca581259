//! Lists of IPv6 with aliased prefixes in them, surveyed for real: the other side is a kernel of its own, and counts.

mod far;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::{CampaignId, ServiceKey, Transport};
use hinomi_survey::six::alias::MAX_ASKED;
use hinomi_survey::sweep::List;
use hinomi_survey::{Authorised, Backend, Campaign, Config, ConnectEngine, Door, Engine, FrameEngine, Frames, Metrics};
use hinomi_survey::{Order, Pace, PrivateKey, Report, Share, Survey, SurveyError, Trust};
use tokio::sync::watch;

use far::Far;

use crate::net::inside_a_namespace;
use crate::shelf::Shelf;

/// A network that one machine has whole, and a part of another.
const WHOLE: &str = "fd00:a:0:1::/64";
const PART: &str = "fd00:a:0:3::1:0/112";

/// Real hosts: a few in a network of their own, two beside the part.
const HOSTS: [&str; 7] = [
    "fd00:a:0:2::1",
    "fd00:a:0:2::2",
    "fd00:a:0:2::7",
    "fd00:a:0:2::16",
    "fd00:a:0:2::53",
    "fd00:a:0:3::1",
    "fd00:a:0:3::2",
];

fn far() -> Far {
    Far::new(&[WHOLE, PART], &HOSTS.map(ToOwned::to_owned))
}

/// 200 addresses of the whole network, 40 of the part, the real hosts and 90 that nobody has.
fn listed() -> BTreeSet<Ipv6Addr> {
    let address = |text: String| text.parse().expect("an address");
    let whole = (1..=200_u64).map(|number| {
        let ending = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Ipv6Addr::from(0xfd00_000a_0000_0001_u128 << 64 | u128::from(ending))
    });
    let part = (1..=40).map(|number| address(format!("fd00:a:0:3::1:{:x}", number * 1_000)));
    let nobody = (0x100..0x15a).map(|number| address(format!("fd00:a:0:2::{number:x}")));
    let hosts = HOSTS.iter().map(|text| address((*text).to_owned()));
    whole.chain(part).chain(nobody).chain(hosts).collect()
}

fn authorised(rate_pps: u32) -> Authorised {
    let text = format!(
        "format = 1\nname = \"six\"\nhours = \"always\"\nvalid_from = \"2020-01-01T00:00:00Z\"\n\
         valid_until = \"2099-01-01T00:00:00Z\"\n[authority]\norganisation = \"t\"\nperson = \"t\"\n\
         [contact]\nemail = \"t@localhost\"\n[targets]\nranges = [\"fd00:a::/48\"]\nexclude = []\n\
         tcp_ports = \"80-82\"\nudp_ports = \"\"\nprobes = [\"connect\"]\n[rate]\ntotal_pps = {rate_pps}\n\
         per_prefix_pps = {rate_pps}\nper_host_pps = {rate_pps}\nper_host_connections = 4\n"
    );
    let key = PrivateKey::from_text(&"6".repeat(64)).expect("a key");
    let signed = hinomi_survey::scope::sign(text.as_bytes(), &key).expect("signed");
    let trust = Trust::default().signer(key.public(), "tester");
    let now = "2026-11-22T00:00:00Z".parse().expect("a time");
    hinomi_survey::scope::verify(signed.as_bytes(), &trust, now).expect("authorised")
}

/// How a test surveys: at which ports, and with frames or connections only.
#[derive(Clone, Copy)]
struct Run {
    ports: &'static [u16],
    rate_pps: u32,
    frames: bool,
}

fn survey(run: Run, shelf: Shelf, notes: &Path) -> Result<Report, SurveyError> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let authorised = authorised(run.rate_pps);
        let pace = Arc::new(Pace::new(authorised.scope().rate));
        let clock = Arc::new(hinomi_model::SystemClock);
        let door = Arc::new(Door::new(authorised, Arc::default(), clock.clone(), Arc::new(Metrics::default())));
        let config = Config { grab: false, ..Config::near() };
        let mut engines: Vec<Arc<dyn Engine>> = Vec::new();
        if run.frames {
            let frames = Frames { only: Some(Backend::Packet), passes: 2, notes: notes.to_owned() };
            let engine = FrameEngine::open(Arc::clone(&door), Arc::clone(&pace), &config, frames);
            engines.push(Arc::new(engine.expect("frames")));
        }
        engines.push(Arc::new(ConnectEngine::new(Arc::clone(&door), Arc::clone(&pace), &config)));
        let key =
            |address: Ipv6Addr, port: u16| ServiceKey { address: address.into(), port, transport: Transport::Tcp };
        let targets = listed().into_iter().flat_map(|address| run.ports.iter().map(move |port| key(address, *port)));
        let list = List::new(targets).expect("a list");
        let order = Order { ports: None, list: Some(&list), seed: 7, share: Share::WHOLE };
        let campaign = Campaign::new(campaign(), &door, &order, &engines).expect("a campaign");
        // The site, the whole network and that around the part, the crowded end of the hosts' network and the part.
        assert_eq!(campaign.prefixes_tested(), 5);
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
    "six-1".parse().expect("a name")
}

/// What stands for an aliased prefix: the lowest of its addresses in the list.
fn standing_for(prefix: &str) -> Ipv6Addr {
    let prefix: ipnet::Ipv6Net = prefix.parse().expect("a prefix");
    listed().into_iter().find(|address| prefix.contains(address)).expect("listed")
}

/// Everyone who should be found.
fn truth() -> BTreeSet<Ipv6Addr> {
    let hosts = HOSTS.iter().map(|text| text.parse().expect("an address"));
    hosts.chain([WHOLE, PART].map(standing_for)).collect()
}

fn found(shelf: &Shelf) -> BTreeSet<Ipv6Addr> {
    let six = |key: &ServiceKey| match key.address {
        IpAddr::V6(six) => Some(six),
        IpAddr::V4(_) => None,
    };
    shelf.subjects().iter().filter_map(six).collect()
}

/// What one prefix was asked: packets, and different addresses.
fn asked_in(prefix: &str, asked: &BTreeMap<(Ipv6Addr, u16), u64>) -> (u64, usize) {
    let prefix: ipnet::Ipv6Net = prefix.parse().expect("a prefix");
    let inside: Vec<_> = asked.iter().filter(|((address, _), _)| prefix.contains(address)).collect();
    let different: BTreeSet<_> = inside.iter().map(|((address, _), _)| address).collect();
    (inside.iter().map(|(_, packets)| **packets).sum(), different.len())
}

fn aliased(report: &Report) -> Vec<String> {
    report.aliased.iter().map(ToString::to_string).collect()
}

#[test]
fn aliased_prefixes_are_named_and_real_hosts_are_found() {
    if !inside_a_namespace("six::aliased_prefixes_are_named_and_real_hosts_are_found") {
        return;
    }
    let far = far();
    let mut before = BTreeMap::new();
    for frames in [false, true] {
        let (notes, shelf) = (tempfile::tempdir().expect("a folder"), Shelf::default());
        let report =
            survey(Run { ports: &[80], rate_pps: 500, frames }, shelf.clone(), notes.path()).expect("surveyed");
        let mut asked = far.asked();
        for (key, earlier) in &before {
            *asked.get_mut(key).expect("counters only grow") -= earlier;
        }
        before = far.asked();
        asked.retain(|_, packets| *packets > 0);
        assert!(report.finished);
        assert_eq!(aliased(&report), [WHOLE, PART], "frames: {frames}");
        assert_eq!(found(&shelf), truth(), "frames: {frames}");
        let count = |reason: &str| report.counts.by_reason.get(reason).copied().unwrap_or(0);
        assert_eq!(count("in an aliased prefix: not asked"), 199 + 39);
        assert_eq!(count("aliased prefix: every address answers"), 2);
        assert_eq!(report.counts.targets_done, report.targets, "what is left out is done with");
        // The test, and the one that stands for all: once more at each visit.
        let most = u64::try_from(MAX_ASKED).expect("small") + 8;
        for prefix in [WHOLE, PART] {
            let (packets, addresses) = asked_in(prefix, &asked);
            eprintln!("frames: {frames}; {prefix}: {packets} packets to {addresses} addresses");
            assert!(packets <= most && addresses <= 17, "{prefix}: {packets} packets, {addresses} addresses");
        }
        // Everyone else of the list was asked, and of strangers none but three of each prefix that was tested.
        let (listed, names): (BTreeSet<_>, BTreeSet<_>) =
            (listed(), asked.keys().map(|(address, _)| *address).collect());
        let ordinary = |address: &Ipv6Addr| {
            [WHOLE, PART].iter().all(|prefix| !prefix.parse::<ipnet::Ipv6Net>().expect("a prefix").contains(address))
        };
        assert!(listed.iter().filter(|address| ordinary(address)).all(|address| names.contains(address)));
        let strangers = names.iter().filter(|address| ordinary(address) && !listed.contains(address)).count();
        assert!(strangers <= 3 * 3, "{strangers}");
        if !frames {
            assert_eq!(asked.values().sum::<u64>(), report.counts.packets_sent, "both ends count the same");
        }
    }
}

/// Where a survey that is to be killed keeps what it keeps.
const KILLED: &str = "HINOMI_SIX_KILLED";
const KILLED_RUN: Run = Run { ports: &[80, 82], rate_pps: 60, frames: false };

/// Not a test but what the next one starts and kills; alone it does nothing.
#[test]
fn a_survey_to_be_killed() {
    let Some(folder) = std::env::var_os(KILLED).map(PathBuf::from) else { return };
    let report = survey(KILLED_RUN, Shelf::at(&folder, &campaign()), &folder).expect("surveyed");
    assert!(report.finished);
    let aliased = aliased(&report).join("\n");
    std::fs::write(folder.join("aliased"), aliased).expect("written");
}

#[test]
fn killed_and_resumed_it_knows_what_it_found() {
    if !inside_a_namespace("six::killed_and_resumed_it_knows_what_it_found") {
        return;
    }
    let far = far();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "six::a_survey_to_be_killed", "--nocapture"]).env(KILLED, folder.path());
    let mut kills = 0_u64;
    for wait_ms in [300, 700, 1_500, 2_500, 2_500] {
        let mut child = command.spawn().expect("starts");
        std::thread::park_timeout(Duration::from_millis(wait_ms));
        if child.try_wait().expect("asked").is_some() {
            break;
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        kills += 1;
    }
    assert!(command.status().expect("starts").success());
    let told = std::fs::read_to_string(folder.path().join("aliased")).expect("told");
    assert_eq!(told.lines().collect::<Vec<_>>(), [WHOLE, PART], "also by the last run, which did not test again");
    let subjects = std::fs::read_to_string(folder.path().join("subjects")).expect("stored");
    let found: BTreeSet<Ipv6Addr> =
        subjects.lines().filter_map(|line| line.split(['[', ']']).find_map(|part| part.parse().ok())).collect();
    assert_eq!(found, truth());
    let asked = far.asked();
    let most = u64::try_from(MAX_ASKED).expect("small");
    for prefix in [WHOLE, PART] {
        let (packets, addresses) = asked_in(prefix, &asked);
        eprintln!("{kills} kills; {prefix}: {packets} packets to {addresses} addresses");
        assert!(addresses <= 17, "the same addresses after each kill: {addresses}");
        assert!(packets <= (most + 8) * (kills + 1), "{packets}");
    }
}
