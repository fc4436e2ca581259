//! What `<state>/lake.toml` says: which bucket holds the tables, and how to speak to it.
//!
//! Keys come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`) or from a file that
//! `credentials` names; they are never printed. At a hundred times the data nothing changes here.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LakeError;

/// The settings file, in the state folder.
pub(crate) const FILE: &str = "lake.toml";

/// For how long silence is borne when nothing else is said, in seconds.
const PATIENCE_SECONDS: u64 = 30;

/// The longest silence that may be borne, in seconds.
const MAX_PATIENCE_SECONDS: u64 = 600;

/// The text of the file, without keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    store: String,
    endpoint: Option<String>,
    region: Option<String>,
    credentials: Option<PathBuf>,
    patience_seconds: Option<u64>,
}

/// How to speak to a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The bucket.
    pub(super) bucket: String,
    /// What the names of all our objects begin with: empty, or ending in `/`.
    pub(super) prefix: String,
    /// Scheme, host and port.
    pub(super) endpoint: String,
    /// Host and port alone.
    pub(super) host: String,
    /// The region that signatures name.
    pub(super) region: String,
    /// Who we are.
    pub(super) keys: Keys,
    /// For how long silence is borne.
    pub(super) patience: Duration,
}

/// Who asks.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(not shown)")
    }
}

impl Told {
    /// What the state folder says; none when its tables are in the folder itself.
    pub(crate) fn of_state(state: &Path) -> Result<Option<Self>, LakeError> {
        let path = state.join(FILE);
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        let refuse = |detail: String| LakeError::Settings { file: path.display().to_string(), detail };
        let mut told: Self = toml::from_str(&text).map_err(|error| refuse(error.message().to_owned()))?;
        told.credentials = told.credentials.map(|file| state.join(file));
        Ok(Some(told))
    }
}

impl Settings {
    /// What the state folder says; none when its tables are in the folder itself.
    pub(crate) fn of_state(state: &Path) -> Result<Option<Self>, LakeError> {
        Told::of_state(state)?.map(|told| Self::read(&told, &state.join(FILE))).transpose()
    }

    /// What another process was told; the keys are those of this machine.
    pub(crate) fn of_told(told: &Told) -> Result<Self, LakeError> {
        Self::read(told, Path::new("what this pass was told of the bucket"))
    }

    fn read(told: &Told, source: &Path) -> Result<Self, LakeError> {
        let keys = keys(source, told.credentials.as_deref())?;
        let refuse = |detail: String| LakeError::Settings { file: source.display().to_string(), detail };
        Self::new(told.clone(), keys).map_err(refuse)
    }

    /// The file with the keys that the state folder's settings name, when they name one.
    pub(crate) fn credentials_of(state: &Path) -> Result<Option<PathBuf>, LakeError> {
        let path = state.join(FILE);
        let Some(text) = read_if_there(&path)? else { return Ok(None) };
        let refuse = |detail: &str| LakeError::Settings { file: path.display().to_string(), detail: detail.to_owned() };
        let told: Told = toml::from_str(&text).map_err(|error| refuse(error.message()))?;
        Ok(told.credentials)
    }

    fn new(told: Told, keys: Keys) -> Result<Self, String> {
        let place = told.store.strip_prefix("s3://").ok_or("store must read s3://bucket/prefix")?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c));
        if bucket.is_empty() || !plain(bucket) || !plain(prefix) || prefix.split('/').any(|part| part == "..") {
            return Err("bucket and prefix are letters, digits and - . _ / only".to_owned());
        }
        let region = told.region.unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = told.endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let (scheme, host) =
            endpoint.split_once("://").ok_or("endpoint must read https://host or https://host:port")?;
        if !matches!(scheme, "https" | "http") || host.is_empty() || host.contains(['/', '@', '?', '#']) {
            return Err("endpoint must be scheme, host and port and nothing else".to_owned());
        }
        let seconds = told.patience_seconds.unwrap_or(PATIENCE_SECONDS);
        if !(1..=MAX_PATIENCE_SECONDS).contains(&seconds) {
            return Err(format!("patience_seconds must be from 1 to {MAX_PATIENCE_SECONDS}"));
        }
        let prefix = prefix.trim_matches('/');
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            host: host.to_owned(),
            endpoint,
            region,
            keys,
            patience: Duration::from_secs(seconds),
        })
    }

    /// Some settings.
    #[cfg(test)]
    pub(super) fn example() -> Self {
        let told = Told {
            store: "s3://bucket/a/b/".to_owned(),
            endpoint: Some("http://127.0.0.1:1".to_owned()),
            region: None,
            credentials: None,
            patience_seconds: None,
        };
        let keys = Keys { access_key: String::new(), secret_key: String::new(), session_token: None };
        Self::new(told, keys).unwrap()
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>, LakeError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LakeError::io("reading", path)(error)),
    }
}

fn keys(source: &Path, file: Option<&Path>) -> Result<Keys, LakeError> {
    if let Some(path) = file {
        let text = fs::read_to_string(path).map_err(LakeError::io("reading", path))?;
        // The library's message would show the line, and with it the key.
        let detail = "must have access_key and secret_key, may have session_token, and nothing else".to_owned();
        return toml::from_str(&text).map_err(|_| LakeError::Settings { file: path.display().to_string(), detail });
    }
    let from = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let found = from("AWS_ACCESS_KEY_ID").zip(from("AWS_SECRET_ACCESS_KEY"));
    let (access_key, secret_key) = found.ok_or_else(|| LakeError::Settings {
        file: source.display().to_string(),
        detail: "no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with credentials = \"…\""
            .to_owned(),
    })?;
    Ok(Keys { access_key, secret_key, session_token: from("AWS_SESSION_TOKEN") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(FILE), format!("credentials = \"keys.toml\"\n{text}")).unwrap();
        fs::write(state.path().join("keys.toml"), "access_key = \"a\"\nsecret_key = \"hidden\"\n").unwrap();
        Settings::of_state(state.path()).map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bucket_is_named_with_where_and_how() {
        let read = read("store = \"s3://bucket/a/b/\"\nendpoint = \"http://127.0.0.1:9000/\"").unwrap();
        assert_eq!((read.bucket.as_str(), read.prefix.as_str()), ("bucket", "a/b/"));
        assert_eq!((read.endpoint.as_str(), read.host.as_str()), ("http://127.0.0.1:9000", "127.0.0.1:9000"));
        assert!(!format!("{read:?}").contains("hidden"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "store = \"/tmp\"",
            "store = \"s3://\"",
            "store = \"s3://b/../c\"",
            "store = \"s3://b\"\nendpoint = \"ftp://host\"",
            "store = \"s3://b\"\nendpoint = \"http://user@host\"",
            "store = \"s3://b\"\npatience_seconds = 0",
            "store = \"s3://b\"\nother = 1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(Settings::of_state(Path::new("/nowhere")).unwrap().is_none());
    }
}
