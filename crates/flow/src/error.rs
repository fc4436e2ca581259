//! Why something of the flow module could not be done.

use std::io;
use std::path::PathBuf;

/// Everything that can go wrong here, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// A line of the subscriber list is no prefix.
    ///
    /// The line itself is not told: it may be a subscriber's address, and errors end up in logs.
    #[error("line {line} of the subscriber list is no prefix like 192.0.2.0/24 or 2001:db8::/32")]
    NotAPrefix {
        /// From 1.
        line: usize,
    },
    /// A prefix has bits set beyond its length.
    #[error(
        "line {line} of the subscriber list has bits beyond its length of {length}; did you mean the network itself?"
    )]
    LooseBits {
        /// From 1.
        line: usize,
        /// How many bits are the prefix.
        length: u8,
    },
    /// The list names nobody.
    #[error("the subscriber list names no prefix; without one, no flow can be looked at")]
    NoSubscribers,
    /// The list is longer than it may be.
    #[error("the subscriber list has more than {most} prefixes; aggregate them")]
    TooManyPrefixes {
        /// The bound.
        most: usize,
    },
    /// An epoch must last.
    #[error("an epoch of {seconds} s is outside ten seconds to 31 days")]
    EpochLength {
        /// What was asked for.
        seconds: u64,
    },
    /// The key could not be made.
    #[error("the system gave no random bytes for a pseudonym key")]
    NoRandomness,
    /// The key could not be locked.
    #[error(
        "the pseudonym key cannot be locked in memory ({reason}); raise the limit (ulimit -l, or LimitMEMLOCK= of the \
         service) to 256 KiB or more"
    )]
    NotLocked {
        /// What the system said.
        reason: String,
    },
    /// Infected lines may be joined with flows, and own lines told, only on a recorded legal basis.
    #[error("this switch needs the legal basis in words (at least {least} characters)")]
    NoLegalBasis {
        /// The bound.
        least: usize,
    },
    /// Nobody asks about own lines without a reason.
    #[error("asking about own lines needs a reason in words (at least {least} characters)")]
    NoReason {
        /// The bound.
        least: usize,
    },
    /// A text that must go into the ledger cannot.
    #[error("what goes into the ledger: {source}")]
    NotForTheLedger {
        /// Why.
        source: crate::ledger::NotWords,
    },
    /// Who asked has gone, or waited too long: nothing was recorded, nothing told.
    #[error("who asked does not wait any more; nothing was told")]
    NobodyWaits,
    /// Only what is held can be asked about.
    #[error("{endpoint} is not held to be a C&C server; hinomi flow findings lists what is")]
    NotHeld {
        /// What was asked about.
        endpoint: hinomi_model::cnc::Endpoint,
    },
    /// A finding may be held, and yet be too unsure to say who met it.
    #[error("the finding is sure to {percent}%; lines are told from {least_percent}% on")]
    NotSureEnough {
        /// How sure it is.
        percent: u8,
        /// The bound.
        least_percent: u8,
    },
    /// The key is gone, and with it the way back from pseudonyms.
    #[error("nobody can tell who met it: the keys of the epochs in which it was met are destroyed")]
    NobodyCanTell,
    /// A line of the carrier's list is none of its own. The line itself is not told: errors end up in logs.
    #[error("line {line} of the list of lines is no address within the subscribers' prefixes")]
    NotOwnLine {
        /// From 1.
        line: usize,
    },
    /// The carrier's list is longer than it may be.
    #[error("the list of lines has more than {most}; ask in parts")]
    TooManyLines {
        /// The bound.
        most: usize,
    },
    /// Lines are not written where findings are kept.
    #[error("{path} lies in the state folder, where no line may stand; name a file elsewhere")]
    AnswerInside {
        /// What was named.
        path: PathBuf,
    },
    /// A thread of the collector broke off.
    #[error("{what} broke off by a mistake of this program; nothing more can be taken in")]
    BrokeOff {
        /// Which.
        what: &'static str,
    },
    /// A knowledge list cannot be read.
    #[error("the knowledge list: {reason}")]
    Knowledge {
        /// What is wrong and where.
        reason: String,
    },
    /// A ledger does not prove what it says.
    #[error("the ledger at {path}, entry {entry}: {reason}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// From 0.
        entry: u64,
        /// What does not hold.
        reason: String,
    },
    /// A socket could not be opened.
    #[error("cannot listen on {address}: {source}; is another collector running, or does the port need privileges?")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There is no interface of that name.
    #[error("there is no interface {name} here; there are {known}")]
    NoInterface {
        /// What was asked for.
        name: String,
        /// Those that there are, the first of them.
        known: String,
    },
    /// An interface whose frames nobody here understands.
    #[error(
        "{name} is of a kind (hardware type {kind}) whose frames are not read; watch the interface below or above it"
    )]
    InterfaceKind {
        /// Which.
        name: String,
        /// As `if_arp.h` numbers them.
        kind: u16,
    },
    /// An interface cannot be watched.
    #[error(
        "the interface {name} cannot be watched: {source}; reading packets needs root or the capability CAP_NET_RAW: \
         AmbientCapabilities=CAP_NET_RAW of the service, or setcap on a copy that one group may run (see the handbook)"
    )]
    Watch {
        /// Which.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A watched interface was taken away, renamed or made anew.
    #[error("the interface {name} is gone; what had come of it is taken in, start again when it is back")]
    InterfaceGone {
        /// Which.
        name: String,
    },
    /// A socket failed again and again.
    #[error("the socket cannot be read any more: {source}")]
    Receive {
        /// What the system said last.
        source: io::Error,
    },
    /// Ledger, journal or status could not be written: what cannot be recorded must not be done.
    #[error("the collector ends because it cannot record what it does: {source}")]
    Recorder {
        /// What was said.
        source: io::Error,
    },
    /// A job has at least one partition.
    #[error("a job has 1 to {most} partitions")]
    Partitions {
        /// The bound.
        most: u32,
    },
    /// The bus does not do what is asked of it.
    #[error("the bus at {server}: {reason}")]
    Bus {
        /// Where.
        server: String,
        /// What it said.
        reason: String,
    },
    /// A worker does not answer.
    #[error("no share of the partitions {partitions:?} within {seconds} s; is `hinomi flow work` running for each?")]
    WorkersSilent {
        /// Which.
        partitions: Vec<u32>,
        /// How long was waited.
        seconds: u64,
    },
    /// The thread that scores is gone.
    #[error("the thread that scores servers has ended; what it printed before says why")]
    NoScorer,
    /// A worker told something that is no share.
    #[error("partition {partition} told something that is no share; are all of the same version?")]
    NoShare {
        /// Which.
        partition: u32,
    },
    /// A share is too large for the collector.
    #[error("the share of partition {partition} has {bytes} bytes, too many; use more partitions")]
    ShareTooLarge {
        /// Which.
        partition: u32,
        /// How many.
        bytes: usize,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FlowError {
    /// An error of who keeps ledger, journal and status.
    pub(crate) const fn recorder(source: io::Error) -> Self {
        Self::Recorder { source }
    }

    /// An error of a file.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_path_buf(), source }
    }
}
