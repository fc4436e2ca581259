//! VNC (RFC 6143): the versions of both ends, and the kinds of security that a server offers.
//!
//! The server speaks first; it is answered with its own version or the nearest that we know, and tells its kinds of
//! security. None is chosen: the connection ends there. Evidence is both messages of the server, one after another.

use crate::fields::Fields;
use crate::text::get;

/// `RFB 003.008` and a line feed.
const VERSION_BYTES: usize = 12;
/// The longest reason for a refusal that is read.
const MAX_REASON_BYTES: usize = 1024;

/// Kinds of security by number (7.1.2, and IANA's registry).
const KINDS: &[(u8, &str)] = &[
    (0, "invalid"),
    (1, "none"),
    (2, "vnc"),
    (5, "ra2"),
    (6, "ra2ne"),
    (16, "tight"),
    (17, "ultra"),
    (18, "tls"),
    (19, "vencrypt"),
    (20, "sasl"),
    (21, "md5"),
    (30, "apple"),
];

/// What to answer to a server's version: ours is no newer, and one of those that the specification has. Versions that
/// it does not have are taken as 3.3 (7.1.1), but for those of Apple (3.889) and RealVNC (4 and 5), which follow 3.8.
pub fn version(greeting: &[u8]) -> Option<&'static [u8; VERSION_BYTES]> {
    if get(greeting, 0..6) != b"RFB 00" || greeting.len() != VERSION_BYTES || !greeting.ends_with(b"\n") {
        return None;
    }
    Some(match get(greeting, 4..11) {
        b"003.008" | b"003.889" | [b'0', b'0', b'4' | b'5', b'.', ..] => b"RFB 003.008\n",
        b"003.007" => b"RFB 003.007\n",
        _ => b"RFB 003.003\n",
    })
}

/// Whether what follows the version is whole: a list of kinds, one kind (3.3), or a reason.
pub fn complete(old: bool, seen: &[u8]) -> bool {
    match (old, seen) {
        (true, [0, 0, 0, 0, reason @ ..]) | (false, [0, reason @ ..]) => whole_reason(reason),
        (true, _) => seen.len() >= 4,
        (false, [count, kinds @ ..]) => kinds.len() >= usize::from(*count),
        (false, []) => false,
    }
}

fn whole_reason(reason: &[u8]) -> bool {
    match reason {
        [a, b, c, d, text @ ..] => {
            let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
            text.len() >= length.min(MAX_REASON_BYTES)
        }
        _ => false,
    }
}

/// Whether a server of this version tells one kind in four bytes.
pub fn is_old(greeting: &[u8]) -> bool {
    version(get(greeting, 0..VERSION_BYTES)) == Some(b"RFB 003.003\n")
}

/// `vnc.security` (as `vencrypt,vnc`, in the server's order) or `vnc.refusal`, its reason.
pub(crate) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let old = is_old(input);
    let start = VERSION_BYTES + if old { 4 } else { 1 };
    let kinds = match (old, get(input, VERSION_BYTES..start)) {
        (true, [0, 0, 0, kind]) if *kind != 0 => start - 1..start,
        (false, [count]) if *count != 0 => start..start + usize::from(*count),
        (_, []) => return,
        _ => return list.span("vnc.refusal", (start + 4).min(input.len())..input.len()),
    };
    let name = |kind: &u8| {
        let known = KINDS.iter().find(|(of, _)| of == kind);
        known.map_or_else(|| kind.to_string(), |(_, name)| (*name).to_owned())
    };
    let names: Vec<String> = get(input, kinds.clone()).iter().map(name).collect();
    list.value("vnc.security", names.join(",").into_bytes().into(), kinds);
}
