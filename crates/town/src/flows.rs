//! The town's router: flows between the homes' lines and the rest of the world, told in IPFIX.
//!
//! ```text
//!   seed, plan -> lines (one a home, with its device) -> who is infected
//!   people, devices, botnets, strangers: sessions of one ten-minute block, each from draws of its own
//!        -> records, as two kinds of router tell them, all packets or a sample -> Messages (RFC 7011), in the order of time
//!        -> FlowTruth: which remote ends command bots, which only look like it, what should be said of each
//! ```
//!
//! The same seed and the same moment give the same flows: a block's sessions depend on nothing before it, so any span
//! can be begun anywhere. Hours are those of Japan. Lines lie in shared address space (RFC 6598) and, one in eight also
//! for IPv6, in documentation space (RFC 9637); remote ends lie in documentation space and are nobody's. No packet of
//! these flows was ever sent: what leaves the process are the messages, to a collector on the same machine
//! ([`LoopbackSender`]).

mod botnets;
mod clock;
mod devices;
mod dice;
mod ipfix;
mod line;
mod people;
mod places;
mod sampling;
mod sender;
mod session;
mod strangers;
mod stream;
mod truth;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hinomi_model::Timestamp;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

pub use ipfix::Message;
pub use sampling::Sampling;
pub use sender::LoopbackSender;
pub use session::{Amount, Flow};
pub use stream::{Flows, Messages, Told};
pub use truth::{EndpointKind, FlowTruth, Say};

use crate::plan::Plan;
use botnets::Bots;
use clock::Block;
use dice::Dice;
use line::Line;
use session::Session;

/// The town's router. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Router {
    inner: Arc<Inner>,
    sampling: Sampling,
}

#[derive(Debug)]
struct Inner {
    seed: u64,
    lines: Vec<Line>,
    bots: Bots,
}

impl Router {
    /// The router of a town: one line for each home.
    pub fn new(plan: &Plan) -> Self {
        let seed = plan.config().seed;
        let lines = line::lines(plan);
        let bots = Bots::of(&line::by_weakness(&lines, seed), lines.len());
        Self { inner: Arc::new(Inner { seed, lines, bots }), sampling: Sampling::ALL }
    }

    /// The same router, which looks at one of so many packets and says so: what happens stays the same.
    #[must_use]
    pub fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// Prefixes of the subscribers: exactly one side of each flow lies in them.
    pub fn subscribers() -> Vec<IpNet> {
        let four = Ipv4Net::new(Ipv4Addr::new(100, 64, 0, 0), 10).map(IpNet::V4);
        let six = Ipv6Net::new(Ipv6Addr::new(0x3fff, 0x64, 0, 0, 0, 0, 0, 0), 32).map(IpNet::V6);
        four.into_iter().chain(six).collect()
    }

    /// Every flow from that moment on, when it is told, as if each packet were looked at. It never ends: take what is told
    /// before another moment.
    pub fn flows(&self, from: Timestamp) -> Flows {
        Flows::new(self.clone(), from)
    }

    /// What the router's sampling leaves of them, as IPFIX messages, templates first. It never ends either.
    pub fn messages(&self, from: Timestamp) -> Messages {
        Messages::new(self.flows(from), self.inner.seed, self.sampling)
    }

    /// What is true of the remote ends.
    pub fn truth(&self) -> Vec<FlowTruth> {
        truth::of(self)
    }

    fn lines(&self) -> &[Line] {
        &self.inner.lines
    }

    fn bots(&self) -> &Bots {
        &self.inner.bots
    }

    fn lines_of<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = &'a Line> {
        numbers.iter().filter_map(|number| self.inner.lines.get(*number as usize))
    }

    /// Everything that begins in a block.
    fn sessions(&self, block: Block) -> Vec<Session> {
        let mut sessions = Vec::new();
        for line in self.lines().iter().filter(|line| line.kind.is_some()) {
            people::live(self, line, block, &mut sessions);
            people::push(self, line, block, &mut sessions);
            devices::live(self, line, block, &mut sessions);
        }
        botnets::obey(self, block, &mut sessions);
        strangers::come(self, block, &mut sessions);
        sessions
    }

    /// Draws for one purpose.
    fn draws(&self, purpose: &str, words: &[u64]) -> Dice {
        let mut all = vec![self.inner.seed, word(purpose)];
        all.extend_from_slice(words);
        Dice::of(&all)
    }

    /// Draws of a line in a block.
    fn dice(&self, line: &Line, purpose: &str, block: Block) -> Dice {
        Dice::of(&[self.inner.seed, word(purpose), u64::from(line.number), block.0])
    }

    /// Draws of a line for good.
    fn trait_of(&self, line: &Line, purpose: &str) -> Dice {
        Dice::of(&[self.inner.seed, word(purpose), u64::from(line.number)])
    }

    /// Whether a line is one of so many that have something.
    fn has(&self, line: &Line, purpose: &str, one_in: u64) -> bool {
        self.trait_of(line, purpose).below(one_in) == 0
    }

    /// The key of a timer of a line.
    fn key(&self, line: &Line, purpose: &str) -> u64 {
        self.trait_of(line, purpose).next()
    }
}

/// A purpose as a number (FNV-1a).
fn word(purpose: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    purpose.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Whether an address lies in documentation space.
#[cfg(test)]
fn is_nobodys(address: std::net::IpAddr) -> bool {
    use std::net::IpAddr;
    match address {
        IpAddr::V4(four) => four.is_documentation(),
        IpAddr::V6(six) => matches!(six.segments(), [0x2001, 0xdb8, ..]),
    }
}

#[cfg(test)]
mod tests;
