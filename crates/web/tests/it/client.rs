//! A small HTTP/1.1 client that says exactly what it is told and shows exactly what came back.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case; of equals the last.
    pub(crate) headers: BTreeMap<String, String>,
    /// What `Set-Cookie` says, each.
    pub(crate) cookies: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// Whether the transfer ended as it should.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// Sends these bytes and reads until the server closes.
pub(crate) fn raw(server: SocketAddr, request: &[u8]) -> Answer {
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream.write_all(request).expect("the request is taken");
    let mut bytes = Vec::new();
    // A server that refuses may reset while we still write; what it said stands.
    let _ = stream.read_to_end(&mut bytes);
    read(&bytes)
}

/// `method` and `target` with further header lines, to the name `localhost`.
pub(crate) fn ask(server: SocketAddr, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    raw(server, request.as_bytes())
}

pub(crate) fn read(bytes: &[u8]) -> Answer {
    // What is broken off at once may come without a head: no status at all.
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Answer { status: 0, headers: BTreeMap::new(), cookies: Vec::new(), body: bytes.to_vec(), whole: false };
    };
    let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status").parse().expect("a number");
    let pairs = lines.filter_map(|line| line.split_once(':'));
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let cookies = pairs.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.clone()).collect();
    let headers: BTreeMap<_, _> = pairs.into_iter().collect();
    let rest = &bytes[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|value| value == "chunked");
    let (body, whole) = if chunked { unchunk(rest) } else { (rest.to_vec(), true) };
    Answer { status, headers, cookies, body, whole }
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let digits = std::str::from_utf8(&rest[..end]).expect("a length");
        let length = usize::from_str_radix(digits, 16).expect("a length");
        if length == 0 {
            return (body, true);
        }
        let piece = &rest[end + 2..];
        if piece.len() < length + 2 {
            return (body, false);
        }
        body.extend_from_slice(&piece[..length]);
        rest = &piece[length + 2..];
    }
    (body, false)
}
