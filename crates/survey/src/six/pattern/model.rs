//! What follows which digits. See the module above.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use super::USUAL;

/// Digits of an address.
pub(super) const DIGITS: usize = 32;

/// Digits of the network; the others are the ending.
pub(super) const NETWORK_DIGITS: usize = 16;

/// Weight of all usual endings together, as a share of what is known, and besides.
const USUAL_SHARE: f64 = 0.1;
const USUAL_WEIGHT: f64 = 4.0;

/// Weight of an IPv4 address as an ending, in each way of writing it.
const FOUR_WEIGHT: f64 = 0.05;

/// The most addresses of IPv4 that are learnt as endings.
const MAX_FOUR: usize = 65_536;

/// The chance of each next digit.
pub(super) type Chances = [f64; 16];

/// What was learnt. Memory: 32 bytes an address.
pub struct Model {
    /// Sorted, each once.
    pub(super) known: Vec<u128>,
    /// Endings, sorted.
    pub(super) endings: Vec<u64>,
    /// The weight of all endings before each.
    weights: Vec<f64>,
    /// At each place after each two digits.
    after_two: Vec<Chances>,
    /// At each place.
    at: Vec<Chances>,
}

impl Model {
    /// Learns from these addresses; those of IPv4 may be endings too.
    pub fn learn(known: impl IntoIterator<Item = IpAddr>) -> Self {
        let (mut six, mut endings) = (Vec::new(), Vec::new());
        let mut four = 0;
        for address in known {
            match address.to_canonical() {
                IpAddr::V6(address) => six.push(u128::from(address)),
                IpAddr::V4(address) if four < MAX_FOUR => {
                    four += 1;
                    endings.push((u64::from(u32::from(address)), FOUR_WEIGHT));
                    endings.push((written_out(address.octets()), FOUR_WEIGHT));
                }
                IpAddr::V4(_) => {}
            }
        }
        six.sort_unstable();
        six.dedup();
        endings.extend(six.iter().map(|address| (ending(*address), 1.0)));
        endings.extend(usual(six.len()));
        endings.sort_unstable_by_key(|(ending, _)| *ending);
        let (after_two, at) = (vec![[0.0; 16]; DIGITS * 256], vec![[0.0; 16]; DIGITS]);
        let mut model = Self { known: Vec::new(), endings: Vec::new(), weights: vec![0.0], after_two, at };
        model.count(six, &endings);
        model
    }

    fn count(&mut self, known: Vec<u128>, endings: &[(u64, f64)]) {
        for address in &known {
            (0..NETWORK_DIGITS).for_each(|place| self.note(*address, place, 1.0));
        }
        let mut before = 0.0;
        for (ending, weight) in endings {
            (NETWORK_DIGITS..DIGITS).for_each(|place| self.note(u128::from(*ending), place, *weight));
            before += weight;
            self.weights.push(before);
        }
        self.endings = endings.iter().map(|(ending, _)| *ending).collect();
        self.known = known;
    }

    /// The weight of a part of the endings.
    pub(super) fn weight(&self, part: &Range<usize>) -> f64 {
        let before = |at: usize| self.weights.get(at).copied().unwrap_or_default();
        before(part.end) - before(part.start)
    }

    fn note(&mut self, address: u128, place: usize, weight: f64) {
        let digit = digit(address, place);
        let tables = [self.after_two.get_mut(place * 256 + before(address, place)), self.at.get_mut(place)];
        for cell in tables.into_iter().flatten().filter_map(|table| table.get_mut(digit)) {
            *cell += weight;
        }
    }

    /// Whether nothing was learnt of IPv6.
    pub const fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether the address was learnt.
    pub fn knows(&self, address: Ipv6Addr) -> bool {
        self.known.binary_search(&u128::from(address)).is_ok()
    }

    /// The chance of each digit at a place, after the digits of `begun` before it. `exact` counts what followed in the
    /// known addresses, `of_endings` what followed in endings.
    pub(super) fn chances(&self, begun: u128, place: usize, exact: &Chances, of_endings: Option<&Chances>) -> Chances {
        let mut chances = [1.0 / 16.0; 16];
        let tables =
            [self.at.get(place), self.after_two.get(place * 256 + before(begun, place)), of_endings, Some(exact)];
        for counts in tables.into_iter().flatten() {
            blend(&mut chances, counts);
        }
        chances
    }
}

/// Witten and Bell: what was seen, and beside it what one would expect otherwise, with the weight of as many surprises
/// as there were.
fn blend(chances: &mut Chances, counts: &Chances) {
    let seen: f64 = counts.iter().sum();
    let surprises: f64 = counts.iter().map(|count| count.min(1.0)).sum();
    if seen <= 0.0 {
        return;
    }
    for (chance, count) in chances.iter_mut().zip(counts) {
        *chance = (count + surprises * *chance) / (seen + surprises);
    }
}

/// The digit at a place, counted from the front.
pub(super) const fn digit(address: u128, place: usize) -> usize {
    (address >> (124 - 4 * place)) as usize & 0xf
}

/// The two digits before a place as one number; an ending begins anew.
const fn before(address: u128, place: usize) -> usize {
    match place {
        0 | NETWORK_DIGITS => 0,
        1 => digit(address, 0),
        _ if place == NETWORK_DIGITS + 1 => digit(address, NETWORK_DIGITS),
        _ => digit(address, place - 2) << 4 | digit(address, place - 1),
    }
}

/// The last 64 bits.
pub(super) const fn ending(address: u128) -> u64 {
    (address & u64::MAX as u128) as u64
}

/// 192.0.2.10 as `192:0:2:10`, digits for digits.
fn written_out(octets: [u8; 4]) -> u64 {
    octets.into_iter().fold(0, |all, octet| {
        let (hundreds, tens, ones) = (octet / 100, octet / 10 % 10, octet % 10);
        all << 16 | u64::from(hundreds) << 8 | u64::from(tens) << 4 | u64::from(ones)
    })
}

/// Usual endings, the better the heavier.
fn usual(known: usize) -> impl Iterator<Item = (u64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "a weight")]
    let whole = USUAL_WEIGHT + known as f64 * USUAL_SHARE;
    let rank = |position: u32| 1.0 / f64::from(position + 2);
    let all: f64 = (0..).zip(USUAL).map(|(position, _)| rank(position)).sum();
    (0..).zip(USUAL).map(move |(position, ending)| (ending, whole * rank(position) / all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_from_the_front() {
        let address = u128::from("fd00:a:0:7::12ab".parse::<Ipv6Addr>().expect("an address"));
        assert_eq!([0, 1, 7, 15, 16, 28, 31].map(|place| digit(address, place)), [0xf, 0xd, 0xa, 7, 0, 1, 0xb]);
        assert_eq!([0, 1, 2, 16, 17, 31].map(|place| before(address, place)), [0, 0xf, 0xfd, 0, 0, 0x2a]);
        assert_eq!(ending(address), 0x12ab);
        assert_eq!(written_out([192, 0, 2, 10]), 0x0192_0000_0002_0010);
    }

    #[test]
    fn chances_are_chances_and_what_was_seen_is_likelier() {
        let model = Model::learn((1..=9).map(|low| IpAddr::V6((0xfd00_u128 << 112 | low).into())));
        let (exact, none) =
            ([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 16]);
        for (counts, of_endings) in [(&exact, None), (&none, Some(&exact)), (&none, None)] {
            let chances = model.chances(0xfd00 << 112, 31, counts, of_endings);
            assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(chances.iter().all(|chance| *chance > 0.0), "nothing is impossible");
            assert!(chances[5] > chances[12] * 1.5, "{chances:?}");
        }
    }
}
