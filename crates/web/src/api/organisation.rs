//! Saved queries and channels of an organisation as JSON, and a channel as an Atom feed.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hinomi_state::alerts::members::{MemberChannel, MemberWatch};
use hinomi_state::alerts::{Message, NewChannel, Quiet, Way};
use hinomi_state::contacts::Language;
use serde::{Deserialize, Serialize};

use super::records::{bounded, parameters};
use super::{json, problem};
use crate::alerts::{self, Written};
use crate::app::App;
use crate::auth::{Acting, Caller, acting};
use crate::page::fault::Fault;
use crate::read::Desk;

type Asked<T> = Result<Query<T>, QueryRejection>;

fn answer<T: Serialize>(result: Result<T, Fault>) -> Response {
    match result {
        Ok(value) => json(&value),
        Err(fault) => problem::respond(&fault),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    organisation: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    organisation: Option<String>,
    name: String,
}

async fn editor(app: &App, caller: &Caller, organisation: Option<&str>) -> Result<Acting, Fault> {
    acting(app, caller, organisation).await?.editor()
}

#[derive(Serialize)]
struct Watches {
    organisation: String,
    watches: Vec<MemberWatch>,
}

/// `GET /organisation/watches`
pub(super) async fn watches(State(app): State<App>, Extension(caller): Extension<Caller>, of: Asked<Of>) -> Response {
    let look = async {
        let organisation = acting(&app, &caller, parameters(of)?.organisation.as_deref()).await?.organisation;
        let watches = alerts::watches(&app, &organisation).await?;
        Ok(Watches { organisation, watches })
    };
    answer(look.await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWatch {
    organisation: Option<String>,
    name: String,
    query: String,
    /// In place of the one of this name.
    instead: Option<String>,
}

/// `POST /organisation/watches`
pub(super) async fn add_watch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    new: Asked<NewWatch>,
) -> Response {
    let work = async {
        let NewWatch { organisation, name, query, instead } = parameters(new)?;
        bounded(&query)?;
        let acting = editor(&app, &caller, organisation.as_deref()).await?;
        alerts::save(&app, &desk, &acting, (instead, Written { name, query })).await
    };
    answer(work.await)
}

#[derive(Serialize)]
struct Removed {
    removed: bool,
}

/// `DELETE /organisation/watches`
pub(super) async fn remove_watch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    named: Asked<Named>,
) -> Response {
    let work = async {
        let Named { organisation, name } = parameters(named)?;
        let acting = editor(&app, &caller, organisation.as_deref()).await?;
        match alerts::remove(&app, &acting, name).await? {
            true => Ok(Removed { removed: true }),
            false => Err(Fault::new(StatusCode::NOT_FOUND, "watch-not-saved")),
        }
    };
    answer(work.await)
}

/// `POST /organisation/watches/ranges`
pub(super) async fn watch_ranges(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    of: Asked<Of>,
) -> Response {
    let work = async {
        let acting = editor(&app, &caller, parameters(of)?.organisation.as_deref()).await?;
        let watches = alerts::watch_ranges(&app, &desk, &acting, None).await?;
        Ok(Watches { organisation: acting.organisation, watches })
    };
    answer(work.await)
}

#[derive(Serialize)]
struct Channels {
    organisation: String,
    channels: Vec<ChannelTold>,
}

#[derive(Serialize)]
struct ChannelTold {
    #[serde(flatten)]
    channel: MemberChannel,
    /// Whether messages are made for it: mail waits for its code.
    open: bool,
    /// With which its messages are signed; told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

fn told(channel: MemberChannel, secret: Option<String>) -> ChannelTold {
    ChannelTold { open: channel.is_open(), channel, secret }
}

/// `GET /organisation/channels`
pub(super) async fn channels(State(app): State<App>, Extension(caller): Extension<Caller>, of: Asked<Of>) -> Response {
    let look = async {
        let organisation = acting(&app, &caller, parameters(of)?.organisation.as_deref()).await?.organisation;
        let channels = alerts::channels(&app, &organisation).await?;
        Ok(Channels { organisation, channels: channels.into_iter().map(|one| told(one, None)).collect() })
    };
    answer(look.await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    organisation: Option<String>,
    name: String,
    way: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    language: Language,
    /// Numbers of saved queries with commas; none is all.
    #[serde(default)]
    watches: String,
    #[serde(default)]
    every_minutes: u32,
    again_hours: Option<u32>,
    quiet_from: Option<u16>,
    quiet_until: Option<u16>,
    offset_minutes: Option<i16>,
    #[serde(default)]
    monthly: bool,
}

/// How long the same is not told again when nobody says.
pub(crate) const USUAL_SILENCE_HOURS: u32 = 24;
/// Local time less UTC when nobody says: Japan.
pub(crate) const USUAL_OFFSET_MINUTES: i16 = 540;

impl New {
    fn read(self) -> Result<(Option<String>, String, NewChannel), Fault> {
        let wrong = |what: &str| Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&what);
        let to = way(&self.way, &self.target).ok_or_else(|| wrong("way is mail, webhook, slack or feed"))?;
        let numbers = self.watches.split(',').map(str::trim).filter(|text| !text.is_empty());
        let watches = numbers.map(|text| text.parse().map_err(|_| wrong("watches are numbers with commas")));
        let offset_minutes = self.offset_minutes.unwrap_or(USUAL_OFFSET_MINUTES);
        let quiet = self.quiet_from.zip(self.quiet_until);
        let said = NewChannel {
            to,
            language: self.language,
            watches: watches.collect::<Result<_, Fault>>()?,
            every_minutes: self.every_minutes,
            again_hours: self.again_hours.unwrap_or(USUAL_SILENCE_HOURS),
            quiet: quiet.map(|(from, until)| Quiet { from, until, offset_minutes }),
            monthly: self.monthly,
        };
        if said.monthly && !matches!(said.to, Way::Mail(_)) {
            return Err(wrong("the monthly report goes by mail"));
        }
        Ok((self.organisation, self.name, said))
    }
}

/// Where to, by its name and target.
pub(crate) fn way(name: &str, target: &str) -> Option<Way> {
    let target = || target.trim().to_owned();
    match name {
        "mail" => Some(Way::Mail(target())),
        "webhook" => Some(Way::Webhook(target())),
        "slack" => Some(Way::Slack(target())),
        "feed" => Some(Way::Feed),
        _ => None,
    }
}

/// `POST /organisation/channels`
pub(super) async fn add_channel(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    new: Asked<New>,
) -> Response {
    let work = async {
        let (organisation, name, said) = parameters(new)?.read()?;
        let acting = editor(&app, &caller, organisation.as_deref()).await?;
        let made = alerts::add_channel(&app, &desk, &acting, (name, said)).await?;
        let secret = matches!(made.channel.said.to, Way::Webhook(_)).then(|| made.channel.secret.clone());
        Ok(told(made, secret))
    };
    answer(work.await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Coded {
    organisation: Option<String>,
    name: String,
    code: String,
}

/// `POST /organisation/channels/confirm`
pub(super) async fn confirm(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    coded: Asked<Coded>,
) -> Response {
    let work = async {
        let Coded { organisation, name, code } = parameters(coded)?;
        let acting = editor(&app, &caller, organisation.as_deref()).await?;
        Ok(told(alerts::confirm(&app, &acting, name, code).await?, None))
    };
    answer(work.await)
}

/// `DELETE /organisation/channels`
pub(super) async fn remove_channel(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    named: Asked<Named>,
) -> Response {
    let work = async {
        let Named { organisation, name } = parameters(named)?;
        let acting = editor(&app, &caller, organisation.as_deref()).await?;
        match alerts::remove_channel(&app, &acting, name).await? {
            true => Ok(Removed { removed: true }),
            false => Err(Fault::new(StatusCode::NOT_FOUND, "no-channel")),
        }
    };
    answer(work.await)
}

/// `GET /organisation/channels/feed`: the newest messages, as Atom (RFC 4287).
pub(super) async fn feed(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    named: Asked<Named>,
) -> Response {
    let look = async {
        let Named { organisation, name } = parameters(named)?;
        let acting = acting(&app, &caller, organisation.as_deref()).await?;
        let messages = alerts::messages(&app, &acting, &name).await?;
        let asked = format!("{} {name}", acting.organisation);
        desk.ask(move |reader| reader.witnessed("feed", &asked).map(drop)).await?;
        Ok((acting.organisation, name, messages))
    };
    match look.await {
        Ok((organisation, name, messages)) => {
            let text = atom(&app.installation, (&organisation, &name), &messages, &app.now().to_string());
            ([(CONTENT_TYPE, "application/atom+xml"), (CACHE_CONTROL, "no-store")], text).into_response()
        }
        Err(fault) => problem::respond(&fault),
    }
}

fn atom(installation: &str, (organisation, name): (&str, &str), messages: &[Message], now: &str) -> String {
    let id = format!("urn:hinomi:{}:alerts:{}:{}", escaped(installation), escaped(organisation), escaped(name));
    let updated = messages.first().map_or_else(|| now.to_owned(), |one| one.made.to_string());
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n<id>{id}</id>\n\
         <title>Hinomi: {} / {}</title>\n<updated>{updated}</updated>\n<author><name>Hinomi</name></author>\n",
        escaped(organisation),
        escaped(name)
    );
    for one in messages {
        // One of before has no other name than its number.
        let named = if one.id.is_empty() { one.number.to_string() } else { one.id.clone() };
        text.push_str(&format!(
            "<entry>\n<id>{id}:{named}</id>\n<title>{}</title>\n<updated>{}</updated>\n<content type=\"text\">{}</content>\n\
             </entry>\n",
            escaped(&one.subject),
            one.made,
            escaped(&one.body)
        ));
    }
    text.push_str("</feed>\n");
    text
}

/// Text of XML, without characters that it may not have.
fn escaped(text: &str) -> String {
    let may = |c: &char| matches!(c, '\t' | '\n' | '\r') || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'));
    let text: String = text.chars().filter(may).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_well_formed_whatever_was_said() {
        let message = Message {
            number: 7,
            id: "0a".into(),
            channel: 1,
            subject: "<b>&\u{0}".into(),
            body: "]]>\u{1b}".into(),
            events: "[]".into(),
            made: "2026-01-01".parse().expect("a time"),
            tries: 0,
            state: "sent".into(),
            error: String::new(),
        };
        let text = atom("x", ("city", "feed"), &[message], "2026-01-02T00:00:00Z");
        assert!(text.contains("<title>&lt;b&gt;&amp;</title>") && text.contains("]]&gt;<"), "{text}");
        assert!(text.contains("urn:hinomi:x:alerts:city:feed:0a"), "{text}");
    }
}
