//! `hinomi serve`: pages and API over the lake.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use hinomi_model::SystemClock;
use hinomi_state::Accounts;
use hinomi_web::{Prober, Progress, Server, Settings};
use serde_json::json;

use super::Common;
use crate::door;
use crate::output;
use crate::prober;
use crate::providers::Asker;
use crate::watch::{Watch, until_told_to_stop};

/// The usual port.
pub(crate) const USUAL_PORT: u16 = 8420;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Address to serve on; other than loopback only with accounts, and TLS by web.toml.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Port to serve on.
    #[arg(long, default_value_t = USUAL_PORT)]
    port: u16,
    /// Follow what other servers write, with an index of this server's own: the tables are in a bucket.
    #[arg(long)]
    replica: bool,
    /// How often a replica looks, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

pub(crate) async fn run(common: &Common, options: Options) -> Result<()> {
    let state = common.state()?;
    let every = Duration::from_secs(options.every);
    let (reader, _follower) = match options.replica {
        true => state.replica_for_pages(every).map(|(reader, follower)| (reader, Some(follower)))?,
        false => (state.reader_for_pages()?, None),
    };
    let progress: Arc<dyn Progress> = Arc::new(Watch::default());
    let bind = SocketAddr::new(options.address, options.port);
    let installation = state.installation();
    let door = door::open(state.make()?, reader)?;
    let notices = state.notices(door.clone())?;
    let settings = Settings::of_state(state.dir())?;
    let prober = settings.outside_probe.as_ref().map(|told| prober::open(&state, told, &door)).transpose()?;
    let server = Server {
        door: door.clone(),
        progress,
        clock: Arc::new(SystemClock),
        bind,
        installation,
        simulated: None,
        accounts: Accounts::of(hinomi_state::Settings::of_state(state.dir())?.target),
        settings: Settings { notices: crate::notices::settings(state.dir())?, ..settings },
        outward: Arc::new(Asker::new()),
        prober: prober.map(|prober| prober as Arc<dyn Prober>),
    };
    let bound = server.bind().await?;
    let _alerts = state.alerts(door)?;
    let _notices = notices.map(crate::notices::start).transpose()?;
    let stop = until_told_to_stop();
    let url = bound.url();
    if let Some(first) = bound.first_start() {
        output::talk("nobody has an account yet: whoever is at this machine sees everything");
        output::talk(&format!("the first administrator is made here, once: {first}"));
    }
    match common.json {
        true => output::json(&json!({ "url": url }))?,
        false => output::line(&url)?,
    }
    bound.run(stop).await?;
    Ok(())
}
