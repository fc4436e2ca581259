//! A table of places that becomes another while a lake is open.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use hinomi_lake::{Lake, LakeOptions, Places, Then};
use hinomi_model::{Clock, Sink, Timestamp};

use crate::support::{at, batch, options, sighting};

/// A clock that stands until it is moved.
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

fn put(dir: &Path, text: &str, time: Timestamp) {
    let path = dir.join("places.csv");
    fs::write(&path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.as_micros()).unwrap());
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn what_was_seen_before_stays_with_the_as_of_then() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "192.0.2.0/24,64500,One\n", at(0));
    let clock = Arc::new(Moved(AtomicI64::new(at(100).as_micros())));
    let open = |read_only| {
        let clock = Arc::clone(&clock) as Arc<dyn Clock>;
        Lake::open(LakeOptions { places: Places::default(), clock, ..options(dir.path(), read_only) }).unwrap()
    };
    let lake = open(false);
    let first = sighting("192.0.2.1", 80, 90, "one");
    let key = |seen: &(hinomi_model::Sighting, _)| seen.0.subject;
    let (one, other) = (key(&first), key(&sighting("192.0.2.2", 80, 250, "two")));
    lake.append(batch([first])).unwrap();
    put(dir.path(), "192.0.2.0/24,64501,Two\n", at(200));
    clock.0.store(at(300).as_micros(), Ordering::Relaxed);
    lake.append(batch([sighting("192.0.2.2", 80, 250, "two")])).unwrap();
    let asn = |lake: &Lake, key| lake.newest_sighting(key, None).unwrap().unwrap().1;
    assert_eq!((asn(&lake, &one), asn(&lake, &other)), (Some(64_500), Some(64_501)));
    let when = |then: &Then| [190, 210].map(|second| then.asn(one.address, at(second)));
    assert_eq!(when(&lake.then().unwrap()), [Some(64_500), Some(64_501)]);
    assert_eq!(lake.status().unwrap().prefixes, 1);
    drop(lake);
    // Who opens it later, and who has no lake, says the same.
    let later = open(true);
    assert_eq!((asn(&later, &one), asn(&later, &other)), (Some(64_500), Some(64_501)));
    assert_eq!(when(&Then::of_state(dir.path()).unwrap()), [Some(64_500), Some(64_501)]);
}

#[test]
fn a_table_that_is_not_kept_yet_counts_for_no_reader() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "192.0.2.0/24,64500,One\n", at(0));
    let clock = Arc::new(Moved(AtomicI64::new(at(100).as_micros())));
    let open = |read_only| {
        let clock = Arc::clone(&clock) as Arc<dyn Clock>;
        Lake::open(LakeOptions { places: Places::default(), clock, ..options(dir.path(), read_only) }).unwrap()
    };
    let (writer, reader) = (open(false), open(true));
    let when = |then: &Then| [190, 210].map(|second| then.asn([192, 0, 2, 1].into(), at(second)));
    put(dir.path(), "192.0.2.0/24,64501,Two\n", at(200));
    clock.0.store(at(300).as_micros(), Ordering::Relaxed);
    assert_eq!(when(&reader.then().unwrap()), [Some(64_500); 2], "nobody kept it");
    assert_eq!(when(&Then::of_state(dir.path()).unwrap()), [Some(64_500); 2]);
    // Who opens it now takes it, and says nothing of before by it.
    assert_eq!(when(&open(true).then().unwrap()), [Some(64_500); 2]);
    let both = [Some(64_500), Some(64_501)];
    assert_eq!(when(&writer.then().unwrap()), both);
    clock.0.store(at(310).as_micros(), Ordering::Relaxed);
    assert_eq!(when(&reader.then().unwrap()), both);
    assert_eq!(when(&Then::of_state(dir.path()).unwrap()), both);
}
