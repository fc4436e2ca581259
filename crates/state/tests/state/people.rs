//! Accounts, sessions, keys and tries, on both engines.

use std::time::Duration;

use hinomi_model::{Purpose, Timestamp};
use hinomi_state::attempts::{Counted, OF_ACCOUNT, OF_SOURCE, QUIET};
use hinomi_state::sessions::{IDLE, LONGEST, MAX_SESSIONS};
use hinomi_state::{
    Accounts, Ceremony, Credential, Entry, KeyText, NewKey, NewPerson, PasswordHash, Person, StateError, Target,
};

use crate::suite::on_both;

const ENTRY: Entry<'static> = Entry { way: "password", source: "192.0.2.1", agent: "a browser\r\nof a kind" };
const DAY: Duration = Duration::from_secs(86_400);

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn new(name: &str, administrator: bool) -> NewPerson {
    NewPerson { name: name.into(), full_name: String::new(), administrator, analyst: false, password: None }
}

fn inhabited(target: &Target) -> (Accounts, Person, Person) {
    let accounts = Accounts::of(target.clone());
    let ann = accounts.add_first(&new("ann", false), now()).unwrap();
    let ben = accounts.add(&new("ben", false), now()).unwrap();
    (accounts, ann, ben)
}

#[test]
fn asking_whether_anybody_has_an_account_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let accounts = Accounts::of(Target::Sqlite(path.clone()));
    assert!(!accounts.exist().unwrap() && !path.exists());
    accounts.add_first(&new("ann", false), now()).unwrap();
    assert!(accounts.exist().unwrap() && path.exists());
}

#[test]
fn of_many_who_come_first_one_does_and_is_an_administrator() {
    on_both(|target| {
        let accounts = Accounts::of(target.clone());
        assert!(accounts.add(&new("early", false), now()).unwrap_err().to_string().contains("administrator"));
        // Others' connections, as other servers have.
        let done: Vec<bool> = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..6)
                .map(|number| {
                    let accounts = Accounts::of(target.clone());
                    scope.spawn(move || accounts.add_first(&new(&format!("name-{number}"), false), now()).is_ok())
                })
                .collect();
            tries.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(done.iter().filter(|done| **done).count(), 1);
        let people = accounts.people().unwrap();
        assert!(people.len() == 1 && people[0].administrator && !people[0].analyst);
    });
}

#[test]
fn names_are_one_however_they_are_typed_and_the_last_administrator_stays() {
    on_both(|target| {
        let (accounts, ann, _) = inhabited(target);
        assert_eq!(accounts.person(" ANN ").unwrap(), Some(ann));
        assert!(accounts.add(&new("Ann", false), now()).is_err());
        for bad in ["", " ", "a b", "-a", "a\nb", "é", &"x".repeat(65), "a'; DROP TABLE people; --"] {
            assert!(matches!(accounts.add(&new(bad, false), now()), Err(StateError::Refused { .. })), "{bad:?}");
            assert_eq!(accounts.person(bad).unwrap(), None, "{bad:?}");
        }
        assert!(accounts.disable("ann", Some(now())).is_err());
        assert!(accounts.set_rights("ann", false, true).is_err());
        accounts.set_rights("ben", true, false).unwrap();
        accounts.disable("ann", Some(now())).unwrap();
        assert!(accounts.disable("ben", Some(now())).is_err(), "ann does not sign in any more");
    });
}

#[test]
fn sessions_end_and_make_room() {
    on_both(|target| {
        let (accounts, ann, ben) = inhabited(target);
        let first = accounts.begin_session(&ann.id, &ENTRY, now()).unwrap();
        let (session, person) = accounts.session(&first, now()).unwrap().unwrap();
        assert_eq!((person.id.as_str(), session.agent.as_str()), (ann.id.as_str(), "a browserof a kind"));
        assert_eq!(accounts.session("0", now()).unwrap(), None);
        assert_eq!(accounts.session(&session.id, now()).unwrap(), None, "its name opens nothing");
        assert!(!accounts.end_session(&ben.id, &session.id).unwrap(), "another's");
        assert_eq!(accounts.session(&first, now().plus(IDLE)).unwrap(), None);
        assert_eq!(accounts.session(&first, now()).unwrap(), None, "and is gone");
        let long = accounts.begin_session(&ann.id, &ENTRY, now()).unwrap();
        let mut time = now();
        while time.since(now()) < LONGEST - IDLE {
            time = time.plus(IDLE / 2);
            assert!(accounts.session(&long, time).unwrap().is_some());
        }
        assert_eq!(accounts.session(&long, now().plus(LONGEST)).unwrap(), None);
        let many: Vec<_> = (0..u64::try_from(MAX_SESSIONS).unwrap() + 1)
            .map(|number| accounts.begin_session(&ann.id, &ENTRY, now().plus(Duration::from_secs(number))).unwrap())
            .collect();
        assert_eq!(accounts.session(&many[0], now()).unwrap(), None, "the oldest made room");
        assert!(accounts.session(&many[1], now()).unwrap().is_some());
        accounts
            .set_purpose(&ann.id, &accounts.session(&many[2], now()).unwrap().unwrap().0.id, Purpose::Research)
            .unwrap();
        assert_eq!(accounts.session(&many[2], now()).unwrap().unwrap().0.purpose, Purpose::Research);
        let kept = accounts.session(&many[3], now()).unwrap().unwrap().0.id;
        accounts.set_password("ann", &PasswordHash::of("four words in a row", "ann").unwrap(), Some(&kept)).unwrap();
        assert!(accounts.session(&many[3], now()).unwrap().is_some());
        assert_eq!(accounts.session(&many[4], now()).unwrap(), None, "a new password ends the others");
        let hers = accounts.begin_session(&ben.id, &ENTRY, now()).unwrap();
        accounts.disable("ben", Some(now())).unwrap();
        assert_eq!(accounts.session(&hers, now()).unwrap(), None);
        assert!(accounts.begin_session(&ben.id, &ENTRY, now()).is_err());
    });
}

#[test]
fn nothing_that_opens_something_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let (accounts, ann, _) = inhabited(&Target::Sqlite(path));
    let token = accounts.begin_session(&ann.id, &ENTRY, now()).unwrap();
    let (key, _) = accounts.add_key(&ann.id, &key("x"), now()).unwrap();
    accounts.set_password("ann", &PasswordHash::of("four words in a row", "ann").unwrap(), None).unwrap();
    let stored: Vec<u8> = ["state.sqlite", "state.sqlite-wal"]
        .iter()
        .filter_map(|name| std::fs::read(folder.path().join(name)).ok())
        .flatten()
        .collect();
    let has = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has(key.id()), "what is looked at is what is stored");
    let secret = key.reveal().rsplit('_').next().unwrap().to_owned();
    assert!(!has(&token) && !has(&secret) && !has("four words in a row"));
    assert!(!format!("{key:?}").contains(&secret));
}

fn key(label: &str) -> NewKey {
    NewKey {
        label: label.into(),
        organisation: None,
        purpose: Purpose::Notification,
        writes: false,
        kinds: vec!["taxii".into()],
        expires: now().plus(DAY),
    }
}

#[test]
fn keys_hold_until_they_end_are_revoked_or_their_owner_goes() {
    on_both(|target| {
        let (accounts, ann, ben) = inhabited(target);
        let (text, made) = accounts.add_key(&ben.id, &key("x"), now()).unwrap();
        let read = KeyText::read(&text.reveal()).unwrap();
        let (found, person) = accounts.key(&read, now()).unwrap().unwrap();
        assert_eq!((&found.id, &person.id, found.used), (&made.id, &ben.id, None));
        assert_eq!(accounts.key(&read, now()).unwrap().unwrap().0.used, Some(now()), "the use before");
        let mut other = text.reveal();
        other.pop();
        other.push(if text.reveal().ends_with('0') { '1' } else { '0' });
        assert_eq!(accounts.key(&KeyText::read(&other).unwrap(), now()).unwrap(), None, "one digit is another");
        assert_eq!(accounts.key(&read, now().plus(DAY)).unwrap(), None, "ended");
        assert!(!accounts.revoke_key(&ann.id, &made.id, now()).unwrap(), "another's");
        accounts.disable("ben", Some(now())).unwrap();
        assert_eq!(accounts.key(&read, now()).unwrap(), None, "closed");
        accounts.disable("ben", None).unwrap();
        assert!(accounts.revoke_key(&ben.id, &made.id, now()).unwrap());
        assert_eq!(accounts.key(&read, now()).unwrap(), None, "revoked");
        for wrong in [
            NewKey { expires: now(), ..key("x") },
            NewKey { expires: now().plus(DAY * 800), ..key("x") },
            NewKey { kinds: vec!["all".into()], ..key("x") },
            NewKey { organisation: Some("not-his".into()), ..key("x") },
            key(""),
            key("a\nb"),
        ] {
            assert!(accounts.add_key(&ben.id, &wrong, now()).is_err(), "{wrong:?}");
        }
    });
}

#[test]
fn standing_keys_come_first_and_old_ones_are_forgotten() {
    on_both(|target| {
        let (accounts, ann, ben) = inhabited(target);
        let standing = accounts.add_key(&ann.id, &key("standing"), now()).unwrap().1.id;
        let his = accounts.add_key(&ben.id, &key("his"), now()).unwrap().1.id;
        assert!(accounts.revoke_key(&ben.id, &his, now()).unwrap());
        let revoked: Vec<_> = (1..=103)
            .map(|number| {
                let then = now().plus(Duration::from_secs(number));
                let id = accounts.add_key(&ann.id, &key("x"), then).unwrap().1.id;
                assert!(accounts.revoke_key(&ann.id, &id, then).unwrap());
                id
            })
            .collect();
        let kept: Vec<_> = accounts.keys(&ann.id).unwrap().into_iter().map(|key| key.id).collect();
        // The last one was not past yet when it was made.
        let newest: Vec<_> = revoked[2..].iter().rev().cloned().collect();
        assert_eq!((&kept[0], &kept[1..]), (&standing, &newest[..]));
        assert_eq!(accounts.keys(&ben.id).unwrap().len(), 1, "another's stay");
    });
}

#[test]
fn tries_are_counted_before_they_are_judged_however_many_come_at_once() {
    on_both(|target| {
        let (accounts, ..) = inhabited(target);
        let counted = [
            Counted::new("account", &["ann", "192.0.2.1"], OF_ACCOUNT),
            Counted::new("source", &["192.0.2.1"], OF_SOURCE),
        ];
        let allowed = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..12)
                .map(|_| {
                    let (accounts, counted) = (Accounts::of(target.clone()), &counted);
                    scope.spawn(move || accounts.count_try(counted, now()).unwrap().is_none())
                })
                .collect();
            tries.into_iter().map(|one| one.join().unwrap()).filter(|allowed| *allowed).count()
        });
        assert_eq!(allowed, 5, "the free ones");
        let other = [Counted::new("account", &["ann", "192.0.2.2"], OF_ACCOUNT)];
        assert_eq!(accounts.count_try(&other, now()).unwrap(), None, "from elsewhere");
        assert_eq!(accounts.count_try(&counted, now()).unwrap(), Some(Duration::from_secs(1)));
        let later = now().plus(Duration::from_secs(1));
        assert_eq!(accounts.count_try(&counted, later).unwrap(), None);
        assert_eq!(accounts.count_try(&counted, later).unwrap(), Some(Duration::from_secs(2)));
        accounts.forget_tries(&counted[0], Some(&counted[1])).unwrap();
        assert_eq!(accounts.count_try(&counted, later).unwrap(), None, "who signed in begins anew");
        let quiet = later.plus(QUIET).plus(Duration::from_secs(1));
        for _ in 0..5 {
            assert_eq!(accounts.count_try(&counted, quiet).unwrap(), None);
        }
    });
}

#[test]
fn a_ceremony_ends_once_and_in_time() {
    on_both(|target| {
        let (accounts, ann, ben) = inhabited(target);
        let ceremony = Ceremony { person: Some(ann.id.clone()), data: vec![1, 2, 3] };
        let until = now().plus(Duration::from_secs(300));
        accounts.begin_ceremony("openid", "secret", &ceremony, until, now()).unwrap();
        assert_eq!(accounts.end_ceremony("passkey", "secret", now()).unwrap(), None, "of another kind");
        assert_eq!(accounts.ceremony("openid", "secret", now()).unwrap().as_ref(), Some(&ceremony));
        assert_eq!(accounts.end_ceremony("openid", "secret", now()).unwrap(), Some(ceremony.clone()));
        assert_eq!(accounts.end_ceremony("openid", "secret", now()).unwrap(), None, "again");
        accounts.begin_ceremony("openid", "late", &ceremony, until, now()).unwrap();
        assert_eq!(accounts.end_ceremony("openid", "late", until).unwrap(), None);

        let credential = Credential { fixed: vec![1], moving: vec![2] };
        accounts.add_passkey(&ann.id, b"one", "my phone", &credential, now()).unwrap();
        assert!(accounts.add_passkey(&ben.id, b"one", "hers", &credential, now()).is_err(), "it is hers");
        accounts.used_passkey(b"one", &[9], now()).unwrap();
        let (found, whose) = accounts.passkey(b"one").unwrap().unwrap();
        assert_eq!((found.moving, whose.id), (vec![9], ann.id.clone()));
        let id = accounts.passkeys(&ann.id).unwrap()[0].id.clone();
        accounts.link_identity(&ann.id, "https://id.example", "1", now()).unwrap();
        assert!(!accounts.remove_passkey(&ben.id, &id).unwrap() && accounts.remove_passkey(&ann.id, &id).unwrap());

        accounts.link_identity(&ben.id, "https://id.example", "7", now()).unwrap();
        assert!(accounts.link_identity(&ann.id, "https://id.example", "7", now()).is_err());
        assert_eq!(accounts.by_identity("https://id.example", "7").unwrap().unwrap().id, ben.id);
        assert_eq!(accounts.by_identity("https://id.example", "70").unwrap(), None);
        let secret = accounts.installation_secret("device").unwrap();
        assert_eq!(accounts.installation_secret("device").unwrap(), secret);
        assert_ne!(accounts.installation_secret("other").unwrap(), secret);
    });
}

#[test]
fn the_last_way_to_sign_in_stays() {
    on_both(|target| {
        let accounts = Accounts::of(target.clone());
        accounts.add_first(&new("ann", false), now()).unwrap();
        let gil = accounts.add(&NewPerson { password: None, ..new("gil", false) }, now()).unwrap();
        let (one, two) = ("https://one.example", "https://two.example");
        accounts.link_identity(&gil.id, one, "7", now()).unwrap();
        accounts.link_identity(&gil.id, two, "7", now()).unwrap();
        for bad in ["", "a\nb", &"x".repeat(256)] {
            assert!(accounts.link_identity(&gil.id, one, bad, now()).is_err(), "{bad:?}");
        }
        accounts.used_identity(one, "7", now()).unwrap();
        let linked = accounts.linked(&gil.id).unwrap();
        assert_eq!(linked.iter().map(|one| one.used.is_some()).collect::<Vec<_>>(), [true, false]);
        assert!(accounts.unlink_identity(&gil.id, two, "7").unwrap());
        assert!(!accounts.unlink_identity(&gil.id, two, "7").unwrap(), "it is gone");
        assert!(accounts.unlink_identity(&gil.id, one, "7").is_err(), "the last one");
        assert!(accounts.is_linked(one, "7").unwrap());
        let credential = Credential { fixed: vec![1], moving: vec![2] };
        accounts.add_passkey(&gil.id, b"one", "phone", &credential, now()).unwrap();
        assert!(accounts.unlink_identity(&gil.id, one, "7").unwrap());
        let id = accounts.passkeys(&gil.id).unwrap()[0].id.clone();
        assert!(accounts.remove_passkey(&gil.id, &id).is_err(), "the last one");
        assert_eq!(accounts.passkeys(&gil.id).unwrap().len(), 1);
    });
}

#[test]
fn who_signs_in_first_elsewhere_gets_an_account_with_its_link_or_none() {
    on_both(|target| {
        let (accounts, ann, _) = inhabited(target);
        let one = "https://one.example";
        assert!(accounts.add_linked(&new("gil", false), one, "a\nb", now()).is_err());
        assert_eq!(accounts.person("gil").unwrap(), None, "nor is there an account");
        let gil = accounts.add_linked(&new("gil", false), one, "7", now()).unwrap().unwrap();
        assert_eq!(accounts.by_identity(one, "7").unwrap(), Some(gil.clone()));
        assert_eq!(accounts.linked(&gil.id).unwrap()[0].used, Some(now()));
        assert!(accounts.add_linked(&new("ann", false), one, "8", now()).is_err(), "another's name");
        assert!(accounts.linked(&ann.id).unwrap().is_empty());
        accounts.disable("gil", Some(now())).unwrap();
        assert_eq!(accounts.add_linked(&new("gil-2", false), one, "7", now()).unwrap(), None, "closed");
        assert_eq!(accounts.person("gil-2").unwrap(), None);
    });
}

#[test]
fn an_invitation_is_taken_by_an_account_elsewhere_once() {
    on_both(|target| {
        let accounts = Accounts::of(target.clone());
        accounts.add_first(&new("ann", false), now()).unwrap();
        let fay = accounts.add(&NewPerson { password: None, ..new("fay", false) }, now()).unwrap();
        let invitation = Ceremony { person: Some(fay.id.clone()), data: Vec::new() };
        let until = now().plus(std::time::Duration::from_secs(60));
        accounts.begin_ceremony("invitation", "key", &invitation, until, now()).unwrap();
        assert_eq!(accounts.link_invited("other", "https://one.example", "7", now()).unwrap(), None);
        assert!(accounts.link_invited("key", "https://one.example", "", now()).is_err());
        let taken = accounts.link_invited("key", "https://one.example", "7", now()).unwrap().unwrap();
        assert_eq!(taken.id, fay.id, "what could not be linked used nothing up");
        assert_eq!(accounts.link_invited("key", "https://one.example", "8", now()).unwrap(), None);
    });
}

#[test]
fn a_session_knows_when_its_owner_was_last_shown() {
    on_both(|target| {
        let (accounts, ann, _) = inhabited(target);
        let entry = hinomi_state::Entry { way: "password", source: "192.0.2.1", agent: "" };
        let token = accounts.begin_session(&ann.id, &entry, now()).unwrap();
        let id = accounts.session(&token, now()).unwrap().unwrap().0.id;
        assert_eq!(accounts.confirmed(&ann.id, &id).unwrap(), Some(now()));
        let later = now().plus(std::time::Duration::from_secs(60));
        accounts.confirm_session("somebody else", &id, later).unwrap();
        assert_eq!(accounts.confirmed(&ann.id, &id).unwrap(), Some(now()));
        accounts.confirm_session(&ann.id, &id, later).unwrap();
        assert_eq!(accounts.confirmed(&ann.id, &id).unwrap(), Some(later));
        assert_eq!(accounts.confirmed(&ann.id, "none").unwrap(), None);
        // One that began without anything being asked, and one whose clock is ahead.
        let long_ago = Timestamp::from_micros(0);
        for (shown, counts) in [(long_ago, long_ago), (later, now())] {
            let token = accounts.begin_session_shown(&ann.id, &entry, shown, now()).unwrap();
            let id = accounts.session(&token, now()).unwrap().unwrap().0.id;
            assert_eq!(accounts.confirmed(&ann.id, &id).unwrap(), Some(counts));
        }
    });
}
