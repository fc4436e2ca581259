//! Codecs for hostile bytes.
//!
//! Everything that a device, a server or another tool's file says enters Hinomi here and nowhere else. A codec never
//! panics, never allocates more than its input and its named bound allow, and never drops anything silently: what it
//! cannot read is a [`Malformed`] that says what and where.
//!
//! A protocol is one module with the same parts: builders for the few read-only requests we send, a parser into plain
//! types, and `fields`, the named parts of a stored reply that identification rules match on. [`fields`] dispatches on
//! the kind of evidence; [`recognise`] names the protocol behind bytes that nobody asked for; [`mask`] blanks what
//! changes at every look, so that the same service gives the same evidence. [`scans`] reads other tools' files.

pub mod capture;
pub mod coap;
pub mod dns;
pub mod echonet;
pub mod favicon;
pub mod flow;
pub mod greeting;
pub mod http;
pub mod modbus;
pub mod mqtt;
pub mod mysql;
pub mod ntp;
pub mod packet;
pub mod plant;
pub mod redis;
pub mod reply;
pub mod rtsp;
pub mod scans;
pub mod snmp;
pub mod ssdp;
pub mod ssh;
pub mod telnet;
pub mod tls;
pub mod upnp;
pub mod x509;

mod ber;
mod field;
mod fields;
mod head;
mod malformed;
mod read;
mod recognise;
mod text;
mod xml;

use hinomi_model::evidence::EvidenceKind;

pub use field::{Field, MAX_FIELD_BYTES, MAX_FIELDS};
pub use malformed::Malformed;
pub use read::Reader;
pub use recognise::recognise;

use fields::Fields;

/// The named parts of stored evidence, at most [`MAX_FIELDS`].
///
/// Never fails: malformed evidence gives what could be read and a field `malformed` with the reason.
pub fn fields(kind: EvidenceKind, bytes: &[u8]) -> Vec<Field<'_>> {
    match kind {
        EvidenceKind::Banner => greeting::fields(bytes),
        EvidenceKind::Http => http::fields(bytes),
        EvidenceKind::Favicon => favicon::fields(bytes),
        EvidenceKind::Rtsp => rtsp::fields(bytes),
        EvidenceKind::Redis => redis::fields(bytes),
        EvidenceKind::Ssdp => ssdp::fields(bytes),
        EvidenceKind::UpnpDescription => upnp::fields(bytes),
        EvidenceKind::NmapService => scans::nmap::fields(bytes),
        EvidenceKind::MasscanRecord => scans::masscan::fields(bytes),
        EvidenceKind::ZgrabRecord => scans::zgrab::fields(bytes),
        EvidenceKind::ShodanRecord => scans::shodan::fields(bytes),
        EvidenceKind::CensysRecord => scans::censys::fields(bytes),
        EvidenceKind::ShadowserverRecord => scans::shadowserver::fields(bytes),
        EvidenceKind::Tls => or_malformed(bytes, tls::fields(bytes)),
        EvidenceKind::TlsHybrid => or_malformed(bytes, tls::hybrid_fields(bytes)),
        EvidenceKind::TlsOld => or_malformed(bytes, tls::old_fields(bytes)),
        EvidenceKind::Certificate | EvidenceKind::ChainCertificate => or_malformed(bytes, x509::fields(bytes)),
        EvidenceKind::SshKex => or_malformed(bytes, ssh::kex_fields(bytes)),
        EvidenceKind::SshHostKey => or_malformed(bytes, ssh::host_key_fields(bytes)),
        EvidenceKind::Mqtt => or_malformed(bytes, mqtt::fields(bytes)),
        EvidenceKind::Dns => or_malformed(bytes, dns::fields(bytes)),
        EvidenceKind::Ntp => or_malformed(bytes, ntp::fields(bytes)),
        EvidenceKind::Snmp => or_malformed(bytes, snmp::fields(bytes)),
        EvidenceKind::Coap => or_malformed(bytes, coap::fields(bytes)),
        EvidenceKind::EchonetLite => or_malformed(bytes, echonet::fields(bytes)),
        EvidenceKind::Modbus => or_malformed(bytes, modbus::fields(bytes)),
        // Kinds that a later version of the model adds are shown whole until they get a codec.
        _ => reply::fields(bytes),
    }
}

fn or_malformed<'a>(bytes: &'a [u8], read: Result<Vec<Field<'a>>, Malformed>) -> Vec<Field<'a>> {
    match read {
        Ok(mut list) => {
            list.truncate(MAX_FIELDS);
            list
        }
        Err(reason) => {
            let mut list = Fields::new(bytes);
            list.malformed(&reason);
            list.finish()
        }
    }
}

/// Blanks what changes at every look, in place and without changing the length.
///
/// Masked evidence has the same fields at the same spans; masking twice changes nothing more.
pub fn mask(kind: EvidenceKind, bytes: &mut [u8]) {
    match kind {
        EvidenceKind::Banner => greeting::mask(bytes),
        EvidenceKind::Reply => reply::mask(bytes),
        EvidenceKind::Http => http::mask(bytes),
        EvidenceKind::Rtsp => rtsp::mask(bytes),
        EvidenceKind::Redis => redis::mask(bytes),
        EvidenceKind::Ssdp => ssdp::mask(bytes),
        EvidenceKind::Tls | EvidenceKind::TlsHybrid | EvidenceKind::TlsOld => tls::mask(bytes),
        EvidenceKind::SshKex => ssh::mask(bytes),
        EvidenceKind::Dns => dns::mask(bytes),
        EvidenceKind::Ntp => ntp::mask(bytes),
        EvidenceKind::Snmp => snmp::mask(bytes),
        EvidenceKind::Coap => coap::mask(bytes),
        EvidenceKind::EchonetLite => echonet::mask(bytes),
        EvidenceKind::Modbus => modbus::mask(bytes),
        // The rest is the same at every look, or was not seen by us.
        _ => {}
    }
}

#[cfg(test)]
mod tests;
