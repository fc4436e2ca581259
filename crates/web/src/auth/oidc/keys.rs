//! Keys of a provider (JSON Web Key Set, RFC 7517) and signatures by them (RFC 7515, 7518, 8037).
//!
//! Only signatures by a key pair are taken: `none` and those by a shared secret are no names here, so what is public can never
//! be taken for a secret. A key signs by the algorithms of its own type and no other.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// The most keys of a provider that are looked at.
const MAX_KEYS: usize = 64;

/// Keys of a provider.
#[derive(Default)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// One key as it is told; numbers are base64url.
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

enum Proof {
    Rsa(&'static RsaParameters),
    /// The curve, and how many bytes a coordinate has.
    Curve(&'static dyn VerificationAlgorithm, &'static str, usize),
    Edwards,
}

fn proof(algorithm: &str) -> Option<Proof> {
    Some(match algorithm {
        "RS256" => Proof::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => Proof::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        "RS512" => Proof::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        "PS256" => Proof::Rsa(&RSA_PSS_2048_8192_SHA256),
        "PS384" => Proof::Rsa(&RSA_PSS_2048_8192_SHA384),
        "PS512" => Proof::Rsa(&RSA_PSS_2048_8192_SHA512),
        "ES256" => Proof::Curve(&ECDSA_P256_SHA256_FIXED, "P-256", 32),
        "ES384" => Proof::Curve(&ECDSA_P384_SHA384_FIXED, "P-384", 48),
        "EdDSA" | "Ed25519" => Proof::Edwards,
        _ => return None,
    })
}

impl Keys {
    /// Those of a set; keys that are not understood are passed over.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(text).map_err(|error| format!("its keys cannot be read: {error}"))?;
        let keys = set.keys.into_iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.collect()))
    }

    /// Whether one of the keys signed this.
    pub(crate) fn signed(
        &self,
        algorithm: &str,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), String> {
        let proof = proof(algorithm).ok_or_else(|| format!("signatures by {algorithm:?} are not taken"))?;
        let mut fitting: Vec<&Key> = self.0.iter().filter(|key| key.fits(algorithm, &proof)).collect();
        match id {
            Some(id) => fitting.retain(|key| key.kid.as_deref() == Some(id)),
            // Which of several it is must be said (OpenID Connect Core 1.0, section 10.1).
            None if fitting.len() > 1 => return Err("several keys, and it is not said which".to_owned()),
            None => {}
        }
        let signed = fitting.iter().any(|key| key.verify(&proof, message, signature).is_some());
        signed.then_some(()).ok_or_else(|| "no key of the provider signed it".to_owned())
    }
}

impl Key {
    fn fits(&self, algorithm: &str, proof: &Proof) -> bool {
        let kind = match proof {
            Proof::Rsa(_) => self.kty == "RSA",
            Proof::Curve(_, curve, _) => self.kty == "EC" && self.crv.as_deref() == Some(curve),
            Proof::Edwards => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
        };
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        kind && signs && self.alg.as_deref().is_none_or(|own| own == algorithm)
    }

    fn verify(&self, proof: &Proof, message: &[u8], signature: &[u8]) -> Option<()> {
        match proof {
            Proof::Rsa(parameters) => {
                let (n, e) = (number(self.n.as_deref())?, number(self.e.as_deref())?);
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).ok()
            }
            Proof::Curve(algorithm, _, length) => {
                let (x, y) = (bytes(self.x.as_deref(), *length)?, bytes(self.y.as_deref(), *length)?);
                // An uncompressed point (SEC 1, section 2.3.3).
                let point = [&[4][..], &x, &y].concat();
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature).ok()
            }
            Proof::Edwards => {
                let key = bytes(self.x.as_deref(), 32)?;
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).ok()
            }
        }
    }
}

/// A number without zeroes in front, as the verifier wants it.
fn number(text: Option<&str>) -> Option<Vec<u8>> {
    let bytes = BASE64URL_NOPAD.decode(text?.as_bytes()).ok()?;
    let zeroes = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeroes..).map(<[u8]>::to_vec)
}

fn bytes(text: Option<&str>, length: usize) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text?.as_bytes()).ok().filter(|bytes| bytes.len() == length)
}
