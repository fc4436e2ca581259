//! Connections: taken in, bounded, and where there is a certificate, spoken to in TLS.
//!
//! Invariants: at most [`MAX_CONNECTIONS`] stand at a time and [`MAX_OF_SOURCE`] from one source; a handshake ends after
//! [`HANDSHAKE_TIME`], a connection on which nothing moves after [`QUIET_TIME`], and one whose client goes on sending and
//! is answered nothing after [`ASKING_TIME`]. So neither slow nor silent ones take the server from others.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::limits::{ASKING_TIME, HANDSHAKE_TIME, MAX_CONNECTIONS, MAX_OF_SOURCE, QUIET_TIME};

/// How long is waited when the system has no room for a connection.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Connections that are ready to be served.
pub(crate) struct Connections {
    ready: Receiver<(Connection, SocketAddr)>,
    address: SocketAddr,
    /// Ends with the listener.
    _taking: TakingIn,
}

struct TakingIn(tokio::task::JoinHandle<()>);

impl Drop for TakingIn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whose connection a request came on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, Connections>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connections {
    /// Those that come here, in TLS where there is a configuration of it.
    pub(crate) fn new(
        listener: TcpListener,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        proxy: Option<IpAddr>,
    ) -> Self {
        // One is enough: whoever finishes a handshake waits here for the server to come for it.
        let (sender, ready) = channel(1);
        let sources = Sources { proxy, ..Sources::default() };
        let taking = take_in(listener, tls.map(TlsAcceptor::from), sources, sender);
        Self { ready, address, _taking: TakingIn(tokio::spawn(taking)) }
    }
}

impl Listener for Connections {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(ready) => ready,
            // Whoever takes connections in has ended, which happens with the listener alone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn take_in(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    sources: Sources,
    ready: Sender<(Connection, SocketAddr)>,
) {
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let sources = Arc::new(sources);
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken in");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Of one too many, the connection is closed without a word.
        let Some(place) = Sources::enter(&sources, peer.ip()) else { continue };
        let held = Held { _seat: seat, _place: place };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let Some(stream) = handshake(stream, tls).await else { return };
            let quiet = Box::pin(tokio::time::sleep(QUIET_TIME));
            let connection = Connection { stream, quiet, asking: None, _held: held };
            // Nobody waits for it when the server has ended.
            let _ = ready.send((connection, peer)).await;
        });
    }
}

async fn handshake(stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Stream> {
    let Some(tls) = tls else { return Some(Stream::Plain(stream)) };
    match tokio::time::timeout(HANDSHAKE_TIME, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// Connections by source.
#[derive(Default)]
struct Sources {
    counts: Mutex<BTreeMap<IpAddr, usize>>,
    /// Speaks for everybody.
    proxy: Option<IpAddr>,
}

impl Sources {
    fn enter(sources: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let source = source_of(peer);
        // A proxy and all behind it are one source, as are this machine's own browsers; the limit on all holds them.
        if !source.is_loopback() && sources.proxy != Some(peer.to_canonical()) {
            let mut counts = sources.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(source).or_default();
            if *count >= MAX_OF_SOURCE {
                return None;
            }
            *count += 1;
        }
        Some(Place { sources: Arc::clone(sources), source })
    }
}

struct Place {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sources.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

/// Who is one source: an IPv4 address, or the network of one customer in IPv6.
pub(crate) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
        other => other,
    }
}

/// What a connection takes up, given back when it ends.
struct Held {
    _seat: OwnedSemaphorePermit,
    _place: Place,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One connection. Ends by itself when nothing moves on it for long, or the client sends for long without an answer.
pub(crate) struct Connection {
    stream: Stream,
    quiet: Pin<Box<Sleep>>,
    /// Since when the client sends, and was answered nothing.
    asking: Option<Instant>,
    _held: Held,
}

impl Connection {
    /// Something moved: it may be quiet again for as long. Nothing did: whether that is for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.quiet.as_mut().reset(Instant::now() + QUIET_TIME);
            return polled;
        }
        match self.quiet.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Whether bytes that came in now came in time; bytes a little at a time keep no connection.
fn is_in_time(asking: &mut Option<Instant>, now: Instant) -> bool {
    now.duration_since(*asking.get_or_insert(now)) <= ASKING_TIME
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, into),
        };
        if into.filled().len() > before && !is_in_time(&mut self.asking, Instant::now()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.watch(context, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        if polled.is_ready() {
            self.asking = None;
        }
        self.watch(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_speaks_for_everybody() {
        let proxy: IpAddr = "192.0.2.1".parse().expect("an address");
        let sources = Arc::new(Sources { proxy: Some(proxy), ..Sources::default() });
        let taken: Vec<_> = (0..=MAX_OF_SOURCE).filter_map(|_| Sources::enter(&sources, proxy)).collect();
        assert_eq!(taken.len(), MAX_OF_SOURCE + 1);
        drop(taken);
        assert!(sources.counts.lock().expect("free").is_empty());
    }

    #[test]
    fn a_request_that_comes_a_byte_at_a_time_ends() {
        let (begin, mut asking) = (Instant::now(), None);
        assert!(is_in_time(&mut asking, begin) && is_in_time(&mut asking, begin + ASKING_TIME));
        assert!(!is_in_time(&mut asking, begin + ASKING_TIME + std::time::Duration::from_millis(1)));
        asking = None;
        assert!(is_in_time(&mut asking, begin + ASKING_TIME * 2), "it was answered in between");
    }

    #[test]
    fn one_source_has_so_many_connections_and_gives_them_back() {
        let sources = Arc::new(Sources::default());
        let enter = |address: &str| Sources::enter(&sources, address.parse().expect("an address"));
        let taken: Vec<_> = (0..MAX_OF_SOURCE).map(|n| enter(&format!("2001:db8::{n:x}")).expect("room")).collect();
        assert!(enter("2001:db8::ffff:1").is_none(), "the same customer");
        assert!(enter("2001:db8:0:1::1").is_some() && enter("192.0.2.1").is_some(), "others");
        drop(taken);
        assert!(enter("2001:db8::1").is_some());
        assert!(sources.counts.lock().expect("free").len() <= 1);
    }
}
