//! What is true of the remote ends: which of them command bots, and which only look like it.

use std::net::IpAddr;

use hinomi_model::Transport;
use serde::{Deserialize, Serialize};

use super::Router;
use super::botnets::{self, CALL_SECONDS, HIBANA_SECONDS, PING_SECONDS};
use super::devices::{CLOUDS, Manner};
use super::line::Line;
use super::places;
use super::session::{Remote, UDP};

/// Pseudonyms that the export gate asks for by default.
const SHARED_FROM: usize = 5;

/// What an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointKind {
    /// It commands bots.
    CommandAndControl,
    /// Bots fetch their implant there.
    Loader,
    /// A maker's cloud that devices report to by the clock.
    Cloud,
    /// Push to telephones.
    Push,
    /// Time.
    Time,
    /// Names.
    Names,
    /// Updates.
    Updates,
    /// A company's gateway.
    Vpn,
    /// Mail.
    Mail,
    /// Registration of telephones.
    Calls,
    /// Whom bots flood.
    Victim,
}

/// What a good detection says of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Say {
    /// Named, and with enough bots to be shared.
    NamedAndShared,
    /// Named to the carrier, kept back by the gate: too few bots.
    NamedAndKept,
    /// Not named.
    Nothing,
}

/// The truth of one remote endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTruth {
    /// Where it is.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Over what.
    pub transport: Transport,
    /// What it is.
    pub kind: EndpointKind,
    /// A name to speak of it.
    pub name: String,
    /// Lines infected by it; none where it is lawful.
    pub bots: Vec<IpAddr>,
    /// Seconds from one contact to the next, where there is a clock.
    pub period_s: Option<u32>,
    /// What should be said of it.
    pub say: Say,
    /// How it behaves.
    pub note: String,
}

/// Every endpoint of which something is to be said.
pub(super) fn of(town: &Router) -> Vec<FlowTruth> {
    let bots = town.bots();
    let planted = [
        (
            (botnets::KOGARASHI, "Kogarashi", CALL_SECONDS),
            &bots.kogarashi,
            "devices call in by the clock with jitter; from 02:20 to 05:10 and from 12:00 to 13:30 in Japan it is away \
             and they knock in vain",
        ),
        (
            (botnets::TSURARA, "Tsurara", PING_SECONDS),
            &bots.tsurara,
            "bots keep one line open for hours on which next to nothing passes; every second evening they flood a victim \
             together",
        ),
        (
            (botnets::HIBANA, "Hibana", HIBANA_SECONDS),
            &bots.hibana,
            "each evening: a break-in by Telnet, a download, this server, and scans that all begin at once",
        ),
    ];
    let cnc = planted.into_iter().map(|((remote, name, period_s), lines, note)| {
        let bots = addresses(town, lines, remote);
        let say = if bots.len() >= SHARED_FROM { Say::NamedAndShared } else { Say::NamedAndKept };
        let kind = EndpointKind::CommandAndControl;
        FlowTruth { bots, period_s: Some(period_s as u32), say, ..lawful(remote, kind, name, note) }
    });
    cnc.chain([loader(town), victim(town)]).chain(services()).chain(clouds()).collect()
}

fn loader(town: &Router) -> FlowTruth {
    let note = "the bots of Hibana fetch their implant here before they meet their server";
    let bots = addresses(town, &town.bots().hibana, botnets::LOADER);
    FlowTruth { bots, ..lawful(botnets::LOADER, EndpointKind::Loader, "Hibana's loader", note) }
}

fn victim(town: &Router) -> FlowTruth {
    let note = "the bots of Tsurara flood it: it gets more of their packets than their own server";
    let bots = addresses(town, &town.bots().tsurara, botnets::VICTIM);
    FlowTruth { bots, ..lawful(botnets::VICTIM, EndpointKind::Victim, "Tsurara's victim", note) }
}

fn addresses(town: &Router, lines: &[u32], remote: Remote) -> Vec<IpAddr> {
    town.lines_of(lines).map(|line: &Line| line.address(remote.address)).collect()
}

fn lawful(remote: Remote, kind: EndpointKind, name: &str, note: &str) -> FlowTruth {
    FlowTruth {
        address: remote.address,
        port: remote.port,
        transport: if remote.protocol == UDP { Transport::Udp } else { Transport::Tcp },
        kind,
        name: name.to_owned(),
        bots: Vec::new(),
        period_s: None,
        say: Say::Nothing,
        note: note.to_owned(),
    }
}

fn services() -> impl Iterator<Item = FlowTruth> {
    let each = |list: &'static [Remote], kind, name: &'static str, note: &'static str| {
        list.iter().map(move |remote| lawful(*remote, kind, name, note))
    };
    each(&places::PUSH, EndpointKind::Push, "push service", "long quiet lines of most telephones")
        .chain(each(&places::TIME, EndpointKind::Time, "time server", "asked by the clock"))
        .chain(each(&places::NAMES, EndpointKind::Names, "public resolver", "asked all day"))
        .chain(each(&places::UPDATES, EndpointKind::Updates, "updates", "asked twice a day by every home"))
        .chain(each(
            &places::VPN,
            EndpointKind::Vpn,
            "company gateway",
            "long lines in office hours, some of them idle",
        ))
        .chain(each(&places::MAIL, EndpointKind::Mail, "mail server", "asked every quarter of an hour by few homes"))
        .chain(std::iter::once(lawful(places::CALLS, EndpointKind::Calls, "registrar of calls", "asked by the clock")))
}

fn clouds() -> impl Iterator<Item = FlowTruth> {
    CLOUDS.iter().map(|cloud| {
        let (period_s, note) = match (cloud.manner, cloud.down) {
            (Manner::Report { period_s, .. }, None) => (period_s, "devices of one maker report by the clock"),
            (Manner::Report { period_s, .. }, Some(_)) => (
                period_s,
                "devices of one maker report by the clock; worked on from 01:00 to 03:10, they knock in vain",
            ),
            (Manner::KeepOpen { ping_s, .. }, _) => (ping_s, "devices of one maker keep a quiet line open for hours"),
        };
        let name = format!("cloud of {}", cloud.maker);
        FlowTruth { period_s: Some(period_s as u32), ..lawful(cloud.remote, EndpointKind::Cloud, &name, note) }
    })
}
