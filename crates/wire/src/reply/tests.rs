//! Answers as real servers gave them, and requests that have the lengths they claim.

use super::*;
use crate::text::get;

fn value(bytes: &[u8], name: &str) -> Option<String> {
    fields(bytes).iter().find(|field| field.name == name).map(|field| field.text().into_owned())
}

fn masked(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    mask(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether only the whole is complete.
fn assert_complete(complete: fn(&[u8]) -> bool, answer: &[u8]) {
    assert!(complete(answer));
    for end in 0..answer.len() {
        assert!(!complete(get(answer, 0..end)), "complete after {end} of {}", answer.len());
    }
}

#[test]
fn memcached_and_nut_say_their_version() {
    assert_eq!(value(b"VERSION 1.6.18\r\n", "memcached.version").as_deref(), Some("1.6.18"));
    let nut = b"Network UPS Tools upsd 2.8.0 - http://www.networkupstools.org/\n";
    assert_eq!(value(nut, "nut.version").as_deref(), Some("2.8.0"));
    assert_complete(nut::complete, nut);
}

#[test]
fn a_database_refuses_with_its_source_line() {
    let error = b"E\0\0\0\x48SFATAL\0C0A000\0Munsupported frontend protocol\0Fpostmaster.c\0L2196\0R\0\0";
    assert_eq!(value(error, "postgresql.code").as_deref(), Some("0A000"));
    assert_eq!(value(error, "postgresql.line").as_deref(), Some("2196"));
    assert_complete(postgresql::complete, error);
    let behind = [b"N", &error[..]].concat();
    assert_eq!(value(&behind, "postgresql.file").as_deref(), Some("postmaster.c"));
    assert_complete(postgresql::complete, &behind);
    for none in [&b"N"[..], b"S", b"NO", b"ERROR\r\n", b"R\0\0\0\x08\0\0\0\x63"] {
        assert_eq!(recognise(none), None, "{none:?}");
    }
}

#[test]
fn a_beanstalk_counts_and_what_it_counts_is_blanked() {
    let answer = b"OK 91\r\n---\ncurrent-jobs-urgent: 0\npid: 715\nversion: \"1.12\"\nuptime: 33\n\
        id: 8f32b1\nhostname: yagura\n\r\n";
    assert_eq!(recognise(answer), Some("beanstalkd"));
    assert_eq!(value(answer, "beanstalkd.version").as_deref(), Some("1.12"));
    assert_complete(beanstalk::complete, answer);
    let expected = "OK 91\r\n---\ncurrent-jobs-urgent: *\npid: ***\nversion: \"1.12\"\nuptime: **\n\
        id: ******\nhostname: yagura\n\r\n";
    assert_eq!(masked(answer), expected);
    assert_eq!(recognise(b"UNKNOWN_COMMAND\r\n"), None);
    assert!(beanstalk::complete(b"OUT_OF_MEMORY\r\n"));
}

#[test]
fn an_amqp_server_names_itself() {
    let mut bytes = b"\x01\0\0\0\0\0\x46\0\x0a\0\x0a\0\x09\0\0\0\x38".to_vec();
    bytes.extend_from_slice(b"\x0ccapabilitiesF\0\0\0\x02\x00\x00\x07productS\0\0\0\x08RabbitMQ");
    bytes.extend_from_slice(b"\x07versionS\0\0\0\x063.10.8\xce");
    assert_eq!(value(&bytes, "amqp.product").as_deref(), Some("RabbitMQ"));
    assert_eq!(value(&bytes, "amqp.version").as_deref(), Some("3.10.8"));
    assert_eq!(bytes.len(), 0x46 + 8);
    assert_complete(amqp::complete, &bytes);
    assert_complete(amqp::complete, amqp::HEADER);
}

/// What slapd of Debian 12 answers.
const ROOT: &[u8] = b"\x30\x31\x02\x01\x01\x64\x2c\x04\0\x30\x28\x30\x26\x04\x0bobjectClass\x31\x17\x04\x03top\
    \x04\x10OpenLDAProotDSE!\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\0\x04\0\x04\0";

#[test]
fn a_directory_shows_its_root() {
    let request = ldap::root_search();
    assert_eq!(request.get(1).copied().map(usize::from), Some(request.len() - 2));
    assert_eq!(recognise(ROOT), Some("ldap"));
    let classes: Vec<_> = fields(ROOT).into_iter().filter(|field| field.name == "ldap.object-class").collect();
    let texts: Vec<_> = classes.iter().map(|field| field.text()).collect();
    assert_eq!(texts, ["top", "OpenLDAProotDSE!"]);
    assert_complete(ldap::complete, ROOT);
    assert!(ldap::complete(b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0"), "an answer to a bind ends it");
    assert!(ldap::complete(b"HTTP/1.1 400"));
}

/// What smbd answers to a request without version 3.1.1, laid out after \[MS-SMB2\] 2.2.4.
fn negotiate(dialect: [u8; 2], clock: u8) -> Vec<u8> {
    let mut answer = b"\0\0\0\x80\xfeSMB\x40\0".to_vec();
    answer.extend([0; 58]);
    answer.extend(b"\x41\0\x03\0");
    answer.extend(dialect);
    answer.extend(b"\0\0yagura\0\0\0\0\0\0\0\0\0\0\x07\0\0\0");
    answer.extend([0; 12]);
    answer.extend([clock; 16]);
    answer.extend(b"\x80\0\0\0\0\0\0\0");
    answer
}

#[test]
fn a_file_server_chooses_a_dialect() {
    let claimed = get(smb::NEGOTIATE, 0..4).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    assert_eq!(claimed, smb::NEGOTIATE.len() - 4);
    assert_eq!(smb::NEGOTIATE.get(4 + 112..4 + 116), Some(&b"\x01\0\x26\0"[..]), "where the request says it is");
    let answer = negotiate([0x02, 0x03], 7);
    assert_eq!(value(&answer, "smb.dialect").as_deref(), Some("3.0.2"));
    assert_eq!(value(&answer, "smb.guid").as_deref(), Some("79616775726100000000000000000000"));
    assert_eq!(value(&answer, "smb.signing").as_deref(), Some("required"));
    assert_complete(smb::complete, &answer);
    let (mut one, mut two) = (negotiate([0x02, 0x03], 7), negotiate([0x02, 0x03], b' '));
    mask(&mut one);
    mask(&mut two);
    assert_eq!(one, two, "two looks are the same evidence");
    assert!(smb::complete(b"\x15\x03\x01\0\x02"));
}

#[test]
fn the_salt_of_version_3_1_1_is_blanked() {
    let with_salt = |salt: u8| {
        let mut answer = negotiate([0x11, 0x03], 7);
        answer.get_mut(74..76).unwrap_or_default().copy_from_slice(&[1, 0]);
        answer.get_mut(128..132).unwrap_or_default().copy_from_slice(&[0x80, 0, 0, 0]);
        answer.extend(b"\x01\0\x0a\0\0\0\0\0\x01\0\x04\0\x01\0");
        answer.extend([salt; 4]);
        answer
    };
    let (mut one, mut two) = (with_salt(9), with_salt(0xee));
    assert_eq!(value(&one, "smb.dialect").as_deref(), Some("3.1.1"));
    mask(&mut one);
    mask(&mut two);
    assert_eq!(one, two);
}

const WELCOME: &[u8] = b":irc.example 001 hnm :Welcome to the Internet Relay Network hnm!~hnm@localhost\r\n\
    :irc.example 002 hnm :Your host is irc.example, running version ngircd-26.1 (x86_64/pc/linux-gnu)\r\n\
    :irc.example 003 hnm :This server has been started Sun Nov 22 2026 at 04:10:11 (UTC)\r\n\
    :irc.example 004 hnm irc.example ngircd-26.1 abBcCFiIoqrRswx abehiIklmMnoOPqQrRstvVz\r\n";

#[test]
fn a_chat_server_welcomes() {
    assert_eq!(recognise(WELCOME), Some("irc"));
    assert_eq!(value(WELCOME, "irc.version").as_deref(), Some("ngircd-26.1"));
    assert_eq!(value(WELCOME, "irc.server").as_deref(), Some("irc.example"));
    let more = [WELCOME, b":irc.example 251 hnm :There are 7 users\r\n"].concat();
    assert_eq!(irc::welcome(&more), WELCOME);
    assert!(irc::complete(WELCOME) && !irc::complete(get(WELCOME, 0..200)));
    assert!(irc::complete(b":irc.example 464 * :Invalid password\r\n") && irc::complete(b"ERROR :Closing\r\n"));
    assert!(masked(WELCOME).contains(" 003 hnm :**** ****** *** **** ******* *** *** ** **** ** ******** *****\r\n"));
    assert!(irc::register("hnm4f1c2d").is_ok());
    for wrong in ["", "4ab", "a b", "a\r\nQUIT", "abcdefghij"] {
        assert!(irc::register(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_stream_is_opened_and_its_number_blanked() {
    let answer = b"<?xml version='1.0'?><stream:stream id='a1-b2' xmlns:stream='http://etherx.jabber.org/streams' \
        from='localhost' version='1.0'><stream:features><mechanisms/></stream:features>";
    assert_eq!(recognise(answer), Some("xmpp"));
    assert_eq!(value(answer, "xmpp.from").as_deref(), Some("localhost"));
    assert_eq!(value(answer, "xmpp.version").as_deref(), Some("1.0"));
    assert_complete(xmpp::complete, answer);
    assert!(masked(answer).contains("stream id='*****' "));
    assert!(xmpp::open("a'/><x").is_err());
}

#[test]
fn a_telephone_server_says_what_it_runs() {
    let answer = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP hinomi.invalid;rport=40123;received=127.0.0.1\r\n\
        To: <sip:x>;tag=a6a1c5f6.9b\r\nCSeq: 1 OPTIONS\r\nServer: kamailio (5.6.3 (x86_64/linux))\r\n\r\n";
    assert_eq!(value(answer, "sip.status").as_deref(), Some("200"));
    assert_eq!(value(answer, "sip.server").as_deref(), Some("kamailio (5.6.3 (x86_64/linux))"));
    assert_complete(sip::complete, answer);
    let text = masked(answer);
    assert!(text.contains("\r\nTo: <sip:x>;tag=***********\r\n") && !text.contains("40123"), "{text}");
    let request = sip::options_request("192.0.2.1:5060", "a@example.org", sip::Over::Tcp, 7).expect("a request");
    assert!(request.ends_with(b"Content-Length: 0\r\n\r\n"));
    assert!(sip::options_request("h", "a b", sip::Over::Udp, 0).is_err());
}

/// What xrdp 0.9.21 answers.
const CONFIRMED: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x01\x08\0\x01\0\0\0";

#[test]
fn a_desktop_chooses_its_security() {
    assert_eq!(recognise(CONFIRMED), Some("rdp"));
    assert_eq!(value(CONFIRMED, "rdp.security").as_deref(), Some("tls"));
    assert!(rdp::wants_tls(CONFIRMED));
    assert_complete(rdp::complete, CONFIRMED);
    let refused = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x05\0\0\0";
    assert_eq!(value(refused, "rdp.failure").as_deref(), Some("5"));
    let old = b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0";
    assert_eq!(value(old, "rdp.security").as_deref(), Some("standard"));
    assert!(!rdp::wants_tls(refused) && !rdp::wants_tls(old));
    // Cut, and with what the specification does not have: nothing is known of their security.
    let unknown = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x07\0\x08\0\0\0\0\0";
    let cut = (0..CONFIRMED.len()).map(|end| get(CONFIRMED, 0..end));
    for bytes in cut.chain((0..old.len()).map(|end| get(old, 0..end))).chain([&unknown[..]]) {
        let mut list = Fields::new(bytes);
        rdp::push_fields(&mut list, bytes);
        assert!(list.finish().is_empty() && !rdp::wants_tls(bytes), "{bytes:?}");
    }
    let mut masked = CONFIRMED.to_vec();
    mask(&mut masked);
    assert_eq!(get(&masked, 8..10), [0, 0]);
    assert_eq!(rdp::CONNECT.get(3).copied().map(usize::from), Some(rdp::CONNECT.len()));
}

#[test]
fn a_screen_offers_kinds_of_security() {
    let read = |bytes: &[u8], name: &str| {
        let found = greeting::fields(bytes).into_iter().find(|field| field.name == name);
        found.map(|field| field.text().into_owned())
    };
    assert_eq!(vnc::version(b"RFB 003.008\n"), Some(b"RFB 003.008\n"));
    assert_eq!(vnc::version(b"RFB 003.889\n"), Some(b"RFB 003.008\n"));
    for new in [b"RFB 004.001\n", b"RFB 005.000\n"] {
        assert_eq!(vnc::version(new), Some(b"RFB 003.008\n"));
    }
    assert_eq!(vnc::version(b"RFB 003.007\n"), Some(b"RFB 003.007\n"));
    for old in [b"RFB 003.003\n", b"RFB 003.004\n", b"RFB 003.005\n", b"RFB 003.006\n", b"RFB 000.000\n"] {
        assert_eq!(vnc::version(old), Some(b"RFB 003.003\n"), "RFC 6143, 7.1.1");
    }
    assert!(vnc::version(b"RFB 003.008").is_none() && vnc::version(b"RFB 003.008\n\x01\x01").is_none());
    // TigerVNC 1.12 with None and VncAuth; a server of version 3.3; a refusal (RFC 6143, 7.1.2).
    let tiger = b"RFB 003.008\n\x02\x01\x02";
    assert_eq!(read(tiger, "vnc.security").as_deref(), Some("none,vnc"));
    assert_eq!(read(tiger, "vnc.version").as_deref(), Some("003.008"));
    assert_eq!(read(b"RFB 003.003\n\0\0\0\x02", "vnc.security").as_deref(), Some("vnc"));
    let refusal = b"RFB 003.008\n\0\0\0\0\x08too many";
    assert_eq!(read(refusal, "vnc.refusal").as_deref(), Some("too many"));
    assert_eq!(read(b"RFB 003.008\n", "vnc.security"), None);
    assert_complete(|seen| vnc::complete(false, seen), b"\x02\x01\x02");
    assert_complete(|seen| vnc::complete(false, seen), get(refusal, 12..refusal.len()));
    assert_complete(|seen| vnc::complete(true, seen), b"\0\0\0\x02");
}

#[test]
fn a_management_controller_says_how_it_would_be_logged_in_to() {
    let bytes = include_bytes!("../../testdata/ipmi-sim.bin");
    assert_eq!(recognise(bytes), Some("ipmi"));
    assert_eq!(value(bytes, "ipmi.version").as_deref(), Some("2.0"));
    assert_eq!(value(bytes, "ipmi.authentication").as_deref(), Some("md5"));
    assert_eq!(value(bytes, "ipmi.anonymous").as_deref(), Some("yes"));
    let mut broken = bytes.to_vec();
    broken.get_mut(22..23).unwrap_or_default().fill(0);
    assert!(ipmi::parse(&broken).is_err(), "a check is wrong");
    assert_eq!(recognise(ipmi::ASK), None, "an echo is no answer");
}

#[test]
fn gateways_of_tunnels_name_themselves() {
    let bytes = include_bytes!("../../testdata/pptpd.bin");
    assert_eq!(recognise(bytes), Some("pptp"));
    assert_eq!(value(bytes, "pptp.host").as_deref(), Some("local"));
    assert_eq!(value(bytes, "pptp.vendor").as_deref(), Some("linux"));
    assert_eq!(value(bytes, "pptp.result").as_deref(), Some("1"));
    assert_complete(pptp::complete, bytes);
    assert_eq!(recognise(&pptp::start()), None, "an echo is no answer");

    let bytes = include_bytes!("../../testdata/xl2tpd.bin");
    assert_eq!(recognise(bytes), Some("l2tp"));
    assert_eq!(value(bytes, "l2tp.host").as_deref(), Some("vm"));
    assert_eq!(value(bytes, "l2tp.vendor").as_deref(), Some("xelerance.com"));
    let stop = l2tp::stop(bytes).expect("a tunnel to stop");
    assert_eq!(stop.get(3).copied().map(usize::from), Some(stop.len()));
    let start = l2tp::start("https://example.org/survey");
    assert_eq!(start.get(3).copied().map(usize::from), Some(start.len()));
    for start in [l2tp::start(""), start.clone(), l2tp::start(&"long".repeat(99))] {
        assert_eq!(start.len(), 136);
        assert!(start.len() >= bytes.len(), "the answer is no longer than the question: {}", bytes.len());
    }
    let acknowledgement = b"\xc8\x02\0\x0cHN\0\0\0\0\0\x01";
    assert!(l2tp::is_acknowledgement(acknowledgement) && !l2tp::is_acknowledgement(b"\xc8\x02\0\x0cXX\0\0\0\0\0\x01"));
    assert!(!l2tp::is_acknowledgement(bytes) && !l2tp::is_acknowledgement(get(acknowledgement, 0..11)));
    assert!(l2tp::stop(&start).is_err() && recognise(&start).is_none(), "an echo is no answer");
}

#[test]
fn kinds_of_services_are_enumerated() {
    let bytes = include_bytes!("../../testdata/avahi.bin");
    assert_eq!(recognise(bytes), Some("mdns"));
    assert_eq!(value(bytes, "mdns.services").as_deref(), Some("_http._tcp"));
    assert_eq!(recognise(&mdns::enumerate(7)), None, "an echo is no answer");
    let (mut one, mut two) = (bytes.to_vec(), bytes.to_vec());
    two.get_mut(0..2).unwrap_or_default().fill(9);
    mask(&mut one);
    mask(&mut two);
    assert_eq!(one, two);
}

/// A message of adb, laid out after `protocol.txt` of AOSP's sources.
fn bridge(command: &[u8; 4], argument: [u8; 4], data: &[u8]) -> Vec<u8> {
    let check: u32 = data.iter().map(|byte| u32::from(*byte)).sum();
    let length = u32::try_from(data.len()).unwrap_or(0).to_le_bytes();
    let magic = command.map(|byte| !byte);
    [&command[..], &argument, &[0, 0x10, 0, 0], &length, &check.to_le_bytes(), &magic, data].concat()
}

#[test]
fn a_debug_bridge_says_whom_it_lets_in() {
    assert_eq!(adb::CONNECT.as_slice(), bridge(b"CNXN", [0, 0, 0, 1], b"host::\0"));
    let banner = b"device::ro.product.name=x96;ro.product.model=TV BOX X96;ro.product.device=x96;features=cmd\0";
    let open = bridge(b"CNXN", [1, 0, 0, 1], banner);
    assert_eq!(recognise(&open), Some("adb"));
    assert_eq!(value(&open, "adb.access").as_deref(), Some("open"));
    assert_eq!(value(&open, "adb.model").as_deref(), Some("TV BOX X96"));
    assert_complete(adb::complete, &open);
    let mut locked = bridge(b"AUTH", [1, 0, 0, 0], b"01234567890123456789");
    assert_eq!(value(&locked, "adb.access").as_deref(), Some("key"));
    mask(&mut locked);
    let mut again = bridge(b"AUTH", [1, 0, 0, 0], b"98765432109876543210");
    mask(&mut again);
    assert_eq!(locked, again, "two looks are the same evidence");
    assert_eq!(value(&bridge(b"STLS", [0, 0, 0, 1], b""), "adb.access").as_deref(), Some("tls"));
    let mut broken = open;
    broken.get_mut(20..21).unwrap_or_default().fill(0);
    assert!(adb::parse(&broken).is_err() && adb::complete(b"HTTP/1.1"));
}
