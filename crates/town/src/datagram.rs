//! Answers datagrams from the address that was asked.
//!
//! One wildcard socket a port serves every host, so each answer must leave from the address that the question went to:
//! `IP_PKTINFO`, for which neither the standard library nor socket2 has a safe call. `quinn-udp` has, on every
//! platform.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hinomi_model::Transport;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::answer;
use crate::limits;
use crate::metrics::count;
use crate::running::{Post, Shared};

/// Answers until the task is aborted.
pub(crate) async fn answer_all(post: Post, socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let state = match UdpSocketState::new(socket.as_ref().into()) {
        Ok(state) => state,
        Err(error) => {
            tracing::warn!(port = post.natural, %error, "datagrams will not be answered");
            return;
        }
    };
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let received = receive(&socket, &state, &mut buffer).await;
        let Ok(meta) = received else { continue };
        let data = buffer.get(..meta.len).unwrap_or_default();
        for datagram in data.chunks(meta.stride.max(1)) {
            count(&shared.counters.datagrams);
            let Some(reply) = reply_to(post, &meta, datagram, &shared) else { continue };
            let transmit = Transmit {
                destination: meta.addr,
                ecn: None,
                contents: &reply,
                segment_size: None,
                src_ip: meta.dst_ip,
            };
            let sent = socket.async_io(Interest::WRITABLE, || state.try_send(socket.as_ref().into(), &transmit)).await;
            if sent.is_ok() {
                count(&shared.counters.answers);
            }
        }
    }
}

async fn receive(socket: &UdpSocket, state: &UdpSocketState, buffer: &mut [u8]) -> io::Result<RecvMeta> {
    let mut meta = [RecvMeta::default()];
    let read =
        socket.async_io(Interest::READABLE, || state.recv(socket.into(), &mut [IoSliceMut::new(buffer)], &mut meta));
    read.await?;
    let [meta] = meta;
    Ok(meta)
}

fn reply_to(post: Post, meta: &RecvMeta, datagram: &[u8], shared: &Shared) -> Option<Vec<u8>> {
    if datagram.len() > limits::DATAGRAM_MAX_BYTES {
        return None;
    }
    let plan = shared.plan();
    let host = plan.host(post.host.or_else(|| asked(meta))?)?;
    let service = host.service_at(Transport::Udp, post.natural)?;
    answer::answer(datagram, &answer::Question { plan: &plan, host: &host, service })
}

fn asked(meta: &RecvMeta) -> Option<Ipv4Addr> {
    match meta.dst_ip?.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
