//! The report of a month, as a page and as PDF.

use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hinomi_share::report::pdf::{self, Font};
use hinomi_share::report::{Around, Document, Month, gather, html_body, tell};
use hinomi_state::contacts::Language;

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::auth::{Acting, Caller, acting, ask};
use crate::language::Language as Spoken;
use crate::link;
use crate::read::Desk;
use crate::visit::Visit;

/// Where it is; a month follows.
pub(crate) const PATH: &str = "/organisation/report";

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    frame: Frame,
    /// Written by [`html_body`], which escapes every text.
    body: String,
    pdf: String,
    before: String,
    after: Option<String>,
}

/// `GET /organisation/report/2026-10` and `…/2026-10.pdf`
pub(crate) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    desk: Desk,
    visit: Visit,
) -> Response {
    match made(&app, &caller, &desk, (&visit, &name)).await {
        Ok(response) => response,
        Err(fault) => fault::page(&visit, &fault),
    }
}

async fn made(app: &App, caller: &Caller, desk: &Desk, (visit, name): (&Visit, &str)) -> Result<Response, Fault> {
    let (month, as_pdf) = name.strip_suffix(".pdf").map_or((name, false), |month| (month, true));
    let wrong = |error: &dyn std::fmt::Display| Fault::new(StatusCode::NOT_FOUND, "not-found").because(error);
    let month: Month = month.parse().map_err(|error| wrong(&error))?;
    let asked = visit.parameter("organisation").map(str::to_owned);
    let acting = match acting(app, caller, asked.as_deref()).await {
        Ok(acting) => Some(acting),
        // Who sees everything, and has no organisation yet, is told of everything.
        Err(_) if asked.is_none() && desk.viewer().sees_all() => None,
        Err(fault) => return Err(fault),
    };
    let language = if visit.words.language() == Spoken::Japanese { Language::Ja } else { Language::En };
    let document = document(app, desk, (acting.as_ref(), month), (language, visit)).await?;
    let organisation = acting.as_ref().map(|acting| acting.organisation.clone()).unwrap_or_default();
    match as_pdf {
        true => as_file(app, (&organisation, month), document).await,
        false => {
            let to = |month: Month, suffix: &str| {
                let named = (!organisation.is_empty()).then_some(("organisation", organisation.as_str()));
                link::with_parameters(&format!("{PATH}/{month}{suffix}"), named)
            };
            let page = ReportPage {
                frame: Frame::new(visit, &document.title, "organisation"),
                body: html_body(&document),
                pdf: to(month, ".pdf"),
                before: to(month.before(), ""),
                after: (month.after() <= Month::of(app.now())).then(|| to(month.after(), "")),
            };
            Ok(render(visit, StatusCode::OK, &page))
        }
    }
}

async fn document(
    app: &App,
    desk: &Desk,
    (acting, month): (Option<&Acting>, Month),
    (language, visit): (Language, &Visit),
) -> Result<Document, Fault> {
    let (of, now) = (acting.map(|acting| acting.organisation.clone()).unwrap_or_default(), app.now());
    // Made as the organisation sees it, whoever asks.
    let desk = match acting {
        Some(acting) => Desk::new(app.door.clone(), acting.viewer(), std::sync::Arc::clone(&app.seats)),
        None => desk.clone(),
    };
    let report = desk.ask_past(move |reader| gather(reader, &of, month, now)).await?;
    let around = match acting {
        Some(acting) => {
            let (of, report) = (acting.organisation.clone(), report.clone());
            ask(app, move |accounts| Around::of(&accounts.database()?, &of, &report, language)).await?
        }
        None => Around { name: visit.words.say("report-everything"), ..Around::default() },
    };
    Ok(tell(&report, &around, language))
}

async fn as_file(app: &App, (organisation, month): (&str, Month), document: Document) -> Result<Response, Fault> {
    let font = app.settings.font.clone();
    let write = move || pdf::write(&document, &Font::of(font.as_deref()));
    let written = tokio::task::spawn_blocking(write).await;
    let internal = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a report could not be written");
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
    };
    let bytes = written.map_err(|error| internal(&error))?.map_err(|error| internal(&error))?;
    let name = format!("attachment; filename=\"hinomi-{organisation}-{month}.pdf\"");
    let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, bytes).into_response())
}
