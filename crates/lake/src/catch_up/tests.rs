//! What was told again more strictly stays closed, whichever files are read back.

use std::collections::BTreeSet;

use hinomi_model::time::FixedClock;
use hinomi_model::{Batch, Evidence, Facts, Identifier, Purpose, Sink as _, Timestamp, Tlp, Transport};

use super::*;
use crate::entitlement::{Entitlement, Grant, Marks};
use crate::lake::LakeOptions;
use crate::place::Places;
use crate::search::SearchRequest;
use crate::sightings::Run;
use crate::table::{Change, Origin};

struct NoRules;

impl Identifier for NoRules {
    fn identify(&self, _: &[Evidence]) -> Facts {
        Facts::default()
    }

    fn revision(&self) -> &str {
        "none"
    }
}

fn lake(dir: &std::path::Path) -> Lake {
    let (clock, identifier) = (Arc::new(FixedClock(Timestamp::from_micros(9))), Arc::new(NoRules));
    let (dir, places) = (dir.to_owned(), Places::default());
    Lake::open(LakeOptions { dir, read_only: false, identifier, places, clock }).unwrap()
}

fn seen(host: u8, tlp: Tlp) -> Sighting {
    Sighting {
        sensor: "test".parse().unwrap(),
        campaign: None,
        time: Timestamp::from_micros(5),
        subject: ServiceKey { address: [192, 0, 2, host].into(), port: 443, transport: Transport::Tcp },
        outcome: Outcome::Open,
        remark: None,
        evidence: Vec::new(),
        marking: Marking { tlp, ..Marking::own(Purpose::Exercise) },
    }
}

fn append(lake: &Lake, sighting: Sighting) {
    let receipt = lake.append(Batch { sightings: vec![sighting], ..Batch::default() }).unwrap();
    assert_eq!(receipt.sightings, 1);
}

/// How many services who may see what is marked clear is shown.
fn shown(lake: &Lake) -> u64 {
    let clear = Grant::anywhere(Marks::Tlp(BTreeSet::from([Tlp::Clear])));
    let within = Some(Arc::new(Entitlement::new([clear])));
    lake.search(&SearchRequest { within, now: Timestamp::from_micros(9), ..SearchRequest::default() }).unwrap().total
}

#[test]
fn a_merged_file_does_not_open_what_a_file_beside_it_closed() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    append(&lake, seen(1, Tlp::Clear));
    assert_eq!(shown(&lake), 1);
    let first = lake.sightings.files(|_| true).first().unwrap().path.clone();
    append(&lake, seen(1, Tlp::Red));
    assert_eq!(shown(&lake), 0);
    // Another server stored something else, and merged it with what was told first.
    let newest = lake.sightings.version().unwrap() + 1;
    let runs = [1, 2].map(|host| Run::new(seen(host, Tlp::Clear).content(), seen(host, Tlp::Clear)));
    let rows = sightings::encode_runs(lake.sightings.schema(), &runs);
    let mut staged = lake.sightings.stage("merged", std::iter::once(rows)).unwrap();
    staged.origin = Some(Origin { newest, looks: 2 });
    let change = Change { add: vec![staged], remove: vec![first], ..Change::default() };
    assert_eq!(lake.sightings.commit(change, Timestamp::from_micros(9)).unwrap(), newest);
    lake.catch_up().unwrap();
    assert_eq!((shown(&lake), lake.index.applied()), (1, Some(newest)), "the other one");
    lake.rebuild_index().unwrap();
    assert_eq!((shown(&lake), lake.index.applied()), (1, Some(newest)), "an index built anew");
}

/// More than is held at once, so that a part of a file is applied before its end.
#[test]
fn what_is_told_again_in_the_beginning_of_a_large_file_closes_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    append(&lake, seen(0, Tlp::Clear));
    let run = |again: bool, at: usize| {
        let tlp = if again { Tlp::Red } else { Tlp::Clear };
        let [_, _, high, low] = u32::try_from(at).unwrap().to_be_bytes();
        let subject = ServiceKey { address: [10, 0, high, low].into(), ..seen(0, tlp).subject };
        let sighting = Sighting { subject, ..seen(0, tlp) };
        let mut run = Run::new(sighting.content(), sighting);
        run.again = again;
        run
    };
    let commit = |runs: &[Run]| {
        let rows = runs.chunks(8_192).map(|runs| sightings::encode_runs(lake.sightings.schema(), runs));
        let add = vec![lake.sightings.stage("0", rows).unwrap()];
        lake.sightings.commit(Change { add, ..Change::default() }, Timestamp::from_micros(9)).unwrap()
    };
    // Of the first service the later telling is read first.
    let mut told: Vec<Run> = vec![run(true, 0)];
    told.extend((1..GROUP_ROWS + 10_000).map(|at| run(false, at)));
    commit(&told);
    let newest = commit(&[run(false, 0)]);
    lake.catch_up().unwrap();
    let expected = u64::try_from(GROUP_ROWS + 10_000).unwrap();
    assert_eq!((shown(&lake), lake.index.applied()), (expected, Some(newest)), "all but the first");
}
