//! The server over HTTP: a real lake in a temporary folder, real rules, a real socket.

mod api;
mod browser;
mod client;
mod door;
mod hostile;
mod links;
mod pages;
mod pictures;
mod schema;
mod style;
mod world;
