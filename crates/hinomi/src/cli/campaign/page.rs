//! `hinomi campaign page`: the page that says who surveys and how to stop it, for everybody.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use hinomi_survey::ledger::event::Asked;
use hinomi_survey::scope::read_signed;
use hinomi_web::scan::{OpenCampaign, Operator, Proxy};
use hinomi_web::{ScanDesk, ScanServer};
use ipnet::IpNet;
use serde_json::json;

use super::super::Common;
use crate::books::Shelf;
use crate::optout::OptOuts;
use crate::output;
use crate::watch::until_told_to_stop;

/// The usual port: beside that of `hinomi serve`.
const USUAL_PORT: u16 = 8421;

/// Who asks, in the ledger.
const BY: &str = "the scan page";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Address to serve on. It may be one that others reach: the page shows nothing about anybody.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Port to serve on.
    #[arg(long, default_value_t = USUAL_PORT)]
    port: u16,
    /// Why you survey, in your own words [default: the usual reason].
    #[arg(long, default_value = "")]
    purpose: String,
    /// An address that probes come from, as visitors see it; may be repeated.
    #[arg(long = "source", value_name = "TEXT")]
    sources: Vec<String>,
    /// Mail address for questions.
    #[arg(long, default_value = "")]
    email: String,
    /// Address of the proxy in front of this page: only its requests are answered then.
    #[arg(long, value_name = "ADDRESS", requires = "client_header")]
    proxy: Option<IpAddr>,
    /// Header in which that proxy says who asks, as x-forwarded-for. The last address in it counts.
    #[arg(long, value_name = "NAME", requires = "proxy")]
    client_header: Option<String>,
}

pub(super) async fn run(common: &Common, options: Options) -> Result<()> {
    let state = common.state()?;
    let proxy = match (options.proxy, options.client_header) {
        (Some(address), Some(header)) if is_header(&header) => Some(Proxy { address, header: header.to_lowercase() }),
        (Some(_), Some(header)) => bail!("{header:?} is not the name of a header"),
        _ => None,
    };
    let desk = Desk { shelf: Shelf::of(&state), outs: OptOuts::of(&state) };
    let server = ScanServer {
        desk: Arc::new(desk),
        operator: Operator { purpose: options.purpose, sources: options.sources, email: options.email },
        bind: SocketAddr::new(options.address, options.port),
        proxy,
        key: key()?,
    };
    let bound = server.bind().await?;
    let stop = until_told_to_stop();
    let url = format!("http://{}/scan", bound.address());
    match common.json {
        true => output::json(&json!({ "url": url }))?,
        false => output::line(&url)?,
    }
    Ok(bound.run(stop).await?)
}

/// What the forms of this process are marked with.
fn key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut key));
    read.context("the system has no randomness")?;
    Ok(key)
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Answers for the installation.
struct Desk {
    shelf: Shelf,
    outs: OptOuts,
}

impl ScanDesk for Desk {
    fn campaigns(&self) -> Result<Vec<OpenCampaign>, String> {
        let running = self.shelf.all_running().map_err(|error| format!("{error:#}"))?;
        let mut open: Vec<OpenCampaign> = running.iter().filter_map(|run| self.open(&run.digest)).collect();
        open.dedup();
        Ok(open)
    }

    fn opt_out(&self, address: IpAddr) -> Result<bool, String> {
        self.outs.enter(IpNet::from(address), Asked::Proved, BY).map_err(|error| format!("{error:#}"))
    }

    fn request(&self, prefix: IpNet, contact: &str, visitor: IpAddr) -> Result<bool, String> {
        let number = self.outs.request(prefix, contact, visitor, BY).map_err(|error| format!("{error:#}"))?;
        Ok(number.is_some())
    }
}

impl Desk {
    fn open(&self, digest: &str) -> Option<OpenCampaign> {
        let bytes = std::fs::read(self.shelf.scope(digest)).ok()?;
        let scope = read_signed(&bytes).ok()?.scope;
        Some(OpenCampaign {
            scope: scope.name,
            authority: format!("{}, {}", scope.authority.organisation, scope.authority.person),
            reference: scope.authority.reference,
            email: scope.contact.email,
            phone: scope.contact.phone,
            probes: scope.probes.iter().map(ToString::to_string).collect(),
            until: scope.valid_until,
        })
    }
}
