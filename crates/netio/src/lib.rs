//! Packet sockets and their rings: the one crate with unsafe code.
//!
//! Sending and receiving whole frames at line rate has no safe interface in the standard library. This crate wraps what
//! Linux offers and nothing else; it knows no scope, no protocol and no target. Whoever holds a [`Transmitter`] can send
//! anything: only `survey::scope` may, and checks every frame.
//!
//! ```text
//!   Interface --open--> Transmitter   AF_XDP zero-copy | AF_XDP copy | AF_PACKET | raw IP     slots -> fill -> flush
//!             --open--> Receiver      TPACKET_V3 with a filter in the kernel                  block -> each packet
//!             --hold--> Reservation   ports whose answers the kernel must not reset
//!   opener    --line--> a helper process that holds the right to open these sockets, so that nothing else must
//! ```
//!
//! Invariants: memory shared with the kernel is owned by the value that mapped it and outlives every use; indices that
//! the kernel wrote are checked against the ring before they are used; no call blocks but [`Receiver::receive`].

#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod interface;
#[cfg(target_os = "linux")]
mod map;
#[cfg(target_os = "linux")]
pub mod opener;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
mod receive;
#[cfg(target_os = "linux")]
mod reserve;
#[cfg(target_os = "linux")]
mod route;
#[cfg(target_os = "linux")]
mod transmit;
#[cfg(target_os = "linux")]
mod xdp;

#[cfg(target_os = "linux")]
pub use filter::Wanted;
#[cfg(target_os = "linux")]
pub use interface::Interface;
#[cfg(target_os = "linux")]
pub use receive::{Received, Receiver};
#[cfg(target_os = "linux")]
pub use reserve::Reservation;
#[cfg(target_os = "linux")]
pub use route::{Route, neighbour};
#[cfg(target_os = "linux")]
pub use transmit::{Backend, OpenError, Sent, Transmitter};
