//! The scan page: who surveys, why, and how to stop it. For everybody, so it is a server of its own.
//!
//! ```text
//!   GET  /scan            who, on whose authority, why, with which probes, from where; the visitor's own address
//!   POST /scan/opt-out    the address that the request comes from is surveyed no more: coming from it is the proof
//!   POST /scan/request    other addresses: the operator decides
//! ```
//!
//! It has no door to the lake: what it knows comes from a [`ScanDesk`], and nothing on it is about a visitor or a host
//! but the visitor's own address. The address is what the connection says; a proxy's word is taken only from the one
//! proxy that is named ([`Proxy`]), and then nothing else is. A form counts only with the mark that the page gave to the
//! same visitor ([`mark`]): no other page can send one in their name. Everything is bounded: connections ([`lines`]),
//! bodies, time, and how much one visitor and all of them may ask ([`limit`]).

mod limit;
mod lines;
mod mark;
mod page;
mod visitor;

use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use hinomi_model::Timestamp;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use visitor::Proxy;
pub(crate) use visitor::address as visitor_address;

use crate::limits::{REQUEST_TIME, SHUTDOWN_TIME};
use crate::words::Catalogues;
use crate::{WebError, asset, guard};
use limit::Limit;
use lines::{Lines, Peer};
use mark::Marks;

/// What the page says of whoever runs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// Why it surveys, in its own words; empty for the usual ones.
    pub purpose: String,
    /// Addresses that probes come from, with their names, as text.
    pub sources: Vec<String>,
    /// Where mail is read.
    pub email: String,
}

/// A campaign as the world may know it: neither ranges nor results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCampaign {
    /// Name of its scope.
    pub scope: String,
    /// Organisation and person that authorise it.
    pub authority: String,
    /// Contract, decision or law that it rests on.
    pub reference: String,
    /// Mail address.
    pub email: String,
    /// Telephone.
    pub phone: String,
    /// Names of the probes that it may send.
    pub probes: Vec<String>,
    /// When its permission ends.
    pub until: Timestamp,
}

/// What the page asks of the installation.
pub trait ScanDesk: Send + Sync {
    /// The campaigns that run right now.
    ///
    /// # Errors
    /// When it is not known, with a reason for the log.
    fn campaigns(&self) -> Result<Vec<OpenCampaign>, String>;

    /// The address is surveyed no more. Tells whether that is new.
    ///
    /// # Errors
    /// When it could not be written down, with a reason for the log.
    fn opt_out(&self, address: IpAddr) -> Result<bool, String>;

    /// Somebody asks for other addresses. Tells whether that is new.
    ///
    /// # Errors
    /// When it could not be written down, with a reason for the log.
    fn request(&self, prefix: IpNet, contact: &str, visitor: IpAddr) -> Result<bool, String>;
}

/// What the server needs.
pub struct ScanServer {
    /// What it asks.
    pub desk: Arc<dyn ScanDesk>,
    /// What it says of whoever runs it.
    pub operator: Operator,
    /// Where to listen. Port 0 takes any free port.
    pub bind: SocketAddr,
    /// The proxy in front of it, if one is.
    pub proxy: Option<Proxy>,
    /// Random bytes that nobody else knows, new for every server.
    pub key: [u8; 32],
}

/// Shared by all requests.
#[derive(Clone)]
struct Shared {
    desk: Arc<dyn ScanDesk>,
    operator: Arc<Operator>,
    proxy: Option<Proxy>,
    catalogues: Catalogues,
    /// Opting the own address out is never kept waiting by requests for others.
    own: Arc<Limit>,
    requests: Arc<Limit>,
    marks: Arc<Marks>,
    running: Arc<Mutex<Known>>,
}

/// The campaigns that ran at that time, once it was asked.
type Known = Option<(Instant, Vec<OpenCampaign>)>;

/// A server that listens.
pub struct ScanBound {
    lines: Lines,
    address: SocketAddr,
    router: Router,
}

impl ScanServer {
    /// Listens. Connections wait until [`ScanBound::run`].
    ///
    /// # Errors
    /// When the address is in use or is refused by the system.
    pub async fn bind(self) -> Result<ScanBound, WebError> {
        let address = self.bind;
        let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
            ErrorKind::AddrInUse => WebError::InUse { port: address.port() },
            _ => WebError::Bind { address, source },
        })?;
        let address = listener.local_addr().map_err(|source| WebError::Bind { address, source })?;
        let shared = Shared {
            desk: self.desk,
            operator: Arc::new(self.operator),
            proxy: self.proxy,
            catalogues: Catalogues::load()?,
            own: Arc::default(),
            requests: Arc::default(),
            marks: Arc::new(Marks::new(self.key, Instant::now())),
            running: Arc::default(),
        };
        // Behind a proxy all come from one address.
        let lines = Lines::new(listener, shared.proxy.is_none());
        Ok(ScanBound { lines, address, router: router(shared) })
    }
}

impl ScanBound {
    /// Where it listens, with the port that was really taken.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), WebError> {
        let service = self.router.into_make_service_with_connect_info::<Peer>();
        let (told, ending) = tokio::sync::oneshot::channel::<()>();
        let serving = axum::serve(self.lines, service).with_graceful_shutdown(async move {
            shutdown.await;
            // The other side waits for nothing else; if it is gone there is nobody to tell.
            let _ = told.send(());
        });
        let patience = async {
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

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/scan") }))
        .route("/scan", get(page::show))
        .route("/scan/opt-out", post(page::opt_out))
        .route("/scan/request", post(page::request))
        .route("/assets/{name}", get(give))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(axum::middleware::from_fn_with_state(shared.clone(), around))
        .with_state(shared)
}

async fn give(axum::extract::Path(name): axum::extract::Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    asset::give(&name, &headers, &uri)
}

/// Whether a page of another site sends a form, or fetches something else than a page.
fn is_foreign(request: &Request) -> bool {
    let headers = request.headers();
    guard::is_fetched_by_another_site(headers) || (request.method() == Method::POST && guard::is_led_here(headers))
}

/// What every request passes: other sites' pages may not send forms in a visitor's name, and time is bounded. Finds out
/// who the visitor is.
async fn around(
    State(shared): State<Shared>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match visitor::address(peer.ip(), request.headers(), shared.proxy.as_ref()) {
        None => StatusCode::BAD_REQUEST.into_response(),
        Some(_) if is_foreign(&request) => StatusCode::FORBIDDEN.into_response(),
        Some(address) => {
            request.extensions_mut().insert(visitor::Visitor(address));
            match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
                Ok(response) => response,
                Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
            }
        }
    };
    guard::harden(&mut response);
    response
}
