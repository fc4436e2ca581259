use std::marker::PhantomData;

use hinomi_model::Timestamp;
use hinomi_wire::flow::Volume;
use proptest::prelude::*;

use super::*;

const DAY: u32 = 20_000;

fn flow(client: u64, second: i64) -> Flow<CncDetection> {
    let start = Timestamp::from_micros((i64::from(DAY) * 86_400 + second) * 1_000_000);
    Flow {
        subscriber: Pseudonym(crate::sketch::spread(client)),
        subscriber_port: 40_000 + (second.unsigned_abs() % 500) as u16,
        remote: Remote { address: [198, 51, 100, 7].into(), port: 1_337, protocol: 6 },
        epoch: DAY,
        out: Some(Volume { packets: 5, bytes: 400, tcp_flags: 0x1b }),
        back: Some(Volume { packets: 4, bytes: 700, tcp_flags: 0x1b }),
        told_by_subscriber: true,
        start,
        end: start.plus(std::time::Duration::from_millis(250)),
        sampling: 1,
        infected: false,
        purpose: PhantomData,
    }
}

fn small() -> ServerConfig {
    ServerConfig { gate_cells: 1_024, clients_timed: 4, contacts_timed: 8, ..ServerConfig::default() }
}

fn only(table: &Servers) -> &Server {
    table.get([198, 51, 100, 7].into(), 1_337, 6).expect("admitted")
}

#[test]
fn the_third_client_admits_and_nothing_before_it_is_lost() {
    let mut table = Servers::new(small());
    for second in 0..3 {
        table.take(&flow(1, second));
        table.take(&flow(2, second));
    }
    assert!(table.is_empty());
    assert_eq!(table.counts().waiting, 6);
    // Two clients in 64 may share a bit of the gate; these do not.
    table.take(&flow(3, 9));
    let server = only(&table);
    assert_eq!(server.most_clients(), 3);
    assert_eq!(server.total().contacts, 7);
    assert_eq!((table.counts().waiting, table.counts().counted), (0, 7));
    assert_eq!(table.population(DAY).expect("seen").subscribers(), 3);
}

#[test]
fn an_infected_client_or_a_seed_admits_at_once() {
    let mut table = Servers::new(small());
    table.take(&Flow { infected: true, ..flow(1, 0) });
    assert_eq!(only(&table).most_infected_clients(), 1);
    let mut table = Servers::new(small());
    table.seed([198, 51, 100, 7].into(), Some(1_337));
    table.take(&flow(1, 0));
    assert_eq!(only(&table).total().contacts, 1);
}

#[test]
fn a_remote_end_that_asks_is_no_server() {
    let mut table = Servers::new(ServerConfig { clients_to_admit: 1, ..small() });
    table.take(&Flow { told_by_subscriber: false, ..flow(1, 0) });
    assert!(table.is_empty());
    assert_eq!(table.counts().remote_is_client, 1);
}

#[test]
fn lifetimes_are_hard_even_for_a_server_that_is_met_every_day() {
    let config = ServerConfig { clients_to_admit: 1, epochs_kept: 3, timeline_epochs: 1, ..small() };
    let mut table = Servers::new(config);
    for epoch in DAY..DAY + 10 {
        table.advance(epoch);
        table.take(&Flow { epoch, ..flow(1, 0) });
    }
    let server = only(&table);
    assert_eq!(server.epochs().map(|(epoch, _)| epoch).collect::<Vec<_>>(), [DAY + 7, DAY + 8, DAY + 9]);
    assert_eq!(server.timed_clients(), 1);
    assert_eq!(server.first_epoch(), DAY);
    table.advance(DAY + 50);
    assert!(table.is_empty());
    let counts = table.counts();
    assert_eq!((counts.expired, counts.forgotten), (1, 10));
}

#[test]
fn a_full_table_puts_out_who_is_missed_least_and_says_so() {
    let config = ServerConfig { clients_to_admit: 1, max_servers: 32, ..small() };
    let mut table = Servers::new(config);
    for host in 0..200_u8 {
        let remote = Remote { address: [203, 0, 113, host].into(), ..flow(1, 0).remote };
        let clients = if host == 0 { 9 } else { 1 };
        (0..clients).for_each(|client| table.take(&Flow { remote, ..flow(client, 0) }));
    }
    assert!(table.len() <= 32);
    assert!(table.get([203, 0, 113, 0].into(), 1_337, 6).is_some(), "the one with nine clients stays");
    let last = Remote { address: [203, 0, 113, 199].into(), ..flow(1, 0).remote };
    assert!(table.get(last.address, last.port, last.protocol).is_none(), "newcomers with one client find no room");
    (0..5).for_each(|client| table.take(&Flow { remote: last, ..flow(client, 0) }));
    assert!(table.get(last.address, last.port, last.protocol).is_some(), "one with more of them does");
    let counts = table.counts();
    assert_eq!(counts.evicted, counts.admitted - table.len() as u64);
    assert!(counts.evicted < 10, "they do not push each other out");
    assert_eq!(counts.flows, counts.counted + counts.waiting + counts.not_admitted);
}

#[test]
fn who_waits_too_long_is_counted_out() {
    let mut table = Servers::new(ServerConfig { max_waiting: 10, ..small() });
    let begin = flow(1, 0).start;
    table.expire(begin);
    for port in 1..=100_u16 {
        let remote = Remote { port, ..flow(1, 0).remote };
        table.take(&Flow { remote, ..flow(1, 0) });
    }
    let counts = table.counts();
    assert_eq!((counts.waiting, counts.not_admitted), (10, 90));
    table.expire(begin.plus(std::time::Duration::from_secs(599)));
    assert_eq!(table.counts().waiting, 10);
    table.expire(begin.plus(std::time::Duration::from_secs(600)));
    assert_eq!((table.counts().waiting, table.counts().not_admitted), (0, 100));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut table = Servers::new(ServerConfig { clients_to_admit: 1, ..small() });
    table.take(&flow(1, 0));
    let snapshot = table.snapshot();
    let before = only(&snapshot).clone();
    (0..50).for_each(|second| table.take(&flow(2, second)));
    table.advance(DAY + 1);
    assert_eq!(only(&snapshot), &before);
    assert_eq!((only(&snapshot).contacts(), only(&table).contacts()), (1, 51));
}

#[test]
fn answers_are_told_apart() {
    let with = |volume: Volume| Answer::of(&Flow { back: Some(volume), ..flow(1, 0) });
    assert_eq!(with(Volume::default()), Answer::Silent);
    assert_eq!(with(Volume { packets: 1, bytes: 40, tcp_flags: 0x14 }), Answer::Refused);
    assert_eq!(with(Volume { packets: 2, bytes: 100, tcp_flags: 0x12 }), Answer::Handshake);
    assert_eq!(with(Volume { packets: 3, bytes: 900, tcp_flags: 0 }), Answer::Data);
    assert_eq!(Answer::of(&Flow { back: None, ..flow(1, 0) }), Answer::Unknown);
}

proptest! {
    #[test]
    fn the_order_of_flows_does_not_matter(
        seen in proptest::collection::vec((0_u64..12, 0_i64..5_000, any::<bool>()), 1..80),
        cut in 0_usize..80,
    ) {
        let config = small();
        // Whether a client is infected is a matter of the client.
        let flows: Vec<_> = seen.iter().map(|(client, second, _)| Flow {
            infected: client % 5 == 0, ..flow(*client, *second)
        }).collect();
        let mut forward = Server::new(flow(0, 0).remote, DAY);
        flows.iter().for_each(|one| forward.take(one, &config));
        let mut backward = Server::new(flow(0, 0).remote, DAY);
        flows.iter().rev().for_each(|one| backward.take(one, &config));
        prop_assert_eq!(&forward, &backward);

        let (left, right) = flows.split_at(cut.min(flows.len()));
        let mut first = Server::new(flow(0, 0).remote, DAY);
        left.iter().for_each(|one| first.take(one, &config));
        let mut second = Server::new(flow(0, 0).remote, DAY);
        right.iter().for_each(|one| second.take(one, &config));
        second.merge(&first, &config);
        prop_assert_eq!(&forward, &second);
        prop_assert!(forward.timed_clients() <= 4);
        prop_assert!(forward.timelines().all(|(_, timeline)| timeline.len() <= 8));
    }
}
