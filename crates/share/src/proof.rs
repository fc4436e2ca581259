//! Proofs of claims that a machine looks for: a TXT record, or a file on a web server.
//!
//! ```text
//!   domain   _hinomi-challenge.example.org  TXT token      http://example.org/.well-known/hinomi-challenge/token
//!   prefix   _hinomi-challenge.2.0.192.in-addr.arpa  TXT   one IPv4 address, or one IPv6 network of a link
//!   AS       neither: a person decides
//! ```
//!
//! What is claimed is shown by who runs the name: the reverse zone of the prefix, every zone of its parts, or a zone
//! above. A web server shows that one address is held, not the network around it. [`World`] asks; nothing here connects.

use std::net::IpAddr;

use hinomi_model::address::to_u128;
use hinomi_state::claims::{Claim, Method, Settled, Subject};
use hinomi_state::organisations::Deed;
use hinomi_state::{Database, StateError};
use ipnet::IpNet;

/// The first part of the name under which a token stands.
pub const LABEL: &str = "_hinomi-challenge";
/// The most addresses of a name that are asked for a file.
const MAX_ADDRESSES: usize = 4;
/// Prefixes at least so long are one host's, or one link's.
const ONE_HOST_V4: u8 = 32;
const ONE_LINK_V6: u8 = 64;
/// Lengths at which zones of IPv6 are handed on, besides a prefix's own.
const ZONES_V6: [u8; 4] = [64, 48, 32, 20];
const ZONES_V4: [u8; 3] = [24, 16, 8];

/// What is asked outside.
pub trait World {
    /// The texts under a name; none where there is no such name.
    ///
    /// # Errors
    /// When nobody answers.
    fn texts(&self, name: &str) -> Result<Vec<String>, String>;

    /// The addresses of a name.
    ///
    /// # Errors
    /// When nobody answers.
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, String>;

    /// The file of a token, from this address and no other, under this name.
    ///
    /// # Errors
    /// When it may not be asked, or there is no such file.
    fn fetch(&self, address: IpAddr, name: &str, token: &str) -> Result<Vec<u8>, String>;
}

/// Why a claim is not proved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// This cannot be proved so.
    #[error("{0}")]
    Unfit(String),
    /// The token is not there.
    #[error("the proof of claim {number} was not found: {why}")]
    Missing {
        /// The claim.
        number: i64,
        /// What was found instead.
        why: String,
    },
    /// The state says no.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Names under which a token proves a prefix or a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Each is enough; the nearest first.
    pub any: Vec<String>,
    /// All of them together are enough; none where a name of `any` is the prefix's own.
    pub all: Vec<String>,
}

/// Where the token of a claim may stand.
///
/// # Errors
/// When no name proves it.
pub fn names(subject: &Subject) -> Result<Names, ProofError> {
    match subject {
        Subject::Domain(name) => Ok(Names { any: vec![format!("{LABEL}.{name}")], all: Vec::new() }),
        Subject::Prefix(prefix) => Ok(zones(*prefix)),
        Subject::As(_) => Err(person_decides(subject)),
    }
}

fn person_decides(subject: &Subject) -> ProofError {
    ProofError::Unfit(format!("{subject} is no name and no address: a person decides, with hinomi claim approve"))
}

fn zones(prefix: IpNet) -> Names {
    let (step, usual): (u8, &[u8]) = if prefix.addr().is_ipv4() { (8, &ZONES_V4) } else { (4, &ZONES_V6) };
    let length = prefix.prefix_len();
    let own = length - length % step;
    let mut lengths = vec![own];
    lengths.extend(usual.iter().copied().filter(|usual| *usual < own));
    let any = lengths.into_iter().filter(|length| *length > 0).map(|length| zone(prefix.network(), length, step));
    let below = own.saturating_add(step);
    let parts = prefix.subnets(below).ok().filter(|_| own != length);
    let all = parts.into_iter().flatten().map(|part| zone(part.network(), below, step));
    Names { any: any.collect(), all: all.collect() }
}

/// The name below the reverse zone of the first so many bits of an address (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn zone(address: IpAddr, length: u8, step: u8) -> String {
    let number = to_u128(address);
    let (bits, top): (u8, &str) = if address.is_ipv4() { (32, "in-addr.arpa") } else { (128, "ip6.arpa") };
    let mut name = LABEL.to_owned();
    for label in (1..=length / step).rev() {
        let shifted = number.checked_shr(u32::from(bits.saturating_sub(label * step))).unwrap_or(0);
        name += &match step {
            8 => format!(".{}", shifted & 0xff),
            _ => format!(".{:x}", shifted & 0xf),
        };
    }
    format!("{name}.{top}")
}

/// Looks for the token of a claim, and settles the claim when it is there. `address`: which address of the prefix serves
/// the file; none: its first.
///
/// # Errors
/// When it is not there, the claim cannot be proved so, or the state says no.
pub fn prove(
    database: &Database,
    deed: Deed<'_>,
    (number, method, address): (i64, Method, Option<IpAddr>),
    world: &dyn World,
) -> Result<Settled, ProofError> {
    let asked = database.claim(number)?;
    let place = fit(&asked, method, address)?;
    let claim = database.begin_check(deed, number, method)?;
    let Some(token) = claim.token else { return Err(StateError::Refused { detail: "no token is open".into() }.into()) };
    let seen = match &place {
        Place::Names(names) => look_at_names(names, &token.text, world),
        Place::Address(address) => look_at(*address, &host(*address), &token.text, world),
        Place::Host(name) => look_at_host(name, &token.text, world),
    };
    match seen {
        Ok(seen) => Ok(database.proof_seen(deed, number, (method, &token.text), &seen)?),
        Err(why) => {
            database.proof_missing(deed, number, &why)?;
            Err(ProofError::Missing { number, why })
        }
    }
}

/// Where one looks.
enum Place {
    Names(Names),
    Address(IpAddr),
    Host(String),
}

/// Whether a claim can be proved so at all; before anything is counted or asked.
fn fit(claim: &Claim, method: Method, address: Option<IpAddr>) -> Result<Place, ProofError> {
    let unfit = |text: String| Err(ProofError::Unfit(text));
    if claim.subject.is_wide() {
        return unfit(format!(
            "{} is so wide that a person decides: hinomi claim approve {}",
            claim.subject, claim.number
        ));
    }
    match (method, &claim.subject) {
        (Method::Dns, subject) => names(subject).map(Place::Names),
        (Method::Http, Subject::Domain(name)) => Ok(Place::Host(name.clone())),
        (Method::Http, Subject::Prefix(prefix)) => {
            let least = if prefix.addr().is_ipv4() { ONE_HOST_V4 } else { ONE_LINK_V6 };
            let address = address.map_or_else(|| prefix.network(), |address| address.to_canonical());
            if prefix.prefix_len() < least {
                return unfit(format!(
                    "a web server shows that one address is held, and {prefix} is more: prove it by a TXT record in its \
                     reverse zone, or let who holds what lies around it vouch"
                ));
            }
            match prefix.contains(&address) {
                true => Ok(Place::Address(address)),
                false => unfit(format!("{address} does not lie in {prefix}")),
            }
        }
        (Method::Http, subject @ Subject::As(_)) => Err(person_decides(subject)),
        (Method::Vouched | Method::Manual, _) => unfit("a machine looks for dns and http alone".to_owned()),
    }
}

fn look_at_names(names: &Names, token: &str, world: &dyn World) -> Result<String, String> {
    let mut why = Vec::new();
    let mut has = |name: &String| match world.texts(name) {
        Ok(texts) if texts.iter().any(|text| text.trim() == token) => true,
        Ok(texts) if texts.is_empty() => {
            why.push(format!("{name} has no TXT record"));
            false
        }
        Ok(_) => {
            why.push(format!("{name} has other TXT records"));
            false
        }
        Err(error) => {
            why.push(format!("{name}: {error}"));
            false
        }
    };
    if let Some(name) = names.any.iter().find(|name| has(name)) {
        return Ok(format!("TXT record of {name}"));
    }
    if let (Some(first), true) = (names.all.first(), names.all.iter().all(&mut has)) {
        return Ok(format!("TXT records of {first} and {} more names", names.all.len() - 1));
    }
    why.truncate(4);
    Err(why.join("; "))
}

/// How an address stands in the Host header.
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn look_at(address: IpAddr, name: &str, token: &str, world: &dyn World) -> Result<String, String> {
    let body = world.fetch(address, name, token)?;
    match body.trim_ascii() == token.as_bytes() {
        true => Ok(format!("file on {address}")),
        // What stands there instead is nobody's business: it may be a page of others.
        false => Err(format!("{address} serves something else than the token")),
    }
}

fn look_at_host(name: &str, token: &str, world: &dyn World) -> Result<String, String> {
    let addresses = world.addresses(name)?;
    let mut why = vec![];
    for address in addresses.into_iter().take(MAX_ADDRESSES) {
        match look_at(address, name, token, world) {
            Ok(seen) => return Ok(seen),
            Err(error) => why.push(error),
        }
    }
    Err(if why.is_empty() { format!("{name} has no address") } else { why.join("; ") })
}

#[cfg(test)]
mod tests;
