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
        Concern::Plant => Severity::Critical,
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
