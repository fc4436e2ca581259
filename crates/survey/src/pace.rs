//! How fast: token buckets in total, per prefix and per host, and a limit on connections to one host.
//!
//! A bucket holds at most a tenth of a second's worth, so bursts stay short. Waiting is by timer, never by spinning.
//! State is kept for hosts and prefixes that are being worked on, and dropped when they are not: memory follows the
//! number of probes in flight, not the size of the range.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinomi_model::scope::Rate;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Keeps a survey within the rates of its scope.
pub struct Pace {
    total: Bucket,
    rate: Rate,
    prefixes: Mutex<HashMap<IpNet, Arc<Bucket>>>,
    hosts: Mutex<HashMap<IpAddr, Arc<HostPace>>>,
}

struct HostPace {
    bucket: Bucket,
    connections: Arc<Semaphore>,
}

/// The right to work on one host. Connections stay within the limit as long as each is made under one of these.
pub struct HostTurn {
    _connection: OwnedSemaphorePermit,
    host: Arc<HostPace>,
    prefix: Arc<Bucket>,
}

impl Pace {
    /// A pace for these rates.
    pub fn new(rate: Rate) -> Self {
        let total = Bucket::new(rate.total_pps);
        Self { total, rate, prefixes: Mutex::new(HashMap::new()), hosts: Mutex::new(HashMap::new()) }
    }

    /// Waits until one more connection to this host is permitted.
    pub async fn turn(&self, address: IpAddr) -> Option<HostTurn> {
        let host = self.host(address);
        let prefix = self.prefix(address);
        let connection = Arc::clone(&host.connections).acquire_owned().await.ok()?;
        Some(HostTurn { _connection: connection, host, prefix })
    }

    /// Waits until one more packet may be sent under this turn.
    pub async fn packet(&self, turn: &HostTurn) {
        turn.host.bucket.take().await;
        turn.prefix.take().await;
        self.total.take().await;
    }

    /// Forgets hosts and prefixes that nobody works on and whose buckets are full again.
    pub fn sweep(&self) {
        let now = Instant::now();
        lock(&self.hosts).retain(|_, host| Arc::strong_count(host) > 1 || !host.bucket.is_full(now));
        lock(&self.prefixes).retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full(now));
    }

    fn host(&self, address: IpAddr) -> Arc<HostPace> {
        let make = || {
            Arc::new(HostPace {
                bucket: Bucket::new(self.rate.per_host_pps),
                connections: Arc::new(Semaphore::new(usize::from(self.rate.per_host_connections))),
            })
        };
        Arc::clone(lock(&self.hosts).entry(address).or_insert_with(make))
    }

    fn prefix(&self, address: IpAddr) -> Arc<Bucket> {
        let length = if address.is_ipv4() { 24 } else { 48 };
        let prefix = IpNet::new(address, length).map_or(IpNet::from(address), |prefix| prefix.trunc());
        let make = || Arc::new(Bucket::new(self.rate.per_prefix_pps));
        Arc::clone(lock(&self.prefixes).entry(prefix).or_insert_with(make))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371).
struct Bucket {
    interval: Duration,
    burst: Duration,
    full_at: Mutex<Instant>,
}

/// The longest burst: a tenth of a second's worth, at least one packet.
const BURST: Duration = Duration::from_millis(100);

impl Bucket {
    fn new(rate_pps: u32) -> Self {
        let interval = Duration::from_secs(1) / rate_pps.max(1);
        Self { interval, burst: BURST.max(interval), full_at: Mutex::new(Instant::now()) }
    }

    async fn take(&self) {
        let wait_until = {
            let now = Instant::now();
            let mut full_at = lock(&self.full_at);
            *full_at = (*full_at).max(now) + self.interval;
            full_at.checked_sub(self.burst).filter(|start| *start > now)
        };
        if let Some(moment) = wait_until {
            tokio::time::sleep_until(moment).await;
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        *lock(&self.full_at) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(total_pps: u32, per_prefix_pps: u32, per_host_pps: u32) -> Rate {
        Rate { total_pps, per_prefix_pps, per_host_pps, per_host_connections: 1 }
    }

    async fn spent(pace: &Pace, addresses: &[&str], packets: u32) -> Duration {
        let start = Instant::now();
        for address in addresses {
            let turn = pace.turn(address.parse().expect("an address")).await.expect("a turn");
            for _ in 0..packets {
                pace.packet(&turn).await;
            }
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn each_budget_holds() {
        let near = |spent: Duration, seconds: f64| (spent.as_secs_f64() - seconds).abs() < 0.15;
        let by_host = Pace::new(rate(1_000_000, 1_000_000, 10));
        assert!(near(spent(&by_host, &["10.0.0.1"], 100).await, 10.0));
        let by_prefix = Pace::new(rate(1_000_000, 10, 1_000_000));
        assert!(near(spent(&by_prefix, &["10.0.0.1", "10.0.0.2"], 50).await, 10.0));
        let by_total = Pace::new(rate(10, 1_000_000, 1_000_000));
        assert!(near(spent(&by_total, &["10.0.0.1", "10.9.0.2"], 50).await, 10.0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_at_a_time_and_nothing_is_kept() {
        let pace = Arc::new(Pace::new(rate(1_000, 1_000, 1_000)));
        let address: IpAddr = "10.0.0.1".parse().expect("an address");
        let first = pace.turn(address).await.expect("a turn");
        let second = tokio::time::timeout(Duration::from_secs(1), pace.turn(address)).await;
        assert!(second.is_err(), "the second connection waits");
        drop(first);
        assert!(pace.turn(address).await.is_some());
        tokio::time::advance(Duration::from_secs(5)).await;
        pace.sweep();
        assert!(lock(&pace.hosts).is_empty() && lock(&pace.prefixes).is_empty());
    }
}
