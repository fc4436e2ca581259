//! Reading the lake: off the asynchronous threads, and never more at a time than named.

use std::sync::Arc;
use std::time::Duration;

use hinomi_share::{ReadError, Reader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{MAX_EXPORTS, MAX_PASTS, MAX_READS, MAX_STREAMS, TURN_WAIT};

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
    pasts: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    patience: Duration,
}

impl Desk {
    pub(crate) fn new(reader: Reader) -> Self {
        let seats = |number| Arc::new(Semaphore::new(number));
        let (reads, pasts) = (seats(MAX_READS), seats(MAX_PASTS));
        let (exports, streams) = (seats(MAX_EXPORTS), seats(MAX_STREAMS));
        Self { reader, reads, pasts, exports, streams, patience: TURN_WAIT }
    }

    /// Asks the lake. The seat is kept until the read has really ended, also when the visitor has gone.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        self.ask_at(&self.reads, question).await
    }

    /// Asks what was, or what happened: passes over the tables, which leave the seats of short reads to these.
    pub(crate) async fn ask_past<T, F>(&self, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        self.ask_at(&self.pasts, question).await
    }

    async fn ask_at<T, F>(&self, seats: &Arc<Semaphore>, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        let seat = self.seat(seats).await?;
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
        let seat = self.seat(&self.exports).await?;
        Ok((self.reader.clone(), seat))
    }

    /// A seat for a stream; nobody waits for one, for they are long.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, DeskError> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| DeskError::Busy)
    }

    async fn seat(&self, seats: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DeskError> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(seats).acquire_owned()).await;
        turn.map_err(|_| DeskError::Busy)?.map_err(|_| DeskError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::http::StatusCode;
    use axum::http::header::RETRY_AFTER;
    use hinomi_identify::Engine;
    use hinomi_lake::{Lake, LakeOptions, Places};
    use hinomi_model::SystemClock;
    use hinomi_share::Viewer;

    use super::*;
    use crate::api::problem;

    fn desk(folder: &std::path::Path) -> Desk {
        let identifier = Arc::new(Engine::builtin().expect("rules"));
        let (dir, clock) = (folder.to_owned(), Arc::new(SystemClock));
        let lake = Lake::open(LakeOptions { dir, read_only: false, identifier, places: Places::default(), clock });
        let mut desk = Desk::new(Reader::new(Arc::new(lake.expect("a lake")), Viewer::Operator));
        desk.patience = Duration::from_millis(50);
        desk
    }

    #[tokio::test]
    async fn questions_about_the_past_leave_the_other_seats_free() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let desk = desk(folder.path());
        let all = u32::try_from(MAX_PASTS).expect("few");
        let taken = Arc::clone(&desk.pasts).acquire_many_owned(all).await.expect("free");
        let refused = desk.ask_past(|reader| reader.status()).await;
        assert!(matches!(refused, Err(DeskError::Busy)), "no seat");
        assert!(desk.ask(|reader| reader.status()).await.is_ok(), "another queue");
        drop(taken);
        assert!(desk.ask_past(|reader| reader.status()).await.is_ok(), "seats are given back");
    }

    #[tokio::test]
    async fn who_finds_every_seat_taken_is_told_to_come_back() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let mut desk = desk(folder.path());
        let (finish, finished): (Vec<_>, Vec<_>) = (0..MAX_READS).map(|_| mpsc::channel::<()>()).unzip();
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        for wait in finished {
            let (desk, started) = (desk.clone(), started.clone());
            tokio::spawn(async move {
                let slow = move |_: &Reader| {
                    started.send(()).expect("somebody counts");
                    let _ = wait.recv();
                    Ok(())
                };
                desk.ask(slow).await
            });
        }
        for _ in 0..MAX_READS {
            starts.recv().await.expect("a read starts");
        }
        let refused = desk.ask(|reader| reader.status()).await.expect_err("no seat");
        let answer = problem::respond(&refused.into());
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(RETRY_AFTER));
        drop(finish);
        desk.patience = Duration::from_secs(30);
        assert!(desk.ask(|reader| reader.status()).await.is_ok(), "seats are given back");
    }
}
