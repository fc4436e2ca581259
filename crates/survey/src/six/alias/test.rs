//! The test of one prefix: whom to ask, in which order, and what the answers mean.

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::address::{bounds, from_u128};
use hinomi_model::{ServiceKey, Transport};
use ipnet::{IpNet, Ipv6Net};
use siphasher::sip::SipHasher13;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::inside::Inside;
use crate::engine::{ConnectEngine, Discovery};
use crate::scope::Door;

/// Parts of a prefix, each asked at one address.
pub(super) const PARTS: usize = 16;

/// So many parts must lie in the scope.
pub const ENOUGH: usize = 12;

/// Asked before the others.
const FIRST: usize = 3;

/// More silent ones than this are not asked again: too many for losses.
const MAX_LOST: usize = 8;

/// So many may stay silent at last.
const TOLERATED: usize = 1;

/// The most questions to one prefix: the first few at one port, all at the next, and the silent ones again.
pub const MAX_ASKED: usize = FIRST + PARTS + MAX_LOST;

/// How often a permitted address is looked for in each part.
const DRAWS: u64 = 8;

/// An address of chance in each part of a prefix, as far as the scope permits, in an order of chance. The same seed
/// gives the same.
pub(super) fn draw(prefix: Ipv6Net, inside: &Inside, seed: u64) -> Vec<IpAddr> {
    let (first, last) = bounds(IpNet::V6(prefix));
    let each = (last - first) / 16 + 1;
    let mut drawn: Vec<(u64, IpAddr)> = (0_u128..)
        .take(PARTS)
        .filter_map(|part| {
            let from = first + part * each;
            let place = |draw| (chance(from, seed, 2 * draw), chance(from, seed, 2 * draw + 1));
            let mut drawn = (0..DRAWS).map(place).map(|(high, low)| {
                let within = (u128::from(high) << 64 | u128::from(low)) % each;
                (high, from_u128(from + within))
            });
            drawn.find(|(_, address)| inside.contains(*address))
        })
        .collect();
    drawn.sort_unstable();
    drawn.into_iter().map(|(_, address)| address).collect()
}

fn chance(from: u128, seed: u64, draw: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, draw);
    hasher.write_u128(from);
    hasher.finish()
}

/// What an address said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Open,
    Closed,
    Silent,
    /// The door did not let the question out.
    Refused,
}

/// It cannot be asked at this moment; it stays to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// The scope does not permit it now, or all is to stop.
    Closed,
    /// This machine or the network failed: that says nothing of the prefix.
    Failed,
}

/// Asks addresses, each once.
pub(super) trait Ask {
    fn ask(&self, keys: Vec<ServiceKey>) -> impl Future<Output = Result<Vec<Answer>, Later>> + Send;

    /// Waits as long as lost packets are apart.
    fn pause(&self) -> impl Future<Output = ()> + Send;
}

/// Whether every one of these addresses answers at one of the ports.
pub(super) async fn is_aliased(
    addresses: &[IpAddr],
    ports: &[(Transport, u16)],
    inquiry: &impl Ask,
) -> Result<bool, Later> {
    for (transport, port) in ports.iter().copied() {
        let key = |address: &IpAddr| ServiceKey { address: *address, port, transport };
        let (first, rest) = addresses.split_at(FIRST.min(addresses.len()));
        let mut answers = inquiry.ask(first.iter().map(key).collect()).await?;
        if !answers.contains(&Answer::Open) {
            continue;
        }
        answers.extend(inquiry.ask(rest.iter().map(key).collect()).await?);
        let silent = |(at, answer): (usize, &Answer)| (*answer == Answer::Silent).then_some(at);
        let lost: Vec<usize> = answers.iter().enumerate().filter_map(silent).collect();
        if !lost.is_empty() && lost.len() <= MAX_LOST && !answers.contains(&Answer::Closed) {
            inquiry.pause().await;
            let again = lost.iter().filter_map(|at| addresses.get(*at)).map(key).collect();
            for (at, answer) in lost.iter().zip(inquiry.ask(again).await?) {
                if let Some(earlier) = answers.get_mut(*at) {
                    *earlier = answer;
                }
            }
        }
        return Ok(verdict(&answers));
    }
    Ok(false)
}

fn verdict(answers: &[Answer]) -> bool {
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    let asked = answers.len() - count(Answer::Refused);
    asked >= ENOUGH && count(Answer::Closed) == 0 && count(Answer::Open) + TOLERATED >= asked
}

/// Asks through the door, at the pace.
#[derive(Clone)]
pub(super) struct Inquiry {
    engine: Arc<ConnectEngine>,
    stop: watch::Receiver<bool>,
    spacing: Duration,
}

impl Inquiry {
    pub(super) const fn new(engine: Arc<ConnectEngine>, stop: watch::Receiver<bool>, spacing: Duration) -> Self {
        Self { engine, stop, spacing }
    }

    /// What it asks through.
    pub(super) fn door(&self) -> &Door {
        self.engine.door()
    }

    /// Waits for the hours of the scope; false when all is to stop or the scope has ended.
    pub(super) async fn may_go_on(&self) -> bool {
        self.engine.is_open_or_waits(self.stop.clone()).await
    }
}

impl Ask for Inquiry {
    async fn ask(&self, keys: Vec<ServiceKey>) -> Result<Vec<Answer>, Later> {
        if *self.stop.borrow() {
            return Err(Later::Closed);
        }
        let mut answers = vec![Answer::Refused; keys.len()];
        let mut visits = JoinSet::new();
        for (at, key) in keys.into_iter().enumerate() {
            let engine = Arc::clone(&self.engine);
            // What answers is let go at once: nothing is sent over the connection.
            visits.spawn(async move { (at, said(&engine.visit(key).await)) });
        }
        while let Some(visit) = visits.join_next().await {
            let (at, said) = visit.map_err(|_| Later::Failed)?;
            if let Some(answer) = answers.get_mut(at) {
                *answer = said?;
            }
        }
        Ok(answers)
    }

    async fn pause(&self) {
        let mut stop = self.stop.clone();
        // Who could say stop may be gone: then the time is waited for.
        let told = async {
            if stop.wait_for(|told| *told).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(self.spacing, told).await;
    }
}

fn said(discovery: &Discovery) -> Result<Answer, Later> {
    match discovery {
        Discovery::Open(_) => Ok(Answer::Open),
        Discovery::Closed => Ok(Answer::Closed),
        Discovery::Silent => Ok(Answer::Silent),
        Discovery::Failed(_) => Err(Later::Failed),
        Discovery::Refused(refused) if refused.rule.passes() => Err(Later::Closed),
        Discovery::Refused(_) => Ok(Answer::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{Numbers, scope_of};
    use super::*;
    use proptest::prelude::*;
    use std::sync::Mutex;

    /// A prefix that behaves as told; some of its answers are lost. Counts what it is asked.
    struct World {
        real: fn(&ServiceKey) -> Answer,
        lost_percent: u64,
        numbers: Mutex<Numbers>,
        asked: Mutex<usize>,
    }

    impl Ask for World {
        async fn ask(&self, keys: Vec<ServiceKey>) -> Result<Vec<Answer>, Later> {
            *self.asked.lock().expect("free") += keys.len();
            let mut numbers = self.numbers.lock().expect("free");
            let answer = |key: &ServiceKey| match numbers.below(100) < self.lost_percent {
                true => Answer::Silent,
                false => (self.real)(key),
            };
            Ok(keys.iter().map(answer).collect())
        }

        async fn pause(&self) {}
    }

    const PORTS: [(Transport, u16); 2] = [(Transport::Tcp, 443), (Transport::Tcp, 80)];

    /// The verdict, and how often was asked.
    fn tested(real: fn(&ServiceKey) -> Answer, lost_percent: u64, seed: u64) -> (bool, usize) {
        let inside = Inside::of(&scope_of(&["fd00:a::/48"], &[]), &[]);
        let addresses = draw("fd00:a:0:1::/64".parse().expect("a prefix"), &inside, seed);
        let world = World { real, lost_percent, numbers: Mutex::new(Numbers(seed)), asked: Mutex::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let verdict = runtime.block_on(is_aliased(&addresses, &PORTS, &world)).expect("decided");
        let asked = *world.asked.lock().expect("free");
        (verdict, asked)
    }

    #[test]
    fn what_answers_everywhere_is_aliased_and_nothing_else() {
        assert_eq!(tested(|_| Answer::Open, 0, 1), (true, 16));
        assert_eq!(tested(|key| if key.port == 80 { Answer::Open } else { Answer::Closed }, 0, 1), (true, 19));
        assert_eq!(tested(|_| Answer::Silent, 0, 1), (false, 6), "an ordinary prefix costs six packets");
        assert_eq!(tested(|_| Answer::Closed, 0, 1), (false, 6), "a firewall that resets everything");
        let half = |key: &ServiceKey| {
            if matches!(key.address, IpAddr::V6(six) if six.segments()[4] < 0x8000) {
                Answer::Open
            } else {
                Answer::Silent
            }
        };
        assert!((1..30).all(|seed| !tested(half, 0, seed).0), "a half is no whole");
    }

    #[test]
    fn losses_hide_no_alias_and_make_none() {
        let (mut seen, mut most) = (0, 0);
        for seed in 0..1_000 {
            let (verdict, asked) = tested(|_| Answer::Open, 10, seed);
            seen += u32::from(verdict);
            most = most.max(asked);
        }
        println!("{seen} of 1000 aliased prefixes seen where one answer in ten is lost, {most} questions at most");
        assert!(seen >= 970 && most <= MAX_ASKED, "{seen} {most}");
        // Every other part, so that each order of asking meets both.
        let half = |key: &ServiceKey| match key.address {
            IpAddr::V6(six) if six.segments()[4] & 0x1000 == 0 => Answer::Open,
            _ => Answer::Closed,
        };
        let (mut most, mut begun) = (0, 0);
        for seed in 0..1_000 {
            let (verdict, asked) = tested(half, 10, seed);
            assert!(!verdict, "seed {seed}: half of it is closed, whatever got lost");
            most = most.max(asked);
            begun += u32::from(asked >= PARTS);
        }
        assert!(begun >= 900 && most <= MAX_ASKED, "{begun} were asked throughout, {most} questions at most");
    }

    proptest! {
        #[test]
        fn one_address_of_each_part_is_drawn_inside(seed: u64, length in 48u8..=112) {
            let scope = scope_of(&["fd00:a::/48"], &["fd00:a::/50"]);
            let inside = Inside::of(&scope, &[]);
            let prefix = Ipv6Net::new("fd00:a::".parse().expect("an address"), length).expect("a prefix");
            let drawn = draw(prefix, &inside, seed);
            // A quarter of the whole is excluded, and everything of what is narrower.
            let wanted = match length { 48 => 12, 49 => 8, _ => 0 };
            prop_assert_eq!(drawn.len(), wanted);
            let (first, last) = bounds(IpNet::V6(prefix));
            let number = hinomi_model::address::to_u128;
            let part = |address: &IpAddr| (number(*address) - first) / ((last - first) / 16 + 1);
            let parts: std::collections::BTreeSet<u128> = drawn.iter().map(part).collect();
            prop_assert_eq!(parts.len(), wanted, "one in each");
            prop_assert!(drawn.iter().all(|address| scope.permits_address(*address, &[]).is_ok()));
            prop_assert_eq!(draw(prefix, &inside, seed), drawn);
        }
    }
}
