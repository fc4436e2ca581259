//! Our ClientHello: broad, so that old devices answer, and small, so that they do not choke.

use std::net::IpAddr;

use super::record::{HANDSHAKE, encode};

/// Hellos of 256 to 511 bytes hang some old terminators; RFC 7685 pads them past that.
const PADDED_BYTES: usize = 512;

/// Names and protocols longer than this are not sent.
const MAX_SERVER_NAME_BYTES: usize = 253;

const CLIENT_HELLO: u8 = 1;
const TLS_1_0: u16 = 0x0301;
const TLS_1_1: u16 = 0x0302;
const TLS_1_2: u16 = 0x0303;
const VERSIONS: [u16; 4] = [0x0304, TLS_1_2, TLS_1_1, TLS_1_0];

const CIPHERS_1_3: [u16; 3] = [0x1301, 0x1302, 0x1303];

/// Forward secrecy first, then what only old devices have: RSA key exchange, Camellia, 3DES, RC4. Last the signal of
/// secure renegotiation (RFC 5746), which the very old understand better than an extension.
const CIPHERS: [u16; 43] = [
    0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC009, 0xC013, 0xC00A, 0xC014, 0xC023, 0xC027, 0xC024, 0xC028,
    0x009E, 0x009F, 0xCCAA, 0x0033, 0x0039, 0x0067, 0x006B, 0x0045, 0x0088, 0x009C, 0x009D, 0x002F, 0x0035, 0x003C,
    0x003D, 0x0041, 0x0084, 0x0032, 0x0038, 0xC008, 0xC012, 0x0016, 0x000A, 0x0013, 0xC007, 0xC011, 0x0005, 0x0004,
    0x00FF,
];

/// What a server is asked for that is offered nothing newer than TLS 1.1, the weakest first: many servers follow the
/// client's order, and so tell how low they go. No encryption at all, export, DES, RC4, 3DES, then AES.
const CIPHERS_OLD: [u16; 28] = [
    0x0001, 0x0002, 0x003B, 0x0003, 0x0006, 0x0008, 0x0014, 0x0009, 0x0015, 0x0004, 0x0005, 0xC007, 0xC011, 0x000A,
    0x0016, 0x0013, 0xC008, 0xC012, 0x002F, 0x0035, 0x0033, 0x0039, 0x0032, 0xC009, 0xC013, 0xC00A, 0xC014, 0x00FF,
];

/// X25519MLKEM768, SecP256r1MLKEM768, SecP384r1MLKEM1024 (draft-ietf-tls-ecdhe-mlkem); the drafts that came before them,
/// X25519Kyber768Draft00 (draft-tls-westerbaan-xyber768d00) and SecP256r1Kyber768Draft00; and ML-KEM alone, of 768, 1024
/// and 512 (draft-ietf-tls-mlkem).
const HYBRIDS: [u16; 8] = [0x11EC, 0x11EB, 0x11ED, 0x6399, 0x639A, 0x0201, 0x0202, 0x0200];

/// The hybrids and ML-KEM alone, x25519, P-256, P-384, P-521. The first are offered without a share: a server that wants one of them asks
/// again (HelloRetryRequest, RFC 8446 section 4.1.4) and so names the group it prefers. A share of ML-KEM would take
/// 1,184 bytes, more than one segment has room for, and some servers choke on a hello in two.
const GROUPS: [u16; 12] =
    [0x11EC, 0x11EB, 0x11ED, 0x6399, 0x639A, 0x0201, 0x0202, 0x0200, 0x001D, 0x0017, 0x0018, 0x0019];
const GROUPS_1_2: [u16; 4] = [0x001D, 0x0017, 0x0018, 0x0019];
const X25519: u16 = 0x001D;

/// ECDSA, Ed25519, RSA-PSS, RSA PKCS#1, and SHA-1 for the old.
const SIGNATURES: [u16; 14] =
    [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0809, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201, 0x0202];

/// What is offered: what a server answers depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offer {
    /// TLS 1.0 to 1.3, hybrid and classic groups: tells what it prefers.
    #[default]
    Everything,
    /// TLS 1.0 to 1.2: the certificates come in the clear.
    Tls12,
    /// TLS 1.0 and 1.1, weak cipher suites first: tells whether it still takes them.
    Old,
    /// TLS 1.3 with post-quantum groups alone and no key share, which asks the server to name one (RFC 8446 section 4.2.8):
    /// tells whether it has one.
    Hybrid,
}

impl Offer {
    /// Whether TLS 1.3 is offered.
    const fn is_modern(self) -> bool {
        matches!(self, Self::Everything | Self::Hybrid)
    }

    fn ciphers(self) -> Vec<u16> {
        match self {
            Self::Everything => [CIPHERS_1_3.as_slice(), &CIPHERS].concat(),
            Self::Tls12 => CIPHERS.to_vec(),
            Self::Old => CIPHERS_OLD.to_vec(),
            Self::Hybrid => CIPHERS_1_3.to_vec(),
        }
    }

    const fn groups(self) -> &'static [u16] {
        match self {
            Self::Everything => &GROUPS,
            Self::Tls12 | Self::Old => &GROUPS_1_2,
            Self::Hybrid => &HYBRIDS,
        }
    }

    const fn versions(self) -> &'static [u16] {
        match self {
            Self::Everything => &VERSIONS,
            Self::Hybrid => &[0x0304],
            Self::Tls12 | Self::Old => &[],
        }
    }
}

/// What goes into a ClientHello.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientHelloOptions<'a> {
    /// The client's random.
    pub random: [u8; 32],
    /// The session id that TLS 1.3 sends for old middleboxes' sake. Not sent without TLS 1.3.
    pub session_id: [u8; 32],
    /// The x25519 public value. No secret needs to be known: the handshake never goes on.
    pub key_share: [u8; 32],
    /// The host name asked for; addresses are not sent (RFC 6066 section 3).
    pub server_name: Option<&'a str>,
    /// Application protocols offered, as `http/1.1`; empty sends no such extension.
    pub alpn: &'a [&'a str],
    /// What is offered.
    pub offer: Offer,
}

/// The ClientHello as one record.
pub fn client_hello(options: &ClientHelloOptions<'_>) -> Vec<u8> {
    let modern = options.offer.is_modern();
    let version = if options.offer == Offer::Old { TLS_1_1 } else { TLS_1_2 };
    let mut body = version.to_be_bytes().to_vec();
    body.extend(options.random);
    body.extend(with_length_u8(if modern { &options.session_id } else { &[] }));
    body.extend(with_length_u16(&numbers(&options.offer.ciphers())));
    body.extend([1, 0]);
    let mut extensions = extensions(options);
    pad(&mut extensions, body.len() + 4 + 2);
    body.extend(with_length_u16(&extensions));

    let [_, high, middle, low] = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let mut message = vec![CLIENT_HELLO, high, middle, low];
    message.extend(body);
    encode(HANDSHAKE, TLS_1_0, &message)
}

fn extensions(options: &ClientHelloOptions<'_>) -> Vec<u8> {
    let offer = options.offer;
    let mut all = Vec::new();
    if let Some(name) = options.server_name.filter(|name| is_host_name(name)) {
        let entry = [&[0], with_length_u16(name.as_bytes()).as_slice()].concat();
        all.extend(extension(0, &with_length_u16(&entry)));
    }
    all.extend(extension(23, &[]));
    all.extend(extension(10, &with_length_u16(&numbers(offer.groups()))));
    all.extend(extension(11, &[1, 0]));
    if offer != Offer::Old {
        all.extend(extension(13, &with_length_u16(&numbers(&SIGNATURES))));
    }
    let protocols: Vec<u8> = options.alpn.iter().flat_map(|name| with_length_u8(name.as_bytes())).collect();
    if !protocols.is_empty() {
        all.extend(extension(16, &with_length_u16(&protocols)));
    }
    if offer.is_modern() {
        all.extend(extension(43, &with_length_u8(&numbers(offer.versions()))));
        all.extend(extension(45, &[1, 1]));
        let share = match offer {
            Offer::Hybrid => Vec::new(),
            _ => [X25519.to_be_bytes().as_slice(), with_length_u16(&options.key_share).as_slice()].concat(),
        };
        all.extend(extension(51, &with_length_u16(&share)));
    }
    all
}

fn is_host_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=MAX_SERVER_NAME_BYTES).contains(&name.len()) && name.bytes().all(fits) && name.parse::<IpAddr>().is_err()
}

/// `before` are the bytes of the handshake message around the extensions.
fn pad(extensions: &mut Vec<u8>, before: usize) {
    let length = before + extensions.len();
    if (256..PADDED_BYTES).contains(&length) {
        let padding = PADDED_BYTES.saturating_sub(length + 4);
        extensions.extend(extension(21, &vec![0; padding]));
    }
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), with_length_u16(data).as_slice()].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn with_length_u8(data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
    [&[length], data.get(..usize::from(length)).unwrap_or_default()].concat()
}

fn with_length_u16(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), data.get(..usize::from(length)).unwrap_or_default()].concat()
}
