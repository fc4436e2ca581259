//! SSH by a small client of our own that checks the signature, and by OpenSSH's where it is installed.

use std::collections::BTreeSet;
use std::process::Command;

use hinomi_town::Truth;
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, UnparsedPublicKey as VerifyingKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{PATIENCE, connect};
use crate::{sound, town};

/// One service of each SSH persona.
fn servers(running: &hinomi_town::Running) -> Vec<Truth> {
    let mut personas = BTreeSet::new();
    let ssh = |truth: &Truth| truth.protocol.as_ref().is_some_and(|protocol| protocol.as_str() == "ssh");
    sound(running).into_iter().filter(|truth| ssh(truth) && personas.insert(truth.persona.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_is_signed_by_a_key_that_stays() {
    let running = town(4_096).await;
    let servers = servers(&running);
    assert!(servers.len() >= 8, "{}", servers.len());
    let mut keys = BTreeSet::new();
    for truth in &servers {
        let first = timeout(PATIENCE, exchange(truth)).await.expect("in time");
        let again = timeout(PATIENCE, exchange(truth)).await.expect("in time");
        assert_eq!(first, again, "the host key changes at {truth:?}");
        keys.insert(first);
    }
    assert_eq!(keys.len(), servers.len(), "each host has a key of its own");
}

/// Holds a key exchange, checks the signature, returns the host key.
async fn exchange(truth: &Truth) -> Vec<u8> {
    let mut stream = connect(truth.address, truth.port, PATIENCE).await.expect("connects");
    stream.write_all(b"SSH-2.0-towntest\r\n").await.expect("sent");
    let mut version = Vec::new();
    while !version.ends_with(b"\r\n") {
        version.push(stream.read_u8().await.expect("a version"));
    }
    version.truncate(version.len() - 2);
    let mut own_init = vec![20u8];
    own_init.extend([7; 16]);
    for list in [
        "curve25519-sha256",
        "ssh-ed25519",
        "aes128-ctr",
        "aes128-ctr",
        "hmac-sha2-256",
        "hmac-sha2-256",
        "none",
        "none",
        "",
        "",
    ] {
        string(&mut own_init, list.as_bytes());
    }
    own_init.extend([0; 5]);
    send(&mut stream, &own_init).await;
    let their_init = receive(&mut stream).await;
    assert_eq!(their_init[0], 20);

    let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).expect("a key");
    let public = private.compute_public_key().expect("a public key");
    let mut init = vec![30u8];
    string(&mut init, public.as_ref());
    send(&mut stream, &init).await;
    let reply = receive(&mut stream).await;
    assert_eq!(reply[0], 31);
    let (host_key, rest) = split(&reply[1..]);
    let (their_public, rest) = split(rest);
    let (signature, _) = split(rest);
    assert_eq!(receive(&mut stream).await, [21], "new keys");
    send(&mut stream, &[21]).await;

    let theirs = UnparsedPublicKey::new(&X25519, their_public);
    let mut text = Vec::new();
    for part in
        [b"SSH-2.0-towntest".as_slice(), &version, &own_init, &their_init, host_key, public.as_ref(), their_public]
    {
        string(&mut text, part);
    }
    agree_ephemeral(private, &theirs, |shared| {
        let number: Vec<u8> = shared.iter().copied().skip_while(|byte| *byte == 0).collect();
        let pad: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
        string(&mut text, &[pad, &number].concat());
    })
    .expect("agreement");
    let hash = digest(&SHA256, &text);
    let (_, key) = split(host_key);
    let (_, signed) = split(signature);
    let verified = VerifyingKey::new(&ED25519, split(key).0).verify(hash.as_ref(), split(signed).0);
    verified.unwrap_or_else(|_| panic!("the signature of {truth:?} is wrong"));
    host_key.to_vec()
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk::<4>().expect("a length");
    rest.split_at(u32::from_be_bytes(*length) as usize)
}

async fn send(stream: &mut TcpStream, payload: &[u8]) {
    let padding = 16 - (payload.len() + 5) % 8;
    let mut packet = ((payload.len() + padding + 1) as u32).to_be_bytes().to_vec();
    packet.push(padding as u8);
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0x55);
    stream.write_all(&packet).await.expect("sent");
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u32().await.expect("a length") as usize;
    assert!(length < 40_000 && (length + 4).is_multiple_of(8), "{length}");
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await.expect("a packet");
    let padding = usize::from(packet[0]);
    assert!(padding >= 4);
    packet[1..length - padding].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssh_reads_the_host_key_and_reaches_new_keys() {
    let running = town(4_096).await;
    for truth in servers(&running) {
        let (address, port) = (truth.address.to_string(), truth.port.to_string());
        let Ok(scan) = Command::new("ssh-keyscan").args(["-T", "5", "-t", "ed25519", "-p", &port, &address]).output()
        else {
            eprintln!("standing aside: ssh-keyscan is not installed");
            return;
        };
        let keys = String::from_utf8_lossy(&scan.stdout).into_owned();
        assert!(keys.contains("ssh-ed25519 AAAA"), "{truth:?}: {keys} {}", String::from_utf8_lossy(&scan.stderr));
        let options = [
            "-v",
            "-oBatchMode=yes",
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oConnectTimeout=5",
        ];
        let login = Command::new("ssh").args(options).args(["-F", "none", "-p", &port, &address]).output();
        let said = login.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
        assert!(said.contains("SSH2_MSG_NEWKEYS received"), "{truth:?}: {said}");
        assert!(!said.contains("incorrect signature"), "{said}");
    }
}
