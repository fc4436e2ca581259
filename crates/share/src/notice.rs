//! From findings to one message per responsible party.
//!
//! ```text
//!   rules: what is a finding -> party: who answers for it -> sight: what that one may know -> draft, one for each party
//!        one or two persons release it -> deliver: looked at again, into the ledger, to the relay -> measure, replies
//! ```
//!
//! - What a notice tells is read through the recipient's own [`crate::door::Door`] reader: it tells nothing that the
//!   recipient could not read. It is read so again before it leaves.
//! - Purposes are those for which somebody may be told to mend something ([`PURPOSES`]). Findings of C&C servers are no
//!   matter of notices: their list leaves by the export gate alone.
//! - Of one finding the nearest party is told: who holds the address, else who runs its network, the nearest first, else
//!   the AS, else a CSIRT. What nobody may be told is counted and listed ([`LeftOut`]).
//!
//! At a hundred times the data: a question for each party; a notice tells at most
//! [`hinomi_state::notices::MAX_FINDINGS`] findings.

pub mod deliver;
mod draft;
mod elsewhere;
mod formats;
mod measure;
mod party;
mod rules;
mod settings;
mod sight;
mod words;

use hinomi_model::Purpose;
use hinomi_state::{Database, StateError};

pub use draft::{Drafted, LeftOut, MAX_PREVIEWED, NO_TOKEN, Order, Preview, draft, preview};
pub use elsewhere::{TellsOthers, told_others};
pub use formats::{NoticeFormat, formatted};
pub use measure::{Became, Measured, measure};
pub use rules::{ANONYMOUS, Severity, concern_names};
pub use settings::{Alone, Settings, SettingsError};
pub use words::concern_word;

use crate::door::Door;
use crate::ledger::LedgerError;
use crate::policy::ReadError;

/// For what a record must be readable to be told in a notice.
pub const PURPOSES: [Purpose; 2] = [Purpose::Notification, Purpose::ExposureReduction];

/// Why notices could not be worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The lake, or what may be read of it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was asked for.
    #[error("{0}")]
    Unfit(String),
}

/// What everything here is done with.
pub struct Desk<'a> {
    /// From who asks to what is read.
    pub door: &'a Door,
    /// Organisations, contacts and notices.
    pub database: &'a Database,
    /// Who we are, and how much one person may let leave.
    pub settings: &'a Settings,
    /// Who does it: an account, or a user of the machine.
    pub by: &'a str,
}
