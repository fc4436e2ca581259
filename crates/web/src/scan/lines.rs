//! Connections to the page: so many at one time, so many of one network, each for so long.
//!
//! Whoever says nothing, or says it slowly, holds a place for [`MAX_TIME`] and no longer.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::limit::network;

/// Connections at one time.
const MAX_LINES: usize = 512;

/// Connections of one network (an IPv4 address, an IPv6 /64) at one time.
const MAX_OF_ONE: usize = 16;

/// How long a connection may last: longer than a request may take.
const MAX_TIME: Duration = Duration::from_secs(60);

/// Takes connections within the bounds.
pub(super) struct Lines {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// None: the bound of one network does not hold.
    each: Option<Counts>,
    time: Duration,
}

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

impl Lines {
    pub(super) fn new(listener: TcpListener, with_each: bool) -> Self {
        let places = Arc::new(Semaphore::new(MAX_LINES));
        Self { listener, places, each: with_each.then(Counts::default), time: MAX_TIME }
    }
}

impl Listener for Lines {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                // Nobody closes it.
                std::future::pending::<()>().await;
                continue;
            };
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            let own = match &self.each {
                None => None,
                // Who has all of theirs is not answered.
                Some(each) => match Own::take(each, network(peer.ip().to_canonical())) {
                    None => continue,
                    own => own,
                },
            };
            let end = Box::pin(tokio::time::sleep(self.time));
            return (Line { stream, end, _place: place, _own: own }, peer);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

impl Connected<IncomingStream<'_, Lines>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// One of the places of a network; free again when dropped.
struct Own {
    each: Counts,
    network: IpAddr,
}

impl Own {
    fn take(each: &Counts, network: IpAddr) -> Option<Self> {
        let mut counts = each.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(network).or_default();
        if *count >= MAX_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Self { each: Arc::clone(each), network })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut counts = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// One connection.
pub(super) struct Line {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
    _own: Option<Own>,
}

impl Line {
    fn still(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.still(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.still(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.still(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_network_has_some_places_and_gets_them_back() {
        let each = Counts::default();
        let own = |last: u8| Own::take(&each, IpAddr::from([192, 0, 2, last]));
        let mut held: Vec<Own> = (0..MAX_OF_ONE).filter_map(|_| own(1)).collect();
        assert!(held.len() == MAX_OF_ONE && own(1).is_none() && own(2).is_some());
        held.pop();
        assert!(own(1).is_some());
        held.clear();
        assert!(each.lock().expect("whole").is_empty());
    }

    #[tokio::test]
    async fn who_says_nothing_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut lines = Lines::new(listener, true);
        lines.time = Duration::ZERO;
        let caller = std::thread::spawn(move || call(address));
        let (mut line, _) = lines.accept().await;
        let _caller = caller.join().expect("ends").expect("connected");
        let mut buffer = [0; 1];
        let ended = tokio::io::AsyncReadExt::read(&mut line, &mut buffer).await;
        assert_eq!(ended.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        assert_eq!(lines.places.available_permits(), MAX_LINES - 1);
        drop(line);
        assert_eq!(lines.places.available_permits(), MAX_LINES);
    }

    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    fn call(address: SocketAddr) -> io::Result<std::net::TcpStream> {
        std::net::TcpStream::connect(address)
    }
}
