//! The report of a month: what an organisation shows to the outside, for who decides first and for who repairs second.
//!
//! ```text
//!   Reader (of the organisation) -> gather -> Report -> tell (ja, en) -> Document -> html | pdf
//! ```
//!
//! - Everything is asked through the door as it stands when the report is made, and written down as one look.
//! - "Not seen again" is not "closed": what was looked at and found closed, what nobody looked at, and what still answers are
//!   counted apart, and days on which nobody looked are named.
//! - A document is words and numbers in blocks. Texts of others come into it bounded and without what would act.
//!
//! At a hundred times the data: two passes over what the organisation may see; [`MAX_SERVICES`] services are told apart by
//! what they are, [`MAX_LISTED`] are listed, and the rest is counted.

mod advice;
mod around;
mod days;
mod document;
mod gather;
mod html;
mod month;
pub mod pdf;
mod tell;

pub use around::{Around, Told};
pub use days::DayCount;
pub use document::{Bar, Block, Document, Number, Table};
pub use gather::{ByConcern, Listed, Report, gather};
pub use html::{STYLE, body as html_body, page as html_page};
pub use month::Month;
pub use tell::tell;

/// The most services that are told apart by what they are.
pub const MAX_SERVICES: usize = 20_000;
/// The most services that are listed.
pub const MAX_LISTED: usize = 300;
