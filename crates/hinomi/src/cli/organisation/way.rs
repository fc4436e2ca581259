//! How proofs are looked for from this machine: its resolver, and one request to who claims an address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use hinomi_share::proof::World;
use hinomi_survey::OptOut;
use hinomi_survey::outward::Resolver;
use hinomi_survey::outward::token::Looker;

use crate::cli::Common;

#[derive(Debug, Args)]
pub(crate) struct Way {
    /// The name server to ask [default: that of /etc/resolv.conf].
    #[arg(long, value_name = "ADDRESS:PORT")]
    resolver: Option<SocketAddr>,
    /// Ask web servers on addresses that are not public too: claims then reach into this network.
    #[arg(long)]
    beyond_public: bool,
    /// Stands in the request to a web server: a page or an address that says who asks.
    #[arg(long, default_value = "", value_name = "TEXT")]
    contact: String,
}

/// The world as seen from here.
pub(super) struct Outside<'a> {
    way: &'a Way,
    opt_out: Arc<OptOut>,
}

impl Way {
    pub(super) fn open(&self, common: &Common) -> Result<Outside<'_>> {
        Ok(Outside { way: self, opt_out: common.state()?.opt_out()? })
    }
}

impl Outside<'_> {
    fn looker(&self) -> Looker<'_> {
        let Way { resolver, beyond_public, contact } = self.way;
        let resolver = resolver.map_or_else(Resolver::of_system, Resolver::at);
        Looker { resolver, contact: contact.clone(), opt_out: &self.opt_out, beyond_public: *beyond_public }
    }
}

impl World for Outside<'_> {
    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        self.looker().texts(name)
    }

    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        self.looker().addresses(name)
    }

    fn fetch(&self, address: IpAddr, name: &str, token: &str) -> Result<Vec<u8>, String> {
        self.looker().fetch(address, name, token)
    }
}
