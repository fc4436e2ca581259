//! Which addresses campaigns over whole ranges asked at a port, all of them together: each address once.

use std::collections::HashMap;

use super::super::asked::Asked;
use super::super::code;
use super::super::ground::Ground;
use crate::campaign::forecast::Spans;

/// Sets of addresses that are kept; of further ones the ports count as asked everywhere.
const MAX_SETS: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Surveyed {
    sets: Vec<Spans>,
    /// The set of each port of the ground that was asked.
    by_port: HashMap<u32, usize>,
}

impl Surveyed {
    /// What these campaigns asked of this ground's ports.
    pub(in super::super) fn new(asked: &[Asked], ground: &Ground) -> Self {
        let whole: Vec<(&Asked, &Spans)> =
            asked.iter().filter_map(|asked| Some((asked, asked.addresses()?))).take(u64::BITS as usize).collect();
        let (mut all, mut numbers) = (Self::default(), HashMap::new());
        for port in ground.ports().map(code) {
            // Ports that the same campaigns asked share a set.
            let who = whole.iter().map(|(asked, _)| asked.has_port(port));
            let mask = who.enumerate().fold(0_u64, |mask, (place, has)| mask | u64::from(has) << place);
            if mask == 0 || numbers.len() >= MAX_SETS && !numbers.contains_key(&mask) {
                continue;
            }
            let number = *numbers.entry(mask).or_insert_with(|| {
                let of = whole.iter().enumerate().filter(|(place, _)| mask >> place & 1 == 1);
                all.sets.push(of.fold(Spans::default(), |sum, (_, (_, addresses))| sum.with(addresses)));
                all.sets.len() - 1
            });
            all.by_port.insert(port, number);
        }
        all
    }

    /// How many addresses of IPv4 from one number to before another were asked at a port.
    pub(in super::super) fn addresses_in(&self, port: u32, from: u128, to: u128) -> u64 {
        let set = self.by_port.get(&port).and_then(|number| self.sets.get(*number));
        set.map_or(0, |set| set.count_in(false, from, to))
    }
}
