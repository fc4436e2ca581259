//! Scope documents: TOML that people read and sign.
//!
//! Everything a [`Scope`] needs is written out; unknown keys are refused, so that a misspelt exclusion cannot silently
//! permit. See `docs/` for the reference. A document may be at most [`MAX_BYTES`] long.

use hinomi_model::Timestamp;
use hinomi_model::address::{AddressError, parse_prefix};
use hinomi_model::scope::{Authority, Contact, Hours, PortSet, PortsError, Probe, Rate, Scope, UnknownProbe};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The longest document that is read.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The version of the format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// A scope as written, before it has been checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of the format.
    pub format: u32,
    /// Name of the scope: 1 to 40 of `a-z A-Z 0-9 - _ .`.
    pub name: String,
    /// Permitted hours, as `always` or `22:00-06:00 +09:00`.
    pub hours: Hours,
    /// Not before.
    pub valid_from: Timestamp,
    /// Not at or after.
    pub valid_until: Timestamp,
    /// Who authorises.
    pub authority: Authority,
    /// Who answers.
    pub contact: Contact,
    /// What may be probed.
    pub targets: Targets,
    /// How fast.
    pub rate: Rate,
}

/// Ranges, ports and probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Prefixes or addresses.
    pub ranges: Vec<String>,
    /// Prefixes or addresses that are never probed.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// TCP ports.
    #[serde(default)]
    pub tcp_ports: PortSet,
    /// UDP ports.
    #[serde(default)]
    pub udp_ports: PortSet,
    /// Names of probes, or `all`; with ports behind a colon (`modbus:1502`) those at which it is known to be spoken.
    pub probes: Vec<String>,
}

/// Why a document is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Longer than we read.
    #[error("the scope document is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the scope document is not UTF-8 text (byte {at})")]
    NotText {
        /// First byte that is not.
        at: usize,
    },
    /// Not TOML, or a key is missing, unknown or of the wrong type.
    #[error("the scope document cannot be read: {0}")]
    Syntax(String),
    /// Written for another version.
    #[error("format {found} is not known; this version reads format {FORMAT}")]
    Format {
        /// What it says.
        found: u32,
    },
    /// A prefix cannot be read.
    #[error("{key}: {source}")]
    Prefix {
        /// `targets.ranges` or `targets.exclude`.
        key: &'static str,
        /// Why.
        source: AddressError,
    },
    /// A probe is not known.
    #[error("targets.probes: {0}")]
    Probe(UnknownProbe),
    /// The ports behind a probe's name cannot be read.
    #[error("targets.probes: {entry:?}: {source}")]
    ProbePorts {
        /// The entry of the list.
        entry: String,
        /// Why.
        source: PortsError,
    },
    /// A value that would permit nothing or makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Document {
    /// Reads the text of a document.
    ///
    /// # Errors
    /// When it is too long, not TOML, or has keys that are missing, unknown or wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_BYTES {
            return Err(DocumentError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|error| DocumentError::NotText { at: error.valid_up_to() })?;
        let document: Self = toml::from_str(text).map_err(|error| DocumentError::Syntax(error.to_string()))?;
        match document.format {
            FORMAT => Ok(document),
            found => Err(DocumentError::Format { found }),
        }
    }

    /// The text of this document.
    ///
    /// # Errors
    /// When a value cannot be written as TOML.
    pub fn write(&self) -> Result<String, DocumentError> {
        toml::to_string(self).map_err(|error| DocumentError::Syntax(error.to_string()))
    }

    /// Checks every value and makes the scope.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn check(&self) -> Result<Scope, DocumentError> {
        self.check_name()?;
        self.check_values()?;
        let ranges = prefixes("targets.ranges", &self.targets.ranges)?;
        let exclude = prefixes("targets.exclude", &self.targets.exclude)?;
        let permitted = self.permitted()?;
        Ok(Scope {
            name: self.name.clone(),
            authority: self.authority.clone(),
            contact: self.contact.clone(),
            ranges,
            exclude,
            tcp: self.targets.tcp_ports.clone(),
            udp: self.targets.udp_ports.clone(),
            probes: permitted.probes,
            probe_ports: permitted.ports,
            rate: self.rate,
            hours: self.hours.clone(),
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        })
    }

    fn check_name(&self) -> Result<(), DocumentError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match !self.name.is_empty() && self.name.len() <= 40 && self.name.chars().all(fits) {
            true => Ok(()),
            false => refuse("name", "1 to 40 of the characters a-z A-Z 0-9 - _ ."),
        }
    }

    fn check_values(&self) -> Result<(), DocumentError> {
        let Rate { total_pps, per_prefix_pps, per_host_pps, per_host_connections } = self.rate;
        if total_pps == 0 || per_prefix_pps == 0 || per_host_pps == 0 || per_host_connections == 0 {
            return refuse("rate", "a rate of 0 permits nothing; leave the scope unsigned instead");
        }
        if self.valid_from >= self.valid_until {
            return refuse("valid_until", "must be later than valid_from");
        }
        if self.targets.ranges.is_empty() {
            return refuse("targets.ranges", "names no range; add one such as \"127.77.0.0/24\"");
        }
        if self.targets.tcp_ports.is_empty() && self.targets.udp_ports.is_empty() {
            return refuse("targets.tcp_ports", "names no port; add for instance \"22,80,443\"");
        }
        if self.authority.organisation.trim().is_empty() || self.authority.person.trim().is_empty() {
            return refuse("authority", "says neither which organisation nor which person authorises");
        }
        if !self.contact.email.contains('@') || !is_plain(&self.contact.email) {
            return refuse("contact.email", "must be a mail address that is read while the survey runs");
        }
        if !is_plain(&self.contact.page) {
            return refuse(
                "contact.page",
                "must be an address of printable ASCII without blanks, as requests carry it",
            );
        }
        Ok(())
    }

    /// The probes, and the ports that are named for some of them.
    fn permitted(&self) -> Result<Permitted, DocumentError> {
        if self.targets.probes.is_empty() {
            return refuse("targets.probes", "names no probe; write [\"all\"] or for instance [\"connect\", \"http\"]");
        }
        let mut permitted = Permitted::default();
        for entry in &self.targets.probes {
            match entry.split_once(':') {
                _ if entry == "all" => permitted.probes = Probe::all().collect(),
                None => permitted.add(entry.parse().map_err(DocumentError::Probe)?),
                Some((name, ports)) => {
                    let probe = name.parse().map_err(DocumentError::Probe)?;
                    permitted.add(probe);
                    permitted.ports.push((probe, named_ports(entry, ports)?));
                }
            }
        }
        Ok(permitted)
    }
}

/// What a list of probes comes to.
#[derive(Default)]
struct Permitted {
    probes: Vec<Probe>,
    ports: Vec<(Probe, PortSet)>,
}

impl Permitted {
    fn add(&mut self, probe: Probe) {
        if !self.probes.contains(&probe) {
            self.probes.push(probe);
        }
    }
}

fn named_ports(entry: &str, text: &str) -> Result<PortSet, DocumentError> {
    let ports: PortSet = text.parse().map_err(|source| DocumentError::ProbePorts { entry: entry.into(), source })?;
    match ports.is_empty() {
        true => refuse("targets.probes", "names a probe with a colon and no port behind it"),
        false => Ok(ports),
    }
}

/// Whether a text can stand in a request: printable ASCII without blanks, not too long.
fn is_plain(text: &str) -> bool {
    text.len() <= 500 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refuse<T>(key: &'static str, problem: &'static str) -> Result<T, DocumentError> {
    Err(DocumentError::Value { key, problem })
}

fn prefixes(key: &'static str, texts: &[String]) -> Result<Vec<IpNet>, DocumentError> {
    texts.iter().map(|text| parse_prefix(text).map_err(|source| DocumentError::Prefix { key, source })).collect()
}
