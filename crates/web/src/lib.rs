//! What people and programs see over HTTP.
//!
//! ```text
//!   request -> listener (TLS) -> guard (names, origins, bodies, time, headers) -> auth (who asks) -> page::* or api::*
//!                                                                             |        |
//!                                       read::Desk (bounded, off the async threads) <--+
//!                                             |
//!                                       share::Reader, the only door to records
//! ```
//!
//! - [`Server`] binds a loopback address and nothing else while nobody has an account: being at the machine is the
//!   entitlement then. With the first account everybody signs in, and with TLS it may be reached from elsewhere
//!   ([`settings`]). [`Bound`] serves until told to stop.
//! - Pages are rendered here, complete without JavaScript, in Japanese or English. Nothing is fetched from elsewhere.
//! - What a scanned host said reaches a page only as [`seen::Seen`].
//! - The API under `/api/v1/` is described by `openapi.json`, which a test holds against the real answers.
//! - [`scan`] is another server, for everybody: the page that says who surveys and how to stop it, and nothing else.
//! - Surveys report through [`Progress`], which the binary implements.

mod alerts;
pub mod api;
mod app;
pub mod asset;
mod auth;
pub mod chart;
pub mod error;
pub mod guard;
pub mod language;
pub mod limits;
pub mod link;
mod listener;
mod mine;
mod misp;
pub mod moment;
mod objects;
pub mod outward;
mod page;
pub mod prober;
mod read;
pub mod scan;
pub mod seen;
pub mod server;
pub mod settings;
mod shodan;
pub mod tags;
mod taxii;
mod tls;
mod visit;
pub mod watch;
pub mod words;

pub use error::WebError;
pub use outward::{Incoming, Outgoing, Outward};
pub use prober::Prober;
pub use scan::{ScanDesk, ScanServer};
pub use server::{Bound, Server, Simulated};
pub use settings::Settings;
pub use watch::{NoSurveys, Progress, SurveyState, SurveyStatus, Surveys};
