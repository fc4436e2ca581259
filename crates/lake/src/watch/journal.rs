//! Events: which change fired which saved queries. Segments of lines, only appended to.
//!
//! ```text
//!   watch/events-00000000000000000001.log      named after the number of its first event
//!   line = checksum (16 hex digits) | space | JSON of an event | newline
//! ```
//!
//! - Events are numbered from 1 without end; who reads says after which number, so that a reader that was away goes on
//!   exactly where it was. The oldest segments are removed beyond [`MAX_SEGMENTS`]; a reader that was away longer is told
//!   how many events it missed.
//! - A change names itself ([`Event::change`]). What was applied last before a kill is applied again after it: changes
//!   that the newest version of the journal tells already are passed over, so that none fires twice.
//! - Events are on disk when [`Journal::append`] returns, which is before the index counts the sightings as applied.
//! - A torn end is cut off when the journal is opened for writing; a reader passes over it. A line within that does not
//!   have its checksum is counted and passed over.
//!
//! At a hundred times the data: a reading starts at the segment of its number and looks through at most that one
//! without parsing it; 2 GB are kept, some ten million events.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hinomi_model::{ContentHash, ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::LakeError;

/// A segment is followed by another one from this size on, in bytes.
const SEGMENT_BYTES: u64 = 16 << 20;

/// The most segments kept.
const MAX_SEGMENTS: usize = 128;

/// The longest line, in bytes: an event that fires every query there may be.
const MAX_LINE_BYTES: u64 = 2 << 20;

/// An answer ends with the event that makes it this long, in bytes of the journal.
pub(super) const MAX_READ_BYTES: usize = 8 << 20;

const PREFIX: &str = "events-";
const SUFFIX: &str = ".log";
const SUM_CHARS: usize = 16;

/// A change that fired saved queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub number: u64,
    /// Names the change: the same change has the same name, whenever it is told.
    pub change: String,
    /// Version of the sightings table.
    pub version: u64,
    /// `opened`, `changed`, `closed` or `reopened`.
    pub what: String,
    /// Which facts are others now, as in histories; empty when it opened, closed, or says what it said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// When the sensor saw it.
    pub seen: Timestamp,
    /// When it was written down.
    pub told: Timestamp,
    /// Which service.
    pub service: ServiceKey,
    /// Numbers of the saved queries that fired, ascending.
    pub watches: Vec<u64>,
}

/// Events after a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// In order.
    pub events: Vec<Event>,
    /// After which number to ask next.
    pub next: u64,
    /// How many events before these are not kept any more.
    pub missed: u64,
    /// Lines that are damaged and were passed over.
    pub damaged: u64,
}

/// The journal of one folder, open for writing.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    file: Option<File>,
    /// Length of the whole lines.
    length: u64,
    next: u64,
    /// Changes that the newest version tells.
    newest: (u64, HashSet<String>),
}

impl Journal {
    /// Opens it and cuts off what a kill tore; makes nothing.
    pub(super) fn open(folder: &Path) -> Result<Self, LakeError> {
        let mut journal =
            Self { folder: folder.to_owned(), file: None, length: 0, next: 1, newest: (0, HashSet::new()) };
        let Some((first, path)) = segments(folder)?.pop() else { return Ok(journal) };
        journal.next = first;
        let mut whole = 0;
        let file = File::open(&path).map_err(LakeError::io("opening", &path))?;
        let mut damaged = false;
        each_line(BufReader::new(file), &path, &mut |line, end| {
            damaged = false;
            match read_line(line) {
                Some(event) => {
                    whole = end;
                    journal.next = event.number + 1;
                    journal.remember(event.version, event.change);
                }
                None => damaged = true,
            }
            Ok(true)
        })?;
        if damaged {
            tracing::warn!(path = %path.display(), "the end of the journal of events is damaged and is cut off");
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(LakeError::io("opening", &path))?;
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(LakeError::io("mending", &path))?;
        (journal.file, journal.length) = (Some(file), whole);
        Ok(journal)
    }

    fn remember(&mut self, version: u64, change: String) {
        if self.newest.0 != version {
            self.newest = (version, HashSet::new());
        }
        self.newest.1.insert(change);
    }

    /// Whether the newest version tells this change already.
    pub(super) fn tells(&self, change: &str) -> bool {
        self.newest.1.contains(change)
    }

    /// Writes events down, numbering them; they are on disk when this returns.
    pub(super) fn append(&mut self, mut events: Vec<Event>) -> Result<(), LakeError> {
        if events.is_empty() {
            return Ok(());
        }
        if self.file.is_none() || self.length >= SEGMENT_BYTES {
            self.begin_segment()?;
        }
        let (mut lines, mut next) = (Vec::new(), self.next);
        for event in &mut events {
            event.number = next;
            next += 1;
            write_line(event, &mut lines)?;
        }
        let Some(file) = self.file.as_mut() else { return Ok(()) };
        let written = file.seek(SeekFrom::Start(self.length)).and_then(|_| file.write_all(&lines));
        if let Err(error) = written.and_then(|()| file.sync_data()) {
            // Half of it must not stay; if this fails too, the next start cuts it off.
            let _ = file.set_len(self.length);
            return Err(LakeError::io("writing events in", &self.folder)(error));
        }
        (self.length, self.next) = (self.length + lines.len() as u64, next);
        for event in events {
            self.remember(event.version, event.change);
        }
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), LakeError> {
        fs::create_dir_all(&self.folder).map_err(LakeError::io("creating", &self.folder))?;
        let path = segment_path(&self.folder, self.next);
        let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        self.file = Some(made.map_err(LakeError::io("making", &path))?);
        self.length = 0;
        let folder = &self.folder;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(LakeError::io("writing", folder))?;
        let all = segments(folder)?;
        for (_, path) in all.iter().take(all.len().saturating_sub(MAX_SEGMENTS)) {
            fs::remove_file(path).map_err(LakeError::io("removing", path))?;
        }
        Ok(())
    }
}

/// How many lines of each segment are damaged; what follows the last whole line of the newest was torn, and is none.
pub(super) fn damaged(folder: &Path) -> Result<Vec<(String, u64)>, LakeError> {
    let mut found = Vec::new();
    for (_, path) in segments(folder)? {
        let mut damaged = 0;
        let file = File::open(&path).map_err(LakeError::io("opening", &path))?;
        each_line(BufReader::new(file), &path, &mut |line, _| {
            damaged += u64::from(read_line(line).is_none());
            Ok(true)
        })?;
        found.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), damaged));
    }
    Ok(found)
}

/// Takes events out for good; how many. Numbers are never given twice: where the newest goes, the next segment begins
/// after it. A line that is damaged may hold anything, and goes too. Nobody else writes meanwhile.
pub(super) fn take_out(folder: &Path, gone: &dyn Fn(&Event) -> bool) -> Result<u64, LakeError> {
    let (mut count, mut next) = (0, 0);
    let mut is_last_there = true;
    for (first, path) in segments(folder)? {
        let (mut rest, mut lost) = (Vec::new(), 0_u64);
        next = first.max(next);
        let file = File::open(&path).map_err(LakeError::io("opening", &path))?;
        each_line(BufReader::new(file), &path, &mut |line, _| {
            next = number_of(line).map_or(next, |number| next.max(number.saturating_add(1)));
            let event = read_line(line);
            is_last_there = event.as_ref().is_some_and(|event| !gone(event));
            if is_last_there {
                rest.extend_from_slice(line);
                rest.push(b'\n');
            } else {
                lost += 1;
            }
            Ok(true)
        })?;
        // What a kill tore off its end goes with it.
        let bytes = fs::metadata(&path).map_err(LakeError::io("looking at", &path))?.len();
        if lost > 0 || bytes != rest.len() as u64 {
            crate::durable::write(&path, &rest)?;
            count += lost;
        }
    }
    if !is_last_there {
        crate::durable::write(&segment_path(folder, next), &[])?;
    }
    Ok(count)
}

/// The first events after a number, at most so many and not much more than [`MAX_READ_BYTES`]; of one saved query, if it is named.
pub(super) fn read(folder: &Path, after: u64, limit: usize, of: Option<u64>) -> Result<Events, LakeError> {
    let all = segments(folder)?;
    let mut found = Events { next: after, ..Events::default() };
    let Some((oldest, _)) = all.first() else { return Ok(found) };
    if after.saturating_add(1) < *oldest {
        found.missed = *oldest - after - 1;
        found.next = *oldest - 1;
    }
    let (mut bytes, mut full) = (0, false);
    let start = all.partition_point(|(first, _)| *first <= found.next.saturating_add(1)).saturating_sub(1);
    for (_, path) in all.iter().skip(start) {
        let file = match File::open(path) {
            // Removed since the folder was read: what it held is told as missed at the next reading.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.map_err(LakeError::io("opening", path))?,
        };
        let (mut damaged, mut pending) = (0, 0);
        each_line(BufReader::new(file), path, &mut |line, _| {
            if number_of(line).is_some_and(|number| number <= found.next) {
                return Ok(true);
            }
            let Some(event) = read_line(line) else {
                pending += 1;
                return Ok(true);
            };
            damaged += std::mem::take(&mut pending);
            found.next = event.number;
            if of.is_none_or(|wanted| event.watches.binary_search(&wanted).is_ok()) {
                found.events.push(event);
                bytes += line.len();
            }
            full = found.events.len() >= limit || bytes >= MAX_READ_BYTES;
            Ok(!full)
        })?;
        // What follows the last whole line is being written, or was torn.
        found.damaged += damaged;
        if full {
            break;
        }
    }
    Ok(found)
}

/// The number of the newest event; 0 when there is none.
pub(super) fn newest(folder: &Path) -> Result<u64, LakeError> {
    let Some((first, path)) = segments(folder)?.pop() else { return Ok(0) };
    let mut newest = first - 1;
    let file = File::open(&path).map_err(LakeError::io("opening", &path))?;
    each_line(BufReader::new(file), &path, &mut |line, _| {
        newest = number_of(line).unwrap_or(newest);
        Ok(true)
    })?;
    Ok(newest)
}

/// Every segment with the number of its first event, ascending.
fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>, LakeError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(LakeError::io("reading", folder))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(LakeError::io("reading", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(first) = number.and_then(|number| number.parse().ok()).filter(|first| *first > 0) {
            all.push((first, path));
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{first:020}{SUFFIX}"))
}

/// Takes a line and where it ends; tells whether to go on.
type EachLine<'a> = &'a mut dyn FnMut(&[u8], u64) -> Result<bool, LakeError>;

/// Hands out whole lines with where they end, until told to stop.
fn each_line(mut reader: impl BufRead, path: &Path, each: EachLine<'_>) -> Result<(), LakeError> {
    let (mut line, mut end) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        let length = read.map_err(LakeError::io("reading", path))? as u64;
        end += length;
        if length == 0 || !line.ends_with(b"\n") && length < MAX_LINE_BYTES {
            return Ok(());
        }
        if !each(line.trim_ascii_end(), end)? {
            return Ok(());
        }
    }
}

fn write_line(event: &Event, lines: &mut Vec<u8>) -> Result<(), LakeError> {
    let refuse = |error: serde_json::Error| LakeError::Unfit { detail: error.to_string() };
    let json = serde_json::to_vec(event).map_err(refuse)?;
    lines.extend_from_slice(checksum(&json).as_bytes());
    lines.push(b' ');
    lines.extend_from_slice(&json);
    lines.push(b'\n');
    Ok(())
}

/// An event; none when the line is not as it was written.
fn read_line(line: &[u8]) -> Option<Event> {
    let (sum, json) = line.split_at_checked(SUM_CHARS)?;
    let json = json.strip_prefix(b" ")?;
    if sum != checksum(json).as_bytes() {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// The number of a line, without looking whether it is whole.
fn number_of(line: &[u8]) -> Option<u64> {
    let rest = line.get(SUM_CHARS..)?.strip_prefix(b" {\"number\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

fn checksum(json: &[u8]) -> String {
    ContentHash::of(json).to_string().chars().take(SUM_CHARS).collect()
}
