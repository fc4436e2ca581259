//! The page and its two forms.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue, SET_COOKIE, VARY};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hinomi_model::address::parse_prefix;
use ipnet::IpNet;
use tokio::time::Instant;

use super::visitor::Visitor;
use super::{OpenCampaign, ScanDesk, Shared};
use crate::asset;
use crate::language::{COOKIE_NAME, Language};
use crate::limits::MAX_PARAMETERS;
use crate::moment;
use crate::seen::Seen;
use crate::words::Words;

/// The longest form that is read.
const MAX_FORM_BYTES: usize = 4 * 1024;

/// Longest way to reach somebody, in characters.
const MAX_CONTACT_CHARS: usize = 200;

/// Campaigns that the page lists.
const MAX_CAMPAIGNS: usize = 50;

/// How long the page says that the same campaigns run.
const RUNNING_AGE: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "scan.html")]
struct ScanPage {
    w: Words,
    style: String,
    logo: String,
    languages: Vec<(Language, bool)>,
    /// What came of a form, and whether it was done.
    told: Option<(String, bool)>,
    purpose: Option<Seen>,
    sources: Vec<Seen>,
    email: Option<Seen>,
    campaigns: Vec<CampaignView>,
    visitor: String,
    mark: String,
}

struct CampaignView {
    scope: Seen,
    authority: Seen,
    reference: Option<Seen>,
    contact: Seen,
    probes: Seen,
    until: String,
}

impl CampaignView {
    fn new(campaign: &OpenCampaign) -> Self {
        let filled = |text: &str| (!text.trim().is_empty()).then(|| Seen::line(text));
        let contact = [campaign.email.as_str(), campaign.phone.as_str()];
        let contact: Vec<&str> = contact.into_iter().filter(|part| !part.is_empty()).collect();
        Self {
            scope: Seen::word(&campaign.scope),
            authority: Seen::line(&campaign.authority),
            reference: filled(&campaign.reference),
            contact: Seen::line(&contact.join(", ")),
            probes: Seen::block(&campaign.probes.join(", "), 1_000),
            until: moment::minute(campaign.until),
        }
    }
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let chosen = parameters(&uri).into_iter().find(|(name, _)| name == "lang").map(|(_, tag)| tag);
    let chosen = chosen.as_deref().and_then(Language::from_tag);
    let language = chosen.unwrap_or_else(|| Language::from_headers(&headers));
    let mut response = compose(&shared, language, visitor, StatusCode::OK, None).await;
    if let Some(language) = chosen {
        let cookie = format!("{COOKIE_NAME}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", language.tag());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
    }
    response
}

/// What came of a form: the status, and the key of the text.
type Came = (StatusCode, &'static str);

const DONE: Came = (StatusCode::OK, "scan-told-done");
const DONE_BEFORE: Came = (StatusCode::OK, "scan-told-before");
const WAITS: Came = (StatusCode::ACCEPTED, "scan-told-waits");
const WAITS_BEFORE: Came = (StatusCode::OK, "scan-told-waits-before");
const TOO_OFTEN: Came = (StatusCode::TOO_MANY_REQUESTS, "scan-told-too-often");
const NO_PREFIX: Came = (StatusCode::BAD_REQUEST, "scan-told-no-prefix");
const NO_CONTACT: Came = (StatusCode::BAD_REQUEST, "scan-told-no-contact");
const STALE: Came = (StatusCode::FORBIDDEN, "scan-told-stale");
const FAILED: Came = (StatusCode::SERVICE_UNAVAILABLE, "scan-told-failed");

pub(super) async fn opt_out(
    State(shared): State<Shared>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let fields = fields(&String::from_utf8_lossy(&body));
    let came = if !is_marked(&shared, &fields, visitor) {
        STALE
    } else if !shared.own.take(visitor, Instant::now()) {
        TOO_OFTEN
    } else {
        match ask(&shared.desk, move |desk| desk.opt_out(visitor)).await {
            Some(true) => DONE,
            Some(false) => DONE_BEFORE,
            None => FAILED,
        }
    };
    compose(&shared, Language::from_headers(&headers), visitor, came.0, Some(came)).await
}

pub(super) async fn request(
    State(shared): State<Shared>,
    Extension(Visitor(visitor)): Extension<Visitor>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let fields = fields(&String::from_utf8_lossy(&body));
    let came = match read_request(&fields) {
        _ if !is_marked(&shared, &fields, visitor) => STALE,
        Err(came) => came,
        Ok(_) if !shared.requests.take(visitor, Instant::now()) => TOO_OFTEN,
        Ok((prefix, contact)) => match ask(&shared.desk, move |desk| desk.request(prefix, &contact, visitor)).await {
            Some(true) => WAITS,
            Some(false) => WAITS_BEFORE,
            None => FAILED,
        },
    };
    compose(&shared, Language::from_headers(&headers), visitor, came.0, Some(came)).await
}

/// The fields of a form; none if it is none.
fn fields(form: &str) -> Vec<(String, String)> {
    format!("/?{form}").parse().map_or_else(|_| Vec::new(), |form: Uri| parameters(&form))
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(each, _)| each == name).map_or("", |(_, value)| value.trim())
}

/// Whether the form is one that the page gave to this visitor a short while ago.
fn is_marked(shared: &Shared, fields: &[(String, String)], visitor: IpAddr) -> bool {
    shared.marks.hold(field(fields, "mark"), visitor, Instant::now())
}

/// Addresses and how to reach who asks.
fn read_request(fields: &[(String, String)]) -> Result<(IpNet, String), Came> {
    let prefix = parse_prefix(field(fields, "prefix")).map_err(|_| NO_PREFIX)?;
    let contact = field(fields, "contact");
    let fits = !contact.is_empty() && contact.chars().count() <= MAX_CONTACT_CHARS;
    match fits && !contact.chars().any(char::is_control) {
        true => Ok((prefix, contact.to_owned())),
        false => Err(NO_CONTACT),
    }
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    let all: Vec<(String, String)> = Query::try_from_uri(uri).map_or_else(|_| Vec::new(), |Query(all)| all);
    all.into_iter().take(MAX_PARAMETERS).collect()
}

/// The campaigns that run, as they were [`RUNNING_AGE`] ago at most.
async fn running(shared: &Shared) -> Vec<OpenCampaign> {
    let mut known = shared.running.lock().await;
    match known.as_ref().filter(|(time, _)| time.elapsed() < RUNNING_AGE) {
        Some((_, campaigns)) => campaigns.clone(),
        None => {
            let mut campaigns = ask(&shared.desk, |desk| desk.campaigns()).await.unwrap_or_default();
            campaigns.truncate(MAX_CAMPAIGNS);
            known.insert((Instant::now(), campaigns)).1.clone()
        }
    }
}

/// Asks where files may be read; a failure is for the log, not for the visitor.
async fn ask<T: Send + 'static>(
    desk: &Arc<dyn ScanDesk>,
    question: impl FnOnce(&dyn ScanDesk) -> Result<T, String> + Send + 'static,
) -> Option<T> {
    let desk = Arc::clone(desk);
    match tokio::task::spawn_blocking(move || question(desk.as_ref())).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(reason)) => {
            tracing::error!(reason, "the scan page could not do what was asked");
            None
        }
        Err(error) => {
            tracing::error!(%error, "the scan page could not do what was asked");
            None
        }
    }
}

async fn compose(
    shared: &Shared,
    language: Language,
    visitor: IpAddr,
    status: StatusCode,
    came: Option<Came>,
) -> Response {
    let w = shared.catalogues.words(language);
    let campaigns = running(shared).await;
    let filled = |text: &str| (!text.trim().is_empty()).then(|| Seen::block(text, 1_000));
    let operator = &shared.operator;
    let page = ScanPage {
        told: came.map(|(status, key)| (w.with(key, visitor), status.is_success())),
        style: asset::address("style.css"),
        logo: asset::address("logo.svg"),
        languages: Language::ALL.into_iter().map(|each| (each, each == language)).collect(),
        purpose: filled(&operator.purpose),
        sources: operator.sources.iter().map(|source| Seen::line(source)).collect(),
        email: filled(&operator.email),
        campaigns: campaigns.iter().map(CampaignView::new).collect(),
        visitor: visitor.to_string(),
        mark: shared.marks.give(visitor, Instant::now()),
        w,
    };
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())),
        (VARY, HeaderValue::from_static("accept-language, cookie")),
    ];
    (status, headers, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_what_is_wrong_is_named() {
        let read = |text: &str| read_request(&fields(text)).map(|(prefix, contact)| (prefix.to_string(), contact));
        assert_eq!(
            read("prefix=192.0.2.7%2F24&contact=a%40example.org"),
            Ok(("192.0.2.0/24".to_owned(), "a@example.org".to_owned()))
        );
        assert_eq!(read("prefix=x&contact=a"), Err(NO_PREFIX));
        assert_eq!(read(""), Err(NO_PREFIX));
        assert_eq!(read("prefix=::1&contact=+"), Err(NO_CONTACT));
        assert_eq!(read("prefix=::1&contact=a%0Ab"), Err(NO_CONTACT));
        assert_eq!(read(&format!("prefix=::1&contact={}", "x".repeat(201))), Err(NO_CONTACT));
    }
}
