//! What did not arrive, by each protocol's own rule.
//!
//! NetFlow v5 numbers flows, v9 packets (RFC 3954 section 5.1), IPFIX data records (RFC 7011 section 3.1), sFlow
//! datagrams. A number that is behind is a datagram that came late and had been taken for lost, or a new beginning.

/// A jump further than this is a new beginning, not a loss.
const MAX_GAP: u32 = 1 << 24;
/// A datagram up to so many numbers behind is late.
const MAX_LATE: u32 = 1 << 12;

/// What an exporter's numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// NetFlow v5.
    Flows,
    /// NetFlow v9.
    Packets,
    /// IPFIX.
    Records,
    /// sFlow.
    Datagrams,
    /// sFlow: packets that should have been sampled and were dropped within the exporter.
    Samples,
}

impl Unit {
    /// All of them, in the order of [`ExporterCounts::losses`](super::ExporterCounts::losses).
    pub const ALL: [Self; 5] = [Self::Flows, Self::Packets, Self::Records, Self::Datagrams, Self::Samples];

    /// The name a metric shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flows => "flows",
            Self::Packets => "packets",
            Self::Records => "records",
            Self::Datagrams => "datagrams",
            Self::Samples => "samples",
        }
    }
}

/// Loss of one exporter in one [`Unit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// What arrived.
    pub received: u64,
    /// What the numbers say should have arrived and did not.
    pub lost: u64,
}

impl Loss {
    /// The lost share, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share of counts needs no more than 52 bits")]
    pub fn share(&self) -> f64 {
        let all = self.received.saturating_add(self.lost);
        if all == 0 { 0.0 } else { self.lost as f64 / all as f64 }
    }
}

/// What a number says about those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing is missing, or nothing can be said yet.
    None,
    /// So many are missing.
    Lost(u32),
    /// It is one of those that were taken for lost.
    Late,
    /// The exporter began anew.
    Reset,
}

/// The numbers of one domain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    /// Nothing after a message of which it is not known how much it held.
    next: Option<u32>,
}

impl Sequence {
    /// Sees a message's number and by how much it advances, if that is known.
    pub(super) fn observe(&mut self, number: u32, advance: Option<u32>) -> Gap {
        let gap = self.next.map_or(Gap::None, |next| judge(number.wrapping_sub(next)));
        if gap != Gap::Late {
            self.next = advance.map(|count| number.wrapping_add(count));
        }
        gap
    }
}

const fn judge(ahead: u32) -> Gap {
    match ahead {
        0 => Gap::None,
        1..=MAX_GAP => Gap::Lost(ahead),
        _ if ahead.wrapping_neg() <= MAX_LATE => Gap::Late,
        _ => Gap::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_late_ones_wraps_and_new_beginnings() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.observe(u32::MAX - 4, Some(5)), Gap::None);
        assert_eq!(sequence.observe(0, Some(10)), Gap::None, "the wrap is no gap");
        assert_eq!(sequence.observe(30, Some(10)), Gap::Lost(20));
        assert_eq!(sequence.observe(10, Some(20)), Gap::Late);
        assert_eq!(sequence.observe(40, None), Gap::None, "a late one moves nothing");
        assert_eq!(sequence.observe(77, Some(1)), Gap::None, "nothing is known behind a message of unknown size");
        assert_eq!(sequence.observe(78 + MAX_GAP + 1, Some(1)), Gap::Reset);
        assert_eq!(sequence.observe(1, Some(1)), Gap::Reset);
    }

    #[test]
    fn share_of_nothing_is_nothing() {
        assert!(Loss::default().share().abs() < f64::EPSILON);
        assert!((Loss { received: 3, lost: 1 }.share() - 0.25).abs() < f64::EPSILON);
    }
}
