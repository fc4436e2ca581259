//! TCP services: listen, then ask, until something is understood.

use std::time::Duration;

use hinomi_model::EvidenceKind;
use hinomi_model::remark::{DROPS, ENDLESS, RESET};
use hinomi_model::scope::Probe;
use hinomi_wire::reply::vnc;
use hinomi_wire::telnet;

use super::hints::{self, Question};
use super::listen::{Bounds, Heard, PAUSE, Said, ask, listen};
use super::plan::Plan;
use super::put::{put_over, remember_answer};
use super::session::{Sense, Session};
use super::{postgresql, rdp, ssh, tls, web, words};
use crate::pace::HostTurn;
use crate::scope::Connection;

/// What a question came to.
pub(super) enum Answer {
    /// It is that protocol.
    Yes,
    /// It said this, which is not that protocol.
    Other(Vec<u8>),
    /// It said nothing, and waits.
    Silent,
    /// It said nothing, and ended the connection.
    HungUp,
}

/// The answer of a service that said nothing.
pub(super) const fn nothing(said: &Said) -> Answer {
    if said.ended { Answer::HungUp } else { Answer::Silent }
}

/// Grabs over the connection that stands.
pub(super) async fn grab(session: &mut Session<'_>, connection: Connection, turn: &HostTurn) -> Sense {
    session.count_handshake();
    let hint = hints::tcp(session.door().scope(), session.key().port);
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

/// Grabs a service that was spoken to on the handshake's last acknowledgement: what it said is enough, or it is
/// connected to.
pub(super) async fn grab_spoken(session: &mut Session<'_>, question: Option<Question>, words: Vec<u8>) -> Sense {
    session.count_handshake();
    match question {
        Some(question) if remember_answer(session, question, &words) => return Sense::Spoke,
        None if words::is_whole_greeting(&words) => {
            session.remember(EvidenceKind::Banner, words);
            return Sense::Spoke;
        }
        _ => {}
    }
    grab_unconnected(session).await
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

async fn greeting(session: &mut Session<'_>, mut connection: Connection, words: Vec<u8>, turn: &HostTurn) -> Sense {
    match hinomi_wire::recognise(&words) {
        Some(protocol) if stands_alone(session) => {
            // It is asked no question but its own, and answered nothing.
            session.remember(if protocol == "http" { EvidenceKind::Http } else { EvidenceKind::Banner }, words);
            Sense::Spoke
        }
        Some("ssh") => ssh::grab(session, connection, words).await,
        Some("telnet") => negotiate(session, connection, words).await,
        Some("http") => {
            session.remember(EvidenceKind::Http, words);
            Sense::Spoke
        }
        Some("vnc") => {
            let told = securities(session, &mut connection, words).await;
            session.remember(EvidenceKind::Banner, told);
            Sense::Spoke
        }
        Some("irc") => {
            session.remember(EvidenceKind::Banner, words);
            if session.may_send(Probe::Irc) {
                put_over(session, Question::Irc, &mut connection).await;
            }
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

fn stands_alone(session: &Session<'_>) -> bool {
    hints::stands_alone(session.door().scope(), session.key().port)
}

/// Answers a VNC server's version, so that it tells its kinds of security; all that it said.
async fn securities(session: &Session<'_>, connection: &mut Connection, mut words: Vec<u8>) -> Vec<u8> {
    let Some(version) = vnc::version(&words).filter(|_| session.may_send(Probe::Vnc)) else { return words };
    let old = vnc::is_old(&words);
    let complete = |seen: &[u8]| vnc::complete(old, seen);
    words.extend(ask(connection, version, reply_bounds(session), complete, session.door().metrics()).await.bytes);
    words
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
        words.extend(ask(&mut connection, &refusal, bounds, |_| false, session.door().metrics()).await.bytes);
    }
    session.remember(EvidenceKind::Banner, words);
    Sense::Spoke
}

/// What a service said that nobody understood, or that led to a question which it did not answer; the best of it.
#[derive(Default)]
struct Unanswered {
    words: Vec<u8>,
    known: bool,
}

impl Unanswered {
    fn keep(&mut self, words: Vec<u8>, known: bool) {
        if self.words.is_empty() || known && !self.known {
            (self.words, self.known) = (words, known);
        }
    }

    fn sense(self, session: &mut Session<'_>) -> Sense {
        let sense = match (self.words.is_empty(), self.known) {
            (true, _) => Sense::Mute,
            (false, true) => Sense::Spoke,
            (false, false) => Sense::Unknown,
        };
        session.remember(EvidenceKind::Reply, self.words);
        sense
    }
}

/// Asks one question after another. The first goes over the connection that stands, if one does.
async fn question(
    session: &mut Session<'_>,
    mut standing: Option<Connection>,
    hint: Option<Question>,
    turn: &HostTurn,
) -> Sense {
    let mut plan = Plan::new(hint, stands_alone(session));
    let mut unanswered = Unanswered::default();
    while let Some(question) = plan.next(|question| session.may_send(question.probe())) {
        let connection = match standing.take() {
            Some(connection) => connection,
            None => match session.connect(turn).await {
                Some(connection) => connection,
                None => break,
            },
        };
        match put(session, question, connection, turn).await {
            Answer::Yes => return Sense::Spoke,
            Answer::Silent => plan.not_answered(question, false),
            Answer::HungUp => plan.not_answered(question, true),
            Answer::Other(words) => {
                let leads_on = Question::suggested_by(&words).is_some_and(|other| plan.suggest(other));
                let known = hinomi_wire::recognise(&words).is_some();
                unanswered.keep(words, known);
                if known && !leads_on {
                    break;
                }
            }
        }
    }
    unanswered.sense(session)
}

async fn put(session: &mut Session<'_>, question: Question, mut connection: Connection, turn: &HostTurn) -> Answer {
    match question {
        Question::Tls => tls::grab(session, connection, turn).await,
        Question::Http => web::grab(session, connection, turn).await,
        Question::Postgresql => postgresql::grab(session, connection).await,
        Question::Rdp => rdp::grab(session, connection).await,
        other => put_over(session, other, &mut connection).await,
    }
}
