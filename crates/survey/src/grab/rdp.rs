//! RDP: which security the server wants, and its certificate where that is TLS.

use hinomi_model::EvidenceKind;
use hinomi_wire::reply::rdp;

use super::listen::ask;
use super::session::Session;
use super::tcp::{Answer, nothing, reply_bounds};
use super::tls;
use crate::scope::Connection;

/// Asks over a connection that stands, and over no other. The handshake is as far as it goes.
pub(super) async fn grab(session: &mut Session<'_>, mut connection: Connection) -> Answer {
    let metrics = session.door().metrics();
    let said = ask(&mut connection, rdp::CONNECT, reply_bounds(session), rdp::complete, metrics).await;
    if said.bytes.is_empty() {
        return nothing(&said);
    }
    if hinomi_wire::recognise(&said.bytes) != Some("rdp") {
        return Answer::Other(said.bytes);
    }
    let wants_tls = rdp::wants_tls(&said.bytes);
    session.remember(EvidenceKind::Reply, said.bytes);
    if wants_tls && let Some(stream) = tls::open(session, connection).await {
        tls::remember_session_chain(session, &stream);
    }
    Answer::Yes
}
