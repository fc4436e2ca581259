//! Which town is up: so that the truth about it can be told by another process.
//!
//! A running town keeps `town.json` in the state folder locked: its configuration and the ports it really has. Ports
//! may differ from one start to the next, as some may be taken.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;

use anyhow::{Context, Result};
use hinomi_town::{Plan, RealPort, TownConfig};
use serde::{Deserialize, Serialize};

use crate::state::State;

/// What the file says.
#[derive(Serialize, Deserialize)]
struct Account {
    config: TownConfig,
    ports: Vec<RealPort>,
}

/// Held as long as the town is up.
pub(crate) struct Held {
    _file: File,
}

/// Notes that this town is up. Another town that is noted already keeps its place.
pub(crate) fn hold(state: &State, plan: &Plan) -> Result<Option<Held>> {
    let path = state.make()?.join("town.json");
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    file.set_len(0)?;
    let account = Account { config: plan.config().clone(), ports: plan.real_ports() };
    serde_json::to_writer(&mut file, &account).with_context(|| format!("cannot write {}", path.display()))?;
    file.flush()?;
    Ok(Some(Held { _file: file }))
}

/// The town that is up now, if one is noted in this state folder.
pub(crate) fn running(state: &State) -> Result<Option<Plan>> {
    let path = state.dir().join("town.json");
    let Ok(file) = File::open(&path) else { return Ok(None) };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        // Nobody holds it: the town that wrote it is gone.
        _ => return Ok(None),
    }
    let account: Account = serde_json::from_reader(&file).with_context(|| format!("{}", path.display()))?;
    Ok(Some(Plan::new(account.config)?.at_real_ports(&account.ports)))
}
