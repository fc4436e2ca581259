//! The order of a walk: powers of a generator modulo a prime.

use std::collections::HashMap;
use std::ops::Range;

use super::MAX_TARGETS;

/// A walk over the numbers `0..n`, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    n: u64,
    prime: u64,
    generator: u64,
}

impl Walk {
    /// A walk over `0..n` in the order that the seed gives. `n` is at most [`MAX_TARGETS`].
    pub fn new(n: u64, seed: u64) -> Self {
        let prime = next_prime(n.clamp(2, MAX_TARGETS));
        Self { n, prime, generator: generator(prime, seed) }
    }

    /// How many steps the walk has; a few of them yield nothing.
    pub const fn steps(&self) -> u64 {
        self.prime - 1
    }

    /// The same walk with its powers laid out, for those who ask for many steps here and there.
    pub fn ladder(&self) -> Ladder {
        Ladder::new(*self)
    }

    /// The steps from `from` on, each with its number.
    pub fn from(&self, from: u64) -> Steps {
        let value = power(self.generator, from + 1, self.prime);
        Steps { walk: *self, step: from, value, quotient: quotient(self.generator, self.prime) }
    }
}

/// An iterator over the steps of a walk: the step's number, and the index it yields if any.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    walk: Walk,
    step: u64,
    value: u64,
    /// See [`quotient`].
    quotient: u64,
}

impl Iterator for Steps {
    type Item = (u64, Option<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.step >= self.walk.steps() {
            return None;
        }
        let step = self.step;
        let index = (self.value <= self.walk.n).then(|| self.value - 1);
        self.step += 1;
        self.value = times_fixed(self.value, self.walk.generator, self.quotient, self.walk.prime);
        Some((step, index))
    }
}

/// Powers of a generator laid out so that any step costs [`RUNGS`] multiplications.
#[derive(Clone, Debug)]
pub struct Ladder {
    walk: Walk,
    /// `g^(digit * 2^(8 rung))` at `rung * 256 + digit`.
    powers: Vec<u64>,
}

/// Bytes of the largest exponent: [`MAX_TARGETS`] has 45 bits.
const RUNGS: u32 = 6;

impl Ladder {
    fn new(walk: Walk) -> Self {
        let mut powers = Vec::with_capacity(256 * RUNGS as usize);
        let mut base = walk.generator;
        for _ in 0..RUNGS {
            let mut value = 1;
            for _ in 0..256 {
                powers.push(value);
                value = times(value, base, walk.prime);
            }
            base = value;
        }
        Self { walk, powers }
    }

    /// What a step yields, if anything.
    pub fn at(&self, step: u64) -> Option<u64> {
        if step >= self.walk.steps() {
            return None;
        }
        let exponent = (step + 1).to_le_bytes();
        let rungs = self.powers.chunks_exact(256).zip(exponent);
        let value = rungs.fold(1, |value, (rung, digit)| match digit {
            0 => value,
            _ => times(value, rung.get(usize::from(digit)).copied().unwrap_or(1), self.walk.prime),
        });
        (value <= self.walk.n).then(|| value - 1)
    }
}

/// Finds the step at which a number came up: the way back, among a range of steps (baby steps and giant steps; Shanks,
/// 1971). A range of some million steps takes some dozen products.
#[derive(Clone, Debug)]
pub struct Logarithm {
    walk: Walk,
    /// `g^j` for the first few `j`.
    small: HashMap<u64, u64>,
    /// `g` to the power of minus as many.
    giant: u64,
}

/// Powers that are laid out, at most.
const SMALL: u64 = 1 << 16;
/// Giant steps of one search, at most: with [`SMALL`], ranges of 2^30 steps.
const GIANTS: u64 = 1 << 14;

impl Logarithm {
    /// For the numbers of this walk.
    pub fn new(walk: Walk) -> Self {
        let count = SMALL.min(walk.steps());
        let mut small = HashMap::with_capacity(usize::try_from(count).unwrap_or(0));
        let mut value = 1;
        for exponent in 0..count {
            small.insert(value, exponent);
            value = times(value, walk.generator, walk.prime);
        }
        let giant = power(walk.generator, walk.steps() - count, walk.prime);
        Self { walk, small, giant }
    }

    /// The step among these at which the walk yields this number.
    pub fn step_of(&self, index: u64, among: Range<u64>) -> Option<u64> {
        if index >= self.walk.n {
            return None;
        }
        let among = among.start..among.end.min(self.walk.steps());
        let count = u64::try_from(self.small.len()).ok()?;
        // Over the first of them: `g` to the power of how far behind it the step is.
        let back = self.walk.steps() - (among.start + 1) % self.walk.steps();
        let mut value = times(index + 1, power(self.walk.generator, back, self.walk.prime), self.walk.prime);
        let mut step = among.start;
        for _ in 0..GIANTS {
            if step >= among.end {
                return None;
            }
            if let Some(more) = self.small.get(&value) {
                return Some(step + more).filter(|step| among.contains(step));
            }
            value = times(value, self.giant, self.walk.prime);
            step += count;
        }
        None
    }
}

/// What makes products with a fixed factor cheap (Shoup's method; Harvey, *Faster arithmetic for number-theoretic
/// transforms*, 2014): the factor over the modulus, in parts of 2^64.
fn quotient(factor: u64, modulus: u64) -> u64 {
    u64::try_from((u128::from(factor) << 64) / u128::from(modulus.max(1))).unwrap_or(u64::MAX)
}

/// `value * factor` modulo `modulus`, which is below 2^63; `quotient` is that of the factor, itself below the modulus.
fn times_fixed(value: u64, factor: u64, quotient: u64, modulus: u64) -> u64 {
    let times = ((u128::from(value) * u128::from(quotient)) >> 64) as u64;
    let rest = value.wrapping_mul(factor).wrapping_sub(times.wrapping_mul(modulus));
    if rest >= modulus { rest - modulus } else { rest }
}

fn times(a: u64, b: u64, modulus: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % u128::from(modulus);
    u64::try_from(product).unwrap_or(0)
}

fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let (mut result, mut square, mut rest) = (1, base % modulus, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result = times(result, square, modulus);
        }
        square = times(square, square, modulus);
        rest >>= 1;
    }
    result
}

/// Miller-Rabin with bases that decide every number below 2^64 (Sorenson and Webster, 2015).
fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|base| n != *base && n.is_multiple_of(*base)) {
        return false;
    }
    if BASES.contains(&n) {
        return true;
    }
    let shift = (n - 1).trailing_zeros();
    let odd = (n - 1) >> shift;
    BASES.iter().all(|base| {
        let mut value = power(*base, odd, n);
        if value == 1 || value == n - 1 {
            return true;
        }
        (1..shift).any(|_| {
            value = times(value, value, n);
            value == n - 1
        })
    })
}

fn next_prime(n: u64) -> u64 {
    (n + 1..).find(|candidate| is_prime(*candidate)).unwrap_or(2)
}

/// The prime factors of a number, by trial division: at most a few million steps for [`MAX_TARGETS`].
fn prime_factors(number: u64) -> Vec<u64> {
    let (mut rest, mut factors, mut divisor) = (number, Vec::new(), 2);
    while divisor * divisor <= rest {
        if rest.is_multiple_of(divisor) {
            factors.push(divisor);
            while rest.is_multiple_of(divisor) {
                rest /= divisor;
            }
        }
        divisor += 1;
    }
    if rest > 1 {
        factors.push(rest);
    }
    factors
}

/// A generator of the multiplicative group modulo `prime`, chosen by the seed.
fn generator(prime: u64, seed: u64) -> u64 {
    let factors = prime_factors(prime - 1);
    let mut state = seed;
    loop {
        state = mix(state);
        let candidate = 1 + state % (prime - 1);
        if factors.iter().all(|factor| power(candidate, (prime - 1) / factor, prime) != 1) {
            return candidate;
        }
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
