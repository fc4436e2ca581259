//! Values in and out of Arrow columns, with one line of error for each way a column can be wrong.
//!
//! At a hundred times the data nothing changes here: it works on one batch of rows.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Int32Array, Int64Array, ListArray, PrimitiveArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, SchemaRef};
use data_encoding::HEXLOWER;
use hinomi_model::{EvidenceRef, Timestamp};

use super::definition::{reference_element, reference_fields, text_element, time_element};
use crate::error::LakeError;

/// Puts columns together; fails when they are not what the schema says.
pub(crate) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, LakeError> {
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| LakeError::damaged("rows to be written", &error))
}

/// A column of texts.
pub(crate) fn texts<T: AsRef<str>>(values: impl Iterator<Item = T>) -> ArrayRef {
    let (least, _) = values.size_hint();
    let mut builder = StringBuilder::with_capacity(least, least * 16);
    values.for_each(|value| builder.append_value(value.as_ref()));
    Arc::new(builder.finish())
}

/// A column of hashes and names, as lower-case hexadecimal digits.
pub(crate) fn hexes<'a>(values: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
    maybe_hexes(values.map(Some))
}

/// A column of texts that may be absent.
pub(crate) fn maybe_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// A column of 32-bit numbers.
pub(crate) fn ints(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

/// A column of 32-bit numbers that may be absent.
pub(crate) fn maybe_ints(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}

/// A column of hashes and names that may be absent.
pub(crate) fn maybe_hexes<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
    let (least, _) = values.size_hint();
    let mut builder = StringBuilder::with_capacity(least, least * 64);
    let mut text = String::with_capacity(64);
    for value in values {
        text.clear();
        if let Some(bytes) = value {
            HEXLOWER.encode_append(bytes, &mut text);
        }
        builder.append_option(value.map(|_| text.as_str()));
    }
    Arc::new(builder.finish())
}

/// A column of 64-bit numbers.
pub(crate) fn longs(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// A column of 64-bit numbers that may be absent.
pub(crate) fn maybe_longs(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

/// A column of truths.
pub(crate) fn bools(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

/// A column of times.
pub(crate) fn times(values: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    let array: TimestampMicrosecondArray = values.map(|time| time.map(Timestamp::as_micros)).collect();
    Arc::new(array.with_timezone("UTC"))
}

/// A column of bytes.
pub(crate) fn bytes<'a>(values: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(values))
}

/// A column of lists of texts.
pub(crate) fn text_lists<'a>(lists: impl Iterator<Item = &'a [String]> + Clone) -> Result<ArrayRef, ArrowError> {
    let flat = texts(lists.clone().flatten());
    let offsets = OffsetBuffer::<i32>::from_lengths(lists.map(<[String]>::len));
    Ok(Arc::new(ListArray::try_new(text_element(), offsets, flat, None)?))
}

/// A column of lists of texts that may be absent.
pub(crate) fn maybe_text_lists<'a, T: AsRef<str> + 'a>(
    lists: impl Iterator<Item = Option<&'a [T]>> + Clone,
) -> Result<ArrayRef, ArrowError> {
    let flat = texts(lists.clone().flatten().flatten());
    let offsets = OffsetBuffer::<i32>::from_lengths(lists.clone().map(|list| list.map_or(0, <[T]>::len)));
    let present: NullBuffer = lists.map(|list| list.is_some()).collect::<Vec<_>>().into();
    Ok(Arc::new(ListArray::try_new(text_element(), offsets, flat, Some(present))?))
}

/// A column of lists of times that may be absent.
pub(crate) fn maybe_time_lists<'a>(
    lists: impl Iterator<Item = Option<&'a [Timestamp]>> + Clone,
) -> Result<ArrayRef, ArrowError> {
    let flat = times(lists.clone().flatten().flatten().map(|time| Some(*time)));
    let offsets = OffsetBuffer::<i32>::from_lengths(lists.clone().map(|list| list.map_or(0, <[Timestamp]>::len)));
    let present: NullBuffer = lists.map(|list| list.is_some()).collect::<Vec<_>>().into();
    Ok(Arc::new(ListArray::try_new(time_element(), offsets, flat, Some(present))?))
}

/// A column of lists of references.
pub(crate) fn reference_lists<'a>(
    lists: impl Iterator<Item = &'a [EvidenceRef]> + Clone,
) -> Result<ArrayRef, ArrowError> {
    let flat = || lists.clone().flatten();
    let kinds = texts(flat().map(|reference| reference.kind.name()));
    let hashes = hexes(flat().map(|reference| reference.hash.as_bytes().as_slice()));
    let pairs = StructArray::try_new(reference_fields(), vec![kinds, hashes], None)?;
    let offsets = OffsetBuffer::<i32>::from_lengths(lists.map(<[EvidenceRef]>::len));
    Ok(Arc::new(ListArray::try_new(reference_element(), offsets, Arc::new(pairs), None)?))
}

/// Times, and a text for each.
pub(crate) type TimesAndTexts = (Vec<Timestamp>, Vec<String>);

/// The columns of some rows that were read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns<'a> {
    table: &'static str,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    /// Of these rows; the table's name is for messages.
    pub(crate) const fn new(table: &'static str, batch: &'a RecordBatch) -> Self {
        Self { table, batch }
    }

    fn get<T: ?Sized>(&self, name: &str, cast: impl Fn(&'a dyn Array) -> Option<&'a T>) -> Result<&'a T, LakeError> {
        let array = self.batch.column_by_name(name);
        let found = array.and_then(|array| cast(array.as_ref()));
        found.ok_or_else(|| self.damaged(&format!("no column {name} of the kind expected")))
    }

    /// An error that says in which table.
    pub(crate) fn damaged(&self, detail: &str) -> LakeError {
        LakeError::damaged(format!("table {}", self.table), detail)
    }

    /// Texts.
    pub(crate) fn texts(&self, name: &str) -> Result<&'a StringArray, LakeError> {
        self.get(name, |array| array.as_string_opt::<i32>())
    }

    /// Bytes.
    pub(crate) fn bytes(&self, name: &str) -> Result<&'a BinaryArray, LakeError> {
        self.get(name, |array| array.as_binary_opt::<i32>())
    }

    /// 32-bit numbers.
    pub(crate) fn ints(&self, name: &str) -> Result<&'a PrimitiveArray<Int32Type>, LakeError> {
        self.get(name, |array| array.as_primitive_opt())
    }

    /// 64-bit numbers.
    pub(crate) fn longs(&self, name: &str) -> Result<&'a PrimitiveArray<Int64Type>, LakeError> {
        self.get(name, |array| array.as_primitive_opt())
    }

    /// Truths.
    pub(crate) fn bools(&self, name: &str) -> Result<&'a BooleanArray, LakeError> {
        self.get(name, |array| array.as_boolean_opt())
    }

    /// Times in microseconds.
    pub(crate) fn times(&self, name: &str) -> Result<&'a PrimitiveArray<TimestampMicrosecondType>, LakeError> {
        self.get(name, |array| array.as_primitive_opt())
    }

    /// Lists of texts, one for each row.
    pub(crate) fn text_lists(&self, name: &str) -> Result<Vec<Vec<String>>, LakeError> {
        let lists = self.get(name, |array| array.as_list_opt::<i32>())?;
        let own = |list: Option<ArrayRef>| {
            let values = list.as_ref().and_then(|list| list.as_string_opt::<i32>());
            values.into_iter().flatten().flatten().map(ToOwned::to_owned).collect()
        };
        Ok(lists.iter().map(own).collect())
    }

    /// Whether there is such a column: files of an older format have fewer.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.batch.column_by_name(name).is_some()
    }

    /// Lists of times and of texts that belong to them, one pair for each row; none where the row has no list.
    pub(crate) fn time_lists(&self, times: &str, texts: &str) -> Result<Vec<Option<TimesAndTexts>>, LakeError> {
        let (times, texts) = (self.lists(times)?, self.lists(texts)?);
        times.iter().zip(texts.iter()).map(|(times, texts)| self.pair(times, texts.as_ref())).collect()
    }

    fn lists(&self, name: &str) -> Result<&'a ListArray, LakeError> {
        self.get(name, |array| array.as_list_opt::<i32>())
    }

    fn pair(&self, times: Option<ArrayRef>, texts: Option<&ArrayRef>) -> Result<Option<TimesAndTexts>, LakeError> {
        let Some(times) = times else { return Ok(None) };
        let numbers = times.as_primitive_opt::<TimestampMicrosecondType>();
        let numbers = numbers.ok_or_else(|| self.damaged("a list of times holds something else"))?;
        let texts = texts.and_then(|texts| texts.as_string_opt::<i32>());
        let texts: Vec<_> = texts.into_iter().flatten().map(|text| text.unwrap_or_default().to_owned()).collect();
        if numbers.is_empty() || numbers.len() != texts.len() {
            return Err(self.damaged("a list of times and the list beside it are not of one length"));
        }
        Ok(Some((numbers.values().iter().copied().map(Timestamp::from_micros).collect(), texts)))
    }

    /// Lists of references, one for each row.
    pub(crate) fn reference_lists(&self, name: &str) -> Result<Vec<Vec<EvidenceRef>>, LakeError> {
        let lists = self.get(name, |array| array.as_list_opt::<i32>())?;
        lists.iter().map(|list| list.map_or_else(|| Ok(Vec::new()), |list| self.references(&list))).collect()
    }

    fn references(&self, list: &ArrayRef) -> Result<Vec<EvidenceRef>, LakeError> {
        let pairs = list.as_struct_opt();
        let part = |name: &str| pairs?.column_by_name(name)?.as_string_opt::<i32>();
        let parts = part("kind").zip(part("hash"));
        let (kinds, hashes) = parts.ok_or_else(|| self.damaged("a reference without kind or hash"))?;
        let pairs = kinds.iter().zip(hashes.iter());
        pairs.map(|(kind, hash)| self.reference(kind.unwrap_or_default(), hash.unwrap_or_default())).collect()
    }

    fn reference(&self, kind: &str, hash: &str) -> Result<EvidenceRef, LakeError> {
        let kind =
            kind.parse().map_err(|error: hinomi_model::evidence::UnknownKind| self.damaged(&error.to_string()))?;
        let hash = hash.parse().map_err(|error: hinomi_model::id::IdError| self.damaged(&error.to_string()))?;
        Ok(EvidenceRef { kind, hash })
    }
}
