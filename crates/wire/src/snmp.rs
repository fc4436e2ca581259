//! SNMP: engine discovery of version 3, which needs no secret, and reading of answers that others collected.
//!
//! Follows RFC 3412 (message format), RFC 3414 sections 2.4 and 4 (user-based security, discovery), RFC 3411 (engine
//! ids) and RFC 3416 (protocol data units). Communities are passwords: no request of version 1 or 2c is built here;
//! their responses are read because other tools' scans hold them.

mod engine;

use std::ops::Range;

use crate::ber::{Element, Elements, OBJECT_ID, OCTETS, SEQUENCE, constructed, element, integer};
use crate::{Field, Malformed};
pub use engine::{EngineFormat, EngineId};

/// The most variables read from one message.
pub const MAX_VARIABLES: usize = 64;

/// The longest sysDescr that is read (RFC 3418: a DisplayString of at most 255).
pub const MAX_DESCRIPTION_BYTES: usize = 4096;

const VERSION_1: i64 = 0;
const VERSION_2C: i64 = 1;
const VERSION_3: i64 = 3;
const USER_BASED_SECURITY: i32 = 3;
/// What every implementation must take (RFC 3412 section 6.3 allows from 484).
const MAX_MESSAGE_BYTES: i32 = 1472;
/// Reportable, neither authenticated nor encrypted.
const FLAGS_REPORTABLE: u8 = 0x04;
const FLAG_ENCRYPTED: u8 = 0x02;
const GET_REQUEST: u8 = 0xA0;
const GET_RESPONSE: u8 = 0xA2;
const REPORT: u8 = 0xA8;
/// 1.3.6.1.2.1.1.1.0
const SYS_DESCR: [u8; 8] = [0x2B, 6, 1, 2, 1, 1, 1, 0];

/// Asks for the engine id: a Get without user or variables that every engine answers with a report.
///
/// `id` comes back as message id and request id; its upper two bits are replaced (01), so that it always takes four
/// bytes and answers have one length.
pub fn engine_discovery(id: u32) -> Vec<u8> {
    let id = i32::from_be_bytes((id & 0x3FFF_FFFF | 0x4000_0000).to_be_bytes());
    let empty = || element(OCTETS, &[]);
    let global = constructed(
        SEQUENCE,
        &[integer(id), integer(MAX_MESSAGE_BYTES), element(OCTETS, &[FLAGS_REPORTABLE]), integer(USER_BASED_SECURITY)],
    );
    let security = constructed(SEQUENCE, &[empty(), integer(0), integer(0), empty(), empty(), empty()]);
    let request = constructed(GET_REQUEST, &[integer(id), integer(0), integer(0), element(SEQUENCE, &[])]);
    let scoped = constructed(SEQUENCE, &[empty(), empty(), request]);
    constructed(SEQUENCE, &[integer(3), global, element(OCTETS, &security), scoped])
}

/// The message id that an answer to [`engine_discovery`] with this `id` carries.
pub fn message_id(id: u32) -> i64 {
    i64::from(id & 0x3FFF_FFFF | 0x4000_0000)
}

/// What an SNMP agent answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A report or response of version 3.
    V3(Report<'a>),
    /// A response of version 1 or 2c.
    Community {
        /// Its sysDescr variable, if it holds one: the value and where it stands.
        description: Option<(&'a [u8], Range<usize>)>,
    },
}

/// What a message of version 3 tells without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// The id of the request.
    pub message_id: i64,
    /// The engine id, and where it stands.
    pub engine_id: (EngineId<'a>, Range<usize>),
    /// How often the engine started, and where that stands.
    pub boots: (i64, Range<usize>),
    /// Seconds since it did.
    pub uptime_s: i64,
    /// Places whose content differs at every look: ids, time, counters.
    volatile: Vec<Range<usize>>,
}

impl<'a> Message<'a> {
    /// Reads a message; what follows it is left alone.
    ///
    /// # Errors
    /// When the bytes are cut, are no SNMP, or are no answer.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Elements::new(bytes);
        let message = outer.expect(SEQUENCE, "SNMP message")?;
        let mut parts = outer.inside(&message);
        let (version, version_at) = parts.integer("SNMP version")?;
        match version {
            VERSION_1 | VERSION_2C => parse_community(&mut parts),
            VERSION_3 => parse_v3(&mut parts).map(Self::V3),
            _ => Err(Malformed::Invalid { what: "SNMP version", at: version_at.start }),
        }
    }
}

fn parse_v3<'a>(parts: &mut Elements<'a>) -> Result<Report<'a>, Malformed> {
    let global = parts.expect(SEQUENCE, "SNMP global data")?;
    let mut global = parts.inside(&global);
    let (message_id, message_id_at) = global.integer("SNMP message id")?;
    global.integer("SNMP maximum size")?;
    let flags = global.expect(OCTETS, "SNMP flags")?;
    let encrypted = global.bytes(&flags).first().is_some_and(|flags| flags & FLAG_ENCRYPTED != 0);

    let security = parts.expect(OCTETS, "SNMP security parameters")?;
    let mut wrapped = parts.inside(&security);
    let security = wrapped.expect(SEQUENCE, "SNMP security parameters")?;
    let mut security = wrapped.inside(&security);
    let engine = security.expect(OCTETS, "SNMP engine id")?;
    let boots = security.integer("SNMP engine boots")?;
    let (uptime_s, uptime_at) = security.integer("SNMP engine time")?;

    let mut volatile = vec![message_id_at, uptime_at];
    if !encrypted {
        volatile.extend(volatile_in_scoped(parts)?);
    }
    let engine_id = (EngineId::new(parts.bytes(&engine)), engine.content);
    Ok(Report { message_id, engine_id, boots, uptime_s, volatile })
}

/// The request id and the report's counter, which grows by one with every discovery.
fn volatile_in_scoped(parts: &mut Elements<'_>) -> Result<Vec<Range<usize>>, Malformed> {
    let scoped = parts.expect(SEQUENCE, "SNMP scoped data")?;
    let mut scoped = parts.inside(&scoped);
    scoped.expect(OCTETS, "SNMP context engine id")?;
    scoped.expect(OCTETS, "SNMP context name")?;
    let data = scoped.next("SNMP report")?;
    if !matches!(data.tag, REPORT | GET_RESPONSE) {
        return Err(Malformed::Invalid { what: "SNMP report", at: data.content.start });
    }
    let (request_id_at, variables) = parse_data_unit(scoped.inside(&data))?;
    let counters = variables.into_iter().filter(|(_, value)| data.tag == REPORT && value.tag != OCTETS);
    Ok(counters.map(|(_, value)| value.content).chain([request_id_at]).collect())
}

fn parse_community<'a>(parts: &mut Elements<'a>) -> Result<Message<'a>, Malformed> {
    parts.expect(OCTETS, "SNMP community")?;
    let data = parts.expect(GET_RESPONSE, "SNMP response")?;
    let (_, variables) = parse_data_unit(parts.inside(&data))?;
    let description = variables.into_iter().find_map(|(name, value)| {
        let wanted = value.tag == OCTETS && parts.bytes(&name) == SYS_DESCR;
        let end = value.content.end.min(value.content.start + MAX_DESCRIPTION_BYTES);
        let value = Element { tag: OCTETS, content: value.content.start..end };
        wanted.then(|| (parts.bytes(&value), value.content))
    });
    Ok(Message::Community { description })
}

/// Where the request id stands, and the variables: name and value.
type DataUnit = (Range<usize>, Vec<(Element, Element)>);

fn parse_data_unit(mut data: Elements<'_>) -> Result<DataUnit, Malformed> {
    let (_, request_id_at) = data.integer("SNMP request id")?;
    data.integer("SNMP error status")?;
    data.integer("SNMP error index")?;
    let list = data.expect(SEQUENCE, "SNMP variables")?;
    let mut list = data.inside(&list);
    let mut variables = Vec::new();
    while !list.is_done() {
        let variable = list.expect(SEQUENCE, "SNMP variable")?;
        if variables.len() == MAX_VARIABLES {
            let at = variable.content.start;
            return Err(Malformed::TooMuch { what: "SNMP variables", at, limit: MAX_VARIABLES });
        }
        let mut inside = list.inside(&variable);
        variables.push((inside.expect(OBJECT_ID, "SNMP variable name")?, inside.next("SNMP variable value")?));
    }
    Ok((request_id_at, variables))
}

/// The named parts of stored evidence: `snmp.engine-id` (hexadecimal), `snmp.enterprise` (decimal), `snmp.engine-text`,
/// `snmp.engine-mac`, `snmp.engine-ip` as the id's format has it, `snmp.boots`; of version 1 and 2c `snmp.sysdescr`.
///
/// # Errors
/// When the bytes are no answer of an SNMP agent.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let report = match Message::parse(bytes)? {
        Message::V3(report) => report,
        Message::Community { description } => {
            let field = description.map(|(_, span)| Field::borrowed("snmp.sysdescr", bytes, span));
            return Ok(field.into_iter().collect());
        }
    };
    let (engine, span) = report.engine_id;
    let (boots, boots_span) = report.boots;
    let mut found = vec![Field::computed("snmp.boots", boots.to_string(), boots_span)];
    if !engine.bytes().is_empty() {
        found.push(Field::computed("snmp.engine-id", engine.to_string(), span.clone()));
    }
    if let Some(enterprise) = engine.enterprise() {
        found.push(Field::computed("snmp.enterprise", enterprise.to_string(), span.start..span.start + 4));
    }
    let data = engine.data_offset().map_or(span.clone(), |offset| span.start + offset..span.end);
    match engine.format() {
        EngineFormat::Text(text) => found.push(Field::computed("snmp.engine-text", text, data)),
        EngineFormat::Mac(mac) => found.push(Field::computed("snmp.engine-mac", mac, data)),
        EngineFormat::Address(address) => {
            found.push(Field::computed("snmp.engine-ip", address.to_string(), data));
        }
        EngineFormat::Other => {}
    }
    Ok(found)
}

/// Blanks ids, engine time and the report's counter; boots, a field, stay.
pub fn mask(bytes: &mut [u8]) {
    let Ok(Message::V3(report)) = Message::parse(bytes) else { return };
    for range in report.volatile {
        if let Some(part) = bytes.get_mut(range) {
            part.fill(0);
        }
    }
}

#[cfg(test)]
mod tests;
