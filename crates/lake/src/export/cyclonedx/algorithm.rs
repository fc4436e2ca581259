//! What the name of an algorithm tells, in the words of CycloneDX 1.6 (`cryptoProperties.algorithmProperties`).
//!
//! Security levels are said where a document says them: classical bits by NIST SP 800-57 part 1 (rev. 5, table 2), the
//! NIST category of AES by key size and of SHA-256 and SHA-384 by the call for post-quantum algorithms (4.A.5), of ML-KEM
//! by FIPS 203; 0 for what a quantum computer opens (RSA, Diffie-Hellman, curves). For others nothing is said.

use serde::Serialize;

/// `algorithmProperties`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Algorithm {
    primitive: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_set_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curve: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    crypto_functions: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    classical_security_level: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nist_quantum_security_level: Option<u8>,
}

/// Curves by parts of names, with their classical bits.
const CURVES: &[(&str, &str, u32)] = &[
    ("x25519", "Curve25519", 128),
    ("curve25519", "Curve25519", 128),
    ("x448", "Curve448", 224),
    ("curve448", "Curve448", 224),
    ("p256", "P-256", 128),
    ("p384", "P-384", 192),
    ("p521", "P-521", 256),
    ("secp256r1", "P-256", 128),
    ("secp384r1", "P-384", 192),
    ("secp521r1", "P-521", 256),
];

/// Post-quantum parts of names of exchanges, with the category of FIPS 203. What no standard judges has none.
const QUANTUM: &[(&str, Option<u8>)] = &[
    ("mlkem512", Some(1)),
    ("mlkem768", Some(3)),
    ("mlkem1024", Some(5)),
    ("kyber", None),
    ("sntrup", None),
    ("frodo", None),
];

/// Bits of groups of Diffie-Hellman by their names in TLS (RFC 7919) and SSH (RFC 8268).
const GROUPS: &[(&str, u32)] = &[
    ("ffdhe2048", 2048),
    ("ffdhe3072", 3072),
    ("ffdhe4096", 4096),
    ("ffdhe6144", 6144),
    ("ffdhe8192", 8192),
    ("group14-", 2048),
    ("group15-", 3072),
    ("group16-", 4096),
    ("group17-", 6144),
    ("group18-", 8192),
    ("group1-", 1024),
];

/// A key exchange: a group of TLS, or a method of SSH.
pub(super) fn exchange(name: &str) -> Algorithm {
    let name = name.to_ascii_lowercase();
    let bare = name.replace(['-', '_'], "");
    let has = |part: &str| bare.contains(part);
    let curve = CURVES.iter().find(|(part, ..)| has(part));
    let group = GROUPS.iter().find(|(part, _)| name.contains(part));
    let curve_name = curve.map(|(_, curve, _)| *curve);
    if let Some((_, level)) = QUANTUM.iter().find(|(part, _)| has(part)) {
        let primitive = if curve.is_some() { "combiner" } else { "kem" };
        return Algorithm {
            primitive,
            curve: curve_name,
            crypto_functions: &["encapsulate", "decapsulate"],
            nist_quantum_security_level: *level,
            ..Algorithm::default()
        };
    }
    let bits = group.map(|(_, bits)| *bits);
    let known = curve.is_some() || bits.is_some() || name.starts_with("diffie-hellman") || name.starts_with("ecdh");
    Algorithm {
        primitive: if known { "key-agree" } else { "unknown" },
        parameter_set_identifier: bits.map(|bits| bits.to_string()),
        curve: curve_name,
        crypto_functions: if known { &["keyderive"] } else { &[] },
        classical_security_level: curve.map(|(.., bits)| *bits).or_else(|| bits.and_then(of_factoring)),
        nist_quantum_security_level: known.then_some(0),
        ..Algorithm::default()
    }
}

/// Classical bits of RSA and of Diffie-Hellman in a prime field; between the sizes of the table those below.
const fn of_factoring(bits: u32) -> Option<u32> {
    Some(match bits {
        15_360.. => 256,
        7_680.. => 192,
        3_072.. => 128,
        2_048.. => 112,
        1_024.. => 80,
        _ => return None,
    })
}

/// The algorithms of a TLS cipher suite: what encrypts, and the hash or what authenticates.
pub(super) fn suite(name: &str) -> Vec<(String, Algorithm)> {
    let Some(of) = name.split_once("_WITH_").map(|(_, rest)| rest).or(name.strip_prefix("TLS_")) else {
        return Vec::new();
    };
    let (bulk, hash) = match of.rsplit_once('_') {
        Some((bulk, last)) if last.starts_with("SHA") || last == "MD5" => (bulk, last),
        // CCM suites name no hash.
        _ => (of, ""),
    };
    let bulk = bulk.replace('_', "-");
    let encrypts = cipher(&bulk);
    let authenticates_itself = encrypts.primitive == "ae";
    let mut parts = vec![(bulk, encrypts)];
    let hash = match hash {
        "" => return parts,
        "SHA" => "SHA-1".to_owned(),
        "MD5" => "MD5".to_owned(),
        other => other.replacen("SHA", "SHA-", 1),
    };
    parts.push(match authenticates_itself {
        true => (hash.clone(), digest(&hash)),
        false => (format!("HMAC-{hash}"), mac(&hash)),
    });
    parts
}

fn digest(name: &str) -> Algorithm {
    let (classical, quantum) = match name {
        "SHA-256" => (Some(128), Some(2)),
        "SHA-384" => (Some(192), Some(4)),
        _ => (None, None),
    };
    Algorithm {
        primitive: "hash",
        parameter_set_identifier: name.strip_prefix("SHA-").map(str::to_owned),
        crypto_functions: &["digest"],
        classical_security_level: classical,
        nist_quantum_security_level: quantum,
        ..Algorithm::default()
    }
}

/// A cipher, by its name in TLS (`AES-128-GCM`) or SSH (`aes128-gcm@openssh.com`).
pub(super) fn cipher(name: &str) -> Algorithm {
    let name = name.to_ascii_lowercase();
    let has = |part: &str| name.contains(part);
    let mode = ["gcm", "ccm", "cbc", "ctr", "cfb"].into_iter().find(|mode| has(mode));
    let seals = matches!(mode, Some("gcm" | "ccm")) || has("poly1305");
    let bits = ["128", "192", "256"].into_iter().find(|bits| has(bits)).filter(|_| !has("arcfour") && !has("rc4"));
    // Bits and category of AES.
    let aes = match bits.filter(|_| has("aes")) {
        Some("128") => Some((128, 1)),
        Some("192") => Some((192, 3)),
        Some(_) => Some((256, 5)),
        None => None,
    };
    let stream = has("chacha") || has("arcfour") || has("rc4");
    let primitive = match () {
        () if seals => "ae",
        () if stream => "stream-cipher",
        () if ["aes", "des", "camellia", "aria", "seed", "idea", "blowfish", "cast"].into_iter().any(has) => {
            "block-cipher"
        }
        () if has("null") || name == "none" => "other",
        () => "unknown",
    };
    Algorithm {
        primitive,
        parameter_set_identifier: bits.map(str::to_owned),
        mode: mode.filter(|_| !stream),
        crypto_functions: if primitive == "other" || primitive == "unknown" { &[] } else { &["encrypt", "decrypt"] },
        classical_security_level: aes.map(|(bits, _)| bits).or(has("3des").then_some(112)),
        nist_quantum_security_level: aes.map(|(_, category)| category),
        ..Algorithm::default()
    }
}

/// A message authentication code.
pub(super) fn mac(_name: &str) -> Algorithm {
    Algorithm { primitive: "mac", crypto_functions: &["tag"], ..Algorithm::default() }
}

/// A key that signs, by algorithm and size: `rsa-2048`, `ec-256`, `ed25519`.
pub(super) fn key(name: &str) -> Algorithm {
    let (algorithm, bits) = name.split_once('-').unwrap_or((name, ""));
    let bits: Option<u32> = bits.parse().ok().filter(|bits| *bits > 0);
    let (curve, classical) = match algorithm {
        "rsa" | "dsa" => (None, bits.and_then(of_factoring)),
        "ec" => (None, bits.map(|bits| (bits / 2).min(256))),
        "ed25519" => (Some("Ed25519"), Some(128)),
        "ed448" => (Some("Ed448"), Some(224)),
        _ => return Algorithm { primitive: "unknown", ..Algorithm::default() },
    };
    Algorithm {
        primitive: "signature",
        parameter_set_identifier: bits.map(|bits| bits.to_string()),
        curve,
        crypto_functions: &["sign", "verify"],
        classical_security_level: classical,
        nist_quantum_security_level: Some(0),
        ..Algorithm::default()
    }
}

/// A signature of a certificate: `sha256WithRSAEncryption`, `ecdsa-with-SHA256`, `ED25519`.
pub(super) fn signature(name: &str) -> Algorithm {
    let name = name.to_ascii_lowercase();
    let post_quantum = ["ml-dsa", "slh-dsa", "mldsa"].iter().any(|part| name.contains(part));
    let opened = !post_quantum && ["rsa", "dsa", "ed25519", "ed448"].iter().any(|part| name.contains(part));
    Algorithm {
        primitive: if opened || post_quantum { "signature" } else { "unknown" },
        crypto_functions: if opened || post_quantum { &["verify"] } else { &[] },
        nist_quantum_security_level: opened.then_some(0),
        ..Algorithm::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_exchanges_say_what_they_combine() {
        let of = |name: &str| {
            let told = exchange(name);
            (told.primitive, told.curve, told.classical_security_level, told.nist_quantum_security_level)
        };
        assert_eq!(of("X25519MLKEM768"), ("combiner", Some("Curve25519"), None, Some(3)));
        assert_eq!(of("SecP384r1MLKEM1024"), ("combiner", Some("P-384"), None, Some(5)));
        assert_eq!(of("MLKEM512"), ("kem", None, None, Some(1)));
        assert_eq!(of("sntrup761x25519-sha512@openssh.com"), ("combiner", Some("Curve25519"), None, None));
        assert_eq!(of("x25519"), ("key-agree", Some("Curve25519"), Some(128), Some(0)));
        assert_eq!(of("ecdh-sha2-nistp521"), ("key-agree", Some("P-521"), Some(256), Some(0)));
        assert_eq!(of("diffie-hellman-group14-sha256"), ("key-agree", None, Some(112), Some(0)));
        assert_eq!(of("diffie-hellman-group1-sha1"), ("key-agree", None, Some(80), Some(0)));
        assert_eq!(of("diffie-hellman-group16-sha512"), ("key-agree", None, Some(128), Some(0)));
        assert_eq!(of("diffie-hellman-group-exchange-sha256"), ("key-agree", None, None, Some(0)));
        assert_eq!(of("ffdhe8192"), ("key-agree", None, Some(192), Some(0)));
        assert_eq!(of("0x4a4a"), ("unknown", None, None, None));
    }

    #[test]
    fn suites_are_taken_apart() {
        let names = |name: &str| suite(name).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("TLS_AES_128_GCM_SHA256"), ["AES-128-GCM", "SHA-256"]);
        assert_eq!(names("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"), ["CHACHA20-POLY1305", "SHA-256"]);
        assert_eq!(names("TLS_RSA_WITH_3DES_EDE_CBC_SHA"), ["3DES-EDE-CBC", "HMAC-SHA-1"]);
        assert_eq!(names("TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"), ["AES-256-CCM-8"]);
        assert_eq!(names("0xc0de"), Vec::<String>::new());
        let levels = |name: &str| {
            let told = cipher(name);
            (told.primitive, told.mode, told.classical_security_level, told.nist_quantum_security_level)
        };
        assert_eq!(levels("AES-256-GCM"), ("ae", Some("gcm"), Some(256), Some(5)));
        assert_eq!(levels("aes192-ctr"), ("block-cipher", Some("ctr"), Some(192), Some(3)));
        assert_eq!(levels("chacha20-poly1305@openssh.com"), ("ae", None, None, None));
        assert_eq!(levels("3des-cbc"), ("block-cipher", Some("cbc"), Some(112), None));
        assert_eq!(levels("arcfour256"), ("stream-cipher", None, None, None));
        assert_eq!(levels("odd"), ("unknown", None, None, None));
    }

    #[test]
    fn keys_and_signatures_fall_to_a_quantum_computer() {
        let told = key("rsa-2048");
        assert_eq!((told.classical_security_level, told.nist_quantum_security_level), (Some(112), Some(0)));
        assert_eq!(key("ec-384").classical_security_level, Some(192));
        assert_eq!((key("ed25519").curve, key("other-7").primitive), (Some("Ed25519"), "unknown"));
        assert_eq!(signature("sha256WithRSAEncryption").nist_quantum_security_level, Some(0));
        assert_eq!(signature("ML-DSA-65").nist_quantum_security_level, None);
        assert_eq!(signature("1.2.3").primitive, "unknown");
    }
}
