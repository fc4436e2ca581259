//! Signing in by way of a certified OpenID Connect provider that runs on loopback, and what is tried against it.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hinomi_model::{Clock, SystemClock};
use hinomi_state::{NewPerson, Person};
use hinomi_web::settings::provider::{Admission, Claim, Provider, Secret};
use hinomi_web::{Incoming, Outgoing, Outward, Settings};
use serde_json::json;

use crate::chrome;
use crate::client::{Answer, raw};
use crate::sign_in::{Browser, WORD, people};
use crate::world::{World, stand_aside};

/// Where browsers of these tests come back to.
const BACK: &str = "http://localhost/sign-in/back";

/// Asks on loopback alone, as the program does of providers that are near.
pub(crate) struct Near;

impl Outward for Near {
    fn ask(&self, request: &Outgoing) -> Result<Incoming, String> {
        let rest = request.url.strip_prefix("http://").ok_or("not on loopback")?;
        let (host, path) = rest.split_once('/').ok_or("no path")?;
        let address: SocketAddr = host.parse().map_err(|error| format!("{host}: {error}"))?;
        let authorization = request.authorization.as_ref().map(|value| format!("Authorization: {value}\r\n"));
        let body = request.form.clone().unwrap_or_default();
        let method = if request.form.is_some() { "POST" } else { "GET" };
        let text = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            authorization.unwrap_or_default(),
            body.len()
        );
        let answer = raw(address, text.as_bytes());
        Ok(Incoming { status: answer.status, body: answer.body })
    }
}

/// The provider. Ends when nobody speaks to it any more.
pub(crate) struct Elsewhere {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    port: u16,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.to.take());
        drop(self.child.wait());
    }
}

impl Elsewhere {
    /// None where it is not installed.
    fn start() -> Option<Self> {
        let (Some(node), Some(_)) = (std::env::var_os("HINOMI_NODE"), std::env::var_os("HINOMI_OIDC")) else {
            stand_aside("HINOMI_NODE and HINOMI_OIDC name no Node.js with oidc-provider");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/provider.mjs");
        let mut command = Command::new(node);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("starts");
        let (to, from) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("piped")));
        let mut provider = Self { child, to, from, port: 0 };
        provider.port = provider.line().parse().expect("a port");
        Some(provider)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Begins to answer, or begins anew with other keys.
    fn go(&mut self, redirects: &[String]) {
        let client = |id: &str, way: &str| {
            json!({
                "client_id": id, "client_secret": "no secret & no surprise", "redirect_uris": redirects,
                "token_endpoint_auth_method": way, "id_token_signed_response_alg": if id == "tower" { "RS256" } else { "ES256" },
            })
        };
        let told =
            json!({ "clients": [client("tower", "client_secret_basic"), client("tower-2", "client_secret_basic")] });
        writeln!(self.to.as_mut().expect("open"), "{told}").expect("it listens");
        assert_eq!(self.line(), "ready");
    }

    /// As the settings name it.
    fn named(&self, id: &str) -> Provider {
        Provider {
            id: id.into(),
            name_ja: "市のアカウント".into(),
            name_en: "City account".into(),
            issuer: self.issuer(),
            client_id: "tower".into(),
            secret: Some(Secret::new("no secret & no surprise".into())),
            scopes: vec!["email".into(), "profile".into()],
            private: true,
            admission: None,
        }
    }

    /// What a browser gets there: cookies of its own in `jar`.
    fn ask(&self, jar: &mut Vec<(String, String)>, method: &str, path: &str, body: &str) -> Answer {
        let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            cookies.join("; "),
            body.len()
        );
        let answer = raw(SocketAddr::from(([127, 0, 0, 1], self.port)), text.as_bytes());
        for cookie in &answer.cookies {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            jar.retain(|(each, _)| each != name);
            jar.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    /// Signs in there under this name and agrees; where the browser is sent then.
    fn sign_in(&self, address: &str, name: &str) -> String {
        let (mut jar, own) = (Vec::new(), self.issuer());
        let path = |address: &str| address.strip_prefix(&own).unwrap_or(address).to_owned();
        let mut answer = self.ask(&mut jar, "GET", &path(address), "");
        for _ in 0..12 {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let location = answer.header("location").to_owned();
            if !location.is_empty() && !location.starts_with('/') && !location.starts_with(&own) {
                return location;
            }
            let form = || text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).map(path);
            answer = match (location.is_empty(), text.contains("value=\"login\"")) {
                (false, _) => self.ask(&mut jar, "GET", &path(&location), ""),
                (true, true) => {
                    let body = format!("prompt=login&login={}&password=x", hinomi_web::link::encode(name));
                    self.ask(&mut jar, "POST", &form().unwrap_or_else(|| panic!("a form: {text}")), &body)
                }
                (true, false) => {
                    self.ask(&mut jar, "POST", &form().unwrap_or_else(|| panic!("a form: {text}")), "prompt=consent")
                }
            };
        }
        panic!("it leads nowhere: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
}

/// A town with people, and a provider with these names.
fn world(names: &[&str], change: impl Fn(&mut Provider)) -> Option<(World, Elsewhere)> {
    let mut elsewhere = Elsewhere::start()?;
    let mut providers: Vec<_> = names.iter().map(|id| elsewhere.named(id)).collect();
    providers.iter_mut().for_each(change);
    let world = World::reached(Settings { providers, ..Settings::default() });
    // Tokens of the provider say when it is.
    let off = SystemClock.now().as_micros() - world.clock.now().as_micros();
    world.clock.by(off / 1_000_000);
    let mut redirects: Vec<_> = names.iter().map(|id| format!("{BACK}/{id}")).collect();
    redirects.push(format!("http://localhost:{}/sign-in/back/city", world.address.port()));
    elsewhere.go(&redirects);
    people(&world);
    Some((world, elsewhere))
}

/// Where the page that leads on leads to.
fn led(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("refresh").strip_prefix("0;url=").unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

/// The path of this server that a browser is sent back to.
fn path(location: &str) -> String {
    location.strip_prefix("http://localhost").unwrap_or_else(|| panic!("{location}")).to_owned()
}

/// Goes to the provider and comes back as somebody there.
fn comes_back(browser: &mut Browser<'_>, elsewhere: &Elsewhere, form: (&str, &[(&str, &str)]), name: &str) -> Answer {
    let address = led(&browser.post(form.0, form.1));
    browser.get(&path(&elsewhere.sign_in(&address, name)))
}

fn links(browser: &mut Browser<'_>, elsewhere: &Elsewhere, name: &str) -> Answer {
    let token = browser.token("/account");
    comes_back(browser, elsewhere, ("/account/with/city", &[("token", &token), ("do", "link")]), name)
}

fn person(world: &World, name: &str) -> Person {
    world.accounts.person(name).expect("asked").unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn an_account_elsewhere_is_linked_and_signs_in() {
    let Some((world, mut elsewhere)) = world(&["city"], |_| {}) else { return };
    let mut eve = Browser::new(&world);
    assert_eq!(eve.sign_in("eve", WORD).status, 303);
    let linked = links(&mut eve, &elsewhere, "E 17");
    assert_eq!((linked.status, linked.header("location")), (303, "/account"), "{}", linked.text());
    let page = eve.get("/account").text();
    assert!(page.contains("City account") && page.contains("E 17"), "{page}");
    // Nobody else takes it.
    let mut ben = Browser::new(&world);
    ben.sign_in("ben", WORD);
    assert_eq!(links(&mut ben, &elsewhere, "E 17").status, 400);

    let mut other = Browser::new(&world);
    other.plant(&"0".repeat(64));
    let with = ("/sign-in/with/city", &[("to", "/search?q=port:22")][..]);
    let entered = comes_back(&mut other, &elsewhere, with, "E 17");
    assert_eq!((entered.status, entered.header("location")), (303, "/search?q=port:22"), "{}", entered.text());
    assert!(other.session().is_some_and(|token| token != "0".repeat(64)), "a session of its own");
    assert_eq!(other.get("/hosts/192.0.2.10").status, 200);
    let eve_is = person(&world, "eve");
    let sessions = world.accounts.sessions(&eve_is.id, world.clock.now()).expect("asked");
    assert!(sessions.iter().any(|session| session.way == "provider"), "{sessions:?}");
    // The provider did not say that anything was asked there: a change that matters asks first.
    let token = other.token("/account");
    let asked = other.post("/account/with/city", &[("token", token.as_str()), ("do", "link")]);
    assert_eq!((asked.status, asked.header("location")), (303, "/account/again?to=%2Faccount"), "{}", asked.text());

    // Other keys from one moment to the next.
    elsewhere.go(&[format!("{BACK}/city")]);
    assert_eq!(comes_back(&mut Browser::new(&world), &elsewhere, with, "E 17").status, 303);
    let unknown = comes_back(&mut Browser::new(&world), &elsewhere, with, "E 18");
    assert!(unknown.status == 403 && unknown.text().contains("Nobody here has this account"), "{}", unknown.text());

    // Closed here is closed there too; unlinked opens nothing.
    world.accounts.disable("eve", Some(world.clock.now())).expect("closed");
    assert_eq!(comes_back(&mut Browser::new(&world), &elsewhere, with, "E 17").status, 403);
    world.accounts.disable("eve", None).expect("open");
    eve.sign_in("eve", WORD);
    let (token, issuer) = (eve.token("/account"), elsewhere.issuer());
    let unlink = [("token", token.as_str()), ("do", "unlink"), ("issuer", &issuer), ("subject", "E 17")];
    assert_eq!(eve.post("/account", &unlink).status, 200);
    assert_eq!(comes_back(&mut Browser::new(&world), &elsewhere, with, "E 17").status, 403);
}

#[test]
fn what_comes_back_counts_once_in_one_browser_and_from_one_provider() {
    let Some((world, elsewhere)) = world(&["city", "town"], |provider| {
        if provider.id == "town" {
            provider.issuer.push('/');
        }
    }) else {
        return;
    };
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    assert_eq!(links(&mut eve, &elsewhere, "E 17").status, 303);
    let begin = |browser: &mut Browser<'_>| {
        path(&elsewhere.sign_in(&led(&browser.post("/sign-in/with/city", &[("to", "//evil.example")])), "E 17"))
    };
    let refused = |answer: &Answer, why: &str| {
        let text = answer.text();
        assert!(answer.status == 403 && text.contains("was not accepted"), "{why}: {} {text}", answer.status);
    };
    // Twice; in another browser; as what another provider says; without its name or with another; too late.
    let mut browser = Browser::new(&world);
    let back = begin(&mut browser);
    let entered = browser.get(&back);
    assert_eq!((entered.status, entered.header("location")), (303, "/"), "nowhere else");
    refused(&Browser::new(&world).get(&back), "twice");
    let mut browser = Browser::new(&world);
    let back = begin(&mut browser);
    refused(&Browser::new(&world).get(&back), "in another browser");
    refused(&browser.get(&back), "it was taken out by whoever tried");
    for (why, changed) in [
        ("another provider's address", ("/back/city", "/back/town")),
        ("no issuer", ("&iss=", "&was=")),
        ("another issuer", ("&iss=http", "&iss=https")),
        ("another code", ("code=", "code=x")),
        ("no code", ("code=", "cod=")),
        ("an error", ("code=", "error=access_denied&code=")),
        ("another state", ("state=", "state=0")),
    ] {
        let mut browser = Browser::new(&world);
        let back = begin(&mut browser);
        assert!(back.contains(changed.0), "{why}: {back}");
        refused(&browser.get(&back.replace(changed.0, changed.1)), why);
        refused(&browser.get(&back), &format!("after {why}"));
    }
    let mut browser = Browser::new(&world);
    let back = begin(&mut browser);
    world.clock.by(301);
    refused(&browser.get(&back), "too late");
    world.clock.by(-301);
    // The document of one issuer is not taken for another's, and what is not there is not found.
    let other = Browser::new(&world).post("/sign-in/with/town", &[]);
    assert!(other.status == 502 && other.text().contains("does not answer"), "{}", other.status);
    assert_eq!(Browser::new(&world).post("/sign-in/with/nobody", &[]).status, 404);
}

#[test]
fn nobody_links_what_somebody_else_began() {
    let Some((world, elsewhere)) = world(&["city"], |_| {}) else { return };
    let (mut eve, mut ben) = (Browser::new(&world), Browser::new(&world));
    eve.sign_in("eve", WORD);
    ben.sign_in("ben", WORD);
    let token = eve.token("/account");
    for fields in [vec![("do", "link")], vec![("do", "link"), ("token", "00")]] {
        assert_eq!(eve.post("/account/with/city", &fields).status, 403, "a form of another page");
    }
    let address = led(&eve.post("/account/with/city", &[("token", &token), ("do", "link")]));
    // Ben is given what Eve began: even with what binds it to her browser it is of her session.
    ben.take_flow(&eve);
    assert_eq!(ben.get(&path(&elsewhere.sign_in(&address, "B 1"))).status, 403);
    for name in ["eve", "ben"] {
        assert!(world.accounts.linked(&person(&world, name).id).expect("asked").is_empty(), "{name}");
    }
}

#[test]
fn accounts_are_made_for_whom_the_settings_name_and_taken_over_from_nobody() {
    let admission = Admission {
        domains: vec!["city.example".into()],
        claim: Some(Claim { name: "groups".into(), value: "tower".into() }),
    };
    let Some((world, elsewhere)) = world(&["city"], |provider| provider.admission = Some(admission.clone())) else {
        return;
    };
    let comes = |name: &str| comes_back(&mut Browser::new(&world), &elsewhere, ("/sign-in/with/city", &[]), name);
    let entered = comes("gil");
    assert_eq!(entered.status, 303, "{}", entered.text());
    let gil = person(&world, "gil@city.example");
    assert!(!gil.administrator && !gil.analyst && gil.memberships.is_empty() && !gil.has_password, "{gil:?}");
    assert_eq!(comes("gil").status, 303, "the same one again");
    for other in ["unverified", "hal@evil.example", "hal@city.example.evil.example"] {
        assert_eq!(comes(other).status, 403, "{other}");
    }
    // Who has an address that is no name of an account has another name.
    assert_eq!(comes("hal+tower").status, 303);
    assert!(world.accounts.people().expect("asked").iter().any(|one| one.name.starts_with("city-")));
    // An address is no key: who has it elsewhere is not who has it here.
    let new = NewPerson {
        name: "boss@city.example".into(),
        full_name: String::new(),
        administrator: true,
        analyst: true,
        password: None,
    };
    world.accounts.add(&new, world.clock.now()).expect("an account");
    let taken = comes("boss");
    assert_eq!(taken.status, 400, "{}", taken.text());
    assert!(world.accounts.linked(&person(&world, "boss@city.example").id).expect("asked").is_empty());
    // The last way to sign in stays; a closed account is not made anew.
    let (id, issuer) = (gil.id.as_str(), elsewhere.issuer());
    assert!(world.accounts.unlink_identity(id, &issuer, "gil").is_err());
    world.accounts.disable("gil@city.example", Some(world.clock.now())).expect("closed");
    assert_eq!(comes("gil").status, 403);
}

#[test]
fn an_invitation_is_taken_with_an_account_elsewhere() {
    let Some((world, elsewhere)) = world(&["city"], |_| {}) else { return };
    let mut ann = Browser::new(&world);
    ann.sign_in("ann", WORD);
    let token = ann.token("/account/people");
    let made = ann.post("/account/people", &[("token", &token), ("do", "add"), ("name", "fay")]).text();
    let key = made.split("invited?key=").nth(1).and_then(|rest| rest.split('<').next()).expect("a link").to_owned();
    let page = Browser::new(&world).get(&format!("/sign-in/invited?key={key}")).text();
    assert!(page.contains("/sign-in/with/city"), "{page}");
    assert_eq!(Browser::new(&world).post("/sign-in/with/city", &[("key", "00")]).status, 403);
    let mut fay = Browser::new(&world);
    let entered = comes_back(&mut fay, &elsewhere, ("/sign-in/with/city", &[("key", &key)]), "F 5");
    assert_eq!(entered.status, 303, "{}", entered.text());
    assert!(fay.get("/account").text().contains("F 5"));
    let again = Browser::new(&world).post("/sign-in/with/city", &[("key", &key)]);
    assert_eq!(again.status, 403, "it is used up");
    assert_eq!(comes_back(&mut Browser::new(&world), &elsewhere, ("/sign-in/with/city", &[]), "F 5").status, 303);
}

#[test]
fn who_signed_in_a_while_ago_shows_again_who_they_are() {
    let Some((world, elsewhere)) = world(&["city"], |_| {}) else { return };
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    assert_eq!(links(&mut eve, &elsewhere, "E 17").status, 303);
    let token = eve.token("/account");
    let key = [
        ("token", token.as_str()),
        ("do", "add-key"),
        ("label", "x"),
        ("purpose", "research"),
        ("days", "30"),
        ("may", "read"),
    ];
    assert_eq!(eve.post("/account", &key).status, 200);
    world.clock.by(15 * 60);
    let asked = |answer: &Answer| (answer.status, answer.header("location").to_owned());
    let again = (303, "/account/again?to=%2Faccount".to_owned());
    assert_eq!(asked(&eve.post("/account", &key)), again);
    let issuer = elsewhere.issuer();
    for (path, fields) in [
        ("/account", vec![("do", "unlink"), ("issuer", issuer.as_str()), ("subject", "E 17")]),
        ("/account", vec![("do", "remove-passkey"), ("id", "00")]),
        ("/account/with/city", vec![("do", "link")]),
    ] {
        let fields: Vec<_> = fields.into_iter().chain([("token", token.as_str())]).collect();
        assert_eq!(asked(&eve.post(path, &fields)), again, "{path} {fields:?}");
    }
    // Looking, ending and revoking go on without.
    assert_eq!(eve.get("/account").status, 200);
    let page = eve.get("/account/again?to=/account").text();
    assert!(page.contains("type=\"password\"") && page.contains("City account"), "{page}");
    let with = |password: &'static str| [("password", password), ("to", "/account")];
    let send = |browser: &mut Browser<'_>, password| {
        let fields: Vec<_> = with(password).into_iter().chain([("token", token.as_str())]).collect();
        browser.post("/account/again", &fields)
    };
    assert_eq!(send(&mut eve, "a wrong word or two").status, 403);
    assert_eq!(asked(&eve.post("/account", &key)), again);
    assert_eq!(asked(&send(&mut eve, WORD)), (303, "/account".to_owned()));
    assert_eq!(eve.post("/account", &key).status, 200);

    // By the account elsewhere: as the same person, who signs in there anew. The provider's clock is the machine's.
    world.clock.by(-15 * 60);
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    let eve_is = person(&world, "eve");
    let own = world.accounts.session(eve.session().expect("a session"), world.clock.now());
    let session = own.expect("asked").expect("a session").0.id;
    let long_ago = hinomi_model::Timestamp::from_micros(0);
    world.accounts.confirm_session(&eve_is.id, &session, long_ago).expect("written");
    let token = eve.token("/account");
    let form = [("token", token.as_str()), ("do", "again"), ("to", "/account")];
    assert_eq!(comes_back(&mut eve, &elsewhere, ("/account/with/city", &form), "somebody else").status, 403);
    let link = [("token", token.as_str()), ("do", "link")];
    assert_eq!(asked(&eve.post("/account/with/city", &link)), again);
    assert_eq!(comes_back(&mut eve, &elsewhere, ("/account/with/city", &form), "E 17").status, 303);
    led(&eve.post("/account/with/city", &link));
    // Rights of others.
    let mut ann = Browser::new(&world);
    ann.sign_in("ann", WORD);
    let token = ann.token("/account/people");
    let rights = [("token", token.as_str()), ("do", "rights"), ("name", "ben"), ("analyst", "yes")];
    world.clock.by(15 * 60);
    assert_eq!(asked(&ann.post("/account/people", &rights)).0, 303);
    assert!(!person(&world, "ben").analyst);
}

#[test]
fn one_source_cannot_have_providers_asked_for_ever() {
    let Some((world, _elsewhere)) = world(&["city"], |_| {}) else { return };
    for number in 0..30 {
        led(&Browser::new(&world).post("/sign-in/with/city", &[("n", &number.to_string())]));
    }
    let slowed = Browser::new(&world).post("/sign-in/with/city", &[]);
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "1"));
    assert_eq!(Browser::new(&world).sign_in("eve", WORD).status, 303, "passwords are counted by themselves");
}

#[test]
fn a_browser_is_led_to_a_provider_and_back() {
    let there = Command::new("chromium").arg("--version").output().is_ok();
    if !there {
        stand_aside("chromium is not installed");
        return;
    }
    let Some((world, elsewhere)) = world(&["city"], |_| {}) else { return };
    let base = format!("http://localhost:{}", world.address.port());
    let eve = person(&world, "eve");
    world.accounts.link_identity(&eve.id, &elsewhere.issuer(), "E 17", world.clock.now()).expect("linked");
    let mut browser = chrome::Browser::start();
    browser.go(&format!("{base}/sign-in?to=%2Fabout&lang=en"));
    browser.tell("document.querySelector('form[action=\"/sign-in/with/city\"]').requestSubmit()");
    browser.until("document.querySelector('input[name=login]') !== null");
    browser.tell(
        "document.querySelector('input[name=login]').value = 'E 17'; document.querySelector('input[name=password]').value = 'x'; \
         document.querySelector('form').requestSubmit()",
    );
    browser.until("document.querySelector('input[name=prompt]')?.value === 'consent'");
    browser.tell("document.querySelector('form').requestSubmit()");
    browser.until("location.pathname === '/about' && document.readyState === 'complete'");
    let sessions = world.accounts.sessions(&eve.id, world.clock.now()).expect("asked");
    assert!(sessions.len() == 1 && sessions[0].way == "provider", "{sessions:?}");
}
