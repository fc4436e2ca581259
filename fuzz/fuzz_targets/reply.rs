//! Answers to small requests: when they are whole, what is kept of them, and requests with any text in them.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::recognise;
use hinomi_wire::reply::{adb, amqp, beanstalk, ike, irc, l2tp, ldap, memcached, mongodb, nut, postgresql, pptp, rdp, routeros, sip, smb, vnc, wsd, xmpp};
use libfuzzer_sys::fuzz_target;

const COMPLETE: [fn(&[u8]) -> bool; 15] = [
    adb::complete,
    amqp::complete,
    beanstalk::complete,
    irc::complete,
    ldap::complete,
    memcached::complete,
    mongodb::complete,
    nut::complete,
    postgresql::complete,
    pptp::complete,
    rdp::complete,
    routeros::complete,
    sip::complete,
    smb::complete,
    xmpp::complete,
];

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Reply, bytes);
    let whole = COMPLETE.iter().filter(|complete| complete(bytes)).count();
    assert!(whole == 0 || !bytes.is_empty(), "nothing is no answer");
    let welcome = irc::welcome(bytes);
    assert!(bytes.starts_with(welcome) && irc::welcome(welcome) == welcome);
    assert!(recognise(bytes) != Some("irc") || recognise(welcome) == Some("irc"));
    let _ = (vnc::version(bytes), vnc::complete(true, bytes), vnc::complete(false, bytes), rdp::wants_tls(bytes));
    let _ = (ike::wants_version_1(bytes), mongodb::takes_messages(bytes));
    if let Ok(stop) = l2tp::stop(bytes) {
        assert!(l2tp::stop(&stop).is_err(), "an end is not answered with an end");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let probe = wsd::probe([7; 8], text);
    assert_eq!(probe.windows(3).filter(|end| end == b"-->").count(), 1);
    // What somebody else wrote does not become a line or an element of ours.
    if let Ok(request) = sip::options_request(text, text, sip::Over::Udp, 0) {
        assert_eq!(request.windows(4).filter(|end| end == b"\r\n\r\n").count(), 1);
        assert_eq!(request.iter().filter(|byte| **byte == b'\n').count(), 11);
    }
    if let Ok(request) = xmpp::open(text) {
        assert_eq!(request.iter().filter(|byte| **byte == b'>').count(), 2);
    }
    if let Ok(request) = irc::register(text) {
        assert_eq!(request.iter().filter(|byte| **byte == b'\n').count(), 2);
    }
});
