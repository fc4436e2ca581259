//! Notices from draft to mailbox and back: a real mail server, a mail that Python's own library reads, a process that is
//! killed while the relay's answer is on its way.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use hinomi_state::{Database, Target};
use serde_json::Value;

use crate::daemons;
use crate::ports;
use crate::program::{Background, Installation, finish, stand_aside, until};

const PATIENCE: Duration = Duration::from_secs(60);
/// 2026-01-01.
const THEN: u64 = 1_767_225_600;
/// What a host says to get into headers, terminals and spreadsheets.
const HOSTILE: &str = "login: =cmd()\\x0d\\x0aBcc: evil@example.org\\x0d\\x0a\\x1b[31mlogin: ";

/// A mailbox as Python reads it: one object for each mail.
const READ: &str = r#"
import email.policy, json, mailbox, sys
from email.utils import parsedate_to_datetime
def mail(m):
    parts = [p for p in m.walk() if not p.is_multipart()]
    return {
        "subject": str(m["subject"]), "from": str(m["from"]), "to": str(m["to"]), "reply_to": str(m["reply-to"]),
        "id": str(m["message-id"]), "references": str(m["references"]), "bcc": m["bcc"], "auto": str(m["auto-submitted"]),
        "date": parsedate_to_datetime(m["date"]).isoformat(), "defects": [str(d) for p in m.walk() for d in p.defects],
        "type": parts[0].get_content_type(), "text": parts[0].get_content(),
        "files": {p.get_filename(): [p.get_content_type(), p.get_content() if p.get_content_maintype() == "text" else p.get_payload(decode=True).decode()] for p in parts[1:]},
    }
box = mailbox.mbox(sys.argv[1], factory=lambda f: email.message_from_binary_file(f, policy=email.policy.default))
print(json.dumps([mail(m) for m in box]))
"#;

fn mails(mailbox: &std::path::Path) -> Vec<Value> {
    let mut python = Command::new("python3");
    python.arg("-c").arg(READ).arg(mailbox);
    let read = finish(python, PATIENCE);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).expect("JSON")
}

/// Takes in a list of masscan.
fn saw(home: &Installation, name: &str, lines: &str) {
    let file = home.path(name);
    fs::write(&file, format!("#masscan\n{lines}# end\n")).expect("written");
    home.succeed(&["import", "--format", "masscan-list", file.to_str().expect("a path")]);
}

/// Who holds what: a city with a contact that reads Japanese, a school with one that reads English, and nobody.
fn register(home: &Installation) {
    let claim = |organisation: &str, subject: &str| {
        let number = home.json(&["claim", "ask", organisation, subject])["number"].as_i64().expect("a number");
        home.succeed(&["claim", "approve", &number.to_string(), "--from", "2025-06-01"]);
    };
    for (id, name, net) in [("city-a", "甲市", "192.0.2.0/26"), ("school-b", "乙大学", "192.0.2.64/26")] {
        let kind = ["--kind", "municipality", "--purpose", "exposure-reduction"];
        home.succeed(&[&["organisation", "add", id, "--name-ja", name, "--name-en", id], &kind[..]].concat());
        claim(id, net);
    }
    home.succeed(&["contact", "add", "city-a", "--name", "情報政策課", "--mail", "csirt@city-a.example"]);
    home.succeed(&[
        "contact",
        "add",
        "school-b",
        "--mail",
        "abuse@school-b.example",
        "--role",
        "abuse",
        "--language",
        "en",
    ]);
}

fn settings(home: &Installation, relay: SocketAddr, more: &str) {
    fs::create_dir_all(home.state()).expect("made");
    let mail = format!("[mail]\nserver = \"{relay}\"\nfrom = \"Hinomi <hinomi@example.org>\"\ntls = \"none\"\n");
    fs::write(home.state().join("alerts.toml"), mail).expect("written");
    let who = "name_ja = \"火の見センター\"\nname_en = \"Watch Centre\"\nauthority_ja = \"市条例による調査\"\n\
               reply_to = \"notices@example.org\"\npage = \"https://watch.example.org/\"\n";
    fs::write(home.state().join("notices.toml"), format!("{who}{more}")).expect("written");
}

fn telnet(last: u8, time: u64) -> String {
    format!("open tcp 23 192.0.2.{last} {time}\nbanner tcp 23 192.0.2.{last} {time} telnet {HOSTILE}\n")
}

/// A mail server, and where it puts mails.
fn mail_server(home: &Installation) -> Option<(daemons::Running, std::path::PathBuf)> {
    if let Some(package) = daemons::MAILBOX.missing() {
        stand_aside(&format!("exim4 is not installed (Debian package {package})"));
        return None;
    }
    let room = home.path("mail-server");
    fs::create_dir_all(&room).expect("made");
    let server = daemons::start(&daemons::MAILBOX, &room, ports::fresh()).expect("a mail server");
    Some((server, room.join("mail/box")))
}

fn arrived(mailbox: &std::path::Path, count: usize) -> Vec<Value> {
    let there = || fs::read_to_string(mailbox).map_or(0, |text| text.matches("X-Hinomi-Notice: ").count());
    until("the mails are there", PATIENCE, || there() >= count);
    let all = mails(mailbox);
    assert_eq!(all.len(), count, "{all:?}");
    all
}

/// The mail to this address.
fn to<'a>(all: &'a [Value], address: &str) -> &'a Value {
    all.iter().find(|one| one["to"].as_str().is_some_and(|to| to.contains(address))).expect("a mail")
}

/// What the city got, in its language, and nothing of the school's.
fn told_the_city(all: &[Value], city: &Value, raw: &str) {
    let mail = to(all, "csirt@city-a.example");
    let text = |field: &str| mail[field].as_str().unwrap_or_default().to_owned();
    let token = city["token"].as_str().expect("a token");
    assert!(text("subject").starts_with(&format!("[Hinomi {token}] ")), "{mail}");
    assert_eq!((text("reply_to").as_str(), text("auto").as_str()), ("notices@example.org", "auto-generated"));
    assert_eq!(text("id"), format!("<{token}@example.org>"));
    assert!(raw.contains(&text("id")) && raw.contains("Content-Type: multipart/mixed"), "{raw}");
    assert!(mail["bcc"].is_null() && mail["defects"] == serde_json::json!([]), "{mail}");
    assert_eq!(text("type"), "text/plain");
    for wanted in [
        "甲市",
        "192.0.2.7",
        "2026-01-01 00:00 UTC（2026-01-01 09:00）",
        "Telnet",
        "火の見センター",
        "TLP:AMBER+STRICT",
        "市条例",
    ] {
        assert!(text("text").contains(wanted), "{wanted}: {}", text("text"));
    }
    assert!(
        !text("text").contains('\u{1b}') && !text("text").contains("192.0.2.70") && !text("text").contains("school")
    );
    let files = &mail["files"];
    let csv = files["findings.csv"][1].as_str().expect("a table");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(
        csv.starts_with("\"timestamp\",\"severity\",\"ip\",\"protocol\",\"port\"") && !csv.contains("\"=cmd"),
        "{csv}"
    );
    let reports: Vec<Value> = serde_json::from_str(files["xarf.json"][1].as_str().expect("reports")).expect("JSON");
    assert_eq!((reports.len(), reports[0]["type"].as_str()), (2, Some("open_service")));
}

fn told_the_school(all: &[Value]) {
    let english = to(all, "abuse@school-b.example")["text"].as_str().unwrap_or_default().to_owned();
    assert!(
        english.contains("192.0.2.70") && english.contains("How to answer") && !english.contains("甲市"),
        "{english}"
    );
}

#[test]
fn each_party_gets_one_mail_about_what_it_may_know_and_its_answer_is_kept() {
    let home = Installation::new();
    let Some((server, mailbox)) = mail_server(&home) else { return };
    assert!(home.fail(&["notice", "draft"]).contains("notices.toml"), "who writes must be said");
    settings(&home, server.address(), "");
    register(&home);
    let nobody = "open tcp 23 198.51.100.9 1767225600\nbanner tcp 23 198.51.100.9 1767225600 telnet login:\n";
    saw(&home, "first.txt", &[telnet(7, THEN), telnet(8, THEN), telnet(70, THEN), nobody.to_owned()].concat());
    // What nobody may be told is counted and named.
    let drafted = home.json(&["notice", "draft"]);
    let left = &drafted["left"]["no-party"];
    assert_eq!(
        (left["count"].as_u64(), left["services"][0].as_str()),
        (Some(1), Some("198.51.100.9:23/tcp")),
        "{drafted}"
    );
    let notices = drafted["notices"].as_array().expect("notices");
    assert_eq!(notices.len(), 2, "{drafted}");
    let of = |id: &str| notices.iter().find(|one| one["party"]["organisation"] == id).expect("drafted").clone();
    let (city, school) = (of("city-a"), of("school-b"));
    assert_eq!((city["findings"].as_i64(), school["findings"].as_i64()), (Some(2), Some(1)));
    let number = city["number"].as_i64().expect("a number").to_string();
    let shown = home.succeed(&["notice", "show", &number]);
    assert!(shown.contains("192.0.2.7") && !shown.contains("192.0.2.70") && !shown.contains('\u{1b}'), "{shown}");
    // Nothing leaves that nobody released, and it is told once.
    assert_eq!(home.json(&["notice", "send"])["sent"], 0);
    let again = home.json(&["notice", "draft"]);
    assert_eq!(
        (again["notices"].as_array().map(Vec::len), again["left"]["told"]["count"].as_u64()),
        (Some(0), Some(3))
    );
    home.succeed(&["notice", "release", &number, &school["number"].to_string()]);
    let raw = home.succeed(&["notice", "show", &number, "--raw"]);
    assert_eq!(home.json(&["notice", "send"])["sent"], 2);
    assert_eq!(home.json(&["notice", "send"])["sent"], 0);
    let all = arrived(&mailbox, 2);
    told_the_city(&all, &city, &raw);
    told_the_school(&all);
    // The ledger tells of both, before they left.
    let ledger = home.succeed(&["ledger", "show", "--last", "500", "--json"]);
    assert_eq!(ledger.matches("\"event\":\"notice\"").count(), 2, "{ledger}");
    // Answers, and what the lake says.
    let token = city["token"].as_str().expect("a token");
    home.succeed(&["notice", "reply", token, "--finding", "1", "--outcome", "fixed", "--note", "閉じました"]);
    let measured = home.json(&["notice", "measure", &number]);
    assert_eq!(measured["counts"]["not-rescanned"], 2, "{measured}");
    assert_eq!(measured["findings"][0]["reply"]["outcome"], "fixed", "what they say is not what was seen");
    let now = home.json(&["notice", "show", &number])["notice"]["sent"].clone();
    assert!(now.is_string(), "sent at a moment");
    let lines = home.succeed(&["notice", "export", &number, "--format", "subscribers"]);
    let first = format!("\"192.0.2.7\",\"23\",\"tcp\",\"2026-01-01T00:00:00Z\",\"{token}\",\"1\"");
    assert!(lines.contains(&first) && !lines.contains("telnet"), "{lines}");
    let event = home.succeed(&["notice", "export", &number, "--format", "intelmq"]);
    let event: Value = serde_json::from_str(event.lines().next().expect("an event")).expect("JSON");
    assert_eq!(event["classification.type"], "potentially-unwanted-accessible");
    let idea = home.succeed(&["notice", "export", &number, "--format", "idea"]);
    let idea: Value = serde_json::from_str(idea.lines().next().expect("a message")).expect("JSON");
    assert_eq!((idea["Format"].as_str(), idea["Source"][0]["IP4"][0].as_str()), (Some("IDEA0"), Some("192.0.2.7")));
}

/// What failed for now is tried again now, and not in a while.
fn hurry(home: &Installation) {
    let database = Database::open(&Target::Sqlite(home.state().join("state.sqlite"))).expect("a state");
    for table in ["notices", "alert_messages"] {
        let sql = format!("UPDATE {table} SET due = 0 WHERE state IN ('released', 'waiting')");
        database.transact(|step| step.execute(&sql, &[])).expect("written");
    }
}

#[test]
fn a_relay_is_believed_by_its_certificate_and_signed_in_to() {
    if let Some(package) = daemons::GUARDED_MAILBOX.missing() {
        return stand_aside(&format!("exim4 is not installed (Debian package {package})"));
    }
    let home = Installation::new();
    let room = home.path("mail-server");
    fs::create_dir_all(&room).expect("made");
    let server = daemons::start(&daemons::GUARDED_MAILBOX, &room, ports::fresh()).expect("a mail server");
    let mailbox = room.join("mail/box");
    settings(&home, server.address(), "");
    register(&home);
    home.succeed(&["watch", "add", "telnet", "port:23"]);
    home.succeed(&["alert", "add", "noc", "--mail", "noc@example.org", "--watch", "telnet", "--language", "en"]);
    saw(&home, "first.txt", &telnet(7, THEN));
    let number = home.json(&["notice", "draft"])["notices"][0]["number"].to_string();
    home.succeed(&["notice", "release", &number]);
    let (own, other, word) = (room.join("ca.pem"), home.path("other.pem"), home.path("word"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=o",
    ]);
    openssl.arg("-keyout").arg(home.path("other.key")).arg("-out").arg(&other);
    assert!(finish(openssl, PATIENCE).status.success(), "another authority");
    let relay = |root: Option<&std::path::Path>, secret: &str| {
        fs::write(&word, format!("{secret}\n")).expect("written");
        let root = root.map(|root| format!("root_file = {:?}\n", root.display().to_string())).unwrap_or_default();
        let text = format!(
            "[mail]\nserver = \"{}\"\nfrom = \"Hinomi <hinomi@example.org>\"\ntls = \"starttls\"\n{root}\
             user = \"hinomi\"\npassword_file = {:?}\n",
            server.address(),
            word.display().to_string()
        );
        fs::write(home.state().join("alerts.toml"), text).expect("written");
        hurry(&home);
        let (notice, alert) = (home.json(&["notice", "send"]), home.json(&["alert", "send"]));
        let shown = home.json(&["notice", "show", &number])["notice"].clone();
        let kept = home.json(&["alert", "messages", "noc"]);
        let why = [shown["error"].as_str(), kept[0]["error"].as_str()];
        (notice["sent"].clone(), alert["sent"].clone(), why.map(|why| why.unwrap_or_default().to_owned()))
    };
    let good = "a word for the relay";
    // Neither a certificate that nobody vouches for nor a wrong word is a fault of the mail: it waits.
    for (root, secret, wanted) in [
        (None, good, "certificate"),
        (Some(other.as_path()), good, "certificate"),
        (Some(own.as_path()), "no word", "535"),
    ] {
        let (notice, alert, why) = relay(root, secret);
        assert_eq!((&notice, &alert), (&0.into(), &0.into()), "{why:?}");
        assert!(why.iter().all(|why| why.contains(wanted)), "{wanted}: {why:?}");
        assert!(!why.iter().any(|why| why.contains(good)), "{why:?}");
    }
    assert!(!mailbox.exists(), "nothing was taken");
    let (notice, alert, why) = relay(Some(&own), good);
    assert_eq!((&notice, &alert), (&1.into(), &1.into()), "{why:?}");
    let there = || fs::read_to_string(&mailbox).unwrap_or_default();
    until("both mails are there", PATIENCE, || there().contains("noc@example.org") && there().contains("csirt@city-a"));
    // Encrypted, and signed in (RFC 3848).
    assert_eq!(there().matches("with esmtpsa").count(), 2, "{}", there());
    assert_eq!(home.json(&["notice", "show", &number])["notice"]["state"], "sent");
}

#[test]
fn a_large_send_takes_a_second_person_and_the_register_is_asked_again_before_it_leaves() {
    let home = Installation::new();
    let Some((server, mailbox)) = mail_server(&home) else { return };
    settings(&home, server.address(), "[alone]\nrecipients = 10\nfindings = 1\n");
    register(&home);
    for (name, right) in [("ann", "--administrator"), ("bob", "--analyst"), ("eve", "--administrator")] {
        let file = home.path(name);
        fs::write(&file, format!("the long word of {name}\n")).expect("written");
        home.succeed(&["account", "add", name, right, "--password-file", file.to_str().expect("a path")]);
    }
    home.succeed(&["account", "rights", "ann", "--administrator", "--analyst"]);
    saw(&home, "first.txt", &[telnet(7, THEN), telnet(8, THEN), telnet(70, THEN)].concat());
    let drafted = home.json(&["notice", "draft"]);
    let number = |id: &str| {
        let mut all = drafted["notices"].as_array().expect("notices").iter();
        all.find(|one| one["party"]["organisation"] == id).expect("drafted")["number"].to_string()
    };
    let (large, small) = (number("city-a"), number("school-b"));
    let word = |name: &str| home.path(name).to_str().expect("a path").to_owned();
    let release = |name: &str, with: &str| {
        home.run(&["notice", "release", &large, "--account", name, "--password-file", &word(with)])
    };
    let refused = |output: std::process::Output, why: &str| {
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && talk.contains(why), "{talk}");
    };
    assert!(home.fail(&["notice", "release", &large]).contains("--account"), "the machine's user may be anybody");
    refused(release("ann", "bob"), "do not belong together");
    refused(release("eve", "eve"), "for analysts");
    assert!(release("ann", "ann").status.success());
    refused(release("ann", "ann"), "another person");
    assert_eq!(home.json(&["notice", "send"])["sent"], 0, "half is not enough");
    assert!(release("bob", "bob").status.success());
    home.succeed(&["notice", "release", &small]);
    // What became closed to a party since is not told.
    home.succeed(&["notice", "opt-out", "school-b", "--reason", "by telephone"]);
    let sent = home.json(&["notice", "send"]);
    assert_eq!((sent["sent"].as_u64(), sent["ended"].as_u64()), (Some(1), Some(1)), "{sent}");
    assert_eq!(arrived(&mailbox, 1)[0]["to"].as_str().map(|to| to.contains("city-a")), Some(true));
    assert_eq!(home.json(&["notice", "show", &small])["notice"]["state"], "void");
    let history = home.json(&["notice", "history", &large]);
    let actions: Vec<&str> =
        history["events"].as_array().expect("events").iter().filter_map(|one| one["action"].as_str()).collect();
    assert_eq!(actions, ["drafted", "released", "released", "sent"]);
    // Somebody else holds the address now: what is seen there is of another device.
    let asked = home.json(&["claim", "ask", "school-b", "192.0.2.7/32"])["number"].as_i64().expect("a number");
    home.succeed(&["claim", "approve", &asked.to_string()]);
    let measured = home.json(&["notice", "measure", &large]);
    assert_eq!((&measured["counts"]["address-changed"], &measured["counts"]["not-rescanned"]), (&1.into(), &1.into()));
}

/// Passes everything between a client and a mail server but the server's answer to the end of a message: with that it
/// tells, and keeps it.
#[expect(clippy::disallowed_methods, reason = "a connection between two servers of the test's own, on loopback")]
fn hold_the_answer(server: SocketAddr) -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", ports::fresh())).expect("a port");
    let here = listener.local_addr().expect("bound");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let upstream = TcpStream::connect(server).expect("the server");
        let ended = Arc::new(AtomicBool::new(false));
        let (mut from, mut to) = (client.try_clone().expect("the same"), upstream.try_clone().expect("the same"));
        let sees = Arc::clone(&ended);
        std::thread::spawn(move || {
            let (mut tail, mut bytes) = (Vec::new(), [0; 4_096]);
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                tail.extend_from_slice(&bytes[..count]);
                if tail.ends_with(b"\r\n.\r\n") {
                    sees.store(true, Ordering::SeqCst);
                }
                tail.drain(..tail.len().saturating_sub(5));
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
        });
        let (mut upstream, mut client, mut bytes) = (upstream, client, [0; 4_096]);
        while let Ok(count @ 1..) = upstream.read(&mut bytes) {
            if ended.load(Ordering::SeqCst) {
                assert!(bytes.starts_with(b"250"), "the server took it");
                tell.send(()).expect("somebody waits");
                // Nobody gets the answer; the connection stands until the client is gone.
                drop(client.read(&mut bytes));
                return;
            }
            client.write_all(&bytes[..count]).expect("passed on");
        }
    });
    (here, told)
}

#[test]
fn who_is_killed_before_the_answer_comes_sends_no_second_mail() {
    let home = Installation::new();
    let Some((server, mailbox)) = mail_server(&home) else { return };
    let (between, held) = hold_the_answer(server.address());
    settings(&home, between, "");
    register(&home);
    saw(&home, "first.txt", &telnet(7, THEN));
    let number = home.json(&["notice", "draft"])["notices"][0]["number"].to_string();
    home.succeed(&["notice", "release", &number]);
    let mut sending = home.command(&["notice", "send"]);
    let child = sending.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    let mut child = Background::of(child);
    held.recv_timeout(PATIENCE).expect("the server has it");
    child.kill();
    // The relay has the mail, and the program that sent it never learned so.
    arrived(&mailbox, 1);
    settings(&home, server.address(), "");
    let state = || home.json(&["notice", "show", &number])["notice"]["state"].clone();
    assert_eq!(home.json(&["notice", "send"])["sent"], 0);
    assert_eq!(state(), "sending");
    let again = home.json(&["notice", "draft"]);
    assert_eq!(
        (again["notices"].as_array().map(Vec::len), again["left"]["told"]["count"].as_u64()),
        (Some(0), Some(1))
    );
    assert!(home.fail(&["notice", "cancel", &number]).contains("too late"));
    assert!(home.fail(&["notice", "resolve", &number, "--again"]).contains("not unsure"), "it may still be on its way");
    let ledger = home.succeed(&["ledger", "show", "--last", "500", "--json"]);
    assert_eq!(ledger.matches("\"event\":\"notice\"").count(), 1, "{ledger}");
    arrived(&mailbox, 1);
}
