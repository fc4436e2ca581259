//! Where addresses or ports are missing.

use std::collections::BTreeSet;
use std::net::TcpListener;

use hinomi_model::Transport;
use hinomi_town::{Layout, PortPlan, TownConfig, up};

use crate::client::{PATIENCE, ask_datagram, connect};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_can_share_one_address() {
    let config = TownConfig { layout: Layout::Single, ..TownConfig::default() };
    let mut running = up(config).await.expect("comes up");
    for day in [0, 25] {
        running.set_day(day).expect("the day changes");
        let truth: Vec<_> = running.plan().truth().collect();
        assert!(truth.len() > 60, "{}", truth.len());
        assert!(truth.iter().all(|t| t.address.to_string() == "127.0.0.1"));
        let ports: BTreeSet<_> = truth.iter().map(|t| (t.transport, t.port)).collect();
        assert_eq!(ports.len(), truth.len());
        for service in truth.iter().filter(|t| t.transport == Transport::Tcp) {
            connect(service.address, service.port, PATIENCE)
                .await
                .unwrap_or_else(|error| panic!("{error} {service:?}"));
        }
        let coap = truth.iter().find(|t| t.protocol.as_ref().is_some_and(|p| p.as_str() == "coap"));
        if let Some(coap) = coap {
            let reply = ask_datagram(coap.address, coap.port, b"\x40\x01\0\x01\xbb.well-known\x04core", PATIENCE).await;
            assert!(reply.is_some());
        }
    }
    assert!(running.notes().iter().any(|note| note.contains("share 127.0.0.1")), "{:?}", running.notes());
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_moved_and_said() {
    // 8081 is a natural port of the town; whoever has it already, it is in use now.
    let _holder = TcpListener::bind("127.0.0.1:8081");
    let running =
        up(TownConfig { size: 4_096, ports: PortPlan::Auto, ..TownConfig::default() }).await.expect("comes up");
    assert!(running.notes().iter().any(|note| note.contains("8081/tcp on ")), "{:?}", running.notes());
    let odd = running.plan().truth().find(|t| t.variant == "odd-port" && t.faults.is_empty()).expect("a moved page");
    assert!(odd.port >= 28_081, "{odd:?}");
    connect(odd.address, odd.port, PATIENCE).await.expect("answers there");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_towns_stand_beside_each_other() {
    let config = TownConfig { size: 64, ports: PortPlan::High, ..TownConfig::default() };
    let (first, second) = (up(config.clone()).await.expect("first"), up(config).await.expect("second"));
    let ports: BTreeSet<u16> = first.plan().tcp_ports().iter().collect();
    assert!(second.plan().tcp_ports().iter().all(|port| !ports.contains(&port)));
}
