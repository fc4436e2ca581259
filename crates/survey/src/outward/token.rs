//! Looks whether a claimant put a token up: the one thing that is sent to an address without a scope.
//!
//! It is not a survey: who claims an address or a name asks for it, of one address, one file, by one GET to port 80, as
//! RFC 8555 (section 8.3) does for certificates. Claimants are not proved yet, so it must be of no use against others:
//!
//! - an address that is not public is asked only where the operator says so, or claims would reach into this network;
//! - who opted out is never asked;
//! - no redirect is followed, no other address than the one that was checked is connected to;
//! - what is read, and how long, is bounded; nothing of it is shown to the claimant.
//!
//! How often is a matter of who keeps the claims.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hinomi_model::scope::is_public;
use hinomi_wire::dns::{KIND_A, KIND_AAAA};
use hinomi_wire::http::{self, Afterwards};
use ipnet::IpNet;

use super::sockets::{Resolver, exchange_once};
use crate::scope::OptOut;

/// Where tokens stand, followed by the token.
pub const PATH: &str = "/.well-known/hinomi-challenge/";
/// The port that is asked.
const PORT: u16 = 80;
/// How long one address may take.
const WAIT: Duration = Duration::from_secs(10);
/// The most that is read of an answer.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Looks for tokens.
pub struct Looker<'a> {
    /// Whom to ask for names.
    pub resolver: Resolver,
    /// Stands in the request, so that who is asked knows by whom.
    pub contact: String,
    /// Who is never asked.
    pub opt_out: &'a OptOut,
    /// Whether addresses that are not public may be asked.
    pub beyond_public: bool,
}

impl Looker<'_> {
    /// The texts under a name.
    ///
    /// # Errors
    /// When no resolver answers.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        self.resolver.texts(name)
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// When no resolver answers.
    pub fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let mut addresses = self.resolver.addresses(name, KIND_A)?;
        addresses.extend(self.resolver.addresses(name, KIND_AAAA)?);
        Ok(addresses)
    }

    /// The file of a token as one address serves it under a name.
    ///
    /// # Errors
    /// When the address may not be asked, does not answer with status 200, or takes too long.
    pub fn fetch(&self, address: IpAddr, name: &str, token: &str) -> Result<Vec<u8>, String> {
        let address = address.to_canonical();
        if !self.beyond_public && !is_public(IpNet::from(address)) {
            return Err(format!("{address} is not a public address, and the operator did not allow others"));
        }
        if self.opt_out.with(|list| list.iter().any(|prefix| prefix.contains(&address))) {
            return Err(format!("{address} is on the opt-out list: it is never asked; prove by a TXT record"));
        }
        let contact = if self.contact.is_empty() { "-" } else { &self.contact };
        let request = http::request(&format!("{PATH}{token}"), name, contact, Afterwards::Close);
        let request = request.map_err(|error| error.to_string())?;
        let answer = exchange_once(SocketAddr::new(address, PORT), &request, WAIT, MAX_ANSWER_BYTES);
        let answer = answer.map_err(|error| format!("{address}: {error}"))?;
        let response = http::parse(&answer).map_err(|_| format!("{address} does not answer in HTTP"))?;
        match response.status {
            200 => Ok(response.body.into_owned()),
            status @ 300..400 => Err(format!("{address} answers {status}: redirects are not followed")),
            status => Err(format!("{address} answers {status}")),
        }
    }
}
