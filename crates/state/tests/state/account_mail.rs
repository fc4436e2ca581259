//! Messages to people about their own accounts, on both engines.

use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_state::alerts::{Tried, Way};
use hinomi_state::contacts::Language;
use hinomi_state::{Accounts, Database, NewPerson, PasswordHash, Role, Target};

use crate::organisations::{deed, profile, refusal};
use crate::suite::on_both;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Everything that waits: to whom, subject and text.
fn sent(database: &Database) -> Vec<(String, String, String)> {
    let (late, hold) = ("2200-01-01".parse().unwrap(), Duration::from_secs(60));
    let mut all = Vec::new();
    while let Some(message) = database.take_message("any server", late, hold).unwrap() {
        let Way::Mail(to) = database.channel(message.channel).unwrap().unwrap().said.to else { panic!("no mail") };
        database.settle_message(message.number, &Tried::Sent, late).unwrap();
        all.push((to, message.subject, message.body));
    }
    all
}

/// The code in the only message that waits, and where it went.
fn code(database: &Database) -> (String, String) {
    let [(to, _, body)] = <[_; 1]>::try_from(sent(database)).unwrap();
    let code = body.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned();
    (to, code)
}

/// Ann, an administrator, and Ben, whose id it tells; a city.
fn town(target: &Target) -> (Database, Accounts, String) {
    let database = Database::open(target).unwrap();
    database.add_organisation(deed("2026-01-01"), "city", &profile("city")).unwrap();
    let accounts = Accounts::of(target.clone()).by("ann");
    let new = |name: &str| NewPerson {
        name: name.into(),
        full_name: String::new(),
        administrator: true,
        analyst: false,
        password: None,
    };
    accounts.add_first(&new("ann"), now()).unwrap();
    let ben = accounts.add(&new("ben"), now()).unwrap().id;
    (database, accounts, ben)
}

#[test]
fn changes_are_told_where_their_owner_wants_them_and_once() {
    on_both(|target| {
        let (database, accounts, ben) = town(target);
        let set = |name: &str| {
            let kept = PasswordHash::of("four words in a row", name).unwrap();
            accounts.set_password(name, &kept, None).unwrap();
        };
        set("ben");
        assert!(accounts.ask_account_mail(&ben, ("no address", Language::En), now()).is_err());
        accounts.ask_account_mail(&ben, ("ben@example.org", Language::En), now()).unwrap();
        set("ben");
        let (to, first) = code(&database);
        assert_eq!((to.as_str(), first.len()), ("ben@example.org", 20), "and of the changes nothing yet");
        let again = accounts.ask_account_mail(&ben, ("ben@example.org", Language::En), now());
        assert!(refusal(again).contains("less than a day ago"));
        assert!(refusal(accounts.confirm_account_mail(&ben, "guess")).contains("not the code"));
        accounts.confirm_account_mail(&ben, &format!(" {first} ")).unwrap();
        assert!(refusal(accounts.confirm_account_mail(&ben, &first)).contains("not the code"), "once");
        assert_eq!(sent(&database), [], "there was no address before");
        // Each change is one message, to its owner alone.
        set("ben");
        set("ann");
        accounts.set_role("ben", "city", Some(Role::Reader)).unwrap();
        assert!(
            accounts.set_role("ben", "nowhere", Some(Role::Reader)).is_err(),
            "of what did not happen nothing is told"
        );
        accounts.tell_new_browser(&ben, ("192.0.2.1", "https://evil.example\r\nBcc: x curl/8")).unwrap();
        let told = sent(&database);
        let subjects: Vec<&str> = told.iter().map(|(_, subject, _)| subject.as_str()).collect();
        assert_eq!(
            subjects,
            [
                "[Hinomi] Account ben: the password was set",
                "[Hinomi] Account ben: its role for an organisation was changed",
                "[Hinomi] Account ben: somebody signed in with a new browser",
            ]
        );
        assert!(told.iter().all(|(to, _, body)| to == "ben@example.org" && !body.contains("://")), "{told:?}");
        let lines = "From: 192.0.2.1\nBrowser: curl\nSystem: unknown\n";
        assert!(told[0].2.contains("By: ann") && told[2].2.contains(lines), "{told:?}");
        assert!(!told[2].2.contains("evil") && !told[2].2.contains("Bcc"), "{told:?}");
        // Another address counts when it was confirmed, and the one before learns of it.
        accounts.ask_account_mail(&ben, ("new@example.org", Language::Ja), now()).unwrap();
        let (to, second) = code(&database);
        assert_eq!(to, "new@example.org");
        set("ben");
        assert_eq!(sent(&database)[0].0, "ben@example.org");
        accounts.confirm_account_mail(&ben, &second).unwrap();
        set("ben");
        let told = sent(&database);
        let at: Vec<&str> = told.iter().map(|(to, ..)| to.as_str()).collect();
        assert_eq!(at, ["ben@example.org", "new@example.org"], "{told:?}");
        assert!(told[0].1.contains("address for these messages") && told[1].1.contains("パスワードが設定されました"));
        let mails = accounts.account_mails(&ben).unwrap();
        assert_eq!((mails.len(), mails[0].mail.as_str(), mails[0].confirmed), (1, "new@example.org", true));
        assert!(accounts.remove_account_mail(&ben).unwrap() && !accounts.remove_account_mail(&ben).unwrap());
        set("ben");
        assert_eq!(sent(&database).len(), 1, "that it was taken away, and nothing after that");
        assert!(database.channels(None).unwrap().is_empty(), "they are nobody's channels");
    });
}

#[test]
fn addresses_that_are_gone_leave_nothing() {
    on_both(|target| {
        let (database, accounts, ben) = town(target);
        accounts.ask_account_mail(&ben, ("ben@example.org", Language::En), now()).unwrap();
        let (_, first) = code(&database);
        accounts.confirm_account_mail(&ben, &first).unwrap();
        assert!(accounts.remove_account_mail(&ben).unwrap());
        assert_eq!(sent(&database).len(), 1, "that it was taken away");
        // What was sent where nobody is any more goes with the next message to anybody.
        let ann = accounts.person("ann").unwrap().unwrap().id;
        accounts.ask_account_mail(&ann, ("ann@example.org", Language::Ja), now()).unwrap();
        let count = |of: &str| {
            let sql = format!("SELECT COUNT(*) FROM {of}");
            database.transact(|step| step.one(&sql, &[])?.integer(0)).unwrap()
        };
        assert_eq!(
            (count("alert_channels"), count("alert_messages"), code(&database).0.as_str()),
            (1, 1, "ann@example.org")
        );
    });
}

/// Ben, with an address that counts.
fn confirmed(database: &Database, accounts: &Accounts, ben: &str) {
    accounts.ask_account_mail(ben, ("ben@example.org", Language::En), now()).unwrap();
    let (_, code) = code(database);
    accounts.confirm_account_mail(ben, &code).unwrap();
}

#[test]
fn many_changes_are_few_messages() {
    on_both(|target| {
        let (database, accounts, ben) = town(target);
        confirmed(&database, &accounts, &ben);
        accounts.set_role("ben", "city", None).unwrap();
        assert_eq!(sent(&database), [], "he had none");
        for role in [Role::Reader, Role::Editor, Role::Manager] {
            accounts.set_role("ben", "city", Some(role)).unwrap();
        }
        accounts.tell_new_browser(&ben, ("192.0.2.1", "curl/8")).unwrap();
        accounts.tell_new_browser(&ben, ("192.0.2.1", "curl/8")).unwrap();
        assert_eq!(sent(&database).len(), 2, "one of each kind");
        accounts.set_role("ben", "city", Some(Role::Manager)).unwrap();
        assert_eq!(sent(&database), [], "nothing changed");
        accounts.set_role("ben", "city", None).unwrap();
        accounts.by("eve").set_role("ben", "city", Some(Role::Reader)).unwrap();
        accounts.tell_new_browser(&ben, ("192.0.2.1", "curl/8")).unwrap();
        accounts.tell_new_browser(&ben, ("192.0.2.2", "curl/8")).unwrap();
        assert_eq!(sent(&database).len(), 4, "nobody hides behind a message that waits");
    });
}

#[test]
fn addresses_end_with_the_account_and_without_their_code() {
    on_both(|target| {
        let (database, accounts, ben) = town(target);
        confirmed(&database, &accounts, &ben);
        accounts.disable("ben", Some(now())).unwrap();
        assert_eq!(accounts.account_mails(&ben).unwrap(), []);
        let told = sent(&database);
        assert!(told.len() == 1 && told[0].1.contains("the account was closed"), "{told:?}");
        accounts.disable("ben", None).unwrap();
        let at = |days: u64| now().plus(Duration::from_secs(days * 86_400));
        accounts.ask_account_mail(&ben, ("typo@example.org", Language::En), at(2)).unwrap();
        let ann = accounts.person("ann").unwrap().unwrap().id;
        accounts.ask_account_mail(&ann, ("ann@example.org", Language::En), at(8)).unwrap();
        assert_eq!(accounts.account_mails(&ben).unwrap().len(), 1, "it may still be confirmed");
        accounts.ask_account_mail(&ann, ("ann@example.org", Language::Ja), at(10)).unwrap();
        assert_eq!(accounts.account_mails(&ben).unwrap(), []);
        assert_eq!(accounts.account_mails(&ann).unwrap().len(), 1);
        for number in 0..4 {
            accounts.ask_account_mail(&ben, (&format!("b{number}@example.org"), Language::En), at(20)).unwrap();
        }
        accounts.ask_account_mail(&ben, ("b4@example.org", Language::En), at(20)).unwrap();
        let many = accounts.ask_account_mail(&ben, ("b5@example.org", Language::En), at(20));
        assert!(refusal(many).contains("codes were sent for this account today"));
    });
}
