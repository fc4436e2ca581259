//! Clients that break every rule: the town goes on.

use hinomi_model::Transport;

use crate::client::{self, PATIENCE, ask_datagram, open};
use crate::{sound, town};

/// How long garbage is given to do its harm.
const HARM: std::time::Duration = std::time::Duration::from_millis(40);

#[tokio::test(flavor = "multi_thread")]
async fn garbage_never_stops_a_service() {
    let running = town(1_024).await;
    let truth = sound(&running);
    let long_line = [b'A'; 300_000];
    let garbage: [&[u8]; 9] = [
        b"\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"GET\r\n\r\n",
        b"*99999999\r\n",
        b"*2\r\n$-5\r\n$99999999999\r\n",
        b"\x10\xff\xff\xff\xff\x01",
        b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff",
        b"SSH-2.0-x\r\n\0\0\0\x0c\x0b\x14",
        &long_line,
    ];
    let mut seen = std::collections::BTreeSet::new();
    for service in truth.iter().filter(|t| t.transport == Transport::Tcp) {
        if !seen.insert((service.protocol.clone(), service.tls)) {
            continue;
        }
        for bytes in garbage {
            let mut stream = client::connect(service.address, service.port, PATIENCE).await.expect("connects");
            let _any = tokio::time::timeout(HARM, client::ask(&mut stream, bytes, |_| false)).await;
        }
        open(service).await.unwrap_or_else(|error| panic!("{error} after garbage: {service:?}"));
    }
    for port in running.plan().udp_ports().iter() {
        let address =
            truth.iter().find(|t| t.transport == Transport::Udp && t.port == port).expect("a service").address;
        for bytes in garbage.iter().filter(|bytes| bytes.len() < 2_000) {
            ask_datagram(address, port, bytes, std::time::Duration::from_millis(5)).await;
        }
    }
    assert!(running.metrics().datagrams > 0);
}
