//! The search page for a past moment: the same query, answered as things stood then, and marked as that.
//!
//! A date means the end of that day (UTC), or now while the day goes on. There is nothing to narrow by and nothing to
//! export: both are of the present.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::{PastPage, PastRequest, PastService, Presence, ReadError};

use super::{Hit, SearchView, bare, refused};
use crate::app::App;
use crate::limits::{MAX_QUERY_BYTES, PAGE_LIMIT};
use crate::link;
use crate::moment;
use crate::page::fault::Fault;
use crate::page::render;
use crate::page::service::ServiceView;
use crate::read::{Desk, DeskError};
use crate::visit::Visit;
use crate::words::Words;

/// From the beginning of a day to its end.
const DAY: Duration = Duration::from_micros(86_400_000_000 - 1);

/// Where the page of a host tells what was.
const HISTORY: &str = "history";

/// The characters of a date: `2026-11-01`.
const DATE_CHARS: usize = 10;

/// That the services are those of a past moment.
pub(super) struct Then {
    /// "As it stood at ...".
    pub(super) title: String,
    /// The same query, now.
    pub(super) now_href: String,
    /// The same for programs.
    pub(super) json_href: String,
}

pub(super) async fn show(
    app: &App,
    desk: &Desk,
    visit: &Visit,
    query: &str,
    at: &str,
    cursor: Option<String>,
) -> Response {
    let mut page = bare(app, visit, query);
    page.at = at.chars().take(DATE_CHARS).collect();
    let first = cursor.is_some();
    let (moment, found) = match ask(app, desk, query, at, cursor).await {
        Ok(found) => found,
        Err(fault) => return refused(page, visit, &fault),
    };
    if first {
        page.first = Some(link::with_parameters("/search", [("q", query), ("at", &moment.to_string())]));
    }
    fill(&mut page, &visit.words, moment, &found);
    render(visit, StatusCode::OK, &page)
}

async fn ask(
    app: &App,
    desk: &Desk,
    query: &str,
    at: &str,
    cursor: Option<String>,
) -> Result<(Timestamp, PastPage), Fault> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "query-too-long"));
    }
    let moment = moment_of(at, app.now())?;
    let mut request = PastRequest::new(query, moment);
    (request.limit, request.cursor) = (PAGE_LIMIT, cursor);
    let found = desk.ask_past(move |reader| reader.as_of(&request)).await;
    let found = found.map_err(|error| match error {
        DeskError::Read(ReadError::Unfit(why)) => Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&why),
        other => other.into(),
    })?;
    Ok((moment, found))
}

/// A date is its end; nothing is later than now.
fn moment_of(at: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    let begin: Timestamp = at.trim().parse().map_err(|error: hinomi_model::time::NotATime| {
        Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&error)
    })?;
    let end = if at.trim().len() == DATE_CHARS { begin.plus(DAY) } else { begin };
    Ok(end.min(now))
}

fn fill(page: &mut SearchView, words: &Words, moment: Timestamp, found: &PastPage) {
    let to_the_minute = moment::minute(moment);
    // The moment itself: today ends a little later on each page, and a cursor is for one moment.
    let at = moment.to_string();
    page.then = Some(Then {
        title: words.with("search-then", &to_the_minute),
        now_href: link::search(&page.query),
        json_href: link::with_parameters("/api/v1/as-of", [("q", page.query.as_str()), ("at", &at)]),
    });
    page.total = Some(words.count("services-count", found.total));
    page.hits = found.matches.iter().map(|one| hit(words, moment, one)).collect();
    let next = |cursor: &String| {
        link::with_parameters("/search", [("q", page.query.as_str()), ("at", &at), ("cursor", cursor)])
    };
    page.next = found.next.as_ref().map(next);
}

fn hit(words: &Words, at: Timestamp, past: &PastService) -> Hit {
    let mut service = ServiceView::new(words, at, &past.service);
    // How long ago something was is told from the present everywhere else.
    service.last_seen_ago.clone_from(&service.last_seen);
    // It may not answer any more, and have no place of its own on the page of its host.
    service.anchor = HISTORY.to_owned();
    let closed = past.closed.map(moment::minute).unwrap_or_default();
    let text = match past.state {
        Presence::Open => words.say("past-open"),
        Presence::Closed => words.with("past-closed", closed),
        _ => words.with("past-not-seen-since", &service.last_seen),
    };
    Hit { service, state: Some((past.state.name(), text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_end_and_nothing_is_later_than_now() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let read = |text: &str| moment_of(text, now).map(|moment| moment.to_string()).ok();
        assert_eq!(read("2026-11-01").as_deref(), Some("2026-11-01T23:59:59.999999Z"));
        assert_eq!(read("2026-11-01T09:00:00Z").as_deref(), Some("2026-11-01T09:00:00Z"));
        assert_eq!(read("2026-11-22").as_deref(), Some("2026-11-22T12:00:00Z"));
        assert_eq!(read("yesterday"), None);
    }
}
