//! Which share of the records did not arrive.

use super::part::Part;

/// The share lost before or at our sockets, 0 to 1.
///
/// Exporters number what they send; each counts with the records that it did deliver, so that a forged exporter with
/// wild numbers and few records moves little. What the system dropped at the socket is missing in the exporters' numbers
/// as well, unless they have none: the larger of both shares holds.
pub(super) fn share(part: &Part) -> f64 {
    let received = part.exporters.iter().map(|(_, each)| each.records as f64);
    let all: f64 = received.clone().sum();
    let lost: f64 = part.exporters.iter().zip(received).map(|((_, each), records)| each.lost_share() * records).sum();
    let by_number = if all > 0.0 { lost / all } else { 0.0 };
    let received = &part.received;
    let (dropped, came) = (received.kernel_drops as f64, received.datagrams.saturating_add(received.frames) as f64);
    let by_system = if dropped > 0.0 { dropped / (dropped + came) } else { 0.0 };
    by_number.max(by_system).clamp(0.0, 1.0)
}
