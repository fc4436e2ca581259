//! Passkeys in a real browser with a virtual authenticator (Chrome DevTools Protocol, domain WebAuthn).

use std::process::Command;

use hinomi_state::{NewPerson, PasswordHash};
use serde_json::json;

use crate::chrome::Browser;
use crate::world::World;

const WORD: &str = "four words in a row";
#[test]
fn a_passkey_is_registered_and_signs_in_without_a_name() {
    if Command::new("chromium").arg("--version").output().is_err() {
        assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: chromium is missing");
        println!("stands aside: chromium is not installed");
        return;
    }
    let world = World::at_rest();
    let kept = PasswordHash::of(WORD, "ann").expect("a password");
    let ann = NewPerson {
        name: "ann".into(),
        full_name: "Ann".into(),
        administrator: true,
        analyst: true,
        password: Some(kept),
    };
    let person = world.accounts.add(&ann, hinomi_model::Clock::now(&*world.clock)).expect("an account");
    let base = format!("http://localhost:{}", world.address.port());
    let mut browser = Browser::start();
    browser.go(&format!("{base}/sign-in?lang=en"));
    let filled = format!(
        "document.getElementById('name').value = 'ann'; document.getElementById('password').value = '{WORD}'; \
         document.querySelector('form[action=\"/sign-in\"]').requestSubmit()"
    );
    browser.tell(&filled);
    browser.until("location.pathname === '/' && document.readyState === 'complete'");
    browser.go(&format!("{base}/account"));
    browser.call("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }));
    browser.call("WebAuthn.enable", &json!({}));
    let options = json!({
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
        "isUserVerified": true, "automaticPresenceSimulation": true,
    });
    let authenticator = browser.call("WebAuthn.addVirtualAuthenticator", &json!({ "options": options }));
    let authenticator = authenticator["authenticatorId"].clone();
    browser.tell(
        "const form = document.getElementById('passkey-register'); form.elements.label.value = '鍵 one'; form.requestSubmit()",
    );
    browser.until("document.querySelector('#passkeys ~ div table')?.innerText.includes('鍵 one') === true");
    assert_eq!(world.accounts.passkeys(&person.id).expect("asked").len(), 1);
    browser.tell("document.querySelector('form[action=\"/account/sign-out\"]').requestSubmit()");
    browser.until("location.pathname === '/sign-in' && document.readyState === 'complete'");

    // Whoever has the device, and is not its owner, does not get in.
    let verified = |yes: bool| json!({ "authenticatorId": authenticator, "isUserVerified": yes });
    browser.call("WebAuthn.setUserVerified", &verified(false));
    browser.tell("document.querySelector('#passkey-sign-in button').click()");
    browser.until("document.querySelector('#passkey-sign-in [role=status]').textContent !== ''");
    assert_eq!(browser.tell("location.pathname"), "/sign-in");

    browser.call("WebAuthn.setUserVerified", &verified(true));
    browser.tell("document.querySelector('#passkey-sign-in button').click()");
    browser.until("location.pathname === '/' && document.readyState === 'complete'");
    let sessions = world.accounts.sessions(&person.id, hinomi_model::Clock::now(&*world.clock)).expect("asked");
    assert!(sessions.len() == 1 && sessions[0].way == "passkey", "{sessions:?}");
    assert!(world.accounts.passkeys(&person.id).expect("asked")[0].used.is_some());

    // Who registers another one a while later shows first, by the one there is, that it is them.
    let long_ago = hinomi_model::Timestamp::from_micros(0);
    world.accounts.confirm_session(&person.id, &sessions[0].id, long_ago).expect("written");
    browser.go(&format!("{base}/account"));
    browser.tell(
        "const form = document.getElementById('passkey-register'); form.elements.label.value = 'two'; form.requestSubmit()",
    );
    browser.until("location.pathname === '/account/again' && document.readyState === 'complete'");
    assert!(world.accounts.confirmed(&person.id, &sessions[0].id).expect("asked") == Some(long_ago));
    browser.tell("document.querySelector('#passkey-sign-in button').click()");
    browser.until("location.pathname === '/account' && document.readyState === 'complete'");
    assert!(world.accounts.confirmed(&person.id, &sessions[0].id).expect("asked") > Some(long_ago));

    // The passkey is taken away here: what the device still has opens nothing.
    let id = world.accounts.passkeys(&person.id).expect("asked")[0].id.clone();
    assert!(world.accounts.remove_passkey(&person.id, &id).expect("asked"));
    world.accounts.end_session(&person.id, &sessions[0].id).expect("asked");
    browser.go(&format!("{base}/sign-in"));
    browser.tell("document.querySelector('#passkey-sign-in button').click()");
    browser.until("document.querySelector('#passkey-sign-in [role=status]').textContent !== ''");
    assert_eq!(browser.tell("location.pathname"), "/sign-in");
}
