//! What the town counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// A snapshot of the counters since the town came up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// TCP connections accepted.
    pub accepted: u64,
    /// Of these, closed at once because nobody serves that port at that address today.
    pub misdirected: u64,
    /// Connections that ended.
    pub ended: u64,
    /// Of these, cut off because they lasted too long.
    pub timed_out: u64,
    /// Failures of `accept` (no file descriptor left, mostly).
    pub accept_failures: u64,
    /// UDP datagrams received.
    pub datagrams: u64,
    /// Of these, answered.
    pub answers: u64,
    /// TLS handshakes that came to an end.
    pub tls_handshakes: u64,
    /// Certificates made.
    pub certificates: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) misdirected: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) accept_failures: AtomicU64,
    pub(crate) datagrams: AtomicU64,
    pub(crate) answers: AtomicU64,
    pub(crate) tls_handshakes: AtomicU64,
    pub(crate) certificates: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            accepted: read(&self.accepted),
            misdirected: read(&self.misdirected),
            ended: read(&self.ended),
            timed_out: read(&self.timed_out),
            accept_failures: read(&self.accept_failures),
            datagrams: read(&self.datagrams),
            answers: read(&self.answers),
            tls_handshakes: read(&self.tls_handshakes),
            certificates: read(&self.certificates),
        }
    }
}
