//! What decoding leaves on the stack is written over.
//!
//! The last record of a batch stands there, with a subscriber's address, until calls of the same depth come by: minutes
//! later, or never, where a data set was replayed that had waited for its template. `hinomi flow audit` found one.

use std::hint::black_box;

/// Deeper than decoding a message goes, also where it is not optimised.
const BYTES: usize = 64 * 1_024;

/// Writes zeroes where the calls were that this function's caller made before.
#[inline(never)]
pub fn scrub_stack() {
    let mut room = [0_u8; BYTES];
    black_box(&mut room);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn leave(secret: &[u8; 32]) -> usize {
        let mut room = [0_u8; 4_096];
        for place in room.chunks_exact_mut(32) {
            place.copy_from_slice(secret);
        }
        black_box(&mut room).len()
    }

    #[test]
    fn what_a_call_left_on_the_stack_is_gone() {
        // Kept inverted, and in a thread of its own: nothing else writes over its stack meanwhile.
        let inverted: Vec<u8> = (0..32_u8).map(|number| !number.wrapping_mul(37).wrapping_add(11)).collect();
        let search = {
            let secret: zeroize::Zeroizing<Vec<u8>> = inverted.iter().map(|byte| !byte).collect::<Vec<u8>>().into();
            crate::audit::Secret::of(&secret)
        };
        std::thread::spawn(move || {
            let mut secret = [0; 32];
            secret.iter_mut().zip(&inverted).for_each(|(to, from)| *to = !from);
            assert_eq!(leave(black_box(&secret)), 4_096);
            secret.fill(0);
            black_box(&mut secret);
            scrub_stack();
            assert_eq!(search.met_in_own_memory().expect("read"), 0);
        })
        .join()
        .expect("ends");
    }
}
