//! Shodan's banners as `shodan download` writes them, one JSON object a line, and the answers of its host lookups.
//!
//! The evidence of a service is the banner in its own words, without address, time, owner and pictures. What it holds
//! of what the server sent becomes evidence of its own kind: HTTP answers, greetings, certificates, SSH host keys.
//! Members are named as in Shodan's banner specification and in records of its API. Times carry no zone: they are UTC.

use std::collections::VecDeque;
use std::io::BufRead;
use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::address::{Transport, parse_address};
use hinomi_model::evidence::{Evidence, EvidenceKind};
use serde_json::Value;

use super::error::ScanError;
use super::lines::{Got, Item, Lines, Step, Steps};
use super::masscan::offset;
use super::words::{push_claim, text, time, words};
use super::{Record, State, seen};
use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;

/// The most banners of one host lookup.
const MAX_BANNERS: usize = 65_536;

/// Members that are parts of the sighting, or say who owns the address, or are no words.
const LEFT_OUT: &[&str] = &[
    "ip",
    "ip_str",
    "ipv6",
    "timestamp",
    "last_update",
    "location",
    "asn",
    "isp",
    "org",
    "hostnames",
    "domains",
    "cloud",
    "screenshot",
    "crawler",
    "_id",
];

/// The most names of products that are read.
const MAX_NAMES: usize = 8;

/// Reads records from a file; see [`super`].
#[derive(Debug)]
pub struct Records<R>(Steps<Reader<R>>);

#[derive(Debug)]
struct Reader<R>(Lines<R>);

impl<R: BufRead> Records<R> {
    /// Starts reading.
    pub const fn new(source: R) -> Self {
        Self(Steps::new(Reader(Lines::new(source))))
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
        match self.0.next()? {
            Got::End => return Ok(false),
            Got::TooLong => ready.push_back(Err(self.0.too_long())),
            Got::Line if self.0.bytes().is_empty() => {}
            Got::Line => match serde_json::from_slice::<Value>(self.0.bytes()) {
                Ok(value) => ready.extend(banners(value).map(|read| read.map_err(|reason| self.0.refuse(reason)))),
                Err(error) => ready.push_back(Err(self.0.refuse(error.to_string()))),
            },
        }
        Ok(true)
    }
}

/// The banners of a line: itself, or those of a host lookup, which have the host's address.
fn banners(mut line: Value) -> impl Iterator<Item = Result<Record, String>> {
    let host = address(&line).ok();
    let list = match line.get_mut("data") {
        Some(Value::Array(list)) => std::mem::take(list),
        _ => vec![line],
    };
    let surplus = list.len().saturating_sub(MAX_BANNERS);
    let rest = (surplus > 0).then(|| Err(format!("{surplus} banners beyond the first {MAX_BANNERS} of one host")));
    list.into_iter().take(MAX_BANNERS).map(move |banner| record(banner, host)).chain(rest)
}

fn record(mut banner: Value, host: Option<IpAddr>) -> Result<Record, String> {
    let address = address(&banner).or_else(|reason| host.ok_or(reason))?;
    let port = banner.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or("it has no port number")?;
    let transport: Transport = text(&banner, "/transport").parse().map_err(|error| format!("{error}"))?;
    let time = time(&banner, "/timestamp")?;
    let seen = take_seen(&mut banner);
    let mut evidence = vec![Evidence::new(EvidenceKind::ShodanRecord, words(&mut banner, LEFT_OUT))];
    evidence.extend(seen);
    Ok(Record { address, port, transport, state: State::Open, time, evidence })
}

/// As text, or IPv4 as a number.
fn address(banner: &Value) -> Result<IpAddr, String> {
    let named = ["/ip_str", "/ipv6"].map(|name| text(banner, name)).into_iter().find(|text| !text.is_empty());
    if let Some(text) = named {
        return parse_address(text).map_err(|error| error.to_string());
    }
    let number = banner.get("ip").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    number.map(|number| Ipv4Addr::from(number).into()).ok_or_else(|| "it has no address".to_owned())
}

/// What was seen; what is stored as such is taken out of the words.
fn take_seen(banner: &mut Value) -> Vec<Evidence> {
    let data = text(banner, "/data");
    let page = text(banner, "/http/html");
    let answer = seen::answer(data.as_bytes(), page);
    let greeting = if answer.is_some() { None } else { seen::greeting(data.as_bytes()) };
    let key = seen::host_key(text(banner, "/ssh/key"));
    let chain = banner.pointer("/ssl/chain").and_then(Value::as_array);
    let chain = seen::certificates(chain.into_iter().flatten().filter_map(Value::as_str)).unwrap_or_default();
    remove(banner, "/http", "html", answer.is_some());
    remove(banner, "/ssl", "chain", !chain.is_empty());
    answer.into_iter().chain(greeting).chain(key).chain(chain).collect()
}

fn remove(value: &mut Value, pointer: &str, name: &str, stored: bool) {
    if let Some(members) = value.pointer_mut(pointer).and_then(Value::as_object_mut).filter(|_| stored) {
        members.remove(name);
    }
}

/// What Shodan's collectors are called beyond the protocol that they speak.
const SUFFIXES: &[&str] = &["-simple-new", "-simple", "-tcp", "-udp", "-ssl"];

/// Collectors that name no protocol.
const UNNAMED: &[&str] = &["auto", "tcp", "udp", "unknown"];

/// Members and the claims that they make.
const CLAIMS: &[(&str, &str)] = &[
    ("/product", "claim.product"),
    ("/version", "claim.version"),
    ("/info", "claim.extra"),
    ("/os", "claim.os"),
    ("/devicetype", "claim.device-type"),
    ("/data", "claim.banner"),
];

/// The claims in a banner's words.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match serde_json::from_slice::<Value>(input) {
        Ok(banner) => push_banner(&mut list, input, &banner),
        Err(error) => list.malformed(&Malformed::Invalid { what: "Shodan banner", at: offset(input, &error) }),
    }
    list.finish()
}

fn push_banner(list: &mut Fields<'_>, input: &[u8], banner: &Value) {
    let module = text(banner, "/_shodan/module");
    let protocol = SUFFIXES.iter().find_map(|suffix| module.strip_suffix(suffix)).unwrap_or(module);
    if !UNNAMED.contains(&protocol) {
        push_claim(list, input, "claim.protocol", protocol);
    }
    for (pointer, field) in CLAIMS {
        push_claim(list, input, field, text(banner, pointer));
    }
    if banner.get("ssl").is_some_and(Value::is_object) {
        push_claim(list, input, "claim.tunnel", "ssl");
    }
    let names = ["cpe23", "cpe"].into_iter().find_map(|name| banner.get(name)?.as_array()).into_iter().flatten();
    names.filter_map(Value::as_str).take(MAX_NAMES).for_each(|name| push_claim(list, input, "claim.cpe", name));
}

#[cfg(test)]
mod tests;
