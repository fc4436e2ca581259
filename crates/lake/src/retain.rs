//! How long sightings are kept, and what is held whatever its age.
//!
//! `lake/retention.json` is a list of rules; the first whose conditions a sighting meets says for how many days it is
//! kept, and what meets none is kept for good. `lake/holds.json` is a list of [`Hold`]s: what a hold covers is neither
//! retired nor erased. At a hundred times the data nothing changes here: one look at each rule and hold a row.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hinomi_model::address::parse_prefix;
use hinomi_model::{Outcome, Purpose, Sighting, Timestamp, Tlp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::LakeError;
use crate::query::{self, Clause, Node, Piece, Test};

/// The most bytes of policy or holds that are read.
const MAX_BYTES: u64 = 16 << 20;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whom a rule is for, and for how long it keeps. It has a condition, or says that it is for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub struct Rule {
    /// Only of this sensor.
    pub sensor: Option<String>,
    /// Only of this outcome: `open`, `closed`, `pseudo`.
    pub outcome: Option<Outcome>,
    /// Only of this purpose.
    pub purpose: Option<Purpose>,
    /// Only of this label of the Traffic Light Protocol, as `TLP:AMBER`.
    pub tlp: Option<Tlp>,
    /// Only of this campaign.
    pub campaign: Option<String>,
    /// For whatever no rule before it is for: instead of conditions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// So many days.
    pub days: u32,
}

/// A rule as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    sensor: Option<String>,
    outcome: Option<Outcome>,
    purpose: Option<Purpose>,
    tlp: Option<String>,
    campaign: Option<String>,
    #[serde(default)]
    all: bool,
    days: u32,
}

impl TryFrom<Stated> for Rule {
    type Error = String;

    fn try_from(stated: Stated) -> Result<Self, String> {
        let Stated { sensor, outcome, purpose, tlp, campaign, all, days } = stated;
        let tlp = tlp.as_deref().map(label).transpose()?;
        let is_blank = |text: &Option<String>| text.as_deref().is_some_and(|text| text.trim().is_empty());
        if is_blank(&sensor) || is_blank(&campaign) {
            return Err("a rule names an empty sensor or campaign".to_owned());
        }
        let conditions =
            sensor.is_some() || outcome.is_some() || purpose.is_some() || tlp.is_some() || campaign.is_some();
        if conditions == all {
            return Err("a rule needs a condition, or \"all\": true and none".to_owned());
        }
        Ok(Self { sensor, outcome, purpose, tlp, campaign, all, days })
    }
}

/// A label that is one: what is unknown must not be taken for RED here, it would be deleted by RED's rule.
fn label(text: &str) -> Result<Tlp, String> {
    let read = Tlp::read(text);
    match read == Tlp::Red && !matches!(text.trim().to_ascii_lowercase().as_str(), "tlp:red" | "red") {
        true => Err(format!("{text:?} is no label of the Traffic Light Protocol, as TLP:AMBER")),
        false => Ok(read),
    }
}

/// Rules, the first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(pub Vec<Rule>);

fn is(wanted: Option<&String>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}

impl Rule {
    fn fits(&self, seen: &Sighting) -> bool {
        let campaign = seen.campaign.as_ref().map_or("", |campaign| campaign.as_str());
        is(self.sensor.as_ref(), seen.sensor.as_str())
            && self.outcome.is_none_or(|outcome| outcome == seen.outcome)
            && self.purpose.is_none_or(|purpose| purpose == seen.marking.purpose)
            && self.tlp.is_none_or(|tlp| tlp == seen.marking.tlp)
            && is(self.campaign.as_ref(), campaign)
    }
}

impl Policy {
    /// The policy of a state folder; without one everything is kept.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn of_state(state: &Path) -> Result<Self, LakeError> {
        read_json(&state.join("lake").join("retention.json"))
    }

    /// After how long everything is over, whatever it is; none where something is kept for good.
    pub fn longest(&self) -> Option<Duration> {
        let all = self.0.iter().position(|rule| rule.all)?;
        let days = self.0.iter().take(all + 1).map(|rule| rule.days).max()?;
        Some(DAY.saturating_mul(days))
    }

    /// Whether the time of a sighting is over.
    pub fn is_over(&self, seen: &Sighting, now: Timestamp) -> bool {
        let rule = self.0.iter().find(|rule| rule.fits(seen));
        rule.is_some_and(|rule| seen.time < now.minus(DAY.saturating_mul(rule.days)))
    }
}

/// What is kept whatever its age and whoever wants it erased: everything that meets all of its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Its name.
    pub name: String,
    /// Only of these addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<IpNet>,
    /// Only of this campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Not after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who put it on.
    pub by: String,
    /// When.
    pub since: Timestamp,
}

impl Hold {
    /// Whether it covers a sighting.
    pub fn covers(&self, seen: &Sighting) -> bool {
        let campaign = seen.campaign.as_ref().map_or("", |campaign| campaign.as_str());
        self.prefix.is_none_or(|prefix| prefix.contains(&seen.subject.address))
            && is(self.campaign.as_ref(), campaign)
            && self.from.is_none_or(|from| from <= seen.time)
            && self.until.is_none_or(|until| seen.time <= until)
    }

    fn is_plausible(&self) -> bool {
        let conditions =
            self.prefix.is_some() || self.campaign.is_some() || self.from.is_some() || self.until.is_some();
        conditions && !self.name.trim().is_empty() && !self.reason.trim().is_empty()
    }
}

/// All holds of a state folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Holds(pub Vec<Hold>);

impl Holds {
    /// The holds of a state folder.
    ///
    /// # Errors
    /// When they cannot be read or make no sense: then nothing may be deleted.
    pub fn of_state(state: &Path) -> Result<Self, LakeError> {
        read_json(&state.join("lake").join("holds.json"))
    }

    /// Whether any of them covers a sighting.
    pub fn cover(&self, seen: &Sighting) -> bool {
        self.0.iter().any(|hold| hold.covers(seen))
    }

    /// Adds one.
    pub(crate) fn add(&mut self, hold: Hold) -> Result<(), LakeError> {
        let refuse = |detail: String| Err(LakeError::Unfit { detail });
        if !hold.is_plausible() {
            return refuse("a hold needs a name, a reason, and a prefix, a campaign or a time".to_owned());
        }
        if self.0.iter().any(|one| one.name == hold.name) {
            return refuse(format!(
                "there is a hold {:?} already; holds are released and added, not changed",
                hold.name
            ));
        }
        self.0.push(hold);
        Ok(())
    }

    /// Takes one off.
    pub(crate) fn release(&mut self, name: &str) -> Result<(), LakeError> {
        let before = self.0.len();
        self.0.retain(|hold| hold.name != name);
        match self.0.len() < before {
            true => Ok(()),
            false => Err(LakeError::Unfit { detail: format!("there is no hold {name:?}") }),
        }
    }

    pub(crate) fn write(&self, state: &Path) -> Result<(), LakeError> {
        let folder = state.join("lake");
        fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
        let text = serde_json::to_vec_pretty(self).map_err(|error| LakeError::damaged("holds", &error))?;
        durable::write(&folder.join("holds.json"), &text)
    }
}

fn read_json<T: Default + for<'de> Deserialize<'de>>(path: &Path) -> Result<T, LakeError> {
    let Some(bytes) = durable::read(path, MAX_BYTES)? else { return Ok(T::default()) };
    serde_json::from_slice(&bytes).map_err(|error| LakeError::damaged(path.display().to_string(), &error))
}

/// What somebody wants erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everything of these addresses.
    Range(IpNet),
    /// Everything of the services that this query finds.
    Query(String),
}

impl Target {
    /// Reads an address, a prefix or a query. What asks for everything is refused, and so is what looks like an address
    /// and is none: as a query it would find something else.
    ///
    /// # Errors
    /// When it is none of them, or asks for everything.
    pub fn read(text: &str) -> Result<Self, LakeError> {
        let text = text.trim();
        let refuse = |detail: String| Err(LakeError::Unfit { detail });
        let everything = || {
            let detail = "this asks for everything; name an address, a prefix or a query that leaves something out, \
                          or delete the state folder";
            refuse(detail.to_owned())
        };
        if let Ok(range) = range(text) {
            return if range.prefix_len() == 0 { everything() } else { Ok(Self::Range(range)) };
        }
        if looks_like_address(text) {
            return refuse(format!("{text:?} looks like an address or a prefix and is none; put it right"));
        }
        match query::parse(text)?.filter {
            Some(filter) if !is_everything(&filter) => Ok(Self::Query(text.to_owned())),
            _ => everything(),
        }
    }
}

/// Only of what addresses are written with, and with one of their separators.
fn looks_like_address(text: &str) -> bool {
    let bare = text.trim_matches(|c| matches!(c, '[' | ']' | '"'));
    bare.contains(['.', ':', '/'])
        && bare.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '/' | '%' | '-' | ' ' | '*'))
}

/// Whether a condition plainly leaves nothing out.
fn is_everything(node: &Node) -> bool {
    match node {
        Node::All(parts) => parts.iter().all(is_everything),
        Node::Any(parts) => parts.iter().any(is_everything),
        Node::Not(_) => false,
        Node::Clause(Clause { tests, .. }) => tests.iter().any(|test| match test {
            Test::Net(net) => net.prefix_len() == 0,
            Test::Like(pattern) => pattern.0.iter().all(|piece| *piece == Piece::Any),
            Test::Span { low, high } => *low == 0 && *high >= u64::from(u16::MAX),
            _ => false,
        }),
    }
}

/// An address or a prefix, as a range to erase.
///
/// # Errors
/// When it is neither.
pub fn range(text: &str) -> Result<IpNet, LakeError> {
    parse_prefix(text).map_err(|error| LakeError::Unfit { detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_for_whom_and_for_how_long() {
        let read = |text: &str| serde_json::from_str::<Policy>(text).map(|policy| policy.0);
        for wrong in [
            r#"[{"purpose":"exercise"}]"#,
            r#"[{"days":30}]"#,
            r#"[{"all":true,"outcome":"open","days":30}]"#,
            r#"[{"outcome":"opened","days":30}]"#,
            r#"[{"purpose":"excercise","days":30}]"#,
            r#"[{"tlp":"TLP:GREY","days":30}]"#,
            r#"[{"sensor":"","days":30}]"#,
            r#"[{"campaign":" ","days":30}]"#,
            r#"[{"sensor":"s","dayz":3,"days":30}]"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let right = read(r#"[{"tlp":"TLP:RED","outcome":"pseudo","days":3},{"all":true,"days":30}]"#).unwrap();
        assert_eq!((right[0].tlp, right[0].days, right[1].all, right[1].days), (Some(Tlp::Red), 3, true, 30));
        assert_eq!(read(&serde_json::to_string(&right).unwrap()).unwrap(), right);
    }

    #[test]
    fn what_asks_for_everything_or_is_mistyped_is_not_erased() {
        for wrong in [
            "",
            "  ",
            "sort:-seen",
            "0.0.0.0/0",
            "::/0",
            "net:0.0.0.0/0",
            "192.0.2.999",
            "192.0.2.0/33",
            "192.0.2",
            "2001:db8::1::2",
            "192.0.2.*",
            "192.0.2.1-9",
            "[2001:db8::1]",
            "product:*",
            "port:1 OR product:*",
        ] {
            assert!(Target::read(wrong).is_err(), "{wrong:?} is taken");
        }
        assert_eq!(Target::read(" 192.0.2.7 ").unwrap(), Target::Range("192.0.2.7/32".parse().unwrap()));
        for query in ["cert.subject:example.jp", "net:192.0.2.0/24", "port:443 product:*", "-product:nginx"] {
            assert_eq!(Target::read(query).unwrap(), Target::Query(query.to_owned()));
        }
    }
}
