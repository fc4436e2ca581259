//! Append, reopen, ask.

use hinomi_lake::{Lake, LakeError};
use hinomi_model::{Outcome, Receipt, Sink, SinkError};

use crate::support::{at, batch, now, open, open_reader, options, request, services, sighting, with_state};

fn some() -> hinomi_model::Batch {
    batch([
        sighting("192.0.2.7", 22, 1, "ssh OpenSSH 9.6"),
        sighting("192.0.2.9", 22, 2, "ssh OpenSSH 9.6"),
        sighting("2001:db8::1", 80, 3, "http nginx 1.24"),
    ])
}

#[test]
fn what_was_appended_is_found_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    assert_eq!(lake.append(some()).unwrap(), Receipt { sightings: 3, repeated: 0, evidence: 2 });
    let before = services(&lake);
    drop(lake);
    let lake = open(dir.path());
    assert_eq!(services(&lake), before);
    assert_eq!(before.len(), 3);
    assert_eq!((before[0].asn, before[0].country.as_deref()), (Some(64500), Some("JP")));
    let page = lake.search(&request("product:nginx")).unwrap();
    assert_eq!((page.total, page.matches[0].key.port), (1, 80));
    let status = lake.status().unwrap();
    assert_eq!((status.sightings.rows, status.evidence.rows, status.facts.rows, status.services), (3, 2, 2, 3));
    assert_eq!(status.behind, 0);
}

#[test]
fn a_batch_told_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    lake.append(some()).unwrap();
    let before = (services(&lake), lake.status().unwrap());
    assert_eq!(lake.append(some()).unwrap(), Receipt { sightings: 0, repeated: 3, evidence: 0 });
    drop(lake);
    // Nor does it after a restart, when nothing is remembered, nor when it is told twice in one batch.
    let lake = open(dir.path());
    let mut twice = some();
    twice.sightings.extend(some().sightings);
    assert_eq!(lake.append(twice).unwrap(), Receipt { sightings: 0, repeated: 6, evidence: 0 });
    assert_eq!((services(&lake), lake.status().unwrap().sightings), (before.0, before.1.sightings));
}

#[test]
fn evidence_comes_back_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let mut told = some();
    let large = hinomi_model::Evidence::new(hinomi_model::EvidenceKind::Http, vec![0xa5; 300_000]);
    told.sightings[0].evidence = vec![large.reference()];
    told.evidence.push(large.clone());
    lake.append(told).unwrap();
    let stored = lake.evidence(&large.hash()).unwrap().unwrap();
    assert_eq!((stored.bytes, stored.truncated, stored.first_seen), (large.bytes, true, at(1)));
    let (_, shared) = sighting("192.0.2.7", 22, 1, "ssh OpenSSH 9.6");
    assert_eq!(lake.evidence(&shared.hash()).unwrap().unwrap().first_seen, at(2));
    assert_eq!(lake.evidence(&hinomi_model::ContentHash::of(b"never seen")).unwrap(), None);
}

#[test]
fn a_host_has_its_history_with_what_changed() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    lake.append(batch([sighting("192.0.2.7", 22, 1, "ssh OpenSSH 9.6")])).unwrap();
    lake.append(batch([sighting("192.0.2.7", 22, 2, "ssh OpenSSH 9.6")])).unwrap();
    lake.append(batch([sighting("192.0.2.7", 22, 3, "ssh OpenSSH 9.8"), sighting("192.0.2.8", 22, 3, "x y")])).unwrap();
    let (mut gone, _) = sighting("192.0.2.7", 22, 4, "");
    gone.outcome = Outcome::Closed;
    gone.evidence.clear();
    lake.append(hinomi_model::Batch { sightings: vec![gone], ..Default::default() }).unwrap();
    let host = lake.host("192.0.2.7".parse().unwrap()).unwrap();
    let told: Vec<_> = host.history.iter().map(|one| (one.time, one.label.as_str(), one.changes.join(" "))).collect();
    let expected = [
        (at(4), "", "closed".to_owned()),
        (at(3), "ssh OpenSSH 9.8", "version".to_owned()),
        (at(2), "ssh OpenSSH 9.6", String::new()),
        (at(1), "ssh OpenSSH 9.6", "opened".to_owned()),
    ];
    assert_eq!(told, expected);
    assert!(lake.host("192.0.2.99".parse().unwrap()).unwrap().history.is_empty());
}

#[test]
fn a_campaign_finds_its_newest_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let campaign = "spring".parse().unwrap();
    assert_eq!(Sink::checkpoint(&lake, &campaign).unwrap(), None);
    lake.append(with_state(some(), "half")).unwrap();
    lake.append(with_state(batch([]), "done")).unwrap();
    drop(lake);
    let lake = open(dir.path());
    assert_eq!(Sink::checkpoint(&lake, &campaign).unwrap().unwrap().state, "done");
    assert_eq!(lake.campaigns().unwrap(), [(campaign, Some(now()))]);
}

#[test]
fn a_reader_beside_the_writer_sees_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open_reader(&dir.path().join("nothing here")).unwrap().status().unwrap().sightings.version, None);
    let lake = open(dir.path());
    let reader = open_reader(dir.path()).unwrap();
    lake.append(some()).unwrap();
    assert_eq!(reader.status().unwrap().sightings.rows, 3);
    assert_eq!(reader.host("192.0.2.7".parse().unwrap()).unwrap().history.len(), 1);
    assert_eq!(services(&open_reader(dir.path()).unwrap()), services(&lake));
    assert!(matches!(reader.append(some()), Err(SinkError::Failed(text)) if text.contains("reading only")));
}

#[test]
fn the_second_writer_is_refused_and_told_who_holds_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _lake = open(dir.path());
    let Err(LakeError::Locked { holder, .. }) = Lake::open(options(dir.path(), false)) else { panic!("two writers") };
    assert_eq!(holder, std::process::id().to_string());
}

#[test]
fn what_a_newer_version_wrote_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let path = dir.path().join("tables/sightings/_delta_log/00000000000000000000.json");
    // A newer version would seal its commit; one without a sum is read too.
    let text = std::fs::read_to_string(&path).unwrap().replace("hinomiSum", "otherSum");
    assert!(text.contains(r#""hinomi.format":"3""#));
    std::fs::write(&path, text.replace(r#""hinomi.format":"3""#, r#""hinomi.format":"4""#)).unwrap();
    for read_only in [false, true] {
        let refused = Lake::open(options(dir.path(), read_only));
        assert!(matches!(refused, Err(LakeError::TooNew { found: 4, known: 3, .. })));
    }
    std::fs::write(&path, text.replace(r#""minReaderVersion":1"#, r#""minReaderVersion":3"#)).unwrap();
    assert!(matches!(Lake::open(options(dir.path(), true)), Err(LakeError::TooNew { found: 3, .. })));
}

#[test]
fn a_batch_that_breaks_the_rules_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let mut without_evidence = some();
    without_evidence.evidence.pop();
    let mut out_of_time = some();
    out_of_time.sightings[0].time = hinomi_model::Timestamp::from_micros(i64::MAX);
    for (told, reason) in [(without_evidence, "neither in the batch nor stored"), (out_of_time, "years 0 to 9999")] {
        let Err(SinkError::Failed(text)) = lake.append(told) else { panic!("taken") };
        assert!(text.contains(reason), "{text}");
    }
    let status = lake.status().unwrap();
    assert_eq!((status.sightings.rows, status.evidence.rows), (0, 0));
}

#[test]
fn evidence_of_what_was_found_closed_is_stored_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for (seconds, said) in [(1, "reset, ttl 64"), (2, "reset, ttl 63"), (3, "reset, ttl 63")] {
        let (mut sighting, evidence) = sighting("192.0.2.7", 22, seconds, said);
        sighting.outcome = Outcome::Closed;
        lake.append(batch([(sighting, evidence.clone())])).unwrap();
        assert_eq!(lake.evidence(&evidence.hash()).unwrap().unwrap().bytes, evidence.bytes, "{said}");
    }
    let (mut dangling, evidence) = sighting("192.0.2.7", 22, 4, "never told");
    dangling.outcome = Outcome::Closed;
    let refused = hinomi_model::Batch { sightings: vec![dangling], ..hinomi_model::Batch::default() };
    assert!(matches!(lake.append(refused), Err(SinkError::Failed(_))), "{}", evidence.hash());
}

#[test]
fn of_equal_looks_the_stricter_marking_counts_in_whatever_order_they_come() {
    use hinomi_model::{Marking, Purpose, Tlp};
    let looks = ["spring", "autumn"].map(|campaign| {
        let (mut sighting, evidence) = sighting("192.0.2.7", 22, 1, "ssh OpenSSH 9.6");
        sighting.campaign = Some(campaign.parse().unwrap());
        let tlp = if campaign == "spring" { Tlp::Red } else { Tlp::Clear };
        sighting.marking = Marking { tlp, ..Marking::own(Purpose::Exercise) };
        (sighting, evidence)
    });
    let [red, clear] = looks;
    for order in [[red.clone(), clear.clone()], [clear, red]] {
        let dir = tempfile::tempdir().unwrap();
        let lake = open(dir.path());
        for look in order {
            assert_eq!(lake.append(batch([look])).unwrap().sightings, 1);
        }
        let counted = |query: &str| lake.search(&request(query)).unwrap().total;
        assert_eq!((counted("tlp:red"), counted("tlp:clear")), (1, 0));
        lake.rebuild_index().unwrap();
        assert_eq!((counted("tlp:red"), counted("tlp:clear")), (1, 0), "an index built anew");
    }
}
