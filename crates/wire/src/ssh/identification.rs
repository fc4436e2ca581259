//! The identification string (RFC 4253 section 4.2), and the lines that may stand before it.

use std::ops::Range;

use crate::Malformed;

/// The most bytes before the identification string: legal notices, the ramblings of tarpits.
const MAX_PREFACE_BYTES: usize = 8 * 1024;

/// The longest identification string that is read. The standard says 255; some devices say more.
const MAX_LINE_BYTES: usize = 1024;

/// Our own identification string. `version` is our program's; characters that do not belong there are left out.
pub fn client_identification(version: &str) -> Vec<u8> {
    let allowed = |c: &char| c.is_ascii_graphic() && *c != '-';
    let version: String = version.chars().filter(allowed).take(32).collect();
    format!("SSH-2.0-Hinomi_{version}\r\n").into_bytes()
}

/// A server's identification string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// As `2.0`, or `1.99` for a server that speaks version 1 too.
    pub protocol: &'a [u8],
    /// Software version and comments, as `OpenSSH_9.2p1 Debian-2`.
    pub software: &'a [u8],
    /// The line without its end, in the input.
    pub line: Range<usize>,
    /// How many bytes to leave behind: packets start there.
    pub consumed: usize,
}

/// Reads the identification string from the start of a server's stream; `None` while it has not all come.
///
/// # Errors
/// When the server says too much before it, or something that is no identification string.
pub fn read_identification(stream: &[u8]) -> Result<Option<Identification<'_>>, Malformed> {
    let mut start = 0;
    while let Some(rest) = stream.get(start..) {
        let ours = rest.starts_with(b"SSH-");
        let Some(end) = rest.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n') else {
            let limit = if ours { MAX_LINE_BYTES } else { MAX_PREFACE_BYTES };
            return too_long(start, rest.len(), limit);
        };
        if ours {
            let line = rest.get(..end).unwrap_or_default();
            return split(line, start).map(Some);
        }
        start += end + 1;
        if start > MAX_PREFACE_BYTES {
            return too_long(start, start, MAX_PREFACE_BYTES);
        }
    }
    Ok(None)
}

fn too_long(at: usize, length: usize, limit: usize) -> Result<Option<Identification<'static>>, Malformed> {
    if length >= limit.min(MAX_LINE_BYTES) {
        return Err(Malformed::TooMuch { what: "SSH identification", at, limit });
    }
    Ok(None)
}

fn split(line: &[u8], start: usize) -> Result<Identification<'_>, Malformed> {
    let consumed = start + line.len() + 1;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let invalid = || Malformed::Invalid { what: "SSH identification", at: start };
    let rest = line.strip_prefix(b"SSH-").ok_or_else(invalid)?;
    let dash = rest.iter().position(|byte| *byte == b'-').ok_or_else(invalid)?;
    let (protocol, software) = rest.split_at_checked(dash).ok_or_else(invalid)?;
    let software = software.strip_prefix(b"-").unwrap_or_default();
    Ok(Identification { protocol, software, line: start..start + line.len(), consumed })
}
