//! What nmap claims about a service, from its `port` element.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::xml;

/// Attributes of `service`, with the names of their fields. The last is masscan's.
const SERVICE: &[(&str, &str)] = &[
    ("name", "claim.protocol"),
    ("product", "claim.product"),
    ("version", "claim.version"),
    ("extrainfo", "claim.extra"),
    ("ostype", "claim.os"),
    ("devicetype", "claim.device-type"),
    ("tunnel", "claim.tunnel"),
    ("banner", "claim.banner"),
];

/// The claims in a `port` element.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    let (text, trouble) = xml::readable(input);
    if let Err(reason) = walk(&mut list, text) {
        list.malformed(trouble.as_ref().unwrap_or(&reason));
    }
    trouble.iter().for_each(|reason| list.malformed(reason));
    list.finish()
}

fn walk<'a>(list: &mut Fields<'a>, input: &'a str) -> Result<(), Malformed> {
    let mut reader = Reader::from_str(input);
    reader.config_mut().allow_dangling_amp = true;
    let mut depth = 0_usize;
    let mut in_cpe = false;
    for _ in 0..xml::MAX_EVENTS {
        let event = reader.read_event();
        let at = usize::try_from(reader.error_position()).unwrap_or(0);
        match event.map_err(|error| Malformed::Invalid { what: xml::what(&error), at })? {
            Event::Start(tag) => {
                depth += 1;
                if depth > xml::MAX_DEPTH {
                    return Err(Malformed::TooMuch { what: "XML depth", at, limit: xml::MAX_DEPTH });
                }
                in_cpe = tag.name().as_ref() == "cpe";
                push_tag(list, input, &tag);
            }
            Event::Empty(tag) => push_tag(list, input, &tag),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                in_cpe = false;
            }
            Event::Text(text) if in_cpe => push_cpe(list, input, xml::place(input, &text)),
            Event::DocType(_) => return Err(Malformed::Invalid { what: "document type in a port element", at: 0 }),
            Event::Eof if depth > 0 => {
                return Err(Malformed::Truncated { what: "end of the element", at: input.len() });
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
    Err(Malformed::TooMuch { what: "XML part", at: 0, limit: xml::MAX_EVENTS })
}

fn push_tag(list: &mut Fields<'_>, input: &str, tag: &BytesStart<'_>) {
    match tag.name().as_ref() {
        "service" if !is_guess(tag) => xml::push_attributes(list, input, tag, SERVICE),
        "script" if is_banner(tag) => xml::push_attributes(list, input, tag, &[("output", "claim.banner")]),
        _ => {}
    }
}

/// A name from nmap's table of port numbers: nobody looked, so it is no claim about the protocol.
fn is_guess(tag: &BytesStart<'_>) -> bool {
    has(tag, "method", "table")
}

fn is_banner(tag: &BytesStart<'_>) -> bool {
    has(tag, "id", "banner")
}

fn has(tag: &BytesStart<'_>, name: &str, value: &str) -> bool {
    tag.try_get_attribute(name).ok().flatten().is_some_and(|attribute| attribute.value == value)
}

/// `cpe:/a:vendor:product:version`: the whole, and the vendor of an application or a device.
fn push_cpe(list: &mut Fields<'_>, input: &str, place: Option<Range<usize>>) {
    let Some(span) = place else { return };
    let text = input.get(span.clone()).unwrap_or_default();
    list.span("claim.cpe", span.clone());
    if let Some(rest) = text.strip_prefix("cpe:/a:").or_else(|| text.strip_prefix("cpe:/h:")) {
        let start = span.end - rest.len();
        let length = rest.find(':').unwrap_or(rest.len());
        list.span("claim.vendor", start..start + length);
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    fn values(element: &str, name: &str) -> Vec<String> {
        let found = fields(element.as_bytes());
        found.iter().filter(|field| field.name == name).map(|field| field.text().into_owned()).collect()
    }

    #[test]
    fn claims_of_a_service() {
        let element = r#"<port protocol="tcp" portid="443"><state state="open"/><service name="http" product="A &amp; B"
            version="1.2" extrainfo="x" ostype="Linux" devicetype="router" tunnel="ssl" method="probed" conf="10"><cpe>cpe:/a:acme:httpd:1.2</cpe><cpe>cpe:/o:linux:linux_kernel</cpe></service><script id="banner" output="hello"/></port>"#;
        assert_eq!(values(element, "claim.protocol"), ["http"]);
        assert_eq!(values(element, "claim.product"), ["A & B"]);
        assert_eq!(values(element, "claim.cpe"), ["cpe:/a:acme:httpd:1.2", "cpe:/o:linux:linux_kernel"]);
        assert_eq!(values(element, "claim.vendor"), ["acme"]);
        assert_eq!(values(element, "claim.tunnel"), ["ssl"]);
        assert_eq!(values(element, "claim.banner"), ["hello"]);
        assert!(values(element, "malformed").is_empty());
    }

    #[test]
    fn a_name_from_the_table_of_ports_is_no_protocol() {
        let element = r#"<port><service name="postgresql" method="table" conf="3"/></port>"#;
        assert!(values(element, "claim.protocol").is_empty());
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(values(r#"<port><service name="http" method="probed"/>"#, "claim.protocol"), ["http"]);
        assert_eq!(values("<port><service name=\"http\"", "malformed").len(), 1);
    }
}
