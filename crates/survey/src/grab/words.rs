//! The first words on a handshake's last acknowledgement, and what is made of the answer.
//!
//! An engine of frames that gets a SYN-ACK can answer it with the port's own question, or with nothing where the service may
//! speak first, and hear what comes back (ZBanner, 2020; LZR, USENIX Security 2021). What was heard is the first handshake
//! of the grab. Put are only questions that are one request and one answer, with nothing to be said in the end.

use hinomi_model::ServiceKey;
use hinomi_model::scope::Scope;

use super::hints::{self, Question};
use super::put;

/// The longest request that is put so: it must fit one segment with every header there may be.
const MAX_REQUEST: usize = 1_200;

/// What to say to a port that accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing: it may speak first.
    Listen,
    /// This question.
    Ask(Question),
}

/// What may be said first at a TCP port under a scope; none where its question is a conversation.
pub(crate) fn first(scope: &Scope, port: u16) -> Option<First> {
    match hints::tcp(scope, port) {
        None => Some(First::Listen),
        Some(question) => {
            let may_be_put = scope.probes.contains(&question.probe()) && put::is_one_exchange(question);
            may_be_put.then_some(First::Ask(question))
        }
    }
}

/// The request of a question that may be said first.
pub(crate) fn request(question: Question, key: ServiceKey, contact: &str) -> Option<Vec<u8>> {
    put::request(question, key, contact).filter(|request| !request.is_empty() && request.len() <= MAX_REQUEST)
}

/// Whether a greeting is whole and its service is asked nothing more.
pub(super) fn is_whole_greeting(words: &[u8]) -> bool {
    match hinomi_wire::recognise(words) {
        None | Some("ssh" | "telnet" | "http" | "vnc" | "irc" | "tls") => false,
        Some("mysql") => true,
        Some(_) => words.ends_with(b"\n"),
    }
}
