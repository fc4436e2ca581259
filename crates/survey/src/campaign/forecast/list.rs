//! The same for a list of targets: one pass over it, address by address, in its order.

use hinomi_model::address::{bounds, from_u128, to_u128};
use hinomi_model::scope::{Rule, Scope};
use hinomi_model::{ServiceKey, Timestamp, Transport};
use ipnet::IpNet;

use super::{Addresses, Forecast, MAX_NAMED, Packets, Spans, Sums, named, of_port, shift};
use crate::config::Config;
use crate::error::SurveyError;
use crate::six::Inside;
use crate::sweep::{List, SweepError};

/// Prefixes that are kept before the lighter ones are let go.
const KEPT: usize = 64 * MAX_NAMED;

impl Forecast {
    /// Reckons what a campaign over this list would do under this scope if it started now. Addresses of the list are
    /// named; those that the scope does not hold at all are counted nowhere.
    ///
    /// # Errors
    /// When nothing is left to probe.
    pub fn of_list(
        scope: &Scope,
        list: &List,
        opt_out: &[IpNet],
        config: &Config,
        now: Timestamp,
    ) -> Result<Self, SurveyError> {
        let mut count = Count { scope, config, opt_out: Spans::of(opt_out), ..Count::new(scope, config) };
        list.iter().for_each(|key| count.take(key));
        count.end_address();
        count.end_prefix();
        if count.targets == 0 {
            return Err(SweepError::Empty.into());
        }
        count.keep_heaviest(MAX_NAMED);
        let (addresses, targets, prefixes) = (count.addresses, count.targets, count.prefixes);
        let ports_refused = count.ports_refused.len();
        let base = Self::reckoned(scope, config, now, &count.sums, count.heaviest.into_iter());
        Ok(Self { addresses, targets, ports_refused, prefixes, ..base })
    }
}

/// What the pass has counted.
struct Count<'a> {
    scope: &'a Scope,
    inside: Inside,
    config: &'a Config,
    opt_out: Spans,
    addresses: Addresses,
    targets: u64,
    /// Ports of the list that the scope does not permit; at most all there are.
    ports_refused: std::collections::BTreeSet<(Transport, u16)>,
    prefixes: u64,
    sums: Sums,
    heaviest: Vec<(IpNet, u64, Packets)>,
    /// Its number, whether it may be probed, and packets to it.
    address: Option<(u128, bool, Packets)>,
    /// What it is, its addresses, and packets to it.
    prefix: Option<((bool, u128), u64, Packets)>,
}

impl<'a> Count<'a> {
    fn new(scope: &'a Scope, config: &'a Config) -> Self {
        let zero = Packets::default();
        Self {
            scope,
            inside: Inside::of(scope, &[]),
            config,
            opt_out: Spans::default(),
            addresses: Addresses::default(),
            targets: 0,
            ports_refused: std::collections::BTreeSet::new(),
            prefixes: 0,
            sums: Sums { total: zero, prefix: zero, host: zero },
            heaviest: Vec::new(),
            address: None,
            prefix: None,
        }
    }

    fn take(&mut self, key: ServiceKey) {
        let number = to_u128(key.address);
        if self.address.is_none_or(|(current, ..)| current != number) {
            self.end_address();
            let may = self.permits(number, key);
            self.address = Some((number, may, Packets::default()));
        }
        let Some((_, true, packets)) = &mut self.address else { return };
        match of_port(self.scope, (key.transport, key.port), self.config) {
            Some(one) => {
                *packets = packets.plus(one);
                self.targets += 1;
            }
            None => {
                self.ports_refused.insert((key.transport, key.port));
            }
        }
    }

    /// Counts an address and says whether it may be probed.
    fn permits(&mut self, number: u128, key: ServiceKey) -> bool {
        let addresses = &mut self.addresses;
        let opted_out = self.opt_out.hold(key.address.is_ipv6(), number);
        // Ranges one by one only where the reason is to be named.
        if !opted_out && self.inside.contains(key.address) {
            addresses.named += 1;
            addresses.left += 1;
            return true;
        }
        let rule = self.scope.permits_address(key.address, &[]).err();
        if !self.scope.ranges.iter().any(|range| range.contains(&key.address)) {
            return false;
        }
        addresses.named += 1;
        let place = match rule {
            _ if opted_out => &mut addresses.opted_out,
            Some(Rule::Excluded { .. }) => &mut addresses.excluded,
            Some(_) => &mut addresses.reserved,
            None => &mut addresses.left,
        };
        *place += 1;
        rule.is_none() && !opted_out
    }

    fn end_address(&mut self) {
        let Some((number, true, packets)) = self.address.take() else { return };
        let is_v6 = from_u128(number).is_ipv6();
        let prefix = (is_v6, number >> shift(is_v6));
        if self.prefix.is_none_or(|(current, ..)| current != prefix) {
            self.end_prefix();
            self.prefix = Some((prefix, 0, Packets::default()));
        }
        if let Some((_, addresses, sum)) = &mut self.prefix {
            *addresses += 1;
            *sum = sum.plus(packets);
        }
        self.sums.total = self.sums.total.plus(packets);
        self.sums.host = self.sums.host.max(packets);
    }

    fn end_prefix(&mut self) {
        let Some(((is_v6, prefix), addresses, packets)) = self.prefix.take() else { return };
        self.prefixes += 1;
        self.sums.prefix = self.sums.prefix.max(packets);
        self.heaviest.extend(named(is_v6, prefix).map(|name| (name, addresses, packets)));
        if self.heaviest.len() >= KEPT {
            self.keep_heaviest(MAX_NAMED);
        }
    }

    fn keep_heaviest(&mut self, many: usize) {
        self.heaviest.sort_by_key(|(prefix, _, packets)| (std::cmp::Reverse(packets.silent), bounds(*prefix)));
        self.heaviest.truncate(many);
    }
}

#[cfg(test)]
mod tests;
