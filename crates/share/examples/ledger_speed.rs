//! How many entries a second the ledger takes: `ledger_speed FOLDER [DATABASE-URL]`, one line for each number of callers.
//!
//! The folder holds the key, and the SQLite file where no address is named. A step ends on disk.

#![expect(clippy::print_stdout, reason = "it is for people")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use hinomi_model::{Clock, SystemClock};
use hinomi_share::ledger::{Actor, Event, Log, sha256_hex};
use hinomi_state::{Database, Target};

/// Entries of one line, in all.
const ENTRIES: u64 = 4_000;
/// Entries of one caller alone, who waits for the disk each time.
const ENTRIES_ALONE: u64 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let folder = Path::new(&folder);
    let target = match arguments.next() {
        Some(url) => Target::read(&url, folder, None, None)?,
        None => Target::Sqlite(folder.join("state.sqlite")),
    };
    let database = Database::open(&target)?;
    let log = Log::open(&database, folder, Arc::new(SystemClock))?;
    for callers in [1, 8, 64, 512] {
        let each = if callers == 1 { ENTRIES_ALONE } else { ENTRIES / callers };
        let begun = SystemClock.now();
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| (0..each).for_each(|number| append(&log, number)));
            }
        });
        let seconds = SystemClock.now().since(begun).as_secs_f64();
        println!("{callers:4} callers: {:8.0} entries/s", (each * callers) as f64 / seconds);
    }
    let begun = SystemClock.now();
    let checked = log.check(&[])?;
    let seconds = SystemClock.now().since(begun).as_secs_f64();
    println!("check of {} entries: {seconds:.2} s; {}", checked.entries, database.place());
    let begun = SystemClock.now();
    for place in 0..100 {
        log.prove_inclusion(place * (checked.entries / 100))?;
    }
    println!("a proof with its checkpoint: {:.1} ms", SystemClock.now().since(begun).as_secs_f64() * 10.0);
    Ok(())
}

fn append(log: &Log, number: u64) {
    let by = Actor { name: "key 7 of somebody".to_owned(), ..Actor::default() };
    let event = Event::Look { by, what: "search".to_owned(), question: Some(sha256_hex(&number.to_be_bytes())) };
    if let Err(error) = log.append(event) {
        println!("{error}");
    }
}
