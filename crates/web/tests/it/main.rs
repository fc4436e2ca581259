//! The server over HTTP: a real lake in a temporary folder, real rules, a real socket.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail and tell like tests"
)]

mod analysts;
mod api;
mod browser;
mod client;
mod door;
mod flow;
mod hostile;
mod invitations;
mod keys;
mod leaving;
mod links;
mod misp;
mod pages;
mod passkeys;
mod past;
mod pictures;
mod schema;
mod selfcheck;
mod shodan;
mod sign_in;
mod style;
mod taxii;
mod tls;
mod watch;
mod world;
