//! TLS services: first our own lenient hello, which also old devices answer, then a proper session to hear what is
//! spoken inside.
//!
//! Nothing is validated: what a device says of itself is evidence, and a survey trusts none of it. That is also why the
//! session sends nothing that matters.

use std::sync::{Arc, OnceLock};

use hinomi_model::EvidenceKind;
use hinomi_model::scope::Probe;
use hinomi_wire::tls::{
    ClientHelloOptions, Offer, ServerFlight, client_hello, complete, group_name, is_post_quantum, summary_bytes,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::hints::{self, Question};
use super::listen::{Bounds, Heard, PAUSE, ask, listen};
use super::plan::Plan;
use super::put::put_over;
use super::session::Session;
use super::tcp::{Answer, nothing, reply_bounds};
use crate::pace::HostTurn;
use crate::scope::Connection;

/// From this version on groups are negotiated on their own.
const TLS_1_3: u16 = 0x0304;
const TLS_1_2: u16 = 0x0303;

/// Sends a hello over the connection that stands; if it is TLS, opens sessions until what is inside is understood.
pub(super) async fn grab(session: &mut Session<'_>, mut connection: Connection, turn: &HostTurn) -> Answer {
    let hello = client_hello(&hello_options(session, Offer::Everything));
    let said = ask(&mut connection, &hello, reply_bounds(session), complete, session.door().metrics()).await;
    drop(connection);
    if said.bytes.is_empty() {
        return nothing(&said);
    }
    let Ok(flight) = ServerFlight::parse(&said.bytes) else { return Answer::Other(said.bytes) };
    session.remember(EvidenceKind::Tls, summary_bytes(&flight));
    remember_chain(session, &flight.certificates);
    inside(session, turn).await;
    further_offers(session, &flight, turn).await;
    Answer::Yes
}

/// What the first hello leaves open, as far as the scope permits it and handshakes are left: whether a server of TLS 1.3
/// that chose a classic group has a hybrid one, and whether one that chose a new version takes an old one. Asked last:
/// what is spoken inside is worth more.
async fn further_offers(session: &mut Session<'_>, first: &ServerFlight, turn: &HostTurn) {
    let Some(version) = first.version else { return };
    let classic = first.group.is_some_and(|group| !is_post_quantum(&group_name(group)));
    if version >= TLS_1_3 && classic {
        offer(session, Offer::Hybrid, EvidenceKind::TlsHybrid, turn).await;
    }
    if version >= TLS_1_2 {
        offer(session, Offer::Old, EvidenceKind::TlsOld, turn).await;
    }
}

async fn offer(session: &mut Session<'_>, offer: Offer, kind: EvidenceKind, turn: &HostTurn) {
    if !session.may_send(Probe::TlsOffers) {
        return;
    }
    let Some(mut connection) = session.connect(turn).await else { return };
    let hello = client_hello(&hello_options(session, offer));
    let said = ask(&mut connection, &hello, reply_bounds(session), complete, session.door().metrics()).await;
    if let Ok(flight) = ServerFlight::parse(&said.bytes) {
        session.remember(kind, summary_bytes(&flight));
    }
}

/// Randomness that a server may see: derived from the target, for nothing here is secret.
fn hello_options(session: &Session<'_>, offer: Offer) -> ClientHelloOptions<'static> {
    let part = |what: &str| *blake3::hash(format!("{what} {}", session.key()).as_bytes()).as_bytes();
    ClientHelloOptions {
        random: part("random"),
        session_id: part("session"),
        key_share: part("share"),
        server_name: None,
        alpn: &[],
        offer,
    }
}

fn remember_chain(session: &mut Session<'_>, chain: &[Vec<u8>]) {
    for (position, certificate) in chain.iter().enumerate() {
        let kind = if position == 0 { EvidenceKind::Certificate } else { EvidenceKind::ChainCertificate };
        session.remember(kind, certificate.clone());
    }
}

/// What is spoken inside, as far as the bounds leave handshakes for it.
async fn inside(session: &mut Session<'_>, turn: &HostTurn) {
    let mut plan = Plan::inside_tls(hints::inside_tls(session.key().port));
    let mut heard_out = false;
    loop {
        let next = plan.next(|question| session.may_send(question.probe()));
        if next.is_none() && heard_out {
            return;
        }
        let Some(mut stream) = open_twice(session, turn).await else { return };
        remember_session_chain(session, &stream);
        if !heard_out && greeted(session, &mut stream).await {
            return;
        }
        heard_out = true;
        let Some(question) = next else { return };
        if understood(session, question, &mut stream, &mut plan).await {
            return;
        }
    }
}

async fn understood(
    session: &mut Session<'_>,
    question: Question,
    stream: &mut TlsStream<Connection>,
    plan: &mut Plan,
) -> bool {
    match put_over(session, question, stream).await {
        Answer::Yes => true,
        Answer::Other(words) => {
            let leads_on = Question::suggested_by(&words).is_some_and(|other| plan.suggest(other));
            let known = hinomi_wire::recognise(&words).is_some();
            session.remember(EvidenceKind::Reply, words);
            known && !leads_on
        }
        Answer::Silent | Answer::HungUp => false,
    }
}

/// Whether the service greeted on its own.
async fn greeted(session: &mut Session<'_>, stream: &mut TlsStream<Connection>) -> bool {
    let config = session.config();
    let speaks = hints::speaks_first_inside_tls(session.key().port);
    let first = if speaks { config.banner_wait } else { config.banner_wait / 8 };
    let bounds = Bounds { first, pause: PAUSE, total: config.connection_time, bytes: config.connection_bytes };
    match listen(stream, bounds, session.door().metrics()).await {
        Heard::Words(words) | Heard::Endless(words) | Heard::Drops(words) => {
            session.remember(EvidenceKind::Banner, words);
            true
        }
        Heard::Nothing | Heard::Ended | Heard::Reset => false,
    }
}

/// A session at the first or second attempt: it is known to be there, and weak devices are slow at this.
async fn open_twice(session: &mut Session<'_>, turn: &HostTurn) -> Option<TlsStream<Connection>> {
    for _ in 0..2 {
        let connection = session.connect(turn).await?;
        if let Some(stream) = open(session, connection).await {
            return Some(stream);
        }
    }
    None
}

/// A session, if the service can do one that is younger than 2008.
pub(super) async fn open(session: &Session<'_>, connection: Connection) -> Option<TlsStream<Connection>> {
    if !session.may_send(Probe::Tls) {
        return None;
    }
    let name = ServerName::IpAddress(session.key().address.into());
    let handshake = TlsConnector::from(client_config()?).connect(name, connection);
    match tokio::time::timeout(session.config().connection_time, handshake).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(_)) => {
            session.door().metrics().reason("tls session failed");
            None
        }
        Err(_) => {
            session.door().metrics().reason("tls session timed out");
            None
        }
    }
}

/// TLS 1.3 shows its certificates inside the session only.
pub(super) fn remember_session_chain(session: &mut Session<'_>, stream: &TlsStream<Connection>) {
    if session.has(EvidenceKind::Certificate) {
        return;
    }
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let chain: Vec<Vec<u8>> = chain.iter().map(|certificate| certificate.as_ref().to_vec()).collect();
    remember_chain(session, &chain);
}

fn client_config() -> Option<Arc<ClientConfig>> {
    static CONFIG: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    CONFIG.get_or_init(make_client_config).clone()
}

fn make_client_config() -> Option<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let witness = Arc::new(Witness(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(witness).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Some(Arc::new(config))
}

/// Takes every certificate as evidence and none as proof.
#[derive(Debug)]
struct Witness(Arc<CryptoProvider>);

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
