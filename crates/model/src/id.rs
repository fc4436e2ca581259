//! Names of things: hashes for what has content, short texts for what people start.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// BLAKE3 of some bytes: the name of evidence. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

/// BLAKE3 of a sighting's content, cut to 16 bytes: the same observation told twice has the same name, so appending
/// again changes nothing. Text form: 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SightingId([u8; 16]);

/// A text that is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Not the right number of hexadecimal digits.
    #[error("{text:?} is not {digits} hexadecimal digits")]
    NotHex {
        /// What was given, cut.
        text: String,
        /// How many digits there should be.
        digits: usize,
    },
    /// A name with characters outside a-z, 0-9, '-', '_', '.', ':' or of the wrong length.
    #[error("{text:?} is not a name: 1 to 64 of the characters a-z A-Z 0-9 - _ . :")]
    NotAName {
        /// What was given, cut.
        text: String,
    },
}

impl ContentHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash whose raw bytes these are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SightingId {
    /// The name of a sighting whose canonical bytes these are.
    pub(crate) fn of(canonical: &[u8]) -> Self {
        let mut short = [0; 16];
        short.iter_mut().zip(blake3::hash(canonical).as_bytes()).for_each(|(short, whole)| *short = *whole);
        Self(short)
    }

    /// The name whose raw bytes these are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Written by hand: every sighting has several, and formatting byte by byte costs more than hashing them.
fn write_hex<const N: usize>(bytes: &[u8; N], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let pair = |byte: u8| [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    let digits = bytes.map(pair);
    f.write_str(std::str::from_utf8(digits.as_flattened()).map_err(|_| fmt::Error)?)
}

fn read_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let refuse = || IdError::NotHex { text: text.chars().take(80).collect(), digits: N * 2 };
    if text.len() != N * 2 {
        return Err(refuse());
    }
    let (mut bytes, mut any) = ([0; N], 0);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().as_chunks().0) {
        let [high, low] = pair.map(|digit: u8| DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT));
        any |= high | low;
        *byte = (high << 4) | low;
    }
    if any & NO_DIGIT != 0 { Err(refuse()) } else { Ok(bytes) }
}

/// What is no hexadecimal digit.
const NO_DIGIT: u8 = 0x80;

/// The value of each character: compaction reads some hundred of them for each row.
static DIGITS: [u8; 256] = {
    let (mut table, mut value) = ([NO_DIGIT; 256], 0);
    while value < 16 {
        let (small, large) = (b"0123456789abcdef", b"0123456789ABCDEF");
        table[small[value] as usize] = value as u8;
        table[large[value] as usize] = value as u8;
        value += 1;
    }
    table
};

macro_rules! hex_name {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                read_hex(text).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_name!(ContentHash);
hex_name!(SightingId);

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
                if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
                    return Err(IdError::NotAName { text: text.chars().take(80).collect() });
                }
                Ok(Self(text.into()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(
    /// Who saw it: one sensor of one installation, as `survey`, `import:nmap`, `flow:tokyo-1`.
    SensorId
);
text_name!(
    /// One campaign: a survey with a scope, targets, state and results.
    CampaignId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_round_trip_as_text() {
        let hash = ContentHash::of(b"SSH-2.0-dropbear");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert!("abc".parse::<ContentHash>().is_err());
        assert!("zz".repeat(32).parse::<ContentHash>().is_err());
        assert!("é".repeat(32).parse::<ContentHash>().is_err());
    }

    #[test]
    fn names_refuse_what_would_break_a_path_or_a_log() {
        assert!("import:nmap".parse::<SensorId>().is_ok());
        for bad in ["", "a b", "../x", "a\nb", &"x".repeat(65)] {
            assert!(bad.parse::<CampaignId>().is_err(), "{bad:?}");
        }
    }
}
