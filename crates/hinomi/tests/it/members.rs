//! Alerts and reports of organisations, with the real program: real mail, real imports, real claims.

use std::fs;
use std::time::Duration;

use crate::daemons;
use crate::ports;
use crate::program::{Installation, stand_aside, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// An import of a masscan list in which these services are open.
fn saw(home: &Installation, services: &[(&str, u16)], day: i64) {
    saw_at(home, services, 1_767_225_600 + day * 86_400);
}

fn saw_at(home: &Installation, services: &[(&str, u16)], seconds: i64) {
    let line = |(address, port): &(&str, u16)| format!("open tcp {port} {address} {seconds}\n");
    let lines: String = services.iter().map(line).collect();
    let file = home.path(&format!("scan-{seconds}.txt"));
    fs::write(&file, format!("#masscan\n{lines}# end\n")).expect("written");
    home.succeed(&["import", "--format", "masscan-list", "--tlp", "amber", file.to_str().expect("a path")]);
}

/// Two organisations with a /24 each, as a person decided.
fn register(home: &Installation) {
    let file = home.path("register.toml");
    let organisation = |id: &str, net: &str| {
        format!(
            "[[organisation]]\nid = \"{id}\"\nname_ja = \"{id} 役所\"\nname_en = \"Town of {id}\"\nkind = \
             \"municipality\"\npurposes = [\"exposure-reduction\"]\n[[organisation.claim]]\nsubject = \"{net}\"\nfrom = \
             \"2025-01-01T00:00:00Z\"\n"
        )
    };
    let text =
        format!("format = 1\n{}{}", organisation("city", "192.0.2.0/24"), organisation("port", "198.51.100.0/24"));
    fs::write(&file, text).expect("written");
    home.succeed(&["organisation", "import", file.to_str().expect("a path")]);
    for of in ["city", "port"] {
        home.succeed(&["contact", "add", of, "--name", "NOC", "--mail", &format!("noc@{of}.example")]);
    }
}

fn feed_of(home: &Installation, organisation: &str) -> String {
    home.json(&["alert", "messages", "feed", "--organisation", organisation]).to_string()
}

#[test]
fn each_organisation_is_told_of_its_own_and_nobody_elses() {
    let home = Installation::new();
    register(&home);
    saw(&home, &[("192.0.2.1", 80)], 0);
    for of in ["city", "port"] {
        let made = home.json(&["watch", "ranges", "--organisation", of]);
        assert_eq!(made.as_array().map(Vec::len), Some(1), "{made}");
        home.succeed(&["watch", "add", "telnet", "port:23", "--organisation", of]);
        home.succeed(&["alert", "add", "feed", "--feed", "--organisation", of, "--language", "en", "--again", "0"]);
    }
    assert!(home.json(&["watch", "ranges", "--organisation", "city"]).as_array().is_some_and(Vec::is_empty), "twice");
    assert!(home.fail(&["watch", "add", "telnet", "port:24", "--organisation", "city"]).contains("already"));
    assert!(home.fail(&["watch", "add", "x", "prot:24", "--organisation", "city"]).contains("prot"));
    saw(&home, &[("192.0.2.7", 23), ("198.51.100.7", 23), ("203.0.113.7", 23)], 1);
    assert_eq!(home.json(&["alert", "send"])["made"].as_u64(), Some(2));
    let (city, port) = (feed_of(&home, "city"), feed_of(&home, "port"));
    assert!(city.contains("192.0.2.7:23/tcp") && city.contains("telnet"), "{city}");
    assert!(port.contains("198.51.100.7:23/tcp") && !port.contains("192.0.2."), "{port}");
    assert!(!city.contains("198.51.100.") && !city.contains("203.0.113.") && !city.contains("192.0.2.1:"), "{city}");
    assert_eq!(home.json(&["alert", "send"])["made"].as_u64(), Some(0), "once");
    // A claim that ends ends the telling at once, for what is seen afterwards.
    let claims = home.json(&["claim", "list", "port"]);
    let number = claims["claims"][0]["number"].to_string();
    home.succeed(&["claim", "withdraw", &number]);
    let now = hinomi_model::Clock::now(&hinomi_model::SystemClock);
    saw_at(&home, &[("192.0.2.8", 23), ("198.51.100.8", 23)], now.as_micros() / 1_000_000 + 1);
    assert_eq!(home.json(&["alert", "send"])["made"].as_u64(), Some(1), "the other's");
    assert!(!feed_of(&home, "port").contains("198.51.100.8"));
    // What was told is in the ledger, under the channel's name.
    let looks = home.succeed(&["ledger", "show", "--json"]);
    assert!(looks.contains("alerts city/feed") && looks.contains("arrivals"), "{looks}");
    home.succeed(&["watch", "change", "telnet", "port:2323", "--organisation", "city"]);
    home.succeed(&["watch", "remove", "telnet", "--organisation", "port"]);
    assert_eq!(home.json(&["watch", "list", "--organisation", "port"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn mail_goes_to_contacts_at_once_and_to_others_after_their_code() {
    if let Some(package) = daemons::MAILBOX.missing() {
        return stand_aside(&format!("exim4 is not installed (Debian package {package})"));
    }
    let home = Installation::new();
    let room = home.path("mail-server");
    fs::create_dir_all(&room).expect("made");
    let server = daemons::start(&daemons::MAILBOX, &room, ports::fresh()).expect("a mail server");
    fs::create_dir_all(home.state()).expect("made");
    let relay =
        format!("[mail]\nserver = \"{}\"\nfrom = \"Hinomi <hinomi@example.org>\"\ntls = \"none\"\n", server.address());
    fs::write(home.state().join("alerts.toml"), relay).expect("written");
    register(&home);
    home.succeed(&["watch", "ranges", "--organisation", "city"]);
    let add = |name: &str, to: &str| {
        home.json(&["alert", "add", name, "--mail", to, "--organisation", "city", "--language", "en"])
    };
    assert_eq!(add("noc", "noc@city.example")["open"].as_bool(), Some(true));
    assert_eq!(add("boss", "boss@elsewhere.example")["open"].as_bool(), Some(false));
    saw(&home, &[("192.0.2.7", 23)], 1);
    let sent = home.json(&["alert", "send"]);
    assert_eq!((sent["made"].as_u64(), sent["sent"].as_u64()), (Some(1), Some(2)), "the code, and the contact: {sent}");
    let mailbox = room.join("mail/box");
    let mails = || fs::read_to_string(&mailbox).unwrap_or_default();
    until("both mails are there", PATIENCE, || mails().contains("192.0.2.7") && mails().contains("give this code"));
    assert!(!mails().contains("To: noc@port.example"));
    let code = mails()
        .split("give this code to that person:")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().find(|word| word.len() == 20).map(str::to_owned));
    let code = code.unwrap_or_else(|| panic!("a code: {}", mails()));
    assert!(home.fail(&["alert", "confirm", "boss", "wrong", "--organisation", "city"]).contains("not the code"));
    home.succeed(&["alert", "confirm", "boss", &code, "--organisation", "city"]);
    saw(&home, &[("192.0.2.9", 23)], 2);
    let sent = home.json(&["alert", "send"]);
    assert_eq!((sent["made"].as_u64(), sent["sent"].as_u64()), (Some(2), Some(2)), "{sent}");
    home.succeed(&["alert", "add", "report", "--mail", "noc@city.example", "--organisation", "city", "--monthly"]);
    let sent = home.json(&["alert", "send"]);
    assert_eq!((sent["made"].as_u64(), sent["sent"].as_u64()), (Some(1), Some(1)), "{sent}");
    until("the report is there", PATIENCE, || mails().contains("application/pdf"));
    assert_eq!(home.json(&["alert", "send"])["made"].as_u64(), Some(0), "once a month");
}
