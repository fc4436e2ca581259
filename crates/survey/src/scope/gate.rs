//! A scope compiled for line rate: may a frame to this address and port be sent?
//!
//! [`Gate`] answers in tens of nanoseconds what [`Scope::decide`] answers in microseconds, and says the same: it is made
//! from the scope by asking it once for each stretch of addresses on which no prefix begins or ends. It holds for the
//! opt-out list it was made with; hours and validity are asked apart, once a batch.

use std::net::IpAddr;

use hinomi_model::address::{bounds, from_u128, to_u128};
use hinomi_model::scope::{Probe, Scope, reserved_blocks};
use hinomi_model::{Timestamp, Transport};
use ipnet::IpNet;

/// What may be sent where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// First and last address of each permitted stretch of IPv4, sorted, disjoint.
    four: Vec<(u32, u32)>,
    /// The same for IPv6.
    six: Vec<(u128, u128)>,
    tcp: Ports,
    udp: Ports,
}

/// The stretches of addresses that a scope permits, opt-outs aside.
#[derive(Clone, Debug)]
pub(crate) struct Permitted(Vec<(u128, u128)>);

impl Permitted {
    pub(crate) fn of(scope: &Scope) -> Self {
        Self(permitted(scope))
    }

    /// First and last number of each stretch, sorted, with those who opted out taken out.
    pub(crate) fn without(&self, opt_out: &[IpNet]) -> Vec<(u128, u128)> {
        without(&self.0, opt_out)
    }
}

/// A set of ports as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ports(Vec<u64>);

impl Ports {
    fn of(ports: impl Iterator<Item = u16>) -> Self {
        let mut bits = vec![0; 1_024];
        for port in ports {
            if let Some(word) = bits.get_mut(usize::from(port >> 6)) {
                *word |= 1 << (port & 63);
            }
        }
        Self(bits)
    }

    fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port >> 6)).is_some_and(|word| word >> (port & 63) & 1 == 1)
    }
}

impl Gate {
    /// Compiles a scope with the list of those who asked not to be probed.
    pub fn new(scope: &Scope, opt_out: &[IpNet]) -> Self {
        Self::within(&Permitted::of(scope), scope, opt_out)
    }

    /// The same, where what the scope permits was worked out before.
    pub(crate) fn within(permitted: &Permitted, scope: &Scope, opt_out: &[IpNet]) -> Self {
        let connect = scope.probes.contains(&Probe::Connect);
        let stretches = without(&permitted.0, opt_out);
        let (mut four, mut six) = (Vec::new(), Vec::new());
        for (first, last) in stretches {
            match (from_u128(first), from_u128(last)) {
                (IpAddr::V4(first), IpAddr::V4(last)) => four.push((u32::from(first), u32::from(last))),
                _ => six.push((first, last)),
            }
        }
        let tcp = if connect { Ports::of(scope.tcp.iter()) } else { Ports::of(std::iter::empty()) };
        Self { four, six, tcp, udp: Ports::of(scope.udp.iter()) }
    }

    /// Whether a frame may go there. For UDP the probe it carries must be asked for apart.
    #[inline]
    pub fn permits(&self, address: IpAddr, transport: Transport, port: u16) -> bool {
        let ports = match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        };
        ports.contains(port)
            && match address {
                IpAddr::V4(four) => within(&self.four, u32::from(four)),
                IpAddr::V6(_) => match from_u128(to_u128(address)) {
                    IpAddr::V4(mapped) => within(&self.four, u32::from(mapped)),
                    IpAddr::V6(six) => within(&self.six, u128::from(six)),
                },
            }
    }
}

/// Whether the scope permits anything at all at this moment.
pub(crate) fn is_open(scope: &Scope, now: Timestamp) -> bool {
    now >= scope.valid_from && now < scope.valid_until && scope.hours.contains(now)
}

fn within<T: Ord + Copy>(stretches: &[(T, T)], address: T) -> bool {
    let after = stretches.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|at| stretches.get(at)).is_some_and(|(_, last)| address <= *last)
}

/// The stretches that the scope permits, opt-outs aside.
fn permitted(scope: &Scope) -> Vec<(u128, u128)> {
    let ranges: Vec<(u128, u128)> = merged(scope.ranges.iter().copied());
    let prefixes = scope.ranges.iter().chain(&scope.exclude).copied().chain(reserved_blocks());
    let mut edges: Vec<u128> = prefixes.map(bounds).chain([FOUR]).flat_map(edges).collect();
    edges.sort_unstable();
    edges.dedup();
    let mut stretches: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        let from = edges.partition_point(|edge| *edge <= first);
        let inside = edges.iter().skip(from).copied().take_while(|edge| *edge <= last);
        let starts: Vec<u128> = std::iter::once(first).chain(inside).collect();
        for (at, start) in starts.iter().enumerate() {
            let end = starts.get(at + 1).map_or(last, |next| next - 1);
            if scope.permits_address(from_u128(*start), &[]).is_ok() {
                append(&mut stretches, (*start, end));
            }
        }
    }
    stretches
}

/// The numbers of IPv4 addresses. No prefix of IPv6 speaks of them, though it may span their numbers.
const FOUR: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

const fn is_four(number: u128) -> bool {
    FOUR.0 <= number && number <= FOUR.1
}

/// Where something may change: at the first address, and behind the last.
fn edges((first, last): (u128, u128)) -> impl Iterator<Item = u128> {
    [Some(first), last.checked_add(1)].into_iter().flatten()
}

/// Adds a stretch behind the others, joined to the last where they touch. IPv4 and IPv6 never are.
fn append(stretches: &mut Vec<(u128, u128)>, next: (u128, u128)) {
    match stretches.last_mut() {
        Some((first, last)) if last.checked_add(1) == Some(next.0) && is_four(*first) == is_four(next.0) => {
            *last = next.1
        }
        _ => stretches.push(next),
    }
}

fn merged(prefixes: impl Iterator<Item = IpNet>) -> Vec<(u128, u128)> {
    let mut spans: Vec<(u128, u128)> = prefixes.map(bounds).collect();
    spans.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in spans {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = (*end).max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Takes the opt-outs out.
fn without(stretches: &[(u128, u128)], opt_out: &[IpNet]) -> Vec<(u128, u128)> {
    let of_family = |four: bool| merged(opt_out.iter().copied().filter(|prefix| prefix.addr().is_ipv4() == four));
    let (holes4, holes6) = (of_family(true), of_family(false));
    let mut left = Vec::new();
    for (first, last) in stretches.iter().copied() {
        let holes = if is_four(first) { &holes4 } else { &holes6 };
        let mut from = Some(first);
        let start = holes.partition_point(|(_, end)| *end < first);
        for (hole, end) in holes.iter().skip(start).take_while(|(hole, _)| *hole <= last) {
            if let Some(begin) = from.filter(|begin| begin < hole) {
                left.push((begin, hole - 1));
            }
            from = end.checked_add(1).filter(|next| *next <= last);
        }
        if let Some(begin) = from.filter(|begin| *begin <= last) {
            left.push((begin, last));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::tests::scope_of;
    use hinomi_model::scope::{Request, Verdict};
    use proptest::prelude::*;

    /// Few bits, so that prefixes meet, contain and touch one another, at the edges of reserved blocks too.
    fn address() -> impl Strategy<Value = IpAddr> {
        let four = (prop::sample::select(vec![9_u8, 10, 11, 126, 127, 128, 223]), 0..4_u8, 0..4_u8, 0..4_u8)
            .prop_map(|(a, b, c, d)| IpAddr::from([a, b, c, d]));
        let six = (prop::sample::select(vec![0x2001_u16, 0x2400, 0xfc00]), 0..3_u16, 0..3_u16)
            .prop_map(|(a, b, h)| IpAddr::from([a, b, 0, 0, 0, 0, 0, h]));
        prop_oneof![3 => four, 1 => six]
    }

    fn prefix() -> impl Strategy<Value = IpNet> {
        (address(), 0.0..1.0_f64).prop_map(|(address, share)| {
            let longest: u8 = if address.is_ipv4() { 32 } else { 128 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a random length")]
            let length = (f64::from(longest) * (1.0 - share * share)) as u8;
            IpNet::new(address, length).expect("a prefix").trunc()
        })
    }

    #[test]
    fn a_prefix_of_ipv6_says_nothing_of_ipv4() {
        let prefix = |text: &str| text.parse::<IpNet>().expect("a prefix");
        let gate = Gate::new(&scope_of(vec![prefix("9.0.0.0/10"), prefix("2001::/16")], vec![]), &[prefix("::/2")]);
        assert!(gate.permits("9.1.1.1".parse().expect("an address"), Transport::Tcp, 80));
        assert!(!gate.permits("2001:4::1".parse().expect("an address"), Transport::Tcp, 80));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn says_what_the_scope_says(
            ranges in proptest::collection::vec(prefix(), 1..6),
            exclude in proptest::collection::vec(prefix(), 0..4),
            opt_out in proptest::collection::vec(prefix(), 0..4),
            asked in proptest::collection::vec((address(), 79..82_u16, any::<bool>()), 1..60),
        ) {
            let scope = scope_of(ranges, exclude);
            let gate = Gate::new(&scope, &opt_out);
            for (address, port, tcp) in asked {
                let transport = if tcp { Transport::Tcp } else { Transport::Udp };
                let request = Request { address, port, transport, probe: Probe::Connect, time: scope.valid_from };
                let allowed = matches!(scope.decide(&request, &opt_out), Verdict::Allowed { .. });
                prop_assert_eq!(gate.permits(address, transport, port), allowed, "{}:{}", address, port);
            }
        }
    }
}
