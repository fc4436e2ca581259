//! Binding, routing and ending.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hinomi_model::Clock;
use hinomi_share::Door;
use hinomi_state::{Accounts, secret};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::Turns;
use crate::auth::admit::FIRST;
use crate::limits::SHUTDOWN_TIME;
use crate::listener::{Connections, Peer};
use crate::outward::Outward;
use crate::page::Outlook;
use crate::prober::Prober;
use crate::settings::Settings;
use crate::watch::Progress;
use crate::words::Catalogues;
use crate::{WebError, api, asset, guard, link, misp, page, shodan, taxii, tls};

/// What a server needs.
pub struct Server {
    /// Through which the lake is read, by whoever is let in.
    pub door: Door,
    /// How running surveys are doing.
    pub progress: Arc<dyn Progress>,
    /// What "now" is on the pages.
    pub clock: Arc<dyn Clock>,
    /// Where to listen; loopback, unless people sign in and TLS is spoken. Port 0 takes any free port.
    pub bind: SocketAddr,
    /// Who may sign in.
    pub accounts: Accounts,
    /// How the server is reached.
    pub settings: Settings,
    /// By whom identity providers are asked.
    pub outward: Arc<dyn Outward>,
    /// Which installation this is: what leaves is said to be of it.
    pub installation: String,
    /// Set when the devices are simulated: every page says so.
    pub simulated: Option<Simulated>,
    /// Who looks at visitors from outside, where the operator switched that on.
    pub prober: Option<Arc<dyn Prober>>,
}

/// A demonstration: the devices on the pages are simulated ones on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// How many there are.
    pub devices: u64,
}

impl Server {
    /// Listens. Connections wait until [`Bound::run`].
    ///
    /// # Errors
    /// When others could reach the address and nobody signs in or no TLS is spoken, it is in use, or is refused by the
    /// system; or the certificate or the state cannot be read.
    pub async fn bind(self) -> Result<Bound, WebError> {
        let address = self.bind;
        let people = self.accounts.exist()?;
        may_listen(address, people, &self.settings)?;
        let tls = self.settings.tls.as_ref().map(tls::config).transpose().map_err(WebError::Tls)?;
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => WebError::InUse { port: address.port() },
            _ => WebError::Bind { address, source },
        })?;
        let address = listener.local_addr().map_err(|source| WebError::Bind { address, source })?;
        // While anybody has an account the link opens nothing.
        let first = secret::secret()?;
        let proxy = self.settings.proxy;
        let app = App {
            door: self.door,
            seats: Arc::default(),
            accounts: self.accounts,
            turns: Arc::new(Turns::default()),
            settings: Arc::new(self.settings),
            outward: self.outward,
            first: first.clone().into(),
            progress: self.progress,
            clock: self.clock,
            self_checks: Arc::default(),
            catalogues: Catalogues::load()?,
            outlook: Arc::new(Outlook::default()),
            installation: self.installation.into(),
            simulated: self.simulated,
            prober: self.prober,
            looks: Arc::default(),
        };
        let listener = Connections::new(listener, address, tls, proxy);
        let first = (!people).then(|| link::with_parameters(FIRST, [("key", first.as_str())]));
        Ok(Bound { listener, address, secure: app.settings.is_secure(), first, router: router(app) })
    }
}

/// A server that listens.
pub struct Bound {
    listener: Connections,
    address: SocketAddr,
    secure: bool,
    first: Option<String>,
    router: Router,
}

impl Bound {
    /// Where it listens, with the port that was really taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Where the first administrator can be made, by whoever has this address; none where there is somebody already.
    pub fn first_start(&self) -> Option<String> {
        self.first.as_ref().map(|path| format!("{}{path}", self.url()))
    }

    /// Serves until `shutdown` is done, then gives open connections [`SHUTDOWN_TIME`] to finish.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), WebError> {
        let (told, ending) = oneshot::channel::<()>();
        let service = self.router.into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(async move {
            shutdown.await;
            // The other side waits for nothing else; if it is gone there is nobody to tell.
            let _ = told.send(());
        });
        let patience = async {
            // An error means that serving ended by itself; the other branch tells why.
            if ending.await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(SHUTDOWN_TIME).await;
        };
        tokio::select! {
            ended = serving.into_future() => ended.map_err(WebError::Stopped),
            () = patience => Ok(()),
        }
    }
}

/// Whether the server may listen there.
fn may_listen(address: SocketAddr, people: bool, settings: &Settings) -> Result<(), WebError> {
    let near = address.ip().to_canonical().is_loopback();
    if !near && !settings.is_secure() {
        return Err(WebError::NotLoopback { address, port: address.port() });
    }
    // Behind a proxy everybody comes from where the proxy is, which may be this machine.
    if !people && (!near || settings.proxy.is_some()) {
        return Err(WebError::NobodySignsIn { address });
    }
    Ok(())
}

fn router(app: App) -> Router {
    let router = Router::new().merge(page::routes()).merge(api::routes()).merge(asset::routes());
    let router = router.merge(taxii::routes()).merge(shodan::routes()).merge(misp::routes());
    let router = router.fallback(page::fault::not_found).method_not_allowed_fallback(page::fault::wrong_method);
    router.layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard)).with_state(app)
}
