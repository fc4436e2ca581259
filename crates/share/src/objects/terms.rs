//! Who gives objects, and on which terms they are taken.

use std::net::IpAddr;

use hinomi_model::{Purpose, Timestamp, Tlp};

/// Who gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Giver {
    /// Id of the organisation; empty: this installation.
    pub organisation: String,
    /// The account, or the key and its account.
    pub name: String,
    /// What it is given for.
    pub purpose: Purpose,
}

/// On which terms.
pub struct Terms<'a> {
    /// Who gives.
    pub giver: &'a Giver,
    /// The audience that it is for, and nobody else.
    pub audience: Option<&'a str>,
    /// The label of what bears none.
    pub unmarked: Tlp,
    /// From where it comes, as `taxii https://…`; empty where the giver says it himself.
    pub origin: &'a str,
    /// AS numbers of addresses, as they were at a moment.
    pub asn: &'a dyn Fn(IpAddr, Timestamp) -> Option<u32>,
}

impl Terms<'_> {
    /// Whose chain of versions it goes on.
    pub(super) fn source(&self) -> String {
        match (self.giver.organisation.as_str(), self.origin) {
            ("", "") => "installation".to_owned(),
            ("", origin) => origin.to_owned(),
            (organisation, _) => format!("organisation {organisation}"),
        }
    }
}
