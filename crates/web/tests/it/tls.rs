//! TLS as a browser sees it: curl comes by name, the certificate changes under it, a proxy speaks for others.

use std::fs;
use std::path::Path;
use std::process::Command;

use hinomi_state::{NewPerson, PasswordHash};
use hinomi_web::Settings;
use hinomi_web::settings::TlsFiles;
use tempfile::TempDir;

use crate::client::{Answer, ask, read};
use crate::world::World;

const NAME: &str = "tower.example";
const WORD: &str = "four words in a row";

fn make_certificate(folder: &Path, authority: &str) {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).expect("a certificate");
    let pem = |what: &str, der: &[u8]| {
        format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", data_encoding::BASE64.encode(der))
    };
    let chain = pem("CERTIFICATE", made.cert.der());
    fs::write(folder.join(authority), &chain).expect("written");
    fs::write(folder.join("key.pem"), pem("PRIVATE KEY", &made.signing_key.serialize_der())).expect("written");
    fs::write(folder.join("chain.pem"), chain).expect("written");
}

fn secured(folder: &Path) -> World {
    let tls = TlsFiles { certificate: folder.join("chain.pem"), key: folder.join("key.pem") };
    World::reached(Settings { names: vec![NAME.into()], tls: Some(tls), ..Settings::default() })
}

/// What curl gets, or none when it trusts nobody there.
fn curl(world: &World, authority: &Path, host: &str, target: &str, further: &[&str]) -> Option<Answer> {
    let port = world.address.port();
    let ran = Command::new("curl")
        .args(["--silent", "--include", "--http1.1", "--max-time", "30", "--noproxy", "*"])
        .arg("--cacert")
        .arg(authority)
        .args(["--resolve", &format!("{NAME}:{port}:127.0.0.1"), "--header", &format!("Host: {host}")])
        .args(further)
        .arg(format!("https://{NAME}:{port}{target}"))
        .output()
        .expect("curl is installed");
    ran.status.success().then(|| read(&ran.stdout))
}

#[test]
fn a_browser_comes_by_tls_and_stays_with_it() {
    let folder = TempDir::new().expect("a folder");
    make_certificate(folder.path(), "one.pem");
    let world = secured(folder.path());
    let one = folder.path().join("one.pem");
    let host = format!("{NAME}:{}", world.address.port());
    let page = curl(&world, &one, &host, "/", &[]).expect("an answer");
    assert_eq!((page.status, page.header("strict-transport-security")), (200, "max-age=31536000"));
    assert_eq!(curl(&world, &one, "evil.example", "/", &[]).expect("an answer").status, 421);
    let kept = PasswordHash::of(WORD, "ann").expect("a password");
    let ann = NewPerson {
        name: "ann".into(),
        full_name: String::new(),
        administrator: true,
        analyst: true,
        password: Some(kept),
    };
    world.accounts.add(&ann, hinomi_model::Clock::now(&*world.clock)).expect("an account");
    let data = format!("name=ann&password={}", hinomi_web::link::encode(WORD));
    let origin = format!("Origin: https://{host}");
    let entered = curl(&world, &one, &host, "/sign-in", &["--data", &data, "--header", &origin]).expect("an answer");
    assert_eq!(entered.status, 303, "{}", entered.text());
    assert_eq!(entered.cookies.len(), 2);
    for cookie in &entered.cookies {
        let plain = cookie.starts_with("__Host-") && cookie.contains("; Path=/;") && !cookie.contains("Domain");
        assert!(plain && cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");
    }
    let insecure = format!("Origin: http://{host}");
    let refused = curl(&world, &one, &host, "/sign-in", &["--data", &data, "--header", &insecure]).expect("an answer");
    assert_eq!(refused.status, 403, "a page without TLS is another origin");
    let old = curl(&world, &one, &host, "/", &["--tls-max", "1.1"]);
    assert!(old.is_none(), "TLS 1.1 is not spoken");
}

#[test]
fn a_changed_certificate_is_used_at_once_and_a_broken_one_is_not() {
    let folder = TempDir::new().expect("a folder");
    make_certificate(folder.path(), "one.pem");
    let world = secured(folder.path());
    let (one, two) = (folder.path().join("one.pem"), folder.path().join("two.pem"));
    let answers = |authority: &Path| curl(&world, authority, NAME, "/assets/style.css", &[]).is_some();
    assert!(answers(&one));
    fs::write(folder.path().join("chain.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    assert!(answers(&one), "the good one stays");
    fs::remove_file(folder.path().join("key.pem")).expect("removed");
    assert!(answers(&one), "also without a key");
    make_certificate(folder.path(), "two.pem");
    assert!(answers(&two) && !answers(&one), "the new one");
}

#[test]
fn behind_a_proxy_it_says_who_asked_and_nobody_else_does() {
    let settings = Settings { names: vec![NAME.into()], proxy: "127.0.0.2".parse().ok(), ..Settings::default() };
    let folder = TempDir::new().expect("a folder");
    let accounts = hinomi_state::Accounts::of(hinomi_state::Target::Sqlite(folder.path().join("state.sqlite")));
    assert!(!accounts.exist().expect("asked"));
    // Nobody has an account: a server that everybody reaches through the proxy is not started.
    let world = std::panic::catch_unwind(|| World::reached(settings.clone()));
    assert!(world.is_err());
    let world = World::inhabited(settings);
    let past = ask(world.address, "GET", "/sign-in", "X-Forwarded-For: 127.0.0.2\r\n");
    assert_eq!(past.status, 403, "this connection is not the proxy's, whatever it says");
}
