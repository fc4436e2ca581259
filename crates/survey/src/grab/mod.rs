//! What is it? Asked gently: in at most five handshakes, with small reads, one connection per host at a time unless the
//! scope says otherwise, and nothing malformed.
//!
//! Port numbers are a hint for the order of questions and never an answer. A TCP service may speak first; then TLS,
//! then HTTP, then the rest of `plan` is tried, each on a connection of its own, until one is understood. An answer
//! in another language than the question's names that language, which is asked next.

pub mod hints;
mod listen;
pub(crate) mod marks;
mod plan;
mod plant;
mod postgresql;
mod put;
mod rdp;
pub mod requests;
mod session;
mod ssh;
mod tcp;
mod tls;
mod udp;
mod web;
pub(crate) mod words;

use std::sync::Arc;

use hinomi_model::{CampaignId, Outcome, ServiceKey, Transport};

use crate::campaign::{Seen, Standing, Survey};
use crate::engine::Opened;
use session::{Sense, Session};
use udp::Line;
pub(crate) use udp::understood;

/// Grabs one service.
pub(crate) struct Grabber {
    survey: Arc<Survey>,
    campaign: CampaignId,
    key: ServiceKey,
    standing: Standing,
}

impl Grabber {
    pub(crate) const fn new(survey: Arc<Survey>, campaign: CampaignId, key: ServiceKey, standing: Standing) -> Self {
        Self { survey, campaign, key, standing }
    }

    /// Asks until the service is understood or the bounds are reached.
    pub(crate) async fn grab(self, opened: Opened) -> Seen {
        let mut session = Session::new(&self.survey, self.key, self.standing);
        if self.standing == Standing::Judged {
            return self.seen(session, Sense::Mute);
        }
        let sense = match opened {
            Opened::Stream(connection, turn) => tcp::grab(&mut session, connection, &turn).await,
            Opened::Known if self.key.transport == Transport::Udp => udp::grab_known(&mut session).await,
            Opened::Known => tcp::grab_unconnected(&mut session).await,
            Opened::Spoke { question, words } => tcp::grab_spoken(&mut session, question, words).await,
            Opened::Answered { probe, answer } => udp::grab_answered(&mut session, probe, answer).await,
            Opened::Datagram { probe, answer, socket, turn } => {
                udp::grab(&mut session, probe, answer, &mut Line::of(socket, turn)).await
            }
        };
        self.seen(session, sense)
    }

    fn seen(&self, session: Session<'_>, sense: Sense) -> Seen {
        let evidence = session.into_evidence();
        let mut sighting = self.survey.seen_at(self.key);
        sighting.campaign = Some(self.campaign.clone());
        sighting.evidence = evidence.iter().map(hinomi_model::Evidence::reference).collect();
        if let Sense::Pseudo(remark) = sense {
            sighting.outcome = Outcome::Pseudo;
            sighting.remark = Some(remark.to_owned());
            self.survey.door.metrics().pseudo();
        }
        Seen { sighting, evidence, senseless: matches!(sense, Sense::Mute | Sense::Unknown) }
    }
}
