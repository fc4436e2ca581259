//! Greetings: what a server says before it is asked, or after an empty line.
//!
//! Line protocols are read here (SSH RFC 4253 section 4.2, FTP RFC 959, SMTP RFC 5321, POP3 RFC 1939, IMAP RFC 9051,
//! RFB RFC 6143, IRC, NNTP); telnet, MySQL and answers to small requests have modules of their own. Which one it is,
//! [`recognise`] says.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

use crate::field::Field;
use crate::fields::Fields;
use crate::recognise::recognise;
use crate::text::{get, lines, trim};
use crate::{mysql, reply, telnet};

mod moment;

pub use moment::mask;

/// The most lines of a greeting that are joined.
const MAX_LINES: usize = 64;

/// The parts of a greeting: `banner`, `line`, and what the protocol adds. Telnet's are text without its commands.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    let protocol = recognise(input);
    if protocol != Some("telnet") {
        list.span("banner", 0..input.len());
        // MySQL's is binary: where a line would end lies in bytes that differ at every look.
        if let Some(line) = first_words(input).filter(|_| protocol != Some("mysql")) {
            list.span("line", line);
        }
    }
    push_protocol(&mut list, input);
    list.finish()
}

/// The first line that is not blank.
pub(crate) fn first_words(input: &[u8]) -> Option<Range<usize>> {
    lines(input, 0..input.len()).find(|line| !line.is_empty())
}

/// Adds what the recognised protocol says, for greetings and for answers alike.
pub(crate) fn push_protocol<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    match recognise(input) {
        Some("ssh") => push_ssh(list, input),
        Some("ftp") => push_coded(list, input, "ftp.banner"),
        Some("smtp") => push_coded(list, input, "smtp.banner"),
        Some("nntp") => push_coded(list, input, "nntp.banner"),
        Some("pop3") => push_after(list, input, "pop3.banner", b"+OK"),
        Some("imap") => push_after(list, input, "imap.banner", b"* OK"),
        Some("vnc") => {
            list.span("vnc.version", trim(input, 4..12.min(input.len())));
            reply::vnc::push_fields(list, input);
        }
        Some("rsync") => push_after(list, input, "rsync.version", b"@RSYNCD:"),
        Some("telnet") => telnet::push_fields(list, input),
        Some("mysql") => mysql::push_fields(list, input),
        Some(name) => reply::push_fields(list, input, name),
        None => {}
    }
}

/// `SSH-2.0-software comment`; lines before it are allowed, but then it is not recognised.
fn push_ssh<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let line = trim(input, crate::text::first_line(input));
    let after = line.start + b"SSH-".len();
    let Some(dash) = memchr(b'-', get(input, after..line.end)) else {
        return;
    };
    list.span("ssh.protocol", after..after + dash);
    list.span("ssh.banner", trim(input, after + dash + 1..line.end));
}

/// Replies of three digits: the text of every line without its code, joined with line feeds.
fn push_coded<'a>(list: &mut Fields<'a>, input: &'a [u8], name: &'static str) {
    let texts: Vec<_> = lines(input, 0..input.len()).take(MAX_LINES).map(|line| without_code(input, line)).collect();
    let mut filled = texts.iter().filter(|text| !text.is_empty());
    let Some(first) = filled.next() else { return };
    let Some(last) = filled.next_back() else {
        list.span(name, first.clone());
        return;
    };
    let span = first.start..last.end;
    let texts: Vec<&[u8]> = texts.into_iter().filter(|text| !text.is_empty()).map(|text| get(input, text)).collect();
    list.value(name, Cow::Owned(texts.join(&b'\n')), span);
}

fn without_code(input: &[u8], line: Range<usize>) -> Range<usize> {
    match get(input, line.clone()) {
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] => line.end..line.end,
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..] => trim(input, line.start + 4..line.end),
        _ => line,
    }
}

/// The rest of the first line after a mark.
fn push_after<'a>(list: &mut Fields<'a>, input: &'a [u8], name: &'static str, mark: &[u8]) {
    let line = crate::text::first_line(input);
    let start = if input.starts_with(mark) { mark.len().min(line.end) } else { 0 };
    list.span(name, trim(input, start..line.end));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8], name: &str) -> Option<String> {
        fields(bytes).iter().find(|field| field.name == name).map(|field| field.text().into_owned())
    }

    #[test]
    fn each_protocol_gives_its_text() {
        let cases: &[(&[u8], &str, &str)] = &[
            (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "ssh.banner", "OpenSSH_9.2p1 Debian-2"),
            (b"SSH-1.99-Cisco-1.25\n", "ssh.protocol", "1.99"),
            (b"SSH-1.99-Cisco-1.25\n", "ssh.banner", "Cisco-1.25"),
            (b"220 (vsFTPd 3.0.3)\r\n", "ftp.banner", "(vsFTPd 3.0.3)"),
            (
                b"220-Pure-FTPd\r\n220-You are user number 1\r\n220 bye\r\n",
                "ftp.banner",
                "Pure-FTPd\nYou are user number 1\nbye",
            ),
            (b"220 mx ESMTP Exim 4.96\r\n", "smtp.banner", "mx ESMTP Exim 4.96"),
            (b"+OK Dovecot (Debian) ready.\r\n", "pop3.banner", "Dovecot (Debian) ready."),
            (b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", "imap.banner", "[CAPABILITY IMAP4rev1] Dovecot ready."),
            (b"RFB 003.008\n", "vnc.version", "003.008"),
            (b"\r\n\r\nWelcome\r\n", "line", "Welcome"),
            (b"\xff\xfd\x18\xff\xfb\x01\r\n\x1b[2JAP-6 ready\r\nlogin: ", "line", "AP-6 ready"),
            (b"\xff\xfd\x18\r\nAP-6\x07\r\nlogin: ", "banner", "AP-6 \r\nlogin:"),
        ];
        for (bytes, name, expected) in cases {
            assert_eq!(value(bytes, name).as_deref(), Some(*expected), "{name}");
        }
    }

    #[test]
    fn one_line_is_borrowed_with_an_exact_span() {
        let input = b"220 (vsFTPd 3.0.3)\r\n";
        let list = fields(input);
        let field = list.iter().find(|field| field.name == "ftp.banner").expect("a banner");
        assert_eq!(get(input, field.span.clone()), &*field.value);
        assert!(matches!(field.value, Cow::Borrowed(_)));
    }

    #[test]
    fn an_empty_greeting_has_no_fields() {
        assert_eq!(fields(b""), []);
    }
}
