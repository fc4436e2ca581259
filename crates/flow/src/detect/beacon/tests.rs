use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::Timestamp;

use super::*;
use crate::detect::statistics::Random;
use crate::detect::view::Seen;
use crate::purpose::{Pseudonym, Remote};
use crate::server::{Answer, EpochState};

fn contact(at: f64, lasts: f64, answer: Answer, bytes: u32) -> Contact {
    Contact {
        start: Timestamp::from_micros((at * 1e6) as i64),
        duration_ms: (lasts * 1e3) as u32,
        bytes_out: bytes,
        bytes_back: bytes,
        packets_out: 5,
        packets_back: 5,
        answer,
        begun_by_subscriber: true,
    }
}

fn view(clients: Vec<Vec<Contact>>) -> ServerView {
    let all = || clients.iter().flatten().map(|contact| contact.start);
    let (first, last) = (all().min().unwrap_or_default(), all().max().unwrap_or_default());
    let pairs = clients.into_iter().zip(1..).map(|(contacts, client)| Pair { client: Pseudonym(client), contacts });
    let pairs: Vec<Pair> = pairs.collect();
    ServerView {
        remote: Remote { address: IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1)), port: 4_000, protocol: 6 },
        clients: pairs.len() as u64,
        epochs: 1,
        hours_of_day: 24,
        first,
        last,
        total: EpochState::default(),
        pairs,
        seen: Seen { sampling: 1, sampling_unknown: false, loss: 0.0 },
    }
}

fn clock(random: &mut Random, period: f64, jitter: f64, count: u32) -> Vec<f64> {
    (0..count).map(|turn| period * (f64::from(turn) + jitter * (random.unit() - 0.5)) + period).collect()
}

fn said(server: &ServerView, code: Code) -> f64 {
    look(server).into_iter().filter(|reason| reason.code == code).map(|reason| reason.log_likelihood_ratio).sum()
}

fn data(times: &[f64]) -> Vec<Contact> {
    times.iter().map(|at| contact(*at, 1.0, Answer::Data, 400)).collect()
}

#[test]
fn a_clock_with_jitter_is_regular_and_people_are_not() {
    let mut wrong = 0;
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let beacon = view(vec![data(&clock(&mut random, 90.0, 0.3, 60))]);
        assert!(said(&beacon, Code::BeaconRegular) > 1.5, "{seed}");
        let mut now = 0.0;
        let clicks: Vec<f64> = std::iter::repeat_with(|| {
            // Log-normal thinking times.
            let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
            now += (3.0 + 1.5 * normal).exp();
            now
        })
        .take(60)
        .collect();
        wrong += u32::from(said(&view(vec![data(&clicks)]), Code::BeaconRegular) > 1.1);
    }
    assert_eq!(wrong, 0);
}

#[test]
fn gaps_of_many_clients_with_few_visits_add_up() {
    let mut random = Random::new(5);
    let few = |random: &mut Random| data(&clock(random, 3_600.0, 0.05, 4));
    let one = view(vec![few(&mut random)]);
    let many = view((0..10).map(|_| few(&mut random)).collect());
    assert!(said(&many, Code::BeaconRegular) > said(&one, Code::BeaconRegular) + 1.0);
}

#[test]
fn knocks_in_vain_at_equal_gaps_say_much_and_a_back_off_does_not() {
    let knocks = |times: &[f64]| times.iter().map(|at| contact(*at, 3.0, Answer::Silent, 180)).collect::<Vec<_>>();
    let equal: Vec<f64> = (0..12).map(|turn| f64::from(turn) * 22.0).collect();
    assert!(said(&view(vec![knocks(&equal)]), Code::BeaconFailed) > 4.0);
    let doubling: Vec<f64> = (0..8).map(|turn| 3.0 * 2.0_f64.powi(turn)).collect();
    assert_eq!(said(&view(vec![knocks(&doubling)]), Code::BeaconFailed), 0.0);
    let answered: Vec<Contact> = equal.iter().map(|at| contact(*at, 3.0, Answer::Data, 180)).collect();
    assert_eq!(said(&view(vec![answered]), Code::BeaconFailed), 0.0);
}

#[test]
fn sampling_takes_the_word_from_what_was_not_answered() {
    let knocks: Vec<Contact> = (0..12).map(|turn| contact(f64::from(turn) * 22.0, 3.0, Answer::Silent, 60)).collect();
    let mut server = view(vec![knocks]);
    let whole = said(&server, Code::BeaconFailed);
    server.seen.sampling = 1_000;
    assert!(said(&server, Code::BeaconFailed) < whole / 100.0);
}

#[test]
fn a_quiet_long_line_speaks_and_a_busy_one_does_not() {
    let quiet = view(vec![vec![contact(0.0, 4_000.0, Answer::Data, 9_000)]]);
    assert!(said(&quiet, Code::BeaconKeepAlive) > 2.0);
    let busy = view(vec![vec![contact(0.0, 4_000.0, Answer::Data, 90_000_000)]]);
    assert_eq!(said(&busy, Code::BeaconKeepAlive), 0.0);
}

#[test]
fn nothing_and_one_visit_say_nothing() {
    assert!(look(&view(Vec::new())).is_empty());
    assert!(look(&view(vec![data(&[5.0])])).is_empty());
}
