//! How patient, how greedy and how many at once. Defaults suit the open network; [`Config::near`] suits loopback.

use std::time::Duration;

/// Bounds and patience of one survey. Rates are not here: they are the scope's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Targets worked on at the same time, over all hosts. Each may hold one file descriptor.
    pub concurrency: usize,
    /// How often a silent target is tried before it counts as silent.
    pub attempts: u32,
    /// Longest wait for a connection or a datagram; shortened where the prefix is known to answer faster.
    pub connect_timeout: Duration,
    /// Shortest such wait, however fast others answer.
    pub connect_floor: Duration,
    /// How long a service may take to speak first.
    pub banner_wait: Duration,
    /// How long an answer to a request may take to begin, and to go on.
    pub reply_wait: Duration,
    /// Longest time for one connection, whatever it says.
    pub connection_time: Duration,
    /// Most bytes read from one connection.
    pub connection_bytes: usize,
    /// Most connections made to one service to find out what it speaks.
    pub handshakes: u32,
    /// How many services of one host must be without sense before all of them are taken for none.
    pub pseudo_ports: usize,
    /// Whether what answers is asked what it is.
    pub grab: bool,
    /// How long answers to bare frames are waited for.
    pub answer_wait: Duration,
    /// Shortest time between two bare frames to the same target.
    pub spacing: Duration,
    /// Sightings handed to the store in one step, at most.
    pub batch_sightings: usize,
    /// Longest time a sighting waits to be stored.
    pub batch_time: Duration,
    /// Where those who are visited can ask who it was: stands in requests that have room for words.
    pub contact: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: 1_024,
            attempts: 2,
            connect_timeout: Duration::from_secs(3),
            connect_floor: Duration::from_millis(400),
            banner_wait: Duration::from_millis(2_500),
            reply_wait: Duration::from_secs(4),
            connection_time: Duration::from_secs(15),
            connection_bytes: 64 * 1024,
            handshakes: 5,
            pseudo_ports: 12,
            grab: true,
            answer_wait: Duration::from_secs(8),
            spacing: Duration::from_secs(10),
            batch_sightings: 2_000,
            batch_time: Duration::from_millis(700),
            contact: String::new(),
        }
    }
}

impl Config {
    /// The same with a quarter of the patience, for hosts that have wasted enough of it.
    pub(crate) fn brief(&self) -> Self {
        Self {
            banner_wait: self.banner_wait / 4,
            reply_wait: self.reply_wait / 4,
            connection_time: self.connection_time / 4,
            ..self.clone()
        }
    }

    /// For targets on this machine or next to it: everything answers within milliseconds.
    pub fn near() -> Self {
        Self {
            connect_timeout: Duration::from_millis(500),
            connect_floor: Duration::from_millis(150),
            banner_wait: Duration::from_millis(1_000),
            reply_wait: Duration::from_secs(3),
            connection_time: Duration::from_secs(8),
            answer_wait: Duration::from_millis(1_000),
            spacing: Duration::from_millis(1_000),
            ..Self::default()
        }
    }
}
