//! A Spark cluster and an S3 endpoint, as processes that end with the test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::program::Background;

/// How long a process of the cluster may take to be there.
const PATIENCE: Duration = Duration::from_secs(90);

/// moto's server with one bucket.
pub(super) struct Bucket {
    _server: Background,
    port: u16,
}

impl Bucket {
    /// Starts it; none where it is not installed.
    pub(super) fn start() -> Option<Self> {
        let python = std::env::var_os("HINOMI_MOTO")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lake/tests/lake/object_store/server.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("moto starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a port");
        Some(Self { port: line.trim().parse().expect("a port"), _server: Background::of(child) })
    }

    /// Lets the tables of this state folder be in the bucket.
    pub(super) fn settle(&self, state: &Path, secret: &str) {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let settings =
            format!("store = \"s3://lake/passes\"\nendpoint = \"{endpoint}\"\ncredentials = \"keys.toml\"\n");
        fs::create_dir_all(state).expect("made");
        fs::write(state.join("lake.toml"), settings).expect("written");
        let keys = format!("access_key = \"hinomi\"\nsecret_key = \"{secret}\"\n");
        fs::write(state.join("keys.toml"), keys).expect("written");
    }
}

/// One master and two workers.
pub(super) struct Cluster {
    pub(super) python: PathBuf,
    pub(super) master: String,
    workers: Vec<Background>,
    _master: Option<Background>,
    folder: Option<tempfile::TempDir>,
}

impl Cluster {
    /// Starts it; none where Spark or Java is not installed.
    pub(super) fn start() -> Option<Self> {
        let python = PathBuf::from(std::env::var_os("HINOMI_SPARK_PYTHON")?);
        let find = "import os, pandas, pyarrow, pyspark; print(os.path.dirname(pyspark.__file__))";
        let found = Command::new(&python).args(["-c", find]).output().ok().filter(|output| output.status.success())?;
        let spark = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
        Command::new("java").arg("-version").output().ok().filter(|output| output.status.success())?;
        let folder = tempfile::tempdir().expect("a folder");
        let home = |name: &str| folder.path().join(name);
        let class = |role: &str| {
            let mut command = Command::new(spark.join("bin/spark-class"));
            command.arg(format!("org.apache.spark.deploy.{role}")).args([
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--webui-port",
                "0",
            ]);
            command.env("SPARK_HOME", &spark).env("SPARK_LOCAL_IP", "127.0.0.1").env("SPARK_DAEMON_MEMORY", "192m");
            command.env("SPARK_LOCAL_DIRS", home("local"));
            command
        };
        let (first, told) = start(class("master.Master"));
        let line = told.wait_for("Starting Spark master at ");
        let master = line.split_whitespace().last().expect("its address").to_owned();
        told.ignore();
        let worker = |name: &str| {
            let mut command = class("worker.Worker");
            command.args(["--cores", "1", "--memory", "640m", "--work-dir"]).arg(home(name)).arg(&master);
            let (worker, told) = start(command);
            told.wait_for("Successfully registered with master");
            told.ignore();
            worker
        };
        let workers = vec![worker("one"), worker("two")];
        Some(Self { python, master, workers, _master: Some(first), folder: Some(folder) })
    }

    /// The same cluster, for who only asks it.
    pub(super) fn lent(&self) -> Self {
        let (python, master) = (self.python.clone(), self.master.clone());
        Self { python, master, workers: Vec::new(), _master: None, folder: None }
    }

    /// Kills the second worker at once.
    pub(super) fn kill_a_worker(&mut self) {
        drop(self.workers.pop().expect("a worker"));
    }

    /// No file that the workers wrote holds this.
    pub(super) fn assert_nowhere(&self, text: &str) {
        let mut folders: Vec<PathBuf> = self.folder.iter().map(|folder| folder.path().to_owned()).collect();
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            // Spark clears up after a job while we look.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                } else if let Ok(bytes) = fs::read(entry.path()) {
                    files += 1;
                    let found = bytes.windows(text.len()).any(|part| part == text.as_bytes());
                    assert!(!found, "{} holds it", entry.path().display());
                }
            }
        }
        assert!(files > 0, "the workers left their logs");
    }
}

/// What a process says on standard error.
struct Told(Receiver<String>);

impl Told {
    /// The rest of the first line that has this in it.
    fn wait_for(&self, text: &str) -> String {
        let mut last = Vec::new();
        loop {
            let line = self.0.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never said {text:?}: {last:?}"));
            if let Some((_, rest)) = line.split_once(text) {
                return rest.to_owned();
            }
            last.push(line);
        }
    }

    /// Reads on, so that the process never waits for a reader.
    fn ignore(self) {
        std::thread::spawn(move || self.0.iter().for_each(drop));
    }
}

fn start(mut command: Command) -> (Background, Told) {
    let mut child: Child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let lines: ChildStderr = child.stderr.take().expect("piped");
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(lines).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (Background::of(child), Told(receiver))
}
