//! The subscribers' lines: one a home of the town, with the device that stands there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hinomi_model::{DeviceKind, Transport};

use crate::host::Host;
use crate::mix;
use crate::plan::Plan;

/// First address of the lines: shared address space (RFC 6598), as behind a carrier's NAT.
const FIRST_V4: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 1);
/// Prefix of the lines that have IPv6: documentation space (RFC 9637), apart from that of the remote ends.
const FIRST_V6: Ipv6Addr = Ipv6Addr::new(0x3fff, 0x64, 0, 0, 0, 0, 0, 1);
/// One line in so many prefers IPv6.
const V6_ONE_IN: u32 = 8;
/// One line in so many is behind a router that tells each direction in a record of its own.
const HALVES_ONE_IN: u32 = 3;
/// Ports of Telnet, where device malware gets in.
const TELNET: [u16; 2] = [23, 2323];

/// A subscriber's line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// From 0; the home's place in the town.
    pub(super) number: u32,
    /// The device that stands there, if anybody is at home.
    pub(super) kind: Option<DeviceKind>,
    /// The device's maker.
    pub(super) maker: &'static str,
    /// Whether the device lets strangers in by Telnet.
    pub(super) is_open: bool,
}

impl Line {
    /// Its address in IPv4.
    pub(super) fn v4(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(FIRST_V4.to_bits() + self.number)
    }

    /// Its address towards a remote end.
    pub(super) fn address(&self, remote: IpAddr) -> IpAddr {
        match remote {
            IpAddr::V4(_) => self.v4().into(),
            IpAddr::V6(_) => Ipv6Addr::from_bits(FIRST_V6.to_bits() + (u128::from(self.number) << 64)).into(),
        }
    }

    pub(super) const fn prefers_v6(&self) -> bool {
        self.number % V6_ONE_IN == 5
    }

    /// Whether its router tells the two directions of a session in two records.
    pub(super) const fn is_told_in_halves(&self) -> bool {
        self.number % HALVES_ONE_IN == 1
    }
}

/// Every line of the town, in the order of the homes.
pub(super) fn lines(plan: &Plan) -> Vec<Line> {
    let config = plan.config();
    let home = |number: u32| plan.host(Ipv4Addr::from_bits(config.base.to_bits().saturating_add(number)));
    (0..config.size).map(|number| line(number, home(number).as_ref())).collect()
}

fn line(number: u32, host: Option<&Host>) -> Line {
    let at_telnet = |host: &&Host| {
        let mut services = host.services();
        let is_device = host.persona.kind != DeviceKind::Decoy && !host.is_every_port();
        is_device && services.any(|(service, port)| service.transport == Transport::Tcp && TELNET.contains(&port))
    };
    Line {
        number,
        kind: host.map(|host| host.persona.kind),
        maker: host.map_or("", |host| host.persona.maker.as_str()),
        is_open: host.filter(at_telnet).is_some(),
    }
}

/// The lines in an order of the seed's own, those with an open device first: who is infected is drawn from its front.
pub(super) fn by_weakness(lines: &[Line], seed: u64) -> Vec<u32> {
    let mut order: Vec<&Line> =
        lines.iter().filter(|line| line.kind.is_some_and(|kind| kind != DeviceKind::Decoy)).collect();
    let draw = |line: &Line| mix::number(&mix::secret(seed, line.v4(), "infected"));
    order.sort_by_key(|line| (!line.is_open, draw(line)));
    order.iter().map(|line| line.number).collect()
}
