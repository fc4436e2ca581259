//! The likeliest targets: at hosts that are known, at their neighbours, and some at random.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use hinomi_model::address::{from_u128, to_u128};
use hinomi_model::{ServiceKey, Timestamp};

use super::asked::Asked;
use super::ground::Ground;
use super::known::{Host, Hosts, Known, networks};
use super::model::{Because, Feature, Model, teaches};
use super::silence::{self, Silence};
use super::why::{Candidate, Why};
use super::{MAX_PROPOSED, Settings, code, explore, port_of};

mod around;
mod best;
mod surveyed;

use around::Around;
use best::{Best, Ranked};
pub(super) use surveyed::Surveyed;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Proposed {
    /// The likeliest first; those drawn at random last.
    pub candidates: Vec<Candidate>,
    /// Services that visiting them all is expected to find.
    pub expected: f64,
    /// How many were drawn at random.
    pub random: usize,
    /// Hosts that were looked at.
    pub hosts: u64,
}

/// What a feature says of a port at a host.
#[derive(Clone, Copy, Debug)]
struct Guess {
    port: u32,
    rate: f64,
    /// Its place among the host's features.
    feature: usize,
    /// At how many of how many it is so.
    hits: u32,
    of: u32,
}

/// Takes what is known once more, in order of address, and keeps the likeliest targets.
pub struct Proposer<'a> {
    model: &'a Model,
    ground: &'a Ground,
    asked: &'a [Asked],
    /// Campaigns whose silence still counts.
    lately: Vec<&'a Asked>,
    surveyed: Surveyed,
    settings: Settings,
    hosts: Hosts,
    /// Hosts of the network at hand, which are looked at when all of them have come.
    here: Vec<Host>,
    looked_at: u64,
    best: Best,
    drawn: HashSet<ServiceKey>,
    random: explore::Random,
    cold: Cold,
    silence: Silence,
}

/// Pieces of the ground's /24, rising, and who is known in the one at hand.
struct Cold {
    runs: std::vec::IntoIter<(u128, u128)>,
    /// What is left of the run at hand.
    rest: Option<(u128, u128)>,
    block: u64,
    known: HashSet<u128>,
    /// The hosts of the block that teach.
    around: Around,
    /// The wide network at hand, and its rates.
    wide: (Option<u64>, Vec<WideRate>),
}

/// Hosts of one network that are looked at together.
const MAX_HERE: usize = 256;

/// Port, hits, addresses, rate.
type WideRate = (u32, u32, u64, f64);

impl Cold {
    /// The hosts that are known of a /24 are of no other.
    fn begin(&mut self, block: u64) {
        if self.block != block {
            self.known.clear();
            self.around = Around::default();
            self.block = block;
        }
    }
}

impl<'a> Proposer<'a> {
    /// Proposes on this ground by this model. `asked` is what the model learned with.
    pub fn new(model: &'a Model, ground: &'a Ground, asked: &'a [Asked], settings: Settings, now: Timestamp) -> Self {
        let limit = settings.limit.min(MAX_PROPOSED);
        let since = now.minus(settings.silent);
        let v4 = ground.runs().iter().filter(|(is_v6, ..)| !is_v6).map(|(_, from, to)| (*from, *to));
        Self {
            model,
            ground,
            asked,
            lately: asked.iter().filter(|asked| asked.ended >= since).collect(),
            surveyed: Surveyed::new(asked, ground),
            settings,
            hosts: Hosts::default(),
            here: Vec::new(),
            looked_at: 0,
            best: Best::of(limit - share(limit, settings.explore)),
            // More than are needed: some are known or were asked lately.
            drawn: explore::draw(ground, settings.seed ^ newest(asked), limit.saturating_mul(2)),
            random: explore::Random(settings.seed ^ 0x5eed),
            cold: Cold {
                runs: v4.collect::<Vec<_>>().into_iter(),
                rest: None,
                block: 0,
                known: HashSet::new(),
                around: Around::default(),
                wide: (None, Vec::new()),
            },
            silence: Silence::default(),
        }
    }

    /// Takes the next service, in order of address.
    pub fn take(&mut self, service: Known) {
        self.drawn.remove(&service.key);
        if let Some(host) = self.hosts.take(service) {
            self.gather(host);
        }
    }

    /// Puts the hosts of a network together; of a crowded one of IPv6 as many as are looked at at once.
    fn gather(&mut self, host: Host) {
        let network = |host: &Host| (host.address.is_ipv6(), networks(host.address).0);
        let is_other = self.here.first().is_some_and(|first| network(first) != network(&host));
        if is_other || self.here.len() >= MAX_HERE {
            self.look_here();
        }
        self.here.push(host);
    }

    fn look_here(&mut self) {
        let hosts = std::mem::take(&mut self.here);
        let mut around = Around::default();
        for host in hosts.iter().filter(|host| !host.pretends && teaches(self.asked, self.ground, host.address)) {
            around.take(host);
        }
        hosts.iter().for_each(|host| self.look_at(host, &around));
        if hosts.first().is_some_and(|first| first.address.is_ipv4()) {
            self.cold.around = around;
        }
    }

    fn look_at(&mut self, host: &Host, around: &Around) {
        self.looked_at += 1;
        if host.address.is_ipv4() {
            self.neighbours_before(networks(host.address).0);
            self.cold.known.insert(to_u128(host.address));
        }
        if host.pretends || !self.ground.permits_address(host.address) {
            return;
        }
        let features = self.model.features_of(host);
        let mut best = self.guesses(&features);
        let doubts = self.model.doubts(&features);
        let alike = around.alike(host);
        let because = |guess: &Guess| features.get(guess.feature).map(|feature| &feature.because);
        let general = |guess: &Guess| !matches!(because(guess), Some(Because::Product(..)));
        for guess in best.iter_mut().filter(|guess| general(guess)) {
            guess.rate = alike.rate(guess.port, doubts.of(guess.port, guess.rate));
        }
        let open: Vec<u32> = host.services.iter().map(|one| code((one.key.transport, one.key.port))).collect();
        let known = |port: u32| best.binary_search_by_key(&port, |guess| guess.port).ok().and_then(|at| best.get(at));
        let silent = silence::at(&self.lately, host.address, &open, |port| known(port).map_or(0.0, |guess| guess.rate));
        let alike = alike.silent_at(&silent);
        // In an order of its own: what is drawn must follow from the seed alone.
        for guess in best.iter().filter(|guess| !open.contains(&guess.port)) {
            let Guess { port, hits, of, .. } = *guess;
            let rate = guess.rate * self.silence.factor(self.model, port, &silent);
            let rate = if general(guess) { alike.rate(port, rate) } else { rate };
            let why = || Why { because: because(guess).cloned(), address: host.address, port, hits, of: of.into() };
            self.offer(host.address, port, rate, why);
        }
    }

    /// What the features of a host say, of each port that which says most for it, by port.
    fn guesses(&self, features: &[Feature]) -> Vec<Guess> {
        let mut all = Vec::new();
        for (feature, one) in features.iter().enumerate() {
            all.extend(self.model.rates(one.hash).map(|(port, hits, of)| {
                let rate = self.model.at_host(port, hits, of);
                Guess { port, rate, feature, hits, of }
            }));
        }
        all.sort_unstable_by(|one, other| {
            one.port.cmp(&other.port).then(other.rate.total_cmp(&one.rate)).then(one.feature.cmp(&other.feature))
        });
        all.dedup_by_key(|guess| guess.port);
        all
    }

    /// Proposes addresses of which nothing is known in every /24 before this one.
    fn neighbours_before(&mut self, block: u64) {
        while let Some((from, to)) = self.next_piece(block) {
            let here = networks(from_u128(from)).0;
            self.cold.begin(here);
            self.neighbours(from, to);
        }
        self.cold.begin(block);
    }

    /// The next addresses that lie in one /24 which is before this one.
    fn next_piece(&mut self, before: u64) -> Option<(u128, u128)> {
        let (from, to) = self.cold.rest.take().or_else(|| self.cold.runs.next())?;
        if networks(from_u128(from)).0 >= before {
            self.cold.rest = Some((from, to));
            return None;
        }
        let end = to.min((from | 0xff) + 1);
        self.cold.rest = (end < to).then_some((end, to));
        Some((from, end))
    }

    fn neighbours(&mut self, from: u128, to: u128) {
        let rates = self.rates_around(from_u128(from));
        // Silence only makes rates smaller.
        if rates.first().is_none_or(|(_, rate, _)| self.best.is_too_low(*rate)) {
            return;
        }
        let by_port: HashMap<u32, f64> = rates.iter().map(|(port, rate, _)| (*port, *rate)).collect();
        let likely = |port: u32| by_port.get(&port).copied().unwrap_or(0.0);
        for number in (from..to).filter(|number| !self.cold.known.contains(number)).collect::<Vec<_>>() {
            let here = from_u128(number);
            let silent = silence::at(&self.lately, here, &[], likely);
            for (port, rate, why) in &rates {
                if self.best.is_too_low(*rate) {
                    break;
                }
                let otherwise = rate * self.silence.factor(self.model, *port, &silent);
                let addresses = self.addresses_asked(here, 8, *port);
                let rate = self.cold.around.rate(*port, &silent, addresses, otherwise).min(*rate);
                self.offer(here, *port, rate, || Why { address: here, ..why.clone() });
            }
        }
    }

    /// How likely ports are open at an address of this network of which nothing is known, the likeliest first.
    fn rates_around(&mut self, address: IpAddr) -> Vec<(u32, f64, Why)> {
        let (near, wide) = networks(address);
        let near_hash = self.model.feature(&Because::Near, near);
        self.look_wide(wide);
        let of_near: HashMap<u32, u32> = self.model.rates(near_hash).map(|(port, hits, _)| (port, hits)).collect();
        let base = |port: u32, of: u64| (port, 0, of, self.model.of_random(port));
        let unseen = of_near.keys().filter(|port| !self.cold.wide.1.iter().any(|(wide, ..)| wide == *port));
        let unseen: Vec<_> = unseen.map(|port| base(*port, 65_536)).collect();
        let mut rates: Vec<(u32, f64, Why)> = Vec::new();
        for (port, wide_hits, wide_of, otherwise) in self.cold.wide.1.iter().chain(&unseen).copied() {
            let hits = of_near.get(&port).copied().unwrap_or(0);
            let of = self.addresses_asked(address, 8, port);
            let rate = Model::in_network(hits, of, otherwise);
            let (because, hits, of) = match hits {
                0 => (Because::Wide, wide_hits, wide_of),
                _ => (Because::Near, hits, of),
            };
            rates.push((port, rate, Why { because: Some(because), address, port, hits, of }));
        }
        rates.sort_by(|(left_port, left, _), (right_port, right, _)| {
            right.total_cmp(left).then(left_port.cmp(right_port))
        });
        rates
    }

    fn look_wide(&mut self, wide: u64) {
        if self.cold.wide.0 == Some(wide) {
            return;
        }
        let hash = self.model.feature(&Because::Wide, wide);
        let address = IpAddr::V4((u32::try_from(wide).unwrap_or(0) << 16).into());
        let rates = self.model.rates(hash).map(|(port, hits, _)| {
            let of = self.addresses_asked(address, 16, port);
            (port, hits, of, Model::in_network(hits, of, self.model.of_random(port)))
        });
        self.cold.wide = (Some(wide), rates.collect());
    }

    /// How many addresses of a network with so many bits below it were asked at a port; all if nobody knows.
    fn addresses_asked(&self, address: IpAddr, bits: u32, port: u32) -> u64 {
        let from = to_u128(address) >> bits << bits;
        match self.surveyed.addresses_in(port, from, from + (1 << bits)) {
            0 => 1 << bits,
            asked => asked,
        }
    }

    fn offer(&mut self, address: IpAddr, port: u32, rate: f64, why: impl FnOnce() -> Why) {
        let (transport, number) = port_of(port);
        let key = ServiceKey { address, port: number, transport };
        if self.best.is_too_low(rate) || !self.ground.permits_port(port) || self.lately.iter().any(|one| one.holds(key))
        {
            return;
        }
        let turn = self.random.next();
        self.best.push(Ranked { rate: rate.to_bits(), turn, key, why: why() });
    }

    /// The proposal.
    pub fn finish(mut self) -> Proposed {
        if let Some(host) = self.hosts.end() {
            self.gather(host);
        }
        self.look_here();
        self.neighbours_before(u64::MAX);
        let best = std::mem::take(&mut self.best).finish();
        let mut candidates: Vec<Candidate> = best
            .into_iter()
            .map(|one| Candidate { key: one.key, expected: f64::from_bits(one.rate), reason: one.why })
            .collect();
        let taken: HashSet<ServiceKey> = candidates.iter().map(|one| one.key).collect();
        // Where little is known, more is left to chance.
        let wanted = self.settings.limit.min(MAX_PROPOSED) - candidates.len();
        let random = self.chosen_at_random(&taken, wanted);
        let many = random.len();
        candidates.extend(random);
        let expected = candidates.iter().map(|one| one.expected).sum();
        Proposed { candidates, expected, random: many, hosts: self.looked_at }
    }

    fn chosen_at_random(&self, taken: &HashSet<ServiceKey>, wanted: usize) -> Vec<Candidate> {
        let free = |key: &&ServiceKey| !taken.contains(key) && !self.lately.iter().any(|asked| asked.holds(**key));
        let mut drawn: Vec<ServiceKey> = self.drawn.iter().filter(free).copied().collect();
        // In an order that says nothing of how they were drawn, so that any part of them is as random.
        drawn.sort_unstable();
        let mut random = explore::Random(self.settings.seed ^ 0xd1ce);
        let mut mixed: Vec<(u64, ServiceKey)> = drawn.into_iter().map(|key| (random.next(), key)).collect();
        mixed.sort_unstable();
        let candidate = |(_, key): (u64, ServiceKey)| {
            let port = code((key.transport, key.port));
            let reason = Why { because: None, address: key.address, port, hits: 0, of: 0 };
            Candidate { key, expected: self.model.of_random(port), reason }
        };
        mixed.into_iter().take(wanted).map(candidate).collect()
    }
}

/// Another number after each campaign: so that the next list is not drawn from what the last one was.
fn newest(asked: &[Asked]) -> u64 {
    let newest = asked.iter().map(|asked| asked.ended.as_micros()).max().unwrap_or(0);
    explore::Random(newest.unsigned_abs()).next()
}

/// This share of a number.
fn share(of: usize, share: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a bounded number"
    )]
    let part = (of as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    part.min(of)
}
