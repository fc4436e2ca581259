//! What is installed: programs and package versions.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `.ci/daemons.sh` unpacks packages that cannot be installed beside one another.
const UNPACKED: &str = "/opt/hinomi-daemons";

/// Whether no program of that name is on this machine.
pub(crate) fn missing(binary: &str) -> bool {
    !directories().iter().any(|directory| directory.join(binary).is_file())
}

/// Where daemons are: the system's directories, PostgreSQL's own, then the unpacked packages.
pub(super) fn directories() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from).into();
    found.extend(children(Path::new("/usr/lib/postgresql")).into_iter().map(|version| version.join("bin")));
    for package in children(&unpacked()) {
        found.push(package.join("usr/sbin"));
    }
    found
}

/// The upstream version of a package that is installed or unpacked.
///
/// # Errors
/// It is neither.
pub(super) fn upstream(package: &str) -> Result<String, String> {
    full_version(package).map(|full| upstream_of(&full).to_owned())
}

/// A Debian version without its epoch, its revision, and the `+dfsg` or `+ds` that says files were left out.
pub(super) fn upstream_of(full: &str) -> &str {
    let no_epoch = full.split_once(':').map_or(full, |(_, rest)| rest);
    let no_revision = no_epoch.rsplit_once('-').map_or(no_epoch, |(version, _)| version);
    let end = ["+dfsg", "+ds"].iter().filter_map(|mark| no_revision.find(mark)).min();
    end.and_then(|end| no_revision.get(..end)).unwrap_or(no_revision)
}

fn full_version(package: &str) -> Result<String, String> {
    if let Ok(version) = std::fs::read_to_string(unpacked().join(format!("{package}.version"))) {
        return Ok(version.trim().to_owned());
    }
    let answer = Command::new("dpkg-query")
        .args(["-W", "-f", "${Version}", package])
        .output()
        .map_err(|error| format!("dpkg-query: {error}"))?;
    let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if version.is_empty() { Err(format!("package {package} is not installed")) } else { Ok(version) }
}

fn unpacked() -> PathBuf {
    std::env::var_os("HINOMI_UNPACKED").map_or_else(|| PathBuf::from(UNPACKED), PathBuf::from)
}

/// The entries of a directory in order; none if it is not there.
fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    paths.sort();
    paths
}
