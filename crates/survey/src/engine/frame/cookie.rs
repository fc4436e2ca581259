//! What makes an answer ours, without remembering what was asked.
//!
//! The sequence number of a probe is the low half of its position, hidden under a keyed hash of whom it goes to. An
//! answer acknowledges that number, so it tells the position back, and the position tells whom was asked: an answer
//! counts when that is who answers. Who does not know the key can only guess, one chance in 2^32 a packet, and the port
//! must be right besides. SipHash-1-3 (Aumasson and Bernstein, 2012) with a key of this run.
//!
//! A question over UDP has no room for a position: it carries another such hash where its protocol has a number of its
//! own ([`crate::grab`], `marks`), and eight bits more in the source port. Errors that quote it carry sixteen bits (IPv4's
//! identification) or twenty (IPv6's flow label) besides the port. The position is found again from who answered
//! ([`crate::campaign::Leg::position_of`]).

use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// Source ports of one pass.
pub(super) const PORTS_A_PASS: u16 = 8;

/// The same for questions over UDP.
const UDP_PORTS_A_PASS: u16 = 256;

/// What the hash of a question is taken over besides the pass: what it carries, and where it comes from.
const CARRIED: u16 = 0x8000;
const OUTSIDE: u16 = 0xc000;

/// See the module.
pub(super) struct Cookie {
    hasher: SipHasher13,
    first_port: u16,
    first_udp_port: u16,
    passes: u16,
}

/// What is put on a question over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) source_port: u16,
    /// For the protocol's own number.
    pub(super) mark: [u8; 8],
    /// For the header of IP: the identification in the low sixteen bits, or the flow label.
    pub(super) label: u32,
}

/// Bits of a flow label.
const LABEL: u32 = 0x000f_ffff;

/// What is put on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) source_port: u16,
    pub(super) sequence: u32,
}

impl Cookie {
    /// For source ports from the first ones on, of TCP and of UDP; besides the passes there is one for probes that are no
    /// part of the walk.
    pub(super) fn new(key: [u64; 2], (first_port, first_udp_port): (u16, u16), passes: u16) -> Self {
        let [first, second] = key;
        Self { hasher: SipHasher13::new_with_keys(first, second), first_port, first_udp_port, passes: passes + 1 }
    }

    /// How many source ports are needed for so many passes.
    pub(super) const fn ports(passes: u16) -> u16 {
        (passes + 1) * PORTS_A_PASS
    }

    /// The same for questions over UDP.
    pub(super) const fn udp_ports(passes: u16) -> u16 {
        (passes + 1) * UDP_PORTS_A_PASS
    }

    /// What is put on a question to a UDP port of an address, in a pass.
    pub(super) fn asking(&self, address: IpAddr, port: u16, pass: u16) -> Asking {
        let mark = self.hash(address, port, pass | CARRIED).to_le_bytes();
        let [a, b, c, d, e, f, ..] = self.hash(address, port, pass | OUTSIDE).to_le_bytes();
        let offset = pass * UDP_PORTS_A_PASS + u16::from_le_bytes([e, f]) % UDP_PORTS_A_PASS;
        let label = u32::from_le_bytes([a, b, c, d]) & LABEL;
        Asking { source_port: self.first_udp_port.wrapping_add(offset), mark, label }
    }

    /// The pass whose question this source port asked, and what was on it; none when it asked nothing there.
    pub(super) fn asked(&self, address: IpAddr, port: u16, source_port: u16) -> Option<(u16, Asking)> {
        let pass = source_port.checked_sub(self.first_udp_port)? / UDP_PORTS_A_PASS;
        if pass >= self.passes {
            return None;
        }
        let asking = self.asking(address, port, pass);
        (asking.source_port == source_port).then_some((pass, asking))
    }

    /// The mark of a probe to a port of an address, in a pass, that is to tell `number` back.
    #[inline]
    pub(super) fn mark(&self, address: IpAddr, port: u16, pass: u16, number: u32) -> Mark {
        let hash = self.hash(address, port, pass);
        let [a, b, c, d, e, f, ..] = hash.to_le_bytes();
        let offset = pass * PORTS_A_PASS + u16::from_le_bytes([e, f]) % PORTS_A_PASS;
        Mark { source_port: self.first_port.wrapping_add(offset), sequence: u32::from_le_bytes([a, b, c, d]) ^ number }
    }

    /// The pass and the number that an answer tells back, when it went to the right port.
    pub(super) fn read(&self, address: IpAddr, port: u16, source_port: u16, sequence: u32) -> Option<(u16, u32)> {
        let pass = source_port.checked_sub(self.first_port)? / PORTS_A_PASS;
        let expected = self.mark(address, port, pass, 0);
        (pass < self.passes && expected.source_port == source_port).then_some((pass, expected.sequence ^ sequence))
    }

    fn hash(&self, address: IpAddr, port: u16, pass: u16) -> u64 {
        match address {
            IpAddr::V4(four) => {
                let name = u64::from(u32::from(four)) << 32 | u64::from(port) << 16 | u64::from(pass);
                self.hasher.hash(&name.to_le_bytes())
            }
            IpAddr::V6(six) => {
                let mut name = [0; 20];
                let (host, rest) = name.split_at_mut(16);
                host.copy_from_slice(&six.octets());
                rest.copy_from_slice(&(u32::from(port) << 16 | u32::from(pass)).to_le_bytes());
                self.hasher.hash(&name)
            }
        }
    }
}

/// The position that an answer speaks of: the last one before `sent` whose low half is `number`.
pub(super) fn position(number: u32, sent: u64) -> Option<u64> {
    let last = sent.checked_sub(1)?;
    let near = last & !u64::from(u32::MAX) | u64::from(number);
    if near <= last { Some(near) } else { near.checked_sub(1 << 32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_answer_tells_the_position_back(bits: u128, four: bool, port: u16, pass in 0u16..3, sent in 1u64..1 << 45, back in 0u64..1 << 32) {
            let address: IpAddr = match four {
                true => IpAddr::from(u32::try_from(bits & 0xffff_ffff).expect("32 bits").to_be_bytes()),
                false => IpAddr::from(bits.to_be_bytes()),
            };
            let cookie = Cookie::new([1, 2], (40_000, 50_000), 2);
            let asked = (sent - 1).saturating_sub(back);
            let low = u32::try_from(asked & 0xffff_ffff).expect("32 bits");
            let mark = cookie.mark(address, port, pass, low);
            prop_assert!((40_000..40_000 + Cookie::ports(2)).contains(&mark.source_port));
            let told = cookie.read(address, port, mark.source_port, mark.sequence);
            prop_assert_eq!(told, Some((pass, low)));
            prop_assert_eq!(position(low, sent), Some(asked));
        }

        #[test]
        fn the_port_of_a_question_tells_its_pass_and_few_others_do(address: [u8; 4], port: u16, pass in 0u16..3, other: u16) {
            let (cookie, address) = (Cookie::new([1, 2], (40_000, 50_000), 2), IpAddr::from(address));
            let asking = cookie.asking(address, port, pass);
            prop_assert!((50_000..50_000 + Cookie::udp_ports(2)).contains(&asking.source_port));
            prop_assert_eq!(cookie.asked(address, port, asking.source_port), Some((pass, asking)));
            let told = cookie.asked(address, port, other);
            let is_one = (0..3).any(|pass| cookie.asking(address, port, pass).source_port == other);
            prop_assert_eq!(told.is_some(), is_one);
        }

        #[test]
        fn who_does_not_know_the_key_tells_nothing_of_use(address: [u8; 4], source_port: u16, sequence: u32) {
            let cookie = Cookie::new([1, 2], (40_000, 50_000), 2);
            if let Some((_, number)) = cookie.read(IpAddr::from(address), 80, source_port, sequence) {
                // A position of a job of some thousand targets is told by chance once in a million.
                prop_assert!(position(number, 4_096).is_none_or(|at| at < 4_096));
            }
        }
    }
}
