//! Signing in by way of an identity provider: OpenID Connect Core 1.0, the code flow with PKCE (RFC 7636).
//!
//! ```text
//!   begin: state, nonce, verifier -> ceremony in the state; a cookie binds it to this browser; the browser is led on
//!   end:   state -> the ceremony, taken out once; cookie, path and issuer are those of the beginning;
//!          code + verifier -> ID token, whose signature, issuer, audience, nonce and times are right -> (issuer, subject)
//! ```
//!
//! Whichever server of the installation the browser comes back to ends it. What a person is known by is issuer and subject,
//! never an e-mail address. Each provider has an address of its own to come back to, so that the answer of one is never
//! taken for that of another (RFC 9700, section 4.4).

mod keys;
mod metadata;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hinomi_model::Timestamp;
use hinomi_state::attempts::{Counted, OF_SOURCE};
use hinomi_state::passkeys::CEREMONY_TIME;
use hinomi_state::{Ceremony, account_name, secret};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

use super::{ask, cookie, outside};
use crate::app::App;
use crate::guard::own_origin;
use crate::listener::source_of;
use crate::page::fault::Fault;
use crate::settings::provider::Provider;
use metadata::Peer;
pub(crate) use token::Claims;
use token::Expected;

const KIND: &str = "provider";
/// The longest code or state that is looked at, in bytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024;

/// What for somebody is sent to a provider.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To sign in, and go on there.
    SignIn { to: String },
    /// To take an invitation.
    Invited { key: String },
    /// To link the account there, in this session.
    Link { person: String, session: String },
    /// To show again that it is the owner of this session.
    Again { person: String, session: String, to: String },
}

/// What is kept until the browser comes back.
#[derive(Serialize, Deserialize)]
struct Kept {
    provider: String,
    redirect: String,
    nonce: String,
    verifier: String,
    /// The hash of what the browser keeps.
    browser: String,
    /// In microseconds.
    begun: i64,
    aim: Aim,
}

/// Where the browser is led, and what it keeps.
pub(crate) struct Begun {
    pub(crate) address: String,
    pub(crate) cookie: String,
}

/// Who came back.
pub(crate) struct Came {
    pub(crate) aim: Aim,
    pub(crate) provider: Provider,
    pub(crate) subject: String,
    /// When they showed there last that it is them; the beginning of time where the provider does not say.
    pub(crate) shown: Timestamp,
    /// What the provider says of them; asked where accounts are made.
    pub(crate) claims: Claims,
}

/// What a browser brings back.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) state: String,
    pub(crate) code: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
}

/// The provider of this name.
pub(crate) fn provider(app: &App, id: &str) -> Result<Provider, Fault> {
    let found = app.settings.providers.iter().find(|provider| provider.id == id);
    found.cloned().ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "not-found"))
}

/// What the browser is told; why stands in the log.
fn refused(why: &dyn std::fmt::Display) -> Fault {
    tracing::info!(%why, "an answer of an identity provider was not accepted");
    Fault::new(StatusCode::FORBIDDEN, "provider-refused")
}

fn silent(provider: &Provider, why: &str) -> Fault {
    tracing::warn!(provider = provider.id, why, "an identity provider could not be asked");
    Fault::new(StatusCode::BAD_GATEWAY, "provider")
}

fn tries_of(source: IpAddr) -> Counted {
    Counted::new(KIND, &[&source_of(source).to_string()], OF_SOURCE)
}

/// Counts that somebody there begins; tells how long to wait when it was too often.
pub(crate) async fn count_try(app: &App, source: IpAddr) -> Result<Option<Duration>, Fault> {
    let (counted, now) = (tries_of(source), app.now());
    ask(app, move |accounts| accounts.count_try(&[counted], now)).await
}

/// Who began there came back as somebody.
pub(crate) async fn take_back_try(app: &App, source: IpAddr) -> Result<(), Fault> {
    let counted = tries_of(source);
    ask(app, move |accounts| accounts.take_back_try(&counted)).await
}

/// Where the provider sends browsers back to.
fn address_of(app: &App, headers: &HeaderMap, provider: &Provider) -> String {
    format!("{}/sign-in/back/{}", own_origin(&app.settings, headers), provider.id)
}

/// Begins.
pub(crate) async fn begin(app: &App, headers: &HeaderMap, provider: Provider, aim: Aim) -> Result<Begun, Fault> {
    let (state, nonce, verifier, cookie) = (secret::secret()?, secret::secret()?, secret::secret()?, secret::secret()?);
    let redirect = address_of(app, headers, &provider);
    let (now, anew) = (app.now(), matches!(aim, Aim::Again { .. }));
    let outward = Arc::clone(&app.outward);
    let asked = provider.clone();
    let metadata = outside(app, move || Peer { provider: &asked, outward: &*outward }.metadata()).await?;
    let metadata = metadata.map_err(|why| silent(&provider, &why))?;
    let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
    let scope = ["openid"].into_iter().chain(provider.scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", &provider.client_id),
        ("redirect_uri", &redirect),
        ("scope", &scope),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    if anew {
        parameters.extend([("prompt", "login"), ("max_age", "0")]);
    }
    let address = metadata.lead(parameters);
    let browser = secret::hash(&cookie);
    let kept = Kept { provider: provider.id, redirect, nonce, verifier, browser, begun: now.as_micros(), aim };
    let person = match &kept.aim {
        Aim::Link { person, .. } | Aim::Again { person, .. } => Some(person.clone()),
        _ => None,
    };
    let data = serde_json::to_vec(&kept).map_err(|error| refused(&error))?;
    let until = now.plus(CEREMONY_TIME);
    ask(app, move |accounts| accounts.begin_ceremony(KIND, &state, &Ceremony { person, data }, until, now)).await?;
    Ok(Begun { address, cookie })
}

/// Ends: who came back, and what for.
pub(crate) async fn end(app: &App, headers: &HeaderMap, id: &str, answer: Answer) -> Result<Came, Fault> {
    let kept = recall(app, headers, id, &answer).await?;
    let provider = provider(app, &kept.provider)?;
    if let Some(error) = &answer.error {
        return Err(refused(&format!("it says {:?}", error.chars().take(100).collect::<String>())));
    }
    let code = answer.code.filter(|code| (1..=MAX_ANSWER_BYTES).contains(&code.len()));
    let code = code.ok_or_else(|| refused(&"there is no code"))?;
    let (outward, asked, now) = (Arc::clone(&app.outward), provider.clone(), app.now());
    let work = move || {
        let peer = Peer { provider: &asked, outward: &*outward };
        ask_for(&peer, &kept, &code, answer.issuer.as_deref(), now).map(|(claims, shown)| (kept.aim, claims, shown))
    };
    let (aim, claims, shown) = outside(app, work).await?.map_err(|failed| match failed {
        Failed::Silent(why) => silent(&provider, &why),
        Failed::Refused(why) => refused(&why),
    })?;
    let subject = claims.text("sub").unwrap_or_default().to_owned();
    Ok(Came { aim, provider, subject, shown, claims })
}

/// The ceremony that this browser began with this provider; it is taken out.
async fn recall(app: &App, headers: &HeaderMap, id: &str, answer: &Answer) -> Result<Kept, Fault> {
    let gone = || refused(&"there is no such sign-in, it took too long, or it ended already");
    let (state, now) = (answer.state.clone(), app.now());
    if state.len() > MAX_ANSWER_BYTES {
        return Err(gone());
    }
    let found = ask(app, move |accounts| accounts.end_ceremony(KIND, &state, now)).await?.ok_or_else(gone)?;
    let kept: Kept = serde_json::from_slice(&found.data).map_err(|error| refused(&error))?;
    let browser = cookie::flow(app, headers).unwrap_or_default();
    if !secret::same(&secret::hash(&browser), &kept.browser) {
        return Err(refused(&"it was begun in another browser"));
    }
    if kept.provider != id {
        return Err(refused(&"it was begun with another provider"));
    }
    Ok(kept)
}

enum Failed {
    Silent(String),
    Refused(String),
}

/// What the provider says of who came back, and when that one showed there last that it is them. Blocks.
fn ask_for(
    peer: &Peer<'_>,
    kept: &Kept,
    code: &str,
    issuer: Option<&str>,
    now: Timestamp,
) -> Result<(Claims, Timestamp), Failed> {
    let metadata = peer.metadata().map_err(Failed::Silent)?;
    if !metadata.answered_as(issuer) {
        return Err(Failed::Refused("the answer is another provider's".to_owned()));
    }
    let tokens = peer.tokens(&metadata, code, &kept.redirect, &kept.verifier).map_err(Failed::Refused)?;
    let keys = peer.keys(&metadata).map_err(Failed::Silent)?;
    let expected = Expected {
        issuer: &peer.provider.issuer,
        client: &peer.provider.client_id,
        nonce: &kept.nonce,
        begun: Timestamp::from_micros(kept.begun),
        now,
        anew: matches!(kept.aim, Aim::Again { .. }),
    };
    let claims = token::read(&tokens.id_token, &keys, &expected).map_err(Failed::Refused)?;
    let shown = claims.shown(now);
    if peer.provider.admission.is_none() || !matches!(kept.aim, Aim::SignIn { .. }) {
        return Ok((claims, shown));
    }
    let subject = claims.text("sub").unwrap_or_default().to_owned();
    let more = peer.person(&metadata, &tokens, &subject).map_err(Failed::Refused)?;
    Ok((claims.and(more), shown))
}

/// The name of the account that is made for who came back and is not known; none where none is made.
pub(crate) fn admitted(provider: &Provider, claims: &Claims) -> Option<(String, String)> {
    let admission = provider.admission.as_ref()?;
    let claim = admission.claim.as_ref();
    if claim.is_some_and(|claim| !claims.holds(&claim.name, &claim.value)) {
        return None;
    }
    let mail = claims.text("email").filter(|_| claims.is_true("email_verified")).map(str::to_ascii_lowercase);
    let domain = mail.as_deref().and_then(|mail| mail.rsplit_once('@')).map(|(_, domain)| domain);
    let is_in = domain.is_some_and(|domain| admission.domains.iter().any(|each| each == domain));
    if !admission.domains.is_empty() && !is_in {
        return None;
    }
    // A name is needed that nobody else has; who it is stays issuer and subject.
    let subject = claims.text("sub").unwrap_or_default();
    let fallback = || {
        let hash = digest(&SHA256, format!("{}\0{subject}", provider.issuer).as_bytes());
        format!("{}-{}", provider.id.to_ascii_lowercase(), HEXLOWER.encode(hash.as_ref().get(..8).unwrap_or_default()))
    };
    let name = mail.and_then(|mail| account_name(&mail).ok()).unwrap_or_else(fallback);
    let full_name = claims.text("name").unwrap_or_default().chars().filter(|c| !c.is_control()).take(100).collect();
    Some((name, full_name))
}
