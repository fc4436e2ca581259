//! What a walk told lately, carried in the place where it goes on: objects that several services share come once.

use std::collections::VecDeque;

use data_encoding::BASE64URL_NOPAD;
use hinomi_model::ContentHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::stix::Object;

/// The most objects that are remembered; of more the oldest come again.
const MOST: usize = 256;
/// Bytes of each: enough that no two of a walk are alike.
const BYTES: usize = 8;

/// Ids that were told, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent(VecDeque<[u8; BYTES]>);

impl Recent {
    /// Whether an object was told, and would be told alike.
    pub(super) fn has(&self, object: &Object) -> bool {
        name(object).is_some_and(|name| self.0.contains(&name))
    }

    /// Remembers what is told.
    pub(super) fn extend(&mut self, objects: &[Object]) {
        for name in objects.iter().filter_map(name) {
            if self.0.len() >= MOST {
                self.0.pop_front();
            }
            self.0.push_back(name);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn full() -> Self {
        Self((0..MOST).map(|n| [u8::try_from(n).unwrap(); BYTES]).collect())
    }
}

/// What several services share.
fn name(object: &Object) -> Option<[u8; BYTES]> {
    let is_shared = matches!(object.kind(), "software" | "ipv4-addr" | "ipv6-addr" | "marking-definition");
    is_shared.then(|| *ContentHash::of(object.id.as_bytes()).as_bytes().first_chunk().unwrap_or(&[0; BYTES]))
}

impl Serialize for Recent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flatten().copied().collect();
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

impl<'de> Deserialize<'de> for Recent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        let names = bytes.chunks_exact(BYTES).filter_map(|chunk| chunk.try_into().ok());
        Ok(Self(names.take(MOST).collect()))
    }
}
