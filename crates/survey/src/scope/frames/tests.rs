use hinomi_model::scope::Scope;
use proptest::prelude::*;

use super::*;
use crate::grab::requests;
use crate::scope::Document;
use hinomi_model::ServiceKey;

const CONTACT: &str = "https://a.example/";
const OURS: [u8; 4] = [192, 0, 2, 1];

/// A scope of DNS, NTP and SSDP at their ports, and of nothing at 502, where plant equipment speaks over TCP.
fn scope() -> Scope {
    let text = "format = 1\nname = \"t\"\nhours = \"always\"\nvalid_from = \"2026-11-01T00:00:00Z\"\n\
        valid_until = \"2026-12-01T00:00:00Z\"\n[authority]\norganisation = \"T\"\nperson = \"T\"\n\
        [contact]\nemail = \"t@example.org\"\n[targets]\nranges = [\"127.0.0.0/24\"]\ntcp_ports = \"80, 443, 502, 6379\"\n\
        udp_ports = \"53, 123, 502, 1900\"\nprobes = [\"connect\", \"dns\", \"ntp\", \"ssdp\", \"redis\", \"modbus\", \"http\", \"tls\"]\n\
        [rate]\ntotal_pps = 1\nper_prefix_pps = 1\nper_host_pps = 1\nper_host_connections = 1\n";
    Document::read(text.as_bytes()).and_then(|document| document.check()).expect("a scope")
}

/// A whole packet of IPv4 with this datagram.
fn packet(to: [u8; 4], port: u16, carried: &[u8]) -> Vec<u8> {
    let length = u16::try_from(carried.len() + 8).expect("short");
    let [high, low] = (length + 20).to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 7, 7, 0x40, 0, 64, UDP, 0, 0];
    packet.extend([OURS, to].concat());
    let filled = !sum(0, &packet);
    packet[10..12].copy_from_slice(&filled.to_be_bytes());
    packet.extend([0xee, 0x48]);
    packet.extend([port, length, 0].iter().flat_map(|number| number.to_be_bytes()));
    packet.extend(carried);
    let start = u32::from(UDP) + u32::from(length) + u32::from(sum(0, &packet[12..20]));
    let filled = match !sum(start, &packet[20..]) {
        0 => 0xffff,
        sum => sum,
    };
    packet[26..28].copy_from_slice(&filled.to_be_bytes());
    packet
}

/// A whole segment of TCP with these flags and words.
fn segment(to: [u8; 4], port: u16, flags: u8, words: &[u8]) -> Vec<u8> {
    let length = u16::try_from(words.len() + 20).expect("short");
    let [high, low] = (length + 20).to_be_bytes();
    let mut packet = vec![0x45, 0, high, low, 7, 7, 0x40, 0, 64, TCP, 0, 0];
    packet.extend([OURS, to].concat());
    packet.extend([0xee, 0x48]);
    packet.extend(port.to_be_bytes());
    packet.extend([1, 2, 3, 4, 5, 6, 7, 8, PLAIN, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(words);
    let start = u32::from(TCP) + u32::from(length) + u32::from(sum(0, &packet[12..20]));
    let filled = !sum(start, &packet[20..]);
    packet[36..38].copy_from_slice(&filled.to_be_bytes());
    packet
}

#[test]
fn first_words_leave_to_their_own_port_and_byte_for_byte() {
    use crate::grab::hints::Question;
    use crate::grab::words;
    let to = [127, 0, 0, 9];
    let request = |question, port| {
        let key = ServiceKey { address: to.into(), port, transport: Transport::Tcp };
        words::request(question, key, CONTACT).expect("a request")
    };
    let (redis, modbus) = (request(Question::Redis, 6379), request(Question::Modbus, 502));
    assert!(leaves(&segment(to, 6379, PUSH_ACK, &redis)) && leaves(&segment(to, 502, PUSH_ACK, &modbus)));
    assert!(leaves(&segment(to, 6379, ACK, b"")) && leaves(&segment(to, 80, ACK, b"")));
    assert!(!leaves(&segment(to, 502, PUSH_ACK, &redis)), "plant equipment hears its own question or none");
    assert!(!leaves(&segment(to, 80, PUSH_ACK, b"GET / HTTP/1.1\r\n\r\n")), "not said first");
    assert!(!leaves(&segment(to, 6379, ACK, &redis)) && !leaves(&segment(to, 6379, PUSH_ACK, b"")));
    assert!(!leaves(&segment(to, 6379, PUSH_ACK | SYN, &redis)) && !leaves(&segment(to, 6380, PUSH_ACK, &redis)));
    assert!(!leaves(&segment([127, 0, 1, 9], 6379, PUSH_ACK, &redis)), "outside the scope");
    let whole = segment(to, 6379, PUSH_ACK, &redis);
    for at in 40..whole.len() {
        let mut wrong = whole.clone();
        wrong[at] ^= 1;
        assert!(!leaves(&wrong), "byte {at}");
        // With its sum made right again it is still no question.
        let words = wrong[40..].to_vec();
        assert!(!leaves(&segment(to, 6379, PUSH_ACK, &words)), "byte {at}");
    }
}

fn leaves(packet: &[u8]) -> bool {
    let (scope, mut questions) = (scope(), Questions::naming(CONTACT));
    let gate = Gate::new(&scope, &[]);
    let asked = read(packet, false);
    asked.is_some_and(|asked| asked.is_permitted(&gate, &[OURS.into()], |asked| questions.is_one(&scope, asked)))
}

fn question(probe: Probe, to: [u8; 4], port: u16, mark: [u8; 8]) -> Vec<u8> {
    let key = ServiceKey { address: to.into(), port, transport: Transport::Udp };
    requests::marked(probe, key, CONTACT, mark)
}

#[test]
fn questions_leave_to_where_they_may_be_put_and_nowhere_else() {
    let to = [127, 0, 0, 9];
    let put = |probe, to, port| leaves(&packet(to, port, &question(probe, to, port, [7; 8])));
    assert!(put(Probe::Dns, to, 53) && put(Probe::Ntp, to, 123) && put(Probe::Ssdp, to, 1900));
    assert!(!put(Probe::Dns, to, 123), "another's port");
    assert!(!put(Probe::Dns, to, 502), "plant equipment hears its own question or none");
    assert!(!put(Probe::Dns, to, 54) && !put(Probe::Dns, [127, 0, 1, 9], 53), "outside the scope");
    assert!(!put(Probe::Snmp, to, 53), "not permitted");
    let other = question(Probe::Ssdp, [127, 0, 0, 8], 1900, [0; 8]);
    assert!(!leaves(&packet(to, 1900, &other)), "it names another host");
    assert!(!leaves(&packet(to, 53, b"")) && !leaves(&packet(to, 53, &[0x41; 30])));
    let from_another = |mut packet: Vec<u8>| {
        packet[15] ^= 1; // And the sums with it.
        packet[13] ^= 1;
        packet
    };
    assert!(!leaves(&from_another(packet(to, 53, &question(Probe::Dns, to, 53, [7; 8])))));
}

#[test]
fn each_probe_is_counted_under_its_name() {
    let (scope, mut questions) = (scope(), Questions::naming(CONTACT));
    let to = [127, 0, 0, 9];
    for (probe, port) in [(Probe::Dns, 53), (Probe::Ntp, 123), (Probe::Dns, 53), (Probe::Dns, 123)] {
        let bytes = packet(to, port, &question(probe, to, port, [3; 8]));
        let asked = read(&bytes, false).expect("a datagram");
        questions.is_one(&scope, &asked);
    }
    assert_eq!(questions.take_counts().collect::<Vec<_>>(), [(Probe::Dns, 2), (Probe::Ntp, 1)]);
    assert_eq!(questions.take_counts().count(), 0);
}

proptest! {
    #[test]
    fn one_wrong_byte_is_one_too_many(mark: [u8; 8], host: u8, which in 0..3_usize, at: prop::sample::Index, other: u8) {
        let (probe, port) = [(Probe::Dns, 53), (Probe::Ntp, 123), (Probe::Ssdp, 1900)][which];
        let to = [127, 0, 0, host];
        let whole = packet(to, port, &question(probe, to, port, mark));
        prop_assert!(leaves(&whole));
        let mut wrong = whole.clone();
        let at = at.index(whole.len());
        wrong[at] = other;
        // Sums see every single byte, also that of a sum.
        prop_assert_eq!(leaves(&wrong), wrong == whole, "byte {}", at);
        prop_assert!(!leaves(&whole[..whole.len() - 1]));
        prop_assert!(!leaves(&[&whole[..], &[0]].concat()));
        prop_assert!(!leaves(&[&[0; 14][..], &whole].concat()));
    }
}
