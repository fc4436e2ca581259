use std::cell::RefCell;

use hinomi_lake::watch::NewWatch;
use hinomi_model::{ContentHash, ServiceKey, Transport};
use hinomi_state::Target;
use hinomi_state::alerts::{NewChannel, Quiet};
use hinomi_state::contacts::Language;
use hinomi_state::organisations::Deed;

use super::*;
use crate::policy::Viewer;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn event(number: u64, what: &str, port: u16, watch: u64) -> Event {
    let (change, what, seen) = (format!("c{number}"), what.to_owned(), at("2026-01-01"));
    let service = ServiceKey { address: [192, 0, 2, 1].into(), transport: Transport::Tcp, port };
    Event { number, change, version: number, what, facts: Vec::new(), seen, told: seen, service, watches: vec![watch] }
}

#[derive(Default)]
struct Box {
    letters: RefCell<Vec<String>>,
    refusal: RefCell<Option<Refused>>,
}

impl Post for Box {
    fn send(&self, letter: &Letter<'_>) -> Result<(), Refused> {
        if let Some(refusal) = self.refusal.borrow().clone() {
            return Err(refusal);
        }
        self.letters.borrow_mut().push(format!("{letter:?}"));
        Ok(())
    }
}

struct Scene {
    folder: tempfile::TempDir,
    desk: WatchDesk,
    database: Database,
}

impl Scene {
    fn with(events: &[Event]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let desk = WatchDesk::of_state(folder.path(), Viewer::Operator);
        let new = NewWatch { name: "telnet".into(), query: "port:23".into(), owner: "noc".into(), within: None };
        desk.add(&new, at("2026-01-01")).expect("saved");
        let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).expect("a database");
        let scene = Self { desk, database, folder };
        scene.happen(events);
        scene
    }

    fn happen(&self, events: &[Event]) {
        // As the journal of saved queries is written: a sum before each event.
        let journal = self.folder.path().join("watch/events-00000000000000000001.log");
        let mut lines = std::fs::read_to_string(&journal).unwrap_or_default();
        for event in events {
            let json = serde_json::to_string(event).expect("JSON");
            let sum: String = ContentHash::of(json.as_bytes()).to_string().chars().take(16).collect();
            lines.push_str(&format!("{sum} {json}\n"));
        }
        std::fs::write(&journal, lines).expect("written");
    }

    fn channel(&self, name: &str, new: &NewChannel) {
        let deed = Deed { by: "a tester", now: at("2026-01-01") };
        self.database.add_channel(deed, (name, "one"), new, 0).expect("a channel");
    }

    fn plan(&self, now: &str) -> u64 {
        plan(&self.desk, "one", &self.database, at(now)).expect("planned")
    }

    fn deliver(&self, post: &Box, now: &str) -> u64 {
        deliver(&self.database, "one", post, (&|| at(now), &|tried| tried < 10)).expect("delivered")
    }
}

fn to(to: Way) -> NewChannel {
    NewChannel {
        to,
        language: Language::En,
        watches: [].into(),
        every_minutes: 0,
        again_hours: 24,
        quiet: None,
        monthly: false,
    }
}

fn mail() -> Way {
    Way::Mail("noc@example.org".to_owned())
}

#[test]
fn every_event_is_told_once_and_the_same_not_again_for_a_while() {
    let scene = Scene::with(&[event(1, "opened", 23, 1), event(2, "opened", 24, 9)]);
    scene.channel("noc", &NewChannel { watches: [1].into(), ..to(mail()) });
    assert_eq!((scene.plan("2026-01-02"), scene.plan("2026-01-02")), (1, 0));
    let post = Box::default();
    assert_eq!((scene.deliver(&post, "2026-01-02"), scene.deliver(&post, "2026-01-02")), (1, 0));
    let told = post.letters.borrow().join("");
    assert!(told.contains("192.0.2.1:23/tcp") && !told.contains(":24/tcp") && told.contains("[telnet]"), "{told}");
    scene.happen(&[event(3, "opened", 23, 1)]);
    assert_eq!(scene.plan("2026-01-02T23:00:00Z"), 0, "told less than a day ago");
    scene.happen(&[event(4, "closed", 23, 1), event(5, "opened", 23, 1)]);
    assert_eq!(scene.plan("2026-01-02T23:00:00Z"), 1, "another change");
    scene.happen(&[event(6, "opened", 23, 1)]);
    assert_eq!(scene.plan("2026-01-04"), 1, "long after");
}

#[test]
fn quiet_hours_and_digests_wait_and_lose_nothing() {
    let scene = Scene::with(&[event(1, "opened", 23, 1)]);
    let quiet = Some(Quiet { from: 0, until: 12 * 60, offset_minutes: 0 });
    scene.channel("quiet", &NewChannel { quiet, ..to(mail()) });
    scene.channel("daily", &NewChannel { every_minutes: 24 * 60, ..to(mail()) });
    assert_eq!(scene.plan("2026-01-01T11:59:00Z"), 0);
    assert_eq!(scene.plan("2026-01-01T12:00:00Z"), 1, "the quiet one");
    scene.happen(&[event(2, "closed", 23, 1)]);
    assert_eq!(scene.plan("2026-01-02T00:00:00Z"), 1, "the daily one, with both");
    let post = Box::default();
    assert_eq!(scene.deliver(&post, "2026-01-02"), 2);
    let told = post.letters.borrow().join("");
    assert!(told.contains("2 changes") && told.contains("closed 192.0.2.1:23/tcp"), "{told}");
}

#[test]
fn what_does_not_arrive_is_tried_with_growing_pauses_and_given_up() {
    let scene = Scene::with(&[event(1, "opened", 23, 1)]);
    scene.channel("hook", &to(Way::Webhook("https://example.org/hook".to_owned())));
    assert_eq!(scene.plan("2026-01-01"), 1);
    let post = Box { refusal: RefCell::new(Some(Refused::ForNow("no answer".into()))), ..Box::default() };
    let mut tries = 0;
    for hour in 0..100_u32 {
        let now = at("2026-01-01").plus(Duration::from_secs(u64::from(hour) * 3_600));
        deliver(&scene.database, "one", &post, (&|| now, &|tried| tried < 1)).expect("tried");
        tries = scene.database.messages(1, 10).map_or(0, |all| all.first().map_or(0, |one| one.tries));
    }
    let all = scene.database.messages(1, 10).expect("messages");
    assert_eq!((tries, all[0].state.as_str(), all[0].error.as_str()), (MAX_TRIES, "given-up", "no answer"));
    assert!((1..MAX_TRIES).all(|tries| pause(tries) < pause(tries + 1) || pause(tries) == LONGEST_PAUSE));
}

#[test]
fn webhooks_are_signed_over_time_and_body() {
    let scene = Scene::with(&[event(1, "opened", 23, 1)]);
    scene.channel("hook", &to(Way::Webhook("https://example.org/hook".to_owned())));
    assert_eq!(scene.plan("2026-01-01"), 1);
    let channel = scene.database.channels(None).expect("channels").remove(0);
    let message = scene.database.messages(channel.number, 1).expect("messages").remove(0);
    let Letter::Web { body, signature: Some(signed), .. } = letter(&channel, &message, at("2026-01-01T00:00:01Z"))
    else {
        panic!("a signed webhook")
    };
    let told: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((told["message"].as_i64(), told["events"][0]["what"].as_str()), (Some(message.number), Some("opened")));
    assert!(signed.starts_with("t=1767225601,v1=") && signed.len() == 16 + 64, "{signed}");
    assert_ne!(signed, signature("another secret", at("2026-01-01T00:00:01Z"), &body));
    assert_ne!(signed, signature(&channel.secret, at("2026-01-01T00:00:02Z"), &body));
}

#[test]
fn names_do_not_act_in_slack() {
    let scene = Scene::with(&[event(1, "opened", 23, 1)]);
    let name = "<!channel> & co".to_owned();
    let new = NewWatch { name, query: "port:24".into(), owner: "noc".into(), within: None };
    scene.desk.add(&new, at("2026-01-01")).expect("saved");
    scene.happen(&[event(2, "opened", 24, 2)]);
    scene.channel("slack", &to(Way::Slack("https://example.org/slack".to_owned())));
    assert_eq!(scene.plan("2026-01-01"), 1);
    let post = Box::default();
    scene.deliver(&post, "2026-01-01");
    let told = post.letters.borrow().join("");
    assert!(told.contains("&lt;!channel&gt; &amp; co"), "{told}");
}
