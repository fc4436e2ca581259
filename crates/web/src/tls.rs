//! The server's certificate: read from files, and again when they have changed.
//!
//! Specification: RFC 8446 and RFC 5246 by rustls. The files are looked at with each handshake; a chain and a key that do
//! not fit together, as while one of the two is being written, leave the ones that were good in place.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::settings::{TlsFiles, read};

/// The most certificates of a chain.
const MAX_CHAIN: usize = 16;

/// What told the files apart when they were read: length and time of the last change of each.
type Seen = [Option<(u64, SystemTime)>; 2];

/// The certificate of the files.
pub(crate) struct FromFiles {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    held: Mutex<(Seen, Arc<CertifiedKey>)>,
}

impl fmt::Debug for FromFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FromFiles({})", self.files.certificate.display())
    }
}

/// What the server speaks: TLS 1.3 and 1.2, HTTP/1.1.
pub(crate) fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(default_provider());
    let resolver = FromFiles::new(files.clone(), Arc::clone(&provider))?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?.with_no_client_auth();
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

impl FromFiles {
    fn new(files: TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let seen = look(&files);
        let key = load(&files, &provider)?;
        Ok(Self { files, provider, held: Mutex::new((seen, Arc::new(key))) })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let seen = look(&self.files);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 != seen {
            match load(&self.files, &self.provider) {
                Ok(key) => {
                    tracing::info!(certificate = %self.files.certificate.display(), "the certificate was read again");
                    held.1 = Arc::new(key);
                }
                Err(error) => tracing::warn!(error, "the changed certificate is not used; the one before stays"),
            }
            // Told and tried once for each change.
            held.0 = seen;
        }
        Arc::clone(&held.1)
    }
}

impl ResolvesServerCert for FromFiles {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn look(files: &TlsFiles) -> Seen {
    let of = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok()?))
    };
    [of(&files.certificate), of(&files.key)]
}

fn load(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let of = |path: &Path| read(path).map_err(|error| format!("{}: {error}", path.display()));
    let (chain, key) = (of(&files.certificate)?, of(&files.key)?);
    let wrong = |path: &Path, detail: String| format!("{}: {detail}", path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).take(MAX_CHAIN).collect();
    let chain = chain.map_err(|error| wrong(&files.certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, "there is no certificate in it".to_owned()));
    }
    // The library's reasons quote nothing of the key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| wrong(&files.key, error.to_string()))?;
    let certified = CertifiedKey::from_der(chain, key, provider);
    certified.map_err(|error| wrong(&files.key, format!("it does not belong to the certificate: {error}")))
}
