//! Older versions of objects, in a bucket that keeps them: what is deleted there is only hidden.
//!
//! Specification: Amazon S3 API reference, `ListObjectVersions`, `DeleteObject` with `versionId`. Versions that are not
//! the newest are deleted; of an object that was deleted these are all that hold bytes. The marks of deletions stay: they
//! hold a name and nothing else, and taking one away would bring back what a listing left out. A bucket without versions
//! lists its objects once, as the newest. At a hundred times the data: a thousand names a request, a request a version.

use super::http::{Answer, Request};
use super::list::{Step, walk};
use super::{MAX_PAGES, S3};
use crate::error::LakeError;

/// What the key must be allowed to do.
const WANTED: &str = "this bucket may keep older versions of what is deleted, and they cannot be listed or deleted: allow \
                      s3:ListBucketVersions and s3:DeleteObjectVersion for this key, or delete older versions yourself";

/// How a store says, with status 400, that it does not know the question. Any other reason may be of the request alone.
const UNKNOWN: &[&str] =
    &["NotImplemented", "MethodNotAllowed", "UnknownOperation", "UnsupportedOperation", "UnsupportedArgument"];

/// One page of a listing of versions.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    versions: Vec<Version>,
    truncated: bool,
    next_key: Option<String>,
    next_version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    key: String,
    id: String,
    newest: bool,
    mark: bool,
}

/// Deletes every version of this folder's objects that is not the newest; how many there were.
pub(super) fn forget(store: &S3, folder: &str, only_look: bool) -> Result<u64, LakeError> {
    let prefix = format!("{}/", store.key(folder));
    let (mut next_key, mut next_version): (Option<String>, Option<String>) = (None, None);
    let mut count = 0;
    for _ in 0..MAX_PAGES {
        let mut query = vec![("prefix", prefix.as_str()), ("versions", "")];
        query.extend(next_key.as_deref().map(|key| ("key-marker", key)));
        query.extend(next_version.as_deref().map(|id| ("version-id-marker", id)));
        query.sort_unstable();
        let request = Request { query: &query, ..store.request("GET", "") };
        let answer = store.client.send(&request)?;
        match answer.status {
            200 => {}
            403 => return Err(store.client.failed(&request, WANTED)),
            _ if is_unknown(&answer) => return Ok(0),
            _ => return Err(store.client.refused(&request, &answer)),
        }
        let page = read(&answer.body).map_err(|why| store.client.failed(&request, &why))?;
        if only_look {
            return Ok(0);
        }
        for old in page.versions.iter().filter(|one| !one.newest && !one.mark && one.key.starts_with(&prefix)) {
            delete(store, old)?;
            count += 1;
        }
        (next_key, next_version) = (page.next_key, page.next_version);
        if !page.truncated || next_key.is_none() {
            return Ok(count);
        }
    }
    Err(LakeError::damaged(prefix, "its listing of versions has no end"))
}

/// Whether the store does not know the question: then it keeps no versions.
fn is_unknown(answer: &Answer) -> bool {
    let is_named = || answer.code().is_some_and(|code| UNKNOWN.contains(&code.as_str()));
    matches!(answer.status, 405 | 501) || (answer.status == 400 && is_named())
}

fn delete(store: &S3, old: &Version) -> Result<(), LakeError> {
    let query = [("versionId", old.id.as_str())];
    let request = Request { query: &query, ..store.request("DELETE", &old.key) };
    let answer = store.client.send(&request)?;
    match answer.status {
        200 | 204 | 404 => Ok(()),
        403 => Err(store.client.failed(&request, WANTED)),
        _ => Err(store.client.refused(&request, &answer)),
    }
}

/// Reads a page; says what is wrong with it.
fn read(body: &[u8]) -> Result<Page, String> {
    let mut page = Page::default();
    walk(body, &mut |step| match step {
        Step::Begins(name @ ("Version" | "DeleteMarker")) => {
            page.versions.push(Version { mark: name == "DeleteMarker", ..Version::default() });
        }
        Step::Begins(_) => {}
        Step::Ends(name, value) => take(&mut page, name, value),
    })?;
    Ok(page)
}

fn take(page: &mut Page, name: &str, value: &str) {
    match (name, page.versions.last_mut()) {
        ("Key", Some(version)) => value.clone_into(&mut version.key),
        ("VersionId", Some(version)) => value.clone_into(&mut version.id),
        ("IsLatest", Some(version)) => version.newest = value == "true",
        ("IsTruncated", _) => page.truncated = value == "true",
        ("NextKeyMarker", _) => page.next_key = Some(value.to_owned()),
        ("NextVersionIdMarker", _) => page.next_version = Some(value.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult><IsTruncated>true</IsTruncated>
        <NextKeyMarker>a/2</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker>
        <Version><Key>a/1</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest></Version>
        <Version><Key>a/2</Key><VersionId>null</VersionId><IsLatest>true</IsLatest></Version>
        <DeleteMarker><Key>a/1</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest></DeleteMarker>
        </ListVersionsResult>"#;

    #[test]
    fn only_a_store_that_does_not_know_the_question_keeps_no_versions() {
        let told = |status: u16, code: &str| {
            let body = format!("<Error><Code>{code}</Code></Error>").into_bytes();
            is_unknown(&Answer { status, etag: None, is_encrypted: false, content_range: None, body })
        };
        assert!(told(405, "") && told(501, "") && told(400, "NotImplemented") && told(400, "UnsupportedArgument"));
        for code in ["RequestTimeout", "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidRequest", ""] {
            assert!(!told(400, code), "{code}");
        }
        assert!(!told(403, "NotImplemented") && !told(500, "NotImplemented"));
    }

    #[test]
    fn versions_marks_and_what_follows_are_read() {
        let page = read(PAGE.as_bytes()).unwrap();
        let told: Vec<_> = page.versions.iter().map(|one| (one.id.as_str(), one.newest, one.mark)).collect();
        assert_eq!(told, [("v1", false, false), ("null", true, false), ("v2", true, true)]);
        assert_eq!(
            (page.truncated, page.next_key.as_deref(), page.next_version.as_deref()),
            (true, Some("a/2"), Some("v9"))
        );
        assert!(read(&PAGE.as_bytes()[..PAGE.len() - 5]).is_err());
    }
}
