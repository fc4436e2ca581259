//! The router's messages, read by the decoder they are meant for: nothing refused, every value as it was told.

use std::net::SocketAddr;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_town::flows::{Amount, Flow, Message, Router, Told};
use hinomi_town::{Plan, TownConfig};
use hinomi_wire::flow::{Decoder, FlowRecord, Limits, Unit, Volume, ipfix_file};

fn router() -> Router {
    Router::new(&Plan::new(TownConfig { size: 256, ..TownConfig::default() }).expect("a town"))
}

fn evening() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().expect("a time")
}

fn until() -> Timestamp {
    evening().plus(Duration::from_hours(4))
}

fn messages(router: &Router) -> Vec<Message> {
    router.messages(evening()).take_while(|message| message.time < until()).collect()
}

fn volume(amount: Amount) -> Volume {
    Volume { packets: amount.packets, bytes: amount.bytes, tcp_flags: amount.tcp_flags }
}

fn as_decoded(flow: &Flow) -> FlowRecord {
    FlowRecord {
        source: flow.source,
        destination: flow.destination,
        source_port: flow.source_port,
        destination_port: flow.destination_port,
        protocol: flow.protocol,
        forward: volume(flow.forward),
        reverse: flow.reverse.map(volume),
        start: flow.start,
        end: flow.end,
        sampling: 1,
    }
}

type Key = (Timestamp, Timestamp, std::net::IpAddr, std::net::IpAddr, u16, u16, u64);

fn key(record: &FlowRecord) -> Key {
    let FlowRecord { source, destination, source_port, destination_port, start, end, .. } = *record;
    (start, end, source, destination, source_port, destination_port, record.forward.bytes)
}

#[test]
fn every_flow_is_decoded_as_it_was_told() {
    let router = router();
    let mut decoder = Decoder::new(Limits::default());
    let exporter: SocketAddr = "127.0.0.1:40000".parse().expect("an address");
    let mut decoded = Vec::new();
    let sent = messages(&router);
    for message in &sent {
        assert!(message.bytes.len() <= 1_400, "{} bytes", message.bytes.len());
        decoder.decode(exporter, message.time, &message.bytes, &mut |record| decoded.push(record));
    }
    decoder.finish();
    let told: Vec<Told> = router.flows(evening()).take_while(|told| told.time < until()).collect();
    let mut expected: Vec<FlowRecord> = told.iter().map(|told| as_decoded(&told.flow)).collect();
    // A message tells its flows template by template; the last flush may come after the span.
    let count: u32 = sent.iter().map(|message| message.flows).sum();
    expected.truncate(count as usize);
    assert!(told.len() - expected.len() < 64 && expected.len() > 5_000, "{} of {}", expected.len(), told.len());
    expected.sort_by_key(key);
    decoded.sort_by_key(key);
    assert_eq!(decoded.len(), expected.len());
    assert!(decoded == expected);
    let counts = decoder.counts();
    assert_eq!((counts.refusals(), counts.unaccounted()), (0, 0));
    let losses: Vec<u64> = decoder.exporters().map(|(_, known)| known.loss(Unit::Records).lost).collect();
    assert_eq!(losses, [0]);
}

#[test]
fn a_lost_message_shows_in_the_numbers_as_its_data_records() {
    let mut sent = messages(&router());
    let place = sent.iter().rposition(|message| message.domain == 1 && message.flows > 3).expect("a message");
    let after = sent.iter().skip(place + 1).any(|message| message.domain == 1);
    assert!(after, "a later message of the domain shows the gap");
    let lost = sent.remove(place);
    let mut decoder = Decoder::new(Limits::default());
    let exporter: SocketAddr = "127.0.0.1:40000".parse().expect("an address");
    for message in &sent {
        decoder.decode(exporter, message.time, &message.bytes, &mut |_| ());
    }
    let losses: Vec<u64> = decoder.exporters().map(|(_, known)| known.loss(Unit::Records).lost).collect();
    assert_eq!(losses, [u64::from(lost.flows)]);
}

#[test]
fn messages_one_after_another_are_an_ipfix_file() {
    let sent = messages(&router());
    let file: Vec<u8> = sent.iter().flat_map(|message| message.bytes.clone()).collect();
    assert!(ipfix_file::begins(&file));
    let mut flows = ipfix_file::Flows::new(file.as_slice());
    assert!(flows.by_ref().all(|item| item.is_ok()));
    let told: u32 = sent.iter().map(|message| message.flows).sum();
    assert_eq!(flows.counts().records, u64::from(told));
    assert_eq!(flows.decoded().refusals(), 0);
}
