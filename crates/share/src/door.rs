//! From who asks to what is read: the one place where readers for others than the operator are made.

use crate::policy::{ReadError, Reader, Viewer};

/// Makes readers. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    operator: Reader,
}

impl Door {
    /// The door of an installation, from the operator's own reader.
    pub const fn new(operator: Reader) -> Self {
        Self { operator }
    }

    /// The lake as this viewer may see it, as the register and the policies stand now.
    ///
    /// # Errors
    /// When this viewer may read nothing here.
    pub fn reader(&self, viewer: &Viewer) -> Result<Reader, ReadError> {
        match viewer {
            Viewer::Operator => Ok(self.operator.clone()),
            Viewer::Member(_) => Err(ReadError::Refused("members are not let in yet".to_owned())),
        }
    }
}
