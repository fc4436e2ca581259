//! The server side of SSH up to the keys (RFC 4253, RFC 8731, RFC 8709): version, algorithms, an exchange over
//! Curve25519 signed by the host's own Ed25519 key, NEWKEYS. Then it hangs up: there is no account to offer.

mod algorithms;
mod packet;

use std::io;

use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::Visit;
use super::conversation::Conversation;
use crate::persona::SshSpeech;
use algorithms::Lists;
use packet::{put_mpint, put_string, read_packet, take_string, write_packet};

const DISCONNECT: u8 = 1;
const IGNORE: u8 = 2;
const DEBUG: u8 = 4;
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const KEX_ECDH_INIT: u8 = 30;
const KEX_ECDH_REPLY: u8 = 31;
const KEY_EXCHANGE_FAILED: u32 = 3;
/// Longest version line (RFC 4253, section 4.2).
const VERSION_MAX_BYTES: usize = 255;
/// Lines a client may send before its version.
const LINES_MAX: usize = 8;
/// Messages a client may slip in where another is due.
const SKIPPED_MAX: usize = 16;
const HOST_KEY: &str = "ssh-ed25519";

/// Holds the exchange and hangs up.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &SshSpeech) -> io::Result<()> {
    let own_version = visit.text(&speech.banner);
    let lists = algorithms::of(speech.flavour);
    let own_init = kexinit(&lists)?;
    client.write(format!("{own_version}\r\n").as_bytes()).await?;
    if speech.flavour.sends_lists_at_once() {
        write_packet(client, &own_init).await?;
    }
    let their_version = version(client).await?;
    if !speech.flavour.sends_lists_at_once() {
        write_packet(client, &own_init).await?;
    }
    let their_init = expect(client, KEXINIT).await?;
    let offer = algorithms::read_offer(&their_init).ok_or_else(malformed)?;
    let Some(agreed) = lists.agree(&offer) else {
        return disconnect(client, "no matching algorithms").await;
    };
    if agreed.skip_guess {
        read_packet(client).await?;
    }
    let request = expect(client, KEX_ECDH_INIT).await?;
    let (their_key, _) = take_string(request.get(1..).unwrap_or_default()).ok_or_else(malformed)?;
    let exchange = Exchange {
        their_version: their_version.as_bytes(),
        own_version: own_version.as_bytes(),
        their_init: &their_init,
        own_init: &own_init,
        their_key,
    };
    let Some(reply) = exchange.reply(&visit.host.secret("ssh-key")) else {
        return disconnect(client, "key exchange failed").await;
    };
    write_packet(client, &reply).await?;
    write_packet(client, &[NEWKEYS]).await?;
    expect(client, NEWKEYS).await.map(drop)
}

/// The client's version line, after whatever lines come before it.
async fn version(client: &mut Conversation) -> io::Result<String> {
    for _ in 0..LINES_MAX {
        let line = client.line(VERSION_MAX_BYTES).await?;
        if line.starts_with(b"SSH-") {
            return String::from_utf8(line).map_err(|_| malformed());
        }
    }
    Err(malformed())
}

/// The next message of this number; others that may come at any time are passed over.
async fn expect(client: &mut Conversation, number: u8) -> io::Result<Vec<u8>> {
    for _ in 0..SKIPPED_MAX {
        let message = read_packet(client).await?;
        match message.first() {
            Some(found) if *found == number => return Ok(message),
            Some(found) if (IGNORE..=DEBUG).contains(found) => {}
            _ => return Err(malformed()),
        }
    }
    Err(malformed())
}

async fn disconnect(client: &mut Conversation, reason: &str) -> io::Result<()> {
    let mut message = vec![DISCONNECT];
    message.extend(KEY_EXCHANGE_FAILED.to_be_bytes());
    put_string(&mut message, reason.as_bytes());
    put_string(&mut message, b"");
    write_packet(client, &message).await
}

fn kexinit(lists: &Lists) -> io::Result<Vec<u8>> {
    let mut cookie = [0; 16];
    SystemRandom::new().fill(&mut cookie).map_err(|_| io::Error::other("no random numbers"))?;
    let mut message = vec![KEXINIT];
    message.extend(cookie);
    for list in lists.in_order() {
        put_string(&mut message, list.as_bytes());
    }
    message.extend([0; 5]); // no guess follows; reserved
    Ok(message)
}

/// What both sides sign.
struct Exchange<'a> {
    their_version: &'a [u8],
    own_version: &'a [u8],
    their_init: &'a [u8],
    own_init: &'a [u8],
    their_key: &'a [u8],
}

impl Exchange<'_> {
    /// The reply with host key, own ephemeral key and signature. `None` when the client's key is no key.
    fn reply(&self, host_secret: &[u8; 32]) -> Option<Vec<u8>> {
        let host = Ed25519KeyPair::from_seed_unchecked(host_secret).ok()?;
        let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).ok()?;
        let public = private.compute_public_key().ok()?;
        let theirs = UnparsedPublicKey::new(&X25519, self.their_key);
        let host_key = named(host.public_key().as_ref());
        let hash = agree_ephemeral(private, &theirs, |shared| self.hash(&host_key, public.as_ref(), shared)).ok()?;
        let mut reply = vec![KEX_ECDH_REPLY];
        put_string(&mut reply, &host_key);
        put_string(&mut reply, public.as_ref());
        put_string(&mut reply, &named(host.sign(&hash).as_ref()));
        Some(reply)
    }

    /// RFC 5656, section 4.
    fn hash(&self, host_key: &[u8], own_key: &[u8], shared: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let parts =
            [self.their_version, self.own_version, self.their_init, self.own_init, host_key, self.their_key, own_key];
        for part in parts {
            put_string(&mut text, part);
        }
        put_mpint(&mut text, shared);
        digest(&SHA256, &text).as_ref().to_vec()
    }
}

/// A key or signature behind its algorithm's name (RFC 8709).
fn named(bytes: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    put_string(&mut blob, HOST_KEY.as_bytes());
    put_string(&mut blob, bytes);
    blob
}

fn malformed() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}
