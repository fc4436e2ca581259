//! Passkeys: registering one, and signing in with one without typing a name.
//!
//! Specification: WebAuthn Level 3 by `webauthn_rp`. The authenticator checks its owner (user verification is required), so
//! a passkey is two factors. What a ceremony must remember is in the state under its challenge, taken out when its answer
//! comes: an answer counts once, on whichever server it arrives. A passkey belongs to the name by which the browser called
//! the server; addresses have none.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use hinomi_state::attempts::{Counted, OF_SOURCE};
use hinomi_state::passkeys::CEREMONY_TIME;
use hinomi_state::{Ceremony, Credential, Person};
use webauthn_rp::bin::{Decode, Encode};
use webauthn_rp::request::auth::AuthenticationVerificationOptions;
use webauthn_rp::request::register::{
    CredProtect, Nickname, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle16, Username,
};
use webauthn_rp::request::{AsciiDomain, ExtensionInfo, PublicKeyCredentialDescriptor, RpId, TimedCeremony};
use webauthn_rp::response::register::{CompressedPubKey, DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication16, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

use super::ask;
use crate::app::App;
use crate::listener::source_of;
use crate::page::fault::Fault;

const REGISTER: &str = "passkey-register";
const SIGN_IN: &str = "passkey-sign-in";

/// By which name the browser calls the server, and from which origin it must come.
struct Here {
    id: RpId,
    origin: String,
}

/// What is told to the browser alone; why stands in the log.
fn refused(why: &dyn std::fmt::Display) -> Fault {
    tracing::info!(%why, "a passkey was not accepted");
    Fault::new(StatusCode::FORBIDDEN, "passkey")
}

fn here(app: &App, headers: &HeaderMap) -> Result<Here, Fault> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() || name.starts_with('[') {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "passkey").because(&"a passkey needs a name, not an address"));
    }
    let id = AsciiDomain::try_from(name).map_err(|error| refused(&error))?;
    let scheme = if app.settings.is_secure() { "https" } else { "http" };
    Ok(Here { id: RpId::Domain(id), origin: format!("{scheme}://{host}") })
}

/// The name of an account for authenticators: its id, which is 16 bytes.
fn handle(person: &Person) -> Result<UserHandle16, Fault> {
    let bytes = data_encoding::HEXLOWER.decode(person.id.as_bytes()).map_err(|error| refused(&error))?;
    let bytes: [u8; 16] = bytes.try_into().map_err(|_| refused(&"an account has no id"))?;
    UserHandle16::decode(bytes).map_err(|error| refused(&error))
}

async fn remember(app: &App, kind: &'static str, challenge: u128, ceremony: Ceremony) -> Result<(), Fault> {
    let now = app.now();
    let (name, until) = (format!("{challenge:032x}"), now.plus(CEREMONY_TIME));
    ask(app, move |accounts| accounts.begin_ceremony(kind, &name, &ceremony, until, now)).await
}

async fn recall(app: &App, kind: &'static str, challenge: u128) -> Result<Ceremony, Fault> {
    let (name, now) = (format!("{challenge:032x}"), app.now());
    let found = ask(app, move |accounts| accounts.end_ceremony(kind, &name, now)).await?;
    found.ok_or_else(|| refused(&"there is no such ceremony, or it took too long"))
}

/// What the browser needs to register a passkey, as JSON.
pub(crate) async fn begin_registration(app: &App, headers: &HeaderMap, person: &Person) -> Result<Vec<u8>, Fault> {
    let (here, handle, id) = (here(app, headers)?, handle(person)?, person.id.clone());
    let known = ask(app, move |accounts| accounts.passkeys(&id)).await?;
    let descriptor = |passkey: &hinomi_state::Passkey| {
        let id = data_encoding::HEXLOWER.decode(passkey.id.as_bytes()).ok()?;
        let id = CredentialId::<Vec<u8>>::decode(id).ok()?;
        Some(PublicKeyCredentialDescriptor { id, transports: AuthTransports::decode(0).ok()? })
    };
    let user = PublicKeyCredentialUserEntity {
        name: Username::try_from(person.name.as_str()).map_err(|error| refused(&error))?,
        id: &handle,
        display_name: Nickname::try_from(person.full_name.as_str()).ok(),
    };
    let known = known.iter().filter_map(descriptor).collect();
    let mut options = PublicKeyCredentialCreationOptions::passkey(&here.id, user, known);
    // Asked for where the authenticator has it; those of platforms mostly do not.
    options.extensions.cred_protect = CredProtect::UserVerificationRequired(ExtensionInfo::AllowDontEnforceValue);
    let (server, client) = options.start_ceremony().map_err(|error| refused(&error))?;
    let challenge = server.sent_challenge().encode().map_err(|error| refused(&error))?;
    let data = server.encode().map_err(|error| refused(&error))?;
    let told = serde_json::to_vec(&client).map_err(|error| refused(&error))?;
    remember(app, REGISTER, challenge, Ceremony { person: Some(person.id.clone()), data }).await?;
    Ok(told)
}

/// Takes the browser's answer: the passkey is registered from now on.
pub(crate) async fn end_registration(
    app: &App,
    headers: &HeaderMap,
    person: &Person,
    label: &str,
    answer: &[u8],
) -> Result<(), Fault> {
    let here = here(app, headers)?;
    let registration = Registration::from_json_relaxed(answer).map_err(|error| refused(&error))?;
    let challenge = registration.challenge_relaxed().map_err(|error| refused(&error))?;
    let challenge = challenge.encode().map_err(|error| refused(&error))?;
    let ceremony = recall(app, REGISTER, challenge).await?;
    if ceremony.person.as_deref() != Some(person.id.as_str()) {
        return Err(refused(&"the ceremony is another's"));
    }
    let server = RegistrationServerState::<16>::decode(&ceremony.data).map_err(|error| refused(&error))?;
    let origins = [here.origin.as_str()];
    let options = RegistrationVerificationOptions::<'_, '_, &str, &str> {
        allowed_origins: &origins,
        ..RegistrationVerificationOptions::default()
    };
    let made = server.verify(&here.id, &registration, &options).map_err(|error| refused(&error))?;
    let credential = Credential {
        fixed: made.static_state().encode().map_err(|error| refused(&error))?,
        moving: made.dynamic_state().encode().map_err(|error| refused(&error))?.to_vec(),
    };
    let name: Vec<u8> = made.id().as_ref().to_vec();
    let (person, label, now) = (person.clone(), label.to_owned(), app.now());
    ask(app, move |accounts| accounts.by(&person.name).add_passkey(&person.id, &name, &label, &credential, now)).await
}

fn tries_of(source: IpAddr) -> Counted {
    Counted::new("passkey", &[&source_of(source).to_string()], OF_SOURCE)
}

/// Counts that somebody there begins to sign in, which anybody may and which is remembered; tells how long to wait when
/// it was too often.
pub(crate) async fn count_try(app: &App, source: IpAddr) -> Result<Option<Duration>, Fault> {
    let (counted, now) = (tries_of(source), app.now());
    ask(app, move |accounts| accounts.count_try(&[counted], now)).await
}

/// Who began there signed in.
pub(crate) async fn take_back_try(app: &App, source: IpAddr) -> Result<(), Fault> {
    let counted = tries_of(source);
    ask(app, move |accounts| accounts.take_back_try(&counted)).await
}

/// What the browser needs to sign in, as JSON.
pub(crate) async fn begin_sign_in(app: &App, headers: &HeaderMap) -> Result<Vec<u8>, Fault> {
    let here = here(app, headers)?;
    let started = DiscoverableCredentialRequestOptions::passkey(&here.id).start_ceremony();
    let (server, client) = started.map_err(|error| refused(&error))?;
    let challenge = server.sent_challenge().encode().map_err(|error| refused(&error))?;
    let data = server.encode().map_err(|error| refused(&error))?;
    let told = serde_json::to_vec(&client).map_err(|error| refused(&error))?;
    remember(app, SIGN_IN, challenge, Ceremony { person: None, data }).await?;
    Ok(told)
}

/// Who signs in by the browser's answer.
pub(crate) async fn end_sign_in(app: &App, headers: &HeaderMap, answer: &[u8]) -> Result<Person, Fault> {
    let here = here(app, headers)?;
    let given = DiscoverableAuthentication16::from_json_relaxed(answer).map_err(|error| refused(&error))?;
    let challenge = given.challenge_relaxed().map_err(|error| refused(&error))?;
    let ceremony = recall(app, SIGN_IN, challenge.encode().map_err(|error| refused(&error))?).await?;
    let server = DiscoverableAuthenticationServerState::decode(&ceremony.data).map_err(|error| refused(&error))?;
    let name: Vec<u8> = given.raw_id().as_ref().to_vec();
    let found = ask(app, move |accounts| accounts.passkey(&name)).await?;
    let (credential, person) = found.ok_or_else(|| refused(&"nobody has this passkey"))?;
    let owner = handle(&person)?;
    let fixed = StaticState::<CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>>::decode(&credential.fixed)
        .map_err(|error| refused(&error))?;
    let moving: [u8; 7] = credential.moving.as_slice().try_into().map_err(|error| refused(&error))?;
    let moving = DynamicState::decode(moving).map_err(|error| refused(&error))?;
    let kept = AuthenticatedCredential::new(given.raw_id(), &owner, fixed, moving);
    let mut kept = kept.map_err(|error| refused(&error))?;
    let origins = [here.origin.as_str()];
    let options = AuthenticationVerificationOptions::<'_, '_, &str, &str> {
        allowed_origins: &origins,
        ..AuthenticationVerificationOptions::default()
    };
    server.verify(&here.id, &given, &mut kept, &options).map_err(|error| refused(&error))?;
    let moving = kept.dynamic_state().encode().map_err(|error| refused(&error))?;
    let (name, now): (Vec<u8>, _) = (given.raw_id().as_ref().to_vec(), app.now());
    ask(app, move |accounts| accounts.used_passkey(&name, &moving, now)).await?;
    Ok(person)
}
