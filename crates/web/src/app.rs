//! What every request has at hand.

use std::sync::Arc;

use hinomi_model::{Clock, Timestamp};
use hinomi_share::Door;
use hinomi_state::Accounts;

use crate::auth::Turns;
use crate::outward::Outward;
use crate::page::{Asked, Looks, Outlook};
use crate::prober::Prober;
use crate::read::{Desk, DeskError, Seats};
use crate::server::Simulated;
use crate::settings::Settings;
use crate::watch::{Progress, Surveys};
use crate::words::Catalogues;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) door: Door,
    pub(crate) seats: Arc<Seats>,
    pub(crate) accounts: Accounts,
    pub(crate) turns: Arc<Turns>,
    pub(crate) settings: Arc<Settings>,
    /// By whom identity providers are asked.
    pub(crate) outward: Arc<dyn Outward>,
    /// What the link to the first start carries.
    pub(crate) first: Arc<str>,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalogues: Catalogues,
    pub(crate) outlook: Arc<Outlook>,
    pub(crate) self_checks: Arc<Asked>,
    pub(crate) installation: Arc<str>,
    pub(crate) simulated: Option<Simulated>,
    /// Who looks at visitors from outside, where that is switched on.
    pub(crate) prober: Option<Arc<dyn Prober>>,
    pub(crate) looks: Arc<Looks>,
}

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every campaign, running ones first. They are the operator's and analysts': their scopes name others.
    pub(crate) async fn surveys(&self, desk: &Desk) -> Result<Surveys, DeskError> {
        if !desk.viewer().sees_all() {
            return Ok(Surveys::default());
        }
        let (progress, now) = (Arc::clone(&self.progress), self.now());
        desk.ask(move |reader| progress.surveys(&reader.witnessed("surveys", "")?, now)).await
    }
}
