//! What may leave: a list of C&C endpoints that cannot say who or when.
//!
//! ```text
//!   Candidate (finding + server) -> Gate: k pseudonyms and two epochs, or corroboration? a member's own range?
//!        -> Shared -> Batch (one day's, sorted, no duplicates) -> CSV, JSON, STIX 2.1, RPZ, flowspec, nftables
//! ```
//!
//! A [`Shared`] is made by the [`Gate`] alone, and has no field for a time of observation, a count, a subscriber or a
//! carrier. That such a thing cannot be asked of it is tested here:
//!
//! ```compile_fail,E0599
//! fn when(shared: &hinomi_flow::export::Shared) { shared.first_seen(); }
//! ```
//! ```compile_fail,E0599
//! fn how_many(shared: &hinomi_flow::export::Shared) { shared.clients(); }
//! ```
//! ```compile_fail,E0451
//! use hinomi_flow::export::Shared;
//! fn forge(real: Shared) -> Shared { Shared { port: 80, ..real } }
//! ```
//! ```compile_fail,E0277
//! fn wants<T: serde::Serialize>() {}
//! wants::<hinomi_flow::export::Candidate>();
//! ```

pub mod block;
pub mod gate;
pub mod stix;
pub mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use hinomi_model::{Purpose, Timestamp, Transport};
use serde::{Serialize, Serializer};

pub use gate::{Candidate, Corroboration, Gate, Held, Member};

const MICROS_A_DAY: i64 = 86_400_000_000;
/// A serial has two digits for the lists of a day.
const MOST_A_DAY: u64 = 99;

/// A day in UTC: the finest time that a list tells, and of the list, not of what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The day of a moment.
    pub const fn of(moment: Timestamp) -> Self {
        Self(moment.as_micros().div_euclid(MICROS_A_DAY))
    }

    /// So many days later.
    #[must_use]
    pub const fn plus(self, days: u16) -> Self {
        Self(self.0.saturating_add(days as i64))
    }

    /// Its first moment.
    pub const fn begin(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(MICROS_A_DAY))
    }
}

impl fmt::Display for Day {
    /// As 2026-11-22.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.begin().to_utc().date())
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One endpoint that may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Shared {
    address: IpAddr,
    port: u16,
    transport: Transport,
    confidence_percent: u8,
    valid_until: Day,
    purpose: Purpose,
}

impl Shared {
    /// The server.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its transport.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// How sure, in steps of ten: a finer figure would let counts be guessed.
    pub const fn confidence_percent(&self) -> u8 {
        self.confidence_percent
    }

    /// The day on which it is forgotten unless a later list names it again.
    pub const fn valid_until(&self) -> Day {
        self.valid_until
    }

    /// What it may be used for.
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }
}

/// An endpoint of an earlier list that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Delisted {
    /// The server.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// The day of the list that named it.
    pub listed: Day,
    /// The day of the first list that took it back: each list after it says so again.
    pub withdrawn: Day,
    /// How often lists had taken it back before they named it last. Only STIX tells them apart: the same bytes otherwise.
    #[serde(skip)]
    pub again: u32,
}

/// The list of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    listed: Day,
    endpoints: Vec<Shared>,
    withdrawn: Vec<Delisted>,
    /// How often lists took an endpoint back before.
    #[serde(skip)]
    again: BTreeMap<(IpAddr, u16, Transport), u32>,
    /// Only zones tell it: all other forms of two equal lists of a day are the same bytes.
    #[serde(skip)]
    number: u8,
}

impl Batch {
    /// The list of this day: sorted, each endpoint once (the surest), and none that is withdrawn in the same list. What
    /// an earlier list named is withdrawn for as long as its readers may hold it, and not longer.
    pub fn new(listed: Day, mut endpoints: Vec<Shared>, mut withdrawn: Vec<Delisted>) -> Self {
        withdrawn.retain(|gone| gone.listed.plus(gate::VALID_DAYS) >= listed);
        withdrawn.sort_unstable();
        withdrawn.dedup();
        endpoints.sort_unstable_by_key(|shared| (key(shared), u8::MAX - shared.confidence_percent));
        endpoints.dedup_by_key(|shared| key(shared));
        let gone =
            |shared: &Shared| withdrawn.iter().any(|other| (other.address, other.port, other.transport) == key(shared));
        endpoints.retain(|shared| !gone(shared));
        Self { listed, endpoints, withdrawn, again: BTreeMap::new(), number: 1 }
    }

    /// The same, knowing which endpoints lists took back before, and how often.
    #[must_use]
    pub fn named_again(self, again: impl IntoIterator<Item = ((IpAddr, u16, Transport), u32)>) -> Self {
        Self { again: again.into_iter().collect(), ..self }
    }

    fn again(&self, shared: &Shared) -> u32 {
        self.again.get(&key(shared)).copied().unwrap_or(0)
    }

    /// The same as a later list of its day, the first being 1; from 99 on it stays 99.
    #[must_use]
    pub fn numbered(self, number: u64) -> Self {
        Self { number: u8::try_from(number.clamp(1, MOST_A_DAY)).unwrap_or(1), ..self }
    }

    /// Which list of its day it is.
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The day of the list.
    pub const fn listed(&self) -> Day {
        self.listed
    }

    /// Its endpoints, sorted.
    pub fn endpoints(&self) -> &[Shared] {
        &self.endpoints
    }

    /// What earlier lists named and this one takes back.
    pub fn withdrawn(&self) -> &[Delisted] {
        &self.withdrawn
    }
}

const fn key(shared: &Shared) -> (IpAddr, u16, Transport) {
    (shared.address, shared.port, shared.transport)
}

/// A form of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table for spreadsheets and scripts.
    Csv,
    /// The same as JSON.
    Json,
    /// A STIX 2.1 bundle of indicators.
    Stix,
    /// A DNS response policy zone: answers that hold these addresses are refused.
    Rpz,
    /// Flow specifications (RFC 8955) as `ExaBGP` reads them.
    Flowspec,
    /// Sets for nftables.
    Nftables,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Json, Self::Stix, Self::Rpz, Self::Flowspec, Self::Nftables];

    /// Its name on the command line and in the ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Stix => "stix",
            Self::Rpz => "rpz",
            Self::Flowspec => "flowspec",
            Self::Nftables => "nftables",
        }
    }

    /// The list in this form: the same bytes for the same list.
    pub fn write(self, batch: &Batch) -> String {
        match self {
            Self::Csv => text::csv(batch),
            Self::Json => text::json(batch),
            Self::Stix => stix::bundle(batch),
            Self::Rpz => block::rpz(batch),
            Self::Flowspec => block::flowspec(batch),
            Self::Nftables => block::nftables(batch),
        }
    }
}

#[cfg(test)]
mod tests;
