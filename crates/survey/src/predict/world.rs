//! A generated world: networks with habits, devices with habits, services on odd ports. No randomness but the seed's.
//!
//! Each /24 belongs to an operator that hands out two or three models of devices; a model opens the ports of its kind,
//! each with its own chance, and one port that only this model has, somewhere between 1,024 and 65,535: no list of
//! popular ports finds that one. One service in twenty stands on a port that nobody can foretell.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::scope::{Authority, Contact, PortSet, Probe, Rate, Scope};
use hinomi_model::{ServiceKey, Severity, Timestamp, Transport};

use super::Known;
use super::explore::Random;

/// What kinds of devices open, and how often of a hundred; the product that answers there.
const KINDS: &[&[(u16, u64, &str)]] = &[
    &[(80, 90, "RouterOS"), (8291, 85, "winbox"), (22, 50, "ROSSSH"), (7547, 70, "cwmp")],
    &[(80, 95, "GoAhead"), (554, 90, "rtsp"), (37777, 80, "dahua")],
    &[(443, 90, "nginx"), (22, 85, "OpenSSH"), (80, 80, "nginx")],
    &[(5000, 90, "DSM"), (5001, 85, "DSM"), (22, 40, "OpenSSH"), (445, 60, "smb")],
    &[(23, 80, "busybox"), (80, 60, "micro_httpd"), (7547, 65, "cwmp"), (52869, 40, "upnp")],
    &[(9100, 80, "jetdirect"), (631, 75, "CUPS"), (80, 70, "printer")],
];

/// See the module.
pub(super) struct World {
    /// Open services with what answers there, in order of address.
    pub(super) open: BTreeMap<ServiceKey, &'static str>,
    /// Its addresses.
    pub(super) ranges: Vec<ipnet::IpNet>,
}

pub(super) fn tcp(address: u32, port: u16) -> ServiceKey {
    ServiceKey { address: IpAddr::V4(address.into()), port, transport: Transport::Tcp }
}

const FIRST: u32 = 0x0a00_0000;

impl World {
    /// So many /24.
    pub(super) fn new(seed: u64, networks: u32) -> Self {
        let mut random = Random(seed);
        let odd: Vec<u16> = (0..48).map(|_| u16::try_from(1_024 + random.below(64_512)).unwrap_or(9)).collect();
        let mut open = BTreeMap::new();
        for network in 0..networks {
            let models: Vec<usize> =
                (0..2 + random.below(2)).map(|_| usize::try_from(random.below(48)).unwrap_or(0)).collect();
            let density = 10 + random.below(60);
            for host in 1..255 {
                if random.below(100) >= density {
                    continue;
                }
                let address = FIRST + network * 256 + host;
                let model = models[usize::try_from(random.below(models.len() as u64)).unwrap_or(0)];
                for (port, chance, product) in KINDS[model % KINDS.len()] {
                    if random.below(100) < *chance {
                        open.insert(tcp(address, *port), *product);
                    }
                }
                if random.below(100) < 75 {
                    open.insert(tcp(address, odd[model]), "own");
                }
                if random.below(20) == 0 {
                    open.insert(tcp(address, u16::try_from(1 + random.below(65_535)).unwrap_or(9)), "stray");
                }
            }
        }
        let ranges = (0..networks).map(|network| {
            let first: IpAddr = IpAddr::V4((FIRST + network * 256).into());
            ipnet::IpNet::new(first, 24).expect("a prefix")
        });
        Self { open, ranges: ranges.collect() }
    }

    /// A scope of these ranges with every port.
    pub(super) fn scope(&self) -> Scope {
        scope(self.ranges.clone(), "1-65535")
    }

    /// Each address by itself, taken with an even chance: the half that was looked at.
    pub(super) fn half(&self, seed: u64) -> Vec<ipnet::IpNet> {
        let mut random = Random(seed ^ 0xa1f);
        let all = self.ranges.iter().flat_map(|range| range.hosts().chain([range.network(), range.broadcast()]));
        let all: BTreeSet<IpAddr> = all.collect();
        all.into_iter().filter(|_| random.below(2) == 0).map(ipnet::IpNet::from).collect()
    }

    pub(super) fn known(&self, key: ServiceKey, time: Timestamp) -> Option<Known> {
        let product = Arc::from(*self.open.get(&key)?);
        Some(Known {
            key,
            first_seen: time,
            last_seen: time,
            product: Some(product),
            kind: None,
            asn: None,
            severity: Severity::Info,
            plant: false,
        })
    }
}

pub(super) fn scope(ranges: Vec<ipnet::IpNet>, ports: &str) -> Scope {
    Scope {
        name: "world".into(),
        authority: Authority { organisation: "O".into(), person: "P".into(), reference: String::new() },
        contact: Contact { email: "a@b".into(), phone: String::new(), page: String::new() },
        ranges,
        exclude: Vec::new(),
        tcp: ports.parse().expect("ports"),
        udp: PortSet::default(),
        probes: Probe::all().collect(),
        probe_ports: Vec::new(),
        rate: Rate { total_pps: 1_000, per_prefix_pps: 100, per_host_pps: 10, per_host_connections: 1 },
        hours: hinomi_model::scope::Hours::always(),
        valid_from: "2026-11-01".parse().expect("a date"),
        valid_until: "2026-12-01".parse().expect("a date"),
    }
}
