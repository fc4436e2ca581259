//! Ed25519 signatures over scope documents, and whom we believe.
//!
//! A signed file is the document's bytes, then a line [`MARKER`], then the signer's public key and the signature. What
//! is signed is every byte before the marker line: nothing is re-encoded, so nothing can differ between what was read
//! and what was signed. Keys and signatures are lower-case hexadecimal.

mod narrow;

use hinomi_model::{ContentHash, Scope, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::document::{Document, DocumentError, MAX_BYTES};
pub use narrow::Wanted;

/// The line that ends the signed part.
pub const MARKER: &str = "# hinomi-scope-signature";

/// An Ed25519 private key. Never shown, never logged.
pub struct PrivateKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// An Ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// A scope with a valid signature of someone we believe. Only [`verify`] makes it.
#[derive(Clone, Debug)]
pub struct Authorised {
    scope: Scope,
    signer: String,
    digest: ContentHash,
}

/// Whom we believe, and for what.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    signers: Vec<(PublicKey, String)>,
    own: Option<PublicKey>,
    /// Digests of scopes that were taken back, each with the reason.
    revoked: Vec<(String, String)>,
}

/// Why a document authorises nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no signature.
    #[error("the scope is not signed; sign it with: hinomi scope sign FILE --key KEY")]
    Unsigned,
    /// The signature part cannot be read.
    #[error("the signature part of the scope is damaged: {0}")]
    Damaged(&'static str),
    /// The bytes are not those that were signed.
    #[error("the scope was changed after it was signed: the signature does not fit")]
    Tampered,
    /// Signed by a key that we have no reason to believe.
    #[error(
        "the scope is signed by key {key}, which is not trusted here; trust it with: hinomi scope trust {key} --name NAME"
    )]
    Unknown {
        /// The public key.
        key: String,
    },
    /// Self-signed for addresses that are not one's own.
    #[error(
        "a key of one's own authorises loopback addresses only; {range} needs the signature of whoever answers for it"
    )]
    NotOwn {
        /// The first range that is not loopback.
        range: String,
    },
    /// Over.
    #[error("the scope ended at {until}")]
    Expired {
        /// When.
        until: Timestamp,
    },
    /// Taken back.
    #[error("the scope was taken back: {reason}")]
    Revoked {
        /// Why, as it was written down.
        reason: String,
    },
    /// The document itself is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key: 64 hexadecimal digits are expected")]
pub struct NotAKey;

impl PrivateKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate() -> Result<Self, NotAKey> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| NotAKey)?;
        Self::from_seed(seed)
    }

    /// Reads the text that [`PrivateKey::to_text`] wrote.
    ///
    /// # Errors
    /// When it is not a key.
    pub fn from_text(text: &str) -> Result<Self, NotAKey> {
        Self::from_seed(read_hex(text.trim())?)
    }

    fn from_seed(seed: [u8; 32]) -> Result<Self, NotAKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NotAKey)?;
        Ok(Self { seed, pair })
    }

    /// The key as text, for a file that only its owner can read.
    pub fn to_text(&self) -> String {
        hex(&self.seed)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (byte, from) in bytes.iter_mut().zip(self.pair.public_key().as_ref()) {
            *byte = *from;
        }
        PublicKey(bytes)
    }
}

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_text(text: &str) -> Result<Self, NotAKey> {
        read_hex(text.trim()).map(Self)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl Trust {
    /// Believes this key for every range.
    pub fn signer(mut self, key: PublicKey, name: impl Into<String>) -> Self {
        self.signers.push((key, name.into()));
        self
    }

    /// Believes the scope of this digest no more, whoever signed it.
    #[must_use]
    pub fn without(mut self, digest: impl Into<String>, reason: impl Into<String>) -> Self {
        self.revoked.push((digest.into(), reason.into()));
        self
    }

    /// Believes this key for loopback only: the installation's own.
    pub fn own(mut self, key: PublicKey) -> Self {
        self.own = Some(key);
        self
    }

    fn name_of(&self, key: &PublicKey, scope: &Scope) -> Result<String, VerifyError> {
        if let Some((_, name)) = self.signers.iter().find(|(known, _)| known == key) {
            return Ok(name.clone());
        }
        if self.own.as_ref() != Some(key) {
            return Err(VerifyError::Unknown { key: key.to_string() });
        }
        let foreign =
            scope.ranges.iter().find(|range| !range.network().is_loopback() || !range.broadcast().is_loopback());
        match foreign {
            Some(range) => Err(VerifyError::NotOwn { range: range.to_string() }),
            None => Ok("self".to_owned()),
        }
    }
}

impl Authorised {
    /// What is authorised.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whose signature it bears: the name under which the key is trusted, or `self`.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// Hash of the signed bytes: the scope's name in ledgers.
    pub const fn digest(&self) -> ContentHash {
        self.digest
    }
}

/// The signed file for a document's text: an older signature is replaced.
///
/// # Errors
/// When the text is not a valid document.
pub fn sign(bytes: &[u8], key: &PrivateKey) -> Result<String, VerifyError> {
    let body = split(bytes).map_or(bytes, |(body, _)| body);
    Document::read(body)?.check()?;
    let mut text = String::from_utf8_lossy(body).into_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let signature = hex(key.pair.sign(text.as_bytes()).as_ref());
    Ok(format!("{text}{MARKER}\n# key = {}\n# signature = {signature}\n", key.public()))
}

/// Reads a signed file; gives an authorisation only if the signature fits, its key is trusted for these ranges, and the
/// scope has not ended.
///
/// # Errors
/// The first reason why it authorises nothing.
pub fn verify(bytes: &[u8], trust: &Trust, now: Timestamp) -> Result<Authorised, VerifyError> {
    if bytes.len() > MAX_BYTES {
        return Err(DocumentError::TooLong.into());
    }
    let Some((body, seal)) = split(bytes) else {
        Document::read(bytes)?.check()?;
        return Err(VerifyError::Unsigned);
    };
    let (key, signature) = read_seal(seal)?;
    UnparsedPublicKey::new(&ED25519, key.0).verify(body, &signature).map_err(|_| VerifyError::Tampered)?;
    let scope = Document::read(body)?.check()?;
    let digest = ContentHash::of(body);
    let name = digest.to_string();
    if let Some((_, reason)) = trust.revoked.iter().find(|(revoked, _)| *revoked == name) {
        return Err(VerifyError::Revoked { reason: reason.clone() });
    }
    let signer = trust.name_of(&key, &scope)?;
    if now >= scope.valid_until {
        return Err(VerifyError::Expired { until: scope.valid_until });
    }
    Ok(Authorised { scope, signer, digest })
}

/// A document whose signature fits, whoever signed it and however long ago: what an auditor reads.
/// It authorises nothing.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What the document permits.
    pub scope: Scope,
    /// The key that signed it.
    pub key: PublicKey,
    /// Hash of the signed bytes.
    pub digest: ContentHash,
}

/// Reads a signed file and checks nothing but that the signature fits.
///
/// # Errors
/// When it is not signed, damaged or changed.
pub fn read_signed(bytes: &[u8]) -> Result<Signed, VerifyError> {
    if bytes.len() > MAX_BYTES {
        return Err(DocumentError::TooLong.into());
    }
    let (body, seal) = split(bytes).ok_or(VerifyError::Unsigned)?;
    let (key, signature) = read_seal(seal)?;
    UnparsedPublicKey::new(&ED25519, key.0).verify(body, &signature).map_err(|_| VerifyError::Tampered)?;
    Ok(Signed { scope: Document::read(body)?.check()?, key, digest: ContentHash::of(body) })
}

/// The signed part and the lines after the marker.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let marker = format!("{MARKER}\n");
    let at = bytes.windows(marker.len()).rposition(|window| window == marker.as_bytes())?;
    let starts_a_line = at == 0 || bytes.get(at - 1) == Some(&b'\n');
    starts_a_line.then(|| (bytes.get(..at).unwrap_or_default(), bytes.get(at + marker.len()..).unwrap_or_default()))
}

fn read_seal(seal: &[u8]) -> Result<(PublicKey, [u8; 64]), VerifyError> {
    let text = std::str::from_utf8(seal).map_err(|_| VerifyError::Damaged("it is not text"))?;
    let mut lines = text.lines();
    let key = lines.next().and_then(|line| line.strip_prefix("# key = "));
    let signature = lines.next().and_then(|line| line.strip_prefix("# signature = "));
    if lines.any(|line| !line.trim().is_empty()) {
        return Err(VerifyError::Damaged("something follows the signature"));
    }
    let key = key.and_then(|text| PublicKey::from_text(text).ok());
    let signature = signature.and_then(|text| read_hex(text).ok());
    Ok((
        key.ok_or(VerifyError::Damaged("the line \"# key = ...\" is missing or wrong"))?,
        signature.ok_or(VerifyError::Damaged("the line \"# signature = ...\" is missing or wrong"))?,
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_hex<const N: usize>(text: &str) -> Result<[u8; N], NotAKey> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return Err(NotAKey);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| NotAKey)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| NotAKey)?;
    }
    Ok(bytes)
}
