//! Saved queries of organisations on the command line.

use anyhow::{Result, bail};
use clap::Args;
use hinomi_model::{Clock, Purpose, SystemClock};
use hinomi_share::alert::members::{new_watch, watches_of_claims};
use hinomi_state::alerts::members::{MemberWatch, NewMemberWatch};
use hinomi_state::claims::ClaimsOf;
use hinomi_state::organisations::Deed;
use hinomi_state::{Database, Settings};
use serde_json::json;

use super::{Common, Verb, explained};
use crate::output::{self, clean_line};
use crate::state::State;
use crate::witness;

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Its name.
    name: String,
    /// The query, in quotes; one that begins with a minus stands after `--`.
    query: Vec<String>,
    /// Of this organisation.
    #[arg(long, value_name = "ID")]
    organisation: String,
    /// Another name.
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    /// For what the organisation reads.
    #[arg(long, default_value = "exposure-reduction")]
    purpose: Purpose,
}

/// Does what is asked of an organisation's saved queries; nothing when it is of the operator's.
pub(super) fn run(common: &Common, state: &State, verb: &Verb) -> Option<Result<()>> {
    match verb {
        Verb::Add(add) => add.organisation.as_ref().map(|of| {
            let new = ready(state, &add.name, &add.query.join(" "), add.purpose)?;
            change(common, state, &mut |database, deed| database.add_member_watch(deed, of, &new))
        }),
        Verb::Change(asked) => Some(changed(common, state, asked)),
        Verb::Ranges { organisation } => Some(ranges(common, state, organisation)),
        Verb::List { organisation } => organisation.as_ref().map(|of| list(common, state, of)),
        Verb::Remove { name, organisation } => organisation.as_ref().map(|of| remove(common, state, of, name)),
        _ => None,
    }
}

fn database(state: &State) -> Result<Database> {
    Ok(Database::open(&Settings::of_state(state.make()?)?.target)?)
}

fn ready(state: &State, name: &str, query: &str, purpose: Purpose) -> Result<NewMemberWatch> {
    let (begins, _) = state.reader()?.arrivals_begin()?;
    new_watch(name, query, purpose, begins).map_err(|error| explained(query, error))
}

type Doing<'a> = &'a mut dyn FnMut(&Database, Deed<'_>) -> Result<MemberWatch, hinomi_state::StateError>;

fn change(common: &Common, state: &State, doing: Doing<'_>) -> Result<()> {
    let by = witness::user();
    let done = doing(&database(state)?, Deed { by: &by, now: SystemClock.now() })?;
    match common.json {
        true => output::json(&done),
        false => output::line(&line(&done)),
    }
}

fn changed(common: &Common, state: &State, asked: &Change) -> Result<()> {
    let name = asked.rename.as_ref().unwrap_or(&asked.name);
    let new = ready(state, name, &asked.query.join(" "), asked.purpose)?;
    let of = (asked.organisation.as_str(), asked.name.as_str());
    change(common, state, &mut |database, deed| database.change_member_watch(deed, of, &new))
}

fn ranges(common: &Common, state: &State, of: &str) -> Result<()> {
    let (database, now) = (database(state)?, SystemClock.now());
    let claims = database.claims(&ClaimsOf { organisation: Some(of), ..ClaimsOf::default() })?;
    let (begins, _) = state.reader()?.arrivals_begin()?;
    let by = witness::user();
    let there = database.member_watches(Some(of))?;
    let mut made = Vec::new();
    for new in watches_of_claims(&claims, &there, begins, now)? {
        made.push(database.add_member_watch(Deed { by: &by, now }, of, &new)?);
    }
    match common.json {
        true => output::json(&made),
        false => made.iter().try_for_each(|one| output::line(&line(one))),
    }
}

fn list(common: &Common, state: &State, of: &str) -> Result<()> {
    let saved = database(state)?.member_watches(Some(of))?;
    match common.json {
        true => output::json(&saved),
        false => saved.iter().try_for_each(|one| output::line(&line(one))),
    }
}

fn remove(common: &Common, state: &State, of: &str, name: &str) -> Result<()> {
    let by = witness::user();
    if !database(state)?.remove_member_watch(Deed { by: &by, now: SystemClock.now() }, of, name)? {
        bail!("{of} has no saved query named {name:?}; hinomi watch list --organisation {of} tells the names");
    }
    match common.json {
        true => output::json(&json!({ "name": name, "removed": true })),
        false => output::line(&clean_line(&format!("{name} is removed"), 200)),
    }
}

fn line(one: &MemberWatch) -> String {
    clean_line(&format!("{:>6}  {}  {}  ({})", one.number, one.name, one.query, one.purpose), 400)
}
