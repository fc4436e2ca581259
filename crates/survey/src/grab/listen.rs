//! Reading from strangers: bounded in bytes, in time, and in patience.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use crate::metrics::Metrics;

/// Anything one can talk over.
pub(crate) trait Talk: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Talk for T {}

/// What a service said on its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// This, and then it waited.
    Words(Vec<u8>),
    /// This, without end: the cap on bytes was reached.
    Endless(Vec<u8>),
    /// This, in drops, until the time was up.
    Drops(Vec<u8>),
    /// Nothing, and it waits.
    Nothing,
    /// It ended the connection without a word.
    Ended,
    /// It reset the connection without a word.
    Reset,
}

/// Bounds on one reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long until the first byte.
    pub(crate) first: Duration,
    /// How long a pause ends what is being said.
    pub(crate) pause: Duration,
    /// How long in all.
    pub(crate) total: Duration,
    /// How many bytes in all.
    pub(crate) bytes: usize,
}

/// A pause this long ends a greeting that we understand.
pub(crate) const PAUSE: Duration = Duration::from_millis(120);

/// So many pauses inside a greeting that is still not understood are a tarpit's.
const DROPS: u32 = 4;

enum Chunk {
    Bytes,
    Pause,
    End,
    Reset,
}

async fn chunk(stream: &mut impl Talk, heard: &mut Vec<u8>, room: usize, wait: Duration) -> Chunk {
    let mut buffer = [0; 4_096];
    let space = buffer.get_mut(..room.min(4_096)).unwrap_or_default();
    match tokio::time::timeout(wait, stream.read(space)).await {
        Err(_) => Chunk::Pause,
        Ok(Ok(0)) => Chunk::End,
        Ok(Ok(count)) => {
            heard.extend_from_slice(buffer.get(..count).unwrap_or_default());
            Chunk::Bytes
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Chunk::Reset,
        Ok(Err(_)) => Chunk::End,
    }
}

/// Listens to a service that was sent nothing.
pub(crate) async fn listen(stream: &mut impl Talk, bounds: Bounds, metrics: &Metrics) -> Heard {
    let mut heard = Vec::new();
    let result = listen_into(stream, bounds, &mut heard).await.unwrap_or(Heard::Words(heard));
    if let Heard::Words(words) | Heard::Endless(words) | Heard::Drops(words) = &result {
        metrics.received(words.len());
    }
    result
}

/// `None` when what was heard is a greeting.
async fn listen_into(stream: &mut impl Talk, bounds: Bounds, heard: &mut Vec<u8>) -> Option<Heard> {
    let deadline = Instant::now() + bounds.total;
    let (mut wait, mut pauses) = (bounds.first, 0);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let room = bounds.bytes - heard.len();
        match chunk(stream, heard, room, wait.min(left)).await {
            Chunk::Bytes if heard.len() >= bounds.bytes => return Some(Heard::Endless(std::mem::take(heard))),
            Chunk::Bytes => wait = bounds.pause,
            Chunk::End if heard.is_empty() => return Some(Heard::Ended),
            Chunk::Reset if heard.is_empty() => return Some(Heard::Reset),
            Chunk::End | Chunk::Reset => return None,
            Chunk::Pause if heard.is_empty() => return Some(Heard::Nothing),
            Chunk::Pause if is_whole(heard) => return None,
            Chunk::Pause if left <= bounds.pause => {
                return (pauses >= DROPS).then(|| Heard::Drops(std::mem::take(heard)));
            }
            Chunk::Pause => {
                // Not understood yet: some speak slowly. The wait grows, the deadline stands.
                pauses += 1;
                wait = bounds.first.max(bounds.pause * pauses);
            }
        }
    }
}

/// Whether a greeting needs no more: we know its language, or it ends its line.
fn is_whole(heard: &[u8]) -> bool {
    let ends = heard.last().is_some_and(|byte| matches!(byte, b'\n' | b':' | b' ' | b'>' | b'$' | b'#'));
    hinomi_wire::recognise(heard).is_some() || (ends && heard.len() >= 16)
}

/// What a service said to a request.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Its words.
    pub(crate) bytes: Vec<u8>,
    /// Whether it ended the connection after them.
    pub(crate) ended: bool,
}

/// Sends a request and reads until the answer is complete, ends, pauses for `bounds.pause` or reaches a bound.
pub(crate) async fn ask(
    stream: &mut impl Talk,
    request: &[u8],
    bounds: Bounds,
    complete: impl Fn(&[u8]) -> bool,
    metrics: &Metrics,
) -> Said {
    let mut said = Said::default();
    if !say(stream, request, bounds).await {
        // The other side may have spoken and hung up before it read: what it said is still worth reading.
        metrics.reason("write failed");
    }
    let deadline = Instant::now() + bounds.total;
    let mut wait = bounds.first;
    while said.bytes.len() < bounds.bytes && !complete(&said.bytes) {
        let left = deadline.saturating_duration_since(Instant::now());
        let room = bounds.bytes - said.bytes.len();
        match chunk(stream, &mut said.bytes, room, wait.min(left)).await {
            Chunk::Bytes => wait = bounds.pause,
            Chunk::Pause => break,
            Chunk::End | Chunk::Reset => {
                said.ended = true;
                break;
            }
        }
    }
    metrics.received(said.bytes.len());
    said
}

/// Sends; says whether all of it went.
pub(crate) async fn say(stream: &mut impl Talk, words: &[u8], bounds: Bounds) -> bool {
    let send = async {
        stream.write_all(words).await?;
        stream.flush().await
    };
    matches!(tokio::time::timeout(bounds.first, send).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    const BOUNDS: Bounds =
        Bounds { first: Duration::from_millis(400), pause: PAUSE, total: Duration::from_secs(6), bytes: 1_000 };

    async fn hear(script: Vec<(u64, Vec<u8>)>, stay: bool) -> Heard {
        let (mut near, mut far) = duplex(64);
        let speaker = tokio::spawn(async move {
            for (pause_ms, words) in script {
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                if far.write_all(&words).await.is_err() {
                    return;
                }
            }
            if stay {
                std::future::pending::<()>().await;
            }
        });
        let metrics = Metrics::default();
        let heard = listen(&mut near, BOUNDS, &metrics).await;
        speaker.abort();
        let counted = match &heard {
            Heard::Words(words) | Heard::Endless(words) | Heard::Drops(words) => words.len(),
            Heard::Nothing | Heard::Ended | Heard::Reset => 0,
        };
        assert_eq!(metrics.counts().bytes_received, counted as u64, "everything read is counted");
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn greetings_silence_and_tarpits_are_told_apart() {
        let greeting = b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec();
        assert_eq!(hear(vec![(10, greeting.clone())], true).await, Heard::Words(greeting.clone()));
        let (head, tail) = greeting.split_at(3);
        assert_eq!(hear(vec![(10, head.into()), (300, tail.into())], true).await, Heard::Words(greeting.clone()));
        assert_eq!(hear(vec![], true).await, Heard::Nothing);
        assert_eq!(hear(vec![], false).await, Heard::Ended);
        assert!(matches!(hear(vec![(0, vec![b'x'; 5_000])], true).await, Heard::Endless(said) if said.len() == 1_000));
        let drops = (0..40).map(|_| (390, b"q".to_vec())).collect();
        assert!(matches!(hear(drops, true).await, Heard::Drops(_)));
    }
}
