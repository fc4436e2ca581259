//! Which of two markings of one observation is the stricter, and what both say together.

use std::cmp::{Ordering, Reverse};

use super::{Marking, Tlp};

impl Marking {
    /// What both say together: what either forbids is forbidden. Two purposes or two licences at once are nobody's: TLP:RED
    /// without an audience.
    #[must_use]
    pub fn together(&self, other: &Self) -> Self {
        let (purpose, licence) = (self.purpose.max(other.purpose), (&self.licence).max(&other.licence).clone());
        let contradict = self.purpose != other.purpose
            || (self.licence.is_some() && other.licence.is_some() && self.licence != other.licence);
        let readers = if contradict { Readers::Nobody } else { self.readers().both(other.readers()) };
        let (tlp, audience) = match readers {
            Readers::Nobody => (Tlp::Red, Vec::new()),
            Readers::ByLabel => (self.tlp.max(other.tlp), Vec::new()),
            Readers::Named(names) => (self.tlp.max(other.tlp), names.into_iter().cloned().collect()),
        };
        let handling = self.handling.union(&other.handling).cloned().collect();
        Self { tlp, audience, purpose, embargo: self.embargo.max(other.embargo), licence, handling }
    }

    /// An order in which what says more closes, and then some order: greater is stricter, where one of both is.
    pub fn by_strictness(&self, other: &Self) -> Ordering {
        let readers = |one: &Self| match one.readers() {
            Readers::ByLabel => (0, Reverse(0)),
            Readers::Named(names) => (1, Reverse(names.len())),
            Readers::Nobody => (2, Reverse(0)),
        };
        let weight = |one: &Self| (one.tlp, readers(one), one.embargo, one.handling.len());
        let rest = |one: &'_ Self| (one.licence.clone(), one.purpose, one.audience.clone(), one.handling.clone());
        weight(self).cmp(&weight(other)).then_with(|| rest(self).cmp(&rest(other)))
    }

    fn readers(&self) -> Readers<'_> {
        match (self.tlp, self.audience.is_empty()) {
            (Tlp::Red, true) => Readers::Nobody,
            (_, true) => Readers::ByLabel,
            (_, false) => {
                let mut names: Vec<&String> = self.audience.iter().collect();
                names.sort_unstable();
                names.dedup();
                Readers::Named(names)
            }
        }
    }
}

/// Whom a marking names.
enum Readers<'a> {
    /// Nobody: the label decides.
    ByLabel,
    /// These, ascending.
    Named(Vec<&'a String>),
    /// Nobody, and the label lets nobody else in.
    Nobody,
}

impl Readers<'_> {
    fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nobody, _) | (_, Self::Nobody) => Self::Nobody,
            (Self::ByLabel, other) | (other, Self::ByLabel) => other,
            (Self::Named(mut mine), Self::Named(theirs)) => {
                mine.retain(|name| theirs.contains(name));
                if mine.is_empty() { Self::Nobody } else { Self::Named(mine) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use crate::marking::{Marking, Purpose, Tlp};
    use crate::time::Timestamp;

    fn marking() -> impl Strategy<Value = Marking> {
        let labels = [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];
        let words = |all: &[&str]| {
            let all: Vec<String> = all.iter().map(|word| (*word).to_owned()).collect();
            subsequence(all.clone(), 0..=all.len())
        };
        let purpose = prop_oneof![4 => Just(Purpose::Research), 1 => Just(Purpose::Notification)];
        let licence = prop_oneof![2 => Just(None), 2 => Just(Some("CC0-1.0")), 1 => Just(Some("internal"))];
        let embargo = prop::option::of((0..3_i64).prop_map(Timestamp::from_micros));
        (select(labels.to_vec()), words(&["csirt", "isac", "ward"]), purpose, embargo, licence, words(&["a", "b"]))
            .prop_map(|(tlp, audience, purpose, embargo, licence, handling)| Marking {
                tlp,
                audience,
                purpose,
                embargo,
                licence: licence.map(ToOwned::to_owned),
                handling: handling.into_iter().collect(),
            })
    }

    proptest! {
        #[test]
        fn together_is_the_same_in_any_order_and_never_looser(a in marking(), b in marking(), c in marking()) {
            let both = a.together(&b);
            prop_assert_eq!(&both, &b.together(&a));
            prop_assert_eq!(both.together(&c), a.together(&b.together(&c)));
            prop_assert_eq!(&a.together(&a), &a);
            prop_assert_eq!(&both.together(&a), &both);
            for one in [&a, &b] {
                prop_assert!(both.by_strictness(one).is_ge());
                prop_assert!(both.tlp >= one.tlp && both.embargo >= one.embargo && both.handling.is_superset(&one.handling));
                let narrowed = one.audience.is_empty() || both.audience.iter().all(|name| one.audience.contains(name));
                prop_assert!(narrowed, "{both:?} of {one:?}");
            }
            prop_assert_eq!(a.by_strictness(&b).is_eq(), a == b);
        }
    }
}
