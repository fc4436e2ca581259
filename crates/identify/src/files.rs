//! Reading rule files: a folder or one file, only plain files, only so large, in the order of their names.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::RuleError;

/// The most files of one folder.
pub(crate) const MAX_FILES: usize = 1024;

/// The files of a folder (not below it) with this extension, or the one file that `path` is: name and text.
pub(crate) fn read_all(path: &Path, extension: &str, limit: usize) -> Result<Vec<(String, String)>, RuleError> {
    let paths = if path.is_file() { vec![path.to_owned()] } else { list(path)? };
    let wanted = |file: &&PathBuf| file.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension));
    paths.iter().filter(wanted).map(|file| Ok((name(file), read_text(file, limit)?))).collect()
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, RuleError> {
    let unreadable = |source| RuleError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
        if paths.len() > MAX_FILES {
            return Err(RuleError::TooMuch { file: folder.display().to_string(), what: "files", limit: MAX_FILES });
        }
    }
    paths.sort();
    Ok(paths)
}

/// The text of a file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<String, RuleError> {
    let bytes = read_bytes(path, limit)?;
    String::from_utf8(bytes).map_err(|error| RuleError::Syntax {
        file: name(path),
        message: format!(
            "line {} is not UTF-8; save the file as UTF-8",
            line(error.as_bytes(), error.utf8_error().valid_up_to())
        ),
    })
}

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: usize) -> Result<Vec<u8>, RuleError> {
    let unreadable = |source| RuleError::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(Error::new(ErrorKind::InvalidInput, "not a plain file")));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(RuleError::TooMuch { file: name(path), what: "bytes", limit });
    }
    Ok(bytes)
}

/// In which line, from 1, the byte at `offset` stands.
pub(crate) fn line(text: &[u8], offset: usize) -> usize {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// A file's name without its extension.
pub(crate) fn stem(file: &str) -> &str {
    Path::new(file).file_stem().and_then(OsStr::to_str).unwrap_or(file)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
