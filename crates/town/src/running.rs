//! The town with its sockets open.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hinomi_model::Transport;
use socket2::Socket;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::certificate::Certificates;
use crate::config::{Layout, TownConfig};
use crate::datagram;
use crate::error::TownError;
use crate::limits;
use crate::listen::{self, Opened, Opening, Reach};
use crate::metrics::{Counters, Metrics, count};
use crate::plan::Plan;
use crate::ports::{self, PortMap};
use crate::serve;

/// What every connection of the town shares.
pub(crate) struct Shared {
    plan: RwLock<Arc<Plan>>,
    pub(crate) counters: Counters,
    pub(crate) certificates: Certificates,
    /// A place for each connection.
    places: Arc<Semaphore>,
    /// A place for each connection that a fault holds open.
    pub(crate) stalls: Arc<Semaphore>,
    sequence: AtomicU64,
}

impl Shared {
    /// Today's town.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that no other connection has had: nonces are made from it.
    pub(crate) fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    fn replace(&self, plan: Plan) {
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }
}

/// Whom a socket speaks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post {
    pub(crate) natural: u16,
    /// The host, where hosts share 127.0.0.1; else the address that was asked tells.
    pub(crate) host: Option<Ipv4Addr>,
}

enum Door {
    /// The sink is only kept open.
    Tcp {
        post: Post,
        listener: Arc<TcpListener>,
        _sink: Option<Socket>,
    },
    Udp {
        post: Post,
        socket: Arc<UdpSocket>,
    },
}

/// A town that is up. Dropping it closes everything.
pub struct Running {
    shared: Arc<Shared>,
    notes: Vec<String>,
    doors: Vec<Door>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the town's sockets and begins to answer. Must be called within a tokio runtime.
///
/// # Errors
/// When the configuration cannot be a town, or a port cannot be had even elsewhere.
pub async fn up(config: TownConfig) -> Result<Running, TownError> {
    let mut notes = Vec::new();
    let layout = listen::resolve_layout(&config, &mut notes);
    let plan = Plan::new(TownConfig { layout, ..config })?;
    let (plan, doors) = open(plan, &mut notes)?;
    let places = places();
    let shared = Arc::new(Shared {
        certificates: Certificates::default(),
        counters: Counters::default(),
        plan: RwLock::new(Arc::new(plan)),
        places: Arc::new(Semaphore::new(places)),
        stalls: Arc::new(Semaphore::new(limits::STALLED_MAX.min(places / 4))),
        sequence: AtomicU64::new(0),
    });
    let mut running = Running { shared, notes, doors, tasks: Vec::new() };
    running.answer();
    Ok(running)
}

impl Running {
    /// Today's town, with the real ports.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.plan()
    }

    /// What differs from the natural town, a sentence each: ports that were taken, addresses that are missing.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the town has counted so far.
    pub fn metrics(&self) -> Metrics {
        self.shared.counters.snapshot()
    }

    /// How many sockets it holds open, sinks included.
    pub fn sockets(&self) -> usize {
        let held = |door: &Door| if matches!(door, Door::Tcp { _sink: Some(_), .. }) { 2 } else { 1 };
        self.doors.iter().map(held).sum()
    }

    /// Moves the town to another simulated day. Connections that are open stay what they were.
    ///
    /// # Errors
    /// When a program cannot be replaced, or (where hosts share 127.0.0.1) a port of the new day cannot be had.
    pub fn set_day(&mut self, day: u32) -> Result<(), TownError> {
        let plan = self.plan().on_day(day)?;
        if plan.is_single() {
            return self.reopen(plan);
        }
        for door in &self.doors {
            let Door::Tcp { post, listener, .. } = door else { continue };
            let what = "the program of a port cannot be replaced";
            let program = plan.filter(post.natural)?;
            listen::set_program(listener, &program).map_err(|source| TownError::Socket { what, source })?;
        }
        self.shared.replace(plan);
        Ok(())
    }

    /// Closes every socket and connection, and waits until they are closed.
    pub async fn shutdown(mut self) {
        self.doors.clear();
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            let _cancelled = task.await;
        }
    }

    fn reopen(&mut self, plan: Plan) -> Result<(), TownError> {
        self.close();
        let (plan, doors) = open(plan, &mut self.notes)?;
        self.doors = doors;
        self.shared.replace(plan);
        self.answer();
        Ok(())
    }

    fn answer(&mut self) {
        for door in &self.doors {
            let shared = Arc::clone(&self.shared);
            self.tasks.push(match door {
                Door::Tcp { post, listener, .. } => tokio::spawn(accept(*post, Arc::clone(listener), shared)),
                Door::Udp { post, socket } => tokio::spawn(datagram::answer_all(*post, Arc::clone(socket), shared)),
            });
        }
    }

    fn close(&mut self) {
        self.doors.clear();
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("sockets", &self.doors.len())
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// Opens a socket for each natural port, or for each endpoint where hosts share 127.0.0.1.
fn open(plan: Plan, notes: &mut Vec<String>) -> Result<(Plan, Vec<Door>), TownError> {
    if plan.config().layout == Layout::Single { open_blocks(plan, notes) } else { open_wildcards(plan, notes) }
}

fn open_wildcards(plan: Plan, notes: &mut Vec<String>) -> Result<(Plan, Vec<Door>), TownError> {
    let mut doors = Vec::new();
    let mut map = PortMap::default();
    let mut moved = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        for natural in plan.natural_ports(transport) {
            let program = match transport {
                Transport::Tcp => plan.filter(natural)?,
                Transport::Udp => Vec::new(),
            };
            let candidates = ports::candidates(plan.config().ports, natural);
            let (reach, interface) = (Reach::Loopback(&program), plan.config().interface.as_deref());
            let opened = Opening { transport, natural, candidates: &candidates, reach, interface }.open()?;
            map.set(None, transport, natural, opened.real);
            if opened.real != natural {
                moved.push(format!("{natural}/{transport} on {}", opened.real));
            }
            doors.push(door(transport, Post { natural, host: None }, opened)?);
        }
    }
    if !moved.is_empty() {
        notes.push(format!("ports that are taken, need privilege or were asked to move: {}", moved.join(", ")));
    }
    Ok((plan.with_ports(map), doors))
}

fn open_blocks(plan: Plan, notes: &mut Vec<String>) -> Result<(Plan, Vec<Door>), TownError> {
    let mut doors = Vec::new();
    let mut map = PortMap::default();
    let mut hosts = BTreeSet::new();
    for (host, endpoint, real) in plan.blocks() {
        let (transport, natural) = (endpoint.transport, endpoint.natural);
        let opening = Opening { transport, natural, candidates: &[real, 0], reach: Reach::Localhost, interface: None };
        let opened = opening.open()?;
        map.set(Some(host), transport, natural, opened.real);
        hosts.insert(host);
        doors.push(door(transport, Post { natural, host: Some(host) }, opened)?);
    }
    let all = plan.config().size;
    notes.retain(|note| !note.starts_with(SHARING));
    notes.push(format!("{SHARING}: {} of {all} hosts, on ports from {} up", hosts.len(), ports::BLOCK_FIRST));
    Ok((plan.with_ports(map), doors))
}

/// How the note about shared addresses begins.
const SHARING: &str = "hosts share 127.0.0.1, each with ports of its own";

fn door(transport: Transport, post: Post, opened: Opened) -> Result<Door, TownError> {
    Ok(match transport {
        Transport::Tcp => {
            let (listener, sink) = opened.into_listener()?;
            Door::Tcp { post, listener: Arc::new(listener), _sink: sink }
        }
        Transport::Udp => Door::Udp { post, socket: Arc::new(opened.into_datagram()?) },
    })
}

/// Accepts on one port until the task is aborted, which also ends every connection it has accepted.
async fn accept(post: Post, listener: Arc<TcpListener>, shared: Arc<Shared>) {
    let mut visits = JoinSet::new();
    loop {
        while visits.try_join_next().is_some() {}
        if visits.len() >= limits::CONNECTIONS_PER_LISTENER_MAX {
            visits.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                // One connection a port may wait here; all others wait in the kernel's queue.
                let Ok(place) = Arc::clone(&shared.places).acquire_owned().await else { return };
                let shared = Arc::clone(&shared);
                visits.spawn(async move {
                    visit(post, stream, &shared).await;
                    drop(place);
                });
            }
            Err(error) => {
                count(&shared.counters.accept_failures);
                tracing::debug!(port = post.natural, %error, "the town cannot accept");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn visit(post: Post, stream: TcpStream, shared: &Arc<Shared>) {
    count(&shared.counters.accepted);
    let asked = stream.local_addr().map(|address| address.ip());
    let host = match (post.host, asked) {
        (Some(host), _) => Some(host),
        (None, Ok(IpAddr::V4(address))) => Some(address),
        _ => None,
    };
    if let Some(host) = host {
        serve::visit(stream, host, post.natural, shared).await;
    }
    count(&shared.counters.ended);
}

/// Connections at once: half of the open files that the system allows, because the other half is most likely the
/// client's, in the same process.
fn places() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|rest| rest.split_whitespace().next()).and_then(|soft| soft.parse().ok());
    let files = soft.unwrap_or(limits::OPEN_FILES_ASSUMED);
    (files.saturating_sub(limits::OPEN_FILES_SPARED) / 2).clamp(16, limits::CONNECTIONS_MAX)
}
