//! The words of Hinomi.
//!
//! Every other crate speaks in these types; this one does no input or output and knows no clock of its own.
//!
//! ```text
//!   a sensor  --- Sighting + Evidence --->  Sink (the lake)
//!                     |
//!                     v   Identifier (pure)
//!                   Facts  --->  Service (current state of one address, transport, port)
//! ```
//!
//! A [`Sighting`] is one immutable observation and refers to [`Evidence`] by [`ContentHash`]. Everything else is derived:
//! [`Facts`] come from evidence by an [`Identifier`], a [`Service`] is the newest state that sightings tell.
//! Who authorised a packet is a [`Scope`]; who may know a record is its [`Marking`].
//!
//! Stored forms carry a version ([`sighting::FORMAT`]); fields are only ever added, and readers refuse what is newer.

pub mod address;
pub mod cnc;
pub mod crypto;
pub mod device;
pub mod evidence;
pub mod facts;
pub mod finding;
pub mod id;
pub mod marking;
pub mod merkle;
pub mod organisation;
pub mod remark;
pub mod scope;
pub mod service;
pub mod sighting;
pub mod sink;
pub mod time;

pub use address::{Transport, parse_address};
pub use crypto::{Cryptography, PostQuantum};
pub use device::DeviceKind;
pub use evidence::{Evidence, EvidenceKind, EvidenceRef};
pub use facts::{CertificateFacts, Confidence, Facts, Identifier, Proof, Protocol};
pub use finding::{Finding, Severity};
pub use id::{CampaignId, ContentHash, SensorId, SightingId};
pub use marking::{Marking, Purpose, Terms, Tlp};
pub use organisation::Organisation;
pub use scope::{Scope, Verdict};
pub use service::{Service, ServiceKey};
pub use sighting::{Outcome, Sighting};
pub use sink::{Batch, Checkpoint, Receipt, Sink, SinkError};
pub use time::{Clock, SystemClock, Timestamp};
