//! Whom and what is believed: the keys of signers, and the scopes that were taken back.
//!
//! Two lists, one entry a line: 64 hexadecimal digits (a public key, a scope's digest) and a name or reason. Surveys read
//! both every second, so a list is replaced whole, under a lock, and keeps its owner and mode. A line that cannot be
//! read is an error and never passed over: it may be the one that takes something back.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};
use hinomi_survey::{PublicKey, Trust};

use super::State;
use crate::books::write_whole;

/// Keys that are believed.
const TRUST: &str = "trust.txt";
/// Scopes that were taken back.
const REVOKED: &str = "revoked.txt";
/// Digits of a key or a digest.
const DIGITS: usize = 64;

impl State {
    /// Whom scopes are believed from: the installation itself for loopback, and the keys of `trust.txt`; and which scopes
    /// are believed no more.
    pub(crate) fn trust(&self) -> Result<Trust> {
        let mut trust = Trust::default();
        if self.dir.join("own.key").exists() {
            trust = trust.own(self.own_key()?.public());
        }
        for (key, name) in self.list(TRUST)? {
            trust = trust.signer(PublicKey::from_text(&key)?, name);
        }
        let revoked = self.list(REVOKED)?;
        Ok(revoked.iter().fold(trust, |trust, (digest, reason)| trust.without(digest, reason)))
    }

    /// Believes a key from now on; tells whether that is new. Believing the same key twice changes nothing.
    pub(crate) fn add_trust(&self, key: PublicKey, name: &str) -> Result<bool> {
        self.add(TRUST, &key.to_string(), name)
    }

    /// Believes a key no more; tells whether it was believed.
    pub(crate) fn distrust(&self, key: PublicKey) -> Result<bool> {
        let key = key.to_string();
        self.change(TRUST, |text| {
            let is_it = |line: &str| matches!(entry(line), Some(Ok((known, _))) if known == key);
            let kept: String = text.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect();
            (text.lines().any(is_it)).then_some(kept)
        })
    }

    /// Takes a scope back: no run goes on under it, and none begins. Tells whether that is new.
    pub(crate) fn revoke(&self, digest: &str, reason: &str) -> Result<bool> {
        self.add(REVOKED, digest, reason)
    }

    fn add(&self, file: &str, digits: &str, words: &str) -> Result<bool> {
        if words.trim().is_empty() || words.contains(['\n', '\r']) {
            bail!("the name or reason must be one line");
        }
        self.change(file, |text| {
            let is_it = |line: &str| matches!(entry(line), Some(Ok((known, _))) if known == digits);
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            (!text.lines().any(is_it)).then(|| format!("{text}{end}{digits} {}\n", words.trim()))
        })
    }

    /// Replaces a list by what `change` makes of it, if it makes anything; tells whether it did.
    fn change(&self, file: &str, change: impl FnOnce(&str) -> Option<String>) -> Result<bool> {
        let path = self.make()?.join(file);
        let lock_path = self.dir.join("trust.lock");
        let lock = File::create(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
        lock.lock().with_context(|| format!("{}", lock_path.display()))?;
        self.list(file)?;
        let Some(text) = change(&text_of(&path)?) else { return Ok(false) };
        let before = fs::metadata(&path).ok();
        write_whole(&path, text.as_bytes())?;
        keep_access(&path, before.as_ref(), &self.dir).with_context(|| format!("{}", path.display()))?;
        self.list(file)?;
        Ok(true)
    }

    /// The entries of a list.
    fn list(&self, file: &str) -> Result<Vec<(String, String)>> {
        let path = self.dir.join(file);
        let text = text_of(&path)?;
        let entries = text.lines().enumerate().filter_map(|(number, line)| Some((number, entry(line)?)));
        entries
            .map(|(number, entry)| {
                entry.map_err(|wrong| anyhow::anyhow!("{}, line {}: {wrong}", path.display(), number + 1))
            })
            .collect()
    }
}

fn text_of(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The entry of a line: digits in small letters, and the words; none of a line that is empty or a remark.
fn entry(line: &str) -> Option<Result<(String, String), &'static str>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (digits, words) = line.split_once(char::is_whitespace).unwrap_or((line, "unnamed"));
    if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(Err("64 hexadecimal digits are expected, and after a space a name or reason"));
    }
    Some(Ok((digits.to_ascii_lowercase(), words.trim().to_owned())))
}

/// A list that root has changed stays readable for those whose folder it is.
#[cfg(unix)]
fn keep_access(path: &Path, before: Option<&fs::Metadata>, folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    let (is, owner) = (fs::metadata(path)?, fs::metadata(folder)?);
    let (uid, gid) = before.map_or((owner.uid(), owner.gid()), |before| (before.uid(), before.gid()));
    if (is.uid(), is.gid()) != (uid, gid) {
        chown(path, Some(uid), Some(gid))?;
    }
    let mode = before.map_or(0o644, |before| before.mode() & 0o777);
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_access(_: &Path, _: Option<&fs::Metadata>, _: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_every_entry_and_a_line_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::locate(Some(folder.path().to_owned())).expect("a folder");
        let (first, second) = ("a".repeat(64), "b".repeat(64));
        // As an editor leaves it: capitals, a tab, no end of line.
        fs::write(folder.path().join(REVOKED), format!("# old\n\n{}\tby hand", first.to_uppercase())).expect("written");
        assert!(!state.revoke(&first, "again").expect("known"));
        assert!(state.revoke(&second, "by mistake").expect("new"));
        let listed = state.list(REVOKED).expect("read");
        assert_eq!(listed, [(first, "by hand".to_owned()), (second, "by mistake".to_owned())]);
        let key = PublicKey::from_text(&"c".repeat(64)).expect("a key");
        fs::write(folder.path().join(TRUST), format!("{} x", "C".repeat(64))).expect("written");
        assert!(state.distrust(key).expect("was trusted"), "in capitals too");
        assert!(!state.distrust(key).expect("no more"));
        fs::write(folder.path().join(TRUST), "abc x\n").expect("written");
        let told = state.trust().expect_err("unreadable").to_string();
        assert!(told.contains("line 1: 64 hexadecimal digits"), "{told}");
    }
}
