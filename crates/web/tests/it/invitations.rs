//! Invitations: links with which somebody chooses a password.

use crate::sign_in::{Browser, WORD, inhabited};
use crate::world::World;

/// What an administrator is shown when asking for this.
fn invitation(world: &World, fields: &[(&str, &str)]) -> String {
    let mut ann = Browser::new(world);
    ann.sign_in("ann", WORD);
    let token = ann.token("/account/people");
    let text = ann.post("/account/people", &[&[("token", token.as_str())], fields].concat()).text();
    let link = text.split("id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("an invitation");
    let path = link.strip_prefix("http://localhost/").expect("called as the administrator's browser called it");
    format!("/{path}")
}

fn key(path: &str) -> &str {
    path.split("key=").nth(1).expect("a key")
}

fn take(world: &World, path: &str) -> u16 {
    Browser::new(world).post("/sign-in/invited", &[("key", key(path)), ("password", WORD)]).status
}

#[test]
fn somebody_invited_chooses_a_password_once() {
    let world = inhabited();
    let path = invitation(&world, &[("do", "add"), ("name", "fay"), ("analyst", "yes")]);
    let key = key(&path);
    let mut fay = Browser::new(&world);
    assert_eq!(fay.get(&path).status, 200);
    let weak = fay.post("/sign-in/invited", &[("key", key), ("password", "short")]);
    assert!(weak.status == 400 && weak.text().contains("at least 12 characters"), "{}", weak.status);
    assert_eq!(fay.post("/sign-in/invited", &[("key", key), ("password", WORD)]).status, 303);
    assert_eq!(fay.get("/search").status, 200);
    let again = Browser::new(&world).post("/sign-in/invited", &[("key", key), ("password", "other words in a row")]);
    assert_eq!(again.status, 403, "once");
    assert_eq!(Browser::new(&world).sign_in("fay", WORD).status, 303);
}

#[test]
fn of_two_invitations_the_first_opens_nothing() {
    let world = inhabited();
    let first = invitation(&world, &[("do", "add"), ("name", "fay")]);
    let second = invitation(&world, &[("do", "invite"), ("name", "fay")]);
    let another = invitation(&world, &[("do", "add"), ("name", "gus")]);
    assert_eq!((take(&world, &first), take(&world, &second)), (403, 303));
    assert_eq!(take(&world, &another), 303, "another's holds");
    // Whoever chose a password by now needs none.
    let late = invitation(&world, &[("do", "invite"), ("name", "gus")]);
    let kept = hinomi_state::PasswordHash::of("other words in a row", "gus").expect("a password");
    world.accounts.set_password("gus", &kept, None).expect("written");
    assert_eq!(take(&world, &late), 403);
}

#[test]
fn an_invitation_of_a_closed_account_opens_nothing() {
    let world = inhabited();
    let now = hinomi_model::Clock::now(&*world.clock);
    let before = invitation(&world, &[("do", "add"), ("name", "fay")]);
    world.accounts.disable("fay", Some(now)).expect("closed");
    let while_closed = invitation(&world, &[("do", "invite"), ("name", "fay")]);
    assert_eq!((take(&world, &before), take(&world, &while_closed)), (403, 403));
    world.accounts.disable("fay", None).expect("opened");
    assert_eq!(take(&world, &before), 403, "also when it is open again");
}
