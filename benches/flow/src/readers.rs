//! nfdump's files read by Hinomi and by nfdump itself: the same files, the same run.
//!
//! ```text
//!   cargo run --release -- readers [RECORDS] [ROUNDS]
//! ```
//!
//! nfcapd of the same package writes the files, from made-up IPFIX that it is sent on loopback, plain and packed with
//! LZ4. Both must find every record. nfdump reads with `-o null`: it decodes each record, applies an empty filter and
//! prints none, the least that it does with records; its statistics of a file (`-I`) come from the header and read
//! none. Hinomi decodes, projects and looks at every record. A run reads the file many times over, as one list of files,
//! so that starting a process does not count. Rounds alternate; medians of processor time are told with their ratio.
//!
//! There is no peer for captures of exports here: Debian's nfcapd is built without reading captures (`-f`), nfpcapd
//! meters packets and decodes no exports, and what a collector takes by a socket is another job.

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hinomi_wire::flow::nfdump;

use crate::export::{Export, Format};
use crate::{median, on_cpu_ns};

/// Times that a file is read in one run.
const PASSES: usize = 20;
/// The system tells processor time of processes that have ended in hundredths of a second.
const TICK_NS: u64 = 10_000_000;
/// Datagrams sent at once, before the collector gets a moment.
const BURST: usize = 16;

/// Measures and tells.
pub fn run(records: usize, rounds: usize) {
    let version = Command::new("nfdump").arg("-V").output().expect("Debian's package nfdump is needed");
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    println!("{records} records read {PASSES} times a round, {rounds} rounds, median of each; {version}");
    println!("{:<28} {:>14} {:>14} {:>7}", "", "hinomi /s", "nfdump /s", "ratio");
    let export = Export::generate(Format::Ipfix, records);
    for (name, packing) in [("nfdump file, plain", None), ("nfdump file, LZ4", Some("-y"))] {
        let folder = Folder::new();
        let file = collect(&folder, packing, &export);
        let read = (0..rounds).map(|_| (ours(&file, records), theirs(&folder.0, records)));
        let (ours, theirs): (Vec<f64>, Vec<f64>) = read.unzip();
        let (ours, theirs) = (median(ours), median(theirs));
        println!("{name:<28} {ours:>14.0} {theirs:>14.0} {:>7.1}", ours / theirs);
    }
}

/// Removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("hinomi-bench-readers-{}", std::process::id()));
        std::fs::create_dir_all(path.join("list")).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The file that nfcapd wrote of an export, and a list of links to it.
fn collect(folder: &Folder, packing: Option<&str>, export: &Export) -> PathBuf {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let free = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let port = free.port().to_string();
    let folder = folder.0.to_str().expect("a path");
    let fixed = ["-b", "127.0.0.1", "-p", &port, "-w", folder, "-t", "3600", "-B", "16000000"];
    let mut nfcapd = Command::new("nfcapd");
    let nfcapd = nfcapd.args(fixed).args(packing).stdout(Stdio::null()).stderr(Stdio::null());
    let mut nfcapd = nfcapd.spawn().expect("nfcapd starts");
    wait_for(free.port());
    for burst in export.datagrams.chunks(BURST) {
        for datagram in burst {
            socket.send_to(datagram, free).expect("sent");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_secs(2));
    end(&mut nfcapd);
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut files = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("nfcapd.2"));
    let file = files.next().expect("nfcapd wrote a file").path();
    assert_eq!(count(&file), export.records, "nfcapd lost some on the way: run it again on a quieter machine");
    for number in 0..PASSES {
        symlink(&file, Path::new(folder).join(format!("list/nfcapd.{number:02}"))).expect("a link");
    }
    file
}

/// Until somebody has the port.
fn wait_for(port: u16) {
    let wanted = format!(":{port:04X} ");
    while !std::fs::read_to_string("/proc/net/udp").expect("Linux").contains(&wanted) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn end(process: &mut Child) {
    let asked = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(asked.is_ok_and(|status| status.success()));
    process.wait().expect("a child");
}

fn count(file: &Path) -> usize {
    let flows = nfdump::Flows::new(BufReader::with_capacity(1 << 18, File::open(file).expect("there")));
    let (mut count, mut sum) = (0, 0_u64);
    for flow in flows {
        let flow = black_box(flow.expect("a record"));
        count += 1;
        sum = sum.wrapping_add(flow.forward.bytes ^ u64::from(flow.destination_port));
    }
    black_box(sum);
    count
}

/// Records a second of processor time.
fn ours(file: &Path, records: usize) -> f64 {
    let begin = on_cpu_ns();
    for _ in 0..PASSES {
        assert_eq!(count(file), records);
    }
    (PASSES * records) as f64 * 1e9 / (on_cpu_ns() - begin) as f64
}

fn theirs(folder: &Path, records: usize) -> f64 {
    let list = folder.join("list");
    let begin = ended_ns();
    let ran = Command::new("nfdump").arg("-R").arg(&list).args(["-o", "null"]).output().expect("runs");
    let passed = ended_ns() - begin;
    let said = String::from_utf8_lossy(&ran.stdout);
    let all = (PASSES * records).to_string();
    assert!(ran.status.success() && said.contains(&all), "nfdump did not read {all} records: {said}");
    (PASSES * records) as f64 * 1e9 / passed as f64
}

/// Processor time of processes that this one started and that have ended.
fn ended_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name, in brackets, may hold spaces; user and system time of children are fields 16 and 17.
    let fields: Vec<&str> = told.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    ticks * TICK_NS
}
