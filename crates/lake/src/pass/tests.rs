//! Passes give the same whatever the shares, the threads and the places where rows are merged.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use hinomi_model::time::FixedClock;
use hinomi_model::{
    Batch, Clock, Evidence, EvidenceKind, Facts, Identifier, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink,
    Timestamp, Transport,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::*;
use crate::compact::CompactOptions;
use crate::export::Format;
use crate::lake::{Lake, LakeOptions};
use crate::ledger;
use crate::place::Places;

const DAY: i64 = 86_400_000_000;

/// A banner's word is its product; the revision says how loud.
#[derive(Clone, Copy)]
struct Word(&'static str);

impl Identifier for Word {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned());
        let text = if self.0 == "loud" { text.map(|text| text.to_uppercase()) } else { text };
        Facts { product: text, ..Facts::default() }
    }

    fn revision(&self) -> &str {
        self.0
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock(Timestamp::from_micros(DAY * 20_000)))
}

fn open(dir: &std::path::Path, rules: &'static str) -> Lake {
    let places = Places::of_state(dir).unwrap();
    let (dir, identifier, clock) = (dir.to_owned(), Arc::new(Word(rules)), clock());
    Lake::open(LakeOptions { dir, read_only: false, identifier, places, clock }).unwrap()
}

fn sighting((address, port, day, outcome, banner): (u16, u16, i64, Outcome, &str)) -> (Sighting, Option<Evidence>) {
    let evidence = (outcome != Outcome::Closed).then(|| Evidence::new(EvidenceKind::Banner, banner));
    let [high, low] = address.to_be_bytes();
    let sighting = Sighting {
        sensor: "survey".parse().unwrap(),
        campaign: None,
        time: Timestamp::from_micros(day * DAY),
        subject: ServiceKey { address: [10, 0, high, low].into(), port, transport: Transport::Tcp },
        outcome,
        remark: None,
        evidence: evidence.iter().map(Evidence::reference).collect(),
        marking: Marking::own(Purpose::Exercise),
    };
    (sighting, evidence)
}

fn append(lake: &Lake, seen: impl IntoIterator<Item = (u16, u16, i64, Outcome, &'static str)>) {
    let (sightings, evidence): (Vec<_>, Vec<_>) = seen.into_iter().map(sighting).unzip();
    lake.append(Batch { sightings, evidence: evidence.into_iter().flatten().collect(), ..Batch::default() }).unwrap();
}

/// Maps and merges as a cluster does: each share by an executor, rows sorted by key, merged by another executor.
struct ByExecutors;

impl Engine for ByExecutors {
    fn name(&self) -> &'static str {
        "executors"
    }

    fn run(&self, task: &Task<'_>, gather: &Gather<'_>) -> Result<(), LakeError> {
        let header = format!("{}\n", task.header()?);
        let rules: &executor::Rules<'_> = &|_, _| Ok(Arc::new(Word("plain")));
        let mut rows = Vec::new();
        for share in task.shares()? {
            let (told, mut frames) = (format!("{header}{share}\n"), Vec::new());
            executor::share(told.as_bytes(), &mut frames, rules, &clock())?;
            let mut frames = frames.as_slice();
            while let Some(more) = frames::read(&mut frames, task.pass.partial())? {
                rows.extend(more);
            }
        }
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        let mut sorted = frames::Frames::new(header.into_bytes(), task.pass.partial());
        rows.into_iter().try_for_each(|row| sorted.take(row))?;
        let mut merged = Vec::new();
        executor::merge(sorted.finish()?.as_slice(), &mut merged)?;
        gather.take_frames(merged.as_slice())
    }
}

fn local(threads: usize) -> Local<'static> {
    Local::new(NonZeroUsize::new(threads), &|_, _| {})
}

fn order(job: Job, shares: u64) -> Order {
    Order { shares: Some(shares), ..Order::new(job) }
}

fn lines(lake: &Lake, order: &Order, engine: &dyn Engine) -> Vec<Value> {
    let mut out = Vec::new();
    let passed = lake.pass_into(order, engine, "tester", (Format::Jsonl, &mut out)).unwrap();
    let lines: Vec<Value> = String::from_utf8(out).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(passed.rows, lines.len() as u64);
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn shares_threads_and_executors_change_nothing(
        seen in prop::collection::btree_set((0_u16..600, select(&[22_u16, 80][..]), 0_i64..90, 0..9_usize), 1..60),
        shares in 1_u64..9,
    ) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("places.csv"), "10.0.1.0/24,64500,Example,JP,Tokyo\n").unwrap();
        let lake = open(dir.path(), "plain");
        let one = |(address, port, day, what): (u16, u16, i64, usize)| {
            let outcome = match what { 0 => Outcome::Closed, 1 => Outcome::Pseudo, _ => Outcome::Open };
            (address, port, day, outcome, if what % 2 == 0 { "nginx" } else { "caddy" })
        };
        let seen: Vec<_> = seen.into_iter().map(one).collect();
        seen.chunks(17).for_each(|some| append(&lake, some.iter().copied()));
        for job in [Job::Presence, Job::Churn] {
            let whole = lines(&lake, &order(job, 1), &local(1));
            prop_assert_eq!(&lines(&lake, &order(job, shares), &local(3)), &whole);
            prop_assert_eq!(&lines(&lake, &order(job, shares), &ByExecutors), &whole);
        }
        lake.roll_up(true).unwrap();
        let counts = |lake: &Lake| {
            let all = DIMENSIONS.iter().map(|one| lake.rollups(one, Timestamp::from_micros(i64::MIN), NEVER).unwrap());
            all.flat_map(|one| one.counts).collect::<Vec<_>>()
        };
        let rolled = counts(&lake);
        let answered = seen.iter().any(|(_, _, _, outcome, _)| *outcome == Outcome::Open);
        prop_assert!(!answered || rolled.iter().any(|one| one.dimension == "port"));
        lake.pass_within(&order(Job::Rollup, shares), &ByExecutors, "tester").unwrap();
        prop_assert_eq!(&counts(&lake), &rolled);
        let presence = lines(&lake, &order(Job::Presence, 1), &local(1));
        lake.compact(&CompactOptions { all: true, ..CompactOptions::default() }, &mut |_, _| {}).unwrap();
        prop_assert_eq!(lines(&lake, &order(Job::Presence, shares), &local(2)), presence);
    }
}

use crate::rollup::DIMENSIONS;
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

#[test]
fn presence_tells_days_intervals_and_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path(), "plain");
    let open_on = |day| (1, 22, day, Outcome::Open, "sshd");
    append(&lake, [1, 2, 10, 60].map(open_on));
    append(&lake, [(1, 22, 61, Outcome::Closed, ""), open_on(62), (1, 80, 5, Outcome::Closed, "")]);
    let told = lines(&lake, &order(Job::Presence, 4), &local(2));
    let [ssh, web] = told.as_slice() else { panic!("{told:?}") };
    let numbers = ["answered", "closed", "days", "intervals", "longest_gap_days"].map(|name| ssh[name].as_i64());
    assert_eq!(numbers, [Some(5), Some(1), Some(5), Some(3), Some(49)]);
    assert_eq!(
        (&ssh["first_seen"], &ssh["last_seen"]),
        (&"1970-01-02T00:00:00Z".into(), &"1970-03-04T00:00:00Z".into())
    );
    assert_eq!((&web["first_seen"], &web["intervals"], &web["closed"]), (&Value::Null, &0.into(), &1.into()));
    let wide = Order { gap_days: 60, ..order(Job::Presence, 1) };
    assert_eq!(lines(&lake, &wide, &local(1))[0]["intervals"], 2, "only the look that found it closed ends it");
    let churn = lines(&lake, &order(Job::Churn, 3), &local(2));
    let numbers =
        ["addresses", "services", "observations", "opened", "closed", "changed"].map(|name| churn[0][name].as_i64());
    assert_eq!((churn.len(), numbers), (1, [1, 2, 7, 2, 1, 0].map(Some)));
    let told = ledger::verify(&ledger::path_of(dir.path()), None).unwrap().entries;
    assert_eq!(told.len(), 3, "each pass is a line");
    let left = |name: &std::ffi::OsString| name != "lock";
    let names = dir.path().join("passes").read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(left).count(), 0, "nothing is left of them");
}

/// Everything in the facts table, by content.
fn facts(lake: &Lake) -> BTreeMap<String, (String, String)> {
    let table = &lake.knowledge.keyed.table;
    let mut all = BTreeMap::new();
    for file in table.files(|_| true) {
        let columns = &["content", "rules", "json"];
        crate::table::read::read(&table.path(&file), columns, crate::table::Rows::All, &mut |batch| {
            let columns = crate::table::columns::Columns::new("facts", batch);
            for at in 0..batch.num_rows() {
                let text = |name: &str| columns.texts(name).unwrap().value(at).to_owned();
                assert!(all.insert(text("content"), (text("rules"), text("json"))).is_none());
            }
            Ok(())
        })
        .unwrap();
    }
    all
}

#[test]
fn facts_derived_by_shares_are_those_derived_at_once() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for dir in &dirs {
        let lake = open(dir.path(), "loud");
        for (port, banner) in [(1, "nginx"), (2, "caddy"), (3, "sshd"), (4, "nginx"), (5, "lighttpd")] {
            append(&lake, [(1, port, 1, Outcome::Open, banner)]);
        }
    }
    let (by_shares, at_once) = (open(dirs[0].path(), "plain"), open(dirs[1].path(), "plain"));
    let refused = Order { shares: Some(3), ..Order::new(Job::Reidentify) };
    let done = by_shares.pass_within(&refused, &ByExecutors, "tester").unwrap();
    assert_eq!((done.changed, done.rows), (Some(4), 4));
    assert_eq!(at_once.identify_again(&mut |_, _| {}).unwrap().changed, 4);
    assert_eq!(facts(&by_shares), facts(&at_once));
    assert_eq!(by_shares.status().unwrap().services, 5);
    drop(by_shares);
    let other = open(dirs[0].path(), "loud");
    let error = other.pass_within(&refused, &ByExecutors, "tester").unwrap_err().to_string();
    assert!(error.contains("other rules (plain)") && error.contains("loud"), "{error}");
    assert_eq!(facts(&other), facts(&at_once), "nothing was changed");
}

#[test]
fn a_file_that_is_gone_ends_the_pass_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path(), "plain");
    append(&lake, [(1, 22, 1, Outcome::Open, "sshd")]);
    append(&lake, [(2, 22, 1, Outcome::Open, "sshd")]);
    let file = lake.sightings.files(|_| true).pop().unwrap();
    std::fs::remove_file(lake.sightings.path(&file)).unwrap();
    let mut out = Vec::new();
    let refused = lake.pass_into(&order(Job::Presence, 1), &local(2), "tester", (Format::Csv, &mut out));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("run the pass again") && error.contains("share 0"), "{error}");
    assert!(lake.pass_into(&order(Job::Rollup, 1), &local(1), "tester", (Format::Csv, &mut out)).is_err());
}

#[test]
fn rows_that_do_not_fit_in_memory_are_merged_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let order = Order::new(Job::Churn);
    let pass = of(&order);
    let gather = Gather::new(pass.as_ref(), dir.path()).unwrap();
    let row = |key: u64| Row { key: key.to_be_bytes().to_vec(), cells: [1; 8].map(row::Cell::Long).to_vec() };
    let mut fold = fold::Fold::new(pass.as_ref()).within(2_000);
    // Thousands of runs of a few rows; each key comes ten times.
    for key in (0..10).flat_map(|_| 0..4_000).map(|n: u64| n.wrapping_mul(7_919) % 4_000) {
        if let Some(full) = fold.take(row(key)).unwrap() {
            gather.add(full).unwrap();
        }
    }
    gather.add(fold.rest()).unwrap();
    let mut next = 0_u64;
    let gathered = gather.finish(&mut |row| {
        assert_eq!((row.key.as_slice(), row.long(2).unwrap()), (next.to_be_bytes().as_slice(), 10));
        next += 1;
        Ok(())
    });
    assert_eq!(gathered.unwrap().rows, 4_000);
}

#[test]
fn what_is_cut_off_or_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path(), "plain");
    append(&lake, [(1, 22, 1, Outcome::Open, "sshd")]);
    let order = order(Job::Presence, 1);
    let pass = of(&order);
    let task = lake.task(&order, pass.as_ref()).unwrap();
    let (header, share) = (task.header().unwrap(), task.shares().unwrap().remove(0));
    let rules: &executor::Rules<'_> = &|_, _| Ok(Arc::new(Word("plain")));
    let mut frames = Vec::new();
    executor::share(format!("{header}\n{share}\n").as_bytes(), &mut frames, rules, &clock()).unwrap();
    for length in 0..frames.len() {
        let gather = Gather::new(pass.as_ref(), dir.path()).unwrap();
        assert!(gather.take_frames(&frames[..length]).is_err(), "{length} of {}", frames.len());
    }
    let other = header.replace(&format!("\"program\":\"{}\"", env!("CARGO_PKG_VERSION")), "\"program\":\"0.0.1\"");
    for wrong in [other, header.replace("\"pass\":1", "\"pass\":9"), "{}".to_owned(), String::new()] {
        let told = executor::share(format!("{wrong}\n{share}\n").as_bytes(), Vec::new(), rules, &clock());
        assert!(told.is_err(), "{wrong}");
    }
    assert!(executor::share(format!("{header}\n{share}").as_bytes(), Vec::new(), rules, &clock()).is_err(), "cut");
    assert!(!header.contains("secret"));
}
