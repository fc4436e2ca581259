use super::*;
use crate::scope::Document;

/// A scope of every probe that names these ports of probes, as documents write them (`knx:3672`).
pub(in crate::grab) fn scope_naming(ports: &str) -> Scope {
    let text = format!(
        "format = 1\nname = \"t\"\nhours = \"always\"\nvalid_from = \"2026-11-01T00:00:00Z\"\n\
        valid_until = \"2026-12-01T00:00:00Z\"\n[authority]\norganisation = \"T\"\nperson = \"T\"\n\
        [contact]\nemail = \"t@example.org\"\n\
        [targets]\nranges = [\"127.0.0.0/24\"]\ntcp_ports = \"1-65535\"\nudp_ports = \"1-65535\"\n\
        probes = [\"all\", {ports}]\n\
        [rate]\ntotal_pps = 1\nper_prefix_pps = 1\nper_host_pps = 1\nper_host_connections = 1\n"
    );
    Document::read(text.as_bytes()).and_then(|document| document.check()).expect("a scope")
}

#[test]
fn every_question_has_a_probe_and_a_protocol_of_its_own() {
    for (question, probe, protocol) in QUESTIONS {
        assert_eq!((question.probe(), question.protocol()), (*probe, *protocol));
        assert_eq!(Question::of(*probe), Some(*question));
    }
}

#[test]
fn plant_equipment_is_asked_at_home_in_its_own_language_alone() {
    for probe in Probe::all().filter(|probe| probe.home_ports().is_some()) {
        let homes = probe.home_ports().unwrap_or_default();
        let asked = homes.iter().all(|port| usual(*port) == Question::of(probe) || usual_udp(*port) == Some(probe));
        assert!(!homes.is_empty() && asked, "{probe}");
        assert!(!UDP_ANYWHERE.contains(&probe), "{probe}");
    }
    for port in 1..=u16::MAX {
        let question = usual(port).filter(|_| only_its_own(port));
        let suggested = question.map(Question::probe).into_iter().chain(usual_udp(port));
        for probe in suggested.filter(|probe| probe.home_ports().is_some()) {
            assert!(probe.home_ports().is_some_and(|homes| homes.contains(&port)), "{probe} at {port}");
        }
    }
}

#[test]
fn answers_lead_on() {
    let cases: &[(&[u8], Option<Question>)] = &[
        (b"ERROR\r\nERROR\r\n", Some(Question::Memcached)),
        (b"ERR UNKNOWN-COMMAND\n", Some(Question::Nut)),
        (b"UNKNOWN_COMMAND\r\n", Some(Question::Beanstalk)),
        (b"ERROR :\"Oops, HTTP request received? This is IRC!\"\r\n", Some(Question::Irc)),
        (b"AMQP\0\0\x09\x01", Some(Question::Amqp)),
        (b"-ERR wrong number of arguments for 'get' command\r\n", Some(Question::Redis)),
        (b"RTSP/1.0 400 Bad Request\r\n", Some(Question::Rtsp)),
        (b"SSH-2.0-x\r\n", None),
        (b"ERROR", None),
        (b"", None),
    ];
    for (words, question) in cases {
        assert_eq!(Question::suggested_by(words), *question, "{}", String::from_utf8_lossy(words));
    }
}
