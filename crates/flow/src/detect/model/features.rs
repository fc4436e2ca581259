//! What the model knows of a server. Logarithms, so that a factor counts the same everywhere.

use super::super::statistics::from_u64;
use super::super::view::ServerView;
use crate::server::Answer;

/// How many features there are.
pub(crate) const COUNT: usize = 9;

/// Their names, for refusals.
pub(super) const NAMES: [&str; COUNT] = [
    "bytes out (ln)",
    "bytes back (ln)",
    "bytes a packet out (ln)",
    "bytes a packet back (ln)",
    "duration (ln s)",
    "longest duration (ln s)",
    "share without an answer",
    "contacts a client (ln)",
    "share of bytes going out",
];

/// One server's features in the order of their names.
pub(crate) type Features = [f64; COUNT];

/// The features of a server.
pub(crate) fn of(server: &ServerView) -> Features {
    let sizes = server.sizes();
    let total = &server.total;
    let each = |bytes: f64, packets: f64| (bytes / packets.max(1.0)).ln_1p();
    let (out, back) = (from_u64(total.total_bytes_out), from_u64(total.total_bytes_back));
    let in_vain = [Answer::Silent, Answer::Refused, Answer::Handshake].map(|answer| from_u64(total.answered(answer)));
    [
        sizes.bytes_out.ln_1p(),
        sizes.bytes_back.ln_1p(),
        each(sizes.bytes_out, sizes.packets_out),
        each(sizes.bytes_back, sizes.packets_back),
        sizes.duration_seconds.ln_1p(),
        sizes.longest_seconds.ln_1p(),
        in_vain.iter().sum::<f64>() / from_u64(total.contacts.max(1)),
        server.contacts_each().ln_1p(),
        out / (out + back).max(1.0),
    ]
}
