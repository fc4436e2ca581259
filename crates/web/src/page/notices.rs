//! Notices: for who works here all of them, with release and answers; for members those to their organisations, the
//! outcomes that they say, and who else was told.
//!
//! A member sees a notice when it left, was for an organisation that he acts for and that may read for his purpose, and
//! tells nothing of another purpose. What is not his answers as what never was, and is counted nowhere: members know
//! notices by the random token that their mail has, who works here by their numbers too.

pub(crate) mod draft;
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

/// Notices that are asked for at once.
const NOTICES_AT_ONCE: u32 = 100;
const MAX_AT_ONCE: u32 = 1_000;
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
    name: String,
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

    /// By what this one is known to who asks.
    pub(crate) fn name_of(&self, notice: &Notice) -> String {
        if self.all { notice.number.to_string() } else { notice.token.clone() }
    }

    /// Those that are shown, the newest first, and before which older ones are.
    pub(crate) async fn list(
        &self,
        app: &App,
        before: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Notice>, Option<String>), Fault> {
        let mut from = match before {
            Some(name) => Some(self.number(app, name).await?),
            None => None,
        };
        let (wanted, at_once) =
            (usize::try_from(limit).unwrap_or(usize::MAX), limit.clamp(NOTICES_AT_ONCE, MAX_AT_ONCE));
        let mut found = Vec::new();
        loop {
            let of = NoticesOf {
                organisations: (!self.all).then(|| self.organisations.clone()),
                run: None,
                state: (!self.all).then_some(NoticeState::Sent),
                before: from,
                limit: at_once,
            };
            let notices = ask(app, move |accounts| accounts.database()?.notices(&of)).await?;
            let ended = notices.len() < usize::try_from(at_once).unwrap_or(usize::MAX);
            from = notices.last().map(|last| last.number);
            found.extend(notices.into_iter().filter(|one| self.shows(one)));
            if ended || found.len() > wanted {
                break;
            }
        }
        let more = found.len() > wanted;
        found.truncate(wanted);
        let older = found.last().filter(|_| more).map(|last| self.name_of(last));
        Ok((found, older))
    }

    /// The number that stands for a name in this reader's eyes.
    async fn number(&self, app: &App, name: &str) -> Result<i64, Fault> {
        match name.parse().ok().filter(|_| self.all) {
            Some(number) => Ok(number),
            None => self.find(app, name).await.map(|notice| notice.number),
        }
    }

    /// This one, by its token, or its number where all are shown; if it is shown.
    pub(crate) async fn find(&self, app: &App, name: &str) -> Result<Notice, Fault> {
        let missing = || Fault::new(StatusCode::NOT_FOUND, "not-found");
        let number = name.parse::<i64>().ok().filter(|_| self.all);
        let token = name.to_owned();
        let found = ask(app, move |accounts| {
            let database = accounts.database()?;
            // Of digits alone is many a token, and no number has as many.
            let named = match database.notice_by_token(&token)? {
                Some(named) => Some(named),
                None => number,
            };
            named.map(|named| database.notice(named)).transpose()
        });
        let found = found.await.map_err(|fault| if fault.code == "refused" { missing() } else { fault })?;
        found.filter(|found| self.shows(found)).ok_or_else(missing)
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
    let (notices, older) = sight.list(app, visit.parameter("before"), PAGE_NOTICES).await?;
    let others = if sight.all { Vec::new() } else { others(app, desk).await? };
    let w = &visit.words;
    Ok(NoticesPage {
        frame: Frame::new(visit, &w.say("notices-title"), "notices"),
        everything: sight.all,
        notices: notices.iter().map(|notice| row(w, (&sight, notice))).collect(),
        older: older.map(|before| link::with_parameters(NOTICES, [("before", before.as_str())])),
        others: others.iter().take(PAGE_TOLD_OTHERS).map(|one| other(w, one)).collect(),
    })
}

fn row(w: &Words, (sight, notice): (&Sight, &Notice)) -> Row {
    Row {
        name: sight.name_of(notice),
        href: format!("{NOTICES}/{}", sight.name_of(notice)),
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
