//! What must be there for a query to hold: where it is filed.
//!
//! A need is one term that a service has or has not: a whole value, a word, a number, that a field is known, a prefix.
//! Of things that must all hold the rarest is enough to look for; of things of which one must hold, each. What only
//! denies, or compares times, needs nothing: such a query is asked for every change.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::query::eval::{Check, Part};
use crate::query::{Class, Field, Trait};

/// The most terms that one query is filed under.
pub(super) const MAX_NEEDS: usize = 64;

/// The most ports of a range that are filed one by one.
const MAX_NUMBERS: u64 = 32;

/// One term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Term {
    /// By its hash: two that share one cost a needless look, not a wrong answer.
    Named(u64),
    /// An address whose first `bits` of 128 are those of `low`.
    Net {
        /// How many.
        bits: u8,
        /// The first address.
        low: u128,
    },
}

/// A term and how often, of 1, it is there as long as nothing was observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Need {
    pub(super) term: Term,
    pub(super) usual: f64,
    /// What must be looked at to see it.
    pub(super) of: Of,
}

/// What a term is a term of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Of {
    /// A whole value of a field, folded.
    Value(Field),
    /// A word within a field.
    Word(Field),
    /// That a field has a value.
    Known(Field),
    /// A number.
    Number(Field),
    /// A property, by its place in [`Trait::ALL`].
    Trait(usize),
    /// The address.
    Net,
}

impl Of {
    /// The term of this text.
    pub(super) fn term(self, text: &str) -> Term {
        let mut hasher = DefaultHasher::new();
        (self, text).hash(&mut hasher);
        Term::Named(hasher.finish())
    }

    /// The term of this number.
    pub(super) fn number(self, number: u64) -> Term {
        let mut hasher = DefaultHasher::new();
        (self, number).hash(&mut hasher);
        Term::Named(hasher.finish())
    }

    fn need(self, text: &str, usual: f64) -> Need {
        Need { term: self.term(text), usual, of: self }
    }
}

/// Terms of which a service has at least one where the condition holds, and how often that is; none when nothing is
/// needed. `weigh` tells how often a term is there.
pub(super) fn needs(part: &Part, weigh: &dyn Fn(&Need) -> f64) -> Option<(Vec<Need>, f64)> {
    match part {
        Part::All(parts) => rarest(parts.iter().filter_map(|part| needs(part, weigh))),
        Part::Any(parts) => {
            let mut all = (Vec::new(), 0.0);
            for part in parts {
                let (terms, often) = needs(part, weigh)?;
                all.0.extend(terms);
                all.1 += often;
            }
            (all.0.len() <= MAX_NEEDS).then_some(all)
        }
        Part::Not(_) => None,
        Part::Check(field, check) => {
            let terms = of_check(*field, check, weigh)?;
            let often = terms.iter().map(weigh).sum();
            Some((terms, often))
        }
    }
}

/// The one that is there least often.
pub(super) fn rarest(all: impl Iterator<Item = (Vec<Need>, f64)>) -> Option<(Vec<Need>, f64)> {
    all.min_by(|(a_terms, a), (b_terms, b)| a.total_cmp(b).then(a_terms.len().cmp(&b_terms.len())))
}

fn of_check(field: Field, check: &Check, weigh: &dyn Fn(&Need) -> f64) -> Option<Vec<Need>> {
    let one = |need| Some(vec![need]);
    match check {
        Check::Addresses(low, high) => one(net(*low, *high)),
        Check::Numbers(low, high) if high - low < MAX_NUMBERS && field != Field::Confidence => {
            let of = Of::Number(field);
            Some((*low..=*high).map(|number| Need { term: of.number(number), usual: 0.01, of }).collect())
        }
        Check::Numbers(..) if field == Field::As => one(property(Trait::As)),
        Check::Whole(value) => one(Of::Value(field).need(value, usual(field))),
        Check::Phrase(words) => {
            let need = |word: &crate::query::words::Word| Of::Word(field).need(&word.text, usual_word(&word.text));
            words.iter().map(need).min_by(|a, b| weigh(a).total_cmp(&weigh(b))).map(|need| vec![need])
        }
        Check::WordLike(_) | Check::Like(_) | Check::Version(_) if field != Field::Text => one(known(field)),
        Check::Time(_) if field == Field::CertExpires => one(property(Trait::Certificate)),
        Check::Has(wanted) => match wanted {
            Trait::Tls | Trait::Certificate | Trait::As | Trait::Closed | Trait::Pseudo => one(property(*wanted)),
            other => Field::named(other.name()).map(|info| vec![known(info.field)]),
        },
        _ => None,
    }
}

fn known(field: Field) -> Need {
    Of::Known(field).need("", 0.5)
}

fn property(wanted: Trait) -> Need {
    let place = Trait::ALL.iter().position(|(each, _)| *each == wanted).unwrap_or_default();
    Of::Trait(place).need("", 0.3)
}

/// Addresses from here to there, which is a prefix.
pub(super) fn net(low: u128, high: u128) -> Need {
    let bits = u8::try_from((high ^ low).leading_zeros()).unwrap_or(0);
    // IPv4 addresses are few and often looked at; of IPv6 a site is as one address.
    let narrow = if low >> 32 == 0xffff { i32::from(bits) - 104 } else { (i32::from(bits) - 32) / 2 };
    Need { term: Term::Net { bits, low }, usual: 0.5_f64.powi(narrow.clamp(0, 40)), of: Of::Net }
}

fn usual(field: Field) -> f64 {
    match field {
        Field::HostKey | Field::Hassh => 0.000_1,
        Field::Protocol | Field::Kind => 0.1,
        Field::Country => 0.3,
        Field::Sensor | Field::Tlp | Field::Purpose | Field::Transport => 0.8,
        Field::Tls | Field::TlsVersion => 0.4,
        other if other.info().class == Class::Word => 0.02,
        _ => 0.01,
    }
}

fn usual_word(word: &str) -> f64 {
    match word.len() {
        0..=3 => 0.1,
        4..=6 => 0.03,
        _ => 0.01,
    }
}
