//! The model: how often a port is open where something else is known.

use std::collections::HashMap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::asked::Asked;
use super::counts::{Counts, MAX_FEATURES, MAX_PAIRS, of_feature};
use super::ground::Ground;
use super::known::{Host, Hosts, Known, networks};
use super::{as_f64, code};

/// Weight of what holds for all hosts against what was counted at those with a feature, in hosts.
const PRIOR_HOSTS: f64 = 8.0;

/// The same for addresses drawn at random, in targets.
const PRIOR_RANDOM: f64 = 200.0;

/// The fewest hosts on which a rate may rest.
const LEAST: u32 = 2;

/// Ports of one feature that are kept, the most frequent.
const MAX_PORTS: usize = 128;

/// Groups of hosts by which campaigns held them.
const MAX_CLASSES: usize = 1_024;

/// What a host shares with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// Being there at all.
    Every,
    /// This port is open.
    Port(u32),
    /// This product answers at this port.
    Product(u32, Arc<str>),
    /// Its AS.
    Asn(u32),
    /// Its /24 or /64.
    Near,
    /// Its /16 or /48.
    Wide,
}

/// A feature as it is counted: its hash.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    pub(super) hash: u64,
    pub(super) because: Because,
}

/// Counts services, in order of address.
pub struct Learner<'a> {
    asked: &'a [Asked],
    ground: &'a Ground,
    hosts: Hosts,
    /// Hosts by feature and class.
    features: Counts,
    /// Hosts by feature and port.
    pairs: Counts,
    /// Which campaigns asked the hosts of a class throughout; the first is of hosts that no campaign knows.
    classes: Vec<u64>,
    class_of: HashMap<u64, u32>,
    found: HashMap<u32, u64>,
    /// Hosts on the ground at which a port is open.
    here: HashMap<u32, u64>,
    /// Hosts that were counted.
    learned: u64,
    key: u64,
}

impl<'a> Learner<'a> {
    /// For what these campaigns asked; the newest [`super::MAX_ASKED`] count. The seed keeps strangers from choosing
    /// names that are counted as one.
    pub fn new(asked: &'a [Asked], ground: &'a Ground, seed: u64) -> Self {
        Self {
            asked: asked.get(..super::MAX_ASKED).unwrap_or(asked),
            ground,
            hosts: Hosts::default(),
            features: Counts::new(MAX_FEATURES),
            pairs: Counts::new(MAX_PAIRS),
            classes: vec![0],
            class_of: HashMap::new(),
            found: HashMap::new(),
            here: HashMap::new(),
            learned: 0,
            key: seed,
        }
    }

    /// Takes the next service, in order of address.
    pub fn take(&mut self, service: Known) {
        if let Some(host) = self.hosts.take(service) {
            self.learn(&host);
        }
    }

    fn learn(&mut self, host: &Host) {
        if host.pretends {
            return;
        }
        self.count_random(host);
        let Some(class) = self.class(host.address) else { return };
        self.learned += 1;
        let ports: Vec<u32> = host.services.iter().map(port).filter(|port| self.was_asked(class, *port)).collect();
        if self.ground.permits_address(host.address) {
            ports.iter().for_each(|port| *self.here.entry(*port).or_default() += 1);
        }
        for feature in features(host, self.key) {
            self.features.add(feature.hash, class);
            let own = feature.because.port();
            ports.iter().filter(|port| own != Some(**port)).for_each(|port| self.pairs.add(feature.hash, *port));
        }
    }

    /// What was found where it was asked without regard to what was expected.
    fn count_random(&mut self, host: &Host) {
        for service in &host.services {
            let found = |asked: &&Asked| {
                let was_there = service.first_seen <= asked.ended && service.last_seen >= asked.started;
                was_there && asked.asked_at_random(service.key)
            };
            let many = self.asked.iter().filter(found).count();
            if many > 0 {
                *self.found.entry(port(service)).or_default() += u64::try_from(many).unwrap_or(0);
            }
        }
    }

    /// The class of a host; none if it teaches nothing.
    fn class(&mut self, address: IpAddr) -> Option<u32> {
        let mut mask = 0_u64;
        for (place, asked) in self.asked.iter().enumerate() {
            if asked.asked_throughout(address, self.ground) {
                mask |= 1 << (place % 64);
            }
        }
        if mask == 0 {
            return (!self.asked.iter().any(|asked| asked.touches(address))).then_some(0);
        }
        if let Some(class) = self.class_of.get(&mask) {
            return Some(*class);
        }
        let class = u32::try_from(self.classes.len()).ok().filter(|_| self.classes.len() < MAX_CLASSES)?;
        self.classes.push(mask);
        self.class_of.insert(mask, class);
        Some(class)
    }

    fn was_asked(&self, class: u32, port: u32) -> bool {
        was_asked(self.asked, &self.classes, class, port)
    }

    /// The model of all that was taken.
    pub fn finish(mut self) -> Model {
        if let Some(host) = self.hosts.end() {
            self.learn(&host);
        }
        let mut random: HashMap<u32, (u64, u64)> = HashMap::new();
        for asked in self.asked {
            asked.random_by_port(|port, many| random.entry(port).or_default().1 += many);
        }
        for (port, found) in &self.found {
            random.entry(*port).or_default().0 += found;
        }
        let mut model = Model {
            features: self.features.sorted(1),
            pairs: most_frequent(&self.pairs.sorted(LEAST)),
            asked_at: asked_by_port(self.asked, &self.classes, self.ground),
            base: HashMap::new(),
            random,
            here: self.here,
            addresses: self.ground.addresses().max(1),
            learned: self.learned,
            key: self.key,
        };
        let every = feature_hash(self.key, 0, 0);
        model.base = model.rates(every).fold(HashMap::new(), with_base);
        model
    }
}

/// Whether what is not known of a host is known not to be there: some campaign asked it throughout, or none at all.
pub(super) fn teaches(asked: &[Asked], ground: &Ground, address: IpAddr) -> bool {
    asked.iter().any(|asked| asked.asked_throughout(address, ground))
        || !asked.iter().any(|asked| asked.touches(address))
}

fn with_base(mut base: HashMap<u32, Base>, (port, hits, of): (u32, u32, u32)) -> HashMap<u32, Base> {
    base.insert(port, Base { rate: (f64::from(hits) + 0.5) / (f64::from(of) + 1.0) });
    base
}

/// What holds for all hosts that are known.
#[derive(Clone, Copy, Debug)]
struct Base {
    rate: f64,
}

/// Which classes were asked at a port; a port that is missing was asked by the first class alone.
fn asked_by_port(asked: &[Asked], classes: &[u64], ground: &Ground) -> HashMap<u32, Vec<bool>> {
    let of = |port: u32| {
        let each = (0..classes.len()).map(|class| u32::try_from(class).unwrap_or(0));
        (port, each.map(|class| was_asked(asked, classes, class, port)).collect())
    };
    ground.ports().map(|port| of(code(port))).collect()
}

fn was_asked(asked: &[Asked], classes: &[u64], class: u32, port: u32) -> bool {
    let mask = usize::try_from(class).ok().and_then(|class| classes.get(class)).copied().unwrap_or(0);
    let held = |place: usize| mask >> (place % 64) & 1 == 1;
    mask == 0 || asked.iter().enumerate().any(|(place, asked)| held(place) && asked.has_port(port))
}

/// The most frequent ports of each feature.
fn most_frequent(sorted: &[(u64, u32, u32)]) -> Vec<(u64, u32, u32)> {
    let mut kept = Vec::with_capacity(sorted.len());
    for ports in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mut ports = ports.to_vec();
        ports.sort_unstable_by_key(|(_, port, hits)| (std::cmp::Reverse(*hits), *port));
        ports.truncate(MAX_PORTS);
        ports.sort_unstable();
        kept.extend(ports);
    }
    kept
}

/// See the module. About 16 bytes for each feature and each pair.
pub struct Model {
    features: Vec<(u64, u32, u32)>,
    /// By feature and port; the most frequent of a feature.
    pairs: Vec<(u64, u32, u32)>,
    asked_at: HashMap<u32, Vec<bool>>,
    base: HashMap<u32, Base>,
    /// Found and asked at random, by port.
    random: HashMap<u32, (u64, u64)>,
    /// Hosts on the ground by port, of so many addresses.
    here: HashMap<u32, u64>,
    addresses: u64,
    learned: u64,
    key: u64,
}

impl Model {
    /// From how many hosts it learned.
    pub const fn learned(&self) -> u64 {
        self.learned
    }

    pub(super) fn features_of(&self, host: &Host) -> Vec<Feature> {
        features(host, self.key)
    }

    pub(super) fn feature(&self, because: &Because, number: u64) -> u64 {
        feature_hash(self.key, because.tag(), number)
    }

    /// Ports at hosts with this feature: which, at how many, of how many that were asked.
    pub(super) fn rates(&self, feature: u64) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        let hosts = of_feature(&self.features, feature);
        of_feature(&self.pairs, feature).iter().map(move |(_, port, hits)| {
            // What was forgotten while counting must not make a rate of more than one.
            (*port, *hits, self.asked_of(hosts, *port).max(*hits))
        })
    }

    /// What the products of a host say against a port that is frequent around it.
    pub(super) fn doubts(&self, features: &[Feature]) -> Doubts<'_> {
        let products = features.iter().filter(|feature| matches!(feature.because, Because::Product(..)));
        let of =
            products.map(|feature| (of_feature(&self.features, feature.hash), of_feature(&self.pairs, feature.hash)));
        Doubts { model: self, products: of.collect() }
    }

    /// Of these hosts, how many were asked at a port.
    fn asked_of(&self, hosts: &[(u64, u32, u32)], port: u32) -> u32 {
        let classes = self.asked_at.get(&port);
        let was_asked = |class: u32| match (classes, usize::try_from(class)) {
            (Some(classes), Ok(class)) => classes.get(class).copied().unwrap_or(true),
            _ => true,
        };
        hosts.iter().filter(|(_, class, _)| was_asked(*class)).map(|(.., many)| *many).fold(0, u32::saturating_add)
    }

    /// How likely a port is open at a host with a feature that so many of so many hosts confirm.
    pub(super) fn at_host(&self, port: u32, hits: u32, of: u32) -> f64 {
        let base = self.base.get(&port).map_or(0.0, |base| base.rate);
        (f64::from(hits) + PRIOR_HOSTS * base) / (f64::from(of) + PRIOR_HOSTS)
    }

    /// How likely a port is open at an address drawn at random.
    pub fn at_random(&self, port: (hinomi_model::Transport, u16)) -> f64 {
        self.of_random(code(port))
    }

    pub(super) fn of_random(&self, port: u32) -> f64 {
        // A port that is open at few hosts says nothing yet.
        let here = self.here.get(&port).copied().filter(|_| self.base.contains_key(&port)).unwrap_or(0);
        let by_known = as_f64(here) / as_f64(self.addresses);
        let (found, asked) = self.random.get(&port).copied().unwrap_or_default();
        (as_f64(found) + PRIOR_RANDOM * by_known) / (as_f64(asked) + PRIOR_RANDOM)
    }

    /// How likely a port is open at an address of a network of which so many addresses have it, when it would be so
    /// likely otherwise.
    pub(super) fn in_network(hits: u32, addresses: u64, otherwise: f64) -> f64 {
        (f64::from(hits) + PRIOR_HOSTS * otherwise) / (as_f64(addresses).max(f64::from(hits)) + PRIOR_HOSTS)
    }
}

/// A product: its hosts by class, and at how many of them ports are open.
type Product<'m> = (&'m [(u64, u32, u32)], &'m [(u64, u32, u32)]);

/// See [`Model::doubts`].
pub(super) struct Doubts<'m> {
    model: &'m Model,
    products: Vec<Product<'m>>,
}

impl Doubts<'_> {
    /// The chance of a port after the product that says most against it: one that hardly ever stands beside that port is
    /// what its neighbours are not.
    pub(super) fn of(&self, port: u32, rate: f64) -> f64 {
        let each = self.products.iter().map(|(hosts, hits)| {
            let found = hits.binary_search_by_key(&port, |(_, port, _)| *port).ok().and_then(|at| hits.get(at));
            let hits = found.map_or(0, |(.., hits)| *hits);
            let of = self.model.asked_of(hosts, port).max(hits);
            (f64::from(hits) + PRIOR_HOSTS * rate) / (f64::from(of) + PRIOR_HOSTS)
        });
        each.fold(rate, f64::min)
    }
}

impl Because {
    /// Which port a feature is about.
    pub(super) const fn port(&self) -> Option<u32> {
        match self {
            Self::Port(port) | Self::Product(port, _) => Some(*port),
            _ => None,
        }
    }

    const fn tag(&self) -> u64 {
        match self {
            Self::Every => 0,
            Self::Port(_) => 1,
            Self::Product(..) => 2,
            Self::Asn(_) => 3,
            Self::Near => 4,
            Self::Wide => 5,
        }
    }
}

fn port(service: &Known) -> u32 {
    code((service.key.transport, service.key.port))
}

fn feature_hash(key: u64, tag: u64, value: u64) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(key, tag);
    hasher.write_u64(value);
    hasher.finish()
}

/// Everything that a host shares with others. IPv4 and IPv6 networks have numbers of their own.
fn features(host: &Host, key: u64) -> Vec<Feature> {
    let (near, wide) = networks(host.address);
    let of = |because: Because, value: u64| Feature { hash: feature_hash(key, because.tag(), value), because };
    let mut all = vec![of(Because::Every, 0), of(Because::Near, near), of(Because::Wide, wide)];
    all.extend(host.services.first().and_then(|one| one.asn).map(|asn| of(Because::Asn(asn), asn.into())));
    for service in &host.services {
        let port = port(service);
        all.push(of(Because::Port(port), port.into()));
        let Some(product) = &service.product else { continue };
        let mut hasher = SipHasher13::new_with_keys(key, 2);
        hasher.write_u32(port);
        hasher.write(product.as_bytes());
        all.push(Feature { hash: hasher.finish(), because: Because::Product(port, Arc::clone(product)) });
    }
    all
}
