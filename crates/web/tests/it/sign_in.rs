//! Signing in, and what is tried against it: guessing, planted sessions, forms of others, names of others, fields that are
//! nobody's to set, headers that are smuggled in.

use hinomi_state::{NewPerson, PasswordHash};

use crate::client::{Answer, ask, raw};
use crate::keys::bearer;
use crate::world::World;

pub(crate) const WORD: &str = "four words in a row";

/// A browser: keeps cookies, and says where it comes from.
pub(crate) struct Browser<'a> {
    world: &'a World,
    jar: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, jar: Vec::new() }
    }

    pub(crate) fn cookies(&self) -> String {
        let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { String::new() } else { format!("Cookie: {}\r\n", pairs.join("; ")) }
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in &answer.cookies {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.jar.retain(|(each, _)| each != name);
            if !cookie.contains("Max-Age=0") {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Has a session of somebody else's choosing.
    pub(crate) fn plant(&mut self, token: &str) {
        self.jar.push(("hinomi_session".into(), token.into()));
    }

    /// Has what binds another browser to what it began elsewhere.
    pub(crate) fn take_flow(&mut self, other: &Self) {
        self.jar.extend(other.jar.iter().filter(|(name, _)| name == "hinomi_flow").cloned());
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.jar.iter().find(|(name, _)| name == "hinomi_session").map(|(_, value)| value.as_str())
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        let answer = ask(self.world.address, "GET", target, &format!("Accept-Language: en\r\n{}", self.cookies()));
        self.keep(&answer);
        answer
    }

    pub(crate) fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = post(self.world, target, fields, &format!("Origin: http://localhost\r\n{}", self.cookies()));
        self.keep(&answer);
        answer
    }

    pub(crate) fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.post("/sign-in", &[("name", name), ("password", password), ("to", "/search?q=port:22")])
    }

    /// What the forms of a page carry.
    pub(crate) fn token(&mut self, page: &str) -> String {
        let text = self.get(page).text();
        let token = text.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.unwrap_or_else(|| panic!("{page} has a form: {text}")).to_owned()
    }
}

fn post(world: &World, target: &str, fields: &[(&str, &str)], headers: &str) -> Answer {
    let encode = hinomi_web::link::encode;
    let body: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let body = body.join("&");
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Language: en\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(world.address, head.as_bytes())
}

/// Ann administers; Ben does not; Eve looks at everything.
pub(crate) fn people(world: &World) {
    let kept = |name: &str| Some(PasswordHash::of(WORD, name).expect("a password"));
    for (name, administrator, analyst) in [("ann", true, false), ("ben", false, false), ("eve", false, true)] {
        let new =
            NewPerson { name: name.into(), full_name: String::new(), administrator, analyst, password: kept(name) };
        world.accounts.add(&new, hinomi_model::Clock::now(&*world.clock)).expect("an account");
    }
}

pub(crate) fn inhabited() -> World {
    let world = World::at_rest();
    people(&world);
    world
}

#[test]
fn with_the_first_account_everybody_signs_in() {
    let world = World::at_rest();
    assert_eq!(world.get("/").status, 200, "nobody has an account: whoever is at the machine");
    people(&world);
    let page = world.get("/hosts/192.0.2.10?lang=en");
    assert_eq!((page.status, page.header("location")), (303, "/sign-in?to=%2Fhosts%2F192.0.2.10%3Flang%3Den"));
    for target in ["/about", "/guide", "/watch", "/nowhere", "/account", "/account/people"] {
        assert_eq!(world.get(target).status, 303, "{target}");
    }
    for target in ["/taxii2/", "/compat/shodan/x"] {
        let answer = world.get(target);
        assert!(answer.status == 401 && answer.header("www-authenticate").contains("realm"), "{target}");
    }
    for target in ["/api/v1/status", "/api/v1/search", "/api/v1/openapi.json", "/api/x"] {
        let answer = world.get(target);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("sign-in")), "{target}");
        assert!(answer.header("www-authenticate").contains("realm=\"hinomi\""), "{target}");
    }
    for target in ["/sign-in", "/assets/style.css"] {
        assert_eq!(world.get(target).status, 200, "{target}");
    }
    let mut eve = Browser::new(&world);
    let entered = eve.sign_in("Eve", WORD);
    assert_eq!((entered.status, entered.header("location")), (303, "/search?q=port:22"));
    let cookie = entered.cookies.iter().find(|cookie| cookie.starts_with("hinomi_session=")).expect("a session");
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/;"),
        "{cookie}"
    );
    assert_eq!(eve.get("/hosts/192.0.2.10").status, 200);
    assert!(eve.get("/api/v1/search").json()["total"].as_u64() > Some(5), "an analyst sees what the operator saw");
    let token = eve.token("/account");
    assert_eq!(eve.post("/account/sign-out", &[("token", &token)]).status, 303);
    assert!(eve.session().is_none());
    assert_eq!(eve.get("/").status, 303);
}

#[test]
fn a_session_that_was_ended_elsewhere_or_grew_old_opens_nothing() {
    let world = inhabited();
    let (mut here, mut there) = (Browser::new(&world), Browser::new(&world));
    here.sign_in("eve", WORD);
    there.sign_in("eve", WORD);
    let token = here.token("/account");
    let page = here.get("/account").text();
    let ids: Vec<_> = page.split("name=\"id\" value=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(ids.len(), 2);
    let own = world.accounts.session(here.session().expect("a session"), hinomi_model::Clock::now(&*world.clock));
    let own = own.expect("asked").expect("a session").0.id;
    for id in ids.iter().filter(|id| **id != own).chain([&own.as_str()]) {
        here.post("/account", &[("token", &token), ("do", "end-session"), ("id", id)]);
    }
    assert_eq!((here.get("/").status, there.get("/").status), (303, 303), "both were ended");
    here.sign_in("eve", WORD);
    world.clock.by(59 * 60);
    assert_eq!(here.get("/").status, 200);
    world.clock.by(61 * 60);
    assert_eq!(here.get("/").status, 303, "idle for too long");
    here.sign_in("eve", WORD);
    for _ in 0..13 {
        world.clock.by(55 * 60);
        here.get("/assets/style.css");
        here.get("/account");
    }
    assert_eq!(here.get("/account").status, 200);
    world.clock.by(10 * 60);
    assert_eq!(here.get("/account").status, 303, "twelve hours are enough");
}

#[test]
fn a_planted_session_is_worth_nothing() {
    let world = inhabited();
    let mut eve = Browser::new(&world);
    eve.jar.push(("hinomi_session".into(), "0".repeat(64)));
    eve.sign_in("eve", WORD);
    let first = eve.session().expect("a session").to_owned();
    assert_ne!(first, "0".repeat(64), "a new one");
    eve.sign_in("eve", WORD);
    assert_ne!(eve.session(), Some(first.as_str()));
    eve.jar = vec![("hinomi_session".into(), first)];
    assert_eq!(eve.get("/").status, 303, "the one before has ended");
}

#[test]
fn guessing_is_slow_and_locks_nobody_out() {
    let world = inhabited();
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    let mut stranger = Browser::new(&world);
    for name in ["eve", "nobody"] {
        for _ in 0..5 {
            let wrong = stranger.sign_in(name, "a wrong word or two");
            assert_eq!(wrong.status, 403, "{name}");
            assert!(wrong.text().contains("Name and password do not belong together"), "{name}");
        }
        let slowed = stranger.sign_in(name, WORD);
        assert_eq!((slowed.status, slowed.header("retry-after")), (429, "1"), "{name}: also the right one waits");
        world.clock.by(1);
        assert_eq!(stranger.sign_in(name, "a wrong word or two").status, 403, "{name}");
        assert_eq!(stranger.sign_in(name, WORD).header("retry-after"), "2", "{name}: twice as long");
    }
    // Her own browser is known, and not slowed down by what somebody else does, from the same address even.
    let device: Vec<_> = eve.jar.iter().filter(|(name, _)| name == "hinomi_device").cloned().collect();
    assert_eq!(device.len(), 1);
    eve.jar = device.clone();
    assert_eq!(eve.sign_in("eve", WORD).status, 303);
    // It is known for her account alone, and guessing with it is as slow.
    let mut thief = Browser { world: &world, jar: device };
    assert_eq!(thief.sign_in("nobody", WORD).status, 429);
    for _ in 0..5 {
        assert_eq!(thief.sign_in("eve", "a wrong word or two").status, 403);
    }
    assert_eq!(thief.sign_in("eve", WORD).status, 429);
}

#[test]
fn one_source_cannot_try_one_word_on_everybody() {
    let world = inhabited();
    let (mut stranger, mut eve) = (Browser::new(&world), Browser::new(&world));
    assert_eq!(eve.sign_in("eve", WORD).status, 303);
    let mut refused = 0;
    for number in 0..40 {
        refused += u32::from(stranger.sign_in(&format!("name-{number}"), "a wrong word or two").status == 429);
    }
    assert!(refused >= 9, "{refused}");
    // From a known browser a try does not count for the source, and a right one takes nothing back there.
    for _ in 0..3 {
        assert_eq!(eve.sign_in("eve", WORD).status, 303);
    }
    assert_eq!(stranger.sign_in("name-40", "a wrong word or two").status, 429);
}

#[test]
fn one_source_cannot_begin_with_passkeys_for_ever() {
    let world = inhabited();
    let mut stranger = Browser::new(&world);
    for number in 0..30 {
        assert_eq!(stranger.post("/sign-in/passkey", &[]).status, 200, "{number}");
    }
    let slowed = stranger.post("/sign-in/passkey", &[]);
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "1"));
    world.clock.by(1);
    assert_eq!(stranger.post("/sign-in/passkey", &[]).status, 200);
    assert_eq!(Browser::new(&world).sign_in("eve", WORD).status, 303, "passwords are counted by themselves");
}

#[test]
fn forms_of_other_pages_change_nothing() {
    let world = inhabited();
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    let token = eve.token("/watch");
    let fields = [("name", "w"), ("query", "port:23"), ("owner", "eve")];
    let saved = |world: &World, cookies: &str| {
        ask(world.address, "GET", "/api/v1/watches", cookies).json()["watches"].as_array().expect("a list").len()
    };
    let cookies = eve.cookies();
    for (why, headers, token) in [
        ("no token", "Origin: http://localhost\r\n", ""),
        ("another token", "Origin: http://localhost\r\n", "00"),
        ("another origin", "Origin: http://evil.example\r\n", token.as_str()),
        (
            "another site",
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
            &token,
        ),
    ] {
        let mut fields = fields.to_vec();
        fields.push(("token", token));
        assert_eq!(post(&world, "/watch", &fields, &format!("{headers}{cookies}")).status, 403, "{why}");
    }
    let bare = ask(world.address, "POST", "/api/v1/watches?name=w&query=port:23&owner=e", &cookies);
    assert_eq!(bare.status, 403, "the API by a cookie, and nothing says that our page asks");
    assert_eq!(saved(&world, &cookies), 0);
    let mut mallory = Browser::new(&world);
    mallory.sign_in("ann", WORD);
    let hers = mallory.token("/account");
    let mut with_hers = fields.to_vec();
    with_hers.push(("token", &hers));
    assert_eq!(eve.post("/watch", &with_hers).status, 403, "the token of another session");
    let mut right = fields.to_vec();
    right.push(("token", &token));
    assert_eq!(eve.post("/watch", &right).status, 303);
    assert_eq!(saved(&world, &cookies), 1);
    let signed = post(&world, "/sign-in", &[("name", "ann"), ("password", WORD)], "Origin: http://evil.example\r\n");
    assert_eq!((signed.status, signed.cookies.len()), (403, 0), "nobody is signed in as somebody else");
}

#[test]
fn what_is_somebody_elses_is_not_found() {
    let world = inhabited();
    let (mut eve, mut ben) = (Browser::new(&world), Browser::new(&world));
    eve.sign_in("eve", WORD);
    ben.sign_in("ben", WORD);
    let token = eve.token("/account");
    let made = eve.post(
        "/account",
        &[
            ("token", &token),
            ("do", "add-key"),
            ("label", "x"),
            ("purpose", "research"),
            ("days", "30"),
            ("may", "read"),
        ],
    );
    let key =
        made.text().split("id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a key").to_owned();
    assert!(!eve.get("/account").text().contains(&key), "shown once");
    let id = key.split('_').nth(1).expect("an id");
    let person = world.accounts.person("eve").expect("asked").expect("eve");
    let session = &world.accounts.sessions(&person.id, hinomi_model::Clock::now(&*world.clock)).expect("asked")[0].id;
    let token = ben.token("/account");
    for (what, id) in [("revoke-key", id), ("end-session", session.as_str()), ("remove-passkey", "00")] {
        let answer = ben.post("/account", &[("token", &token), ("do", what), ("id", id)]);
        assert!(answer.status == 400 && answer.text().contains("There is nothing here"), "{what}: {}", answer.status);
    }
    assert_eq!(bearer(&world, &key, "/api/v1/status").status, 200, "it still holds");
    for (fields, page) in [
        (vec![("do", "rights"), ("name", "ben"), ("administrator", "yes")], "/account/people"),
        (vec![("do", "add"), ("name", "fay"), ("administrator", "yes")], "/account/people"),
        (vec![("do", "close"), ("name", "ann")], "/account/people"),
    ] {
        let mut fields = fields;
        fields.push(("token", &token));
        assert_eq!(ben.post(page, &fields).status, 403);
    }
    assert_eq!(ben.get("/account/people").status, 403);
    // Fields that a form does not have set nothing.
    let fields = [
        ("token", token.as_str()),
        ("do", "purpose"),
        ("purpose", "research"),
        ("administrator", "yes"),
        ("analyst", "yes"),
        ("person", &person.id),
    ];
    assert_eq!(ben.post("/account", &fields).status, 200);
    let after = world.accounts.person("ben").expect("asked").expect("ben");
    assert!(!after.administrator && !after.analyst);
}

#[test]
fn a_closed_account_opens_nothing_from_the_next_request_on() {
    let world = inhabited();
    let (mut ann, mut eve) = (Browser::new(&world), Browser::new(&world));
    ann.sign_in("ann", WORD);
    eve.sign_in("eve", WORD);
    let token = ann.token("/account/people");
    assert_eq!(ann.post("/account/people", &[("token", &token), ("do", "close"), ("name", "eve")]).status, 200);
    assert_eq!(eve.get("/").status, 303);
    assert_eq!(Browser::new(&world).sign_in("eve", WORD).status, 403, "as if the password were wrong");
    let last = ann.post("/account/people", &[("token", &token), ("do", "close"), ("name", "ann")]);
    assert!(last.status == 400 && last.text().contains("the last administrator"), "{}", last.status);
}

#[test]
fn an_administrator_sees_no_record_by_that_right() {
    let world = inhabited();
    let mut ann = Browser::new(&world);
    ann.sign_in("ann", WORD);
    let found = ann.get("/api/v1/search");
    let total = found.json()["total"].as_u64();
    assert!(found.status == 403 || total == Some(0), "{}: {total:?}", found.status);
    assert_eq!(ann.get("/account/people").status, 200);
}

#[test]
fn the_first_administrator_is_made_once_by_who_has_the_address() {
    let world = World::at_rest();
    let first = world.first.clone().expect("an address");
    let key = first.split("key=").nth(1).expect("a key");
    let fields = |key: &'_ str, name: &'_ str| {
        [("key", key.to_owned()), ("name", name.to_owned()), ("password", WORD.to_owned())]
    };
    let send = |key: &str, name: &str| {
        let fields = fields(key, name);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Browser::new(&world).post("/first-start", &fields)
    };
    assert_eq!(send("0", "mallory").status, 404);
    assert_eq!(world.get("/first-start?key=0").status, 404);
    assert_eq!(world.get(&format!("/first-start?key={key}")).status, 200);
    // Several at once: one is the first.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4).map(|number| (number, &send)).collect();
        let tries: Vec<_> = tries
            .into_iter()
            .map(|(number, send)| scope.spawn(move || send(key, &format!("name-{number}")).status))
            .collect();
        tries.into_iter().map(|tried| tried.join().expect("ends")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    let people = world.accounts.people().expect("asked");
    assert!(people.len() == 1 && people[0].administrator && people[0].analyst);
    assert_eq!(send(key, "late").status, 404);
}

#[test]
fn nothing_is_smuggled_into_a_header() {
    let world = inhabited();
    for to in ["//evil.example", "https://evil.example/", "/\\evil.example", "/a\r\nSet-Cookie: x=y", "/%0d%0aX: y"] {
        let entered = Browser::new(&world).post("/sign-in", &[("name", "eve"), ("password", WORD), ("to", to)]);
        assert_eq!(entered.status, 303, "{to:?}");
        let location = entered.header("location");
        assert!(
            location == "/" || location == "/%0d%0aX: y" || location == to && to.starts_with("/%"),
            "{to:?}: {location}"
        );
        assert!(!entered.headers.contains_key("x") && entered.cookies.len() == 2, "{to:?}");
    }
    let led = world.get("/search?q=a%0d%0aSet-Cookie:%20x");
    assert_eq!((led.status, led.cookies.len()), (303, 0));
    let hosts = ["Host: evil.example\r\n", "Host: localhost\r\nHost: evil.example\r\n"];
    for host in hosts {
        let answer = raw(world.address, format!("GET /search HTTP/1.1\r\n{host}Connection: close\r\n\r\n").as_bytes());
        assert!([400, 421].contains(&answer.status) && !answer.headers.contains_key("location"), "{host}");
    }
}

#[test]
fn a_body_of_any_length_costs_no_room() {
    let world = inhabited();
    for (target, length) in [("/sign-in", 40_000), ("/account", 1_u64 << 40), ("/sign-in/passkey", 1 << 20)] {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        assert_eq!(raw(world.address, head.as_bytes()).status, 413, "{target}");
    }
    let chunked =
        "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(raw(world.address, chunked.as_bytes()).status, 413);
}

/// Messages that wait to be mailed, and where to.
fn mails(world: &World) -> Vec<(String, String)> {
    use hinomi_state::alerts::{Tried, Way};

    let database = world.accounts.database().expect("a state");
    let (late, mut all) = (crate::world::time("2200-01-01T00:00:00Z"), Vec::new());
    while let Some(message) = database.take_message("any", late, std::time::Duration::from_secs(60)).expect("asked") {
        let channel = database.channel(message.channel).expect("asked").expect("there");
        let Way::Mail(to) = channel.said.to else { panic!("no mail: {message:?}") };
        database.settle_message(message.number, &Tried::Sent, late).expect("written");
        all.push((to, message.body));
    }
    all
}

#[test]
fn who_gave_an_address_is_told_of_changes_and_new_browsers() {
    let world = inhabited();
    let mut ben = Browser::new(&world);
    assert_eq!(ben.sign_in("ben", WORD).status, 303);
    let send = |browser: &mut Browser<'_>, fields: &[(&str, &str)]| {
        let token = browser.token("/account");
        browser.post("/account", &[&[("token", token.as_str())], fields].concat())
    };
    assert_eq!(mails(&world), [], "nobody asked for any");
    let asked = send(&mut ben, &[("do", "mail-ask"), ("mail", "ben@example.org"), ("language", "en")]);
    assert!(asked.status == 200 && asked.text().contains("waits for its code"), "{}", asked.text());
    let told = mails(&world);
    let code = told[0].1.lines().find_map(|line| line.strip_prefix("    ")).expect("a code").to_owned();
    assert_eq!(send(&mut ben, &[("do", "mail-confirm"), ("code", "guess")]).status, 400);
    assert_eq!(send(&mut ben, &[("do", "mail-confirm"), ("code", &code)]).status, 200);
    assert_eq!(send(&mut ben, &[("do", "mail-ask"), ("mail", "no address")]).status, 400);
    assert_eq!(mails(&world), []);
    // The same browser is known; another is not.
    assert_eq!(ben.sign_in("ben", WORD).status, 303);
    assert_eq!(mails(&world), []);
    assert_eq!(Browser::new(&world).sign_in("ben", "a wrong word").status, 403);
    assert_eq!(mails(&world), [], "who did not get in is not told of here");
    assert_eq!(Browser::new(&world).sign_in("ben", WORD).status, 303);
    let told = mails(&world);
    assert!(told.len() == 1 && told[0].0 == "ben@example.org", "{told:?}");
    assert!(told[0].1.contains("new browser") && told[0].1.contains("127.0.0.1"), "{told:?}");
    // A browser may call itself what it likes: no word of that is in the message.
    let agent = "Origin: http://localhost\r\nUser-Agent: Read https://evil.example/x Firefox/140.0 (Linux)\r\n";
    assert_eq!(post(&world, "/sign-in", &[("name", "ben"), ("password", WORD)], agent).status, 303);
    let told = mails(&world);
    assert!(told.len() == 1 && told[0].1.contains("Browser: Firefox\nSystem: Linux\n"), "{told:?}");
    for word in ["://", "evil", "Read", "140"] {
        assert!(!told[0].1.contains(word), "{word}: {told:?}");
    }
    let fields = [("do", "add-key"), ("label", "x"), ("days", "30"), ("purpose", "research")];
    let made = send(&mut ben, &fields).text();
    let secret = made.split("<code id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("a key");
    let told = mails(&world);
    assert!(told.len() == 1 && told[0].1.contains("A key for programs was made"), "{told:?}");
    assert!(!told[0].1.contains(secret) && !told[0].1.contains("://"), "{told:?}");
    // Who signed in a while ago shows again who they are before the messages go elsewhere.
    world.clock.by(16 * 60);
    let later = send(&mut ben, &[("do", "mail-ask"), ("mail", "thief@example.org")]);
    assert_eq!(later.status, 303, "{}", later.text());
    assert_eq!(send(&mut ben, &[("do", "mail-remove")]).status, 303);
    assert_eq!(mails(&world), []);
}
