//! What a provider says of itself (OpenID Connect Discovery 1.0), its keys, and what it gives for a code.
//!
//! Nothing is kept between two sign-ins: keys that a provider changed count at once.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::Keys;
use super::token::Claims;
use crate::link;
use crate::outward::{Incoming, Outgoing, Outward};
use crate::settings::provider::{Provider, may_ask};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether its answers name it (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What a provider gives for a code.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) id_token: String,
    pub(crate) access_token: String,
    token_type: String,
}

/// A provider and how it is asked.
pub(crate) struct Peer<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) outward: &'a dyn Outward,
}

impl Peer<'_> {
    fn ask(&self, url: &str, authorization: Option<String>, form: Option<String>) -> Result<Incoming, String> {
        let near = self.provider.private;
        if !may_ask(url, near) {
            return Err(format!("{url:?} is asked by https:// alone"));
        }
        let answer = self.outward.ask(&Outgoing { url: url.to_owned(), authorization, form, near })?;
        match answer.status {
            200 => Ok(answer),
            status => Err(format!("{url} answers {status}: {}", error_of(&answer.body))),
        }
    }

    /// What it says of itself.
    pub(crate) fn metadata(&self) -> Result<Metadata, String> {
        let issuer = &self.provider.issuer;
        let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
        let answer = self.ask(&url, None, None)?;
        let read: Metadata = serde_json::from_slice(&answer.body).map_err(|error| format!("{url}: {error}"))?;
        if read.issuer != *issuer {
            return Err(format!("{url} is of the issuer {:?}", read.issuer));
        }
        if !may_ask(&read.authorization_endpoint, self.provider.private) {
            return Err(format!("{url}: nobody is led to {:?}", read.authorization_endpoint));
        }
        if read.code_challenge_methods_supported.as_ref().is_some_and(|all| !all.iter().any(|one| one == "S256")) {
            return Err(format!("{url}: there is no PKCE by S256"));
        }
        Ok(read)
    }

    pub(crate) fn keys(&self, metadata: &Metadata) -> Result<Keys, String> {
        Keys::read(&self.ask(&metadata.jwks_uri, None, None)?.body)
    }

    /// Gives a code back and takes what it stands for.
    pub(crate) fn tokens(
        &self,
        metadata: &Metadata,
        code: &str,
        redirect: &str,
        verifier: &str,
    ) -> Result<Tokens, String> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let client = self.provider.client_id.as_str();
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        let by_form = methods.is_some_and(|all| {
            let knows = |name: &str| all.iter().any(|one| one == name);
            knows("client_secret_post") && !knows("client_secret_basic")
        });
        let authorization = match &self.provider.secret {
            // RFC 6749, section 2.3.1: both are encoded as in a form first.
            Some(secret) if !by_form => {
                let pair = format!("{}:{}", link::encode(client), link::encode(&secret.0));
                Some(format!("Basic {}", BASE64.encode(pair.as_bytes())))
            }
            Some(secret) => {
                fields.extend([("client_id", client), ("client_secret", secret.0.as_str())]);
                None
            }
            None => {
                fields.push(("client_id", client));
                None
            }
        };
        let answer = self.ask(&metadata.token_endpoint, authorization, Some(form(&fields)))?;
        let tokens: Tokens =
            serde_json::from_slice(&answer.body).map_err(|_| "its tokens cannot be read".to_owned())?;
        let is_bearer = tokens.token_type.eq_ignore_ascii_case("bearer");
        is_bearer.then_some(tokens).ok_or_else(|| "its tokens are of another type".to_owned())
    }

    /// What it says of the person besides, where it says that at all.
    pub(crate) fn person(&self, metadata: &Metadata, tokens: &Tokens, subject: &str) -> Result<Claims, String> {
        let Some(url) = &metadata.userinfo_endpoint else { return Ok(Claims::default()) };
        let answer = self.ask(url, Some(format!("Bearer {}", tokens.access_token)), None)?;
        let said: Map<String, Value> =
            serde_json::from_slice(&answer.body).map_err(|_| "what it says of the person cannot be read".to_owned())?;
        let said = Claims::new(said);
        // OpenID Connect Core 1.0, section 5.3.2: it may be of somebody else.
        let same = said.text("sub") == Some(subject);
        same.then_some(said).ok_or_else(|| "it tells of another person".to_owned())
    }
}

impl Metadata {
    /// Where a browser is led with these parameters.
    pub(crate) fn lead<'a>(&self, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let endpoint = &self.authorization_endpoint;
        let mut told = link::with_parameters("", parameters);
        if endpoint.contains('?') {
            told = told.replacen('?', "&", 1);
        }
        format!("{endpoint}{told}")
    }

    /// Whether an answer that names this issuer, or none, is the provider's.
    pub(crate) fn answered_as(&self, issuer: Option<&str>) -> bool {
        match issuer {
            Some(issuer) => issuer == self.issuer,
            None => !self.authorization_response_iss_parameter_supported,
        }
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    link::with_parameters("", fields.iter().copied()).trim_start_matches('?').to_owned()
}

/// The name of an error (RFC 6749, section 5.2), for the log.
fn error_of(body: &[u8]) -> String {
    let told: Option<Value> = serde_json::from_slice(body).ok();
    let name = told.as_ref().and_then(|told| told.get("error")?.as_str()).unwrap_or("no reason given");
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}
