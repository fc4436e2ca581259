//! What was done to accounts, on both engines: every way of changing one tells of it.

use std::time::Duration;

use hinomi_model::{Purpose, Timestamp};
use hinomi_state::passkeys::INVITATION;
use hinomi_state::{Accounts, Credential, Database, Entry, NewKey, NewPerson, PasswordHash, Role};

use crate::suite::on_both;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn new(name: &str) -> NewPerson {
    NewPerson { name: name.into(), full_name: String::new(), administrator: false, analyst: true, password: None }
}

#[test]
fn every_change_of_an_account_is_told_with_who_did_it() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let plain = Accounts::of(target.clone());
        let accounts = plain.by("operator");
        let ann = accounts.add_first(&new("ann"), now()).unwrap();
        let ben = accounts.add(&new("ben"), now()).unwrap();
        let entry = Entry { way: "password", source: "192.0.2.1", agent: "a browser" };
        for _ in 0..2 {
            accounts.begin_session(&ben.id, &entry, now()).unwrap();
        }
        let sessions = accounts.sessions(&ben.id, now()).unwrap();
        plain.by("ben").end_session(&ben.id, &sessions[0].id).unwrap();
        plain.by("ann").end_session(&ben.id, &sessions[1].id).unwrap();
        let key = NewKey {
            label: "x".into(),
            organisation: None,
            purpose: Purpose::Research,
            writes: false,
            kinds: vec!["taxii".into()],
            expires: now().plus(Duration::from_secs(86_400)),
        };
        let (_, made) = plain.by("ben").add_key(&ben.id, &key, now()).unwrap();
        assert!(plain.by("ann").revoke_key(&ben.id, &made.id, now()).unwrap());
        assert!(!plain.by("ann").revoke_key(&ben.id, &made.id, now()).unwrap(), "once");
        let credential = Credential { fixed: vec![1], moving: vec![2] };
        plain.by("ben").add_passkey(&ben.id, &[7], "phone", &credential, now()).unwrap();
        plain.by("ben").set_password("ben", &PasswordHash::of("four words in a row", "ben").unwrap(), None).unwrap();
        plain.by("ben").remove_passkey(&ben.id, "07").unwrap();
        plain.by("ann").invite(&ben.id, "secret", now()).unwrap();
        plain.by("ann").set_rights("ben", true, false).unwrap();
        plain.by("ann").disable("ben", Some(now())).unwrap();
        plain.by("ann").disable("ben", None).unwrap();
        assert!(plain.by("ann").set_role("ben", "nowhere", Some(Role::Reader)).is_err(), "and nothing is told");
        plain.by("ann").set_role("ben", "city", None).unwrap();
        plain.by("ann").link_identity(&ben.id, "https://id.example", "b", now()).unwrap();
        plain.disable(&ann.name, Some(now())).unwrap();
        let events = database.account_events(0, 100).unwrap();
        let told: Vec<String> =
            events.iter().map(|one| format!("{} {} by {}", one.account, one.action, one.by)).collect();
        let expected = [
            "ann added by operator",
            "ben added by operator",
            "ben session-ended by ann",
            "ben key-made by ben",
            "ben key-revoked by ann",
            "ben passkey-added by ben",
            "ben password-set by ben",
            "ben passkey-removed by ben",
            "ben invited by ann",
            "ben rights-set by ann",
            "ben closed by ann",
            "ben opened by ann",
            "ben role-set by ann",
            "ben identity-linked by ann",
            "ann closed by unnamed",
        ];
        assert_eq!(told, expected);
        assert!(events.iter().zip(1..).all(|(event, number)| event.number == number));
        assert!(events[3].detail.contains("reads taxii, for research"), "{:?}", events[3]);
        assert_eq!((events[0].detail.as_str(), events[9].detail.as_str()), ("administrator, analyst", "administrator"));
        assert_eq!(database.account_events(14, 100).unwrap(), events[14..]);
    });
}

#[test]
fn of_invitations_that_are_made_at_once_one_holds() {
    on_both(|target| {
        let accounts = Accounts::of(target.clone());
        let ann = accounts.add_first(&new("ann"), now()).unwrap();
        let secrets: Vec<String> = (0..6).map(|number| format!("secret {number}")).collect();
        std::thread::scope(|scope| {
            for secret in &secrets {
                // Connections of their own, as other servers have.
                let accounts = Accounts::of(target.clone());
                let id = ann.id.clone();
                scope.spawn(move || accounts.invite(&id, secret, now()).unwrap());
            }
        });
        let holds = |secret: &&String| accounts.ceremony(INVITATION, secret, now()).unwrap().is_some();
        assert_eq!(secrets.iter().filter(holds).count(), 1);
    });
}
