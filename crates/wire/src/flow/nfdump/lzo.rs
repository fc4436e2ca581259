//! LZO1X, unpacked: what nfdump's `-z` writes, and NfSen's default for years.
//!
//! Follows the description of the stream in the Linux kernel's documentation (`staging/lzo`), without its later
//! extensions.

use super::little::Little;
use super::lz4::repeat;

/// Where a match of four bytes and more ends the stream.
const END_DISTANCE: usize = 16_384;

/// What a match copies, and how many literals follow it.
struct Match {
    distance: usize,
    count: usize,
    literals: usize,
}

/// Unpacks into `output`, which is emptied first; none when the input is none of LZO's, or gives more than `limit`
/// bytes.
pub(super) fn decompress(input: &[u8], limit: usize, output: &mut Vec<u8>) -> Option<()> {
    output.clear();
    let mut reader = Little::new(input);
    let mut stream = Stream { output, limit, before: 0 };
    let mut code = reader.u8()?;
    if code > 17 {
        stream.literals(&mut reader, usize::from(code) - 17)?;
        code = reader.u8()?;
    }
    loop {
        if code < 16 && stream.before == 0 {
            let count = length(code, 15, 3, &mut reader)?;
            stream.literals(&mut reader, count)?;
            stream.before = 4;
        } else {
            let copied = matched(code, stream.before, &mut reader)?;
            if copied.distance == END_DISTANCE && (16..32).contains(&code) {
                return reader.take(1).is_none().then_some(());
            }
            repeat(stream.output, copied.distance, copied.count, limit)?;
            stream.literals(&mut reader, copied.literals)?;
        }
        code = reader.u8()?;
    }
}

struct Stream<'a> {
    output: &'a mut Vec<u8>,
    limit: usize,
    /// Literals since the last match; 4 is four or more. It changes what a short code means.
    before: usize,
}

impl Stream<'_> {
    fn literals(&mut self, reader: &mut Little<'_>, count: usize) -> Option<()> {
        if self.output.len().checked_add(count)? > self.limit {
            return None;
        }
        self.output.extend_from_slice(reader.take(count)?);
        self.before = count.min(4);
        Some(())
    }
}

fn matched(code: u8, before: usize, reader: &mut Little<'_>) -> Option<Match> {
    let bits = usize::from(code);
    match code {
        128.. => {
            let distance = (usize::from(reader.u8()?) << 3) + (bits >> 2 & 7) + 1;
            Some(Match { distance, count: 5 + (bits >> 5 & 3), literals: bits & 3 })
        }
        64..128 => {
            let distance = (usize::from(reader.u8()?) << 3) + (bits >> 2 & 7) + 1;
            Some(Match { distance, count: 3 + (bits >> 5 & 1), literals: bits & 3 })
        }
        32..64 => {
            let count = length(code & 31, 31, 2, reader)?;
            let word = usize::from(reader.u16()?);
            Some(Match { distance: (word >> 2) + 1, count, literals: word & 3 })
        }
        16..32 => {
            let count = length(code & 7, 7, 2, reader)?;
            let word = usize::from(reader.u16()?);
            let distance = END_DISTANCE + ((bits & 8) << 11) + (word >> 2);
            Some(Match { distance, count, literals: word & 3 })
        }
        0..16 => {
            let near = (usize::from(reader.u8()?) << 2) + (bits >> 2);
            let (distance, count) = if before == 4 { (near + 2_049, 3) } else { (near + 1, 2) };
            Some(Match { distance, count, literals: bits & 3 })
        }
    }
}

/// Bits that hold a length; zero means that bytes follow, of which the first that is not zero is the last.
fn length(bits: u8, full: usize, least: usize, reader: &mut Little<'_>) -> Option<usize> {
    if bits != 0 {
        return Some(usize::from(bits) + least);
    }
    let mut length = full + least;
    loop {
        let more = reader.u8()?;
        if more != 0 {
            return length.checked_add(usize::from(more));
        }
        length = length.checked_add(255)?;
    }
}
