//! `[[oidc]]` of `web.toml`: identity providers (OpenID Connect) by which people sign in.
//!
//! ```toml
//! [[oidc]]
//! id = "city"                            # in addresses of this server; letters, digits and -
//! name_ja = "市の職員アカウント"
//! name_en = "City staff account"
//! issuer = "https://login.city.example"
//! client_id = "hinomi"
//! client_secret_file = "oidc.secret"     # absent: a public client, with PKCE alone
//! scopes = ["email"]                     # besides openid
//! private = false                        # whether it may be at an address that is not public
//! create = true                          # whether who is not known here gets an account, which may do nothing yet
//! domains = ["city.example"]             # then: whose verified e-mail address is of one of these
//! claim = { name = "groups", value = "tower" }   # and: of whom the provider says this
//! ```

use std::net::IpAddr;
use std::path::Path;

use axum::http::Uri;
use serde::Deserialize;

/// The most providers.
pub(crate) const MAX_PROVIDERS: usize = 16;
const MAX_TEXT_CHARS: usize = 200;
const MAX_LIST: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    id: String,
    name_ja: String,
    name_en: String,
    issuer: String,
    client_id: String,
    client_secret_file: Option<std::path::PathBuf>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    create: bool,
    #[serde(default)]
    domains: Vec<String>,
    claim: Option<Claim>,
}

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in addresses of this server.
    pub id: String,
    /// Its name for people, in Japanese.
    pub name_ja: String,
    /// And in English.
    pub name_en: String,
    /// Who it says it is, without a slash at the end unless it says so itself.
    pub issuer: String,
    /// What this server is called there.
    pub client_id: String,
    /// What shows there that it is this server.
    pub secret: Option<Secret>,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Whether it may be at an address that is not public, and without TLS on loopback.
    pub private: bool,
    /// Who gets an account that nobody made.
    pub admission: Option<Admission>,
}

/// Who gets an account that nobody made: all that is said must be so, and something is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The verified e-mail address is of one of these domains, in lower case; empty: of any, or there is none.
    pub domains: Vec<String>,
    /// The provider says this of the person.
    pub claim: Option<Claim>,
}

/// What a provider says of a person: the value itself, or one of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// As `groups`.
    pub name: String,
    /// As `tower`.
    pub value: String,
}

/// A text that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(crate) String);

impl Secret {
    /// Of this text.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether something may be asked there: by TLS, or of a provider that is near, on loopback.
pub(crate) fn may_ask(url: &str, near: bool) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\#".contains(&byte));
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let safe = uri.scheme_str() == Some("https") || (near && here && uri.scheme_str() == Some("http"));
    plain && safe && !authority.as_str().contains('@')
}

/// All providers, or why they do not do.
pub(super) fn read(state: &Path, told: Vec<Told>) -> Result<Vec<Provider>, String> {
    if told.len() > MAX_PROVIDERS {
        return Err(format!("there are at most {MAX_PROVIDERS} [[oidc]]"));
    }
    let mut providers: Vec<Provider> = Vec::new();
    for one in told {
        let provider = provider(state, one)?;
        if providers.iter().any(|each| each.id == provider.id || each.issuer == provider.issuer) {
            return Err(format!("oidc {}: id and issuer stand once each", provider.id));
        }
        providers.push(provider);
    }
    Ok(providers)
}

fn provider(state: &Path, told: Told) -> Result<Provider, String> {
    let refuse = |why: &str| format!("oidc {:?}: {why}", told.id);
    let is_id = (1..=32).contains(&told.id.len()) && told.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_id {
        return Err(refuse("id is 1 to 32 letters, digits and -"));
    }
    let line =
        |text: &str| !text.is_empty() && text.chars().count() <= MAX_TEXT_CHARS && !text.contains(char::is_control);
    if ![&told.name_ja, &told.name_en, &told.client_id].into_iter().all(|text| line(text)) {
        return Err(refuse("name_ja, name_en and client_id are 1 to 200 characters on one line"));
    }
    if !line(&told.issuer) || !may_ask(&told.issuer, told.private) || told.issuer.contains('?') {
        return Err(refuse("issuer is an https:// address without ? and # (http:// on loopback, with private = true)"));
    }
    let is_scope =
        |scope: &String| line(scope) && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if told.scopes.len() > MAX_LIST || told.domains.len() > MAX_LIST || !told.scopes.iter().all(is_scope) {
        return Err(refuse("scopes and domains are lists of at most 32 words"));
    }
    let admission = Admission {
        domains: told.domains.iter().map(|domain| domain.trim_start_matches('@').to_ascii_lowercase()).collect(),
        claim: told.claim.clone(),
    };
    let narrowed = !admission.domains.is_empty() || admission.claim.is_some();
    if told.create != narrowed {
        return Err(refuse("create = true needs domains or claim, and they need create = true"));
    }
    let secret = told.client_secret_file.as_ref().map(|file| {
        let path = state.join(file);
        super::read(&path).map_err(|error| refuse(&format!("{}: {error}", path.display())))
    });
    let secret = secret.transpose()?.map(|text| text.trim().to_owned());
    if secret.as_ref().is_some_and(String::is_empty) {
        return Err(refuse("the file of the client secret is empty"));
    }
    Ok(Provider {
        id: told.id,
        name_ja: told.name_ja,
        name_en: told.name_en,
        issuer: told.issuer,
        client_id: told.client_id,
        secret: secret.map(Secret),
        scopes: told.scopes,
        private: told.private,
        admission: Some(admission).filter(|_| narrowed),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{FILE, Settings};
    use super::may_ask;

    const ONE: &str =
        "[[oidc]]\nid = \"a\"\nname_ja = \"甲\"\nname_en = \"A\"\nissuer = \"https://id.example\"\nclient_id = \"h\"\n";

    fn settings(text: &str) -> Result<Settings, String> {
        let state = tempfile::tempdir().expect("a folder");
        std::fs::write(state.path().join(FILE), text).expect("written");
        std::fs::write(state.path().join("s"), "no more a secret\n").expect("written");
        Settings::of_state(state.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn providers_are_read_and_their_secrets_not_told() {
        let text = format!(
            "{ONE}client_secret_file = \"s\"\nscopes = [\"email\"]\ncreate = true\ndomains = [\"@City.example\"]\n"
        );
        let read = settings(&text).expect("settings");
        let one = &read.providers[0];
        assert_eq!(one.admission.as_ref().expect("some").domains, ["city.example"]);
        assert!(one.secret.as_ref().is_some_and(|secret| secret.0 == "no more a secret"));
        assert!(!format!("{read:?}").contains("no more a secret"));
    }

    #[test]
    fn providers_that_make_no_sense_are_refused() {
        let changed = |from: &str, to: &str| ONE.replace(from, to);
        for wrong in [
            changed("\"a\"", "\"a/b\""),
            changed("https", "http"),
            changed("https://id.example", "https://user@id.example"),
            changed("https://id.example", "https://id.example/?x"),
            changed("\"h\"", "\"\""),
            format!("{ONE}{ONE}"),
            format!("{ONE}create = true\n"),
            format!("{ONE}domains = [\"city.example\"]\n"),
            format!("{ONE}client_secret_file = \"absent\"\n"),
            format!("{ONE}secret = \"in here\"\n"),
        ] {
            assert!(settings(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_asked_is_asked_by_tls_or_on_loopback() {
        for good in ["https://id.example/a?b=c", "https://[2001:db8::1]:8443/"] {
            assert!(may_ask(good, false), "{good}");
        }
        for near in ["http://127.0.0.1:1/x", "http://localhost/", "http://[::1]:9/"] {
            assert!(may_ask(near, true) && !may_ask(near, false), "{near}");
        }
        for bad in [
            "http://id.example/",
            "file:///etc/passwd",
            "https://a@b/",
            "javascript:alert(1)",
            "//x",
            "",
            "https://a/#b",
        ] {
            assert!(!may_ask(bad, true), "{bad}");
        }
    }
}
