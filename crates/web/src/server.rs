//! Binding, routing and ending.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hinomi_model::Clock;
use hinomi_share::Door;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::App;
use crate::limits::SHUTDOWN_TIME;
use crate::page::Outlook;
use crate::watch::Progress;
use crate::words::Catalogues;
use crate::{WebError, api, asset, guard, misp, page, shodan, taxii};

/// What a server needs.
pub struct Server {
    /// Through which the lake is read, by whoever is let in.
    pub door: Door,
    /// How running surveys are doing.
    pub progress: Arc<dyn Progress>,
    /// What "now" is on the pages.
    pub clock: Arc<dyn Clock>,
    /// Where to listen; loopback. Port 0 takes any free port.
    pub bind: SocketAddr,
    /// Which installation this is: what leaves is said to be of it.
    pub installation: String,
    /// Set when the devices are simulated: every page says so.
    pub simulated: Option<Simulated>,
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
    /// When the address is not loopback, is in use, or is refused by the system.
    pub async fn bind(self) -> Result<Bound, WebError> {
        let address = self.bind;
        if !address.ip().to_canonical().is_loopback() {
            return Err(WebError::NotLoopback { address, port: address.port() });
        }
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => WebError::InUse { port: address.port() },
            _ => WebError::Bind { address, source },
        })?;
        let address = listener.local_addr().map_err(|source| WebError::Bind { address, source })?;
        let app = App {
            door: self.door,
            seats: Arc::default(),
            progress: self.progress,
            clock: self.clock,
            catalogues: Catalogues::load()?,
            outlook: Arc::new(Outlook::default()),
            installation: self.installation.into(),
            simulated: self.simulated,
        };
        Ok(Bound { listener, address, router: router(app) })
    }
}

/// A server that listens.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Bound {
    /// Where it listens, with the port that was really taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, then gives open connections [`SHUTDOWN_TIME`] to finish.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), WebError> {
        let (told, ending) = oneshot::channel::<()>();
        let serving = axum::serve(self.listener, self.router).with_graceful_shutdown(async move {
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

fn router(app: App) -> Router {
    let router = Router::new().merge(page::routes()).merge(api::routes()).merge(asset::routes());
    let router = router.merge(taxii::routes()).merge(shodan::routes()).merge(misp::routes());
    let router = router.fallback(page::fault::not_found).method_not_allowed_fallback(page::fault::wrong_method);
    router.layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard)).with_state(app)
}
