//! The server sides of the town's UDP protocols: pure functions from one datagram to at most one answer.
//!
//! What cannot be read is not answered: silence is what real devices do.

mod coap;
mod dns;
mod echonet;
mod ntp;
mod snmp;
mod ssdp;

use crate::host::Host;
use crate::persona::{Service, Speech};
use crate::plan::Plan;
use crate::template::render;

/// Who was asked.
pub(crate) struct Question<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) host: &'a Host,
    pub(crate) service: &'a Service,
}

impl Question<'_> {
    /// A text of the persona, filled in.
    pub(crate) fn text(&self, template: &str) -> String {
        render(template, &self.plan.vars(self.host))
    }
}

/// The host's answer to a datagram.
pub(crate) fn answer(datagram: &[u8], question: &Question<'_>) -> Option<Vec<u8>> {
    match &question.service.speech {
        Speech::Dns(speech) => dns::answer(datagram, question, speech),
        Speech::Ntp(speech) => ntp::answer(datagram, question, speech),
        Speech::Snmp(speech) => snmp::answer(datagram, question, speech),
        Speech::Ssdp(speech) => ssdp::answer(datagram, question, speech),
        Speech::Coap(speech) => coap::answer(datagram, question, speech),
        Speech::Echonet(speech) => echonet::answer(datagram, question, speech),
        _ => None,
    }
}

/// Takes so many bytes from the front.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

/// Takes one byte from the front.
fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    take(bytes, 1)?.first().copied()
}

#[cfg(test)]
mod tests;
