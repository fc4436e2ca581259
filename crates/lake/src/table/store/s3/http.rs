//! Requests to the object store: signed, bounded in time and size, tried again with growing pauses.
//!
//! What is tried again: no answer, an answer cut short, 408, 409, 429 and 5xx. Any of these tries may have done
//! its work: who puts under a condition looks. At a hundred times the data nothing changes here.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hinomi_model::{Clock, ContentHash};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

use super::settings::Settings;
use super::sign::{self, Signed};
use crate::error::LakeError;

/// How often a request is tried.
const ATTEMPTS: u32 = 6;

/// The first pause, doubled after each try, less up to a half by chance.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A whole request may last so many times the borne silence.
const WHOLE: u32 = 30;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file of this size, with its SHA-256.
    File(&'a Path, u64, &'a str),
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'static str,
    /// Name of the object in the bucket; empty for the bucket.
    pub(super) key: &'a str,
    /// Sorted by name.
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: &'a [(&'static str, &'a str)],
    pub(super) body: Body<'a>,
    /// The most bytes of an answer.
    pub(super) max_bytes: u64,
}

/// An answer that came whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) etag: Option<String>,
    /// Encrypted with a key by which the `ETag` is no MD5 of the bytes.
    pub(super) is_encrypted: bool,
    pub(super) content_range: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Speaks to one endpoint.
pub(super) struct Client {
    pub(super) settings: Settings,
    agent: Agent,
    clock: Arc<dyn Clock>,
    chance: AtomicU64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Client {
    /// Speaks as these settings say.
    pub(super) fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let patience = Some(settings.patience);
        let mut builder = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("hinomi/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_send_request(patience)
            .timeout_recv_response(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience)
            .timeout_global(Some(settings.patience * WHOLE));
        if settings.endpoint.starts_with("https") {
            let found = rustls_native_certs::load_native_certs().certs;
            let roots: Vec<_> = found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
            builder = builder.tls_config(TlsConfig::builder().root_certs(RootCerts::from(roots)).build());
        }
        let seed = ContentHash::of(format!("{} {}", std::process::id(), clock.now().as_micros()).as_bytes());
        let chance = AtomicU64::new(seed.as_bytes().iter().fold(1, |all, byte| all << 7 ^ u64::from(*byte)));
        Self { settings, agent: builder.build().new_agent(), clock, chance }
    }

    /// The answer to a request, whatever its status, unless the store keeps failing.
    pub(super) fn send(&self, request: &Request<'_>) -> Result<Answer, LakeError> {
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tracing::debug!(key = request.key, reason, attempt, "asking the object store again");
                self.pause(attempt - 1);
            }
            match self.once(request) {
                Ok(answer) if !is_passing(answer.status) => return Ok(answer),
                Ok(answer) => reason = told(&answer),
                Err(why) => reason = why,
            }
        }
        Err(self.failed(request, &format!("{reason} ({ATTEMPTS} tries)")))
    }

    /// The error of a request that came to this.
    pub(super) fn failed(&self, request: &Request<'_>, reason: &str) -> LakeError {
        let Settings { bucket, endpoint, .. } = &self.settings;
        let what = format!("{} s3://{bucket}/{} at {endpoint}", request.method, request.key);
        LakeError::Store { what, reason: reason.to_owned() }
    }

    /// The error of an answer that says no.
    pub(super) fn refused(&self, request: &Request<'_>, answer: &Answer) -> LakeError {
        self.failed(request, &told(answer))
    }

    fn once(&self, request: &Request<'_>) -> Result<Answer, String> {
        let Settings { bucket, endpoint, host, .. } = &self.settings;
        let path = format!("/{bucket}/{}", sign::encode(request.key, "/"));
        let encode = |(name, value): &(&str, &str)| format!("{}={}", sign::encode(name, ""), sign::encode(value, ""));
        let query = request.query.iter().map(encode).collect::<Vec<_>>().join("&");
        let sum = match request.body {
            Body::Empty => sign::sha256(b""),
            Body::Bytes(bytes) => sign::sha256(bytes),
            Body::File(_, _, sum) => sum.to_owned(),
        };
        let signed = Signed { method: request.method, host, path: &path, query: &query, body: &sum };
        let mark = if query.is_empty() { "" } else { "?" };
        let mut builder =
            ureq::http::Request::builder().method(request.method).uri(format!("{endpoint}{path}{mark}{query}"));
        for (name, value) in sign::headers(&self.settings, &signed, self.clock.now()) {
            builder = builder.header(name, value);
        }
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        self.run(builder, request)
    }

    fn run(&self, builder: ureq::http::request::Builder, request: &Request<'_>) -> Result<Answer, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let answered = match request.body {
            Body::Empty => self.agent.run(builder.body(()).map_err(|error| told(&error))?),
            Body::Bytes(bytes) => self.agent.run(builder.body(bytes).map_err(|error| told(&error))?),
            Body::File(path, bytes, _) => {
                let mut file = File::open(path).map_err(|error| told(&error))?;
                let builder = builder.header("content-length", bytes.to_string());
                let body = builder.body(SendBody::from_reader(&mut file)).map_err(|error| told(&error))?;
                self.agent.run(body)
            }
        };
        let mut response = answered.map_err(|error| told(&error))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let (etag, content_range) =
            (header("etag").map(ToOwned::to_owned), header("content-range").map(ToOwned::to_owned));
        let is_encrypted = header("x-amz-server-side-encryption").is_some_and(|how| how.starts_with("aws:kms"))
            || header("x-amz-server-side-encryption-customer-algorithm").is_some();
        let stated = header("content-length").and_then(|text| text.parse::<u64>().ok());
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        let read = reader.take(request.max_bytes.saturating_add(1)).read_to_end(&mut body);
        let read = read.map_err(|error| format!("the answer broke off: {error}"))?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read > request.max_bytes {
            return Err(format!("the answer has more than {} bytes", request.max_bytes));
        }
        if stated.is_some_and(|stated| stated != read) {
            return Err("the answer is shorter than it says".to_owned());
        }
        Ok(Answer { status, etag, is_encrypted, content_range, body })
    }

    fn pause(&self, attempt: u32) {
        let longest = FIRST_PAUSE * 2_u32.saturating_pow(attempt);
        // xorshift: that several who were turned away do not come back at the same moment.
        let step = |old: u64| {
            Some(
                [(13, true), (7, false), (17, true)]
                    .iter()
                    .fold(old, |x, (by, left)| if *left { x ^ (x << by) } else { x ^ (x >> by) }),
            )
        };
        let drawn = self.chance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or(1);
        std::thread::park_timeout(longest - longest / 2 * u32::try_from(drawn % 1_000).unwrap_or(0) / 1_000);
    }
}

/// Whether this answer may be another one in a moment.
const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 409 | 429 | 500..=599)
}

/// What the answer says: its status, and the error code in its body.
fn told(answer: &Answer) -> String {
    let code = answer.code().unwrap_or_default();
    format!("the store answered {} {code}", answer.status).trim_end().to_owned()
}

impl Answer {
    /// The name of the error, where the answer says one.
    pub(super) fn code(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
        let is_name = code.len() < 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
        is_name.then(|| code.to_owned())
    }
}
