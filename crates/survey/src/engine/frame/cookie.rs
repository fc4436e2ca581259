//! What makes an answer ours, without remembering what was asked.
//!
//! The sequence number of a probe is the low half of its position, hidden under a keyed hash of whom it goes to. An
//! answer acknowledges that number, so it tells the position back, and the position tells whom was asked: an answer
//! counts when that is who answers. Who does not know the key can only guess, one chance in 2^32 a packet, and the port
//! must be right besides. SipHash-1-3 (Aumasson and Bernstein, 2012) with a key of this run.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// Source ports of one pass.
pub(super) const PORTS_A_PASS: u16 = 8;

/// See the module.
pub(super) struct Cookie {
    hasher: SipHasher13,
    first_port: u16,
    passes: u16,
}

/// What is put on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) source_port: u16,
    pub(super) sequence: u32,
}

impl Cookie {
    /// For source ports from `first_port` on; besides the passes there is one for probes that are no part of the walk.
    pub(super) fn new(key: [u64; 2], first_port: u16, passes: u16) -> Self {
        let [first, second] = key;
        Self { hasher: SipHasher13::new_with_keys(first, second), first_port, passes: passes + 1 }
    }

    /// How many source ports are needed for so many passes.
    pub(super) const fn ports(passes: u16) -> u16 {
        (passes + 1) * PORTS_A_PASS
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
            let cookie = Cookie::new([1, 2], 40_000, 2);
            let asked = (sent - 1).saturating_sub(back);
            let low = u32::try_from(asked & 0xffff_ffff).expect("32 bits");
            let mark = cookie.mark(address, port, pass, low);
            prop_assert!((40_000..40_000 + Cookie::ports(2)).contains(&mark.source_port));
            let told = cookie.read(address, port, mark.source_port, mark.sequence);
            prop_assert_eq!(told, Some((pass, low)));
            prop_assert_eq!(position(low, sent), Some(asked));
        }

        #[test]
        fn who_does_not_know_the_key_tells_nothing_of_use(address: [u8; 4], source_port: u16, sequence: u32) {
            let cookie = Cookie::new([1, 2], 40_000, 2);
            if let Some((_, number)) = cookie.read(IpAddr::from(address), 80, source_port, sequence) {
                // A position of a job of some thousand targets is told by chance once in a million.
                prop_assert!(position(number, 4_096).is_none_or(|at| at < 4_096));
            }
        }
    }
}
