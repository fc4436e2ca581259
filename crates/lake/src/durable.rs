//! Small steps with files that survive a power cut: written beside, synced, and renamed.
//!
//! At a hundred times the data nothing changes here: everything is done one file at a time, in pieces of bounded size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use hinomi_model::ContentHash;

use crate::error::LakeError;

/// What a file that is being written ends with.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// So much is read at once.
const STEP_BYTES: usize = 1 << 20;

/// Makes these bytes the whole content of a file, in one step.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let written = File::create(&beside).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&beside, path)).map_err(LakeError::io("writing", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// The bytes of a file, if it is there; more than so many are an error.
pub(crate) fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, LakeError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LakeError::io("opening", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(LakeError::io("reading", path))?;
    if bytes.len() as u64 > max_bytes {
        return Err(LakeError::damaged(path.display().to_string(), &format!("it has more than {max_bytes} bytes")));
    }
    Ok(Some(bytes))
}

/// Another name for a file, where the disk is the same and can do that.
pub(crate) fn link(from: &Path, to: &Path) -> bool {
    let _left_behind = fs::remove_file(to);
    // A second name of a link that points elsewhere would be no copy.
    fs::symlink_metadata(from).is_ok_and(|data| data.is_file()) && fs::hard_link(from, to).is_ok()
}

/// Makes one file a copy of another in one step, unless it is one; the caller syncs the folder.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<(), LakeError> {
    if to.exists() && hash(to)? == hash(from)? {
        return Ok(());
    }
    // Two processes may bring the same file.
    let mut beside = to.as_os_str().to_owned();
    beside.push(format!(".{}{UNFINISHED}", std::process::id()));
    copy(from, Path::new(&beside), false)?;
    fs::rename(&beside, to).map_err(LakeError::io("renaming", to))
}

/// Hash and size of a file.
pub(crate) fn hash(path: &Path) -> Result<(ContentHash, u64), LakeError> {
    pour(path, &mut io::sink())
}

/// Copies a file to the disk; hash and size of what was copied.
pub(crate) fn copy(from: &Path, to: &Path, private: bool) -> Result<(ContentHash, u64), LakeError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(to).map_err(LakeError::io("creating", to))?;
    let told = pour(from, &mut file)?;
    file.sync_all().map_err(LakeError::io("syncing", to))?;
    Ok(told)
}

fn pour(from: &Path, into: &mut dyn Write) -> Result<(ContentHash, u64), LakeError> {
    let mut file = File::open(from).map_err(LakeError::io("opening", from))?;
    let (mut hasher, mut bytes, mut buffer) = (blake3::Hasher::new(), 0, vec![0; STEP_BYTES]);
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(LakeError::io("reading", from)(error)),
        };
        let read = buffer.get(..count).unwrap_or_default();
        hasher.update(read);
        into.write_all(read).map_err(LakeError::io("copying", from))?;
        bytes += count as u64;
    }
    Ok((ContentHash::from_bytes(*hasher.finalize().as_bytes()), bytes))
}

/// What a folder holds; none where it is not there. One that cannot be read is an error, and not empty.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LakeError::io("listing", folder)(error)),
    };
    listed.map(|entry| entry.map(|entry| entry.path()).map_err(LakeError::io("listing", folder))).collect()
}

/// Makes new names in a folder survive a power cut, where the platform can.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), LakeError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(LakeError::io("syncing", folder))
}
