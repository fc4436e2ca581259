//! One subscriber that is watched: fans of hosts and of ports within minutes.

use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;

use super::few::Few;
use crate::detect::chain::Steps;
use crate::purpose::{CncDetection, Flow};
use crate::server::Answer;

/// Time in which a fan of targets is a scan.
const WINDOW: Duration = Duration::from_secs(300);
/// Hosts on one port, or ports of one host, that make a scan.
const SCAN_TARGETS: usize = 20;
/// Of a scan's attempts at least this part is in vain, unless the port is one that worms ask for.
const SCAN_IN_VAIN: f64 = 0.6;
/// Ports that nobody opens to twenty hosts in five minutes for a lawful reason of a household.
pub(super) const WORM_PORTS: [u16; 12] = [22, 23, 135, 139, 445, 1433, 2323, 3389, 5555, 5900, 7547, 37215];
/// Connections or datagrams to one host within the window that make a flood.
const FLOOD_FLOWS: u32 = 1_500;
/// Packets to one host in one flow or window that make a flood, when hardly anything comes back.
const FLOOD_PACKETS: u64 = 60_000;
/// Ports and hosts of one subscriber that are followed at once.
const FOLLOWED: usize = 16;

/// One port that a subscriber asks of many hosts.
struct Fan {
    port: u16,
    since: Timestamp,
    targets: Few<IpAddr>,
    attempts: u32,
    in_vain: u32,
    told: bool,
}

/// One host that a subscriber aims at.
struct Aim {
    address: IpAddr,
    since: Timestamp,
    ports: Few<u16>,
    flows: u32,
    packets_out: u64,
    packets_back: u64,
    told: bool,
}

/// What one subscriber does.
#[derive(Default)]
pub(super) struct Subscriber {
    pub(super) seen: Timestamp,
    fans: Vec<Fan>,
    aims: Vec<Aim>,
    pub(super) steps: Steps,
}

/// What a flow makes of an attempt.
pub(super) enum Verdict {
    Nothing,
    Begins(Vec<IpAddr>),
    GoesOn,
}

impl Subscriber {
    /// One port, many hosts; or one host, many ports, whose targets are all of that host's.
    pub(super) fn fan(&mut self, flow: &Flow<CncDetection>) -> Verdict {
        let port = flow.remote.port;
        let is_open = |fan: &Fan| flow.start.since(fan.since) <= WINDOW || fan.told;
        if !self.fans.iter().any(|fan| fan.port == port && is_open(fan)) {
            self.fans.retain(is_open);
            // Announced ones last; of the others the oldest goes.
            if self.fans.len() >= FOLLOWED {
                self.fans.remove(0);
            }
            self.fans.push(Fan::new(port, flow.start));
        }
        let Some(fan) = self.fans.iter_mut().find(|fan| fan.port == port) else { return Verdict::Nothing };
        fan.attempts = fan.attempts.saturating_add(1);
        fan.in_vain = fan.in_vain.saturating_add(u32::from(is_in_vain(flow)));
        fan.targets.note(flow.remote.address);
        if fan.told {
            return Verdict::GoesOn;
        }
        let in_vain = f64::from(fan.in_vain) / f64::from(fan.attempts.max(1));
        if fan.targets.len() < SCAN_TARGETS || (in_vain < SCAN_IN_VAIN && !WORM_PORTS.contains(&port)) {
            return Verdict::Nothing;
        }
        fan.told = true;
        Verdict::Begins(fan.targets.all())
    }

    /// One host: floods and vertical scans.
    pub(super) fn aim(&mut self, flow: &Flow<CncDetection>) -> Verdict {
        let address = flow.remote.address;
        let is_open = |aim: &Aim| flow.start.since(aim.since) <= WINDOW || aim.told;
        if !self.aims.iter().any(|aim| aim.address == address && is_open(aim)) {
            self.aims.retain(is_open);
            if self.aims.len() >= FOLLOWED {
                self.aims.remove(0);
            }
            self.aims.push(Aim::new(address, flow.start));
        }
        let Some(aim) = self.aims.iter_mut().find(|aim| aim.address == address) else { return Verdict::Nothing };
        aim.add(flow);
        if aim.told || !aim.is_attack() {
            return Verdict::Nothing;
        }
        aim.told = true;
        Verdict::Begins(Vec::new())
    }
}

impl Fan {
    const fn new(port: u16, since: Timestamp) -> Self {
        Self { port, since, targets: Few::new(), attempts: 0, in_vain: 0, told: false }
    }
}

impl Aim {
    const fn new(address: IpAddr, since: Timestamp) -> Self {
        let ports = Few::new();
        Self { address, since, ports, flows: 0, packets_out: 0, packets_back: 0, told: false }
    }

    fn add(&mut self, flow: &Flow<CncDetection>) {
        self.flows = self.flows.saturating_add(1);
        self.ports.note(flow.remote.port);
        self.packets_out = self.packets_out.saturating_add(flow.out.map_or(0, |out| out.packets));
        // A record of one direction says nothing of the other: taken as an answer to everything.
        let back = flow.back.map_or(flow.out.map_or(0, |out| out.packets), |back| back.packets);
        self.packets_back = self.packets_back.saturating_add(back);
    }

    fn is_attack(&self) -> bool {
        let one_sided = self.packets_back.saturating_mul(10) < self.packets_out;
        self.ports.len() >= SCAN_TARGETS || self.flows >= FLOOD_FLOWS || one_sided && self.packets_out >= FLOOD_PACKETS
    }
}

/// Silence, a reset, or a handshake that brought nothing.
fn is_in_vain(flow: &Flow<CncDetection>) -> bool {
    matches!(Answer::of(flow), Answer::Silent | Answer::Refused | Answer::Handshake)
}
