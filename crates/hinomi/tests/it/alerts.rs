//! Alerts reach people and programs: a real mail server, a web server of the test's own, both on loopback.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_share::alert::signature;
use serde_json::Value;

use crate::daemons;
use crate::ports;
use crate::program::{Installation, stand_aside, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// An import of a masscan list in which these ports are open.
fn saw(home: &Installation, ports: &[u16], day: u32) {
    let lines: String =
        ports.iter().map(|port| format!("open tcp {port} 192.0.2.7 {}\n", 1_767_225_600 + day * 86_400)).collect();
    let file = home.path(&format!("scan-{day}.txt"));
    fs::write(&file, format!("#masscan\n{lines}# end\n")).expect("written");
    home.succeed(&["import", "--format", "masscan-list", file.to_str().expect("a path")]);
}

fn settings(home: &Installation, text: &str) {
    fs::create_dir_all(home.state()).expect("made");
    fs::write(home.state().join("alerts.toml"), text).expect("written");
}

#[test]
fn a_saved_query_reaches_a_mailbox_once() {
    if let Some(package) = daemons::MAILBOX.missing() {
        return stand_aside(&format!("exim4 is not installed (Debian package {package})"));
    }
    let home = Installation::new();
    let room = home.path("mail-server");
    fs::create_dir_all(&room).expect("made");
    let server = daemons::start(&daemons::MAILBOX, &room, ports::fresh()).expect("a mail server");
    let relay =
        format!("[mail]\nserver = \"{}\"\nfrom = \"Hinomi <hinomi@example.org>\"\ntls = \"none\"\n", server.address());
    settings(&home, &relay);
    home.succeed(&["watch", "add", "telnet", "port:23"]);
    let add = ["alert", "add", "noc", "--mail", "noc@example.org", "--watch", "telnet", "--language", "en"];
    home.succeed(&add);
    assert!(home.fail(&["alert", "add", "noc", "--feed"]).contains("already"));
    assert!(home.fail(&["alert", "add", "b", "--feed", "--watch", "no-such"]).contains("no saved query"));
    saw(&home, &[22, 23], 0);
    let sent = home.json(&["alert", "send"]);
    assert_eq!((sent["made"].as_u64(), sent["sent"].as_u64()), (Some(1), Some(1)), "{sent}");
    let mailbox = room.join("mail/box");
    until("the mail is there", PATIENCE, || fs::read_to_string(&mailbox).is_ok_and(|text| text.contains("192.0.2.7")));
    let mail = fs::read_to_string(&mailbox).expect("a mail");
    assert!(mail.contains("To: noc@example.org") && mail.contains("opened 192.0.2.7:23/tcp"), "{mail}");
    assert!(!mail.contains(":22/tcp"), "another port is no matter of this query");
    saw(&home, &[23], 1);
    assert_eq!(home.json(&["alert", "send"])["made"].as_u64(), Some(0), "seeing the same again is no change");
    let kept = home.json(&["alert", "messages", "noc"]);
    assert_eq!((kept[0]["state"].as_str(), kept[0]["tries"].as_u64()), (Some("sent"), Some(1)));
}

/// Takes one request, answers it, gives its signature and body.
fn take_one(listener: &TcpListener) -> (String, String) {
    let (mut stream, _) = listener.accept().expect("a request");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let mut reader = BufReader::new(stream.try_clone().expect("the same"));
    let (mut signed, mut length) = (String::new(), 0);
    for line in reader.by_ref().lines().take(64) {
        let line = line.expect("a line");
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "hinomi-signature" => signed = value.to_owned(),
            "content-length" => length = value.parse().expect("a length"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").expect("answered");
    (signed, String::from_utf8(body).expect("text"))
}

#[test]
fn a_webhook_is_signed_and_goes_nowhere_inside_unless_that_is_allowed() {
    let home = Installation::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    home.succeed(&["watch", "add", "all", "port:1-65535"]);
    let made = home.json(&["alert", "add", "hook", "--webhook", &url]);
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(!home.succeed(&["alert", "list", "--json"]).contains(&secret), "shown once");
    saw(&home, &[8080], 0);
    let held = home.json(&["alert", "send"]);
    assert_eq!((held["made"].as_u64(), held["sent"].as_u64()), (Some(1), Some(0)), "{held}");
    let kept = home.json(&["alert", "messages", "hook"]);
    assert!(kept[0]["error"].as_str().is_some_and(|why| why.contains("not a public one")), "{kept}");

    settings(&home, "[web]\nallow_private = true\n");
    home.succeed(&["alert", "remove", "hook"]);
    let made = home.json(&["alert", "add", "again", "--webhook", &url]);
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    saw(&home, &[8081], 1);
    let receiver = std::thread::spawn(move || take_one(&listener));
    let sent = home.json(&["alert", "send"]);
    assert_eq!(sent["sent"].as_u64(), Some(1), "{sent}");
    let (signed, body) = receiver.join().expect("taken");
    let told: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((told["channel"].as_str(), told["events"][0]["what"].as_str()), (Some("again"), Some("opened")));
    let seconds: i64 = signed.strip_prefix("t=").and_then(|rest| rest.split(',').next()?.parse().ok()).expect("a time");
    assert_eq!(signed, signature(&secret, Timestamp::from_micros(seconds * 1_000_000), &body));
}

#[test]
fn whoever_wants_it_is_mailed_of_changes_of_the_own_account() {
    if let Some(package) = daemons::MAILBOX.missing() {
        return stand_aside(&format!("exim4 is not installed (Debian package {package})"));
    }
    let home = Installation::new();
    let room = home.path("mail-server");
    fs::create_dir_all(&room).expect("made");
    let server = daemons::start(&daemons::MAILBOX, &room, ports::fresh()).expect("a mail server");
    let relay =
        format!("[mail]\nserver = \"{}\"\nfrom = \"Hinomi <hinomi@example.org>\"\ntls = \"none\"\n", server.address());
    settings(&home, &relay);
    home.succeed(&["account", "add", "ann", "--administrator", "--no-password"]);
    home.succeed(&["account", "mail", "set", "ann", "ann@example.org", "--language", "en"]);
    assert_eq!(home.json(&["account", "mail", "show", "ann"])["mails"][0]["confirmed"], false);
    assert_eq!(home.json(&["alert", "send"])["sent"].as_u64(), Some(1));
    let mailbox = room.join("mail/box");
    let there = || fs::read_to_string(&mailbox).unwrap_or_default();
    until("the code is there", PATIENCE, || there().contains("To: ann@example.org"));
    let code = there().lines().find_map(|line| line.strip_prefix("    ").map(str::to_owned)).expect("a code");
    assert!(home.fail(&["account", "mail", "confirm", "ann", "guess"]).contains("not the code"));
    home.succeed(&["account", "mail", "confirm", "ann", code.trim()]);
    home.succeed(&["account", "key", "add", "ann", "test"]);
    assert_eq!(home.json(&["alert", "send"])["sent"].as_u64(), Some(1));
    until("the message is there", PATIENCE, || there().contains("A key for programs was made"));
    assert_eq!(home.json(&["alert", "send"])["sent"].as_u64(), Some(0), "once");
    // What was done to her address is in the ledger; the address is not.
    let ledger = home.succeed(&["ledger", "show", "--last", "50", "--json"]);
    assert!(ledger.contains("mail-set") && !ledger.contains("ann@example.org"), "{ledger}");
}
