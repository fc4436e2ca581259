//! NATS JetStream between a collector and its workers.
//!
//! Two streams in the server's memory, never on its disk: parcels by partition, and replies. What a worker has dealt with
//! is deleted at once, the rest after ten minutes. A full stream makes the collector wait.

mod onlooker;

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::pull::{Config as ConsumerConfig, Stream as Messages};
use async_nats::jetstream::stream::{Config as StreamConfig, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, Context, Message};
use clap::Args;
use futures_util::StreamExt as _;
use hinomi_flow::detect::detection::Detection;
use hinomi_flow::error::FlowError;
use hinomi_flow::node::{Bus, Hub, MAX_PARTITIONS, WorkerBus};
use hinomi_model::{Clock as _, SystemClock};
use tokio::runtime::Runtime;

use crate::output::talk;

pub(crate) use onlooker::Onlooker;

/// Longest life of a parcel or reply that nobody takes.
const MAX_AGE: Duration = Duration::from_secs(600);
/// Most bytes that wait for workers, and of replies.
const MAX_BYTES: i64 = 512 << 20;
/// How long a full stream, or a server that went away, is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a worker did not deal with goes to its successor after so long: well before a collector's patience ends.
const REDELIVERED_AFTER: Duration = Duration::from_secs(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// Parcels that a worker is given before it said that it dealt with earlier ones.
const AHEAD: i64 = 64;

#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// A NATS server with JetStream, as nats://127.0.0.1:4222 or tls://user:password@bus.example.org.
    #[arg(long = "bus", value_name = "URL", env = "HINOMI_BUS", hide_env_values = true)]
    pub(crate) url: String,
    /// Jobs of different names share a server without meeting.
    #[arg(long = "bus-name", value_name = "NAME", default_value = "hinomi", value_parser = name)]
    pub(crate) name: String,
}

/// A collector that keeps its state with workers.
#[derive(Debug, Args)]
pub(crate) struct Spread {
    /// Keep the state with so many workers (`hinomi flow work`), one a partition, over the bus.
    #[arg(long, value_name = "NUMBER", requires = "bus", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PARTITIONS)))]
    partitions: Option<u32>,
    /// A NATS server with JetStream between collector and workers, as nats://127.0.0.1:4222.
    #[arg(id = "bus", long = "bus", value_name = "URL", env = "HINOMI_BUS", hide_env_values = true)]
    url: Option<String>,
    /// Jobs of different names share a server without meeting.
    #[arg(long = "bus-name", value_name = "NAME", default_value = "hinomi", value_parser = name)]
    name: String,
}

impl Spread {
    /// A job begun on the workers; none when the state is kept here.
    pub(crate) fn hub(&self, detection: &Detection) -> Result<Option<Hub>> {
        let (Some(partitions), Some(url)) = (self.partitions, &self.url) else { return Ok(None) };
        let bus = Collectors::connect(&Server { url: url.clone(), name: self.name.clone() })?;
        // Two jobs of one name would not begin within a microsecond.
        let job = SystemClock.now().as_micros().unsigned_abs();
        let config = detection.servers().config().clone();
        Ok(Some(Hub::begin(Box::new(bus), partitions, job, config, detection.seeds().endpoints())?))
    }
}

/// Letters, digits and hyphens: what may stand in the name of a stream.
fn name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    fits.then(|| text.to_owned()).ok_or_else(|| "1 to 32 letters, digits and hyphens".to_owned())
}

/// A connection with both streams.
struct Connection {
    runtime: Runtime,
    context: Context,
    parcels: Stream,
    replies: Stream,
    name: String,
    /// As it may be shown: without a password.
    server: String,
}

impl Connection {
    fn open(server: &Server) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let shown = shown(&server.url);
        let opened = runtime.block_on(async {
            let client = async_nats::connect(&server.url).await.with_context(|| format!("the bus at {shown}"))?;
            let context = jetstream::new(client);
            let parcels =
                stream(&context, &server.name, "parcels").await.with_context(|| format!("the bus at {shown}"))?;
            let replies =
                stream(&context, &server.name, "replies").await.with_context(|| format!("the bus at {shown}"))?;
            Ok::<_, anyhow::Error>((context, parcels, replies))
        });
        let (context, parcels, replies) = opened?;
        Ok(Self { runtime, context, parcels, replies, name: server.name.clone(), server: shown })
    }

    fn fault(&self, error: &impl std::fmt::Display) -> FlowError {
        FlowError::Bus { server: self.server.clone(), reason: error.to_string() }
    }

    /// Messages of one subject, for one taker.
    fn taker(&self, stream: &Stream, taker: &str, subject: String) -> Result<Messages> {
        let config = ConsumerConfig {
            durable_name: Some(taker.to_owned()),
            filter_subject: subject,
            ack_policy: AckPolicy::Explicit,
            ack_wait: REDELIVERED_AFTER,
            max_ack_pending: AHEAD,
            memory_storage: true,
            ..ConsumerConfig::default()
        };
        let taken = self.runtime.block_on(async {
            let consumer = stream.get_or_create_consumer(taker, config).await?;
            Ok::<_, async_nats::Error>(consumer.messages().await?)
        });
        taken.map_err(|error| anyhow::anyhow!("the bus at {}: {error}", self.server))
    }

    /// Stored by the server when this returns; waits while the stream is full or the server away, but not for ever.
    fn publish(&self, subject: &str, bytes: Vec<u8>) -> Result<(), FlowError> {
        let bytes = bytes::Bytes::from(bytes);
        let mut last = "no answer".to_owned();
        let send = async {
            loop {
                let stored = async { self.context.publish(subject.to_owned(), bytes.clone()).await?.await };
                match stored.await {
                    Ok(_) => return,
                    Err(error) => last = error.to_string(),
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let stored = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, send).await });
        stored.map_err(|_| self.fault(&last))
    }

    /// The next message, if one comes in that time.
    fn next(&self, messages: &mut Messages, patience: Duration) -> Result<Option<Message>, FlowError> {
        let next = async { tokio::time::timeout(patience, messages.next()).await };
        match self.runtime.block_on(next) {
            Err(_) => Ok(None),
            // A server that began anew knows neither stream nor taker: what was on the bus is gone.
            Ok(None) => Err(self.fault(&"what was told through it is gone; start workers and collector again")),
            Ok(Some(Ok(message))) => Ok(Some(message)),
            // The server went away, or its heartbeat is late: the client connects again by itself.
            Ok(Some(Err(error))) => {
                talk(&format!("the bus at {}: {error}", self.server));
                self.runtime.block_on(tokio::time::sleep(PAUSE));
                Ok(None)
            }
        }
    }

    fn acknowledge(&self, message: &Message) -> Result<(), FlowError> {
        self.runtime.block_on(message.ack()).map_err(|error| self.fault(&error))
    }
}

async fn stream(context: &Context, name: &str, what: &str) -> Result<Stream> {
    let config = StreamConfig {
        name: format!("{name}-{what}"),
        subjects: vec![format!("{name}.{what}.*")],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::Memory,
        discard: DiscardPolicy::New,
        max_age: MAX_AGE,
        max_bytes: MAX_BYTES,
        ..StreamConfig::default()
    };
    let stream = context.get_or_create_stream(config).await?;
    let found = &stream.cached_info().config;
    // Somebody else's stream of that name could keep on disk what may live for minutes only.
    let fits = found.storage == StorageType::Memory
        && found.retention == RetentionPolicy::WorkQueue
        && (Duration::from_secs(1)..=MAX_AGE).contains(&found.max_age);
    anyhow::ensure!(
        fits,
        "the stream {} is kept otherwise than in memory for minutes; choose another --bus-name",
        found.name
    );
    Ok(stream)
}

/// The URL without who signs in.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        (None, Some((_, place))) => place.to_owned(),
        _ => url.to_owned(),
    }
}

/// The collector's end.
pub(crate) struct Collectors {
    connection: Connection,
    replies: Messages,
}

impl Collectors {
    pub(crate) fn connect(server: &Server) -> Result<Self> {
        let connection = Connection::open(server)?;
        let subject = format!("{}.replies.*", connection.name);
        let replies = connection.taker(&connection.replies, "collector", subject)?;
        Ok(Self { connection, replies })
    }
}

impl Bus for Collectors {
    fn send(&mut self, partition: u32, parcel: Vec<u8>) -> Result<(), FlowError> {
        let subject = format!("{}.parcels.{partition}", self.connection.name);
        self.connection.publish(&subject, parcel)
    }

    fn reply(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, FlowError> {
        let Some(message) = self.connection.next(&mut self.replies, patience)? else { return Ok(None) };
        self.connection.acknowledge(&message)?;
        Ok(Some(message.payload.to_vec()))
    }
}

/// A worker's end.
pub(crate) struct Workers {
    connection: Connection,
    parcels: Messages,
    partition: u32,
    /// Handed out and not yet dealt with.
    taken: Option<Message>,
}

impl Workers {
    pub(crate) fn connect(server: &Server, partition: u32) -> Result<Self> {
        let connection = Connection::open(server)?;
        let subject = format!("{}.parcels.{partition}", connection.name);
        let parcels = connection.taker(&connection.parcels, &format!("worker-{partition}"), subject)?;
        Ok(Self { connection, parcels, partition, taken: None })
    }
}

impl WorkerBus for Workers {
    fn parcel(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, FlowError> {
        self.taken = self.connection.next(&mut self.parcels, patience)?;
        Ok(self.taken.as_ref().map(|message| message.payload.to_vec()))
    }

    fn reply(&mut self, reply: Vec<u8>) -> Result<(), FlowError> {
        let subject = format!("{}.replies.{}", self.connection.name, self.partition);
        self.connection.publish(&subject, reply)
    }

    fn done(&mut self) -> Result<(), FlowError> {
        match self.taken.take() {
            Some(message) => self.connection.acknowledge(&message),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("tls://user:secret@bus.example.org:4222"), "tls://bus.example.org:4222");
        assert_eq!(shown("user:secret@127.0.0.1"), "127.0.0.1");
        assert_eq!(shown("nats://127.0.0.1:4222"), "nats://127.0.0.1:4222");
    }

    #[test]
    fn names_are_those_of_streams() {
        assert!(name("north-1").is_ok());
        for wrong in ["", "a.b", "a b", "*", &"a".repeat(33)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
