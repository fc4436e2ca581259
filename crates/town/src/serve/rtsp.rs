//! RTSP/1.0 (RFC 2326): OPTIONS is answered, DESCRIBE asks for a password.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::{HEAD_MAX_BYTES, REQUESTS_MAX};
use crate::persona::RtspSpeech;

/// Answers requests.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &RtspSpeech) -> io::Result<()> {
    for _ in 0..REQUESTS_MAX {
        let head = client.head(HEAD_MAX_BYTES).await?;
        let text = String::from_utf8_lossy(&head);
        let Some(method) = request_method(&text) else {
            return client.write(b"RTSP/1.0 400 Bad Request\r\n\r\n").await;
        };
        client.write(answer(method, sequence(&text), visit, speech).as_bytes()).await?;
        if method == "TEARDOWN" {
            return Ok(());
        }
    }
    Ok(())
}

fn request_method(text: &str) -> Option<&str> {
    let mut words = text.lines().next()?.split(' ');
    let (method, _target, version) = (words.next()?, words.next()?, words.next()?);
    version.starts_with("RTSP/1.").then_some(method)
}

/// The number that a reply repeats; clients without one get none.
fn sequence(text: &str) -> Option<u32> {
    let headers = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = headers.filter(|(name, _)| name.eq_ignore_ascii_case("cseq"));
    found.next().and_then(|(_, value)| value.trim().parse().ok())
}

fn answer(method: &str, sequence: Option<u32>, visit: &Visit<'_>, speech: &RtspSpeech) -> String {
    let server = visit.text(&speech.server);
    let sequence = sequence.map_or(String::new(), |number| format!("CSeq: {number}\r\n"));
    let open = method == "OPTIONS" && speech.status != Some(401);
    let known = speech.public.split(", ").any(|name| name == method);
    match (open, known) {
        (true, _) => format!("RTSP/1.0 200 OK\r\n{sequence}Server: {server}\r\nPublic: {}\r\n\r\n", speech.public),
        (false, true) => {
            let nonce = visit.vars.get("nonce").map_or("", String::as_str);
            let challenge = format!("Digest realm=\"{}\", nonce=\"{nonce}\"", speech.realm);
            format!("RTSP/1.0 401 Unauthorized\r\n{sequence}Server: {server}\r\nWWW-Authenticate: {challenge}\r\n\r\n")
        }
        (false, false) => format!("RTSP/1.0 501 Not Implemented\r\n{sequence}Server: {server}\r\n\r\n"),
    }
}
