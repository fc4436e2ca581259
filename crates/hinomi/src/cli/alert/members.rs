//! Channels of organisations on the command line.

use anyhow::{Context, Result, bail};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::alert::members::{code_message, plan as plan_members};
use hinomi_share::alert::monthly;
use hinomi_share::report::pdf::Font;
use hinomi_state::Database;
use hinomi_state::alerts::Way;
use hinomi_state::alerts::members::MemberChannel;
use hinomi_state::organisations::Deed;
use serde_json::json;

use super::{Add, Common, MESSAGES, Verb, show_messages, told, where_to};
use crate::output::{self, clean_line};
use crate::state::State;
use crate::{door, witness};

/// Does what is asked of an organisation's channels; nothing when it is of the operator's.
pub(super) fn run(common: &Common, (state, database): (&State, &Database), verb: &Verb) -> Option<Result<()>> {
    match verb {
        Verb::Add(add) => add.organisation.as_ref().map(|of| make(common, (state, database), of, add)),
        Verb::List { organisation } => organisation.as_ref().map(|of| list(common, database, of)),
        Verb::Messages { name, organisation } => organisation.as_ref().map(|of| messages(common, database, (of, name))),
        Verb::Confirm { name, code, organisation } => Some(confirm(common, database, (organisation, name), code)),
        Verb::Remove { name, organisation } => organisation.as_ref().map(|of| remove(common, database, (of, name))),
        Verb::Send => None,
    }
}

/// Makes what is due for organisations, where any has a channel.
pub(super) fn plan(state: &State, database: &Database) -> Result<u64> {
    if database.member_channels(None)?.is_empty() {
        return Ok(0);
    }
    let folder = state.make()?;
    let (door, asked) = (door::open(folder, state.reader()?)?, hinomi_web::Settings::of_state(folder)?.font);
    let now = SystemClock.now();
    let made = plan_members(&door, database, now)?;
    Ok(made + monthly::plan(&door, database, &|| Font::of(asked.as_deref()), now)?)
}

fn make(common: &Common, (state, database): (&State, &Database), of: &str, add: &Add) -> Result<()> {
    let saved = database.member_watches(Some(of))?;
    let number = |name: &String| {
        let found = saved.iter().find(|one| one.name == *name).and_then(|one| u64::try_from(one.number).ok());
        found.with_context(|| format!("{of} has no saved query named {name:?}; hinomi watch list --organisation {of}"))
    };
    let new = add.said(add.watch.iter().map(number).collect::<Result<_>>()?)?;
    let (begins, _) = state.reader()?.arrivals_begin()?;
    let (by, language) = (witness::user(), new.language);
    let deed = Deed { by: &by, now: SystemClock.now() };
    let ask = |code: &str| code_message(language, of, code);
    let made = database.add_member_channel(deed, (of, &add.name), (&new, begins), &ask)?;
    let secret = matches!(made.channel.said.to, Way::Webhook(_)).then_some(&made.channel.secret);
    if secret.is_some() && !common.json {
        output::talk("the secret that signs its messages is shown this once:");
    }
    if !made.is_open() && !common.json {
        output::talk("a code is mailed to this address; hinomi alert confirm takes it, and until then nothing is sent");
    }
    let line = secret.map_or_else(|| one_line(&made), |secret| format!("{}\n{secret}", one_line(&made)));
    told(common, &json!({ "channel": made, "secret": secret, "open": made.is_open() }), &line)
}

fn list(common: &Common, database: &Database, of: &str) -> Result<()> {
    let channels = database.member_channels(Some(of))?;
    if common.json {
        return output::json(&channels);
    }
    channels.iter().try_for_each(|one| output::line(&one_line(one)))
}

fn one_line(one: &MemberChannel) -> String {
    let state = if one.is_open() { "" } else { "  waits for its code" };
    let what = if one.channel.said.monthly { "  monthly report" } else { "" };
    clean_line(&format!("{:<20}  {}{what}{state}", one.channel.name, where_to(&one.channel)), 400)
}

fn messages(common: &Common, database: &Database, (of, name): (&str, &str)) -> Result<()> {
    let found = database.member_messages(of, name, MESSAGES)?;
    show_messages(common, &found.with_context(|| none(of, name))?)
}

fn confirm(common: &Common, database: &Database, of: (&str, &str), code: &str) -> Result<()> {
    let by = witness::user();
    let opened = database.confirm_member_channel(Deed { by: &by, now: SystemClock.now() }, of, code)?;
    told(common, &json!({ "channel": opened, "open": true }), &one_line(&opened))
}

fn remove(common: &Common, database: &Database, (of, name): (&str, &str)) -> Result<()> {
    let by = witness::user();
    if !database.remove_member_channel(Deed { by: &by, now: SystemClock.now() }, of, name)? {
        bail!(none(of, name));
    }
    told(common, &json!({ "name": name, "removed": true }), &format!("{name} is removed"))
}

fn none(of: &str, name: &str) -> String {
    format!("{of} has no channel {name:?}; hinomi alert list --organisation {of} tells the names")
}
