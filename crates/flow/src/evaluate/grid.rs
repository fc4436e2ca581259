//! Recall by number of bots and by sampling: what can be detected at all, as a table.

use serde::Serialize;

use super::compose::{Parts, Plan, fan_in};
use super::{Options, run};
use crate::detect::statistics::as_f64;
use crate::error::FlowError;

/// Numbers of bots of the published table.
pub const BOTS: [u32; 6] = [2, 3, 5, 10, 20, 50];
/// Samplings of the published table.
pub const SAMPLINGS: [u32; 7] = [1, 4, 16, 64, 256, 1024, 4096];

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Subscribers that talk to the C&C.
    pub bots: u32,
    /// One of so many packets was looked at.
    pub sampling: u32,
    /// Share of runs in which a true endpoint is named.
    pub named: f64,
    /// Share of runs in which it passes the gate.
    pub exported: f64,
    /// Share of runs in which it ranks first.
    pub first: f64,
    /// Endpoints past the gate that are none, over all runs.
    pub false_exports: usize,
    /// Endpoints named that are none, over all runs.
    pub false_names: usize,
    /// Share of runs in which the baseline names it.
    pub baseline_named: f64,
    /// Endpoints that the baseline names and that are none, over all runs.
    pub baseline_false: usize,
}

/// Runs every cell so many times with different draws, and tells of each when it is done.
///
/// # Errors
/// As [`run`].
pub fn grid(
    parts: &Parts<'_>,
    plan: &Plan,
    options: &Options,
    (bots, samplings, runs): (&[u32], &[u32], u32),
    mut done: impl FnMut(&Cell),
) -> Result<Vec<Cell>, FlowError> {
    let mut cells = Vec::new();
    for &bots in bots {
        for &sampling in samplings {
            let one = Plan { bots, sampling, population: plan.population.max(bots), ..*plan };
            let cell = cell(parts, &one, options, runs)?;
            done(&cell);
            cells.push(cell);
        }
    }
    Ok(cells)
}

fn cell(parts: &Parts<'_>, plan: &Plan, options: &Options, runs: u32) -> Result<Cell, FlowError> {
    let mut outcomes = Vec::new();
    for turn in 0..runs {
        let seed = plan.seed.wrapping_add(u64::from(turn).wrapping_mul(7_919));
        outcomes.push(run(&fan_in(parts, &Plan { seed, ..*plan }), options)?);
    }
    let share = |of: &dyn Fn(&super::Outcome) -> bool| {
        as_f64(outcomes.iter().filter(|outcome| of(outcome)).count()) / as_f64(outcomes.len().max(1))
    };
    let sum = |of: &dyn Fn(&super::Outcome) -> usize| outcomes.iter().map(of).sum();
    Ok(Cell {
        bots: plan.bots,
        sampling: plan.sampling,
        named: share(&|outcome| outcome.named_true > 0),
        exported: share(&|outcome| outcome.exportable_true > 0),
        first: share(&|outcome| outcome.places.iter().any(|place| place.rank == Some(1))),
        false_exports: sum(&|outcome| outcome.exportable - outcome.exportable_true),
        false_names: sum(&|outcome| outcome.named - outcome.named_true),
        baseline_named: share(&|outcome| outcome.baseline.named_true > 0),
        baseline_false: sum(&|outcome| outcome.baseline.named - outcome.baseline.named_true),
    })
}

impl Cell {
    /// The heading of the table.
    pub const HEADING: &'static str =
        "bots  sampling  named  gate  first  false named  false past gate  RITA-like named  RITA-like false";

    /// One line of the table.
    pub fn line(&self) -> String {
        format!(
            "{:>4} {:>9} {:>6.2} {:>5.2} {:>6.2} {:>12} {:>16} {:>16.2} {:>16}",
            self.bots,
            format!("1:{}", self.sampling),
            self.named,
            self.exported,
            self.first,
            self.false_names,
            self.false_exports,
            self.baseline_named,
            self.baseline_false,
        )
    }
}
