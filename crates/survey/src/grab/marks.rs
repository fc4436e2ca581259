//! Whose answer is it? The mark in a question, and what of it comes back.
//!
//! A question over UDP carries its mark where its protocol has a number of its own that answers repeat. How many bits of
//! it that gives differs; with the source port, of which an engine of frames draws eight bits
//! ([`crate::engine`]), a forger who sees nothing has to guess:
//!
//! | probe | number | bits | with the port |
//! |---|---|---|---|
//! | `ntp` | originate timestamp | 64 | 72 |
//! | `coap` | message id and token | 48; 16 or 32 where one of both comes back | 24 to 56 |
//! | `snmp` | message id | 30 | 38 |
//! | `dns`, `echonet-lite`, `enip`, `sip` | id, TID, sender context, Call-ID | 16 | 24 |
//! | `mdns` | id | 15 | 23 |
//! | `bacnet`, `fins` | invoke id, service id | 8 | 16 |
//! | `ssdp`, `slmp`, `knx`, `ipmi`, any in another language | none | 0 | 8 |
//!
//! Below 16 bits an answer is only [`Echo::Faint`]: who grabs asks again over a socket of its own. `l2tp` has no line: its
//! answer begins a control connection, which must be ended from the port that began it. `ike` and `ws-discovery` are asked over
//! sockets alone.

use hinomi_model::ServiceKey;
use hinomi_model::scope::Probe;
use hinomi_wire::plant::{bacnet, enip};
use hinomi_wire::{Reader, coap, dns, echonet, ntp, snmp};

use super::{requests, understood};

/// The number in a question.
pub(crate) type Mark = [u8; 8];

/// What an answer tells of the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Eight bits of it or more: it answers this question.
    Clear,
    /// Its protocol repeats nothing, or it is in another language.
    Faint,
    /// It repeats another number: it answers somebody else's question, or is forged.
    Foreign,
}

/// What an answer to a question under this mark tells of it.
pub(crate) fn echo(probe: Probe, mark: Mark, answer: &[u8]) -> Echo {
    if !understood(probe, answer) {
        return Echo::Faint;
    }
    match is_repeated(probe, mark, answer) {
        None => Echo::Faint,
        Some(true) => Echo::Clear,
        Some(false) => Echo::Foreign,
    }
}

/// Whether the answer repeats the mark; none where its protocol would not.
fn is_repeated(probe: Probe, mark: Mark, answer: &[u8]) -> Option<bool> {
    let [a, b, c, d, e, f, ..] = mark;
    let id = u16::from_be_bytes([a, b]);
    match probe {
        Probe::Dns => Some(dns::Response::parse(answer).ok()?.id == id),
        Probe::Mdns => Some(dns::Response::parse(answer).ok()?.id & 0x7fff == id & 0x7fff),
        Probe::Ntp => Some(ntp::Packet::parse(answer).ok()?.originate == mark),
        Probe::Snmp => match snmp::Message::parse(answer).ok()? {
            snmp::Message::V3(report) => Some(report.message_id == snmp::message_id(u32::from_be_bytes([a, b, c, d]))),
            snmp::Message::Community { .. } => None,
        },
        Probe::Coap => Some(repeats_coap(&coap::Message::parse(answer).ok()?, id, [c, d, e, f])),
        Probe::EchonetLite => Some(echonet::Frame::parse(answer).ok()?.transaction == id),
        Probe::Enip => Some(answer.get(12..20)? == enip::list_identity(id).get(12..20)?),
        Probe::Bacnet => Some(bacnet::parse(&mut Reader::new(answer)).ok()?.invoke == a),
        Probe::Fins => Some(*answer.get(FINS_SERVICE)? == a),
        Probe::Sip => {
            // The header's name is written in many ways: "Call-ID", "Call-Id", "i" (RFC 3261, 7.3.1 and 7.3.3).
            let call = format!("{id:04x}@hinomi.invalid");
            Some(answer.windows(call.len()).any(|part| part == call.as_bytes()))
        }
        _ => None,
    }
}

/// Acknowledgements repeat the message id, answers the token, and most are both (RFC 7252, 4.4 and 5.3.1).
fn repeats_coap(message: &coap::Message<'_>, id: u16, token: [u8; 4]) -> bool {
    let is_answer = message.code != 0;
    match message.kind {
        coap::Kind::Acknowledgement => message.message_id == id && (!is_answer || message.token == token),
        coap::Kind::Reset => message.message_id == id,
        coap::Kind::Confirmable | coap::Kind::NonConfirmable => is_answer && message.token == token,
    }
}

/// Where the message id stands in a question of SNMP: behind version and the heads around it.
const SNMP_ID: usize = 9;
const NTP_TRANSMIT: usize = 40;
const BACNET_INVOKE: usize = 8;
const FINS_SERVICE: usize = 9;

/// Whether a question of this probe carries sixteen bits of its mark or more.
pub(crate) const fn has_mark(probe: Probe) -> bool {
    use Probe::{Coap, Dns, EchonetLite, Enip, Ntp, Sip, Snmp};
    matches!(probe, Dns | Ntp | Snmp | Coap | EchonetLite | Enip | Sip)
}

/// Whether these bytes are the question that this probe puts to this service, under whatever mark.
pub(crate) fn is_question(probe: Probe, key: ServiceKey, contact: &str, bytes: &[u8]) -> bool {
    mark_of(probe, bytes).is_some_and(|mark| requests::marked(probe, key, contact, mark) == bytes)
}

/// Whether this probe's question can be sent as a bare frame.
pub(crate) fn can_be_framed(probe: Probe) -> bool {
    mark_of(probe, &[b'0'; 64]).is_some() || probe == Probe::Sip
}

/// The mark that a question carries, as far as its protocol has room for one.
fn mark_of(probe: Probe, question: &[u8]) -> Option<Mark> {
    let mut mark = [0; 8];
    let mut take = |at: usize, count: usize| -> Option<()> {
        mark.get_mut(..count)?.copy_from_slice(question.get(at..at + count)?);
        Some(())
    };
    match probe {
        Probe::Dns | Probe::Mdns => take(0, 2)?,
        Probe::Ntp => take(NTP_TRANSMIT, 8)?,
        Probe::Snmp => take(SNMP_ID, 4)?,
        Probe::Coap => take(2, 6)?,
        Probe::EchonetLite => take(2, 2)?,
        Probe::Bacnet => take(BACNET_INVOKE, 1)?,
        Probe::Fins => take(FINS_SERVICE, 1)?,
        Probe::Enip => {
            let [low, high] = *question.get(14..16)?.first_chunk()?;
            [mark[0], mark[1]] = [high, low];
        }
        Probe::Sip => {
            let start = question.windows(SIP_CALL.len()).position(|part| part == SIP_CALL)? + SIP_CALL.len();
            let digits = std::str::from_utf8(question.get(start..start + 4)?).ok()?;
            let id = u16::from_str_radix(digits, 16).ok()?;
            mark[..2].copy_from_slice(&id.to_be_bytes());
        }
        Probe::Ssdp | Probe::Slmp | Probe::Knx | Probe::Ipmi => {}
        _ => return None,
    }
    Some(mark)
}

const SIP_CALL: &[u8] = b"\r\nCall-ID: ";

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::Transport;
    use proptest::prelude::*;

    const FRAMED: [Probe; 14] = [
        Probe::Dns,
        Probe::Mdns,
        Probe::Ntp,
        Probe::Snmp,
        Probe::Coap,
        Probe::EchonetLite,
        Probe::Enip,
        Probe::Bacnet,
        Probe::Fins,
        Probe::Sip,
        Probe::Ssdp,
        Probe::Slmp,
        Probe::Knx,
        Probe::Ipmi,
    ];

    fn key(address: [u8; 4], port: u16) -> ServiceKey {
        ServiceKey { address: address.into(), port, transport: Transport::Udp }
    }

    #[test]
    fn what_can_be_framed() {
        let can: Vec<Probe> = Probe::all().filter(|probe| can_be_framed(*probe)).collect();
        assert_eq!(can.len(), FRAMED.len());
        assert!(FRAMED.iter().all(|probe| can.contains(probe)));
        assert!(!can_be_framed(Probe::L2tp) && !can_be_framed(Probe::Http));
    }

    proptest! {
        #[test]
        fn a_question_is_known_under_every_mark_and_nothing_else_is(
            which in 0..FRAMED.len(), mark: [u8; 8], address: [u8; 4], port in 1..u16::MAX, at: prop::sample::Index, to: u8,
        ) {
            let probe = FRAMED[which];
            let question = requests::marked(probe, key(address, port), "https://a.example/", mark);
            prop_assert!(is_question(probe, key(address, port), "https://a.example/", &question), "{}", probe);
            prop_assert!(!is_question(probe, key(address, port), "https://a.example/", &question[1..]));
            let mut longer = question.clone();
            longer.push(to);
            prop_assert!(!is_question(probe, key(address, port), "https://a.example/", &longer));
            let mut other = question.clone();
            other[at.index(question.len())] = to;
            if is_question(probe, key(address, port), "https://a.example/", &other) {
                // Only the mark may differ: the same question under the other's mark is the other.
                let mark = mark_of(probe, &other).expect("a mark");
                prop_assert_eq!(requests::marked(probe, key(address, port), "https://a.example/", mark), other);
            }
            let named = matches!(probe, Probe::Ssdp | Probe::Sip);
            prop_assert_eq!(is_question(probe, key(address, port), "another", &question), !named, "{}", probe);
        }

        #[test]
        fn answers_of_name_servers_and_clocks_repeat_their_mark(mark: [u8; 8], other: [u8; 8]) {
            let answer = |mark: [u8; 8]| {
                let mut dns = requests::marked(Probe::Dns, key([192, 0, 2, 1], 53), "", mark);
                dns[2] |= 0x80;
                let mut ntp = vec![0x24; 48];
                ntp[24..32].copy_from_slice(&mark);
                [(Probe::Dns, dns, 2), (Probe::Ntp, ntp, 8)]
            };
            for (probe, answer, bytes) in answer(mark) {
                prop_assert_eq!(echo(probe, mark, &answer), Echo::Clear);
                let same = mark[..bytes] == other[..bytes];
                prop_assert_eq!(echo(probe, other, &answer), if same { Echo::Clear } else { Echo::Foreign });
            }
            prop_assert_eq!(echo(Probe::Dns, mark, b"HTTP/1.1 400 Bad Request\r\n\r\n"), Echo::Faint);
        }
    }

    #[test]
    fn answers_of_sip_repeat_the_call_however_its_header_is_written() {
        for name in ["Call-ID: ", "Call-Id: ", "CALL-ID:", "i: ", "i :\t"] {
            let answer = format!("SIP/2.0 200 OK\r\n{name}beef@hinomi.invalid\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(echo(Probe::Sip, *b"\xbe\xef......", answer.as_bytes()), Echo::Clear, "{name}");
            assert_eq!(echo(Probe::Sip, *b"\xbe\xee......", answer.as_bytes()), Echo::Foreign, "{name}");
        }
    }

    #[test]
    fn answers_of_coap_repeat_id_or_token() {
        let mark = *b"\x12\x34toke..";
        let said = |bytes: &[u8]| echo(Probe::Coap, mark, bytes);
        assert_eq!(said(b"\x64\x45\x12\x34toke\xff."), Echo::Clear, "both");
        assert_eq!(said(b"\x64\x45\x12\x34toky\xff."), Echo::Foreign);
        assert_eq!(said(b"\x64\x45\x12\x35toke\xff."), Echo::Foreign);
        assert_eq!(said(b"\x60\0\x12\x34"), Echo::Clear, "acknowledged, the answer comes later");
        assert_eq!(said(b"\x70\0\x12\x35"), Echo::Foreign, "refuses another's");
        assert_eq!(said(b"\x54\x45\x77\x77toke\xff."), Echo::Clear, "its own message, our token");
    }
}
