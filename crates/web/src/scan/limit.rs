//! How much visitors may ask.
//!
//! Each asking costs an entry of the ledger and a line of a list. So all together may ask [`OF_ALL`] times in [`SPAN`],
//! and one network less the narrower it is ([`LEVELS`]): who holds many addresses cannot use up what is for all. Memory
//! follows the number that ask in that time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;

/// The time over which is counted.
pub(super) const SPAN: Duration = Duration::from_secs(600);

/// How often one network may ask in that time, by the length of its prefix in IPv4 and IPv6.
pub(super) const LEVELS: [(u8, u8, u32); 3] = [(32, 64, 5), (24, 48, 20), (16, 32, 100)];

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
    each: HashMap<IpNet, u32>,
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
        let networks = LEVELS.map(|(v4, v6, most)| (prefix(visitor, v4, v6), most));
        if networks.iter().any(|(network, most)| counted.each.get(network).is_some_and(|count| count >= most)) {
            return false;
        }
        for (network, _) in networks {
            *counted.each.entry(network).or_default() += 1;
        }
        counted.all += 1;
        true
    }
}

/// The narrowest network that a visitor stands for: an IPv4 address, an IPv6 /64.
pub(super) fn network(visitor: IpAddr) -> IpAddr {
    prefix(visitor, 32, 64).network()
}

fn prefix(visitor: IpAddr, v4: u8, v6: u8) -> IpNet {
    let bits = if visitor.is_ipv4() { v4 } else { v6 };
    IpNet::new(visitor, bits).map_or(IpNet::from(visitor), |network| network.trunc())
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
        let asked = |ask: fn(u16) -> String| (0..999).filter(|n| limit.take(ip(&ask(*n)), now)).count();
        assert_eq!(asked(|n| format!("2001:db8::{n:x}")), 5, "one /64");
        assert_eq!(asked(|n| format!("2001:db8:0:{n:x}::1")), 15, "one /48");
        assert_eq!(asked(|n| format!("2001:db8:{n:x}::1")), 80, "one /32");
        assert_eq!(asked(|n| format!("192.0.2.{}", n % 256)), 20, "one /24");
        assert!(limit.take(ip("2001:db9::1"), now), "another one");
        assert_eq!(asked(|n| format!("11.{}.{}.1", n % 256, n / 256)), OF_ALL as usize - 121);
        assert!(!limit.take(ip("9.9.9.9"), now) && limit.take(ip("2001:db8::1"), now + SPAN));
    }
}
