//! Who may speak to the server and how: names, methods, headers, languages, ending.

use std::net::SocketAddr;
use std::sync::Arc;

use hinomi_web::WebError;

use crate::client::{ask, raw};
use crate::world::World;

fn named(world: &World, host: &str, target: &str) -> u16 {
    raw(world.address, format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n").as_bytes()).status
}

#[test]
fn a_name_that_is_not_this_machine_is_misdirected() {
    let world = World::empty();
    for own in ["Host: localhost\r\n", "Host: 127.0.0.1:8080\r\n", "Host: [::1]:1\r\n"] {
        assert_eq!(named(&world, own, "/"), 200, "{own}");
    }
    for foreign in ["Host: rebind.example\r\n", "Host: 127.0.0.1.nip.example\r\n", "Host: \r\n", ""] {
        for target in ["/", "/api/v1/status", "/assets/style.css"] {
            assert!([400, 421].contains(&named(&world, foreign, target)), "{foreign} {target}");
        }
    }
    assert_eq!(named(&world, "Host: localhost\r\n", "http://rebind.example/"), 421);
}

#[test]
fn every_answer_carries_the_policy_and_allows_no_other_origin() {
    let world = World::at_rest();
    let targets =
        ["/", "/nowhere", "/hosts/x", "/api/v1/search", "/api/v1/nowhere", "/assets/style.css", "/favicon.ico"];
    for target in targets {
        let answer = ask(world.address, "GET", target, "Origin: http://evil.example\r\n");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{target}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{target}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{target}");
        assert!(!answer.headers.keys().any(|name| name.starts_with("access-control-")), "{target}");
    }
}

#[test]
fn only_reading_is_possible_and_bodies_are_refused() {
    let world = World::at_rest();
    for target in ["/", "/search", "/api/v1/search", "/assets/style.css"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = ask(world.address, method, target, "");
            assert_eq!(answer.status, 405, "{method} {target}");
            assert_eq!(answer.header("allow"), "GET,HEAD", "{method} {target}");
        }
        let head = ask(world.address, "HEAD", target, "");
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
    }
    let body = ask(world.address, "GET", "/api/v1/search", "Content-Length: 2\r\n\r\nhi");
    assert_eq!((body.status, body.json()["code"].as_str()), (413, Some("body-not-accepted")));
    let long = world.get(&format!("/search?q={}", "x".repeat(20_000)));
    assert_eq!(long.status, 414);
}

#[test]
fn assets_are_kept_by_their_content() {
    let world = World::empty();
    let style = hinomi_web::asset::address("style.css");
    let first = world.get(&style);
    assert_eq!((first.status, first.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(first.header("cache-control").contains("immutable"));
    let again = ask(world.address, "GET", &style, &format!("If-None-Match: {}\r\n", first.header("etag")));
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(world.get("/assets/style.css").header("cache-control"), "no-cache");
    assert_eq!(world.get("/assets/../Cargo.toml").status, 404);
}

#[test]
fn the_language_is_asked_remembered_or_japanese() {
    let world = World::at_rest();
    let lang = |answer: &crate::client::Answer| {
        let text = answer.text();
        let tag =
            text.split("<html lang=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a language").to_owned();
        assert_eq!(answer.header("content-language"), tag);
        tag
    };
    assert_eq!(lang(&world.get("/")), "ja");
    assert_eq!(lang(&ask(world.address, "GET", "/", "Accept-Language: en-GB,ja;q=0.5\r\n")), "en");
    let chosen = world.get("/search?q=port:22&lang=en");
    assert_eq!(lang(&chosen), "en");
    let cookie = chosen.header("set-cookie");
    assert!(cookie.starts_with("hinomi_lang=en;") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert!(chosen.text().contains("href=\"/search?q=port%3A22&#38;lang=ja\""), "the switch keeps the query");
    assert_eq!(lang(&ask(world.address, "GET", "/about", "Cookie: hinomi_lang=en\r\n")), "en");
    assert_eq!(lang(&world.get("/nowhere?lang=en")), "en");
}

#[test]
fn addresses_that_others_can_reach_are_refused_and_a_taken_port_is_named() {
    let world = World::empty();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::TempDir::new().expect("a folder");
    let bind = |bind: SocketAddr| {
        let options = hinomi_lake::LakeOptions {
            dir: folder.path().to_owned(),
            read_only: false,
            identifier: Arc::new(hinomi_identify::Engine::builtin().expect("rules")),
            places: hinomi_lake::Places::default(),
            clock: Arc::new(hinomi_model::SystemClock),
        };
        let lake = hinomi_lake::Lake::open(options).expect("a lake");
        let reader = hinomi_share::Reader::new(Arc::new(lake), hinomi_share::Viewer::Operator);
        let (door, clock) = (hinomi_share::Door::new(reader), Arc::new(hinomi_model::SystemClock));
        let accounts = hinomi_state::Accounts::of(hinomi_state::Target::Sqlite(folder.path().join("state.sqlite")));
        let (progress, settings) = (Arc::new(hinomi_web::NoSurveys), hinomi_web::Settings::default());
        let server = hinomi_web::Server {
            door,
            progress,
            clock,
            bind,
            installation: String::new(),
            simulated: None,
            accounts,
            settings,
            outward: std::sync::Arc::new(hinomi_web::outward::Silent),
            prober: None,
        };
        runtime.block_on(server.bind()).err().expect("refused")
    };
    for open in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0", "[::ffff:10.0.0.1]:0"] {
        let error = bind(open.parse().expect("an address"));
        assert!(matches!(error, WebError::NotLoopback { .. }), "{open}: {error}");
        assert!(error.to_string().contains("127.0.0.1"), "says what to do: {error}");
    }
    let taken = bind(world.address);
    assert!(matches!(taken, WebError::InUse { port } if port == world.address.port()), "{taken}");
}

#[test]
fn it_ends_when_told_even_with_a_connection_that_never_asks() {
    let world = World::empty();
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    let idle = std::net::TcpStream::connect(world.address).expect("the server listens");
    let address = world.address;
    drop(world);
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    let after = std::net::TcpStream::connect(address);
    assert!(after.is_err(), "nothing listens any more");
    drop(idle);
}
