//! Notices over HTTP: who sees which, who releases, who answers, and what others' notices show of themselves: nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_model::{Batch, Clock, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink as _, Transport};
use hinomi_share::notice::Settings as NoticeSettings;
use hinomi_state::audiences::NewAudience;
use hinomi_state::claims::{Decision, Subject};
use hinomi_state::contacts::{Language, NewContact};
use hinomi_state::notices::{NewNotice, NoticeFile, NoticeState, NoticesOf, Party, Said, Went, new_token};
use hinomi_state::organisations::{Deed, Kind, Profile, Relation};
use hinomi_state::{NewPerson, PasswordHash, Role};
use hinomi_web::Settings;

use crate::sign_in::{Browser, WORD, inhabited, people};
use crate::world::{HOSTILE, World};

/// A city, a school beside it, and who runs the network around both, who is in a hidden circle.
pub(crate) fn register(world: &World) {
    let database = world.accounts.database().expect("a state");
    let deed = Deed { by: "a tester", now: "2026-10-01T00:00:00Z".parse().expect("a time") };
    let all = [("city-a", "192.0.2.0/26"), ("school-b", "192.0.2.64/26"), ("isp", "192.0.2.0/24"), ("cert", "AS64500")];
    for (id, subject) in all {
        let profile = Profile { name_en: id.to_owned(), kind: Kind::Company, ..Profile::default() };
        database.add_organisation(deed, id, &profile).expect("added");
        database.relate(deed, id, (Relation::Purpose, "exposure-reduction"), None).expect("related");
        let subject: Subject = subject.parse().expect("a subject");
        let claim = database.ask_claim(deed, id, &subject).expect("asked");
        let until = Some("2027-06-01T00:00:00Z".parse().expect("a time"));
        let decision = Decision { from: Some(deed.now), until, ..Decision::default() };
        database.approve_claim(deed, claim.number, &decision).expect("approved");
    }
    let circle = NewAudience { id: "circle".into(), name_ja: String::new(), name_en: "Circle".into(), hidden: true };
    database.add_audience(deed, &circle).expect("added");
    database.relate(deed, "cert", (Relation::Audience, "circle"), None).expect("related");
}

/// A draft to an organisation about the Telnet of a host.
fn draft(world: &World, organisation: &str, host: &str, purpose: &str) -> i64 {
    let database = world.accounts.database().expect("a state");
    let now = world.clock.now();
    let service = ServiceKey { address: host.parse().expect("an address"), port: 23, transport: Transport::Tcp };
    let said = Said {
        service,
        concern: "telnet".into(),
        severity: "high".into(),
        confidence: 90,
        seen: now,
        first: now,
        asn: Some(64_500),
        country: None,
        protocol: "telnet".into(),
        product: String::new(),
        summary: HOSTILE.into(),
        tags: Vec::new(),
        evidence: Vec::new(),
        purpose: purpose.into(),
        label: "TLP:AMBER+STRICT".into(),
        terms: Vec::new(),
        by: "192.0.2.0/26".into(),
    };
    let party = Party {
        organisation: organisation.into(),
        basis: if organisation == "city-a" { "holder".into() } else { "network".into() },
        mail: format!("csirt@{organisation}.example"),
        ..Party::default()
    };
    let files = vec![NoticeFile { name: "findings.csv".into(), media: "text/csv".into(), content: HOSTILE.into() }];
    let new = NewNotice {
        token: new_token().expect("a token"),
        party,
        label: "TLP:AMBER+STRICT".into(),
        subject: format!("about {host}"),
        body: format!("body {HOSTILE}"),
        needs: 2,
        alone: 10,
        findings: vec![said],
        files,
    };
    let deed = Deed { by: "uid 7", now };
    database.draft_notice(deed, 1, &new, &BTreeSet::new(), now).expect("drafted").number
}

/// The same, sent.
pub(crate) fn told(world: &World, organisation: &str, host: &str, purpose: &str) -> i64 {
    let number = draft(world, organisation, host, purpose);
    let database = world.accounts.database().expect("a state");
    for person in ["xan", "yun"] {
        let deed = Deed { by: person, now: world.clock.now() };
        database.release_notice(deed, person, number).expect("released");
    }
    let deed = Deed { by: "sender", now: world.clock.now() };
    database.take_notice(deed, Duration::from_secs(60)).expect("asked").expect("one");
    database.settle_notice(deed, number, &Went::Sent, Some("sum")).expect("settled");
    number
}

/// By what members know a notice.
pub(crate) fn token(world: &World, number: i64) -> String {
    world.accounts.database().expect("a state").notice(number).expect("there").token
}

fn person(world: &World, name: &str, organisation: &str, role: Role) {
    let password = Some(PasswordHash::of(WORD, name).expect("a password"));
    let new = NewPerson { name: name.into(), full_name: String::new(), administrator: false, analyst: false, password };
    world.accounts.add(&new, world.clock.now()).expect("an account");
    world.accounts.set_role(name, organisation, Some(role)).expect("a role");
}

fn signed_in<'a>(world: &'a World, name: &str) -> Browser<'a> {
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in(name, WORD).status, 303, "{name}");
    browser
}

#[test]
fn members_see_what_they_were_told_and_of_others_nothing() {
    let world = inhabited();
    register(&world);
    for (name, organisation, role) in
        [("carol", "city-a", Role::Editor), ("dan", "city-a", Role::Reader), ("fay", "school-b", Role::Manager)]
    {
        person(&world, name, organisation, role);
    }
    let seen = Sighting {
        sensor: "test".parse().expect("a name"),
        campaign: None,
        time: world.clock.now(),
        subject: ServiceKey { address: [192, 0, 2, 20].into(), port: 23, transport: Transport::Tcp },
        outcome: Outcome::Open,
        remark: None,
        evidence: Vec::new(),
        marking: Marking::own(Purpose::ExposureReduction),
    };
    world.lake.append(Batch { sightings: vec![seen], ..Batch::default() }).expect("appended");
    let own = told(&world, "city-a", "192.0.2.20", "exposure-reduction");
    let research = told(&world, "city-a", "192.0.2.21", "research");
    let waiting = draft(&world, "city-a", "192.0.2.22", "exposure-reduction");
    let around = told(&world, "isp", "192.0.2.20", "exposure-reduction");
    let hidden = told(&world, "cert", "192.0.2.20", "exposure-reduction");
    let unseen = told(&world, "isp", "192.0.2.23", "exposure-reduction");
    let mut carol = signed_in(&world, "carol");
    let list = carol.get("/api/v1/notices").json();
    let own_token = token(&world, own);
    let names: Vec<&str> =
        list["notices"].as_array().expect("a list").iter().filter_map(|one| one["token"].as_str()).collect();
    assert_eq!(names, [own_token.as_str()], "no draft, no other purpose, nobody else's");
    assert!(list["notices"][0].get("number").is_none(), "numbers count what others are told: {list}");
    // Who else was told of what she holds and may see; a name that is not hers to know is not told.
    let others = list["others"].as_array().expect("a list");
    let who: BTreeSet<Option<&str>> = others.iter().map(|one| one["organisation"].as_str()).collect();
    assert_eq!((others.len(), who), (2, [Some("isp"), None].into()), "{list}");
    assert!(others.iter().all(|one| one["service"]["address"] == "192.0.2.20"), "of a record that she sees");
    let missing = carol.get("/api/v1/notices/999999");
    let others = [research, waiting, around, hidden, unseen].map(|other| token(&world, other));
    let mut names: Vec<String> = [own, research, waiting, around].iter().map(ToString::to_string).collect();
    names.extend(others);
    for other in names {
        let answer = carol.get(&format!("/api/v1/notices/{other}"));
        assert_eq!((answer.status, answer.text()), (missing.status, missing.text()), "as what never was");
        assert_eq!(carol.get(&format!("/notices/{other}")).status, 404);
    }
    let page = carol.get(&format!("/notices/{own_token}"));
    let text = page.text();
    assert_eq!(page.status, 200);
    assert!(text.contains("body ") && !text.contains("<script>alert(1)") && !text.contains("xan"), "{text}");
    let fay = signed_in(&world, "fay").get("/api/v1/notices").json();
    assert_eq!((fay["notices"].as_array().map(Vec::len), fay["others"].as_array().map(Vec::len)), (Some(0), Some(0)));
    assert_eq!(signed_in(&world, "fay").get(&format!("/notices/{own_token}")).status, 404);
    // Page after page, whatever lies between, and without a number anywhere.
    let later = told(&world, "city-a", "192.0.2.24", "exposure-reduction");
    let first = carol.get("/api/v1/notices?limit=1").json();
    let before = first["before"].as_str().expect("more").to_owned();
    assert_eq!(first["notices"][0]["token"], token(&world, later));
    let second = carol.get(&format!("/api/v1/notices?limit=1&before={before}")).json();
    assert_eq!((&second["notices"][0]["token"], second.get("before")), (&own_token.as_str().into(), None), "{second}");
    for strange in [research.to_string(), own.to_string(), token(&world, hidden)] {
        assert_eq!(carol.get(&format!("/api/v1/notices?before={strange}")).status, 404, "{strange}");
    }
    let list = carol.get("/notices").text();
    assert!(list.contains(&own_token) && !list.contains(&format!("/notices/{own}\"")), "{list}");
}

#[test]
fn editors_answer_for_their_own_and_readers_do_not() {
    let world = inhabited();
    register(&world);
    person(&world, "carol", "city-a", Role::Editor);
    person(&world, "dan", "city-a", Role::Reader);
    person(&world, "fay", "school-b", Role::Manager);
    let number = told(&world, "city-a", "192.0.2.20", "exposure-reduction");
    let target = format!("/notices/{}", token(&world, number));
    let answer = |browser: &mut Browser<'_>, outcome: &str| {
        let token = browser.token("/account");
        let fields =
            [("token", token.as_str()), ("do", "reply"), ("finding", "1"), ("outcome", outcome), ("note", "n\u{202e}")];
        browser.post(&target, &fields).status
    };
    let (mut carol, mut dan, mut fay) =
        (signed_in(&world, "carol"), signed_in(&world, "dan"), signed_in(&world, "fay"));
    assert_eq!(answer(&mut dan, "fixed"), 400, "who may only look");
    assert_eq!(answer(&mut fay, "fixed"), 404, "somebody else's");
    assert_eq!(answer(&mut carol, "no-answer"), 400, "nobody says so of himself");
    assert_eq!(answer(&mut carol, "fixed"), 200);
    let forged = carol.post(&target, &[("do", "reply"), ("outcome", "not-ours")]);
    assert_eq!(forged.status, 403, "a form of another page");
    for what in ["release", "cancel"] {
        let token = carol.token("/account");
        assert_eq!(carol.post(&target, &[("token", &token), ("do", what)]).status, 400, "{what} is not hers");
    }
    let database = world.accounts.database().expect("a state");
    let replies = database.notice_replies(number).expect("replies");
    let said: Vec<_> = replies.iter().map(|reply| (reply.place, reply.outcome.name(), reply.by.as_str())).collect();
    assert_eq!(said, [(1, "fixed", "carol")]);
}

#[test]
fn analysts_release_in_two_and_the_same_one_twice_is_one() {
    let world = inhabited();
    register(&world);
    let password = Some(PasswordHash::of(WORD, "gil").expect("a password"));
    let gil = NewPerson { name: "gil".into(), full_name: String::new(), administrator: false, analyst: true, password };
    world.accounts.add(&gil, world.clock.now()).expect("an account");
    let number = draft(&world, "city-a", "192.0.2.20", "exposure-reduction");
    let target = format!("/notices/{number}");
    let release = |browser: &mut Browser<'_>| {
        let token = browser.token("/account");
        browser.post(&target, &[("token", &token), ("do", "release")])
    };
    let (mut eve, mut gil) = (signed_in(&world, "eve"), signed_in(&world, "gil"));
    let page = eve.get(&target).text();
    assert!(page.contains("value=\"release\"") && page.contains("about 192.0.2.20"), "{page}");
    let half = release(&mut eve);
    assert!(half.status == 200 && half.text().contains("one more person"), "{}", half.text());
    assert!(release(&mut eve).text().contains("another person"), "the same person twice");
    let whole = release(&mut gil);
    assert!(whole.status == 200 && whole.text().contains("sent in a moment"), "{}", whole.text());
    let database = world.accounts.database().expect("a state");
    let now = database.notice(number).expect("there");
    assert_eq!((now.state.name(), now.released_by), ("released", vec!["eve".to_owned(), "gil".to_owned()]));
    // Who sees all of them names either.
    let named = eve.get(&format!("/api/v1/notices/{}", token(&world, number))).json();
    assert_eq!(named["notice"]["number"], number, "{named}");
    // Administrators see no record by that right, nor a notice.
    let mut ann = signed_in(&world, "ann");
    assert_eq!(ann.get(&target).status, 404);
    assert_eq!(ann.get("/api/v1/notices").json()["notices"].as_array().map(Vec::len), Some(0));
}

#[test]
fn notices_are_looked_at_and_drafted_on_the_page() {
    let own = NoticeSettings { name_en: "Watch".into(), reply_to: "n@example.org".into(), ..NoticeSettings::default() };
    let world = World::reached(Settings { notices: own, ..Settings::default() });
    people(&world);
    register(&world);
    person(&world, "carol", "city-a", Role::Manager);
    let database = world.accounts.database().expect("a state");
    let contact = NewContact {
        role: "security".into(),
        name: format!("desk {HOSTILE}").chars().filter(|c| !c.is_control() && *c != '\u{202e}').collect(),
        mail: "csirt@city-a.example".into(),
        phone: String::new(),
        language: Language::En,
    };
    database.add_contact(Deed { by: "t", now: world.clock.now() }, "city-a", &contact).expect("added");
    let seen = |last: u8| Sighting {
        sensor: "test".parse().expect("a name"),
        campaign: None,
        time: world.clock.now(),
        subject: ServiceKey { address: [192, 0, 2, last].into(), port: 2323, transport: Transport::Tcp },
        outcome: Outcome::Open,
        remark: None,
        evidence: Vec::new(),
        marking: Marking::own(Purpose::ExposureReduction),
    };
    // The second is a school's, which has no contact; who runs the network around both has none either.
    world.lake.append(Batch { sightings: vec![seen(20), seen(70)], ..Batch::default() }).expect("appended");
    let (mut eve, mut carol) = (signed_in(&world, "eve"), signed_in(&world, "carol"));
    assert!(eve.get("/notices").text().contains("/notices/draft"));
    assert!(!carol.get("/notices").text().contains("/notices/draft"));
    let look = "/notices/draft?look=1&q=port:2323&net=192.0.2.0/24";
    assert_eq!((carol.get("/notices/draft").status, carol.get(look).status), (403, 403), "for who works here");
    let page = eve.get(look);
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    for wanted in
        ["One party would be told", "csirt@city-a.example", "192.0.2.20", "has no contact", "192.0.2.70:2323/tcp"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(!text.contains("<script>alert(1)"), "{text}");
    let all = NoticesOf { limit: 9, ..NoticesOf::default() };
    assert!(database.notices(&all).expect("asked").is_empty(), "a look writes nothing");
    for (wrong, why) in [("q=prot:1", "prot"), ("q=port:1&net=nowhere", "nowhere")] {
        let answer = eve.get(&format!("/notices/draft?look=1&{wrong}"));
        assert!(answer.status == 400 && answer.text().contains(why), "{wrong}: {}", answer.text());
    }
    let token = eve.token("/account");
    let fields = [("token", token.as_str()), ("q", "port:2323"), ("net", "192.0.2.0/24")];
    assert_eq!(carol.post("/notices/draft", &fields).status, 403);
    let made = eve.post("/notices/draft", &fields);
    assert!(made.status == 200 && made.text().contains("One draft is made"), "{}", made.text());
    let drafts = database.notices(&all).expect("asked");
    assert_eq!((drafts.len(), drafts[0].drafted_by.as_str(), drafts[0].state), (1, "eve", NoticeState::Draft));
    assert!(made.text().contains(&format!("/notices/{}", drafts[0].number)), "{}", made.text());
    let again = eve.get(look).text();
    assert!(again.contains("There is nothing to tell anybody") && again.contains("waits in another notice"), "{again}");
}

#[test]
fn nobody_drafts_where_it_is_not_said_who_writes() {
    let world = inhabited();
    let page = signed_in(&world, "eve").get("/notices/draft?look=1");
    assert!(page.status == 400 && page.text().contains("says who writes"), "{}", page.text());
}
