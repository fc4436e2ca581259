//! Saved queries over HTTP: the page's forms, the API, and who may not send them.

use crate::client::{Answer, ask, raw};
use crate::world::World;

fn send(world: &World, form: &str, headers: &str) -> Answer {
    let head = format!("POST /watch HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    raw(world.address, format!("{head}Content-Length: {}\r\n\r\n{form}", form.len()).as_bytes())
}

#[test]
fn a_query_is_saved_and_removed_by_the_forms_of_the_page() {
    let world = World::at_rest();
    let own = "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n";
    let saved = send(&world, "name=Telnet+%26+more&query=port%3A23&owner=noc", own);
    assert_eq!((saved.status, saved.header("location")), (303, "/watch"));
    let page = world.page("/watch", "en");
    for told in ["Telnet &#38; more", "port:23", "noc", "href=\"/search?q=port%3A23\""] {
        assert!(page.contains(told), "{told}");
    }
    let twice = send(&world, "name=Telnet+%26+more&query=port%3A24&owner=noc", own);
    assert!(twice.status == 400 && twice.text().contains("value=\"port:24\""), "what was typed stays");
    let wrong = send(&world, "name=other&query=prot%3A23&owner=noc", own);
    assert_eq!(wrong.status, 400);
    assert!(world.page("/watch", "ja").contains("保存した検索"));
    assert_eq!(send(&world, "remove=Telnet+%26+more", own).status, 303);
    assert!(world.page("/watch", "en").contains("No query is saved yet"));
}

#[test]
fn pages_of_other_origins_change_nothing() {
    let world = World::at_rest();
    let form = "name=x&query=port%3A23&owner=noc";
    for headers in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
    ] {
        assert_eq!(send(&world, form, headers).status, 403, "{headers}");
        let delete = ask(world.address, "DELETE", "/api/v1/watches?name=x", headers);
        assert_eq!(delete.status, 403, "{headers}");
    }
    assert_eq!(send(&world, &"x".repeat(40_000), "").status, 413);
    let chunked = "POST /watch HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(raw(world.address, chunked.as_bytes()).status, 413);
    assert_eq!(world.get("/api/v1/watches").json()["watches"], serde_json::json!([]));
}

#[test]
fn the_api_saves_lists_and_removes() {
    let world = World::at_rest();
    let post = |parameters: &str| ask(world.address, "POST", &format!("/api/v1/watches?{parameters}"), "");
    let saved = post("name=ssh&query=protocol:ssh&owner=noc");
    assert_eq!((saved.status, saved.json()["id"].as_u64()), (200, Some(1)), "{}", saved.text());
    assert_eq!(post("name=ssh&query=port:22&owner=noc").json()["code"], "watch");
    assert_eq!(post("name=two&query=prot:22&owner=noc").json()["code"], "query");
    assert_eq!(world.get("/api/v1/watches").json()["watches"][0]["query"], "protocol:ssh");
    let remove = |name: &str| ask(world.address, "DELETE", &format!("/api/v1/watches?name={name}"), "");
    assert_eq!((remove("ssh").status, remove("ssh").status), (200, 404));
}
