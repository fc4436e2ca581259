//! Vectors: OpenSSH's own bytes (`testdata/README.md`), and packets laid out by hand after RFC 4253.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use super::*;
use crate::Malformed;

const KEXINIT: &[u8] = include_bytes!("../../testdata/ssh-kexinit.bin");
const HOST_KEY: &[u8] = include_bytes!("../../testdata/ssh-host-key.bin");

#[test]
fn identification_may_stand_behind_other_lines() {
    let stream = b"Authorised use only.\r\n\r\nSSH-2.0-dropbear_2022.83 a-b\r\n\0\0\0";
    let found = read_identification(stream).expect("sound").expect("all there");
    assert_eq!((found.protocol, found.software), (&b"2.0"[..], &b"dropbear_2022.83 a-b"[..]));
    assert_eq!(&stream[found.line.clone()], b"SSH-2.0-dropbear_2022.83 a-b");
    assert_eq!(&stream[found.consumed..], b"\0\0\0");
    for end in 0..found.consumed {
        assert_eq!(read_identification(&stream[..end]), Ok(None), "{end} bytes are not all");
    }
}

#[test]
fn endless_identifications_are_refused() {
    assert!(read_identification(&b"x\r\n".repeat(10_000)).is_err(), "a tarpit's lines");
    assert!(read_identification(&b"x".repeat(10_000)).is_err());
    assert!(read_identification(&[&b"SSH-2.0-"[..], &b"x".repeat(10_000)].concat()).is_err());
    assert!(read_identification(b"SSH-nonsense\n").is_err());
}

#[test]
fn our_identification_is_one() {
    let ours = client_identification("0.1.0-dev\r\n");
    assert_eq!(ours, b"SSH-2.0-Hinomi_0.1.0dev\r\n");
    assert!(read_identification(&ours).expect("sound").is_some());
}

#[test]
fn packets_are_framed_and_padded() {
    for packet in [kexinit_packet([9; 16]), disconnect_packet(), exchange_packet(KexMethod::NistP521)] {
        assert_eq!(packet.len() % 8, 0);
        let read = next_packet(&packet).expect("sound").expect("all there");
        assert_eq!(read.consumed, packet.len());
        assert!(packet[4] >= 4, "at least four bytes of padding");
        for end in 0..packet.len() {
            assert_eq!(next_packet(&packet[..end]), Ok(None));
        }
    }
    assert!(matches!(next_packet(b"Protocol mismatch."), Err(Malformed::TooMuch { .. })));
    assert!(next_packet(b"\0\0\0\x06\xFFabcde").is_err(), "more padding than packet");
}

#[test]
fn offer_of_openssh_is_read() {
    let found = kex_fields(KEXINIT).expect("fields");
    let value = |name: &str| found.iter().find(|field| field.name == name).expect("a field").text().into_owned();
    assert_eq!(value("ssh.host-key-algorithms"), "ssh-ed25519");
    assert_eq!(value("ssh.compression"), "none,zlib@openssh.com");
    assert_eq!(value("ssh.hassh"), "425d29fe50d8e4f5e37efb6e24bcf660");
    for field in found.iter().filter(|field| field.name != "ssh.hassh") {
        assert_eq!(&KEXINIT[field.span.clone()], field.value.as_ref(), "{}", field.name);
    }
}

#[test]
fn negotiation_takes_our_first_that_the_server_has() {
    let agreed = negotiate(&KexInit::parse(KEXINIT).expect("an offer")).expect("common ground");
    assert_eq!((agreed.method, agreed.kex), (KexMethod::Curve25519, "curve25519-sha256"));
    assert_eq!(agreed.host_key, "ssh-ed25519");

    let ours = kexinit_packet([0; 16]);
    let payload = next_packet(&ours).expect("sound").expect("all there").payload;
    let offer = KexInit::parse(payload).expect("our own offer");
    let with = |kex: &'static [u8]| KexInit { kex: NameList { bytes: kex, span: 0..0 }, ..offer.clone() };
    let method = |kex| negotiate(&with(kex)).map(|agreed| agreed.method);
    assert_eq!(method(b"kex-strict-s-v00@openssh.com,diffie-hellman-group1-sha1"), Some(KexMethod::Group1));
    assert_eq!(method(b"diffie-hellman-group16-sha512"), Some(KexMethod::Group14OrLarger));
    assert_eq!(method(b"diffie-hellman-group-exchange-sha256"), None);
}

#[test]
fn mask_blanks_the_cookie_only() {
    let mut masked = KEXINIT.to_vec();
    mask(&mut masked);
    assert_eq!(masked[1..17], [0; 16]);
    assert_eq!(masked[17..], KEXINIT[17..]);
    assert_eq!(kex_fields(&masked), kex_fields(KEXINIT));
}

#[test]
fn host_key_is_named_as_ssh_keygen_does() {
    let found = host_key_fields(HOST_KEY).expect("fields");
    assert_eq!(found[0].text(), "ssh-ed25519");
    assert_eq!(found[1].text(), "SHA256:1+zagxngQ/wgkUfT1V0bOgVGFKE+Bw37X5vmpPx/C5I");
    assert!(host_key_fields(b"\0\0\0\x03a\nb").is_err());
}

#[test]
fn reply_holds_the_host_key() {
    let parts = [HOST_KEY, &[4; 32], &[5; 83]];
    let payload = parts.iter().fold(vec![31], |payload, part| [payload, packet::string(part)].concat());
    assert_eq!(parse_exchange_reply(&payload), Ok(HOST_KEY));
    for end in 0..payload.len() {
        assert!(parse_exchange_reply(&payload[..end]).is_err());
    }
}

#[test]
fn public_values_are_plausible() {
    for (value, bytes) in [(&values::SQUARE_1024[..], 128), (&values::SQUARE_2048[..], 256)] {
        assert_eq!(value.len(), bytes);
        assert!((1..0x80).contains(&value[0]), "positive, without a leading zero byte");
        let ones: u32 = value.iter().map(|byte| byte.count_ones()).sum();
        assert!(ones > 400, "many bits set: {ones}");
    }
    for (value, bytes) in [(&values::P256_BASE[..], 65), (&values::P384_BASE[..], 97), (&values::P521_BASE[..], 133)] {
        assert_eq!((value.len(), value[0]), (bytes, 4), "an uncompressed point");
    }
}
