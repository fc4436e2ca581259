//! The bars of the samples, and made-up days that nothing was tuned to.

use std::io::{BufReader, Read};
use std::path::PathBuf;

use hinomi_wire::flow::zeek;

use super::synthetic::{Day, as_list, day};
use super::*;

fn samples() -> Option<PathBuf> {
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("HINOMI_DATA").map_or_else(own, PathBuf::from).join("flow");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: no {}", folder.display());
    println!("stood aside: no samples at {}", folder.display());
    None
}

/// Zeek's logs are unpacked by the reader's caller; tests ask gzip.
fn bytes(path: &std::path::Path) -> Vec<u8> {
    if path.extension().is_some_and(|end| end == "gz") {
        let unpacked = std::process::Command::new("gzip").arg("-dc").arg(path).output().unwrap();
        return unpacked.stdout;
    }
    let mut all = Vec::new();
    std::fs::File::open(path).unwrap().read_to_end(&mut all).unwrap();
    all
}

fn zeek(path: &std::path::Path) -> Vec<FlowRecord> {
    let text = bytes(path);
    zeek::Connections::new(BufReader::new(text.as_slice())).filter_map(Result::ok).collect()
}

fn case(name: &str, records: Vec<FlowRecord>, subscribers: &str) -> Case {
    let subscribers = subscribers.split(' ').map(|prefix| prefix.parse().unwrap()).collect();
    Case { name: name.to_owned(), records, subscribers, ..Case::default() }
}

fn seed_lists(folder: &std::path::Path) -> Vec<(String, Option<Timestamp>, Vec<u8>)> {
    let mut lists: Vec<PathBuf> =
        std::fs::read_dir(folder.join("seeds")).unwrap().map(|entry| entry.unwrap().path()).collect();
    lists.sort();
    lists.iter().map(|path| (path.display().to_string(), None, bytes(path))).collect()
}

fn show(outcome: Outcome) -> Outcome {
    for line in Report::new(vec![outcome.clone()]).lines() {
        println!("{line}");
    }
    outcome
}

fn remote_control_tool(folder: &std::path::Path) -> Case {
    let mut tool = case("remote control tool", zeek(&folder.join("cc/003-androidtester-rat-conn.log")), "10.8.0.0/24");
    tool.truth.insert(("147.32.83.234".parse().unwrap(), 1337));
    tool
}

#[test]
fn the_remote_control_tool_ranks_first_and_the_resolver_is_not_named() {
    let Some(folder) = samples() else { return };
    for seeds in [Vec::new(), seed_lists(&folder)] {
        let options = Options { seeds, ..Options::default() };
        let outcome = show(run(&remote_control_tool(&folder), &options).unwrap());
        assert_eq!(outcome.places[0].rank, Some(1));
        assert!(outcome.first.iter().all(|found| found.endpoint.port != 853 || !found.is_named()));
        assert_eq!((outcome.named, outcome.named_true), (1, 1));
        assert_eq!(outcome.exportable, 0);
    }
}

#[test]
fn nothing_of_the_background_passes_the_gate() {
    let Some(folder) = samples() else { return };
    for seeds in [Vec::new(), seed_lists(&folder)] {
        let options = Options { seeds, ..Options::default() };
        let host = case("a host", zeek(&folder.join("background/008-conn.log.labeled.gz")), "147.32.81.167/32");
        let scan = case("vertical scan", zeek(&folder.join("scan/vertical-conn.log")), "192.168.1.0/24");
        for background in [host, scan] {
            let outcome = show(run(&background, &options).unwrap());
            assert_eq!((outcome.named, outcome.exportable), (0, 0), "{}", outcome.name);
        }
    }
}

#[test]
fn botnets_of_made_up_days_are_found_and_clockwork_is_not() {
    let mut outcomes = Vec::new();
    for seed in 1..=2 {
        outcomes.push(run(&day(&Day { seed, subscribers: 40, ..Day::default() }), &Options::default()).unwrap());
    }
    let report = Report::new(outcomes);
    println!("{}", report.lines().join("\n"));
    assert!(report.precision.unwrap() >= 0.99 && report.recall.unwrap() >= 0.45);
    assert!(report.precision > report.baseline_precision);
    assert!(report.cases.iter().all(|case| case.servers.scanned > 0 && case.servers.flooded > 0));
}

#[test]
fn a_list_of_half_of_them_names_that_half_at_least() {
    let made_up = day(&Day { seed: 9, days: 1, subscribers: 40, ..Day::default() });
    let list = ("made up".to_owned(), Some("2026-01-02".parse().unwrap()), as_list(&made_up.truth, true));
    let outcome = show(run(&made_up, &Options { seeds: vec![list], ..Options::default() }).unwrap());
    assert!(outcome.named_true >= made_up.truth.len() / 2);
    assert_eq!(outcome.named, outcome.named_true);
}

/// Real C&C flows under several subscribers in real background; prints the published table. In release:
/// `cargo test --release -p hinomi-flow --lib fan_in -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes, prints the published table"]
fn fan_in_by_bots_and_sampling() {
    let Some(folder) = samples() else { return };
    let tool = remote_control_tool(&folder);
    let (cnc, mut background): (Vec<FlowRecord>, Vec<FlowRecord>) =
        tool.records.iter().partition(|record| record.destination_port == 1337);
    background.extend(zeek(&folder.join("background/008-conn.log.labeled.gz")));
    let subscribers: Vec<IpNet> = vec!["10.8.0.0/24".parse().unwrap(), "147.32.81.167/32".parse().unwrap()];
    let parts = compose::Parts { cnc: &cnc, truth: &tool.truth, background: &background, subscribers: &subscribers };
    let span = std::time::Duration::from_secs(2 * 86_400);
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3);
    for told_infected in [false, true] {
        println!("every second bot told as infected: {told_infected}\n{}", grid::Cell::HEADING);
        let plan = compose::Plan { bots: 2, population: 100, sampling: 1, span, told_infected, seed: 1 };
        let sizes = (&grid::BOTS[..], &grid::SAMPLINGS[..], runs);
        let cells = grid::grid(&parts, &plan, &Options::default(), sizes, |cell| println!("{}", cell.line())).unwrap();
        assert!(cells.iter().all(|cell| cell.false_exports == 0));
        let many_seen = cells.iter().find(|cell| cell.bots == 50 && cell.sampling == 1).unwrap();
        assert!(many_seen.named > 0.9 && many_seen.first > 0.9);
    }
}

/// Runs of a cell of the published table.
const PUBLISHED_RUNS: u32 = 3;

/// The published table of a handbook, and the picture beside it.
fn published(language: &str) -> (Vec<grid::Cell>, String) {
    let folder = format!("{}/../../docs/{language}/src/reference", env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    let page = read("flow-measurements.md");
    let rows = page
        .lines()
        .skip_while(|line| line.starts_with("| |") || !line.contains("| 1:4096 |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let third = |text: &str| (text.trim().parse::<f64>().unwrap() * 3.0).round() / 3.0;
    let cells = rows.flat_map(|row| {
        let parts: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let bots: u32 = parts[0].parse().unwrap();
        assert_eq!(parts.len(), 1 + grid::SAMPLINGS.len(), "{row}");
        let cell = |(sampling, text): (u32, &str)| {
            let (named, exported) = text.split_once('/').unwrap();
            let (named, exported) = (third(named), third(exported));
            grid::Cell {
                bots,
                sampling,
                named,
                exported,
                first: 1.0,
                false_exports: 0,
                false_names: 0,
                baseline_named: 0.0,
                baseline_false: 0,
            }
        };
        let texts: Vec<String> = parts[1..].iter().map(|text| (*text).to_owned()).collect();
        grid::SAMPLINGS.into_iter().zip(texts).map(move |(sampling, text)| cell((sampling, &text))).collect::<Vec<_>>()
    });
    (cells.collect(), read("flow-fan-in.svg"))
}

#[test]
fn the_published_pictures_show_the_published_tables() {
    let (english, japanese) = (published("en"), published("ja"));
    assert_eq!(english.0.len(), grid::BOTS.len() * grid::SAMPLINGS.len());
    assert_eq!(english.0, japanese.0);
    assert!(picture::svg(&english.0, &picture::ENGLISH) == english.1, "draw it anew: see the command below the table");
    assert!(
        picture::svg(&japanese.0, &picture::JAPANESE) == japanese.1,
        "draw it anew: see the command below the table"
    );
}

/// Cells run as the command below the table does. Those of more bots differ from run to run: keys are random, and with
/// them whose contacts are timed.
#[test]
fn the_published_table_holds_for_few_bots() {
    let Some(folder) = samples() else { return };
    let tool = remote_control_tool(&folder);
    let cnc: Vec<FlowRecord> = tool
        .records
        .iter()
        .filter(|record| tool.truth.contains(&(record.destination, record.destination_port)))
        .copied()
        .collect();
    let background = zeek(&folder.join("background/008-conn.log.labeled.gz"));
    let subscribers: Vec<IpNet> = vec!["10.8.0.0/24".parse().unwrap(), "147.32.81.167/32".parse().unwrap()];
    let parts = compose::Parts { cnc: &cnc, truth: &tool.truth, background: &background, subscribers: &subscribers };
    let span = std::time::Duration::from_secs(2 * 86_400);
    let plan = compose::Plan { bots: 2, population: 60, sampling: 1, span, told_infected: false, seed: 1 };
    let options = Options { knowledge: Some(crate::suppress::Knowledge::builtin().unwrap()), ..Options::default() };
    let (table, _) = published("en");
    for (bots, sampling) in [(3, 1), (5, 4)] {
        let cells = grid::grid(&parts, &plan, &options, (&[bots], &[sampling], PUBLISHED_RUNS), |_| {}).unwrap();
        let same = |cell: &&grid::Cell| (cell.bots, cell.sampling) == (bots, sampling);
        let (now, then) = (&cells[0], table.iter().find(same).unwrap());
        assert_eq!(now.line()[..32], then.line()[..32], "the handbook's table is older than the detector");
    }
}

#[test]
fn told_infected_subscribers_name_what_sampling_hid() {
    let Some(folder) = samples() else { return };
    let tool = remote_control_tool(&folder);
    let (cnc, background): (Vec<FlowRecord>, Vec<FlowRecord>) =
        tool.records.iter().partition(|record| record.destination_port == 1337);
    let parts =
        compose::Parts { cnc: &cnc, truth: &tool.truth, background: &background, subscribers: &tool.subscribers };
    let span = std::time::Duration::from_secs(2 * 86_400);
    let named = |told_infected| {
        let plan = compose::Plan { bots: 12, population: 100, sampling: 32, span, told_infected, seed: 5 };
        let outcome = show(run(&compose::fan_in(&parts, &plan), &Options::default()).unwrap());
        (outcome.named, outcome.named_true)
    };
    assert_eq!((named(false), named(true)), ((0, 0), (1, 1)));
}

#[test]
fn every_format_of_the_samples_is_recognised() {
    let Some(folder) = samples() else { return };
    let read = |name: &str| read::read(BufReader::new(bytes(&folder.join(name)).as_slice())).unwrap();
    let counted = |name: &str| {
        let read = read(name);
        assert_eq!(read.ended, None, "{name}");
        read.records.len()
    };
    assert!(counted("cc/003-androidtester-rat-conn.log") > 300);
    assert!(counted("scan/vertical-conn.log") > 40);
    assert!(counted("scan/test4-malicious.binetflow") > 100);
    assert!(counted("background/periodic-probe.pcap.gz") > 0);
}

#[test]
fn nothing_is_named_in_scans_and_in_a_harmless_clock() {
    let Some(folder) = samples() else { return };
    let files = [
        ("scan/test4-malicious.binetflow", "192.168.2.0/24"),
        ("scan/test3-mixed.binetflow", "147.32.0.0/16 2001:718::/32"),
        ("background/periodic-probe.pcap.gz", "10.0.0.0/8 192.168.0.0/16 172.16.0.0/12 147.32.0.0/16"),
    ];
    for (name, subscribers) in files {
        let records = read::read(BufReader::new(bytes(&folder.join(name)).as_slice())).unwrap().records;
        let options = Options { seeds: seed_lists(&folder), local_remotes: true, ..Options::default() };
        let outcome = show(run(&case(name, records, subscribers), &options).unwrap());
        assert_eq!((outcome.named, outcome.exportable), (0, 0), "{name}");
    }
}
