//! A connection read by lines, heads and counts, with a bound on everything.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::READ_MAX_BYTES;

/// A TCP or TLS stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Bytes asked of the stream at once.
const CHUNK_BYTES: usize = 4 * 1024;

/// One client.
pub(super) struct Conversation {
    stream: Box<dyn Stream>,
    /// Read, but not taken yet.
    pending: Vec<u8>,
    /// How much more may be read.
    left_bytes: usize,
}

impl Conversation {
    pub(super) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), pending: Vec::new(), left_bytes: READ_MAX_BYTES }
    }

    /// Sends all of it.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Ends the connection in order.
    pub(super) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Takes exactly so many bytes.
    ///
    /// # Errors
    /// When the client goes away before, or has sent too much.
    pub(super) async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.pending.len() < count {
            self.fill().await?;
        }
        Ok(self.pending.drain(..count).collect())
    }

    /// The first byte, left where it is.
    pub(super) async fn peek(&mut self) -> io::Result<u8> {
        if self.pending.is_empty() {
            self.fill().await?;
        }
        self.pending.first().copied().ok_or_else(gone)
    }

    /// Takes one line without its end.
    ///
    /// # Errors
    /// When the client goes away before its end, or it is longer than `max` bytes.
    pub(super) async fn line(&mut self, max: usize) -> io::Result<Vec<u8>> {
        let mut line = self.until(b"\n", max).await?;
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(line)
    }

    /// Takes everything up to and with the empty line that ends a head.
    pub(super) async fn head(&mut self, max: usize) -> io::Result<Vec<u8>> {
        self.until(b"\r\n\r\n", max).await
    }

    async fn until(&mut self, end: &[u8], max: usize) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let tail = self.pending.get(searched..).unwrap_or_default();
            if let Some(at) = tail.windows(end.len()).position(|window| window == end) {
                return Ok(self.pending.drain(..searched + at + end.len()).collect());
            }
            if self.pending.len() > max {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the client's line is too long"));
            }
            searched = (self.pending.len() + 1).saturating_sub(end.len());
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.left_bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client has said enough"));
        }
        let mut chunk = [0; CHUNK_BYTES];
        let most = self.left_bytes.min(CHUNK_BYTES);
        let read = self.stream.read(chunk.get_mut(..most).unwrap_or_default()).await?;
        if read == 0 {
            return Err(gone());
        }
        self.left_bytes -= read;
        self.pending.extend_from_slice(chunk.get(..read).unwrap_or_default());
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}
