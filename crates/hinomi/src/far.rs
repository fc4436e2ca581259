//! Requests to web servers of others: names are resolved to public addresses alone, unless somebody said that others may be
//! asked, by the connection that is then made and no other; redirects are answers, no proxy is used, waiting is bounded.

use std::time::Duration;

use hinomi_model::scope::is_public;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, config::Config, http::Uri};

/// How servers are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    /// How long one answer may take.
    pub(crate) patience: Duration,
    /// Whether addresses of networks that are not public may be asked.
    pub(crate) private: bool,
    /// What allows that, for whoever is refused.
    pub(crate) allowed_by: &'static str,
}

/// Who asks so, and trusts these certificates; without any, those of this machine.
pub(crate) fn agent(asking: Asking, roots: Option<Vec<Certificate<'static>>>) -> Agent {
    let own = || {
        let found = rustls_native_certs::load_native_certs().certs;
        found.iter().map(|one| Certificate::from_der(one).to_owned()).collect()
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("hinomi/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(0)
        .timeout_global(Some(asking.patience))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots.unwrap_or_else(own))).build());
    let resolver = Outward { inner: DefaultResolver::default(), asking };
    Agent::with_parts(config.build(), DefaultConnector::new(), resolver)
}

/// Resolves names to the addresses that may be asked.
#[derive(Debug)]
struct Outward {
    inner: DefaultResolver,
    asking: Asking,
}

impl Resolver for Outward {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        for address in found.iter().filter(|one| self.asking.private || is_public(one.ip().to_canonical().into())) {
            allowed.push(*address);
        }
        match allowed.is_empty() {
            true => Err(ureq::Error::Io(std::io::Error::other(format!(
                "its address is not a public one; {} allows that",
                self.asking.allowed_by
            )))),
            false => Ok(allowed),
        }
    }
}
