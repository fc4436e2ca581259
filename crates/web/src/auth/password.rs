//! Signing in with a name and a password.
//!
//! A try is counted before it is judged ([`hinomi_state::attempts`]); a name that nobody has takes the same work as one that
//! somebody has, and gets the same answer.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use hinomi_state::attempts::{Counted, OF_ACCOUNT, OF_SOURCE};
use hinomi_state::{PasswordHash, Person};

use super::{ask, cookie, hash};
use crate::app::App;
use crate::listener::source_of;
use crate::page::fault::Fault;

/// The secret that signs the cookies of known browsers.
pub(crate) const DEVICE_SECRET: &str = "device";

/// Why nobody is signed in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Name and password do not belong together, or the account is closed.
    Wrong,
    /// Too many tries: come again after this.
    Wait(Duration),
    /// It could not be judged.
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Refusal {
    /// As a fault, for where there is no page to show it on.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Self::Wrong => Fault::new(StatusCode::FORBIDDEN, "wrong-password"),
            Self::Wait(_) => Fault::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries"),
            Self::Fault(fault) => fault,
        }
    }
}

/// A try to sign in.
pub(crate) struct Try {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) source: IpAddr,
}

/// Judges a try.
pub(crate) async fn judge(app: &App, headers: &HeaderMap, tried: Try) -> Result<Person, Refusal> {
    let name = tried.name.trim().to_lowercase();
    let secret = ask(app, |accounts| accounts.installation_secret(DEVICE_SECRET)).await?;
    let source = source_of(tried.source).to_string();
    // A browser that is known is not slowed down by what strangers try, nor they by it.
    let (of_account, of_source) = match cookie::known_device(app, headers, &secret, &name) {
        Some(device) => (Counted::new("device", &[&name, &device], OF_ACCOUNT), None),
        None => {
            let of_source = Counted::new("source", &[&source], OF_SOURCE);
            (Counted::new("account", &[&name, &source], OF_ACCOUNT), Some(of_source))
        }
    };
    let counted: Vec<_> = [Some(of_account.clone()), of_source.clone()].into_iter().flatten().collect();
    let now = app.now();
    if let Some(wait) = ask(app, move |accounts| accounts.count_try(&counted, now)).await? {
        tracing::warn!(source, "a sign-in was put off: too many tries");
        return Err(Refusal::Wait(wait));
    }
    let found = ask(app, move |accounts| accounts.password_of(&name)).await?;
    let (person, kept) = match found {
        Some((person, kept)) => (Some(person), kept),
        None => (None, PasswordHash::nobody()),
    };
    let password = tried.password;
    let right = hash(app, move || kept.is(&password)).await?;
    let person = person.filter(|person| right && person.disabled.is_none()).ok_or(Refusal::Wrong)?;
    ask(app, move |accounts| accounts.forget_tries(&of_account, of_source.as_ref())).await?;
    Ok(person)
}

/// Whether this is the person's own password, asked again before something that matters; tries are counted as at sign-in.
pub(crate) async fn confirm(app: &App, headers: &HeaderMap, person: &Person, tried: Try) -> Result<(), Refusal> {
    let found = judge(app, headers, Try { name: person.name.clone(), ..tried }).await?;
    (found.id == person.id).then_some(()).ok_or(Refusal::Wrong)
}
