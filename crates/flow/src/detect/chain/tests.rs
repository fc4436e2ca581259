use hinomi_wire::flow::Volume;

use super::*;
use crate::detect::watch::tests::flow;

fn with_back(mut flow: Flow<CncDetection>, bytes: u64) -> Flow<CncDetection> {
    let data = Volume { packets: 40, bytes, tcp_flags: 27 };
    (flow.out, flow.back) = (Some(data), Some(data));
    flow
}

fn probe(at: i64) -> Flow<CncDetection> {
    let mut probe = with_back(flow(1, (0x0500_0001, 51_000), at), 4_000);
    (probe.told_by_subscriber, probe.subscriber_port) = (false, 23);
    probe
}

fn see(steps: &mut Steps, flow: &Flow<CncDetection>) {
    let name = std::hash::BuildHasher::hash_one(&ahash::RandomState::with_seeds(1, 2, 3, 4), flow.remote);
    steps.see(flow, name as u32);
}

#[test]
fn probe_download_server_scan_in_that_order_are_four_steps() {
    let mut steps = Steps::default();
    see(&mut steps, &probe(0));
    see(&mut steps, &with_back(flow(1, (0x0600_0001, 80), 10), 90_000));
    let server = with_back(flow(1, (0x0700_0001, 7_173), 20), 900);
    see(&mut steps, &server);
    let before = steps.before(Timestamp::from_micros(60_000_000));
    assert_eq!(before.steps, 4);
    assert!(before.servers == [server.remote]);
}

#[test]
fn whoever_hands_out_files_is_no_candidate_also_when_others_do_later() {
    let mut steps = Steps::default();
    see(&mut steps, &probe(0));
    see(&mut steps, &with_back(flow(1, (0x0600_0001, 80), 10), 90_000));
    let server = with_back(flow(1, (0x0700_0001, 7_173), 20), 900);
    see(&mut steps, &server);
    see(&mut steps, &with_back(flow(1, (0x0600_0002, 443), 30), 400_000));
    let before = steps.before(Timestamp::from_micros(60_000_000));
    assert!(before.steps == 4 && before.servers == [server.remote]);
}

#[test]
fn what_was_met_long_before_is_no_candidate() {
    let mut steps = Steps::default();
    see(&mut steps, &with_back(flow(1, (0x0700_0001, 443), 0), 900));
    see(&mut steps, &with_back(flow(1, (0x0700_0002, 443), 9_000), 900));
    let before = steps.before(Timestamp::from_micros(10_000_000_000));
    assert_eq!((before.steps, before.servers.len()), (2, 1));
}

#[test]
fn who_is_met_every_hour_stays_known_and_memory_is_bounded() {
    let mut steps = Steps::default();
    let usual = |at: i64| with_back(flow(1, (0x0700_0001, 443), at), 900);
    for at in 0..20_000 {
        see(&mut steps, &usual(at * 60));
        see(&mut steps, &with_back(flow(1, (0x0800_0000 + at as u32, 443), at * 60), 900));
        assert!(steps.met.len() <= MAX_MET && steps.known.newer.len().max(steps.known.older.len()) <= MAX_KNOWN);
    }
    let before = steps.before(Timestamp::from_micros(20_000 * 60_000_000));
    assert!(before.servers.iter().all(|remote| *remote != usual(0).remote), "met every minute for days");
    assert_eq!(before.servers.len(), 30, "what was met first within half an hour");
}

#[test]
fn one_candidate_says_more_than_many_and_two_clients_more_than_one() {
    let before =
        |count: u32| Before { steps: 4, servers: (0..count).map(|host| flow(1, (host, 9), 0).remote).collect() };
    let ratio = |count: u32| {
        let mut chains = Chains::default();
        chains.take(Pseudonym(1), before(count), Timestamp::default());
        chains.servers[&flow(1, (0, 9), 0).remote].ratio
    };
    assert!(ratio(1) > ratio(10) && ratio(10) > ratio(200));
    assert!((ratio(1) - 4.2).abs() < 1e-9);
}
