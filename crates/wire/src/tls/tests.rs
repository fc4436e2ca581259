//! Vectors are what `openssl s_server` sent (`testdata/README.md`), and records laid out by hand.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use super::*;

const TLS12: &[u8] = include_bytes!("../../testdata/tls12-rsa.bin");
const TLS13: &[u8] = include_bytes!("../../testdata/tls13.bin");
const RETRY: &[u8] = include_bytes!("../../testdata/tls13-retry.bin");
const ALERT: &[u8] = include_bytes!("../../testdata/tls-alert.bin");
const CERTIFICATE: &[u8] = include_bytes!("../../testdata/x509-rsa.der");

fn values(bytes: &[u8]) -> Vec<(String, String)> {
    fields(bytes).expect("fields").iter().map(|f| (f.name.to_string(), f.text().into_owned())).collect()
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn tls_1_2_tells_certificate_and_group() {
    let flight = ServerFlight::parse(TLS12).expect("a flight");
    assert!(flight.done && flight.problem.is_none());
    assert_eq!(flight.certificates, [CERTIFICATE]);
    let told = expected(&[
        ("tls.version", "1.2"),
        ("tls.cipher", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        ("tls.alpn", "http/1.1"),
        ("tls.group", "x25519"),
    ]);
    assert_eq!(values(TLS12), told);
}

#[test]
fn tls_1_3_tells_its_hello_only() {
    let flight = ServerFlight::parse(TLS13).expect("a flight");
    assert!(flight.done && flight.certificates.is_empty() && !flight.hello_retry);
    let told = expected(&[("tls.version", "1.3"), ("tls.cipher", "TLS_AES_256_GCM_SHA384"), ("tls.group", "x25519")]);
    assert_eq!(values(TLS13), told);
}

#[test]
fn retry_and_refusal_are_told() {
    let retry = ServerFlight::parse(RETRY).expect("a flight");
    assert!(retry.hello_retry && retry.done);
    assert_eq!(retry.group.map(group_name).as_deref(), Some("secp384r1"));
    assert_eq!(values(ALERT), expected(&[("tls.alert", "protocol_version")]));
    assert!(complete(ALERT));
}

#[test]
fn summary_has_the_fields_and_nothing_random() {
    for bytes in [TLS12, TLS13, RETRY, ALERT] {
        let summary = summary_bytes(&ServerFlight::parse(bytes).expect("a flight"));
        assert_eq!(values(&summary), values(bytes));
        assert!(summary.len() < 200, "no certificates: {}", summary.len());
        let again = summary_bytes(&ServerFlight::parse(&summary).expect("a flight"));
        assert_eq!(again, summary, "a summary is its own summary");
    }
    let random = &TLS13[11..43];
    let summary = summary_bytes(&ServerFlight::parse(TLS13).expect("a flight"));
    assert!(!summary.windows(random.len()).any(|window| window == random));
}

#[test]
fn messages_split_over_records_are_put_together() {
    // All handshake bytes of the flight, each in a record of its own.
    let records = record::Records::parse(TLS12).expect("records");
    let split: Vec<u8> = records.handshake.iter().take(900).flat_map(|byte| [22, 3, 3, 0, 1, *byte]).collect();
    let whole = ServerFlight::parse(TLS12).expect("a flight");
    let parsed = ServerFlight::parse(&split).expect("a flight");
    assert_eq!((parsed.version, parsed.cipher, &parsed.alpn), (whole.version, whole.cipher, &whole.alpn));
    let mut masked = split.clone();
    mask(&mut masked);
    assert_eq!(values(&masked), values(&split));
    assert_ne!(masked, split);
    assert!(masked.chunks_exact(6).all(|record| record.starts_with(&[22, 3, 3, 0, 1])), "headers stay");
}

#[test]
fn a_warning_does_not_end_the_flight() {
    let warned = [b"\x15\x03\x03\0\x02\x01\x70", TLS12].concat();
    let flight = ServerFlight::parse(&warned).expect("a flight");
    assert_eq!(flight.certificates.len(), 1);
    assert_eq!(flight.alert, Some(Alert { level: 1, description: 112 }));
}

#[test]
fn certificates_have_a_bound() {
    let one = [&[0, 0, 1][..], b"c"].concat();
    let list = one.repeat(MAX_CERTIFICATES + 1);
    let length = u8::try_from(list.len()).expect("short");
    let message = [&[11, 0, 0, length + 3, 0, 0, length][..], &list].concat();
    let hello = ServerFlight::parse(TLS12).expect("a flight").server_hello;
    let bytes = [record::encode(record::HANDSHAKE, 0x0303, &hello), record::encode(22, 0x0303, &message)].concat();
    let flight = ServerFlight::parse(&bytes).expect("a flight");
    assert_eq!(flight.certificates.len(), MAX_CERTIFICATES);
    assert!(matches!(flight.problem, Some(Malformed::TooMuch { limit: MAX_CERTIFICATES, .. })));
}

#[test]
fn an_endless_hello_is_refused() {
    let mut hello = ServerFlight::parse(TLS12).expect("a flight").server_hello;
    hello.splice(1..4, [0, 0x30, 0]);
    hello.resize(4 + 0x3000, 0);
    let flight = ServerFlight::parse(&record::encode(record::HANDSHAKE, 0x0303, &hello)).expect("a flight");
    assert!(flight.done && flight.version.is_none());
    assert!(matches!(flight.problem, Some(Malformed::TooMuch { .. })));
}

#[test]
fn a_second_hello_that_is_cut_moves_no_field_out_of_the_input() {
    let hello = ServerFlight::parse(TLS12).expect("a flight").server_hello;
    let bytes = [record::encode(record::HANDSHAKE, 0x0303, &hello), record::encode(22, 0x0303, &[2, 0, 0, 0])].concat();
    let list = fields(&bytes).expect("fields");
    assert!(list.iter().any(|field| field.name == "tls.version"));
    assert!(list.iter().all(|field| field.span.end <= bytes.len()), "{list:?}");
}

#[test]
fn a_second_hello_ends_the_flight_and_takes_nothing_over() {
    let hello = ServerFlight::parse(TLS12).expect("a flight").server_hello;
    let mut of_diffie_hellman = hello.clone();
    let cipher = 39 + usize::from(hello[38]);
    of_diffie_hellman.splice(cipher..cipher + 2, [0x00, 0x33]);
    let records = |messages: &[&[u8]]| -> Vec<u8> {
        messages.iter().flat_map(|message| record::encode(record::HANDSHAKE, 0x0303, message)).collect()
    };
    let flight =
        ServerFlight::parse(&records(&[&of_diffie_hellman, &[12, 0, 0, 3, 1, 0, 0], &hello])).expect("a flight");
    assert_eq!((flight.cipher, flight.dh_prime_bytes), (Some(0x0033), Some(256)));
    assert!(flight.done && flight.problem.is_some());
    let summary = summary_bytes(&flight);
    assert_eq!(summary_bytes(&ServerFlight::parse(&summary).expect("a flight")), summary);
}

#[test]
fn what_is_not_tls_is_refused() {
    let sslv2 = b"\x80\x1A\x04\0\x01\0\x02\0\0\0\x03\0\x10\x07\0\xC0";
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], sslv2, b"SSH-2.0-x\r\n", b"\x16\x03\x01\0\x04\x0E\0\0\0"] {
        assert!(fields(bytes).is_err() && complete(bytes) && !looks_like_tls(bytes), "{bytes:?}");
    }
    for bytes in [TLS12, TLS13, RETRY, ALERT] {
        assert!(looks_like_tls(bytes));
    }
}

#[test]
fn a_reader_knows_when_to_stop() {
    assert!((0..TLS12.len()).all(|end| !complete(&TLS12[..end])), "ServerHelloDone ends the flight");
    assert!(complete(TLS12));
}

#[test]
fn hello_has_consistent_lengths_and_is_padded() {
    for offer in [Offer::Everything, Offer::Tls12, Offer::Old, Offer::Hybrid] {
        let options = ClientHelloOptions {
            random: [7; 32],
            server_name: Some("router.example"),
            alpn: &["h2", "http/1.1"],
            offer,
            ..Default::default()
        };
        let hello = client_hello(&options);
        let record = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        assert_eq!(record, hello.len() - 5);
        let message = usize::from(u16::from_be_bytes([hello[7], hello[8]]));
        assert_eq!((hello[5], message), (1, hello.len() - 9));
        assert!(!(256..512).contains(&(hello.len() - 5)), "{} bytes hang old terminators", hello.len());
        assert!(hello.windows(14).any(|window| window == b"router.example"));
    }
    let address = ClientHelloOptions { server_name: Some("192.0.2.1"), ..Default::default() };
    assert!(!client_hello(&address).windows(9).any(|window| window == b"192.0.2.1"));
}

/// The numbers of a list in a hello, behind what stands before it.
fn offered(hello: &[u8], at: usize) -> Vec<u16> {
    let length = usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    hello[at + 2..at + 2 + length].chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn everything_that_is_offered_has_a_name() {
    for offer in [Offer::Everything, Offer::Tls12, Offer::Old, Offer::Hybrid] {
        let hello = client_hello(&ClientHelloOptions { offer, ..Default::default() });
        let at = 44 + usize::from(hello[43]);
        let suites = offered(&hello, at);
        // The last is the signal of secure renegotiation, no suite.
        let unnamed = suites.iter().filter(|suite| **suite != 0x00FF && cipher_name(**suite).starts_with("0x"));
        assert_eq!(unnamed.count(), 0, "{offer:?}: {suites:04x?}");
        let extensions = &hello[at + 2 + 2 * suites.len()..];
        let groups = extensions.windows(3).position(|window| window == [0, 10, 0]).expect("an extension");
        let groups = offered(extensions, groups + 4);
        assert!(groups.iter().all(|group| !group_name(*group).starts_with("0x")), "{offer:?}: {groups:04x?}");
        let quantum = groups.iter().filter(|group| is_post_quantum(&group_name(**group))).count();
        let expected = match offer {
            Offer::Everything => groups.len() - 4,
            Offer::Tls12 | Offer::Old => 0,
            Offer::Hybrid => 8,
        };
        assert_eq!(quantum, expected, "{offer:?}");
    }
    let old = client_hello(&ClientHelloOptions { offer: Offer::Old, ..Default::default() });
    let suites = offered(&old, 44);
    assert!([0x0001, 0x0002, 0x003B].iter().all(|null| suites.contains(null)), "no encryption is asked for");
}
