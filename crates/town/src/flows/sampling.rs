//! A router that looks at one of so many packets, and what is left of a flow then.
//!
//! Which packets those are is drawn from the flow itself and the town's seed: the same flow is thinned the same way
//! wherever a span begins. Systematic sampling over packets of many flows takes of each flow as independent draws do.
//! A flow of which no packet was looked at is not told; of a direction of which none was, nothing is known. What is told
//! are the sampled counts, as routers tell them: whoever wants the whole reads the option about sampling and multiplies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hinomi_model::Timestamp;

use super::dice::Dice;
use super::session::{Amount, FIN, Flow, PSH_ACK, RST, SYN};

/// One of so many, at most: more than routers offer.
const MOST: u32 = 1_000_000;
/// Up to so many packets are drawn one by one.
const FEW: u64 = 512;

/// One of how many packets a router looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling(u32);

impl Sampling {
    /// Every packet.
    pub const ALL: Self = Self(1);

    /// One of so many; none where that is no or too large a number.
    pub fn one_of(packets: u32) -> Option<Self> {
        (1..=MOST).contains(&packets).then_some(Self(packets))
    }

    /// So many packets for each that is looked at.
    pub const fn packets(self) -> u32 {
        self.0
    }

    /// What is left of a flow; none where no packet of it was looked at.
    pub(super) fn left(self, seed: u64, flow: &Flow) -> Option<Flow> {
        if self.0 == 1 {
            return Some(*flow);
        }
        let mut dice = Dice::of(&words(seed, self.0, flow));
        let forward = self.thin(flow.forward, &mut dice);
        let reverse = flow.reverse.map(|reverse| self.thin(reverse, &mut dice).unwrap_or_default());
        let seen = forward.map_or(0, |amount| amount.packets) + reverse.map_or(0, |amount| amount.packets);
        let (start, end) = between(flow, seen, &mut dice);
        let base = Flow { reverse, start, end, ..*flow };
        match (forward, reverse) {
            (Some(forward), _) => Some(Flow { forward, ..base }),
            // Who was met answers somebody unseen: to the router it is the one who began.
            (None, Some(back)) if back.packets > 0 => Some(Flow {
                source: flow.destination,
                destination: flow.source,
                source_port: flow.destination_port,
                destination_port: flow.source_port,
                forward: back,
                reverse: Some(Amount::default()),
                ..base
            }),
            _ => None,
        }
    }

    fn thin(self, whole: Amount, dice: &mut Dice) -> Option<Amount> {
        let packets = self.of(whole.packets, dice);
        if packets == 0 {
            return None;
        }
        let share = packets as f64 / whole.packets as f64;
        // SYN is in the first packet, FIN or RST in the last, the rest in all between.
        let mut tcp_flags = whole.tcp_flags & PSH_ACK;
        for edge in [SYN, FIN | RST] {
            tcp_flags |= if dice.chance(share) { whole.tcp_flags & edge } else { 0 };
        }
        Some(Amount { packets, bytes: whole.bytes / whole.packets.max(1) * packets, tcp_flags })
    }

    /// How many of so many packets are looked at.
    fn of(self, packets: u64, dice: &mut Dice) -> u64 {
        let chance = 1.0 / f64::from(self.0);
        if packets <= FEW {
            return (0..packets).filter(|_| dice.chance(chance)).count() as u64;
        }
        let mean = packets as f64 * chance;
        if mean < 30.0 {
            return u64::from(dice.poisson(mean)).min(packets);
        }
        // Twelve uniform draws are nearly normal.
        let normal = (0..12).map(|_| dice.unit()).sum::<f64>() - 6.0;
        ((mean + normal * (mean * (1.0 - chance)).sqrt()).max(0.0) as u64).min(packets)
    }
}

/// What a flow is, as words to draw from.
fn words(seed: u64, one_of: u32, flow: &Flow) -> [u64; 8] {
    let address = |address: IpAddr| match address {
        IpAddr::V4(four) => u64::from(four.to_bits()),
        IpAddr::V6(six) => (six.to_bits() >> 64) as u64 ^ (six.to_bits() as u64).rotate_left(17),
    };
    let ports = u64::from(flow.source_port) << 24 | u64::from(flow.destination_port) << 8 | u64::from(flow.protocol);
    let time = |time: Timestamp| time.as_micros().unsigned_abs();
    let ends = [address(flow.source), address(flow.destination)];
    [seed, super::word("sampling"), u64::from(one_of), ends[0], ends[1], ports, time(flow.start), time(flow.end)]
}

/// Times of the first and the last packet looked at.
fn between(flow: &Flow, packets: u64, dice: &mut Dice) -> (Timestamp, Timestamp) {
    let length = flow.end.since(flow.start);
    let draws = (0..packets.clamp(1, 16)).map(|_| dice.unit());
    let (low, high) = draws.fold((1.0_f64, 0.0_f64), |(low, high), draw| (low.min(draw), high.max(draw)));
    let at = |share: f64| {
        let moment = flow.start.plus(length.mul_f64(share)).as_micros();
        // To the millisecond, as flow records tell it.
        Timestamp::from_micros(moment - moment.rem_euclid(1_000))
    };
    (at(low).max(flow.start), at(high).max(flow.start))
}

impl fmt::Display for Sampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1:{}", self.0)
    }
}

impl FromStr for Sampling {
    type Err = String;

    /// As `1:256`.
    fn from_str(text: &str) -> Result<Self, String> {
        let packets = text.strip_prefix("1:").and_then(|packets| packets.parse().ok());
        packets.and_then(Self::one_of).ok_or_else(|| format!("{text:?} is no sampling like 1:256 (1:1 to 1:{MOST})"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::WHOLE;
    use super::*;

    fn flow(packets: u64, number: u16) -> Flow {
        let start: Timestamp = "2026-11-20T03:00:00Z".parse().expect("a time");
        Flow {
            source: [100, 64, 0, 1].into(),
            destination: [203, 0, 113, 1].into(),
            source_port: number,
            destination_port: 443,
            protocol: 6,
            forward: Amount { packets, bytes: packets * 100, tcp_flags: WHOLE },
            reverse: Some(Amount { packets, bytes: packets * 500, tcp_flags: WHOLE }),
            start,
            end: start.plus(std::time::Duration::from_secs(60)),
        }
    }

    #[test]
    fn every_packet_is_the_flow_itself() {
        let whole = flow(20, 1);
        assert_eq!(Sampling::ALL.left(7, &whole), Some(whole));
    }

    #[test]
    fn counts_scaled_up_are_the_whole_on_average_and_draws_belong_to_the_flow() {
        for (packets, one_of) in [(3, 16), (40, 16), (2_000, 256), (100_000, 64)] {
            let sampling = Sampling::one_of(one_of).expect("a sampling");
            let left: Vec<Flow> = (0..4_000).filter_map(|number| sampling.left(7, &flow(packets, number))).collect();
            let seen: u64 =
                left.iter().map(|left| left.forward.packets + left.reverse.map_or(0, |back| back.packets)).sum();
            let scaled = seen as f64 * f64::from(one_of) / (8_000 * packets) as f64;
            assert!((scaled - 1.0).abs() < 0.05, "{packets} packets, 1:{one_of}: {scaled}");
            assert!(left.iter().all(|left| left.forward.packets > 0 && left.start <= left.end));
            assert!(left.iter().all(|left| left.forward.bytes <= left.forward.packets * 500));
            let again = (0..4_000).filter_map(|number| sampling.left(7, &flow(packets, number)));
            assert!(again.eq(left.iter().copied()) && sampling.left(8, &flow(40, 1)) != sampling.left(7, &flow(40, 1)));
        }
    }

    #[test]
    fn texts_are_one_of_so_many() {
        assert_eq!("1:256".parse(), Ok(Sampling(256)));
        assert_eq!(Sampling(256).to_string(), "1:256");
        for wrong in ["", "256", "1:0", "1:", "2:256", "1:1000001", "1:-4"] {
            assert!(wrong.parse::<Sampling>().is_err(), "{wrong}");
        }
    }
}
