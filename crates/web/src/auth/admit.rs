//! Who a request comes from, found once for each: called by the guard before any handler.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{LOCATION, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hinomi_state::attempts::{Counted, OF_SOURCE};
use hinomi_state::{KeyText, secret};

use super::credentials::{Brought, brought, without_key};
use super::{By, Caller, Known, ask, cookie};
use crate::app::App;
use crate::guard::{FETCH_SITE, FORMS, Source};
use crate::link;
use crate::listener::source_of;
use crate::page::fault::{Fault, answer};

/// The page for signing in, and what is below it.
pub(crate) const SIGN_IN: &str = "/sign-in";
/// Where the first administrator is made.
pub(crate) const FIRST: &str = "/first-start";

/// What somebody who is not signed in may ask for, besides the pages for signing in; what ends in `/` with all below it.
/// Who orders a scan is refused, whoever it is, and their clients put the key where it is not looked for.
const PUBLIC: &[&str] = &[
    crate::page::selfcheck::PATH,
    crate::page::selfcheck::outside::PATH,
    "/assets/",
    "/favicon.ico",
    "/compat/shodan/shodan/scan",
    "/compat/shodan/shodan/scan/internet",
];

/// Paths of programs, with the kind of key that opens them.
const PROGRAMS: [(&str, &str); 5] = [
    ("/api/", "api"),
    ("/taxii2/", "taxii"),
    ("/compat/shodan/", "shodan"),
    ("/compat/misp/", "misp"),
    ("/misp/", "misp"),
];

/// Whether programs ask here, and not people.
pub(crate) fn is_for_programs(path: &str) -> bool {
    path.starts_with("/compat/") || PROGRAMS.iter().any(|(begin, _)| path.starts_with(begin))
}

fn is_public(path: &str) -> bool {
    let below = |page: &str| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let named = PUBLIC.iter().any(|each| path == *each || (each.ends_with('/') && path.starts_with(each)));
    named || below(SIGN_IN) || below(FIRST)
}

/// Lets a request in, or answers it. What is let in carries its [`Caller`], where there is one.
pub(crate) async fn admit(app: &App, request: &mut Request) -> Result<(), Response> {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let refuse = |fault: &Fault| answer(app, &uri, &headers, fault);
    if !ask(app, |accounts| accounts.exist()).await.map_err(|fault| refuse(&fault))? {
        // The server listens on loopback alone then, and answers to names of this machine alone.
        request.extensions_mut().insert(Caller::Operator);
        return Ok(());
    }
    let brought = brought(&uri, &headers, cookie::session_name(app.settings.is_secure()));
    if let Brought::Key(_, true) = brought
        && let Some(clean) = without_key(&uri)
    {
        *request.uri_mut() = clean;
    }
    let tried = matches!(brought, Brought::Key(..) | Brought::Unreadable);
    let caller = known(app, brought).await.map_err(|fault| refuse(&fault))?;
    match caller {
        Some(caller) => {
            authorise(&caller, request.method(), &uri, &headers).map_err(|fault| refuse(&fault))?;
            request.extensions_mut().insert(caller);
            Ok(())
        }
        None if is_public(uri.path()) => Ok(()),
        None => {
            let source = request.extensions().get::<Source>().filter(|_| tried);
            let wait = count_key(app, source.copied()).await.map_err(|fault| refuse(&fault))?;
            Err(wait.map_or_else(|| to_sign_in(app, request.method(), &uri, &headers), |wait| put_off(refuse, wait)))
        }
    }
}

/// Counts a key that opens nothing. No key is guessed; who tries many is slowed down, and who has one is not.
async fn count_key(app: &App, source: Option<Source>) -> Result<Option<Duration>, Fault> {
    let Some(Source(source)) = source else { return Ok(None) };
    let (source, now) = (source_of(source).to_string(), app.now());
    let counted = Counted::new("key", &[&source], OF_SOURCE);
    let wait = ask(app, move |accounts| accounts.count_try(&[counted], now)).await?;
    if wait.is_some() {
        tracing::warn!(source, "keys that open nothing were put off: too many tries");
    }
    Ok(wait)
}

fn put_off(refuse: impl Fn(&Fault) -> Response, wait: Duration) -> Response {
    let mut response = refuse(&Fault::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries"));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    response
}

async fn known(app: &App, brought: Brought) -> Result<Option<Caller>, Fault> {
    match brought {
        Brought::Nothing | Brought::Unreadable => Ok(None),
        Brought::Session(token) => by_session(app, token).await,
        Brought::Key(text, in_address) => by_key(app, text, in_address).await,
    }
}

async fn by_session(app: &App, token: String) -> Result<Option<Caller>, Fault> {
    let (now, form) = (app.now(), secret::sign(&token, "form"));
    let found = ask(app, move |accounts| accounts.session(&token, now)).await?;
    Ok(found.map(|(session, person)| {
        let by = By::Session { id: session.id, form };
        Caller::Person(Arc::new(Known { person, purpose: session.purpose, by }))
    }))
}

async fn by_key(app: &App, text: KeyText, in_address: bool) -> Result<Option<Caller>, Fault> {
    let now = app.now();
    let found = ask(app, move |accounts| accounts.key(&text, now)).await?;
    // An address is kept in histories and logs of others: what stands there may only read.
    if in_address && found.as_ref().is_some_and(|(key, _)| key.writes) {
        let why = "a key that may change something does not stand in an address; make one that reads";
        return Err(Fault::new(StatusCode::UNAUTHORIZED, "sign-in").because(&why));
    }
    Ok(found.map(|(key, person)| {
        let by = By::Key { id: key.id, organisation: key.organisation, writes: key.writes, kinds: key.kinds };
        Caller::Person(Arc::new(Known { person, purpose: key.purpose, by }))
    }))
}

/// Whether this caller may do this at all; what they see of it is another matter.
fn authorise(caller: &Caller, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
    let refused = |detail: &str| Err(Fault::new(StatusCode::FORBIDDEN, "not-entitled").because(&detail));
    let Caller::Person(known) = caller else { return Ok(()) };
    let for_programs = is_for_programs(uri.path());
    // MISP's clients post what they search for; nothing there changes anything.
    let reads = matches!(*method, Method::GET | Method::HEAD) || uri.path().starts_with(crate::misp::BASE);
    match &known.by {
        By::Key { kinds, .. } => {
            let kind = PROGRAMS.iter().find(|(begin, _)| uri.path().starts_with(begin)).map(|(_, kind)| *kind);
            if !for_programs && !is_public(uri.path()) {
                return refused("keys are for programs: pages are for people who sign in");
            }
            if !kinds.is_empty() && !kind.is_some_and(|kind| kinds.iter().any(|each| each == kind)) {
                return refused("this key is for something else");
            }
        }
        // A browser sends the cookie by itself; that our own page asks must be said as well.
        By::Session { .. } if for_programs && !reads => {
            if !headers.contains_key(ORIGIN) && !headers.contains_key(FETCH_SITE) {
                return refused("a session changes something from our own pages only; programs use a key");
            }
        }
        By::Session { .. } => {}
    }
    let changes = (for_programs && !is_public(uri.path())) || uri.path() == FORMS;
    if !reads && changes && !caller.may_write() {
        return refused("this caller may look, and change nothing");
    }
    Ok(())
}

/// People are led to the page for signing in; programs are told.
fn to_sign_in(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if is_for_programs(uri.path()) || !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = answer(app, uri, headers, &Fault::new(StatusCode::UNAUTHORIZED, "sign-in"));
        let scheme =
            if uri.path().starts_with("/taxii2/") { "Basic realm=\"hinomi\"" } else { "Bearer realm=\"hinomi\"" };
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        return response;
    }
    let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    let to = own_path(wanted).filter(|wanted| *wanted != "/");
    redirect(&to.map_or_else(|| SIGN_IN.to_owned(), |to| link::with_parameters(SIGN_IN, [("to", to)])))
}

/// A path of ours, to go to after signing in; none when it could lead elsewhere.
pub(crate) fn own_path(text: &str) -> Option<&str> {
    let second = text.as_bytes().get(1).copied().unwrap_or(b'x');
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let own = text.starts_with('/') && second != b'/' && plain && text.len() <= crate::limits::MAX_RETURN_BYTES;
    own.then_some(text)
}

/// To another page of ours, fetched by GET.
pub(crate) fn redirect(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_nothing_leads_elsewhere() {
        for own in ["/", "/search?q=port:22", "/hosts/2001:db8::1", "/a//b"] {
            assert_eq!(own_path(own), Some(own));
        }
        let long = format!("/{}", "x".repeat(10_000));
        for other in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: x",
            "/a b",
            &long,
        ] {
            assert_eq!(own_path(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_not_named_is_closed() {
        for open in ["/sign-in", "/sign-in/passkey", "/assets/style.css", "/favicon.ico", "/first-start"] {
            assert!(is_public(open), "{open}");
        }
        for closed in ["/", "/search", "/sign-inx", "/assets", "/api/v1/status", "/account", "/about", "/favicon.ico/x"]
        {
            assert!(!is_public(closed), "{closed}");
        }
    }
}
