//! Reading a folder of rules: only plain files, only so large, in the order of their names.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::error::RuleError;

/// The most files of one folder.
pub(crate) const MAX_FILES: usize = 1024;

/// The files of a folder (not below it) with this extension: name and text.
pub(crate) fn read_folder(path: &Path, extension: &str, limit: usize) -> Result<Vec<(String, String)>, RuleError> {
    let unreadable = |source| RuleError::Unreadable { path: path.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|found| found == extension) {
            paths.push(file);
        }
        if paths.len() > MAX_FILES {
            return Err(RuleError::TooMuch { file: path.display().to_string(), what: "files", limit: MAX_FILES });
        }
    }
    paths.sort();
    paths.iter().map(|file| Ok((name(file), read_text(file, limit)?))).collect()
}

/// The text of a file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<String, RuleError> {
    let bytes = read_bytes(path, limit)?;
    String::from_utf8(bytes).map_err(|error| RuleError::Syntax {
        file: name(path),
        message: format!("not UTF-8 at byte {}; save the file as UTF-8", error.utf8_error().valid_up_to()),
    })
}

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read_bytes(path: &Path, limit: usize) -> Result<Vec<u8>, RuleError> {
    let unreadable = |source| RuleError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > limit {
        return Err(RuleError::TooMuch { file: name(path), what: "bytes", limit });
    }
    Ok(bytes)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
