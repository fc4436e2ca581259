//! Saved queries and channels of organisations. Each test runs on both engines.

use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_model::Purpose;
use hinomi_state::Database;
use hinomi_state::alerts::members::{MAX_CHANNELS_OF_ONE, MAX_WATCHES_OF_ONE, NewMemberWatch, Place, Shown};
use hinomi_state::alerts::{NewChannel, NewMessage, Way};
use hinomi_state::contacts::{Language, NewContact};

use crate::organisations::{at, deed, profile, refusal};
use crate::suite::on_both;

fn to(to: Way) -> NewChannel {
    let (language, watches) = (Language::En, BTreeSet::new());
    NewChannel { to, language, watches, every_minutes: 0, again_hours: 24, quiet: None, monthly: false }
}

fn mail(address: &str) -> NewChannel {
    to(Way::Mail(address.to_owned()))
}

fn watch(name: &str, query: &str) -> NewMemberWatch {
    NewMemberWatch { name: name.into(), query: query.into(), purpose: Purpose::ExposureReduction, begins: 5 }
}

fn asking(code: &str) -> NewMessage {
    NewMessage {
        subject: "may we".into(),
        body: format!("the code is {code}"),
        events: String::new(),
        told: Vec::new(),
    }
}

fn about(what: &str) -> NewMessage {
    NewMessage { subject: what.into(), body: what.into(), events: "[]".into(), told: vec![what.to_owned()] }
}

fn database(target: &hinomi_state::Target) -> Database {
    let database = Database::open(target).unwrap();
    for id in ["city", "port"] {
        database.add_organisation(deed("2026-01-01"), id, &profile(id)).unwrap();
    }
    database
}

#[test]
fn queries_are_an_organisations_own_and_bounded() {
    on_both(|target| {
        let database = database(target);
        let now = deed("2026-01-02");
        let made = database.add_member_watch(now, "city", &watch("telnet", "port:23")).unwrap();
        assert!(refusal(database.add_member_watch(now, "city", &watch("telnet", "port:24"))).contains("already"));
        database.add_member_watch(now, "port", &watch("telnet", "port:24")).unwrap();
        assert!(refusal(database.add_member_watch(now, "nobody", &watch("a", "port:1"))).contains("no organisation"));
        assert!(refusal(database.add_member_watch(now, "city", &watch("a\nb", "port:1"))).contains("one line"));
        let other = NewMemberWatch { begins: 9, ..watch("remote", "port:23,22") };
        let changed = database.change_member_watch(now, ("city", "telnet"), &other).unwrap();
        assert_eq!((changed.number, changed.name.as_str(), changed.begins), (made.number, "remote", 9));
        assert!(refusal(database.change_member_watch(now, ("city", "telnet"), &other)).contains("no saved query"));
        assert!(!database.remove_member_watch(now, "port", "remote").unwrap(), "another's");
        assert_eq!(database.member_watches(Some("city")).unwrap().len(), 1);
        assert_eq!(database.member_watches(None).unwrap().len(), 2);
        for number in 1..MAX_WATCHES_OF_ONE {
            database.add_member_watch(now, "city", &watch(&format!("w{number}"), "port:1")).unwrap();
        }
        assert!(refusal(database.add_member_watch(now, "city", &watch("more", "port:1"))).contains("the most"));
        assert!(database.remove_member_watch(now, "city", "remote").unwrap());
        let events = database.register_events(&hinomi_state::organisations::EventsOf {
            organisation: Some("port"),
            limit: 100,
            ..Default::default()
        });
        assert!(events.unwrap().iter().any(|event| event.action == "query saved"), "changes stand in the history");
    });
}

#[test]
fn mail_goes_to_fresh_contacts_and_to_who_gave_the_code_away() {
    on_both(|target| {
        let database = database(target);
        let now = deed("2026-01-02");
        let contact = NewContact { role: "security".into(), mail: "noc@city.example".into(), ..NewContact::default() };
        database.add_contact(now, "city", &contact).unwrap();
        let add = |of: &str, name: &str, address: &str, when: &str| {
            database.add_member_channel(deed(when), (of, name), (&mail(address), 5), &asking)
        };
        let known = add("city", "noc", "NOC@city.example", "2026-01-02").unwrap();
        assert!(known.shown == Shown::Contact && known.is_open());
        assert_eq!(database.take_message("any", at("2026-01-02"), Duration::ZERO).unwrap(), None, "nothing is asked");
        let unknown = add("city", "boss", "boss@elsewhere.example", "2026-01-02").unwrap();
        assert!(!unknown.is_open() && !database.is_still_shown(&unknown, at("2026-01-02")).unwrap());
        // Any server takes it there; whoever acts for the organisation is not shown it.
        let letter = database.take_message("any", at("2026-01-02"), Duration::from_secs(600)).unwrap().unwrap();
        assert!(letter.body.starts_with("the code is ") && letter.body.len() == 12 + 20, "{}", letter.body);
        assert_eq!(database.member_messages("city", "boss", 10).unwrap(), Some(Vec::new()));
        assert!(
            refusal(add("port", "bomb", "boss@elsewhere.example", "2026-01-02T12:00:00Z")).contains("less than a day")
        );
        assert!(database.remove_member_channel(now, "city", "boss").unwrap());
        assert!(
            refusal(add("city", "boss", "Boss@elsewhere.example", "2026-01-02T13:00:00Z")).contains("less than a day")
        );
        let again = add("city", "boss", "boss@elsewhere.example", "2026-01-04").unwrap();
        let letter = database.take_message("any", at("2026-01-04"), Duration::from_secs(600)).unwrap().unwrap();
        let code = letter.body.trim_start_matches("the code is ").to_owned();
        let confirm = |code: &str| database.confirm_member_channel(deed("2026-01-04"), ("city", "boss"), code);
        assert!(refusal(confirm("00000000000000000000")).contains("not the code"));
        assert!(refusal(confirm("")).contains("not the code"));
        assert!(confirm(&format!(" {code} ")).unwrap().is_open() && !again.is_open());
        // A contact that went stale, or was taken away, is none any more.
        assert!(database.is_still_shown(&known, at("2026-03-01")).unwrap());
        assert!(!database.is_still_shown(&known, at("2027-03-01")).unwrap());
        for number in 0..4 {
            add("port", &format!("c{number}"), &format!("x{number}@elsewhere.example"), "2026-01-09").unwrap();
        }
        add("port", "c4", "x4@elsewhere.example", "2026-01-09").unwrap();
        assert!(refusal(add("port", "c5", "x5@elsewhere.example", "2026-01-09")).contains("codes were sent"));
    });
}

#[test]
fn channels_of_members_are_nobody_elses() {
    on_both(|target| {
        let database = database(target);
        let now = deed("2026-01-02");
        let feed = |of: &str, name: &str| database.add_member_channel(now, (of, name), (&to(Way::Feed), 5), &asking);
        feed("city", "noc").unwrap();
        feed("port", "noc").unwrap();
        assert!(refusal(feed("city", "noc")).contains("already"));
        assert!(database.channels(None).unwrap().is_empty(), "the operator's are others");
        database.add_channel(now, ("noc", "one"), &to(Way::Feed), 0).unwrap();
        assert_eq!(database.channels(Some("one")).unwrap().len(), 1);
        assert!(!database.remove_member_channel(now, "port", "other").unwrap());
        assert!(database.remove_member_channel(now, "port", "noc").unwrap());
        assert_eq!((database.member_channels(None).unwrap().len(), database.channels(None).unwrap().len()), (1, 1));
        for number in 1..MAX_CHANNELS_OF_ONE {
            feed("city", &format!("c{number}")).unwrap();
        }
        assert!(refusal(feed("city", "more")).contains("the most"));
    });
}

#[test]
fn of_two_servers_that_plan_one_wins() {
    on_both(|target| {
        let database = database(target);
        let now = deed("2026-01-02");
        let watch = database.add_member_watch(now, "city", &watch("telnet", "port:23")).unwrap();
        let made = database.add_member_channel(now, ("city", "noc"), (&to(Way::Feed), 5), &asking).unwrap();
        let place = |before: Option<&str>, after: &str| {
            vec![Place { watch: watch.number, before: before.map(str::to_owned), now: after.to_owned() }]
        };
        let plan = |places: &[Place], what: Option<&NewMessage>| {
            database.plan_for_members(&made.channel, places, what, at("2026-01-03")).unwrap()
        };
        assert!(plan(&place(None, "7"), Some(&about("opened x"))));
        assert!(!plan(&place(None, "7"), Some(&about("opened x"))), "another server was first");
        assert!(plan(&place(Some("7"), "9"), None));
        assert_eq!(database.member_places(made.channel.number).unwrap(), [(watch.number, "9".to_owned())]);
        let messages = database.member_messages("city", "noc", 10).unwrap().unwrap();
        assert_eq!((messages.len(), messages[0].subject.as_str(), messages[0].state.as_str()), (1, "opened x", "sent"));
        assert_eq!(database.member_messages("port", "noc", 10).unwrap(), None, "another organisation's");
        let report = |month: &str| database.plan_report(&made, month, &about("report"), at("2026-02-01")).unwrap();
        assert!(report("2026-01") && !report("2026-01"));
        assert!(database.remove_member_watch(now, "city", "telnet").unwrap());
        assert!(plan(&place(None, "11"), None), "a query that was removed leaves no place");
        assert!(database.member_places(made.channel.number).unwrap().is_empty());
        assert!(database.remove_member_channel(now, "city", "noc").unwrap());
        assert!(!plan(&[], Some(&about("opened y"))), "a channel that was removed is told nothing");
    });
}

#[test]
fn what_members_see_counts_nothing_of_others() {
    on_both(|target| {
        let database = database(target);
        let now = deed("2026-01-02");
        let mut numbers = BTreeSet::new();
        for (of, name) in [("city", "a"), ("port", "b"), ("city", "c")] {
            numbers.insert(database.add_member_watch(now, of, &watch(name, "port:23")).unwrap().number);
            let made = database.add_member_channel(now, (of, name), (&to(Way::Feed), 5), &asking).unwrap();
            numbers.insert(made.channel.number);
        }
        assert!(numbers.len() == 6 && numbers.iter().all(|number| (1 << 52..1 << 53).contains(number)), "{numbers:?}");
        let names: Vec<String> =
            database.member_watches(Some("city")).unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "c"], "in the order in which they were made");
        let channels = database.member_channels(Some("city")).unwrap();
        for (channel, what) in channels.iter().flat_map(|channel| [(channel, "one"), (channel, "two")]) {
            assert!(database.plan_for_members(&channel.channel, &[], Some(&about(what)), at("2026-01-03")).unwrap());
        }
        let mut ids = BTreeSet::new();
        for name in ["a", "c"] {
            let messages = database.member_messages("city", name, 9).unwrap().unwrap();
            assert_eq!(messages.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["two", "one"]);
            ids.extend(messages.into_iter().map(|one| one.id));
        }
        assert!(ids.len() == 4 && ids.iter().all(|id| id.len() == 32), "{ids:?}");
        // The operator's are known by short numbers.
        let own = database.add_channel(now, ("own", "here"), &to(Way::Feed), 0).unwrap();
        assert!(own.number < 100, "{}", own.number);
        assert!(database.plan_message(&own, 1, Some(&about("x")), at("2026-01-03")).unwrap());
        let told = database.messages(own.number, 1).unwrap().remove(0);
        assert!(told.number < 100 && told.id.is_empty(), "{told:?}");
    });
}
