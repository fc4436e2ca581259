use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hinomi_model::cnc::status::ReceivedStatus;
use hinomi_model::time::FixedClock;
use hinomi_wire::flow::{Decoder, Limits};

use super::*;
use crate::detect::detection::Detection;
use crate::epoch::KeyEvent;
use crate::export::Gate;
use crate::finding::Held;
use crate::inlet::InletCounts;
use crate::pair::PairConfig;
use crate::server::ServerConfig;
use crate::suppress::Knowledge;

/// An hour before midnight.
const EVENING_S: u32 = 1_795_388_400;

/// Long after all of it.
const AFTER: FixedClock = FixedClock(Timestamp::from_micros((EVENING_S as i64 + 1_000_000) * 1_000_000));

/// With which loss each scoring reckoned.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Recorder for Losses {
    fn keys(&mut self, _now: Timestamp, _events: &[KeyEvent]) -> io::Result<()> {
        Ok(())
    }

    fn deleted(&mut self, _now: Timestamp, _what: &str, _count: u64) -> io::Result<()> {
        Ok(())
    }

    fn scored(&mut self, scored: &Scored) -> io::Result<()> {
        self.0.push(scored.loss);
        Ok(())
    }

    fn status(&mut self, _status: &CollectorStatus) -> io::Result<()> {
        Ok(())
    }
}

fn live() -> Live {
    let analysis = AnalysisConfig {
        detection: Detection::new(ServerConfig::default()),
        knowledge: Knowledge::builtin().expect("the built-in list"),
        pairs: PairConfig::default(),
        gate: Gate::default(),
        held: Held::default(),
        train: false,
        hub: None,
    };
    let subscribers = Subscribers::read("198.18.0.0/16").expect("a list");
    Live::new(Arc::new(subscribers), false, EpochLength::default(), analysis)
}

/// A NetFlow v5 datagram of one flow that ends when it is sent; `number` counts the flows before it.
fn export(seconds: u32, number: u32) -> Vec<u8> {
    let mut datagram = vec![0, 5, 0, 1];
    [1_000_000, seconds, 0, number, 0].iter().for_each(|word: &u32| datagram.extend(word.to_be_bytes()));
    datagram.extend([198, 18, 0, 1, 203, 0, 113, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
    [4_u32, 240, 999_000, 1_000_000].iter().for_each(|word| datagram.extend(word.to_be_bytes()));
    datagram.extend([0x9c, 0x40, 1, 0xbb, 0, 0x1b, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    datagram
}

/// A capture of a router's datagrams to port 2055, as raw IP packets.
fn capture(datagrams: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    [0_u32, 0, 65_535, 101].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    for (seconds, datagram) in datagrams {
        let length = 28 + datagram.len() as u32;
        [*seconds, 0, length, length].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.extend([0x45, 0]);
        bytes.extend((length as u16).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        [2_055, 2_055, length as u16 - 20, 0].iter().for_each(|word| bytes.extend(word.to_be_bytes()));
        bytes.extend(datagram);
    }
    bytes
}

#[test]
fn the_last_scoring_of_an_epoch_reckons_with_what_the_file_lost_so_far() {
    let (mut live, mut losses) = (live(), Losses::default());
    // Of ten flows the fourth to the ninth are missing; the last one ends after midnight.
    let sent = [(0, 0), (60, 1), (120, 2), (180, 9), (7_200, 10)];
    let datagrams: Vec<_> =
        sent.iter().map(|(after, number)| (EVENING_S + after, export(EVENING_S + after, *number))).collect();
    let bytes = capture(&datagrams);
    let (file, _) = live.read("evening", bytes.as_slice(), &mut Order::new(0), &AFTER, &mut losses).expect("read");
    assert_eq!((file.records, file.left_out.len()), (5, 0), "{file:?}");
    let [loss] = losses.0.as_slice() else { panic!("one epoch ended: {:?}", losses.0) };
    assert!((0.5..0.6).contains(loss), "6 of 10, or 6 of 11: {loss}");
    // Another file does not make it forgotten.
    let later = capture(&[(EVENING_S + 180_000, export(EVENING_S + 180_000, 11))]);
    live.read("later", later.as_slice(), &mut Order::new(0), &AFTER, &mut losses).expect("read");
    assert!(losses.0.len() == 2 && losses.0[1] > 0.4, "{:?}", losses.0);
}

#[test]
fn what_decoders_before_it_missed_is_reckoned_with_when_it_was_told() {
    let (mut live, mut losses, mut decoder) = (live(), Losses::default(), Decoder::new(Limits::default()));
    let evening = Timestamp::from_micros(i64::from(EVENING_S) * 1_000_000);
    let router = SocketAddr::from(([192, 0, 2, 1], 2_055));
    for number in [0, 3] {
        decoder.decode(router, evening, &export(EVENING_S, number), &mut |_| {});
    }
    live.tick(evening, &mut losses).expect("a key");
    live.heard(Part::of(&ReceivedStatus::default(), &decoder, InletCounts::default()));
    live.tick(evening.plus(Duration::from_hours(2)), &mut losses).expect("a key");
    assert!(matches!(losses.0.as_slice(), [loss] if *loss > 0.4), "{:?}", losses.0);
}

#[test]
fn what_a_file_says_of_the_future_is_left_out_and_counted() {
    let line = |ts: u32| {
        format!(
            "{{\"ts\":{ts},\"id.orig_h\":\"198.18.0.1\",\"id.orig_p\":40000,\"id.resp_h\":\"203.0.113.4\",\
             \"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":1.5,\"orig_pkts\":3,\"orig_ip_bytes\":300}}\n"
        )
    };
    // Half a day ahead may be another zone.
    let text = [EVENING_S, 4_294_967_295, EVENING_S + 43_200].map(line).concat();
    let (mut live, mut losses, mut order) = (live(), Losses::default(), Order::default());
    let clock = FixedClock(Timestamp::from_micros(i64::from(EVENING_S) * 1_000_000));
    let (file, _) = live.read("log", text.as_bytes(), &mut order, &clock, &mut losses).expect("read");
    assert_eq!((file.records, file.left_out.get(crate::live::files::FUTURE)), (2, Some(&1)), "{file:?}");
    live.drain(&mut order, &mut losses).expect("fed");
    assert_eq!(live.status(&Part::default(), true).inlet.flows, 2);
    assert!(live.now() < clock.now().plus(Duration::from_hours(13)));
}
