//! Who is where outside the town: every remote end lies in documentation ranges (RFC 5737, RFC 3849) and is nobody's.
//!
//! | range | holds |
//! |---|---|
//! | 192.0.2.0/24, 2001:db8:80::/48 | push, time, names, web and content, updates, VPN, mail, clouds of makers |
//! | 198.51.100.0/24, 2001:db8:bee::/48 | scanners, peers, victims |
//! | 203.0.113.0/24 | rented servers: small web sites, and among them what the botnets rent |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dice::Dice;
use super::line::Line;
use super::session::{Remote, TCP, UDP};

/// Web and content servers, popular ones first.
const WEB_SERVERS: u64 = 100;
/// Small web sites on rented servers.
const SMALL_SITES: u64 = 40;
/// Peers that are about.
const PEERS: u64 = 6_000;

pub(super) const fn service(last: u8, port: u16, protocol: u8) -> Remote {
    Remote { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port, protocol }
}

pub(super) const fn elsewhere(last: u8, port: u16, protocol: u8) -> Remote {
    Remote { address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)), port, protocol }
}

pub(super) const fn rented(last: u8, port: u16, protocol: u8) -> Remote {
    Remote { address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)), port, protocol }
}

/// Push services of two makers of telephones.
pub(super) const PUSH: [Remote; 2] = [service(10, 5228, TCP), service(11, 5223, TCP)];
/// A pool of time servers.
pub(super) const TIME: [Remote; 4] =
    [service(20, 123, UDP), service(21, 123, UDP), service(22, 123, UDP), service(23, 123, UDP)];
/// A public resolver.
pub(super) const NAMES: [Remote; 2] = [service(53, 53, UDP), service(54, 53, UDP)];
/// Updates of operating systems.
pub(super) const UPDATES: [Remote; 3] = [service(200, 443, TCP), service(201, 443, TCP), service(202, 80, TCP)];
/// Gateways of companies.
pub(super) const VPN: [Remote; 4] =
    [service(210, 4500, UDP), service(211, 4500, UDP), service(212, 1194, UDP), service(213, 443, TCP)];
/// Mail.
pub(super) const MAIL: [Remote; 3] = [service(220, 993, TCP), service(221, 993, TCP), service(222, 995, TCP)];
/// Where telephones register.
pub(super) const CALLS: Remote = service(240, 5060, UDP);

/// A web server, few of them used by most.
pub(super) fn web(line: &Line, dice: &mut Dice) -> Remote {
    let draw = dice.unit();
    if dice.chance(0.06) {
        return rented(120 + u8::try_from((SMALL_SITES as f64 * draw) as u64).unwrap_or(0), 443, TCP);
    }
    let rank = (WEB_SERVERS as f64 * draw.powi(3)) as u8;
    let port = if rank % 12 == 11 { 80 } else { 443 };
    let protocol = if rank % 5 == 1 && port == 443 && dice.chance(0.7) { UDP } else { TCP };
    if line.prefers_v6() && rank < 40 {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0x80, 0, 0, 0, 0, u16::from(rank) + 1);
        return Remote { address: address.into(), port, protocol };
    }
    service(80 + rank, port, protocol)
}

/// A peer: one of many, each on a port of its own.
pub(super) fn peer(line: &Line, dice: &mut Dice) -> Remote {
    let number = dice.below(PEERS);
    let mut own = Dice::of(&[0x0070_6565_7273, number]);
    let port = u16::try_from(own.between(10_000, 65_535)).unwrap_or(51_413);
    let protocol = if own.chance(0.3) { TCP } else { UDP };
    if line.prefers_v6() {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0xbee, number as u16, 0, 0, 0, 1);
        return Remote { address: address.into(), port, protocol };
    }
    elsewhere(100 + own.below(100) as u8, port, protocol)
}

/// An address that a scanner tries.
pub(super) fn scanned(dice: &mut Dice, port: u16) -> Remote {
    let last = dice.between(1, 255) as u8;
    if dice.chance(0.5) { elsewhere(last, port, TCP) } else { rented(last, port, TCP) }
}
