//! What is known to be harmless, by whom, why, and until when.
//!
//! Push services, time servers and resolvers have the rhythm of a C&C server. Thresholds cannot tell them apart;
//! knowledge can. It is kept in TOML lists: each entry names what it covers, who maintains it, the reason with its
//! source, and the day after which it no longer counts. An expired entry is said to be expired and suppresses nothing.
//! A port alone makes nothing harmless: a C&C server listens on 443 like everybody. It explains a rhythm, no more.
//!
//! ```toml
//! [[known]]
//! name = "example push"
//! owner = "network team"
//! reason = "push service of a maker, see https://example.net/ports"
//! expires = "2027-06-01"
//! prefixes = ["203.0.113.0/24"]
//! services = ["tcp/5223", "tcp/443"]
//! weight = "harmless"
//! ```

mod builtin;

use std::net::IpAddr;

use hinomi_model::Timestamp;
use ipnet::IpNet;
use serde::Deserialize;

use crate::error::FlowError;
use crate::server::Server;
use crate::server::table::Population;

/// Longest list, in bytes.
pub const MAX_LIST_BYTES: usize = 4 << 20;
/// Most entries of all lists.
pub const MAX_KNOWN: usize = 20_000;
/// Most prefixes and services of an entry.
const MAX_PATTERNS: usize = 4_096;
/// Fewer subscribers than this say nothing about popularity.
const LEAST_POPULATION: u64 = 50;

/// How much an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// The service explains a rhythm: counter-evidence, but a seed or a lift may outweigh it.
    Explains,
    /// The endpoint is what it seems: no finding without a seed.
    Harmless,
}

/// Protocol and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Service {
    protocol: u8,
    from: u16,
    upto: u16,
}

impl TryFrom<String> for Service {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no service like tcp/443 or udp/5000-5999");
        let (protocol, ports) = text.split_once('/').ok_or_else(wrong)?;
        let protocol = match protocol {
            "tcp" => 6,
            "udp" => 17,
            _ => return Err(wrong()),
        };
        let (from, upto) = ports.split_once('-').unwrap_or((ports, ports));
        let (from, upto) = (from.parse().map_err(|_| wrong())?, upto.parse().map_err(|_| wrong())?);
        if from == 0 || from > upto { Err(wrong()) } else { Ok(Self { protocol, from, upto }) }
    }
}

/// One entry of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What it is.
    pub name: String,
    /// Who maintains the entry.
    pub owner: String,
    /// Why it is harmless, with the source.
    pub reason: String,
    #[serde(deserialize_with = "day")]
    expires: Timestamp,
    #[serde(default)]
    prefixes: Vec<IpNet>,
    #[serde(default)]
    services: Vec<Service>,
    /// How much it says.
    pub weight: Weight,
}

fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    known: Vec<Known>,
}

impl Known {
    /// When it stops to count.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    fn covers(&self, address: IpAddr, port: u16, protocol: u8) -> bool {
        let by_prefix = self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| prefix.contains(&address));
        let fits = |service: &Service| service.protocol == protocol && (service.from..=service.upto).contains(&port);
        by_prefix && (self.services.is_empty() || self.services.iter().any(fits))
    }

    fn check(&self) -> Result<(), FlowError> {
        let wrong = |what: &str| Err(FlowError::Knowledge { reason: format!("entry {:?}: {what}", self.name) });
        if self.owner.trim().is_empty() || self.reason.trim().is_empty() {
            return wrong("owner and reason must be given");
        }
        if self.prefixes.is_empty() && self.services.is_empty() {
            return wrong("it covers everything; give prefixes or services");
        }
        if self.prefixes.is_empty() && self.weight == Weight::Harmless {
            return wrong("a port alone makes nothing harmless; give prefixes, or weight = \"explains\"");
        }
        if self.prefixes.len().max(self.services.len()) > MAX_PATTERNS {
            return wrong("it has too many prefixes or services; cut it in two");
        }
        Ok(())
    }
}

/// All lists together.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    known: Vec<Known>,
}

impl Knowledge {
    /// What is known of services by their registered ports, with sources; expires with the release.
    ///
    /// # Errors
    /// Never but by a mistake in the built-in list, which a test reads.
    pub fn builtin() -> Result<Self, FlowError> {
        let mut all = Self::default();
        all.add(builtin::LIST)?;
        Ok(all)
    }

    /// Takes in a list; tells how many entries it has.
    ///
    /// # Errors
    /// When it is no list, or an entry lacks an owner or a reason, or covers too much.
    pub fn add(&mut self, text: &str) -> Result<usize, FlowError> {
        let wrong = |reason: String| FlowError::Knowledge { reason };
        if text.len() > MAX_LIST_BYTES {
            return Err(wrong(format!("it is longer than {MAX_LIST_BYTES} bytes")));
        }
        let list: List = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if self.known.len().saturating_add(list.known.len()) > MAX_KNOWN {
            return Err(wrong(format!("there are more than {MAX_KNOWN} entries")));
        }
        list.known.iter().try_for_each(Known::check)?;
        let count = list.known.len();
        self.known.extend(list.known);
        Ok(count)
    }

    /// What is known of an endpoint now: the weightiest entry that has not expired.
    pub fn of(&self, address: IpAddr, port: u16, protocol: u8, now: Timestamp) -> Option<&Known> {
        let alive = self.known.iter().filter(|known| now < known.expires);
        alive.filter(|known| known.covers(address, port, protocol)).max_by_key(|known| known.weight)
    }

    /// Whether an endpoint is known to be what it seems.
    pub fn vouches(&self, address: IpAddr, port: u16, protocol: u8, now: Timestamp) -> bool {
        self.of(address, port, protocol, now).is_some_and(|known| known.weight == Weight::Harmless)
    }

    /// Entries that count no longer: somebody should look at them again.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(move |known| now >= known.expires)
    }
}

/// Share of the uninfected subscribers of an epoch that met a server, 0 to 1; `None` where too few are known to
/// compare.
///
/// What many healthy lines use is a service, whatever its rhythm. Infected lines are left out on both sides: a large
/// botnet must not make its own server popular.
pub fn popularity(server: &Server, epoch: u32, population: &Population) -> Option<f64> {
    let healthy = population.subscribers().saturating_sub(population.infected());
    let (_, state) = server.epochs().find(|(known, _)| *known == epoch)?;
    let clients = state.clients().saturating_sub(state.infected_clients());
    (healthy >= LEAST_POPULATION).then(|| (clients as f64 / healthy as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    const LIST: &str = r#"
        [[known]]
        name = "push"
        owner = "network team"
        reason = "push service of a maker"
        expires = "2027-06-01"
        prefixes = ["203.0.113.0/24", "2001:db8::/32"]
        services = ["tcp/5223", "udp/5000-5009"]
        weight = "harmless"
    "#;

    #[test]
    fn an_entry_covers_its_prefixes_and_ports_until_its_day() {
        let mut knowledge = Knowledge::default();
        assert_eq!(knowledge.add(LIST).expect("a list"), 1);
        let asks = |address: &str, port, protocol, when| {
            knowledge.of(address.parse().expect("an address"), port, protocol, at(when)).is_some()
        };
        assert!(asks("203.0.113.9", 5223, 6, "2026-11-22"));
        assert!(asks("2001:db8::9", 5_009, 17, "2026-11-22"));
        assert!(!asks("203.0.113.9", 5_010, 17, "2026-11-22"), "another port of the same host");
        assert!(!asks("203.0.113.9", 5223, 17, "2026-11-22"), "another protocol");
        assert!(!asks("203.0.114.9", 5223, 6, "2026-11-22"), "another host");
        assert!(!asks("203.0.113.9", 5223, 6, "2027-06-01"), "expired");
        assert_eq!(knowledge.expired(at("2027-06-01")).count(), 1);
    }

    #[test]
    fn entries_that_say_too_little_or_cover_too_much_are_refused() {
        let told = |from: &str, to: &str| Knowledge::default().add(&LIST.replace(from, to)).expect_err(to).to_string();
        assert!(told("\"network team\"", "\" \"").contains("owner and reason"));
        assert!(told("prefixes = [\"203.0.113.0/24\", \"2001:db8::/32\"]", "").contains("a port alone"));
        assert!(told("tcp/5223", "tcp/0").contains("no service"));
        assert!(told("\"2027-06-01\"", "\"soon\"").contains("is not a time"));
        assert!(told("weight", "wait").contains("unknown field"));
    }

    #[test]
    fn the_built_in_list_reads_and_makes_no_endpoint_harmless_by_its_port() {
        let knowledge = Knowledge::builtin().expect("reads");
        let now = at("2026-11-22");
        let known = |port, protocol| knowledge.of([203, 0, 113, 9].into(), port, protocol, now);
        for (port, protocol) in [(123, 17), (53, 17), (53, 6), (853, 6), (5_223, 6), (5_228, 6), (443, 6), (443, 17)] {
            assert_eq!(known(port, protocol).map(|entry| entry.weight), Some(Weight::Explains), "{port}");
        }
        assert!(known(1_337, 6).is_none());
        let resolver = knowledge.of([8, 8, 8, 8].into(), 853, 6, now).expect("a public resolver");
        assert_eq!(resolver.weight, Weight::Harmless);
        assert!(knowledge.of([8, 8, 8, 8].into(), 4_444, 6, now).is_none(), "only what it serves");
    }
}
