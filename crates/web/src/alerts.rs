//! Saved queries and channels of an organisation, as pages, API and Shodan's clients change them.

use axum::http::StatusCode;
use hinomi_share::ReadError;
use hinomi_share::alert::members::{code_message, new_watch, watches_of_claims};
use hinomi_state::alerts::members::{MemberChannel, MemberWatch};
use hinomi_state::alerts::{Message, NewChannel};
use hinomi_state::claims::{Claim, ClaimsOf};
use hinomi_state::organisations::Deed;

use crate::app::App;
use crate::auth::{Acting, ask};
use crate::page::fault::Fault;
use crate::read::{Desk, DeskError};

/// Messages of a channel that are told of.
const MESSAGES: u32 = 50;

/// A saved query as somebody writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) query: String,
}

/// What is known now: what is saved tells of what arrives later.
async fn begins(desk: &Desk) -> Result<u64, Fault> {
    Ok(desk.ask(|reader| reader.arrivals_begin()).await?.0)
}

fn of_read(error: ReadError) -> Fault {
    Fault::from(DeskError::Read(error))
}

/// The saved queries of an organisation.
pub(crate) async fn watches(app: &App, organisation: &str) -> Result<Vec<MemberWatch>, Fault> {
    let of = organisation.to_owned();
    ask(app, move |accounts| accounts.database()?.member_watches(Some(&of))).await
}

/// Saves a query; in place of the one of a name, if that is given.
pub(crate) async fn save(
    app: &App,
    desk: &Desk,
    acting: &Acting,
    (before, written): (Option<String>, Written),
) -> Result<MemberWatch, Fault> {
    let begins = begins(desk).await?;
    let new = new_watch(&written.name, &written.query, acting.purpose, begins).map_err(of_read)?;
    let (of, by, now) = (acting.organisation.clone(), acting.by.clone(), app.now());
    ask(app, move |accounts| {
        let (database, deed) = (accounts.database()?, Deed { by: &by, now });
        match &before {
            None => database.add_member_watch(deed, &of, &new),
            Some(before) => database.change_member_watch(deed, (&of, before), &new),
        }
    })
    .await
}

/// Removes a saved query; tells whether there was one.
pub(crate) async fn remove(app: &App, acting: &Acting, name: String) -> Result<bool, Fault> {
    let (of, by, now) = (acting.organisation.clone(), acting.by.clone(), app.now());
    ask(app, move |accounts| accounts.database()?.remove_member_watch(Deed { by: &by, now }, &of, &name)).await
}

/// What the organisation claims.
pub(crate) async fn claims(app: &App, organisation: &str) -> Result<Vec<Claim>, Fault> {
    let of = organisation.to_owned();
    ask(app, move |accounts| accounts.database()?.claims(&ClaimsOf { organisation: Some(&of), ..ClaimsOf::default() }))
        .await
}

/// Watches what the organisation holds: all of it, or this.
pub(crate) async fn watch_ranges(
    app: &App,
    desk: &Desk,
    acting: &Acting,
    subject: Option<String>,
) -> Result<Vec<MemberWatch>, Fault> {
    let begins = begins(desk).await?;
    let (of, by, now) = (acting.organisation.clone(), acting.by.clone(), app.now());
    let mut claims = claims(app, &of).await?;
    claims.retain(|one| subject.as_ref().is_none_or(|subject| one.subject.to_string() == *subject));
    let there = watches(app, &of).await?;
    let all = watches_of_claims(&claims, &there, begins, now).map_err(of_read)?;
    ask(app, move |accounts| {
        let database = accounts.database()?;
        all.iter().map(|new| database.add_member_watch(Deed { by: &by, now }, &of, new)).collect()
    })
    .await
}

/// The channels of an organisation.
pub(crate) async fn channels(app: &App, organisation: &str) -> Result<Vec<MemberChannel>, Fault> {
    let of = organisation.to_owned();
    ask(app, move |accounts| accounts.database()?.member_channels(Some(&of))).await
}

/// Makes a channel.
pub(crate) async fn add_channel(
    app: &App,
    desk: &Desk,
    acting: &Acting,
    (name, new): (String, NewChannel),
) -> Result<MemberChannel, Fault> {
    let begins = begins(desk).await?;
    let (of, by, now) = (acting.organisation.clone(), acting.by.clone(), app.now());
    ask(app, move |accounts| {
        let said = |code: &str| code_message(new.language, &of, code);
        accounts.database()?.add_member_channel(Deed { by: &by, now }, (&of, &name), (&new, begins), &said)
    })
    .await
}

/// Opens a channel with the code that was mailed.
pub(crate) async fn confirm(app: &App, acting: &Acting, name: String, code: String) -> Result<MemberChannel, Fault> {
    let (of, by, now) = (acting.organisation.clone(), acting.by.clone(), app.now());
    ask(app, move |accounts| accounts.database()?.confirm_member_channel(Deed { by: &by, now }, (&of, &name), &code))
        .await
}

/// Removes a channel; tells whether there was one.
pub(crate) async fn remove_channel(app: &App, acting: &Acting, name: String) -> Result<bool, Fault> {
    let (of, by, now) = (acting.organisation.clone(), acting.by.clone(), app.now());
    ask(app, move |accounts| accounts.database()?.remove_member_channel(Deed { by: &by, now }, &of, &name)).await
}

/// The newest messages of a channel.
pub(crate) async fn messages(app: &App, acting: &Acting, name: &str) -> Result<Vec<Message>, Fault> {
    let (of, purpose, name) = (acting.organisation.clone(), acting.purpose, name.to_owned());
    let found = ask(app, move |accounts| {
        let database = accounts.database()?;
        let channels = database.member_channels(Some(&of))?;
        let Some(channel) = channels.into_iter().find(|one| one.channel.name == name) else { return Ok(None) };
        let named = channel.channel.said.watches;
        let is_named = |number| u64::try_from(number).is_ok_and(|number| named.is_empty() || named.contains(&number));
        let watches = database.member_watches(Some(&of))?;
        // What was read for one purpose is told for no other.
        if watches.iter().any(|one| is_named(one.number) && one.purpose != purpose) {
            return Ok(Some(Vec::new()));
        }
        database.member_messages(&of, &name, MESSAGES)
    });
    found.await?.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "no-channel"))
}
