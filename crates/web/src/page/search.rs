//! Search: a box, what was found, what to narrow it by; or the same as it stood at a past moment ([`past`]).

mod past;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::DeviceKind;
use hinomi_share::{FacetCount, FacetRequest, SearchPage, SearchRequest, query_fields};

use super::fault::Fault;
use super::service::ServiceView;
use super::{FACETS, Frame, render};
use crate::app::App;
use crate::language::Language;
use crate::limits::{MAX_QUERY_BYTES, PAGE_LIMIT};
use crate::link;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// Values of a facet on the page.
const FACET_VALUES: usize = 8;

/// Queries that show what can be asked, with the key of what they mean.
const EXAMPLES: &[(&str, &str)] = &[
    ("kind:camera,recorder", "example-kind"),
    ("tag:telnet-open OR tag:anonymous", "example-tag"),
    ("cert.expires:<30d", "example-expires"),
    ("protocol:ssh version:<9", "example-version"),
    ("protocol:http NOT port:80", "example-port"),
    ("\"login\" has:certificate", "example-text"),
];

#[derive(Template)]
#[template(path = "search.html")]
struct SearchView {
    frame: Frame,
    query: String,
    total: Option<String>,
    fault: Option<Trouble>,
    /// What the field for a past moment holds.
    at: String,
    /// The last day that it takes.
    today: String,
    /// When the services are those of a past moment.
    then: Option<past::Then>,
    hits: Vec<Hit>,
    facets: Vec<Facet>,
    next: Option<String>,
    first: Option<String>,
    exports: Vec<(&'static str, String)>,
    fields: Vec<FieldHelp>,
    examples: Vec<Example>,
}

/// A service that was found.
struct Hit {
    service: ServiceView,
    /// What the last look before a past moment found, and its name.
    state: Option<(&'static str, String)>,
}

/// A query that was not understood, with the place.
struct Trouble {
    title: String,
    /// What the query language has to say, and in which language.
    message: Option<Seen>,
    message_lang: &'static str,
    /// The query before, at and after the place; absent when the fault is elsewhere.
    place: Option<[Seen; 3]>,
    /// What was likely meant: the whole query, and its address.
    instead: Option<(Seen, String)>,
}

struct Facet {
    label: String,
    values: Vec<FacetValue>,
}

struct FacetValue {
    label: Seen,
    count: String,
    href: String,
    /// The same with these left out.
    without: String,
}

struct FieldHelp {
    name: &'static str,
    example: &'static str,
    href: String,
    help: &'static str,
}

struct Example {
    query: &'static str,
    href: String,
    meaning: String,
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    let query = visit.parameter("q").unwrap_or_default().to_owned();
    let cursor = visit.parameter("cursor").map(str::to_owned);
    if let Some(at) = visit.parameter("at") {
        return past::show(&app, &desk, &visit, &query, at, cursor).await;
    }
    let asked = SearchRequest {
        query: query.clone(),
        facets: FACETS.iter().map(|field| FacetRequest { field: (*field).to_owned(), size: FACET_VALUES }).collect(),
        limit: PAGE_LIMIT,
        cursor: cursor.clone(),
        now: app.now(),
        ..SearchRequest::default()
    };
    let found = match query.len() {
        0..=MAX_QUERY_BYTES => desk.ask(move |reader| reader.search(&asked)).await.map_err(Fault::from),
        _ => Err(Fault::new(StatusCode::BAD_REQUEST, "query-too-long")),
    };
    let mut page = bare(&app, &visit, &query);
    page.first = cursor.map(|_| link::search(&query));
    match found {
        Ok(found) => {
            fill(&mut page, &app, &visit.words, &found);
            render(&visit, StatusCode::OK, &page)
        }
        Err(fault) => refused(page, &visit, &fault),
    }
}

/// A mistake of the visitor's is shown beside the field; anything else is a page of its own.
fn refused(mut page: SearchView, visit: &Visit, fault: &Fault) -> Response {
    if !matches!(fault.status, StatusCode::BAD_REQUEST | StatusCode::GONE) {
        return super::fault::page(visit, fault);
    }
    page.fault = Some(trouble(&visit.words, &page.query, fault));
    render(visit, fault.status, &page)
}

fn bare(app: &App, visit: &Visit, query: &str) -> SearchView {
    let words = &visit.words;
    let title = if query.is_empty() { words.say("search-title") } else { query.to_owned() };
    let export = |format| link::with_parameters("/api/v1/export", [("q", query), ("format", format)]);
    SearchView {
        frame: Frame::new(visit, &title, "search"),
        query: query.to_owned(),
        total: None,
        fault: None,
        at: String::new(),
        today: moment::date(app.now()),
        then: None,
        hits: Vec::new(),
        facets: Vec::new(),
        next: None,
        first: None,
        exports: ["csv", "jsonl", "parquet"].map(|format| (format, export(format))).to_vec(),
        fields: fields(words.language()),
        examples: examples(words),
    }
}

fn fill(page: &mut SearchView, app: &App, words: &Words, found: &SearchPage) {
    page.total = Some(words.count("services-count", found.total));
    let hit = |service| Hit { service: ServiceView::new(words, app.now(), service), state: None };
    page.hits = found.matches.iter().map(hit).collect();
    page.facets = FACETS.iter().filter_map(|field| facet(words, &page.query, field, found)).collect();
    let next = |cursor: &String| link::with_parameters("/search", [("q", page.query.as_str()), ("cursor", cursor)]);
    page.next = found.next.as_ref().map(next);
}

fn facet(words: &Words, query: &str, field: &str, found: &SearchPage) -> Option<Facet> {
    let counts = found.facets.get(field).filter(|counts| !counts.is_empty())?;
    let value = |count: &FacetCount| {
        let kind: Option<DeviceKind> = if field == "kind" { count.value.parse().ok() } else { None };
        let name = match field {
            "kind" => kind.map(|kind| words.say(&format!("kind-{kind}"))),
            "tag" => words.find("tag-", &count.value),
            _ => None,
        };
        let term = link::term(field, &count.value);
        FacetValue {
            label: Seen::word(name.as_deref().unwrap_or(&count.value)),
            count: moment::grouped(count.count),
            href: link::search(&link::narrowed(query, &term)),
            without: link::search(&link::narrowed(query, &format!("NOT {term}"))),
        }
    };
    let values = counts.iter().map(value).collect();
    Some(Facet { label: words.say(&format!("facet-{field}")), values })
}

/// The page's words for a query that was not understood; the place is counted in characters.
fn trouble(words: &Words, query: &str, fault: &Fault) -> Trouble {
    let place = fault.span.map(|(at, len)| {
        let part = |from: usize, count: usize| Seen::line(&query.chars().skip(from).take(count).collect::<String>());
        let before = at.min(60);
        [part(at - before, before), part(at, len.max(1)), part(at.saturating_add(len.max(1)), 60)]
    });
    let japanese = fault.detail_ja.as_deref().filter(|_| words.language() == Language::Japanese);
    let message = japanese.or(fault.detail.as_deref()).map(Seen::line);
    let message_lang = if japanese.is_some() { Language::Japanese } else { Language::English }.tag();
    let instead = corrected(query, fault).map(|meant| (Seen::line(&meant), link::search(&meant)));
    Trouble { title: words.say(&format!("problem-{}", fault.code)), message, message_lang, place, instead }
}

/// The query with what was likely meant in place of what was not understood.
fn corrected(query: &str, fault: &Fault) -> Option<String> {
    let (at, len) = fault.span?;
    let instead = fault.instead.as_deref()?;
    let before = query.chars().take(at);
    let after = query.chars().skip(at.checked_add(len)?);
    Some(before.chain(instead.chars()).chain(after).collect())
}

fn fields(language: Language) -> Vec<FieldHelp> {
    let help = query_fields().iter().map(|field| FieldHelp {
        name: field.name,
        example: field.example,
        href: link::search(field.example),
        help: match language {
            Language::Japanese => field.ja,
            Language::English => field.en,
        },
    });
    help.collect()
}

fn examples(words: &Words) -> Vec<Example> {
    let example = |(query, key): &(&'static str, &'static str)| Example {
        query,
        href: link::search(query),
        meaning: words.say(key),
    };
    EXAMPLES.iter().map(example).collect()
}
