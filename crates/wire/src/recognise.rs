//! Which protocol speaks, from the first bytes that a server sent.
//!
//! Conservative: a wrong name leads to wrong identification with confidence, no name only to more probing. A mark must
//! belong to one protocol; where two share it (`220`), words decide, and without a word the answer is none.

use crate::text::{find_ignore_case, first_line, get, starts_with_ignore_case};
use crate::{mysql, plant, reply, telnet};

/// How much of the input is looked at.
const MAX_LOOK_BYTES: usize = 2048;

/// Beginnings that only one protocol has, letters as given.
const MARKS: &[(&[u8], &str)] = &[
    (b"SSH-", "ssh"),
    (b"HTTP/", "http"),
    (b"RTSP/", "rtsp"),
    (b"SIP/2.0 ", "sip"),
    (b"RFB 0", "vnc"),
    (b"AMQP\x00", "amqp"),
    (b"AMQP\x01", "amqp"),
    (b"AMQP\x03", "amqp"),
    (b"+PONG", "redis"),
    (b"-NOAUTH ", "redis"),
    (b"-DENIED Redis", "redis"),
    (b"-ERR unknown command", "redis"),
    (b"-ERR wrong number of arguments", "redis"),
    (b"+OK", "pop3"),
    (b"* OK", "imap"),
    (b"* PREAUTH", "imap"),
    (b"* BYE", "imap"),
    (b"VERSION 1.", "memcached"),
    (reply::nut::MARK, "nut"),
    (b"INFO {\"server_id\":", "nats"),
    (b"{\"class\":\"VERSION\",", "gpsd"),
    (b"STAT pid ", "memcached"),
    (b"@RSYNCD: ", "rsync"),
    (b"( success ( ", "svn"),
    (b"CNXN\x00\x00\x00\x01", "adb"),
    (b"CNXN\x01\x00\x00\x01", "adb"),
    (b"NOTICE AUTH :", "irc"),
];

/// Words by which a `220` greeting is mail.
const SMTP_WORDS: &[&[u8]] = &[b"smtp", b"postfix", b"exim", b"sendmail", b"mail service", b"mailserver"];

/// Words by which a `220` greeting is file transfer.
const FTP_WORDS: &[&[u8]] = &[b"ftp", b"filezilla", b"serv-u"];

/// Words by which a `200` or `201` greeting is news.
const NNTP_WORDS: &[&[u8]] = &[b"nntp", b"internetnews", b"news server"];

/// The application protocol of bytes that a server sent first or in answer, none when unsure.
pub fn recognise(first_bytes: &[u8]) -> Option<&'static str> {
    let input = first_bytes.get(..MAX_LOOK_BYTES).unwrap_or(first_bytes);
    let marked = MARKS.iter().find(|(mark, _)| input.starts_with(mark)).map(|(_, name)| *name);
    marked.or_else(|| binary(input, first_bytes)).or_else(|| coded(input)).or_else(|| text(input))
}

/// `whole` is for languages whose marks are its length, or stand anywhere.
fn binary(input: &[u8], whole: &[u8]) -> Option<&'static str> {
    match input {
        [telnet::IAC, 0xfa..=0xfe, _, ..] => Some("telnet"),
        // A handshake or alert record of SSL 3.0 to TLS 1.3 of a possible length.
        [0x15, 0x03, 0..=4, 0, 2, ..] | [0x16, 0x03, 0..=4, 0..=0x40, _, 2, ..] => Some("tls"),
        // CONNACK: two flag and code bytes, and properties in version 5.
        [0x20, 2, 0 | 1, 0..=5] => Some("mqtt"),
        [0x20, length @ 3..=0x7f, 0 | 1, 0 | 0x80..=0x9f, ..] if input.len() == usize::from(*length) + 2 => {
            Some("mqtt")
        }
        // TPKT with an X.224 connection confirm.
        [3, 0, 0, 11..=19, _, 0xd0, 0, 0, ..] => Some("rdp"),
        // A method frame of AMQP 0-9-1 on channel 0 with connection.start.
        [1, 0, 0, 0, 0, _, _, 0, 10, 0, 10, 0, 9, ..] => Some("amqp"),
        _ if reply::smb::is_message(input) => Some("smb"),
        _ if reply::ldap::is_reply(input) => Some("ldap"),
        _ if reply::postgresql::is_reply(input) => Some("postgresql"),
        _ if mysql::is_greeting(input) => Some("mysql"),
        _ if reply::adb::is_answer(input) => Some("adb"),
        _ if reply::ipmi::is_answer(input) => Some("ipmi"),
        _ if reply::pptp::is_answer(input) => Some("pptp"),
        _ if reply::l2tp::is_answer(input) => Some("l2tp"),
        _ if reply::mdns::is_answer(input) => Some("mdns"),
        _ if reply::routeros::is_answer(input) => Some("routeros-api"),
        _ if reply::mongodb::is_answer(whole) => Some("mongodb"),
        _ if reply::ike::is_answer(whole) => Some("ike"),
        _ if reply::wsd::is_answer(whole) => Some("ws-discovery"),
        _ => plant::language(input),
    }
}

/// Three digits and words.
fn coded(input: &[u8]) -> Option<&'static str> {
    let (digits, rest) = input.split_at_checked(3)?;
    if !matches!(rest.first(), Some(b' ' | b'-')) {
        return None;
    }
    let says = |words: &[&[u8]]| words.iter().any(|word| find_ignore_case(rest, word).is_some());
    match digits {
        b"220" | b"421" | b"554" if says(SMTP_WORDS) => Some("smtp"),
        b"220" | b"421" | b"530" if says(FTP_WORDS) => Some("ftp"),
        b"200" | b"201" if says(NNTP_WORDS) => Some("nntp"),
        _ => None,
    }
}

/// Prompts, and lines with a sender.
fn text(input: &[u8]) -> Option<&'static str> {
    let line = get(input, first_line(input));
    if reply::irc::is_numeric(line) || line.first() == Some(&b':') && find_ignore_case(line, b" notice ").is_some() {
        return Some("irc");
    }
    if reply::xmpp::is_stream(input) {
        return Some("xmpp");
    }
    if reply::beanstalk::is_stats(input) {
        return Some("beanstalkd");
    }
    if is_bulk_info(input) {
        return Some("redis");
    }
    let end = input.trim_ascii_end();
    let prompts: [&[u8]; 4] = [b"login:", b"username:", b"user name:", b"password:"];
    let is_prompt = |prompt: &&[u8]| {
        end.len()
            .checked_sub(prompt.len())
            .is_some_and(|at| starts_with_ignore_case(end.get(at..).unwrap_or_default(), prompt))
    };
    prompts.iter().any(is_prompt).then_some("telnet")
}

/// The bulk string that answers INFO.
fn is_bulk_info(input: &[u8]) -> bool {
    input.first() == Some(&b'$') && find_ignore_case(input, b"\nredis_version:").is_some()
}

#[cfg(test)]
mod tests {
    use super::recognise;

    #[test]
    fn greetings_are_named() {
        let greetings: &[(&[u8], &str)] = &[
            (b"SSH-2.0-dropbear_2022.83\r\n", "ssh"),
            (b"220 (vsFTPd 3.0.3)\r\n", "ftp"),
            (b"220-FileZilla Server 1.7\r\n220 hello\r\n", "ftp"),
            (b"220 mail.example ESMTP Postfix (Debian)\r\n", "smtp"),
            (b"+OK Dovecot ready.\r\n", "pop3"),
            (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "imap"),
            (b"\xff\xfd\x18\xff\xfd\x20", "telnet"),
            (b"\r\nBusyBox v1.20\r\n\r\nrouter login: ", "telnet"),
            (b"RFB 003.008\n", "vnc"),
            (b"HTTP/1.1 400 Bad Request\r\n", "http"),
            (b"RTSP/1.0 400 Bad Request\r\n", "rtsp"),
            (b"\x15\x03\x01\x00\x02\x02\x28", "tls"),
            (b"\x20\x02\x00\x05", "mqtt"),
            (b"-NOAUTH Authentication required.\r\n", "redis"),
            (b"VERSION 1.6.18\r\n", "memcached"),
            (b"AMQP\x00\x00\x09\x01", "amqp"),
            (b":irc.example NOTICE * :*** Looking up your hostname\r\n", "irc"),
            (b":irc.example 451 * GET :Connection not registered\r\n", "irc"),
            (b"INFO {\"server_id\":\"N\",\"version\":\"2.9.10\"}\r\n", "nats"),
            (b"{\"class\":\"VERSION\",\"release\":\"3.22\"}\r\n", "gpsd"),
            (b"200 news.example InterNetNews NNRP server INN 2.7 ready\r\n", "nntp"),
        ];
        for (bytes, name) in greetings {
            assert_eq!(recognise(bytes), Some(*name), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_could_be_several_is_none() {
        for bytes in [&b"220 ready\r\n"[..], b"", b"\0\0\0\0", b"ERROR\r\n", b"hello", b"N", b"200 OK\r\n"] {
            assert_eq!(recognise(bytes), None, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
