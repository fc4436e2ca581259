//! The server sides of the town's TCP protocols.
//!
//! [`visit`] takes an accepted connection, finds who was asked, and hands it to the protocol's module (or to
//! [`fault`]). Clients are hostile too: everything read is bounded in bytes, lines and time, and nobody is ever let
//! in.

mod conversation;
mod fault;
mod ftp;
mod http;
mod modbus;
mod mqtt;
mod redis;
mod rtsp;
mod smtp;
mod ssh;
mod telnet;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hinomi_model::Transport;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::host::Host;
use crate::limits;
use crate::metrics::count;
use crate::persona::{Service, Speech};
use crate::plan::Plan;
use crate::running::Shared;
use crate::template::{Vars, render};
use conversation::Conversation;

/// Everything that an answer may depend on.
pub(crate) struct Visit<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) plan: &'a Plan,
    pub(crate) host: &'a Host,
    pub(crate) service: &'a Service,
    pub(crate) vars: Vars,
}

impl Visit<'_> {
    /// A text of the persona, filled in.
    pub(crate) fn text(&self, template: &str) -> String {
        render(template, &self.vars)
    }
}

/// Serves one connection to a host's natural port.
pub(crate) async fn visit(stream: TcpStream, address: Ipv4Addr, natural: u16, shared: &Arc<Shared>) {
    let plan = shared.plan();
    let Some(host) = plan.host(address) else { return refuse(&stream, shared) };
    if host.fault().is_some() {
        return fault::misbehave(stream, &host, natural, shared).await;
    }
    let Some(service) = host.service_at(Transport::Tcp, natural) else { return refuse(&stream, shared) };
    let mut vars = plan.vars(&host);
    let nonce = host.secret(&format!("nonce {}", shared.next()));
    vars.insert("nonce".into(), crate::mix::hex(nonce.get(..16).unwrap_or_default()));
    let visit = Visit { shared, plan: &plan, host: &host, service, vars };
    if timeout(limits::VISIT_MAX, serve(stream, &visit)).await.is_err() {
        count(&shared.counters.timed_out);
    }
}

/// Nobody is there: a connection that the kernel should have given to the sink.
fn refuse(stream: &TcpStream, shared: &Shared) {
    count(&shared.counters.misdirected);
    reset(stream);
}

/// Makes closing the connection a reset.
fn reset(stream: &TcpStream) {
    let _best_effort = SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO));
}

/// Errors are the client's going away, or its breaking the protocol: either way the visit is over.
async fn serve(stream: TcpStream, visit: &Visit<'_>) -> io::Result<()> {
    let _best_effort = stream.set_nodelay(true);
    if !visit.service.tls {
        return converse(&mut Conversation::new(stream), visit).await;
    }
    let made = || count(&visit.shared.counters.certificates);
    let config = visit.shared.certificates.config(visit.plan, visit.host, visit.service.tls12, made);
    let Some(config) = config else { return Err(io::Error::other("the persona has no certificate")) };
    let handshake = TlsAcceptor::from(config).accept(stream);
    let stream = timeout(limits::HANDSHAKE_MAX, handshake).await.map_err(io::Error::from)??;
    count(&visit.shared.counters.tls_handshakes);
    converse(&mut Conversation::new(stream), visit).await
}

async fn converse(client: &mut Conversation, visit: &Visit<'_>) -> io::Result<()> {
    match &visit.service.speech {
        Speech::Http(speech) => http::serve(client, visit, speech).await?,
        Speech::Ssh(speech) => ssh::serve(client, visit, speech).await?,
        Speech::Telnet(speech) => telnet::serve(client, visit, speech).await?,
        Speech::Ftp(speech) => ftp::serve(client, visit, speech).await?,
        Speech::Smtp(speech) => smtp::serve(client, visit, speech).await?,
        Speech::Rtsp(speech) => rtsp::serve(client, visit, speech).await?,
        Speech::Mqtt(speech) => mqtt::serve(client, visit, speech).await?,
        Speech::Redis(speech) => redis::serve(client, visit, speech).await?,
        Speech::Modbus(speech) => modbus::serve(client, visit, speech).await?,
        Speech::Raw(speech) => client.write(visit.text(&speech.text).as_bytes()).await?,
        // Spoken over datagrams; the persona's parser refuses them here.
        Speech::Dns(_) | Speech::Ntp(_) | Speech::Snmp(_) | Speech::Ssdp(_) | Speech::Coap(_) | Speech::Echonet(_) => {}
    }
    client.close().await
}
