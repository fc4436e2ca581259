//! Saved queries and channels of an organisation: pages, API and Shodan's clients; and the report of a month.

use std::time::Duration;

use hinomi_model::{Clock, Purpose};
use hinomi_share::register::{Claim, Held, Organisation, Register};
use hinomi_state::organisations::{Deed, Kind, Profile};
use hinomi_state::{NewKey, NewPerson, PasswordHash, Role};

use crate::client::{Answer, ask, raw};
use crate::keys::bearer;
use crate::schema::{description, faults};
use crate::sign_in::{Browser, WORD, inhabited};
use crate::world::{HOSTILE, World, batches, time};

const PAGE: &str = "/organisation/alerts";

fn enter(world: &World, id: &str) {
    let deed = Deed { by: "a tester", now: world.clock.now() };
    let profile = Profile { name_ja: id.into(), name_en: id.into(), sector: None, kind: Kind::Company, own: false };
    world.accounts.database().expect("a state").add_organisation(deed, id, &profile).expect("entered");
}

/// Two organisations; Ben edits one of them.
fn two() -> World {
    let world = inhabited();
    enter(&world, "city");
    enter(&world, "port");
    world.accounts.set_role("ben", "city", Some(Role::Editor)).expect("an editor");
    world
}

/// A key of Ben's.
fn key(world: &World, organisation: Option<&str>) -> String {
    let ben = world.accounts.person("ben").expect("asked").expect("ben");
    let now = world.clock.now();
    let new = NewKey {
        label: "test".into(),
        organisation: organisation.map(str::to_owned),
        purpose: Purpose::ExposureReduction,
        writes: true,
        kinds: Vec::new(),
        expires: now.plus(Duration::from_secs(86_400)),
    };
    world.accounts.add_key(&ben.id, &new, now).expect("a key").0.reveal()
}

#[test]
fn an_editor_saves_changes_and_removes_what_is_his_organisations() {
    let world = two();
    let mut ben = Browser::new(&world);
    ben.sign_in("ben", WORD);
    let token = ben.token(PAGE);
    let mut send = |fields: &[(&str, &str)]| ben.post(PAGE, &[fields, &[("token", &token)]].concat());
    let name = format!("cams {HOSTILE}").chars().filter(|c| !c.is_control() && *c != '\u{202e}').collect::<String>();
    assert_eq!(send(&[("do", "watch-add"), ("name", &name), ("query", "kind:camera")]).status, 303);
    assert_eq!(send(&[("do", "watch-add"), ("name", &name), ("query", "port:1")]).status, 400, "the name is taken");
    let wrong = send(&[("do", "watch-add"), ("name", "x"), ("query", "prot:1")]);
    assert!(wrong.status == 400 && wrong.text().contains("prot"), "{}", wrong.text());
    assert_eq!(send(&[("do", "watch-change"), ("before", &name), ("name", "cams"), ("query", "port:554")]).status, 303);
    let hook = [("do", "channel-add"), ("name", "hook"), ("way", "webhook"), ("target", "https://hook.example/x")];
    let made = send(&hook);
    assert!(made.status == 200 && made.text().contains("id=\"secret\""), "{}", made.text());
    let secret =
        made.text().split("<code id=\"secret\">").nth(1).expect("a secret").chars().take(64).collect::<String>();
    let mail = [("do", "channel-add"), ("name", "boss"), ("way", "mail"), ("target", "boss@elsewhere.example")];
    assert!(send(&mail).text().contains("A code is on its way"));
    assert_eq!(send(&[("do", "channel-confirm"), ("name", "boss"), ("code", "guess")]).status, 400);
    let quiet = [("quiet-from", "22:00"), ("quiet-until", "07:00"), ("offset", "-03:30"), ("every", "60")];
    let feed = [("do", "channel-add"), ("name", "feed"), ("way", "feed"), ("target", "")];
    assert_eq!(send(&[&feed[..], &quiet].concat()).status, 303);
    assert_eq!(send(&[("do", "channel-add"), ("name", "x"), ("way", "smoke")]).status, 400);
    let page = ben.get(PAGE).text();
    assert!(page.contains("port:554") && !page.contains("kind:camera") && !page.contains(&secret), "{page}");
    assert!(page.contains("https://hook.example/x") && page.contains("Nothing else is sent until"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    let database = world.accounts.database().expect("a state");
    let channels = database.member_channels(Some("city")).expect("channels");
    let said = &channels.iter().find(|one| one.channel.name == "feed").expect("the feed").channel.said;
    let quiet = said.quiet.expect("quiet hours");
    assert_eq!((quiet.from, quiet.until, quiet.offset_minutes, said.every_minutes), (1_320, 420, -210, 60));
    let mut send = |fields: &[(&str, &str)]| ben.post(PAGE, &[fields, &[("token", &token)]].concat());
    assert_eq!(send(&[("do", "watch-remove"), ("name", "cams")]).status, 303);
    assert_eq!(send(&[("do", "channel-remove"), ("name", "hook")]).status, 303);
    assert_eq!(send(&[("do", "watch-add"), ("name", "y"), ("query", ""), ("organisation", "port")]).status, 404);
    assert!(database.member_watches(None).expect("queries").is_empty());
}

#[test]
fn who_only_reads_changes_nothing_and_others_find_nothing() {
    let world = two();
    world.accounts.set_role("ben", "city", Some(Role::Reader)).expect("a reader");
    let mut ben = Browser::new(&world);
    ben.sign_in("ben", WORD);
    let page = ben.get(PAGE);
    assert!(page.status == 200 && page.text().contains("takes the role of an editor"), "{}", page.text());
    let token = ben.token("/account");
    let save = [("do", "watch-add"), ("name", "x"), ("query", "port:1"), ("token", token.as_str())];
    assert!(ben.post(PAGE, &save).status >= 400);
    assert_eq!(ben.get(&format!("{PAGE}?organisation=port")).status, 404, "whether it is there is not told");
    assert_eq!(ben.get(&format!("{PAGE}?organisation=nobody")).status, 404);
    let mut ann = Browser::new(&world);
    ann.sign_in("ann", WORD);
    assert_eq!(ann.get(PAGE).status, 404, "administrators act for nobody by that right");
    assert!(world.accounts.database().expect("a state").member_watches(None).expect("queries").is_empty());
}

/// A request that changes something, with a key.
fn send(world: &World, key: &str, (method, target): (&str, &str)) -> Answer {
    ask(world.address, method, target, &format!("Authorization: Bearer {key}\r\n"))
}

#[test]
fn programs_do_the_same_and_answers_are_as_described() {
    let world = two();
    let (key, api) = (key(&world, None), "/api/v1/organisation");
    let document = description();
    let check = |answer: &Answer, path: &str, method: &str| {
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let pointer =
            format!("/paths/{}/{method}/responses/200/content/application~1json/schema", path.replace('/', "~1"));
        let schema = document.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
        assert_eq!(faults(&document, schema, &answer.json(), path), Vec::<String>::new());
    };
    let new = |query: &str| format!("{api}/watches?name=telnet&query={}", hinomi_web::link::encode(query));
    check(&send(&world, &key, ("POST", &new("port:23"))), "/organisation/watches", "post");
    assert_eq!(send(&world, &key, ("POST", &new("port:23"))).status, 400, "the name is taken");
    let changed = send(&world, &key, ("POST", &format!("{}&instead=telnet", new("port:2323"))));
    check(&changed, "/organisation/watches", "post");
    check(&bearer(&world, &key, &format!("{api}/watches")), "/organisation/watches", "get");
    check(&send(&world, &key, ("POST", &format!("{api}/watches/ranges"))), "/organisation/watches/ranges", "post");
    let hook = format!("{api}/channels?name=hook&way=webhook&target=https://hook.example/x&quiet_from=1&quiet_until=2");
    let made = send(&world, &key, ("POST", &hook));
    check(&made, "/organisation/channels", "post");
    assert_eq!(made.json()["secret"].as_str().map(str::len), Some(64));
    check(
        &send(&world, &key, ("POST", &format!("{api}/channels?name=feed&way=feed"))),
        "/organisation/channels",
        "post",
    );
    let list = bearer(&world, &key, &format!("{api}/channels"));
    check(&list, "/organisation/channels", "get");
    assert!(!list.text().contains("\"secret\""), "told once");
    let feed = bearer(&world, &key, &format!("{api}/channels/feed?name=feed"));
    assert!(feed.status == 200 && feed.header("content-type") == "application/atom+xml", "{}", feed.text());
    assert_eq!(bearer(&world, &key, &format!("{api}/channels/feed?name=none")).status, 404);
    for wrong in
        ["name=x&way=smoke", "name=x&way=feed&monthly=true", "name=x&way=feed&watches=a", "name=x", "name=X&way=feed"]
    {
        assert_eq!(send(&world, &key, ("POST", &format!("{api}/channels?{wrong}"))).status, 400, "{wrong}");
    }
    let guess = format!("{api}/channels/confirm?name=hook&code=guess");
    assert_eq!(send(&world, &key, ("POST", &guess)).status, 400);
    assert_eq!(send(&world, &key, ("POST", &format!("{api}/watches?name=a&query=&organisation=port"))).status, 404);
    check(&send(&world, &key, ("DELETE", &format!("{api}/watches?name=telnet"))), "/organisation/watches", "delete");
    assert_eq!(send(&world, &key, ("DELETE", &format!("{api}/watches?name=telnet"))).status, 404);
    check(&send(&world, &key, ("DELETE", &format!("{api}/channels?name=hook"))), "/organisation/channels", "delete");
}

#[test]
fn alerts_of_shodans_clients_are_the_organisations() {
    let world = two();
    world.accounts.set_role("ben", "port", Some(Role::Editor)).expect("an editor");
    let (city, port, both) = (key(&world, Some("city")), key(&world, Some("port")), key(&world, None));
    let base = "/compat/shodan/shodan/alert";
    let create = |key: &str, name: &str| {
        let body = format!("{{\"name\":\"{name}\",\"filters\":{{\"ip\":[\"192.0.2.0/24\"]}}}}");
        let head = format!(
            "POST {base} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(world.address, head.as_bytes())
    };
    let made = create(&city, "mine");
    assert_eq!(made.status, 200, "{}", made.text());
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(create(&both, "whose").status, 400, "a key for two organisations says not whose");
    let all = |key: &str| bearer(&world, key, &format!("{base}/info")).json().as_array().map(Vec::len);
    assert_eq!((all(&city), all(&port)), (Some(1), Some(0)));
    assert_eq!(bearer(&world, &city, &format!("{base}/{id}/info")).status, 200);
    assert_eq!(bearer(&world, &port, &format!("{base}/{id}/info")).status, 404, "another organisation's");
    let remove = |key: &str| send(&world, key, ("DELETE", &format!("{base}/{id}"))).status;
    assert_eq!((remove(&port), remove(&city)), (404, 200));
    assert_eq!(all(&city), Some(0));
}

#[test]
fn a_report_is_a_page_and_a_file_of_the_month_that_is_named() {
    let world = World::at_rest();
    let page = world.page("/organisation/report/2026-11", "en");
    assert!(page.contains("Exposure in November 2026") && page.contains("In short"), "{page}");
    assert!(!page.contains("<script>alert") && page.contains("/organisation/report/2026-10"), "{page}");
    assert!(world.page("/organisation/report/2026-11", "ja").contains("2026年11月の外部公開状況"));
    let file = world.get("/organisation/report/2026-11.pdf");
    assert_eq!((file.status, file.header("content-type")), (200, "application/pdf"));
    assert!(file.body.starts_with(b"%PDF-1.") && file.header("content-disposition").contains("2026-11.pdf"));
    for wrong in ["2026-13", "x", "2026-11.exe", "2026-11.pdf.pdf"] {
        assert_eq!(world.get(&format!("/organisation/report/{wrong}")).status, 404, "{wrong}");
    }
    assert_eq!(world.get("/organisation/report/2027-01").status, 400, "it has not begun");
    assert!(time("2026-12-01") > world.clock.now());
}

#[test]
fn my_organisation_shows_days_and_what_needs_care() {
    let world = two();
    let (database, now) = (world.accounts.database().expect("a state"), world.clock.now());
    let may = (hinomi_state::organisations::Relation::Purpose, "exposure-reduction");
    database.relate(Deed { by: "a tester", now }, "city", may, None).expect("agreed");
    let mut ben = Browser::new(&world);
    ben.sign_in("ben", WORD);
    let page = ben.get("/organisation").text();
    assert!(page.contains("There is nobody to be reached") && page.contains("hinomi contact add city"), "{page}");
    assert!(page.contains("Nobody looked at your ranges"), "{page}");
    assert!(!page.contains("infected or misused"), "nothing says so: no empty place");
}

/// Who holds 192.0.2.0/24, of which the town at rest has records.
fn holder() -> Register {
    let purposes = [Purpose::ExposureReduction].into();
    let city = Organisation { id: "city".to_owned(), purposes, ..Organisation::default() };
    let subject = Held::Prefix("192.0.2.0/24".parse().expect("a prefix"));
    let (from, until) = (time("2026-01-01T00:00:00Z"), time("2026-12-10T00:00:00Z"));
    let claim = Claim { organisation: "city".to_owned(), subject, from, until };
    Register { organisations: [("city".to_owned(), city)].into(), claims: vec![claim] }
}

#[test]
fn days_and_reports_of_a_member_are_drawn_from_his_records() {
    let mut told = batches();
    let sightings = told.iter_mut().flat_map(|batch| &mut batch.sightings);
    sightings.for_each(|one| one.marking.purpose = Purpose::ExposureReduction);
    let world = World::shared(told, holder());
    let kept = PasswordHash::of(WORD, "ben").expect("a password");
    for (name, administrator) in [("ann", true), ("ben", false)] {
        let (name, full_name, password) = (name.to_owned(), String::new(), Some(kept.clone()));
        let new = NewPerson { name, full_name, administrator, analyst: false, password };
        world.accounts.add(&new, world.clock.now()).expect("an account");
    }
    enter(&world, "city");
    world.accounts.set_role("ben", "city", Some(Role::Reader)).expect("a reader");
    let mut ben = Browser::new(&world);
    ben.sign_in("ben", WORD);
    let page = ben.get("/organisation").text();
    assert!(page.contains("Open services in the last 30 days") && page.contains("<svg"), "{page}");
    assert!(page.contains("This proof ends on 2026-12-10") && page.contains("hinomi claim ask city"), "{page}");
    let report = ben.get("/organisation/report/2026-11").text();
    assert!(report.contains("192.0.2.10:") && !report.contains("2001:db8::7"), "{report}");
    assert!(!report.contains("<script>alert") && report.contains("What is held"), "{report}");
    let pdf = ben.get("/organisation/report/2026-11.pdf");
    assert!(pdf.status == 200 && pdf.body.starts_with(b"%PDF-1."));
}
