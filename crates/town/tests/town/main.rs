//! The town with its sockets open, asked by small clients that share no code with it or with `hinomi-wire`.

#![cfg(test)]

mod client;
mod days;
mod faults;
mod filter;
mod flows;
mod hostile;
mod layout;
mod protocols;
mod ssh;
mod unprivileged;

use hinomi_town::{PortPlan, Running, TownConfig, Truth, up};

/// A town on ports of its own, so that tests can run beside one another.
async fn town(size: u32) -> Running {
    up(TownConfig { size, ports: PortPlan::Free, ..TownConfig::default() }).await.expect("the town comes up")
}

/// The truth of services without a planted fault.
fn sound(running: &Running) -> Vec<Truth> {
    running.plan().truth().filter(|truth| truth.faults.is_empty()).collect()
}
