//! SSDP (UPnP Device Architecture 1.1, section 1.3): the answer to a search.

use super::Question;
use crate::persona::SsdpSpeech;

pub(super) fn answer(datagram: &[u8], question: &Question<'_>, speech: &SsdpSpeech) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut lines = text.split("\r\n");
    if !lines.next()?.starts_with("M-SEARCH * HTTP/1.1") {
        return None;
    }
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    let wanted = headers.find(|(name, _)| name.eq_ignore_ascii_case("st"))?.1.trim();
    let target = match wanted {
        "ssdp:all" => speech.st.as_str(),
        "upnp:rootdevice" => wanted,
        other if other == speech.st => other,
        _ => return None,
    };
    let uuid = question.text("{uuid}");
    Some(
        format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: {}\r\nSERVER: {}\r\nST: {target}\r\n\
             USN: uuid:{uuid}::{target}\r\nBOOTID.UPNP.ORG: {}\r\n\r\n",
            question.text(&speech.location),
            question.text(&speech.server),
            question.host.day + 1,
        )
        .into_bytes(),
    )
}
