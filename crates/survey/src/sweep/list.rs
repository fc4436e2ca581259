//! A list of targets, one by one: what a prediction, a hitlist or a person names.
//!
//! The list is sorted by address, transport and port and holds each target once, so equal sets of targets are equal
//! lists whatever the order they were named in, and have the same [`List::digest`]: the job of a campaign is named by
//! it. Target `n` is one look into the list. A target takes 20 bytes of memory and a list holds at most [`MAX_LISTED`],
//! 640 MiB; the module `text` is its form in files.

mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::address::{from_u128, to_u128};
use hinomi_model::scope::{Rule, Scope};
use hinomi_model::{ContentHash, ServiceKey, Transport};

use super::SweepError;
use crate::six::Inside;

pub use text::ListError;

/// The most targets of one list, repeats counted while it is read.
pub const MAX_LISTED: usize = 1 << 25;

/// Memory of one target.
const TARGET_BYTES: usize = size_of::<Entry>();

const _: () = assert!(TARGET_BYTES <= 24, "a list of targets must stay small");

/// One target. The order of the fields is the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// The number of the address, most significant byte first: so it needs no alignment and sorts like the number.
    address: [u8; 16],
    transport: Transport,
    port: u16,
}

impl From<ServiceKey> for Entry {
    fn from(key: ServiceKey) -> Self {
        Self { address: to_u128(key.address).to_be_bytes(), transport: key.transport, port: key.port }
    }
}

impl From<Entry> for ServiceKey {
    fn from(entry: Entry) -> Self {
        let address = from_u128(u128::from_be_bytes(entry.address));
        Self { address, port: entry.port, transport: entry.transport }
    }
}

/// See the module. A clone shares the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    entries: Arc<Vec<Entry>>,
    addresses: u64,
    digest: ContentHash,
}

/// Targets of a list that a scope does not permit, by the first rule that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// How many.
    pub targets: u64,
    /// Why.
    pub by_reason: BTreeMap<&'static str, u64>,
}

impl List {
    /// The list of these targets.
    ///
    /// # Errors
    /// When they are more than [`MAX_LISTED`].
    pub fn new(targets: impl IntoIterator<Item = ServiceKey>) -> Result<Self, ListError> {
        let mut entries = Vec::new();
        for key in targets {
            if entries.len() == MAX_LISTED {
                return Err(ListError::TooMany);
            }
            entries.push(Entry::from(key));
        }
        Ok(Self::of(entries))
    }

    fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        entries.dedup();
        entries.shrink_to_fit();
        let mut hasher = blake3::Hasher::new();
        let (mut addresses, mut last) = (0, None);
        for entry in &entries {
            hasher.update(&entry.address);
            hasher.update(entry.transport.name().as_bytes());
            hasher.update(&entry.port.to_be_bytes());
            addresses += u64::from(last != Some(entry.address));
            last = Some(entry.address);
        }
        let digest = ContentHash::from_bytes(*hasher.finalize().as_bytes());
        Self { entries: Arc::new(entries), addresses, digest }
    }

    /// How many targets.
    pub fn len(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many addresses.
    pub const fn addresses(&self) -> u64 {
        self.addresses
    }

    /// A hash of the targets: the same for the same set of them, and for no other.
    pub const fn digest(&self) -> ContentHash {
        self.digest
    }

    /// The target of this number, counted from 0.
    #[inline]
    pub fn get(&self, index: u64) -> Option<ServiceKey> {
        self.entries.get(usize::try_from(index).ok()?).copied().map(ServiceKey::from)
    }

    /// The number of this target, if it is in the list.
    pub fn index_of(&self, key: ServiceKey) -> Option<u64> {
        u64::try_from(self.entries.binary_search(&key.into()).ok()?).ok()
    }

    /// Whether this target is in it.
    pub fn contains(&self, key: ServiceKey) -> bool {
        self.index_of(key).is_some()
    }

    /// Whether any target of this address is in it.
    pub fn holds_address(&self, address: IpAddr) -> bool {
        self.of_address(address).next().is_some()
    }

    /// The targets of this address.
    pub fn of_address(&self, address: IpAddr) -> impl Iterator<Item = ServiceKey> + '_ {
        let wanted = to_u128(address).to_be_bytes();
        let at = self.entries.partition_point(|entry| entry.address < wanted);
        let rest = self.entries.get(at..).unwrap_or_default().iter();
        rest.take_while(move |entry| entry.address == wanted).copied().map(ServiceKey::from)
    }

    /// The addresses from one number to another that are in it, in order; each once for each of its targets.
    pub(crate) fn addresses_in(&self, first: u128, last: u128) -> impl Iterator<Item = IpAddr> + '_ {
        let at = self.entries.partition_point(|entry| u128::from_be_bytes(entry.address) < first);
        let rest = self.entries.get(at..).unwrap_or_default().iter().map(|entry| u128::from_be_bytes(entry.address));
        rest.take_while(move |number| *number <= last).map(from_u128)
    }

    /// Every target, in order.
    pub fn iter(&self) -> impl Iterator<Item = ServiceKey> + '_ {
        self.entries.iter().copied().map(ServiceKey::from)
    }

    /// Whether any target is of this transport.
    pub fn has(&self, transport: Transport) -> bool {
        self.entries.iter().any(|entry| entry.transport == transport)
    }

    /// Those that are wanted.
    #[must_use]
    pub(crate) fn filtered(&self, wanted: impl FnMut(ServiceKey) -> bool) -> Self {
        self.kept(wanted)
    }

    /// Those whose port is wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn((Transport, u16)) -> bool) -> Self {
        self.kept(|key| wanted((key.transport, key.port)))
    }

    /// Those that the scope permits whatever the time, and why the others are left out. Who opted out is not asked here:
    /// that list changes while a campaign runs, and the door asks it for every packet.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> (Self, Outside) {
        let (mut outside, permitted) = (Outside::default(), Inside::of(scope, &[]));
        let mut last: Option<(IpAddr, Option<&'static str>)> = None;
        let kept = self.kept(|key| {
            let objection = match last {
                Some((address, objection)) if address == key.address => objection,
                // Ranges one by one only where the reason is to be named.
                _ if permitted.contains(key.address) => None,
                _ => objection(scope, key.address),
            };
            last = Some((key.address, objection));
            let ports = if key.transport == Transport::Tcp { &scope.tcp } else { &scope.udp };
            let port = (!ports.contains(key.port)).then_some("port not in the scope");
            let Some(why) = objection.or(port) else { return true };
            outside.targets += 1;
            *outside.by_reason.entry(why).or_default() += 1;
            false
        });
        (kept, outside)
    }

    /// Shares the targets when none is left out.
    fn kept(&self, mut keep: impl FnMut(ServiceKey) -> bool) -> Self {
        let kept: Vec<Entry> = self.entries.iter().copied().filter(|entry| keep((*entry).into())).collect();
        if kept.len() == self.entries.len() { self.clone() } else { Self::of(kept) }
    }

    /// The same, when something must be left of it.
    ///
    /// # Errors
    /// When nothing lies in the scope.
    pub(crate) fn within_or_refused(&self, scope: &Scope) -> Result<(Self, u64), SweepError> {
        let (list, outside) = self.within(scope);
        match list.is_empty() {
            true if outside.targets > 0 => Err(SweepError::AllOutside { outside: outside.targets }),
            true => Err(SweepError::Empty),
            false => Ok((list, outside.targets)),
        }
    }
}

/// Why a scope does not permit an address, in a word or two.
fn objection(scope: &Scope, address: IpAddr) -> Option<&'static str> {
    // Asked first: reserved is also what lies in a private block that no range names.
    if !scope.ranges.iter().any(|range| range.contains(&address)) {
        return Some("outside the ranges");
    }
    match scope.permits_address(address, &[]) {
        Ok(_) => None,
        Err(Rule::Excluded { .. }) => Some("excluded"),
        Err(_) => Some("reserved"),
    }
}

#[cfg(test)]
mod tests;
