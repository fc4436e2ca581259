//! What a town is made from.

use std::net::Ipv4Addr;

use hinomi_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::TownError;

/// Most addresses a town has.
pub(crate) const SIZE_MAX: u32 = 65_536;
/// Most hosts that share 127.0.0.1 in [`Layout::Single`]: each takes several sockets, and some systems allow 256.
pub(crate) const SINGLE_HOSTS_MAX: u32 = 40;

const LOOPBACK: &[([u8; 4], [u8; 4])] = &[([127, 1, 0, 0], [127, 255, 255, 254])];
/// RFC 1918 and RFC 2544.
const PRIVATE: &[([u8; 4], [u8; 4])] = &[
    ([10, 0, 0, 0], [10, 255, 255, 255]),
    ([172, 16, 0, 0], [172, 31, 255, 255]),
    ([192, 168, 0, 0], [192, 168, 255, 255]),
    ([198, 18, 0, 0], [198, 19, 255, 255]),
];

/// A town, completely: the same configuration is the same town.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TownConfig {
    /// Where every choice comes from.
    pub seed: u64,
    /// How many addresses, 1 to 65,536. Nearly all are hosts; about one in fifty is away on a given day.
    pub size: u32,
    /// First address, in 127.1.0.0 to 127.255.255.254; with an interface, in a range for private use or benchmarks.
    pub base: Ipv4Addr,
    /// Answers what comes in over this interface instead of loopback: for drills in a network of one's own. Its addresses
    /// must be routed to this machine (`ip route add local ... dev lo`), and it takes CAP_NET_RAW.
    pub interface: Option<String>,
    /// The simulated day, from 0.
    pub day: u32,
    /// Which ports services listen on.
    pub ports: PortPlan,
    /// Whether each host has an address of its own.
    pub layout: Layout,
    /// Calendar date of day 0: certificates and date headers count from it.
    pub today: Timestamp,
}

/// Which ports services listen on. Whatever is chosen, the truth tells the real port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortPlan {
    /// The service's own port (22, 80) where it can be had, else as [`PortPlan::High`], else the next free one.
    #[default]
    Auto,
    /// The service's own port plus 20,000 (ports from 45,536: minus 20,000), else the next free one.
    High,
    /// Whatever the system gives: for tests that run beside one another.
    Free,
}

/// Whether each host has an address of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// [`Layout::Addresses`] where the platform has all of 127.0.0.0/8, else [`Layout::Single`].
    #[default]
    Auto,
    /// One address a host.
    Addresses,
    /// The first 40 hosts share 127.0.0.1, each with ports of its own from 24,000 up.
    Single,
}

impl Default for TownConfig {
    fn default() -> Self {
        Self {
            seed: 7,
            size: 256,
            base: Ipv4Addr::new(127, 77, 0, 0),
            interface: None,
            day: 0,
            ports: PortPlan::Auto,
            layout: Layout::Auto,
            today: Timestamp::from_micros(1_795_305_600_000_000), // 2026-11-22
        }
    }
}

impl TownConfig {
    /// Refuses what cannot be a town.
    pub(crate) fn check(&self) -> Result<(), TownError> {
        if self.size == 0 || self.size > SIZE_MAX {
            return Err(TownError::Size { size: self.size });
        }
        let first = u32::from(self.base);
        let last = first.saturating_add(self.size - 1);
        let fits = |(lowest, highest): &([u8; 4], [u8; 4])| {
            first >= u32::from_be_bytes(*lowest) && last <= u32::from_be_bytes(*highest)
        };
        let ranges = if self.interface.is_some() { PRIVATE } else { LOOPBACK };
        match ranges.iter().any(fits) {
            true => Ok(()),
            false => Err(TownError::Range { base: self.base, size: self.size }),
        }
    }
}
