//! PostgreSQL: whether it offers TLS, its certificate if so, and the error with which it refuses a version.

use hinomi_model::EvidenceKind;
use hinomi_model::scope::Probe;
use hinomi_wire::reply::postgresql;

use super::listen::{Talk, ask};
use super::session::Session;
use super::tcp::{Answer, nothing, reply_bounds};
use super::tls;
use crate::scope::Connection;

/// Asks over a connection that stands, and over no other.
pub(super) async fn grab(session: &mut Session<'_>, mut connection: Connection) -> Answer {
    let bounds = reply_bounds(session);
    let metrics = session.door().metrics();
    let said = ask(&mut connection, postgresql::TLS, bounds, |seen| !seen.is_empty(), metrics).await;
    match said.bytes.as_slice() {
        [] => nothing(&said),
        [b'N'] => start_up(session, &mut connection, said.bytes).await,
        [b'S'] if session.may_send(Probe::Tls) => match tls::open(session, connection).await {
            Some(mut stream) => {
                tls::remember_session_chain(session, &stream);
                start_up(session, &mut stream, Vec::new()).await
            }
            None => Answer::Other(said.bytes),
        },
        _ => Answer::Other(said.bytes),
    }
}

/// Sends the start-up packet; `before` is what the server has said over this connection.
pub(super) async fn start_up(session: &mut Session<'_>, stream: &mut impl Talk, before: Vec<u8>) -> Answer {
    let bounds = reply_bounds(session);
    let said = ask(stream, postgresql::STARTUP, bounds, postgresql::complete, session.door().metrics()).await;
    let all = [before, said.bytes].concat();
    if hinomi_wire::recognise(&all) != Some("postgresql") {
        return Answer::Other(all);
    }
    session.remember(EvidenceKind::Reply, all);
    Answer::Yes
}
