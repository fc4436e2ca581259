//! Every crate that is built in may be: its licence expression can be satisfied by the list in `deny.toml`.
//!
//! `cargo deny` asks the same and more (advisories, bans), but needs the network; this check needs none. It looks at what
//! `Cargo.lock` names for every platform, or for this one where the others' crates were never fetched. Expressions are
//! those of SPDX (annex D of version 2.3), and `A/B` as crates of old wrote `A OR B`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

pub(crate) fn check(root: &Path) -> Result<()> {
    let allowed = allowed(root)?;
    let mut refused = Vec::new();
    for package in packages(root)? {
        let name = package.get("name").and_then(Value::as_str).context("a package without a name")?;
        let licence = package.get("license").and_then(Value::as_str);
        let fits = match licence {
            Some(text) => satisfied(text, &allowed).with_context(|| format!("the licence of {name}: {text:?}"))?,
            None => false,
        };
        if !fits {
            refused.push(format!("{name} ({})", licence.unwrap_or("no licence expression")));
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => bail!("licences that deny.toml does not allow: {}", refused.join(", ")),
    }
}

/// The list of `deny.toml`.
fn allowed(root: &Path) -> Result<BTreeSet<String>> {
    let document: toml::Table = fs::read_to_string(root.join("deny.toml")).context("deny.toml")?.parse()?;
    let list = document.get("licenses").and_then(|licences| licences.get("allow")).and_then(toml::Value::as_array);
    let names = list.context("deny.toml has no licenses.allow")?.iter().filter_map(toml::Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

/// Every package of the lock file that is at hand.
fn packages(root: &Path) -> Result<Vec<Value>> {
    let all = metadata(root, &[]).or_else(|_| metadata(root, &["--filter-platform", &this_platform()?]))?;
    let packages = all.get("packages").and_then(Value::as_array).cloned();
    packages.filter(|packages| !packages.is_empty()).context("cargo metadata names no packages")
}

fn metadata(root: &Path, filter: &[&str]) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let fixed = ["metadata", "--format-version=1", "--locked", "--offline"];
    let output = Command::new(cargo).args(fixed).args(filter).current_dir(root).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn this_platform() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

/// Whether what an expression demands is all allowed.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().map(str::to_owned).collect(), at: 0 };
    let satisfied = words.any_of(allowed)?;
    match words.next() {
        None => Ok(satisfied),
        Some(word) => bail!("{word:?} is more than an expression"),
    }
}

struct Words {
    words: Vec<String>,
    at: usize,
}

impl Words {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<String> {
        self.at += 1;
        self.words.get(self.at - 1).cloned()
    }

    fn any_of(&mut self, allowed: &BTreeSet<String>) -> Result<bool> {
        let mut satisfied = self.all_of(allowed)?;
        while self.peek() == Some("OR") {
            self.at += 1;
            satisfied |= self.all_of(allowed)?;
        }
        Ok(satisfied)
    }

    fn all_of(&mut self, allowed: &BTreeSet<String>) -> Result<bool> {
        let mut satisfied = self.one(allowed)?;
        while self.peek() == Some("AND") {
            self.at += 1;
            satisfied &= self.one(allowed)?;
        }
        Ok(satisfied)
    }

    fn one(&mut self, allowed: &BTreeSet<String>) -> Result<bool> {
        let name = self.next().context("the expression ends too early")?;
        if name == "(" {
            let inner = self.any_of(allowed)?;
            return if self.next().as_deref() == Some(")") { Ok(inner) } else { bail!("a ( is never closed") };
        }
        if matches!(name.as_str(), ")" | "AND" | "OR" | "WITH") {
            bail!("{name} where a licence should stand");
        }
        if self.peek() != Some("WITH") {
            return Ok(allowed.contains(&name));
        }
        self.at += 1;
        let exception = self.next().context("WITH is followed by nothing")?;
        Ok(allowed.contains(&format!("{name} WITH {exception}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_satisfied_by_what_is_allowed() {
        let list = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"];
        let allowed: BTreeSet<_> = list.map(str::to_owned).into();
        for fits in [
            "MIT",
            "GPL-2.0-only OR MIT",
            "MIT/GPL-3.0",
            "Apache-2.0 / MIT / MPL-2.0",
            "(MIT OR MPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(satisfied(fits, &allowed).is_ok_and(|fits| fits), "{fits}");
        }
        for refused in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR MPL-2.0)",
            "Unicode-3.0 WITH LLVM-exception",
            "GPL-2.0-only WITH Classpath-exception-2.0 OR MPL-2.0",
        ] {
            assert!(satisfied(refused, &allowed).is_ok_and(|fits| !fits), "{refused}");
        }
        for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT MIT", "AND MIT", "MIT WITH"] {
            assert!(satisfied(broken, &allowed).is_err(), "{broken}");
        }
    }
}
