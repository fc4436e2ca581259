//! Surroundings that are not as they should be: clocks that jump, devices with small and large frames, a gateway that
//! takes everything and passes nothing on, an interface that goes down.

use std::sync::atomic::{AtomicI64, Ordering};

use hinomi_model::{Clock, SystemClock, Timestamp};

use super::*;

/// The system's clock, and so much.
#[derive(Debug, Default)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Ordering::Relaxed))
    }
}

#[test]
fn clocks_that_jump_neither_hold_a_survey_up_nor_lose_an_answer() {
    if !inside_a_namespace("odd::clocks_that_jump_neither_hold_a_survey_up_nor_lose_an_answer") {
        return;
    }
    const HOUR: i64 = 3_600_000_000;
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Open);
    let clock = Arc::new(Jumping::default());
    let (notes, shelf) = (tempfile::tempdir().expect("a folder"), Shelf::default());
    let beside = std::thread::spawn({
        let clock = Arc::clone(&clock);
        move || {
            // Forward by a day, back by two, and nearly right again, while probes leave and answers are waited for.
            for offset in [24 * HOUR, -24 * HOUR, HOUR] {
                std::thread::park_timeout(Duration::from_millis(900));
                clock.0.store(offset, Ordering::Relaxed);
            }
        }
    });
    let run = Run { rate_pps: 4_000, ..SMALL };
    let report = run_by(&run, Arc::default(), shelf.clone(), (notes.path(), clock)).expect("surveyed");
    beside.join().expect("ended well");
    let (seen, _) = world.end();
    assert!(report.finished, "{report:?}");
    assert_eq!((report.counts.open, shelf.subjects().len()), (4_095, 4_095), "{:?}", report.counts);
    assert!(seen.probes.values().all(|times| *times >= 2), "each target was asked twice");
}

#[test]
fn devices_of_small_and_of_large_frames_do() {
    if !inside_a_namespace("odd::devices_of_small_and_of_large_frames_do") {
        return;
    }
    let (left, right) = pair();
    for mtu in [576, 9_000, 65_535] {
        for name in ["left", "right"] {
            ip(&format!("link set {name} mtu {mtu}"));
        }
        for backend in [Backend::XdpCopy, Backend::Packet, Backend::RawIp] {
            let world = World::new(&left, &right, |_| Reply::Open);
            let run = Run { ranges: &["198.19.4.0/24"], backend: Some(backend), answer_wait_ms: 500, ..SMALL };
            let (report, _) = survey(&run, nothing);
            world.end();
            assert!(report.finished);
            assert_eq!(report.counts.open, 256, "{backend} at {mtu}: {:?}", report.counts);
        }
    }
}

#[test]
fn behind_a_gateway_that_swallows_everything_nothing_is_found_and_nothing_is_claimed() {
    if !inside_a_namespace("odd::behind_a_gateway_that_swallows_everything_nothing_is_found_and_nothing_is_claimed") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Silent);
    let (report, shelf) = survey(&SMALL, nothing);
    let (seen, _) = world.end();
    let counts = &report.counts;
    assert!(report.finished, "it is no reason to wait for ever");
    assert_eq!((counts.open, counts.closed, counts.silent), (0, 0, 4_095), "{counts:?}");
    assert_eq!((seen.probes.len(), shelf.subjects().len()), (4_095, 0));
    let missed = report.coverage.as_ref().and_then(Coverage::missed);
    assert!(missed.is_none(), "of nothing that was heard nothing follows: {missed:?}");
}

#[test]
fn an_interface_that_goes_down_ends_the_run_with_its_reason() {
    if !inside_a_namespace("odd::an_interface_that_goes_down_ends_the_run_with_its_reason") {
        return;
    }
    let (left, right) = pair();
    let world = World::new(&left, &right, |_| Reply::Silent);
    let beside = std::thread::spawn(|| {
        std::thread::park_timeout(Duration::from_secs(1));
        ip("link set left down");
    });
    let notes = tempfile::tempdir().expect("a folder");
    let run = Run { ranges: &[RANGE], rate_pps: 5_000, passes: 1, ..SMALL };
    let ended = run_with(&run, Arc::default(), Shelf::default(), notes.path());
    let said = ended.expect_err("the interface is down").to_string();
    beside.join().expect("ended well");
    drop(world);
    assert!(said.contains("interface"), "{said}");
}
