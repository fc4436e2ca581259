//! `hinomi ledger`: two processes append to one log; proofs are checked from files alone, by us and by OpenSSL.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::program::Installation;

const RETAIN: [&str; 8] =
    ["ledger", "retain", "--before", "2020-01-01", "--kind", "look", "--reason", "their time is over"];

fn write(home: &Installation, name: &str, text: &str) -> PathBuf {
    let path = home.path(name);
    fs::write(&path, text).expect("written");
    path
}

/// Verifies in an empty folder of another installation.
fn verify(vkey: &str, files: &[&PathBuf]) -> std::process::Output {
    let elsewhere = Installation::new();
    let files: Vec<&str> = files.iter().map(|file| file.to_str().expect("a path")).collect();
    let output = elsewhere.run(&[&["ledger", "verify", "--json", "--vkey", vkey], files.as_slice()].concat());
    assert!(!elsewhere.state().exists(), "nothing but the files is used");
    output
}

#[test]
fn a_ledger_is_written_by_two_processes_and_proved_without_either() {
    let home = Installation::new();
    let status = home.json(&["ledger", "status"]);
    let vkey = status["vkey"].as_str().expect("a key").to_owned();
    let early = write(&home, "early.note", &home.succeed(&["ledger", "checkpoint"]));
    // As many processes as come, all at once, into one log.
    let children: Vec<_> = (0..6).map(|_| home.command(&RETAIN).spawn().expect("starts")).collect();
    for mut child in children {
        assert!(child.wait().expect("ends").success());
    }
    assert_eq!(home.json(&["ledger", "status"])["entries"], 7);
    let proof = write(&home, "proof.json", &home.succeed(&["ledger", "prove", "--entry", "3"]));
    let since = ["ledger", "prove", "--since", early.to_str().expect("a path")];
    let grew = write(&home, "grew.json", &home.succeed(&since));
    let good = verify(&vkey, &[&early, &proof, &grew]);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let told = String::from_utf8(good.stdout).expect("text");
    assert!(
        told.contains("\"place\":3") && told.contains("their time is over") && told.contains("\"old\":1"),
        "{told}"
    );
    let forged = fs::read_to_string(&proof).expect("text").replace("time is over", "time is 0ver");
    let forged = write(&home, "forged.json", &forged);
    assert!(!verify(&vkey, &[&forged]).status.success(), "another entry has another hash");
    let other = Installation::new().json(&["ledger", "status"])["vkey"].as_str().expect("a key").to_owned();
    assert!(!verify(&other, &[&early]).status.success(), "another key has signed nothing here");
    assert!(home.json(&["ledger", "check", "--noted", early.to_str().expect("a path")])["entries"] == 7);
    assert_eq!(home.json_lines(&["ledger", "show", "--last", "2"]).len(), 2);
    assert!(openssl_agrees(&home, &vkey, &early));
}

/// Whether OpenSSL finds the signature of a checkpoint good: key and note are taken apart with a shell's tools.
fn openssl_agrees(home: &Installation, vkey: &str, note: &std::path::Path) -> bool {
    let script = r#"
        set -e
        cd "$1"
        # An Ed25519 public key in DER is this prefix and the 32 bytes after the algorithm (RFC 8410).
        { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf '%s' "$2" | cut -d+ -f3- | base64 -d | tail -c 32; } >key.der
        head -n 3 "$3" >text
        tail -n 1 "$3" | cut -d' ' -f3 | base64 -d | tail -c 64 >signature
        openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in text -sigfile signature
    "#;
    let folder = home.path("openssl");
    fs::create_dir(&folder).expect("made");
    let arguments = [folder.as_os_str(), vkey.as_ref(), note.as_os_str()];
    let status = Command::new("bash").args(["-c", script, "bash"]).args(arguments).status();
    status.expect("OpenSSL runs").success()
}

#[test]
fn damage_to_the_ledger_has_an_exit_code_of_its_own() {
    let home = Installation::new();
    home.succeed(&["ledger", "checkpoint"]);
    (0..2).for_each(|_| drop(home.succeed(&RETAIN)));
    home.succeed(&["ledger", "checkpoint"]);
    let other = Installation::new();
    other.succeed(&["ledger", "checkpoint"]);
    // Another installation's rows under this one's key.
    for file in ["state.sqlite", "state.sqlite-wal", "state.sqlite-shm"] {
        let from = other.state().join(file);
        let _ = fs::remove_file(home.state().join(file));
        if from.exists() {
            fs::copy(from, home.state().join(file)).expect("copied");
        }
    }
    let told = home.fail(&["ledger", "status"]);
    assert!(told.contains("the ledger does not hold"), "{told}");
}
