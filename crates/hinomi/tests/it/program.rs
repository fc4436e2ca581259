//! Running the program, and ending it whatever happens.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program that was built for this test.
pub(crate) const HINOMI: &str = env!("CARGO_BIN_EXE_hinomi");

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Surveys of whole towns are slow when they run beside one another, and slow services look like silent ones: one such
/// test at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says why a test stands aside; fails where standing aside is a failure.
pub(crate) fn stand_aside(reason: &str) {
    println!("stands aside: {reason}");
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: {reason}");
}

/// A state folder of its own, and the program in it.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// A command with this installation's state folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(HINOMI);
        command.args(arguments).arg("--state").arg(self.state()).stdin(Stdio::null());
        command
    }

    /// Runs to the end, within bounds.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        finish(self.command(arguments), PATIENCE)
    }

    /// Runs, expects success, gives stdout.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hinomi {arguments:?} failed: {talk}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs with `--json`, expects one JSON value.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.succeed(&[arguments, &["--json"]].concat());
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// Runs with `--json`, expects one JSON value a line.
    pub(crate) fn json_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.succeed(&[arguments, &["--json"]].concat());
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// Runs, expects failure, gives stderr.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "hinomi {arguments:?} succeeded");
        String::from_utf8(output.stderr).expect("text")
    }

    /// Starts in the background; gives the first line of stdout too.
    pub(crate) fn start(&self, arguments: &[&str]) -> (Background, String) {
        Background::with_first_line(self.command(arguments))
    }

    /// Writes a scope for these targets, signed with the installation's own key.
    pub(crate) fn scope(&self, name: &str, ranges: &[&str], tcp: &str, udp: &str) -> PathBuf {
        self.scope_for(&["all"], name, ranges, tcp, udp)
    }

    /// The same for these probes.
    pub(crate) fn scope_for(&self, probes: &[&str], name: &str, ranges: &[&str], tcp: &str, udp: &str) -> PathBuf {
        let file = self.path(&format!("{name}.toml"));
        let out = file.to_str().expect("a path");
        let mut arguments = vec!["scope", "new", "--name", name, "--out", out, "--tcp-ports", tcp, "--udp-ports", udp];
        arguments.extend(["--organisation", "Test", "--person", "T. Ester", "--email", "t@example.org"]);
        ranges.iter().for_each(|range| arguments.extend(["--range", range]));
        probes.iter().for_each(|probe| arguments.extend(["--probe", probe]));
        self.succeed(&arguments);
        let text = std::fs::read_to_string(&file).expect("a document");
        let fast = text
            .replace("total_pps = 1000", "total_pps = 60000")
            .replace("per_prefix_pps = 100", "per_prefix_pps = 60000")
            .replace("per_host_pps = 10", "per_host_pps = 2000")
            .replace("per_host_connections = 1", "per_host_connections = 8");
        std::fs::write(&file, fast).expect("written");
        self.succeed(&["scope", "sign", out]);
        file
    }

    /// Every service in the lake.
    pub(crate) fn services(&self) -> Vec<Value> {
        let text = self.succeed(&["export", "--format", "jsonl"]);
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

/// A process that ends with the test.
pub(crate) struct Background {
    child: Child,
}

impl Background {
    pub(crate) const fn of(child: Child) -> Self {
        Self { child }
    }

    /// Starts a command; gives the first line of stdout too.
    pub(crate) fn with_first_line(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut talk = child.stderr.take().expect("piped");
        // A pipe that nobody reads is full one day, and who writes into it waits for ever.
        std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
        let background = Self { child };
        let mut first = String::new();
        lines.read_line(&mut first).expect("a first line");
        (background, first.trim().to_owned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, without a chance to tidy up.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(mut self) {
        wait(&mut self.child, Duration::from_secs(120)).expect("it ends");
    }

    /// Asks it to end, as Ctrl-C does, and waits.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill -INT");
        wait(&mut self.child, Duration::from_secs(120)).and_then(|status| status.code())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end; kills it and fails if it takes longer than it may.
pub(crate) fn finish(mut command: Command, patience: Duration) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let id = child.id();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(patience) {
        Ok(output) => output.expect("ends"),
        Err(_) => {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
            panic!("{command:?} took longer than {patience:?}");
        }
    }
}

fn wait(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        pause();
    }
    None
}

/// Waits until something is so, within bounds.
pub(crate) fn until(what: &str, patience: Duration, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !so() {
        assert!(Instant::now() < end, "{what}: not within {patience:?}");
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "a bounded poll of another process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// The folder with sample data, if it is there.
pub(crate) fn samples() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("HINOMI_DATA").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}
