//! Saved queries of an organisation and where they are told.

use askama::Template;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use hinomi_model::Timestamp;
use hinomi_state::alerts::members::{MAX_CHANNELS_OF_ONE, MAX_WATCHES_OF_ONE, MemberChannel, MemberWatch};
use hinomi_state::alerts::{NewChannel, Quiet, Way};
use hinomi_state::claims::Claim;
use hinomi_state::contacts::Language;

use crate::alerts::{self, Written};
use crate::api::organisation::{USUAL_OFFSET_MINUTES, USUAL_SILENCE_HOURS, way};
use crate::app::App;
use crate::auth::form::Form as Fields;
use crate::auth::{Acting, Caller, acting};
use crate::link;
use crate::moment;
use crate::page::account::Notice;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// Where it is.
pub(crate) const PATH: &str = "/organisation/alerts";
/// Ways to be told, as in keys of the catalogues.
pub(crate) const WAYS: [&str; 4] = ["mail", "webhook", "slack", "feed"];
/// How often a message is made at most, in minutes, as in keys of the catalogues.
pub(crate) const RHYTHMS: [u32; 5] = [0, 15, 60, 1_440, 10_080];
/// How long the same is not told again, in hours, as in keys of the catalogues.
pub(crate) const SILENCES: [u32; 4] = [0, USUAL_SILENCE_HOURS, 168, 720];
/// How messages stand, as in keys of the catalogues.
#[cfg(test)]
pub(crate) const STATES: [&str; 3] = ["waiting", "sent", "given-up"];

#[derive(Template)]
#[template(path = "organisation_alerts.html")]
struct AlertsPage {
    frame: Frame,
    notice: Option<Notice>,
    organisation: String,
    name: Seen,
    others: Vec<(Seen, String)>,
    edits: bool,
    /// Ranges that are held, and whether each is watched.
    ranges: Vec<RangeView>,
    /// Whether any is not.
    any_range: bool,
    watches: Vec<WatchView>,
    most_watches: i64,
    channels: Vec<ChannelView>,
    most_channels: i64,
    ways: Vec<(&'static str, String)>,
    rhythms: Vec<(u32, String)>,
    silences: Vec<(u32, String, bool)>,
    /// What the form had, when it could not be taken.
    query: String,
}

struct RangeView {
    subject: Seen,
    /// As the form has it.
    value: String,
    until: String,
    watched: bool,
}

struct WatchView {
    number: i64,
    name: String,
    shown: Seen,
    query: Seen,
    whole: String,
    href: String,
    purpose: String,
    created: String,
    by: Seen,
}

struct ChannelView {
    name: String,
    way: String,
    target: Seen,
    about: String,
    rhythm: String,
    /// It waits for the code that was mailed.
    waits: bool,
    last: Option<MessageView>,
    feed: Option<String>,
}

struct MessageView {
    time: String,
    state: String,
    subject: Seen,
    error: Seen,
}

pub(crate) async fn show(State(app): State<App>, Extension(caller): Extension<Caller>, visit: Visit) -> Response {
    let asked = visit.parameter("organisation").map(str::to_owned);
    match acting(&app, &caller, asked.as_deref()).await {
        Ok(acting) => answer(&app, &visit, &acting, None).await,
        Err(fault) => fault::page(&visit, &fault),
    }
}

/// `POST`: does what the form says.
pub(crate) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    visit: Visit,
    fields: Fields,
) -> Response {
    let acting = match acting(&app, &caller, fields.find("organisation")).await {
        Ok(acting) => acting,
        Err(fault) => return fault::page(&visit, &fault),
    };
    let done = match acting.clone().editor() {
        Ok(editor) => take(&app, &desk, &visit, (&editor, &fields)).await,
        Err(fault) => Err(fault),
    };
    match done {
        Ok(None) => {
            let to = link::with_parameters(PATH, [("organisation", acting.organisation.as_str())]);
            Redirect::to(&to).into_response()
        }
        Ok(Some(notice)) => answer(&app, &visit, &acting, Some(notice)).await,
        Err(fault) => answer(&app, &visit, &acting, Some(Notice::of(&visit.words, &fault))).await,
    }
}

async fn take(
    app: &App,
    desk: &Desk,
    visit: &Visit,
    (acting, fields): (&Acting, &Fields),
) -> Result<Option<Notice>, Fault> {
    let text = |name: &str| fields.get(name).trim().to_owned();
    let written = || Written { name: text("name"), query: text("query") };
    match fields.get("do") {
        "watch-add" => alerts::save(app, desk, acting, (None, written())).await.map(|_| None),
        "watch-change" => alerts::save(app, desk, acting, (Some(text("before")), written())).await.map(|_| None),
        "watch-remove" => alerts::remove(app, acting, text("name")).await.map(|_| None),
        "ranges" => {
            let subject = fields.find("subject").map(str::to_owned);
            alerts::watch_ranges(app, desk, acting, subject).await.map(|_| None)
        }
        "channel-add" => {
            let made = alerts::add_channel(app, desk, acting, (text("name"), new_channel(visit, fields)?)).await?;
            let is_hook = matches!(made.channel.said.to, Way::Webhook(_));
            let say = |key: &str| Notice::done(visit.words.say(key));
            Ok(match (is_hook, made.is_open()) {
                (true, _) => Some(Notice { secret: Some(made.channel.secret), ..say("alerts-secret") }),
                (false, false) => Some(say("alerts-code-sent")),
                (false, true) => None,
            })
        }
        "channel-confirm" => alerts::confirm(app, acting, text("name"), text("code")).await.map(|_| None),
        "channel-remove" => alerts::remove_channel(app, acting, text("name")).await.map(|_| None),
        _ => Err(Fault::new(StatusCode::BAD_REQUEST, "parameter")),
    }
}

fn new_channel(visit: &Visit, fields: &Fields) -> Result<NewChannel, Fault> {
    let wrong = || Fault::new(StatusCode::BAD_REQUEST, "parameter");
    let number = |name: &str, usual: u32| match fields.get(name).trim() {
        "" => Ok(usual),
        text => text.parse().map_err(|_| wrong()),
    };
    let (from, until) = (fields.get("quiet-from").trim(), fields.get("quiet-until").trim());
    let quiet = match (from, until) {
        ("", "") => None,
        (from, until) => {
            let (from, until) = (minutes(from).ok_or_else(wrong)?, minutes(until).ok_or_else(wrong)?);
            Some(Quiet { from, until, offset_minutes: offset(fields.get("offset")).ok_or_else(wrong)? })
        }
    };
    let japanese = visit.words.language() == crate::language::Language::Japanese;
    let language = match fields.get("language") {
        "ja" => Language::Ja,
        "en" => Language::En,
        _ if japanese => Language::Ja,
        _ => Language::En,
    };
    let watches = fields.all("watch").map(|number| number.parse().map_err(|_| wrong()));
    let (kind, monthly) = match fields.get("way") {
        "report" => ("mail", true),
        kind => (kind, false),
    };
    Ok(NewChannel {
        to: way(kind, fields.get("target")).ok_or_else(wrong)?,
        language,
        watches: watches.collect::<Result<_, Fault>>()?,
        every_minutes: number("every", 0)?,
        again_hours: number("again", USUAL_SILENCE_HOURS)?,
        quiet,
        monthly,
    })
}

/// Minutes of `HH:MM`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Minutes of `+09:00`; Japan when nobody says.
fn offset(text: &str) -> Option<i16> {
    let text = text.trim();
    if text.is_empty() {
        return Some(USUAL_OFFSET_MINUTES);
    }
    let (ahead, clock) = match text.strip_prefix('-') {
        Some(clock) => (-1, clock),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    i16::try_from(minutes(clock)?).ok().map(|minutes| ahead * minutes)
}

/// What the page is made of.
struct Looked {
    claims: Vec<Claim>,
    watches: Vec<MemberWatch>,
    channels: Vec<(MemberChannel, Option<MessageView>)>,
}

async fn look(app: &App, visit: &Visit, acting: &Acting) -> Result<Looked, Fault> {
    let organisation = acting.organisation.as_str();
    let claims = alerts::claims(app, organisation).await?;
    let watches = alerts::watches(app, organisation).await?;
    let mut channels = Vec::new();
    for channel in alerts::channels(app, organisation).await? {
        let last = alerts::messages(app, acting, &channel.channel.name).await?.into_iter().next();
        let view = last.map(|one| MessageView {
            time: moment::minute(one.made),
            state: visit.words.find("alerts-state-", &one.state).unwrap_or(one.state),
            subject: Seen::line(&one.subject),
            error: Seen::line(&one.error),
        });
        channels.push((channel, view));
    }
    Ok(Looked { claims, watches, channels })
}

async fn answer(app: &App, visit: &Visit, acting: &Acting, notice: Option<Notice>) -> Response {
    let good = notice.as_ref().is_none_or(|notice| notice.good);
    match look(app, visit, acting).await {
        Ok(looked) => {
            let status = if good { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            render(visit, status, &compose(visit, acting, (looked, notice), app.now()))
        }
        Err(fault) => fault::page(visit, &fault),
    }
}

fn compose(visit: &Visit, acting: &Acting, (looked, notice): (Looked, Option<Notice>), now: Timestamp) -> AlertsPage {
    let w = &visit.words;
    let [ja, en] = &acting.names;
    let name = if w.language() == crate::language::Language::Japanese { ja } else { en };
    let others = acting.all.iter().filter(|one| **one != acting.organisation);
    let href = |one: &String| link::with_parameters(PATH, [("organisation", one.as_str())]);
    let ranges: Vec<RangeView> = looked.claims.iter().filter_map(|one| range_view(one, &looked.watches, now)).collect();
    AlertsPage {
        frame: Frame::new(visit, &w.say("alerts-title"), "organisation"),
        notice,
        organisation: acting.organisation.clone(),
        name: Seen::word(name),
        others: others.map(|one| (Seen::word(one), href(one))).collect(),
        edits: acting.edits,
        any_range: ranges.iter().any(|one| !one.watched),
        ranges,
        watches: looked.watches.iter().map(|one| watch_view(w, one)).collect(),
        most_watches: MAX_WATCHES_OF_ONE,
        channels: looked.channels.into_iter().map(|one| channel_view(w, &looked.watches, one)).collect(),
        most_channels: MAX_CHANNELS_OF_ONE,
        ways: WAYS.iter().chain(&["report"]).map(|way| (*way, w.say(&format!("alerts-way-{way}")))).collect(),
        rhythms: RHYTHMS.iter().map(|every| (*every, w.say(&format!("alerts-every-{every}")))).collect(),
        silences: SILENCES
            .iter()
            .map(|again| (*again, w.say(&format!("alerts-again-{again}")), *again == USUAL_SILENCE_HOURS))
            .collect(),
        query: visit.parameter("q").unwrap_or_default().to_owned(),
    }
}

fn range_view(claim: &Claim, watches: &[MemberWatch], now: Timestamp) -> Option<RangeView> {
    if !claim.holds_at(now) {
        return None;
    }
    let (_, query) = hinomi_share::alert::members::range_query(&claim.subject)?;
    Some(RangeView {
        subject: Seen::word(&claim.subject.to_string()),
        value: claim.subject.to_string(),
        until: claim.until.map(moment::date).unwrap_or_default(),
        watched: watches.iter().any(|one| one.query == query),
    })
}

fn watch_view(w: &Words, one: &MemberWatch) -> WatchView {
    WatchView {
        number: one.number,
        name: one.name.clone(),
        shown: Seen::word(&one.name),
        query: Seen::line(&one.query),
        whole: one.query.clone(),
        href: link::search(&one.query),
        purpose: w.say(&format!("purpose-{}", one.purpose)),
        created: moment::minute(one.created),
        by: Seen::word(&one.created_by),
    }
}

fn channel_view(w: &Words, watches: &[MemberWatch], (one, last): (MemberChannel, Option<MessageView>)) -> ChannelView {
    let said = &one.channel.said;
    let (kind, target) = match &said.to {
        Way::Mail(to) => ("mail", to.as_str()),
        Way::Webhook(to) => ("webhook", to.as_str()),
        Way::Slack(to) => ("slack", to.as_str()),
        Way::Feed => ("feed", ""),
    };
    let named = watches.iter().filter(|watch| u64::try_from(watch.number).is_ok_and(|n| said.watches.contains(&n)));
    let named: Vec<String> = named.map(|watch| Seen::word(&watch.name).to_string()).collect();
    let about = match (said.monthly, said.watches.is_empty()) {
        (true, _) => w.say("alerts-way-report"),
        (false, true) => w.say("alerts-all"),
        (false, false) => named.join(", "),
    };
    let feed = [("organisation", one.organisation.as_str()), ("name", one.channel.name.as_str())];
    ChannelView {
        waits: !one.is_open(),
        way: w.say(&format!("alerts-way-{kind}")),
        target: Seen::word(target),
        about,
        rhythm: w.find("alerts-every-", &said.every_minutes.to_string()).unwrap_or_default(),
        last,
        feed: (said.to == Way::Feed)
            .then(|| link::with_parameters(&format!("{}/organisation/channels/feed", crate::api::BASE), feed)),
        name: one.channel.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_and_offsets_are_read() {
        assert_eq!((minutes("22:30"), minutes("24:00"), minutes("x")), (Some(1_350), None, None));
        assert_eq!(
            (offset("+09:00"), offset("-03:30"), offset(""), offset("9")),
            (Some(540), Some(-210), Some(540), None)
        );
    }
}
