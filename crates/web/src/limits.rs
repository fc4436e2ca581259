//! Every bound of the server, by name.

use std::time::Duration;

/// The longest query text, in bytes. The query language has its own, finer limits.
pub const MAX_QUERY_BYTES: usize = 4 * 1024;

/// The longest request target, in bytes.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;

/// The longest form, in bytes: a query and names, percent-encoded.
pub const MAX_FORM_BYTES: usize = 32 * 1024;

/// Events of saved queries in one answer of the API when the caller does not say, and at most.
pub const DEFAULT_EVENTS: usize = 100;

/// The most events of saved queries in one answer of the API.
pub const MAX_EVENTS: usize = 1_000;

/// Events of saved queries on their page, and queries.
pub const PAGE_EVENTS: usize = 100;

/// Saved queries on their page.
pub const PAGE_WATCHES: usize = 500;

/// Notices on their page, findings on the page of one, and what others were told.
pub const PAGE_NOTICES: u32 = 100;

/// Findings on the page of a notice.
pub const PAGE_FINDINGS: usize = 500;

/// Rows of what others were told.
pub const PAGE_TOLD_OTHERS: usize = 200;

/// The most networks that a draft of notices names.
pub const MAX_DRAFT_NETS: usize = 100;

/// Characters of a text or file on the page of a notice.
pub const NOTICE_CHARS: usize = 100_000;

/// The most parameters of one request that are looked at.
pub const MAX_PARAMETERS: usize = 32;

/// Values of one facet when the caller does not say.
pub const DEFAULT_FACET_VALUES: usize = 10;

/// The most services one search over HTTP may look at, by estimate: some seconds of work.
pub const SEARCH_BUDGET: u64 = 200_000_000;

/// Services on one API page when the caller does not say.
pub const DEFAULT_LIMIT: usize = 50;

/// Services on one search page.
pub const PAGE_LIMIT: usize = 25;

/// Reads of the lake that run at one time.
pub const MAX_READS: usize = 8;

/// Questions about the past that run at one time: streams that look whether something arrived are among them.
pub const MAX_PASTS: usize = 2;

/// Exports that run at one time.
pub const MAX_EXPORTS: usize = 2;

/// Streams of changes that are open at one time.
pub const MAX_STREAMS: usize = 16;

/// How often a stream asks whether something arrived.
pub const STREAM_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks after which a stream ends: about an hour. Clients come again and go on.
pub const STREAM_LOOKS: u32 = 3_600;

/// Looks after which a stream in which nothing happens shows that it lives.
pub const STREAM_QUIET: u32 = 15;

/// How long a stream waits for a client that takes nothing before it ends.
pub const STREAM_SEND_TIME: Duration = Duration::from_secs(60);

/// Events that a stream takes from the lake at once.
pub const STREAM_EVENTS: usize = 200;

/// How long a request waits for its turn to read before it is told to come back.
pub const TURN_WAIT: Duration = Duration::from_secs(2);

/// How long a request may take until its answer begins.
pub const REQUEST_TIME: Duration = Duration::from_secs(20);

/// How long open connections may take to finish once the server is told to stop.
pub const SHUTDOWN_TIME: Duration = Duration::from_secs(2);

/// What a caller who came at a bad moment is told to wait, in seconds.
pub const RETRY_AFTER_S: u32 = 2;

/// Bytes of one piece of an export on its way to the client.
pub const EXPORT_PIECE_BYTES: usize = 64 * 1024;

/// Pieces of an export that may wait for a slow client.
pub const EXPORT_PIECES_WAITING: usize = 4;

/// Entries of the ledger on a page, when nobody says.
pub const PAGE_LEDGER: usize = 50;

/// The most entries of the ledger in one answer.
pub const MAX_LEDGER_ENTRIES: usize = 500;

/// The most people whose entries concern one who acts for the same organisations.
pub const MAX_FELLOWS: usize = 1_000;

/// How often an export asks whether who takes it is still let in.
pub const EXPORT_CHECK_EVERY: Duration = Duration::from_secs(1);

/// What an export must take in a second, in bytes, over all the time that it is waited for, beyond one time of patience.
pub const EXPORT_SLOWEST: u64 = 16 * 1024;

/// How long the overview is kept before the lake is asked again, at least.
pub const OVERVIEW_AGE: Duration = Duration::from_secs(2);

/// Pages of services that the map of the overview is drawn from.
pub const MAP_PAGES: usize = 24;

/// Characters of a value from outside on one line of a page.
pub const LINE_CHARS: usize = 240;

/// Characters of a short value from outside: a product, a version, a name.
pub const WORD_CHARS: usize = 80;

/// Bytes of evidence on one page of the hexadecimal view.
pub const HEX_PAGE_BYTES: usize = 2 * 1024;

/// Proofs of one service that a page shows with their bytes.
pub const MAX_PROOFS: usize = 24;

/// Pieces of evidence that one host page opens to show proofs.
pub const MAX_OPENED: usize = 96;

/// Rows of history on one host page.
pub const MAX_HISTORY_ROWS: usize = 200;

/// Rows of the table of presence on one host page.
pub const MAX_STRETCH_ROWS: usize = 200;

/// Rows of the table beside the map.
pub const MAX_MAP_ROWS: usize = 256;

/// Connections that stand at one time.
pub const MAX_CONNECTIONS: usize = 1_024;

/// Connections of one source: an address, or the network of one customer in IPv6.
pub const MAX_OF_SOURCE: usize = 128;

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a connection may stand on which nothing moves.
pub const QUIET_TIME: Duration = Duration::from_secs(75);

/// How long a client may go on sending before it was answered anything.
pub const ASKING_TIME: Duration = Duration::from_secs(60);

/// Passwords that are hashed at one time: each takes 19 MiB.
pub const MAX_HASHES: usize = 2;

/// Questions to the state that run at one time.
pub const MAX_STATE_ASKS: usize = 8;

/// The longest path to go to after signing in, in bytes.
pub const MAX_RETURN_BYTES: usize = 2 * 1024;

/// The longest body of a passkey's answer, in bytes.
pub const MAX_PASSKEY_BYTES: usize = 64 * 1024;

/// People on one page of their administration.
pub const PAGE_PEOPLE: usize = 500;

/// Self checks of one home in a minute.
pub const SELF_CHECKS: u32 = 6;

/// Self checks of everybody in a minute: each is an entry of the ledger.
pub const SELF_CHECKS_IN_ALL: u32 = 600;

/// Homes whose self checks are counted at one time.
pub const SELF_CHECKS_KNOWN: usize = 50_000;

/// Open services that a self check explains one by one.
pub const SELF_CHECK_OPEN: usize = 50;

/// For how long a self check looks back: who had the address before is somebody else.
pub const SELF_CHECK_AGE: Duration = Duration::from_secs(14 * 86_400);

/// Simulated homes to choose from in a demonstration.
pub const SELF_CHECK_HOMES: usize = 8;

/// Claims on the page of an organisation.
pub const PAGE_CLAIMS: usize = 200;

/// Changes on it.
pub const PAGE_CHANGES: usize = 50;

/// From how long ago on.
pub const PAGE_CHANGES_AGE: Duration = Duration::from_secs(7 * 86_400);

/// A claim that ends so soon is shown as pressing.
pub const CLAIM_ENDS_SOON: Duration = Duration::from_secs(30 * 86_400);

/// Identity providers that are asked at one time.
pub const MAX_CALLS: usize = 8;

/// How long ago somebody may have shown who they are when they change how they sign in, make a key, or change others' rights.
pub const RECENT: Duration = Duration::from_secs(15 * 60);

/// Looks from outside that go on at one time.
pub const LOOKS_AT_ONCE: usize = 4;

/// How long after a look from outside the same home may have another.
pub const LOOK_EVERY: Duration = Duration::from_secs(600);

/// How long what a look from outside met is shown.
pub const LOOK_SHOWN: Duration = Duration::from_secs(600);

/// A look from outside that has not ended by then is told as failed.
pub const LOOK_LOST: Duration = Duration::from_secs(180);

/// Homes that were looked at and may not be again yet, at one time.
pub const LOOKS_KNOWN: usize = 10_000;

/// Results of looks from outside that are kept at one time.
pub const LOOKS_KEPT: usize = 500;

/// How often the page of a look that goes on renews itself, in seconds.
pub const LOOK_RENEWS_S: u32 = 3;
