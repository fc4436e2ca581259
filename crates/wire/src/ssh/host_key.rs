//! Host keys (RFC 4253 section 6.6): their type and fingerprint.

use ring::digest::{SHA256, digest};

use super::packet::read_string;
use crate::{Field, Malformed, Reader};

/// The longest name of a key type (RFC 4251 section 6).
const MAX_TYPE_BYTES: usize = 64;

/// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and base64 without padding.
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", base64(digest(&SHA256, blob).as_ref()))
}

/// The named parts of a stored host key blob: `ssh.key.type` as `ssh-ed25519`, `ssh.key.sha256` as `SHA256:...`.
///
/// # Errors
/// When the bytes do not begin with the name of a key type.
pub fn host_key_fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let kind = read_string(&mut reader, "SSH key type")?;
    if kind.is_empty() || kind.len() > MAX_TYPE_BYTES || !kind.iter().all(u8::is_ascii_graphic) {
        return Err(Malformed::Invalid { what: "SSH key type", at: 0 });
    }
    Ok(vec![
        Field::borrowed("ssh.key.type", bytes, 4..4 + kind.len()),
        Field::computed("ssh.key.sha256", fingerprint(bytes), 0..bytes.len()),
    ])
}

/// Base64 of RFC 4648 section 4, without padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let part = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for shift in [18, 12, 6, 0].into_iter().take(group.len() + 1) {
            let digit = usize::try_from(bits >> shift & 0x3F).unwrap_or(0);
            text.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'A')));
        }
    }
    text
}
