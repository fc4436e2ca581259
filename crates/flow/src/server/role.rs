//! Does the remote end of a flow serve?
//!
//! A record of both directions tells who began. Of a single direction only the ports are known, and they are believed
//! where one side's is a well-known one; otherwise the question stays open, and the gate answers it: only a port that
//! serves is met by several clients.

use crate::purpose::{CncDetection, Flow};

/// Ports below are given out by IANA to services and need privileges to open on most systems.
const WELL_KNOWN_BELOW: u16 = 1_024;

/// The remote end's part in a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It was asked.
    Server,
    /// It asked: a scanner, or the client of a service behind a subscriber's line.
    Client,
    /// The record does not tell.
    Unclear,
}

impl Role {
    /// The remote end's part in this flow.
    pub(crate) fn of(flow: &Flow<CncDetection>) -> Self {
        if flow.out.is_some() && flow.back.is_some() {
            return if flow.told_by_subscriber { Self::Server } else { Self::Client };
        }
        match (flow.subscriber_port < WELL_KNOWN_BELOW, flow.remote.port < WELL_KNOWN_BELOW) {
            (true, false) => Self::Client,
            (false, true) => Self::Server,
            _ => Self::Unclear,
        }
    }
}
