//! One immutable observation.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::evidence::EvidenceRef;
use crate::id::{CampaignId, ContentHash, SensorId, SightingId};
use crate::marking::Marking;
use crate::service::ServiceKey;
use crate::time::Timestamp;

/// Version of the stored form. Readers refuse what is newer than they know.
pub const FORMAT: u32 = 1;

/// What happened when somebody looked. The text form is stored: never rename, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// A service answered.
    Open,
    /// The host said that nothing is there (reset, port unreachable).
    Closed,
    /// The connection was accepted and nothing sensible came: a tarpit, an endless stream, a middlebox.
    Pseudo,
}

impl Outcome {
    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Pseudo => "pseudo",
        }
    }
}

/// One observation: sensor, time, subject, evidence, marking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Who saw it.
    pub sensor: SensorId,
    /// In which campaign, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<CampaignId>,
    /// When it was seen.
    pub time: Timestamp,
    /// What was looked at.
    pub subject: ServiceKey,
    /// What happened.
    pub outcome: Outcome,
    /// Why a [`Outcome::Pseudo`] was judged so, or what else the sensor has to say; at most a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// What was seen, in the order it was seen.
    pub evidence: Vec<EvidenceRef>,
    /// Who may know.
    pub marking: Marking,
}

impl Sighting {
    /// The name of this observation: the same one told twice has the same name.
    pub fn id(&self) -> SightingId {
        // Gathered first: one long stretch is hashed much faster than many short ones.
        let mut told = Vec::with_capacity(256 + self.evidence.len() * 64);
        let mut part = |bytes: &[u8]| {
            told.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            told.extend_from_slice(bytes);
        };
        part(self.sensor.as_str().as_bytes());
        part(self.campaign.as_ref().map_or("", CampaignId::as_str).as_bytes());
        part(&self.time.as_micros().to_le_bytes());
        match self.subject.address {
            IpAddr::V4(v4) => part(&v4.octets()),
            IpAddr::V6(v6) => part(&v6.octets()),
        }
        part(&self.subject.port.to_le_bytes());
        part(self.subject.transport.name().as_bytes());
        part(self.outcome.name().as_bytes());
        for reference in &self.evidence {
            part(reference.kind.name().as_bytes());
            part(reference.hash.as_bytes());
        }
        SightingId::of(&told)
    }

    /// One hash for all of its evidence: two sightings with the same content tell the same facts.
    pub fn content(&self) -> ContentHash {
        content_of(&self.evidence)
    }
}

/// One hash for a list of evidence, in order.
pub fn content_of(evidence: &[EvidenceRef]) -> ContentHash {
    let mut text = String::with_capacity(evidence.len() * 80);
    for reference in evidence {
        text.push_str(&reference.to_string());
        text.push('\n');
    }
    ContentHash::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Transport;
    use crate::evidence::{Evidence, EvidenceKind};
    use crate::marking::Purpose;

    fn sighting() -> Sighting {
        Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: "town-1".parse().ok(),
            time: "2026-11-22T00:00:00Z".parse().expect("a time"),
            subject: ServiceKey { address: [127, 77, 0, 9].into(), port: 22, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: vec![Evidence::new(EvidenceKind::Banner, "SSH-2.0-dropbear\r\n").reference()],
            marking: Marking::own(Purpose::ExposureReduction),
        }
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let stored = concat!(
            r#"{"sensor":"survey","campaign":"town-1","time":"2026-11-22T00:00:00Z","#,
            r#""subject":{"address":"127.77.0.9","port":22,"transport":"tcp"},"outcome":"open","#,
            r#""evidence":[{"kind":"banner","hash":"#,
        );
        let text = serde_json::to_string(&sighting()).expect("json");
        assert!(text.starts_with(stored), "{text}");
        assert_eq!(serde_json::from_str::<Sighting>(&text).expect("a sighting"), sighting());
    }

    #[test]
    fn a_name_depends_on_everything_that_was_seen() {
        let base = sighting();
        assert_eq!(base.id(), sighting().id());
        let mut later = sighting();
        later.time = Timestamp::from_micros(1);
        let mut udp = sighting();
        udp.subject.transport = Transport::Udp;
        let mut closed = sighting();
        closed.outcome = Outcome::Closed;
        for other in [later, udp, closed] {
            assert_ne!(other.id(), base.id());
        }
    }
}
