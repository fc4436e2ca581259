//! LZ4's block format, unpacked.
//!
//! Written here because it is forty lines and the library in the tree would be shared with the index's own choice
//! between its safe and its unsafe decoder. Follows the description of the block format in LZ4's repository.

use super::little::Little;

/// Unpacks into `output`, which is emptied first; none when the input is none of LZ4's, or gives more than `limit`
/// bytes.
pub(super) fn decompress(input: &[u8], limit: usize, output: &mut Vec<u8>) -> Option<()> {
    output.clear();
    let mut reader = Little::new(input);
    loop {
        let token = reader.u8()?;
        let literals = length(token >> 4, &mut reader)?;
        if output.len().checked_add(literals)? > limit {
            return None;
        }
        output.extend_from_slice(reader.take(literals)?);
        // Only the last sequence has no match.
        let Some(distance) = reader.u16() else { return (reader.take(1).is_none()).then_some(()) };
        let count = length(token & 0x0f, &mut reader)?.checked_add(4)?;
        repeat(output, usize::from(distance), count, limit)?;
    }
}

/// Four bits, and bytes more while they are full.
fn length(bits: u8, reader: &mut Little<'_>) -> Option<usize> {
    let mut length = usize::from(bits);
    if bits == 15 {
        loop {
            let more = reader.u8()?;
            length = length.checked_add(usize::from(more))?;
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
}

/// Appends `count` bytes that stand `distance` before the end; they may overlap with what is appended.
pub(super) fn repeat(output: &mut Vec<u8>, distance: usize, count: usize, limit: usize) -> Option<()> {
    let start = output.len().checked_sub(distance).filter(|_| distance > 0)?;
    let end = output.len().checked_add(count).filter(|end| *end <= limit)?;
    while output.len() < end {
        // What is there already can be copied at once; each round doubles it.
        let available = (output.len() - start).min(end - output.len());
        output.extend_from_within(start..start + available);
    }
    Some(())
}
