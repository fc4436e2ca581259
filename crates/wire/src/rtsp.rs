//! RTSP (RFC 2326, RFC 7826): the OPTIONS request that we send, and responses.

use crate::field::Field;
use crate::fields::Fields;
use crate::head::{self, Header};
use crate::http::{auth, lower_token};
use crate::malformed::Malformed;
use crate::text::{blank, get};

/// Headers whose value changes at every look.
const VOLATILE: &[&str] = &["date", "expires", "session", "x-request-id"];

/// An OPTIONS request for the server itself (`host` as `192.0.2.1:554`), naming Hinomi and `contact`.
///
/// # Errors
/// When host or contact could not stand in a header; see [`crate::http::request`].
pub fn options_request(host: &str, contact: &str) -> Result<Vec<u8>, Malformed> {
    crate::http::check_part(host, "host")?;
    crate::http::check_part(contact, "contact")?;
    let version = env!("CARGO_PKG_VERSION");
    let text =
        format!("OPTIONS rtsp://{host}/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: Hinomi/{version} (+{contact})\r\n\r\n");
    Ok(text.into_bytes())
}

/// A parsed response.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The status code, three digits.
    pub status: u16,
    /// The words after it, maybe empty.
    pub reason: &'a [u8],
    /// In the order sent.
    pub headers: Vec<Header<'a>>,
    /// What follows the head.
    pub body: &'a [u8],
}

/// Reads a response, or as much of one as is there.
///
/// # Errors
/// When the input does not begin with a status line of RTSP.
pub fn parse(input: &[u8]) -> Result<Response<'_>, Malformed> {
    let head = head::parse(input, b"RTSP")?;
    Ok(Response {
        status: head.code(input),
        reason: get(input, head.reason.clone()),
        body: get(input, head.body..input.len()),
        headers: head.headers,
    })
}

/// Whether everything that the response announces is there, or it is no RTSP.
pub fn complete(input: &[u8]) -> bool {
    let Ok(head) = head::parse(input, b"RTSP") else {
        return memchr::memchr(b'\n', input.get(4..).unwrap_or_default()).is_some();
    };
    if !head.ended {
        return head.overflowed;
    }
    // Without a length there is no body (RFC 7826 section 18.17).
    input.len() - head.body >= head.content_length().unwrap_or(0)
}

/// The parts of a response that rules match on.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match head::parse(input, b"RTSP") {
        Ok(head) => {
            list.span("rtsp.status", head.status.clone());
            list.span("rtsp.reason", head.reason.clone());
            head.trouble.iter().for_each(|reason| list.malformed(reason));
            head.headers.iter().for_each(|header| push_header(&mut list, input, header));
        }
        Err(reason) => list.malformed(&reason),
    }
    list.finish()
}

fn push_header<'a>(list: &mut Fields<'a>, input: &'a [u8], header: &Header<'a>) {
    let Some(name) = lower_token(header.name) else {
        list.malformed(&Malformed::Invalid { what: "header name", at: header.span.start });
        return;
    };
    match name.as_str() {
        "server" => list.value("rtsp.server", header.value.clone(), header.span.clone()),
        "public" => list.value("rtsp.public", header.value.clone(), header.span.clone()),
        "www-authenticate" => auth::realms(input, header.span.clone()).for_each(|realm| list.span("rtsp.realm", realm)),
        _ => {}
    }
    list.value(format!("rtsp.header.{name}"), header.value.clone(), header.span.clone());
}

/// Blanks dates, session numbers and nonces, in place.
pub fn mask(bytes: &mut [u8]) {
    let mut ranges = Vec::new();
    if let Ok(head) = head::parse(bytes, b"RTSP") {
        for header in &head.headers {
            if VOLATILE.iter().any(|name| header.is(name)) {
                ranges.push(header.span.clone());
            } else if header.is("www-authenticate") {
                ranges.extend(crate::http::challenge_values(bytes, header));
            }
        }
    }
    ranges.into_iter().for_each(|range| blank(bytes, range));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nDate: Sun, Nov 22 2026 01:02:03 GMT\r\n\
        Server: Rtsp Server/3.0\r\nPublic: OPTIONS, DESCRIBE\r\n\
        WWW-Authenticate: Digest realm=\"IP Camera(C2)\", nonce=\"d41d8cd98f\"\r\n\r\n";

    #[test]
    fn a_camera_names_itself() {
        let list = fields(ANSWER);
        let value = |name: &str| list.iter().find(|field| field.name == name).map(|field| field.text().into_owned());
        assert_eq!(value("rtsp.status").as_deref(), Some("401"));
        assert_eq!(value("rtsp.server").as_deref(), Some("Rtsp Server/3.0"));
        assert_eq!(value("rtsp.public").as_deref(), Some("OPTIONS, DESCRIBE"));
        assert_eq!(value("rtsp.realm").as_deref(), Some("IP Camera(C2)"));
        assert_eq!(value("rtsp.header.cseq").as_deref(), Some("1"));
        assert!(complete(ANSWER));
        assert!(!complete(ANSWER.get(..40).expect("a part")));
    }

    #[test]
    fn nonce_and_date_are_blanked_and_the_realm_stays() {
        let mut bytes = ANSWER.to_vec();
        mask(&mut bytes);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("nonce=\"**********\"") && text.contains("realm=\"IP Camera(C2)\""), "{text}");
        assert!(!text.contains("2026"), "{text}");
    }

    #[test]
    fn the_request_is_one_head() {
        let request = options_request("192.0.2.1:554", "https://survey.example/").expect("a request");
        assert!(request.starts_with(b"OPTIONS rtsp://192.0.2.1:554/ RTSP/1.0\r\n") && request.ends_with(b"\r\n\r\n"));
        assert!(options_request("a\r\nb", "c").is_err());
    }
}
