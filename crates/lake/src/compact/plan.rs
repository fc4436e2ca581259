//! Which files to merge: size-tiered, so that what is rewritten grows with the logarithm of what is stored.
//!
//! Files of one compaction are cut by address and count as one. Tiers are powers of [`FAN_IN`] of
//! observations, not of rows: the same survey again and again stays as many rows, and would be rewritten for ever. A
//! tier that holds [`FAN_IN`] of them is merged, together with everything smaller. There are at most [`FAN_IN`] a tier,
//! so a billion observations stand in some 70 of them at the worst. At a hundred times the data: one pass over the list of files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::table::DataFile;

/// So many of about one size are merged, and so much larger is the next size.
pub(super) const FAN_IN: usize = 8;

/// The most that are merged at once: files may be open side by side.
const MAX_INPUTS: usize = 64;

/// Which files may be merged at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// Those with fewer rows.
    pub(super) max_rows: u64,
    /// Those of fewer bytes.
    pub(super) max_bytes: u64,
}

impl Want {
    /// Every file.
    pub(super) const ALL: Self = Self { max_rows: u64::MAX, max_bytes: u64::MAX };
}

/// The files to merge now; none when nothing is due. With `all` that ends when one is left and it was made by
/// compaction.
pub(super) fn due(files: Vec<Arc<DataFile>>, want: Want, all: bool) -> Vec<Arc<DataFile>> {
    let wanted = files.into_iter().filter(|file| file.rows < want.max_rows && file.bytes < want.max_bytes);
    let mut by_version: BTreeMap<u64, Vec<Arc<DataFile>>> = BTreeMap::new();
    wanted.for_each(|file| by_version.entry(file.version).or_default().push(file));
    let mut sets: Vec<_> = by_version.into_values().collect();
    sets.sort_by_key(|set| looks_of(set));
    let count = if all { all_due(&sets) } else { tier_due(&sets) };
    sets.truncate(count.min(MAX_INPUTS));
    sets.into_iter().flatten().collect()
}

fn all_due(sets: &[Vec<Arc<DataFile>>]) -> usize {
    let done = |set: &Vec<Arc<DataFile>>| set.iter().all(|file| file.origin.is_some());
    if sets.len() == 1 && sets.iter().all(done) { 0 } else { sets.len() }
}

/// How many of the smallest are due: up to the end of the first tier that is full.
fn tier_due(sets: &[Vec<Arc<DataFile>>]) -> usize {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    sets.iter().for_each(|set| *counts.entry(tier(looks_of(set))).or_default() += 1);
    let full = counts.iter().find(|(_, count)| **count >= FAN_IN).map(|(tier, _)| *tier);
    full.map_or(0, |full| counts.range(..=full).map(|(_, count)| count).sum())
}

fn looks_of(set: &[Arc<DataFile>]) -> u64 {
    set.iter().map(|file| file.looks()).sum()
}

fn tier(looks: u64) -> u32 {
    // FAN_IN is 8: three bits a tier.
    looks.max(1).ilog2() / FAN_IN.ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Extent, Origin};

    fn file(version: u64, rows: u64, merged: bool) -> Arc<DataFile> {
        file_of(version, rows, merged.then_some(rows))
    }

    /// `looks` of a merged file; rows as they are counted after runs were made.
    fn file_of(version: u64, rows: u64, looks: Option<u64>) -> Arc<DataFile> {
        let origin = looks.map(|looks| Origin { newest: version, looks });
        let path = format!("{version}");
        Arc::new(DataFile { path, version, rows, bytes: rows, extent: Extent::ALL, origin, sums: None })
    }

    #[test]
    fn what_is_rewritten_grows_with_the_logarithm() {
        grows_with_the_logarithm(|looks| looks);
        // The same survey again and again: rows collapse.
        grows_with_the_logarithm(|looks| looks.min(1_000));
    }

    fn grows_with_the_logarithm(rows_after: fn(u64) -> u64) {
        let (mut files, mut rewritten, mut appended) = (Vec::new(), 0, 0);
        for version in 0..4_096 {
            files.push(file(version, 1_000, false));
            appended += 1_000;
            while let merged @ [_, ..] = due(files.clone(), Want::ALL, false).as_slice() {
                let looks = looks_of(merged);
                files.retain(|one| merged.iter().all(|other| other.path != one.path));
                files.push(file_of(1_000_000 + version, rows_after(looks), Some(looks)));
                rewritten += looks;
            }
            assert!(files.len() < 5 * FAN_IN, "{}", files.len());
        }
        assert!(rewritten <= 5 * appended, "{rewritten} of {appended}");
    }

    #[test]
    fn all_ends_with_one() {
        let many: Vec<_> = (0..100).map(|version| file(version, 10, false)).collect();
        assert_eq!(due(many, Want::ALL, true).len(), MAX_INPUTS);
        assert_eq!(due(vec![file(1, 10, false)], Want::ALL, true).len(), 1, "not merged yet");
        assert!(due(vec![file(1, 10, true)], Want::ALL, true).is_empty());
        assert!(due(vec![file(1, 10, false), file(2, 100, true)], Want { max_rows: 5, ..Want::ALL }, true).is_empty());
        assert!(due(Vec::new(), Want::ALL, true).is_empty());
    }
}
