//! How much visitors may ask.
//!
//! Each asking costs an entry of the ledger and a line of a list. So one network (an IPv4 address, an IPv6 /64) may ask
//! [`OF_ONE`] times in [`SPAN`], all together [`OF_ALL`] times. Memory follows the number that ask in that time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time over which is counted.
pub(super) const SPAN: Duration = Duration::from_secs(600);

/// How often one network may ask in that time.
pub(super) const OF_ONE: u32 = 5;

/// How often all may.
pub(super) const OF_ALL: u32 = 600;

#[derive(Debug, Default)]
pub(super) struct Limit {
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    since: Option<Instant>,
    all: u32,
    each: HashMap<IpAddr, u32>,
}

impl Limit {
    /// Counts an asking; says whether it is still within the bounds.
    pub(super) fn take(&self, visitor: IpAddr, now: Instant) -> bool {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.since.is_none_or(|since| now.duration_since(since) >= SPAN) {
            *counted = Counted { since: Some(now), ..Counted::default() };
        }
        if counted.all >= OF_ALL {
            return false;
        }
        let own = counted.each.entry(network(visitor)).or_default();
        if *own >= OF_ONE {
            return false;
        }
        *own += 1;
        counted.all += 1;
        true
    }
}

fn network(visitor: IpAddr) -> IpAddr {
    match visitor {
        IpAddr::V4(_) => visitor,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[tokio::test]
    async fn one_network_and_all_are_bounded_and_time_frees_them() {
        let (limit, now) = (Limit::default(), Instant::now());
        let asked = (0..20).filter(|n| limit.take(ip(&format!("2001:db8::{n}")), now)).count();
        assert_eq!(asked, OF_ONE as usize, "one /64");
        assert!(limit.take(ip("2001:db8:0:1::1"), now));
        let asked = (0..2_000_u32).filter(|n| limit.take(IpAddr::from(n.to_be_bytes()), now)).count();
        assert_eq!(asked, (OF_ALL - OF_ONE - 1) as usize);
        assert!(limit.take(ip("2001:db8::1"), now + SPAN));
    }
}
