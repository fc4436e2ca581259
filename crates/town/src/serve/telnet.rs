//! Telnet (RFC 854): negotiation, a prompt, and no way in.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::LINE_MAX_BYTES;
use crate::persona::TelnetSpeech;

/// DO TERMINAL-TYPE, DO NAWS, WILL ECHO, WILL SUPPRESS-GO-AHEAD.
const USUAL_OPTIONS: [u8; 12] = [255, 253, 24, 255, 253, 31, 255, 251, 1, 255, 251, 3];
/// Names a client may try.
const TRIES: usize = 3;

/// Asks for name and password, and refuses them.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &TelnetSpeech) -> io::Result<()> {
    let banner = visit.text(&speech.banner);
    let options = speech.options.as_deref().unwrap_or(&USUAL_OPTIONS);
    client.write(&[options, banner.as_bytes()].concat()).await?;
    let prompt = banner.rsplit('\n').next().unwrap_or("login: ").to_owned();
    for _ in 0..TRIES {
        client.line(LINE_MAX_BYTES).await?;
        if !prompt.to_ascii_lowercase().starts_with("password") {
            client.write(b"\r\nPassword: ").await?;
            client.line(LINE_MAX_BYTES).await?;
        }
        client.write(format!("\r\nLogin incorrect\r\n\r\n{prompt}").as_bytes()).await?;
    }
    Ok(())
}
