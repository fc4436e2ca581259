//! The turn of the keys: moved to a moment, recorded, and told which lines are infected.
//!
//! Invariant: the list of infected lines is wiped when the keys were told.

use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::Timestamp;

use super::job::Recorder;
use super::scrub::scrub_stack;
use crate::epoch::{KeyEvent, Keys, LegalBasis};
use crate::error::FlowError;

/// Moves keys to this moment and tells a new one which lines are infected. Records what happened to keys, and gives the
/// epoch that runs.
pub(super) fn turn(keys: &mut Keys, now: Timestamp, recorder: &mut dyn Recorder) -> Result<u32, FlowError> {
    let events = keys.advance(now)?;
    if let Some(infected) = record(&events, now, recorder)? {
        infected.tell(keys);
    }
    Ok(keys.current_epoch())
}

/// Records what happened to keys; gives the infected lines that a new one is to be told of.
pub(super) fn record(
    events: &[KeyEvent],
    now: Timestamp,
    recorder: &mut dyn Recorder,
) -> Result<Option<Infected>, FlowError> {
    if events.is_empty() {
        return Ok(None);
    }
    // What a destroyed key left on the stack goes with it.
    scrub_stack();
    recorder.keys(now, events).map_err(FlowError::recorder)?;
    if !events.iter().any(|event| matches!(event, KeyEvent::Born { .. })) {
        return Ok(None);
    }
    let infected = recorder.infected().map_err(FlowError::recorder)?;
    Ok(infected.map(|(lines, basis)| Infected { lines, basis }))
}

/// Infected lines on their way to the keys; wiped when they go.
pub(super) struct Infected {
    lines: Vec<IpAddr>,
    basis: LegalBasis,
}

impl Infected {
    pub(super) fn tell(self, keys: &mut Keys) {
        keys.tell_infected(&self.lines, &self.basis);
    }
}

impl Drop for Infected {
    fn drop(&mut self) {
        self.lines.fill(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        std::hint::black_box(&mut self.lines);
        scrub_stack();
    }
}
