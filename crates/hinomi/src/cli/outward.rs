//! What must answer before a scope of public addresses is surveyed.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, bail};
use clap::Args;
use hinomi_survey::Authorised;
use hinomi_survey::outward::{self, Cleared, Resolver, Sockets};

use crate::output;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Outward {
    /// For public ranges: an address that others see probes come from, whose reverse name is checked; may be repeated
    /// [default: those of this machine's routes].
    #[arg(long = "source", value_name = "ADDRESS")]
    sources: Vec<IpAddr>,
    /// For public ranges: the name server to ask for reverse names [default: that of /etc/resolv.conf].
    #[arg(long, value_name = "ADDRESS:PORT")]
    resolver: Option<SocketAddr>,
}

impl Outward {
    /// Clears a scope: at once where no range is public, else when page, contact and reverse names answer.
    pub(crate) async fn clear(&self, authorised: &Authorised) -> Result<Cleared> {
        let (authorised, sources) = (authorised.clone(), self.sources.clone());
        let resolver = self.resolver.map_or_else(Resolver::of_system, Resolver::at);
        let sockets = Sockets { resolver, contact: authorised.scope().contact.email.clone() };
        let asked = tokio::task::spawn_blocking(move || outward::clear(&authorised, &sources, &sockets)).await?;
        let objections = match asked {
            Ok(cleared) => return Ok(cleared),
            Err(objections) => objections,
        };
        for objection in &objections {
            output::talk(&format!("hinomi: {}", output::clean(&objection.to_string())));
        }
        bail!(
            "the scope reaches public addresses, and {} things must be put right before anything is sent",
            objections.len()
        )
    }
}
