//! Who asks. [`crate::guard`] finds it out once for each request; whoever reads records asks here for the result.

use axum::http::StatusCode;
use axum::http::request::Parts;
use hinomi_share::Viewer;

use crate::page::fault::Fault;

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Nobody has an account: whoever is at this machine.
    Operator,
}

impl Caller {
    /// As whom the lake is read.
    pub(crate) const fn viewer(&self) -> Viewer {
        match self {
            Self::Operator => Viewer::Operator,
        }
    }
}

/// The caller of a request that passed the guard.
pub(crate) fn caller(parts: &Parts) -> Result<Caller, Fault> {
    parts.extensions.get().cloned().ok_or_else(|| Fault::new(StatusCode::UNAUTHORIZED, "sign-in"))
}
