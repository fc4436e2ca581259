//! The pages: complete without JavaScript, in the visitor's language.

pub(crate) mod about;
pub(crate) mod account;
mod crypto;
pub(crate) mod entitlement;
pub(crate) mod evidence;
pub(crate) mod fault;
pub(crate) mod flow;
mod frame;
pub(crate) mod guide;
mod hex;
pub(crate) mod host;
pub(crate) mod notices;
pub(crate) mod organisation;
mod overview;
mod report;
pub(crate) mod search;
pub(crate) mod selfcheck;
mod service;
pub(crate) mod surveys;
mod watch;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::auth::{admit, again};

pub(crate) use frame::{Frame, render};
pub(crate) use overview::Outlook;
pub(crate) use selfcheck::{Asked, Looks};
#[cfg(test)]
pub(crate) use watch::WHATS;

/// Fields that the search page counts, in its order.
pub(crate) const FACETS: &[&str] =
    &["kind", "protocol", "vendor", "product", "tag", "port", "net", "country", "as", "sensor"];

/// Changes in a history that have a text.
#[cfg(test)]
pub(crate) const CHANGES: &[&str] = &[
    "opened",
    "closed",
    "pseudo",
    "protocol",
    "tls",
    "vendor",
    "product",
    "version",
    "model",
    "firmware",
    "kind",
    "os",
    "title",
    "certificate",
    "crypto",
    "hassh",
    "host-key",
    "tags",
    "evidence",
    "owner",
];

/// Every page with its path.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(overview::show))
        .route("/search", get(search::show))
        .route("/hosts/{address}", get(host::show))
        .route("/evidence/{hash}", get(evidence::show))
        .route("/crypto", get(crypto::show))
        .route("/organisation", get(organisation::show))
        .route(&format!("{}/{{month}}", report::PATH), get(report::show))
        .route(organisation::alerts::PATH, get(organisation::alerts::show).post(organisation::alerts::change))
        .route(notices::NOTICES, get(notices::show))
        .route(notices::draft::PATH, get(notices::draft::show).post(notices::draft::make))
        .route("/notices/{notice}", get(notices::one::show).post(notices::one::change))
        .route(crate::guard::FORMS, get(watch::show).post(watch::change))
        .route("/surveys", get(surveys::show))
        .route("/flow", get(flow::show))
        .route("/flow/{endpoint}", get(flow::endpoint::show))
        .route(admit::SIGN_IN, get(account::sign_in::show).post(account::sign_in::sign_in))
        .route("/sign-in/invited", get(account::sign_in::invited).post(account::sign_in::accept))
        .route(admit::FIRST, get(account::sign_in::first).post(account::sign_in::begin))
        .route(account::ACCOUNT, get(account::show).post(account::change))
        .route("/account/sign-out", post(account::sign_out))
        .route("/sign-in/passkey", post(account::passkey::begin_sign_in))
        .route("/sign-in/passkey/end", post(account::passkey::end_sign_in))
        .route("/account/passkeys", post(account::passkey::begin_registration))
        .route("/account/passkeys/end", post(account::passkey::end_registration))
        .route("/sign-in/with/{provider}", post(account::provider::sign_in))
        .route("/sign-in/back/{provider}", get(account::provider::back))
        .route("/account/with/{provider}", post(account::provider::of_account))
        .route(again::AGAIN, get(account::again::show).post(account::again::by_password))
        .route("/account/again/passkey", post(account::passkey::begin_again))
        .route("/account/again/passkey/end", post(account::passkey::end_again))
        .route(account::people::PEOPLE, get(account::people::show).post(account::people::change))
        .route("/guide", get(guide::show))
        .route("/about", get(about::show))
        .route(selfcheck::PATH, get(selfcheck::show).post(selfcheck::ask))
        .route(entitlement::PATH, get(entitlement::show))
        .route(selfcheck::outside::PATH, get(selfcheck::outside::show).post(selfcheck::outside::consent))
}
