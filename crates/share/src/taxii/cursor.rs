//! Where a page ended, as an opaque text.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::Place;

/// The longest that is read.
const MAX_CURSOR_BYTES: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    pub(super) stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Among the objects that every collection begins with: so many were told.
    #[serde(rename = "f")]
    Fixed(usize),
    /// Among services.
    #[serde(rename = "s")]
    Services {
        #[serde(rename = "c")]
        cursor: Option<String>,
        #[serde(rename = "w")]
        within: Option<(String, usize)>,
    },
}

impl Default for Cursor {
    fn default() -> Self {
        Self { stage: Stage::Fixed(0) }
    }
}

impl Cursor {
    pub(super) fn services(place: &Place) -> Self {
        Self { stage: Stage::Services { cursor: place.cursor.clone(), within: place.within.clone() } }
    }

    pub(super) fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&serde_json::to_vec(self).unwrap_or_default())
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_CURSOR_BYTES {
            return None;
        }
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went_and_nonsense_does_not() {
        let within = Some(("[2001:db8::1]:22/tcp".to_owned(), 3));
        for stage in [Stage::Fixed(4), Stage::Services { cursor: Some("abc".to_owned()), within }] {
            let cursor = Cursor { stage };
            assert_eq!(Cursor::read(&cursor.to_text()), Some(cursor));
        }
        for text in ["", "e30", "nonsense!", &"A".repeat(5_000)] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
    }
}
