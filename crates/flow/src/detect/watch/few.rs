//! A small set of distinct values of which most have one.

/// Most values that are remembered.
const MOST: usize = 64;

/// Distinct values in the order in which they came, at most [`MOST`]. The first needs no room of its own: most of what
/// a household does has one host and one port.
pub(super) struct Few<T> {
    first: Option<T>,
    more: Vec<T>,
}

impl<T: Copy + PartialEq> Few<T> {
    pub(super) const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    /// Remembers a value, if there is room.
    pub(super) fn note(&mut self, value: T) {
        match self.first {
            None => self.first = Some(value),
            Some(first) if first == value || self.len() >= MOST || self.more.contains(&value) => {}
            Some(_) => self.more.push(value),
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    pub(super) fn all(&self) -> Vec<T> {
        self.first.iter().chain(&self.more).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_each_once_up_to_its_bound() {
        let mut few = Few::new();
        for value in (0..100).chain(0..100) {
            few.note(value);
        }
        assert_eq!(few.all(), (0..64).collect::<Vec<_>>());
        assert_eq!(few.len(), 64);
    }
}
