//! The self check: the visitor's own address, and no other.

use crate::client::{Answer, raw};
use crate::world::World;

fn post(world: &World, form: &str, headers: &str) -> Answer {
    let head = format!("POST /self-check?lang=en HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}");
    raw(world.address, format!("{head}Content-Length: {}\r\n\r\n{form}", form.len()).as_bytes())
}

#[test]
fn a_visitor_is_told_of_the_own_address_and_of_no_other() {
    let world = World::at_rest();
    let page = world.page("/self-check", "en");
    assert!(page.contains("127.0.0.1") && page.contains("inside a local network") && !page.contains("<select"));
    assert!(world.page("/self-check", "ja").contains("うちのルーターは大丈夫"));
    // What is known of others cannot be asked for, whatever the form says.
    let answer = post(&world, "home=192.0.2.10", "");
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.contains("The answer for 127.0.0.1") && text.contains("Nothing is known to be open"), "{text}");
    assert!(!text.contains("192.0.2.10"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(post(&world, "", "Origin: http://evil.example\r\n").status, 403);
}

#[test]
fn who_asks_too_often_waits() {
    let world = World::at_rest();
    let statuses: Vec<u16> = (0..8).map(|_| post(&world, "", "").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
}

#[test]
fn in_a_demonstration_a_simulated_home_is_chosen() {
    let world = World::simulated();
    let page = world.page("/self-check", "en");
    let home = "192.0.2.20";
    assert!(page.contains(&format!("<option value=\"{home}\"")), "{page}");
    let answer = post(&world, &format!("home={home}"), "");
    let text = answer.text();
    assert!(answer.status == 200 && text.contains(&format!("The answer for {home}")), "{text}");
    assert!(text.contains("What to do") && text.contains("Why it matters"), "{text}");
}

#[test]
fn nobody_signs_in_for_it_and_nothing_else_is_seen() {
    let world = World::inhabited(hinomi_web::Settings::default());
    assert_eq!(world.get("/self-check").status, 200);
    assert_eq!(post(&world, "", "").status, 200);
    assert_eq!(world.get("/api/v1/search").status, 401);
}
