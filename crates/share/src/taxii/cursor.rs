//! Where a page ended, as an opaque text.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::Place;
use super::told::Recent;

/// The longest that is read.
const MAX_CURSOR_BYTES: usize = 8_192;

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
        #[serde(rename = "t", default, skip_serializing_if = "Recent::is_empty")]
        told: Recent,
    },
}

impl Default for Cursor {
    fn default() -> Self {
        Self { stage: Stage::Fixed(0) }
    }
}

impl Cursor {
    pub(super) fn services(place: &Place) -> Self {
        let (cursor, within, told) = (place.cursor.clone(), place.within.clone(), place.told.clone());
        Self { stage: Stage::Services { cursor, within, told } }
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
        for stage in [Stage::Fixed(4), Stage::Services { cursor: Some("abc".to_owned()), within, told: Recent::full() }]
        {
            let cursor = Cursor { stage };
            assert_eq!(Cursor::read(&cursor.to_text()), Some(cursor), "whatever it remembers");
        }
        for text in ["", "e30", "nonsense!", &"A".repeat(9_000)] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
    }
}
