//! `hinomi town`: the simulated town.

mod flows;

use std::net::Ipv4Addr;

use anyhow::Result;
use clap::{Args, Subcommand};
use hinomi_town::{Layout, Plan, PortPlan, Running, TownConfig};
use serde_json::json;

use super::Common;
use crate::output::{self, clean_line};
use crate::townfile;
use crate::watch::until_told_to_stop;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Let the town's devices answer on loopback until Ctrl-C.
    Up(Options),
    /// Print what is true of the town, one service a line; or, of its flows, one remote end a line.
    Truth(Asked),
    /// Tell the flows of the town's lines in IPFIX, with planted botnets and what looks like them.
    Flows(flows::Options),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    town: Options,
    /// Of the remote ends that the town's flows meet.
    #[arg(long)]
    flows: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many devices.
    #[arg(long, default_value_t = 256)]
    pub(crate) size: u32,
    /// Same seed, same town.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Simulated day: firmware, mistakes and inhabitants change from day to day.
    #[arg(long, default_value_t = 0)]
    pub(crate) day: u32,
    /// First address.
    #[arg(long, default_value = "127.77.0.0")]
    pub(crate) base: Ipv4Addr,
    /// Answer what comes in over this interface instead of loopback, for drills in a network of one's own: with
    /// --base in a private range whose addresses are routed here.
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Put every port at its number plus 20000, whether or not the usual one is free.
    #[arg(long)]
    pub(crate) high_ports: bool,
    /// Put all devices on 127.0.0.1, each with ports of its own.
    #[arg(long)]
    pub(crate) single_address: bool,
}

impl Options {
    pub(crate) fn config(&self) -> TownConfig {
        TownConfig {
            seed: self.seed,
            size: self.size,
            base: self.base,
            interface: self.interface.clone(),
            day: self.day,
            ports: if self.high_ports { PortPlan::High } else { PortPlan::Auto },
            layout: if self.single_address { Layout::Single } else { Layout::default() },
            ..TownConfig::default()
        }
    }

    /// Whether this asks for that town: it says the same, or nothing in particular.
    fn means(&self, plan: &Plan) -> bool {
        let (asked, is) = (self.config(), plan.config());
        let same = (asked.seed, asked.size, asked.base, asked.day) == (is.seed, is.size, is.base, is.day);
        same || asked == TownConfig::default()
    }
}

pub(crate) async fn run(common: &Common, verb: Verb) -> Result<()> {
    match verb {
        Verb::Up(options) => up(common, &options).await,
        Verb::Truth(asked) if asked.flows => flows::truth(common, &Plan::new(asked.town.config())?),
        Verb::Truth(asked) => truth(common, &asked.town).await,
        Verb::Flows(options) => flows::run(common, &options).await,
    }
}

async fn up(common: &Common, options: &Options) -> Result<()> {
    let town = hinomi_town::up(options.config()).await?;
    tell_notes(&town);
    let stop = until_told_to_stop();
    let plan = town.plan();
    let _held = townfile::hold(&common.state()?, &plan)?;
    if common.json {
        output::json(&json!({
            "addresses": plan.prefixes(),
            "tcp_ports": plan.tcp_ports(),
            "udp_ports": plan.udp_ports(),
            "size": options.size,
            "seed": options.seed,
            "day": options.day,
            "notes": town.notes(),
        }))?;
    } else {
        let prefixes: Vec<String> = plan.prefixes().iter().map(ToString::to_string).collect();
        output::line(&format!("{} devices answer at {}", options.size, prefixes.join(", ")))?;
        output::line(&format!("tcp ports {}", plan.tcp_ports()))?;
        output::line(&format!("udp ports {}", plan.udp_ports()))?;
    }
    output::talk("Ctrl-C ends the town");
    stop.await;
    town.shutdown().await;
    Ok(())
}

/// Of the town that is up, if it is the one asked for. Otherwise the real ports are known only once they are bound, so
/// the town comes up for a moment.
async fn truth(common: &Common, options: &Options) -> Result<()> {
    if let Some(plan) = townfile::running(&common.state()?)?.filter(|plan| options.means(plan)) {
        return tell_truth(common, &plan);
    }
    let town = hinomi_town::up(options.config()).await?;
    tell_truth(common, &town.plan())?;
    town.shutdown().await;
    Ok(())
}

fn tell_truth(common: &Common, plan: &Plan) -> Result<()> {
    for service in plan.truth() {
        match common.json {
            true => output::json(&service)?,
            false => {
                let protocol = service.protocol.as_ref().map_or("?", |protocol| protocol.as_str());
                let words = [&service.vendor, &service.product, &service.version, &service.model, &service.firmware];
                let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
                let place = format!("{}:{}/{}", service.address, service.port, service.transport);
                output::line(&clean_line(&format!("{place} {protocol} {}", words.join(" ")), 200))?;
            }
        }
    }
    Ok(())
}

/// Says what differs from an ordinary town on this machine.
pub(crate) fn tell_notes(town: &Running) {
    town.notes().iter().for_each(|note| output::talk(note));
}
