//! Where a page ended, as opaque text.
//!
//! It names the order, the last service's value in that order and the service itself, not a number of rows: data that
//! arrives between pages moves nothing that did not change. It belongs to no generation of the index.

use hinomi_model::ContentHash;

use crate::error::LakeError;
use crate::query::{Field, Sort};

use super::segment::Spot;

/// A value in the order asked for, comparable across segments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Number(u64),
    Text(Vec<u8>),
}

/// A row's place in the order of answers. What has no value comes last, whichever way the order goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) value: Option<Value>,
    pub(super) spot: Spot,
}

impl Rank {
    /// Which of two comes first.
    pub(super) fn compare(&self, other: &Self, descending: bool) -> std::cmp::Ordering {
        let absent = self.value.is_none().cmp(&other.value.is_none());
        let mut values = self.value.cmp(&other.value);
        if descending {
            values = values.reverse();
        }
        absent.then(values).then(self.spot.cmp(&other.spot))
    }
}

const CHECK_BYTES: usize = 4;

/// The cursor after a row, in this order.
pub(super) fn write(rank: &Rank, sort: Sort) -> String {
    let mut bytes = order_byte(sort).to_vec();
    bytes.extend(rank.spot.0.to_be_bytes());
    bytes.extend(rank.spot.1.to_be_bytes());
    match &rank.value {
        None => bytes.push(0),
        Some(Value::Number(number)) => {
            bytes.push(1);
            bytes.extend(number.to_be_bytes());
        }
        Some(Value::Text(text)) => {
            bytes.push(2);
            bytes.extend(text);
        }
    }
    let check = check_of(&bytes);
    bytes.extend(check);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The row a cursor names.
pub(super) fn read(text: &str, sort: Sort) -> Result<Rank, LakeError> {
    let bytes = unhex(text).ok_or(LakeError::Cursor)?;
    let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(LakeError::Cursor)?;
    if *check != check_of(body) {
        return Err(LakeError::Cursor);
    }
    let (order, rest) = body.split_first_chunk::<2>().ok_or(LakeError::Cursor)?;
    let (address, rest) = rest.split_first_chunk::<16>().ok_or(LakeError::Cursor)?;
    let (place, rest) = rest.split_first_chunk::<8>().ok_or(LakeError::Cursor)?;
    let (kind, rest) = rest.split_first().ok_or(LakeError::Cursor)?;
    if *order != order_byte(sort) {
        return Err(LakeError::Cursor);
    }
    let value = match (kind, rest) {
        (0, []) => None,
        (1, number) => Some(Value::Number(u64::from_be_bytes(number.try_into().map_err(|_| LakeError::Cursor)?))),
        (2, text) => Some(Value::Text(text.to_vec())),
        _ => return Err(LakeError::Cursor),
    };
    Ok(Rank { value, spot: (u128::from_be_bytes(*address), u64::from_be_bytes(*place)) })
}

fn order_byte(sort: Sort) -> [u8; 2] {
    let at = crate::query::FIELDS.iter().position(|info| info.field == sort.field).unwrap_or(0);
    [u8::try_from(at).unwrap_or(u8::MAX), u8::from(sort.descending)]
}

/// The order when none is asked for.
pub(super) const BY_ADDRESS: Sort = Sort { field: Field::Address, descending: false };

fn check_of(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let [a, b, c, d, ..] = *ContentHash::of(bytes).as_bytes();
    [a, b, c, d]
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 8_192 {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_others_are_refused() {
        let by_seen = Sort { field: Field::Seen, descending: true };
        for value in [None, Some(Value::Number(7)), Some(Value::Text(b"nginx".to_vec()))] {
            let rank = Rank { value, spot: (1 << 100, 44_300) };
            let text = write(&rank, by_seen);
            assert_eq!(read(&text, by_seen).expect("ours"), rank);
            assert!(matches!(read(&text, BY_ADDRESS), Err(LakeError::Cursor)));
            assert!(matches!(read(&text[2..], by_seen), Err(LakeError::Cursor)));
        }
        for bad in ["", "zz", "é", "00", &"0".repeat(9_000)] {
            assert!(matches!(read(bad, by_seen), Err(LakeError::Cursor)), "{bad}");
        }
    }
}
