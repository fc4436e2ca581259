//! UDP services: the answer that made them known, and the little more that they offer freely.

use hinomi_model::scope::Probe;
use hinomi_model::{EvidenceKind, ServiceKey, Transport, parse_address};
use hinomi_wire::http::Afterwards;
use hinomi_wire::reply::{ike, l2tp};
use hinomi_wire::{coap, dns, echonet, http, ntp, snmp, ssdp};

use super::listen::ask;
use super::session::{Sense, Session};
use super::tcp::reply_bounds;
use super::{hints, plant, requests};
use crate::pace::HostTurn;
use crate::scope::Datagrams;

/// A socket towards the service, with the turn under which it is used. Where the first question left as a frame there is
/// none yet; it is opened when there is more to ask.
pub(super) struct Line(Option<(Datagrams, HostTurn)>);

impl Line {
    /// Over this socket.
    pub(super) const fn of(socket: Datagrams, turn: HostTurn) -> Self {
        Self(Some((socket, turn)))
    }

    /// The socket, opened now if need be; none when the scope or the system gives none.
    async fn open(&mut self, session: &Session<'_>, probe: Probe) -> Option<&(Datagrams, HostTurn)> {
        if self.0.is_none() {
            let turn = session.survey().pace.turn(session.key().address).await?;
            let permit = session.door().permit(session.key(), probe).ok()?;
            self.0 = Some((session.door().datagrams(permit).await.ok()?, turn));
        }
        self.0.as_ref()
    }

    /// Says something that is not answered, to who spoke over this socket.
    async fn say(&self, session: &Session<'_>, probe: Probe, words: &[u8]) {
        if let Some((socket, _)) = &self.0 {
            let _ = session.door().send(socket, probe, words).await;
        }
    }
}

/// Grabs a service that answered a question that left as a frame.
pub(super) async fn grab_answered(session: &mut Session<'_>, probe: Probe, answer: Vec<u8>) -> Sense {
    if probe == Probe::Coap && comes_later(&answer) {
        return grab_known(session).await;
    }
    grab(session, probe, answer, &mut Line(None)).await
}

/// Whether this is not yet the answer, or one that waits to be acknowledged to the port that asked.
fn comes_later(answer: &[u8]) -> bool {
    coap::Message::parse(answer).is_ok_and(|message| message.code == 0 || message.kind == coap::Kind::Confirmable)
}

/// Grabs a service of which no more is known than that it answers: asks what may be asked until it is understood.
pub(super) async fn grab_known(session: &mut Session<'_>) -> Sense {
    let mut in_another_language = None;
    for probe in hints::udp(session.door().scope(), session.key().port) {
        let mut line = Line(None);
        let request = requests::udp(probe, session.key(), &session.config().contact);
        for _ in 0..session.config().attempts.max(1) {
            let Some(answer) = ask_again(session, probe, &request, &mut line).await else { continue };
            if understood(probe, &answer) {
                return grab(session, probe, answer, &mut line).await;
            }
            in_another_language = in_another_language.or(Some((probe, answer)));
            break;
        }
    }
    match in_another_language {
        Some((probe, answer)) => grab(session, probe, answer, &mut Line(None)).await,
        None => Sense::Mute,
    }
}

/// Keeps the answer and asks on where the protocol has more to say.
pub(super) async fn grab(session: &mut Session<'_>, probe: Probe, answer: Vec<u8>, line: &mut Line) -> Sense {
    let answer = behind_acknowledgement(session, probe, answer, line).await;
    if !understood(probe, &answer) {
        session.remember(EvidenceKind::Reply, answer);
        return Sense::Unknown;
    }
    if probe == Probe::Bacnet {
        let told = plant::bacnet(session, answer, line).await;
        session.remember(EvidenceKind::Reply, told);
        return Sense::Spoke;
    }
    session.remember(kind_of(probe), answer.clone());
    match probe {
        Probe::Ssdp => describe(session, &answer, line).await,
        Probe::Coap => acknowledge(session, &answer, line).await,
        Probe::Dns => ask_to_resolve(session, line).await,
        Probe::L2tp => hang_up(session, &answer, line).await,
        Probe::Ike => ask_version_1(session, &answer, line).await,
        _ => {}
    }
    Sense::Spoke
}

const fn kind_of(probe: Probe) -> EvidenceKind {
    match probe {
        Probe::Dns => EvidenceKind::Dns,
        Probe::Ntp => EvidenceKind::Ntp,
        Probe::Snmp => EvidenceKind::Snmp,
        Probe::Ssdp => EvidenceKind::Ssdp,
        Probe::Coap => EvidenceKind::Coap,
        Probe::EchonetLite => EvidenceKind::EchonetLite,
        _ => EvidenceKind::Reply,
    }
}

/// Whether an answer is in the language of the probe.
pub(crate) fn understood(probe: Probe, answer: &[u8]) -> bool {
    match probe {
        Probe::Dns => dns::Response::parse(answer).is_ok(),
        Probe::Ntp => ntp::Packet::parse(answer).is_ok(),
        Probe::Snmp => snmp::Message::parse(answer).is_ok(),
        Probe::Ssdp => answer.starts_with(b"HTTP/1."),
        Probe::Coap => coap::Message::parse(answer).is_ok(),
        Probe::EchonetLite => echonet::Frame::parse(answer).is_ok(),
        Probe::Sip => answer.starts_with(b"SIP/2.0 "),
        Probe::Enip
        | Probe::Bacnet
        | Probe::Fins
        | Probe::Slmp
        | Probe::Knx
        | Probe::Ipmi
        | Probe::L2tp
        | Probe::Mdns
        | Probe::Ike
        | Probe::WsDiscovery => hinomi_wire::recognise(answer) == Some(probe.name()),
        _ => false,
    }
}

/// The longest answer to a further question: that to one of DNS without EDNS is shorter (RFC 1035 section 4.2.1), with
/// room for servers that forget that.
const MAX_FURTHER_ANSWER: usize = 4 * 1024;

/// One more question to a service, and what it says to it.
pub(super) async fn ask_again(session: &Session<'_>, probe: Probe, request: &[u8], line: &mut Line) -> Option<Vec<u8>> {
    let (socket, turn) = line.open(session, probe).await?;
    session.survey().pace.packet(turn).await;
    session.door().send(socket, probe, request).await.ok()?;
    receive(session, line).await
}

/// One more datagram over this socket, without a question.
pub(super) async fn receive(session: &Session<'_>, line: &Line) -> Option<Vec<u8>> {
    let (socket, _) = line.0.as_ref()?;
    let mut answer = vec![0; MAX_FURTHER_ANSWER];
    let count = socket.receive(&mut answer, session.config().connect_timeout).await.ok()?;
    session.door().metrics().received(count);
    answer.truncate(count);
    Some(answer)
}

/// Asks a name server for a name that it knows by itself: the flags of its answer tell whether it resolves for us.
async fn ask_to_resolve(session: &mut Session<'_>, line: &mut Line) {
    // Another number than the first question's: answers to that one may come twice.
    let id = requests::short_mark(session.key()).wrapping_add(1);
    let Ok(query) = dns::recursion_query(id, dns::OWN_NAME) else { return };
    let Some(answer) = ask_again(session, Probe::Dns, &query, line).await else { return };
    if dns::Response::parse(&answer).is_ok_and(|response| response.id == id) {
        session.remember(EvidenceKind::Dns, answer);
    }
}

/// The answer of an L2TP server that acknowledges the request first (RFC 2661, 5.8). Left unread, the control
/// connection that it begins would not be ended.
async fn behind_acknowledgement(session: &Session<'_>, probe: Probe, first: Vec<u8>, line: &Line) -> Vec<u8> {
    if probe != Probe::L2tp || !l2tp::is_acknowledgement(&first) {
        return first;
    }
    receive(session, line).await.unwrap_or(first)
}

/// Asks a gateway that refused version 2 of IKE for what it says in version 1.
async fn ask_version_1(session: &mut Session<'_>, answer: &[u8], line: &mut Line) {
    if !ike::wants_version_1(answer) {
        return;
    }
    let question = ike::start_version_1(requests::mark(session.key()), &session.config().contact);
    let Some(answer) = ask_again(session, Probe::Ike, &question, line).await else { return };
    if understood(Probe::Ike, &answer) {
        session.remember(EvidenceKind::Reply, answer);
    }
}

/// Ends the control connection that an L2TP server began for our request, or it would wait and repeat its answer.
async fn hang_up(session: &Session<'_>, answer: &[u8], line: &Line) {
    if let Ok(stop) = l2tp::stop(answer) {
        line.say(session, Probe::L2tp, &stop).await;
    }
}

/// A confirmable answer of its own is acknowledged, or the device would send it again and again (RFC 7252, 4.2).
async fn acknowledge(session: &Session<'_>, answer: &[u8], line: &Line) {
    let Ok(message) = coap::Message::parse(answer) else { return };
    if message.kind == coap::Kind::Confirmable {
        line.say(session, Probe::Coap, &coap::acknowledge(message.message_id)).await;
    }
}

/// Fetches the device description that an SSDP answer points to, if it lies on the same host and inside the scope.
async fn describe(session: &mut Session<'_>, answer: &[u8], line: &mut Line) {
    let Some((address, port, path)) = location(answer) else {
        session.door().metrics().reason("ssdp location is not usable");
        return;
    };
    if address != session.key().address {
        session.door().metrics().reason("ssdp location points to another host");
        return;
    }
    if hints::stands_alone(session.door().scope(), port) {
        session.door().metrics().reason("ssdp location points to a port of plant equipment or printers");
        return;
    }
    let key = ServiceKey { address, port, transport: Transport::Tcp };
    if session.door().permit(key, Probe::Http).is_err() || !session.count_handshake() {
        return;
    }
    let Ok(permit) = session.door().permit(key, Probe::Connect) else { return };
    let Some((_, turn)) = line.open(session, Probe::Ssdp).await else { return };
    session.survey().pace.packet(turn).await;
    let Ok(mut connection) = session.door().connect(permit, session.config().connect_timeout).await else { return };
    let Ok(request) = http::request(&path, &key.socket().to_string(), &session.config().contact, Afterwards::Close)
    else {
        return;
    };
    let bounds = reply_bounds(session);
    let page = ask(&mut connection, &request, bounds, http::complete, session.door().metrics()).await;
    if let Ok(response) = http::parse(&page.bytes) {
        session.remember(EvidenceKind::UpnpDescription, response.body.to_vec());
    }
}

/// Address, port and path of the LOCATION header.
fn location(answer: &[u8]) -> Option<(std::net::IpAddr, u16, String)> {
    let text = ssdp::location(answer)?;
    let rest = text.strip_prefix("http://")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            (host, after.strip_prefix(':').unwrap_or("80"))
        }
        None => authority.split_once(':').unwrap_or((authority, "80")),
    };
    Some((parse_address(host).ok()?, port.parse().ok()?, path.to_owned()))
}
