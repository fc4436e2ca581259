//! Starting one daemon, waiting until it answers, and ending it.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Daemon, Transport, package};
use crate::ports;

/// The first process in the namespaces.
const INSIDE: &str = include_str!("inside.sh");
/// What recipes are written with.
const HELPERS: &str = include_str!("helpers.sh");
/// Longest time from the start to the first answer. Most need well under a second; databases on a busy machine do not.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest time for a daemon's namespaces to end once asked, before they are killed from outside.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Longest wait for a connection, and for an answer on it.
const ANSWER_LIMIT: Duration = Duration::from_millis(1500);
/// Between two packets to a UDP port: nothing tells that the first came too early.
const UDP_PATIENCE: Duration = Duration::from_millis(200);
/// Between two looks at something that is not ready.
const POLL: Duration = Duration::from_millis(40);
/// Most of a greeting that is kept.
const BANNER_LIMIT: usize = 4096;

/// A daemon that has answered. Dropping it ends the daemon and everything that it started, and nothing else.
#[derive(Debug)]
pub(crate) struct Running {
    daemon: &'static Daemon,
    child: Child,
    port: u16,
    banner: Vec<u8>,
    version: Option<String>,
}

impl Running {
    /// What was started.
    pub(crate) fn daemon(&self) -> &'static Daemon {
        self.daemon
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        loopback(self.port)
    }

    /// The first bytes of its answer to [`Daemon::hello`].
    pub(crate) fn banner(&self) -> &[u8] {
        &self.banner
    }

    /// The version it announces, computed from the package; see [`Daemon::version`].
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The process that holds its namespaces; gone once this is dropped.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The closed pipe tells the first process inside to end, and the kernel then ends the others. Only after that
        // has `unshare` anything to report: returning earlier could let a test see the port still taken.
        drop(self.child.stdin.take());
        if wait(&mut self.child, STOP_LIMIT).is_none() {
            let _ = self.child.kill(); // --kill-child passes it on; it fails only if the child is gone, which is fine
            let _ = self.child.wait();
        }
    }
}

/// Starts a daemon on 127.0.0.1 and returns when it has answered. `directory` is for it alone: its configuration,
/// keys, data and output (`output.log`) are put there. It becomes readable for all users, because many daemons change
/// to another. Two that are started at the same time need different ports.
///
/// # Errors
/// The program is absent, the port is taken, this process is not root, the daemon ended, or it did not answer in time;
/// with the end of what it wrote.
pub(crate) fn start(daemon: &'static Daemon, directory: &Path, port: u16) -> Result<Running, String> {
    if let Some(absent) = daemon.missing() {
        return Err(format!("{}: {} is absent, install {absent}", daemon.name, daemon.binary));
    }
    // Whoever holds the port already would be taken for the daemon.
    if ports::taken(port) {
        return Err(format!("{}: port {port} is taken", daemon.name));
    }
    let explain = |reason: String| format!("{} on port {port}: {reason}{}", daemon.name, last_output(directory));
    let version = daemon.version().map_err(&explain)?;
    write_files(daemon, directory, port).map_err(|error| explain(format!("cannot write its files: {error}")))?;
    let child = spawn(daemon, directory, port).map_err(|error| explain(format!("cannot start it: {error}")))?;
    let mut running = Running { daemon, child, port, banner: Vec::new(), version };
    running.banner = first_answer(&mut running).map_err(explain)?;
    Ok(running)
}

fn write_files(daemon: &Daemon, directory: &Path, port: u16) -> std::io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    for (name, text) in daemon.files {
        fs::write(directory.join(name), text.replace("@PORT@", &port.to_string()))?;
    }
    fs::write(directory.join("run.sh"), format!("{HELPERS}\n{}\n", daemon.run))
}

fn spawn(daemon: &Daemon, directory: &Path, port: u16) -> std::io::Result<Child> {
    let output = File::create(output_path(directory))?;
    let path = std::env::join_paths(package::directories()).map_err(std::io::Error::other)?;
    Command::new("unshare")
        .args(["--fork", "--kill-child", "--pid", "--mount", "--mount-proc", "--ipc", "--uts"])
        .args(["--", "sh", "-c", INSIDE, "inside"])
        .env_clear()
        .env("PATH", path)
        .env("LC_ALL", "C")
        .env("HOME", "/srv")
        .env("DIR", directory.canonicalize()?)
        .env("PORT", port.to_string())
        .env("INSIDE", daemon.inside.unwrap_or_default())
        .env("SOCKET", if daemon.transport == Transport::Tcp { "tcp" } else { "udp" })
        .stdin(Stdio::piped())
        .stderr(output.try_clone()?)
        .stdout(output)
        .spawn()
}

/// Asks again and again until it answers, ends, or the time is over.
fn first_answer(running: &mut Running) -> Result<Vec<u8>, String> {
    let caller = match running.daemon.transport {
        Transport::Tcp => None,
        Transport::Udp => Some(caller().map_err(|error| format!("no UDP socket: {error}"))?),
    };
    let deadline = Instant::now() + START_LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = running.child.try_wait().map_err(|error| format!("cannot wait for it: {error}"))? {
            return Err(format!("it ended with {status}"));
        }
        let answer = match &caller {
            None => ask_tcp(running.daemon, running.port),
            Some(socket) => ask_udp(socket, running.daemon, running.port),
        };
        match answer {
            Ok(bytes) if !bytes.is_empty() => return Ok(bytes),
            _ => pause(), // refused, reset or silent: not there yet
        }
    }
    Err(format!("no answer within {} s", START_LIMIT.as_secs()))
}

/// One question and the first bytes of the answer; empty if the other side closed without a word.
#[expect(clippy::disallowed_methods, reason = "asks the daemon that this harness started, on loopback")]
fn ask_tcp(daemon: &Daemon, port: u16) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&loopback(port), ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(daemon.hello)?;
    let mut answer = vec![0; BANNER_LIMIT];
    let length = stream.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// Asks once; the answer may be to an earlier question, as the socket stays the same.
#[expect(clippy::disallowed_methods, reason = "asks the daemon that this harness started, on loopback")]
fn ask_udp(socket: &UdpSocket, daemon: &Daemon, port: u16) -> std::io::Result<Vec<u8>> {
    socket.send_to(daemon.hello, loopback(port))?;
    let mut answer = vec![0; BANNER_LIMIT];
    let (length, _) = socket.recv_from(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

/// Not connected to the daemon's port: TFTP answers from another.
fn caller() -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(loopback(0))?;
    socket.set_read_timeout(Some(UDP_PATIENCE))?;
    Ok(socket)
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Err(error) if error.kind() != ErrorKind::Interrupted => return None,
            _ if Instant::now() >= deadline => return None,
            _ => pause(),
        }
    }
}

/// Between two looks; whoever calls it counts the time and gives up.
#[expect(clippy::disallowed_methods, reason = "another process tells nobody when its port or its exit is ready")]
fn pause() {
    std::thread::sleep(POLL);
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn output_path(directory: &Path) -> PathBuf {
    directory.join("output.log")
}

/// The last lines that the daemon wrote, for an error message.
fn last_output(directory: &Path) -> String {
    let bytes = fs::read(output_path(directory)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
    if last.is_empty() { String::new() } else { format!("; it wrote:\n  {}", last.join("\n  ")) }
}
