//! What search engines kept of what a server sent, as evidence of its own kind.
//!
//! Only what stands there as it was sent: a greeting that names its protocol, a header with the page behind it, a
//! certificate, a host key. What an engine wrote about a service stays in its words ([`super::words`]).

use data_encoding::BASE64;
use hinomi_model::evidence::{self, Evidence, EvidenceKind};

use crate::recognise;
use crate::text::starts_with_ignore_case;

/// The most certificates of a chain.
pub(super) const MAX_CHAIN: usize = 8;

/// The longest greeting.
const MAX_GREETING_BYTES: usize = 4 * 1024;

/// A greeting whose protocol is beyond doubt, up to where the server waits for the client.
///
/// Engines go on talking, and write what came then behind it, or notes of their own.
pub(super) fn greeting(bytes: &[u8]) -> Option<Evidence> {
    // Engines write bytes that are no text as `\x00` or as U+FFFD: then it is not what was sent.
    if find(bytes, b"\\x").is_some() || find(bytes, "\u{fffd}".as_bytes()).is_some() {
        return None;
    }
    let end = match recognise(bytes)? {
        "ftp" | "smtp" | "nntp" => reply_end(bytes),
        "ssh" | "pop3" | "imap" | "vnc" | "rsync" => line_end(bytes, 0),
        "telnet" => bytes.len(),
        _ => return None,
    };
    let kept = bytes.get(..end.min(MAX_GREETING_BYTES)).filter(|kept| recognise(kept).is_some())?;
    Some(Evidence::new(EvidenceKind::Banner, kept))
}

/// The end of the first reply, whose lines but the last have a dash behind their number.
fn reply_end(bytes: &[u8]) -> usize {
    let mut start = 0;
    while start < bytes.len() {
        let end = line_end(bytes, start);
        let line = bytes.get(start..end).unwrap_or_default();
        let numbered = line.get(..3).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
        if numbered && line.get(3) != Some(&b'-') {
            return end;
        }
        start = end;
    }
    start
}

/// Behind the line that begins there.
fn line_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(bytes.len(), |end| start + end + 1)
}

/// An HTTP answer: the header as it was sent, and the page that the engine keeps apart from it.
///
/// The engine removed the transfer coding, so the header that names one is left out.
pub(super) fn answer(head: &[u8], page: &str) -> Option<Evidence> {
    if recognise(head) != Some("http") {
        return None;
    }
    let end = find(head, b"\r\n\r\n").map_or(head.len(), |end| end + 2);
    let (lines, rest) = head.split_at_checked(end)?;
    let mut bytes = Vec::with_capacity(head.len() + 4);
    let coding = |line: &&[u8]| starts_with_ignore_case(line, b"transfer-encoding:");
    lines.split_inclusive(|byte| *byte == b'\n').filter(|line| !coding(line)).for_each(|line| bytes.extend(line));
    if !bytes.ends_with(b"\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    let body = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    let body = if body.is_empty() { page.as_bytes() } else { body };
    let room = (evidence::MAX_BYTES + 1).saturating_sub(bytes.len());
    bytes.extend_from_slice(body.get(..room).unwrap_or(body));
    Some(Evidence::new(EvidenceKind::Http, bytes))
}

/// Certificates in PEM or in base64, the server's own first; none when one of them is neither.
pub(super) fn certificates<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Vec<Evidence>> {
    let kinds = std::iter::once(EvidenceKind::Certificate).chain(std::iter::repeat(EvidenceKind::ChainCertificate));
    texts.take(MAX_CHAIN).zip(kinds).map(|(text, kind)| Some(Evidence::new(kind, certificate(text)?))).collect()
}

/// The bytes of one: between the lines of PEM, or all of it. A DER certificate begins with a sequence.
fn certificate(text: &str) -> Option<Vec<u8>> {
    let inside = match text.split_once("-----BEGIN CERTIFICATE-----") {
        Some((_, rest)) => rest.split_once("-----END CERTIFICATE-----")?.0,
        None => text,
    };
    base64(inside).filter(|der| der.first() == Some(&0x30))
}

/// The blob of an SSH host key in base64; it begins with the name of its kind (RFC 4253 section 6.6).
pub(super) fn host_key(text: &str) -> Option<Evidence> {
    let blob = base64(text).filter(|blob| matches!(blob.as_slice(), [0, 0, 0, 1..=64, ..]))?;
    Some(Evidence::new(EvidenceKind::SshHostKey, blob))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if packed.len() > evidence::MAX_BYTES {
        return None;
    }
    BASE64.decode(&packed).ok()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(evidence: Option<Evidence>) -> Option<String> {
        evidence.map(|evidence| String::from_utf8_lossy(&evidence.bytes).into_owned())
    }

    #[test]
    fn a_greeting_ends_where_the_client_speaks() {
        let text = |bytes_in: &str| bytes(greeting(bytes_in.as_bytes()));
        let ftp = "220-FTP of x\r\n220 ready\r\n530 Login incorrect.\r\n";
        assert_eq!(text(ftp).as_deref(), Some("220-FTP of x\r\n220 ready\r\n"));
        assert_eq!(text("SSH-2.0-x\nKey type: ssh-rsa\n").as_deref(), Some("SSH-2.0-x\n"));
        assert_eq!(text("router login: ").as_deref(), Some("router login: "));
        assert_eq!(text("SSH-2.0-\\x00\n"), None);
        assert_eq!(text("\u{fffd}\u{fffd} login: "), None);
        assert_eq!(text("220 ready\r\n"), None);
        assert_eq!(text(""), None);
    }

    #[test]
    fn an_answer_has_its_page_and_no_transfer_coding() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: x\r\n\r\n";
        let whole = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<p>";
        assert_eq!(bytes(answer(head, "<p>")).as_deref(), Some(whole));
        for cut in [2, 4] {
            let short = head.get(..head.len() - cut).expect("a header");
            assert_eq!(bytes(answer(short, "<p>")).as_deref(), Some(whole));
        }
        assert_eq!(bytes(answer(whole.as_bytes(), "other")).as_deref(), Some(whole));
        assert_eq!(answer(b"\r\n\r\n", ""), None);
    }

    #[test]
    fn certificates_are_der() {
        let pem = "-----BEGIN CERTIFICATE-----\nMAMC\nAQE=\n-----END CERTIFICATE-----\n";
        let list = certificates([pem, "MAMCAQI="].into_iter()).expect("two");
        let kinds: Vec<_> = list.iter().map(|evidence| (evidence.kind, evidence.bytes.len())).collect();
        assert_eq!(kinds, [(EvidenceKind::Certificate, 5), (EvidenceKind::ChainCertificate, 5)]);
        assert_eq!(certificates(["no base64!"].into_iter()), None);
        assert_eq!(certificates(["AAAA"].into_iter()), None);
        assert!(host_key("AAAAB3NzaC1yc2E=").is_some() && host_key("MAMCAQE=").is_none());
    }
}
