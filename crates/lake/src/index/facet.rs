//! How often which values occur among the matches, and how many different things each value has.
//!
//! Every value is counted, and the most frequent are chosen at the end. Values that differ only in case count as one,
//! as the query language compares them; shown is the commonest spelling. Within a segment values are counted by number
//! (ports in a table, texts by their place in the dictionary); only across segments texts are looked at, once for each
//! distinct value.
//!
//! At a hundred times the data: a table of eight bytes a word of the dictionary for each thread and segment, however many
//! parts a segment is cut into; and each distinct value once where segments are put together.

use std::collections::HashMap;

use hinomi_model::address::from_u128;
use ipnet::IpNet;
use tantivy::columnar::StrColumn;
use tantivy::{SegmentReader, TantivyError};

use super::address::Addresses;
use super::block::Block;
use super::distinct::{Pairs, WIDE};
use super::document::split_column_text;
use super::mix::ByNumber;
use super::opened::Opened;
use super::plain::Numbers;
use super::schema::{Columns, column};
use super::things::Things;
use crate::query::Field;
use crate::search::FacetCount;

/// IPv4 addresses are counted by /24.
const NET_BITS_V4: u8 = 24;
/// IPv6 addresses are counted by /48.
const NET_BITS_V6: u8 = 48;
const PORTS: usize = 1 << 16;

/// Counts of numbers that often come in runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: ByNumber<u64>,
    last: u64,
    run: u64,
}

impl Tally {
    pub(super) fn count(&mut self, number: u64) {
        if number != self.last {
            self.settle();
            self.last = number;
        }
        self.run += 1;
    }

    fn settle(&mut self) {
        if self.run > 0 {
            *self.counts.entry(self.last).or_default() += std::mem::take(&mut self.run);
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        other.finish().into_iter().for_each(|(number, count)| *self.counts.entry(number).or_default() += count);
    }

    pub(super) fn finish(mut self) -> ByNumber<u64> {
        self.settle();
        self.counts
    }
}

/// Counts the values of one field in one part of a segment.
pub(super) struct Counter {
    values: Values,
    /// Pairs of value and thing, where different things are counted.
    pairs: Option<Pairs>,
}

enum Values {
    Port(Numbers, Vec<u64>),
    Number(Numbers, Tally),
    Net(Addresses, Numbers, Tally),
    /// By place in the dictionary.
    Text(StrColumn, Numbers, Vec<u64>),
    /// No row of this segment has a value.
    Empty,
}

impl Counter {
    /// About so many rows of the segment will be looked at.
    pub(super) fn open(
        reader: &SegmentReader,
        (columns, opened): (&Columns, &Opened),
        field: Field,
        rows: u64,
        pairs: Option<Pairs>,
    ) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let values = match field {
            Field::Port => Values::Port(opened.numbers(column::PORT, &fast.u64(column::PORT)?, rows), vec![0; PORTS]),
            Field::As => Values::Number(opened.numbers(column::ASN, &opened.asn, rows), Tally::default()),
            Field::Net => Values::Net(opened.spots.addresses.clone(), opened.smalls(rows), Tally::default()),
            text => {
                let name = columns.text_of(text).map(|found| found.shown_name.as_str()).unwrap_or_default();
                fast.str(name)?.map_or(Values::Empty, |column| {
                    let counts = vec![0; column.dictionary().num_terms()];
                    let ordinals = opened.numbers(name, column.ords(), rows);
                    Values::Text(column, ordinals, counts)
                })
            }
        };
        Ok(Self { values, pairs })
    }

    pub(super) fn count(&mut self, docs: &Block, things: Option<&Things>) {
        let Self { values, pairs } = self;
        let mut pair = |at: usize, value: u64| {
            if let (Some(pairs), Some(things)) = (pairs.as_mut(), things) {
                things.of(at).iter().for_each(|thing| pairs.put(value, *thing));
            }
        };
        match values {
            Values::Port(ports, counts) => ports.each(docs, |at, port| {
                bump(counts, port);
                pair(at, port);
            }),
            Values::Number(numbers, tally) => numbers.each(docs, |at, number| {
                tally.count(number);
                pair(at, number);
            }),
            Values::Text(_, ordinals, counts) => ordinals.each(docs, |at, ordinal| {
                bump(counts, ordinal);
                pair(at, ordinal);
            }),
            Values::Net(addresses, smalls, tally) => smalls.each(docs, |at, small| {
                let net = net_number(addresses.whole_of(small));
                tally.count(net);
                pair(at, net);
            }),
            Values::Empty => {}
        }
    }

    /// Adds the counts of another part of the same segment.
    pub(super) fn join(&mut self, other: Self) {
        match (&mut self.values, other.values) {
            (Values::Port(_, mine), Values::Port(_, theirs))
            | (Values::Text(_, _, mine), Values::Text(_, _, theirs)) => {
                mine.iter_mut().zip(theirs).for_each(|(mine, count)| *mine += count);
            }
            (Values::Number(_, mine), Values::Number(_, theirs))
            | (Values::Net(_, _, mine), Values::Net(_, _, theirs)) => {
                mine.join(theirs);
            }
            _ => {}
        }
        if let (Some(mine), Some(theirs)) = (&mut self.pairs, other.pairs) {
            mine.add(theirs, |value| value);
        }
    }
}

fn bump(counts: &mut [u64], at: u64) {
    if let Some(count) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
        *count += 1;
    }
}

/// Counts over all segments.
#[derive(Debug, Default)]
pub(super) struct Counts {
    numbers: ByNumber<u64>,
    texts: HashMap<String, Spellings>,
    pairs: Option<Pairs>,
}

/// How often a value occurs in which letters.
#[derive(Debug, Default)]
struct Spellings {
    number: u64,
    shown: Vec<(String, u64)>,
}

impl Spellings {
    fn put(&mut self, shown: &str, count: u64) {
        match self.shown.iter_mut().find(|(known, _)| known == shown) {
            Some((_, sum)) => *sum += count,
            None => self.shown.push((shown.to_owned(), count)),
        }
    }

    fn count(&self) -> u64 {
        self.shown.iter().map(|(_, count)| count).sum()
    }

    fn commonest(self) -> String {
        let first = |a: &(String, u64), b: &(String, u64)| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0));
        self.shown.into_iter().max_by(first).map(|(shown, _)| shown).unwrap_or_default()
    }
}

impl Counts {
    /// Adds the counts of a segment.
    pub(super) fn add(&mut self, counter: Counter) -> Result<(), TantivyError> {
        // What number a text of this segment has over all segments.
        let mut numbers = Vec::new();
        match counter.values {
            Values::Port(_, counts) => {
                let found = (0_u64..).zip(counts).filter(|(_, count)| *count > 0);
                found.for_each(|(port, count)| *self.numbers.entry(port).or_default() += count);
            }
            Values::Number(_, tally) | Values::Net(_, _, tally) => {
                let found = tally.finish().into_iter();
                found.for_each(|(number, count)| *self.numbers.entry(number).or_default() += count);
            }
            Values::Text(column, _, counts) => numbers = self.add_texts(&column, &counts)?,
            Values::Empty => {}
        }
        if let Some(pairs) = counter.pairs {
            let number = |value: u64| match usize::try_from(value).ok().and_then(|at| numbers.get(at)) {
                Some(number) => *number,
                None => value,
            };
            self.pairs.get_or_insert_with(|| Pairs::of_parts(1)).add(pairs, number);
        }
        Ok(())
    }

    fn add_texts(&mut self, column: &StrColumn, counts: &[u64]) -> Result<Vec<u64>, TantivyError> {
        let counted = (0_u64..).zip(counts).filter(|(_, count)| **count > 0);
        let (ordinals, found): (Vec<u64>, Vec<u64>) = counted.map(|(ordinal, count)| (ordinal, *count)).unzip();
        let mut numbers = vec![u64::from(u32::MAX); counts.len()];
        let mut each = ordinals.iter().zip(found);
        let texts = &mut self.texts;
        column.dictionary().sorted_ords_to_term_cb(&ordinals, |term| {
            let Some((ordinal, count)) = each.next() else { return };
            let text = String::from_utf8_lossy(term);
            let (folded, shown) = split_column_text(&text);
            let next = texts.len() as u64;
            if !texts.contains_key(folded) {
                texts.insert(folded.to_owned(), Spellings { number: next, shown: Vec::new() });
            }
            let Some(spellings) = texts.get_mut(folded) else { return };
            spellings.put(shown, count);
            if let Some(number) = usize::try_from(*ordinal).ok().and_then(|at| numbers.get_mut(at)) {
                *number = spellings.number;
            }
        })?;
        Ok(numbers)
    }

    /// The most frequent values, or those with the most different things; equal counts by value.
    pub(super) fn most(self, field: Field, size: usize) -> Vec<FacetCount> {
        let distinct = self.pairs.map(Pairs::count);
        let of = |number: u64| distinct.as_ref().map(|counted| counted.of(number));
        let rank = |count: u64, number: u64| of(number).map_or((count, 0), |distinct| (distinct.count, count));
        let numbers = self.numbers.into_iter().map(|(number, count)| (rank(count, number), number, count));
        let numbers = first(numbers.collect(), size).into_iter().map(|(rank, number, count)| {
            let value = if field == Field::Net { net_text(number) } else { number.to_string() };
            (rank, FacetCount { value, count, distinct: of(number) })
        });
        let texts = self.texts.into_values().map(|spellings| {
            let (number, count) = (spellings.number, spellings.count());
            (rank(count, number), FacetCount { value: spellings.commonest(), count, distinct: of(number) })
        });
        let mut all: Vec<_> = numbers.chain(texts).collect();
        all.sort_unstable_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.value.cmp(&right.value)));
        all.truncate(size);
        all.into_iter().map(|(_, count)| count).collect()
    }
}

type Ranked = ((u64, u64), u64, u64);

/// The first so many in order, and those equal to the last of them.
fn first(mut all: Vec<Ranked>, size: usize) -> Vec<Ranked> {
    if all.len() > size && size > 0 {
        all.select_nth_unstable_by(size - 1, |a, b| b.0.cmp(&a.0));
        let least = all.get(size - 1).map(|(rank, ..)| *rank);
        all.retain(|(rank, ..)| Some(*rank) >= least);
    }
    all
}

/// The prefix that an address is counted under, as a number.
pub(super) fn net_number(address: u128) -> u64 {
    match from_u128(address) {
        std::net::IpAddr::V4(v4) => u64::from(u32::from(v4) >> (32 - NET_BITS_V4)),
        std::net::IpAddr::V6(v6) => WIDE | u64::try_from(u128::from(v6) >> (128 - u32::from(NET_BITS_V6))).unwrap_or(0),
    }
}

fn net_text(number: u64) -> String {
    let net = if number & WIDE == 0 {
        let address = u32::try_from(number << (32 - NET_BITS_V4)).unwrap_or(0);
        IpNet::new(std::net::Ipv4Addr::from(address).into(), NET_BITS_V4)
    } else {
        let address = u128::from(number & !WIDE) << (128 - u32::from(NET_BITS_V6));
        IpNet::new(std::net::Ipv6Addr::from(address).into(), NET_BITS_V6)
    };
    net.map(|net| net.to_string()).unwrap_or_default()
}
