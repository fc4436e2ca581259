//! Thrift's compact protocol, as strictly as a file's own writer keeps to it.
//!
//! What is read here is read by the `parquet` crate afterwards, which goes by the number of a field and not by its type,
//! cuts numbers of fields to 16 bits and lets the last of a number win. So that both read the same, an [`Input`] refuses
//! whatever could be read in two ways: fields out of order, fields of another type than their [`Shape`] tells, numbers
//! that do not fit, long forms where the short one does. Every list is bounded by the bytes that are left, every
//! structure by a depth.
//!
//! Follows Thrift's "compact protocol" specification.

/// The type of a field that is known.
#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    Byte,
    Short,
    Int,
    Long,
    Double,
    Text,
    List(&'static Self),
    Struct(&'static Shape),
}

/// The fields of a structure that are known, by number.
pub(super) type Shape = [(i16, Kind)];

/// Structures within structures; footers have six.
pub(super) const MAX_DEPTH: usize = 16;
/// In the place of a type: the structure ends.
pub(super) const STOP: u8 = 0;
/// The type of a structure.
pub(super) const STRUCT: u8 = 12;
/// The type of a list.
pub(super) const LIST: u8 = 9;

/// Bytes that are not yet read.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    /// A structure. What a field holds goes to `told`, which says whether it may go on: a number, the length of a text or a
    /// list, zero of all others; fields that are not known are skipped.
    pub(super) fn structure(
        &mut self,
        shape: &Shape,
        depth: usize,
        told: &mut dyn FnMut(i16, i64) -> bool,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let mut last = 0;
        loop {
            let (id, code) = self.field(&mut last)?;
            if code == STOP {
                return Some(());
            }
            let value = self.field_within(shape, (id, code), depth)?;
            if !told(id, value) {
                return None;
            }
        }
    }

    /// What a field of the outermost structure holds.
    pub(super) fn field_of(&mut self, shape: &Shape, id: i16, code: u8) -> Option<i64> {
        self.field_within(shape, (id, code), MAX_DEPTH)
    }

    fn field_within(&mut self, shape: &Shape, (id, code): (i16, u8), depth: usize) -> Option<i64> {
        match shape.iter().find(|(known, _)| *known == id) {
            Some((_, kind)) => self.value(kind, code, depth),
            None => self.skip(code, depth).map(|()| 0),
        }
    }

    /// Number and type of the next field, whose number is beyond the last one's.
    pub(super) fn field(&mut self, last: &mut i16) -> Option<(i16, u8)> {
        let head = self.byte()?;
        let (step, code) = (i16::from(head >> 4), head & 15);
        if code == STOP {
            return Some((0, STOP));
        }
        let id = if step == 0 { self.far_field(*last)? } else { last.checked_add(step)? };
        *last = id;
        Some((id, code))
    }

    /// Only a field that is too far for the short form is written in the long one.
    fn far_field(&mut self, last: i16) -> Option<i16> {
        let id = i16::try_from(self.signed()?).ok()?;
        (id > last.checked_add(15)?).then_some(id)
    }

    /// What a field of a known type holds, where that is its type.
    pub(super) fn value(&mut self, kind: &Kind, code: u8, depth: usize) -> Option<i64> {
        match (kind, code) {
            (Kind::Bool, 1 | 2) => Some(i64::from(code == 1)),
            (Kind::Byte, 3) => self.byte().map(i64::from),
            (Kind::Short, 4) => self.signed().filter(|number| i16::try_from(*number).is_ok()),
            (Kind::Int, 5) => self.signed().filter(|number| i32::try_from(*number).is_ok()),
            (Kind::Long, 6) => self.signed(),
            (Kind::Double, 7) => self.take(8).map(|()| 0),
            (Kind::Text, 8) => self.text(),
            (Kind::List(of), LIST) => self.list(of, depth),
            (Kind::Struct(shape), STRUCT) => self.structure(shape, depth, &mut |_, _| true).map(|()| 0),
            _ => None,
        }
    }

    fn list(&mut self, of: &Kind, depth: usize) -> Option<i64> {
        let (count, code) = self.list_head()?;
        (0..count).try_for_each(|_| self.value(of, code, depth).map(|_| ()))?;
        i64::try_from(count).ok()
    }

    /// How many elements, each of a byte at least, and of which type.
    pub(super) fn list_head(&mut self) -> Option<(usize, u8)> {
        let head = self.byte()?;
        let short = head >> 4;
        let count = if short == 15 { usize::try_from(self.unsigned()?).ok()? } else { usize::from(short) };
        (count <= self.left()).then_some((count, head & 15))
    }

    /// A value of a field that is not known.
    fn skip(&mut self, code: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match code {
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.take(8),
            8 => self.text().map(|_| ()),
            LIST | 10 => {
                let (count, code) = self.list_head()?;
                // Truth values in lists are a byte each, or none: readers do not agree.
                if count > 0 && matches!(code, 1 | 2) {
                    return None;
                }
                (0..count).try_for_each(|_| self.skip(code, depth))
            }
            STRUCT => self.structure(&[], depth, &mut |_, _| true),
            // Maps and what is to come: neither a footer nor a header has them.
            _ => None,
        }
    }

    /// The length of a text, which is passed over.
    fn text(&mut self) -> Option<i64> {
        let length = self.unsigned()?;
        self.take(usize::try_from(length).ok()?)?;
        i64::try_from(length).ok()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Zigzag: the sign is the lowest bit.
    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}
