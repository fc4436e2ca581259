//! ZGrab2 results, one JSON object a line, one record for each module's answer in it.
//!
//! The evidence of a service is the module's object under `data`, byte for byte. Banners, certificates and HTTP answers
//! in it become evidence of their own kind too. ZGrab2 keeps no HTTP answer as it was sent: that evidence is put together
//! again from its parts, header names in lower case and in alphabetical order.
//!
//! Older versions write no port; then the module's usual port is taken, or the one given to [`Records::new`].

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;

use hinomi_model::address::{Transport, parse_address};
use hinomi_model::evidence::{Evidence, EvidenceKind};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::ScanError;
use super::lines::{Got, Item, Lines, Step, Steps};
use super::masscan::offset;
use super::words::push_claim;
use super::{Record, State};
use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;

mod seen;

/// The most modules of one line.
const MAX_MODULES: usize = 256;

/// Modules with their usual port and transport (ZGrab2's own defaults).
const MODULES: &[(&str, u16, Transport)] = &[
    ("amqp091", 5672, Transport::Tcp),
    ("bacnet", 47808, Transport::Udp),
    ("dnp3", 20000, Transport::Tcp),
    ("fox", 1911, Transport::Tcp),
    ("ftp", 21, Transport::Tcp),
    ("http", 80, Transport::Tcp),
    ("imap", 143, Transport::Tcp),
    ("ipp", 631, Transport::Tcp),
    ("modbus", 502, Transport::Tcp),
    ("mongodb", 27017, Transport::Tcp),
    ("mqtt", 1883, Transport::Tcp),
    ("mssql", 1433, Transport::Tcp),
    ("mysql", 3306, Transport::Tcp),
    ("ntp", 123, Transport::Udp),
    ("oracle", 1521, Transport::Tcp),
    ("pop3", 110, Transport::Tcp),
    ("postgres", 5432, Transport::Tcp),
    ("redis", 6379, Transport::Tcp),
    ("siemens", 102, Transport::Tcp),
    ("smb", 445, Transport::Tcp),
    ("smtp", 25, Transport::Tcp),
    ("ssh", 22, Transport::Tcp),
    ("telnet", 23, Transport::Tcp),
    ("tls", 443, Transport::Tcp),
];

/// Reads records from a file; see [`super`].
#[derive(Debug)]
pub struct Records<R>(Steps<Reader<R>>);

/// Reads a line at a time.
#[derive(Debug)]
struct Reader<R> {
    lines: Lines<R>,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    ip: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
struct Module<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    protocol: Option<Cow<'a, str>>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(borrow, default)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(default)]
    result: Option<Value>,
}

impl<R: BufRead> Records<R> {
    /// Starts reading. `port` is the port that was scanned, for files that do not say.
    pub const fn new(source: R, port: Option<u16>) -> Self {
        Self(Steps::new(Reader { lines: Lines::new(source), port }))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.0.next()
    }
}

impl<R: BufRead> Step for Reader<R> {
    fn step(&mut self, ready: &mut VecDeque<Item>) -> Result<bool, ScanError> {
        match self.lines.next()? {
            Got::End => return Ok(false),
            Got::TooLong => ready.push_back(Err(self.lines.too_long())),
            Got::Line if self.lines.bytes().is_empty() => {}
            Got::Line => self.read_line(ready),
        }
        Ok(true)
    }
}

impl<R: BufRead> Reader<R> {
    fn read_line(&self, ready: &mut VecDeque<Item>) {
        let refuse = |reason: String| Err(self.lines.refuse(reason));
        match serde_json::from_slice::<Line<'_>>(self.lines.bytes()) {
            Err(error) => ready.push_back(refuse(error.to_string())),
            Ok(line) if line.data.len() > MAX_MODULES => ready.push_back(refuse("too many modules".to_owned())),
            Ok(line) => {
                let records = line.data.iter().map(|(name, raw)| record(&line, name, raw, self.port).or_else(refuse));
                ready.extend(records);
            }
        }
    }
}

fn record(line: &Line<'_>, name: &str, raw: &RawValue, given_port: Option<u16>) -> Result<Record, String> {
    let ip = line.ip.as_deref().ok_or("it has no address: the name was not resolved")?;
    let address = parse_address(ip).map_err(|error| error.to_string())?;
    let module: Module<'_> = serde_json::from_str(raw.get()).map_err(|error| format!("module {name}: {error}"))?;
    let protocol = module.protocol.as_deref().unwrap_or(name);
    let usual = MODULES.iter().find(|(known, ..)| *known == protocol);
    let port = module.port.or(given_port).or(usual.map(|(_, port, _)| *port));
    let port = port.ok_or_else(|| format!("module {name} names no port: say which port was scanned"))?;
    let transport = usual.map_or(Transport::Tcp, |(.., transport)| *transport);
    let state = state(&module)?;
    let time = module.timestamp.as_deref().and_then(|text| text.parse().ok());
    let mut evidence = vec![Evidence::new(EvidenceKind::ZgrabRecord, raw.get())];
    if let Some(result) = &module.result {
        evidence.extend(seen::evidence(result));
    }
    Ok(Record { address, port, transport, state, time, evidence })
}

/// ZGrab2's status of a module.
fn state(module: &Module<'_>) -> Result<State, String> {
    match &*module.status {
        "success" | "protocol-error" | "application-error" | "connection-closed" | "io-timeout" => Ok(State::Open),
        "connection-refused" => Ok(State::Closed),
        "connection-timeout" => Ok(State::Filtered),
        _ if module.result.is_some() => Ok(State::Open),
        other => Err(format!("status {:?} does not say whether the port is open", other.get(..40).unwrap_or(other))),
    }
}

/// Where modules say what (protocol, JSON pointer, field).
const CLAIMS: &[(&str, &str, &str)] = &[
    ("mysql", "/result/server_version", "claim.version"),
    ("redis", "/result/version", "claim.version"),
    ("redis", "/result/os", "claim.os"),
    ("mongodb", "/result/build_info/version", "claim.version"),
    ("mssql", "/result/version", "claim.version"),
    ("modbus", "/result/mei_response/objects/vendor", "claim.vendor"),
    ("modbus", "/result/mei_response/objects/product_code", "claim.product"),
    ("modbus", "/result/mei_response/objects/revision", "claim.version"),
    ("bacnet", "/result/vendor_name", "claim.vendor"),
    ("bacnet", "/result/model_name", "claim.product"),
    ("bacnet", "/result/firmware_revision", "claim.version"),
    ("fox", "/result/brand_id", "claim.vendor"),
    ("fox", "/result/app_name", "claim.product"),
    ("fox", "/result/app_version", "claim.version"),
    ("fox", "/result/os_name", "claim.os"),
    ("siemens", "/result/module", "claim.product"),
    ("siemens", "/result/firmware", "claim.version"),
    ("ssh", "/result/server_id/raw", "claim.banner"),
];

/// The claims in a module's object.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match serde_json::from_slice::<Value>(input) {
        Ok(module) => push_module(&mut list, input, &module),
        Err(error) => list.malformed(&Malformed::Invalid { what: "ZGrab2 record", at: offset(input, &error) }),
    }
    list.finish()
}

fn push_module(list: &mut Fields<'_>, input: &[u8], module: &Value) {
    let text = |pointer: &str| module.pointer(pointer).and_then(Value::as_str);
    let protocol = text("/protocol").unwrap_or_default();
    // Only a module that succeeded met its protocol.
    if text("/status") == Some("success") {
        push_claim(list, input, "claim.protocol", protocol);
    }
    push_claim(list, input, "claim.banner", text("/result/banner").unwrap_or_default());
    for (_, pointer, field) in CLAIMS.iter().filter(|(module, ..)| *module == protocol) {
        push_claim(list, input, field, text(pointer).unwrap_or_default());
    }
}
