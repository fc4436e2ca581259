//! What changed with a version: services whose state is another now than before.

use std::sync::Arc;

use hinomi_model::Facts;

use super::Update;

/// How the state of a service is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// It answers, and never did before.
    Opened,
    /// It answered before and says something else now, or pretends now, or no more. Another sensor, marking or place is
    /// none.
    Content,
    /// It was found closed.
    Closed,
    /// It answers again.
    Reopened,
}

/// One service whose state changed. A mere re-sighting is no change; neither is news of what is over.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    /// The sighting that decides now. Of a service that was found closed, or answers again with what it said before:
    /// with the facts and text that stand.
    pub(crate) update: Update,
    /// How.
    pub(crate) what: What,
    /// What the service said before; none when it never answered.
    pub(crate) before: Option<Arc<Facts>>,
    /// Whether it only pretends: that of the row, which a sighting that found it closed does not tell.
    pub(crate) pseudo: bool,
    /// Version of the sightings table.
    pub(crate) version: u64,
}

/// Takes changes before the index says that they were applied. A version applied again, after a kill, tells its
/// changes again; so who takes them must be able to be told twice.
pub(crate) trait Heed {
    /// Takes the changes of one step.
    ///
    /// # Errors
    /// Then nothing of the step counts as applied.
    fn heed(&self, changes: &[Changed]) -> Result<(), crate::error::LakeError>;
}
