//! Apache Spark as the engine of a pass.
//!
//! A small driver in Python (`spark.py`) is started beside this process. On its standard input it gets one line of JSON with
//! everything, so that nothing of it stands among the arguments of a process; it answers with frames of merged rows. Its
//! executors run this program over their shares. Keys of a bucket never go through Spark: each machine has its own.
//!
//! At a hundred times the data: Spark schedules, retries, spills; this process sees merged rows only.

use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use hinomi_lake::LakeError;
use hinomi_lake::pass::{Engine, Gather, Task};
use serde_json::json;

use crate::output;

/// The driver.
const DRIVER: &str = include_str!("spark.py");

/// What the driver puts before a reason that people shall read.
const REASON: &str = "hinomi-reason:";

/// The most bytes of what the driver and Spark say that are kept.
const MAX_TALK_BYTES: usize = 1 << 20;

/// Where Spark is, and how it is asked.
#[derive(Debug, Args)]
pub(crate) struct SparkOptions {
    /// With --engine spark: the cluster, as spark://host:port, or local[N] for this machine.
    #[arg(long, value_name = "URL")]
    master: Option<String>,
    /// With --engine spark: a Python with pyspark, pyarrow and pandas [default: HINOMI_SPARK_PYTHON, or python3].
    #[arg(long, value_name = "FILE")]
    spark_python: Option<PathBuf>,
    /// With --engine spark: this program as the executors' machines have it [default: the path of this one].
    #[arg(long, value_name = "FILE")]
    executor: Option<PathBuf>,
    /// With --engine spark: a setting of Spark, as spark.executor.memory=4g; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    spark_conf: Vec<(String, String)>,
}

impl SparkOptions {
    /// Whether anything of it was given.
    pub(crate) const fn is_asked(&self) -> bool {
        self.master.is_some() || self.spark_python.is_some() || self.executor.is_some() || !self.spark_conf.is_empty()
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Result<Spark> {
        let named = self.spark_python.clone().or_else(|| std::env::var_os("HINOMI_SPARK_PYTHON").map(PathBuf::from));
        let own = || std::env::current_exe().context("the path of this program is not known; name it with --executor");
        Ok(Spark {
            master: self.master.clone().context("--engine spark wants --master spark://host:port, or local[N]")?,
            python: named.unwrap_or_else(|| "python3".into()),
            executor: self.executor.clone().map_or_else(own, Ok)?,
            conf: self.spark_conf.clone(),
        })
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a setting is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The engine.
pub(crate) struct Spark {
    master: String,
    python: PathBuf,
    executor: PathBuf,
    conf: Vec<(String, String)>,
}

impl Engine for Spark {
    fn name(&self) -> &'static str {
        "spark"
    }

    fn run(&self, task: &Task<'_>, gather: &Gather<'_>) -> Result<(), LakeError> {
        let order = self.order(task)?;
        let mut driver = self.start()?;
        let (stdin, stdout, stderr) =
            (driver.child.stdin.take(), driver.child.stdout.take(), driver.child.stderr.take());
        let (taken, talk, told) = std::thread::scope(|scope| {
            let listening = scope.spawn(move || stderr.map(listen).unwrap_or_default());
            let telling = scope.spawn(move || stdin.map(|stdin| tell(stdin, &order)));
            let taken = stdout.map(|stdout| gather.take_frames(BufReader::with_capacity(1 << 18, stdout)));
            if !matches!(taken, Some(Ok(()))) {
                // Whether it failed or we did: it has nothing more to say.
                driver.end();
            }
            (taken, listening.join().unwrap_or_default(), telling.join())
        });
        let status = driver.child.wait().map_err(io("waiting for Spark's driver"))?;
        // Until here the driver knows by its open input that we are there.
        drop(told);
        match taken {
            Some(Ok(())) if status.success() => Ok(()),
            Some(Err(error)) if talk.trim().is_empty() => Err(error),
            _ => Err(LakeError::Unfit { detail: reason(&talk) }),
        }
    }
}

impl Spark {
    fn order(&self, task: &Task<'_>) -> Result<String, LakeError> {
        let executor = self.executor.to_str().map(ToOwned::to_owned);
        let detail = || "the path of the executors' program is not text; name another with --executor".to_owned();
        let order = json!({
            "master": self.master,
            "name": format!("hinomi {}", task.job().name()),
            "executor": executor.ok_or_else(|| LakeError::Unfit { detail: detail() })?,
            "conf": self.conf,
            "columns": task.columns(),
            "header": task.header()?,
            "shares": task.shares()?,
        });
        Ok(format!("{order}\n"))
    }

    fn start(&self) -> Result<Driver, LakeError> {
        let mut command = Command::new(&self.python);
        command.args(["-c", DRIVER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let started = command.spawn().map_err(|error| LakeError::Unfit {
            detail: format!(
                "{} does not start: {error}; name a Python with pyspark by --spark-python or HINOMI_SPARK_PYTHON",
                self.python.display()
            ),
        });
        started.map(|child| Driver { child })
    }
}

/// Spark's driver; it ends with us.
struct Driver {
    child: Child,
}

impl Driver {
    fn end(&mut self) {
        // The Java process of Spark ends when the driver's end of its pipe closes.
        let _ = self.child.kill();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
        let _ = self.child.wait();
    }
}

fn tell(mut stdin: ChildStdin, order: &str) -> ChildStdin {
    // A driver that is gone says why on its own.
    let _ = stdin.write_all(order.as_bytes());
    stdin
}

/// What the driver says, to its end; the last of it is kept.
fn listen(mut stderr: ChildStderr) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 8_192]);
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if kept.len() > 2 * MAX_TALK_BYTES {
            kept.drain(..kept.len() - MAX_TALK_BYTES);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The reason that the driver gave, or the last lines that were said.
fn reason(talk: &str) -> String {
    let told = talk.lines().rev().find_map(|line| line.split_once(REASON)).map(|(_, reason)| reason.trim());
    let lines: Vec<&str> = talk.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
    let last = || lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
    output::clean_line(&format!("Spark: {}", told.map_or_else(last, ToOwned::to_owned)), 2_000)
}

fn io(what: &str) -> impl FnOnce(std::io::Error) -> LakeError {
    let what = what.to_owned();
    move |source| LakeError::Io { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_what_spark_says() {
        let talk = "WARN one\nhinomi-reason: other rules\nat java.lang\n";
        assert_eq!(reason(talk), "Spark: other rules");
        assert_eq!(reason("a\n\nb\u{1b}[1m\n"), "Spark: a | b\\x1b[1m");
        assert!(setting("spark.x").is_err());
        assert_eq!(setting("spark.x=a=b"), Ok(("spark.x".to_owned(), "a=b".to_owned())));
    }
}
