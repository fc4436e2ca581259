//! How many frames a second a bare sender hands to an interface: `flood INTERFACE BACKEND COUNT`, inside a namespace of one's own.

#![expect(clippy::print_stderr, reason = "a program for people")]

use hinomi_netio::{Backend, Interface, Transmitter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, interface, backend, count] = arguments.as_slice() else { return Err("INTERFACE BACKEND COUNT".into()) };
    let backend = Backend::ALL.into_iter().find(|one| one.to_string() == *backend).ok_or("no such backend")?;
    let interface = Interface::named(interface)?;
    let count: usize = count.parse()?;
    let mut sender = Transmitter::open(&interface, backend, 0)?;
    let mut frame = [0_u8; 60];
    frame[..6].copy_from_slice(&[0xff; 6]);
    frame[12..14].copy_from_slice(&[0x08, 0]);
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]);
    sender.prime(&frame);
    let mut sent = 0;
    let (mut stalls, mut dropped) = (0, 0);
    while sent < count {
        sent += sender.fill(512.min(count - sent), |_| Some(60));
        let met = sender.flush()?;
        stalls += met.stalls;
        dropped += met.dropped;
    }
    eprintln!("{backend}: {sent} frames, {stalls} stalls, {dropped} dropped");
    Ok(())
}
