//! Answers and errors as TAXII 2.1 has them (1.6.8, 3.6, 3.7).

use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hinomi_model::Timestamp;
use hinomi_share::objects::ObjectsError;
use hinomi_share::stix::Object;
use hinomi_share::taxii::Page;
use serde_json::{Value, json};

use crate::page::fault::{Fault, add_retry};
use crate::read::DeskError;

/// The media type, to the letter.
const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";
const ADDED_FIRST: HeaderName = HeaderName::from_static("x-taxii-date-added-first");
const ADDED_LAST: HeaderName = HeaderName::from_static("x-taxii-date-added-last");

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    title: String,
    detail: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, title: &str) -> Self {
        Self { status, title: title.to_owned(), detail: None }
    }

    pub(super) fn because(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

impl From<&Fault> for Refusal {
    fn from(fault: &Fault) -> Self {
        Self { status: fault.status, title: fault.code.to_owned(), detail: fault.detail.clone() }
    }
}

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        Self::from(&Fault::from(error))
    }
}

impl From<ObjectsError> for Refusal {
    fn from(error: ObjectsError) -> Self {
        match error {
            ObjectsError::Unreadable(why) => {
                Self::new(StatusCode::BAD_REQUEST, "This is no envelope of objects").because(why)
            }
            ObjectsError::TooMuch(why) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "This is too much").because(why),
            ObjectsError::Forbidden(why) => Self::new(StatusCode::FORBIDDEN, &why),
            ObjectsError::Missing(why) => Self::new(StatusCode::NOT_FOUND, &why),
            ObjectsError::Read(error) => DeskError::Read(error).into(),
            ObjectsError::State(error) => Self::from(&Fault::from(error)),
            other => {
                Self::new(StatusCode::BAD_REQUEST, "A parameter is not as it should be").because(other.to_string())
            }
        }
    }
}

/// The error message of the standard.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let mut body = json!({ "title": refusal.title, "http_status": refusal.status.as_u16().to_string() });
    if let (Some(members), Some(detail)) = (body.as_object_mut(), &refusal.detail) {
        members.insert("description".to_owned(), detail.clone().into());
    }
    let mut response = (refusal.status, headers(), body.to_string()).into_response();
    add_retry(&mut response, refusal.status);
    response
}

const fn headers() -> [(HeaderName, HeaderValue); 2] {
    [(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}

/// An answer, where the client takes this media type.
pub(super) fn ok(asked: &HeaderMap, body: &Value) -> Response {
    match acceptable(asked) {
        Ok(()) => written(StatusCode::OK, body.to_string()),
        Err(refusal) => refuse(&refusal),
    }
}

/// Whether the client takes our media type: asked before anything is changed.
pub(super) fn acceptable(asked: &HeaderMap) -> Result<(), Refusal> {
    let title = "This server speaks application/taxii+json;version=2.1";
    if accepts(asked) { Ok(()) } else { Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, title)) }
}

/// Whether what is sent is of our media type (1.6.8.1).
pub(super) fn is_sent_as_taxii(asked: &HeaderMap) -> Result<(), Refusal> {
    let mut all = asked.get_all(CONTENT_TYPE).iter();
    let (first, second) = (all.next().and_then(|value| value.to_str().ok()), all.next());
    match first.filter(|_| second.is_none()).is_some_and(is_ours) {
        true => Ok(()),
        false => {
            let title = "Objects are sent as application/taxii+json;version=2.1";
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, title))
        }
    }
}

/// An answer as it is written.
pub(super) fn written(status: StatusCode, body: String) -> Response {
    (status, headers(), body).into_response()
}

/// Says between which dates objects were added (3.7).
pub(super) fn date(response: &mut Response, first: Option<Timestamp>, last: Option<Timestamp>) {
    for (name, moment) in [(ADDED_FIRST, first), (ADDED_LAST, last)] {
        let value = moment.and_then(|moment| HeaderValue::from_str(&micros(moment)).ok());
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
}

/// Objects with where to go on, and between which dates they were added (3.4, 3.7).
pub(super) fn envelope(asked: &HeaderMap, page: &Page, member: &str, written: impl Fn(&Object) -> Value) -> Response {
    let mut body = json!({});
    if let Some(members) = body.as_object_mut() {
        // Empty lists are left out (3.7).
        if !page.objects.is_empty() {
            members.insert(member.to_owned(), page.objects.iter().map(written).collect());
        }
        if let Some(next) = &page.next {
            members.extend([("more".to_owned(), true.into()), ("next".to_owned(), next.clone().into())]);
        }
    }
    let mut response = ok(asked, &body);
    if response.status() != StatusCode::OK {
        return response;
    }
    let added = |object: Option<&Object>| object.map(|object| object.added);
    date(&mut response, added(page.objects.first()), added(page.objects.last()));
    response
}

/// A time with six digits.
pub(super) fn micros(time: Timestamp) -> String {
    const MICROS: i64 = 1_000_000;
    let whole = Timestamp::from_micros(time.as_micros().div_euclid(MICROS) * MICROS).to_string();
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), time.as_micros().rem_euclid(MICROS))
}

/// Whether the client takes our media type: by name with our version or none, or by a wildcard (1.6.8.2).
fn accepts(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(ACCEPT).iter().peekable();
    if all.peek().is_none() {
        return true;
    }
    let takes =
        |one: &str| is_ours(one) || matches!(one.split(';').next().map(str::trim), Some("*/*" | "application/*"));
    all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(takes)
}

/// Whether a media type is ours, of our version or none.
fn is_ours(one: &str) -> bool {
    let mut parts = one.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let version = parts.find_map(|part| part.strip_prefix("version="));
    name.eq_ignore_ascii_case("application/taxii+json")
        && version.is_none_or(|version| version.trim_matches('"') == "2.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_asked_for_by_name_version_or_wildcard() {
        let takes = |accept: &'static str| accepts(&[(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect());
        assert!(accepts(&HeaderMap::new()));
        for good in
            ["application/taxii+json;version=2.1", "application/taxii+json; version=2.1", "text/html, */*;q=0.1"]
        {
            assert!(takes(good), "{good}");
        }
        for bad in ["application/taxii+json;version=2.0", "text/html", "application/json", ""] {
            assert!(!takes(bad), "{bad}");
        }
    }

    #[test]
    fn dates_have_six_digits() {
        assert_eq!(micros(Timestamp::from_micros(1_500)), "1970-01-01T00:00:00.001500Z");
    }
}
