//! Addresses to plant, and the forms in which one could stay behind.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zeroize::{Zeroize, Zeroizing};

use super::search::Needles;

/// Canaries of each family.
pub const CANARIES: u16 = 64;
/// What a subscriber list must hold for the drill: documentation and benchmark ranges, which no subscriber has.
pub const PREFIXES: [&str; 2] = ["2001:db8::/32", "198.18.0.0/15"];
/// Remote ends that IPv6 subscribers of the drill meet.
pub const SERVERS: u16 = 16;
/// The far end of all IPv4 records of the drill: the list that goes out may hold it.
const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77));

/// In which form an address stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// IPv6, 16 bytes as in packets.
    V6Bytes,
    /// IPv6, the bytes backwards: a number on this machine.
    V6Backwards,
    /// IPv6, each pair of bytes turned: eight numbers.
    V6Pairs,
    /// IPv6 as text.
    V6Text,
    /// IPv4, four bytes, either way round: stands in memory by chance too.
    V4Bytes,
    /// IPv4 within IPv6, 16 bytes: what a pseudonym is made of.
    V4Mapped,
    /// IPv4 as text.
    V4Text,
}

/// Whose address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Planted,
    /// Looked for, never planted.
    Control,
    /// Passes through, never looked for.
    Ordinary,
    /// A remote end: may stay.
    Server,
}

/// Addresses drawn from a seed; none is kept.
pub(super) struct Canaries {
    seed: [u8; 32],
}

impl Canaries {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// Source and destination of a record.
    pub(super) fn ends(&self, kind: Kind, number: u16) -> (IpAddr, IpAddr) {
        let place = if kind == Kind::Planted { number / 2 % CANARIES } else { number / 2 };
        if number.is_multiple_of(2) {
            (IpAddr::V4(self.v4(kind, place)), REMOTE)
        } else {
            (IpAddr::V6(self.v6(kind, place)), IpAddr::V6(self.server(place % SERVERS)))
        }
    }

    fn draw(&self, family: u8, kind: Kind, number: u16) -> Zeroizing<[u8; 32]> {
        let [low, high] = number.to_le_bytes();
        Zeroizing::new(*blake3::keyed_hash(&self.seed, &[family, kind as u8, low, high]).as_bytes())
    }

    fn v6(&self, kind: Kind, number: u16) -> Ipv6Addr {
        let random = self.draw(6, kind, number);
        let mut octets = random.first_chunk::<16>().copied().unwrap_or_default();
        for (octet, fixed) in octets.iter_mut().zip([0x20, 0x01, 0x0d, 0xb8]) {
            *octet = fixed;
        }
        Ipv6Addr::from(octets)
    }

    /// Documentation space (RFC 9637), apart from that of subscribers.
    fn server(&self, number: u16) -> Ipv6Addr {
        let mut octets = self.v6(Kind::Server, number).octets();
        for (octet, fixed) in octets.iter_mut().zip([0x3f, 0xff, 0x0f, 0x5e]) {
            *octet = fixed;
        }
        Ipv6Addr::from(octets)
    }

    fn v4(&self, kind: Kind, number: u16) -> Ipv4Addr {
        let random = self.draw(4, kind, number);
        let [a, b, c] = random.first_chunk::<3>().copied().unwrap_or_default();
        // 0 and 255 stand everywhere; addresses without them are met by chance less often.
        // No ordinary one is planted or control by chance: its third byte is even.
        let b = if kind == Kind::Ordinary { 2 | b & 0xfc } else { 1 | b & 0xfe };
        Ipv4Addr::new(198, 18 | a & 1, b, 1 | c & 0xfe)
    }

    /// What is to be looked for, masked.
    pub(super) fn needles(&self) -> Needles {
        let mut needles = Needles::new(blake3::keyed_hash(&self.seed, b"mask").as_bytes());
        for number in 0..CANARIES {
            self.add_v6(&mut needles, Kind::Planted, number);
            self.add_v4(&mut needles, Kind::Planted, number);
            self.add_v4(&mut needles, Kind::Control, number);
        }
        self.write_over(&needles);
        needles
    }

    /// The remote ends, masked.
    pub(super) fn needles_of_servers(&self) -> Needles {
        let mut needles = Needles::new(blake3::keyed_hash(&self.seed, b"servers' mask").as_bytes());
        for number in 0..SERVERS {
            needles.add(&self.server(number).octets(), Form::V6Bytes, number, false);
        }
        needles
    }

    /// Does the same once more with addresses that nobody looks for: what the last planted ones left on the stack goes.
    fn write_over(&self, needles: &Needles) {
        let mut scratch = needles.empty();
        for number in 0..2 {
            self.add_v6(&mut scratch, Kind::Ordinary, number);
            self.add_v4(&mut scratch, Kind::Ordinary, number);
        }
    }

    fn add_v6(&self, needles: &mut Needles, kind: Kind, number: u16) {
        let address = self.v6(kind, number);
        let mut octets = address.octets();
        needles.add(&octets, Form::V6Bytes, number, false);
        octets.reverse();
        needles.add(&octets, Form::V6Backwards, number, false);
        octets.reverse();
        octets.chunks_exact_mut(2).for_each(<[u8]>::reverse);
        needles.add(&octets, Form::V6Pairs, number, false);
        octets.zeroize();
        add_text(needles, address.into(), Form::V6Text, number);
    }

    fn add_v4(&self, needles: &mut Needles, kind: Kind, number: u16) {
        let address = self.v4(kind, number);
        let control = kind == Kind::Control;
        let mut octets = address.octets();
        needles.add(&octets, Form::V4Bytes, number, control);
        octets.reverse();
        needles.add(&octets, Form::V4Bytes, number, control);
        octets.zeroize();
        if !control {
            let mut mapped = address.to_ipv6_mapped().octets();
            needles.add(&mapped, Form::V4Mapped, number, false);
            mapped.zeroize();
            add_text(needles, address.into(), Form::V4Text, number);
        }
    }
}

/// A text is built in room that is large enough from the start, so that wiping it wipes every copy.
fn add_text(needles: &mut Needles, address: IpAddr, form: Form, number: u16) {
    let mut text = Zeroizing::new(String::with_capacity(64));
    if write!(text, "{address}").is_ok() {
        needles.add(text.as_bytes(), form, number, false);
    }
}
