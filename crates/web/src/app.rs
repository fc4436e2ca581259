//! What every request has at hand.

use std::sync::Arc;

use hinomi_model::{Clock, Timestamp};

use crate::page::Outlook;
use crate::read::Desk;
use crate::watch::Progress;
use crate::words::Catalogues;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) desk: Desk,
    pub(crate) progress: Arc<dyn Progress>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalogues: Catalogues,
    pub(crate) outlook: Arc<Outlook>,
}

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
