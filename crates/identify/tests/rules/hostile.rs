//! Evidence of any kind and any bytes: no panic, and every proof lies inside its evidence.

use std::sync::OnceLock;

use hinomi_identify::{Engine, Search, UserRules};
use hinomi_model::{Evidence, EvidenceKind, Facts, Identifier};
use proptest::collection::vec;
use proptest::prelude::*;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::builtin().expect("built-in rules"))
}

/// The same rules without an index.
fn one_by_one() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::searching(Search::OneByOne, UserRules::default()).expect("built-in rules"))
}

fn check(evidence: &[Evidence]) -> Facts {
    let facts = engine().identify(evidence);
    for proof in &facts.proofs {
        let inside = |one: &Evidence| one.kind == proof.evidence && proof.end as usize <= one.bytes.len();
        assert!(proof.start <= proof.end && evidence.iter().any(inside), "{proof:?}");
    }
    let values =
        [&facts.vendor, &facts.product, &facts.version, &facts.model, &facts.firmware, &facts.os, &facts.title];
    for value in values.into_iter().flatten().chain(facts.summary.as_ref()).chain(&facts.tags).chain(&facts.cpe) {
        assert!(!value.chars().any(char::is_control) && value.len() <= 4096, "{value:?}");
    }
    assert_eq!(engine().identify(evidence), facts, "the same evidence, the same facts");
    assert_eq!(one_by_one().identify(evidence), facts, "what the index finds is what there is to find");
    facts
}

/// Bytes that codecs and rules care about, so that chance meets them.
const WORDS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "Server: ",
    "nginx/1.22.1",
    "\r\n\r\n",
    "<title>",
    "</title>",
    "SSH-2.0-OpenSSH_9.2p1",
    "220 ",
    "(vsFTPd 3.0.3)",
    "\r\n",
    "RTSP/1.0 200 OK\r\n",
    "WWW-Authenticate: Basic realm=\"",
    "\"",
    "RouterOS v",
    "YR-808</h1>",
    "KS-F3U",
    "<manufacturer>",
    "<modelName>",
    "Buffalo",
    "AirStation",
    "\u{202e}",
    "\u{0}",
    "redis_version:7.0.15\r\n",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        3 => proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..12),
    ];
    vec(word, 0..24).prop_map(|words| words.concat())
}

fn kind() -> impl Strategy<Value = EvidenceKind> {
    proptest::sample::select(EvidenceKind::all().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_of_any_kind(list in vec((kind(), vec(any::<u8>(), 0..300)), 0..4)) {
        let evidence: Vec<Evidence> = list.into_iter().map(|(kind, bytes)| Evidence::new(kind, bytes)).collect();
        check(&evidence);
    }

    #[test]
    fn bytes_that_almost_make_sense(list in vec((kind(), pieces()), 0..4)) {
        let evidence: Vec<Evidence> = list.into_iter().map(|(kind, bytes)| Evidence::new(kind, bytes)).collect();
        check(&evidence);
    }
}

#[test]
fn far_too_much_of_everything_ends() {
    let many = vec![Evidence::new(EvidenceKind::Banner, b"SSH-2.0-OpenSSH_9.2p1\r\n".as_slice()); 500];
    check(&many);
    let long = [Evidence::new(EvidenceKind::Banner, vec![b'A'; hinomi_model::evidence::MAX_BYTES])];
    check(&long);
    let words = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &"Aterm AirStation RouterOS v6 KuraOS ".repeat(7000);
    check(&[Evidence::new(EvidenceKind::Http, words)]);
}
