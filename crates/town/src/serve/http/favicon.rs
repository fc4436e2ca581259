//! A small icon for each maker: 16 by 16, two colours, symmetric, from the hash of the maker's name.

use ring::digest;

/// Side in pixels.
const SIDE: u8 = 16;
/// Bytes of one row of one-bit pixels, padded to four.
const ROW_BYTES: usize = 4;
/// Bytes before the image: directory of one entry.
const DIRECTORY_BYTES: u32 = 22;

/// The icon as an ICO file.
pub(super) fn icon(maker: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, maker.as_bytes());
    let hash = hash.as_ref();
    let rows = usize::from(SIDE) * ROW_BYTES;
    let image_bytes = 40 + 8 + 2 * rows as u32;

    let mut icon = vec![0, 0, 1, 0, 1, 0, SIDE, SIDE, 2, 0, 1, 0, 1, 0];
    icon.extend(image_bytes.to_le_bytes());
    icon.extend(DIRECTORY_BYTES.to_le_bytes());
    // BITMAPINFOHEADER: size, width, twice the height (image and mask), planes, bits.
    icon.extend(40u32.to_le_bytes());
    icon.extend(u32::from(SIDE).to_le_bytes());
    icon.extend((u32::from(SIDE) * 2).to_le_bytes());
    icon.extend([1, 0, 1, 0]);
    icon.extend([0; 24]);
    icon.extend(hash.iter().take(3).chain([&0]));
    icon.extend([0xff, 0xff, 0xff, 0]);
    for half in hash.iter().skip(8).take(usize::from(SIDE)) {
        icon.extend([*half, half.reverse_bits(), 0, 0]);
    }
    icon.extend(std::iter::repeat_n(0, rows));
    icon
}
