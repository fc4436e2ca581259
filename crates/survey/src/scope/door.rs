//! The door itself: the only code in the workspace that opens a connection or sends a datagram to a target.
//!
//! `clippy.toml` bans the calls elsewhere, `xtask layers` looks for them, and the integration test
//! `door` watches the system calls of a whole survey from outside. Nothing is clamped or adjusted: what is not allowed
//! is refused with the rule that forbids it, and counted.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use hinomi_model::scope::{Probe, Request, Rule, Scope, Verdict};
use hinomi_model::{Clock, ServiceKey, Timestamp, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::gate::{Gate, Permitted, is_open};
use super::opt_out::OptOut;
use super::signature::Authorised;
use super::tally::Tally;
use crate::metrics::Metrics;
use crate::pace::Pace;

/// A door for one scope.
pub struct Door {
    authorised: Authorised,
    opt_out: Arc<OptOut>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    tally: Option<Arc<Tally>>,
    /// What the scope permits, for those who send frames; worked out at the first need.
    permitted: OnceLock<Permitted>,
    pace: Option<Arc<Pace>>,
    /// Shut for good: the scope was taken back.
    shut: AtomicBool,
}

/// How long the door waits for the ledger before it gives a packet up.
const LEDGER_WAIT: Duration = Duration::from_secs(60);

/// How often it looks meanwhile.
const LEDGER_LOOK: Duration = Duration::from_millis(20);

/// Whether a scope permits sending at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Openness {
    /// Now.
    Open,
    /// At another hour, or when it is valid.
    Later,
    /// Never again.
    Over,
}

/// Leave to send one probe to one service. Made by [`Door::permit`] only, used up by sending.
#[derive(Debug)]
pub struct Permit {
    key: ServiceKey,
    probe: Probe,
}

impl Permit {
    /// What may be probed.
    pub const fn key(&self) -> ServiceKey {
        self.key
    }

    /// What may be sent.
    pub const fn probe(&self) -> Probe {
        self.probe
    }
}

/// A refusal: what was asked, and the rule that forbids it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{probe} to {key} refused by rule {rule}")]
pub struct Refused {
    /// To what.
    pub key: ServiceKey,
    /// What one would have sent.
    pub probe: Probe,
    /// Why not.
    pub rule: Rule,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// Not authorised.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nothing answered in time.
    #[error("no answer")]
    Silent,
    /// The host said that nothing is there.
    #[error("closed")]
    Closed,
    /// The network or this machine said no.
    #[error("{0}")]
    Failed(io::Error),
}

impl Door {
    /// A door for this authorisation.
    pub const fn new(
        authorised: Authorised,
        opt_out: Arc<OptOut>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            authorised,
            opt_out,
            clock,
            metrics,
            tally: None,
            permitted: OnceLock::new(),
            pace: None,
            shut: AtomicBool::new(false),
        }
    }

    /// The same door, which tells this tally of everything that leaves, and holds it back while the tally's lease has run
    /// out.
    #[must_use]
    pub fn with_tally(self, tally: Arc<Tally>) -> Self {
        Self { tally: Some(tally), ..self }
    }

    /// The same door; what it held back takes its turn of this pace anew, for all of it had one before it waited.
    #[must_use]
    pub fn with_pace(self, pace: Arc<Pace>) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// Who counts what leaves, if somebody does.
    pub const fn tally(&self) -> Option<&Arc<Tally>> {
        self.tally.as_ref()
    }

    /// Waits until the ledger is so far that more may leave to this address, and then for the pace again: what waited
    /// would leave all at once.
    async fn wait_for_ledger(&self, address: IpAddr) -> Result<(), DoorError> {
        let Some(tally) = &self.tally else { return Ok(()) };
        let mut looks = LEDGER_WAIT.as_millis() / LEDGER_LOOK.as_millis();
        while !tally.may_send() {
            while !tally.may_send() {
                looks = looks.saturating_sub(1);
                if looks == 0 {
                    return Err(DoorError::Failed(io::Error::other("the ledger of what is sent is not written")));
                }
                tokio::time::sleep(LEDGER_LOOK).await;
            }
            if let Some(pace) = &self.pace {
                pace.packet_to(address).await;
            }
        }
        Ok(())
    }

    /// Counts what is about to leave. Nothing is waited for between leave to send and this.
    fn count(&self, key: ServiceKey, probe: Probe) {
        self.metrics.sent(1);
        if let Some(tally) = &self.tally {
            tally.sent(key.address, 1);
            tally.with_probe(probe, 1);
        }
    }

    /// The scope that this door guards.
    pub const fn scope(&self) -> &Scope {
        self.authorised.scope()
    }

    /// The authorisation that this door stands on.
    pub const fn authorised(&self) -> &Authorised {
        &self.authorised
    }

    /// The scope compiled with the opt-out list as it is now, and the list's version.
    pub(crate) fn gate(&self) -> (u64, Gate) {
        let permitted = self.permitted.get_or_init(|| Permitted::of(self.scope()));
        self.opt_out.with_version(|version, list| (version, Gate::within(permitted, self.scope(), list)))
    }

    /// Changes whenever the opt-out list does.
    pub(crate) fn opt_out_version(&self) -> u64 {
        self.opt_out.version()
    }

    /// Lets nothing through any more: the scope was taken back.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::Release);
    }

    /// Whether the scope was taken back.
    pub fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// Whether the scope permits anything at this moment, and if not, whether it ever will again.
    pub(crate) fn openness(&self) -> Openness {
        let now = self.now();
        match () {
            () if self.is_shut() => Openness::Over,
            () if is_open(self.scope(), now) => Openness::Open,
            () if now >= self.scope().valid_until => Openness::Over,
            () => Openness::Later,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What has been sent, refused and failed through this door.
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Leave to send this probe now. A refusal is counted.
    ///
    /// # Errors
    /// When a rule forbids it.
    pub fn permit(&self, asked: ServiceKey, probe: Probe) -> Result<Permit, Refused> {
        self.ask(asked, probe).inspect_err(|refused| self.metrics.refused(&refused.rule))
    }

    /// The same question without sending in mind: nothing is counted.
    ///
    /// # Errors
    /// When a rule forbids it.
    pub(crate) fn ask(&self, asked: ServiceKey, probe: Probe) -> Result<Permit, Refused> {
        let key = ServiceKey { address: asked.address.to_canonical(), ..asked };
        if self.is_shut() {
            return Err(Refused { key, probe, rule: Rule::Revoked });
        }
        let time = self.clock.now();
        let request = Request { address: key.address, port: key.port, transport: key.transport, probe, time };
        match self.opt_out.with(|list| self.scope().decide(&request, list)) {
            Verdict::Allowed { .. } => Ok(Permit { key, probe }),
            Verdict::Refused(rule) => Err(Refused { key, probe, rule }),
        }
    }

    /// Whether this probe may be sent over a connection that stands already.
    ///
    /// # Errors
    /// When a rule forbids it.
    pub fn permit_on(&self, connection: &Connection, probe: Probe) -> Result<(), Refused> {
        self.permit(connection.key, probe).map(drop)
    }

    /// Whether anything may ever be sent to this address: the scope has it and it did not opt out.
    pub(crate) fn permits_address(&self, address: IpAddr) -> bool {
        self.opt_out.with(|list| self.scope().permits_address(address, list).is_ok())
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the permit no longer holds, nothing answers, or the host refuses.
    pub async fn connect(&self, permit: Permit, timeout: Duration) -> Result<Connection, DoorError> {
        self.wait_for_ledger(permit.key.address).await?;
        let Permit { key, probe } = self.permit(permit.key, permit.probe)?;
        let transport = Transport::Tcp;
        if key.transport != transport {
            return Err(Refused { key, probe, rule: Rule::Port }.into());
        }
        self.count(key, probe);
        let socket = self.tcp_socket(key.address).map_err(DoorError::Failed)?;
        let attempt = tokio::time::timeout(timeout, open(socket, key.socket()));
        match attempt.await {
            Ok(Ok(stream)) => Ok(Connection { stream, key }),
            Ok(Err(error)) => Err(read_refusal(error)),
            Err(_) => Err(DoorError::Silent),
        }
    }

    /// A socket that talks to one UDP service. What other addresses send it is dropped by the kernel.
    ///
    /// # Errors
    /// When the permit no longer holds or there is no socket to be had.
    pub async fn datagrams(&self, permit: Permit) -> Result<Datagrams, DoorError> {
        let Permit { key, probe } = self.permit(permit.key, permit.probe)?;
        if key.transport != Transport::Udp {
            return Err(Refused { key, probe, rule: Rule::Port }.into());
        }
        let any: IpAddr = match key.address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(DoorError::Failed)?;
        open_udp(&socket, key.socket()).await.map_err(DoorError::Failed)?;
        Ok(Datagrams { socket, key })
    }

    /// Sends one probe over a UDP socket.
    ///
    /// # Errors
    /// When a rule forbids it, or the host or the network says no.
    pub async fn send(&self, socket: &Datagrams, probe: Probe, payload: &[u8]) -> Result<(), DoorError> {
        self.wait_for_ledger(socket.key.address).await?;
        self.permit(socket.key, probe)?;
        self.count(socket.key, probe);
        socket.socket.send(payload).await.map(drop).map_err(read_refusal)
    }

    fn tcp_socket(&self, address: IpAddr) -> io::Result<TcpSocket> {
        let socket = match address {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A survey opens and closes far more connections than there are ports: leave none in TIME_WAIT.
        socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where connections are made, behind Door::permit")]
async fn open(socket: TcpSocket, to: SocketAddr) -> io::Result<TcpStream> {
    socket.connect(to).await
}

#[expect(clippy::disallowed_methods, reason = "the one place where UDP peers are set, behind Door::permit")]
async fn open_udp(socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
    socket.connect(to).await
}

fn read_refusal(error: io::Error) -> DoorError {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused | Kind::ConnectionReset => DoorError::Closed,
        Kind::TimedOut | Kind::HostUnreachable | Kind::NetworkUnreachable => DoorError::Silent,
        _ => DoorError::Failed(error),
    }
}

/// An authorised TCP connection. It can be read and written, and knows where it leads.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    key: ServiceKey,
}

impl Connection {
    /// Where it leads.
    pub const fn key(&self) -> ServiceKey {
        self.key
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// An authorised UDP socket towards one service.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    key: ServiceKey,
}

impl Datagrams {
    /// Where it leads.
    pub const fn key(&self) -> ServiceKey {
        self.key
    }

    /// Waits for one answer, at most `buffer` long.
    ///
    /// # Errors
    /// [`DoorError::Silent`] when none comes in time, [`DoorError::Closed`] when the host says the port is closed.
    pub async fn receive(&self, buffer: &mut [u8], timeout: Duration) -> Result<usize, DoorError> {
        match tokio::time::timeout(timeout, self.socket.recv(buffer)).await {
            Ok(Ok(count)) => Ok(count),
            Ok(Err(error)) => Err(read_refusal(error)),
            Err(_) => Err(DoorError::Silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use hinomi_model::scope::Rate;
    use hinomi_model::time::FixedClock;

    use super::*;
    use crate::scope::{PrivateKey, Trust, sign, verify};

    const DOCUMENT: &str = r#"
format = 1
name = "t"
hours = "always"
valid_from = "2026-11-01T00:00:00Z"
valid_until = "2026-12-01T00:00:00Z"
[authority]
organisation = "O"
person = "P"
[contact]
email = "a@example.org"
[targets]
ranges = ["127.0.0.0/24"]
tcp_ports = "80"
probes = ["connect"]
[rate]
total_pps = 100
per_prefix_pps = 100
per_host_pps = 10
per_host_connections = 1
"#;

    fn door(rate: Rate) -> (Arc<Door>, Arc<Tally>) {
        let key = PrivateKey::generate().expect("a key");
        let signed = sign(DOCUMENT.as_bytes(), &key).expect("signed");
        let now = "2026-11-22".parse().expect("a date");
        let trust = Trust::default().signer(key.public(), "N.");
        let authorised = verify(signed.as_bytes(), &trust, now).expect("authorised");
        let tally = Arc::new(Tally::new(&authorised.scope().ranges));
        let door = Door::new(authorised, Arc::default(), Arc::new(FixedClock(now)), Arc::default());
        (Arc::new(door.with_tally(Arc::clone(&tally)).with_pace(Arc::new(Pace::new(rate)))), tally)
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_for_the_ledger_leaves_at_the_pace() {
        let rate = Rate { total_pps: 10, per_prefix_pps: 10, per_host_pps: 10, per_host_connections: 1 };
        let (door, tally) = door(rate);
        let waiting: Vec<_> = (1..=50_u8)
            .map(|host| {
                let door = Arc::clone(&door);
                tokio::spawn(async move { door.wait_for_ledger(Ipv4Addr::new(127, 0, 0, host).into()).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(waiting.iter().all(|task| !task.is_finished()), "the ledger is late");
        tally.extend(Instant::now(), Duration::from_secs(3_600));
        let start = tokio::time::Instant::now();
        for task in waiting {
            task.await.expect("ends").expect("may send");
        }
        // The ten that the pace saved up in the second before, at most, leave at once.
        assert!(start.elapsed() > Duration::from_secs(3), "{:?}", start.elapsed());
    }
}
