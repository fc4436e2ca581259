//! The key of an epoch's pseudonyms: random, locked in memory, wiped when it goes.
//!
//! A subscriber's pseudonym is the first 64 bits of BLAKE3 keyed with 32 random bytes, over the 16 bytes of the address
//! (IPv4 as `::ffff:a.b.c.d`). Without the key it cannot be turned back, not even by trying all of IPv4; when the key
//! is gone it can be turned back by nobody. There is no way to read the key, and no cache: a cache would be a list of
//! subscribers. See `docs/decisions/0004-locked-key.md`.
//!
//! ```compile_fail,E0277
//! fn shows(key: hinomi_flow::key::EpochKey) -> String { format!("{key:?}") }
//! ```
//! ```compile_fail,E0599
//! fn copies(key: &hinomi_flow::key::EpochKey) -> hinomi_flow::key::EpochKey { key.clone() }
//! ```
//! ```compile_fail,E0624
//! fn names(key: &hinomi_flow::key::EpochKey, who: std::net::IpAddr) { let _ = key.pseudonym(who); }
//! ```

use std::net::IpAddr;

use region::LockGuard;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroize;

use crate::error::FlowError;
use crate::purpose::Pseudonym;

const KEY_BYTES: usize = 32;
/// The largest page of the systems built for: unlocking one key's page never unlocks another's.
const PAGE_BYTES: usize = 65_536;

#[repr(C, align(65536))]
struct Page {
    bytes: [u8; PAGE_BYTES],
}

/// One epoch's key. No `Clone`, no `Debug`, no accessor.
pub struct EpochKey {
    epoch: u32,
    // Dropped in this order: unlocked after it was wiped, freed after it was unlocked.
    _lock: LockGuard,
    page: Box<Page>,
}

impl EpochKey {
    /// A fresh key for this epoch.
    ///
    /// # Errors
    /// When the system gives no random bytes or refuses to lock the page.
    pub fn birth(epoch: u32) -> Result<Self, FlowError> {
        let mut page = Box::new(Page { bytes: [0; PAGE_BYTES] });
        let lock = region::lock(page.bytes.as_ptr(), PAGE_BYTES)
            .map_err(|error| FlowError::NotLocked { reason: error.to_string() })?;
        let key = page.bytes.first_chunk_mut::<KEY_BYTES>().ok_or(FlowError::NoRandomness)?;
        SystemRandom::new().fill(key).map_err(|_| FlowError::NoRandomness)?;
        Ok(Self { epoch, _lock: lock, page })
    }

    /// Which epoch it is for.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The name of this address within the epoch.
    pub(crate) fn pseudonym(&self, address: IpAddr) -> Pseudonym {
        let bytes = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let Some(key) = self.page.bytes.first_chunk::<KEY_BYTES>() else { return Pseudonym(0) };
        let hash = blake3::keyed_hash(key, &bytes);
        Pseudonym(hash.as_bytes().first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first)))
    }
}

impl Drop for EpochKey {
    fn drop(&mut self) {
        if let Some(key) = self.page.bytes.first_chunk_mut::<KEY_BYTES>() {
            key.zeroize();
        }
    }
}

#[cfg(test)]
impl EpochKey {
    /// The key itself, for the test that looks for it in memory after its end.
    pub(crate) fn reveal(&self) -> &[u8] {
        self.page.bytes.get(..KEY_BYTES).expect("a page is longer")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_same_address_has_one_name_in_an_epoch_and_another_in_the_next() {
        let (today, tomorrow) = (EpochKey::birth(1).expect("locked"), EpochKey::birth(2).expect("locked"));
        let address: IpAddr = [192, 0, 2, 1].into();
        assert!(today.pseudonym(address) == today.pseudonym(address));
        assert!(today.pseudonym(address) != tomorrow.pseudonym(address));
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
        assert!(today.pseudonym(address) == today.pseudonym(mapped), "one subscriber, however written");
    }

    #[test]
    fn names_of_neighbours_are_spread() {
        let key = EpochKey::birth(1).expect("locked");
        let names: HashSet<u64> =
            (0..=u16::MAX).map(|low| key.pseudonym(IpAddr::V4((0xc612_0000 + u32::from(low)).into())).0).collect();
        assert_eq!(names.len(), 65_536);
        let high = names.iter().filter(|name| **name >> 63 == 1).count();
        assert!(high.abs_diff(32_768) < 800, "{high}");
    }

    #[test]
    fn a_destroyed_key_stands_nowhere_in_memory() {
        // The key is kept masked here, and looked for by the auditor's search.
        let key = EpochKey::birth(1).expect("locked");
        let search = crate::audit::Secret::of(key.reveal());
        for last in 0..50 {
            key.pseudonym([192, 0, 2, last].into());
        }
        assert!(search.met_in_own_memory().expect("read") > 0, "the search finds a living key");
        drop(key);
        let other = EpochKey::birth(2).expect("locked");
        for last in 0..50 {
            other.pseudonym([192, 0, 2, last].into());
        }
        assert_eq!(search.met_in_own_memory().expect("read"), 0);
    }

    #[test]
    fn the_page_is_locked_while_the_key_lives() {
        let locked_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
            let line = status.lines().find(|line| line.starts_with("VmLck:")).expect("told").to_owned();
            line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number")
        };
        let key = EpochKey::birth(1).expect("locked");
        assert!(locked_kib() >= PAGE_BYTES as u64 / 1_024);
        drop(key);
    }
}
