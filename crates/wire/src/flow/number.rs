//! Numbers and times as logs write them.

use std::net::{IpAddr, Ipv4Addr};
use std::str;

use hinomi_model::Timestamp;

/// Microseconds of a second.
pub const MICROS: i64 = 1_000_000;
/// 9999-12-31T23:59:59Z: what is later is no time of a flow, and sums of such times cannot overflow.
pub const MAX_SECONDS: i64 = 253_402_300_799;

/// Microseconds of a decimal number of seconds: `1596790164.509987`, `0.2`, `9.5e-07`, `-0.5`.
///
/// Exact to the microsecond where the number is written without an exponent; more digits are cut off.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    let micros = match plain(digits) {
        Some(micros) => micros,
        None => with_exponent(digits)?,
    };
    (micros <= MAX_SECONDS * MICROS).then_some(if negative { -micros } else { micros })
}

fn plain(text: &[u8]) -> Option<i64> {
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let (whole, fraction) = (text.get(..point)?, text.get(point + 1..).unwrap_or_default());
    if whole.is_empty() || whole.len() > 12 || point + 1 == text.len() {
        return None;
    }
    let mut micros = i64::try_from(unsigned(whole)?).ok()?.checked_mul(MICROS)?;
    let mut unit = MICROS;
    for digit in fraction {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        unit /= 10;
        micros += digit * unit;
    }
    Some(micros)
}

#[expect(clippy::cast_possible_truncation, reason = "finite and within the range of times")]
fn with_exponent(text: &[u8]) -> Option<i64> {
    // `f64` reads words too, such as `inf`.
    if !text.iter().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte)) {
        return None;
    }
    let number: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    let micros = number * 1e6;
    (0.0..=2.6e17).contains(&micros).then(|| micros.round() as i64)
}

/// Decimal digits and nothing else.
pub(super) fn unsigned(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A time in words: `2018/12/18 14:00:00.075359`, `2018-12-18T14:00:00Z`, also with an offset. Without one it is UTC.
pub(super) fn date_time(text: &[u8]) -> Option<Timestamp> {
    let date = |at: usize, length: usize| unsigned(text.get(at..at + length)?);
    let separators = [4, 7, 10].map(|at| text.get(at).copied());
    if !matches!(separators, [Some(b'-' | b'/'), Some(b'-' | b'/'), Some(b' ' | b'T' | b't')]) {
        return None;
    }
    let day = format!("{:04}-{:02}-{:02}", date(0, 4)?, date(5, 2)?, date(8, 2)?);
    let clock = str::from_utf8(text.get(11..)?).ok()?;
    // Zeek writes offsets as +0900, which RFC 3339 does not know.
    let offset = clock.len().checked_sub(5).and_then(|at| clock.split_at_checked(at));
    let whole = match offset {
        Some((time, zone)) if zone.starts_with(['+', '-']) && !zone.contains(':') => {
            format!("{day}T{time}{}:{}", zone.get(..3)?, zone.get(3..)?)
        }
        _ if clock.ends_with(['Z', 'z']) || clock.get(8..)?.contains(['+', '-']) => format!("{day}T{clock}"),
        _ => format!("{day}T{clock}Z"),
    };
    whole.parse().ok()
}

/// An address without brackets, port or zone; dotted quads fast.
pub fn address(text: &[u8]) -> Option<IpAddr> {
    quad(text).map(IpAddr::V4).or_else(|| str::from_utf8(text).ok()?.parse().ok())
}

fn quad(text: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut next = || parts.next().filter(|part| part.len() <= 3 && (part.len() == 1 || !part.starts_with(b"0")));
    let octets = [next()?, next()?, next()?, next()?];
    if parts.next().is_some() {
        return None;
    }
    let [a, b, c, d] = octets.map(|part| unsigned(part).and_then(|number| u8::try_from(number).ok()));
    Some(Ipv4Addr::new(a?, b?, c?, d?))
}

/// IANA numbers of the protocols that tools write by name.
pub(super) fn protocol(name: &[u8]) -> Option<u8> {
    const NAMES: [(&[u8], u8); 22] = [
        (b"tcp", 6),
        (b"udp", 17),
        (b"icmp", 1),
        (b"ipv6-icmp", 58),
        (b"icmp6", 58),
        (b"igmp", 2),
        (b"ipnip", 4),
        (b"ipip", 4),
        (b"ipv6", 41),
        (b"rsvp", 46),
        (b"gre", 47),
        (b"esp", 50),
        (b"ah", 51),
        (b"eigrp", 88),
        (b"ospf", 89),
        (b"pim", 103),
        (b"vrrp", 112),
        (b"sctp", 132),
        // Argus names these streams by what UDP carries.
        (b"rtp", 17),
        (b"rtcp", 17),
        (b"udt", 17),
        (b"udplite", 136),
    ];
    let named = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number);
    named.or_else(|| unsigned(name).and_then(|number| u8::try_from(number).ok()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(b"1596790164.509987"), Some(1_596_790_164_509_987));
        assert_eq!(seconds(b"0.20696377754211426"), Some(206_963));
        assert_eq!(seconds(b"9.5367431640625e-07"), Some(1));
        assert_eq!(seconds(b"1.5E+1"), Some(15_000_000));
        assert_eq!(seconds(b"-0.5"), Some(-500_000));
        for wrong in ["", ".", "inf", "NaN", "1e300", "12x", "999999999999", "1.2.3", "--1", "-"] {
            assert_eq!(seconds(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn times_in_words() {
        let expected: Timestamp = "2018-12-18T14:00:00.075359Z".parse().unwrap();
        for text in [
            "2018/12/18 14:00:00.075359",
            "2018-12-18T14:00:00.075359Z",
            "2018-12-18T23:00:00.075359+0900",
            "2018-12-18T23:00:00.075359+09:00",
            "2018-12-18 09:00:00.075359-05:00",
        ] {
            assert_eq!(date_time(text.as_bytes()), Some(expected), "{text}");
        }
        for wrong in
            ["", "2018", "2018/13/18 14:00:00", "2018/12/18 25:00:00", "18/12/2018 14:00:00", "2018-12-18T\u{e9}"]
        {
            assert_eq!(date_time(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn micros_come_back(micros in 0..MAX_SECONDS * MICROS) {
            let text = format!("{}.{:06}", micros / MICROS, micros % MICROS);
            prop_assert_eq!(seconds(text.as_bytes()), Some(micros));
        }

        #[test]
        fn addresses_are_as_the_library_reads_them(text in "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}|[0-9a-f:.]{0,20}") {
            prop_assert_eq!(address(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn any_text_is_safe(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (seconds(&text), date_time(&text), address(&text), protocol(&text));
        }
    }
}
