//! Before a campaign reaches the public network: can those who are visited find out who it is, and whom to tell?
//!
//! A scope with a range in the public network is cleared ([`Cleared`]) when
//! - the page of its contact answers with status 200, as the world would ask for it;
//! - its contact has a mail address;
//! - every address that probes leave from has a name (PTR) that leads back to it.
//!
//! Scopes of loopback, private and other special-purpose ranges are cleared at once. What is asked is asked of this
//! machine's resolver and of the page's server ([`Sockets`]), nothing of a target. That the page answers from elsewhere
//! too cannot be seen from here.

mod sockets;
pub mod token;

use std::collections::BTreeSet;
use std::net::IpAddr;

use hinomi_model::ContentHash;
use hinomi_model::scope::{Scope, is_public};
use ipnet::IpNet;

pub use sockets::{Resolver, Sockets};

use crate::scope::Authorised;

/// The most source addresses that are looked at.
pub const MAX_SOURCES: usize = 256;

/// The most public ranges whose sources are asked of the machine's routes.
pub const MAX_RANGES: usize = 100_000;

/// The most names of one address that are tried.
const MAX_NAMES: usize = 16;

/// Leave to run a campaign under one scope. Made by [`clear`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleared(ContentHash);

impl Cleared {
    /// Whether it was made for this scope.
    pub fn is_for(&self, authorised: &Authorised) -> bool {
        self.0 == authorised.digest()
    }
}

/// What is asked of the world. [`Sockets`] asks it.
pub trait Outside {
    /// The address that packets to this target leave from.
    ///
    /// # Errors
    /// When there is no way to it, in the system's words.
    fn source_towards(&self, target: IpAddr) -> Result<IpAddr, String>;

    /// The status with which a page answers, after it led on at most a few times.
    ///
    /// # Errors
    /// When it does not answer, with the reason.
    fn page(&self, address: &str) -> Result<u16, String>;

    /// The names of an address.
    ///
    /// # Errors
    /// When no resolver answers.
    fn names_of(&self, address: IpAddr) -> Result<Vec<String>, String>;

    /// The addresses of a name, of the family of the address that is looked for.
    ///
    /// # Errors
    /// When no resolver answers.
    fn addresses_of(&self, name: &str, like: IpAddr) -> Result<Vec<IpAddr>, String>;
}

/// Why a scope is not cleared; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// The contact has no page.
    #[error(
        "the scope names no contact.page: write the address of a page that says who surveys and how to stop it, \
         as `hinomi campaign page` serves one, and sign the scope again"
    )]
    NoPage,
    /// The page does not answer as it should.
    #[error("the page {page} does not answer with status 200 ({why}): those who are visited must be able to read it")]
    Page {
        /// Its address.
        page: String,
        /// What it did.
        why: String,
    },
    /// The contact has no mail address.
    #[error("the scope names no contact.email: write an address that is read while the campaign runs")]
    NoMail,
    /// It is not known where probes leave from.
    #[error("it is not known from which address probes to {target} leave ({why}); name it with --source")]
    NoSource {
        /// A target.
        target: IpAddr,
        /// What the system says.
        why: String,
    },
    /// The address that probes leave from is not one that others see.
    #[error(
        "probes leave from {source_address}, which others do not see: name the address behind which this network stands with --source"
    )]
    HiddenSource {
        /// The address.
        source_address: IpAddr,
    },
    /// More addresses than are looked at.
    #[error("more than {MAX_SOURCES} source addresses")]
    TooManySources,
    /// More ranges than are looked at.
    #[error("more than {MAX_RANGES} public ranges: name the addresses that probes leave from with --source")]
    TooManyRanges,
    /// The address has no name.
    #[error(
        "{source_address} has no reverse name ({why}): let whoever runs its reverse zone enter one (PTR), such as scan-1.example.org"
    )]
    NoName {
        /// The address.
        source_address: IpAddr,
        /// What the resolver says.
        why: String,
    },
    /// No name of the address leads back to it.
    #[error(
        "the reverse name of {source_address}, {name}, does not lead back to it ({why}): enter the address under that name"
    )]
    NotConfirmed {
        /// The address.
        source_address: IpAddr,
        /// Its first name.
        name: String,
        /// Where it leads.
        why: String,
    },
}

/// The ranges of a scope that reach into the public network.
pub fn public_ranges(scope: &Scope) -> Vec<IpNet> {
    scope.ranges.iter().filter(|range| is_public(**range)).copied().collect()
}

/// Clears a scope, or says everything that stands against it. `sources` are the addresses that others see probes come
/// from; none: those that the machine's routes say.
///
/// # Errors
/// When something stands against it.
pub fn clear(authorised: &Authorised, sources: &[IpAddr], outside: &dyn Outside) -> Result<Cleared, Vec<Objection>> {
    let scope = authorised.scope();
    let ranges = public_ranges(scope);
    let cleared = Cleared(authorised.digest());
    if ranges.is_empty() {
        return Ok(cleared);
    }
    let mut objections = Vec::new();
    objections.extend(page(&scope.contact.page, outside));
    if scope.contact.email.trim().is_empty() {
        objections.push(Objection::NoMail);
    }
    match all_sources(&ranges, sources, outside) {
        Ok(sources) => objections.extend(sources.into_iter().filter_map(|source| named(source, outside))),
        Err(objection) => objections.push(objection),
    }
    if objections.is_empty() { Ok(cleared) } else { Err(objections) }
}

fn page(page: &str, outside: &dyn Outside) -> Option<Objection> {
    if page.is_empty() {
        return Some(Objection::NoPage);
    }
    let why = match outside.page(page) {
        Ok(200) => return None,
        Ok(status) => format!("it answers {status}"),
        Err(why) => why,
    };
    Some(Objection::Page { page: page.to_owned(), why })
}

/// The sources that are named, or those towards the first and the last address of every range.
fn all_sources(ranges: &[IpNet], named: &[IpAddr], outside: &dyn Outside) -> Result<Vec<IpAddr>, Objection> {
    if named.len() > MAX_SOURCES {
        return Err(Objection::TooManySources);
    }
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let ranges = IpNet::aggregate(&ranges.to_vec());
    if ranges.len() > MAX_RANGES {
        return Err(Objection::TooManyRanges);
    }
    let mut sources = BTreeSet::new();
    for target in ranges.iter().flat_map(|range| [range.network(), range.broadcast()]) {
        let source = outside.source_towards(target).map_err(|why| Objection::NoSource { target, why })?;
        if !is_public(IpNet::from(source)) {
            return Err(Objection::HiddenSource { source_address: source });
        }
        sources.insert(source);
        if sources.len() > MAX_SOURCES {
            return Err(Objection::TooManySources);
        }
    }
    Ok(sources.into_iter().collect())
}

/// Whether a source has a name that leads back to it; what stands against that.
fn named(source_address: IpAddr, outside: &dyn Outside) -> Option<Objection> {
    let names = match outside.names_of(source_address) {
        Ok(names) => names,
        Err(why) => return Some(Objection::NoName { source_address, why }),
    };
    let Some(first) = names.first().cloned() else {
        return Some(Objection::NoName { source_address, why: "there is none".to_owned() });
    };
    let mut led = Vec::new();
    for name in names.iter().take(MAX_NAMES) {
        match outside.addresses_of(name, source_address) {
            Ok(addresses) if addresses.contains(&source_address) => return None,
            Ok(addresses) => led.extend(addresses.iter().take(4).map(ToString::to_string)),
            Err(why) => led.push(why),
        }
    }
    let why = if led.is_empty() { "it leads nowhere".to_owned() } else { format!("it leads to {}", led.join(", ")) };
    Some(Objection::NotConfirmed { source_address, name: first, why })
}

#[cfg(test)]
mod tests;
