//! The cryptography of one service, in the words of the visitor.

use hinomi_model::Cryptography;
use hinomi_model::crypto::WEAKNESSES;

use crate::link;
use crate::seen::Seen;
use crate::words::Words;

/// Names of one list that are shown.
const MAX_NAMES: usize = 16;

/// What is shown of it.
pub(super) struct CryptoView {
    /// How far key exchange is: the words, and a search for others like it.
    pub(super) post_quantum: Option<(String, String)>,
    pub(super) weak: Vec<Weak>,
    /// What is in use: the heading's key resolved, and the values.
    pub(super) used: Vec<(String, Vec<Seen>)>,
}

/// Something weak.
pub(super) struct Weak {
    pub(super) label: String,
    pub(super) source: &'static str,
    pub(super) href: String,
}

impl CryptoView {
    pub(super) fn new(w: &Words, crypto: &Cryptography) -> Self {
        let post_quantum = crypto.post_quantum.map(|how| {
            let label = w.say(&format!("pq-{}", how.name()));
            (label, link::search(&link::term("pq", how.name())))
        });
        let used = [
            ("crypto-versions", crypto.versions.as_slice()),
            ("crypto-group", crypto.group.as_slice()),
            ("crypto-cipher", crypto.cipher.as_slice()),
            ("crypto-host-key", crypto.host_key.as_slice()),
            ("crypto-exchanges", crypto.kex.as_slice()),
            ("crypto-ciphers", crypto.ciphers.as_slice()),
            ("crypto-macs", crypto.macs.as_slice()),
        ];
        let shown = |names: &[String]| names.iter().take(MAX_NAMES).map(|name| Seen::word(name)).collect::<Vec<_>>();
        let used = used.into_iter().filter(|(_, names)| !names.is_empty());
        let mut used: Vec<_> = used.map(|(key, names)| (w.say(key), shown(names))).collect();
        if crypto.chain > 0 {
            used.push((w.say("crypto-chain"), vec![Seen::word(&crypto.chain.to_string())]));
        }
        if crypto.old_versions_open {
            used.push((w.say("crypto-older"), vec![Seen::word(&w.say("crypto-older-open"))]));
        }
        Self { post_quantum, weak: crypto.weak.iter().map(|name| weak(w, name)).collect(), used }
    }
}

fn weak(w: &Words, name: &str) -> Weak {
    let label = weakness_label(w, name);
    let source = WEAKNESSES.iter().find(|weakness| weakness.name == name).map_or("", |weakness| weakness.source);
    Weak { label, source, href: link::search(&link::term("weak", name)) }
}

/// What a weakness is called; its own name where there is no text.
pub(in crate::page) fn weakness_label(w: &Words, name: &str) -> String {
    w.find("weak-", &name.replace('.', "-")).unwrap_or_else(|| Seen::word(name).to_string())
}
