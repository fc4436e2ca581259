//! Targets drawn at random: every permitted address and port with the same chance.

use std::collections::HashSet;

use hinomi_model::address::from_u128;
use hinomi_model::{ServiceKey, Transport};

use super::ground::Ground;

/// The longest run of IPv6 addresses that is drawn from: in a longer one nobody is met by chance.
const MAX_V6: u128 = 1 << 20;

/// Draws for each target that is wanted, at most.
const TRIES: usize = 4;

/// At most so many different targets; fewer when there are few.
pub(super) fn draw(ground: &Ground, seed: u64, many: usize) -> HashSet<ServiceKey> {
    let runs = ground.runs().iter().filter(|(is_v6, from, to)| !is_v6 || to - from <= MAX_V6);
    let mut ends: Vec<(u64, u128)> = Vec::new();
    let mut addresses = 0_u64;
    for (_, from, to) in runs {
        addresses = addresses.saturating_add(u64::try_from(to - from).unwrap_or(u64::MAX));
        ends.push((addresses, *to));
    }
    let ports: Vec<(Transport, u16)> = ground.ports().collect();
    let mut drawn = HashSet::new();
    let mut random = Random(seed);
    for _ in 0..many.saturating_mul(TRIES) {
        if drawn.len() >= many || addresses == 0 {
            break;
        }
        let place = random.below(addresses);
        let run = ends.get(ends.partition_point(|(end, _)| *end <= place));
        let port = usize::try_from(random.below(ports.len() as u64)).ok().and_then(|at| ports.get(at));
        let (Some((end, to)), Some((transport, port))) = (run, port) else { break };
        let address = from_u128(to - u128::from(end - place));
        drawn.insert(ServiceKey { address, port: *port, transport: *transport });
    }
    drawn
}

/// SplitMix64 (Steele, Lea and Flood 2014): not secret, only even.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one; 0 when there is none.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(limit)) >> 64).unwrap_or(0)
    }
}
