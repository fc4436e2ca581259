//! C&C findings at rest: a journal of messages, and what follows from it.
//!
//! ```text
//!   collector, command line -- Message --> Journal (flow/findings.jsonl, only appended to) --> Book: held now, stories
//! ```
//!
//! One line of JSON a message. Several processes may append: the file is locked only while one does, a batch is on disk
//! when [`Journal::append`] returns, and a last line that a crash tore is cut off and counted. Readers take no lock and
//! see whole lines only. What is held is derived at every reading, faded to the moment asked for; no line is ever
//! changed, and none names a subscriber.
//!
//! At a hundred times the data: a reading takes the newest [`MAX_READ_BYTES`]; of what lies before it takes what was
//! taken back and what was shared, passes over findings without parsing them, and counts it all as left out. A message is
//! told at most every ten minutes for an endpoint, usually every six hours.

mod book;
mod status;

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hinomi_model::Timestamp;
use hinomi_model::cnc::Message;
use serde::{Deserialize, Serialize};

pub use book::{Book, HeldFinding, Point, REFUTED_DAYS, Story, Taken, ToWithdraw};
pub use status::collector_status;

use crate::error::LakeError;

/// Folder of the flow module in the state folder.
pub const FOLDER: &str = "flow";
/// Name of the journal in it.
pub const FILE_NAME: &str = "findings.jsonl";
/// Version of a line.
pub const FORMAT: u64 = 1;
/// The most bytes of the journal that one reading takes findings of: the newest.
pub const MAX_READ_BYTES: u64 = 256 << 20;
/// Longest line, in bytes.
const MAX_LINE_BYTES: u64 = 4 << 20;
/// So much is looked at for the end of the last whole line.
const STEP_BYTES: u64 = 64 << 10;
/// So much is read at once.
const READ_BYTES: usize = 256 << 10;
/// How a line of the known format begins.
const HEAD: &[u8] = b"{\"format\":1,";
/// What says that it tells of a finding, and in how many bytes from its beginning.
const FOUND: (&[u8], usize) = (b"\"message\":{\"found\":", 96);

/// A message with the time at which it was written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    format: u64,
    time: Timestamp,
    message: Message,
}

/// Enough of a line to know whether it may be read.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// What a reading could not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Bytes of a last line without its end: being written at this moment, or torn by a crash.
    pub torn_bytes: u64,
    /// Bytes before the newest [`MAX_READ_BYTES`]: findings in them are left out, what was taken back or shared is not.
    pub old_bytes: u64,
    /// Lines that make no sense.
    pub damaged_lines: u64,
}

/// The journal of a state folder, which need not exist.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The journal of this state folder.
    pub fn of_state(state: &Path) -> Self {
        Self { path: state.join(FOLDER).join(FILE_NAME) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything was ever written down.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Writes messages down, all or none; they are on disk when this returns. Tells how many bytes of a torn last line
    /// were cut off before.
    ///
    /// # Errors
    /// When folder or file cannot be made or written.
    pub fn append(&self, messages: &[Message], time: Timestamp) -> Result<u64, LakeError> {
        if messages.is_empty() {
            return Ok(0);
        }
        let mut lines = Vec::new();
        for message in messages {
            let line = Line { format: FORMAT, time, message: message.clone() };
            let refuse = |error: serde_json::Error| LakeError::Refused { detail: error.to_string() };
            serde_json::to_writer(&mut lines, &line).map_err(refuse)?;
            lines.push(b'\n');
        }
        let mut file = self.open_to_append()?;
        let (whole, torn) = mend(&mut file).map_err(LakeError::io("mending", &self.path))?;
        if let Err(error) = file.write_all(&lines).and_then(|()| file.sync_data()) {
            // Half a batch must not stay; if this fails too, the next append mends the torn line.
            let _ = file.set_len(whole);
            return Err(LakeError::io("writing", &self.path)(error));
        }
        Ok(torn)
    }

    fn open_to_append(&self) -> Result<File, LakeError> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder).map_err(LakeError::io("creating", folder))?;
        let is_new = !self.path.exists();
        let opened = OpenOptions::new().create(true).read(true).append(true).open(&self.path);
        let file = opened.map_err(LakeError::io("opening", &self.path))?;
        file.lock().map_err(LakeError::io("locking", &self.path))?;
        if is_new {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(LakeError::io("writing", folder))?;
        }
        Ok(file)
    }

    /// Everything written down, put in order.
    ///
    /// # Errors
    /// When the file cannot be read, or a newer program wrote in it.
    pub fn read(&self) -> Result<Book, LakeError> {
        self.read_until(Timestamp::from_micros(i64::MAX))
    }

    /// What was written down at this moment or before, put in order: the journal as it stood then.
    ///
    /// # Errors
    /// When the file cannot be read, or a newer program wrote in it.
    pub fn read_until(&self, until: Timestamp) -> Result<Book, LakeError> {
        self.read_newest(MAX_READ_BYTES, until)
    }

    fn read_newest(&self, most_bytes: u64, until: Timestamp) -> Result<Book, LakeError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(LakeError::io("opening", &self.path)(error)),
        };
        let fail = || LakeError::io("reading", &self.path);
        let length = file.seek(SeekFrom::End(0)).map_err(fail())?;
        file.seek(SeekFrom::Start(0)).map_err(fail())?;
        let mut book = Book::default();
        let reader = BufReader::with_capacity(READ_BYTES, file.take(length));
        self.read_lines(reader, length.saturating_sub(most_bytes), until, &mut book)?;
        Ok(book)
    }

    /// Lines that begin before `old` are old.
    fn read_lines(
        &self,
        mut reader: impl BufRead,
        old: u64,
        until: Timestamp,
        book: &mut Book,
    ) -> Result<(), LakeError> {
        let (mut line, mut place) = (Vec::new(), 0_u64);
        loop {
            line.clear();
            let taken = reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
            let mut length = taken.map_err(LakeError::io("reading", &self.path))? as u64;
            if length == 0 {
                return Ok(());
            }
            let is_old = place < old;
            if line.ends_with(b"\n") {
                self.take(&line, is_old, until, book)?;
            } else if length < MAX_LINE_BYTES {
                book.left_out.torn_bytes = length;
            } else {
                book.left_out.damaged_lines = book.left_out.damaged_lines.saturating_add(1);
                let rest = reader.skip_until(b'\n').map_err(LakeError::io("reading", &self.path))?;
                length = length.saturating_add(rest as u64);
            }
            place = place.saturating_add(length);
            if is_old {
                book.left_out.old_bytes = place;
            }
        }
    }

    fn take(&self, line: &[u8], is_old: bool, until: Timestamp, book: &mut Book) -> Result<(), LakeError> {
        if is_old && tells_found(line) {
            return Ok(());
        }
        match serde_json::from_slice::<Version>(line) {
            Ok(version) if version.format > FORMAT => {
                let what = self.path.display().to_string();
                return Err(LakeError::TooNew { what, found: version.format, known: FORMAT });
            }
            _ => {}
        }
        match serde_json::from_slice::<Line>(line) {
            Ok(line) if line.time > until || is_old && matches!(line.message, Message::Found { .. }) => {}
            Ok(line) => book.take(line.time, line.message),
            Err(_) => book.left_out.damaged_lines = book.left_out.damaged_lines.saturating_add(1),
        }
        Ok(())
    }
}

/// Whether a line as we write it tells of a finding, by its first bytes. A line in other words is parsed to know.
fn tells_found(line: &[u8]) -> bool {
    let (words, within) = FOUND;
    let head = line.get(..within).unwrap_or(line);
    head.starts_with(HEAD) && head.windows(words.len()).any(|window| window == words)
}

/// Cuts a last line without its end off; tells the length of the whole lines and of what was cut.
fn mend(file: &mut File) -> std::io::Result<(u64, u64)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut whole = length;
    while whole > 0 {
        let from = whole.saturating_sub(STEP_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut step = Vec::new();
        (&mut *file).take(whole - from).read_to_end(&mut step)?;
        let end = step.iter().rposition(|byte| *byte == b'\n').map(|place| from + place as u64 + 1);
        whole = end.unwrap_or(from);
        if end.is_some() {
            break;
        }
    }
    if whole < length {
        file.set_len(whole)?;
        file.sync_all()?;
    }
    Ok((whole, length - whole))
}

#[cfg(test)]
mod tests;
