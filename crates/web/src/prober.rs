//! Looking at one address from outside, at the request of who comes from it.
//!
//! The server knows no sensor: who sends is given to it by the program, and decides by itself what may be sent where. Pages
//! ask for consent, count and show ([`crate::page`]); here are the words that both use.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use hinomi_model::{Service, Transport};

/// Whether an address may be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Nothing is said of it: the address is in no scope, or none is in force.
    None,
    /// Several homes share the address: what answers there may be anybody's.
    Shared,
    /// Somebody asked that nothing is sent there.
    OptedOut,
    /// Not at this hour.
    Later,
    /// What would be sent.
    Terms(Box<Terms>),
}

/// What would be sent to one address: what a visitor agrees to, word for word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// To which address.
    pub address: IpAddr,
    /// Digest of the scope that authorises it, in hex.
    pub scope: String,
    /// TCP ports, rising.
    pub tcp: Vec<u16>,
    /// UDP ports, rising.
    pub udp: Vec<u16>,
    /// From which addresses.
    pub sources: Vec<IpAddr>,
    /// Connections and datagrams in all, at most.
    pub attempts: u32,
    /// Connections at one time, at most.
    pub at_once: u16,
    /// How long it takes, in seconds, at most.
    pub seconds: u64,
    /// Who authorises it, as people would say it.
    pub authority: String,
    /// Mail address for questions.
    pub email: String,
    /// Page for questions; may be empty.
    pub page: String,
}

impl Terms {
    /// Every port, TCP first.
    pub fn ports(&self) -> impl Iterator<Item = (Transport, u16)> {
        let of = |ports: &[u16], transport| ports.iter().map(|port| (transport, *port)).collect::<Vec<_>>();
        of(&self.tcp, Transport::Tcp).into_iter().chain(of(&self.udp, Transport::Udp))
    }
}

/// What a port did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// It answers; what it is, once that is known.
    Open(Option<Box<Service>>),
    /// It takes connections and behaves like no service: a filter, a trap, a box that answers for everybody.
    Odd,
    /// It says that nothing is there.
    Closed,
    /// Nothing came back in time.
    Silent,
    /// Nothing was sent, or it could not be.
    Not,
}

/// What is told of one port; a later word on the same port counts instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Over what.
    pub transport: Transport,
    /// Which port.
    pub port: u16,
    /// What it did.
    pub met: Met,
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whether every port was tried.
    pub whole: bool,
    /// Connections and datagrams that left.
    pub sent: u64,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoLook {
    /// As many looks as may be are under way.
    #[error("others are being looked at")]
    Busy,
    /// What may be sent is not what was agreed to any more.
    #[error("what may be sent has changed")]
    Changed,
    /// It could not be written down.
    #[error("it could not be written down")]
    Unwritten,
    /// Something else failed; the log says what.
    #[error("it failed")]
    Failed,
}

impl NoLook {
    /// Its name in keys of texts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Changed => "changed",
            Self::Unwritten => "unwritten",
            Self::Failed => "failed",
        }
    }
}

/// Is told what ports did.
pub type Tell = Arc<dyn Fn(Told) + Send + Sync>;

/// A look that goes on.
pub type Looking = Pin<Box<dyn Future<Output = Result<Ended, NoLook>> + Send>>;

/// Sends. It trusts the server with nothing but the address: whether that may be looked at it finds out itself, again, and
/// both ledgers have their entries before the first packet leaves.
pub trait Prober: Send + Sync {
    /// Whether this address may be looked at now, and what would be sent. Blocks for a moment.
    fn offer(&self, address: IpAddr) -> Offer;

    /// Looks at the address of these terms, which somebody who comes from it agreed to just now. Goes on when the future is
    /// dropped.
    ///
    /// # Errors
    /// Why nothing was sent.
    fn look(self: Arc<Self>, terms: Terms, tell: Tell) -> Looking;
}
