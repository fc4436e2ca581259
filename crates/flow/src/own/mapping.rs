//! The carrier's list of lines, read for one request, and the answer made of it.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;

use zeroize::Zeroizing;

use super::view::Met;
use crate::epoch::Keys;
use crate::error::FlowError;
use crate::subscribers::Subscribers;

/// Most lines of one request; more go in parts.
pub const MAX_LINES: usize = 1_000_000;
/// Longest list, in bytes.
const MAX_LIST_BYTES: u64 = 128 << 20;
/// Longest row of an answer: an IPv6 address and two times.
const ROW_BYTES: usize = 128;
const HEADING: &str = "line,met_from,met_until\r\n";

/// An answer before it is told. Wiped when it goes.
pub(super) struct Told {
    text: Zeroizing<String>,
    /// Lines of the list.
    pub(super) asked: u64,
    /// Distinct ones that met the endpoint.
    pub(super) lines: u64,
}

/// Refuses a place within the state folder: what is kept there is kept for long, and read by many.
pub(super) fn refuse_inside(out: &Path, keep_out: &Path) -> Result<(), FlowError> {
    let folder = out.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let inside = fs::canonicalize(keep_out).ok().zip(folder).is_some_and(|(state, folder)| folder.starts_with(state));
    if inside { Err(FlowError::AnswerInside { path: out.to_path_buf() }) } else { Ok(()) }
}

/// Which lines of the list are among those who met the endpoint.
pub(super) fn resolve(list: &Path, subscribers: &Subscribers, met: &Met<'_>, keys: &Keys) -> Result<Told, FlowError> {
    let bytes = read(list).map_err(FlowError::file(list))?;
    let most = met.iter().map(|(_, clients)| clients.kept()).sum::<u64>();
    let room = usize::try_from(most).unwrap_or(0).saturating_mul(ROW_BYTES);
    // Room for all of it at once: a text that grows leaves copies behind.
    let mut told = Told { text: Zeroizing::new(String::with_capacity(HEADING.len() + room)), asked: 0, lines: 0 };
    told.text.push_str(HEADING);
    let mut seen = HashSet::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let Some(address) = address(line, number + 1, subscribers)? else { continue };
        told.asked += 1;
        if told.asked > MAX_LINES as u64 {
            return Err(FlowError::TooManyLines { most: MAX_LINES });
        }
        told.look(address, met, keys, &mut seen);
    }
    Ok(told)
}

impl Told {
    fn look(&mut self, address: IpAddr, met: &Met<'_>, keys: &Keys, seen: &mut HashSet<(u32, u64)>) {
        let mut is_met = false;
        for (epoch, clients) in met {
            let Some(name) = keys.name_in(*epoch, address).map(|name| name.0) else { continue };
            if clients.contains(name) && seen.insert((*epoch, name)) {
                is_met = true;
                let length = keys.length();
                let (from, until) = (length.begin_of(*epoch), length.end_of(*epoch));
                // Writing to a text does not fail.
                let _ = write!(self.text, "{},{from},{until}\r\n", address.to_canonical());
            }
        }
        self.lines += u64::from(is_met);
    }

    /// Makes the file, for its owner alone; on disk when this returns. None is left half written.
    pub(super) fn write(&self, out: &Path) -> Result<(), FlowError> {
        let mut file = create(out).map_err(FlowError::file(out))?;
        let written =
            file.write_all(self.text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| sync_folder(out));
        if written.is_err() {
            let _ = fs::remove_file(out);
        }
        written.map_err(FlowError::file(out))
    }
}

/// A new file: one that is there already, or a link, is not written to.
fn create(out: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(out)
}

/// The name of a new file is on disk when its folder is.
fn sync_folder(out: &Path) -> io::Result<()> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The whole list, wiped when it goes. A pipe or a device would hold up the collector: neither is read, and opening
/// one does not wait.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    // Of what was opened: the name may mean another file by now.
    let about = file.metadata()?;
    if !about.is_file() || about.len() > MAX_LIST_BYTES {
        let reason = format!("a list of lines is a plain file of at most {MAX_LIST_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    whole(file, about.len())
}

/// All of these bytes. A list that grows or shrinks meanwhile may end within a line, and half an address is another
/// line's: it is refused.
fn whole(from: impl Read, length: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for one more than is taken: a buffer that grows leaves a copy behind.
    let room = usize::try_from(length).unwrap_or(0).saturating_add(2);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    from.take(length.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        return Ok(bytes);
    }
    Err(io::Error::other("the list of lines changed while it was read; write it whole, then ask"))
}

/// The address on a line of the list, none on an empty one. The line itself is never told: errors end up in logs.
fn address(line: &[u8], number: usize, subscribers: &Subscribers) -> Result<Option<IpAddr>, FlowError> {
    let bare = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
    if bare.is_empty() {
        return Ok(None);
    }
    let address = std::str::from_utf8(bare).ok().and_then(|text| text.parse::<IpAddr>().ok());
    let own = address.filter(|address| subscribers.contains(*address));
    own.map(Some).ok_or(FlowError::NotOwnLine { line: number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_changes_while_it_is_read_is_refused() {
        let list = b"198.18.0.3\n198.18.0.44\n";
        assert_eq!(whole(list.as_slice(), 23).expect("whole").as_slice(), list);
        // One that grew would be cut to 198.18.0.4, which nobody named; one that shrank lost lines.
        for length in [0, 21, 22, 24, 4_096] {
            assert!(whole(list.as_slice(), length).is_err(), "{length}");
        }
        assert!(whole(io::empty(), 0).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_is_no_list_and_nobody_waits_for_its_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("coreutils").success());
        let (sender, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(read(&pipe).map(drop)));
        let told = told.recv_timeout(std::time::Duration::from_mins(1)).expect("it waits for a writer");
        assert_eq!(told.expect_err("no list").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_answer_beside_the_process_has_a_folder_too() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(sync_folder(&folder.path().join("out.csv")).is_ok());
        assert!(sync_folder(Path::new("out.csv")).is_ok());
        assert!(sync_folder(&folder.path().join("none/out.csv")).is_err() || cfg!(not(unix)));
    }
}
