//! Processes that the audit starts: the only ones that it looks into.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

/// Between two looks at whether something is so.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a process may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// `hinomi` as a child, killed when it is dropped.
pub(super) struct Started {
    child: Child,
    name: String,
    /// What it says, where the audit searches as well.
    folder: PathBuf,
}

impl Started {
    /// Starts this same program; what it says goes into files of that folder.
    pub(super) fn start(name: &str, folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let program = std::env::current_exe().context("the program does not know its own file")?;
        let file = |end: &str| {
            let path = folder.join(format!("{name}.{end}"));
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(file("out")?).stderr(file("err")?);
        let child = command.spawn().with_context(|| format!("the {name} does not start"))?;
        Ok(Self { child, name: name.to_owned(), folder: folder.to_path_buf() })
    }

    /// Its folder under `/proc`.
    pub(super) fn process(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }

    /// What it has said on stdout.
    pub(super) fn said(&self) -> String {
        self.text("out")
    }

    fn text(&self, end: &str) -> String {
        std::fs::read_to_string(self.folder.join(format!("{}.{end}", self.name))).unwrap_or_default()
    }

    /// Whether the system would write its memory into a file if it broke off.
    pub(super) fn dumps_core(&self) -> Result<bool> {
        let path = self.process().join("limits");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let limits = text.lines().find_map(|line| line.strip_prefix("Max core file size"));
        Ok(!limits.is_some_and(|limits| limits.split_whitespace().take(2).all(|limit| limit == "0")))
    }

    /// # Errors
    /// When it has ended by itself.
    pub(super) fn is_alive(&mut self) -> Result<()> {
        let ended = self.child.try_wait().with_context(|| self.name.clone())?;
        ensure!(ended.is_none(), "the {} ended too early: {}", self.name, self.text("err").trim());
        Ok(())
    }

    /// Asks it to end, as Ctrl-C does, and waits.
    pub(super) fn end(mut self, runtime: &Runtime) -> Result<()> {
        let pid =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("an impossible process number")?;
        kill_process(pid, Signal::INT).with_context(|| format!("the {} cannot be asked to end", self.name))?;
        let child = &mut self.child;
        let status = until(runtime, "it ends", PATIENCE, || Ok(child.try_wait()?))?;
        ensure!(status.success(), "the {} failed: {}", self.name, self.text("err").trim());
        Ok(())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until there is something, for so long by a clock that nobody sets.
pub(super) fn until<T>(
    runtime: &Runtime,
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    // Looking takes long itself where memory is searched. What is there at the last look has come in time.
    let deadline = Instant::now() + patience;
    loop {
        let is_last = Instant::now() >= deadline;
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(!is_last, "{what}: not within {} s", patience.as_secs());
        runtime.block_on(async { tokio::time::sleep(PAUSE).await });
    }
}
