//! SSH_MSG_KEXINIT (RFC 4253 section 7.1): the algorithms each side offers, and HASSH, a fingerprint of them.

use std::ops::Range;

use super::md5;
use super::packet::{encode, read_string, string};
use crate::{Field, Malformed, Reader};

pub(super) const KEXINIT: u8 = 20;
const COOKIE: Range<usize> = 1..17;
const LISTS: usize = 10;

/// What we offer, in our order of preference: first the exchanges that cost a device least. Group exchange is not here:
/// it takes two more messages, and a server that has nothing else is rare.
pub(super) const KEX: [&str; 11] = [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group1-sha1",
    "diffie-hellman-group15-sha512",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
];
pub(super) const HOST_KEYS: [&str; 8] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
    "ssh-dss",
];
const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,\
    aes256-gcm@openssh.com,aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc,blowfish-cbc,arcfour";
const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256,\
    hmac-sha2-512,umac-64@openssh.com,hmac-sha1-etm@openssh.com,hmac-sha1,hmac-md5,hmac-sha1-96";
const COMPRESSION: &str = "none,zlib@openssh.com,zlib";

/// Our offer as a packet; the cookie is random and given by the caller.
pub fn kexinit_packet(cookie: [u8; 16]) -> Vec<u8> {
    let mut payload = vec![KEXINIT];
    payload.extend(cookie);
    let (kex, keys) = (KEX.join(","), HOST_KEYS.join(","));
    for list in [&kex, &keys, CIPHERS, CIPHERS, MACS, MACS, COMPRESSION, COMPRESSION, "", ""] {
        payload.extend(string(list.as_bytes()));
    }
    // No guessed packet follows; four bytes are reserved.
    payload.extend([0; 5]);
    encode(&payload)
}

/// Names separated by commas, and where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameList<'a> {
    /// As sent. The standard says ASCII; a server says what it likes.
    pub bytes: &'a [u8],
    /// Where they stand in the input.
    pub span: Range<usize>,
}

impl<'a> NameList<'a> {
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b',').filter(|name| !name.is_empty())
    }

    /// Whether this name is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|listed| listed == name.as_bytes())
    }
}

/// A server's offer. Lists that differ by direction are those from server to client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KexInit<'a> {
    /// Key exchange methods.
    pub kex: NameList<'a>,
    /// Host key algorithms.
    pub host_keys: NameList<'a>,
    /// Ciphers.
    pub ciphers: NameList<'a>,
    /// Message authentication codes.
    pub macs: NameList<'a>,
    /// Compression methods.
    pub compression: NameList<'a>,
    /// The server guessed what will be agreed and has sent a packet for it.
    pub guess_follows: bool,
}

impl<'a> KexInit<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// When the bytes are cut or are another message.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        if reader.u8("SSH KEXINIT")? != KEXINIT {
            return Err(Malformed::Invalid { what: "SSH KEXINIT", at: 0 });
        }
        reader.take(COOKIE.len(), "SSH cookie")?;
        let mut lists = Vec::with_capacity(LISTS);
        for _ in 0..LISTS {
            let bytes = read_string(&mut reader, "SSH name list")?;
            lists.push(NameList { bytes, span: reader.at() - bytes.len()..reader.at() });
        }
        let guess_follows = reader.u8("SSH first packet follows")? != 0;
        let Ok([kex, host_keys, _, ciphers, _, macs, _, compression, _, _]) = <[_; LISTS]>::try_from(lists) else {
            return Err(Malformed::Invalid { what: "SSH name lists", at: COOKIE.end });
        };
        Ok(Self { kex, host_keys, ciphers, macs, compression, guess_follows })
    }

    /// The server's HASSH, as Salesforce published it: MD5 of the four lists of the server's direction, joined by `;`.
    pub fn hassh(&self) -> String {
        let lists = [self.kex.bytes, self.ciphers.bytes, self.macs.bytes, self.compression.bytes];
        md5::hex_digest(&lists.join(&b';'))
    }
}

/// The named parts of a stored KEXINIT payload: `ssh.kex`, `ssh.host-key-algorithms`, and of the server's direction
/// `ssh.ciphers`, `ssh.macs`, `ssh.compression`; `ssh.hassh`.
///
/// # Errors
/// When the bytes are no KEXINIT.
pub fn kex_fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let offer = KexInit::parse(bytes)?;
    let hassh = Field::computed("ssh.hassh", offer.hassh(), offer.kex.span.start..offer.compression.span.end);
    let field = |name, list: NameList<'_>| Field::borrowed(name, bytes, list.span);
    Ok(vec![
        field("ssh.kex", offer.kex),
        field("ssh.host-key-algorithms", offer.host_keys),
        field("ssh.ciphers", offer.ciphers),
        field("ssh.macs", offer.macs),
        field("ssh.compression", offer.compression),
        hassh,
    ])
}

/// Blanks the cookie of a KEXINIT payload; the fields stay the same.
pub fn mask(bytes: &mut [u8]) {
    if KexInit::parse(bytes).is_err() {
        return;
    }
    if let Some(cookie) = bytes.get_mut(COOKIE) {
        cookie.fill(0);
    }
}
