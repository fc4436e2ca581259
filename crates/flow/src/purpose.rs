//! What a flow may be used for, as a type.
//!
//! A [`Flow`] carries its purpose. It has no serialiser, no `Debug` that tells anything, no public field and no public
//! accessor: code outside this crate can hand it on to a consumer of that purpose and do nothing else with it. That
//! code which tries does not compile is tested here:
//!
//! ```compile_fail,E0277
//! fn wants<T: serde::Serialize>() {}
//! wants::<hinomi_flow::Flow<hinomi_flow::CncDetection>>();
//! ```
//! ```compile_fail,E0616
//! fn who(flow: hinomi_flow::Flow<hinomi_flow::CncDetection>) { let _ = flow.subscriber; }
//! ```
//! ```compile_fail,E0277
//! fn shows(flow: hinomi_flow::Flow<hinomi_flow::CncDetection>) -> String { format!("{flow:?}") }
//! ```
//! ```compile_fail,E0277
//! struct Curiosity;
//! fn other(_: hinomi_flow::Flow<Curiosity>) {}
//! ```

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::Timestamp;
use hinomi_wire::flow::Volume;

mod sealed {
    pub trait Sealed {}
}

/// A lawful purpose. Sealed: another one is a decision, not a line of code elsewhere.
pub trait FlowPurpose: sealed::Sealed {
    /// Its name in the ledger.
    const NAME: &'static str;
}

/// Detecting the C&C servers of infected devices, and nothing else.
#[derive(Clone, Copy)]
pub struct CncDetection;

impl sealed::Sealed for CncDetection {}
impl FlowPurpose for CncDetection {
    const NAME: &'static str = "cnc-detection";
}

/// A subscriber under the epoch's key: the same within one epoch, unlinkable across epochs and to the address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pseudonym(pub(crate) u64);

/// The far end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Remote {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// IANA protocol number.
    pub(crate) protocol: u8,
}

/// In two words where the derived one takes a word a field: it is asked several times a flow.
impl Hash for Remote {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let service = u64::from(self.port) << 8 | u64::from(self.protocol);
        match self.address {
            IpAddr::V4(v4) => state.write_u64(u64::from(u32::from(v4)) << 32 | service),
            IpAddr::V6(v6) => {
                state.write_u128(v6.into());
                state.write_u64(service);
            }
        }
    }
}

/// A flow between one subscriber, known by pseudonym only, and one remote end, bound to a purpose.
#[derive(Clone, Copy)]
pub struct Flow<P: FlowPurpose> {
    pub(crate) subscriber: Pseudonym,
    pub(crate) subscriber_port: u16,
    pub(crate) remote: Remote,
    /// Which epoch's pseudonym it is.
    pub(crate) epoch: u32,
    /// From the subscriber to the remote end, where the record tells that direction.
    pub(crate) out: Option<Volume>,
    /// From the remote end to the subscriber, where the record tells that direction.
    pub(crate) back: Option<Volume>,
    /// Who is told as the source: for a record of both directions, who began.
    pub(crate) told_by_subscriber: bool,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) sampling: u32,
    /// Whether the subscriber was known to be infected when the flow came in; never set unless the operator switched it
    /// on.
    pub(crate) infected: bool,
    pub(crate) purpose: PhantomData<P>,
}

impl Flow<CncDetection> {
    /// Nobody's: what a place is overwritten with when the flow that waited there has gone.
    pub(crate) const NOBODY: Self = Self {
        subscriber: Pseudonym(0),
        subscriber_port: 0,
        remote: Remote { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0, protocol: 0 },
        epoch: 0,
        out: None,
        back: None,
        told_by_subscriber: false,
        start: Timestamp::from_micros(0),
        end: Timestamp::from_micros(0),
        sampling: 0,
        infected: false,
        purpose: PhantomData,
    };
}
