//! Alerts: saved queries on ranges. An alert tells of every change; what Shodan calls triggers are not told apart here.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use hinomi_share::{NewWatch, ReadError, Saved, is_query_error};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, App, Desk, Path, Refusal, Told};
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

/// The ranges of a saved query that is an alert.
fn ranges(saved: &Saved) -> Option<Vec<String>> {
    let ranges = saved.query.strip_prefix(QUERY_START)?;
    (!ranges.contains(' ')).then(|| ranges.split(',').map(str::to_owned).collect())
}

/// A saved query as an alert.
fn described(saved: &Saved, ranges: &[String]) -> Value {
    json!({
        "id": saved.id.to_string(),
        "name": saved.name,
        "created": hinomi_share::stix::moment(saved.created),
        "expires": 0,
        "expiration": null,
        "expired": false,
        "size": size(ranges),
        "filters": { "ip": ranges },
        "triggers": { "any": {} },
        "has_triggers": true,
        "notifiers": [],
    })
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
pub(super) async fn create(State(app): State<App>, desk: Desk, body: Bytes) -> Answer {
    let New { name, filters } = read(&body)?;
    let query = filters.ip.query()?;
    save(&app, &desk, name, query).await
}

async fn save(app: &App, desk: &Desk, name: String, query: String) -> Answer {
    let now = app.now();
    let owner = "compat/shodan".to_owned();
    let saved = desk.ask(move |reader| reader.watches().add(&NewWatch { name, query, owner, within: None }, now)).await;
    let saved = saved.map_err(|error| match &error {
        DeskError::Read(read) if is_query_error(read).is_some() => Refusal::bad(&error.to_string()),
        _ => error.into(),
    })?;
    Ok(Told(described(&saved, &ranges(&saved).unwrap_or_default())))
}

/// `POST /shodan/alert/{id}`: other ranges under the same name; the alert has another id then.
pub(super) async fn edit(State(app): State<App>, desk: Desk, Path(alert): Path<String>, body: Bytes) -> Answer {
    let Change { filters } = read(&body)?;
    let before = find(&desk, alert).await?;
    let query = filters.ip.query()?;
    // What cannot be saved is told while the old one still stands.
    hinomi_share::is_filed(&query).map_err(|error| Refusal::bad(&error.to_string()))?;
    let name = before.name.clone();
    desk.ask(move |reader| reader.watches().remove(&name)).await?;
    let saved = save(&app, &desk, before.name.clone(), query).await;
    if saved.is_err() {
        let (now, Saved { name, query, owner, within, .. }) = (app.now(), before);
        let old = NewWatch { name, query, owner, within };
        desk.ask(move |reader| reader.watches().add(&old, now)).await?;
    }
    saved
}

/// An alert by its id.
pub(super) async fn find(desk: &Desk, alert: String) -> Result<Saved, Refusal> {
    let all = desk.ask(|reader| reader.watches().queries()).await?;
    let found = all.into_iter().find(|one| one.id.to_string() == alert && ranges(one).is_some());
    found.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no such alert"))
}

/// Every alert.
pub(super) async fn every(desk: &Desk) -> Result<Vec<Saved>, Refusal> {
    let all = desk.ask(|reader| reader.watches().queries()).await?;
    Ok(all.into_iter().filter(|one| ranges(one).is_some()).collect())
}

/// `GET /shodan/alert/info`
pub(super) async fn all(desk: Desk) -> Answer {
    let all = every(&desk).await?;
    Ok(Told(all.iter().map(|one| described(one, &ranges(one).unwrap_or_default())).collect()))
}

/// `GET /shodan/alert/{id}/info`
pub(super) async fn one(desk: Desk, Path(alert): Path<String>) -> Answer {
    let found = find(&desk, alert).await?;
    Ok(Told(described(&found, &ranges(&found).unwrap_or_default())))
}

/// `DELETE /shodan/alert/{id}`
pub(super) async fn remove(desk: Desk, Path(alert): Path<String>) -> Answer {
    let found = find(&desk, alert).await?;
    let gone: Result<bool, ReadError> = Ok(desk.ask(move |reader| reader.watches().remove(&found.name)).await?);
    match gone {
        Ok(true) => Ok(Told(json!({}))),
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is no such alert")),
    }
}

/// `GET /shodan/alert/triggers`
pub(super) async fn triggers(_: Desk) -> Told {
    Told(TRIGGERS.iter().map(|(name, words)| json!({ "name": name, "rule": words, "description": words })).collect())
}

/// `PUT` and `DELETE /shodan/alert/{id}/trigger/{trigger}`: an alert tells of every change, and none can be taken out.
pub(super) async fn trigger(desk: Desk, Path((alert, trigger)): Path<(String, String)>) -> Answer {
    find(&desk, alert).await?;
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
