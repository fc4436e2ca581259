//! UPnP device descriptions (UPnP Device Architecture 2.0, section 2.3).
//!
//! Only the root device is read. Depth, size and number of parts are bounded; a document type that declares entities is
//! refused, so nothing in a description can grow.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::xml;

/// The most bytes of a description.
pub const MAX_BYTES: usize = 256 * 1024;

/// Elements of the root device, with the names of their fields.
const ELEMENTS: &[(&str, &str)] = &[
    ("deviceType", "upnp.device-type"),
    ("friendlyName", "upnp.friendly-name"),
    ("manufacturer", "upnp.manufacturer"),
    ("manufacturerURL", "upnp.manufacturer-url"),
    ("modelDescription", "upnp.model-description"),
    ("modelName", "upnp.model"),
    ("modelNumber", "upnp.model-number"),
    ("modelURL", "upnp.model-url"),
    ("presentationURL", "upnp.presentation-url"),
    ("serialNumber", "upnp.serial"),
    ("UDN", "upnp.udn"),
];

/// The parts of a description that rules match on.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    let (text, trouble) = xml::readable(input.get(..MAX_BYTES).unwrap_or(input));
    let walk = Walk { text, depth: 0, devices: 0, elements: 0, current: None };
    match walk.run(&mut list) {
        // Where the text was cut at a bad byte, that byte is the reason and not the cut.
        Err(reason) => list.malformed(trouble.as_ref().unwrap_or(&reason)),
        Ok(()) => trouble.iter().for_each(|reason| list.malformed(reason)),
    }
    list.finish()
}

/// An element that is being read.
struct Current {
    field: &'static str,
    depth: usize,
    text: String,
    span: Option<Range<usize>>,
    pieces: usize,
}

struct Walk<'a> {
    text: &'a str,
    depth: usize,
    /// How many `device` elements are open.
    devices: usize,
    elements: usize,
    current: Option<Current>,
}

impl<'a> Walk<'a> {
    fn run(mut self, list: &mut Fields<'a>) -> Result<(), Malformed> {
        let mut reader = Reader::from_str(self.text);
        reader.config_mut().allow_dangling_amp = true;
        for _ in 0..xml::MAX_EVENTS {
            let event = reader.read_event();
            let at = usize::try_from(reader.error_position()).unwrap_or(0);
            match event.map_err(|error| Malformed::Invalid { what: xml::what(&error), at })? {
                Event::Eof => return self.end(),
                Event::DocType(declaration) if xml::declares(&declaration) => {
                    return Err(Malformed::Invalid { what: "document type that declares entities", at: 0 });
                }
                Event::Start(tag) => self.open(tag.local_name().as_ref())?,
                Event::End(tag) => self.close(list, tag.local_name().as_ref()),
                Event::Text(piece) => self.add(&piece, &piece),
                Event::CData(piece) => self.add(&piece, &piece),
                Event::GeneralRef(reference) => self.add(&xml::resolve(&reference), &reference),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        Err(Malformed::TooMuch { what: "XML part", at: 0, limit: xml::MAX_EVENTS })
    }

    fn open(&mut self, name: &str) -> Result<(), Malformed> {
        self.depth += 1;
        self.elements += 1;
        if self.depth > xml::MAX_DEPTH {
            return Err(Malformed::TooMuch { what: "XML depth", at: 0, limit: xml::MAX_DEPTH });
        }
        if name == "device" {
            self.devices += 1;
        }
        if self.devices == 1 && self.current.is_none() {
            let known = ELEMENTS.iter().find(|(element, _)| *element == name);
            self.current = known.map(|(_, field)| Current {
                field,
                depth: self.depth,
                text: String::new(),
                span: None,
                pieces: 0,
            });
        }
        Ok(())
    }

    /// Adds a piece of text; `raw` is how it stands in the description.
    fn add(&mut self, piece: &str, raw: &str) {
        let Some(current) = self.current.as_mut().filter(|current| current.depth == self.depth) else { return };
        current.text.push_str(piece);
        current.pieces += 1;
        if let Some(place) = xml::place(self.text, raw) {
            let start = current.span.as_ref().map_or(place.start, |span| span.start);
            current.span = Some(start..place.end);
        }
    }

    fn close(&mut self, list: &mut Fields<'a>, name: &str) {
        if name == "device" {
            self.devices = self.devices.saturating_sub(1);
        }
        if self.current.as_ref().is_some_and(|current| current.depth == self.depth)
            && let Some(current) = self.current.take()
        {
            self.push(list, current);
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn push(&self, list: &mut Fields<'a>, current: Current) {
        let Some(span) = current.span else { return };
        if current.pieces == 1 {
            list.span(current.field, crate::text::trim(self.text.as_bytes(), span));
        } else {
            list.value(current.field, Cow::Owned(current.text.trim().as_bytes().to_vec()), span);
        }
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.elements == 0 {
            return Err(Malformed::Invalid { what: "device description", at: 0 });
        }
        if self.depth > 0 {
            return Err(Malformed::Truncated { what: "end of the device description", at: self.text.len() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(list: &[Field<'_>], name: &str) -> Option<String> {
        list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
    }

    #[test]
    fn the_root_device_is_read_and_its_parts_are_not() {
        let input = b"<?xml version='1.0'?><root xmlns='urn:x'><device><manufacturer>A&amp;B Co.</manufacturer>\
            <modelName> WR-1 </modelName><deviceList><device><modelNumber>7</modelNumber></device></deviceList>\
            <friendlyName><![CDATA[<hall>]]></friendlyName></device></root>";
        let list = fields(input);
        assert_eq!(value(&list, "upnp.manufacturer").as_deref(), Some("A&B Co."));
        assert_eq!(value(&list, "upnp.model").as_deref(), Some("WR-1"));
        assert_eq!(value(&list, "upnp.friendly-name").as_deref(), Some("<hall>"));
        assert_eq!(value(&list, "upnp.model-number"), None);
        assert_eq!(value(&list, "malformed"), None);
        let model = list.iter().find(|field| field.name == "upnp.model").expect("a model");
        assert_eq!(input.get(model.span.clone()), Some(&b"WR-1"[..]));
    }

    #[test]
    fn bombs_are_refused() {
        let laughs = b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><root><device><UDN>&b;</UDN></device></root>";
        let list = fields(laughs);
        assert_eq!(value(&list, "upnp.udn"), None);
        assert!(value(&list, "malformed").is_some_and(|text| text.contains("declares entities")));
        let deep = b"<a>".repeat(100);
        assert!(value(&fields(&deep), "malformed").is_some_and(|text| text.contains("depth")));
        let undefined = fields(b"<root><device><UDN>x&b;y</UDN></device></root>");
        assert_eq!(value(&undefined, "upnp.udn").as_deref(), Some("x&b;y"));
    }

    #[test]
    fn what_is_cut_or_bad_gives_what_was_whole() {
        let cut = fields(b"<root><device><modelName>X</modelName><UDN>uuid");
        assert_eq!(value(&cut, "upnp.model").as_deref(), Some("X"));
        assert!(value(&cut, "malformed").is_some_and(|text| text.starts_with("truncated")));
        let bad = fields(b"<root><device><modelName>X</modelName><UDN>\xff</UDN></device></root>");
        assert!(value(&bad, "malformed").is_some_and(|text| text.contains("UTF-8 at byte 43")));
        assert!(value(&fields(b"404 not found"), "malformed").is_some());
    }
}
