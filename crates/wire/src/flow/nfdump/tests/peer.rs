//! Our reading beside nfdump's own of the same files, where Debian's nfdump is installed.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::super::*;
use super::{legacy_file, read_all};
use crate::flow::samples::{sample, stand_aside, unpacked_sample};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hinomi-nfdump-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The file that a collector wrote here.
    fn collected(&self) -> PathBuf {
        let entries = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap());
        let mut files = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("nfcapd.2"));
        files.next().unwrap().path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !is_there {
        stand_aside(&format!("{program} is not installed (Debian package nfdump)"));
    }
    is_there
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("TZ", "UTC").output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What nfdump lists, in the words of its CSV: ends, ports, counters of both directions, start.
fn listed(path: &Path) -> Vec<String> {
    let csv = run("nfdump", &["-q", "-r", path.to_str().unwrap(), "-o", "csv"]);
    let rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let flows = rows.filter(|row| row.len() > 15 && row[0] != "ts" && row[11..15].iter().any(|count| *count != "0"));
    flows
        .map(|row| {
            let is_icmp = row[7].starts_with("ICMP");
            let ports = if is_icmp { "0 0".to_owned() } else { format!("{} {}", row[5], row[6]) };
            let untold = row[0].starts_with("1970-01-01 00:00:00");
            let start = if untold { "untold" } else { row[0] };
            format!("{} {} {ports} {} {} {} {} {start}", row[3], row[4], row[11], row[12], row[13], row[14])
        })
        .collect()
}

/// Our records in the same words.
fn ours(flows: &[FlowRecord], untold: &[String]) -> Vec<String> {
    let line = |(flow, theirs): (&FlowRecord, &String)| {
        let back = flow.reverse.unwrap_or_default();
        let time = flow.start.to_string().replace('T', " ");
        let start = if theirs.ends_with("untold") { "untold" } else { &time[..19] };
        format!(
            "{} {} {} {} {} {} {} {} {start}",
            flow.source,
            flow.destination,
            flow.source_port,
            flow.destination_port,
            flow.forward.packets,
            flow.forward.bytes,
            back.packets,
            back.bytes
        )
    };
    flows.iter().zip(untold).map(line).collect()
}

fn agrees(path: &Path, least: usize) -> Vec<FlowRecord> {
    let (flows, errors, counts) = read_all(&std::fs::read(path).unwrap());
    let fatal: Vec<_> = errors.iter().filter(|error| error.reason() != Some(Reason::Event)).collect();
    assert!(fatal.is_empty(), "{fatal:?}");
    let theirs = listed(path);
    assert!(theirs.len() >= least, "nfdump lists only {theirs:?}");
    assert_eq!((flows.len(), counts.records), (theirs.len(), u64::try_from(theirs.len()).unwrap()));
    assert_eq!(ours(&flows, &theirs), theirs);
    flows
}

#[test]
fn a_metered_capture_in_every_compression() {
    if !has("nfdump") || !has("nfpcapd") {
        return;
    }
    let Some(capture) = unpacked_sample("background/periodic-probe.pcap.gz") else { return };
    let folder = Folder::new("metered");
    let path = |name: &str| folder.0.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("capture"), capture).unwrap();
    run("nfpcapd", &["-r", &path("capture"), "-w", &path(""), "-t", "86400"]);
    let collected = folder.collected();
    let flows = agrees(&collected, 500);
    assert_eq!(flows.iter().map(|flow| flow.forward.packets).sum::<u64>(), 1_084, "all packets of the capture");

    let from = collected.to_str().unwrap();
    for compression in ["-y", "-z"] {
        let packed = path(&format!("packed{compression}"));
        run("nfdump", &["-r", from, compression, "-w", &packed]);
        assert!(std::fs::metadata(&packed).unwrap().len() * 2 < std::fs::metadata(from).unwrap().len());
        assert_eq!(agrees(Path::new(&packed), 500), flows, "{compression}");
    }
    run("nfdump", &["-r", from, "-j", "-w", &path("bzip2")]);
    let (none, errors, _) = read_all(&std::fs::read(path("bzip2")).unwrap());
    assert_eq!((none.len(), errors[0].reason()), (0, Some(Reason::Compression("bzip2"))));

    // Both directions in one record.
    run("nfdump", &["-r", from, "-b", "-w", &path("both")]);
    let both = agrees(Path::new(&path("both")), 200);
    assert!(both.iter().filter(|flow| flow.reverse.is_some()).count() > 100);
}

#[test]
fn a_file_of_an_old_collector() {
    if !has("nfdump") {
        return;
    }
    let folder = Folder::new("legacy");
    let path = folder.0.join("old");
    std::fs::write(&path, legacy_file(false)).unwrap();
    agrees(&path, 2);
}

/// A collector on loopback that lists on its output what it stores; ended when dropped.
struct Collector {
    child: Child,
    port: u16,
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Not SIGKILL: `timeout` hands this on to the collector.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
            let _ = self.child.wait();
        }
    }
}

impl Collector {
    fn start(program: &str, folder: &Folder) -> Self {
        // The collector cannot choose a port itself.
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = ["-E", "-w", folder.0.to_str().unwrap(), "-b", "127.0.0.1", "-p", &port.to_string()];
        // Its output is a pipe, which it would fill only when it ends: stdbuf makes it write each line.
        let child = Command::new("timeout")
            .args(["-k", "5", "60", "stdbuf", "-oL", program, "-t", "86400"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, port }
    }

    /// Asks it to end, as `timeout` hands the signal on, and waits until its file is whole.
    fn end(mut self) {
        run("kill", &["-TERM", &self.child.id().to_string()]);
        self.child.wait().unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "sends to the test's own collector on loopback")]
fn a_collector_of_real_datagrams() {
    if !has("nfdump") || !has("nfcapd") {
        return;
    }
    let names = [
        ("netflow5.dat", 30),
        ("netflow9_test_softflowd_tpl_data.dat", 0),
        ("ipfix_test_mikrotik_tpl.dat", 0),
        ("ipfix_test_mikrotik_data258.dat", 0),
        ("netflow9_test_ubnt_edgerouter_tpl.dat", 0),
        ("netflow9_test_ubnt_edgerouter_data1024.dat", 0),
    ];
    let datagrams: Vec<_> = names.iter().filter_map(|(name, _)| sample(&format!("decode/dat/{name}"))).collect();
    if datagrams.len() < names.len() {
        return;
    }
    let folder = Folder::new("collected");
    let mut collector = Collector::start("nfcapd", &folder);
    // Both pipes stay open to the end: a collector that cannot write ends early.
    let mut talk = BufReader::new(collector.child.stderr.take().unwrap());
    assert!(tells(&mut talk, "Startup"), "the collector did not start");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // The last one ends in a flow of its own, which tells that all before it are stored.
    for datagram in datagrams.iter().chain([&last_flow()]) {
        socket.send_to(datagram, ("127.0.0.1", collector.port)).unwrap();
    }
    let mut listing = BufReader::new(collector.child.stdout.take().unwrap());
    assert!(tells(&mut listing, "203.0.113.77"), "the last flow did not arrive");
    collector.end();
    let flows = agrees(&folder.collected(), 60);
    let netflow5 = flows.iter().filter(|flow| flow.source_port == 54_435 || flow.destination_port == 54_435).count();
    assert!(netflow5 > 10);
}

/// Reads until a line holds the word. Bytes, for the collector also lists what an exporter made of its names.
fn tells(pipe: &mut impl BufRead, word: &str) -> bool {
    let mut lines = pipe.split(b'\n').map(|line| line.unwrap());
    lines.any(|line| memchr::memmem::find(&line, word.as_bytes()).is_some())
}

/// A datagram of NetFlow 5 with one flow to 203.0.113.77.
fn last_flow() -> Vec<u8> {
    let mut datagram = vec![0; 24 + 48];
    datagram[..4].copy_from_slice(&[0, 5, 0, 1]);
    datagram[8..12].copy_from_slice(&1_600_000_000_u32.to_be_bytes());
    datagram[24..32].copy_from_slice(&[192, 0, 2, 1, 203, 0, 113, 77]);
    datagram[24 + 19] = 1;
    datagram[24 + 23] = 40;
    datagram[24 + 38] = 17;
    datagram
}
