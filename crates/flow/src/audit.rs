//! The auditor's drill: planted subscribers pass through, and afterwards nothing of them is left.
//!
//! ```text
//!   Drill::new(seed) -> planted records --\
//!                       ordinary records --> the real inlet, pairs, servers ... until their lives are over
//!                                             |
//!   Drill::memory(/proc/PID), Drill::folder(state) -> Report: where a canary still stands, and in which form
//!   Drill::servers().memory(/proc/PID) -> Report: where the remote ends stand that they met: those are to be found
//! ```
//!
//! What makes a hit mean something:
//! - IPv6 canaries are 16 bytes with 96 random bits, and texts are long: a chance hit does not happen.
//! - Four bytes of an IPv4 address do stand in memory by chance. So as many addresses that were never planted, drawn in
//!   the same way, are looked for as a control; planted ones must not be met more often than those
//!   ([`Report::verdict`]).
//! - The drill itself must not leave them about: it keeps its patterns masked, wipes what it builds, and leaves its own
//!   buffer out of the search. Records of ordinary subscribers follow the planted ones through the same code, as they
//!   do in life, so that the stack is written over.
//! - It can fail: a test keeps a copy on purpose, in each form, and sees it found.
//!
//! It reads memory as files under `/proc`, so it needs Linux and the right to trace the process (its own, or a
//! child's). Compressed or encrypted copies it cannot see; the flow module writes none.

mod canary;
mod search;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hinomi_model::Timestamp;
use hinomi_wire::flow::{FlowRecord, Volume};

pub use canary::{CANARIES, Form, PREFIXES, SERVERS};
use canary::{Canaries, Kind};
use search::Needles;

use crate::error::FlowError;

/// Most hits that are told one by one; more are counted.
pub const MAX_HITS: usize = 1_000;
/// A process that maps and unmaps memory is looked through so many times at most.
const MAX_PASSES: usize = 5;
/// Deepest folder below the state folder.
const MAX_DEPTH: usize = 32;
/// Planted IPv4 addresses may be met this many times oftener than the control before it is called a leak.
const CHANCE: usize = 2;

/// A place where a pattern stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The memory region or the file.
    pub place: String,
    /// Address in memory, or offset in the file.
    pub offset: u64,
    /// In which form.
    pub form: Form,
    /// Which canary (its number: the address itself is not told).
    pub canary: u16,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Regions or files that were read.
    pub places: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Places that could not be read, with the reason.
    pub unread: Vec<String>,
    /// Where planted canaries stand, at most [`MAX_HITS`].
    pub hits: Vec<Hit>,
    /// Hits beyond that.
    pub more_hits: u64,
    /// Canaries met as four bare bytes.
    pub planted_v4_met: usize,
    /// Control addresses met as four bare bytes.
    pub control_v4_met: usize,
    /// Whether a place in which nothing stands is one without a trace: a folder, a stream; no memory is.
    pub may_be_empty: bool,
}

/// What a report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No trace beyond chance, and everything could be read.
    Clean,
    /// No trace, but some places could not be read.
    Incomplete,
    /// A canary is still there.
    Found,
}

impl Report {
    /// Whether something stands there that does not by chance.
    pub fn is_unmistakable(&self) -> bool {
        self.hits.iter().any(|hit| hit.form != Form::V4Bytes)
    }

    /// What it means.
    pub fn verdict(&self) -> Verdict {
        if self.is_unmistakable() || self.planted_v4_met > self.control_v4_met + CHANCE {
            Verdict::Found
        } else if self.unread.is_empty() && (self.bytes > 0 || self.may_be_empty) {
            Verdict::Clean
        } else {
            Verdict::Incomplete
        }
    }
}

/// A search for addresses, which it keeps masked.
pub struct Finder(Needles);

impl Finder {
    /// Searches the memory of a process: `process` is `/proc/self` or that of a child.
    ///
    /// # Errors
    /// When the list of regions or the memory cannot be opened.
    pub fn memory(&self, process: &Path) -> Result<Report, FlowError> {
        search_memory(&self.0, process)
    }

    /// Searches every file below a folder.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn folder(&self, folder: &Path) -> Result<Report, FlowError> {
        let mut search = self.0.search();
        let mut open: Vec<(PathBuf, usize)> = vec![(folder.to_path_buf(), 0)];
        while let Some((next, depth)) = open.pop() {
            for entry in fs::read_dir(&next).map_err(FlowError::file(&next))? {
                let entry = entry.map_err(FlowError::file(&next))?;
                let (path, kind) = (entry.path(), entry.file_type().map_err(FlowError::file(&next))?);
                let name = path.display().to_string();
                if kind.is_dir() && depth < MAX_DEPTH {
                    open.push((path, depth + 1));
                } else if kind.is_file() {
                    let read = File::open(&path).and_then(|mut file| search.stream(&name, 0, &mut file));
                    // A living program renames and deletes: what is gone keeps nothing.
                    if !matches!(&read, Err(error) if error.kind() == io::ErrorKind::NotFound) {
                        search.note(&name, read);
                    }
                } else if is_socket(kind) {
                    // A place without bytes of its own.
                    search.note(&name, Ok(()));
                } else {
                    search.note(&name, Err(io::Error::other("neither file nor folder, or too deep")));
                }
            }
        }
        Ok(Report { may_be_empty: true, ..search.finish() })
    }

    /// Searches bytes that were read elsewhere, as messages of a bus: each has a name, and bytes or why there are none.
    pub fn pieces(&self, pieces: impl IntoIterator<Item = (String, io::Result<Vec<u8>>)>) -> Report {
        let mut search = self.0.search();
        for (name, bytes) in pieces {
            let read = bytes.and_then(|bytes| search.stream(&name, 0, &mut bytes.as_slice()));
            search.note(&name, read);
        }
        Report { may_be_empty: true, ..search.finish() }
    }
}

/// Canaries, and the search for them.
pub struct Drill {
    canaries: Canaries,
    finder: Finder,
    servers: Finder,
}

impl Drill {
    /// A drill with canaries drawn from this seed, all within [`PREFIXES`].
    pub fn new(seed: [u8; 32]) -> Self {
        let canaries = Canaries::new(seed);
        let (finder, servers) = (Finder(canaries.needles()), Finder(canaries.needles_of_servers()));
        Self { finder, servers, canaries }
    }

    /// The record of a planted subscriber: even numbers below twice [`CANARIES`] are IPv4, odd ones IPv6.
    pub fn planted(&self, number: u16, at: Timestamp) -> FlowRecord {
        self.record(Kind::Planted, number, at)
    }

    /// The record of an ordinary subscriber of the same kind, of whom there is no end.
    pub fn ordinary(&self, number: u16, at: Timestamp) -> FlowRecord {
        self.record(Kind::Ordinary, number, at)
    }

    fn record(&self, kind: Kind, number: u16, at: Timestamp) -> FlowRecord {
        let (source, destination) = self.canaries.ends(kind, number);
        FlowRecord {
            source,
            destination,
            source_port: 40_000 | number & 0x0fff,
            destination_port: 1_337,
            protocol: 6,
            forward: Volume { packets: 5, bytes: 400, tcp_flags: 0x1b },
            reverse: Some(Volume { packets: 4, bytes: 600, tcp_flags: 0x1b }),
            start: at,
            end: at,
            sampling: 1,
        }
    }

    /// The search for planted subscribers.
    pub const fn canaries(&self) -> &Finder {
        &self.finder
    }

    /// The search for the [`SERVERS`] remote ends that IPv6 subscribers of the drill meet. A process that works with
    /// their flows holds them: where none is met, the search of canaries would have shown nothing.
    pub const fn servers(&self) -> &Finder {
        &self.servers
    }

    /// As [`Finder::memory`], for planted subscribers.
    ///
    /// # Errors
    /// When the list of regions or the memory cannot be opened.
    pub fn memory(&self, process: &Path) -> Result<Report, FlowError> {
        self.finder.memory(process)
    }

    /// As [`Finder::folder`], for planted subscribers.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn folder(&self, folder: &Path) -> Result<Report, FlowError> {
        self.finder.folder(folder)
    }
}

#[cfg(unix)]
fn is_socket(kind: fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&kind)
}

#[cfg(not(unix))]
const fn is_socket(_kind: fs::FileType) -> bool {
    false
}

/// Searches a living process: regions come and go meanwhile, so what could not be read is tried again from the
/// beginning.
fn search_memory(needles: &Needles, process: &Path) -> Result<Report, FlowError> {
    let mut report = pass_over_memory(needles, process)?;
    for _ in 1..MAX_PASSES {
        if report.unread.is_empty() {
            break;
        }
        report = pass_over_memory(needles, process)?;
    }
    Ok(report)
}

fn pass_over_memory(needles: &Needles, process: &Path) -> Result<Report, FlowError> {
    let maps_path = process.join("maps");
    let maps = fs::read_to_string(&maps_path).map_err(FlowError::file(&maps_path))?;
    let memory_path = process.join("mem");
    let mut memory = File::open(&memory_path).map_err(FlowError::file(&memory_path))?;
    let mut search = needles.search();
    for region in maps.lines().filter_map(region) {
        let read = memory.seek(SeekFrom::Start(region.start)).and_then(|_| {
            let mut bounded = (&mut memory).take(region.end.saturating_sub(region.start));
            search.stream(&region.name, region.start, &mut bounded)
        });
        search.note(&region.name, read);
    }
    Ok(search.finish())
}

/// Something that must not stand in memory any more: looked for without keeping it in the plain.
#[cfg(test)]
pub(crate) struct Secret(Needles);

#[cfg(test)]
impl Secret {
    pub(crate) fn of(secret: &[u8]) -> Self {
        let mut needles = Needles::new(&[0x5a; 32]);
        needles.add(secret, Form::V6Bytes, 0, false);
        Self(needles)
    }

    pub(crate) fn met_in_own_memory(&self) -> Result<usize, FlowError> {
        search_memory(&self.0, Path::new("/proc/self")).map(|report| report.hits.len())
    }
}

struct Region {
    start: u64,
    end: u64,
    name: String,
}

/// A region that may hold data: readable and writable. What is only read came from files of the program.
fn region(line: &str) -> Option<Region> {
    let mut parts = line.split_whitespace();
    let (start, end) = parts.next()?.split_once('-')?;
    let rights = parts.next()?;
    let name = parts.nth(3).unwrap_or("anonymous");
    if !rights.starts_with("rw") || name.starts_with("[vvar") || name == "[vsyscall]" {
        return None;
    }
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some(Region { start: hex(start)?, end: hex(end)?, name: format!("{name} {start}-{end}") })
}

#[cfg(test)]
mod tests;
