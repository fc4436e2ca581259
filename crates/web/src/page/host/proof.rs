//! Why something is believed: the rule, the field, and the very bytes.

use std::collections::BTreeMap;

use hinomi_model::{ContentHash, Proof, Service};
use hinomi_share::{ReadError, Reader, StoredEvidence};

use crate::limits::{MAX_OPENED, MAX_PROOFS};
use crate::link;
use crate::page::hex;
use crate::seen::Seen;
use crate::words::Words;

/// Bytes shown on each side of what a rule matched.
const REACH: usize = 32;

/// Characters of the match itself on the page.
const MATCH_CHARS: usize = 160;

/// One reason.
pub(super) struct ProofView {
    pub(super) rule: Seen,
    pub(super) field: Seen,
    pub(super) kind: String,
    pub(super) href: String,
    /// The bytes before, those that matched, and after; absent where the evidence was not opened.
    pub(super) excerpt: Option<[Seen; 3]>,
}

/// Evidence that was opened to show proofs.
#[derive(Default)]
pub(super) struct Opened(BTreeMap<ContentHash, StoredEvidence>);

impl Opened {
    /// Opens what the proofs of these services point to, at most [`MAX_OPENED`] pieces.
    pub(super) fn for_services<'a>(
        reader: &Reader,
        services: impl Iterator<Item = &'a Service>,
    ) -> Result<Self, ReadError> {
        let mut opened = BTreeMap::new();
        let pointed = services.flat_map(|service| service.facts.proofs.iter().map(move |proof| target(service, proof)));
        for hash in pointed.flatten() {
            if opened.len() >= MAX_OPENED {
                break;
            }
            if opened.contains_key(&hash) {
                continue;
            }
            if let Some(evidence) = reader.evidence(&hash)? {
                opened.insert(hash, evidence);
            }
        }
        Ok(Self(opened))
    }

    /// The reasons for what is known of a service.
    pub(super) fn proofs(&self, words: &Words, service: &Service) -> Vec<ProofView> {
        let proofs = service.facts.proofs.iter().take(MAX_PROOFS);
        proofs.filter_map(|proof| self.proof(words, service, proof)).collect()
    }

    fn proof(&self, words: &Words, service: &Service, proof: &Proof) -> Option<ProofView> {
        let hash = target(service, proof)?;
        let span = usize::try_from(proof.start).ok()?..usize::try_from(proof.end).ok()?;
        let evidence = self.0.get(&hash);
        let excerpt = evidence.and_then(|evidence| {
            let parts = hex::excerpt(&evidence.bytes, &span, REACH)?;
            Some(parts.map(|part| Seen::bytes(evidence.bytes.get(part).unwrap_or_default(), MATCH_CHARS)))
        });
        Some(ProofView {
            rule: Seen::word(&proof.rule),
            field: Seen::word(&proof.field),
            kind: words.say(&format!("evidence-kind-{}", proof.evidence)),
            href: link::evidence(&hash, service.key.address, Some(proof.start..proof.end)),
            excerpt,
        })
    }
}

/// The evidence that a proof speaks of: the first of its kind.
fn target(service: &Service, proof: &Proof) -> Option<ContentHash> {
    let mut references = service.evidence.iter();
    references.find(|reference| reference.kind == proof.evidence).map(|reference| reference.hash)
}
