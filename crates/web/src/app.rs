//! What every request has at hand.

use std::sync::Arc;

use hinomi_model::{Clock, Timestamp};

use crate::page::Outlook;
use crate::read::{Desk, DeskError};
use crate::server::Simulated;
use crate::watch::{Progress, Surveys};
use crate::words::Catalogues;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) desk: Desk,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalogues: Catalogues,
    pub(crate) outlook: Arc<Outlook>,
    pub(crate) simulated: Option<Simulated>,
}

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every campaign, running ones first.
    pub(crate) async fn surveys(&self) -> Result<Surveys, DeskError> {
        let (progress, now) = (Arc::clone(&self.progress), self.now());
        self.desk.ask(move |reader| progress.surveys(reader, now)).await
    }
}
