//! Alerts: saved queries on ranges. An alert tells of every change; what Shodan calls triggers are not told apart here.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use hinomi_model::Timestamp;
use hinomi_share::{NewWatch, Saved, Viewer, is_query_error};
use hinomi_state::alerts::members::MemberWatch;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, App, Desk, Path, Refusal, Told};
use crate::alerts::{self, Written};
use crate::auth::{Acting, Caller, acting};
use crate::read::DeskError;

/// The most ranges of an alert.
const MAX_RANGES: usize = 200;
/// The one trigger: any change.
const TRIGGERS: [(&str, &str); 2] = [
    ("any", "Match any service that was seen to change"),
    ("new_service", "A service answered that was not there before; told with every other change"),
];
/// How the name of an alert begins among saved queries.
const QUERY_START: &str = "net:";

#[derive(Deserialize)]
struct New {
    name: String,
    filters: Filters,
}

#[derive(Deserialize)]
struct Change {
    filters: Filters,
}

#[derive(Deserialize)]
struct Filters {
    ip: Ranges,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ranges {
    One(String),
    Many(Vec<String>),
}

impl Ranges {
    /// As the query language says it.
    fn query(self) -> Result<String, Refusal> {
        let texts = match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        };
        if texts.is_empty() || texts.len() > MAX_RANGES {
            return Err(Refusal::bad(&format!("an alert has 1 to {MAX_RANGES} ranges")));
        }
        let read = |text: &String| {
            let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse().ok().or_else(address).ok_or_else(|| Refusal::bad(&format!("{text:?} is no range")))
        };
        let ranges: Vec<IpNet> = texts.iter().map(read).collect::<Result<_, _>>()?;
        let written: Vec<String> = ranges.iter().map(|range| range.trunc().to_string()).collect();
        Ok(format!("{QUERY_START}{}", written.join(",")))
    }
}

/// A saved query that is an alert: the operator's, or of the organisation that the caller acts for.
pub(super) struct Alert {
    id: String,
    name: String,
    /// Its query.
    pub(super) query: String,
    created: Timestamp,
    ranges: Vec<String>,
}

impl Alert {
    fn of(saved: Saved) -> Option<Self> {
        let ranges = ranges(&saved.query)?;
        Some(Self { id: saved.id.to_string(), name: saved.name, query: saved.query, created: saved.created, ranges })
    }

    fn of_member(saved: MemberWatch) -> Option<Self> {
        let ranges = ranges(&saved.query)?;
        let MemberWatch { number, name, query, created, .. } = saved;
        Some(Self { id: number.to_string(), name, query, created, ranges })
    }

    fn described(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "created": hinomi_share::stix::moment(self.created),
            "expires": 0,
            "expiration": null,
            "expired": false,
            "size": size(&self.ranges),
            "filters": { "ip": self.ranges },
            "triggers": { "any": {} },
            "has_triggers": true,
            "notifiers": [],
        })
    }
}

/// The ranges of a query that is an alert.
fn ranges(query: &str) -> Option<Vec<String>> {
    let ranges = query.strip_prefix(QUERY_START)?;
    (!ranges.contains(' ')).then(|| ranges.split(',').map(str::to_owned).collect())
}

/// Whose alerts: of the organisation that the caller acts for; none is the operator's own.
async fn whose(app: &App, desk: &Desk, caller: &Caller) -> Result<Option<Acting>, Refusal> {
    match desk.viewer() {
        Viewer::Member(_) => Ok(Some(acting(app, caller, None).await?)),
        _ => Ok(None),
    }
}

/// The same, to change something.
async fn editor(app: &App, desk: &Desk, caller: &Caller) -> Result<Option<Acting>, Refusal> {
    let Some(acting) = whose(app, desk, caller).await? else { return Ok(None) };
    if acting.all.len() > 1 {
        return Err(Refusal::bad("this key acts for several organisations: use one that is for one organisation"));
    }
    Ok(Some(acting.editor()?))
}

/// How many addresses there are.
fn size(ranges: &[String]) -> u64 {
    let of_one = |range: &String| {
        let range: IpNet = range.parse().ok()?;
        Some(1_u64.checked_shl(u32::from(range.max_prefix_len() - range.prefix_len())).unwrap_or(u64::MAX))
    };
    ranges.iter().filter_map(of_one).fold(0, u64::saturating_add)
}

fn read<'a, T: Deserialize<'a>>(body: &'a Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(&format!("the body is not what is wanted: {error}")))
}

/// `POST /shodan/alert`
pub(super) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    body: Bytes,
) -> Answer {
    let New { name, filters } = read(&body)?;
    let query = filters.ip.query()?;
    let alert = match editor(&app, &desk, &caller).await? {
        Some(acting) => save_member(&app, &desk, &acting, (None, Written { name, query })).await?,
        None => save(&app, &desk, name, query).await?,
    };
    Ok(Told(alert.described()))
}

async fn save_member(
    app: &App,
    desk: &Desk,
    acting: &Acting,
    new: (Option<String>, Written),
) -> Result<Alert, Refusal> {
    let saved = alerts::save(app, desk, acting, new).await?;
    Alert::of_member(saved).ok_or_else(|| Refusal::bad("these ranges make no alert"))
}

async fn save(app: &App, desk: &Desk, name: String, query: String) -> Result<Alert, Refusal> {
    let now = app.now();
    let owner = "compat/shodan".to_owned();
    let saved = desk.ask(move |reader| reader.watches().add(&NewWatch { name, query, owner, within: None }, now)).await;
    let saved = saved.map_err(|error| match &error {
        DeskError::Read(read) if is_query_error(read).is_some() => Refusal::bad(&error.to_string()),
        _ => error.into(),
    })?;
    Alert::of(saved).ok_or_else(|| Refusal::bad("these ranges make no alert"))
}

/// `POST /shodan/alert/{id}`: other ranges under the same name; the operator's alert has another id then.
pub(super) async fn edit(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    Path(alert): Path<String>,
    body: Bytes,
) -> Answer {
    let Change { filters } = read(&body)?;
    let before = find(&app, &desk, &caller, alert).await?;
    let query = filters.ip.query()?;
    if let Some(acting) = editor(&app, &desk, &caller).await? {
        let new = (Some(before.name.clone()), Written { name: before.name, query });
        return Ok(Told(save_member(&app, &desk, &acting, new).await?.described()));
    }
    // What cannot be saved is told while the old one still stands.
    hinomi_share::is_filed(&query).map_err(|error| Refusal::bad(&error.to_string()))?;
    let name = before.name.clone();
    desk.ask(move |reader| reader.watches().remove(&name)).await?;
    let saved = save(&app, &desk, before.name.clone(), query).await;
    if saved.is_err() {
        save(&app, &desk, before.name, before.query).await?;
    }
    Ok(Told(saved?.described()))
}

/// An alert by its id.
pub(super) async fn find(app: &App, desk: &Desk, caller: &Caller, alert: String) -> Result<Alert, Refusal> {
    let found = every(app, desk, caller).await?.into_iter().find(|one| one.id == alert);
    found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such alert"))
}

/// Every alert.
pub(super) async fn every(app: &App, desk: &Desk, caller: &Caller) -> Result<Vec<Alert>, Refusal> {
    if let Some(acting) = whose(app, desk, caller).await? {
        let all = alerts::watches(app, &acting.organisation).await?;
        return Ok(all.into_iter().filter_map(Alert::of_member).collect());
    }
    let all = desk.ask(|reader| reader.watches().queries()).await?;
    Ok(all.into_iter().filter_map(Alert::of).collect())
}

/// `GET /shodan/alert/info`
pub(super) async fn all(State(app): State<App>, Extension(caller): Extension<Caller>, desk: Desk) -> Answer {
    Ok(Told(every(&app, &desk, &caller).await?.iter().map(Alert::described).collect()))
}

/// `GET /shodan/alert/{id}/info`
pub(super) async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    Path(alert): Path<String>,
) -> Answer {
    Ok(Told(find(&app, &desk, &caller, alert).await?.described()))
}

/// `DELETE /shodan/alert/{id}`
pub(super) async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    Path(alert): Path<String>,
) -> Answer {
    let found = find(&app, &desk, &caller, alert).await?;
    let gone = match editor(&app, &desk, &caller).await? {
        Some(acting) => alerts::remove(&app, &acting, found.name).await?,
        None => desk.ask(move |reader| reader.watches().remove(&found.name)).await?,
    };
    match gone {
        true => Ok(Told(json!({}))),
        false => Err(Refusal::new(StatusCode::NOT_FOUND, "there is no such alert")),
    }
}

/// `GET /shodan/alert/triggers`
pub(super) async fn triggers(_: Desk) -> Told {
    Told(TRIGGERS.iter().map(|(name, words)| json!({ "name": name, "rule": words, "description": words })).collect())
}

/// `PUT` and `DELETE /shodan/alert/{id}/trigger/{trigger}`: an alert tells of every change, and none can be taken out.
pub(super) async fn trigger(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    Path((alert, trigger)): Path<(String, String)>,
) -> Answer {
    find(&app, &desk, &caller, alert).await?;
    match trigger.split(',').all(|one| TRIGGERS.iter().any(|(known, _)| *known == one)) {
        true => Ok(Told(json!({ "success": true }))),
        false => Err(Refusal::bad("an alert tells of every change: there are the triggers any and new_service")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_a_query_and_nothing_else_does() {
        let query = |texts: &[&str]| Ranges::Many(texts.iter().map(|text| (*text).to_owned()).collect()).query();
        let good = query(&["203.0.113.9/24", "2001:db8::1"]);
        assert_eq!(good.unwrap_or_default(), "net:203.0.113.0/24,2001:db8::1/128");
        for bad in [&["x OR tlp:red"][..], &[], &["203.0.113.0/33"]] {
            assert!(query(bad).is_err(), "{bad:?}");
        }
        assert_eq!(size(&["203.0.113.0/24".to_owned(), "2001:db8::/32".to_owned()]), u64::MAX);
    }
}
