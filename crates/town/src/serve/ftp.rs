//! FTP's control connection (RFC 959), before a login that never succeeds.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::{LINE_MAX_BYTES, REQUESTS_MAX};
use crate::persona::FtpSpeech;

/// Greets and answers commands.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &FtpSpeech) -> io::Result<()> {
    client.write(format!("{}\r\n", visit.text(&speech.greeting)).as_bytes()).await?;
    for _ in 0..REQUESTS_MAX {
        let line = client.line(LINE_MAX_BYTES).await?;
        let text = String::from_utf8_lossy(&line);
        let command = text.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match command.as_str() {
            "USER" => "331 Please specify the password.\r\n".to_owned(),
            "PASS" => "530 Login incorrect.\r\n".to_owned(),
            "SYST" => format!("215 {}\r\n", visit.text(&speech.system)),
            "FEAT" => "211-Features:\r\n PASV\r\n SIZE\r\n UTF8\r\n211 End\r\n".to_owned(),
            "NOOP" => "200 NOOP ok.\r\n".to_owned(),
            "QUIT" => return client.write(b"221 Goodbye.\r\n").await,
            "CWD" | "PWD" | "LIST" | "PASV" | "PORT" | "RETR" | "STOR" | "TYPE" | "HELP" | "SIZE" => {
                "530 Please login with USER and PASS.\r\n".to_owned()
            }
            _ => "500 Unknown command.\r\n".to_owned(),
        };
        client.write(answer.as_bytes()).await?;
    }
    Ok(())
}
