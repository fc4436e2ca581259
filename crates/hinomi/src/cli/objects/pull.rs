//! A collection of a TAXII 2.1 server, taken page by page; how far it was read is kept with the state.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::objects::{Report, Shelf};
use hinomi_state::Database;
use serde::Deserialize;

use super::web::{Asker, Credentials};
use super::{Taken, taking, told};
use crate::cli::Common;
use crate::output::{self, clean_line};

/// Objects that are asked for at once.
const PAGE: &str = "500";
/// Pages of one pull; the next goes on.
const MAX_PAGES: usize = 10_000;
/// The most collections of a server that are looked at.
const MAX_COLLECTIONS: usize = 10_000;
/// The longest place to go on from that is sent back.
const MAX_NEXT_CHARS: usize = 8_192;

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// The server's discovery, an API root, or a collection: `https://taxii.example/taxii2/`
    url: String,
    /// Id, alias or title of the collection [default: the only one that can be read].
    #[arg(long, value_name = "COLLECTION")]
    collection: Option<String>,
    /// The name to sign in with.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// A file with the password.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// A file with a key, which is sent as a bearer token.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    key_file: Option<PathBuf>,
    /// Certificates that the server's must rest on, as PEM [default: those that this machine trusts].
    #[arg(long, value_name = "FILE")]
    root_file: Option<PathBuf>,
    /// The server may be at an address of an own network.
    #[arg(long)]
    allow_private: bool,
    /// From the beginning, and not from where the last time ended.
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    taken: Taken,
}

/// What a server says of itself, whatever it was asked.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    api_roots: Option<Vec<String>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(flatten)]
    collection: Option<Collection>,
}

#[derive(Deserialize)]
struct Collections {
    #[serde(default)]
    collections: Vec<Collection>,
}

#[derive(Deserialize)]
struct Collection {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    alias: Option<String>,
    can_read: bool,
}

/// Where to go on.
#[derive(Deserialize)]
struct More {
    #[serde(default)]
    more: bool,
    #[serde(default)]
    next: Option<String>,
}

pub(super) fn run(common: &Common, (shelf, database): (&Shelf, &Database), pull: &Pull) -> Result<()> {
    let credentials = match (&pull.user, &pull.password_file, &pull.key_file) {
        (Some(user), Some(file), _) => Credentials::Password(user, file),
        (_, _, Some(file)) => Credentials::Key(file),
        _ => Credentials::Nobody,
    };
    let asker = Asker::new(&pull.url, &credentials, (pull.root_file.as_deref(), pull.allow_private))?;
    let place = find(&asker, pull)?;
    let source = format!("taxii {}{place}", asker.origin());
    let after = if pull.again { None } else { database.pulled_after(&source)? };
    let report = taking(common, database, (&pull.taken, &source), |terms| {
        walk(&asker, &place, after, &mut |bytes, last| {
            let now = SystemClock.now();
            let report = shelf.give(terms, bytes, now)?;
            if let Some(last) = last {
                database.keep_pulled(&source, last, now)?;
            }
            Ok(report)
        })
    })?;
    told(common, &source, &report)
}

/// The path of the collection.
fn find(asker: &Asker, pull: &Pull) -> Result<String> {
    let begin = asker.place(&pull.url)?;
    let said: Said = read(&asker.get(&begin, &[])?.body)?;
    let root = match (said.api_roots, said.versions, said.collection) {
        (Some(roots), ..) => {
            let root = said.default.or_else(|| roots.into_iter().next());
            asker.place(&root.context("the server names no API root")?)?
        }
        (None, Some(_), _) => begin,
        (None, None, Some(one)) => {
            ensure!(one.can_read, "this collection may not be read");
            return Ok(begin);
        }
        _ => bail!("this is no TAXII 2.1 server: it says nothing of API roots or a collection"),
    };
    let all: Collections = read(&asker.get(&format!("{root}collections/"), &[])?.body)?;
    ensure!(all.collections.len() <= MAX_COLLECTIONS, "the server has more than {MAX_COLLECTIONS} collections");
    let mut readable: Vec<&Collection> = all.collections.iter().filter(|one| one.can_read).collect();
    if let Some(name) = &pull.collection {
        readable.retain(|one| one.id == *name || one.alias.as_ref() == Some(name) || one.title == *name);
    }
    match readable.as_slice() {
        [one] => {
            let plain = one.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            ensure!(plain && !one.id.is_empty(), "the id of this collection is none");
            Ok(format!("{root}collections/{}/", one.id))
        }
        [] => bail!("there is no such collection, or it may not be read"),
        many => {
            let names: Vec<&str> = many.iter().take(20).map(|one| one.title.as_str()).collect();
            bail!("say which with --collection: {}", clean_line(&names.join(", "), 400))
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).context("the server does not answer as TAXII 2.1 does")
}

/// Takes a page, with the date of its last object.
type Take<'a> = dyn FnMut(&[u8], Option<&str>) -> Result<Report> + 'a;

/// Every page, the first added first, each with the date of its last object.
fn walk(asker: &Asker, place: &str, mut after: Option<String>, take: &mut Take<'_>) -> Result<Report> {
    let (mut whole, mut next) = (Report::default(), None::<String>);
    for _ in 0..MAX_PAGES {
        let mut parameters = vec![("limit", PAGE), ("match[version]", "all")];
        parameters.extend(after.as_deref().map(|after| ("added_after", after)));
        parameters.extend(next.as_deref().map(|next| ("next", next)));
        let answer = asker.get(&format!("{place}objects/"), &parameters)?;
        let more: More = read(&answer.body)?;
        let last = answer.last.filter(|last| last.contains('T') && last.parse::<Timestamp>().is_ok());
        let page = take(&answer.body, last.as_deref())?;
        let is_empty = page.total == 0;
        whole.total += page.total;
        whole.known += page.known;
        whole.successes.extend(page.successes);
        whole.failures.extend(page.failures);
        if !more.more {
            return Ok(whole);
        }
        match more.next {
            Some(told) => {
                ensure!(told.len() <= MAX_NEXT_CHARS, "the server's place to go on from is too long");
                ensure!(next.as_ref() != Some(&told) || !is_empty, "the server goes on at the same place for ever");
                next = Some(told);
            }
            // Without a place the date leads on (3.4).
            None => {
                let last = last.context("the server has more and does not say where")?;
                ensure!(after.as_ref() != Some(&last), "the server goes on at the same date for ever");
                (after, next) = (Some(last), None);
            }
        }
    }
    output::talk(&format!("{MAX_PAGES} pages are the most of one pull; the next goes on from here"));
    Ok(whole)
}
