//! Append-only logs that can be checked: the Merkle tree of RFC 9162 (section 2.1), without its input and output.
//!
//! The hash is a parameter ([`TreeHash`]), so that this crate needs none. A [`Tree`] keeps the hashes of complete
//! subtrees; roots and proofs take a logarithm of work. [`verify_inclusion`] and [`verify_consistency`] need no tree.
//!
//! A log that is stored elsewhere is asked through [`Subtrees`]: its roots and proofs need some of the hashes of complete
//! subtrees, and [`wanted`] tells which before one is read. An [`Edge`] is what such a log needs to grow.

use std::cell::RefCell;
use std::marker::PhantomData;

/// A hash of 32 bytes.
pub type Digest = [u8; 32];

/// Domain of a leaf (RFC 9162, 2.1.1).
const LEAF: &[u8] = &[0];
/// Domain of an inner node.
const NODE: &[u8] = &[1];
/// Longest proof: a tree has fewer than 2^64 leaves, and a consistency proof at most one hash a level and one more.
pub const MAX_PROOF: usize = 65;

/// The hash of a log: SHA-256 where RFC 9162 is to be met to the letter.
pub trait TreeHash {
    /// The hash of these parts, one after the other.
    fn hash(parts: &[&[u8]]) -> Digest;
}

/// Hash of one entry.
pub fn leaf<H: TreeHash>(entry: &[u8]) -> Digest {
    H::hash(&[LEAF, entry])
}

fn node<H: TreeHash>(left: &Digest, right: &Digest) -> Digest {
    H::hash(&[NODE, left, right])
}

/// The tree of an append-only log.
#[derive(Clone, Debug)]
pub struct Tree<H> {
    /// `levels[i][j]` is the root of the complete subtree over the leaves from `j << i` to `(j + 1) << i`.
    levels: Vec<Vec<Digest>>,
    hash: PhantomData<H>,
}

impl<H: TreeHash> Default for Tree<H> {
    fn default() -> Self {
        Self { levels: Vec::new(), hash: PhantomData }
    }
}

impl<H: TreeHash> Tree<H> {
    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds the hash of an entry (see [`leaf`]).
    pub fn push(&mut self, leaf: Digest) {
        let mut carried = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else { return };
            nodes.push(carried);
            match nodes.as_slice() {
                [.., left, right] if nodes.len().is_multiple_of(2) => carried = node::<H>(left, right),
                _ => return,
            }
        }
    }

    /// Hash of the entry at this place.
    pub fn leaf(&self, place: u64) -> Option<Digest> {
        self.levels.first()?.get(usize::try_from(place).ok()?).copied()
    }

    /// Root over all entries; that of no entry is the hash of nothing.
    pub fn root(&self) -> Digest {
        self.root_at(self.size()).unwrap_or_else(|| H::hash(&[]))
    }

    /// Root over the first `size` entries; `None` when there are not so many.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        root_of::<H>(self, size)
    }

    /// Audit path of the entry at `place` in the tree of the first `size` entries (RFC 9162, 2.1.3.1).
    pub fn inclusion(&self, place: u64, size: u64) -> Option<Vec<Digest>> {
        inclusion_of::<H>(self, place, size)
    }

    /// Proof that the tree of the first `old` entries is a beginning of that of the first `new` (RFC 9162, 2.1.4.1).
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Digest>> {
        consistency_of::<H>(self, old, new)
    }
}

/// Where hashes of complete subtrees come from.
pub trait Subtrees {
    /// Root of the complete subtree over the leaves from `index << level` to `(index + 1) << level`; `None` where there
    /// is none.
    fn root(&self, level: u32, index: u64) -> Option<Digest>;
}

impl<H> Subtrees for Tree<H> {
    fn root(&self, level: u32, index: u64) -> Option<Digest> {
        self.levels.get(level as usize)?.get(usize::try_from(index).ok()?).copied()
    }
}

impl<S: std::hash::BuildHasher> Subtrees for std::collections::HashMap<(u32, u64), Digest, S> {
    fn root(&self, level: u32, index: u64) -> Option<Digest> {
        self.get(&(level, index)).copied()
    }
}

/// Notes down what is asked for.
#[derive(Default)]
struct Recorder(RefCell<Vec<(u32, u64)>>);

impl Subtrees for Recorder {
    fn root(&self, level: u32, index: u64) -> Option<Digest> {
        self.0.borrow_mut().push((level, index));
        Some([0; 32])
    }
}

/// Which complete subtrees a question needs, as (level, index): it is asked once of nothing, and then of them.
pub fn wanted<T>(question: impl FnOnce(&dyn Subtrees) -> T) -> Vec<(u32, u64)> {
    let recorder = Recorder::default();
    question(&recorder);
    recorder.0.into_inner()
}

/// Root over the first `size` entries.
pub fn root_of<H: TreeHash>(subtrees: &dyn Subtrees, size: u64) -> Option<Digest> {
    if size == 0 { Some(H::hash(&[])) } else { over::<H>(subtrees, 0, size) }
}

/// Audit path of the entry at `place` in the tree of the first `size` entries (RFC 9162, 2.1.3.1).
pub fn inclusion_of<H: TreeHash>(subtrees: &dyn Subtrees, place: u64, size: u64) -> Option<Vec<Digest>> {
    if place >= size {
        return None;
    }
    let (mut start, mut width, mut path) = (0, size, Vec::new());
    while width > 1 {
        let cut = split(width);
        if place - start < cut {
            path.push(over::<H>(subtrees, start + cut, width - cut)?);
            width = cut;
        } else {
            path.push(over::<H>(subtrees, start, cut)?);
            (start, width) = (start + cut, width - cut);
        }
    }
    path.reverse();
    // That there are so many entries is asked of the last one.
    subtrees.root(0, size - 1).map(|_| path)
}

/// Proof that the tree of the first `old` entries is a beginning of that of the first `new` (RFC 9162, 2.1.4.1).
pub fn consistency_of<H: TreeHash>(subtrees: &dyn Subtrees, old: u64, new: u64) -> Option<Vec<Digest>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut start, mut width, mut wanted, mut whole, mut proof) = (0, new, old, true, Vec::new());
    while wanted != width {
        let cut = split(width);
        if wanted <= cut {
            proof.push(over::<H>(subtrees, start + cut, width - cut)?);
            width = cut;
        } else {
            proof.push(over::<H>(subtrees, start, cut)?);
            (start, width, wanted, whole) = (start + cut, width - cut, wanted - cut, false);
        }
    }
    if !whole {
        proof.push(over::<H>(subtrees, start, width)?);
    }
    proof.reverse();
    subtrees.root(0, new - 1).map(|_| proof)
}

/// Root over `width` leaves from `start`, which is a multiple of the power of two at or above the width.
fn over<H: TreeHash>(subtrees: &dyn Subtrees, start: u64, width: u64) -> Option<Digest> {
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return subtrees.root(level, start >> level);
    }
    let cut = split(width);
    Some(node::<H>(&over::<H>(subtrees, start, cut)?, &over::<H>(subtrees, start + cut, width - cut)?))
}

/// The right edge of a log: all that it needs to grow.
#[derive(Clone, Debug)]
pub struct Edge<H> {
    size: u64,
    /// The complete subtrees that the log consists of, the largest first.
    subtrees: Vec<Digest>,
    hash: PhantomData<H>,
}

impl<H: TreeHash> Default for Edge<H> {
    fn default() -> Self {
        Self { size: 0, subtrees: Vec::new(), hash: PhantomData }
    }
}

impl<H: TreeHash> Edge<H> {
    /// The edge of a log of so many entries; `None` when a subtree of it is missing.
    pub fn of(size: u64, subtrees: &dyn Subtrees) -> Option<Self> {
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        // The subtree of a bit comes after those of the higher bits, which are wider.
        let found: Option<Vec<Digest>> = levels.map(|level| subtrees.root(level, (size >> level) - 1)).collect();
        Some(Self { size, subtrees: found?, hash: PhantomData })
    }

    /// How many entries the log has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of an entry; tells the roots of all complete subtrees that end with it, its own first.
    pub fn push(&mut self, leaf: Digest) -> Vec<Digest> {
        let (mut carried, mut ended) = (leaf, vec![leaf]);
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.subtrees.pop() else { break };
            carried = node::<H>(&left, &carried);
            ended.push(carried);
        }
        self.subtrees.push(carried);
        self.size += 1;
        ended
    }

    /// Root over all entries.
    pub fn root(&self) -> Digest {
        let mut right_first = self.subtrees.iter().rev();
        let last = right_first.next().copied().unwrap_or_else(|| H::hash(&[]));
        right_first.fold(last, |right, left| node::<H>(left, &right))
    }
}

/// The largest power of two below a width of two or more.
const fn split(width: u64) -> u64 {
    1 << (u64::BITS - 1 - (width - 1).leading_zeros())
}

/// Whether this path leads from the leaf at `place` to the root over `size` entries (RFC 9162, 2.1.3.2).
pub fn verify_inclusion<H: TreeHash>(leaf: Digest, place: u64, size: u64, path: &[Digest], root: &Digest) -> bool {
    if place >= size || path.len() > MAX_PROOF {
        return false;
    }
    let (mut place, mut last, mut hash) = (place, size - 1, leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node::<H>(step, &hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            hash = node::<H>(&hash, step);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether this proof shows that the log of `old` entries with `old_root` is a beginning of that of `new` entries with
/// `new_root` (RFC 9162, 2.1.4.2).
pub fn verify_consistency<H: TreeHash>(
    old: u64,
    old_root: &Digest,
    new: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> bool {
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new || proof.len() > MAX_PROOF {
        return false;
    }
    let own_start = old.is_power_of_two().then_some(old_root);
    let mut steps = own_start.into_iter().chain(proof);
    let Some(first) = steps.next() else { return false };
    let shift = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_hash = node::<H>(step, &old_hash);
            new_hash = node::<H>(step, &new_hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            new_hash = node::<H>(&new_hash, step);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests;
