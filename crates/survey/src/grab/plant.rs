//! Languages of plant and building control that need more than one request: S7, OPC UA, FINS over TCP, BACnet.
//!
//! What opens a conversation is no evidence; what the device then says of itself is. Where a protocol has an end of its
//! own, it is said.

use hinomi_model::EvidenceKind;
use hinomi_model::scope::Probe;
use hinomi_wire::Reader;
use hinomi_wire::plant::{bacnet, fins, opcua, s7};

use super::listen::{Said, Talk, ask, say};
use super::requests;
use super::session::Session;
use super::tcp::{Answer, nothing, reply_bounds};
use super::udp::{Line, ask_again, receive};

/// One request of a conversation.
async fn turn(session: &Session<'_>, stream: &mut impl Talk, request: &[u8], complete: fn(&[u8]) -> bool) -> Said {
    ask(stream, request, reply_bounds(session), complete, session.door().metrics()).await
}

/// What somebody said who does not go on as this protocol does.
fn other(said: Said) -> Answer {
    if said.bytes.is_empty() { nothing(&said) } else { Answer::Other(said.bytes) }
}

/// Connects, sets up, reads two lists. The end of the connection is the end of it (COTP class 0).
pub(super) async fn s7(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let connected = turn(session, stream, s7::CONNECT, s7::complete).await;
    if !s7::is_connected(&connected.bytes) {
        return other(connected);
    }
    let set_up = turn(session, stream, s7::SET_UP, s7::complete).await;
    if !s7::is_set_up(&set_up.bytes) {
        return other(set_up);
    }
    let mut lists = turn(session, stream, s7::MODULES, s7::complete).await;
    if !lists.ended {
        let components = turn(session, stream, s7::COMPONENTS, s7::complete).await;
        lists.bytes.extend(components.bytes);
    }
    told(session, lists, "s7")
}

/// Says hello, opens a channel without security, asks for the endpoints, closes the channel.
pub(super) async fn opcua(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let url = format!("opc.tcp://{}", session.key().socket());
    let acknowledged = turn(session, stream, &opcua::hello(&url), opcua::complete).await;
    if !opcua::is_acknowledged(&acknowledged.bytes) {
        return other(acknowledged);
    }
    let opened = turn(session, stream, &opcua::open_channel(), opcua::complete).await;
    let Ok(channel) = opcua::Channel::parse(&opened.bytes) else { return other(opened) };
    let endpoints = turn(session, stream, &opcua::get_endpoints(channel, &url), opcua::complete).await;
    say(stream, &opcua::close_channel(channel), reply_bounds(session)).await;
    told(session, endpoints, "opcua")
}

/// Asks for a node number, then for the controller's data.
pub(super) async fn fins(session: &mut Session<'_>, stream: &mut impl Talk) -> Answer {
    let given = turn(session, stream, fins::ASK_FOR_NODE, fins::complete).await;
    let number = requests::short_number(session.key());
    let Ok(request) = fins::controller_data_read_over_tcp(&given.bytes, number) else { return other(given) };
    let data = turn(session, stream, &request, fins::complete).await;
    told(session, data, "fins")
}

/// Keeps an answer that is in the language of the question.
fn told(session: &mut Session<'_>, said: Said, protocol: &str) -> Answer {
    if hinomi_wire::recognise(&said.bytes) != Some(protocol) {
        return other(said);
    }
    session.remember(EvidenceKind::Reply, said.bytes);
    Answer::Yes
}

/// A device that refuses many properties at once is asked for one after another. All that it tells is one piece.
pub(super) async fn bacnet(session: &Session<'_>, first: Vec<u8>, line: &mut Line) -> Vec<u8> {
    let refused = bacnet::parse(&mut Reader::new(&first));
    if !refused.is_ok_and(|message| message.answer == bacnet::Answer::Refusal) {
        return first;
    }
    let mut all = Vec::new();
    let mut invoke = requests::short_number(session.key());
    for property in bacnet::Property::telling() {
        // Another number each time: an answer that comes late is no answer to the next question.
        invoke = invoke.wrapping_add(1);
        let request = bacnet::read_property(invoke, property);
        let Some(answer) = ask_again(session, Probe::Bacnet, &request, line).await else { break };
        let Some(answer) = answer_to(invoke, answer, receive(session, line)).await else { break };
        all.extend(answer);
    }
    if all.is_empty() { first } else { all }
}

/// The answer to this request: what came, or what comes `later` if that was an answer to an earlier one, sent twice or
/// late. Taken for this one's, it would shift all that follow.
async fn answer_to(invoke: u8, came: Vec<u8>, later: impl Future<Output = Option<Vec<u8>>>) -> Option<Vec<u8>> {
    let fits = |answer: &[u8]| bacnet::parse(&mut Reader::new(answer)).is_ok_and(|message| message.invoke == invoke);
    if fits(&came) {
        return Some(came);
    }
    later.await.filter(|answer| fits(answer))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    fn refusal(invoke: u8) -> Vec<u8> {
        vec![0x81, 0x0a, 0, 9, 1, 0, 0x60, invoke, 9]
    }

    #[tokio::test]
    async fn an_answer_that_comes_twice_does_not_shift_the_next() {
        assert_eq!(answer_to(8, refusal(8), ready(None)).await, Some(refusal(8)));
        assert_eq!(answer_to(8, refusal(7), ready(Some(refusal(8)))).await, Some(refusal(8)));
        assert_eq!(answer_to(8, refusal(7), ready(Some(refusal(7)))).await, None);
        assert_eq!(answer_to(8, Vec::new(), ready(None)).await, None);
    }
}
