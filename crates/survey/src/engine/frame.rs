//! The engine of bare frames: millions of targets an hour and core, where the machine lets it.
//!
//! ```text
//!   Leg (positions) --> Sender: cookie, template, FrameDoor --> the wire
//!                          ^ resets, canaries                      |
//!   Tidings <-- Listener: cookie back to position, Known  <--------+   (TPACKET_V3, filter in the kernel)
//! ```
//!
//! A probe is a SYN whose sequence number hides its position ([`cookie`]); nothing is remembered of it. Each target is
//! visited twice, the second time when the whole leg was visited once and some time has passed, and what the two
//! visits saw tells how many hosts were missed. What answers is [`Opened::Known`] and is grabbed over an ordinary
//! connection. The kernel never resets what we began, for it holds our source ports without listening
//! ([`hinomi_netio::Reservation`]); we take each half-open connection back ourselves.
//!
//! A UDP port for which the grab has one question is asked it by a frame, in the same walk ([`question`]). What answers
//! is [`Opened::Answered`], and the grab goes on from its bytes. Ports with several questions, to be put one after another,
//! and those whose answer begins a conversation are left to the engine of connections.

mod cookie;
mod course;
mod errand;
mod governor;
mod hear_icmp;
mod hear_udp;
mod known;
mod listener;
mod notebook;
mod probe;
mod question;
mod sender;
mod shared;
mod speak;
mod talk;
mod way;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc as channel};

use hinomi_model::Transport;
use hinomi_netio::{Backend, Receiver, Reservation, Wanted};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Semaphore, mpsc};

use super::{Engine, Found, Running, Tidings, Work};
use crate::config::Config;
use crate::error::SurveyError;
use crate::pace::Pace;
use crate::scope::{Door, FrameDoor};
use cookie::Cookie;
use course::Course;
use governor::Governor;
use listener::Listener;
use question::Questions;
use sender::Sender;
use shared::Shared;
use talk::Talks;
pub use way::NoWay;
use way::Way;

/// First source port that is tried; above those that kernels give to connections.
const FIRST_PORT: u16 = 61_000;
/// Resets and words that wait to be sent, at most. Nothing is said to whom a reset would find no room for; a half-open
/// connection whose reset finds none is given up over there after some tries.
const MAX_RESETS: usize = 16_384;

/// How frames are to be sent.
#[derive(Clone, Debug)]
pub struct Frames {
    /// The only way to be tried; else the best that the machine allows.
    pub only: Option<Backend>,
    /// How often each target is visited: twice, or once without an estimate of how many were missed.
    pub passes: u32,
    /// Where the notes of campaigns are kept, in a folder each.
    pub notes: PathBuf,
}

/// See the module.
pub struct FrameEngine {
    door: Arc<Door>,
    pace: Arc<Pace>,
    config: Config,
    frames: Frames,
    questions: Arc<Questions>,
    /// Makes answers unforgeable.
    key: [u64; 2],
    name: String,
    remarks: Vec<String>,
    opened: Mutex<Option<Opened>>,
}

/// What only a privileged program can open; used by one run.
struct Opened {
    frame_door: FrameDoor,
    receivers: Vec<Receiver>,
    reservations: Vec<Reservation>,
    /// Of TCP and of UDP.
    first_ports: (u16, u16),
    way: Way,
}

impl FrameEngine {
    /// Opens what is needed to send frames to the ranges of the door's scope.
    ///
    /// # Errors
    /// When the ranges are not behind one gateway, or the machine does not let us.
    pub fn open(door: Arc<Door>, pace: Arc<Pace>, config: &Config, frames: Frames) -> Result<Self, NoWay> {
        let way = Way::find(&door.scope().ranges, frames.only)?;
        let (frame_door, refusals) =
            FrameDoor::open(Arc::clone(&door), way.interface(), way.sources(), frames.only).map_err(NoWay::from)?;
        let frame_door = frame_door.naming(&config.contact);
        let questions = Arc::new(Questions::of(door.scope(), &config.contact));
        let passes = u16::try_from(frames.passes).unwrap_or(1);
        let (mut reservations, first_port) = hold(&way, Cookie::ports(passes), Reservation::hold)?;
        let mut ports = first_port..=first_port.saturating_add(Cookie::ports(passes) - 1);
        let mut first_udp_port = first_port;
        if !questions.is_empty() {
            let count = Cookie::udp_ports(passes);
            let (held, first) = hold(&way, count, Reservation::hold_datagrams)?;
            reservations.extend(held);
            first_udp_port = first;
            ports = first.min(*ports.start())..=first.saturating_add(count - 1).max(*ports.end());
        }
        let receiver = Receiver::open(way.interface(), &Wanted { ports }).map_err(NoWay::Receive)?;
        let name = format!("frames ({} on {})", frame_door.backend(), way.interface().name);
        let remarks = refusals.iter().map(ToString::to_string).collect();
        let first_ports = (first_port, first_udp_port);
        let opened = Opened { frame_door, receivers: vec![receiver], reservations, first_ports, way };
        let opened = Mutex::new(Some(opened));
        let (config, key) = (config.clone(), fresh_key()?);
        Ok(Self { door, pace, config, frames, questions, key, name, remarks, opened })
    }

    /// Why better ways were not to be had.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Runs sender and listener and passes on what they tell.
    async fn run(&self, work: Work, tidings: mpsc::Sender<Tidings>) -> Result<(), SurveyError> {
        let failed = |reason: String| SurveyError::Engine { engine: "frames", reason };
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        let opened = opened.ok_or_else(|| failed("was used already".to_owned()))?;
        let folder = notes_of(&self.frames.notes, &work);
        let (noted, sent_notes, heard_notes) = notebook::open(&folder, &work.job)
            .map_err(|error| failed(format!("notes in {}: {error}", folder.display())))?;
        let passes = u16::try_from(work.leg.passes()).unwrap_or(1);
        let cookie = Arc::new(Cookie::new(self.key, opened.first_ports, passes));
        let shared = Arc::new(Shared::new(&work, noted.cursor.unwrap_or_default()));
        let (reset_sender, resets) = channel::sync_channel(MAX_RESETS);
        let (tell, told) = mpsc::unbounded_channel();
        let metrics = Arc::clone(self.door.metrics());
        let sources = opened.way.sources();
        let templates = opened.way.templates(opened.frame_door.backend());
        let asked = (Arc::clone(&cookie), Arc::clone(&self.questions));
        let course = Course::new(&work, &shared, Arc::clone(&self.pace), asked, templates, self.config.spacing);
        let sender = Sender::new(opened.frame_door, course, sent_notes, resets, Arc::clone(&shared), work.stop.clone());
        let governor = Governor::new(Arc::clone(&self.pace), Arc::clone(&metrics), Arc::clone(&shared));
        let listener = Listener::new(
            &work,
            &noted,
            listener::Parts {
                cookie,
                questions: Arc::clone(&self.questions),
                shared: Arc::clone(&shared),
                notes: heard_notes,
                resets: reset_sender,
                tell,
                metrics,
                governor,
                sources,
                talks: Talks::new(Arc::clone(&self.door), &self.config),
                answer_wait: self.config.answer_wait,
                pace: Arc::clone(&self.pace),
                stop: work.stop.clone(),
            },
        );
        let sending = spawn("frames out", move || sender.run()).map_err(|error| failed(error.to_string()))?;
        let receivers = opened.receivers;
        let hearing = spawn("frames in", move || listener.run(receivers)).map_err(|error| failed(error.to_string()))?;
        self.forward(told, &tidings, &shared).await;
        shared.end();
        let ended = tokio::task::spawn_blocking(move || (sending.join(), hearing.join())).await;
        drop(opened.reservations);
        match ended {
            Ok((Ok(sent), Ok(heard))) => sent.and(heard).map_err(failed),
            _ => Err(failed("a thread ended in a panic".to_owned())),
        }
    }

    /// Hands what was found on, as much at once as grabs have room for.
    async fn forward(
        &self,
        mut told: mpsc::UnboundedReceiver<Tidings>,
        tidings: &mpsc::Sender<Tidings>,
        shared: &Shared,
    ) {
        let slots = Arc::new(Semaphore::new(self.config.concurrency.max(1)));
        while let Some(one) = told.recv().await {
            let one = match one {
                Tidings::Found(found) => {
                    let slot = Arc::clone(&slots).acquire_owned().await.ok();
                    shared.handed_on();
                    Tidings::Found(Found { slot, ..found })
                }
                other => other,
            };
            if tidings.send(one).await.is_err() {
                return;
            }
        }
    }
}

fn fresh_key() -> Result<[u64; 2], NoWay> {
    let mut halves = [[0; 8]; 2];
    for half in &mut halves {
        SystemRandom::new().fill(half).map_err(|_| NoWay::NoRandomness)?;
    }
    Ok(halves.map(u64::from_le_bytes))
}

/// A folder for each leg of each campaign.
fn notes_of(notes: &Path, work: &Work) -> PathBuf {
    notes.join(work.campaign.to_string()).join(format!("frames-{}", work.leg.positions().start))
}

/// Holds the same source ports on every source address.
fn hold(
    way: &Way,
    count: u16,
    each: impl Fn(IpAddr, u16, u16) -> std::io::Result<Reservation>,
) -> Result<(Vec<Reservation>, u16), NoWay> {
    let mut first = FIRST_PORT;
    let sources = way.sources();
    for _ in 0..sources.len().max(1) * 2 {
        let held: Result<Vec<_>, _> = sources.iter().map(|source| each(*source, first, count)).collect();
        let held = held.map_err(NoWay::Ports)?;
        let starts: Vec<u16> = held.iter().map(|held| *held.ports().start()).collect();
        let highest = starts.iter().copied().max().unwrap_or(first);
        if starts.iter().all(|start| *start == highest) {
            return Ok((held, highest));
        }
        first = highest;
    }
    Err(NoWay::Ports(std::io::Error::from(std::io::ErrorKind::AddrInUse)))
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

impl Engine for FrameEngine {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn takes(&self, transport: Transport, port: u16) -> bool {
        match transport {
            Transport::Tcp => true,
            Transport::Udp => self.questions.at(port).is_some(),
        }
    }

    fn passes(&self) -> u32 {
        self.frames.passes
    }

    fn discover(self: Arc<Self>, work: Work, tidings: mpsc::Sender<Tidings>) -> Running {
        Box::pin(async move { self.run(work, tidings).await })
    }
}
