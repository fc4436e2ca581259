//! Saved queries: what people decided to be told about. `watch/queries.json` in the state folder.
//!
//! The file is replaced as a whole, by one process at a time (`watch/lock`); who reads sees the old or the new one.
//! A number is never given twice, so that old events name no other query. At a hundred times the data: ten megabytes
//! for [`MAX_QUERIES`], written when a person changes one.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use hinomi_model::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::error::LakeError;
use crate::query::{Node, Test, parse};

/// Name of the file.
pub(super) const FILE_NAME: &str = "queries.json";

/// The most saved queries.
pub const MAX_QUERIES: usize = 100_000;

/// The most saved queries with regular expressions: each is compiled and stays in memory, and all of them are asked in
/// the step that stores.
pub(super) const MAX_WITH_EXPRESSIONS: usize = 2_000;

/// The most bytes that all of these take when compiled.
pub(super) const MAX_EXPRESSION_BYTES: usize = 64 << 20;

/// The longest name and the longest owner, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// The most prefixes that one query is kept to.
pub const MAX_WITHIN: usize = 256;

/// Version of the file.
const FORMAT: u64 = 1;

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A saved query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// Its number, which events tell.
    pub id: u64,
    /// What people call it; no two have the same.
    pub name: String,
    /// The query, in its canonical form.
    pub query: String,
    /// Whose it is.
    pub owner: String,
    /// When it was saved.
    pub created: Timestamp,
    /// What its owner may see; absent is everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<IpNet>>,
}

/// A query to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewWatch {
    /// What people will call it.
    pub name: String,
    /// The query.
    pub query: String,
    /// Whose it is.
    pub owner: String,
    /// What its owner may see; absent is everything.
    pub within: Option<Vec<IpNet>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: u64,
    /// The number of the next one.
    next: u64,
    queries: Vec<Saved>,
}

#[derive(Deserialize)]
struct Version {
    format: u64,
}

/// When and how large the file is: whether it is another one.
pub(super) type Stamp = Option<(std::time::SystemTime, u64)>;

/// Which file stands there.
pub(super) fn stamp(folder: &Path) -> Stamp {
    let found = fs::metadata(folder.join(FILE_NAME)).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Every saved query, by number.
pub(super) fn read(folder: &Path) -> Result<Vec<Saved>, LakeError> {
    Ok(content(folder)?.queries)
}

/// Saves a query.
pub(super) fn add(folder: &Path, new: &NewWatch, now: Timestamp) -> Result<Saved, LakeError> {
    let refuse = |detail: String| LakeError::Unfit { detail };
    check_text("a name", &new.name)?;
    check_text("an owner", &new.owner)?;
    if new.within.as_ref().is_some_and(|nets| nets.len() > MAX_WITHIN) {
        return Err(refuse(format!("a saved query is kept to at most {MAX_WITHIN} prefixes")));
    }
    let parsed = parse(&new.query)?;
    let query = parsed.to_string();
    let _lock = Lock::take(folder)?;
    let mut content = content(folder)?;
    if content.queries.len() >= MAX_QUERIES {
        return Err(refuse(format!("there are {MAX_QUERIES} saved queries, and no more are taken; remove some first")));
    }
    if content.queries.iter().any(|one| one.name == new.name) {
        return Err(refuse(format!(
            "there is a saved query named {:?}; remove it first, or take another name",
            new.name
        )));
    }
    check_expressions(parsed.filter.as_ref(), &content.queries, (MAX_WITH_EXPRESSIONS, MAX_EXPRESSION_BYTES))?;
    let (name, owner, within) = (new.name.clone(), new.owner.clone(), new.within.clone());
    let saved = Saved { id: content.next, name, query, owner, created: now, within };
    content.next += 1;
    content.queries.push(saved.clone());
    write(folder, &content)?;
    Ok(saved)
}

/// Refuses a query whose regular expressions are too many, or too large, beside those that are saved.
pub(super) fn check_expressions(
    new: Option<&Node>,
    queries: &[Saved],
    (most, most_bytes): (usize, usize),
) -> Result<(), LakeError> {
    let bytes = expression_bytes(new);
    if bytes == 0 {
        return Ok(());
    }
    let may = |one: &&Saved| one.query.contains("text:") && one.query.contains('/');
    let parsed = queries.iter().filter(may).filter_map(|one| parse(&one.query).ok());
    let sizes = parsed.map(|query| expression_bytes(query.filter.as_ref())).filter(|bytes| *bytes > 0);
    let (count, sum) = sizes.fold((0, bytes), |(count, sum), bytes| (count + 1, sum + bytes));
    let refuse = |what: String| {
        let detail = format!(
            "there are {what}, and no more are taken; write text:\"characters\" in place of text:/expression/, or remove \
             some first"
        );
        Err(LakeError::Unfit { detail })
    };
    if count >= most {
        return refuse(format!("{count} saved queries with regular expressions"));
    }
    if sum > most_bytes {
        return refuse(format!("saved queries whose regular expressions take {} bytes", sum - bytes));
    }
    Ok(())
}

/// How large the regular expressions of a query are, compiled.
fn expression_bytes(filter: Option<&Node>) -> usize {
    filter.map_or(0, |node| match node {
        Node::All(parts) | Node::Any(parts) => parts.iter().map(|part| expression_bytes(Some(part))).sum(),
        Node::Not(part) => expression_bytes(Some(part)),
        Node::Clause(clause) => {
            let size = |test: &Test| if let Test::Matches(expression) = test { expression.compiled_bytes() } else { 0 };
            clause.tests.iter().map(size).sum()
        }
    })
}

/// Removes the query of this name; tells whether there was one.
pub(super) fn remove(folder: &Path, name: &str) -> Result<bool, LakeError> {
    if stamp(folder).is_none() {
        return Ok(false);
    }
    let _lock = Lock::take(folder)?;
    let mut content = content(folder)?;
    let before = content.queries.len();
    content.queries.retain(|one| one.name != name);
    let found = content.queries.len() < before;
    if found {
        write(folder, &content)?;
    }
    Ok(found)
}

fn check_text(what: &str, text: &str) -> Result<(), LakeError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= MAX_NAME_CHARS && !text.chars().any(char::is_control);
    let detail = format!("{what} has 1 to {MAX_NAME_CHARS} characters on one line");
    if fits { Ok(()) } else { Err(LakeError::Unfit { detail }) }
}

fn content(folder: &Path) -> Result<Content, LakeError> {
    let path = folder.join(FILE_NAME);
    let bytes = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Content { format: FORMAT, next: 1, queries: Vec::new() });
        }
        Ok(found) if found.len() > MAX_FILE_BYTES => return Err(damaged(&path, &"it is too large")),
        _ => fs::read(&path).map_err(LakeError::io("reading", &path))?,
    };
    let version: Version = serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))?;
    if version.format > FORMAT {
        let what = path.display().to_string();
        return Err(LakeError::TooNew { what, found: version.format, known: FORMAT });
    }
    serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))
}

fn damaged(path: &Path, detail: &dyn std::fmt::Display) -> LakeError {
    let detail = format!("{detail}; mend it, or move it away to begin without saved queries");
    LakeError::Damaged { what: path.display().to_string(), detail }
}

fn write(folder: &Path, content: &Content) -> Result<(), LakeError> {
    let refuse = |error: serde_json::Error| LakeError::Unfit { detail: error.to_string() };
    let mut bytes = serde_json::to_vec_pretty(content).map_err(refuse)?;
    bytes.push(b'\n');
    let (path, fresh) = (folder.join(FILE_NAME), folder.join("queries.json.tmp"));
    let written = File::create(&fresh).and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()));
    written.map_err(LakeError::io("writing", &fresh))?;
    fs::rename(&fresh, &path).map_err(LakeError::io("replacing", &path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(LakeError::io("writing", folder))
}

/// Held while the file is being changed.
struct Lock {
    _file: File,
}

impl Lock {
    fn take(folder: &Path) -> Result<Self, LakeError> {
        fs::create_dir_all(folder).map_err(LakeError::io("creating", folder))?;
        let path: PathBuf = folder.join("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(LakeError::io("opening", &path))?;
        file.lock().map_err(LakeError::io("locking", &path))?;
        Ok(Self { _file: file })
    }
}
