//! Where a record keeps a field, and reading it from there.
//!
//! A [`Layout`] is a run of fixed parts with one field of variable length between two of them (RFC 7011 section 7); a
//! record of fixed length is one part. A [`Slot`] is a field's place within a part. Reads outside the record give zero:
//! a layout never leads there, but nothing here depends on it.

use super::counts::Reason;

/// Length of a field that says its own length.
pub(super) const VARIABLE: u16 = u16::MAX;
/// The most fields of variable length in a template.
pub(super) const MAX_VARIABLE: usize = 64;
/// The longest record: a set has 65,535 bytes with its header.
const MAX_RECORD: usize = u16::MAX as usize - 4;

/// One field of a template, as the exporter announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldSpec {
    /// 0 for IANA's elements.
    pub enterprise: u32,
    /// Field type or information element.
    pub id: u16,
    /// Bytes, or [`VARIABLE`].
    pub length: u16,
}

/// A place in a record; of width 0 where the template has no such field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    at: u16,
    part: u8,
    width: u8,
}

impl Slot {
    /// Whether the template has the field.
    pub(super) const fn is_told(self) -> bool {
        self.width > 0
    }

    /// Bytes.
    pub(super) const fn width(self) -> u8 {
        self.width
    }
}

/// How long records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of the parts between fields of variable length.
    parts: Box<[u16]>,
    /// Bytes of the shortest record, never 0.
    least: usize,
}

impl Layout {
    /// Lays out the fields and tells where each of them is.
    pub(super) fn new(specs: &[FieldSpec], mut told: impl FnMut(&FieldSpec, Slot)) -> Result<Self, Reason> {
        let mut parts: Vec<u16> = Vec::new();
        let mut at: u16 = 0;
        for spec in specs {
            if spec.length == VARIABLE {
                parts.push(std::mem::take(&mut at));
                continue;
            }
            let part = u8::try_from(parts.len()).map_err(|_| Reason::TooManyFields)?;
            // Wider fields are none that we read.
            told(spec, Slot { at, part, width: u8::try_from(spec.length).unwrap_or_default() });
            at = at.checked_add(spec.length).ok_or(Reason::ImpossibleTemplate)?;
        }
        parts.push(at);
        if parts.len() > MAX_VARIABLE + 1 {
            return Err(Reason::TooManyFields);
        }
        let least = parts.iter().map(|&bytes| usize::from(bytes)).sum::<usize>() + parts.len() - 1;
        if least == 0 || least > MAX_RECORD {
            return Err(Reason::ImpossibleTemplate);
        }
        Ok(Self { parts: parts.into(), least })
    }

    /// Bytes of every record, if they are all the same.
    pub(super) fn fixed(&self) -> Option<usize> {
        (self.parts.len() == 1).then_some(self.least)
    }

    /// Bytes of the shortest record.
    pub(super) const fn least(&self) -> usize {
        self.least
    }

    /// Finds the parts of the record at the beginning of `bytes` and returns its length; none when it does not end.
    pub(super) fn measure(&self, bytes: &[u8], bases: &mut Bases) -> Option<usize> {
        let mut at = 0_usize;
        for (index, (&fixed, base)) in self.parts.iter().zip(&mut bases.0).enumerate() {
            if index > 0 {
                at = skip_variable(bytes, at)?;
            }
            *base = at;
            at += usize::from(fixed);
        }
        (at <= bytes.len()).then_some(at)
    }
}

/// A length of one byte, or 255 and a length of two (RFC 7011 section 7).
fn skip_variable(bytes: &[u8], at: usize) -> Option<usize> {
    let short = *bytes.get(at)?;
    if short < u8::MAX {
        return Some(at + 1 + usize::from(short));
    }
    let long = bytes.get(at + 1..)?.first_chunk::<2>()?;
    Some(at + 3 + usize::from(u16::from_be_bytes(*long)))
}

/// Where the parts of one record begin.
#[derive(Clone, Debug)]
pub(super) struct Bases([usize; MAX_VARIABLE + 1]);

impl Default for Bases {
    fn default() -> Self {
        Self([0; MAX_VARIABLE + 1])
    }
}

/// Tells where a slot is; two kinds, so that records of fixed length pay nothing for the others.
pub(super) trait Place: Copy {
    /// The offset of a slot in the record.
    fn at(self, slot: Slot) -> usize;
}

/// Records of one part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed;

impl Place for Fixed {
    #[inline(always)]
    fn at(self, slot: Slot) -> usize {
        usize::from(slot.at)
    }
}

impl Place for &Bases {
    #[inline(always)]
    fn at(self, slot: Slot) -> usize {
        self.0.get(usize::from(slot.part)).map_or(0, |base| base + usize::from(slot.at))
    }
}

/// One record, to read slots from. Nothing but the bytes of the slot is touched.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a, P> {
    /// The record.
    pub bytes: &'a [u8],
    /// Where its slots are.
    pub place: P,
}

impl<P: Place> View<'_, P> {
    /// Bytes as they are.
    #[inline(always)]
    pub(super) fn array<const N: usize>(&self, slot: Slot) -> [u8; N] {
        let rest = self.bytes.get(self.place.at(slot)..).unwrap_or_default();
        rest.first_chunk::<N>().copied().unwrap_or([0; N])
    }

    /// A number of 1 to 8 bytes, shortened by the exporter or not (RFC 7011 section 6.2); 0 when it is not told.
    #[inline(always)]
    pub(super) fn number(&self, slot: Slot) -> u64 {
        match slot.width {
            0 => 0,
            1 => u64::from(u8::from_be_bytes(self.array(slot))),
            2 => u64::from(u16::from_be_bytes(self.array(slot))),
            4 => u64::from(u32::from_be_bytes(self.array(slot))),
            8 => u64::from_be_bytes(self.array(slot)),
            width => self.odd(slot, width),
        }
    }

    #[cold]
    fn odd(&self, slot: Slot, width: u8) -> u64 {
        let at = self.place.at(slot);
        let bytes = self.bytes.get(at..at + usize::from(width)).unwrap_or_default();
        bytes.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte))
    }

    /// The low 16 bits of a number.
    #[inline(always)]
    pub(super) fn short(&self, slot: Slot) -> u16 {
        u16::try_from(self.number(slot) & 0xffff).unwrap_or_default()
    }

    /// The low 8 bits of a number.
    #[inline(always)]
    pub(super) fn byte(&self, slot: Slot) -> u8 {
        u8::try_from(self.number(slot) & 0xff).unwrap_or_default()
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(length: u16) -> FieldSpec {
        FieldSpec { enterprise: 0, id: 1, length }
    }

    fn layout(lengths: &[u16]) -> Result<(Layout, Vec<Slot>), Reason> {
        let specs: Vec<_> = lengths.iter().map(|&length| spec(length)).collect();
        let mut slots = Vec::new();
        let layout = Layout::new(&specs, |_, slot| slots.push(slot))?;
        Ok((layout, slots))
    }

    #[test]
    fn impossible_templates_are_refused() {
        assert_eq!(layout(&[0, 0]).err(), Some(Reason::ImpossibleTemplate));
        assert_eq!(layout(&[65_000, 600]).err(), Some(Reason::ImpossibleTemplate));
        assert_eq!(layout(&[65_000, VARIABLE, 600]).err(), Some(Reason::ImpossibleTemplate));
        assert_eq!(layout(&[VARIABLE; 65]).err(), Some(Reason::TooManyFields));
        assert_eq!(layout(&[VARIABLE; 300]).err(), Some(Reason::TooManyFields));
        assert_eq!(layout(&[VARIABLE; 64]).map(|(layout, _)| layout.least()), Ok(64));
    }

    #[test]
    fn short_and_long_variable_fields_move_what_follows() {
        let (layout, slots) = layout(&[1, VARIABLE, 2, VARIABLE, 3]).expect("a layout");
        let long = [[7, 2, 0, 0, 1, 2, 255, 1, 0].as_slice(), &[0; 256], &[9, 9, 9, 1]].concat();
        let mut bases = Bases::default();
        assert_eq!(layout.measure(&long, &mut bases), Some(long.len() - 1));
        let view = View { bytes: &long, place: &bases };
        let numbers: Vec<_> = slots.iter().map(|&slot| view.number(slot)).collect();
        assert_eq!(numbers, [7, 0x0102, 0x09_0909]);
        assert_eq!(layout.measure(&long[..long.len() - 2], &mut bases), None, "the record does not end");
    }

    proptest! {
        /// A number of any width reads as it was written, wherever it stands.
        #[test]
        fn numbers_of_any_width(value: u64, width in 1_u16..=8, before in 0_u16..40) {
            let (layout, slots) = layout(&[before, width]).expect("a layout");
            let kept = value & (u64::MAX >> (64 - 8 * width));
            let mut record = vec![0xff; usize::from(before)];
            record.extend(&value.to_be_bytes()[8 - usize::from(width)..]);
            prop_assert_eq!(layout.fixed(), Some(record.len()));
            let view = View { bytes: &record, place: Fixed };
            prop_assert_eq!(view.number(slots[1]), kept);
        }
    }
}
