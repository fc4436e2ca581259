//! Days pass while the town is up.

use std::collections::BTreeSet;

use hinomi_model::Transport;

use crate::client::{PATIENCE, SILENCE, connect};
use crate::{sound, town};

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_and_closes_from_day_to_day_does_so_on_the_wire() {
    let mut running = town(4_096).await;
    let open = |truth: Vec<hinomi_town::Truth>| -> BTreeSet<_> {
        truth.iter().filter(|t| t.transport == Transport::Tcp).map(|t| (t.address, t.port)).collect()
    };
    let before = open(sound(&running));
    running.set_day(40).expect("the day changes");
    let after = open(sound(&running));
    assert_eq!(running.plan().config().day, 40);
    for (address, port) in after.difference(&before).take(12) {
        connect(*address, *port, PATIENCE).await.expect("newly open");
    }
    let every_port: BTreeSet<_> = running.plan().truth().filter(|t| !t.faults.is_empty()).map(|t| t.address).collect();
    for (address, port) in before.difference(&after).filter(|(address, _)| !every_port.contains(address)).take(6) {
        assert!(connect(*address, *port, SILENCE).await.is_err(), "{address} {port} is closed now");
    }
    running.set_day(0).expect("the day changes back");
    assert_eq!(open(sound(&running)), before);
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_closes_sockets_and_connections() {
    let running = town(128).await;
    let truth = sound(&running).into_iter().find(|t| t.transport == Transport::Tcp && !t.tls).expect("a service");
    let mut stream = connect(truth.address, truth.port, PATIENCE).await.expect("connects");
    running.shutdown().await;
    let rest = crate::client::ask(&mut stream, b"", |_| false).await;
    assert!(rest.len() < 4_096);
    let error = connect(truth.address, truth.port, PATIENCE).await.expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}
