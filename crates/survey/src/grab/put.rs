//! One question, put over one connection: the request, when the answer is whole, and what kind of evidence it is.

use std::borrow::Cow;

use hinomi_model::{EvidenceKind, ServiceKey, Transport};
use hinomi_wire::plant::{dnp3, enip, iec104, slmp};
use hinomi_wire::reply::{adb, amqp, beanstalk, irc, ldap, memcached, mongodb, nut, pptp, routeros, sip, smb, xmpp};
use hinomi_wire::{Reader, dns, modbus, mqtt, redis, rtsp};

use super::hints::Question;
use super::listen::{Talk, ask, say};
use super::session::Session;
use super::tcp::{Answer, nothing, reply_bounds};
use super::{plant, postgresql, requests, web};

/// A question that is one request and one answer.
struct Exchange {
    request: Cow<'static, [u8]>,
    complete: fn(&[u8]) -> bool,
    kind: EvidenceKind,
    /// What ends the visit politely.
    farewell: &'static [u8],
}

impl Exchange {
    const fn plain(request: &'static [u8], complete: fn(&[u8]) -> bool, kind: EvidenceKind) -> Self {
        Self { request: Cow::Borrowed(request), complete, kind, farewell: b"" }
    }

    fn made(request: Vec<u8>, complete: fn(&[u8]) -> bool, kind: EvidenceKind) -> Self {
        Self { request: Cow::Owned(request), complete, kind, farewell: b"" }
    }
}

/// Puts a question over a connection, plain or inside TLS. TLS itself is not put here.
pub(super) async fn put_over(session: &mut Session<'_>, question: Question, stream: &mut impl Talk) -> Answer {
    match question {
        Question::Http => return web::grab_over(session, stream).await,
        Question::Postgresql => return postgresql::start_up(session, stream, Vec::new()).await,
        Question::Dns => return ask_names(session, stream).await,
        Question::S7 => return plant::s7(session, stream).await,
        Question::OpcUa => return plant::opcua(session, stream).await,
        Question::Fins => return plant::fins(session, stream).await,
        Question::Mongodb => return ask_mongodb(session, stream).await,
        _ => {}
    }
    let exchange = exchange(question, session.key(), &session.config().contact);
    let Some(exchange) = exchange else { return Answer::Silent };
    let metrics = session.door().metrics();
    let said = ask(stream, &exchange.request, reply_bounds(session), exchange.complete, metrics).await;
    if said.bytes.is_empty() {
        return nothing(&said);
    }
    if !is_of(question, &said.bytes) {
        return Answer::Other(said.bytes);
    }
    if !exchange.farewell.is_empty() {
        say(stream, exchange.farewell, reply_bounds(session)).await;
    }
    session.remember(exchange.kind, kept(question, said.bytes));
    Answer::Yes
}

/// Whether a question is one request and one answer, and nothing in the end.
pub(super) fn is_one_exchange(question: Question) -> bool {
    let nobody = ServiceKey { address: [0; 4].into(), port: 0, transport: Transport::Tcp };
    exchange(question, nobody, "").is_some_and(|exchange| exchange.farewell.is_empty())
}

/// The request of such a question.
pub(super) fn request(question: Question, key: ServiceKey, contact: &str) -> Option<Vec<u8>> {
    exchange(question, key, contact).map(|exchange| exchange.request.into_owned())
}

/// Keeps a whole answer to such a question, put on the handshake; says whether it was one.
pub(super) fn remember_answer(session: &mut Session<'_>, question: Question, answer: &[u8]) -> bool {
    let exchange = exchange(question, session.key(), &session.config().contact);
    let fits = |exchange: &Exchange| (exchange.complete)(answer) && is_of(question, answer);
    let Some(exchange) = exchange.filter(fits) else { return false };
    session.remember(exchange.kind, kept(question, answer.to_vec()));
    true
}

/// The request of each question; none where this program's contact cannot stand in it.
fn exchange(question: Question, key: ServiceKey, contact: &str) -> Option<Exchange> {
    use EvidenceKind::Reply;
    let host = key.socket().to_string();
    let mark = requests::short_mark(key);
    Some(match question {
        Question::Redis => Exchange::plain(redis::REQUEST, redis::complete, EvidenceKind::Redis),
        Question::Memcached => Exchange::plain(memcached::VERSION, memcached::complete, Reply),
        Question::Beanstalk => Exchange::plain(beanstalk::STATS, beanstalk::complete, Reply),
        Question::Nut => Exchange::plain(nut::VERSION, nut::complete, Reply),
        Question::Amqp => Exchange::plain(amqp::HEADER, amqp::complete, Reply),
        Question::Routeros => Exchange::plain(routeros::QUIT, routeros::complete, Reply),
        Question::Adb => Exchange::plain(adb::CONNECT, adb::complete, Reply),
        Question::Smb => Exchange::plain(smb::NEGOTIATE, smb::complete, Reply),
        Question::Iec104 => Exchange::plain(iec104::TEST, iec104::complete, Reply),
        Question::Slmp => Exchange::plain(slmp::READ_TYPE_NAME, slmp::complete, Reply),
        Question::Dnp3 => Exchange::made(dnp3::request_link_status(), dnp3::complete, Reply),
        Question::Enip => Exchange::made(enip::list_identity(mark).to_vec(), enip::complete, Reply),
        Question::Ldap => Exchange::made(ldap::root_search(), ldap::complete, Reply),
        Question::Rtsp => {
            let request = rtsp::options_request(&host, contact).ok()?;
            Exchange::made(request, rtsp::complete, EvidenceKind::Rtsp)
        }
        Question::Sip => {
            let request = sip::options_request(&host, contact, sip::Over::Tcp, mark).ok()?;
            Exchange::made(request, sip::complete, Reply)
        }
        Question::Modbus => {
            let request = modbus::read_device_identification(1, MODBUS_UNIT, modbus::Category::Regular, 0);
            Exchange::made(request.to_vec(), modbus::complete, EvidenceKind::Modbus)
        }
        Question::Mqtt => Exchange {
            farewell: &mqtt::DISCONNECT,
            ..Exchange::made(mqtt::connect("hinomi"), mqtt::complete, EvidenceKind::Mqtt)
        },
        Question::Pptp => {
            Exchange { farewell: pptp::STOP, ..Exchange::made(pptp::start().to_vec(), pptp::complete, Reply) }
        }
        Question::Irc => {
            let request = irc::register(&format!("hnm{mark:04x}")).ok()?;
            Exchange { farewell: irc::QUIT, ..Exchange::made(request, irc::complete, Reply) }
        }
        Question::Xmpp => {
            let request = xmpp::open(&key.address.to_string()).ok()?;
            Exchange { farewell: xmpp::CLOSE, ..Exchange::made(request, xmpp::complete, Reply) }
        }
        Question::Tls | Question::Http | Question::Dns | Question::Postgresql => return None,
        Question::S7 | Question::OpcUa | Question::Fins | Question::Rdp | Question::Mongodb => return None,
    })
}

/// The Modbus unit that gateways take for themselves.
const MODBUS_UNIT: u8 = 0xff;

/// Whether an answer is of the protocol that was asked for.
fn is_of(question: Question, answer: &[u8]) -> bool {
    match question {
        Question::Modbus => modbus::Frame::parse(&mut Reader::new(answer)).is_ok(),
        Question::Mqtt => mqtt::Connack::parse(answer).is_ok(),
        _ => hinomi_wire::recognise(answer) == Some(question.protocol()),
    }
}

/// What of an answer becomes evidence.
fn kept(question: Question, answer: Vec<u8>) -> Vec<u8> {
    match question {
        Question::Irc => irc::welcome(&answer).to_vec(),
        _ => answer,
    }
}

/// What a MongoDB server is, and of those that take messages the version, in one piece of evidence.
async fn ask_mongodb(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let (bounds, metrics) = (reply_bounds(session), session.door().metrics());
    let said = ask(stream, &mongodb::is_master(), bounds, mongodb::complete, metrics).await;
    if said.bytes.is_empty() {
        return nothing(&said);
    }
    if !is_of(Question::Mongodb, &said.bytes) {
        return Answer::Other(said.bytes);
    }
    let mut told = said.bytes;
    if mongodb::takes_messages(&told) {
        let second = ask(stream, &mongodb::build_info(), bounds, mongodb::complete, metrics).await;
        told = mongodb::with_second(told, &second.bytes);
    }
    session.remember(EvidenceKind::Reply, told);
    Answer::Yes
}

/// The transaction identifier of a DNS question over TCP: the connection tells answers apart.
const DNS_ID: u16 = 0x484e;

/// Who are you, and would you resolve for us?
async fn ask_names(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let said = ask_name(session, stream, &dns::version_query(DNS_ID)).await;
    if said.bytes.is_empty() {
        return nothing(&said);
    }
    if !remember_name(session, &said.bytes) {
        return Answer::Other(said.bytes);
    }
    if let Ok(query) = dns::recursion_query(DNS_ID, dns::OWN_NAME) {
        let said = ask_name(session, stream, &query).await;
        remember_name(session, &said.bytes);
    }
    Answer::Yes
}

async fn ask_name(session: &Session<'_>, stream: &mut impl Talk, query: &[u8]) -> super::listen::Said {
    let complete = |seen: &[u8]| dns::tcp_message(seen).is_some();
    ask(stream, &dns::over_tcp(query), reply_bounds(session), complete, session.door().metrics()).await
}

/// Keeps the first message, if it is a response.
fn remember_name(session: &mut Session<'_>, stream: &[u8]) -> bool {
    let message = dns::tcp_message(stream).filter(|message| dns::Response::parse(message).is_ok());
    if let Some(message) = message {
        session.remember(EvidenceKind::Dns, message.to_vec());
    }
    message.is_some()
}
