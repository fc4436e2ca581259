//! What a collector says of itself.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use hinomi_model::cnc::status::CollectorStatus;

use super::FOLDER;
use crate::error::LakeError;

/// Name of the collector's account in the folder of the flow module.
const FILE_NAME: &str = "status.json";
/// The longest account that is read.
const MAX_BYTES: u64 = 8 << 20;

/// The last account of the collector of this state folder; `None` when none ever ran.
///
/// # Errors
/// When it cannot be read or makes no sense.
pub fn collector_status(state: &Path) -> Result<Option<CollectorStatus>, LakeError> {
    let path = state.join(FOLDER).join(FILE_NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LakeError::io("opening", &path)(error)),
    };
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(LakeError::io("reading", &path))?;
    let status = CollectorStatus::read(&text);
    status.map(Some).map_err(|error| LakeError::damaged(path.display().to_string(), &error))
}
