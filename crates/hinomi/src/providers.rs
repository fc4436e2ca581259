//! What `hinomi serve` asks identity providers: names are resolved to public addresses alone, unless the settings say that a
//! provider is near; redirects are answers; answers and waiting are bounded.

use std::time::Duration;

use hinomi_web::{Incoming, Outgoing, Outward};
use ureq::Agent;

use crate::far::{self, Asking};

/// How long one answer may take: a sign-in asks three times within one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 256 * 1024;

/// Asks them.
pub(crate) struct Asker {
    far: Agent,
    near: Agent,
}

impl Asker {
    pub(crate) fn new() -> Self {
        let ask = |private| {
            let allowed_by = "private = true under [[oidc]] in web.toml";
            far::agent(Asking { patience: PATIENCE, private, allowed_by }, None)
        };
        Self { far: ask(false), near: ask(true) }
    }
}

impl Outward for Asker {
    fn ask(&self, request: &Outgoing) -> Result<Incoming, String> {
        let agent = if request.near { &self.near } else { &self.far };
        let said = match &request.form {
            Some(form) => {
                let mut builder = agent.post(&request.url).content_type("application/x-www-form-urlencoded");
                if let Some(value) = &request.authorization {
                    builder = builder.header("authorization", value);
                }
                builder.header("accept", "application/json").send(form)
            }
            None => {
                let mut builder = agent.get(&request.url).header("accept", "application/json");
                if let Some(value) = &request.authorization {
                    builder = builder.header("authorization", value);
                }
                builder.call()
            }
        };
        let mut answer = said.map_err(|error| format!("{}: {error}", request.url))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        Ok(Incoming { status, body: body.map_err(|error| format!("{}: {error}", request.url))? })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers once with this text; gives its address, and what it was asked.
    fn server(answer: String) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/x", listener.local_addr().expect("an address"));
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone().expect("a stream"));
            while lines.read_line(&mut head).is_ok_and(|count| count > 2) {}
            // Who has enough reads no further.
            let _ = stream.write_all(answer.as_bytes());
            head
        });
        (url, asked)
    }

    fn ask(url: &str, near: bool) -> Result<Incoming, String> {
        let authorization = Some("Basic eDp5".to_owned());
        Asker::new().ask(&Outgoing { url: url.to_owned(), authorization, form: None, near })
    }

    #[test]
    fn only_public_addresses_are_asked_unless_it_is_near() {
        for url in [
            "http://127.0.0.1:9/",
            "https://localhost:9/",
            "https://10.0.0.1/",
            "http://[::1]:9/",
            "http://169.254.169.254/",
        ] {
            let refused = ask(url, false).expect_err("not asked");
            assert!(refused.contains("not a public one"), "{url}: {refused}");
        }
        let (url, asked) = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".into());
        assert_eq!(ask(&url, true), Ok(Incoming { status: 200, body: b"{}".to_vec() }));
        let asked = asked.join().expect("ends").to_lowercase();
        assert!(asked.starts_with("get /x ") && asked.contains("authorization: basic edp5"), "{asked}");
    }

    #[test]
    fn redirects_are_answers_and_answers_are_bounded() {
        let (url, asked) =
            server("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n".into());
        assert_eq!(ask(&url, true).map(|answer| answer.status), Ok(302));
        drop(asked.join());
        let length = 300 * 1024;
        let body = "x".repeat(length);
        let (url, asked) = server(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"));
        assert!(ask(&url, true).is_err(), "too much");
        drop(asked.join());
    }
}
