//! Redis (RESP2): PING, INFO, and errors as the server writes them.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::{LINE_MAX_BYTES, REQUESTS_MAX};
use crate::mix;
use crate::persona::RedisSpeech;

/// Arguments of one command.
const ARGUMENTS_MAX: usize = 64;

/// Answers commands, in arrays or on a line.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &RedisSpeech) -> io::Result<()> {
    for _ in 0..REQUESTS_MAX {
        let Some(arguments) = command(client).await? else { continue };
        let name = arguments.first().map_or(String::new(), |name| name.to_ascii_uppercase());
        // A page's request that was led here: the server hangs up rather than run what is in it.
        if name == "POST" || name == "HOST:" {
            return Ok(());
        }
        if name == "QUIT" {
            return client.write(b"+OK\r\n").await;
        }
        let answer = match (name.as_str(), speech.locked) {
            ("AUTH", _) => "-WRONGPASS invalid username-password pair or user is disabled.\r\n".to_owned(),
            (_, true) => "-NOAUTH Authentication required.\r\n".to_owned(),
            ("PING", _) => "+PONG\r\n".to_owned(),
            ("INFO", _) => bulk(&info(visit, speech)),
            ("GET" | "SET", _) => {
                format!("-ERR wrong number of arguments for '{}' command\r\n", name.to_ascii_lowercase())
            }
            _ => unknown(&arguments),
        };
        client.write(answer.as_bytes()).await?;
    }
    Ok(())
}

/// One command's arguments; `None` for an empty line.
async fn command(client: &mut Conversation) -> io::Result<Option<Vec<String>>> {
    let line = client.line(LINE_MAX_BYTES).await?;
    let text = String::from_utf8_lossy(&line).into_owned();
    let Some(count) = text.strip_prefix('*') else {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        return Ok(Some(words).filter(|words| !words.is_empty()));
    };
    let refuse = || io::Error::from(io::ErrorKind::InvalidData);
    let count: usize = count.parse().ok().filter(|count| *count <= ARGUMENTS_MAX).ok_or_else(refuse)?;
    let mut arguments = Vec::new();
    for _ in 0..count {
        let head = client.line(LINE_MAX_BYTES).await?;
        let length = std::str::from_utf8(&head).ok().and_then(|head| head.strip_prefix('$')?.parse::<usize>().ok());
        let length = length.filter(|length| *length <= LINE_MAX_BYTES).ok_or_else(refuse)?;
        let mut argument = client.exactly(length + 2).await?;
        argument.truncate(length);
        arguments.push(String::from_utf8_lossy(&argument).into_owned());
    }
    Ok(Some(arguments).filter(|arguments| !arguments.is_empty()))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn unknown(arguments: &[String]) -> String {
    let name = arguments.first().map_or("", String::as_str);
    let rest: String = arguments.iter().skip(1).map(|argument| format!("'{argument}' ")).collect();
    format!("-ERR unknown command '{name}', with args beginning with: {rest}").replace(['\n', '\r'], " ") + "\r\n"
}

fn info(visit: &Visit<'_>, speech: &RedisSpeech) -> String {
    let run = mix::hex(&visit.host.secret("redis-run"));
    format!(
        "# Server\r\nredis_version:{}\r\nredis_git_sha1:00000000\r\nredis_mode:standalone\r\nos:{}\r\narch_bits:64\r\n\
         multiplexing_api:epoll\r\nrun_id:{}\r\ntcp_port:{}\r\nuptime_in_days:{}\r\n",
        visit.text(&speech.version),
        speech.os,
        run.get(..40).unwrap_or_default(),
        visit.service.port,
        visit.host.day + 3,
    )
}
