//! TCP services: listen, then ask, until something is understood.

use std::collections::VecDeque;
use std::time::Duration;

use hinomi_model::EvidenceKind;
use hinomi_model::scope::Probe;
use hinomi_wire::{Reader, dns, http, modbus, mqtt, redis, rtsp, telnet};

use super::hints::{self, Question};
use super::listen::{Bounds, Heard, PAUSE, Talk, ask, listen};
use super::session::{Sense, Session};
use super::{ssh, tls};
use crate::pace::HostTurn;
use crate::scope::Connection;

/// Remarks on services that behave like none.
const ENDLESS: &str = "speaks without end";
const DROPS: &str = "speaks in drops, as tarpits do";
const RESET: &str = "accepts and resets without a word";

/// What a question came to.
pub(super) enum Answer {
    /// It is that protocol.
    Yes,
    /// It said this, which is not that protocol.
    Other(Vec<u8>),
    /// It said nothing.
    Nothing,
}

/// Grabs over the connection that stands.
pub(super) async fn grab(session: &mut Session<'_>, connection: Connection, turn: &HostTurn) -> Sense {
    session.count_handshake();
    let hint = hints::tcp(session.key().port);
    let mut connection = connection;
    let bounds = greeting_bounds(session, hint.is_some());
    match listen(&mut connection, bounds, session.door().metrics()).await {
        Heard::Words(words) => greeting(session, connection, words, turn).await,
        Heard::Endless(words) => pseudo(session, words, ENDLESS),
        Heard::Drops(words) => pseudo(session, words, DROPS),
        Heard::Reset => Sense::Pseudo(RESET),
        Heard::Nothing => question(session, Some(connection), hint, turn).await,
        Heard::Ended => question(session, None, hint, turn).await,
    }
}

/// Grabs a service that an engine without connections found.
pub(super) async fn grab_unconnected(session: &mut Session<'_>) -> Sense {
    let pace = std::sync::Arc::clone(&session.survey().pace);
    let Some(turn) = pace.turn(session.key().address).await else { return Sense::Mute };
    let Ok(permit) = session.door().permit(session.key(), Probe::Connect) else { return Sense::Mute };
    pace.packet(&turn).await;
    match session.door().connect(permit, session.config().connect_timeout).await {
        Ok(connection) => grab(session, connection, &turn).await,
        Err(_) => Sense::Mute,
    }
}

/// Where a question is usual, the wait for a greeting is short.
fn greeting_bounds(session: &Session<'_>, asked_first: bool) -> Bounds {
    let config = session.config();
    let first = if asked_first { config.banner_wait / 4 } else { config.banner_wait };
    Bounds { first, pause: PAUSE, total: config.connection_time, bytes: config.connection_bytes }
}

pub(super) fn reply_bounds(session: &Session<'_>) -> Bounds {
    let config = session.config();
    let pause = (config.reply_wait / 3).max(Duration::from_millis(300));
    Bounds { first: config.reply_wait, pause, total: config.connection_time, bytes: config.connection_bytes }
}

fn pseudo(session: &mut Session<'_>, mut words: Vec<u8>, remark: &'static str) -> Sense {
    words.truncate(MAX_NONSENSE);
    session.remember(EvidenceKind::Banner, words);
    Sense::Pseudo(remark)
}

/// How much of nonsense is kept as evidence.
const MAX_NONSENSE: usize = 1_024;

async fn greeting(session: &mut Session<'_>, connection: Connection, words: Vec<u8>, turn: &HostTurn) -> Sense {
    match hinomi_wire::recognise(&words) {
        Some("ssh") => ssh::grab(session, connection, words).await,
        Some("telnet") => negotiate(session, connection, words).await,
        Some("http") => {
            session.remember(EvidenceKind::Http, words);
            Sense::Spoke
        }
        Some("tls") => {
            drop(connection);
            question(session, None, Some(Question::Tls), turn).await
        }
        Some(_) => {
            session.remember(EvidenceKind::Banner, words);
            Sense::Spoke
        }
        None => {
            session.remember(EvidenceKind::Banner, words);
            Sense::Unknown
        }
    }
}

/// The most rounds of Telnet negotiation: we refuse every option, which leads to the login banner.
const TELNET_ROUNDS: usize = 4;

async fn negotiate(session: &mut Session<'_>, mut connection: Connection, mut words: Vec<u8>) -> Sense {
    let mut answered = 0;
    for _ in 0..TELNET_ROUNDS {
        let refusal = telnet::refuse_all(&telnet::parse(words.get(answered..).unwrap_or_default()).requests);
        answered = words.len();
        if refusal.is_empty() || !session.may_send(Probe::Line) {
            break;
        }
        let bounds = Bounds { first: session.config().banner_wait, ..greeting_bounds(session, false) };
        words.extend(ask(&mut connection, &refusal, bounds, |_| false, session.door().metrics()).await);
    }
    session.remember(EvidenceKind::Banner, words);
    Sense::Spoke
}

/// Asks one question after another. The first goes over the connection that stands, if one does.
async fn question(
    session: &mut Session<'_>,
    mut standing: Option<Connection>,
    hint: Option<Question>,
    turn: &HostTurn,
) -> Sense {
    let mut plan = plan(session.key().port, hint);
    let mut unknown: Option<Vec<u8>> = None;
    while let Some(question) = plan.pop_front() {
        if !session.may_send(question.probe()) {
            continue;
        }
        let connection = match standing.take() {
            Some(connection) => connection,
            None => match session.connect(turn).await {
                Some(connection) => connection,
                None => break,
            },
        };
        match put(session, question, connection, turn).await {
            Answer::Yes => return Sense::Spoke,
            Answer::Nothing => {}
            Answer::Other(words) => match hinomi_wire::recognise(&words).map(|name| (name, Question::named(name))) {
                Some((_, Some(other))) if other != question => {
                    plan.retain(|planned| *planned != other);
                    plan.push_front(other);
                }
                Some(_) => {
                    session.remember(EvidenceKind::Reply, words);
                    return Sense::Spoke;
                }
                None => unknown = unknown.or(Some(words)),
            },
        }
    }
    match unknown {
        Some(words) => {
            session.remember(EvidenceKind::Reply, words);
            Sense::Unknown
        }
        None => Sense::Mute,
    }
}

fn plan(port: u16, hint: Option<Question>) -> VecDeque<Question> {
    if hints::only_its_own(port) {
        return hint.into_iter().collect();
    }
    let rest = hints::ORDER.into_iter().filter(|question| Some(*question) != hint);
    hint.into_iter().chain(rest).collect()
}

async fn put(session: &mut Session<'_>, question: Question, mut connection: Connection, turn: &HostTurn) -> Answer {
    match question {
        Question::Tls => tls::grab(session, connection, turn).await,
        other => put_over(session, other, &mut connection).await,
    }
}

/// Puts a question over a connection, plain or inside TLS.
pub(super) async fn put_over(session: &mut Session<'_>, question: Question, stream: &mut impl Talk) -> Answer {
    match question {
        Question::Http => ask_http(session, stream).await,
        Question::Mqtt => ask_mqtt(session, stream).await,
        Question::Redis => put_simple(session, stream, redis::REQUEST, redis::complete, EvidenceKind::Redis).await,
        Question::Rtsp => {
            let host = session.key().socket().to_string();
            let Ok(request) = rtsp::options_request(&host, &session.config().contact) else { return Answer::Nothing };
            put_simple(session, stream, &request, rtsp::complete, EvidenceKind::Rtsp).await
        }
        Question::Dns => {
            let request = dns::over_tcp(&dns::version_query(DNS_ID));
            put_simple(session, stream, &request, |seen| dns::tcp_message(seen).is_some(), EvidenceKind::Dns).await
        }
        Question::Modbus => {
            let request = modbus::read_device_identification(1, MODBUS_UNIT, modbus::Category::Regular, 0);
            put_simple(session, stream, &request, modbus::complete, EvidenceKind::Modbus).await
        }
        Question::Line => {
            put_simple(session, stream, b"\r\n", |seen| seen.ends_with(b"\n"), EvidenceKind::Banner).await
        }
        Question::Tls => Answer::Nothing,
    }
}

/// The transaction identifier of a DNS question over TCP: the connection tells answers apart.
const DNS_ID: u16 = 0x484e;

/// The Modbus unit that gateways take for themselves.
const MODBUS_UNIT: u8 = 0xff;

async fn put_simple(
    session: &mut Session<'_>,
    stream: &mut impl Talk,
    request: &[u8],
    complete: impl Fn(&[u8]) -> bool,
    kind: EvidenceKind,
) -> Answer {
    let answer = ask(stream, request, reply_bounds(session), complete, session.door().metrics()).await;
    if answer.is_empty() {
        return Answer::Nothing;
    }
    if !is_of(kind, &answer) {
        return Answer::Other(answer);
    }
    let message = match kind {
        EvidenceKind::Dns => dns::tcp_message(&answer).unwrap_or_default().to_vec(),
        _ => answer,
    };
    session.remember(kind, message);
    Answer::Yes
}

/// Whether an answer is of the protocol that was asked for.
fn is_of(kind: EvidenceKind, answer: &[u8]) -> bool {
    match kind {
        EvidenceKind::Redis => hinomi_wire::recognise(answer) == Some("redis"),
        EvidenceKind::Rtsp => answer.starts_with(b"RTSP/"),
        EvidenceKind::Dns => dns::tcp_message(answer).is_some_and(|message| dns::Response::parse(message).is_ok()),
        EvidenceKind::Modbus => modbus::Frame::parse(&mut Reader::new(answer)).is_ok(),
        EvidenceKind::Mqtt => mqtt::Connack::parse(answer).is_ok(),
        _ => hinomi_wire::recognise(answer).is_some(),
    }
}

async fn ask_http(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let host = session.key().socket().to_string();
    let Ok(request) = http::request("/", &host, &session.config().contact) else { return Answer::Nothing };
    let answer = ask(stream, &request, reply_bounds(session), http::complete, session.door().metrics()).await;
    if answer.is_empty() {
        return Answer::Nothing;
    }
    if !answer.starts_with(b"HTTP/") {
        return Answer::Other(answer);
    }
    session.remember(EvidenceKind::Http, answer);
    Answer::Yes
}

async fn ask_mqtt(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let request = mqtt::connect("hinomi");
    let answer = put_simple(session, stream, &request, mqtt::complete, EvidenceKind::Mqtt).await;
    if matches!(answer, Answer::Yes) {
        let bounds = Bounds { first: PAUSE, ..reply_bounds(session) };
        ask(stream, &mqtt::DISCONNECT, bounds, |_| true, session.door().metrics()).await;
    }
    answer
}
