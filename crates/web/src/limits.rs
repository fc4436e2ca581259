//! Every bound of the server, by name.

use std::time::Duration;

/// The longest query text, in bytes. The query language has its own, finer limits.
pub const MAX_QUERY_BYTES: usize = 4 * 1024;

/// The longest request target, in bytes.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;

/// The most parameters of one request that are looked at.
pub const MAX_PARAMETERS: usize = 32;

/// Values of one facet when the caller does not say.
pub const DEFAULT_FACET_VALUES: usize = 10;

/// Services on one API page when the caller does not say.
pub const DEFAULT_LIMIT: usize = 50;

/// Services on one search page.
pub const PAGE_LIMIT: usize = 25;

/// Reads of the lake that run at one time.
pub const MAX_READS: usize = 8;

/// Exports that run at one time.
pub const MAX_EXPORTS: usize = 2;

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

/// Rows of the table beside the map.
pub const MAX_MAP_ROWS: usize = 256;
