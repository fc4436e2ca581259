//! Reading and writing at a place in a file, and telling what went wrong with which file.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::LakeError;

/// Wraps a system error with what was attempted.
pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> LakeError {
    let what = what.into();
    move |source| LakeError::Io { what, source }
}

/// Opens a file for reading, and for writing too when asked; then it is made if it is absent.
pub(super) fn open(path: &Path, writable: bool) -> Result<File, LakeError> {
    let mut options = OpenOptions::new();
    options.read(true);
    if writable {
        options.write(true).create(true).truncate(false);
    }
    options.open(path).map_err(io(format!("open {}", path.display())))
}

/// Reads at `offset` until the buffer is full or the file ends; gives how much there was.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match read_some(file, rest, offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes all of the bytes at `offset`.
pub(super) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match write_some(file, rest, offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;
#[cfg(windows)]
use std::os::windows::fs::FileExt;

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

#[cfg(unix)]
fn write_some(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.write_at(bytes, offset)
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

#[cfg(windows)]
fn write_some(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}
