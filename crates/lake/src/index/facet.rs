//! How often which values occur among the matches.
//!
//! Exact: every distinct value is counted, and the most frequent are chosen at the end. Values that differ only in case
//! count as one, as the query language compares them; shown is the commonest spelling.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;

use hinomi_model::address::from_u128;
use ipnet::IpNet;
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader, TantivyError};

use super::document::split_column_text;
use super::schema::{Columns, column};
use crate::query::Field;
use crate::search::FacetCount;

/// IPv4 addresses are counted by /24.
const NET_BITS_V4: u8 = 24;
/// IPv6 addresses are counted by /48.
const NET_BITS_V6: u8 = 48;

/// Counts of the values of one field, by folded value, then by spelling.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<String, BTreeMap<String, u64>>);

impl Counts {
    fn put(&mut self, folded: &str, shown: &str, count: u64) {
        *self.0.entry(folded.to_owned()).or_default().entry(shown.to_owned()).or_default() += count;
    }

    /// Adds the counts of another segment.
    pub(super) fn add(&mut self, other: Self) {
        for (folded, spellings) in other.0 {
            let mine = self.0.entry(folded).or_default();
            spellings.into_iter().for_each(|(shown, count)| *mine.entry(shown).or_default() += count);
        }
    }

    /// The most frequent values; equal counts by value.
    pub(super) fn most(self, size: usize) -> Vec<FacetCount> {
        let sum = |(_, spellings): (String, BTreeMap<String, u64>)| {
            let count = spellings.values().sum();
            let commonest = spellings.into_iter().rev().max_by_key(|(_, count)| *count);
            FacetCount { value: commonest.map(|(shown, _)| shown).unwrap_or_default(), count }
        };
        let mut all: Vec<FacetCount> = self.0.into_iter().map(sum).collect();
        all.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        all.truncate(size);
        all
    }
}

/// Counts the values of one field in one segment.
pub(super) enum Counter {
    /// By ordinal.
    Text(StrColumn, Vec<u64>),
    Number(Column<u64>, HashMap<u64, u64>),
    Net(Column<Ipv6Addr>, HashMap<IpNet, u64>),
    /// No row of this segment has a value.
    Empty,
}

impl Counter {
    pub(super) fn open(reader: &SegmentReader, columns: &Columns, field: Field) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        Ok(match field {
            Field::Port => Self::Number(fast.u64(column::PORT)?, HashMap::new()),
            Field::As => Self::Number(fast.u64(column::ASN)?, HashMap::new()),
            Field::Net => Self::Net(fast.ip_addr(column::ADDRESS)?, HashMap::new()),
            text => {
                let found = columns.text_of(text).map(|found| fast.str(&found.shown_name)).transpose()?.flatten();
                found.map_or(Self::Empty, |column| {
                    let counts = vec![0; column.dictionary().num_terms()];
                    Self::Text(column, counts)
                })
            }
        })
    }

    pub(super) fn count(&mut self, doc: DocId) {
        match self {
            Self::Text(column, counts) => column.term_ords(doc).for_each(|ordinal| {
                let at = usize::try_from(ordinal).unwrap_or(usize::MAX);
                if let Some(count) = counts.get_mut(at) {
                    *count += 1;
                }
            }),
            Self::Number(column, counts) => column.values_for_doc(doc).for_each(|n| *counts.entry(n).or_default() += 1),
            Self::Net(column, counts) => {
                if let Some(net) = column.first(doc).and_then(net_of) {
                    *counts.entry(net).or_default() += 1;
                }
            }
            Self::Empty => {}
        }
    }

    pub(super) fn finish(self) -> Result<Counts, TantivyError> {
        let mut sums = Counts::default();
        match self {
            Self::Text(column, counts) => {
                let counted = (0_u64..).zip(counts).filter(|(_, count)| *count > 0);
                let (ordinals, counts): (Vec<u64>, Vec<u64>) = counted.unzip();
                let mut counts = counts.into_iter();
                column.dictionary().sorted_ords_to_term_cb(&ordinals, |term| {
                    let text = String::from_utf8_lossy(term);
                    let (folded, shown) = split_column_text(&text);
                    sums.put(folded, shown, counts.next().unwrap_or(0));
                })?;
            }
            Self::Number(_, counts) => counts.into_iter().for_each(|(number, count)| {
                let text = number.to_string();
                sums.put(&text, &text, count);
            }),
            Self::Net(_, counts) => counts.into_iter().for_each(|(net, count)| {
                let text = net.to_string();
                sums.put(&text, &text, count);
            }),
            Self::Empty => {}
        }
        Ok(sums)
    }
}

/// The prefix an address is counted under.
fn net_of(address: Ipv6Addr) -> Option<IpNet> {
    let address = from_u128(address.into());
    let bits = if address.is_ipv4() { NET_BITS_V4 } else { NET_BITS_V6 };
    IpNet::new(address, bits).ok().map(|net| net.trunc())
}
