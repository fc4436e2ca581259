//! Frames really sent and really received, over a pair of virtual Ethernet devices in a namespace of the test's own.

#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test says what it expected by failing")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use hinomi_netio::{Backend, Interface, Receiver, Reservation, Transmitter, Wanted};

const INSIDE: &str = "HINOMI_NETIO_INSIDE";
const FRAMES: u32 = 20_000;

/// Runs the named test of this file again, in a fresh network namespace.
fn inside_a_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let me = std::env::current_exe().expect("this program");
    let arguments = ["--exact", test, "--nocapture"];
    let child = Command::new("unshare").arg("-n").arg(me).args(arguments).env(INSIDE, "1").output();
    let why = match child {
        Ok(output) if output.status.success() => return false,
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains("Operation not permitted"), "{said}");
            "no privilege to make a network namespace".to_owned()
        }
        Err(error) => format!("unshare: {error}"),
    };
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "{why}");
    eprintln!("{test} stands aside: {why}");
    false
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip (package iproute2)");
    assert!(status.success(), "ip {arguments}");
}

/// A pair of devices, both up: `left` and `right`.
fn pair() -> (Interface, Interface) {
    ip("link add left type veth peer name right");
    ip("addr add 198.18.0.1/24 dev left");
    for name in ["lo", "left", "right"] {
        ip(&format!("link set {name} up"));
    }
    let start = Instant::now();
    let up = || {
        let said = Command::new("ip").args(["-br", "link", "show", "dev", "left"]).output().expect("ip");
        String::from_utf8_lossy(&said.stdout).contains(" UP ")
    };
    while !up() {
        assert!(start.elapsed() < Duration::from_secs(10), "the pair does not come up");
        std::thread::yield_now();
    }
    (Interface::named("left").expect("left"), Interface::named("right").expect("right"))
}

/// An Ethernet frame with an IPv4 UDP or TCP packet to a port; checksums are left out, nobody looks at them here.
fn frame(to: &Interface, protocol: u8, port: u16, number: u32) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(to.hardware.expect("Ethernet"));
    frame.extend([2, 0, 0, 0, 0, 1, 0x08, 0x00]);
    let len = if protocol == 6 { 40_u16 } else { 32 };
    frame.extend([0x45, 0]);
    frame.extend(len.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    frame.extend([198, 18, 0, 9, 198, 18, 0, 1]);
    frame.extend(40_000_u16.to_be_bytes());
    frame.extend(port.to_be_bytes());
    match protocol {
        6 => frame.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]),
        _ => {
            frame.extend([0, 12, 0, 0]);
            frame.extend(number.to_be_bytes());
        }
    }
    frame
}

#[test]
fn every_backend_sends_what_it_is_given() {
    if !inside_a_namespace("every_backend_sends_what_it_is_given") {
        return;
    }
    let (left, right) = pair();
    let mut opened = 0;
    for backend in Backend::ALL {
        let Ok(mut sender) = Transmitter::open(&left, backend, 0) else { continue };
        opened += 1;
        let mut receiver = Receiver::open(&right, &Wanted { ports: 7000..=7000 }).expect("a receiver");
        let link = if backend.has_link_header() { 0 } else { 14 };
        let template = frame(&right, 17, 7000, 0);
        if link > 0 {
            ip("route replace 198.18.7.0/24 dev left");
            ip(&format!("neigh replace 198.18.7.1 dev left lladdr {} nud permanent", text(&right)));
        }
        let mut seen = vec![0_u32; FRAMES as usize];
        let mut sent = 0;
        let mut dropped = 0;
        while sent < FRAMES {
            let filled = sender.fill(64.min((FRAMES - sent) as usize), |slot| {
                let mut one = template.get(link..)?.to_vec();
                let at = one.len() - 4;
                one[at..].copy_from_slice(&sent.to_be_bytes());
                if link > 0 {
                    one[16..20].copy_from_slice(&[198, 18, 7, 1]);
                }
                slot[..one.len()].copy_from_slice(&one);
                sent += 1;
                Some(one.len())
            });
            assert!(filled > 0, "{backend}: no slots left");
            dropped += sender.flush().expect("sent").dropped;
            drain(&mut receiver, &mut seen, Duration::ZERO);
        }
        drain(&mut receiver, &mut seen, Duration::from_millis(800));
        let lost = seen.iter().filter(|count| **count == 0).count() as u64;
        let doubled = seen.iter().filter(|count| **count > 1).count();
        assert_eq!((doubled, receiver.dropped().expect("counts")), (0, 0), "{backend}");
        assert_eq!(lost, dropped, "{backend}: what is lost is counted");
        assert_eq!(lost, 0, "{backend}");
    }
    assert!(opened >= 3, "AF_XDP copy, AF_PACKET and raw IP work on virtual Ethernet");
}

fn text(interface: &Interface) -> String {
    let bytes = interface.hardware.expect("Ethernet");
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// Takes packets until none came for a while.
fn drain(receiver: &mut Receiver, seen: &mut [u32], patience: Duration) {
    let each = |seen: &mut [u32], network: &[u8]| {
        if (network.first(), network.get(9)) != (Some(&0x45), Some(&17)) {
            return; // The kernel's own neighbour discovery.
        }
        let number = network.get(28..32).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        if let Some(count) = number.and_then(|number| seen.get_mut(number as usize)) {
            *count += 1;
        }
    };
    while receiver.receive(patience, |packet| each(seen, packet.network)).expect("received") > 0 {}
}

#[test]
fn the_kernel_filter_lets_only_answers_through() {
    if !inside_a_namespace("the_kernel_filter_lets_only_answers_through") {
        return;
    }
    let (left, right) = pair();
    let mut sender = Transmitter::open(&right, Backend::Packet, 0).expect("a sender");
    let mut receiver = Receiver::open(&left, &Wanted { ports: 7000..=7003 }).expect("a receiver");
    let cases = [(17, 6999), (17, 7000), (6, 7003), (6, 7004), (47, 7001), (1, 1)];
    for (protocol, port) in cases {
        sender.fill(1, |slot| {
            let one = frame(&left, protocol, port, 0);
            slot[..one.len()].copy_from_slice(&one);
            Some(one.len())
        });
    }
    sender.flush().expect("sent");
    let mut seen = Vec::new();
    let port = |network: &[u8]| (network[0], network[9], u16::from_be_bytes([network[22], network[23]]));
    while receiver.receive(Duration::from_millis(800), |packet| seen.push(port(packet.network))).expect("received") > 0
    {
    }
    seen.retain(|(version, ..)| *version == 0x45); // The kernel's own IPv6 neighbour discovery is ICMP too.
    let seen: Vec<(u8, u16)> = seen.into_iter().map(|(_, protocol, port)| (protocol, port)).collect();
    assert_eq!(seen, [(17, 7000), (6, 7003), (1, 1)]);
}

#[test]
fn the_kernel_resets_nothing_on_reserved_ports() {
    if !inside_a_namespace("the_kernel_resets_nothing_on_reserved_ports") {
        return;
    }
    let (left, right) = pair();
    ip(&format!("neigh replace 198.18.0.9 dev left lladdr {} nud permanent", text(&right)));
    let held = Reservation::hold(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1)), 7000, 4).expect("four ports");
    assert_eq!(held.ports(), 7000..=7003);
    let mut sender = Transmitter::open(&right, Backend::Packet, 0).expect("a sender");
    let mut resets = Receiver::open(&right, &Wanted { ports: 40_000..=40_000 }).expect("a receiver");
    for port in [7001, 7009] {
        sender.fill(1, |slot| {
            let mut answer = frame(&left, 6, port, 0);
            answer[14 + 33] = 0x12; // SYN and ACK
            checksums(&mut answer);
            slot[..answer.len()].copy_from_slice(&answer);
            Some(answer.len())
        });
    }
    sender.flush().expect("sent");
    let mut from = Vec::new();
    let mut reset = |network: &[u8]| {
        if network[0] == 0x45 {
            from.push((u16::from_be_bytes([network[20], network[21]]), network[33] & 4 != 0));
        }
    };
    while resets.receive(Duration::from_millis(800), |packet| reset(packet.network)).expect("received") > 0 {}
    assert_eq!(from, [(7009, true)], "only the port that nobody holds is reset");
}

/// The kernel looks at these.
fn checksums(frame: &mut [u8]) {
    let sum = |bytes: &[u8], start: u32| -> u16 {
        let mut sum = start;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).expect("folded")
    };
    let header = sum(&frame[14..34], 0);
    frame[24..26].copy_from_slice(&header.to_be_bytes());
    let pseudo: u32 = frame[26..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let segment = sum(&frame[34..54], pseudo + 6 + 20);
    frame[50..52].copy_from_slice(&segment.to_be_bytes());
}
