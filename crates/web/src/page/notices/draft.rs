//! Drafting notices: what is to be told, a look at what that would come to, and the drafts. For who works here.
//!
//! The look writes nothing. What is drafted is worked out anew: it is what may be told then.

use std::net::IpAddr;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_share::notice::{self, Drafted, LeftOut, NoticeError, Order, Preview};
use hinomi_share::{ReadError, Reader};
use hinomi_state::notices::NewNotice;
use ipnet::IpNet;

use super::{NOTICES, Sight};
use crate::app::App;
use crate::auth::form::Form;
use crate::limits::{MAX_DRAFT_NETS, NOTICE_CHARS};
use crate::moment;
use crate::page::account::Notice as Banner;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// The page.
pub(crate) const PATH: &str = "/notices/draft";
/// Services that are named for a reason.
const NAMED: usize = 3;

#[derive(Template)]
#[template(path = "notice_draft.html")]
struct DraftPage {
    frame: Frame,
    notice: Option<Banner>,
    query: String,
    nets: String,
    /// What it would come to, where that was asked for.
    looked: Option<LookedView>,
    drafted: Vec<(String, Seen)>,
    left: Vec<LeftView>,
}

struct LookedView {
    /// How many parties there are.
    parties: String,
    none: bool,
    notices: Vec<NewView>,
    more: Option<String>,
}

struct NewView {
    organisation: Seen,
    to: Seen,
    findings: String,
    label: Seen,
    /// It takes a second person.
    two: bool,
    subject: Seen,
    body: Seen,
}

struct LeftView {
    why: String,
    count: String,
    services: Seen,
}

/// What is to be told, as it was written.
#[derive(Clone, Debug, Default)]
struct Asked {
    query: String,
    nets: String,
}

impl Asked {
    fn order(&self) -> Result<Order, Fault> {
        let wrong = |text: &str| Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&format!("{text:?}"));
        let texts = self.nets.split([',', ' ', '\t', '\r', '\n']).filter(|text| !text.is_empty());
        let read = |text: &str| {
            let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            net.map(|net| net.trunc()).ok_or_else(|| wrong(text))
        };
        let nets: Vec<IpNet> = texts.take(MAX_DRAFT_NETS + 1).map(read).collect::<Result<_, _>>()?;
        if nets.len() > MAX_DRAFT_NETS {
            return Err(wrong(&format!("{MAX_DRAFT_NETS} networks are the most")));
        }
        let query = Some(self.query.trim().to_owned()).filter(|query| !query.is_empty());
        Ok(Order { query, nets, ..Order::default() })
    }
}

pub(crate) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    let text = |name: &str| visit.parameter(name).unwrap_or_default().to_owned();
    let asked = Asked { query: text("q"), nets: text("net") };
    match look(&app, &desk, &visit, &asked).await {
        Ok(preview) => {
            let left =
                preview.as_ref().map(|preview| left_views(&visit.words, preview.left.iter())).unwrap_or_default();
            let looked = preview.map(|preview| looked_view(&visit.words, &preview));
            render(&visit, StatusCode::OK, &DraftPage { looked, left, ..page(&visit, asked, None) })
        }
        Err(fault) if fault.status == StatusCode::BAD_REQUEST => {
            let banner = Banner::of(&visit.words, &fault);
            render(&visit, fault.status, &page(&visit, asked, Some(banner)))
        }
        Err(fault) => fault::page(&visit, &fault),
    }
}

/// `POST`: makes the drafts.
pub(crate) async fn make(State(app): State<App>, desk: Desk, visit: Visit, form: Form) -> Response {
    let asked = Asked { query: form.get("q").to_owned(), nets: form.get("net").to_owned() };
    match drafts(&app, &desk, &visit, &asked).await {
        Ok(drafted) => {
            let count = u64::try_from(drafted.notices.len()).unwrap_or(u64::MAX);
            let banner = Banner::done(visit.words.count("notices-drafts-made", count));
            let made = drafted.notices.iter();
            let made = made.map(|one| (format!("{NOTICES}/{}", one.number), Seen::word(&one.party.organisation)));
            let (drafted_views, left) = (made.collect(), left_views(&visit.words, drafted.left.iter()));
            let page = DraftPage { drafted: drafted_views, left, ..page(&visit, asked, Some(banner)) };
            render(&visit, StatusCode::OK, &page)
        }
        Err(fault) if fault.status == StatusCode::BAD_REQUEST => {
            let banner = Banner::of(&visit.words, &fault);
            render(&visit, fault.status, &page(&visit, asked, Some(banner)))
        }
        Err(fault) => fault::page(&visit, &fault),
    }
}

fn page(visit: &Visit, asked: Asked, notice: Option<Banner>) -> DraftPage {
    let (query, nets) = (asked.query, asked.nets);
    let frame = Frame::new(visit, &visit.words.say("notices-draft-title"), "notices");
    DraftPage { frame, notice, query, nets, looked: None, drafted: Vec::new(), left: Vec::new() }
}

/// Whoever works here, by the name that stands in the history.
async fn worker(desk: &Desk, visit: &Visit) -> Result<String, Fault> {
    let refused = || Fault::new(StatusCode::FORBIDDEN, "not-entitled");
    let sight = Sight::of(desk, "draft".to_owned()).await?;
    let caller = visit.caller.as_ref().filter(|caller| sight.all && caller.may_write());
    caller.map(crate::auth::Caller::name).ok_or_else(refused)
}

async fn look(app: &App, desk: &Desk, visit: &Visit, asked: &Asked) -> Result<Option<Preview>, Fault> {
    let by = worker(desk, visit).await?;
    if visit.parameter("look").is_none() {
        return Ok(None);
    }
    work(app, desk, by, asked.order()?, notice::preview).await.map(Some)
}

async fn drafts(app: &App, desk: &Desk, visit: &Visit, asked: &Asked) -> Result<Drafted, Fault> {
    let by = worker(desk, visit).await?;
    work(app, desk, by, asked.order()?, notice::draft).await
}

/// What is asked of the lake, party by party.
type Work<T> = fn(&notice::Desk<'_>, &Order, hinomi_model::Timestamp) -> Result<T, NoticeError>;

async fn work<T: Send + 'static>(app: &App, desk: &Desk, by: String, order: Order, work: Work<T>) -> Result<T, Fault> {
    let (app, now) = (app.clone(), app.now());
    let done = desk.ask_past(move |reader: &Reader| {
        let failed = |error: &dyn std::fmt::Display| ReadError::Failed(error.to_string());
        reader
            .witnessed("notices", &format!("draft {} {:?}", order.query.as_deref().unwrap_or_default(), order.nets))?;
        let database = app.accounts.database().map_err(|error| failed(&error))?;
        let own = notice::Desk { door: &app.door, database: &database, settings: &app.settings.notices, by: &by };
        work(&own, &order, now).map_err(|error| match error {
            NoticeError::Read(error) => error,
            NoticeError::Unfit(why) => ReadError::Unfit(why),
            other => failed(&other),
        })
    });
    Ok(done.await?)
}

fn looked_view(w: &Words, preview: &Preview) -> LookedView {
    let more = preview.parties.saturating_sub(preview.notices.len());
    LookedView {
        parties: w.count("notices-draft-parties", u64::try_from(preview.parties).unwrap_or(u64::MAX)),
        none: preview.parties == 0,
        notices: preview.notices.iter().map(new_view).collect(),
        more: (more > 0).then(|| w.count("notices-draft-more", u64::try_from(more).unwrap_or(u64::MAX))),
    }
}

fn new_view(one: &NewNotice) -> NewView {
    NewView {
        organisation: Seen::word(&one.party.organisation),
        to: Seen::line(&format!("{} <{}>", one.party.name, one.party.mail)),
        findings: moment::grouped(one.findings.len() as u64),
        label: Seen::word(&one.label),
        two: one.needs > 1,
        subject: Seen::line(&one.subject),
        body: Seen::block(&one.body, NOTICE_CHARS),
    }
}

fn left_views<'a>(w: &Words, left: impl Iterator<Item = (&'a &'static str, &'a LeftOut)>) -> Vec<LeftView> {
    let view = |(why, left): (&&'static str, &LeftOut)| LeftView {
        why: w.find("notices-left-", why).unwrap_or_else(|| (*why).to_owned()),
        count: moment::grouped(left.count),
        services: Seen::line(&left.services.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")),
    };
    left.map(view).collect()
}
