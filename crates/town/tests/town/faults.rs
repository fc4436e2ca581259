//! Planted faults do what they are planted for.

use std::time::{Duration, Instant};

use hinomi_town::{Running, Truth};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::client::{PATIENCE, SILENCE, connect, open};
use crate::town;

fn find(running: &Running, fault: &str) -> Truth {
    running.plan().truth().find(|t| t.faults.iter().any(|f| f == fault)).unwrap_or_else(|| panic!("no {fault}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tarpit_gives_a_byte_at_a_time() {
    let running = town(4_096).await;
    let tarpit = find(&running, "tarpit");
    assert_eq!(tarpit.protocol, None);
    let mut stream = connect(tarpit.address, tarpit.port, PATIENCE).await.expect("connects");
    let mut buffer = [0; 64];
    assert_eq!(stream.read(&mut buffer).await.expect("a byte"), 1);
    assert!(timeout(SILENCE, stream.read(&mut buffer)).await.is_err(), "the next byte takes its time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_banner_goes_on_and_waits_for_the_reader() {
    let running = town(4_096).await;
    let endless = find(&running, "endless");
    let mut stream = connect(endless.address, endless.port, PATIENCE).await.expect("connects");
    let mut buffer = vec![0; 64 * 1024];
    let (mut read, start) = (0usize, Instant::now());
    while read < 32 << 20 && start.elapsed() < PATIENCE {
        read += stream.read(&mut buffer).await.expect("more");
    }
    assert!(read > 1 << 20, "{read} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_port_is_open_and_says_the_same() {
    let running = town(4_096).await;
    let lines: Vec<Truth> = running.plan().truth().filter(|t| t.faults.contains(&"nonsense".to_owned())).collect();
    let host: Vec<_> = lines.iter().filter(|t| t.address == lines[0].address).collect();
    assert_eq!(host.len(), running.plan().tcp_ports().len());
    let mut said = std::collections::BTreeSet::new();
    for truth in host {
        let mut stream = connect(truth.address, truth.port, PATIENCE).await.expect("connects");
        let mut buffer = [0; 64];
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("says something").expect("bytes");
        said.insert(buffer[..read].to_vec());
    }
    assert_eq!(said.len(), 1);
    let mute = find(&running, "mute");
    let mut stream = connect(mute.address, mute.port, PATIENCE).await.expect("connects");
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.expect("sent");
    assert!(timeout(SILENCE, stream.read(&mut [0; 8])).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_tls_breaks_and_resets_reset() {
    let running = town(4_096).await;
    for fault in ["tls-garbage", "tls-truncated"] {
        let truth = Truth { tls: true, ..find(&running, fault) };
        let outcome = timeout(PATIENCE, open(&truth)).await.expect("an end");
        assert!(outcome.is_err(), "{fault}");
    }
    let reset = find(&running, "reset");
    let mut kinds = Vec::new();
    for _ in 0..5 {
        // Whether the reset is seen at connect or at read depends on who is faster.
        match connect(reset.address, reset.port, PATIENCE).await {
            Ok(mut stream) => match timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("an end") {
                Ok(read) => assert_eq!(read, 0),
                Err(error) => kinds.push(error.kind()),
            },
            Err(error) => kinds.push(error.kind()),
        }
    }
    assert!(kinds.contains(&std::io::ErrorKind::ConnectionReset), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_and_pointers_away_are_there() {
    let running = town(4_096).await;
    let plan = running.plan();
    let hostile = plan.truth().filter(|t| t.faults.contains(&"hostile-words".to_owned()));
    let mut heard = Vec::new();
    for truth in hostile.take(6) {
        let mut stream = connect(truth.address, truth.port, PATIENCE).await.expect("connects");
        let request: &[u8] = match truth.protocol.as_ref().map(|p| p.as_str()) {
            Some("http") => b"GET / HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n",
            _ => b"QUIT\r\nQUIT\r\nQUIT\r\nQUIT\r\nQUIT\r\nQUIT\r\n",
        };
        heard.push(crate::client::ask(&mut stream, request, |_| false).await);
    }
    let heard = heard.concat();
    let contains = |needle: &[u8]| heard.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"<script>alert(1)</script>") && contains(b"=HYPERLINK(") && contains(b"\x1b[2J"));
    assert!(contains(&[b'n'; 10_240]) && contains(b"\xff\xfe\xf0\x28\x8c"));

    let away = find(&running, "redirect-outside");
    let mut stream = connect(away.address, away.port, PATIENCE).await.expect("connects");
    let page = crate::client::ask(&mut stream, b"GET / HTTP/1.0\r\n\r\n", |_| false).await;
    assert!(String::from_utf8_lossy(&page).contains("Location: http://192.0.2.1/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tarpits_do_not_starve_the_town() {
    let running = town(4_096).await;
    let mute = find(&running, "mute");
    let mut held = Vec::new();
    for _ in 0..600 {
        held.push(connect(mute.address, mute.port, Duration::from_secs(2)).await);
    }
    for truth in
        crate::sound(&running).iter().filter(|t| t.protocol.as_ref().is_some_and(|p| p.as_str() == "ftp")).take(3)
    {
        let mut stream = open(truth).await.expect("connects");
        let greeting = crate::client::ask(&mut *stream, b"", |reply| reply.len() > 3).await;
        assert!(greeting.starts_with(b"220"));
    }
}
