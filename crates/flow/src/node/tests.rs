use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::detect::detection::{Detection, Scoring};
use crate::epoch::{EpochLength, Keys, LegalBasis};
use crate::evaluate::synthetic::{Day, as_list, day};
use crate::inlet::Inlet;
use crate::pair::{PairConfig, Pairs};
use crate::purpose::{CncDetection, Flow};
use crate::server::ServerConfig;
use crate::subscribers::Subscribers;

/// A bus inside this process, which may lose a parcel or tell each twice.
struct Channels {
    parcels: Vec<Sender<Vec<u8>>>,
    replies: Receiver<Vec<u8>>,
    copies: usize,
    loses: Option<usize>,
    sent: usize,
}

struct ChannelsOfWorker {
    parcels: Receiver<Vec<u8>>,
    replies: Sender<Vec<u8>>,
}

fn channels(partitions: usize) -> (Channels, Vec<ChannelsOfWorker>) {
    let (reply, replies) = channel();
    let (parcels, workers) = (0..partitions)
        .map(|_| {
            let (sender, parcels) = channel();
            (sender, ChannelsOfWorker { parcels, replies: reply.clone() })
        })
        .unzip();
    (Channels { parcels, replies, copies: 1, loses: None, sent: 0 }, workers)
}

fn patient(queue: &Receiver<Vec<u8>>, patience: Duration) -> Option<Vec<u8>> {
    queue.recv_timeout(patience).ok()
}

impl Bus for Channels {
    fn send(&mut self, partition: u32, parcel: Vec<u8>) -> Result<(), FlowError> {
        self.sent += 1;
        if self.loses != Some(self.sent) {
            for _ in 0..self.copies {
                let _ = self.parcels[partition as usize].send(parcel.clone());
            }
        }
        Ok(())
    }

    fn reply(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, FlowError> {
        Ok(patient(&self.replies, patience))
    }
}

impl WorkerBus for ChannelsOfWorker {
    fn parcel(&mut self, patience: Duration) -> Result<Option<Vec<u8>>, FlowError> {
        Ok(patient(&self.parcels, patience))
    }

    fn reply(&mut self, reply: Vec<u8>) -> Result<(), FlowError> {
        let _ = self.replies.send(reply);
        Ok(())
    }

    fn done(&mut self) -> Result<(), FlowError> {
        Ok(())
    }
}

/// What happens, in order.
enum Event {
    Epoch(u32),
    Expire(hinomi_model::Timestamp),
    Session(Flow<CncDetection>),
}

/// Two made-up days as the second half of the job gets them, with a list of some of the known endpoints.
fn happened() -> (Vec<Event>, Vec<u8>, hinomi_model::Timestamp) {
    let case = day(&Day { subscribers: 25, botnets: 4, bots: 5, ..Day::default() });
    let mut inlet = Inlet::new(Arc::new(Subscribers::of(&case.subscribers).expect("prefixes"))).with_local_remotes();
    let mut keys = Keys::new(EpochLength::default());
    let basis = LegalBasis::new("a made-up case of a test").expect("long enough");
    let mut pairs = Pairs::new(PairConfig::default());
    let mut records = case.records.clone();
    records.sort_by_key(|record| (record.end, record.start));
    let (mut events, mut ready, mut epoch, mut expired) = (Vec::new(), Vec::new(), None, None);
    for record in &records {
        if !keys.advance(record.end).expect("a key").is_empty() {
            keys.tell_infected(&case.infected, &basis);
        }
        if epoch.replace(keys.current_epoch()) != Some(keys.current_epoch()) {
            events.push(Event::Epoch(keys.current_epoch()));
        }
        if let Ok(flow) = inlet.take(&keys, record) {
            pairs.take(flow, record.end, &mut ready);
        }
        pairs.expire(record.end, &mut ready);
        events.extend(ready.drain(..).map(Event::Session));
        if expired.is_none_or(|before: hinomi_model::Timestamp| record.end.since(before).as_secs() >= 60) {
            expired = Some(record.end);
            events.push(Event::Expire(record.end));
        }
    }
    pairs.finish(&mut ready);
    events.extend(ready.drain(..).map(Event::Session));
    (events, as_list(&case.truth, true), records.last().expect("records").end)
}

fn config() -> ServerConfig {
    // Who is admitted by the table that counts clients depends on chance, in one node as in many.
    ServerConfig { clients_to_admit: 1, ..ServerConfig::default() }
}

fn empty(list: &[u8], now: hinomi_model::Timestamp) -> Detection {
    let mut detection = Detection::new(config());
    detection.read_seeds("list", Some(now), list).expect("read");
    detection
}

fn in_one_node(events: &[Event], mut detection: Detection, now: hinomi_model::Timestamp) -> Scoring {
    for event in events {
        match event {
            Event::Epoch(epoch) => detection.advance(*epoch),
            Event::Expire(now) => detection.expire(*now),
            Event::Session(flow) => detection.take(flow),
        }
    }
    detection.score(now, 0.0, |_, _, _| false)
}

/// Ends the workers with the closure that it lives in.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The same over workers in threads of their own; what the hub counted as well.
fn in_many(
    events: &[Event],
    mut detection: Detection,
    now: hinomi_model::Timestamp,
    (bus, workers): (Channels, Vec<ChannelsOfWorker>),
) -> (Scoring, HubCounts) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Whatever fails in here, the workers end: a scope waits for its threads.
        let _stops = StopAtEnd(&stop);
        let partitions = u32::try_from(workers.len()).expect("few");
        for (partition, mut bus) in (0..).zip(workers) {
            let stop = &stop;
            scope.spawn(move || Worker::new(partition).run(&mut bus, stop));
        }
        let seeds: Vec<_> = detection.seeds().endpoints().collect();
        let mut hub = Hub::begin(Box::new(bus), partitions, 7, config(), seeds).expect("begun");
        for event in events {
            match event {
                Event::Epoch(epoch) => hub.advance(*epoch).expect("sent"),
                Event::Expire(now) => hub.expire(*now).expect("sent"),
                Event::Session(flow) => hub.take(*flow).expect("sent"),
            }
        }
        detection.replace(hub.gather().expect("shares"));
        let scoring = detection.score(now, 0.0, |_, _, _| false);
        hub.end().expect("sent");
        (scoring, hub.counts())
    })
}

#[test]
fn one_node_and_many_find_the_same() {
    let (events, list, now) = happened();
    let one = in_one_node(&events, empty(&list, now), now);
    let named = one.ranked.iter().filter(|finding| finding.is_named()).count();
    assert!(named >= 2 && one.ranked.len() >= 10, "{named} named of {} that anything speaks for", one.ranked.len());
    for partitions in [1, 3] {
        let (many, counts) = in_many(&events, empty(&list, now), now, channels(partitions));
        assert_eq!(many.counts, one.counts, "{partitions} partitions");
        assert_eq!(many.ranked, one.ranked, "{partitions} partitions");
        assert_eq!((counts.missed, counts.stray, counts.begun_anew), (0, 0, 0));
    }
}

#[test]
fn what_is_told_twice_counts_once_and_what_is_lost_is_counted() {
    let (events, list, now) = happened();
    let one = in_one_node(&events, empty(&list, now), now);
    let (mut bus, workers) = channels(2);
    bus.copies = 2;
    let (many, counts) = in_many(&events, empty(&list, now), now, (bus, workers));
    assert_eq!(many.ranked, one.ranked);
    assert_eq!(counts.missed, 0);
    let (mut bus, workers) = channels(2);
    bus.loses = Some(5);
    let (_, counts) = in_many(&events, empty(&list, now), now, (bus, workers));
    assert_eq!(counts.missed, 1);
}

#[test]
fn a_worker_that_lost_its_state_is_given_the_job_anew() {
    let (bus, mut workers) = channels(1);
    let mut hub = Hub::begin(Box::new(bus), 1, 7, config(), []).expect("begun");
    let bus = workers.first_mut().expect("one");
    let (events, _, _) = happened();
    let mut sessions = events.iter().filter_map(|event| match event {
        Event::Session(flow) => Some(*flow),
        Event::Epoch(_) | Event::Expire(_) => None,
    });
    for flow in sessions.by_ref().take(100) {
        hub.take(flow).expect("sent");
    }
    hub.flush().expect("sent");
    let mut first = Worker::new(0);
    while first.step(bus, Duration::ZERO).expect("a bus") {}
    assert_eq!(first.counts().flows, 100);
    // Its successor knows nothing, says so, and works from then on.
    let mut second = Worker::new(0);
    std::thread::scope(|scope| {
        let gathered = scope.spawn(|| {
            let gathered = hub.gather().expect("an answer");
            assert!(gathered.servers.is_empty());
            for flow in sessions.by_ref().take(50) {
                hub.take(flow).expect("sent");
            }
            let again = hub.gather().expect("an answer");
            (again.servers.counts().flows, hub.counts().begun_anew)
        });
        while !gathered.is_finished() {
            second.step(bus, Duration::from_millis(20)).expect("a bus");
        }
        assert_eq!(gathered.join().expect("no panic"), (50, 1));
    });
    assert_eq!(second.counts().of_unknown_job, 1);
}

#[test]
fn messages_of_nobody_are_counted() {
    let (bus, mut workers) = channels(1);
    let worker_bus = workers.first_mut().expect("one");
    let mut worker = Worker::new(0);
    let sender = bus.parcels.first().expect("one").clone();
    for bytes in [&b""[..], b"\x01", b"\x02rubbish", &[1; 200]] {
        sender.send(bytes.to_vec()).expect("a bus");
    }
    while worker.step(worker_bus, Duration::ZERO).expect("a bus") {}
    assert_eq!(worker.counts().malformed, 4);
}
