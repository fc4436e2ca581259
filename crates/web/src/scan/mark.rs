//! The mark in the forms of the page: a hash of a key of this process, the visitor's address and the hour.
//!
//! A page of another site can make a visitor's browser send a form here, and the address that it comes from is the proof
//! of an opt-out. It cannot know the mark, for it cannot read what the visitor is shown. Nothing is stored of a visitor.

use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::ContentHash;
use tokio::time::Instant;

/// A mark holds in the hour it was given in and in the next one.
const HOUR: Duration = Duration::from_secs(3_600);

/// Gives marks and knows them again.
pub(super) struct Marks {
    key: [u8; 32],
    began: Instant,
}

impl Marks {
    /// With random bytes that nobody else knows.
    pub(super) const fn new(key: [u8; 32], began: Instant) -> Self {
        Self { key, began }
    }

    /// The mark for a visitor at this time.
    pub(super) fn give(&self, visitor: IpAddr, now: Instant) -> String {
        self.mark(visitor, self.hour(now))
    }

    /// Whether it is the visitor's, of this hour or the one before.
    pub(super) fn hold(&self, mark: &str, visitor: IpAddr, now: Instant) -> bool {
        let hour = self.hour(now);
        [Some(hour), hour.checked_sub(1)].into_iter().flatten().any(|hour| self.mark(visitor, hour) == mark)
    }

    fn hour(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / HOUR.as_secs()
    }

    fn mark(&self, visitor: IpAddr, hour: u64) -> String {
        // BLAKE3 has no length extension, so a key in front of it is enough.
        let mut said = self.key.to_vec();
        said.extend(hour.to_be_bytes());
        said.extend(visitor.to_string().bytes());
        ContentHash::of(&said).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mark_is_for_one_visitor_and_an_hour_or_two() {
        let now = Instant::now();
        let (marks, other) = (Marks::new([1; 32], now), Marks::new([2; 32], now));
        let (one, two) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mark = marks.give(one, now);
        assert!(marks.hold(&mark, one, now) && marks.hold(&mark, one, now + HOUR));
        assert!(!marks.hold(&mark, one, now + HOUR * 2) && !marks.hold(&mark, two, now));
        assert!(!other.hold(&mark, one, now) && !marks.hold("", one, now));
    }
}
