//! The cryptography of a service, from what it negotiated and offered: facts, and judgements with their reasons.
//!
//! ```text
//!   tls          version, group, cipher it chose of everything     -> prefers hybrid? 3DES? RSA key exchange?
//!   tls-hybrid   answer to post-quantum groups alone               -> has it one at all?
//!   tls-old      answer to TLS 1.1 and older, weak suites first    -> does it still take them?
//!   certificate  key, signature                                    -> too short? SHA-1?
//!   ssh-kex, ssh-host-key   everything it offers                   -> hybrid first, listed, or not there
//! ```
//!
//! What was not asked is not judged, and said to be open. [`hinomi_model::crypto::WEAKNESSES`] names the source of each judgement.

use hinomi_model::crypto::{MAX_NAMES, PostQuantum};
use hinomi_model::{CertificateFacts, Cryptography, EvidenceKind, Facts};
use hinomi_wire::tls::is_post_quantum;

use crate::clean::{MAX_VALUE_CHARS, clean};
use crate::found::View;

/// Keys of RSA and primes of Diffie-Hellman below this are too short (RFC 9325, 4.5).
const MIN_RSA_BITS: u32 = 2048;
/// Keys on curves below this are too short (RFC 9325, 4.5).
const MIN_EC_BITS: u32 = 224;

/// Families of post-quantum algorithms, as the names of hybrid key exchanges of SSH have them: `sntrup761x25519-sha512`
/// (draft-ietf-sshm-ntruprime-ssh), `sntrup4591761x25519-sha512@tinyssh.org`, `mlkem768x25519-sha256`
/// (draft-ietf-sshm-mlkem-hybrid-kex), `x25519-kyber-512r3-sha256-d00@amazon.com`, `curve25519-frodokem1344-sha512@ssh.com`.
const SSH_FAMILIES: [&str; 4] = ["sntrup", "mlkem", "kyber", "frodo"];

/// Entries of the list of exchanges that are none: signals of extensions (RFC 8308, OpenSSH's strict key exchange,
/// Dropbear's guess).
const SSH_SIGNALS: [&str; 3] = ["ext-info-", "kex-strict-", "kexguess2@"];

/// Alerts by which a server says that there is no group in common; others may have other reasons.
const NO_GROUP: [&str; 3] = ["handshake_failure", "insufficient_security", "illegal_parameter"];

/// Everything that the evidence says; `None` where there is no cryptography to see.
pub(crate) fn cryptography(views: &[View<'_>], facts: &Facts) -> Option<Cryptography> {
    let mut told = Cryptography {
        versions: versions(views),
        group: value(views, "tls.group"),
        cipher: value(views, "tls.cipher"),
        chain: chain(views),
        kex: names(views, "ssh.kex").filter(|name| !is_signal(name)).take(MAX_NAMES).collect(),
        host_key: value(views, "ssh.key"),
        ciphers: names(views, "ssh.ciphers").take(MAX_NAMES).collect(),
        macs: names(views, "ssh.macs").take(MAX_NAMES).collect(),
        ..Cryptography::default()
    };
    told.post_quantum = ssh_post_quantum(&told).or_else(|| tls_post_quantum(views, &told));
    told.weak = weak(views, &told, facts.certificate.as_ref());
    told.old_versions_open = old_versions_open(views);
    (!told.is_empty()).then_some(told)
}

fn value(views: &[View<'_>], name: &str) -> Option<String> {
    let field = views.iter().find_map(|view| view.field(name))?;
    Some(clean(&field.value, MAX_VALUE_CHARS)).filter(|text| !text.is_empty())
}

/// The names of a list, in its order, each once.
fn names<'v>(views: &'v [View<'_>], name: &str) -> impl Iterator<Item = String> + use<'v> {
    let field = views.iter().find_map(|view| view.field(name));
    let list = field.map(|field| field.value.as_ref()).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    let each = list.split(|byte| *byte == b',').map(|name| clean(name, MAX_VALUE_CHARS));
    each.filter(move |name| !name.is_empty() && seen.insert(name.clone()))
}

fn is_signal(exchange: &str) -> bool {
    SSH_SIGNALS.iter().any(|signal| exchange.starts_with(signal))
}

fn versions(views: &[View<'_>]) -> Vec<String> {
    let mut all: Vec<String> =
        ["tls.version", "tls.old.version"].into_iter().filter_map(|name| value(views, name)).collect();
    all.dedup();
    all
}

/// A server that chose a new version is asked for old ones apart, if at all.
fn old_versions_open(views: &[View<'_>]) -> bool {
    let is_new = value(views, "tls.version").is_some_and(|version| version == "1.2" || version == "1.3");
    is_new && !views.iter().any(|view| view.kind == EvidenceKind::TlsOld)
}

fn chain(views: &[View<'_>]) -> u8 {
    let kinds = [EvidenceKind::Certificate, EvidenceKind::ChainCertificate];
    u8::try_from(views.iter().filter(|view| kinds.contains(&view.kind)).count()).unwrap_or(u8::MAX)
}

/// An SSH server tells all that it has, and what it would like best. What is agreed is the client's choice (RFC 4253
/// section 7.1), so "preferred" says what the server would have.
fn ssh_post_quantum(told: &Cryptography) -> Option<PostQuantum> {
    let hybrid = |name: &String| {
        let name = name.to_ascii_lowercase();
        SSH_FAMILIES.iter().any(|family| name.contains(family))
    };
    match told.kex.iter().position(hybrid) {
        Some(0) => Some(PostQuantum::HybridPreferred),
        Some(_) => Some(PostQuantum::HybridOffered),
        None => (!told.kex.is_empty()).then_some(PostQuantum::ClassicOnly),
    }
}

/// A TLS server tells what it chose; the rest takes a second question. Before TLS 1.3 there are no hybrid groups.
fn tls_post_quantum(views: &[View<'_>], told: &Cryptography) -> Option<PostQuantum> {
    let is_new = value(views, "tls.version")? == "1.3";
    if !is_new {
        return Some(PostQuantum::ClassicOnly);
    }
    if is_post_quantum(told.group.as_deref()?) {
        return Some(PostQuantum::HybridPreferred);
    }
    if value(views, "tls.hybrid.group").is_some_and(|group| is_post_quantum(&group)) {
        return Some(PostQuantum::HybridOffered);
    }
    let refused = value(views, "tls.hybrid.alert").is_some_and(|alert| NO_GROUP.contains(&alert.as_str()));
    Some(if refused { PostQuantum::ClassicOnly } else { PostQuantum::ClassicChosen })
}

/// The names of what is weak, in the order of [`hinomi_model::crypto::WEAKNESSES`].
fn weak(views: &[View<'_>], told: &Cryptography, certificate: Option<&CertificateFacts>) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(told.versions.iter().filter_map(|version| weak_version(version)));
    found.extend(told.cipher.iter().flat_map(|cipher| weak_cipher(cipher)));
    found.extend(value(views, "tls.old.cipher").iter().flat_map(|cipher| weak_cipher(cipher)));
    let primes = ["tls.dh-bits", "tls.old.dh-bits"].into_iter().filter_map(|name| value(views, name));
    if primes.filter_map(|bits| bits.parse().ok()).any(|bits: u32| bits < MIN_RSA_BITS) {
        found.push("dh-short");
    }
    if let Some(certificate) = certificate {
        found.extend(weak_key(&certificate.key));
        found.extend(weak_signature(&certificate.signature));
    }
    found.extend(told.host_key.as_deref().and_then(weak_key));
    found.extend(weak_ssh(views, told));
    let known = hinomi_model::crypto::WEAKNESSES.iter().map(|weakness| weakness.name);
    known.filter(|name| found.contains(name)).map(str::to_owned).collect()
}

fn weak_version(version: &str) -> Option<&'static str> {
    match version {
        "ssl3" => Some("ssl3"),
        "1.0" => Some("tls-1.0"),
        "1.1" => Some("tls-1.1"),
        _ => None,
    }
}

/// What the name of a TLS cipher suite gives away.
fn weak_cipher(cipher: &str) -> Vec<&'static str> {
    let has = |part: &str| cipher.contains(part);
    let judged = [
        ("export", has("_EXPORT_")),
        ("null-cipher", has("_WITH_NULL_")),
        ("rc4", has("_RC4_")),
        ("des", has("_DES_CBC_") || has("_DES40_")),
        ("3des", has("_3DES_")),
        ("cbc", has("_CBC_")),
        ("no-forward-secrecy", has("TLS_RSA_")),
    ];
    judged.into_iter().filter(|(_, applies)| *applies).map(|(name, _)| name).collect()
}

/// What is weak about a key named as `rsa-1024`.
fn weak_key(key: &str) -> Option<&'static str> {
    let (algorithm, bits) = key.split_once('-')?;
    let bits: u32 = bits.parse().ok().filter(|bits| *bits > 0)?;
    match algorithm {
        "rsa" if bits < MIN_RSA_BITS => Some("rsa-short"),
        "ec" if bits < MIN_EC_BITS => Some("ec-short"),
        "dsa" => Some("dsa-key"),
        _ => None,
    }
}

fn weak_signature(signature: &str) -> Option<&'static str> {
    let signature = signature.to_ascii_lowercase();
    match () {
        () if signature.starts_with("md") => Some("md5-signature"),
        () if signature.contains("sha1") => Some("sha1-signature"),
        () => None,
    }
}

/// What an SSH server offers and should not.
fn weak_ssh(views: &[View<'_>], told: &Cryptography) -> Vec<&'static str> {
    let offers = |list: &[String], name: &str| list.iter().any(|listed| listed == name);
    let keys: Vec<String> = names(views, "ssh.host-key-algorithms").collect();
    let cbc_only = !told.ciphers.is_empty() && told.ciphers.iter().all(|name| name.contains("-cbc"));
    let judged = [
        ("ssh-dss", offers(&keys, "ssh-dss")),
        ("ssh-group1", offers(&told.kex, "diffie-hellman-group1-sha1")),
        ("ssh-gex-sha1", offers(&told.kex, "diffie-hellman-group-exchange-sha1")),
        ("3des", offers(&told.ciphers, "3des-cbc")),
        ("rc4", told.ciphers.iter().any(|name| name.starts_with("arcfour"))),
        ("ssh-cbc-only", cbc_only),
    ];
    judged.into_iter().filter(|(_, applies)| *applies).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests;
