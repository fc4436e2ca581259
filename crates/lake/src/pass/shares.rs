//! Shares: what one step of a pass reads, so that shares are of about one size and have no row in common.
//!
//! Sightings are cut by address, and no address is cut in two: whoever has a share has all that was ever seen of its
//! addresses, whichever files that lies in. Facts are cut by rows. At a hundred times the data: one look into each of
//! the [`MAX_OUTLINED`] largest files to find good cuts, and a share is read from the row groups that it touches.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::table::{DataFile, Extent, Table, number_of, read};

/// Observations of a share, about.
const SHARE_LOOKS: u64 = 1_000_000;

/// Contents of a share, at most.
const SHARE_CONTENTS: u64 = 32_768;

/// The most shares of a pass.
const MAX_SHARES: u64 = 4_096;

/// Files that are opened to find out where to cut; the others are known by what the log says of them.
const MAX_OUTLINED: usize = 256;

/// Points that stand for a row group or a file.
const POINTS: u64 = 16;

/// What one step reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Share {
    /// Everything of the addresses from the first to the last, both included, as hexadecimal digits.
    Addresses(String, String),
    /// Rows of files: path, the first row, and how many.
    Rows(Vec<(String, u64, u64)>),
}

impl Share {
    fn addresses(first: u128, last: u128) -> Self {
        Self::Addresses(format!("{first:x}"), format!("{last:x}"))
    }

    /// Reads a line.
    pub(crate) fn read(line: &str) -> Result<Self, LakeError> {
        serde_json::from_str(line).map_err(|error| LakeError::damaged("a share of a pass", &error))
    }

    /// As a line, without its end.
    pub(crate) fn line(&self) -> Result<String, LakeError> {
        serde_json::to_string(self).map_err(|error| LakeError::damaged("a share of a pass", &error))
    }

    /// The first and the last address.
    pub(crate) fn range(&self) -> Result<(u128, u128), LakeError> {
        let wrong = || LakeError::damaged("a share of a pass", "it is not a range of addresses");
        let Self::Addresses(first, last) = self else { return Err(wrong()) };
        let number = |digits: &str| u128::from_str_radix(digits, 16).map_err(|_| wrong());
        Ok((number(first)?, number(last)?))
    }
}

/// Ranges of addresses with about as many rows in each; `asked` of them, or as many as the observations want.
pub(crate) fn by_address(table: &Table, files: &[Arc<DataFile>], asked: Option<u64>) -> Result<Vec<Share>, LakeError> {
    let looks: u64 = files.iter().map(|file| file.looks()).fold(0, u64::saturating_add);
    let wanted = asked.unwrap_or_else(|| looks.div_ceil(SHARE_LOOKS)).clamp(1, MAX_SHARES);
    let mut points: Vec<(u128, u64)> = Vec::new();
    let mut largest: Vec<&Arc<DataFile>> = files.iter().collect();
    largest.sort_by_key(|file| Reverse(file.rows));
    for (at, file) in largest.into_iter().enumerate() {
        if wanted > 1 && at < MAX_OUTLINED {
            read::groups(&table.path(file))?.into_iter().for_each(|(extent, rows)| spread(&extent, rows, &mut points));
        } else {
            spread(&file.extent, file.rows, &mut points);
        }
    }
    points.sort_unstable();
    Ok(cut(&points, wanted))
}

/// Points between the least and the largest address, which stand for these rows.
fn spread(extent: &Extent, rows: u64, points: &mut Vec<(u128, u64)>) {
    let least = number_of((extent.high.0, extent.low.0));
    let most = number_of((extent.high.1, extent.low.1)).max(least);
    let step = (most - least) / u128::from(POINTS);
    points.extend((0..POINTS).map(|at| (least + step * u128::from(at), rows.div_ceil(POINTS))));
}

/// Cuts at points, so that about as many rows lie in each range; the ranges cover every address.
fn cut(points: &[(u128, u64)], wanted: u64) -> Vec<Share> {
    let total: u64 = points.iter().map(|(_, rows)| rows).fold(0, |sum, rows| sum.saturating_add(*rows));
    let each = total.div_ceil(wanted).max(1);
    let (mut shares, mut first, mut held) = (Vec::new(), 0_u128, 0_u64);
    for (at, rows) in points {
        if held >= each && *at > first {
            shares.push(Share::addresses(first, at - 1));
            (first, held) = (*at, 0);
        }
        held = held.saturating_add(*rows);
    }
    shares.push(Share::addresses(first, u128::MAX));
    shares
}

/// Rows of files, some at a time.
pub(crate) fn by_rows(files: &[Arc<DataFile>], asked: Option<u64>) -> Vec<Share> {
    let total: u64 = files.iter().map(|file| file.rows).sum();
    let each = asked.map_or(SHARE_CONTENTS, |asked| total.div_ceil(asked.max(1)));
    let each = each.max(total.div_ceil(MAX_SHARES)).max(1);
    let (mut shares, mut spans, mut held) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let mut from = 0;
        while from < file.rows {
            let count = (file.rows - from).min(each - held);
            spans.push((file.path.clone(), from, count));
            (from, held) = (from + count, held + count);
            if held == each {
                shares.push(Share::Rows(std::mem::take(&mut spans)));
                held = 0;
            }
        }
    }
    if !spans.is_empty() {
        shares.push(Share::Rows(spans));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_address_is_in_one_share(
            mut points in prop::collection::vec((any::<u128>(), 1_u64..1_000), 0..60),
            wanted in 1_u64..20,
        ) {
            points.sort_unstable();
            let shares = cut(&points, wanted);
            prop_assert!(shares.len() as u64 <= wanted);
            let mut next = Some(0);
            for share in &shares {
                let (first, last) = Share::read(&share.line().unwrap()).unwrap().range().unwrap();
                prop_assert!(Some(first) == next && first <= last);
                next = last.checked_add(1);
            }
            prop_assert_eq!(next, None);
        }

        #[test]
        fn every_row_is_in_one_share(rows in prop::collection::vec(0_u64..100, 0..9), asked in 1_u64..12) {
            let file = |(at, rows): (usize, &u64)| Arc::new(DataFile {
                path: at.to_string(),
                version: 0,
                rows: *rows,
                bytes: 0,
                extent: Extent::ALL,
                origin: None,
                sums: None,
            });
            let files: Vec<_> = rows.iter().enumerate().map(file).collect();
            let mut read: Vec<(usize, u64)> = Vec::new();
            for share in by_rows(&files, Some(asked)) {
                let Share::Rows(spans) = share else { panic!("rows") };
                let rows = |(path, from, count): (String, u64, u64)| {
                    let file: usize = path.parse().unwrap();
                    (from..from + count).map(move |row| (file, row))
                };
                read.extend(spans.into_iter().flat_map(rows));
            }
            let all = rows.iter().enumerate().flat_map(|(file, rows)| (0..*rows).map(move |row| (file, row)));
            prop_assert_eq!(read, all.collect::<Vec<_>>());
        }
    }
}
