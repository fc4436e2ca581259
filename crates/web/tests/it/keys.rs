//! Keys for programs: what they open, and until when.

use std::io::{Read, Write};
use std::time::Duration;

use hinomi_model::{Clock, Purpose};
use hinomi_state::{KeyText, NewKey};

use crate::client::{Answer, ask};
use crate::sign_in::{WORD, inhabited};
use crate::world::World;

/// A key of Eve's, for a day.
fn make(world: &World, writes: bool, kinds: &[&str]) -> KeyText {
    let eve = world.accounts.person("eve").expect("asked").expect("eve");
    let now = world.clock.now();
    let new = NewKey {
        label: "test".into(),
        organisation: None,
        purpose: Purpose::Research,
        writes,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        expires: now.plus(Duration::from_secs(86_400)),
    };
    world.accounts.add_key(&eve.id, &new, now).expect("a key").0
}

pub(crate) fn bearer(world: &World, key: &str, target: &str) -> Answer {
    ask(world.address, "GET", target, &format!("Authorization: Bearer {key}\r\n"))
}

#[test]
fn keys_open_what_they_say_and_no_more() {
    let world = inhabited();
    let eve = world.accounts.person("eve").expect("asked").expect("eve");
    let now = world.clock.now();
    let (reads, writes, taxii) = (make(&world, false, &[]), make(&world, true, &[]), make(&world, false, &["taxii"]));
    let (read_text, write_text) = (reads.reveal(), writes.reveal());
    assert_eq!(bearer(&world, &read_text, "/api/v1/status").status, 200);
    let basic = data_encoding::BASE64.encode(format!("eve:{read_text}").as_bytes());
    assert_eq!(ask(world.address, "GET", "/api/v1/status", &format!("Authorization: Basic {basic}\r\n")).status, 200);
    let word = data_encoding::BASE64.encode(format!("eve:{WORD}").as_bytes());
    assert_eq!(ask(world.address, "GET", "/api/v1/status", &format!("Authorization: Basic {word}\r\n")).status, 401);
    assert_eq!(bearer(&world, &taxii.reveal(), "/api/v1/status").status, 403, "for something else");
    for page in ["/", "/account", "/account/people"] {
        assert_eq!(bearer(&world, &write_text, page).status, 403, "{page} is for people");
    }
    let add = |text: &str| {
        let target = "/api/v1/watches?name=w&query=port:23&owner=e";
        ask(world.address, "POST", target, &format!("Authorization: Bearer {text}\r\n")).status
    };
    assert_eq!((add(&read_text), add(&write_text)), (403, 200));
    // In an address: under /compat/ alone, and a key that reads alone.
    assert_eq!(world.get(&format!("/compat/shodan/nothing?key={read_text}")).status, 404, "let in");
    assert_eq!(world.get(&format!("/compat/shodan/nothing?key={write_text}")).status, 401);
    assert_eq!(world.get(&format!("/api/v1/status?key={read_text}")).status, 401);
    // Its last character may be the very one that is put in its place.
    let other = if read_text.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{other}", &read_text[..read_text.len() - 1]);
    for bad in [wrong.as_str(), "hinomi_", "x", &read_text.replace("hinomi", "hinom")] {
        assert_eq!(bearer(&world, bad, "/api/v1/status").status, 401, "{bad}");
    }
    assert!(world.accounts.revoke_key(&eve.id, writes.id(), now).expect("asked"));
    assert_eq!(bearer(&world, &write_text, "/api/v1/status").status, 401, "revoked");
    world.clock.by(86_400);
    assert_eq!(bearer(&world, &read_text, "/api/v1/status").status, 401, "ended");
}

#[test]
fn a_stream_ends_with_the_key_that_opened_it() {
    let world = inhabited();
    let eve = world.accounts.person("eve").expect("asked").expect("eve");
    let key = make(&world, false, &[]);
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    let mut stream = std::net::TcpStream::connect(world.address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let head = format!(
        "GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
        key.reveal()
    );
    stream.write_all(head.as_bytes()).expect("taken");
    let mut told = Vec::new();
    while !told.windows(6).any(|window| window == b"retry:") {
        let mut some = [0; 512];
        let count = stream.read(&mut some).expect("it begins");
        assert!(count > 0, "{}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&some[..count]);
    }
    assert!(world.accounts.revoke_key(&eve.id, key.id(), world.clock.now()).expect("asked"));
    while !told.windows(14).any(|window| window == b"event: problem") {
        let mut some = [0; 512];
        let count = stream.read(&mut some).expect("it says why it ends");
        assert!(count > 0, "{}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&some[..count]);
    }
    assert!(String::from_utf8_lossy(&told).contains("not-entitled"));
}

#[test]
fn keys_that_open_nothing_are_counted() {
    let world = inhabited();
    let key = make(&world, false, &[]).reveal();
    let wrong = |number: usize| format!("hinomi_0123456789abcdef_{number:064x}");
    let basic = |text: &str| data_encoding::BASE64.encode(format!("eve:{text}").as_bytes());
    let ways: [&dyn Fn(usize) -> Answer; 4] = [
        &|number| bearer(&world, &wrong(number), "/api/v1/status"),
        &|number| {
            let headers = format!("Authorization: Basic {}\r\n", basic(&wrong(number)));
            ask(world.address, "GET", "/taxii2/", &headers)
        },
        &|number| ask(world.address, "GET", &format!("/compat/shodan/api-info?key={}", wrong(number)), ""),
        &|_| {
            let headers = format!("Authorization: Basic {}\r\n", basic(WORD));
            ask(world.address, "GET", "/compat/misp/users/view/me", &headers)
        },
    ];
    for number in 0..30 {
        assert_eq!(ways[number % 4](number).status, 401, "{number}");
    }
    for way in ways {
        let slowed = way(99);
        assert_eq!((slowed.status, slowed.header("retry-after")), (429, "1"));
    }
    assert_eq!(bearer(&world, &key, "/api/v1/status").status, 200, "who has one is not slowed down");
    world.clock.by(1);
    assert_eq!(ways[0](7).status, 401);
}

#[test]
fn a_scan_is_refused_with_words_whoever_orders_it() {
    let world = inhabited();
    let (reads, writes) = (make(&world, false, &[]).reveal(), make(&world, true, &[]).reveal());
    let order = |target: &str, headers: &str, body: &str| {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        crate::client::raw(world.address, head.as_bytes())
    };
    let scan = "/compat/shodan/shodan/scan";
    // Their client puts the key into the form.
    let bodies = [format!("key={reads}&ips=203.0.113.0%2F24"), "ips=203.0.113.0%2F24".to_owned()];
    for body in &bodies {
        for (target, headers) in [
            (scan.to_owned(), String::new()),
            (format!("{scan}?key={reads}"), String::new()),
            (scan.to_owned(), format!("Authorization: Bearer {writes}\r\n")),
            (format!("{scan}/internet"), String::new()),
        ] {
            let answer = order(&target, &headers, body);
            let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
            assert!(answer.status == 422 && error.contains("needs a scope that is signed"), "{target}: {error}");
        }
    }
    let refused = ask(world.address, "GET", &format!("/compat/shodan/api-info?key={writes}"), "");
    let words = refused.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(refused.status == 401 && words.contains("does not stand in an address"), "{words}");
}
