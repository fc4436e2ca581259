//! masscan's JSON lists (`-oJ`), also in the broken forms that its versions really write, its plain lists (`-oL`, in
//! [`list`]) and its binary files (`-oB`, in [`binary`]). Its XML is read by [`super::nmap`].
//!
//! The evidence of a service is its element of `ports`, byte for byte, or its line without address and time: these are
//! parts of the sighting, and without them a million equal answers are one piece of evidence. Where a record carries a
//! banner, the bytes of the banner become evidence of their own kind too.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::BufRead;

use data_encoding::BASE64;
use hinomi_model::address::{Transport, parse_address};
use hinomi_model::evidence::{Evidence, EvidenceKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::bounded::Bounded;
use super::error::ScanError;
use super::json::{Found, Objects};
use super::{Record, State, epoch};
use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::{recognise, text};

pub mod binary;
pub mod list;

/// The longest object of a list.
const MAX_OBJECT_BYTES: usize = 256 * 1024;

/// Every record begins with its address.
const FIRST_KEY: &[u8] = b"\"ip\"";

/// The most ports of one record.
const MAX_PORTS: usize = 65_536;

/// Reads records from a file; see [`super`].
#[derive(Debug)]
pub struct Records<R> {
    objects: Objects<R>,
    ready: VecDeque<Result<Record, ScanError>>,
    done: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    ip: Cow<'a, str>,
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    ports: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Port {
    port: u16,
    proto: String,
    /// Absent in records that carry a banner.
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    service: Option<Service>,
}

/// What masscan read from a service.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Service {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) banner: String,
}

impl<R: BufRead> Records<R> {
    /// Starts reading. An empty file is a scan that found nothing.
    pub fn new(source: R) -> Self {
        let objects = Objects::new(source, MAX_OBJECT_BYTES, Some(FIRST_KEY));
        Self { objects, ready: VecDeque::new(), done: false }
    }

    fn read_line(&mut self) {
        let position = self.objects.position();
        let bytes = self.objects.bytes();
        if is_end_mark(bytes) {
            return;
        }
        let refuse = |reason: String| Err(Bounded::<R>::record_error(position, reason));
        match serde_json::from_slice::<Line<'_>>(bytes) {
            Err(error) => self.ready.push_back(refuse(error.to_string())),
            Ok(line) if line.ports.len() > MAX_PORTS => {
                self.ready.push_back(refuse("more ports than exist".to_owned()))
            }
            Ok(line) => {
                let records = line.ports.iter().map(|port| record(&line, port).or_else(refuse));
                self.ready.extend(records);
            }
        }
    }
}

/// `{finished: 1}`: older versions write it last.
fn is_end_mark(object: &[u8]) -> bool {
    object.get(1..).is_some_and(|inside| inside.trim_ascii_start().starts_with(b"finished"))
}

fn record(line: &Line<'_>, raw: &RawValue) -> Result<Record, String> {
    let address = parse_address(&line.ip).map_err(|error| error.to_string())?;
    let port: Port = serde_json::from_str(raw.get()).map_err(|error| format!("an element of ports: {error}"))?;
    let transport: Transport = port.proto.parse().map_err(|error| format!("{error}"))?;
    let state = match port.status.as_deref() {
        Some("open") => State::Open,
        Some("closed") => State::Closed,
        // Only an open port has a banner.
        None if port.service.is_some() => State::Open,
        _ => return Err("it says neither open nor closed".to_owned()),
    };
    let mut evidence = vec![Evidence::new(EvidenceKind::MasscanRecord, raw.get())];
    evidence.extend(port.service.as_ref().and_then(Service::seen));
    Ok(Record { address, port: port.port, transport, state, time: epoch(&line.timestamp), evidence })
}

impl Service {
    /// What was seen, as evidence of its own kind, where masscan gives it whole.
    pub(super) fn seen(&self) -> Option<Evidence> {
        if self.name == "X509" {
            let der = BASE64.decode(self.banner.as_bytes()).ok()?;
            return Some(Evidence::new(EvidenceKind::Certificate, der));
        }
        // Names with a dot, and others, are masscan's extracts and not what the server sent.
        let whole =
            ["ssh", "ftp", "smtp", "pop", "pop3", "imap", "imap4", "telnet", "vnc", "http"].contains(&&*self.name);
        let bytes = whole.then(|| bytes_of(&self.banner)).flatten()?;
        match recognise(&bytes) {
            Some("http") => Some(Evidence::new(EvidenceKind::Http, bytes)),
            Some(_) => Some(Evidence::new(EvidenceKind::Banner, bytes)),
            None => None,
        }
    }
}

/// masscan writes each byte as the character of that number.
fn bytes_of(banner: &str) -> Option<Vec<u8>> {
    banner.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<Record, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            if self.done {
                return None;
            }
            match self.objects.next() {
                Ok(Found::Object) => self.read_line(),
                Ok(Found::Skipped(reason)) => {
                    return Some(Err(Bounded::<R>::record_error(self.objects.position(), reason)));
                }
                Ok(Found::End) => self.done = true,
                Err(error) => {
                    self.done = true;
                    return Some(Err(self.objects.source().read_error(error)));
                }
            }
        }
    }
}

/// Protocols behind masscan's names for what it extracted.
const PROTOCOLS: &[(&str, &str)] = &[
    ("X509", "tls"),
    ("X509CA", "tls"),
    ("ssl", "tls"),
    ("title", "http"),
    ("html", "http"),
    ("imap4", "imap"),
    ("pop", "pop3"),
];

/// The claims in an element of `ports`, in JSON or in XML, or in a line of a plain list.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match input.trim_ascii_start().first() {
        Some(b'<') => return super::nmap::fields(input),
        Some(b'{') | None => {}
        Some(_) => {
            if let Some(service) = list::service(input) {
                push_service(&mut list, input, &service);
            }
            return list.finish();
        }
    }
    match serde_json::from_slice::<Port>(input) {
        Ok(port) => {
            if let Some(service) = port.service {
                push_service(&mut list, input, &service);
            }
        }
        Err(error) => list.malformed(&Malformed::Invalid { what: "masscan record", at: offset(input, &error) }),
    }
    list.finish()
}

fn push_service(list: &mut Fields<'_>, input: &[u8], service: &Service) {
    let family = service.name.split('.').next().unwrap_or_default();
    let protocol = PROTOCOLS.iter().find(|(name, _)| *name == family).map_or(family, |(_, protocol)| protocol);
    let mut claim = |field: &'static str, value: &str, said: &str| {
        let start = memchr::memmem::find(input, said.as_bytes());
        let span = start.map_or(0..input.len(), |start| start..start + said.len());
        list.value(field, Cow::Owned(value.as_bytes().to_vec()), span);
    };
    // A number in brackets is one whose name is not known.
    if !family.starts_with('(') {
        claim("claim.protocol", protocol, &service.name);
    }
    claim("claim.banner", &service.banner, &service.banner);
}

/// Where a JSON error stands; it counts lines and columns from 1.
pub(super) fn offset(input: &[u8], error: &serde_json::Error) -> usize {
    let before = text::lines_before(input, error.line());
    (before + error.column().saturating_sub(1)).min(input.len())
}
