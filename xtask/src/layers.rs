//! Arrows point one way: which crate may use which.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Every crate with those it may use. What is not here may not be.
const ALLOWED: &[(&str, &[&str])] = &[
    ("hinomi-model", &[]),
    ("hinomi-netio", &[]),
    ("hinomi-wire", &["hinomi-model"]),
    ("hinomi-identify", &["hinomi-model", "hinomi-wire"]),
    ("hinomi-town", &["hinomi-model"]),
    ("hinomi-survey", &["hinomi-model", "hinomi-wire", "hinomi-netio"]),
    ("hinomi-flow", &["hinomi-model", "hinomi-wire"]),
    ("hinomi-lake", &["hinomi-model"]),
    ("hinomi-state", &["hinomi-model"]),
    ("hinomi-share", &["hinomi-model", "hinomi-lake", "hinomi-state"]),
    ("hinomi-web", &["hinomi-model", "hinomi-share", "hinomi-state"]),
    (
        "hinomi",
        &[
            "hinomi-flow",
            "hinomi-identify",
            "hinomi-lake",
            "hinomi-model",
            "hinomi-share",
            "hinomi-state",
            "hinomi-survey",
            "hinomi-town",
            "hinomi-web",
            "hinomi-wire",
        ],
    ),
    ("xtask", &[]),
];

/// Tests may use more: the town to be surveyed or listened to, the decoders its messages are meant for, the real store
/// and rules to run against.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[
    ("hinomi-town", &["hinomi-wire"]),
    ("hinomi-flow", &["hinomi-town"]),
    ("hinomi-survey", &["hinomi-town", "hinomi-lake", "hinomi-identify"]),
    ("hinomi-web", &["hinomi-lake", "hinomi-identify"]),
    ("hinomi-lake", &["hinomi-identify"]),
    ("hinomi-share", &["hinomi-identify"]),
];

pub(crate) fn check(root: &Path) -> Result<()> {
    let packages = packages(root)?;
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let in_tests: BTreeMap<_, _> = ALLOWED_IN_TESTS.iter().copied().collect();
    for package in &packages {
        let name = text(package, "name")?;
        let may = allowed.get(name).with_context(|| format!("{name}: a new room; add it to xtask/src/layers.rs"))?;
        let dependencies = package.get("dependencies").and_then(Value::as_array).cloned().unwrap_or_default();
        for dependency in dependencies.iter().filter(|dependency| dependency.get("path").is_some_and(Value::is_string))
        {
            let used = text(dependency, "name")?;
            let test_only = dependency.get("kind").and_then(Value::as_str) == Some("dev");
            let may_in_tests = in_tests.get(name).is_some_and(|list| list.contains(&used));
            let permitted = may.contains(&used) || (test_only && may_in_tests);
            if !permitted {
                bail!("{name} may not use {used}; see docs on the house, or argue for the arrow in docs/decisions/");
            }
        }
    }
    Ok(())
}

fn packages(root: &Path) -> Result<Vec<Value>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(["metadata", "--format-version=1", "--no-deps"]).current_dir(root).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    metadata.get("packages").and_then(Value::as_array).cloned().context("cargo metadata names no packages")
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("cargo metadata without {key}"))
}
