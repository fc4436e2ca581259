//! The kernel's filter and the truth agree on who has a port open; nobody outside the range is touched.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::Transport;

use crate::client::{SILENCE, ask_datagram, connect};
use crate::town;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_open_exactly_where_the_truth_says() {
    let running = town(2_048).await;
    let truth: Vec<_> = running.plan().truth().collect();
    let at_port = |persona: &str, wanted: Transport| {
        truth.iter().find(|t| t.persona == persona && t.transport == wanted).map(|t| t.port).expect("a port")
    };
    for port in [at_port("kagaribi-ax30", Transport::Tcp), at_port("hoshimi-dome5", Transport::Tcp)] {
        let open: BTreeSet<IpAddr> =
            truth.iter().filter(|t| t.transport == Transport::Tcp && t.port == port).map(|t| t.address).collect();
        let mut tries = tokio::task::JoinSet::new();
        for offset in 0..160u32 {
            let address = IpAddr::V4(Ipv4Addr::from(0x7f4d_0000 + offset * 12));
            tries.spawn(async move { (address, connect(address, port, SILENCE * 2).await) });
        }
        while let Some(result) = tries.join_next().await {
            let (address, outcome) = result.expect("the try");
            match outcome {
                Ok(_) => assert!(open.contains(&address), "{address} port {port} is open but should not be"),
                Err(error) => {
                    assert!(!open.contains(&address), "{address} port {port} should be open: {error}");
                    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "silence, not refusal, at {address}");
                }
            }
        }
    }
    assert_eq!(running.metrics().misdirected, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_outside_the_range() {
    let running = town(64).await;
    let truth: Vec<_> = running.plan().truth().collect();
    let port = truth.iter().find(|t| t.transport == Transport::Tcp).expect("a service").port;
    for outside in [[127, 0, 0, 1], [127, 76, 255, 255], [127, 77, 0, 64], [127, 78, 0, 1]] {
        assert!(connect(IpAddr::from(outside), port, SILENCE).await.is_err(), "{outside:?}");
    }
    let every: Vec<_> = running.plan().udp_ports().iter().collect();
    for port in every {
        let search = b"M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n";
        assert_eq!(ask_datagram(IpAddr::from([127, 0, 0, 1]), port, search, SILENCE).await, None);
    }
    assert_eq!(running.metrics().accepted, 0);
}
