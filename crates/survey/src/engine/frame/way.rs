//! The way to the ranges of a scope: which interface, from which address, over which gateway.
//!
//! Frames are addressed to one gateway's hardware address, so all ranges must lie behind the same one (one for IPv4 and
//! one for IPv6). Ranges on the link itself would need an address resolution for each host; they, loopback and what
//! is spread over several interfaces are for connections, or for raw IP sockets, where the kernel finds the way.

use std::io;
use std::net::IpAddr;

use hinomi_model::address::{bounds, from_u128};
use hinomi_netio::{Backend, Interface, OpenError, Route, neighbour};
use ipnet::IpNet;

use super::probe::{Link, Template};

/// Why frames cannot be sent to a scope's ranges.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoWay {
    /// The kernel knows no way.
    #[error("no way to {address}: {source}")]
    Route {
        /// Where to.
        address: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The range lies on the link itself or on this machine.
    #[error("{0} is not behind a gateway; frames are addressed to one")]
    OnLink(IpNet),
    /// Ranges lie behind different gateways or interfaces.
    #[error("{0}, or a part of it, is reached another way than the rest")]
    Spread(IpNet),
    /// The gateway does not say its hardware address.
    #[error("the gateway {gateway} on {interface}: {source}")]
    Gateway {
        /// Which gateway.
        gateway: IpAddr,
        /// On which interface.
        interface: String,
        /// What was met.
        source: io::Error,
    },
    /// The interface cannot be looked at.
    #[error("the interface cannot be examined: {0}")]
    Interface(io::Error),
    /// There is no way of sending frames.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Send(Vec<OpenError>),
    /// Answers cannot be received.
    #[error("answers cannot be received: {0}")]
    Receive(io::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The source ports are taken.
    #[error("source ports cannot be held: {0} (needs CAP_NET_RAW and CAP_NET_ADMIN)")]
    Ports(io::Error),
}

impl From<Vec<OpenError>> for NoWay {
    fn from(refusals: Vec<OpenError>) -> Self {
        Self::Send(refusals)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Way {
    interface: Interface,
    paths: Vec<Path>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path {
    source: IpAddr,
    /// None for raw IP, where the kernel finds it.
    gateway: Option<[u8; 6]>,
}

impl Way {
    /// The way to all of these ranges.
    pub(super) fn find(ranges: &[IpNet], only: Option<Backend>) -> Result<Self, NoWay> {
        let raw = only == Some(Backend::RawIp);
        let mut found: Vec<(Route, IpAddr)> = Vec::new();
        for range in ranges {
            let (first, last) = bounds(*range);
            for address in [first, last].map(from_u128) {
                let route = Route::to(address).map_err(|source| NoWay::Route { address, source })?;
                let source = route.source.ok_or(NoWay::OnLink(*range))?;
                if route.is_local || route.gateway.is_none() && !raw {
                    return Err(NoWay::OnLink(*range));
                }
                let same_family = |(_, other): &&(Route, IpAddr)| other.is_ipv4() == source.is_ipv4();
                let differs = |(before, _): &(Route, IpAddr)| before.gateway != route.gateway && !raw;
                if found.first().is_some_and(|(before, _)| before.interface != route.interface)
                    || found.iter().find(same_family).is_some_and(differs)
                {
                    return Err(NoWay::Spread(*range));
                }
                // Part of a range may be led elsewhere, or nowhere, though its ends are not.
                let inside = Route::inside(range.network(), range.prefix_len());
                let inside = inside.map_err(|source| NoWay::Route { address, source })?;
                let elsewhere =
                    |part: &Route| part.is_local || part.interface != route.interface || part.gateway != route.gateway;
                if !raw && inside.iter().any(elsewhere) {
                    return Err(NoWay::Spread(*range));
                }
                if !found.iter().any(|(_, other)| other.is_ipv4() == source.is_ipv4()) {
                    found.push((route, source));
                }
            }
        }
        let number = found.first().map_or(0, |(route, _)| route.interface);
        let interface = Interface::numbered(number).map_err(NoWay::Interface)?;
        let path = |(route, source): &(Route, IpAddr)| path(&interface, route, *source, raw);
        let paths = found.iter().map(path).collect::<Result<_, _>>()?;
        Ok(Self { interface, paths })
    }

    pub(super) const fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Our addresses.
    pub(super) fn sources(&self) -> Vec<IpAddr> {
        self.paths.iter().map(|path| path.source).collect()
    }

    /// What frames are made from.
    pub(super) fn templates(&self, backend: Backend) -> Vec<Template> {
        let link = |path: &Path| {
            let addresses = path.gateway.zip(self.interface.hardware).filter(|_| backend.has_link_header());
            addresses.map(|(to, from)| Link { to, from })
        };
        self.paths.iter().map(|path| Template::new(path.source, link(path))).collect()
    }
}

fn path(interface: &Interface, route: &Route, source: IpAddr, raw: bool) -> Result<Path, NoWay> {
    let gateway = match route.gateway.filter(|_| !raw && interface.hardware.is_some()) {
        None => None,
        Some(gateway) => Some(neighbour(interface.index, gateway).map_err(|source| {
            let interface = interface.name.clone();
            NoWay::Gateway { gateway, interface, source }
        })?),
    };
    Ok(Path { source, gateway })
}
