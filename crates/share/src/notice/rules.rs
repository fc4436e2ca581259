//! What is a finding: something that a service shows and that somebody should act on.
//!
//! Without a query of its own a draft takes what hardly anybody wants open to everybody ([`DEFAULTS`]); with one, whatever
//! the query finds: then a person decided that it should be acted on.

use hinomi_model::Service;
use serde::Serialize;

use super::PURPOSES;
use crate::advice::Concern;

/// The name of what gives its contents to everybody without asking who they are.
pub const ANONYMOUS: &str = "anonymous";

/// How pressing a finding is, in the words that Shadowserver's reports use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Know of it.
    Low,
    /// Mend it when you can.
    Medium,
    /// Mend it soon.
    High,
    /// Mend it now.
    Critical,
}

impl Severity {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What is a finding without being asked for.
const DEFAULTS: [Concern; 9] = [
    Concern::Telnet,
    Concern::Plant,
    Concern::Database,
    Concern::Desktop,
    Concern::Camera,
    Concern::Files,
    Concern::Admin,
    Concern::Resolver,
    Concern::Reflector,
];

/// Kinds of devices whose pages are for setting them up; the others are found by protocol or tag.
const KINDS: &str = "router,network,firewall,camera,recorder,nas,controller,building,energy,gateway,media,management";

/// Every name of what is open: those of [`Concern`], and [`ANONYMOUS`].
pub fn concern_names() -> impl Iterator<Item = &'static str> {
    Concern::ALL.iter().map(|concern| concern.name()).chain([ANONYMOUS])
}

/// What this service is to who has it, if that is a finding. `asked` says that a person asked for it.
pub(super) fn judge(service: &Service, asked: bool) -> Option<(&'static str, Severity)> {
    let concern = Concern::of(service);
    if service.facts.tags.iter().any(|tag| tag == ANONYMOUS) {
        let worse = matches!(concern, Concern::Plant | Concern::Database);
        return Some((ANONYMOUS, if worse { Severity::Critical } else { Severity::High }));
    }
    let severity = match concern {
        Concern::Plant | Concern::Infected => Severity::Critical,
        Concern::Telnet | Concern::Database | Concern::Desktop | Concern::Camera => Severity::High,
        Concern::Files | Concern::Admin | Concern::Resolver | Concern::Reflector => Severity::Medium,
        _ => Severity::Low,
    };
    (asked || DEFAULTS.contains(&concern)).then_some((concern.name(), severity))
}

/// The query that finds candidates: what was asked for or the defaults, for purposes of notices.
pub(super) fn query(asked: Option<&str>) -> String {
    let what = match asked {
        Some(asked) => asked.to_owned(),
        None => {
            let protocols: Vec<&str> = DEFAULTS.iter().flat_map(|concern| concern.protocols()).copied().collect();
            format!("protocol:{} OR kind:{KINDS} OR tag:recursion,{ANONYMOUS}", protocols.join(","))
        }
    };
    format!("({what}) {}", purposes())
}

/// Narrows a query to what may be told.
pub(super) fn purposes() -> String {
    format!("purpose:{}", PURPOSES.map(|purpose| purpose.name()).join(","))
}

/// The severity of this name; what is not known is low.
pub(super) fn severity(name: &str) -> Severity {
    let all = [Severity::Critical, Severity::High, Severity::Medium];
    all.into_iter().find(|one| one.name() == name).unwrap_or(Severity::Low)
}

#[cfg(test)]
mod tests {
    use hinomi_model::{DeviceKind, Facts, ServiceKey, Timestamp, Transport};

    use super::*;

    fn service(protocol: &str, kind: Option<DeviceKind>, tags: &[&str]) -> Service {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let facts = Facts { protocol: protocol.parse().ok(), kind, tags, ..Facts::default() };
        let key = ServiceKey { address: [192, 0, 2, 1].into(), transport: Transport::Tcp, port: 1 };
        let (first_seen, last_seen) = (Timestamp::default(), Timestamp::default());
        let (sensor, evidence, terms) = ("survey".to_owned(), Vec::new(), Default::default());
        Service { key, first_seen, last_seen, sensor, asn: None, country: None, facts: facts.into(), evidence, terms }
    }

    #[test]
    fn what_hardly_anybody_wants_open_is_a_finding() {
        let of = |protocol, kind, tags: &[&str]| judge(&service(protocol, kind, tags), false);
        assert_eq!(of("telnet", None, &[]), Some(("telnet", Severity::High)));
        assert_eq!(of("modbus", None, &[]), Some(("plant", Severity::Critical)));
        assert_eq!(of("redis", None, &[ANONYMOUS]), Some((ANONYMOUS, Severity::Critical)));
        assert_eq!(of("mqtt", None, &[ANONYMOUS]), Some((ANONYMOUS, Severity::High)));
        assert_eq!(of("dns", None, &["recursion"]), Some(("resolver", Severity::Medium)));
        assert_eq!(of("http", Some(DeviceKind::Router), &[]), Some(("admin", Severity::Medium)));
        assert_eq!((of("ssh", None, &[]), of("http", None, &[])), (None, None));
        assert_eq!(judge(&service("ssh", None, &[]), true), Some(("login", Severity::Low)), "somebody asked");
    }

    #[test]
    fn the_default_query_is_understood_and_leaves_room_for_addresses() {
        for asked in [None, Some("port:23 OR port:2323")] {
            let addresses: Vec<String> =
                (0..40).map(|last| format!("2001:db8:aaaa:bbbb:cccc:dddd:eeee:{last:x}")).collect();
            let query = format!("{} ip:{}", query(asked), addresses.join(","));
            assert!(hinomi_lake::query::parse(&query).is_ok(), "{query}");
        }
    }
}
