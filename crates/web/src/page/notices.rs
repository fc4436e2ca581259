//! Notices: for who works here all of them, with release and answers; for members those to their organisations, the
//! outcomes that they say, and who else was told.
//!
//! A member sees a notice when it left, was for an organisation that he acts for and that may read for his purpose, and
//! tells nothing of another purpose. What is not his answers as what never was, and is counted nowhere.

pub(crate) mod one;

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::ReadError;
use hinomi_share::notice::{TellsOthers, concern_word, told_others};
use hinomi_state::contacts;
use hinomi_state::notices::{Notice, NoticeState, NoticesOf};

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::auth::ask;
use crate::language::Language;
use crate::limits::{PAGE_NOTICES, PAGE_TOLD_OTHERS};
use crate::link;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// The page; single notices are below it.
pub(crate) const NOTICES: &str = "/notices";

#[derive(Template)]
#[template(path = "notices.html")]
struct NoticesPage {
    frame: Frame,
    everything: bool,
    notices: Vec<Row>,
    older: Option<String>,
    others: Vec<OtherView>,
}

struct Row {
    number: i64,
    href: String,
    state: String,
    organisation: Seen,
    findings: String,
    label: Seen,
    time: String,
    waits: bool,
}

struct OtherView {
    sent: String,
    service: Seen,
    href: String,
    concern: &'static str,
    who: Seen,
    basis: String,
}

/// Which notices somebody sees.
pub(crate) struct Sight {
    /// Every one.
    pub(crate) all: bool,
    organisations: BTreeSet<String>,
    purpose: Option<String>,
}

impl Sight {
    /// Of who asks; written down as a look.
    pub(crate) async fn of(desk: &Desk, asked: String) -> Result<Self, Fault> {
        let may = desk.ask(move |reader| reader.witnessed("notices", &asked)?.may_see()).await?;
        let purpose = may.purpose.map(ToOwned::to_owned);
        Ok(Self { all: may.everything, organisations: may.organisations.into_iter().collect(), purpose })
    }

    /// Whether this one is shown.
    pub(crate) fn shows(&self, notice: &Notice) -> bool {
        let theirs = || self.organisations.contains(&notice.party.organisation);
        let fits = || notice.purposes.iter().all(|purpose| Some(purpose) == self.purpose.as_ref());
        self.all || (notice.state == NoticeState::Sent && theirs() && fits())
    }

    /// Those that are shown, the newest first, and where older ones begin.
    pub(crate) async fn list(
        &self,
        app: &App,
        before: Option<i64>,
        limit: u32,
    ) -> Result<(Vec<Notice>, Option<i64>), Fault> {
        let of = NoticesOf {
            organisations: (!self.all).then(|| self.organisations.clone()),
            run: None,
            state: (!self.all).then_some(NoticeState::Sent),
            before,
            limit,
        };
        let mut notices = ask(app, move |accounts| accounts.database()?.notices(&of)).await?;
        let full = notices.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let older = notices.last().map(|last| last.number).filter(|_| full);
        notices.retain(|one| self.shows(one));
        Ok((notices, older))
    }

    /// This one, if it is shown.
    pub(crate) async fn find(&self, app: &App, number: i64) -> Result<Notice, Fault> {
        let missing = || Fault::new(StatusCode::NOT_FOUND, "not-found");
        let found = ask(app, move |accounts| accounts.database()?.notice(number)).await;
        let found = found.map_err(|fault| if fault.code == "refused" { missing() } else { fault })?;
        Some(found).filter(|found| self.shows(found)).ok_or_else(missing)
    }
}

/// What others were told of what this caller holds.
pub(crate) async fn others(app: &App, desk: &Desk) -> Result<Vec<TellsOthers>, Fault> {
    let (accounts, now) = (app.accounts.clone(), app.now());
    let told = desk.ask(move |reader| {
        let failed = |error: &dyn std::fmt::Display| ReadError::Failed(error.to_string());
        let database = accounts.database().map_err(|error| failed(&error))?;
        told_others(&reader.witnessed("notices", "")?, &database, now).map_err(|error| failed(&error))
    });
    Ok(told.await?)
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    match look(&app, &desk, &visit).await {
        Ok(page) => render(&visit, StatusCode::OK, &page),
        Err(fault) => fault::page(&visit, &fault),
    }
}

async fn look(app: &App, desk: &Desk, visit: &Visit) -> Result<NoticesPage, Fault> {
    let sight = Sight::of(desk, String::new()).await?;
    let before = visit.parameter("before").and_then(|text| text.parse().ok());
    let (notices, older) = sight.list(app, before, PAGE_NOTICES).await?;
    let others = if sight.all { Vec::new() } else { others(app, desk).await? };
    let w = &visit.words;
    Ok(NoticesPage {
        frame: Frame::new(visit, &w.say("notices-title"), "notices"),
        everything: sight.all,
        notices: notices.iter().map(|notice| row(w, notice)).collect(),
        older: older.map(|before| link::with_parameters(NOTICES, [("before", before.to_string().as_str())])),
        others: others.iter().take(PAGE_TOLD_OTHERS).map(|one| other(w, one)).collect(),
    })
}

fn row(w: &Words, notice: &Notice) -> Row {
    Row {
        number: notice.number,
        href: format!("{NOTICES}/{}", notice.number),
        state: state(w, notice.state),
        organisation: Seen::word(&notice.party.organisation),
        findings: moment::grouped(u64::try_from(notice.findings).unwrap_or(0)),
        label: Seen::word(&notice.label),
        time: minute(notice.sent.unwrap_or(notice.drafted)),
        waits: matches!(notice.state, NoticeState::Draft | NoticeState::Unsure),
    }
}

fn other(w: &Words, one: &TellsOthers) -> OtherView {
    let who = one.organisation.as_deref().map_or_else(|| Seen::word(&w.say("notices-somebody")), Seen::word);
    OtherView {
        sent: minute(one.sent),
        service: Seen::word(&one.service.to_string()),
        href: link::host(one.service.address),
        concern: concern_word(spoken(w), &one.concern),
        who,
        basis: w.find("notices-basis-", &one.basis).unwrap_or_default(),
    }
}

/// How far a notice is, in words.
fn state(w: &Words, state: NoticeState) -> String {
    w.say(&format!("notices-state-{state}"))
}

fn minute(time: Timestamp) -> String {
    moment::minute(time)
}

/// The language of the visitor, as contacts have it.
fn spoken(w: &Words) -> contacts::Language {
    match w.language() {
        Language::Japanese => contacts::Language::Ja,
        Language::English => contacts::Language::En,
    }
}
