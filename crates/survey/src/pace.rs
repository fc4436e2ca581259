//! How fast: token buckets in total, per prefix and per host, and a limit on connections to one host.
//!
//! A bucket holds at most a tenth of a second's worth, so bursts stay short. Waiting is by timer, never by spinning.
//! Everything that a survey sends takes from the same buckets: connections and datagrams wait for their turn
//! ([`Pace::packet`]), a sender of frames asks for a batch and reserves each packet's time ([`Pace::allowance`], [`Pace::reserve`]).
//!
//! Buckets of prefixes and hosts lie in tables of fixed size, found by a hash. Two that fall into one place share its
//! budget: that slows a survey down a little and never makes it faster than its scope permits.

mod bucket;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinomi_model::address::to_u128;
use hinomi_model::scope::Rate;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use bucket::{Bucket, Table};

/// Places for prefixes and for hosts.
const PREFIXES: usize = 1 << 16;
const HOSTS: usize = 1 << 20;
/// The pace of a survey that was not slowed down.
const FULL: u32 = 1_000;

/// Keeps a survey within the rates of its scope.
pub struct Pace {
    began: Instant,
    rate: Rate,
    total: Bucket,
    /// None where the total is the narrower limit anyway.
    prefixes: Option<Table>,
    hosts: Option<Table>,
    connections: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    /// Thousandths of the permitted total that are made use of.
    share: AtomicU32,
}

/// The right to work on one host. Connections stay within the limit as long as each is made under one of these.
pub struct HostTurn {
    _connection: OwnedSemaphorePermit,
    address: IpAddr,
}

impl Pace {
    /// A pace for these rates.
    pub fn new(rate: Rate) -> Self {
        let table = |rate_pps: u32, places| (rate_pps < rate.total_pps).then(|| Table::new(rate_pps, places));
        Self {
            began: Instant::now(),
            rate,
            total: Bucket::new(rate.total_pps),
            prefixes: table(rate.per_prefix_pps, PREFIXES),
            hosts: table(rate.per_host_pps, HOSTS),
            connections: Mutex::default(),
            share: AtomicU32::new(FULL),
        }
    }

    /// Waits until one more connection to this host is permitted.
    pub async fn turn(&self, address: IpAddr) -> Option<HostTurn> {
        let connection = self.of_host(address).acquire_owned().await.ok()?;
        Some(HostTurn { _connection: connection, address })
    }

    /// The same, where it is permitted at this moment.
    pub fn try_turn(&self, address: IpAddr) -> Option<HostTurn> {
        let connection = self.of_host(address).try_acquire_owned().ok()?;
        Some(HostTurn { _connection: connection, address })
    }

    fn of_host(&self, address: IpAddr) -> Arc<Semaphore> {
        let limit = usize::from(self.rate.per_host_connections);
        Arc::clone(lock(&self.connections).entry(address).or_insert_with(|| Arc::new(Semaphore::new(limit))))
    }

    /// Waits until one more packet may be sent under this turn.
    pub async fn packet(&self, turn: &HostTurn) {
        self.packet_to(turn.address).await;
    }

    /// Waits until one more packet may be sent to this address.
    pub(crate) async fn packet_to(&self, address: IpAddr) {
        let (host, prefix) = names(address);
        let now = self.now_ns();
        let starts = [
            self.hosts.as_ref().map_or(0, |table| table.of(host).take(1, now)),
            self.prefixes.as_ref().map_or(0, |table| table.of(prefix).take(1, now)),
            self.total.take(1, now),
        ];
        let start = starts.into_iter().max().unwrap_or(0);
        if start > now {
            tokio::time::sleep_until(self.began + Duration::from_nanos(start)).await;
        }
    }

    /// Whether the total permits a batch of this many packets at this moment; at least what it permits at once at all.
    /// Those that are sent are told with [`Pace::spent`].
    ///
    /// # Errors
    /// How long to wait, when it does not.
    pub fn allowance(&self, batch: u32) -> Result<u32, Duration> {
        self.total.batch(batch, self.now_ns()).map_err(Duration::from_nanos)
    }

    /// These packets of the allowance were sent.
    pub fn spent(&self, packets: u32) {
        self.total.take(packets, self.now_ns());
    }

    /// Takes one packet to this address from the budgets of its host and prefix; gives how long to wait before it may be
    /// sent.
    pub fn reserve(&self, address: IpAddr) -> Duration {
        if self.hosts.is_none() && self.prefixes.is_none() {
            return Duration::ZERO;
        }
        let (host, prefix) = names(address);
        let now = self.now_ns();
        let of_host = self.hosts.as_ref().map(|table| table.of(host));
        let of_prefix = self.prefixes.as_ref().map(|table| table.of(prefix));
        let starts = [of_host, of_prefix].into_iter().flatten().map(|bucket| bucket.take(1, now));
        Duration::from_nanos(starts.max().unwrap_or(0).saturating_sub(now))
    }

    /// Takes one packet to this address from the budgets of its host and prefix where both have it at this moment;
    /// otherwise nothing is taken.
    pub(crate) fn try_reserve(&self, address: IpAddr) -> bool {
        let (host, prefix) = names(address);
        let now = self.now_ns();
        let of_host = self.hosts.as_ref().map(|table| table.of(host));
        if !of_host.as_ref().is_none_or(|bucket| bucket.try_take(now)) {
            return false;
        }
        let taken = self.prefixes.as_ref().is_none_or(|table| table.of(prefix).try_take(now));
        if let Some(bucket) = of_host.filter(|_| !taken) {
            bucket.give_back();
        }
        taken
    }

    /// Makes use of a share of what is permitted, from now on.
    pub fn slow_to(&self, share: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1000")]
        let thousandths = (share * f64::from(FULL)).clamp(1.0, f64::from(FULL)) as u32;
        self.share.store(thousandths, Relaxed);
        let rate = u64::from(self.rate.total_pps) * u64::from(thousandths) / u64::from(FULL);
        self.total.set_rate(u32::try_from(rate).unwrap_or(u32::MAX));
    }

    /// The total that is made use of at this moment, in packets a second.
    pub fn total_pps(&self) -> u32 {
        let rate = u64::from(self.rate.total_pps) * u64::from(self.share.load(Relaxed)) / u64::from(FULL);
        u32::try_from(rate).unwrap_or(u32::MAX).max(1)
    }

    /// Forgets hosts that nobody is connected to.
    pub fn sweep(&self) {
        lock(&self.connections).retain(|_, host| Arc::strong_count(host) > 1);
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The numbers under which a host and its prefix (/24 or /48) have their buckets.
fn names(address: IpAddr) -> (u64, u64) {
    match address {
        IpAddr::V4(four) => (u64::from(u32::from(four)), u64::from(u32::from(four) >> 8) | 1 << 40),
        IpAddr::V6(_) => {
            let bits = to_u128(address);
            let (high, low) = ((bits >> 64) as u64, (bits & u128::from(u64::MAX)) as u64);
            (high.rotate_left(29) ^ low, high >> 16 | 1 << 63)
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn near(spent: Duration, seconds: f64) -> bool {
        (spent.as_secs_f64() - seconds).abs() < 0.15
    }

    #[tokio::test(start_paused = true)]
    async fn each_budget_holds() {
        let by_host = Pace::new(rate(1_000_000, 1_000_000, 10));
        assert!(near(spent(&by_host, &["10.0.0.1"], 100).await, 10.0));
        let by_prefix = Pace::new(rate(1_000_000, 10, 1_000_000));
        assert!(near(spent(&by_prefix, &["10.0.0.1", "10.0.0.2"], 50).await, 10.0));
        let by_total = Pace::new(rate(10, 1_000_000, 1_000_000));
        assert!(near(spent(&by_total, &["10.0.0.1", "10.9.0.2"], 50).await, 10.0));
    }

    /// Sends frames as fast as every budget allows, for so many addresses in turn; gives how long it took.
    async fn framed(pace: &Pace, addresses: &[&str], packets: usize) -> Duration {
        let start = Instant::now();
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
        for address in addresses.iter().cycle().take(packets) {
            while let Err(wait) = pace.allowance(1) {
                tokio::time::advance(wait).await;
            }
            tokio::time::advance(pace.reserve(*address)).await;
            pace.spent(1);
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn frames_keep_the_same_budgets() {
        assert!(near(framed(&Pace::new(rate(1_000_000, 1_000_000, 10)), &["10.0.0.1"], 100).await, 10.0));
        assert!(near(framed(&Pace::new(rate(1_000_000, 10, 1_000_000)), &["10.0.0.1", "10.0.0.2"], 100).await, 10.0));
        assert!(near(framed(&Pace::new(rate(10, 1_000_000, 1_000_000)), &["10.0.0.1", "10.9.0.2"], 100).await, 10.0));
        let six = ["2001:db8::1", "2001:db8:0:1::2"];
        assert!(near(framed(&Pace::new(rate(1_000_000, 10, 1_000_000)), &six, 100).await, 10.0), "one /48");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_wait_takes_what_is_there_or_nothing() {
        let address = |text: &str| text.parse().expect("an address");
        let pace = Pace::new(rate(1_000, 20, 10));
        assert!(pace.try_reserve(address("10.0.0.1")));
        assert!(!pace.try_reserve(address("10.0.0.1")), "its host");
        assert!(pace.try_reserve(address("10.0.0.2")));
        assert!(!pace.try_reserve(address("10.0.0.3")), "its prefix");
        tokio::time::advance(Duration::from_millis(50)).await;
        assert!(!pace.try_reserve(address("10.0.0.1")), "its host has nothing yet");
        assert!(pace.try_reserve(address("10.0.0.3")), "what its host had was given back");
        assert_eq!(pace.reserve(address("10.0.0.3")), Duration::from_millis(100), "it was taken once");
        assert!(Pace::new(rate(10, 10, 10)).try_reserve(address("10.0.0.1")), "the total alone counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_the_total_is_made_use_of() {
        let pace = Pace::new(rate(1_000, 1_000, 1_000));
        pace.slow_to(0.1);
        assert_eq!(pace.total_pps(), 100);
        assert!(near(framed(&pace, &["10.0.0.1"], 1_000).await, 10.0));
        pace.slow_to(1.0);
        assert!(near(framed(&pace, &["10.0.0.1"], 1_000).await, 1.0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_at_a_time_and_nothing_is_kept() {
        let pace = Arc::new(Pace::new(rate(1_000, 1_000, 1_000)));
        let address: IpAddr = "10.0.0.1".parse().expect("an address");
        let first = pace.turn(address).await.expect("a turn");
        let second = tokio::time::timeout(Duration::from_secs(1), pace.turn(address)).await;
        assert!(second.is_err(), "the second connection waits");
        assert!(pace.try_turn(address).is_none(), "or is not made");
        drop(first);
        assert!(pace.try_turn(address).is_some());
        assert!(pace.turn(address).await.is_some());
        pace.sweep();
        assert!(lock(&pace.connections).is_empty());
    }
}
