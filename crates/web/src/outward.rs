//! What the server asks of others by itself: identity providers that its settings name, and nobody else.
//!
//! Requests are made here and sent by the program, which resolves names to public addresses alone unless a provider is said
//! to be near, follows no redirect, reads a bounded answer and waits a bounded time.

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to: `https://`, or `http://` to loopback.
    pub url: String,
    /// What `Authorization` says.
    pub authorization: Option<String>,
    /// Sent by POST, as a form is.
    pub form: Option<String>,
    /// Whether addresses that are not public may be asked.
    pub near: bool,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is sent along are secrets.
        f.debug_struct("Outgoing").field("url", &self.url).field("near", &self.near).finish_non_exhaustive()
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its status; redirects are answers too.
    pub status: u16,
    /// Its body, which is whole.
    pub body: Vec<u8>,
}

/// Who sends requests. Blocks.
pub trait Outward: Send + Sync {
    /// Sends one and reads its answer.
    ///
    /// # Errors
    /// When it may not be sent, or there is no whole answer in time. The text is for the log.
    fn ask(&self, request: &Outgoing) -> Result<Incoming, String>;
}

/// Sends nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Outward for Silent {
    fn ask(&self, _: &Outgoing) -> Result<Incoming, String> {
        Err("this server asks nobody".to_owned())
    }
}
