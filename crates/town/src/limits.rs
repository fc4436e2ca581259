//! Every bound of the town in one place.

use std::time::Duration;

/// Connections served at once, where the system's limit of open files allows it.
pub(crate) const CONNECTIONS_MAX: usize = 8_192;
/// Of these, on one port.
pub(crate) const CONNECTIONS_PER_LISTENER_MAX: usize = 4_096;
/// Connections that tarpits and silent hosts hold open at once; further ones are closed.
pub(crate) const STALLED_MAX: usize = 512;
/// Open files taken for granted where the limit cannot be read.
pub(crate) const OPEN_FILES_ASSUMED: usize = 1_024;
/// Open files left to the rest of the process.
pub(crate) const OPEN_FILES_SPARED: usize = 128;
/// Longest an ordinary connection lasts.
pub(crate) const VISIT_MAX: Duration = Duration::from_secs(60);
/// Longest a tarpit or a banner without end goes on.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(600);
/// Pause between the bytes of a tarpit.
pub(crate) const TARPIT_PAUSE: Duration = Duration::from_secs(3);
/// Longest TLS handshake.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Bytes read from one client.
pub(crate) const READ_MAX_BYTES: usize = 256 * 1024;
/// Bytes that a banner without end sends before it ends after all.
pub(crate) const ENDLESS_MAX_BYTES: u64 = 1 << 34;
/// Longest line or request head taken from a client.
pub(crate) const LINE_MAX_BYTES: usize = 4 * 1024;
/// Longest head of a request.
pub(crate) const HEAD_MAX_BYTES: usize = 16 * 1024;
/// Requests or commands answered on one connection.
pub(crate) const REQUESTS_MAX: usize = 64;
/// Certificates kept ready.
pub(crate) const CERTIFICATES_KEPT: usize = 1_024;
/// Pause after a failure of `accept`.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Connections that wait to be accepted.
pub(crate) const BACKLOG: i32 = 4_096;
/// Largest datagram looked at.
pub(crate) const DATAGRAM_MAX_BYTES: usize = 2_048;
