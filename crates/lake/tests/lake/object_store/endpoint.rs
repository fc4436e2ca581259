//! A real S3 endpoint, and state folders whose tables are there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// moto's server, as a process of its own; it ends with its standard input.
pub(crate) struct Endpoint {
    child: Child,
    pub(crate) port: u16,
}

impl Endpoint {
    /// Starts it; none where it is not installed and may be missing.
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("HINOMI_MOTO") else {
            crate::support::stand_aside("HINOMI_MOTO names no Python with moto");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lake/object_store/server.py");
        let mut command = Command::new(python);
        let mut child =
            command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, port: line.trim().parse().expect("the server says its port") })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets the tables of this state folder be in the bucket behind this port.
pub(crate) fn settle(state: &Path, port: u16, patience_seconds: u64) {
    let settings = format!(
        "store = \"s3://lake/a/prefix\"\nendpoint = \"http://127.0.0.1:{port}\"\ncredentials = \"keys.toml\"\n\
         patience_seconds = {patience_seconds}\n"
    );
    fs::create_dir_all(state).unwrap();
    fs::write(state.join("lake.toml"), settings).unwrap();
    fs::write(state.join("keys.toml"), "access_key = \"hinomi\"\nsecret_key = \"not a secret\"\n").unwrap();
}
