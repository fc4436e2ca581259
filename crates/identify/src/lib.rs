//! Evidence to facts.
//!
//! ```text
//!   Evidence --hinomi_wire::fields--> View (named parts) --Index--> candidate rules --regex--> Found + Proof
//!                                          |                                                      |
//!                                          +--> basics: protocol, TLS, certificate, keys, tags ---+--combine--> Facts
//! ```
//!
//! Pure functions: the same evidence and rules give the same [`hinomi_model::Facts`] on every machine; no clock, no
//! network, no state but a cache of compiled patterns. Rules are data: TOML files under `rules/`, one area each, with
//! their examples beside them ([`Rules`]), and in folders of the user's more of these and Recog's XML ([`UserRules`]).
//! Both are tested by their own examples ([`test_dir`]).
//!
//! Everything a rule matches on is hostile. Patterns run in time linear in the input, what they capture is bounded and
//! freed of control characters, and every finding names the bytes that prove it. How sure a finding is stands in the
//! rule; where rules disagree, confidence falls. Saying nothing is better than being wrong.

mod basics;
mod check;
mod clean;
mod combine;
mod cpe;
mod crypto;
mod engine;
mod error;
mod fields;
mod files;
mod found;
mod grams;
mod index;
mod literals;
mod pattern;
mod raw;
pub mod recog;
mod rule;
mod rules;
mod template;
mod user;

pub use check::{Failure, Report, test_dir};
pub use engine::{Engine, MAX_EVIDENCE, Search};
pub use error::{Fault, RuleError};
pub use found::View;
pub use rules::{MAX_FILE_BYTES, MAX_RULES, Rules};
pub use user::UserRules;
