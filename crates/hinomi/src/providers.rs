//! What `hinomi serve` asks identity providers: names are resolved to public addresses alone, unless the settings say that a
//! provider is near; redirects are answers; answers and waiting are bounded.

use std::time::Duration;

use hinomi_model::scope::is_public;
use hinomi_web::{Incoming, Outgoing, Outward};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, config::Config, http::Uri};

/// How long one answer may take: a sign-in asks three times within one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Asks them.
pub(crate) struct Asker {
    far: Agent,
    near: Agent,
}

impl Asker {
    pub(crate) fn new() -> Self {
        Self { far: agent(false), near: agent(true) }
    }
}

impl Outward for Asker {
    fn ask(&self, request: &Outgoing) -> Result<Incoming, String> {
        let agent = if request.near { &self.near } else { &self.far };
        let said = match &request.form {
            Some(form) => {
                let mut builder = agent.post(&request.url).content_type("application/x-www-form-urlencoded");
                if let Some(value) = &request.authorization {
                    builder = builder.header("authorization", value);
                }
                builder.header("accept", "application/json").send(form)
            }
            None => {
                let mut builder = agent.get(&request.url).header("accept", "application/json");
                if let Some(value) = &request.authorization {
                    builder = builder.header("authorization", value);
                }
                builder.call()
            }
        };
        let mut answer = said.map_err(|error| format!("{}: {error}", request.url))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        Ok(Incoming { status, body: body.map_err(|error| format!("{}: {error}", request.url))? })
    }
}

fn agent(near: bool) -> Agent {
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = found.iter().map(|one| ureq::tls::Certificate::from_der(one).to_owned()).collect();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("hinomi/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(0)
        .timeout_global(Some(PATIENCE))
        .tls_config(ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::from(roots)).build());
    let resolver = Known { inner: DefaultResolver::default(), near };
    Agent::with_parts(config.build(), DefaultConnector::new(), resolver)
}

/// Resolves names to public addresses, and of providers that are near to any.
#[derive(Debug)]
struct Known {
    inner: DefaultResolver,
    near: bool,
}

impl Resolver for Known {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        for address in found.iter().filter(|one| self.near || is_public(one.ip().to_canonical().into())) {
            allowed.push(*address);
        }
        match allowed.is_empty() {
            true => Err(ureq::Error::Io(std::io::Error::other(
                "its address is not a public one: private = true under [[oidc]] in web.toml allows that",
            ))),
            false => Ok(allowed),
        }
    }
}
