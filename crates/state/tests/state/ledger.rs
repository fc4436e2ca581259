//! Rows of the ledger, alike on both engines.

use std::collections::BTreeSet;

use hinomi_model::Timestamp;
use hinomi_model::merkle::{Digest, Tree, TreeHash, inclusion_of, leaf, root_of, verify_inclusion, wanted};
use hinomi_state::ledger::{
    LedgerCheckpoint, LedgerGroup, MAX_APPENDED, MAX_CONCERNS, NewLedgerEntry, Taken, group_concern,
};
use hinomi_state::{Database, StateError};

use crate::suite::on_both;

struct Sha256;

impl TreeHash for Sha256 {
    fn hash(parts: &[&[u8]]) -> Digest {
        let digest = ring::digest::digest(&ring::digest::SHA256, &parts.concat());
        digest.as_ref().try_into().unwrap()
    }
}

fn entry(number: u64) -> NewLedgerEntry {
    let time = Timestamp::from_micros(i64::try_from(number).unwrap());
    NewLedgerEntry {
        time,
        kind: format!("kind-{}", number % 2),
        data: number.to_be_bytes().to_vec(),
        concerns: vec![format!("of/{}", number % 3)],
        group: None,
    }
}

#[test]
fn lots_of_all_sizes_make_one_tree() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let (mut tree, mut next) = (Tree::<Sha256>::default(), 0);
        for lot in [1, 1, 2, 63, 64, 65, 0, 130, 7] {
            let entries: Vec<_> = (next..next + lot).map(entry).collect();
            assert_eq!(database.ledger_append::<Sha256>(&entries).unwrap(), next);
            entries.iter().for_each(|entry| tree.push(leaf::<Sha256>(&entry.data)));
            next += lot;
            let ask = |subtrees: &dyn hinomi_model::merkle::Subtrees| root_of::<Sha256>(subtrees, next);
            let found = database.ledger_subtrees(&wanted(ask)).unwrap();
            assert_eq!(ask(&found), Some(tree.root()), "{next}");
        }
        assert_eq!(database.ledger_size().unwrap(), next);
        for place in [0, 5, 200, next - 1] {
            let ask = |subtrees: &dyn hinomi_model::merkle::Subtrees| inclusion_of::<Sha256>(subtrees, place, next);
            let path = ask(&database.ledger_subtrees(&wanted(ask)).unwrap()).unwrap();
            let own = leaf::<Sha256>(&place.to_be_bytes());
            assert!(verify_inclusion::<Sha256>(own, place, next, &path, &tree.root()), "{place}");
        }
        let read = database.ledger_entries(3, 2).unwrap();
        assert_eq!(read.iter().map(|entry| entry.place).collect::<Vec<_>>(), [3, 4]);
        assert_eq!((read[0].hashes.len(), read[1].hashes.len()), (3, 1), "the fourth entry ends three subtrees");
        let many: Vec<_> = (0..=MAX_APPENDED as u64).map(entry).collect();
        assert!(matches!(database.ledger_append::<Sha256>(&many), Err(StateError::Refused { .. })));
    });
}

#[test]
fn several_that_append_at_once_take_their_turns() {
    on_both(|target| {
        // Handles of their own, as other processes have.
        let databases: Vec<_> = (0..3).map(|_| Database::open(target).unwrap()).collect();
        let places: Vec<u64> = std::thread::scope(|scope| {
            let one = |database| {
                scope.spawn(move || {
                    let lot =
                        |number: u64| Database::ledger_append::<Sha256>(database, &[entry(number), entry(number)]);
                    (0..12).map(|number| lot(number).unwrap()).collect::<Vec<_>>()
                })
            };
            let threads: Vec<_> = databases.iter().map(one).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 36, "nobody's place is another's");
        assert_eq!(databases[0].ledger_size().unwrap(), 72);
        let entries = databases[0].ledger_entries(0, 100).unwrap();
        assert!(entries.iter().zip(0..).all(|(entry, place)| entry.place == place) && entries.len() == 72);
    });
}

#[test]
fn what_entries_say_can_go_and_checkpoints_stay() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let entries: Vec<_> = (0..20).map(entry).collect();
        database.ledger_append::<Sha256>(&entries).unwrap();
        let before = Timestamp::from_micros(10);
        assert_eq!(database.ledger_retain(0, before, &[]).unwrap(), 0);
        assert_eq!(database.ledger_retain(8, before, &["kind-1"]).unwrap(), 1, "from a place on");
        assert_eq!(database.ledger_retain(0, before, &["kind-1", "other"]).unwrap(), 4);
        assert_eq!(database.ledger_retain(0, before, &["kind-1"]).unwrap(), 0, "once");
        let stored = database.ledger_entries(0, 20).unwrap();
        let gone = |place: u64| place % 2 == 1 && place < 10;
        assert!(stored.iter().all(|entry| entry.data.is_none() == gone(entry.place)));
        assert!(stored.iter().all(|entry| entry.hashes[0] == leaf::<Sha256>(&entry.place.to_be_bytes())));
        let checkpoint = |size: u64, note: &str| LedgerCheckpoint {
            size,
            signer: "key".to_owned(),
            time: Timestamp::from_micros(1),
            note: note.to_owned(),
        };
        for (size, note) in [(3, "three"), (20, "twenty"), (3, "another three")] {
            database.ledger_keep_checkpoint(&checkpoint(size, note)).unwrap();
        }
        let kept = database.ledger_checkpoints(0, 9).unwrap();
        assert_eq!(kept, [checkpoint(20, "twenty"), checkpoint(3, "three")]);
    });
}

#[test]
fn an_entry_is_found_by_all_that_it_concerns() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let concerns: Vec<String> = (0..MAX_CONCERNS).map(|number| format!("of/{number}")).collect();
        let entries = [entry(0), NewLedgerEntry { concerns: concerns.clone(), ..entry(1) }];
        database.ledger_append::<Sha256>(&entries).unwrap();
        for concern in [64, MAX_CONCERNS - 1] {
            let found = database.ledger_about(&concerns[concern..=concern], None, 10).unwrap();
            assert_eq!(found.iter().map(|entry| entry.place).collect::<Vec<_>>(), [1], "{concern}");
        }
    });
}

#[test]
fn changes_of_the_register_are_told_once() {
    on_both(|target| {
        let databases: Vec<_> = (0..4).map(|_| Database::open(target).unwrap()).collect();
        let told: usize = std::thread::scope(|scope| {
            let one = |database| {
                scope.spawn(move || {
                    Database::ledger_append_taken::<Sha256>(database, Taken::Register, &[entry(1)], (0, 5)).unwrap()
                })
            };
            let threads: Vec<_> = databases.iter().map(one).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(
            (told, databases[0].ledger_size().unwrap(), databases[0].ledger_taken(Taken::Register).unwrap()),
            (1, 1, 5)
        );
        assert!(!databases[0].ledger_append_taken::<Sha256>(Taken::Register, &[entry(2)], (0, 9)).unwrap());
        assert!(databases[0].ledger_append_taken::<Sha256>(Taken::Register, &[entry(2)], (5, 9)).unwrap());
    });
}

#[test]
fn a_set_of_organisations_is_kept_once_for_as_long_as_an_entry_names_it() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let group = |name: &str| LedgerGroup { sha256: name.to_owned(), ids: format!("{name}-1\n{name}-2\n").into() };
        let of = |number: u64, name: &str| NewLedgerEntry {
            concerns: vec![group_concern(name)],
            group: Some(group(name)),
            ..entry(number)
        };
        // Of two kinds in turn; the same set in one lot and in others.
        database.ledger_append::<Sha256>(&[of(0, "a"), of(1, "a"), of(2, "b")]).unwrap();
        database.ledger_append::<Sha256>(&[of(3, "a"), entry(4)]).unwrap();
        let kept = |name: &str| database.ledger_group(name).unwrap();
        assert_eq!(
            (kept("a").as_deref(), kept("b").as_deref(), kept("c")),
            (Some("a-1\na-2\n"), Some("b-1\nb-2\n"), None)
        );
        let late = Timestamp::from_micros(10);
        assert_eq!(database.ledger_retain(0, late, &["kind-0"]).unwrap(), 3);
        assert_eq!((kept("a").is_some(), kept("b")), (true, None), "entries of the other kind name it yet");
        assert_eq!(database.ledger_retain(0, late, &["kind-1"]).unwrap(), 2);
        assert_eq!(kept("a"), None);
        // What went comes back with the next entry.
        database.ledger_append::<Sha256>(&[of(5, "a")]).unwrap();
        assert!(kept("a").is_some());
    });
}

#[test]
fn who_acted_for_an_organisation_before_is_found_too() {
    use hinomi_state::{Accounts, NewPerson, Role};

    on_both(|target| {
        let database = Database::open(target).unwrap();
        let deed = crate::organisations::deed("2026-01-01");
        for id in ["city", "port"] {
            database.add_organisation(deed, id, &crate::organisations::profile(id)).unwrap();
        }
        let accounts = Accounts::of(target.clone());
        for (name, administrator) in [("ann", true), ("ben", false)] {
            let (name, full_name) = (name.to_owned(), String::new());
            accounts
                .add(&NewPerson { name, full_name, administrator, analyst: false, password: None }, deed.now)
                .unwrap();
        }
        let of = |id: &str| accounts.members_of(&[id.to_owned()], 9).unwrap();
        accounts.set_role("ann", "city", Some(Role::Editor)).unwrap();
        accounts.set_role("ann", "city", Some(Role::Reader)).unwrap();
        accounts.set_role("ben", "city", None).unwrap();
        assert_eq!(of("city"), ["ann"], "ben never did");
        accounts.set_role("ben", "city", Some(Role::Reader)).unwrap();
        accounts.set_role("ann", "city", None).unwrap();
        assert_eq!((of("city"), of("port")), (vec!["ann".to_owned(), "ben".to_owned()], Vec::new()));
        accounts.set_role("ann", "city", Some(Role::Reader)).unwrap();
        accounts.set_role("ann", "city", None).unwrap();
        assert_eq!(of("city"), ["ann", "ben"], "each once");
    });
}
