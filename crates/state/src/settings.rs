//! What `<state>/state.toml` says: where the state is, and which server this is.
//!
//! ```toml
//! [state]
//! url = "postgres://hinomi@db.example/hinomi"   # absent: the file state.sqlite beside this one
//! password_file = "db.password"                 # absent: HINOMI_STATE_PASSWORD of the environment, or none
//! ca = "db-ca.pem"                              # absent: the system's roots
//!
//! [server]                                      # absent: this state folder is alone
//! name = "tokyo-1"
//! address = "https://tokyo-1.example"
//! lease_seconds = 30
//! ```
//!
//! Over the network TLS is asked for unless the address says `sslmode=disable`. At a hundred times the data nothing
//! changes here.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::StateError;

/// The settings file, in the state folder.
pub const FILE: &str = "state.toml";
/// The state's file where nothing else is said.
const SQLITE: &str = "state.sqlite";
/// The most bytes of a settings file or a password.
const MAX_BYTES: u64 = 64 << 10;
/// How long a lease lasts when nothing is said, in seconds.
const LEASE_SECONDS: u64 = 30;
/// How long it may last, in seconds.
const LEASE_LIMITS: std::ops::RangeInclusive<u64> = 1..=3600;
/// The longest name of a server and the longest address, in characters.
const MAX_NAME_CHARS: usize = 64;
const MAX_ADDRESS_CHARS: usize = 200;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default)]
    state: ToldState,
    server: Option<ToldServer>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldState {
    url: Option<String>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldServer {
    name: String,
    #[serde(default)]
    address: String,
    lease_seconds: Option<u64>,
}

/// Where the state is, and which server this is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the state is.
    pub target: Target,
    /// This server among several; none when it is alone.
    pub server: Option<ServerSettings>,
}

/// One server of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its name, which no other has.
    pub name: String,
    /// Where people and programs find it; may be empty.
    pub address: String,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
}

/// Where the state is.
#[derive(Clone)]
pub enum Target {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(Box<PostgresTarget>),
}

/// How a PostgreSQL server is spoken to.
#[derive(Clone)]
pub struct PostgresTarget {
    pub(crate) config: Config,
    pub(crate) ca: Option<PathBuf>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl Target {
    /// Where it is, for people; never with a password.
    pub fn place(&self) -> String {
        let target = match self {
            Self::Sqlite(path) => return path.display().to_string(),
            Self::Postgres(target) => target,
        };
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<_> = target.config.get_hosts().iter().map(host).collect();
        let ports: Vec<_> = target.config.get_ports().iter().map(|port| format!(":{port}")).collect();
        let name = target.config.get_dbname().unwrap_or("hinomi");
        format!("postgres {}{}/{name}", hosts.join(","), ports.concat())
    }

    /// What this address means. `state` is the folder that file names are relative to.
    ///
    /// # Errors
    /// When it makes no sense; the reason never shows the address, which may hold a password.
    pub fn read(url: &str, state: &Path, password: Option<String>, ca: Option<PathBuf>) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let named = path.trim_start_matches("//");
            let path = state.join(named);
            let is_file = !named.is_empty() && path.file_name().is_some();
            return if is_file { Ok(Self::Sqlite(path)) } else { Err(WANTED.to_owned()) };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(WANTED.to_owned());
        }
        let mut config: Config = url.parse().map_err(|_| WANTED.to_owned())?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(WANTED.to_owned());
        }
        if let Some(password) = password {
            config.password(password);
        }
        config.application_name("hinomi");
        if !url.contains("sslmode=") {
            let near = config.get_hostaddrs().iter().all(IpAddr::is_loopback) && config.get_hosts().iter().all(is_near);
            config.ssl_mode(if near { SslMode::Disable } else { SslMode::Require });
        }
        Ok(Self::Postgres(Box::new(PostgresTarget { config, ca })))
    }
}

/// What an address must look like.
const WANTED: &str = "url must read postgres://user@host:port/database (the password goes into password_file; TLS is \
     asked for over the network, sslmode=disable turns it off) or sqlite:file";

/// Whether it is on this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

impl Settings {
    /// What the state folder says; without a file, a file of its own and no other server.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn of_state(state: &Path) -> Result<Self, StateError> {
        let path = state.join(FILE);
        let refuse = |detail: String| StateError::Settings { file: path.display().to_string(), detail };
        let text = read(&path).map_err(refuse)?.unwrap_or_default();
        // The library's whole message would show the line, and with it perhaps a password.
        let told: Told = toml::from_str(&text).map_err(|error| refuse(error.message().to_owned()))?;
        let password = match &told.state.password_file {
            Some(file) => {
                let missing = || format!("{} is not there", state.join(file).display());
                Some(read(&state.join(file)).map_err(refuse)?.ok_or_else(|| refuse(missing()))?.trim().to_owned())
            }
            None => std::env::var("HINOMI_STATE_PASSWORD").ok().filter(|password| !password.is_empty()),
        };
        let ca = told.state.ca.map(|file| state.join(file));
        let target = match &told.state.url {
            Some(url) => Target::read(url, state, password, ca).map_err(refuse)?,
            None => Target::Sqlite(state.join(SQLITE)),
        };
        let server = told.server.map(server).transpose().map_err(refuse)?;
        Ok(Self { target, server })
    }
}

fn server(told: ToldServer) -> Result<ServerSettings, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if told.name.is_empty() || told.name.len() > MAX_NAME_CHARS || !told.name.chars().all(plain) {
        return Err(format!("a server's name is 1 to {MAX_NAME_CHARS} letters, digits and - . _"));
    }
    if told.address.chars().count() > MAX_ADDRESS_CHARS || told.address.chars().any(char::is_control) {
        return Err(format!("a server's address is at most {MAX_ADDRESS_CHARS} characters on one line"));
    }
    let seconds = told.lease_seconds.unwrap_or(LEASE_SECONDS);
    if !LEASE_LIMITS.contains(&seconds) {
        return Err(format!("lease_seconds must be from {} to {}", LEASE_LIMITS.start(), LEASE_LIMITS.end()));
    }
    Ok(ServerSettings { name: told.name, address: told.address, lease: Duration::from_secs(seconds) })
}

fn read(path: &Path) -> Result<Option<String>, String> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| format!("reading {}: {error}", path.display()))?,
    };
    let mut text = String::new();
    let read = file.take(MAX_BYTES).read_to_string(&mut text);
    read.map(|_| Some(text)).map_err(|error| format!("reading {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join(FILE), text).unwrap();
        fs::write(state.path().join("word"), "hidden\n").unwrap();
        Settings::of_state(state.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_file_the_state_is_a_file_and_the_server_alone() {
        let state = tempfile::tempdir().unwrap();
        let settings = Settings::of_state(state.path()).unwrap();
        assert!(matches!(settings.target, Target::Sqlite(path) if path == state.path().join("state.sqlite")));
        assert_eq!(settings.server, None);
    }

    #[test]
    fn passwords_are_shown_nowhere() {
        for text in [
            "[state]\nurl = \"postgres://u:hidden@h/db\"",
            "[state]\nurl = \"postgres://u@h/db\"\npassword_file = \"word\"",
            "[state]\nurl = \"postgres://u:hidden@h:port/db\"",
            "[state]\nurl = \"postgres://u:hidden@h/db?hidden=hidden\"",
            "[state]\nurl = \"u:hidden@h\"",
            "[state]\nurl = 1hidden",
        ] {
            assert!(!format!("{:?}", settings(text)).contains("hidden"), "{text}");
        }
        let read = settings("[state]\nurl = \"postgres://u@h/db\"\npassword_file = \"word\"").unwrap();
        let Target::Postgres(target) = read.target else { panic!("postgres") };
        assert_eq!(target.config.get_password(), Some(&b"hidden"[..]));
        assert!(!format!("{:?}", target.config).contains("hidden"));
    }

    #[test]
    fn over_the_network_tls_is_asked_for() {
        let mode = |url: &str| match Target::read(url, Path::new("/"), None, None).unwrap() {
            Target::Postgres(target) => target.config.get_ssl_mode(),
            Target::Sqlite(_) => panic!("postgres"),
        };
        assert_eq!(mode("postgres://u@db.example/h"), SslMode::Require);
        assert_eq!(mode("postgres://u@db.example,localhost/h"), SslMode::Require);
        assert_eq!(mode("postgres://u@db.example/h?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://u@127.0.0.1/h"), SslMode::Disable);
        assert_eq!(mode("postgres://u@localhost/h?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://u@%2Frun%2Fpostgresql/h"), SslMode::Disable);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "[state]\nurl = \"mysql://h/db\"",
            "[state]\nurl = \"postgres:///db\"",
            "[state]\nurl = \"sqlite:\"",
            "[state]\npassword_file = \"absent\"",
            "[server]\nname = \"\"",
            "[server]\nname = \"a b\"",
            "[server]\nname = \"a\"\nlease_seconds = 0",
            "[server]\nname = \"a\"\nother = 1",
        ] {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
        let read = settings("[server]\nname = \"tokyo-1\"").unwrap().server.unwrap();
        assert_eq!((read.address.as_str(), read.lease), ("", Duration::from_secs(30)));
    }
}
