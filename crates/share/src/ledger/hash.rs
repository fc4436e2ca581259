//! SHA-256 as the hash of the tree (RFC 9162), and of what entries name by its digest.

use data_encoding::HEXLOWER;
use hinomi_model::merkle::{Digest, TreeHash};
use ring::digest::{Context, SHA256};

/// SHA-256, as RFC 9162 has it.
#[derive(Clone, Copy, Debug)]
pub struct Sha256;

impl TreeHash for Sha256 {
    fn hash(parts: &[&[u8]]) -> Digest {
        let mut context = Context::new(&SHA256);
        parts.iter().for_each(|part| context.update(part));
        context.finish().as_ref().first_chunk::<32>().copied().unwrap_or_default()
    }
}

/// SHA-256 of these bytes, in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::hash(&[bytes]))
}
