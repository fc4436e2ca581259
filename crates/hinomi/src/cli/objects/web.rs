//! Asking a TAXII server: over TLS, at public addresses unless told otherwise, without redirects, to a bound.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use ureq::tls::PemItem;
use ureq::{Agent, http::Uri};

use crate::far::{self, Asking};
use crate::output::clean_line;

/// The media type that is spoken.
const MEDIA_TYPE: &str = "application/taxii+json;version=2.1";
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most of an answer that is read.
pub(super) const MAX_ANSWER_BYTES: u64 = 16 << 20;
/// The most of a file with a password or key that is read.
const MAX_SECRET_BYTES: usize = 4_096;
/// The date of the last object of a page, as TAXII tells it.
const ADDED_LAST: &str = "x-taxii-date-added-last";

/// How a server is asked.
pub(super) struct Asker {
    agent: Agent,
    /// Scheme, name and port; what is found elsewhere is not asked for.
    origin: String,
    authorization: Option<String>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// When the last object of it was added, as it was told.
    pub(super) last: Option<String>,
}

/// Who asks.
pub(super) enum Credentials<'a> {
    Nobody,
    /// A name, and a file with the password.
    Password(&'a str, &'a Path),
    /// A file with a key.
    Key(&'a Path),
}

impl Asker {
    pub(super) fn new(
        url: &str,
        credentials: &Credentials<'_>,
        (root, private): (Option<&Path>, bool),
    ) -> Result<Self> {
        let uri: Uri = url.parse().ok().context("this is no address of a server")?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        ensure!(
            matches!(scheme, "https" | "http") && !authority.is_empty(),
            "write it as https://taxii.example/taxii2/"
        );
        ensure!(!authority.contains('@'), "name and password are given with --user and --password-file");
        let authorization = match credentials {
            Credentials::Nobody => None,
            Credentials::Password(user, file) => {
                ensure!(!user.contains(':'), "a name has no colon");
                let pair = format!("{user}:{}", secret(file)?);
                Some(format!("Basic {}", BASE64.encode(pair.as_bytes())))
            }
            Credentials::Key(file) => Some(format!("Bearer {}", secret(file)?)),
        };
        if authorization.is_some() && scheme == "http" && !private {
            bail!("a password is sent over https; within an own network http is allowed with --allow-private");
        }
        Ok(Self { agent: agent(root, private)?, origin: format!("{scheme}://{authority}"), authorization })
    }

    /// Scheme, name and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// A path, or an address of the same server.
    pub(super) fn place(&self, told: &str) -> Result<String> {
        let inside = told.strip_prefix(self.origin.as_str()).unwrap_or(told);
        let plain =
            inside.starts_with('/') && !inside.starts_with("//") && inside.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(plain, "the server names a place elsewhere: {}", clean_line(told, 200));
        Ok(if inside.ends_with('/') { inside.to_owned() } else { format!("{inside}/") })
    }

    /// Asks for a path with parameters.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Answer> {
        let mut request = self.agent.get(format!("{}{path}", self.origin)).header("Accept", MEDIA_TYPE);
        for (name, value) in parameters {
            request = request.query(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = request.call().with_context(|| format!("{}{path} does not answer", self.origin))?;
        let status = answer.status().as_u16();
        let last = answer.headers().get(ADDED_LAST).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.with_context(|| format!("an answer of at most {MAX_ANSWER_BYTES} bytes is read"))?;
        match status {
            200 => Ok(Answer { body, last }),
            300..=399 => bail!("{}{path} leads elsewhere ({status}), which is not followed", self.origin),
            _ => {
                let said = clean_line(&String::from_utf8_lossy(&body), 200);
                bail!("{}{path} answers {status}: {said}", self.origin)
            }
        }
    }
}

/// What stands in a file, on one line.
fn secret(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.trim();
    ensure!(
        !text.is_empty() && text.len() <= MAX_SECRET_BYTES && !text.chars().any(char::is_control),
        "{} holds no password or key on one line",
        file.display()
    );
    Ok(text.to_owned())
}

fn agent(root: Option<&Path>, private: bool) -> Result<Agent> {
    let roots = match root {
        Some(file) => {
            let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let items = ureq::tls::parse_pem(&pem).collect::<Result<Vec<_>, _>>()?;
            let certificate = |item| if let PemItem::Certificate(one) = item { Some(one) } else { None };
            Some(items.into_iter().filter_map(certificate).collect())
        }
        None => None,
    };
    let asking = Asking { patience: PATIENCE, private, allowed_by: "--allow-private" };
    Ok(far::agent(asking, roots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_to_another_server() {
        let asker = Asker::new("https://taxii.example/taxii2/", &Credentials::Nobody, (None, false)).expect("an asker");
        for (told, place) in [
            ("/api/", Some("/api/")),
            ("/api", Some("/api/")),
            ("https://taxii.example/api/", Some("/api/")),
            ("https://taxii.example.evil.example/", None),
            ("https://evil.example/", None),
            ("//evil.example/", None),
            ("https://taxii.example@evil.example/", None),
            ("/a b/", None),
            ("", None),
        ] {
            assert_eq!(asker.place(told).ok().as_deref(), place, "{told}");
        }
        for bad in ["ftp://taxii.example/", "taxii.example", "https://u:p@taxii.example/", "https:///x"] {
            assert!(Asker::new(bad, &Credentials::Nobody, (None, false)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_needs_tls_or_an_own_network() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("p");
        std::fs::write(&file, "word\n").expect("written");
        let asked = |url, private| Asker::new(url, &Credentials::Password("u", &file), (None, private)).is_ok();
        assert!(!asked("http://127.0.0.1/", false) && asked("http://127.0.0.1/", true));
        assert!(asked("https://taxii.example/", false));
        std::fs::write(&file, "two\nlines").expect("written");
        assert!(!asked("https://taxii.example/", false));
    }
}
