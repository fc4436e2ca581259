use std::path::Path;
use std::sync::Arc;

use hinomi_model::{SystemClock, Timestamp};
use hinomi_state::{Database, Target};
use proptest::prelude::*;

use super::proof::{Shown, agree, verify_file};
use super::*;

fn database(folder: &Path) -> Database {
    Database::open(&Target::Sqlite(folder.join("state.sqlite"))).unwrap()
}

fn log(folder: &Path) -> Log {
    Log::open(&database(folder), folder, Arc::new(SystemClock)).unwrap()
}

fn look(number: u64) -> Event {
    let by = Actor { name: format!("somebody {number}"), ..Actor::default() };
    Event::Look { by, what: "search".to_owned(), question: Some(sha256_hex(&number.to_be_bytes())) }
}

/// A log with its first entry, which tells of the key, and so many more.
fn filled(folder: &Path, more: u64) -> Log {
    let log = log(folder);
    (0..more).for_each(|number| assert_eq!(log.append(look(number)).unwrap(), number + 1));
    log
}

fn sql(folder: &Path, statement: &str) -> u64 {
    database(folder).transact(|transaction| transaction.execute(statement, &[])).unwrap()
}

#[test]
fn every_entry_is_proved_from_its_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 20);
    let keys = [log.verifier()];
    let mut earlier = vec![log.checkpoint().unwrap()];
    for place in 0..21 {
        let file = serde_json::to_vec(&log.prove_inclusion(place).unwrap()).unwrap();
        let Shown::Included { entry: Some(text), checkpoint, .. } = verify_file(&file, &keys).unwrap() else {
            panic!("no inclusion");
        };
        let entry = Entry::read(text.as_bytes()).unwrap();
        let expected = if place == 0 { Event::KeyMade { vkey: keys[0].to_string() } } else { look(place - 1) };
        assert_eq!((entry.event, checkpoint.size), (expected, 21));
    }
    assert!(matches!(log.prove_inclusion(21), Err(LedgerError::Missing(_))));
    for number in 0..9 {
        log.append(look(number)).unwrap();
        for old in &earlier {
            let file = serde_json::to_vec(&log.prove_consistency(old).unwrap()).unwrap();
            assert!(matches!(verify_file(&file, &keys).unwrap(), Shown::Grew { new, .. } if new.size == 22 + number));
        }
        earlier.push(log.checkpoint().unwrap());
    }
    let checked = log.check(&earlier).unwrap();
    assert_eq!((checked.entries, checked.deleted), (30, 0));
}

#[test]
fn what_is_deleted_leaves_its_proof() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 12);
    let before = log.checkpoint().unwrap();
    let told = verify_file(&serde_json::to_vec(&log.prove_inclusion(5).unwrap()).unwrap(), &[log.verifier()]).unwrap();
    let end = Timestamp::from_micros(i64::MAX / 2);
    assert!(log.retain(&Actor::default(), end, &["looks"], "r").is_err(), "no such kind");
    let his = [account_concern("somebody 3")];
    assert_eq!(log.about(&his, None, 9).unwrap().len(), 1);
    assert_eq!(log.retain(&Actor::default(), end, &["look"], "their time is over").unwrap(), 12);
    assert_eq!(log.about(&his, None, 9).unwrap(), [], "nor does anything tell whose it was");
    let checked = log.check(std::slice::from_ref(&before)).unwrap();
    assert_eq!((checked.entries, checked.deleted), (14, 12), "and an entry tells of it");
    let proof = log.prove_inclusion(5).unwrap();
    let Shown::Included { entry, .. } = proof.verify(&[log.verifier()]).unwrap() else { panic!("no inclusion") };
    assert_eq!(entry, None);
    // Who kept the entry proves it against the log of today all the same.
    let (Shown::Included { entry: Some(kept), .. }, Proof::Inclusion { place, leaf, path, checkpoint, .. }) =
        (told, proof)
    else {
        panic!("no inclusion")
    };
    let again = Proof::Inclusion { place, entry: Some(kept), organisations: None, leaf, path, checkpoint };
    assert!(again.verify(&[log.verifier()]).is_ok());
    assert!(log.prove_consistency(&before).is_ok());
}

#[test]
fn a_log_that_was_cut_or_put_back_is_not_signed_and_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 9);
    log.checkpoint().unwrap();
    sql(folder.path(), "DELETE FROM ledger_entries WHERE place >= 6");
    sql(folder.path(), "DELETE FROM ledger_checkpoints");
    sql(folder.path(), "UPDATE ledger_head SET size = 6");
    assert!(log.checkpoint().is_err());
    let opened = Log::open(&database(folder.path()), folder.path(), Arc::new(SystemClock)).unwrap_err();
    assert!(opened.to_string().contains("fewer than the checkpoint of 10 entries"), "{opened}");
    // Filled up again it is another log.
    log.append(look(50)).unwrap();
    (0..8).for_each(|number| drop(log.append(look(number))));
    assert!(log.checkpoint().unwrap_err().to_string().contains("it does not continue"));
}

#[test]
fn two_servers_with_keys_of_their_own_write_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let open = |folder: &Path| Log::open(&database, folder, Arc::new(SystemClock)).unwrap();
    let (a, b) = (open(folder.path()), open(other.path()));
    let first = a.checkpoint().unwrap();
    std::thread::scope(|scope| {
        for log in [&a, &b] {
            (0..4).for_each(|thread| {
                scope.spawn(move || {
                    (0..25).for_each(|number| {
                        let _ = log.append(look(thread * 100 + number)).unwrap();
                    })
                });
            });
        }
    });
    assert_eq!(a.size().unwrap(), 202, "two keys and 200 looks");
    let grew = b.prove_consistency(&first).unwrap();
    let keys = [a.verifier(), b.verifier()];
    assert!(grew.verify(&keys).is_ok());
    assert!(grew.verify(&keys[..1]).is_err(), "who believes one key does not believe the other");
    assert_eq!(a.check(&[first, b.checkpoint().unwrap()]).unwrap().entries, 202);
}

#[test]
fn two_checkpoints_that_contradict_each_other_are_a_fork() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 5);
    let note = log.checkpoint().unwrap();
    let mut other = note::open(&note, &[log.verifier()]).unwrap();
    other.root = [7; 32];
    let forged = log.signer.sign(&other);
    let shown = |note: &str| verify_file(note.as_bytes(), &[log.verifier()]).unwrap();
    agree(&[shown(&note), shown(&note)]).unwrap();
    let told = agree(&[shown(&note), shown(&forged)]).unwrap_err();
    assert!(told.to_string().contains("forked"), "{told}");
    assert!(log.check(std::slice::from_ref(&forged)).is_err());
    assert!(log.prove_consistency(&forged).is_err());
}

/// What somebody with the database in hand may do.
#[derive(Clone, Debug)]
enum Tampering {
    Edit { place: u64, byte: usize },
    EditAndHash { place: u64 },
    Swap { one: u64, other: u64 },
    Cut { keep: u64 },
    Remove { place: u64 },
    Row { place: u64 },
}

fn tampering() -> impl Strategy<Value = Tampering> {
    prop_oneof![
        (0..13_u64, 0..60_usize).prop_map(|(place, byte)| Tampering::Edit { place, byte }),
        (0..13_u64).prop_map(|place| Tampering::EditAndHash { place }),
        (0..13_u64, 1..13_u64).prop_map(|(one, step)| Tampering::Swap { one, other: (one + step) % 13 }),
        (0..13_u64).prop_map(|keep| Tampering::Cut { keep }),
        (0..13_u64).prop_map(|place| Tampering::Remove { place }),
        (0..13_u64).prop_map(|place| Tampering::Row { place }),
    ]
}

fn tamper(folder: &Path, log: &Log, how: &Tampering) {
    let change = |place: u64, data: &[u8], hashes: &[Digest]| {
        let place = i64::try_from(place).unwrap();
        let values = [data.into(), hashes.concat().as_slice().into(), place.into()];
        let set = "UPDATE ledger_entries SET data = $1, hashes = $2 WHERE place = $3";
        assert_eq!(database(folder).transact(|transaction| transaction.execute(set, &values)).unwrap(), 1);
    };
    let row = |place: u64| log.entries(place, 1).unwrap().remove(0);
    match how {
        Tampering::Edit { place, byte } => {
            let mut entry = row(*place);
            let mut data = entry.data.take().unwrap();
            data[*byte] ^= 1;
            change(*place, &data, &entry.hashes);
        }
        Tampering::EditAndHash { place } => {
            let mut entry = row(*place);
            let data = Entry::new(look(999), entry.time, [1; 16]).to_bytes().unwrap();
            entry.hashes[0] = hinomi_model::merkle::leaf::<Sha256>(&data);
            change(*place, &data, &entry.hashes);
        }
        Tampering::Swap { one, other } => {
            let (first, second) = (row(*one), row(*other));
            change(*one, &second.data.unwrap(), &first.hashes);
            change(*other, &first.data.unwrap(), &second.hashes);
        }
        Tampering::Cut { keep } => {
            sql(folder, &format!("DELETE FROM ledger_entries WHERE place >= {keep}"));
            sql(folder, &format!("UPDATE ledger_head SET size = {keep}"));
        }
        Tampering::Remove { place } => drop(sql(folder, &format!("DELETE FROM ledger_entries WHERE place = {place}"))),
        Tampering::Row { place } => {
            sql(folder, &format!("UPDATE ledger_entries SET time = time + 1 WHERE place = {place}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_done_to_the_rows_is_noticed(how in tampering()) {
        let folder = tempfile::tempdir().unwrap();
        let log = filled(folder.path(), 12);
        let noted = log.checkpoint().unwrap();
        log.check(std::slice::from_ref(&noted)).unwrap();
        tamper(folder.path(), &log, &how);
        prop_assert!(log.check(&[noted]).is_err(), "{how:?}");
    }

    #[test]
    fn whatever_is_done_to_a_proof_is_noticed(place in 0..13_u64, byte in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let folder = tempfile::tempdir().unwrap();
        let log = filled(folder.path(), 12);
        let keys = [log.verifier()];
        let good = serde_json::to_vec(&log.prove_inclusion(place).unwrap()).unwrap();
        let shown = verify_file(&good, &keys).unwrap();
        let mut bad = good.clone();
        bad[byte.index(good.len())] ^= 1 << bit;
        // A change that leaves what is shown as it was is none.
        prop_assert!(verify_file(&bad, &keys).map_or(true, |other| other == shown));
    }
}

#[test]
fn what_is_done_to_the_register_is_taken_in_once_by_whoever_comes_first() {
    use hinomi_state::organisations::{Deed, Kind, Profile};

    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let state = database(folder.path());
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let (name_en, kind) = ("City".to_owned(), Kind::Municipality);
    let profile = Profile { name_ja: String::new(), name_en, sector: None, kind, own: false };
    for id in ["city-a", "city-b"] {
        state.add_organisation(Deed { by: "administrator", now }, id, &profile).unwrap();
    }
    let open = |folder: &Path| Log::open(&state, folder, Arc::new(SystemClock)).unwrap();
    let (a, b) = (open(folder.path()), open(other.path()));
    state.add_organisation(Deed { by: "administrator", now }, "city-c", &profile).unwrap();
    std::thread::scope(|scope| {
        for log in [&a, &b] {
            scope.spawn(move || log.checkpoint().unwrap());
        }
    });
    let entries = a.entries(0, 100).unwrap();
    let told: Vec<String> = entries
        .iter()
        .filter_map(|entry| match Entry::read(entry.data.as_ref()?)?.event {
            Event::Ownership { organisation, by, .. } => Some(format!("{organisation} by {}", by.name)),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["city-a by administrator", "city-b by administrator", "city-c by administrator"]);
    assert_eq!(a.take_in().unwrap(), 0);
    // The sum is that of the change as the register tells it, and of no other.
    let changes =
        state.register_events(&hinomi_state::organisations::EventsOf { limit: 9, ..Default::default() }).unwrap();
    let stored =
        String::from_utf8(entries.iter().find(|entry| entry.kind == "ownership").unwrap().data.clone().unwrap());
    assert!(stored.as_ref().unwrap().contains(&sum_of_change(&changes[0])));
    let changed = hinomi_state::organisations::Event { detail: "other".to_owned(), ..changes[0].clone() };
    assert!(!stored.unwrap().contains(&sum_of_change(&changed)));
}

#[test]
fn changes_of_accounts_are_taken_in_and_found_by_whom_they_concern() {
    use hinomi_state::{Accounts, NewPerson};

    let folder = tempfile::tempdir().unwrap();
    let state = database(folder.path());
    let accounts = Accounts::of(Target::Sqlite(folder.path().join("state.sqlite"))).by("operator");
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let new = |name: &str| NewPerson {
        name: name.to_owned(),
        full_name: String::new(),
        administrator: true,
        analyst: false,
        password: None,
    };
    accounts.add_first(&new("ann"), now).unwrap();
    let log = Log::open(&state, folder.path(), Arc::new(SystemClock)).unwrap();
    accounts.by("ann").add(&new("ben"), now).unwrap();
    let by = Actor { name: "ann (key k)".to_owned(), organisations: ["city".to_owned()].into(), ..Actor::default() };
    let look = Event::Look { by: by.clone(), what: "search".to_owned(), question: None };
    let looked = log.append(look).unwrap();
    let export = Event::Export {
        by,
        format: "csv".to_owned(),
        records: 1,
        sha256: String::new(),
        policies: ["holder".to_owned()].into(),
        cut: true,
    };
    let exported = log.append(export).unwrap();
    let about = |concerns: &[String], before| -> Vec<u64> {
        log.about(concerns, before, 10).unwrap().into_iter().map(|entry| entry.place).collect()
    };
    let accounts_of = about(&[ACCOUNTS.to_owned()], None);
    assert_eq!(accounts_of.len(), 2);
    let told = Entry::read(log.entries(accounts_of[0], 1).unwrap()[0].data.as_ref().unwrap()).unwrap();
    let Event::Account { by, account, change, detail: Some(detail) } = told.event else { panic!("{told:?}") };
    assert_eq!((by.name.as_str(), account.as_str(), change.as_str()), ("ann", "ben", "added"));
    assert!(detail.contains(&sum_of_account(&state.account_events(1, 9).unwrap()[0])), "{detail}");
    // What a key of hers did, and what was done to her account.
    let hers = about(&[account_concern("ann")], None);
    assert_eq!(hers, [exported, looked, accounts_of[1]]);
    assert_eq!(
        about(&[account_concern("ann"), organisation_concern("city")], Some(exported)),
        [looked, accounts_of[1]]
    );
    assert_eq!(about(&[organisation_concern("city")], None), [exported], "looks are found by who looked");
    assert_eq!(log.take_in().unwrap(), 0);
    log.check(&[]).unwrap();
}

#[test]
fn a_set_of_rules_is_told_once_until_another_counts() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let open = |folder: &Path| Log::open(&database, folder, Arc::new(SystemClock)).unwrap();
    let (a, b) = (open(folder.path()), open(other.path()));
    let told = |log: &Log, sum: &str| log.rules_count(Actor::default(), sum, "why").unwrap();
    assert!(told(&a, "one") && !told(&b, "one") && told(&b, "two") && !told(&a, "two") && told(&a, "one"));
    let kinds: Vec<String> = a.entries(0, 99).unwrap().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "policy").count(), 3);
    a.check(&[]).unwrap();
}

#[test]
fn who_acts_for_thousands_writes_short_entries_that_say_for_whom() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 1);
    let organisations: std::collections::BTreeSet<String> = (0..6_000).map(|at| format!("shop-{at:060}")).collect();
    let by = Actor { name: "vendor".to_owned(), organisations: organisations.clone(), ..Actor::default() };
    let look = || Event::Look { by: by.clone(), what: "search".to_owned(), question: None };
    let places: Vec<u64> = (0..3).map(|_| log.append(look()).unwrap()).collect();
    assert_eq!(places, [2, 3, 4]);
    let stored = log.entries(2, 1).unwrap().remove(0).data.unwrap();
    assert!(stored.len() < 1_024, "{} bytes", stored.len());
    let group = Entry::read(&stored).unwrap().event.by().unwrap().group.clone().unwrap();
    assert_eq!((group.organisations, log.organisations_of(&group).unwrap()), (6_000, organisations.clone()));
    assert_eq!(sha256_hex(log.list_of(&group.sha256).unwrap().as_bytes()), group.sha256);
    let kept = "SELECT COUNT(*) FROM ledger_groups";
    let count = || database(folder.path()).transact(|step| step.one(kept, &[])?.integer(0)).unwrap();
    assert_eq!(count(), 1, "once");
    // Who has the file alone finds the names in it, and no others.
    let proof = log.prove_inclusion(3).unwrap();
    let shown = verify_file(&serde_json::to_vec(&proof).unwrap(), &[log.verifier()]).unwrap();
    let Shown::Included { organisations: named, .. } = shown else { panic!("no inclusion") };
    assert_eq!(named, organisations);
    let Proof::Inclusion { organisations: Some(list), .. } = &proof else { panic!("no list") };
    for other in [list.replacen('0', "1", 1), list.trim_end().to_owned(), format!("{list}\n"), String::new()] {
        let mut forged = proof.clone();
        let Proof::Inclusion { organisations, .. } = &mut forged else { panic!("no inclusion") };
        *organisations = Some(other);
        assert!(forged.verify(&[log.verifier()]).unwrap_err().to_string().contains("not those"), "forged");
    }
    assert_eq!(log.check(&[]).unwrap().entries, 5);
    sql(folder.path(), "UPDATE ledger_groups SET ids = 'shop-1' || ids");
    assert!(log.check(&[]).unwrap_err().to_string().contains("not those"));
    // The list goes with the last entry that names it.
    let end = Timestamp::from_micros(i64::MAX / 2);
    log.retain(&Actor::default(), end, &["look"], "their time is over").unwrap();
    assert_eq!((count(), log.check(&[]).unwrap().deleted), (0, 4));
}

#[test]
fn as_many_as_fit_are_named_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = filled(folder.path(), 0);
    for (many, grouped) in [(MAX_NAMED, false), (MAX_NAMED + 1, true)] {
        let organisations = (0..many).map(|at| format!("{at:064}")).collect();
        let by = Actor { name: "a".repeat(64), organisations, ..Actor::default() };
        let place = log.append(Event::Look { by, what: "search".to_owned(), question: None }).unwrap();
        let stored = log.entries(place, 1).unwrap().remove(0).data.unwrap();
        let by = Entry::read(&stored).unwrap().event.by().cloned().unwrap();
        assert_eq!((by.group.is_some(), by.organisations.is_empty()), (grouped, grouped), "{many}");
    }
}
