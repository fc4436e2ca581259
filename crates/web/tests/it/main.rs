//! The server over HTTP: a real lake in a temporary folder, real rules, a real socket.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail and tell like tests"
)]

mod alerts;
mod analysts;
mod api;
mod browser;
mod chrome;
mod client;
mod door;
mod flow;
mod hostile;
mod invitations;
mod keys;
mod leak;
mod leaving;
mod links;
mod looks;
mod misp;
mod notices;
mod pages;
mod passkeys;
mod past;
mod pictures;
mod providers;
mod schema;
mod selfcheck;
mod shared;
mod shodan;
mod sign_in;
mod style;
mod taxii;
mod tls;
mod watch;
mod world;
