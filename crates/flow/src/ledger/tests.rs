use std::fs;

use hinomi_model::merkle::{verify_consistency, verify_inclusion};

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn words(text: &str) -> Words {
    Words::new(text).expect("fit for the ledger")
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.jsonl");
    (folder, path)
}

fn filled(path: &Path, count: u32) -> Ledger {
    let mut ledger = Ledger::open(path, NOW).expect("opens");
    for epoch in 0..count {
        ledger.append(NOW, Event::KeyBorn { epoch }).expect("written");
    }
    ledger
}

#[test]
fn the_hash_is_that_of_the_rfc() {
    // SHA-256 of nothing (FIPS 180-4) is the root of an empty tree; the root of one empty leaf is SHA-256 of one zero
    // byte.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(HEXLOWER.encode(&Tree::<Sha256>::default().root()), empty);
    let one = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    assert_eq!(HEXLOWER.encode(&leaf::<Sha256>(b"")), one);
}

#[test]
fn what_was_written_is_there_again_and_grows_consistently() {
    let (_folder, path) = place();
    let early = filled(&path, 5).checkpoint();
    let mut ledger = Ledger::open(&path, NOW).expect("opens again");
    assert_eq!(ledger.checkpoint(), early);
    let by = words("the duty officer");
    let event = Event::Exported { by, format: words("stix"), records: 2, sha256: words(&"ab".repeat(32)) };
    let number = ledger.append(NOW, event.clone()).expect("written");
    let late = ledger.checkpoint();
    let own = ledger.tree().leaf(number).expect("a leaf");
    let path_up = ledger.tree().inclusion(number, late.size).expect("a path");
    assert!(verify_inclusion::<Sha256>(own, number, late.size, &path_up, &late.root));
    let proof = ledger.tree().consistency(early.size, late.size).expect("a proof");
    assert!(verify_consistency::<Sha256>(early.size, &early.root, late.size, &late.root, &proof));
    assert_eq!(verify(&path, &[early, late.clone()]).expect("holds").checkpoint, late);
    assert_eq!(entries(&path).expect("holds").last().map(|entry| entry.event.clone()), Some(event));
}

#[test]
fn any_changed_byte_is_seen() {
    let (_folder, path) = place();
    let noted = filled(&path, 4).checkpoint();
    let whole = fs::read(&path).expect("a file");
    for place in 0..whole.len() - 1 {
        let mut changed = whole.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 1;
        }
        fs::write(&path, &changed).expect("written");
        assert!(verify(&path, std::slice::from_ref(&noted)).is_err(), "byte {place}");
    }
}

#[test]
fn a_log_that_was_written_anew_does_not_continue_a_checkpoint() {
    let (_folder, path) = place();
    let noted = filled(&path, 6).checkpoint();
    fs::remove_file(&path).expect("removed");
    let mut ledger = Ledger::open(&path, NOW).expect("opens");
    (10..20).for_each(|epoch| {
        ledger.append(NOW, Event::KeyBorn { epoch }).expect("written");
    });
    assert!(verify(&path, &[]).is_ok(), "in itself it holds");
    let error = verify(&path, &[noted]).expect_err("another log");
    assert!(error.to_string().contains("does not continue the checkpoint of 6 entries"), "{error}");
}

#[test]
fn a_torn_end_is_cut_off_and_said() {
    let (_folder, path) = place();
    let noted = filled(&path, 3).checkpoint();
    let whole = fs::read(&path).expect("a file");
    let last = whole.len() - 20;
    fs::write(&path, whole.get(..last).expect("shorter")).expect("written");
    let torn = verify(&path, &[]).expect("the rest holds");
    assert_eq!(torn.checkpoint.size, 2);
    assert!(torn.torn_bytes > 0);
    assert!(verify(&path, &[noted]).is_err(), "an entry is missing");
    let ledger = Ledger::open(&path, NOW).expect("mends");
    assert_eq!(ledger.checkpoint().size, 3);
    let last = entries(&path).expect("holds").pop().expect("an entry");
    assert_eq!(last.event, Event::Mended { torn_bytes: torn.torn_bytes });
    assert_eq!(verify(&path, &[]).expect("holds").torn_bytes, 0);
}

#[test]
fn several_write_one_log_and_each_follows_the_other() {
    let (_folder, path) = place();
    let (mut one, mut other) = (filled(&path, 1), Ledger::open(&path, NOW).expect("opens beside it"));
    for epoch in 0..20 {
        let ledger = if epoch % 3 == 0 { &mut one } else { &mut other };
        assert_eq!(ledger.append(NOW, Event::KeyDestroyed { epoch }).expect("written"), u64::from(epoch) + 1);
    }
    assert_eq!(verify(&path, &[one.checkpoint(), other.checkpoint()]).expect("holds").checkpoint.size, 21);
}

#[test]
fn many_at_once_lose_nothing() {
    let (_folder, path) = place();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| filled(&path, 25));
        }
    });
    assert_eq!(verify(&path, &[]).expect("holds"), Verified { torn_bytes: 0, ..verify(&path, &[]).expect("holds") });
    assert_eq!(entries(&path).expect("holds").len(), 100);
    assert_eq!(newest(&path, 3).expect("holds").first().map(|entry| entry.number), Some(97));
}

#[test]
fn a_log_that_was_cut_or_exchanged_is_not_written_on() {
    let (_folder, path) = place();
    let mut known = filled(&path, 4);
    fs::write(&path, "").expect("emptied");
    let error = known.append(NOW, Event::KeyBorn { epoch: 9 }).expect_err("cut");
    assert!(error.to_string().contains("bytes long"), "{error}");
    fs::remove_file(&path).expect("removed");
    let (_other_folder, other_path) = place();
    filled(&other_path, 8);
    fs::copy(&other_path, &path).expect("copied");
    let line = fs::read_to_string(&path).expect("text").replacen("born", "destroyed", 1);
    fs::write(&path, line).expect("changed");
    assert!(known.append(NOW, Event::KeyBorn { epoch: 9 }).is_err(), "another log stands there");
}

#[test]
fn what_another_tore_is_mended_by_the_next() {
    let (_folder, path) = place();
    let mut known = filled(&path, 2);
    let mut file = fs::OpenOptions::new().append(true).open(&path).expect("opens");
    file.write_all(b"{\"number\":2,\"ti").expect("torn");
    known.append(NOW, Event::KeyBorn { epoch: 9 }).expect("written");
    let kinds: Vec<Event> = entries(&path).expect("holds").into_iter().skip(2).map(|entry| entry.event).collect();
    assert_eq!(kinds, [Event::Mended { torn_bytes: 15 }, Event::KeyBorn { epoch: 9 }]);
}

#[test]
fn no_address_gets_in() {
    for text in
        ["looked at 192.0.2.7", "line 192.0.2.7:80, twice", "(2001:db8::1)", "at 2001:db8::1.", "::ffff:192.0.2.7"]
    {
        assert_eq!(Words::new(text), Err(NotWords::Address), "{text}");
    }
    for text in ["threshold 4.5 to 4.0", "at 12:30, version 1.2.3", "the feed: decided", "abc: def"] {
        assert!(Words::new(text).is_ok(), "{text}");
    }
    assert_eq!(Words::new("  "), Err(NotWords::Length));
    let line = r#"{"kind":"looked","by":"a","what":"192.0.2.7","reason":"b"}"#;
    assert!(serde_json::from_str::<Event>(line).is_err());
}

#[test]
fn checkpoints_are_text() {
    let (_folder, path) = place();
    let checkpoint = filled(&path, 2).checkpoint();
    assert_eq!(Checkpoint::read(&checkpoint.to_text()), Some(checkpoint));
    assert_eq!(Checkpoint::read("another-log\n2\nAAAA\n"), None);
}

#[test]
fn audits_of_before_outcomes_were_told_are_read_and_verified() {
    let old = r#"{"kind":"audited","canaries":128,"found":0}"#;
    let event: Event = serde_json::from_str(old).expect("an event");
    assert_eq!(event, Event::Audited { canaries: 128, found: 0, outcome: None });
    assert_eq!(serde_json::to_string(&event).expect("JSON"), old, "or its hash would be another");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(FILE_NAME);
    let now = Timestamp::from_micros(1_795_000_000_000_000);
    let mut ledger = Ledger::open(&path, now).expect("a ledger");
    for outcome in [None, Some(AuditOutcome::Clean), Some(AuditOutcome::ShowedNothing)] {
        ledger.append(now, Event::Audited { canaries: 128, found: 0, outcome }).expect("appended");
    }
    let noted = [ledger.checkpoint()];
    assert_eq!(verify(&path, &noted).expect("verified").checkpoint.size, 3);
    let text = std::fs::read_to_string(&path).expect("read");
    assert!(text.contains(r#""outcome":"showed-nothing""#) && text.matches("outcome").count() == 2, "{text}");
}
