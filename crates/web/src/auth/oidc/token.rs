//! ID tokens: OpenID Connect Core 1.0, section 3.1.3.7, for the code flow.

use data_encoding::BASE64URL_NOPAD;
use hinomi_model::Timestamp;
use hinomi_state::providers::MAX_SUBJECT_BYTES;
use hinomi_state::secret;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::Keys;

/// The longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// By how much clocks may differ, in seconds.
const SKEW: f64 = 60.0;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// What a token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client: &'a str,
    pub(crate) nonce: &'a str,
    /// When the person was sent there.
    pub(crate) begun: Timestamp,
    pub(crate) now: Timestamp,
    /// Whether the person must have shown there since then that it is them.
    pub(crate) anew: bool,
}

/// What a provider says of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    pub(crate) const fn new(said: Map<String, Value>) -> Self {
        Self(said)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn seconds(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    /// When the person showed last that it is them, never later than now; the beginning of time where it is not said. A
    /// provider may let somebody in without asking anything.
    pub(crate) fn shown(&self, now: Timestamp) -> Timestamp {
        let seconds = self.0.get("auth_time").and_then(Value::as_i64).unwrap_or_default();
        Timestamp::from_micros(seconds.max(0).saturating_mul(1_000_000).min(now.as_micros()))
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// Whether a claim is this text or a list with it.
    pub(crate) fn holds(&self, name: &str, value: &str) -> bool {
        match self.0.get(name) {
            Some(Value::String(text)) => text == value,
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(value)),
            _ => false,
        }
    }

    /// With what else was said, where it was not said already.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }
}

/// The claims of a token that is as it must be.
pub(crate) fn read(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, String> {
    let claims = signed(token, keys)?;
    let right = |right: bool, why: &str| right.then_some(()).ok_or_else(|| why.to_owned());
    right(claims.text("iss") == Some(expected.issuer), "it is of another issuer")?;
    right(is_for(&claims, expected.client), "it is for somebody else")?;
    let nonce = claims.text("nonce").unwrap_or_default();
    right(secret::same(nonce, expected.nonce), "it is of another sign-in")?;
    let seconds = |time: Timestamp| time.as_micros() as f64 / 1e6;
    let (begun, now) = (seconds(expected.begun), seconds(expected.now));
    let ends = claims.seconds("exp").ok_or("it does not say when it ends")?;
    right(now < ends + SKEW, "it has ended")?;
    let made = claims.seconds("iat").ok_or("it does not say when it was made")?;
    right(begun - SKEW <= made && made <= now + SKEW, "it was made at another time")?;
    if expected.anew {
        let shown = claims.seconds("auth_time").ok_or("it does not say when the person signed in there")?;
        right(begun - SKEW <= shown && shown <= now + SKEW, "the person did not sign in there again")?;
    }
    let subject = claims.text("sub").unwrap_or_default();
    let plain = subject.len() <= MAX_SUBJECT_BYTES && !subject.contains(char::is_control);
    right(!subject.is_empty() && plain, "it says of nobody")?;
    Ok(claims)
}

/// Whether it is for this client and no other.
fn is_for(claims: &Claims, client: &str) -> bool {
    let audience = match claims.0.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(all)) => all.len() == 1 && all.iter().all(|one| one.as_str() == Some(client)),
        _ => false,
    };
    let party = claims.0.get("azp").is_none_or(|party| party.as_str() == Some(client));
    audience && party
}

/// What a token says that a key of the provider signed.
fn signed(token: &str, keys: &Keys) -> Result<Claims, String> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err("it is too long".to_owned());
    }
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it has not three parts".to_owned());
    };
    let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|error| error.to_string());
    let header: Header = serde_json::from_slice(&decode(head)?).map_err(|error| error.to_string())?;
    if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err("it is no plain token".to_owned());
    }
    let message = token.get(..head.len() + 1 + body.len()).unwrap_or_default();
    keys.signed(&header.alg, header.kid.as_deref(), message.as_bytes(), &decode(signature)?)?;
    serde_json::from_slice(&decode(body)?).map(Claims).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const BEGUN: i64 = 1_790_000_000;

    struct Issuer(EcdsaKeyPair);

    impl Issuer {
        fn new() -> Self {
            let (random, way) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
            let document = EcdsaKeyPair::generate_pkcs8(way, &random).expect("a key");
            Self(EcdsaKeyPair::from_pkcs8(way, document.as_ref(), &random).expect("a key"))
        }

        fn jwk(&self, id: &str) -> Value {
            let point = self.0.public_key().as_ref();
            let encode = |range: std::ops::Range<usize>| BASE64URL_NOPAD.encode(&point[range]);
            json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": encode(1..33), "y": encode(33..65) })
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
            let message = format!("{}.{}", encode(header), encode(claims));
            let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).expect("signed");
            format!("{message}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
        }
    }

    fn keys(all: &[Value]) -> Keys {
        Keys::read(json!({ "keys": all }).to_string().as_bytes()).expect("keys")
    }

    fn expected(anew: bool) -> Expected<'static> {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let (issuer, client, nonce) = ("https://id.example", "tower", "n-0");
        Expected { issuer, client, nonce, begun: at(BEGUN), now: at(BEGUN + 30), anew }
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.example", "aud": "tower", "sub": "248289761001", "nonce": "n-0",
            "iat": BEGUN + 20, "exp": BEGUN + 320, "auth_time": BEGUN + 10,
        })
    }

    /// The claims with one put in, or taken out.
    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        let all = claims.as_object_mut().expect("an object");
        match value {
            Value::Null => drop(all.remove(name)),
            value => drop(all.insert(name.to_owned(), value)),
        }
        claims
    }

    #[test]
    fn a_token_is_taken_when_everything_is_right() {
        let issuer = Issuer::new();
        let (keys, header) = (keys(&[issuer.jwk("a")]), json!({ "alg": "ES256", "kid": "a", "typ": "JWT" }));
        for (claims, anew) in
            [(claims(), true), (with("aud", json!(["tower"])), false), (with("azp", json!("tower")), false)]
        {
            let read = read(&issuer.token(&header, &claims), &keys, &expected(anew)).expect("a good token");
            assert_eq!(read.text("sub"), Some("248289761001"));
        }
        for (name, value) in [
            ("iss", json!("https://other.example")),
            ("iss", Value::Null),
            ("aud", json!("other")),
            ("aud", json!(["tower", "other"])),
            ("aud", json!([])),
            ("aud", Value::Null),
            ("azp", json!("other")),
            ("nonce", json!("n-1")),
            ("nonce", Value::Null),
            ("exp", json!(BEGUN - 31)),
            ("exp", Value::Null),
            ("exp", json!("never")),
            ("iat", json!(BEGUN - 3_600)),
            ("iat", json!(BEGUN + 3_600)),
            ("iat", Value::Null),
            ("auth_time", json!(BEGUN - 3_600)),
            ("auth_time", Value::Null),
            ("sub", json!("")),
            ("sub", json!("a\nb")),
            ("sub", json!("x".repeat(256))),
            ("sub", json!(7)),
        ] {
            let token = issuer.token(&header, &with(name, value.clone()));
            assert!(read(&token, &keys, &expected(true)).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn when_somebody_was_shown_is_never_later_than_now() {
        let now = expected(false).now;
        let shown = |value: Value| {
            let Value::Object(claims) = with("auth_time", value) else { return None };
            Some(Claims::new(claims).shown(now).as_micros())
        };
        assert_eq!(shown(json!(BEGUN + 10)), Some((BEGUN + 10) * 1_000_000));
        for late in [json!(BEGUN + 50), json!(i64::MAX)] {
            assert_eq!(shown(late), Some(now.as_micros()));
        }
        for unsaid in [Value::Null, json!(-5), json!("now"), json!(u64::MAX), json!(1e300)] {
            assert_eq!(shown(unsaid), Some(0));
        }
    }

    #[test]
    fn nothing_but_a_signature_by_a_key_of_the_provider_is_taken() {
        let (issuer, other) = (Issuer::new(), Issuer::new());
        let jwk = issuer.jwk("a");
        let header = json!({ "alg": "ES256", "kid": "a" });
        let good = issuer.token(&header, &claims());
        let refused = |token: &str, keys: &Keys| read(token, keys, &expected(false)).is_err();
        let own = keys(std::slice::from_ref(&jwk));
        assert!(!refused(&good, &own));
        assert!(refused(&other.token(&header, &claims()), &own), "signed by another");
        assert!(refused(&good, &keys(&[other.jwk("a")])), "the key of another");
        assert!(refused(&good, &keys(&[issuer.jwk("b")])), "by a key that is not named");
        assert!(refused(&good, &keys(&[])));
        let no_id = issuer.token(&json!({ "alg": "ES256" }), &claims());
        assert!(!refused(&no_id, &own), "there is one key");
        assert!(refused(&no_id, &keys(&[jwk.clone(), other.jwk("b")])), "which of two?");
        // None, an empty signature, and what is public taken for a secret.
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        for alg in ["none", "None", "", "HS256", "RS256", "ES384", "dir"] {
            let message = format!("{}.{}", encode(&json!({ "alg": alg, "kid": "a" })), encode(&claims()));
            let by_public = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, jwk.to_string().as_bytes());
            let sign = BASE64URL_NOPAD.encode(ring::hmac::sign(&by_public, message.as_bytes()).as_ref());
            assert!(refused(&format!("{message}."), &own) && refused(&format!("{message}.{sign}"), &own), "{alg}");
        }
        let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
        parts[1] = encode(&with("sub", json!("somebody else")));
        assert!(refused(&parts.join("."), &own), "changed after it was signed");
        for bad in ["", ".", "..", "a.b", "a.b.c.d", &good.replace('.', "..")] {
            assert!(refused(bad, &own), "{bad}");
        }
        for header in [json!({ "alg": "ES256", "crit": ["exp"] }), json!({ "alg": "ES256", "typ": "at+jwt" })] {
            assert!(refused(&issuer.token(&header, &claims()), &own), "{header}");
        }
    }

    #[test]
    fn keys_for_something_else_sign_nothing() {
        let issuer = Issuer::new();
        let token = issuer.token(&json!({ "alg": "ES256", "kid": "a" }), &claims());
        for (name, value) in
            [("use", json!("enc")), ("alg", json!("ES384")), ("crv", json!("P-384")), ("kty", json!("RSA"))]
        {
            let mut jwk = issuer.jwk("a");
            jwk[name] = value;
            assert!(read(&token, &keys(&[jwk.clone(), json!({ "kty": 7 })]), &expected(false)).is_err(), "{jwk}");
        }
    }
}
