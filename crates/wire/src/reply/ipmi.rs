//! IPMI over UDP: Get Channel Authentication Capabilities, which comes before every session (port 623).
//!
//! Follows the IPMI specification 2.0, 13.6 (RMCP and session header), 13.8 (message) and 22.13 (the command). No session
//! is opened and no name or password is sent. The answer is a third longer than the request, whose length is fixed.

use std::borrow::Cow;

use crate::fields::Fields;
use crate::{Malformed, Reader};

/// Asks about the channel it came by, for the version 2 data, and for the privilege of an administrator: what would be
/// needed, not to have it.
pub const ASK: &[u8; 23] = b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\0\x38\x8e\x04\xb5";

/// Header of RMCP, session without authentication, its length; answer of network function 6 to our command.
const HEADER: &[u8; 13] = b"\x06\0\xff\x07\0\0\0\0\0\0\0\0\0";
const COMMAND: u8 = 0x38;
/// Where the data of the answer begins, behind the completion code.
const DATA: usize = 21;

/// Ways to authenticate, by the bit.
const WAYS: &[(u8, &str)] = &[(0, "none"), (1, "md2"), (2, "md5"), (4, "password"), (5, "oem")];

/// What a controller answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Bits of the ways to authenticate.
    pub ways: u8,
    /// Bits of names that are accepted: 0 anonymous, 1 empty, 2 others.
    pub names: u8,
    /// Whether it speaks version 2.0.
    pub version_2: bool,
    /// The maker's number at IANA, where it tells one.
    pub maker: u32,
}

/// Reads an answer to [`ASK`].
///
/// # Errors
/// When the bytes are cut, are no such answer, or a check is wrong.
pub fn parse(bytes: &[u8]) -> Result<Capabilities, Malformed> {
    let mut reader = Reader::new(bytes);
    let invalid = |what, at| Malformed::Invalid { what, at };
    if reader.array("IPMI header")? != *HEADER {
        return Err(invalid("IPMI header", 0));
    }
    let length = usize::from(reader.u8("IPMI length")?);
    let message = reader.take(length, "IPMI message")?;
    let [requester, function, check, rest @ ..] = message else {
        return Err(invalid("IPMI message", HEADER.len() + 1));
    };
    let sums = sum(&[*requester, *function, *check]) == 0 && sum(rest) == 0;
    if !sums || *function >> 2 != 0x07 {
        return Err(invalid("IPMI message", HEADER.len() + 1));
    }
    match rest {
        [_, _, COMMAND, 0, _, ways, names, extended, low, middle, high, _aux, _check] => Ok(Capabilities {
            ways: *ways,
            names: *names,
            version_2: ways & 0x80 != 0 && extended & 2 != 0,
            maker: u32::from_le_bytes([*low, *middle, *high, 0]),
        }),
        _ => Err(invalid("IPMI capabilities", DATA)),
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `ipmi.version` (`1.5` or `2.0`), `.authentication` (as `md5,password`), `.anonymous` (`yes` where a session needs no
/// name), `.maker` (decimal).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(told) = parse(input) else { return };
    let mut say = |name: &'static str, text: Cow<'static, str>, at: usize, length: usize| {
        list.value(name, Cow::Owned(text.into_owned().into_bytes()), at..at + length);
    };
    say("ipmi.version", if told.version_2 { "2.0" } else { "1.5" }.into(), DATA + 3, 1);
    let ways: Vec<&str> = WAYS.iter().filter(|(bit, _)| told.ways >> bit & 1 == 1).map(|(_, name)| *name).collect();
    say("ipmi.authentication", ways.join(",").into(), DATA + 1, 1);
    say("ipmi.anonymous", if told.names & 1 == 1 { "yes" } else { "no" }.into(), DATA + 2, 1);
    if told.maker != 0 {
        say("ipmi.maker", told.maker.to_string().into(), DATA + 4, 3);
    }
}
