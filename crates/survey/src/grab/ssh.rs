//! SSH servers: version, algorithms, host key. The exchange ends there: no secret is made and nobody logs in.

use hinomi_model::EvidenceKind;
use hinomi_model::scope::Probe;
use hinomi_wire::ssh::{
    KexInit, client_identification, disconnect_packet, exchange_packet, kexinit_packet, negotiate, next_packet,
    parse_exchange_reply, read_identification,
};

use super::listen::{Bounds, PAUSE, Talk, ask, say};
use super::session::{Sense, Session};
use super::tcp::reply_bounds;
use crate::scope::Connection;

/// Message number of the server's algorithm lists (RFC 4253 section 12).
const KEXINIT: u8 = 20;

/// Message number of the reply that carries the host key; group exchange is not offered.
const EXCHANGE_REPLY: u8 = 31;

/// The most packets read before the one that is waited for.
const MAX_PACKETS: usize = 8;

/// Asks a server that has shown its identification in `words`.
pub(super) async fn grab(session: &mut Session<'_>, mut connection: Connection, words: Vec<u8>) -> Sense {
    let Ok(Some(consumed)) = read_identification(&words).map(|found| found.map(|id| id.consumed)) else {
        session.remember(EvidenceKind::Banner, words);
        return Sense::Spoke;
    };
    let (identification, rest) = words.split_at(consumed.min(words.len()));
    session.remember(EvidenceKind::Banner, identification.to_vec());
    if session.may_send(Probe::Ssh) {
        exchange(session, &mut connection, rest.to_vec()).await;
    }
    Sense::Spoke
}

async fn exchange(session: &mut Session<'_>, stream: &mut impl Talk, heard: Vec<u8>) {
    let hello = [client_identification(env!("CARGO_PKG_VERSION")), kexinit_packet(*b"hinomi asks only")].concat();
    let Some((lists, rest)) = await_packet(session, stream, &hello, heard, KEXINIT).await else { return };
    let agreed = KexInit::parse(&lists).ok().as_ref().and_then(negotiate);
    session.remember(EvidenceKind::SshKex, lists);
    let Some(agreed) = agreed else { return };
    let request = exchange_packet(agreed.method);
    let Some((reply, _)) = await_packet(session, stream, &request, rest, EXCHANGE_REPLY).await else { return };
    if let Ok(host_key) = parse_exchange_reply(&reply) {
        session.remember(EvidenceKind::SshHostKey, host_key.to_vec());
    }
    say(stream, &disconnect_packet(), Bounds { first: PAUSE, ..reply_bounds(session) }).await;
}

/// Sends, then reads until the packet with this message number is there; gives its payload and what follows it.
async fn await_packet(
    session: &Session<'_>,
    stream: &mut impl Talk,
    request: &[u8],
    heard: Vec<u8>,
    number: u8,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let before = heard.clone();
    let complete = |new: &[u8]| {
        let all = [before.as_slice(), new].concat();
        !matches!(find_packet(&all, number), Search::Wanting)
    };
    let new = ask(stream, request, reply_bounds(session), complete, session.door().metrics()).await;
    let all = [heard, new.bytes].concat();
    match find_packet(&all, number) {
        Search::Found { payload, after } => Some((payload, all.get(after..).unwrap_or_default().to_vec())),
        Search::Wanting | Search::Wrong => {
            session.door().metrics().reason("ssh exchange ended early");
            None
        }
    }
}

enum Search {
    Found { payload: Vec<u8>, after: usize },
    Wanting,
    Wrong,
}

fn find_packet(stream: &[u8], number: u8) -> Search {
    let mut at = 0;
    for _ in 0..MAX_PACKETS {
        match next_packet(stream.get(at..).unwrap_or_default()) {
            Err(_) => return Search::Wrong,
            Ok(None) => return Search::Wanting,
            Ok(Some(packet)) => {
                at += packet.consumed;
                if packet.payload.first() == Some(&number) {
                    return Search::Found { payload: packet.payload.to_vec(), after: at };
                }
            }
        }
    }
    Search::Wrong
}
