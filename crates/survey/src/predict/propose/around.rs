//! What is open at an address of a network, when several ports there are known to be silent.
//!
//! The silences of one address speak of the same device, or of none: to multiply what each says alone would count it many
//! times, and to take the strongest leaves an address that was silent five times nearly as likely as one that was silent
//! once. So it is counted: among the addresses of the network that were asked throughout, those that are silent at the same
//! ports, and how many of these have the port that is asked about.

use super::super::known::Host;
use super::super::model::Model;
use super::super::code;

/// Hosts of one /24 at most.
const MAX_HOSTS: usize = 256;

/// Hosts of the network at hand, by their open ports.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    hosts: Vec<Vec<u32>>,
}

impl Around {
    /// One more host of which everything is known.
    pub(super) fn take(&mut self, host: &Host) {
        if self.hosts.len() < MAX_HOSTS {
            self.hosts.push(host.services.iter().map(|one| code((one.key.transport, one.key.port))).collect());
        }
    }

    /// How likely a port is open at an address that is silent at these, of so many addresses that were asked; `otherwise`
    /// is what else is thought of it.
    pub(super) fn rate(&self, port: u32, silent: &[(u32, f64)], addresses: u64, otherwise: f64) -> f64 {
        if silent.is_empty() {
            return otherwise;
        }
        let answers = |open: &&Vec<u32>| silent.iter().any(|(port, _)| open.contains(port));
        let (other, alike): (Vec<_>, Vec<_>) = self.hosts.iter().partition(answers);
        let hits = alike.iter().filter(|open| open.contains(&port)).count();
        let of = addresses.saturating_sub(other.len() as u64);
        Model::in_network(u32::try_from(hits).unwrap_or(u32::MAX), of, otherwise)
    }
}
