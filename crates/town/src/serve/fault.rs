//! Hosts that misbehave on purpose.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::reset;
use crate::host::Host;
use crate::limits;
use crate::metrics::count;
use crate::persona::Fault;
use crate::running::Shared;

/// What a host with every port open says, on each of them: nothing that any protocol begins with.
const NONSENSE: &[u8] = b"\x02\x1b?? 7f77 \x03 ok\n";
/// Garbage in place of a ServerHello.
const GARBAGE_BYTES: usize = 512;
/// The beginning of a ServerHello of 122 bytes (RFC 8446, section 4.1.3), which then breaks off.
const TRUNCATED_HELLO: &[u8] = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03\x51\x9c\x20\x77\x13\x02\x6e";

/// Does to the client what the host's fault is.
pub(super) async fn misbehave(mut stream: TcpStream, host: &Host, natural: u16, shared: &Arc<Shared>) {
    let Ok(_place) = shared.stalls.try_acquire() else { return reset(&stream) };
    let misbehaviour = async {
        match host.fault() {
            Some(Fault::Tarpit) => tarpit(&mut stream, &host.secret("tarpit")).await,
            Some(Fault::Endless) => endless(&mut stream, natural).await,
            Some(Fault::EveryPort) => every_port(&mut stream, host).await,
            Some(Fault::TlsGarbage) => after_hello(&mut stream, &garbage(host)).await,
            Some(Fault::TlsTruncated) => after_hello(&mut stream, TRUNCATED_HELLO).await,
            Some(Fault::Reset) | None => {
                reset(&stream);
                Ok(())
            }
        }
    };
    if timeout(limits::STALL_MAX, misbehaviour).await.is_err() {
        count(&shared.counters.timed_out);
    }
}

/// Printable bytes without a line end, one at a time.
async fn tarpit(stream: &mut TcpStream, secret: &[u8; 32]) -> io::Result<()> {
    for byte in secret.iter().cycle() {
        stream.write_all(&[b'a' + byte % 26]).await?;
        if wait_or_gone(stream).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Waits a tarpit's pause; tells whether the client went away meanwhile. What it sends is thrown away.
async fn wait_or_gone(stream: &mut TcpStream) -> io::Result<bool> {
    let pause = sleep(limits::TARPIT_PAUSE);
    tokio::pin!(pause);
    let mut waste = [0; 256];
    loop {
        tokio::select! {
            () = &mut pause => return Ok(false),
            read = stream.read(&mut waste) => if read? == 0 { return Ok(true) },
        }
    }
}

/// Lines without end. Writing waits for the client to read, so nothing piles up here.
async fn endless(stream: &mut TcpStream, natural: u16) -> io::Result<()> {
    let start = if natural == 21 { "220-" } else { "" };
    let block = format!("{start}the fire tower sees smoke in the seventh ward and rings the bell\r\n").repeat(64);
    let mut sent = 0;
    while sent < limits::ENDLESS_MAX_BYTES {
        stream.write_all(block.as_bytes()).await?;
        sent += block.len() as u64;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Says nothing, or the same nonsense, and listens until the client goes away.
async fn every_port(stream: &mut TcpStream, host: &Host) -> io::Result<()> {
    if host.variant.faults.iter().any(|fault| fault == "nonsense") {
        stream.write_all(NONSENSE).await?;
    }
    let mut waste = [0; 1024];
    let mut heard = 0;
    while heard < limits::READ_MAX_BYTES {
        match stream.read(&mut waste).await? {
            0 => return Ok(()),
            read => heard += read,
        }
    }
    Ok(())
}

/// Waits for the client's first words and answers with these bytes, then hangs up.
async fn after_hello(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut hello = [0; 2048];
    if stream.read(&mut hello).await? > 0 {
        stream.write_all(answer).await?;
    }
    stream.shutdown().await
}

fn garbage(host: &Host) -> Vec<u8> {
    let blocks = (0..GARBAGE_BYTES / 32).flat_map(|block| host.secret(&format!("garbage {block}")));
    // The first byte is never that of a TLS record, nor printable.
    std::iter::once(0xf5).chain(blocks).collect()
}
