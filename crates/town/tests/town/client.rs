//! Connects, asks, reads: everything with a time limit.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hinomi_town::Truth;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Longest wait for an answer that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long silence must last to be called that.
pub(crate) const SILENCE: Duration = Duration::from_millis(200);

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[expect(clippy::disallowed_methods, reason = "the town's tests are its clients, on loopback")]
pub(crate) async fn connect(address: IpAddr, port: u16, patience: Duration) -> io::Result<TcpStream> {
    timeout(patience, TcpStream::connect(SocketAddr::new(address, port))).await?
}

/// A connection to a service, through TLS where it speaks that.
pub(crate) async fn open(truth: &Truth) -> io::Result<Box<dyn Stream>> {
    let stream = connect(truth.address, truth.port, PATIENCE).await?;
    if !truth.tls {
        return Ok(Box::new(stream));
    }
    let connector = tokio_rustls::TlsConnector::from(Arc::new(trusting()));
    let name = ServerName::IpAddress(truth.address.into());
    let secured = timeout(PATIENCE, connector.connect(name, stream)).await??;
    Ok(Box::new(secured))
}

/// The certificate that a TLS service shows.
pub(crate) async fn certificate(truth: &Truth) -> io::Result<Vec<u8>> {
    let stream = connect(truth.address, truth.port, PATIENCE).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(trusting()));
    let name = ServerName::IpAddress(truth.address.into());
    let secured = timeout(PATIENCE, connector.connect(name, stream)).await??;
    let shown = secured.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    shown.map(|certificate| certificate.to_vec()).ok_or_else(|| io::Error::other("no certificate"))
}

/// Sends, then reads until the peer closes, enough has come, or nothing more comes.
pub(crate) async fn ask(stream: &mut dyn Stream, request: &[u8], done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut reply = Vec::new();
    if stream.write_all(request).await.is_err() || stream.flush().await.is_err() {
        return reply;
    }
    let mut chunk = [0; 4096];
    while !done(&reply) {
        match timeout(PATIENCE, stream.read(&mut chunk)).await {
            Ok(Ok(read)) if read > 0 => reply.extend_from_slice(&chunk[..read]),
            _ => break,
        }
    }
    reply
}

/// One datagram there, one back. `None` is silence.
#[expect(clippy::disallowed_methods, reason = "the town's tests are its clients, on loopback")]
pub(crate) async fn ask_datagram(address: IpAddr, port: u16, request: &[u8], patience: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    // Connected: only an answer from the very address that was asked is taken.
    socket.connect(SocketAddr::new(address, port)).await.ok()?;
    socket.send(request).await.ok()?;
    let mut buffer = [0; 2048];
    let read = timeout(patience, socket.recv(&mut buffer)).await.ok()?.ok()?;
    Some(buffer[..read].to_vec())
}

fn trusting() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

/// Takes any certificate, but checks that the peer has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
