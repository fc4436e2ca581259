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

/// The named parts of a stored host key blob: `ssh.key.type` as `ssh-ed25519`, `ssh.key` with the size as `rsa-3072`,
/// `ec-256`, `ed25519`, `dsa-1024`, `ssh.key.sha256` as `SHA256:...`.
///
/// # Errors
/// When the bytes do not begin with the name of a key type.
pub fn host_key_fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let kind = read_string(&mut reader, "SSH key type")?;
    if kind.is_empty() || kind.len() > MAX_TYPE_BYTES || !kind.iter().all(u8::is_ascii_graphic) {
        return Err(Malformed::Invalid { what: "SSH key type", at: 0 });
    }
    let mut found = vec![
        Field::borrowed("ssh.key.type", bytes, 4..4 + kind.len()),
        Field::computed("ssh.key.sha256", fingerprint(bytes), 0..bytes.len()),
    ];
    found.extend(key_name(kind, &mut reader).map(|name| Field::computed("ssh.key", name, 0..bytes.len())));
    Ok(found)
}

/// Algorithm and size of a key whose type was read, in the words of certificates; `None` for types not known here.
fn key_name(kind: &[u8], reader: &mut Reader<'_>) -> Option<String> {
    let name = match kind {
        b"ssh-rsa" => {
            read_string(reader, "RSA exponent").ok()?;
            format!("rsa-{}", bits(read_string(reader, "RSA modulus").ok()?))
        }
        b"ssh-dss" => format!("dsa-{}", bits(read_string(reader, "DSA prime").ok()?)),
        b"ecdsa-sha2-nistp256" => "ec-256".to_owned(),
        b"ecdsa-sha2-nistp384" => "ec-384".to_owned(),
        b"ecdsa-sha2-nistp521" => "ec-521".to_owned(),
        b"ssh-ed25519" => "ed25519".to_owned(),
        b"ssh-ed448" => "ed448".to_owned(),
        _ => return None,
    };
    Some(name)
}

/// The length of a number as SSH writes it (`mpint`, RFC 4251 section 5).
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let Some(first) = number.get(zeros) else { return 0 };
    (number.len() - zeros) * 8 - usize::try_from(first.leading_zeros()).unwrap_or(0)
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
