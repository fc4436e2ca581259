//! The header of a file and of a block.

use super::little::Little;
use crate::flow::file::Reason;

/// 0xA50C, as a little-endian machine writes it.
pub(super) const MAGIC: (u8, u8) = (0x0c, 0xa5);
/// A block's header, the same in both layouts.
pub(super) const BLOCK_BYTES: usize = 12;

/// Header, identifier (128 bytes) and statistics (136).
const LAYOUT_1_BYTES: usize = 12 + 128 + 136;
const LAYOUT_2_BYTES: usize = 40;

/// Flag of a block that is not packed though the file is.
const PLAIN: u16 = 1;
/// Blocks whose records have headers of sixteen bits each; layout 1 has number 2, layout 2 number 3.
const RECORDS: [(u16, u16); 2] = [(1, 2), (2, 3)];

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) compression: Compression,
    layout: u16,
}

/// How blocks are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lzo,
    Lz4,
}

impl Header {
    /// How long the header of that layout is; none for a layout that we do not read.
    pub(super) const fn length(layout: u16) -> Option<usize> {
        match layout {
            1 => Some(LAYOUT_1_BYTES),
            2 => Some(LAYOUT_2_BYTES),
            _ => None,
        }
    }

    /// Reads what follows magic and layout.
    pub(super) fn read(layout: u16, rest: &[u8]) -> Result<Self, Reason> {
        let truncated = Reason::Truncated("its header");
        let mut reader = Little::new(rest);
        let compression = if layout == 1 {
            match reader.u32().ok_or(truncated)? & 0x19 {
                0 => Compression::None,
                0x01 => Compression::Lzo,
                0x10 => Compression::Lz4,
                0x08 => return Err(Reason::Compression("bzip2")),
                _ => return Err(Reason::Compression("several methods at once")),
            }
        } else {
            // The version that wrote it, and when.
            reader.take(12).ok_or(truncated)?;
            let (compression, encryption) = (reader.u8().ok_or(truncated)?, reader.u8().ok_or(truncated)?);
            if encryption != 0 {
                return Err(Reason::Encrypted);
            }
            match compression {
                0 => Compression::None,
                1 => Compression::Lzo,
                3 => Compression::Lz4,
                2 => return Err(Reason::Compression("bzip2")),
                4 => return Err(Reason::Compression("zstd")),
                _ => return Err(Reason::Compression("a method that we do not know")),
            }
        };
        Ok(Self { compression, layout })
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) records: u32,
    pub(super) bytes: u32,
    kind: u16,
    flags: u16,
}

impl Block {
    pub(super) fn read(bytes: [u8; BLOCK_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self {
            records: u32::from_le_bytes([a, b, c, d]),
            bytes: u32::from_le_bytes([e, f, g, h]),
            kind: u16::from_le_bytes([i, j]),
            flags: u16::from_le_bytes([k, l]),
        }
    }

    pub(super) const fn is_plain(self) -> bool {
        self.flags & PLAIN != 0
    }

    /// Arrays of names, histograms: no flows.
    pub(super) fn holds_records(self, header: Header) -> bool {
        RECORDS.contains(&(header.layout, self.kind))
    }
}
