//! Two servers on one PostgreSQL are one installation to whoever signs in: sessions, keys, tries, invitations, sign-ins that
//! are under way, and the ledger. And the register's command line says the same there as on a file.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::{Background, Installation, stand_aside};
use crate::servers::cluster::Cluster;

const WORD: &str = "four words in a row";

/// A state folder whose state is in PostgreSQL.
fn server(cluster: &Cluster, more: &str) -> Installation {
    let here = Installation::new();
    fs::create_dir_all(here.state()).expect("made");
    fs::write(here.state().join("state.toml"), format!("[state]\nurl = \"{}\"\n", cluster.url())).expect("written");
    fs::write(here.state().join("web.toml"), more).expect("written");
    fs::write(here.path("word"), WORD).expect("written");
    here
}

/// A server that runs.
struct Running {
    here: Installation,
    port: u16,
    _serving: Background,
}

impl Running {
    fn start(here: Installation) -> Self {
        let (serving, line) = here.start(&["serve", "--port", "0", "--json"]);
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let url = told["url"].as_str().expect("an address");
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        Self { here, port, _serving: serving }
    }

    fn add(&self, name: &str, rights: &[&str]) {
        let word = self.here.path("word");
        let file = word.to_str().expect("a path");
        self.here.succeed(&[&["account", "add", name, "--password-file", file], rights].concat());
    }
}

/// An answer of curl: status, where it leads, and the whole text with its head.
struct Said {
    status: u16,
    leads: String,
    text: String,
}

/// curl with a jar: cookies are of a host, whatever its port, as in a browser.
struct Browser {
    folder: tempfile::TempDir,
}

impl Browser {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn jar(&self) -> PathBuf {
        self.folder.path().join("jar")
    }

    fn ask(&self, url: &str, further: &[&str]) -> Said {
        let jar = self.jar();
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--include",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            "--header",
            "Accept-Language: en",
        ]);
        command.arg("--cookie").arg(&jar).arg("--cookie-jar").arg(&jar).args(further).arg(url);
        let output = command.output().expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{url}: {text} {}", String::from_utf8_lossy(&output.stderr)));
        let head = |name: &str| text.lines().find(|line| line.to_lowercase().starts_with(name));
        let leads = head("location: ").map(|line| line["location: ".len()..].trim().to_owned()).unwrap_or_default();
        Said { status, leads, text }
    }

    fn get(&self, server: &Running, path: &str) -> Said {
        self.ask(&format!("http://localhost:{}{path}", server.port), &[])
    }

    fn post(&self, server: &Running, path: &str, fields: &[(&str, &str)]) -> Said {
        let origin = format!("Origin: http://localhost:{}", server.port);
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut further = vec!["--header", origin.as_str(), "--data", ""];
        fields.iter().for_each(|field| further.extend(["--data-urlencode", field]));
        self.ask(&format!("http://localhost:{}{path}", server.port), &further)
    }

    fn sign_in(&self, server: &Running, name: &str, word: &str) -> Said {
        self.post(server, "/sign-in", &[("name", name), ("password", word)])
    }

    fn token(&self, server: &Running, page: &str) -> String {
        let text = self.get(server, page).text;
        let token = text.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.unwrap_or_else(|| panic!("{page}: {text}")).to_owned()
    }
}

fn by_key(server: &Running, key: &str) -> u16 {
    let header = format!("Authorization: Bearer {key}");
    let browser = Browser::new();
    browser.ask(&format!("http://localhost:{}/api/v1/status", server.port), &["--header", &header]).status
}

#[test]
fn who_signs_in_at_one_is_known_at_the_other() {
    let Some(cluster) = Cluster::start() else { return };
    let (a, b) = (Running::start(server(&cluster, "")), Running::start(server(&cluster, "")));
    a.add("ann", &["--administrator"]);
    a.add("eve", &["--analyst"]);
    b.add("ben", &[]);
    assert_eq!(Browser::new().get(&b, "/").status, 303, "an account counts everywhere from its beginning on");

    // A session of one, ended at the other.
    let eve = Browser::new();
    assert_eq!(eve.sign_in(&a, "eve", WORD).status, 303);
    assert_eq!((eve.get(&a, "/account").status, eve.get(&b, "/account").status), (200, 200));
    let token = eve.token(&b, "/account");
    assert_eq!(eve.post(&b, "/account/sign-out", &[("token", &token)]).status, 303);
    let there = Browser::new();
    assert_eq!(there.sign_in(&a, "eve", WORD).status, 303);
    fs::copy(there.jar(), eve.jar()).expect("copied");
    let token = there.token(&b, "/account");
    assert_eq!(there.post(&b, "/account/sign-out", &[("token", &token)]).status, 303);
    assert_eq!(eve.get(&a, "/account").status, 303, "the same session, which ended at the other");

    // A key, revoked at the other.
    let key = a.here.succeed(&["account", "key", "add", "eve", "test"]).trim().to_owned();
    assert_eq!((by_key(&a, &key), by_key(&b, &key)), (200, 200));
    b.here.succeed(&["account", "key", "revoke", "eve", key.split('_').nth(1).expect("an id")]);
    assert_eq!((by_key(&a, &key), by_key(&b, &key)), (401, 401));

    // Closed at one, closed at both; rights too.
    assert_eq!(eve.sign_in(&a, "eve", WORD).status, 303);
    let ann = Browser::new();
    assert_eq!(ann.sign_in(&b, "ann", WORD).status, 303);
    let token = ann.token(&b, "/account/people");
    let close = [("token", token.as_str()), ("do", "close"), ("name", "eve")];
    assert_eq!(ann.post(&b, "/account/people", &close).status, 200);
    assert_eq!((eve.get(&a, "/account").status, eve.sign_in(&a, "eve", WORD).status), (303, 403));

    // An invitation of one is taken at the other, once.
    let add = [("token", token.as_str()), ("do", "add"), ("name", "fay")];
    let made = ann.post(&a, "/account/people", &add).text;
    let key = made.split("invited?key=").nth(1).and_then(|rest| rest.split('<').next()).expect("a link").to_owned();
    let fay = Browser::new();
    let word = [("key", key.as_str()), ("password", "other words in a row")];
    assert_eq!(fay.post(&b, "/sign-in/invited", &word).status, 303);
    assert_eq!(fay.get(&a, "/account").status, 200);
    assert_eq!(Browser::new().post(&a, "/sign-in/invited", &word).status, 403);
}

#[test]
fn tries_at_both_are_counted_together() {
    let Some(cluster) = Cluster::start() else { return };
    let (a, b) = (Running::start(server(&cluster, "")), Running::start(server(&cluster, "")));
    a.add("ann", &["--administrator"]);
    for server in [&a, &b, &a, &b, &a] {
        assert_eq!(Browser::new().sign_in(server, "ann", "a wrong word or two").status, 403);
    }
    // Five were free. Each further one waits twice as long, half a minute in all: counted apart, none of these would wait.
    let late: Vec<u16> =
        [&b, &a, &b, &a, &b].map(|server| Browser::new().sign_in(server, "ann", "a wrong word or two").status).into();
    assert!(late.contains(&429), "{late:?}");
}

#[test]
fn the_ledger_of_both_is_one_log() {
    let Some(cluster) = Cluster::start() else { return };
    let (a, b) = (Running::start(server(&cluster, "")), Running::start(server(&cluster, "")));
    a.add("ann", &["--administrator"]);
    a.here.succeed(&[
        "organisation",
        "add",
        "city-a",
        "--name-en",
        "A",
        "--kind",
        "municipality",
        "--purpose",
        "exposure-reduction",
    ]);
    b.add("ben", &[]);
    b.here.succeed(&["account", "role", "ben", "city-a", "reader"]);
    let ben = Browser::new();
    assert_eq!(ben.sign_in(&a, "ben", WORD).status, 303);
    for (number, server) in [&a, &b, &a, &b].into_iter().enumerate() {
        assert_eq!(ben.get(server, &format!("/api/v1/search?q=port:{}", 20 + number)).status, 200);
    }
    let looks = |server: &Running| {
        let entries = server.here.json_lines(&["ledger", "show", "--last", "1000"]);
        let is_his = |entry: &&Value| entry["kind"] == "look" && entry.to_string().contains("\"ben\"");
        (entries.len(), entries.iter().filter(is_his).count())
    };
    assert_eq!(looks(&a), looks(&b));
    assert_eq!(looks(&a).1, 4, "{:?}", a.here.json_lines(&["ledger", "show", "--last", "1000"]));
    let note = a.here.path("a.note");
    fs::write(&note, a.here.succeed(&["ledger", "checkpoint"])).expect("written");
    assert_eq!(ben.get(&b, "/api/v1/search?q=port:24").status, 200);
    for server in [&a, &b] {
        server.here.succeed(&["ledger", "check"]);
    }
    // What one vouched for the other goes on from.
    let grew = a.here.succeed(&["ledger", "prove", "--since", note.to_str().expect("a path")]);
    assert!(!grew.is_empty());
}

/// The certified provider of the tests of the pages, on loopback.
struct Elsewhere {
    child: Child,
    port: u16,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Elsewhere {
    /// Started, and the way to tell it where it sends browsers back to.
    fn start() -> Option<(Self, impl FnOnce(&str))> {
        let (Some(node), Some(_)) = (std::env::var_os("HINOMI_NODE"), std::env::var_os("HINOMI_OIDC")) else {
            stand_aside("HINOMI_NODE and HINOMI_OIDC name no Node.js with oidc-provider");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/tests/it/data/provider.mjs");
        let mut command = Command::new(node);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("starts");
        let (mut to, from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let mut from = BufReader::new(from);
        let mut line = String::new();
        from.read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        let go = move |redirect: &str| {
            let client = serde_json::json!({
                "client_id": "tower", "client_secret": "sesame", "redirect_uris": [redirect],
                "token_endpoint_auth_method": "client_secret_post",
            });
            writeln!(to, "{}", serde_json::json!({ "clients": [client] })).expect("it listens");
            line.clear();
            from.read_line(&mut line).expect("a line");
            assert_eq!(line.trim(), "ready");
            // It ends when nobody speaks to it any more.
            std::mem::forget(to);
        };
        Some((Self { child, port }, go))
    }

    /// Signs in there under this name and agrees; where the browser is sent then.
    fn sign_in(&self, address: &str, name: &str) -> String {
        let (browser, own) = (Browser::new(), format!("http://127.0.0.1:{}", self.port));
        let whole = |path: &str| if path.starts_with('/') { format!("{own}{path}") } else { path.to_owned() };
        let mut said = browser.ask(address, &[]);
        let login = format!("login={name}");
        for _ in 0..12 {
            let next = whole(&said.leads);
            if !said.leads.is_empty() && !next.starts_with(&own) {
                return next;
            }
            let form = said.text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).map(whole);
            said = match (said.leads.is_empty(), form) {
                (true, Some(form)) if said.text.contains("value=\"login\"") => {
                    browser.ask(&form, &["--data", "prompt=login&password=x", "--data-urlencode", &login])
                }
                (true, Some(form)) => browser.ask(&form, &["--data", "prompt=consent"]),
                (true, None) => panic!("no form: {}", said.text),
                (false, _) => browser.ask(&next, &[]),
            };
        }
        panic!("it leads nowhere: {}", said.text);
    }
}

#[test]
fn a_sign_in_that_one_began_the_other_ends() {
    let Some(cluster) = Cluster::start() else { return };
    let Some((elsewhere, go)) = Elsewhere::start() else { return };
    let settings = |private: bool| {
        format!(
            "[[oidc]]\nid = \"city\"\nname_ja = \"市\"\nname_en = \"City\"\nissuer = \"http://127.0.0.1:{}\"\nclient_id = \"tower\"\n\
             client_secret_file = \"oidc.secret\"\nscopes = [\"email\"]\nprivate = {private}\ncreate = true\ndomains = [\"city.example\"]\n",
            elsewhere.port
        )
    };
    let ready = |more: &str| {
        let here = server(&cluster, more);
        fs::write(here.state().join("oidc.secret"), "sesame\n").expect("written");
        here
    };
    let said = ready(&settings(false)).fail(&["serve", "--port", "0"]);
    assert!(said.contains("https://"), "without TLS only what is near: {said}");
    let (a, b) = (Running::start(ready(&settings(true))), Running::start(ready(&settings(true))));
    a.add("ann", &["--administrator"]);
    go(&format!("http://localhost:{}/sign-in/back/city", a.port));
    let gil = Browser::new();
    let led = gil.post(&a, "/sign-in/with/city", &[("to", "/about")]);
    let address =
        led.text.lines().find_map(|line| line.strip_prefix("refresh: 0;url=")).expect(&led.text).trim().to_owned();
    let back = elsewhere.sign_in(&address, "gil");
    let path = back.strip_prefix(&format!("http://localhost:{}", a.port)).expect(&back).to_owned();
    assert_eq!(Browser::new().get(&b, &path).status, 403, "without what binds it to the browser");
    assert_eq!(gil.get(&b, &path).status, 403, "and that was the one time");
    let led = gil.post(&a, "/sign-in/with/city", &[("to", "/about")]);
    let address =
        led.text.lines().find_map(|line| line.strip_prefix("refresh: 0;url=")).expect(&led.text).trim().to_owned();
    let back = elsewhere.sign_in(&address, "gil");
    let path = back.strip_prefix(&format!("http://localhost:{}", a.port)).expect(&back).to_owned();
    let entered = gil.get(&b, &path);
    assert_eq!((entered.status, entered.leads.as_str()), (303, "/about"), "{}", entered.text);
    assert_eq!((gil.get(&a, "/account").status, gil.get(&b, "/account").status), (200, 200));
    assert_eq!(gil.get(&a, &path).status, 403, "once, on whichever server");
    let people = b.here.json(&["account", "list"]);
    assert!(
        people["people"].as_array().expect("a list").iter().any(|one| one["name"] == "gil@city.example"),
        "{people}"
    );
}

#[test]
fn the_register_says_the_same_on_postgresql() {
    let Some(cluster) = Cluster::start() else { return };
    crate::organisation::people_decide(&server(&cluster, ""));
    let Some(cluster) = Cluster::start() else { return };
    crate::organisation::one_vendor(&server(&cluster, ""), 200);
}

#[test]
fn accounts_and_contacts_are_the_same_on_a_file_and_on_postgresql() {
    let Some(cluster) = Cluster::start() else { return };
    let on_file = Installation::new();
    fs::write(on_file.path("word"), WORD).expect("written");
    let said = [&on_file, &server(&cluster, "")].map(talk);
    assert_eq!(said[0], said[1]);
}

/// What the command line says, without moments and what is random.
fn talk(here: &Installation) -> Vec<String> {
    let word = here.path("word");
    let file = word.to_str().expect("a path");
    let mut said = Vec::new();
    let is_moment =
        |word: &str| word.trim_matches('"').starts_with("20") && word.contains('T') && word.ends_with(['Z', '"']);
    let plain = |text: &str| {
        let words = text.split([' ', '\n']).map(|word| if is_moment(word) { "MOMENT" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    let mut tell = |arguments: &[&str]| said.push(plain(&here.succeed(arguments)));
    tell(&[
        "organisation",
        "add",
        "city-a",
        "--name-ja",
        "甲市",
        "--kind",
        "municipality",
        "--purpose",
        "exposure-reduction",
    ]);
    tell(&["contact", "add", "city-a", "--mail", "csirt@city-a.example"]);
    tell(&["contact", "list", "city-a"]);
    tell(&["audience", "add", "isac", "--name-en", "ISAC"]);
    tell(&["audience", "join", "isac", "city-a"]);
    tell(&["audience", "show", "isac"]);
    tell(&["account", "add", "ann", "--administrator", "--password-file", file]);
    tell(&["account", "add", "ben", "--no-password", "--full-name", "Ben 弁"]);
    tell(&["account", "role", "ben", "city-a", "editor"]);
    tell(&["account", "rights", "ben", "--analyst"]);
    tell(&["account", "list"]);
    tell(&["account", "disable", "ben"]);
    tell(&["account", "enable", "ben"]);
    tell(&["account", "list"]);
    tell(&["ledger", "check"]);
    for wrong in [
        &["account", "disable", "ann"][..],
        &["account", "add", "ANN", "--no-password"],
        &["account", "role", "ben", "nobody", "reader"],
        &["contact", "add", "city-a", "--mail", "a b"],
        &["audience", "join", "isac", "nobody"],
    ] {
        said.push(here.fail(wrong));
    }
    said
}
