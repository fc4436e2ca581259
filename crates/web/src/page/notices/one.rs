//! One notice: the exact text and files, who released it, answers; and the forms for all of these.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_share::notice::concern_word;
use hinomi_state::notices::{NewReply, Notice, NoticeFile, NoticeOutcome, NoticeState, Reply, Said};
use hinomi_state::organisations::Deed;

use super::{NOTICES, Sight, minute, spoken, state};
use crate::app::App;
use crate::auth::form::Form;
use crate::auth::{Caller, ask};
use crate::limits::{NOTICE_CHARS, PAGE_FINDINGS};
use crate::link;
use crate::moment;
use crate::page::account::Notice as Banner;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

#[derive(Template)]
#[template(path = "notice_one.html")]
struct NoticePage {
    frame: Frame,
    notice: Option<Banner>,
    /// Where its forms go.
    path: String,
    everything: bool,
    may_release: bool,
    may_answer: bool,
    state: String,
    organisation: Seen,
    to: Seen,
    stale: bool,
    basis: String,
    label: Seen,
    subject: Seen,
    body: Seen,
    drafted: String,
    sent: Option<String>,
    error: Option<Seen>,
    needs: i64,
    released_by: Vec<Seen>,
    sha256: Option<String>,
    findings: Vec<FindingView>,
    more_findings: Option<String>,
    files: Vec<FileView>,
    replies: Vec<ReplyView>,
    outcomes: Vec<(&'static str, String)>,
}

struct FindingView {
    place: usize,
    service: Seen,
    href: String,
    concern: &'static str,
    severity: String,
    seen: String,
    outcome: String,
}

struct FileView {
    name: Seen,
    size: String,
    content: Seen,
}

struct ReplyView {
    time: String,
    place: Option<i64>,
    outcome: String,
    note: Seen,
    by: Seen,
}

/// What the page is made of.
struct Looked {
    sight: Sight,
    notice: Notice,
    said: Vec<Said>,
    files: Vec<NoticeFile>,
    replies: Vec<Reply>,
}

pub(crate) async fn show(
    State(app): State<App>,
    desk: Desk,
    visit: Visit,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    answer(&app, &desk, &visit, path, None).await
}

async fn answer(
    app: &App,
    desk: &Desk,
    visit: &Visit,
    path: Result<Path<String>, PathRejection>,
    banner: Option<Banner>,
) -> Response {
    let status =
        if banner.as_ref().is_none_or(|banner| banner.good) { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    match look(app, desk, path).await {
        Ok(looked) => render(visit, status, &compose(visit, &looked, banner)),
        Err(fault) => fault::page(visit, &fault),
    }
}

async fn look(app: &App, desk: &Desk, path: Result<Path<String>, PathRejection>) -> Result<Looked, Fault> {
    let Path(name) = path.map_err(|_| Fault::new(StatusCode::NOT_FOUND, "not-found"))?;
    let sight = Sight::of(desk, name.clone()).await?;
    let notice = sight.find(app, &name).await?;
    let number = notice.number;
    let (said, files, replies) = ask(app, move |accounts| {
        let database = accounts.database()?;
        Ok((database.notice_findings(number)?, database.notice_files(number)?, database.notice_replies(number)?))
    })
    .await?;
    Ok(Looked { sight, notice, said, files, replies })
}

/// `POST /notices/{notice}`: one of the forms of the page.
pub(crate) async fn change(
    State(app): State<App>,
    desk: Desk,
    visit: Visit,
    path: Result<Path<String>, PathRejection>,
    form: Form,
) -> Response {
    let done = match &path {
        Ok(Path(name)) => act(&app, &desk, &visit, name, &form).await,
        Err(_) => Err(Fault::new(StatusCode::NOT_FOUND, "not-found")),
    };
    let banner = done.unwrap_or_else(|fault| Banner::of(&visit.words, &fault));
    answer(&app, &desk, &visit, path, Some(banner)).await
}

async fn act(app: &App, desk: &Desk, visit: &Visit, name: &str, form: &Form) -> Result<Banner, Fault> {
    let refused = || Fault::new(StatusCode::FORBIDDEN, "not-entitled");
    let caller = visit.caller.as_ref().ok_or_else(refused)?;
    let sight = Sight::of(desk, name.to_owned()).await?;
    let notice = sight.find(app, name).await?;
    let (number, by, now) = (notice.number, caller.name(), app.now());
    match form.get("do") {
        "release" if sight.all => {
            let done = move |accounts: &hinomi_state::Accounts| {
                accounts.database()?.release_notice(Deed { by: &by, now }, &by, number)
            };
            let missing = ask(app, done).await?.missing;
            let key = if missing == 0 { "notices-released" } else { "notices-half-released" };
            Ok(Banner::done(visit.words.say(key)))
        }
        "cancel" if sight.all => {
            let reason = form.get("note").to_owned();
            ask(app, move |accounts| accounts.database()?.cancel_notice(Deed { by: &by, now }, number, &reason))
                .await?;
            Ok(Banner::done(visit.words.say("notices-cancelled")))
        }
        "reply" if may_answer(caller, &sight, &notice) => {
            let new = reply_of(form, sight.all)?;
            ask(app, move |accounts| accounts.database()?.reply_to_notice(Deed { by: &by, now }, number, &new)).await?;
            Ok(Banner::done(visit.words.say("notices-answered")))
        }
        _ => Err(refused()),
    }
}

fn may_answer(caller: &Caller, sight: &Sight, notice: &Notice) -> bool {
    sight.all || caller.may_write_for(&notice.party.organisation)
}

fn reply_of(form: &Form, all: bool) -> Result<NewReply, Fault> {
    let outcome: NoticeOutcome = form.get("outcome").parse()?;
    // That somebody did not answer, nobody says of himself.
    if outcome == NoticeOutcome::NoAnswer && !all {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&"outcome"));
    }
    let places = match form.get("finding").trim() {
        "" | "0" => Vec::new(),
        text => vec![text.parse().map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&"finding"))?],
    };
    Ok(NewReply { places, outcome, note: form.get("note").to_owned() })
}

fn compose(visit: &Visit, looked: &Looked, banner: Option<Banner>) -> NoticePage {
    let (w, Looked { sight, notice, said, files, replies }) = (&visit.words, looked);
    let party = &notice.party;
    let left = said.len().saturating_sub(PAGE_FINDINGS);
    let answers = matches!(notice.state, NoticeState::Sent | NoticeState::Unsure);
    let may = visit.caller.as_ref().is_some_and(|caller| may_answer(caller, sight, notice));
    let outcomes = NoticeOutcome::ALL.into_iter().filter(|one| sight.all || *one != NoticeOutcome::NoAnswer);
    // Who here did what is for those who work here.
    let inside = |text: &str| if sight.all { Seen::word(text) } else { Seen::word("–") };
    NoticePage {
        frame: Frame::new(visit, &w.with("notices-one", sight.name_of(notice)), "notices"),
        notice: banner,
        path: format!("{NOTICES}/{}", sight.name_of(notice)),
        everything: sight.all,
        may_release: sight.all && notice.state == NoticeState::Draft,
        may_answer: answers && may,
        state: state(w, notice.state),
        organisation: Seen::word(&party.organisation),
        to: Seen::line(&format!("{} <{}>", party.name, party.mail)),
        stale: party.stale,
        basis: w.find("notices-basis-", &party.basis).unwrap_or_default(),
        label: Seen::word(&notice.label),
        subject: Seen::line(&notice.subject),
        body: Seen::block(&notice.body, NOTICE_CHARS),
        drafted: minute(notice.drafted),
        sent: notice.sent.map(minute),
        error: Some(&notice.error).filter(|why| sight.all && !why.is_empty()).map(|why| Seen::line(why)),
        needs: notice.needs,
        released_by: notice.released_by.iter().map(|person| inside(person)).collect(),
        sha256: notice.sha256.clone(),
        findings: findings(w, said, replies),
        more_findings: (left > 0).then(|| w.count("notices-more-findings", u64::try_from(left).unwrap_or(u64::MAX))),
        files: files.iter().map(file).collect(),
        replies: replies.iter().map(|reply| reply_view(w, reply, &inside)).collect(),
        outcomes: outcomes.map(|one| (one.name(), outcome(w, one))).collect(),
    }
}

fn outcome(w: &Words, outcome: NoticeOutcome) -> String {
    w.say(&format!("notices-outcome-{outcome}"))
}

fn findings(w: &Words, said: &[Said], replies: &[Reply]) -> Vec<FindingView> {
    let view = |(at, one): (usize, &Said)| {
        let place = at + 1;
        let own = |reply: &&Reply| reply.place == 0 || usize::try_from(reply.place) == Ok(place);
        let last = replies.iter().rev().find(own);
        FindingView {
            place,
            service: Seen::word(&one.service.to_string()),
            href: link::host(one.service.address),
            concern: concern_word(spoken(w), &one.concern),
            severity: w.find("notices-severity-", &one.severity).unwrap_or_default(),
            seen: minute(one.seen),
            outcome: last.map_or_else(|| "–".to_owned(), |reply| outcome(w, reply.outcome)),
        }
    };
    said.iter().take(PAGE_FINDINGS).enumerate().map(view).collect()
}

fn file(file: &NoticeFile) -> FileView {
    FileView {
        name: Seen::word(&file.name),
        size: moment::size(file.content.len() as u64),
        content: Seen::block(&file.content, NOTICE_CHARS),
    }
}

fn reply_view(w: &Words, reply: &Reply, inside: &impl Fn(&str) -> Seen) -> ReplyView {
    ReplyView {
        time: minute(reply.time),
        place: Some(reply.place).filter(|place| *place > 0),
        outcome: outcome(w, reply.outcome),
        note: Seen::line(&reply.note),
        by: inside(&reply.by),
    }
}
