//! SMTP (RFC 5321) up to the point where mail would be taken: it never is.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::{LINE_MAX_BYTES, REQUESTS_MAX};
use crate::persona::SmtpSpeech;

/// Greets and answers commands.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &SmtpSpeech) -> io::Result<()> {
    let greeting = visit.text(&speech.greeting);
    client.write(format!("{greeting}\r\n").as_bytes()).await?;
    let name = greeting.split(' ').nth(1).unwrap_or("localhost").to_owned();
    for _ in 0..REQUESTS_MAX {
        let line = client.line(LINE_MAX_BYTES).await?;
        let text = String::from_utf8_lossy(&line);
        let command = text.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match command.as_str() {
            "EHLO" => extensions(&name, &speech.extensions),
            "HELO" => format!("250 {name}\r\n"),
            "NOOP" | "RSET" => "250 2.0.0 Ok\r\n".to_owned(),
            "STARTTLS" => "454 4.7.0 TLS not available due to local problem\r\n".to_owned(),
            "MAIL" | "RCPT" | "DATA" => "530 5.7.0 Must issue a STARTTLS command first\r\n".to_owned(),
            "VRFY" => "252 2.0.0 Cannot verify\r\n".to_owned(),
            "QUIT" => return client.write(b"221 2.0.0 Bye\r\n").await,
            _ => "502 5.5.2 Error: command not recognized\r\n".to_owned(),
        };
        client.write(answer.as_bytes()).await?;
    }
    Ok(())
}

fn extensions(name: &str, extensions: &[String]) -> String {
    let lines: Vec<&str> = std::iter::once(name).chain(extensions.iter().map(String::as_str)).collect();
    let last = lines.len() - 1;
    let line = |(at, text): (usize, &&str)| format!("250{}{text}\r\n", if at == last { ' ' } else { '-' });
    lines.iter().enumerate().map(line).collect()
}
