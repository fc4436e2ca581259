//! SSDP search (UPnP Device Architecture 2.0, section 1.3): a unicast M-SEARCH, and its answers.

use crate::field::Field;
use crate::fields::Fields;
use crate::head;
use crate::malformed::Malformed;
use crate::text::blank;

/// Headers whose value changes at every look or at every start of the device.
const VOLATILE: &[&str] = &["date", "bootid.upnp.org", "nextbootid.upnp.org", "01-nls"];

/// Headers that rules match on, with the names of their fields.
const FIELDS: &[(&str, &str)] = &[
    ("server", "ssdp.server"),
    ("location", "ssdp.location"),
    ("usn", "ssdp.usn"),
    ("st", "ssdp.st"),
    ("cache-control", "ssdp.cache-control"),
];

/// A search for root devices, sent to one host (`host` as `192.0.2.1:1900`), naming Hinomi and `contact`.
///
/// # Errors
/// When host or contact could not stand in a header; see [`crate::http::request`].
pub fn search_request(host: &str, contact: &str) -> Result<Vec<u8>, Malformed> {
    crate::http::check_part(host, "host")?;
    crate::http::check_part(contact, "contact")?;
    let version = env!("CARGO_PKG_VERSION");
    // MX belongs to multicast, but devices of the first architecture do not answer without it.
    let text = format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {host}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\
         USER-AGENT: Hinomi/{version} (+{contact}) UPnP/2.0\r\n\r\n"
    );
    Ok(text.into_bytes())
}

/// The parts of an answer that rules match on.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match head::parse(input, b"HTTP") {
        Ok(head) => {
            head.trouble.iter().for_each(|reason| list.malformed(reason));
            for header in &head.headers {
                if let Some((_, field)) = FIELDS.iter().find(|(name, _)| header.is(name)) {
                    list.value(*field, header.value.clone(), header.span.clone());
                }
            }
        }
        Err(reason) => list.malformed(&reason),
    }
    list.finish()
}

/// The address of the device description that an answer names.
pub fn location(input: &[u8]) -> Option<String> {
    let head = head::parse(input, b"HTTP").ok()?;
    let value = std::str::from_utf8(&head.header("location")?.value).ok()?.to_owned();
    Some(value).filter(|url| url.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Blanks date and boot numbers, in place.
pub fn mask(bytes: &mut [u8]) {
    let mut ranges = Vec::new();
    if let Ok(head) = head::parse(bytes, b"HTTP") {
        let volatile = head.headers.iter().filter(|header| VOLATILE.iter().any(|name| header.is(name)));
        ranges.extend(volatile.map(|header| header.span.clone()));
    }
    ranges.into_iter().for_each(|range| blank(bytes, range));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nDATE: Sun, 22 Nov 2026 00:00:00 GMT\r\n\
        ST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\nEXT:\r\nSERVER: Linux/3.4 UPnP/1.1 MiniUPnPd/2.1\r\n\
        LOCATION: http://192.0.2.1:5000/rootDesc.xml\r\nBOOTID.UPNP.ORG: 1700000000\r\n\r\n";

    #[test]
    fn an_answer_gives_server_and_location() {
        let list = fields(ANSWER);
        let value = |name: &str| list.iter().find(|field| field.name == name).map(|field| field.text().into_owned());
        assert_eq!(value("ssdp.server").as_deref(), Some("Linux/3.4 UPnP/1.1 MiniUPnPd/2.1"));
        assert_eq!(value("ssdp.st").as_deref(), Some("upnp:rootdevice"));
        assert_eq!(location(ANSWER).as_deref(), Some("http://192.0.2.1:5000/rootDesc.xml"));
    }

    #[test]
    fn boot_number_and_date_are_blanked() {
        let mut bytes = ANSWER.to_vec();
        mask(&mut bytes);
        assert!(!bytes.windows(4).any(|part| part == b"1700" || part == b"2026"));
        assert_eq!(fields(&bytes).len(), fields(ANSWER).len());
    }
}
