//! Answers to small read-only requests that need no kind of evidence of their own: memcached, PostgreSQL, LDAP, SMB,
//! AMQP, IRC, XMPP, SIP, beanstalkd, Network UPS Tools, RDP, VNC, IPMI, PPTP, L2TP,
//! mDNS, ADB, IKE, WS-Discovery, MongoDB, RouterOS.
//!
//! A protocol is a module with the request that we send, `complete` (more bytes would add nothing to the answer), the
//! fields, and what changes at every look. None logs in, none writes.

use std::ops::Range;

use crate::field::Field;
use crate::fields::Fields;
use crate::greeting;
use crate::plant;
use crate::recognise::recognise;
use crate::text::blank;

pub mod adb;
pub mod amqp;
pub mod beanstalk;
pub mod ike;
pub mod ipmi;
pub mod irc;
pub mod l2tp;
pub mod ldap;
pub mod mdns;
pub mod memcached;
pub mod mongodb;
pub mod nut;
pub mod postgresql;
pub mod pptp;
pub mod rdp;
pub mod routeros;
pub mod sip;
pub mod smb;
pub mod vnc;
pub mod wsd;
pub mod xmpp;

/// The parts of an answer: `reply`, and what the recognised protocol adds.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    list.span("reply", 0..input.len());
    greeting::push_protocol(&mut list, input);
    list.finish()
}

/// Adds what the protocols of this module say.
pub(crate) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8], protocol: &str) {
    match protocol {
        "memcached" => memcached::push_fields(list, input),
        "postgresql" => postgresql::push_fields(list, input),
        "ldap" => ldap::push_fields(list, input),
        "smb" => smb::push_fields(list, input),
        "amqp" => amqp::push_fields(list, input),
        "irc" => irc::push_fields(list, input),
        "xmpp" => xmpp::push_fields(list, input),
        "sip" => sip::push_fields(list, input),
        "beanstalkd" => beanstalk::push_fields(list, input),
        "nut" => nut::push_fields(list, input),
        "adb" => adb::push_fields(list, input),
        "rdp" => rdp::push_fields(list, input),
        "ipmi" => ipmi::push_fields(list, input),
        "pptp" => pptp::push_fields(list, input),
        "l2tp" => l2tp::push_fields(list, input),
        "mdns" => mdns::push_fields(list, input),
        "ike" => ike::push_fields(list, input),
        "ws-discovery" => wsd::push_fields(list, input),
        "mongodb" => mongodb::push_fields(list, input),
        "routeros-api" => routeros::push_fields(list, input),
        other => plant::push_fields(list, input, other),
    }
}

/// Blanks what changes at every look, in place.
///
/// A hostile answer may have a field read from those very bytes; then it is left as it is.
pub fn mask(bytes: &mut [u8]) {
    let Some(protocol) = recognise(bytes) else { return };
    let of_plant = plant::volatile(bytes, protocol);
    let binary = matches!(protocol, "smb" | "rdp" | "l2tp" | "mdns" | "adb" | "ike" | "mongodb") || of_plant.is_some();
    let ranges = match (protocol, of_plant) {
        (_, Some(ranges)) => ranges,
        ("smb", _) => smb::volatile(bytes),
        ("adb", _) => adb::volatile(bytes),
        ("rdp", _) => rdp::volatile(bytes),
        ("l2tp", _) => l2tp::volatile(bytes),
        ("mdns", _) => mdns::volatile(bytes),
        ("ike", _) => ike::volatile(bytes),
        ("mongodb", _) => mongodb::volatile(bytes),
        ("ws-discovery", _) => wsd::volatile(bytes),
        ("irc", _) => irc::volatile(bytes),
        ("xmpp", _) => xmpp::volatile(bytes),
        ("sip", _) => sip::volatile(bytes),
        ("beanstalkd", _) => beanstalk::volatile(bytes),
        _ => return,
    };
    let filler = if protocol == "ike" { ike::MASK } else { 0 };
    let mut masked = bytes.to_vec();
    for range in ranges {
        match binary {
            true => masked.get_mut(range).unwrap_or_default().fill(filler),
            false => blank(&mut masked, range),
        }
    }
    if shape(&masked) == shape(bytes) {
        bytes.copy_from_slice(&masked);
    }
}

/// What masking must not change.
fn shape(bytes: &[u8]) -> (Option<&'static str>, Vec<(String, Range<usize>)>) {
    let list = fields(bytes);
    (recognise(bytes), list.into_iter().map(|field| (field.name.into_owned(), field.span)).collect())
}

#[cfg(test)]
mod tests;
