//! What the tests here share.

/// A scope of these ranges that permits port 80 at any time.
pub(super) fn scope_of(ranges: &[&str], exclude: &[&str]) -> hinomi_model::scope::Scope {
    let prefixes = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a prefix")).collect();
    crate::scope::tests::scope_of(prefixes(ranges), prefixes(exclude))
}

/// Numbers of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ number >> 31
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
