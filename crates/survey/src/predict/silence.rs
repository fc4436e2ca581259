//! What silence at one port says of another.
//!
//! Where `b` is open, `a` is open with chance `P(a|b)`; here `a` was likely with chance `p`. That `a` was silent changes
//! the chance of `b` by the factor `(1 - P(a|b)) / (1 - p)`: Bayes' rule. Of several silences the one that says most
//! against `b` counts, for they speak of the same device. Silence never makes anything likelier here.

use std::collections::HashMap;
use std::net::IpAddr;

use super::asked::Asked;
use super::model::{Because, Model};

/// The most silences of one host that are weighed.
const MAX_SILENT: usize = 64;

/// The most ports whose companions are remembered.
const MAX_REMEMBERED: usize = 8_192;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// What else is open where a port is, and how often.
    beside: HashMap<u32, HashMap<u32, f64>>,
}

impl Silence {
    /// By how much these silences make a port less likely.
    pub(super) fn factor(&mut self, model: &Model, port: u32, silent: &[(u32, f64)]) -> f64 {
        if silent.is_empty() {
            return 1.0;
        }
        if self.beside.len() >= MAX_REMEMBERED && !self.beside.contains_key(&port) {
            self.beside.clear();
        }
        let beside = self.beside.entry(port).or_insert_with(|| {
            let feature = model.feature(&Because::Port(port), port.into());
            model.rates(feature).map(|(other, hits, of)| (other, model.at_host(other, hits, of))).collect()
        });
        let each = silent.iter().map(|(other, likely)| {
            let both = beside.get(other).copied().unwrap_or(0.0);
            (1.0 - both) / (1.0 - likely).max(0.01)
        });
        each.fold(1.0, f64::min)
    }
}

/// The ports at which lists asked this address in vain, each with how likely it was.
pub(super) fn at(lately: &[&Asked], address: IpAddr, open: &[u32], likely: impl Fn(u32) -> f64) -> Vec<(u32, f64)> {
    let asked = lately.iter().flat_map(|asked| asked.listed_at(address));
    let silent = asked.filter(|port| !open.contains(port)).map(|port| (port, likely(port)));
    silent.filter(|(_, likely)| *likely > 0.0).take(MAX_SILENT).collect()
}
