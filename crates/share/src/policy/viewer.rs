//! Who asks, as the door knows them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hinomi_model::{Purpose, Timestamp};

/// Who is looking.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Viewer {
    /// The operator of this installation, at the machine itself. May read every record of the local lake.
    Operator,
    /// Somebody of this installation who signed in. Sees what the operator sees; each look is written down by this name.
    Analyst {
        /// The name of the account, or of the key and its account.
        name: String,
        /// What is read for.
        purpose: Purpose,
    },
    /// A person or program that acts for organisations of the register.
    Member(Member),
    /// Somebody at home who asks about the address that they come from, and sees what was seen there lately: whoever had
    /// the address before is somebody else.
    Visitor {
        /// From where they come.
        address: IpAddr,
        /// What was seen before is not shown.
        since: Timestamp,
    },
}

/// A person or program that acts for organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name of the account, or of the key and its account; for the ledger.
    pub name: String,
    /// Ids of the organisations that are acted for.
    pub organisations: BTreeSet<String>,
    /// What is read for.
    pub purpose: Purpose,
}

impl Viewer {
    /// Whether everything is seen.
    pub const fn sees_all(&self) -> bool {
        matches!(self, Self::Operator | Self::Analyst { .. })
    }

    /// Whose looks at records are written down, as they are named there; the operator's are not, a visitor has no name.
    pub fn named(&self) -> Option<Member> {
        match self {
            Self::Operator | Self::Visitor { .. } => None,
            Self::Analyst { name, purpose } => {
                Some(Member { name: name.clone(), organisations: BTreeSet::new(), purpose: *purpose })
            }
            Self::Member(member) => Some(member.clone()),
        }
    }
}
