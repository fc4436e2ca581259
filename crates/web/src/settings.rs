//! What `<state>/web.toml` says: by which names the server is called, its certificate, and who is in front of it.
//!
//! ```toml
//! names = ["tower.example"]              # besides localhost, 127.0.0.1 and [::1]; the first is the one for links
//!
//! [tls]                                  # absent: loopback only, unless a proxy is named
//! certificate = "tls/chain.pem"          # read again when it changes
//! key = "tls/key.pem"
//!
//! [proxy]                                # who speaks TLS instead: its X-Forwarded-For is believed, nobody else's
//! address = "192.0.2.1"
//!
//! [outside-probe]                        # absent: nobody is looked at from outside
//! scope = "homes.toml"                   # signed: visitors from inside may have their own address looked at
//! shared = ["203.0.113.0/24"]            # addresses that several homes share: nothing is sent there
//! sources = ["198.51.100.7"]             # where it comes from, as others see it; absent: what the machine's routes say
//!
//! [report]
//! font = "fonts/gothic.otf"              # for PDF; absent: the best of this machine
//! ```
//!
//! Identity providers stand under `[[oidc]]`: [`provider`].
//!
//! Files are relative to the state folder. At a hundred times the data nothing changes here.

pub mod provider;

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hinomi_model::address::parse_prefix;
use ipnet::IpNet;
use serde::Deserialize;

use provider::Provider;

/// The settings file, in the state folder.
pub const FILE: &str = "web.toml";
/// The most bytes of a settings file, a certificate chain or a secret.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 10;
/// The most names of a server.
const MAX_NAMES: usize = 32;
const MAX_NAME_CHARS: usize = 253;
/// The most ranges that homes share, and addresses that looks come from.
const MAX_SHARED: usize = 10_000;
const MAX_SOURCES: usize = 16;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default)]
    names: Vec<String>,
    tls: Option<ToldTls>,
    proxy: Option<ToldProxy>,
    #[serde(default)]
    oidc: Vec<provider::Told>,
    report: Option<ToldReport>,
    #[serde(rename = "outside-probe")]
    outside_probe: Option<ToldProbe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldProbe {
    scope: PathBuf,
    #[serde(default)]
    shared: Vec<String>,
    #[serde(default)]
    sources: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldReport {
    font: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldTls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldProxy {
    address: IpAddr,
}

/// How the server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Names besides those of this machine, in lower case; the first is the one for links.
    pub names: Vec<String>,
    /// The certificate, where the server speaks TLS itself.
    pub tls: Option<TlsFiles>,
    /// Who speaks TLS in front of it.
    pub proxy: Option<IpAddr>,
    /// In which font reports are written as PDF.
    pub font: Option<PathBuf>,
    /// By whom else people may be known.
    pub providers: Vec<Provider>,
    /// Which visitors may have their own address looked at from outside; none where nothing is said.
    pub outside_probe: Option<OutsideProbe>,
    /// Who writes notices, as `notices.toml` says; without a name none is drafted.
    pub notices: hinomi_share::notice::Settings,
}

/// Looks from outside at visitors who ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideProbe {
    /// The signed scope.
    pub scope: PathBuf,
    /// Addresses that several homes share.
    pub shared: Vec<IpNet>,
    /// Where looks come from, as others see it.
    pub sources: Vec<IpAddr>,
}

/// A certificate chain and its key, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {detail}")]
pub struct SettingsError {
    /// Which file.
    pub file: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Settings {
    /// What the state folder says; without a file, nothing.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn of_state(state: &Path) -> Result<Self, SettingsError> {
        let path = state.join(FILE);
        let refuse = |detail: String| SettingsError { file: path.display().to_string(), detail };
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refuse(error.to_string())),
        };
        let told: Told = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        if told.tls.is_some() && told.proxy.is_some() {
            return Err(refuse("either [tls] or [proxy]: TLS is spoken by one of the two".to_owned()));
        }
        Ok(Self {
            names: names(told.names).map_err(refuse)?,
            tls: told.tls.map(|tls| TlsFiles { certificate: state.join(tls.certificate), key: state.join(tls.key) }),
            proxy: told.proxy.map(|proxy| proxy.address.to_canonical()),
            font: told.report.map(|report| state.join(report.font)),
            providers: provider::read(state, told.oidc).map_err(refuse)?,
            outside_probe: told.outside_probe.map(|told| probe(state, told)).transpose().map_err(refuse)?,
            notices: hinomi_share::notice::Settings::default(),
        })
    }

    /// Whether browsers reach it by TLS.
    pub const fn is_secure(&self) -> bool {
        self.tls.is_some() || self.proxy.is_some()
    }
}

fn names(told: Vec<String>) -> Result<Vec<String>, String> {
    if told.len() > MAX_NAMES {
        return Err(format!("a server has at most {MAX_NAMES} names"));
    }
    let plain = |name: &str| {
        let fits = !name.is_empty() && name.len() <= MAX_NAME_CHARS;
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        let is_address = name.parse::<IpAddr>().is_ok();
        let in_brackets = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        fits && (is_name || is_address || in_brackets.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok()))
    };
    let read = |name: String| {
        let name = name.to_ascii_lowercase();
        if !plain(&name) {
            return Err(format!("{name:?} is not a name or an address, as tower.example (no port, no https://)"));
        }
        Ok(if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name })
    };
    told.into_iter().map(read).collect()
}

fn probe(state: &Path, told: ToldProbe) -> Result<OutsideProbe, String> {
    if told.shared.len() > MAX_SHARED || told.sources.len() > MAX_SOURCES {
        return Err(format!("[outside-probe]: at most {MAX_SHARED} shared ranges and {MAX_SOURCES} sources"));
    }
    let range = |text: &String| parse_prefix(text).map_err(|error| format!("[outside-probe] shared: {error}"));
    let shared = told.shared.iter().map(range).collect::<Result<_, _>>()?;
    Ok(OutsideProbe { scope: state.join(told.scope), shared, sources: told.sources })
}

/// A file of settings, no longer than one may be.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let state = tempfile::tempdir().expect("a folder");
        fs::write(state.path().join(FILE), text).expect("written");
        Settings::of_state(state.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_file_there_is_nothing() {
        let state = tempfile::tempdir().expect("a folder");
        assert_eq!(Settings::of_state(state.path()).expect("nothing"), Settings::default());
    }

    #[test]
    fn what_is_told_is_read() {
        let read = settings("names = [\"Tower.example\", \"2001:db8::1\"]\n[tls]\ncertificate = \"c\"\nkey = \"/k\"\n");
        let read = read.expect("settings");
        assert_eq!(read.names, ["tower.example", "[2001:db8::1]"]);
        assert!(
            read.is_secure() && read.tls.is_some_and(|tls| tls.key == Path::new("/k") && tls.certificate.is_absolute())
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [
            "other = 1",
            "names = [\"https://tower.example\"]",
            "names = [\"tower.example:443\"]",
            "names = [\"\"]",
            "[tls]\ncertificate = \"c\"",
            "[tls]\ncertificate = \"c\"\nkey = \"k\"\n[proxy]\naddress = \"192.0.2.1\"",
            "[proxy]\naddress = \"proxy\"",
            "[outside-probe]\nshared = []",
            "[outside-probe]\nscope = \"s\"\nshared = [\"192.0.2.0/33\"]",
            "[outside-probe]\nscope = \"s\"\nranges = []",
        ] {
            assert!(settings(wrong).is_err(), "{wrong}");
        }
    }
}
