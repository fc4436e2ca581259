//! How state and flows of this crate travel between its own processes: a private encoding.
//!
//! Private, because whoever could write a flow down could keep it: outside this crate there is neither a serialiser nor
//! a reader. Little-endian numbers of fixed width, lists with their length before them. Reading never panics, and never
//! makes room for more than the bytes at hand can hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hinomi_model::Timestamp;
use hinomi_wire::flow::Volume;

use crate::purpose::{Pseudonym, Remote};
use crate::server::contact::ClientKey;
use crate::server::{Answer, Contact, EpochState, Server};

/// Bytes that are still to be read.
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}

/// Can be written for, and read by, another process of this crate.
pub(crate) trait Portable: Sized {
    /// Writes it at the end.
    fn put(&self, out: &mut Vec<u8>);

    /// Reads it from the front; none when the bytes are not such a thing.
    fn take(from: &mut Bytes<'_>) -> Option<Self>;
}

/// The whole of these bytes as one thing.
pub(crate) fn read_whole<T: Portable>(bytes: &[u8]) -> Option<T> {
    let mut from = Bytes::new(bytes);
    T::take(&mut from).filter(|_| from.is_empty())
}

/// A structure by its fields, in this order.
macro_rules! portable {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::node::portable::Portable for $type {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::node::portable::Portable::put(&self.$field, out);)+
            }

            fn take(from: &mut $crate::node::portable::Bytes<'_>) -> Option<Self> {
                Some(Self { $($field: $crate::node::portable::Portable::take(from)?),+ })
            }
        }
    };
}
pub(crate) use portable;

macro_rules! numbers {
    ($($number:ty),+) => {
        $(impl Portable for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(from: &mut Bytes<'_>) -> Option<Self> {
                from.array().map(Self::from_le_bytes)
            }
        })+
    };
}
numbers!(u8, u16, u32, u64, i64, f64);

impl Portable for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        match u8::take(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// Sizes travel as 64 bits.
impl Portable for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Self::try_from(u64::take(from)?).ok()
    }
}

impl<T: Portable> Portable for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(inner) = self {
            inner.put(out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        if bool::take(from)? { T::take(from).map(Some) } else { Some(None) }
    }
}

impl<A: Portable, B: Portable> Portable for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        Some((A::take(from)?, B::take(from)?))
    }
}

impl<T: Portable, const N: usize> Portable for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|each| each.put(out));
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let all: Option<Vec<T>> = (0..N).map(|_| T::take(from)).collect();
        all?.try_into().ok()
    }
}

fn put_all<'a, T: Portable + 'a>(all: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    all.len().put(out);
    all.for_each(|each| each.put(out));
}

/// Each element has at least one byte, so a length beyond the bytes at hand is a lie.
fn take_all<T: Portable, C: FromIterator<T>>(from: &mut Bytes<'_>) -> Option<C> {
    let length = usize::take(from)?;
    if length > from.rest.len() {
        return None;
    }
    (0..length).map(|_| T::take(from)).collect()
}

impl<T: Portable> Portable for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        take_all(from)
    }
}

impl<T: Portable + Ord> Portable for BTreeSet<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        take_all(from)
    }
}

impl<T: Portable + Eq + Hash, S: BuildHasher + Default> Portable for HashSet<T, S> {
    fn put(&self, out: &mut Vec<u8>) {
        put_all(self.iter(), out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        take_all(from)
    }
}

impl<K: Portable + Ord, V: Portable> Portable for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        take_all::<(K, V), Self>(from)
    }
}

impl<K: Portable + Eq + Hash, V: Portable, S: BuildHasher + Default> Portable for HashMap<K, V, S> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        take_all::<(K, V), Self>(from)
    }
}

impl Portable for IpAddr {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::V4(v4) => {
                4_u8.put(out);
                v4.octets().put(out);
            }
            Self::V6(v6) => {
                6_u8.put(out);
                v6.octets().put(out);
            }
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        match u8::take(from)? {
            4 => from.array::<4>().map(Ipv4Addr::from).map(Self::V4),
            6 => from.array::<16>().map(Ipv6Addr::from).map(Self::V6),
            _ => None,
        }
    }
}

impl Portable for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_micros().put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        i64::take(from).map(Self::from_micros)
    }
}

impl Portable for Pseudonym {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        u64::take(from).map(Self)
    }
}

impl Portable for Answer {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u8).put(out);
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        let number = usize::from(u8::take(from)?);
        [Self::Unknown, Self::Silent, Self::Refused, Self::Handshake, Self::Data].get(number).copied()
    }
}

portable!(Remote { address, port, protocol });
portable!(Volume { packets, bytes, tcp_flags });
portable!(ClientKey { infected, client, epoch });
portable!(Contact {
    start,
    duration_ms,
    bytes_out,
    bytes_back,
    packets_out,
    packets_back,
    answer,
    begun_by_subscriber,
});
portable!(EpochState {
    clients,
    infected,
    subscriber_ports,
    hours,
    bytes_out,
    bytes_back,
    packets_out,
    packets_back,
    durations_ms,
    contacts,
    begun_by_subscriber,
    answers,
    total_bytes_out,
    total_bytes_back,
    sampled,
    coarsest_sampling,
    span,
});
portable!(Server { endpoint, first_epoch, popular, epochs, timelines });

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            list in proptest::collection::vec((any::<u64>(), any::<Option<u16>>()), 0..20),
            map in proptest::collection::btree_map(any::<u32>(), any::<bool>(), 0..20),
            address: IpAddr,
        ) {
            let mut out = Vec::new();
            (list.clone(), (map.clone(), address)).put(&mut out);
            prop_assert_eq!(read_whole(&out), Some((list, (map, address))));
            out.push(0);
            prop_assert!(read_whole::<(Vec<(u64, Option<u16>)>, (BTreeMap<u32, bool>, IpAddr))>(&out).is_none());
        }

        #[test]
        fn nothing_is_believed_and_nothing_panics(bytes: Vec<u8>) {
            let _ = read_whole::<Server>(&bytes);
            let _ = read_whole::<Vec<Vec<Server>>>(&bytes);
        }
    }

    #[test]
    fn a_length_beyond_the_bytes_makes_no_room() {
        let mut out = Vec::new();
        u64::MAX.put(&mut out);
        assert!(read_whole::<Vec<u8>>(&out).is_none());
    }
}
