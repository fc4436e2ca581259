//! Services as STIX 2.1 objects (OASIS standard of 10 June 2021).
//!
//! ```text
//!   Service -> ipv4-addr | ipv6-addr, software?, network-traffic  (what it is: same properties, same id, everywhere)
//!           -> observed-data                                      (that we saw it: marked, created by our identity)
//! ```
//!
//! Ids are version 5 UUIDs: of cyber-observable objects in the name space of the standard over their id contributing
//! properties (2.9), of our own objects in ours, so that the same service is one object for ever and each time that it is
//! seen again is a later version of it. Labels are the marking definitions of TLP 2.0; a label that is not known is RED.

mod id;
mod marking;
mod service;

use hinomi_model::Timestamp;
use serde_json::Value;

pub use id::own_uuid;
pub use marking::{is_label, label_of, marking_id, marking_objects, statement};
pub use service::{MAX_OBJECTS, identity, identity_id, of_service};

/// The version of the standard that objects say they follow.
pub const SPEC_VERSION: &str = "2.1";

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its id, as `ipv4-addr--…`.
    pub id: String,
    /// When it came to be as it is: what TAXII calls the date at which it was added.
    pub added: Timestamp,
    /// Its version: when it was modified, or created where it cannot be; of a cyber-observable object, when it was added.
    pub version: String,
    /// The whole.
    pub body: Value,
}

impl Object {
    /// Its type, which its id begins with.
    pub fn kind(&self) -> &str {
        self.id.split_once("--").map_or(&self.id, |(kind, _)| kind)
    }

    fn new(body: Value, added: Timestamp) -> Self {
        let said = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let version = said("modified").or_else(|| said("created")).unwrap_or_else(|| moment(added));
        Self { id: said("id").unwrap_or_default(), added, version, body }
    }
}

/// A time as STIX writes it: to the millisecond.
pub fn moment(time: Timestamp) -> String {
    const MICROS_A_MILLI: i64 = 1_000;
    let whole = time.as_micros().div_euclid(MICROS_A_MILLI);
    let text = Timestamp::from_micros(whole * MICROS_A_MILLI).to_string();
    let (seconds, _) = text.split_at("2026-11-22T12:00:00".len().min(text.len()));
    format!("{seconds}.{:03}Z", whole.rem_euclid(MICROS_A_MILLI))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_whatever_they_have() {
        for (time, expected) in [
            ("2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000Z"),
            ("2026-11-22T12:00:00.5Z", "2026-11-22T12:00:00.500Z"),
            ("2026-11-22T12:00:00.123999Z", "2026-11-22T12:00:00.123Z"),
        ] {
            assert_eq!(moment(time.parse().unwrap()), expected);
        }
    }
}
