//! Checkpoints as signed notes.
//!
//! Specifications: <https://c2sp.org/signed-note>, <https://c2sp.org/tlog-checkpoint>, with Ed25519 (RFC 8032). The name
//! of a key is the origin of its log. What a note says is believed only when a key that the reader named has signed it.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use hinomi_model::merkle::{Digest, TreeHash};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::LedgerError;
use super::hash::Sha256;

/// The longest note.
pub const MAX_NOTE_BYTES: usize = 16 * 1024;
/// The most signatures of a note that are looked at.
const MAX_SIGNATURES: usize = 100;
/// Algorithm of a key: Ed25519.
const ED25519_KEY: u8 = 1;
/// How a line of a signature begins.
const SIGNED: &str = "\u{2014} ";
/// Bytes of a key's number.
const KEY_ID_BYTES: usize = 4;

/// How long the log was and what its root was: enough to prove later that it only grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root))
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let plain = size == "0" || (!size.starts_with('0') && size.bytes().all(|byte| byte.is_ascii_digit()));
        let root = BASE64.decode(root.as_bytes()).ok()?.try_into().ok()?;
        (!origin.is_empty() && plain && lines.all(|line| !line.is_empty())).then_some(())?;
        Some(Self { origin: origin.to_owned(), size: size.parse().ok()?, root })
    }
}

/// The private half of a key.
pub struct Signer {
    name: String,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.name)
    }
}

impl Signer {
    /// The key of this seed, under the name of its log.
    ///
    /// # Errors
    /// When the name or the seed is none.
    pub fn new(name: &str, seed: &[u8]) -> Result<Self, LedgerError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|error| LedgerError::Key(format!("no Ed25519 key: {error}")))?;
        Ok(Self { name: name.to_owned(), pair })
    }

    /// The name of the key, and of its log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half.
    pub fn verifier(&self) -> Verifier {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        Verifier { name: self.name.clone(), key }
    }

    /// The checkpoint, signed.
    pub fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.to_text();
        let mut signed = self.verifier().id().to_vec();
        signed.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n{SIGNED}{} {}\n", self.name, BASE64.encode(&signed))
    }
}

/// The public half of a key: `name+12ab34cd+BASE64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: [u8; 32],
}

impl Verifier {
    /// Reads a verifier key.
    ///
    /// # Errors
    /// When it is none, or not of Ed25519.
    pub fn read(vkey: &str) -> Result<Self, LedgerError> {
        let wrong = |why: &str| LedgerError::Key(format!("not a verifier key ({why})"));
        let mut parts = vkey.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("it has three parts, with + between them"));
        };
        check_name(name)?;
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| wrong("its last part is not base64"))?;
        let key = match bytes.split_first() {
            Some((&ED25519_KEY, key)) => key.try_into().map_err(|_| wrong("its length"))?,
            _ => return Err(wrong("not of Ed25519")),
        };
        let verifier = Self { name: name.to_owned(), key };
        let same = HEXLOWER_PERMISSIVE.decode(id.as_bytes()).is_ok_and(|id| id == verifier.id());
        if same { Ok(verifier) } else { Err(wrong("its number is not that of the key")) }
    }

    /// The name of the key, and of its log.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; KEY_ID_BYTES] {
        let hash = Sha256::hash(&[self.name.as_bytes(), b"\n", &[ED25519_KEY], &self.key]);
        hash.first_chunk::<KEY_ID_BYTES>().copied().unwrap_or_default()
    }

    fn has_signed(&self, text: &str, line: &str) -> bool {
        let Some((name, signature)) = line.strip_prefix(SIGNED).and_then(|rest| rest.split_once(' ')) else {
            return false;
        };
        let Ok(bytes) = BASE64.decode(signature.as_bytes()) else { return false };
        let Some((id, signature)) = bytes.split_first_chunk::<KEY_ID_BYTES>() else { return false };
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        name == self.name && *id == self.id() && key.verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_KEY];
        key.extend_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&key))
    }
}

/// The checkpoint of a note that one of these keys has signed for its own log.
///
/// # Errors
/// When it is no note, or none of them has.
pub fn open(note: &str, keys: &[Verifier]) -> Result<Checkpoint, LedgerError> {
    let wrong = |why: &str| LedgerError::Note(why.to_owned());
    if note.len() > MAX_NOTE_BYTES {
        return Err(wrong("it is too long"));
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or_else(|| wrong("it has no signature"))?;
    let text = format!("{text}\n");
    let signatures = signatures.strip_suffix('\n').ok_or_else(|| wrong("its last line has no end"))?;
    let checkpoint = Checkpoint::read(&text).ok_or_else(|| wrong("it is no checkpoint"))?;
    let lines: Vec<&str> = signatures.split('\n').take(MAX_SIGNATURES).collect();
    let mut own = keys.iter().filter(|key| key.name == checkpoint.origin);
    match own.any(|key| lines.iter().any(|line| key.has_signed(&text, line))) {
        true => Ok(checkpoint),
        false => Err(wrong("none of the keys that are believed has signed it")),
    }
}

fn check_name(name: &str) -> Result<(), LedgerError> {
    let fits = !name.is_empty() && name.len() <= 200 && !name.contains(|c: char| c == '+' || c.is_whitespace());
    if fits { Ok(()) } else { Err(LedgerError::Key("a key's name has no spaces and no +".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::new("example.com/log", &[seed; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_a_verifier_key() {
        // From the documentation of signed notes.
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(Verifier::read(vkey).unwrap().to_string(), vkey);
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem \
                    is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let (text, line) = note.split_once("\n\n").unwrap();
        assert!(Verifier::read(vkey).unwrap().has_signed(&format!("{text}\n"), line.trim_end()));
    }

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let (ours, other) = (signer(1), signer(2));
        let checkpoint = Checkpoint { origin: "example.com/log".to_owned(), size: 7, root: [9; 32] };
        let note = ours.sign(&checkpoint);
        assert_eq!(open(&note, &[other.verifier(), ours.verifier()]).unwrap(), checkpoint);
        assert!(open(&note, &[other.verifier()]).is_err() && open(&note, &[]).is_err());
        for (from, to) in [("\n7\n", "\n8\n"), ("\n7\n", "\n07\n"), ("/log\n", "/fog\n"), ("\n\n", "\n")] {
            assert!(open(&note.replacen(from, to, 1), &[ours.verifier()]).is_err(), "{from:?}");
        }
        let foreign = Checkpoint { origin: "example.com/other".to_owned(), ..checkpoint };
        assert!(open(&ours.sign(&foreign), &[ours.verifier()]).is_err(), "a key speaks for its own log");
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let good = signer(1).verifier().to_string();
        assert_eq!(Verifier::read(&good).unwrap(), signer(1).verifier());
        for bad in ["", "a+b", &good.replace("example", "exomple"), &good.replace("+A", "+B"), "a b+00000000+AQ=="] {
            assert!(Verifier::read(bad).is_err(), "{bad}");
        }
    }
}
