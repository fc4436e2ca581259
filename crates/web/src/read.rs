//! Reading the lake: off the asynchronous threads, and never more at a time than named.

use std::sync::Arc;

use hinomi_share::{ReadError, Reader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{MAX_EXPORTS, MAX_READS, TURN_WAIT};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    /// Too many others are reading.
    #[error("too many are reading at this moment")]
    Busy,
    /// The lake refused.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The reading thread ended without an answer.
    #[error("reading was interrupted")]
    Interrupted,
}

/// Where questions to the lake queue.
#[derive(Clone)]
pub(crate) struct Desk {
    reader: Reader,
    reads: Arc<Semaphore>,
    exports: Arc<Semaphore>,
}

impl Desk {
    pub(crate) fn new(reader: Reader) -> Self {
        let seats = |number| Arc::new(Semaphore::new(number));
        Self { reader, reads: seats(MAX_READS), exports: seats(MAX_EXPORTS) }
    }

    /// Asks the lake. The seat is kept until the read has really ended, also when the visitor has gone.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        let seat = seat(&self.reads).await?;
        let reader = self.reader.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let answer = question(&reader);
            drop(seat);
            answer
        });
        Ok(answer.await.map_err(|_| DeskError::Interrupted)??)
    }

    /// A seat for an export and the reader to do it with.
    pub(crate) async fn export(&self) -> Result<(Reader, OwnedSemaphorePermit), DeskError> {
        let seat = seat(&self.exports).await?;
        Ok((self.reader.clone(), seat))
    }
}

async fn seat(seats: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DeskError> {
    let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(seats).acquire_owned()).await;
    turn.map_err(|_| DeskError::Busy)?.map_err(|_| DeskError::Busy)
}
