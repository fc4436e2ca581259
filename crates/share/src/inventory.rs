//! The cryptography inventory: how far key exchange is on the way to post-quantum, which versions, keys and signatures
//! are in use, which certificates end soon, what is weak.
//!
//! Everything is counted by searches that anybody can repeat: each [`Row`] carries its own. So it says no more than the
//! viewer may know, and no less than the page that a link leads to.
//! At a hundred times the data: eight searches that count and return no service.

use hinomi_lake::search::{FacetCount, FacetRequest, MAX_FACET_VALUES, SearchRequest};
use hinomi_model::Timestamp;
use hinomi_model::crypto::{PostQuantum, WEAKNESSES};
use serde::Serialize;

use crate::ask::term;
use crate::policy::{ReadError, Reader};

/// The most values of one list; what is weak is never cut.
const MAX_ROWS: usize = 24;

/// What is counted by value: the list's name, and the field.
const LISTS: &[(&str, &str)] = &[
    ("versions", "tls.version"),
    ("groups", "tls.group"),
    ("suites", "tls.cipher"),
    ("keys", "cert.key"),
    ("signatures", "cert.signature"),
    ("ssh-exchanges", "ssh.kex"),
    ("ssh-keys", "ssh.key"),
    ("weak", "weak"),
];

/// What is counted of certificates: a name, and the search.
const CERTIFICATES: &[(&str, &str)] = &[
    ("expired", "cert.expires:<0d"),
    ("within-7-days", "cert.expires:0d..7d"),
    ("within-30-days", "cert.expires:0d..30d"),
    ("within-90-days", "cert.expires:0d..90d"),
    ("self-signed", "tag:self-signed"),
];

/// Who is asked how far it is: a name, and the search.
const ASKED: &[(&str, &str)] = &[("tls", "has:tls"), ("ssh", "protocol:ssh")];

/// What is known of the cryptography of everything that is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// How far key exchange is on the way, of TLS and of SSH.
    pub readiness: Vec<Readiness>,
    /// Counts by value, under the name of what is counted.
    pub lists: Vec<List>,
}

/// How far the services of one protocol are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// `tls` or `ssh`.
    pub name: &'static str,
    /// All of them.
    pub total: u64,
    /// By [`PostQuantum`], worst first, and last those of which it is `unknown`.
    pub rows: Vec<Row>,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct List {
    /// What is counted, as `versions`.
    pub name: &'static str,
    /// How many values there are, as far as they are counted (1,000); those beyond the rows are not listed.
    pub total: usize,
    /// The most frequent first; certificates in the order of time.
    pub rows: Vec<Row>,
}

impl List {
    /// How many values a list that shows so many rows leaves out; rows that count nothing are not shown.
    pub fn left_out(&self, shown: usize) -> usize {
        let empty = self.rows.iter().filter(|row| row.count == 0).count();
        self.total.saturating_sub(empty + shown)
    }
}

/// One number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What has it.
    pub value: String,
    /// The search behind it.
    pub query: String,
    /// How many services.
    pub count: u64,
    /// Who says that this is weak, in the list of what is weak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
}

/// Counts what this reader may see, at this moment.
///
/// # Errors
/// When the lake cannot be read.
pub fn inventory(reader: &Reader, now: Timestamp) -> Result<Inventory, ReadError> {
    let readiness = ASKED.iter().map(|(name, query)| readiness(reader, now, name, query));
    let mut lists = lists(reader, now)?;
    let weak = lists.pop();
    lists.push(certificates(reader, now)?);
    lists.extend(weak);
    Ok(Inventory { readiness: readiness.collect::<Result<_, _>>()?, lists })
}

/// The name of every list.
pub fn list_names() -> impl Iterator<Item = &'static str> {
    LISTS.iter().map(|(name, _)| *name).chain(["certificates"])
}

/// What is counted of certificates.
pub fn certificate_names() -> impl Iterator<Item = &'static str> {
    CERTIFICATES.iter().map(|(name, _)| *name)
}

/// A search that counts: how many match, and the values of these fields.
fn count(
    reader: &Reader,
    now: Timestamp,
    query: &str,
    fields: &[&str],
) -> Result<(u64, Vec<Vec<FacetCount>>), ReadError> {
    let facet = |field: &&str| FacetRequest { field: (*field).to_owned(), size: MAX_FACET_VALUES };
    let facets = fields.iter().map(facet).collect();
    let request = SearchRequest { query: query.to_owned(), facets, limit: 0, now, ..SearchRequest::default() };
    let mut page = reader.search(&request)?;
    Ok((page.total, fields.iter().map(|field| page.facets.remove(*field).unwrap_or_default()).collect()))
}

fn readiness(reader: &Reader, now: Timestamp, name: &'static str, query: &str) -> Result<Readiness, ReadError> {
    let (total, mut counted) = count(reader, now, query, &["pq"])?;
    let counted = counted.pop().unwrap_or_default();
    let of = |how: PostQuantum| {
        let found = counted.iter().find(|one| one.value == how.name());
        row(how.name(), format!("{query} pq:{}", how.name()), found.map_or(0, |one| one.count))
    };
    let mut rows: Vec<Row> = PostQuantum::ALL.into_iter().map(of).collect();
    let known: u64 = rows.iter().map(|row| row.count).sum();
    rows.push(row("unknown", format!("{query} NOT has:pq"), total.saturating_sub(known)));
    Ok(Readiness { name, total, rows })
}

fn lists(reader: &Reader, now: Timestamp) -> Result<Vec<List>, ReadError> {
    let fields: Vec<&str> = LISTS.iter().map(|(_, field)| *field).collect();
    let (_, counted) = count(reader, now, "", &fields)?;
    let lists = LISTS.iter().zip(counted);
    Ok(lists.map(|((name, field), counts)| with_sources(list(name, field, &counts))).collect())
}

fn list(name: &'static str, field: &str, counts: &[FacetCount]) -> List {
    let limit = if name == "weak" { counts.len() } else { MAX_ROWS };
    let rows = counts.iter().take(limit).map(|one| row(&one.value, term(field, &one.value), one.count));
    List { name, total: counts.len(), rows: rows.collect() }
}

/// The list of what is weak says who says so.
fn with_sources(mut list: List) -> List {
    for row in list.rows.iter_mut().filter(|_| list.name == "weak") {
        row.source = WEAKNESSES.iter().find(|weakness| weakness.name == row.value).map(|weakness| weakness.source);
    }
    list
}

fn certificates(reader: &Reader, now: Timestamp) -> Result<List, ReadError> {
    let counted = |(value, query): &(&str, &str)| {
        let (total, _) = count(reader, now, query, &[])?;
        Ok(row(value, (*query).to_owned(), total))
    };
    let rows: Vec<Row> = CERTIFICATES.iter().map(counted).collect::<Result<_, ReadError>>()?;
    Ok(List { name: "certificates", total: rows.len(), rows })
}

fn row(value: &str, query: String, count: u64) -> Row {
    Row { value: value.to_owned(), query, count, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_leaves_out_is_counted_and_what_is_weak_is_never_left_out() {
        let many: Vec<FacetCount> =
            (0..30).map(|n| FacetCount { value: format!("v{n}"), count: 30 - n, distinct: None }).collect();
        let suites = list("suites", "tls.cipher", &many);
        assert_eq!((suites.total, suites.rows.len()), (30, MAX_ROWS));
        assert_eq!((suites.left_out(MAX_ROWS), suites.left_out(12)), (6, 18));
        let weak = list("weak", "weak", &many);
        assert_eq!((weak.rows.len(), weak.left_out(30)), (30, 0));
        let rows = vec![row("expired", String::new(), 0), row("self-signed", String::new(), 2)];
        let certificates = List { name: "certificates", total: rows.len(), rows };
        assert_eq!(certificates.left_out(1), 0, "a row that counts nothing is not missing");
    }
}
