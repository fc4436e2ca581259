//! The look from outside: told before, agreed to, shown to who agreed.
//!
//! Whose address it is says the connection (or the proxy that was named), at each request anew: when the form is shown, when
//! it is sent, and when the result is asked for. All three must be the same address. A cookie of its own, that other sites
//! cannot make a browser send, binds the three to one browser; the form carries what only that cookie, that address and
//! those very terms give. Results are in memory alone ([`super::Looks`]).

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, State};
use axum::http::header::{HeaderValue, REFRESH, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hinomi_share::Concern;
use hinomi_state::secret;

use super::looks::{Look, NotNow};
use super::told::{Answer, answer, names_of};
use crate::app::App;
use crate::auth::admit::redirect;
use crate::auth::cookie;
use crate::auth::form::Form;
use crate::guard::Source;
use crate::limits::LOOK_RENEWS_S;
use crate::moment;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::prober::{NoLook, Offer, Prober, Tell, Terms};
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// Where it is.
pub(crate) const PATH: &str = "/self-check/outside";
/// What is told to who comes while others are looked at, in seconds.
const COME_BACK_S: u32 = 60;

#[derive(Template)]
#[template(path = "outside.html")]
struct OutsidePage {
    frame: Frame,
    trouble: Option<String>,
    /// Whether this browser has a look that can be shown here.
    kept: bool,
    /// Whether the terms can be read again.
    again: bool,
    consent: Option<Consent>,
    going: Option<Going>,
    answer: Option<Answer>,
}

/// The form.
struct Consent {
    sources: String,
    address: String,
    tcp: String,
    udp: Option<String>,
    attempts: String,
    time: String,
    who: Seen,
    ask: Seen,
    inside: bool,
    agree: String,
    proof: String,
}

/// A look that goes on.
struct Going {
    heading: String,
    done: usize,
    all: usize,
    progress: String,
}

const fn empty(frame: Frame) -> OutsidePage {
    OutsidePage { frame, trouble: None, kept: false, again: false, consent: None, going: None, answer: None }
}

/// What is offered to who comes from this address.
pub(super) async fn offer(app: &App, address: IpAddr) -> Offer {
    let Some(prober) = app.prober.clone() else { return Offer::None };
    // The proxy is no visitor, whatever it says of itself.
    if app.settings.proxy == Some(address) {
        return Offer::None;
    }
    tokio::task::spawn_blocking(move || prober.offer(address)).await.unwrap_or(Offer::None)
}

/// `GET`: the form, how far the look is, or what it met.
pub(crate) async fn show(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    let address = source.to_canonical();
    if app.prober.is_none() {
        return absent(&visit);
    }
    let browser = cookie::look(&app, &headers);
    let look = browser.as_deref().and_then(|browser| app.looks.of(&id_of(browser), app.now()));
    match look {
        Some(look) if look.terms.address == address && visit.parameter("again").is_none() => shown(&visit, &look),
        Some(look) if look.terms.address != address => {
            form(&app, &visit, (address, browser), Some(("outside-moved", StatusCode::OK))).await
        }
        _ => form(&app, &visit, (address, browser), None).await,
    }
}

/// `POST`: agreed.
pub(crate) async fn consent(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    fields: Form,
) -> Response {
    let address = source.to_canonical();
    let browser = cookie::look(&app, &headers);
    let (prober, terms) = match (app.prober.clone(), offer(&app, address).await) {
        (Some(prober), Offer::Terms(terms)) => (prober, *terms),
        (Some(_), _) => return form(&app, &visit, (address, browser), None).await,
        (None, _) => return absent(&visit),
    };
    let is_own = |browser: &&String| secret::same(fields.get("proof"), &proof(browser, &terms));
    let Some(agreed) = browser.as_ref().filter(is_own) else {
        let trouble = Some(("outside-trouble-changed", StatusCode::FORBIDDEN));
        return form(&app, &visit, (address, browser), trouble).await;
    };
    if fields.get("mine") != "yes" {
        let trouble = Some(("outside-trouble-tick", StatusCode::BAD_REQUEST));
        return form(&app, &visit, (address, browser), trouble).await;
    }
    match app.looks.begin(&id_of(agreed), &terms, app.now()) {
        Ok(number) => {
            begin(&app, prober, (id_of(agreed), number), terms);
            redirect(PATH)
        }
        Err(why) => wait(&app, &visit, (address, browser), why).await,
    }
}

/// Lets the look begin. It ends by itself, and is noted however it does.
fn begin(app: &App, prober: Arc<dyn Prober>, (browser, number): (String, u64), terms: Terms) {
    let (looks, id) = (Arc::clone(&app.looks), browser.clone());
    let tell: Tell = Arc::new(move |told| looks.tell(&id, number, told));
    let (looks, clock) = (Arc::clone(&app.looks), Arc::clone(&app.clock));
    tokio::spawn(async move {
        // In a task of its own, so that a fault of it is an end too.
        let ended = tokio::spawn(prober.look(terms, tell)).await.unwrap_or(Err(NoLook::Failed));
        looks.end(&browser, number, ended, clock.now());
    });
}

/// Who was here a short while ago, or comes while others are looked at.
async fn wait(app: &App, visit: &Visit, who: (IpAddr, Option<String>), why: NotNow) -> Response {
    let (mut response, seconds) = match why {
        NotNow::Again(wait) => {
            // Whole minutes, so that who comes back then is not told to wait again.
            let seconds = u32::try_from(wait.as_secs().div_ceil(60) * 60).unwrap_or(u32::MAX).max(60);
            let time = moment::span(&visit.words, u64::from(seconds));
            let trouble = visit.words.with("outside-trouble-often", time);
            let kept = who.1.as_deref().and_then(|browser| app.looks.of(&id_of(browser), app.now()));
            let kept = kept.is_some_and(|look| look.terms.address == who.0);
            (refused(visit, StatusCode::TOO_MANY_REQUESTS, trouble, kept), seconds)
        }
        NotNow::Busy => {
            let trouble = Some(visit.words.say("outside-trouble-busy"));
            let response = page_of_form(app, visit, who, trouble, StatusCode::SERVICE_UNAVAILABLE).await;
            (response, COME_BACK_S)
        }
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The page without a form.
fn refused(visit: &Visit, status: StatusCode, trouble: String, kept: bool) -> Response {
    let frame = Frame::new(visit, &visit.words.say("outside-title"), "self-check");
    render(visit, status, &OutsidePage { trouble: Some(trouble), kept, ..empty(frame) })
}

/// The page with the form, where there is one for this address.
async fn form(
    app: &App,
    visit: &Visit,
    who: (IpAddr, Option<String>),
    trouble: Option<(&str, StatusCode)>,
) -> Response {
    let status = trouble.map_or(StatusCode::OK, |(_, status)| status);
    page_of_form(app, visit, who, trouble.map(|(key, _)| visit.words.say(key)), status).await
}

async fn page_of_form(
    app: &App,
    visit: &Visit,
    (address, browser): (IpAddr, Option<String>),
    trouble: Option<String>,
    status: StatusCode,
) -> Response {
    let refused = |key: &str, status| refused(visit, status, visit.words.say(key), false);
    let terms = match offer(app, address).await {
        Offer::None => return absent(visit),
        Offer::Shared => return refused("outside-shared", StatusCode::FORBIDDEN),
        Offer::OptedOut => return refused("outside-opted-out", StatusCode::FORBIDDEN),
        Offer::Later => return refused("outside-later", StatusCode::SERVICE_UNAVAILABLE),
        Offer::Terms(terms) => *terms,
    };
    // A value that a form was made for stays: another tab may show it.
    let Some(cookie) = browser.filter(|told| is_secret(told)).or_else(|| secret::secret().ok()) else {
        return fault::page(visit, &Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    };
    let frame = Frame::new(visit, &visit.words.say("outside-title"), "self-check");
    let consent = Some(told(&visit.words, &terms, proof(&cookie, &terms)));
    let page = OutsidePage { trouble, consent, ..empty(frame) };
    let mut response = render(visit, status, &page);
    cookie::set_look(app, &mut response, &cookie);
    response
}

/// There is no such page for this visitor.
fn absent(visit: &Visit) -> Response {
    fault::page(visit, &Fault::new(StatusCode::NOT_FOUND, "not-found"))
}

/// How far the look is, or what it met.
fn shown(visit: &Visit, look: &Look) -> Response {
    let (words, frame) = (&visit.words, Frame::new(visit, &visit.words.say("outside-title"), "self-check"));
    let page = empty(frame);
    match &look.ended {
        None => {
            let (done, all) = (look.met.len(), look.terms.ports().count());
            let heading = words.with("outside-going", look.terms.address);
            let progress = words.with("outside-progress", format!("{done} / {all}"));
            let going = Some(Going { heading, done, all, progress });
            let mut response = render(visit, StatusCode::OK, &OutsidePage { going, ..page });
            // Without script. It ends with the look, which ends by itself.
            response.headers_mut().insert(REFRESH, HeaderValue::from(LOOK_RENEWS_S));
            response
        }
        Some((_, Err(why))) => {
            let trouble = Some(words.say(&format!("outside-no-{}", why.name())));
            let mut response =
                render(visit, StatusCode::SERVICE_UNAVAILABLE, &OutsidePage { trouble, again: true, ..page });
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(COME_BACK_S));
            response
        }
        Some((_, Ok(ended))) => {
            let answer = Some(answer(words, look, *ended));
            render(visit, StatusCode::OK, &OutsidePage { answer, ..page })
        }
    }
}

/// The terms, in words.
fn told(words: &Words, terms: &Terms, proof: String) -> Consent {
    let sources: Vec<String> = terms.sources.iter().map(ToString::to_string).collect();
    let ask = if terms.page.is_empty() { terms.email.clone() } else { format!("{}, {}", terms.email, terms.page) };
    let udp = names_of(terms, hinomi_model::Transport::Udp);
    Consent {
        sources: words.with("outside-from", sources.join(", ")),
        address: words.with("outside-to", terms.address),
        tcp: words.with("outside-tcp", names_of(terms, hinomi_model::Transport::Tcp)),
        udp: (!udp.is_empty()).then(|| words.with("outside-udp", udp)),
        attempts: words.count("outside-attempts", u64::from(terms.attempts)),
        time: words.with("outside-time", moment::span(words, terms.seconds)),
        who: Seen::line(&words.with("outside-who", &terms.authority)),
        ask: Seen::line(&words.with("outside-ask", ask)),
        inside: super::is_inside(terms.address),
        agree: words.with("outside-agree", terms.address),
        proof,
    }
}

/// What the form carries: only this browser's own page about this address and these terms has it.
fn proof(browser: &str, terms: &Terms) -> String {
    secret::sign(browser, &format!("look from outside\0{terms:?}"))
}

/// By what a look is filed: the cookie's own value is kept nowhere.
fn id_of(browser: &str) -> String {
    secret::sign(browser, "who looks from outside")
}

/// Whether a cookie may be one of ours: 256 bits in hexadecimal digits.
fn is_secret(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The verdict of the most pressing of these.
pub(super) fn verdict(concerns: &[Concern]) -> &'static str {
    match concerns.iter().min() {
        None => "nothing",
        Some(concern) if concern.is_urgent() => "urgent",
        Some(_) => "some",
    }
}
