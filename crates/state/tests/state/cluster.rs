//! A PostgreSQL cluster of the test's own: in a temporary folder, on a socket there, as a user that is not root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How many ports are tried.
const PORTS_TRIED: u32 = 5;

/// A running server.
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    /// Its port, on loopback and in the name of its socket.
    pub(crate) port: u16,
}

impl Cluster {
    /// Starts a server with an empty database `hinomi`; none where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            println!("stands aside: PostgreSQL is not installed");
            assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here");
            return None;
        };
        let folder = tempfile::tempdir().expect("what a test of PostgreSQL needs");
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).expect("what a test of PostgreSQL needs");
            // Who connects to the socket must be able to pass.
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
                .expect("what a test of PostgreSQL needs");
        }
        let mut cluster = Self { folder, bin, user, port: 0 };
        let data = cluster.data();
        let made = ["-D", &data, "-U", "hinomi", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"];
        cluster.run("initdb", &made);
        let settings = "fsync = off\nmax_connections = 60\nshared_buffers = 16MB\ntimezone = 'Asia/Tokyo'\n";
        cluster.write("data/postgresql.auto.conf", settings, 0o600);
        cluster.go_anywhere();
        cluster.run("createdb", &["-h", &cluster.folder(), "-p", &cluster.port.to_string(), "-U", "hinomi", "hinomi"]);
        Some(cluster)
    }

    /// Starts the server on a port that is free; on another one where somebody took that before it could.
    pub(crate) fn go_anywhere(&mut self) {
        let mut refused = String::new();
        for _ in 0..PORTS_TRIED {
            self.port = free_port();
            match self.try_to_go("127.0.0.1") {
                Ok(()) => return,
                Err(why) => refused = why,
            }
        }
        panic!("{PORTS_TRIED} ports were tried: {refused}");
    }

    /// Starts the server again on its socket alone, and waits until it answers: its port may be another's by now.
    pub(crate) fn go(&self) {
        self.try_to_go("").expect("PostgreSQL starts");
    }

    fn try_to_go(&self, listen: &str) -> Result<(), String> {
        let options = format!("-k {} -p {} -c listen_addresses='{listen}'", self.folder(), self.port);
        let (data, log) = (self.data(), self.path("log"));
        self.try_to_run("pg_ctl", &["start", "-w", "-t", "60", "-D", &data, "-l", &log, "-o", &options])
    }

    /// Stops the server as a power cut would.
    pub(crate) fn stop(&self) {
        self.run("pg_ctl", &["stop", "-m", "immediate", "-D", &self.data()]);
    }

    /// Has the server read its settings again.
    pub(crate) fn reload(&self) {
        self.run("pg_ctl", &["reload", "-D", &self.data()]);
    }

    /// The address of the database, by its socket.
    pub(crate) fn url(&self) -> String {
        format!("postgres://hinomi@{}:{}/hinomi", self.folder().replace('/', "%2F"), self.port)
    }

    /// The same by loopback.
    pub(crate) fn tcp_url(&self, host: &str) -> String {
        format!("postgres://hinomi@{host}:{}/hinomi", self.port)
    }

    /// Writes a file that belongs to the server.
    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("what a test of PostgreSQL needs");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("what a test of PostgreSQL needs");
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid)).expect("what a test of PostgreSQL needs");
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("what a test of PostgreSQL needs").to_owned()
    }

    fn folder(&self) -> String {
        self.folder.path().to_str().expect("what a test of PostgreSQL needs").to_owned()
    }

    fn data(&self) -> String {
        self.path("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        self.try_to_run(program, arguments).expect("what a test of PostgreSQL needs");
    }

    /// Why not, with what the program and the server said.
    fn try_to_run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        // Into a file: a server that was started would hold a pipe open.
        let talk = self.folder.path().join(format!("talk-{program}"));
        command.stderr(fs::File::create(&talk).expect("what a test of PostgreSQL needs"));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let status = command.status().expect("what a test of PostgreSQL needs");
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let talk = fs::read_to_string(talk).unwrap_or_default();
        status.success().then_some(()).ok_or_else(|| format!("{program} {arguments:?}: {talk}\n{log}"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = Command::new(self.bin.join("pg_ctl"));
        command.args(["stop", "-m", "immediate", "-D", &self.data()]).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        drop(command.current_dir(self.folder.path()).status());
    }
}

/// Free at this moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("what a test of PostgreSQL needs");
    listener.local_addr().expect("what a test of PostgreSQL needs").port()
}

/// The folder of the newest PostgreSQL of this machine.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<_> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    found.retain(|bin| bin.join("initdb").exists() && bin.join("pg_ctl").exists());
    found.sort();
    found.pop()
}

/// Another user than root, which PostgreSQL refuses to be: the owner of what `nobody` owns.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;

    if fs::metadata("/proc/self").expect("what a test of PostgreSQL needs").uid() != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").expect("what a test of PostgreSQL needs");
    let of = |name: &str| {
        let line = accounts.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).map(str::to_owned)?;
        let mut parts = line.split(':').skip(1);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    of("postgres").or_else(|| of("nobody"))
}
