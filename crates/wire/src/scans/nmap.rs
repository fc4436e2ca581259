//! nmap's XML output (nmap.dtd), and masscan's imitation of it.
//!
//! The evidence of a service is its `port` element, byte for byte. Hosts without ports and counts of uninteresting ports
//! say nothing about a service and are passed over.

use std::io::BufRead;
use std::net::IpAddr;

use hinomi_model::address::{Transport, parse_address};
use hinomi_model::evidence::{self, Evidence, EvidenceKind};
use hinomi_model::time::Timestamp;
use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::events::{BytesStart, Event};

use super::bounded::Bounded;
use super::error::ScanError;
use super::{MAX_RECORD_BYTES, Record, State, epoch, masscan};
use crate::xml;

mod claims;

pub use claims::fields;

/// Reads records from a file; see [`super`].
#[derive(Debug)]
pub struct Records<R> {
    xml: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    depth: usize,
    run: Run,
    host: Host,
    port: Option<Port>,
    done: bool,
}

/// What the file says of itself.
#[derive(Debug, Default)]
struct Run {
    seen: bool,
    masscan: bool,
    start: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Host {
    open: bool,
    address: Option<IpAddr>,
    time: Option<Timestamp>,
}

/// A port element that is being read.
#[derive(Debug)]
struct Port {
    position: (u64, u64),
    depth: usize,
    protocol: String,
    number: String,
    state: String,
    service: masscan::Service,
}

/// What an event means to us.
enum Step {
    Nothing,
    Opened,
    /// A tag without content, or the end of one: the depth it stands at is complete.
    Closed,
    End,
}

impl<R: BufRead> Records<R> {
    /// Starts reading.
    pub fn new(source: R) -> Self {
        let mut xml = Reader::from_reader(Bounded::new(source));
        let config = xml.config_mut();
        // The raw bytes become evidence: nothing may be trimmed.
        config.trim_markup_names_in_closing_tags = true;
        config.allow_dangling_amp = true;
        Self { xml, buffer: Vec::new(), depth: 0, run: Run::default(), host: Host::default(), port: None, done: false }
    }

    /// Reads one event. Inside a port the buffer keeps what was read: it is the port's evidence.
    fn step(&mut self) -> Result<Step, ScanError> {
        match &self.port {
            None => self.buffer.clear(),
            // One byte more than evidence holds, so that it knows it was cut.
            Some(_) => self.buffer.truncate(evidence::MAX_BYTES + 1),
        }
        self.xml.get_mut().allow(MAX_RECORD_BYTES);
        let event = match self.xml.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(error) => return Err(refuse(self.xml.get_ref(), error)),
        };
        let scope = Scope { run: &mut self.run, host: &mut self.host, port: &mut self.port };
        let position = self.xml.get_ref().position();
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                if self.depth > xml::MAX_DEPTH {
                    return Err(self
                        .xml
                        .get_ref()
                        .file_error("elements are nested deeper than any scanner writes them"));
                }
                scope.open(&tag, self.depth, position).map_err(|reason| self.xml.get_ref().file_error(reason))?;
                Ok(Step::Opened)
            }
            Event::Empty(tag) => {
                scope.open(&tag, self.depth + 1, position).map_err(|reason| self.xml.get_ref().file_error(reason))?;
                self.depth += 1;
                Ok(Step::Closed)
            }
            Event::End(_) => Ok(Step::Closed),
            Event::DocType(declaration) if xml::declares(&declaration) => {
                Err(self.xml.get_ref().file_error("its document type declares entities, which no scanner does"))
            }
            Event::Eof => Ok(Step::End),
            _ => Ok(Step::Nothing),
        }
    }

    /// The element at the present depth is complete.
    fn close(&mut self) -> Option<Result<Record, ScanError>> {
        let depth = self.depth;
        self.depth = self.depth.saturating_sub(1);
        if depth == 2 {
            self.host = Host::default();
        }
        let port = self.port.take_if(|port| port.depth == depth)?;
        let position = port.position;
        Some(self.record(&port).map_err(|reason| Bounded::<R>::record_error(position, reason)))
    }

    fn record(&self, port: &Port) -> Result<Record, String> {
        let address = self.host.address.ok_or("its host has no IPv4 or IPv6 address")?;
        let transport: Transport = port.protocol.parse().map_err(|error| format!("{error}"))?;
        let number = port.number.parse().map_err(|_| format!("{:?} is no port number", clip(&port.number)))?;
        let kind = if self.run.masscan { EvidenceKind::MasscanRecord } else { EvidenceKind::NmapService };
        let mut evidence = vec![Evidence::new(kind, self.buffer.clone())];
        if self.run.masscan {
            evidence.extend(port.service.seen());
        }
        let time = self.host.time.or(self.run.start);
        Ok(Record { address, port: number, transport, state: state(&port.state)?, time, evidence })
    }

    fn end(&self) -> Option<Result<Record, ScanError>> {
        let reason = if !self.run.seen {
            "it holds no nmaprun element: it is not the XML of nmap or masscan, or it is empty"
        } else if self.depth > 0 {
            "it ends in the middle of an element: it was cut off, or the scan is still running"
        } else {
            return None;
        };
        Some(Err(self.xml.get_ref().file_error(reason)))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Result<Record, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.step() {
                Ok(Step::Nothing | Step::Opened) => {}
                Ok(Step::Closed) => {
                    if let Some(record) = self.close() {
                        return Some(record);
                    }
                }
                Ok(Step::End) => {
                    self.done = true;
                    return self.end();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

/// What a tag may change.
struct Scope<'a> {
    run: &'a mut Run,
    host: &'a mut Host,
    port: &'a mut Option<Port>,
}

impl Scope<'_> {
    fn open(self, tag: &BytesStart<'_>, depth: usize, position: (u64, u64)) -> Result<(), &'static str> {
        let name = tag.name();
        match (name.as_ref(), depth) {
            ("nmaprun", 1) => self.open_run(tag),
            (_, 1) => return Err("it is not the XML of nmap or masscan: the first element is not nmaprun"),
            ("host", 2) => self.open_host(tag),
            ("address", 3) if self.host.open => self.read_address(tag),
            ("port", 4) if self.host.open => {
                let mut port = Port {
                    position,
                    depth,
                    protocol: String::new(),
                    number: String::new(),
                    state: String::new(),
                    service: masscan::Service::default(),
                };
                each_attribute(tag, |key, value| match key {
                    "protocol" => value.clone_into(&mut port.protocol),
                    "portid" => value.clone_into(&mut port.number),
                    _ => {}
                });
                *self.port = Some(port);
            }
            ("state", 5) => self.read_state(tag),
            ("service", 5) if self.run.masscan => self.read_service(tag),
            _ => {}
        }
        Ok(())
    }

    fn open_run(self, tag: &BytesStart<'_>) {
        self.run.seen = true;
        each_attribute(tag, |key, value| match key {
            "scanner" => self.run.masscan = value == "masscan",
            "start" => self.run.start = epoch(value),
            _ => {}
        });
    }

    fn open_host(self, tag: &BytesStart<'_>) {
        *self.host = Host { open: true, address: None, time: None };
        each_attribute(tag, |key, value| match key {
            "endtime" => self.host.time = epoch(value),
            "starttime" if self.host.time.is_none() => self.host.time = epoch(value),
            _ => {}
        });
    }

    /// The first address of the Internet; an Ethernet address is none.
    fn read_address(self, tag: &BytesStart<'_>) {
        let mut found = None;
        each_attribute(tag, |key, value| {
            if key == "addr" {
                found = parse_address(value).ok();
            }
        });
        self.host.address = self.host.address.or(found);
    }

    fn read_state(self, tag: &BytesStart<'_>) {
        let Some(port) = self.port else { return };
        each_attribute(tag, |key, value| {
            if key == "state" {
                value.clone_into(&mut port.state);
            }
        });
    }

    fn read_service(self, tag: &BytesStart<'_>) {
        let Some(port) = self.port else { return };
        each_attribute(tag, |key, value| match key {
            "name" => value.clone_into(&mut port.service.name),
            "banner" => value.clone_into(&mut port.service.banner),
            _ => {}
        });
    }
}

/// Attributes that cannot be read leave their part empty, and the record says then what is missing.
fn each_attribute(tag: &BytesStart<'_>, mut take: impl FnMut(&str, &str)) {
    for attribute in tag.attributes().with_checks(false).flatten() {
        if let Some(value) = xml::value(&attribute) {
            take(attribute.key.as_ref(), &value);
        }
    }
}

fn state(text: &str) -> Result<State, String> {
    match text {
        "open" => Ok(State::Open),
        "closed" => Ok(State::Closed),
        // Silence is silence, whatever may be behind it.
        "filtered" | "open|filtered" | "closed|filtered" => Ok(State::Filtered),
        _ => Err(format!("state {:?} says neither open, closed nor filtered", clip(text))),
    }
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}

fn refuse<R>(source: &Bounded<R>, error: Error) -> ScanError {
    match error {
        Error::Io(cause) if cause.kind() == std::io::ErrorKind::FileTooLarge => {
            source.file_error(format!("one tag or text is longer than the {MAX_RECORD_BYTES} bytes we read"))
        }
        Error::Io(cause) => source.read_error(std::io::Error::new(cause.kind(), cause.to_string())),
        Error::Syntax(cause) => source.file_error(format!("it is no XML, or was cut off: {cause}")),
        Error::Encoding(_) => source.file_error("it is not UTF-8 text"),
        error => source.file_error(format!("{}: {error}", xml::what(&error))),
    }
}
