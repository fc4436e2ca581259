//! What was asked and when: finished campaigns. Surveys store who answered and not who did not; that a target was asked
//! follows from the campaign that held it having come to its end.

use hinomi_model::address::to_u128;
use hinomi_model::scope::{PortSet, Scope};
use hinomi_model::{ServiceKey, Timestamp, Transport};
use ipnet::Ipv6Net;

use super::ground::Ground;
use super::{code, port_of};
use crate::campaign::forecast::{Spans, left_of};
use crate::six::alias::AliasedPrefixes;
use crate::sweep::List;

/// The most finished campaigns that are looked at, the newest.
pub const MAX_ASKED: usize = 64;

/// One finished campaign.
#[derive(Clone, Debug)]
pub struct Asked {
    area: Area,
    /// Before this nothing of it was sent.
    pub started: Timestamp,
    /// After this nothing of it was sent.
    pub ended: Timestamp,
    /// The part of it that was drawn at random: of whole ranges, all.
    random: Option<List>,
}

#[derive(Clone, Debug)]
enum Area {
    /// Every address with every port.
    Whole {
        addresses: Spans,
        tcp: PortSet,
        udp: PortSet,
    },
    List(List),
}

impl Asked {
    /// Every address of a scope with these ports.
    pub fn whole(scope: &Scope, tcp: PortSet, udp: PortSet, started: Timestamp, ended: Timestamp) -> Self {
        // Who has opted out since was asked then, and is not asked now whatever this says.
        let area = Area::Whole { addresses: left_of(scope, &[]), tcp, udp };
        Self { area, started, ended, random: None }
    }

    /// A list of targets, of which these were drawn at random.
    pub const fn list(list: List, random: Option<List>, started: Timestamp, ended: Timestamp) -> Self {
        Self { area: Area::List(list), started, ended, random }
    }

    /// The same without what a list left out because every address of these prefixes answers: of each the lowest address
    /// stood for all.
    #[must_use]
    pub fn without(self, aliased: &[Ipv6Net]) -> Self {
        let Area::List(list) = &self.area else { return self };
        if aliased.is_empty() {
            return self;
        }
        let mut prefixes = AliasedPrefixes::new(aliased.iter().copied());
        let list = list.filtered(|key| prefixes.admits(key.address));
        let random = self.random.map(|random| random.filtered(|key| list.contains(key)));
        Self { area: Area::List(list), random, ..self }
    }

    /// Whether it asked there.
    pub fn holds(&self, key: ServiceKey) -> bool {
        match &self.area {
            Area::Whole { tcp, udp, .. } => {
                let ports = if key.transport == Transport::Tcp { tcp } else { udp };
                ports.contains(key.port) && self.holds_address(key.address)
            }
            Area::List(list) => list.contains(key),
        }
    }

    /// Whether it asked this address without regard to what was expected of it: as part of a range, or at every port of
    /// this ground.
    pub(super) fn asked_throughout(&self, address: std::net::IpAddr, ground: &Ground) -> bool {
        match &self.area {
            Area::Whole { .. } => self.holds_address(address),
            Area::List(list) => {
                let permitted = |key: &ServiceKey| ground.permits_port(code((key.transport, key.port)));
                let ports = ground.ports().len();
                ports > 0 && list.of_address(address).filter(permitted).count() >= ports
            }
        }
    }

    /// Whether it asked this address as part of a range.
    fn holds_address(&self, address: std::net::IpAddr) -> bool {
        matches!(&self.area, Area::Whole { addresses, .. } if addresses.hold(address.is_ipv6(), to_u128(address)))
    }

    /// Whether it asked this address at any port.
    pub(super) fn touches(&self, address: std::net::IpAddr) -> bool {
        match &self.area {
            Area::Whole { .. } => self.holds_address(address),
            Area::List(list) => list.holds_address(address),
        }
    }

    /// Where a list asked this address; campaigns over whole ranges say nothing here.
    pub(super) fn listed_at(&self, address: std::net::IpAddr) -> impl Iterator<Item = u32> + '_ {
        let list = match &self.area {
            Area::Whole { .. } => None,
            Area::List(list) => Some(list),
        };
        let keys = list.into_iter().flat_map(move |list| list.of_address(address));
        keys.map(|key| code((key.transport, key.port)))
    }

    /// Whether everything of some ranges was asked.
    pub const fn is_whole(&self) -> bool {
        matches!(self.area, Area::Whole { .. })
    }

    /// Whether this target was asked without regard to what was expected of it.
    pub(super) fn asked_at_random(&self, key: ServiceKey) -> bool {
        match &self.area {
            Area::Whole { .. } => self.holds(key),
            Area::List(_) => self.random.as_ref().is_some_and(|list| list.contains(key)),
        }
    }

    /// Whether it asked this port of the ground at addresses that it asked throughout.
    pub(super) fn has_port(&self, port: u32) -> bool {
        let (transport, port) = port_of(port);
        match &self.area {
            Area::Whole { tcp, udp, .. } => (if transport == Transport::Tcp { tcp } else { udp }).contains(port),
            Area::List(_) => true,
        }
    }

    /// The addresses that it asked, where it asked whole ranges.
    pub(super) const fn addresses(&self) -> Option<&Spans> {
        match &self.area {
            Area::Whole { addresses, .. } => Some(addresses),
            Area::List(_) => None,
        }
    }

    /// How many targets it drew at random, by port.
    pub(super) fn random_by_port(&self, mut each: impl FnMut(u32, u64)) {
        match &self.area {
            Area::Whole { addresses, tcp, udp } => {
                let many = addresses.count();
                tcp.iter().for_each(|port| each(code((Transport::Tcp, port)), many));
                udp.iter().for_each(|port| each(code((Transport::Udp, port)), many));
            }
            Area::List(_) => {
                let drawn = self.random.iter().flat_map(List::iter);
                drawn.for_each(|key| each(code((key.transport, key.port)), 1));
            }
        }
    }
}
