use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_model::cnc::{
    Code, Endpoint, Evidence, ExportVerdict, Finding, KeptBack, Listing, Retraction, Visibility, Withdrawn, fuse,
};

use super::*;

const START: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn after(days: u64) -> Timestamp {
    START.plus(Duration::from_secs(days * 86_400))
}

fn endpoint(last: u8) -> Endpoint {
    Endpoint { address: [203, 0, 113, last].into(), port: 1_337, protocol: 6 }
}

fn finding(last: u8, time: Timestamp, ratio: f64) -> Finding {
    let reasons = vec![Evidence::new(Code::BeaconFailed, ratio, &[]), Evidence::new(Code::GraphPort, ratio, &[])];
    let fused = fuse(5e-4, &reasons);
    let visibility = Visibility { sampling: 1, sampling_unknown: false, loss: 0.0, confidence_if_all_seen: 0.9 };
    Finding {
        endpoint: endpoint(last),
        time,
        confidence: fused.confidence(),
        refuted_by: Finding::refutations(&reasons),
        fused,
        reasons,
        counter_evidence: Vec::new(),
        base_rate: 5e-4,
        epochs: 2,
        clients: 9,
        visibility,
    }
}

fn found(last: u8, time: Timestamp, ratio: f64) -> Message {
    let export = ExportVerdict::Passes { corroboration: BTreeSet::new() };
    Message::Found { finding: Box::new(finding(last, time, ratio)), export }
}

fn taken(last: u8, reason: Withdrawn) -> Message {
    Message::Retracted(Retraction { endpoint: endpoint(last), reason })
}

fn place() -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::of_state(folder.path());
    (folder, journal)
}

#[test]
fn what_is_written_is_held_until_it_fades_or_is_taken_back() {
    let (_folder, journal) = place();
    assert!(!journal.exists());
    assert!(journal.read().unwrap().held(START).is_empty());
    journal.append(&[found(1, START, 5.0), found(2, START, 6.0)], START).unwrap();
    journal.append(&[found(1, after(1), 5.5)], after(1)).unwrap();
    let book = journal.read().unwrap();
    let held = book.held(after(1));
    let told: Vec<_> = held.iter().map(|held| (held.finding.endpoint, held.first_told, held.last_told)).collect();
    assert_eq!(told, [(endpoint(2), START, START), (endpoint(1), START, after(1))], "the surest first");
    assert!(held[0].finding.confidence < held[0].told_confidence);
    assert!(book.held(after(90)).is_empty());
    let faded: Vec<_> = book.taken(after(90)).iter().map(|taken| (taken.endpoint, taken.reason)).collect();
    assert_eq!(faded, [(endpoint(1), Withdrawn::Faded), (endpoint(2), Withdrawn::Faded)]);
    journal.append(&[taken(2, Withdrawn::Outweighed)], after(2)).unwrap();
    let book = journal.read().unwrap();
    assert_eq!(book.held(after(2)).len(), 1);
    assert_eq!(book.taken(after(2))[0].reason, Withdrawn::Outweighed);
    let story = book.story(&endpoint(1), after(1)).unwrap();
    assert_eq!((story.points.len(), story.points[1].reasons[0].0), (2, Code::BeaconFailed));
    assert_eq!(book.resume(after(1)).len(), 1);
    assert!(book.story(&endpoint(7), after(1)).is_none());
}

#[test]
fn what_was_refuted_is_not_held_again_for_a_while() {
    let (_folder, journal) = place();
    let again = found(1, after(3), 6.0);
    journal.append(&[found(1, START, 6.0), taken(1, Withdrawn::Refuted)], START).unwrap();
    journal.append(&[again], after(3)).unwrap();
    let book = journal.read().unwrap();
    assert!(book.held(after(3)).is_empty() && book.is_refuted(&endpoint(1), after(3)));
    assert_eq!(book.taken(after(3))[0].reason, Withdrawn::Refuted);
    assert_eq!(book.story(&endpoint(1), after(3)).unwrap().points.len(), 2, "what was found is told all the same");
    assert!(!book.is_refuted(&endpoint(1), after(REFUTED_DAYS)));
}

#[test]
fn a_list_that_named_what_is_gone_is_taken_back_once() {
    let (_folder, journal) = place();
    let listed = |endpoints, withdrawn| Message::Listed(Listing { endpoints, withdrawn });
    journal.append(&[found(1, START, 6.0), listed(vec![endpoint(1)], vec![])], START).unwrap();
    let book = journal.read().unwrap();
    assert_eq!((book.to_withdraw(START).len(), book.held(START)[0].listed), (0, Some(START)));
    journal.append(&[taken(1, Withdrawn::Suppressed)], after(1)).unwrap();
    assert_eq!(journal.read().unwrap().to_withdraw(after(1)), [(endpoint(1), START)]);
    journal.append(&[listed(vec![], vec![endpoint(1)])], after(2)).unwrap();
    assert!(journal.read().unwrap().to_withdraw(after(2)).is_empty());
}

#[test]
fn a_torn_line_is_counted_and_cut_at_every_length() {
    let (_folder, journal) = place();
    journal.append(&[found(1, START, 5.0)], START).unwrap();
    let one = fs::read(journal.path()).unwrap();
    journal.append(&[found(2, START, 5.0)], START).unwrap();
    let both = fs::read(journal.path()).unwrap();
    for length in one.len() + 1..both.len() {
        fs::write(journal.path(), &both[..length]).unwrap();
        let book = journal.read().unwrap();
        let torn = (length - one.len()) as u64;
        assert_eq!((book.held(START).len(), book.left_out.torn_bytes), (1, torn));
        if length % 97 == 0 {
            assert_eq!(journal.append(&[found(3, START, 5.0)], START).unwrap(), torn);
            assert_eq!(journal.read().unwrap().left_out, LeftOut::default());
        }
    }
    fs::write(journal.path(), vec![b'x'; 200_000]).unwrap();
    assert_eq!(journal.append(&[found(3, START, 5.0)], START).unwrap(), 200_000, "nothing whole was there");
}

#[test]
fn damage_is_counted_and_what_is_newer_is_refused() {
    let (_folder, journal) = place();
    journal.append(&[found(1, START, 5.0)], START).unwrap();
    let text = fs::read_to_string(journal.path()).unwrap();
    let kept = ExportVerdict::KeptBack { reason: KeptBack::TooFewClients { had: 2, k: 5 } };
    fs::write(journal.path(), format!("nonsense\n{{\"format\":1}}\n{text}")).unwrap();
    journal
        .append(&[Message::Found { finding: Box::new(finding(2, START, 5.0)), export: kept.clone() }], START)
        .unwrap();
    let book = journal.read().unwrap();
    assert_eq!((book.left_out.damaged_lines, book.held(START).len()), (2, 2));
    assert!(book.held(START).iter().any(|held| held.export == kept), "verdicts survive");
    fs::write(journal.path(), text.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
    assert!(matches!(journal.read(), Err(LakeError::TooNew { found: 2, known: 1, .. })));
}

#[test]
fn a_reading_takes_the_newest_and_counts_the_rest() {
    let (_folder, journal) = place();
    for last in 0..10 {
        journal.append(&[found(last, START, 5.0)], START).unwrap();
    }
    let text = fs::read_to_string(journal.path()).unwrap();
    let lengths: Vec<u64> = text.lines().map(|line| line.len() as u64 + 1).collect();
    let newest: u64 = lengths[7..].iter().sum();
    let old: u64 = lengths[..7].iter().sum();
    for (most, held, left) in [(newest, 3, old), (newest + 5, 3, old), (u64::MAX, 10, 0)] {
        let book = journal.read_newest(most).unwrap();
        assert_eq!((book.held(START).len(), book.left_out.old_bytes), (held, left), "{most}");
    }
}

#[test]
fn several_append_while_one_reads() {
    let (_folder, journal) = place();
    std::thread::scope(|scope| {
        for last in 0..4 {
            let journal = &journal;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(journal.append(&[found(last, START, 5.0)], START).unwrap(), 0, "nothing was torn");
                }
            });
        }
        for _ in 0..50 {
            assert_eq!(journal.read().unwrap().left_out.damaged_lines, 0);
        }
    });
    let book = journal.read().unwrap();
    let points: usize = (0..4).map(|last| book.story(&endpoint(last), START).unwrap().points.len()).sum();
    assert_eq!((points, book.left_out), (80, LeftOut::default()));
}
