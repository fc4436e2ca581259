//! Web servers: the first page, and the icon that it or custom names.
//!
//! The icon is asked for over the same connection where the server keeps it, else over one more, so that a web server
//! costs two requests and at most one handshake more than its page. Inside TLS there is no second session for an icon:
//! weak devices take seconds for one.

use hinomi_model::EvidenceKind;
use hinomi_wire::http::{self, Afterwards, Response};
use hinomi_wire::{favicon, recognise};

use super::listen::{Talk, ask};
use super::session::Session;
use super::tcp::{Answer, nothing, reply_bounds};
use crate::pace::HostTurn;
use crate::scope::Connection;

/// Where browsers look for an icon that no page names.
const CUSTOMARY: &str = "/favicon.ico";

/// What a server's first answer leads to.
struct Page {
    /// The path of its icon, where one is worth asking for.
    icon: Option<String>,
    /// Whether the connection takes another request.
    stays_open: bool,
}

/// Asks over a connection that stands; the icon may take another one.
pub(super) async fn grab(session: &mut Session<'_>, mut connection: Connection, turn: &HostTurn) -> Answer {
    let page = match first_page(session, &mut connection).await {
        Ok(page) => page,
        Err(answer) => return answer,
    };
    let Some(path) = page.icon else { return Answer::Yes };
    if page.stays_open {
        fetch_icon(session, &mut connection, &path).await;
        return Answer::Yes;
    }
    drop(connection);
    if let Some(mut another) = session.connect(turn).await {
        fetch_icon(session, &mut another, &path).await;
    }
    Answer::Yes
}

/// Asks over one connection, plain or inside TLS, and over no other.
pub(super) async fn grab_over(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    match first_page(session, stream).await {
        Ok(Page { icon: Some(path), stays_open: true }) => {
            fetch_icon(session, stream, &path).await;
            Answer::Yes
        }
        Ok(_) => Answer::Yes,
        Err(answer) => answer,
    }
}

async fn first_page(session: &mut Session<'_>, stream: &mut impl Talk) -> Result<Page, Answer> {
    let host = session.key().socket().to_string();
    let Ok(request) = http::request("/", &host, &session.config().contact, Afterwards::Keep) else {
        return Err(Answer::Silent);
    };
    let said = ask(stream, &request, reply_bounds(session), http::complete, session.door().metrics()).await;
    if said.bytes.is_empty() {
        return Err(nothing(&said));
    }
    if recognise(&said.bytes) != Some("http") {
        return Err(Answer::Other(said.bytes));
    }
    let icon = http::parse(&said.bytes).ok().as_ref().and_then(icon_of);
    let page = Page { icon, stays_open: !said.ended && http::keeps_open(&said.bytes) };
    session.remember(EvidenceKind::Http, said.bytes);
    Ok(page)
}

/// The icon of a page that is there, has moved, or wants a login. An error's would be that of nothing.
fn icon_of(page: &Response<'_>) -> Option<String> {
    let is_html = || {
        let declared = page.header("content-type").is_some_and(|kind| kind.starts_with(b"text/html"));
        declared || http::html::looks_like_html(&page.body)
    };
    let worth_asking = match page.status {
        200..=399 => true,
        401 => is_html(),
        _ => false,
    };
    worth_asking.then(|| page.icon_path("/").unwrap_or_else(|| CUSTOMARY.to_owned()))
}

/// Keeps the icon, if it is one and all there: half an icon has the hash of none.
async fn fetch_icon(session: &mut Session<'_>, stream: &mut impl Talk, path: &str) {
    let host = session.key().socket().to_string();
    let Ok(request) = http::request(path, &host, &session.config().contact, Afterwards::Close) else { return };
    let bounds = reply_bounds(session);
    let said = ask(stream, &request, bounds, http::complete, session.door().metrics()).await;
    let Ok(answer) = http::parse(&said.bytes) else { return };
    if answer.status != 200 || !favicon::is_image(&answer.body) {
        return;
    }
    let announced = answer.header("content-length").is_some() || answer.header("transfer-encoding").is_some();
    match http::complete(&said.bytes) || said.ended && !announced {
        true => session.remember(EvidenceKind::Favicon, answer.body.into_owned()),
        false => session.door().metrics().reason("icon is not whole"),
    }
}
