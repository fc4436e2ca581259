//! What has been learnt of one service so far, and the bounds on learning more.

use std::sync::Arc;

use hinomi_model::scope::Probe;
use hinomi_model::{Evidence, EvidenceKind, ServiceKey};

use crate::campaign::{Standing, Survey};
use crate::config::Config;
use crate::pace::HostTurn;
use crate::scope::{Connection, Door};

/// What a service turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// It speaks a protocol that we know.
    Spoke,
    /// It said something that we do not know.
    Unknown,
    /// It said nothing.
    Mute,
    /// It behaves like no service does, for this reason.
    Pseudo(&'static str),
}

/// The most pieces of evidence of one service.
const MAX_EVIDENCE: usize = 24;

pub(crate) struct Session<'a> {
    survey: &'a Arc<Survey>,
    key: ServiceKey,
    config: Config,
    evidence: Vec<Evidence>,
    handshakes: u32,
}

impl<'a> Session<'a> {
    pub(crate) fn new(survey: &'a Arc<Survey>, key: ServiceKey, standing: Standing) -> Self {
        let config = match standing {
            Standing::Suspected => survey.config.brief(),
            Standing::Ordinary | Standing::Judged => survey.config.clone(),
        };
        Self { survey, key, config, evidence: Vec::new(), handshakes: 0 }
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn door(&self) -> &'a Arc<Door> {
        &self.survey.door
    }

    pub(crate) fn survey(&self) -> &'a Arc<Survey> {
        self.survey
    }

    pub(crate) const fn key(&self) -> ServiceKey {
        self.key
    }

    /// Whether this may be sent to the service now. Scopes end and lists change while a survey runs.
    pub(crate) fn may_send(&self, probe: Probe) -> bool {
        self.door().permit(self.key, probe).is_ok()
    }

    /// Counts a handshake; says whether it is still within the bound.
    pub(crate) fn count_handshake(&mut self) -> bool {
        self.handshakes += 1;
        self.handshakes <= self.config().handshakes
    }

    /// Another connection to the service, if the bounds and the scope leave one.
    pub(crate) async fn connect(&mut self, turn: &HostTurn) -> Option<Connection> {
        if !self.count_handshake() {
            return None;
        }
        let permit = self.door().permit(self.key, Probe::Connect).ok()?;
        self.survey.pace.packet(turn).await;
        self.door().connect(permit, self.config().connect_timeout).await.ok()
    }

    /// Keeps what was seen, with what changes at every look masked.
    pub(crate) fn remember(&mut self, kind: EvidenceKind, mut bytes: Vec<u8>) {
        if bytes.is_empty() || self.evidence.len() >= MAX_EVIDENCE {
            return;
        }
        hinomi_wire::mask(kind, &mut bytes);
        let piece = Evidence::new(kind, bytes);
        if !self.evidence.contains(&piece) {
            self.evidence.push(piece);
        }
    }

    /// Whether evidence of this kind is there.
    pub(crate) fn has(&self, kind: EvidenceKind) -> bool {
        self.evidence.iter().any(|piece| piece.kind == kind)
    }

    pub(crate) fn into_evidence(self) -> Vec<Evidence> {
        self.evidence
    }
}
