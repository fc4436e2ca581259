//! The doors have walls: calls that would lead around them are looked for in the text of every crate.
//!
//! `clippy.toml` bans the same calls by type; this check also sees code that clippy does not compile here, and keeps
//! dependencies out that would open connections on their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The one file that opens connections and sends datagrams to targets.
const PACKET_DOOR: &str = "crates/survey/src/scope/door.rs";

/// The one file that sends whole frames, and what it takes to send them.
const FRAME_DOOR: &str = "crates/survey/src/scope/frames.rs";
const FRAME_CALLS: &[&str] = &["Transmitter"];
/// The sockets themselves: they know no target. Whoever holds one is looked for by [`FRAME_CALLS`].
const FRAME_SOCKETS: &str = "crates/netio/";

/// What opens connections or sends datagrams.
const PACKET_CALLS: &[&str] = &[
    "TcpStream::connect",
    "UnixStream::connect",
    "UdpSocket::connect",
    ".connect_timeout(",
    ".send_to(",
    ".connect(&",
    "connect_addr",
    "sendmmsg",
    "sendmsg",
    "ureq::",
];

/// Files in which such a call is not towards a target, each with the reason.
const EXCUSED: &[(&str, &str)] = &[
    (
        "crates/town/src/listen.rs",
        "the town fills its own listener's queue, on loopback, to be silent like a dead host",
    ),
    (
        "crates/survey/src/outward/sockets.rs",
        "asks this machine's resolver, the page that a scope names before a campaign starts, and for the token that who \
         claims an address put up there (docs/decisions/0018-register.md): nothing goes to a target",
    ),
    (
        "crates/hinomi/src/cli/flow/collect/door.rs",
        "who asks for own lines and the collector that answers meet at a socket in the state folder: nothing is sent",
    ),
    (
        "crates/lake/src/table/store/s3/http.rs",
        "speaks to the object store that the operator named for the lake: nothing goes to a target",
    ),
    (
        "crates/hinomi/src/far.rs",
        "asks servers that people named: who is told of alerts, identity providers, TAXII servers. Nothing goes to a target",
    ),
    (
        "crates/hinomi/src/alerts.rs",
        "tells whoever asked to be told, at the address that they gave: nothing goes to a target",
    ),
    ("crates/hinomi/src/providers.rs", "asks the identity providers that the operator named: nothing goes to a target"),
    (
        "crates/hinomi/src/cli/objects/web.rs",
        "asks the TAXII server that the operator named for what it shares: nothing goes to a target",
    ),
    (
        "crates/state/src/postgres.rs",
        "speaks to the database that the operator named for the state: nothing goes to a target",
    ),
    ("crates/hinomi/src/confine/calls.rs", "names the system calls that a survey may make, and makes none"),
];

/// Crates that would open connections by themselves.
const BANNED_CRATES: &[&str] = &["reqwest", "hyper-util-client", "curl", "isahc", "attohttpc", "minreq"];

pub(crate) fn check(root: &Path) -> Result<()> {
    for file in sources(&root.join("crates"))? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        let excused = EXCUSED.iter().any(|(file, _)| name == *file);
        if name == PACKET_DOOR
            || excused
            || name.starts_with(FRAME_SOCKETS)
            || name.contains("/tests/")
            || name.ends_with("/tests.rs")
        {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            if let Some(call) = PACKET_CALLS.iter().find(|call| line.contains(**call)) {
                bail!("{name}:{}: {call} outside the scope door ({PACKET_DOOR})", number + 1);
            }
            if let Some(call) = FRAME_CALLS.iter().find(|call| name != FRAME_DOOR && line.contains(**call)) {
                bail!("{name}:{}: {call} outside the door for frames ({FRAME_DOOR})", number + 1);
            }
        }
    }
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    for banned in BANNED_CRATES {
        if lock.contains(&format!("name = \"{banned}\"")) {
            bail!("{banned} opens connections past the scope door");
        }
    }
    Ok(())
}

/// Every Rust source file below a folder.
pub(crate) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
