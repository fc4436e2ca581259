//! The third shelf: what people decide, and which server may write what.
//!
//! ```text
//!   state.toml -> Settings -> Database -> transact(|transaction| SQL) -> SQLite | PostgreSQL
//!                                |
//!                                +-> organisations, contacts, audiences, claims: who is who, who holds what
//!                                +-> objects: what others say, with the bytes as they came
//!                                |
//!                                +-> servers: who is there    +-> ranges: who may write which addresses
//!                                           Member (a thread: heartbeat, renewal) -> leases with epochs
//! ```
//!
//! - [`Database`] is one small blocking interface over both engines: one text of SQL, values of three kinds, transactions
//!   that behave as if they ran one after another. Whatever else people decide is a migration and a module here.
//! - [`Member`] is this process as one server of several. A [`Lease`] names a range of addresses and an epoch that no
//!   other lease has; leases end by the database's clock. What a lease may not do after it was lost is seen to by the
//!   lake, which writes the epoch into its log: `docs/decisions/0016-state-and-servers.md`.
//! - Passwords are in no message, no log and no `Debug`.
//!
//! At a hundred times the data nothing changes here: rows are counted in servers, ranges and people, not in sightings.

pub mod account_mail;
mod accounts;
pub mod alerts;
pub mod attempts;
pub mod audiences;
pub mod claims;
pub mod contacts;
mod database;
pub mod deeds;
mod dialect;
pub mod error;
pub mod keys;
mod leases;
pub mod ledger;
mod member;
mod migrate;
pub mod notices;
pub mod objects;
pub mod organisations;
pub mod passkeys;
pub mod password;
mod people;
mod postgres;
pub mod providers;
mod ranges;
pub mod secret;
mod servers;
pub mod sessions;
mod settings;
mod sqlite;
mod tls;
mod value;

pub use accounts::Accounts;
pub use database::{Database, Transaction};
pub use error::StateError;
pub use keys::{ApiKey, KeyText, NewKey};
pub use leases::{KEEPER, Lease};
pub use member::{Identity, Member};
pub use passkeys::{Ceremony, Credential, Passkey};
pub use password::PasswordHash;
pub use people::{Membership, NewPerson, Person, Role, account_name};
pub use providers::Linked;
pub use ranges::{Cut, Range, RangeState};
pub use servers::{Progress, ServerState, Work};
pub use sessions::{Entry, Session};
pub use settings::{FILE, ServerSettings, Settings, Target};
pub use value::{Row, Value};
