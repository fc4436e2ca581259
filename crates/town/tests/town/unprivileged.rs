//! The town needs no privilege.

use std::process::Command;

use hinomi_model::Transport;
use hinomi_town::{PortPlan, TownConfig, up};

use crate::client::{PATIENCE, ask_datagram, connect};

/// Runs `stands_without_privilege` as nobody, where this test is run by root.
#[test]
fn works_without_root() {
    let me = std::env::current_exe().expect("the test's own file");
    let inner = ["--exact", "unprivileged::stands_without_privilege", "--ignored", "--nocapture"];
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status.lines().any(|line| line.split_whitespace().take(3).eq(["Uid:", "0", "0"]));
    let mut command = match is_root {
        true => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"])
                .arg(&me);
            command
        }
        false => Command::new(&me),
    };
    match command.args(inner).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
        }
        Err(error) => {
            eprintln!("standing aside: {} cannot be started: {error}", if is_root { "setpriv" } else { "the test" })
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run as another user by works_without_root"]
async fn stands_without_privilege() {
    let running =
        up(TownConfig { size: 1_024, ports: PortPlan::Auto, ..TownConfig::default() }).await.expect("comes up");
    let low: u16 = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1_024);
    let truth: Vec<_> = running.plan().truth().filter(|t| t.faults.is_empty()).collect();
    assert!(truth.iter().all(|t| t.port >= low), "no port below {low}");
    assert!(low <= 80 || running.notes().iter().any(|note| note.contains("80/tcp on 2")), "{:?}", running.notes());
    for service in truth.iter().filter(|t| t.transport == Transport::Tcp).take(20) {
        connect(service.address, service.port, PATIENCE).await.unwrap_or_else(|error| panic!("{error} {service:?}"));
    }
    let ntp = truth.iter().find(|t| t.protocol.as_ref().is_some_and(|p| p.as_str() == "ntp")).expect("a time server");
    let request = [&[0x23u8][..], &[0; 47]].concat();
    assert!(ask_datagram(ntp.address, ntp.port, &request, PATIENCE).await.is_some());
}
