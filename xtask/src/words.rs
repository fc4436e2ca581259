//! Sizes and words that reviews should not have to look for.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::doors::sources;

/// A source file longer than this is cut in two. Tables of facts and tests are exempt.
const MAX_LINES: usize = 420;

/// Files that are tables.
const TABLES: &[&str] = &["crates/wire/src/tls/names.rs", "crates/model/src/scope.rs"];

pub(crate) fn check(root: &Path) -> Result<()> {
    for file in sources(&root.join("crates"))? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        if TABLES.contains(&name.as_str()) || name.contains("/tests/") || name.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().count();
        if lines > MAX_LINES {
            bail!("{name} has {lines} lines; cut it where its ideas part ({MAX_LINES} at most)");
        }
        let documented = text.starts_with("//!") || text.starts_with("#!") || text.starts_with("// @generated");
        if !documented {
            bail!("{name} does not say what it is for: begin it with //!");
        }
    }
    Ok(())
}
