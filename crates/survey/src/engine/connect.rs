//! The engine that needs no privilege: ordinary connections and datagrams.
//!
//! A UDP port is tried with the probe its number suggests or, where the number suggests nothing, with each permitted
//! probe in turn until one is answered. Silence is tried again, after the first round of the same target.

use std::sync::Arc;
use std::time::Duration;

use hinomi_model::scope::Probe;
use hinomi_model::{ServiceKey, Transport};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::patience::Patience;
use super::{Discovery, Engine, Found, Job, Opened, Passed, Running, Tidings, Work};
use crate::config::Config;
use crate::grab::{hints, requests, understood};
use crate::pace::{HostTurn, Pace};
use crate::scope::{Datagrams, Door, DoorError, Openness};

/// Longest UDP answer that is read.
const MAX_DATAGRAM: usize = 64 * 1024;

/// Ordinary connections, as many at once as [`Config::concurrency`] allows.
pub struct ConnectEngine {
    door: Arc<Door>,
    pace: Arc<Pace>,
    patience: Patience,
    attempts: u32,
    contact: String,
    slots: Arc<Semaphore>,
}

impl ConnectEngine {
    /// An engine that sends through this door at this pace.
    pub fn new(door: Arc<Door>, pace: Arc<Pace>, config: &Config) -> Self {
        let patience = Patience::new(config.connect_floor, config.connect_timeout);
        let slots = Arc::new(Semaphore::new(config.concurrency.max(1)));
        Self { door, pace, patience, attempts: config.attempts.max(1), contact: config.contact.clone(), slots }
    }

    /// The same, which asks each target once: for those who count losses themselves.
    pub(crate) fn asking_once(door: &Arc<Door>, pace: &Arc<Pace>, config: &Config) -> Self {
        Self::new(Arc::clone(door), Arc::clone(pace), &Config { attempts: 1, ..config.clone() })
    }

    /// What it sends through.
    pub(crate) fn door(&self) -> &Door {
        &self.door
    }

    /// Visits one target.
    pub(crate) async fn visit(&self, key: ServiceKey) -> Discovery {
        let Some(turn) = self.pace.turn(key.address).await else {
            return Discovery::Failed("the survey is stopping".to_owned());
        };
        match key.transport {
            Transport::Tcp => self.visit_tcp(key, turn).await,
            Transport::Udp => self.visit_udp(key, turn).await,
        }
    }

    async fn visit_tcp(&self, key: ServiceKey, turn: HostTurn) -> Discovery {
        for attempt in 0..self.attempts {
            let permit = match self.door.permit(key, Probe::Connect) {
                Ok(permit) => permit,
                Err(refused) => return Discovery::Refused(refused),
            };
            self.pace.packet(&turn).await;
            let start = Instant::now();
            match self.door.connect(permit, self.patience.wait(attempt)).await {
                Ok(connection) => {
                    self.patience.answered_after(start.elapsed());
                    return Discovery::Open(Opened::Stream(connection, turn));
                }
                Err(DoorError::Silent) => {}
                Err(error) => return self.not_open(error, start),
            }
        }
        Discovery::Silent
    }

    async fn visit_udp(&self, key: ServiceKey, turn: HostTurn) -> Discovery {
        let probes = hints::udp(self.door.scope(), key.port);
        let mut in_another_language = None;
        for attempt in 0..self.attempts {
            if in_another_language.is_some() {
                break; // It is there and answers: every question was put once.
            }
            for probe in probes.iter().copied() {
                match self.ask(key, probe, attempt, &turn).await {
                    Ok((answer, socket)) if understood(probe, &answer) => {
                        return Discovery::Open(Opened::Datagram { probe, answer, socket, turn });
                    }
                    // Some refuse what they do not understand; another question may be theirs.
                    Ok((answer, socket)) => {
                        in_another_language = in_another_language.or(Some((probe, answer, socket)));
                    }
                    Err((DoorError::Silent, _)) => {}
                    Err((DoorError::Refused(refused), _)) => return Discovery::Refused(refused),
                    Err((error, start)) => return self.not_open(error, start),
                }
            }
        }
        match in_another_language {
            Some((probe, answer, socket)) => Discovery::Open(Opened::Datagram { probe, answer, socket, turn }),
            None => Discovery::Silent,
        }
    }

    async fn ask(
        &self,
        key: ServiceKey,
        probe: Probe,
        attempt: u32,
        turn: &HostTurn,
    ) -> Result<(Vec<u8>, Datagrams), (DoorError, Instant)> {
        let start = Instant::now();
        let permit = self.door.permit(key, probe).map_err(|refused| (refused.into(), start))?;
        self.pace.packet(turn).await;
        let sent = Instant::now();
        let fail = |error| (error, sent);
        let socket = self.door.datagrams(permit).await.map_err(fail)?;
        let payload = requests::udp(probe, key, &self.contact);
        self.door.send(&socket, probe, &payload).await.map_err(fail)?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        let count = socket.receive(&mut buffer, self.udp_wait(attempt)).await.map_err(fail)?;
        self.patience.answered_after(sent.elapsed());
        self.door.metrics().received(count);
        buffer.truncate(count);
        Ok((buffer, socket))
    }

    /// A service takes longer to answer than a kernel to accept.
    fn udp_wait(&self, attempt: u32) -> Duration {
        self.patience.wait(attempt).saturating_mul(2)
    }

    fn not_open(&self, error: DoorError, start: Instant) -> Discovery {
        match error {
            DoorError::Closed => {
                self.patience.answered_after(start.elapsed());
                Discovery::Closed
            }
            DoorError::Refused(refused) => Discovery::Refused(refused),
            DoorError::Silent => Discovery::Silent,
            DoorError::Failed(error) => Discovery::Failed(format!("network: {}", error.kind())),
        }
    }
}

/// Hosts that nobody is connected to are forgotten after so many targets.
const SWEEP_EVERY: u64 = 1_024;

impl ConnectEngine {
    async fn work(self: Arc<Self>, mut work: Work, tidings: mpsc::Sender<Tidings>) {
        let leg = Arc::clone(&work.leg);
        let mut at = work.start();
        while at < leg.positions().end {
            for (position, index) in leg.walk_from(at) {
                at = position + 1;
                if work.done.contains(position) {
                    continue;
                }
                // Nobody takes tidings any more: stop sending.
                if *work.stop.borrow_and_update() || tidings.is_closed() {
                    return;
                }
                if !self.wait_until_open(&mut work).await {
                    return;
                }
                if position % SWEEP_EVERY == 0 {
                    self.pace.sweep();
                }
                let Some(key) = index.and_then(|index| leg.target(index)) else {
                    let passed = Passed { positions: position..at, except: Vec::new(), visits: 0 };
                    // Nobody takes it: seen at the next turn.
                    let _ = tidings.send(Tidings::Passed(passed)).await;
                    continue;
                };
                let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
                tokio::spawn(visit_one(Arc::clone(&self), Job { position, key }, slot, tidings.clone()));
            }
        }
    }
}

/// How often it is asked whether the scope permits sending again.
const CLOSED_WAIT: Duration = Duration::from_secs(1);

impl ConnectEngine {
    /// Waits for the hours of the scope; false when the survey is told to stop meanwhile, or the scope has ended.
    async fn wait_until_open(&self, work: &mut Work) -> bool {
        self.is_open_or_waits(work.stop.clone()).await
    }

    /// The same for whoever may be told to stop; false as well when it was told already.
    pub(crate) async fn is_open_or_waits(&self, mut stop: watch::Receiver<bool>) -> bool {
        loop {
            if *stop.borrow_and_update() {
                return false;
            }
            match self.door.openness() {
                Openness::Open => return true,
                Openness::Over => return false,
                Openness::Later => {}
            }
            // Whoever could say stop is gone: then it will not be said.
            let _ = tokio::time::timeout(CLOSED_WAIT, stop.changed()).await;
        }
    }
}

impl Engine for ConnectEngine {
    fn name(&self) -> String {
        "connect".to_owned()
    }

    fn takes(&self, _: Transport, _: u16) -> bool {
        true
    }

    fn passes(&self) -> u32 {
        1
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn discover(self: Arc<Self>, work: Work, tidings: mpsc::Sender<Tidings>) -> Running {
        Box::pin(async move {
            self.work(work, tidings).await;
            Ok(())
        })
    }
}

async fn visit_one(engine: Arc<ConnectEngine>, job: Job, slot: OwnedSemaphorePermit, tidings: mpsc::Sender<Tidings>) {
    let discovery = engine.visit(job.key).await;
    // Not refused as such, only at this moment: it stays to be done.
    if matches!(&discovery, Discovery::Refused(refused) if refused.rule.passes()) {
        return;
    }
    // Nobody listens any more only when the survey stops; the target is then visited again on resuming.
    let _ = tidings.send(Tidings::Found(Found { job, discovery, slot: Some(slot) })).await;
}
