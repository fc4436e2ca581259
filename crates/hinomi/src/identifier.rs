//! The rules in use: those built in, those in the state folder's `rules/`, and those of folders that a command names.
//!
//! What writes facts uses all of them or does nothing. What only reads shows stored facts, so a broken file there is
//! told and no reason to stop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hinomi_identify::{Engine, RuleError, UserRules};

use crate::output::{clean_line, talk};

/// The folder of the user's rules in the state folder.
pub(crate) const FOLDER: &str = "rules";

/// Every rule, for a command that writes facts; says how many are the user's.
pub(crate) fn complete(state: &Path, asked: &[PathBuf]) -> Result<Engine> {
    let mut user = of_state(state)?;
    for folder in asked {
        user = user.with(folder).with_context(|| refusal(folder))?;
    }
    for file in user.idle() {
        let file = clean_line(file, 200);
        talk(&format!("{file} is about something that no evidence of ours holds; its fingerprints are never asked"));
    }
    let (own, fingerprints, any) = (user.rules(), user.fingerprints(), !user.is_empty());
    let engine = Engine::with(user)?;
    if any {
        talk(&format!("{} rules, {own} of them yours, and {fingerprints} fingerprints of Recog's", engine.len()));
    }
    Ok(engine)
}

/// The rules of the state folder, for a command that only reads.
pub(crate) fn to_read(state: &Path) -> Result<Engine> {
    let user = of_state(state).unwrap_or_else(|error| {
        talk(&format!("hinomi: {}; what is stored is shown", clean_line(&format!("{error:#}"), 1_000)));
        UserRules::default()
    });
    Ok(Engine::with(user)?)
}

/// What is in the state folder's `rules/`, if it is there.
fn of_state(state: &Path) -> Result<UserRules> {
    let folder = state.join(FOLDER);
    if !folder.exists() {
        return Ok(UserRules::default());
    }
    match UserRules::default().with(&folder) {
        Err(RuleError::Nothing { .. }) => Ok(UserRules::default()),
        other => other.with_context(|| refusal(&folder)),
    }
}

fn refusal(folder: &Path) -> String {
    format!("none of the rules in {} is used until every file of it can be; mend it or take it out", folder.display())
}
