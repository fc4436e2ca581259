//! What others say about an address, a name or a hash: for the page of a host and the API.

use std::net::IpAddr;

use hinomi_model::Timestamp;
use hinomi_share::objects::{ObjectsError, Said, Shelf};
use hinomi_share::{ReadError, Reader};
use hinomi_state::Accounts;

use crate::moment;
use crate::seen::Seen;
use crate::words::Words;

/// What is asked about.
pub(crate) enum About {
    Address(IpAddr),
    /// A name, a page or a hash.
    Value(String),
}

/// What is said about it, as far as the reader may know.
pub(crate) fn said(
    accounts: &Accounts,
    reader: &Reader,
    about: &About,
    now: Timestamp,
) -> Result<Vec<Said>, ReadError> {
    let database = accounts.database().map_err(|error| ReadError::Failed(error.to_string()))?;
    let shelf = Shelf::new(database);
    let found = match about {
        About::Address(address) => shelf.about(reader, *address, now),
        About::Value(value) => shelf.about_value(reader, value, now),
    };
    found.map_err(|error| match error {
        ObjectsError::Read(error) => error,
        other => ReadError::Failed(other.to_string()),
    })
}

/// One of them on a page.
pub(crate) struct SaidView {
    pub(crate) title: Seen,
    pub(crate) kind: Seen,
    pub(crate) label: String,
    pub(crate) source: Seen,
    pub(crate) added: String,
    pub(crate) until: String,
    pub(crate) holds: bool,
    pub(crate) revoked: bool,
    pub(crate) proposed: bool,
}

impl SaidView {
    pub(crate) fn new(w: &Words, said: &Said) -> Self {
        let source = match (&said.source, said.own) {
            (Some(source), _) => source.clone(),
            (None, true) if !said.origin.is_empty() => said.origin.clone(),
            (None, true) => w.say("said-own"),
            (None, false) => w.say("said-untold"),
        };
        Self {
            title: Seen::line(if said.title.is_empty() { &said.id } else { &said.title }),
            kind: Seen::word(&said.kind),
            label: said.label.clone(),
            source: Seen::line(&source),
            added: moment::minute(said.added),
            until: said.valid_until.map(moment::minute).unwrap_or_default(),
            holds: said.holds,
            revoked: said.revoked,
            proposed: said.proposed,
        }
    }
}
