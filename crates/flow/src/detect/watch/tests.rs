use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::time::Duration;

use hinomi_wire::flow::Volume;

use super::*;

pub(crate) fn flow(client: u64, remote: (u32, u16), at_seconds: i64) -> Flow<CncDetection> {
    let start = Timestamp::from_micros(at_seconds * 1_000_000);
    Flow {
        subscriber: Pseudonym(client),
        subscriber_port: 40_000,
        remote: Remote { address: IpAddr::V4(Ipv4Addr::from_bits(remote.0)), port: remote.1, protocol: 6 },
        epoch: 1,
        out: Some(Volume { packets: 1, bytes: 60, tcp_flags: 2 }),
        back: Some(Volume::default()),
        told_by_subscriber: true,
        start,
        end: start,
        sampling: 1,
        infected: false,
        purpose: PhantomData,
    }
}

fn answered(flow: Flow<CncDetection>) -> Flow<CncDetection> {
    let data = Volume { packets: 9, bytes: 5_000, tcp_flags: 27 };
    Flow { out: Some(data), back: Some(data), ..flow }
}

#[test]
fn twenty_hosts_on_a_port_are_a_scan_and_its_targets_are_removed() {
    let mut watch = Watch::new(MAX_SUBSCRIBERS);
    for number in 0..30 {
        watch.see(&flow(1, (0x0100_0000 + number, 8_081), i64::from(number)));
    }
    assert_eq!(watch.counts().scans, 1);
    assert_eq!(watch.onsets().len(), 1);
    for number in 0..30 {
        let target = flow(1, (0x0100_0000 + number, 8_081), 0).remote;
        assert_eq!(watch.removed(target, 1, 1.0), Some(Removed::Scanned));
        assert_eq!(watch.removed(target, 40, 40.0), None, "met forty times by a client, it is more than a target");
    }
}

#[test]
fn what_was_scanned_yesterday_is_no_candidate_today_and_is_forgotten_when_its_servers_are() {
    let mut watch = Watch::new(MAX_SUBSCRIBERS);
    for number in 0..30 {
        watch.see(&flow(1, (0x0100_0000 + number, 8_081), i64::from(number)));
    }
    let target = flow(1, (0x0100_0000, 8_081), 0).remote;
    let epoch = flow(1, (0x0100_0000, 8_081), 0).epoch;
    watch.advance(epoch + 7);
    assert_eq!(watch.removed(target, 1, 1.0), Some(Removed::Scanned));
    watch.advance(epoch + 8);
    assert_eq!(watch.removed(target, 1, 1.0), None);
}

#[test]
fn twenty_web_servers_that_answer_are_no_scan() {
    let mut watch = Watch::new(MAX_SUBSCRIBERS);
    for number in 0..60 {
        watch.see(&answered(flow(1, (0x0100_0000 + number, 443), i64::from(number))));
    }
    assert_eq!(watch.counts().scans, 0);
}

#[test]
fn a_flood_removes_its_victim_whatever_the_port() {
    let mut watch = Watch::new(MAX_SUBSCRIBERS);
    let mut heavy = flow(1, (0x0200_0001, 80), 0);
    heavy.out = Some(Volume { packets: 100_000, bytes: 6_000_000, tcp_flags: 2 });
    watch.see(&heavy);
    assert_eq!(watch.counts().floods, 1);
    assert_eq!(watch.removed(flow(1, (0x0200_0001, 443), 0).remote, 9, 9.0), Some(Removed::Flooded));
}

#[test]
fn answers_to_nothing_are_backscatter() {
    let mut watch = Watch::new(MAX_SUBSCRIBERS);
    let mut reflected = flow(1, (0x0300_0001, 80), 0);
    reflected.told_by_subscriber = false;
    reflected.back = Some(Volume { packets: 1, bytes: 60, tcp_flags: 18 });
    reflected.out = Some(Volume::default());
    watch.see(&reflected);
    assert_eq!((watch.counts().backscatter, watch.counts().inbound), (1, 0));
    assert_eq!(watch.removed(reflected.remote, 1, 1.0), Some(Removed::Backscatter));
}

#[test]
fn state_is_bounded() {
    let mut watch = Watch::new(MAX_SUBSCRIBERS);
    // The smallest pseudonyms are kept, in whatever order they come: larger ones find no room, smaller ones make it.
    for client in (50..MAX_SUBSCRIBERS as u64 + 100).chain(0..50) {
        watch.see(&flow(client, (0x0400_0001, 80), 0));
    }
    assert_eq!(watch.subscribers.len(), MAX_SUBSCRIBERS);
    assert!(watch.subscribers.keys().all(|(_, client)| client.0 < MAX_SUBSCRIBERS as u64));
    assert_eq!((watch.counts().unwatched, watch.counts().forgotten), (50, 50));
    watch.advance(2);
    assert!(watch.subscribers.is_empty() && watch.order.is_empty());
}

#[test]
fn who_is_not_seen_for_hours_is_forgotten_without_being_asked_for() {
    let mut watch = Watch::new(2);
    watch.see(&flow(1, (0x0400_0001, 80), 0));
    watch.see(&flow(2, (0x0400_0001, 80), 3_600));
    let late = flow(3, (0x0400_0001, 80), 14_401);
    watch.expire(late.start.minus(Duration::from_secs(1)));
    assert_eq!(watch.subscribers.len(), 2);
    watch.expire(late.start.plus(Duration::from_secs(LOOK_EVERY_SECONDS)));
    assert_eq!((watch.subscribers.len(), watch.order.len()), (1, 1));
    watch.see(&late);
    assert_eq!((watch.counts().unwatched, watch.counts().forgotten), (0, 0), "there is room again");
}
