//! `hinomi flow collect` as its users run it: real datagrams by UDP, IPFIX by TCP, hostile exporters, files, and the end.

use std::cell::Cell;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use hinomi_model::cnc::status::CollectorStatus;
use hinomi_wire::capture::Capture;
use hinomi_wire::packet::Packet;
use serde_json::Value;

use crate::program::{Installation, samples, stand_aside, until};

/// How long a collector may take for what a test asks of it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Every system grants this: Linux's own default is larger.
const LEAST_BUFFER: u64 = 160 << 10;
/// Lines of the made-up carrier; never on the wire here, only in records.
const SUBSCRIBERS: &str = "198.18.0.0/16";

/// A running collector, ended with the test.
pub(crate) struct Collector {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
    /// Datagrams that routers of the test sent, and how much room they take at most where they wait.
    sent: Rc<Cell<(u64, u64)>>,
}

impl Collector {
    /// On a port that the system chooses, and heard by this machine alone.
    pub(crate) fn start(here: &Installation, more: &[&str]) -> Self {
        Self::spawn(here, Self::command(here, more))
    }

    fn command(here: &Installation, more: &[&str]) -> std::process::Command {
        let list = subscribers(here);
        let fixed = ["flow", "collect", "--listen", "127.0.0.1:0", "--subscribers", &list];
        here.command(&[&fixed, more].concat())
    }

    fn spawn(here: &Installation, mut command: std::process::Command) -> Self {
        let out = std::fs::File::create(here.path("out")).expect("a file");
        let errors = std::fs::File::create(here.path("err")).expect("a file");
        let child = command.stdout(out).stderr(errors).spawn().expect("starts");
        let mut collector =
            Self { child, folder: here.path(""), address: SocketAddr::from(([127, 0, 0, 1], 0)), sent: Rc::default() };
        until("the collector listens", PATIENCE, || {
            let ended = collector.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended: {}", collector.text("err"));
            collector.text("out").contains('\n')
        });
        // It listens before it has written its first sums.
        until("the first sums are written", PATIENCE, || !collector.text("state/flow/status.json").is_empty());
        let first = collector.text("out");
        let word = first.split(|letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == ':'));
        let found = word.filter_map(|word| word.parse().ok()).next();
        collector.address = found.unwrap_or_else(|| panic!("no address in {first:?}: {}", collector.text("err")));
        collector
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// The sums as they stand in the state folder.
    fn status(&self) -> CollectorStatus {
        CollectorStatus::read(&self.text("state/flow/status.json")).expect("a whole document at any time")
    }

    /// Waits until the sums say so.
    pub(crate) fn wait(&self, what: &str, so: impl Fn(&CollectorStatus) -> bool) {
        until(what, PATIENCE, || so(&self.status()));
    }

    fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).expect("it runs");
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).expect("told").to_owned();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB")
    }

    /// Asks it to end, as Ctrl-C does; gives the last sums and what it said.
    pub(crate) fn end(mut self) -> (CollectorStatus, String) {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill -INT");
        let mut ended = None;
        until("it ends", PATIENCE, || {
            ended = self.child.try_wait().expect("a child");
            ended.is_some()
        });
        let errors = self.text("err");
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "{errors}");
        let status = self.status();
        assert!(!status.running);
        accounted(&status);
        (status, self.text("out"))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn subscribers(here: &Installation) -> String {
    let path = here.path("subscribers.txt");
    std::fs::write(&path, format!("# the carrier\n{SUBSCRIBERS}\n10.0.0.0/8\n")).expect("written");
    path.to_str().expect("a path").to_owned()
}

/// Every byte and every record is somewhere.
fn accounted(status: &CollectorStatus) {
    let (received, decoded, inlet) = (&status.received, &status.decoded, &status.inlet);
    assert_eq!(decoded.unaccounted_bytes, 0);
    let refused: u64 = decoded.refused.values().map(|each| each.bytes).sum();
    assert_eq!(received.bytes, decoded.parts.values().sum::<u64>() + refused + decoded.held_bytes, "{decoded:?}");
    assert_eq!(inlet.records, decoded.records);
    assert_eq!(inlet.records, inlet.flows + inlet.refused.values().sum::<u64>(), "{inlet:?}");
    let of = |name: &str| status.pairs.get(name).copied().unwrap_or(0);
    assert_eq!(of("flows"), inlet.flows);
    assert_eq!(of("flows"), of("whole") + 2 * of("joined") + of("alone") + of("crowded_out") + of("waiting"));
}

/// A router of the test, on loopback.
pub(crate) struct Router {
    socket: UdpSocket,
    to: SocketAddr,
    status: PathBuf,
    sent: Rc<Cell<(u64, u64)>>,
    datagrams: u64,
    bytes: u64,
}

impl Router {
    pub(crate) fn towards(collector: &Collector) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let (status, sent) = (collector.folder.join("state/flow/status.json"), Rc::clone(&collector.sent));
        Self { socket, to: collector.address, status, sent, datagrams: 0, bytes: 0 }
    }

    /// Sends no faster than the collector takes in: how large a buffer the system grants differs.
    pub(crate) fn send(&mut self, datagram: &[u8]) {
        let (datagrams, waiting) = self.sent.get();
        // The system reckons with what keeping a datagram takes: its pages, and a head.
        let room = 2 * datagram.len() as u64 + 4_096;
        let waiting = match waiting + room > self.granted_bytes() / 2 {
            true => {
                until("what was sent is taken in", PATIENCE, || self.status().received.datagrams >= datagrams);
                room
            }
            false => waiting + room,
        };
        self.sent.set((datagrams + 1, waiting));
        self.flood(datagram);
    }

    /// Sends at once.
    #[expect(clippy::disallowed_methods, reason = "towards the test's own collector, on loopback")]
    fn flood(&mut self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.to).expect("sent");
        self.datagrams += 1;
        self.bytes += datagram.len() as u64;
    }

    fn status(&self) -> CollectorStatus {
        let text = std::fs::read_to_string(&self.status).expect("sums");
        CollectorStatus::read(&text).expect("a whole document at any time")
    }

    /// What the system grants to one receiver; none is published before it received something.
    fn granted_bytes(&self) -> u64 {
        match self.status().received {
            received if received.datagrams == 0 => LEAST_BUFFER,
            received => received.buffer_bytes.max(LEAST_BUFFER),
        }
    }
}

/// The real exports: NetFlow and IPFIX datagrams, and sFlow out of captures.
fn real_exports() -> Option<Vec<Vec<u8>>> {
    let Some(folder) = samples().map(|folder| folder.join("flow")).filter(|folder| folder.is_dir()) else {
        stand_aside("no samples of flows; set HINOMI_DATA to the folder that holds flow/");
        return None;
    };
    let mut datagrams: Vec<Vec<u8>> = files(&folder.join("decode/dat")).iter().map(|path| read(path)).collect();
    for path in files(&folder.join("sflow")) {
        let bytes = read(&path);
        let mut capture = Capture::open(bytes.as_slice()).expect("a capture");
        while let Some(frame) = capture.next_frame().expect("whole") {
            let packet = Packet::read(frame.link.expect("a known link"), frame.bytes).expect("a packet");
            datagrams.push(packet.payload(frame.bytes).to_vec());
        }
    }
    Some(datagrams)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a sample")
}

/// A NetFlow v5 datagram of TCP sessions that end now: each is a record out and one back.
pub(crate) fn netflow5(number: u32, sessions: &[([u8; 4], [u8; 4], u16)]) -> Vec<u8> {
    let ends = |(line, server, port): &([u8; 4], [u8; 4], u16)| {
        [((*line, 40_001), (*server, *port)), ((*server, *port), (*line, 40_001))]
    };
    let flows: Vec<_> = sessions.iter().flat_map(ends).collect();
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as u32;
    let mut datagram = vec![0, 5, 0, flows.len() as u8];
    for word in [1_000_000, now, 0, number, 0] {
        datagram.extend(u32::to_be_bytes(word));
    }
    for ((from, from_port), (to, to_port)) in flows {
        datagram.extend(from.iter().chain(&to).chain(&[0; 8]));
        for word in [4_u32, 240, 990_000, 999_000] {
            datagram.extend(word.to_be_bytes());
        }
        datagram.extend([from_port.to_be_bytes(), to_port.to_be_bytes()].concat());
        datagram.extend([0, 0x1b, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    datagram
}

/// An IPFIX message of one set.
fn ipfix(domain: u32, seconds: u32, number: u32, set: u16, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 10];
    message.extend(u16::to_be_bytes((20 + body.len()) as u16));
    [seconds, number, domain].iter().for_each(|word| message.extend(word.to_be_bytes()));
    message.extend(set.to_be_bytes());
    message.extend(u16::to_be_bytes((4 + body.len()) as u16));
    message.extend(body);
    message
}

/// A template with these fields.
fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut body = [id.to_be_bytes(), (fields.len() as u16).to_be_bytes()].concat();
    fields.iter().for_each(|(field, length)| body.extend([field.to_be_bytes(), length.to_be_bytes()].concat()));
    body
}

const FIELDS: [(u16, u16); 7] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (1, 4)];

/// A record of them: line number `line` asks a server.
fn ask(line: u8, server: [u8; 4], port: u16) -> Vec<u8> {
    let mut record = vec![198, 18, 0, line];
    record.extend(server);
    record.extend([40_000_u16.to_be_bytes(), port.to_be_bytes()].concat());
    record.push(6);
    record.extend([0, 0, 0, 5, 0, 0, 1, 44]);
    record
}

/// What the user of a collector may do without special rights. For root that is another program of root's that gave all
/// of them up, as the collector did.
fn is_open_to_its_user(collector: &Collector) -> bool {
    // The system asks for the same as before memory is read, but for what Yama adds to that.
    let environment = format!("/proc/{}/environ", collector.child.id());
    let mut command = if is_root() { without_rights() } else { std::process::Command::new("env") };
    command.args(["cat", &environment]).output().expect("coreutils").status.success()
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("Linux")) == 0
}

/// Root that may do no more than another user does to what is its own.
fn without_rights() -> std::process::Command {
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", "--"]);
    command
}

#[test]
fn nobody_gets_a_core_dump_and_only_a_drill_is_searchable() {
    let (here, there) = (Installation::new(), Installation::new());
    let start = |here: &Installation, more: &[&str]| {
        let command = Collector::command(here, more);
        if !is_root() {
            return Collector::spawn(here, command);
        }
        // Who has fewer rights than a process may not look into it, closed or not: the collector has none either.
        let mut without = without_rights();
        without.arg(command.get_program()).args(command.get_args()).stdin(std::process::Stdio::null());
        Collector::spawn(here, without)
    };
    let (guarded, open) = (start(&here, &[]), start(&there, &["--searchable"]));
    for collector in [&guarded, &open] {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", collector.child.id())).expect("it runs");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("told");
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    }
    assert_eq!((is_open_to_its_user(&guarded), is_open_to_its_user(&open)), (false, true));
    guarded.end();
    open.end();
    let ledger = |here: &Installation| std::fs::read_to_string(here.path("state/flow/ledger.jsonl")).expect("a ledger");
    assert!(ledger(&there).contains("may read the collector's memory"), "{}", ledger(&there));
    assert!(!ledger(&here).contains("may read the collector's memory"), "{}", ledger(&here));
}

#[test]
fn real_exports_are_counted_to_the_last_byte() {
    let Some(datagrams) = real_exports() else { return };
    let here = Installation::new();
    let collector = Collector::start(&here, &["--local-remotes", "--receivers", "2"]);
    let mut router = Router::towards(&collector);
    datagrams.iter().for_each(|datagram| router.send(datagram));
    collector.wait("all has arrived", |status| status.received.datagrams >= router.datagrams);
    let (status, said) = collector.end();
    assert_eq!((status.received.datagrams, status.received.bytes), (router.datagrams, router.bytes));
    assert_eq!(status.received.kernel_drops, 0);
    assert_eq!(status.decoded.held_bytes, 0, "what waited for its template is given up at the end");
    assert!(status.decoded.records > 150, "{:?}", status.decoded);
    assert!(status.inlet.flows > 0, "{:?}", status.inlet);
    assert_eq!(status.exporters.len(), 1);
    for word in ["listening on 127.0.0.1:", "received  ", "decoded   ", "inlet     ", "findings  "] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn hostile_exporters_are_bounded_and_counted() {
    let here = Installation::new();
    let collector = Collector::start(&here, &[]);
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as u32;
    let (mut router, mut sent) = (Router::towards(&collector), 0);
    // A million templates, each of its own id or domain.
    let bomb: Vec<u8> = (256..8_256_u16).flat_map(|id| template(id, &[(8, 4)])).collect();
    (0..125).for_each(|domain| router.send(&ipfix(domain, now, 0, 2, &bomb)));
    // Templates whose records have no bytes, and data of them.
    router.send(&ipfix(1_000, now, 0, 2, &template(300, &[(8, 0), (12, 0)])));
    router.send(&ipfix(1_000, now, 0, 300, &[0; 400]));
    // Data whose template never comes, more than may wait.
    (0..100).for_each(|number| router.send(&ipfix(1_001, now, number, 999, &[7; 60_000])));
    collector.wait("the bomb was taken in", |status| status.received.datagrams >= router.datagrams);
    sent += router.datagrams;
    // No export at all, and exports cut short.
    let mut router = Router::towards(&collector);
    (0..500_u16).for_each(|number| router.send(&number.to_be_bytes().repeat(usize::from(number) + 1)));
    (0..40_u8).for_each(|length| router.send(&ipfix(1, now, 0, 2, &[0; 64])[..usize::from(length)]));
    // A beginning anew in the middle, and clocks from other centuries.
    let mut other = Router::towards(&collector);
    other.send(&ipfix(5, now, 0, 2, &template(400, &FIELDS)));
    let data = ask(1, [203, 0, 113, 9], 443);
    for (seconds, number) in [(now, 0), (now, 1), (now, 4_000_000_000), (0, 1), (u32::MAX, 2), (now, 3), (now, 900)] {
        other.send(&ipfix(5, seconds, number, 400, &data));
    }
    sent += router.datagrams + other.datagrams;
    collector.wait("all has arrived", |status| status.received.datagrams >= sent);
    assert!(collector.memory_kib() < 600 * 1_024, "{} KiB", collector.memory_kib());
    let (status, _) = collector.end();
    let refused = |reason: &str| status.decoded.refused.get(reason).map_or(0, |each| each.items);
    for reason in
        ["too_many_templates", "impossible_template", "missing_template", "unknown_version", "truncated_header"]
    {
        assert!(refused(reason) > 0, "{reason}: {:?}", status.decoded.refused);
    }
    assert_eq!(status.received.kernel_drops, 0);
    assert_eq!(status.decoded.records, 7, "a flow whose clock is wrong is a flow");
    assert!(status.decoded.clamped.get("skewed").is_some_and(|count| *count >= 2), "{:?}", status.decoded.clamped);
    assert!(status.loss > 0.0, "numbers that jump are loss: {:?}", status.exporters);
    // No exporter makes or destroys a key by what it says of the time.
    let ledger = std::fs::read_to_string(here.path("state/flow/ledger.jsonl")).expect("a ledger");
    let born = ledger.lines().filter(|line| line.contains("key-born")).count();
    assert!((1..=2).contains(&born), "one, or two around midnight: {ledger}");
    assert_eq!(ledger.lines().filter(|line| line.contains("key-destroyed")).count(), born, "none outlives the process");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "towards the test's own collector, on loopback")]
fn ipfix_by_tcp_comes_in_pieces_of_any_size() {
    let here = Installation::new();
    let collector = Collector::start(&here, &[]);
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs() as u32;
    let mut bytes = ipfix(9, now, 0, 2, &template(256, &FIELDS));
    for number in 0..200_u8 {
        bytes.extend(ipfix(9, now, u32::from(number), 256, &ask(number, [203, 0, 113, 7], 443)));
    }
    let mut stream = TcpStream::connect(collector.address).expect("accepted");
    stream.set_nodelay(true).expect("set");
    bytes.chunks(7).for_each(|piece| stream.write_all(piece).expect("taken"));
    let mut stranger = TcpStream::connect(collector.address).expect("accepted");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: collector\r\n\r\n").expect("taken");
    let streams = |status: &CollectorStatus, name: &str| status.received.streams.get(name).copied().unwrap_or(0);
    collector.wait("the stream was read", |status| status.decoded.records == 200);
    collector.wait("the stranger was sent away", |status| streams(status, "broken") == 1);
    drop(stream);
    collector.wait("the stream has ended", |status| streams(status, "ended") == 1);
    let (status, _) = collector.end();
    assert_eq!((status.received.datagrams, status.received.bytes), (201, bytes.len() as u64));
    assert_eq!(status.inlet.flows, 200);
    assert_eq!(streams(&status, "opened"), 2);
}

#[test]
fn a_seeded_server_is_found_and_no_subscriber_is_written_down() {
    let here = Installation::new();
    std::fs::write(here.path("seeds.txt"), "203.0.113.66:23\n").expect("written");
    std::fs::write(here.path("infected.txt"), "198.18.77.1\n198.18.77.2 # told by the telescope\n").expect("written");
    let (seeds, infected) = (here.path("seeds.txt"), here.path("infected.txt"));
    let (seeds, infected) = (seeds.to_str().expect("a path"), infected.to_str().expect("a path"));
    let refused = here.fail(&["flow", "collect", "--subscribers", &subscribers(&here), "--infected", infected]);
    assert!(refused.contains("--legal-basis"), "{refused}");
    let switch = ["--infected", infected, "--legal-basis", "order 12 of the licence, section 3", "--by", "T. Ester"];
    let collector = Collector::start(&here, &[&["--seeds", seeds, "--score-every", "1s"], &switch[..]].concat());
    let mut router = Router::towards(&collector);
    for number in 0..30_u8 {
        let line = [198, 18, 77, number % 10];
        router.send(&netflow5(u32::from(number) * 2, &[(line, [203, 0, 113, 66], 23)]));
    }
    collector.wait("it is found", |status| status.findings == 1);
    assert!(collector.status().infected_switch);
    let (status, said) = collector.end();
    assert!(said.contains("found 203.0.113.66:23/tcp"), "{said}");
    assert!(status.loss.abs() < f64::EPSILON, "{:?}", status.exporters);
    let ledger = std::fs::read_to_string(here.path("state/flow/ledger.jsonl")).expect("a ledger");
    assert_eq!(ledger.matches("infected-set").count(), 2, "on and off: {ledger}");
    let journal = std::fs::read_to_string(here.path("state/flow/findings.jsonl")).expect("a journal");
    assert!(journal.contains("203.0.113.66"), "{journal}");
    for path in files(&here.path("state/flow")) {
        let text = String::from_utf8_lossy(&read(&path)).into_owned();
        assert!(!text.contains("198.18."), "a subscriber stands in {}", path.display());
    }
    assert!(!said.contains("198.18.77"), "{said}");
}

#[test]
fn files_of_all_kinds_are_read_and_the_tool_for_remote_control_comes_first() {
    let Some(folder) = samples().map(|folder| folder.join("flow")).filter(|folder| folder.is_dir()) else {
        return stand_aside("no samples of flows; set HINOMI_DATA to the folder that holds flow/");
    };
    let here = Installation::new();
    let list = subscribers(&here);
    let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    let tool = path("cc/003-androidtester-rat-conn.log");
    let told = here.json_lines(&["flow", "collect", "--subscribers", &list, "--read", &tool]);
    let last = told.last().expect("a summary");
    let first: &Value = &last["candidates"][0]["endpoint"];
    assert_eq!((first["address"].as_str(), first["port"].as_u64()), (Some("147.32.83.234"), Some(1_337)), "{last}");
    let capture = path("sflow/data-1140.pcap");
    let told = here.json_lines(&["flow", "collect", "--subscribers", &list, "--read", &capture]);
    let status = &told.last().expect("a summary")["status"];
    assert_eq!((status["files"][0]["kind"].as_str(), status["decoded"]["records"].as_u64()), (Some("pcap"), Some(5)));
    let log = path("scan/vertical-conn.log");
    let text = here.succeed(&["flow", "collect", "--subscribers", &list, "--read", &log, &tool]);
    assert_eq!(text.matches("(zeek): ").count(), 2, "{text}");
    std::fs::write(here.path("empty"), "").expect("written");
    let nothing = here.path("empty");
    let said = here.fail(&["flow", "collect", "--subscribers", &list, "--read", nothing.to_str().expect("a path")]);
    assert!(said.contains("no flow could be read"), "{said}");
}

/// The log of the remote control tool as Parquet, as the handbook makes one.
const TO_PARQUET: &str = r##"
import csv, duckdb, sys
log, columns, table = sys.argv[1], sys.argv[2], sys.argv[3]
rows = [line.rstrip("\n").split("\t") for line in open(log) if not line.startswith("#")]
names = next(line.rstrip("\n").split("\t")[1:] for line in open(log) if line.startswith("#fields"))
letters = {"S": 2, "H": 18, "A": 16, "D": 24, "F": 17, "R": 4}
def flags(history, of):
    union = 0
    for letter in filter(of, history):
        union |= letters.get(letter.upper(), 0)
    return union
history = names.index("history")
rows = [["" if value == "-" else value for value in row] +
    [flags(row[history], str.isupper), flags(row[history], str.islower)] for row in rows]
with open(columns, "w", newline="") as out:
    csv.writer(out).writerows([names + ["flags", "flags_back"]] + rows)
duckdb.sql("""COPY (SELECT to_timestamp(ts) AS start, to_timestamp(ts + coalesce(duration, 0)) AS "end",
    "id.orig_h" AS src, "id.resp_h" AS dst, "id.orig_p" AS src_port, "id.resp_p" AS dst_port,
    CASE proto WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 ELSE 1 END AS protocol,
    orig_pkts AS packets, orig_ip_bytes AS bytes, resp_pkts AS packets_back, resp_ip_bytes AS bytes_back,
    flags AS tcp_flags, flags_back AS tcp_flags_back, 1 AS sampling
    FROM read_csv('""" + columns + """', header = true)) TO '""" + table + """' (FORMAT parquet, COMPRESSION zstd)""")
print(len(rows))
"##;

#[test]
fn parquet_of_another_program_gives_the_same_first_candidate_as_its_log() {
    let Some(folder) = samples().map(|folder| folder.join("flow")).filter(|folder| folder.is_dir()) else {
        return stand_aside("no samples of flows; set HINOMI_DATA to the folder that holds flow/");
    };
    let here = Installation::new();
    let list = subscribers(&here);
    let (log, table) = (folder.join("cc/003-androidtester-rat-conn.log"), here.path("flows.parquet"));
    let mut python = Command::new("python3");
    let made = python.args(["-c", TO_PARQUET]).arg(log).arg(here.path("columns.csv")).arg(&table).output();
    if !made.as_ref().is_ok_and(|output| output.status.success()) {
        return stand_aside("making a Parquet file needs python3 with the package duckdb");
    }
    let rows: u64 = String::from_utf8_lossy(&made.expect("ran").stdout).trim().parse().expect("a number");
    let table = table.to_str().expect("a path");
    let collect = ["flow", "collect", "--subscribers", &list, "--read"];
    let told = here.json_lines(&[&collect, [table].as_slice()].concat());
    let last = told.last().expect("a summary");
    let file = &last["status"]["files"][0];
    assert_eq!((file["kind"].as_str(), file["records"].as_u64()), (Some("parquet"), Some(rows)), "{file}");
    let first = &last["candidates"][0]["endpoint"];
    assert_eq!((first["address"].as_str(), first["port"].as_u64()), (Some("147.32.83.234"), Some(1_337)), "{last}");
    let packed = here.path("snappy.parquet");
    let packed = packed.to_str().expect("a path");
    let again = format!("import duckdb; duckdb.sql(\"COPY (FROM '{table}') TO '{packed}' (COMPRESSION snappy)\")");
    assert!(Command::new("python3").args(["-c", &again]).status().is_ok_and(|status| status.success()));
    let said = here.fail(&[&collect, [packed].as_slice()].concat());
    assert!(said.contains(&format!("{rows} left out: ")) && said.contains("again with zstd"), "{said}");
    let evaluate = ["flow", "evaluate", table, "--subscribers", "10.0.0.0/8", "--truth", "147.32.83.234:1337"];
    assert!(here.succeed(&evaluate).contains("rank 1"));
}

#[test]
fn a_flood_that_nobody_can_take_is_told_as_dropped_or_taken() {
    let here = Installation::new();
    let collector = Collector::start(&here, &[]);
    let mut router = Router::towards(&collector);
    let flows: Vec<_> = (0..12_u8).map(|line| ([198, 18, 1, line], [203, 0, 113, line], 443)).collect();
    for number in 0..20_000 {
        router.flood(&netflow5(number * 24, &flows));
    }
    // The system tells drops with the next datagram that it does not drop.
    collector.wait("all is taken or told as dropped", |status| {
        router.again(&netflow5(0, &[]));
        status.received.datagrams + status.received.kernel_drops >= 20_000
    });
    let (status, _) = collector.end();
    assert!(status.decoded.records <= 20_000 * 24);
    assert_eq!(status.received.kernel_drops == 0, status.decoded.records == 20_000 * 24, "{:?}", status.received);
}

impl Router {
    /// As [`flood`](Self::flood), without counting.
    #[expect(clippy::disallowed_methods, reason = "towards the test's own collector, on loopback")]
    fn again(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.to).expect("sent");
    }
}

/// Standard input is read too.
#[test]
fn stdin_is_a_file() {
    let here = Installation::new();
    let list = subscribers(&here);
    let mut command = here.command(&["flow", "collect", "--subscribers", &list, "--read", "-", "--json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let line = "{\"ts\":1763769600.5,\"id.orig_h\":\"10.1.2.3\",\"id.orig_p\":40000,\"id.resp_h\":\"203.0.113.4\",\
                \"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":1.5,\"orig_pkts\":3,\"orig_ip_bytes\":300,\
                \"resp_pkts\":3,\"resp_ip_bytes\":900}\n";
    child.stdin.take().expect("piped").write_all(line.repeat(3).as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let last: Value = serde_json::from_str(text.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(last["status"]["inlet"]["flows"].as_u64(), Some(3), "{last}");
}
