//! The program as its users run it: started as a process, against the town and against real servers.
//!
//! - `town`: a survey of the town equals the town's own truth.
//! - `real_servers`: a survey of daemons from Debian packages names product and version right or says it does not know.
//! - `resume`: kill -9 in the middle; nothing lost, nothing doubled.
//! - `refusals`: wrong scopes, wrong files, wrong folders: each with its reason.
//! - `strangers`: IPv6, a banner of ten gigabytes, bytes that are no text, icons; against small servers of its own.
//! - `crypto`: the cryptography inventory of real servers, hybrid, classic and old.
//! - `packets`: the system calls of a survey, watched from outside, lead nowhere but into the scope.
//! - `campaign`: plans, pauses, kills and opt-outs; the ledger's sums beside system calls counted from outside.
//! - `candidates`: lists for IPv6, from names and patterns to results; a network that answers as a whole is named.
//! - `flow`: the collector: real exports, hostile exporters, streams, files.
//! - `interface`: packets of an interface, in a network namespace of the test's own.
//! - `line`: frames over a real pair of devices; the rights that the program gives up; lines that fail.
//! - `outward`: public addresses wait for page and reverse names; the scan page and its opt-out.
//! - `outside`: visitors agree to be looked at; their hosts, the system calls and both ledgers say what came.
//! - `own`: own lines are told to their carrier alone; rules that changed are in the ledger.
//! - `organisation`: thousands entered at once; claims proved by real servers, decided by people, looked up in the past.
//! - `imports`: real scans of other tools; importing again changes nothing.
//! - `infected`: hosts that sinkholes met, on every page that tells of them.
//! - `keep`: checked, backed up, held, erased, restored.
//! - `notices`: from draft to a real mailbox and back; one killed half-way; a second person.
//! - `ledger`: who looked at what; two processes, one log, proofs from files alone.
//! - `servers`: several servers on one bucket and one PostgreSQL; killed, stopped, taken over.
//! - `two_servers`: two that serve, on one PostgreSQL: who signs in at one is known at the other.
//! - `passes`: jobs over everything, on a Spark cluster that loses a worker, equal what threads give.
//! - `rules`: the user's own, in the state folder or named, and broken ones.
//! - `newcomer`: `hinomi` alone.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do without it may stop at"
)]

mod alerts;
mod campaign;
mod candidates;
#[path = "../../../web/tests/it/chrome.rs"]
mod chrome;
mod crypto;
mod daemons;
mod findings;
mod flow;
mod imports;
mod infected;
mod interface;
mod keep;
mod ledger;
mod line;
mod members;
mod newcomer;
mod next;
mod nodes;
mod notices;
mod organisation;
mod outside;
mod outward;
#[cfg(unix)]
mod own;
mod packets;
mod passes;
mod plant;
mod policy;
mod ports;
mod program;
mod real_servers;
mod refusals;
mod reports;
mod resume;
mod rules;
#[cfg(unix)]
mod servers;
mod shares;
mod strangers;
mod town;
#[cfg(unix)]
mod two_servers;
