//! The address space, cut into ranges that have one writer each.
//!
//! Addresses are ordered as numbers of 128 bits, IPv4 as `::ffff:a.b.c.d`. A cut is the list of first addresses, beginning
//! with `::`, so that ranges have neither gaps nor overlaps. Cutting anew counts up [`RangeState::cut`], and needs that
//! nobody holds anything. At a hundred times the data: ranges are as many as writers, not as addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::leases::KEEPER;
use crate::value::Row;

/// The most ranges.
const MAX_RANGES: usize = 1024;
/// The first IPv4 address and the first after them, among the IPv6 addresses.
const IPV4: u128 = 0xffff_0000_0000;
const AFTER_IPV4: u128 = 0x1_0000_0000_0000;
/// The first of the IPv6 addresses in use, `2000::/3`, and how many there are.
const IPV6: u128 = 0x2000 << 112;
const IPV6_COUNT: u128 = 1 << 125;

/// Addresses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first.
    pub first: u128,
    /// The last.
    pub last: u128,
}

/// An address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Range {
    /// Whether the address lies in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&number(address))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.first, self.last) == (0, u128::MAX) {
            return f.write_str("all addresses");
        }
        let address = |number: u128| Ipv6Addr::from_bits(number).to_canonical();
        write!(f, "{} to {}", address(self.first), address(self.last))
    }
}

/// Where the address space is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    firsts: Vec<u128>,
}

impl Cut {
    /// One range of all addresses.
    pub fn whole() -> Self {
        Self { firsts: vec![0] }
    }

    /// At these addresses a range begins, besides the first of all.
    ///
    /// # Errors
    /// When there are too many.
    pub fn at(addresses: &[IpAddr]) -> Result<Self, StateError> {
        Self::new(addresses.iter().map(|address| number(*address)))
    }

    /// So many equal parts of IPv4, and as many of the IPv6 addresses in use.
    ///
    /// # Errors
    /// When there are too many, or none.
    pub fn parts(parts: u32) -> Result<Self, StateError> {
        let parts = u128::from(parts);
        if parts == 0 {
            return Err(StateError::refused("there must be at least one part"));
        }
        if parts == 1 {
            return Ok(Self::whole());
        }
        let of = |from: u128, count: u128| (0..parts).map(move |part| from + count / parts * part);
        let ipv4 = of(IPV4, 1 << 32).collect::<Vec<_>>();
        Self::new(ipv4.into_iter().chain([AFTER_IPV4]).chain(of(IPV6, IPV6_COUNT).skip(1)))
    }

    fn new(firsts: impl Iterator<Item = u128>) -> Result<Self, StateError> {
        let mut firsts: Vec<u128> = [0].into_iter().chain(firsts.take(MAX_RANGES + 1)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        if firsts.len() > MAX_RANGES {
            return Err(StateError::refused(format!("at most {MAX_RANGES} ranges are taken")));
        }
        Ok(Self { firsts })
    }

    /// The ranges.
    pub fn ranges(&self) -> Vec<Range> {
        let lasts = self.firsts.iter().skip(1).map(|next| next - 1).chain([u128::MAX]);
        self.firsts.iter().zip(lasts).map(|(first, last)| Range { first: *first, last }).collect()
    }
}

/// A range and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeState {
    /// Which addresses; none: the work on the whole.
    pub range: Option<Range>,
    /// The server that holds it now.
    pub holder: Option<String>,
    /// The epoch of the last lease.
    pub epoch: i64,
    /// Seconds until the lease ends; 0 when nobody holds it.
    pub seconds: i64,
}

/// Text of a first or last address in the database.
pub(crate) fn text(number: u128) -> String {
    format!("{number:032x}")
}

pub(crate) fn read(row: &Row) -> Result<Option<Range>, StateError> {
    let (first, last) = (row.text(0)?, row.text(1)?);
    if first == KEEPER {
        return Ok(None);
    }
    let number = |text: &str| u128::from_str_radix(text, 16);
    let range = number(first).and_then(|first| number(last).map(|last| Some(Range { first, last })));
    range.map_err(|_| StateError::damaged(format!("{first:?} to {last:?} is no range of addresses")))
}

/// Puts these ranges in place of those that are.
pub(crate) fn replace(transaction: &mut Transaction<'_>, cut: &Cut) -> Result<(), StateError> {
    let next = "UPDATE installation SET cut = CASE WHEN cut + 1 > {now} THEN cut + 1 ELSE {now} END";
    transaction.execute(next, &[])?;
    transaction.execute("DELETE FROM ranges", &[])?;
    let add = "INSERT INTO ranges (first, last, holder, epoch, expires) VALUES ($1, $2, NULL, 0, 0)";
    transaction.execute(add, &[KEEPER.into(), "".into()])?;
    for range in cut.ranges() {
        transaction.execute(add, &[(&text(range.first)).into(), (&text(range.last)).into()])?;
    }
    Ok(())
}

impl Database {
    /// Cuts the address space anew.
    ///
    /// # Errors
    /// When a server holds a range: whoever writes ends first.
    pub fn cut(&self, cut: &Cut) -> Result<(), StateError> {
        self.transact(|transaction| {
            let held = "SELECT first, last, holder FROM ranges WHERE holder IS NOT NULL AND expires >= {now} LIMIT 1";
            if let Some(row) = transaction.query(held, &[])?.first() {
                let what = read(row)?.map_or_else(|| "the whole".to_owned(), |range| range.to_string());
                return Err(StateError::refused(format!(
                    "{what} is held by server {}; ranges are cut when nobody writes",
                    row.text(2)?
                )));
            }
            replace(transaction, cut)
        })
    }

    /// Every range and who holds it, by address.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn ranges(&self) -> Result<Vec<RangeState>, StateError> {
        let all = "SELECT first, last, CASE WHEN expires >= {now} THEN holder END, epoch, expires - {now} \
             FROM ranges ORDER BY first";
        let rows = self.transact(|transaction| transaction.query(all, &[]))?;
        rows.iter().map(state).collect()
    }
}

fn state(row: &Row) -> Result<RangeState, StateError> {
    let holder = row.optional_text(2)?.map(ToOwned::to_owned);
    let seconds = if holder.is_some() { row.integer(4)?.max(0) / 1_000_000 } else { 0 };
    Ok(RangeState { range: read(row)?, holder, epoch: row.integer(3)?, seconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the cut: ranges begin and end with the address space, and touch.
        #[test]
        fn ranges_have_neither_gaps_nor_overlaps(firsts in proptest::collection::vec(any::<u128>(), 0..40)) {
            let addresses: Vec<IpAddr> = firsts.iter().map(|first| Ipv6Addr::from_bits(*first).into()).collect();
            let ranges = Cut::at(&addresses).unwrap().ranges();
            prop_assert_eq!(ranges.first().map(|range| range.first), Some(0));
            prop_assert_eq!(ranges.last().map(|range| range.last), Some(u128::MAX));
            prop_assert!(ranges.windows(2).all(|two| two[0].last + 1 == two[1].first));
            for address in addresses {
                prop_assert_eq!(ranges.iter().filter(|range| range.holds(address)).count(), 1);
            }
        }
    }

    #[test]
    fn equal_parts_are_parts_of_both_families() {
        let ranges = Cut::parts(2).unwrap().ranges();
        let of = |text: &str| ranges.iter().position(|range| range.holds(text.parse().unwrap())).unwrap();
        assert_eq!(of("0.0.0.0"), of("127.255.255.255"));
        assert_eq!(of("128.0.0.0"), of("255.255.255.255"));
        assert_eq!(of("2001:db8::"), of("2fff::"));
        assert_eq!(of("3000::"), of("ffff::"));
        let all: std::collections::BTreeSet<_> = ["1.1.1.1", "128.1.1.1", "2001:db8::", "3000::"].map(of).into();
        assert_eq!(all.len(), 4, "{ranges:?}");
        assert_eq!(Cut::parts(1).unwrap(), Cut::whole());
        assert!(Cut::parts(0).is_err() && Cut::parts(1_000_000).is_err());
        assert_eq!(ranges[1].to_string(), "0.0.0.0 to 127.255.255.255");
    }
}
