//! What every codec keeps, whatever it is fed. A target that breaks one of these has found something.

use hinomi_wire::{Field, Malformed};

type Fields = fn(&[u8]) -> Result<Vec<Field<'_>>, Malformed>;

/// Spans lie within the input; masking changes no field and, done twice, nothing more.
pub fn hold(data: &[u8], fields: Fields, mask: fn(&mut [u8])) {
    let found = fields(data);
    for field in found.iter().flatten() {
        assert!(field.span.start <= field.span.end && field.span.end <= data.len(), "{field:?}");
    }
    let mut masked = data.to_vec();
    mask(&mut masked);
    assert_eq!(fields(&masked), found, "masking changes no field");
    let once = masked.clone();
    mask(&mut masked);
    assert_eq!(masked, once, "masking twice changes nothing more");
}
