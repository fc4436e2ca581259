//! HTTP/1.1 (RFC 9112), as small devices speak it.

mod favicon;

use std::io;

use time::format_description::well_known::Rfc2822;

use super::Visit;
use super::conversation::Conversation;
use crate::catalog;
use crate::limits::{HEAD_MAX_BYTES, REQUESTS_MAX};
use crate::mix;
use crate::persona::{Authentication, HttpSpeech};
use crate::template::render_bytes;

/// First byte of a TLS record: a client that expects TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// Answers requests until the client has had enough, or too many.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &HttpSpeech) -> io::Result<()> {
    for _ in 0..REQUESTS_MAX {
        if client.peek().await? == TLS_HANDSHAKE {
            return client.write(&Response::plain(400, "Bad Request").to_bytes(visit, speech, false)).await;
        }
        let head = client.head(HEAD_MAX_BYTES).await?;
        let Some(request) = Request::read(&head) else {
            return client.write(&Response::plain(400, "Bad Request").to_bytes(visit, speech, false)).await;
        };
        let response = respond(&request, visit, speech);
        client.write(&response.to_bytes(visit, speech, request.head_only)).await?;
        if !request.keep_alive {
            return Ok(());
        }
    }
    Ok(())
}

struct Request {
    path: String,
    head_only: bool,
    /// A body would follow the head and be taken for the next request: such connections are closed.
    keep_alive: bool,
}

impl Request {
    fn read(head: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if !version.starts_with("HTTP/1.") || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let headers = text.to_ascii_lowercase();
        let closes = headers.contains("\r\nconnection: close") || headers.contains("\r\ncontent-length:");
        let target = target.split('?').next().unwrap_or("/");
        let path = target
            .strip_prefix("http://")
            .map_or(target, |rest| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
        Some(Self {
            path: path.to_owned(),
            head_only: method == "HEAD",
            keep_alive: version == "HTTP/1.1" && method != "POST" && !closes,
        })
    }
}

struct Response {
    status: u16,
    media_type: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Response {
    fn plain(status: u16, text: &str) -> Self {
        let body = format!("<html><head><title>{text}</title></head><body>{text}</body></html>\n").into_bytes();
        Self { status, media_type: "text/html".into(), headers: Vec::new(), body }
    }

    fn to_bytes(&self, visit: &Visit<'_>, speech: &HttpSpeech, head_only: bool) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        let mut header = |line: &str| {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        };
        if let Ok(date) = visit.plan.today().to_utc().format(&Rfc2822) {
            header(&format!("Date: {}", date.replace("+0000", "GMT")));
        }
        if let Some(server) = &speech.server {
            header(&format!("Server: {}", visit.text(server)));
        }
        if speech.long_header_bytes > 0 {
            header(&format!("X-Long: {}", "n".repeat(speech.long_header_bytes)));
        }
        header(&format!("Content-Type: {}", self.media_type));
        self.headers.iter().for_each(|line| header(line));
        header(&format!("Content-Length: {}", self.body.len()));
        header("");
        if !head_only {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

fn respond(request: &Request, visit: &Visit<'_>, speech: &HttpSpeech) -> Response {
    if let Some(realm) = &speech.realm {
        let mut challenge = main_page(visit, speech, 401);
        challenge.headers.push(challenge_header(visit, speech.auth, &visit.text(realm)));
        return challenge;
    }
    if let Some(page) = speech.pages.iter().find(|page| page.path == request.path) {
        let mut vars = visit.vars.clone();
        vars.extend(page.extra.clone());
        for (name, value) in [("title", &page.title), ("text", &page.text), ("footer", &page.footer)] {
            vars.insert(name.into(), visit.text(value));
        }
        let body = render_bytes(catalog::page(&page.page), &vars);
        return Response { status: 200, media_type: page.media_type.clone(), headers: Vec::new(), body };
    }
    match request.path.as_str() {
        "/favicon.ico" if speech.favicon => {
            let body = favicon::icon(&visit.host.persona.maker);
            Response { status: 200, media_type: "image/x-icon".into(), headers: Vec::new(), body }
        }
        "/" | "/index.html" | "/login" | "/login.cgi" => main_page(visit, speech, speech.status.unwrap_or(200)),
        _ => Response::plain(404, "404 Not Found"),
    }
}

fn challenge_header(visit: &Visit<'_>, authentication: Authentication, realm: &str) -> String {
    match authentication {
        Authentication::Basic => format!("WWW-Authenticate: Basic realm=\"{realm}\""),
        Authentication::Digest => {
            let nonce = visit.vars.get("nonce").map_or("", String::as_str);
            format!("WWW-Authenticate: Digest realm=\"{realm}\", qop=\"auth\", nonce=\"{nonce}\", algorithm=MD5")
        }
    }
}

fn main_page(visit: &Visit<'_>, speech: &HttpSpeech, status: u16) -> Response {
    let mut headers: Vec<String> = speech.headers.iter().map(|header| visit.text(header)).collect();
    headers.extend(speech.location.iter().map(|location| format!("Location: {}", visit.text(location))));
    let media_type = speech.media_type.clone().unwrap_or_else(|| "text/html; charset=utf-8".into());
    let body = match speech.body_hex.as_deref().and_then(mix::unhex) {
        Some(bytes) => bytes,
        None => {
            let mut vars = visit.vars.clone();
            for (name, value) in [("title", &speech.title), ("text", &speech.text), ("footer", &speech.footer)] {
                vars.insert(name.into(), visit.text(value));
            }
            render_bytes(catalog::page(&speech.page), &vars)
        }
    };
    Response { status, media_type, headers, body }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Unknown",
    }
}
