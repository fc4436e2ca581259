//! One piece of evidence, down to its bytes. Never shown as what it claims to be: only as text and hexadecimal.

use std::net::IpAddr;
use std::ops::Range;

use askama::Template;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::{ContentHash, parse_address};
use hinomi_share::StoredEvidence;

use super::fault::{self, Fault};
use super::hex::{self, Line};
use super::{Frame, render};
use crate::limits::HEX_PAGE_BYTES;
use crate::link;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;

/// Characters of the text view.
const TEXT_CHARS: usize = 4_096;

#[derive(Template)]
#[template(path = "evidence.html")]
struct EvidencePage {
    frame: Frame,
    /// The host whose page led here.
    host: Option<IpAddr>,
    hash: String,
    kind: String,
    size: String,
    truncated: bool,
    first_seen: String,
    download: String,
    /// The bytes asked about, when some are.
    span: Option<String>,
    text: [Seen; 3],
    lines: Vec<Line>,
    /// Which bytes the lines show.
    window: String,
    earlier: Option<String>,
    later: Option<String>,
}

pub(super) async fn show(desk: Desk, visit: Visit, path: Result<Path<String>, PathRejection>) -> Response {
    match find(&desk, path).await {
        Ok((hash, evidence)) => render(&visit, StatusCode::OK, &compose(&visit, &hash, &evidence)),
        Err(fault) => fault::page(&visit, &fault),
    }
}

/// The evidence that a path names.
pub(crate) async fn find(
    desk: &Desk,
    path: Result<Path<String>, PathRejection>,
) -> Result<(ContentHash, StoredEvidence), Fault> {
    let refuse = || Fault::new(StatusCode::BAD_REQUEST, "hash");
    let Path(text) = path.map_err(|_| refuse())?;
    let hash: ContentHash = text.parse().map_err(|error| refuse().because(&error))?;
    let found = desk.ask(move |reader| reader.evidence(&hash)).await?;
    let evidence = found.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "evidence-not-stored").because(&hash))?;
    Ok((hash, evidence))
}

fn compose(visit: &Visit, hash: &ContentHash, evidence: &StoredEvidence) -> EvidencePage {
    let w = &visit.words;
    let bytes = evidence.bytes.as_slice();
    let span = span(visit, bytes.len());
    let window = window(visit, &span, bytes.len());
    let kind = w.say(&format!("evidence-kind-{}", evidence.kind));
    EvidencePage {
        frame: Frame::new(visit, &kind, ""),
        host: visit.parameter("host").and_then(|text| parse_address(text).ok()),
        hash: hash.to_string(),
        kind,
        size: w.count("bytes-count", u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        truncated: evidence.truncated,
        first_seen: moment::minute(evidence.first_seen),
        download: format!("/api/v1/evidence/{hash}?raw"),
        span: (!span.is_empty()).then(|| format!("{}–{}", span.start, span.end.saturating_sub(1))),
        text: text(bytes, &span),
        lines: hex::dump(bytes, window.clone(), &span),
        earlier: (window.start > 0).then(|| turn(visit, hash, &span, window.start.saturating_sub(HEX_PAGE_BYTES))),
        later: (window.end < bytes.len()).then(|| turn(visit, hash, &span, window.end)),
        window: format!("{}–{}", window.start, window.end.saturating_sub(1)),
    }
}

/// The bytes that `start` and `end` ask for, as far as they exist.
fn span(visit: &Visit, len: usize) -> Range<usize> {
    let number = |name| visit.parameter(name).and_then(|text| text.parse::<usize>().ok());
    let start = number("start").unwrap_or(0).min(len);
    let end = number("end").unwrap_or(start).clamp(start, len);
    start..end
}

/// Which bytes to show: from `from` when given, else those around the span. Whole lines.
fn window(visit: &Visit, span: &Range<usize>, len: usize) -> Range<usize> {
    let asked = visit.parameter("from").and_then(|text| text.parse::<usize>().ok());
    let near = span.start.saturating_sub(8 * hex::WIDTH);
    let fits = len <= HEX_PAGE_BYTES;
    let from = if fits { 0 } else { asked.unwrap_or(near).min(len.saturating_sub(1)) };
    let start = from - from % hex::WIDTH;
    start..start.saturating_add(HEX_PAGE_BYTES).min(len)
}

/// The page with another window, the span kept.
fn turn(visit: &Visit, hash: &ContentHash, span: &Range<usize>, from: usize) -> String {
    let (start, end, from) = (span.start.to_string(), span.end.to_string(), from.to_string());
    let host = visit.parameter("host").map(|host| ("host", host));
    let window = [("start", start.as_str()), ("end", end.as_str()), ("from", from.as_str())];
    link::with_parameters(&format!("/evidence/{hash}"), host.into_iter().chain(window))
}

/// The bytes as text: before the span, the span, after it.
fn text(bytes: &[u8], span: &Range<usize>) -> [Seen; 3] {
    let whole = 0..bytes.len();
    let parts = if span.is_empty() {
        [whole, 0..0, 0..0]
    } else {
        [span.start.saturating_sub(TEXT_CHARS / 2)..span.start, span.clone(), span.end..whole.end]
    };
    parts.map(|part| Seen::block(&String::from_utf8_lossy(bytes.get(part).unwrap_or_default()), TEXT_CHARS))
}
