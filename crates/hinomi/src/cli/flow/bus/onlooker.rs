//! A look at what stands in a job's streams, without taking it: for the auditor.

use std::io;

use anyhow::{Result, ensure};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};

use super::{Connection, Server};

/// Most messages that are read at one look.
const MAX_MESSAGES: u64 = 20_000;
/// The place of a message that no worker takes: partitions are numbers.
const NOBODY: &str = "nobody";

/// A message by name, or why it could not be read.
pub(crate) type Piece = (String, io::Result<Vec<u8>>);

/// Reads both streams of a job.
pub(crate) struct Onlooker {
    connection: Connection,
}

impl Onlooker {
    /// Makes the streams where they are not there yet.
    pub(crate) fn open(server: &Server) -> Result<Self> {
        Ok(Self { connection: Connection::open(server)? })
    }

    fn streams(&self) -> [&Stream; 2] {
        [&self.connection.parcels, &self.connection.replies]
    }

    /// Puts a message into each stream that nobody takes.
    pub(crate) fn plant(&self, bytes: &[u8]) -> Result<()> {
        for what in ["parcels", "replies"] {
            let subject = format!("{}.{what}.{NOBODY}", self.connection.name);
            self.connection.publish(&subject, bytes.to_vec())?;
        }
        Ok(())
    }

    /// Deletes what was planted.
    pub(crate) fn clear(&self) -> Result<()> {
        for (stream, what) in self.streams().into_iter().zip(["parcels", "replies"]) {
            let subject = format!("{}.{what}.{NOBODY}", self.connection.name);
            let purged = self.connection.runtime.block_on(async { stream.purge().filter(subject).await });
            ensure!(purged.is_ok_and(|purged| purged.success), "the streams cannot be cleared");
        }
        Ok(())
    }

    /// Every message that stands in the streams now.
    pub(crate) fn messages(&self) -> Result<Vec<Piece>> {
        let mut all = Vec::new();
        for stream in self.streams() {
            self.connection.runtime.block_on(read(stream.clone(), &mut all))?;
        }
        Ok(all)
    }

    /// Deletes the streams: the job was the auditor's own.
    pub(crate) fn remove(self) -> Result<()> {
        let Connection { runtime, context, name, .. } = &self.connection;
        for what in ["parcels", "replies"] {
            let deleted = runtime.block_on(context.delete_stream(format!("{name}-{what}")));
            ensure!(deleted.is_ok_and(|deleted| deleted.success), "the stream {name}-{what} cannot be deleted");
        }
        Ok(())
    }
}

async fn read(mut stream: Stream, all: &mut Vec<Piece>) -> Result<()> {
    let info = stream.info().await?;
    let (name, state) = (info.config.name.clone(), &info.state);
    let (first, last) = (state.first_sequence.max(1), state.last_sequence);
    if last.saturating_sub(first) >= MAX_MESSAGES {
        all.push((name.clone(), Err(io::Error::other(format!("more than {MAX_MESSAGES} messages: not all are read")))));
    }
    for number in (first..=last).take(usize::try_from(MAX_MESSAGES).unwrap_or(usize::MAX)) {
        let place = format!("{name} {number}");
        match stream.get_raw_message(number).await {
            Ok(message) => all.push((place, Ok([message.subject.as_bytes(), b" ", &message.payload].concat()))),
            // It was dealt with meanwhile.
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {}
            Err(error) => all.push((place, Err(io::Error::other(error.to_string())))),
        }
    }
    Ok(())
}
