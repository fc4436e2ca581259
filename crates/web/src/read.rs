//! Reading the lake: off the asynchronous threads, and never more at a time than named.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use hinomi_share::policy::Request;
use hinomi_share::{Door, ReadError, Reader, Viewer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::outflow::Holds;
use crate::app::App;
use crate::auth::{self, Pass};
use crate::limits::{MAX_EXPORTS, MAX_PASTS, MAX_READS, MAX_STREAMS, TURN_WAIT};
use crate::page::fault::answer;

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

/// Turns at reading, shared by everybody who asks.
pub(crate) struct Seats {
    reads: Arc<Semaphore>,
    pasts: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Seats {
    fn default() -> Self {
        let seats = |number| Arc::new(Semaphore::new(number));
        let (reads, pasts) = (seats(MAX_READS), seats(MAX_PASTS));
        let (exports, streams) = (seats(MAX_EXPORTS), seats(MAX_STREAMS));
        Self { reads, pasts, exports, streams, patience: TURN_WAIT }
    }
}

/// Where one caller's questions to the lake queue. Each is asked of a reader of its own, so that what the caller may see
/// is what holds at that moment. A handler has one only for a request that was let in.
#[derive(Clone)]
pub(crate) struct Desk {
    door: Door,
    viewer: Viewer,
    seats: Arc<Seats>,
    /// Whether this request was written down.
    request: Request,
    /// What let the request in, for those that last.
    pass: Option<Pass>,
}

impl FromRequestParts<App> for Desk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let refuse = |fault| answer(app, &parts.uri, &parts.headers, &fault);
        let caller = auth::caller(parts).map_err(refuse)?;
        let desk = Self::new(app.door.clone(), caller.viewer(), Arc::clone(&app.seats));
        Ok(Self { pass: Some(Pass::new(app, caller)), ..desk })
    }
}

impl Desk {
    pub(crate) fn new(door: Door, viewer: Viewer, seats: Arc<Seats>) -> Self {
        Self { door, viewer, seats, request: Request::default(), pass: None }
    }

    /// Who asks.
    pub(crate) const fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Whether what let the request in still does: a stream asks before each look, which is one of its own.
    pub(crate) async fn check(&self) -> Result<(), DeskError> {
        *self.request.lock().unwrap_or_else(PoisonError::into_inner) = false;
        let Some(pass) = self.pass.clone() else { return Ok(()) };
        let holds = tokio::task::spawn_blocking(move || pass.holds()).await.map_err(|_| DeskError::Interrupted)?;
        if holds { Ok(()) } else { Err(ReadError::Refused("sign in again, or use another key".to_owned()).into()) }
    }

    /// Asks the lake. The seat is kept until the read has really ended, also when the visitor has gone.
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        self.ask_at(&self.seats.reads, question).await
    }

    /// Asks what was, or what happened: passes over the tables, which leave the seats of short reads to these.
    pub(crate) async fn ask_past<T, F>(&self, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        self.ask_at(&self.seats.pasts, question).await
    }

    async fn ask_at<T, F>(&self, seats: &Arc<Semaphore>, question: F) -> Result<T, DeskError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    {
        let seat = self.seat(seats).await?;
        let (door, viewer, request) = (self.door.clone(), self.viewer.clone(), Arc::clone(&self.request));
        let answer = tokio::task::spawn_blocking(move || {
            let answer = door.reader(&viewer).and_then(|reader| question(&reader.within(request)));
            drop(seat);
            answer
        });
        Ok(answer.await.map_err(|_| DeskError::Interrupted)??)
    }

    /// Whether what let the request in still does, for work that blocks.
    pub(crate) fn holds(&self) -> Holds {
        let pass = self.pass.clone();
        Box::new(move || pass.as_ref().is_none_or(Pass::holds))
    }

    /// A seat for an export and the reader to do it with.
    pub(crate) async fn export(&self) -> Result<(Reader, OwnedSemaphorePermit), DeskError> {
        let seat = self.seat(&self.seats.exports).await?;
        let (door, viewer, request) = (self.door.clone(), self.viewer.clone(), Arc::clone(&self.request));
        let reader = tokio::task::spawn_blocking(move || door.reader(&viewer).map(|one| one.within(request)));
        Ok((reader.await.map_err(|_| DeskError::Interrupted)??, seat))
    }

    /// A seat for a stream; nobody waits for one, for they are long.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, DeskError> {
        Arc::clone(&self.seats.streams).try_acquire_owned().map_err(|_| DeskError::Busy)
    }

    async fn seat(&self, seats: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DeskError> {
        let turn = tokio::time::timeout(self.seats.patience, Arc::clone(seats).acquire_owned()).await;
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

    use super::*;
    use crate::api::problem;

    const SHORT: Duration = Duration::from_millis(50);

    fn desk(folder: &std::path::Path, patience: Duration) -> Desk {
        let identifier = Arc::new(Engine::builtin().expect("rules"));
        let (dir, clock) = (folder.to_owned(), Arc::new(SystemClock));
        let lake = Lake::open(LakeOptions { dir, read_only: false, identifier, places: Places::default(), clock });
        let door = Door::new(Reader::new(Arc::new(lake.expect("a lake")), Viewer::Operator));
        Desk::new(door, Viewer::Operator, Arc::new(Seats { patience, ..Seats::default() }))
    }

    #[tokio::test]
    async fn questions_about_the_past_leave_the_other_seats_free() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let desk = desk(folder.path(), SHORT);
        let all = u32::try_from(MAX_PASTS).expect("few");
        let taken = Arc::clone(&desk.seats.pasts).acquire_many_owned(all).await.expect("free");
        let refused = desk.ask_past(|reader| reader.status()).await;
        assert!(matches!(refused, Err(DeskError::Busy)), "no seat");
        assert!(desk.ask(|reader| reader.status()).await.is_ok(), "another queue");
        drop(taken);
        assert!(desk.ask_past(|reader| reader.status()).await.is_ok(), "seats are given back");
    }

    #[tokio::test]
    async fn who_finds_every_seat_taken_is_told_to_come_back() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let desk = desk(folder.path(), SHORT);
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
        let seats =
            Seats { patience: Duration::from_secs(30), reads: Arc::clone(&desk.seats.reads), ..Seats::default() };
        let desk = Desk { seats: Arc::new(seats), ..desk };
        assert!(desk.ask(|reader| reader.status()).await.is_ok(), "seats are given back");
    }
}
