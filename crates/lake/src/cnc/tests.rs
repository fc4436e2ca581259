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

fn listed(endpoints: &[Endpoint], withdrawn: &[Endpoint]) -> Message {
    Message::Listed(Listing { endpoints: endpoints.to_vec(), withdrawn: withdrawn.to_vec() })
}

#[test]
fn every_list_takes_back_what_is_gone_and_tells_when_that_began() {
    let (_folder, journal) = place();
    let to_withdraw = |now| journal.read().unwrap().to_withdraw(now);
    let gone = |withdrawn| [ToWithdraw { endpoint: endpoint(1), listed: START, withdrawn, again: 0 }];
    journal.append(&[found(1, START, 6.0), listed(&[endpoint(1)], &[])], START).unwrap();
    let book = journal.read().unwrap();
    assert_eq!((book.to_withdraw(START).len(), book.held(START)[0].listed), (0, Some(START)));
    journal.append(&[taken(1, Withdrawn::Suppressed)], after(1)).unwrap();
    assert_eq!(to_withdraw(after(1)), gone(None));
    for day in 2..5 {
        journal.append(&[listed(&[], &[endpoint(1)])], after(day)).unwrap();
        assert_eq!(to_withdraw(after(day)), gone(Some(after(2))), "each reader and each form is told");
    }
    journal.append(&[found(1, after(5), 6.0)], after(5)).unwrap();
    let book = journal.read().unwrap();
    assert_eq!((book.to_withdraw(after(5)).len(), book.held(after(5))[0].listed), (0, None), "held again, not listed");
    assert_eq!(book.listed_again(), [(endpoint(1), 1)].into(), "the next list names it for the second time");
    for _ in 0..2 {
        journal.append(&[listed(&[endpoint(1)], &[])], after(5)).unwrap();
        assert_eq!(journal.read().unwrap().listed_again(), [(endpoint(1), 1)].into(), "and so do those after it");
    }
    assert_eq!(journal.read().unwrap().held(after(5))[0].listed, Some(after(5)));
    journal.append(&[taken(1, Withdrawn::Refuted)], after(6)).unwrap();
    let anew = ToWithdraw { endpoint: endpoint(1), listed: after(5), withdrawn: None, again: 1 };
    assert_eq!(to_withdraw(after(6)), [anew], "a new listing is taken back anew");
}

#[test]
fn lists_are_counted_by_the_day() {
    let (_folder, journal) = place();
    let (midnight, last) = (Timestamp::from_micros(20_779 * 86_400_000_000), Duration::from_secs(86_399));
    for time in [midnight, midnight.plus(last), midnight.plus(last)] {
        journal.append(&[listed(&[], &[])], time).unwrap();
    }
    let book = journal.read().unwrap();
    assert_eq!((book.lists_on(midnight), book.lists_on(midnight.plus(last + Duration::from_secs(1)))), (3, 0));
}

#[test]
fn the_journal_is_read_as_it_stood() {
    let (_folder, journal) = place();
    journal.append(&[found(1, START, 6.0)], START).unwrap();
    journal.append(&[taken(1, Withdrawn::Refuted), found(2, after(1), 6.0)], after(1)).unwrap();
    let held = |until: Timestamp| -> Vec<Endpoint> {
        let held = journal.read_until(until).unwrap().held(until);
        held.iter().map(|held| held.finding.endpoint).collect()
    };
    assert_eq!(held(START), [endpoint(1)], "what was told later does not count");
    assert_eq!(held(after(1)), [endpoint(2)]);
    assert!(held(START.minus(Duration::from_micros(1))).is_empty());
}

#[test]
fn what_was_taken_back_and_shared_is_never_too_old_to_be_read() {
    let (_folder, journal) = place();
    let told = [found(1, START, 6.0), taken(1, Withdrawn::Refuted), listed(&[endpoint(2)], &[]), found(2, START, 6.0)];
    journal.append(&told, START).unwrap();
    let old = fs::metadata(journal.path()).unwrap().len();
    let text = fs::read_to_string(journal.path()).unwrap();
    let found_first: Vec<bool> = text.lines().map(|line| tells_found(line.as_bytes())).collect();
    assert_eq!(found_first, [true, false, false, true], "findings are known without parsing");
    journal.append(&[found(1, after(1), 6.0), found(3, after(1), 6.0)], after(1)).unwrap();
    let newest = fs::metadata(journal.path()).unwrap().len() - old;
    let book = journal.read_newest(newest, after(1)).unwrap();
    assert_eq!((book.left_out.old_bytes, book.left_out.damaged_lines), (old, 0));
    assert!(book.is_refuted(&endpoint(1), after(1)));
    let held: Vec<Endpoint> = book.held(after(1)).iter().map(|held| held.finding.endpoint).collect();
    assert_eq!(held, [endpoint(3)]);
    assert_eq!(book.to_withdraw(after(1))[0].endpoint, endpoint(2), "it is not held, so it is taken back");
    let turned = text.replace("{\"format\":1,", "{ \"format\":1,");
    fs::write(journal.path(), turned).unwrap();
    assert!(journal.read_newest(0, after(1)).unwrap().held(after(1)).is_empty(), "nor in other words");
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
        let book = journal.read_newest(most, START).unwrap();
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
