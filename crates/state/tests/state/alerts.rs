//! Channels of alerts and their messages. Each test runs on both engines.

use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_state::Database;
use hinomi_state::alerts::{NewChannel, NewMessage, Quiet, Tried, Way};
use hinomi_state::contacts::Language;

use crate::organisations::{at, deed, refusal};
use crate::suite::on_both;

fn to(to: Way) -> NewChannel {
    let (language, watches) = (Language::En, BTreeSet::new());
    NewChannel { to, language, watches, every_minutes: 0, again_hours: 24, quiet: None, monthly: false }
}

fn about(what: &str) -> NewMessage {
    let (subject, body, events) = (what.to_owned(), what.to_owned(), "[]".to_owned());
    NewMessage { subject, body, events, told: vec![what.to_owned()] }
}

#[test]
fn a_message_is_planned_once_and_sent_until_it_arrives() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let mail = to(Way::Mail("noc@example.org".to_owned()));
        let made = database.add_channel(deed("2026-01-01"), ("noc", "one"), &mail, 7).unwrap();
        assert_eq!((made.after, made.secret.len(), database.channels(None).unwrap().len()), (7, 64, 1));
        assert!(refusal(database.add_channel(deed("2026-01-01"), ("noc", "one"), &mail, 7)).contains("already"));
        let now = at("2026-01-02");
        assert!(database.plan_message(&made, 9, Some(&about("opened x")), now).unwrap());
        assert!(!database.plan_message(&made, 9, Some(&about("opened x")), now).unwrap(), "another server was first");
        let made = database.channels(None).unwrap().remove(0);
        assert_eq!((made.after, made.made), (9, now));
        let taken = database.take_message("one", now, Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!((taken.subject.as_str(), taken.tries), ("opened x", 1));
        assert_eq!(database.take_message("one", now, Duration::from_secs(60)).unwrap(), None, "somebody has it");
        assert_eq!(database.take_message("two", at("2027-01-01"), Duration::ZERO).unwrap(), None, "another server's");
        assert!(database.channels(Some("two")).unwrap().is_empty());
        let later = now.plus(Duration::from_secs(61));
        let again = database.take_message("one", later, Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!((again.number, again.tries), (taken.number, 2), "who had it is gone");
        let tried = Tried::Again(Duration::from_secs(600), "no answer".to_owned());
        database.settle_message(again.number, &tried, later).unwrap();
        assert_eq!(database.take_message("one", later.plus(Duration::from_secs(599)), Duration::ZERO).unwrap(), None);
        let third =
            database.take_message("one", later.plus(Duration::from_secs(600)), Duration::ZERO).unwrap().unwrap();
        assert_eq!(third.error, "no answer");
        database.settle_message(third.number, &Tried::Sent, later).unwrap();
        assert_eq!(database.take_message("one", at("2027-01-01"), Duration::ZERO).unwrap(), None);
        let all = database.messages(made.number, 10).unwrap();
        assert_eq!((all.len(), all[0].state.as_str()), (1, "sent"));
    });
}

#[test]
fn what_was_told_is_known_for_as_long_as_the_channel_says() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let hook = to(Way::Webhook("https://example.org/hook".to_owned()));
        let made = database.add_channel(deed("2026-01-01"), ("hook", "one"), &hook, 0).unwrap();
        assert!(database.plan_message(&made, 1, Some(&about("a")), at("2026-01-02")).unwrap());
        let told = |since: &str| database.told_since(made.number, at(since)).unwrap();
        assert_eq!((told("2026-01-01").len(), told("2026-01-02").len()), (1, 0));
        let made = database.channels(None).unwrap().remove(0);
        assert!(database.plan_message(&made, 2, Some(&about("b")), at("2026-01-04")).unwrap());
        assert_eq!(told("2026-01-01"), BTreeSet::from(["b".to_owned()]), "what is older goes");
        assert!(database.remove_channel("hook").unwrap() && !database.remove_channel("hook").unwrap());
        assert!(database.messages(made.number, 10).unwrap().is_empty());
    });
}

#[test]
fn a_feed_keeps_the_newest() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let mut made = database.add_channel(deed("2026-01-01"), ("feed", "one"), &to(Way::Feed), 0).unwrap();
        for number in 1..=205 {
            database.plan_message(&made, number, Some(&about(&number.to_string())), at("2026-01-02")).unwrap();
            made.after = number;
        }
        let kept = database.messages(made.number, 1_000).unwrap();
        assert_eq!((kept.len(), kept[0].subject.as_str(), kept[199].subject.as_str()), (200, "205", "6"));
        assert_eq!(database.take_message("one", at("2027-01-01"), Duration::ZERO).unwrap(), None, "nobody sends it");
    });
}

#[test]
fn what_would_not_do_is_refused() {
    on_both(|target| {
        let database = Database::open(target).unwrap();
        let refused = |new: &NewChannel| refusal(database.add_channel(deed("2026-01-01"), ("x", "one"), new, 0));
        assert!(refused(&to(Way::Mail("a@b.c\r\nBcc: d@e.f".to_owned()))).contains("mail"));
        for address in ["ftp://example.org", "https://a b", "https://a\r\nX: y", "file:///etc/passwd"] {
            assert!(refused(&to(Way::Webhook(address.to_owned()))).contains("webhook"), "{address}");
        }
        let quiet = Some(Quiet { from: 60, until: 60, offset_minutes: 540 });
        assert!(refused(&NewChannel { quiet, ..to(Way::Feed) }).contains("quiet"));
        assert!(refused(&NewChannel { every_minutes: 1 << 20, ..to(Way::Feed) }).contains("week"));
    });
}

#[test]
fn quiet_hours_go_over_midnight_in_local_time() {
    let quiet = Quiet { from: 22 * 60, until: 7 * 60, offset_minutes: 540 };
    let is = |text: &str| quiet.is_at(at(text));
    assert!(is("2026-01-01T13:00:00Z") && is("2026-01-01T21:59:00Z"), "22:00 and 06:59 in Japan");
    assert!(!is("2026-01-01T12:59:00Z") && !is("2026-01-01T22:00:00Z"));
}
