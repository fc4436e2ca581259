//! Objects in a bucket behind the S3 API.
//!
//! - A commit is one `PUT` with `If-None-Match: *`. Where the answer stays away or says that the name is taken, the object is
//!   read back: the commit stands when its bytes are ours. A store that ignores the condition is refused at the start.
//! - What was sent is compared with the `ETag` (MD5 of the bytes, where the store says it so), what is read again too; ranges
//!   of data files are compared with the sums of their commit.
//! - One writer a prefix, or several servers under one name: it stands in [`OWNER`], put if absent, and is read again before each commit.
//!
//! Specification: Amazon S3 API reference, `GetObject`, `PutObject`, `DeleteObject`, `ListObjectsV2`.
//! At a hundred times the data: a request for each commit and some for each file that is read; see [`block`].

mod block;
mod http;
mod list;
mod remote;
pub(crate) mod settings;
mod sign;
mod versions;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hinomi_model::{Clock, ContentHash};
use md5::{Digest, Md5};

use self::block::{BLOCK_BYTES, Blocks};
use self::http::{Answer, Body, Client, Request};
pub(crate) use self::remote::Remote;
use self::settings::Settings;
use super::{Claim, Input, Listed, Put, Store};
use crate::error::LakeError;

/// The object that says who writes under a prefix.
const OWNER: &str = "hinomi-writer.txt";

/// The object on which the store shows whether it heeds conditions.
const TRIAL: &str = "hinomi-trial.txt";

/// The most bytes of a file that is stored: what the S3 API takes in one `PUT`.
const MAX_FILE_BYTES: u64 = 5 << 30;

/// The most bytes of an answer that is no object.
const MAX_TOLD_BYTES: u64 = 8 << 20;

/// The most pages of a listing: ten million objects.
const MAX_PAGES: u32 = 10_000;

/// The most blocks fetched by one request.
const MAX_RUN_BLOCKS: u64 = 64;

/// For how long an object that no commit speaks of may be on its way into one.
const SETTLED: Duration = Duration::from_secs(24 * 60 * 60);

/// A prefix of a bucket.
#[derive(Debug)]
pub(crate) struct S3 {
    client: Client,
    blocks: Blocks,
    drafts: PathBuf,
    /// Who we are, when we write.
    writer: Option<String>,
}

impl S3 {
    /// The objects under the prefix of these settings. A writer makes sure that it is the only one.
    pub(crate) fn open(
        settings: Settings,
        state: &Path,
        claim: &Claim,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LakeError> {
        let writer = match claim {
            Claim::Nothing => None,
            Claim::Alone => Some(name_of(state, clock.as_ref())?),
            Claim::Shared(name) => Some(name.clone()),
        };
        let client = Client::new(settings, clock);
        let store = Self { client, blocks: Blocks::default(), drafts: state.join("drafts"), writer };
        if store.writer.is_some() {
            store.clear_drafts()?;
            store.try_conditions()?;
            store.claim()?;
        }
        Ok(store)
    }

    fn clear_drafts(&self) -> Result<(), LakeError> {
        // Who opens to write holds the lock of the state folder: drafts there are of a writer that was killed.
        match fs::remove_dir_all(&self.drafts) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LakeError::io("removing", &self.drafts)(error));
            }
            _ => {}
        }
        fs::create_dir_all(&self.drafts).map_err(LakeError::io("creating", &self.drafts))
    }

    fn try_conditions(&self) -> Result<(), LakeError> {
        let again = self.client.settings.bucket.as_bytes();
        let first = self.put(TRIAL, b"first", &[])?;
        if first.status != 200 {
            return Err(self.client.refused(&self.request("PUT", TRIAL), &first));
        }
        let answer = self.put(TRIAL, again, &[("if-none-match", "*")])?;
        if answer.status == 412 {
            return Ok(());
        }
        let request = self.request("PUT", TRIAL);
        Err(self
            .client
            .failed(&request, "this store does not heed If-None-Match, so commits would overwrite each other"))
    }

    fn claim(&self) -> Result<(), LakeError> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let answer = self.put(OWNER, writer.as_bytes(), &[("if-none-match", "*")])?;
        if !matches!(answer.status, 200 | 412) {
            return Err(self.client.refused(&self.request("PUT", OWNER), &answer));
        }
        self.check_owner()
    }

    /// Refuses to go on when another writer has the prefix.
    fn check_owner(&self) -> Result<(), LakeError> {
        let owner = self.get(OWNER, MAX_TOLD_BYTES)?;
        if self.writer.as_ref().map(String::as_bytes) == owner.as_deref() {
            return Ok(());
        }
        let holder = owner.map_or("nobody".to_owned(), |name| {
            String::from_utf8_lossy(&name).chars().filter(|c| !c.is_control()).take(200).collect()
        });
        Err(LakeError::OtherWriter { place: self.place(OWNER).display().to_string(), holder })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.client.settings.prefix)
    }

    const fn request<'a>(&self, method: &'static str, key: &'a str) -> Request<'a> {
        Request { method, key, query: &[], headers: &[], body: Body::Empty, max_bytes: MAX_TOLD_BYTES }
    }

    fn put(&self, name: &str, bytes: &[u8], headers: &[(&'static str, &str)]) -> Result<Answer, LakeError> {
        let key = self.key(name);
        self.client.send(&Request { headers, body: Body::Bytes(bytes), ..self.request("PUT", &key) })
    }

    /// Puts a commit; what is not known for certain is looked up.
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<Put, LakeError> {
        let sent = self.put(name, bytes, &[("if-none-match", "*")]);
        match sent {
            Ok(answer) if answer.status == 200 && tells_sum(&answer, &md5_of(bytes)) => Ok(Put::Done),
            // It stands, but with other bytes: nobody could take it for a commit, and nobody else put it there.
            Ok(answer) if answer.status == 200 => {
                let damaged = self.get(name, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if damaged.is_ok_and(|found| found.as_deref() == Some(bytes)) {
                    return Ok(Put::Done);
                }
                let changed = "the bytes changed on their way";
                // While it stands, what it names must stay too.
                self.delete(name).map_err(|error| LakeError::Unsure {
                    what: self.place(name).display().to_string(),
                    why: format!("{changed}, and it could not be taken back: {error}"),
                })?;
                Err(self.client.failed(&self.request("PUT", &self.key(name)), changed))
            }
            Ok(answer) if answer.status == 412 => self.whose(name, bytes),
            Ok(answer) => Err(self.client.refused(&self.request("PUT", &self.key(name)), &answer)),
            Err(why) => match self.whose_if_there(name, bytes) {
                Ok(Some(put)) => Ok(put),
                // It may still arrive: what it names must stay.
                _ => Err(LakeError::Unsure { what: self.place(name).display().to_string(), why: why.to_string() }),
            },
        }
    }

    fn whose(&self, name: &str, bytes: &[u8]) -> Result<Put, LakeError> {
        let unsure = |why: String| LakeError::Unsure { what: self.place(name).display().to_string(), why };
        let found = self.whose_if_there(name, bytes).map_err(|error| unsure(error.to_string()))?;
        found.ok_or_else(|| unsure("the name is taken, and nothing is there".to_owned()))
    }

    fn whose_if_there(&self, name: &str, bytes: &[u8]) -> Result<Option<Put>, LakeError> {
        let found = self.get(name, super::super::log::MAX_COMMIT_BYTES)?;
        Ok(found.map(|found| if found == bytes { Put::Done } else { Put::Taken }))
    }

    /// Some bytes of an object, and the size of the whole. `range` as in RFC 9110, section 14.1.2.
    fn range(&self, name: &str, range: &str) -> Result<(u64, u64, Bytes), LakeError> {
        let key = self.key(name);
        let headers = [("range", range)];
        let max_bytes = BLOCK_BYTES * MAX_RUN_BLOCKS;
        let request = Request { headers: &headers, max_bytes, ..self.request("GET", &key) };
        let answer = self.client.send(&request)?;
        if answer.status == 404 {
            return Err(LakeError::damaged(
                self.place(name).display().to_string(),
                "the log names it, and it is not there",
            ));
        }
        let stated = answer.content_range.as_deref().and_then(parse_range).filter(|_| answer.status == 206);
        let Some((start, beyond, whole)) = stated else { return Err(self.client.refused(&request, &answer)) };
        if beyond.checked_sub(start) != u64::try_from(answer.body.len()).ok() {
            return Err(self.client.failed(&request, "the answer has not the bytes that it says"));
        }
        Ok((start, whole, answer.body.into()))
    }

    fn upload(&self, name: &str, path: &Path) -> Result<u64, LakeError> {
        let (bytes, sha256, md5) = sums_of(path)?;
        let key = self.key(name);
        let request = Request { body: Body::File(path, bytes, &sha256), ..self.request("PUT", &key) };
        if bytes > MAX_FILE_BYTES {
            return Err(self.client.failed(&request, "the file is larger than the S3 API takes at once"));
        }
        for _ in 0..2 {
            let answer = self.client.send(&request)?;
            if answer.status != 200 {
                return Err(self.client.refused(&request, &answer));
            }
            if tells_sum(&answer, &md5) {
                return Ok(bytes);
            }
        }
        Err(self.client.failed(&request, "the bytes changed on their way, twice"))
    }
}

impl Store for S3 {
    fn make_folder(&self, _folder: &str) -> Result<(), LakeError> {
        Ok(())
    }

    fn get(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, LakeError> {
        let key = self.key(name);
        let request = Request { max_bytes, ..self.request("GET", &key) };
        for _ in 0..3 {
            let answer = self.client.send(&request)?;
            match answer.status {
                200 if tells_sum(&answer, &md5_of(&answer.body)) => return Ok(Some(answer.body)),
                200 => {}
                404 if String::from_utf8_lossy(&answer.body).contains("NoSuchBucket") => {
                    return Err(self.client.refused(&request, &answer));
                }
                404 => return Ok(None),
                _ => return Err(self.client.refused(&request, &answer)),
            }
        }
        Err(self.client.failed(&request, "the bytes that came are not those of its ETag"))
    }

    fn open(self: Arc<Self>, name: &str) -> Result<Input, LakeError> {
        let (start, bytes, end) = self.range(name, &format!("bytes=-{BLOCK_BYTES}"))?;
        if start.checked_add(u64::try_from(end.len()).unwrap_or(u64::MAX)) != Some(bytes) {
            let place = self.place(name).display().to_string();
            return Err(LakeError::damaged(place, "the store answered with another range than its end"));
        }
        Ok(Input::Remote(Remote { store: self, name: name.into(), bytes, end_from: start, end }))
    }

    fn draft(&self, name: &str) -> PathBuf {
        self.drafts.join(name.replace('/', "-"))
    }

    fn publish(&self, name: &str) -> Result<u64, LakeError> {
        let draft = self.draft(name);
        let uploaded = self.upload(name, &draft);
        fs::remove_file(&draft).map_err(LakeError::io("removing", &draft))?;
        uploaded
    }

    fn put_if_absent(&self, name: &str, bytes: &[u8]) -> Result<Put, LakeError> {
        self.check_owner()?;
        self.put_new(name, bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), LakeError> {
        self.check_owner()?;
        let key = self.key(name);
        let request = Request { body: Body::Bytes(bytes), ..self.request("PUT", &key) };
        for _ in 0..2 {
            let answer = self.client.send(&request)?;
            if answer.status != 200 {
                return Err(self.client.refused(&request, &answer));
            }
            if tells_sum(&answer, &md5_of(bytes)) {
                return Ok(());
            }
        }
        Err(self.client.failed(&request, "the bytes changed on their way, twice"))
    }

    fn list(&self, folder: &str, each: &mut dyn FnMut(Listed) -> Result<(), LakeError>) -> Result<(), LakeError> {
        let prefix = format!("{}/", self.key(folder));
        let mut from: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("delimiter", "/"), ("list-type", "2"), ("prefix", prefix.as_str())];
            query.extend(from.as_deref().map(|token| ("continuation-token", token)));
            query.sort_unstable();
            let request = Request { query: &query, ..self.request("GET", "") };
            let answer = self.client.send(&request)?;
            if answer.status != 200 {
                return Err(self.client.refused(&request, &answer));
            }
            let page = list::read(&answer.body).map_err(|why| self.client.failed(&request, &why))?;
            for object in page.objects {
                let Some(name) = object.name.strip_prefix(&prefix) else { continue };
                each(Listed { name: name.to_owned(), ..object })?;
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
        Err(LakeError::damaged(self.place(folder).display().to_string(), "its listing has no end"))
    }

    fn delete(&self, name: &str) -> Result<(), LakeError> {
        let key = self.key(name);
        let request = self.request("DELETE", &key);
        let answer = self.client.send(&request)?;
        if matches!(answer.status, 200 | 204 | 404) { Ok(()) } else { Err(self.client.refused(&request, &answer)) }
    }

    fn forget_versions(&self, folder: &str, only_look: bool) -> Result<u64, LakeError> {
        versions::forget(self, folder, only_look)
    }

    fn place(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("s3://{}/{}", self.client.settings.bucket, self.key(name)))
    }

    fn settled_after(&self) -> Duration {
        SETTLED
    }
}

/// First byte, byte after the last, and size of the whole (RFC 9110, section 14.4).
fn parse_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse::<u64>().ok()?.checked_add(1)?, whole.parse().ok()?))
}

fn md5_of(bytes: &[u8]) -> String {
    sign::hex(&Md5::digest(bytes))
}

/// Whether the answer's `ETag` is this sum. One of another shape (parts, a key of the store's own) says nothing, nor does
/// one of an object that is encrypted with a managed or customer's key.
fn tells_sum(answer: &Answer, md5: &str) -> bool {
    let etag = answer.etag.as_deref().map(|etag| etag.trim_matches('"')).unwrap_or_default();
    let is_sum = !answer.is_encrypted && etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    !is_sum || etag.eq_ignore_ascii_case(md5)
}

/// Size, SHA-256 and MD5 of a file.
fn sums_of(path: &Path) -> Result<(u64, String, String), LakeError> {
    let mut file = File::open(path).map_err(LakeError::io("opening", path))?;
    let (mut sha256, mut md5) = (ring::digest::Context::new(&ring::digest::SHA256), Md5::new());
    let (mut bytes, mut buffer) = (0_u64, vec![0; 1 << 17]);
    loop {
        let read = file.read(&mut buffer).map_err(LakeError::io("reading", path))?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        sha256.update(part);
        md5.update(part);
        bytes += u64::try_from(read).unwrap_or(0);
    }
    Ok((bytes, sign::hex(sha256.finish().as_ref()), sign::hex(&md5.finalize())))
}

/// The name of this state folder as a writer, made at the first need.
fn name_of(state: &Path, clock: &dyn Clock) -> Result<String, LakeError> {
    let path = state.join("writer");
    match fs::read_to_string(&path) {
        Ok(name) => return Ok(name),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(LakeError::io("reading", &path)(error)),
    }
    let now = clock.now();
    let seed = format!("{} {} {}", state.display(), now.as_micros(), std::process::id());
    let name = format!("state folder {} since {now}, {}", state.display(), ContentHash::of(seed.as_bytes()));
    crate::durable::write(&path, name.as_bytes())?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_counts_as_a_sum_only_where_it_is_one() {
        let md5 = md5_of(b"here");
        let answer = |etag: &str, is_encrypted| Answer {
            status: 200,
            etag: Some(format!("\"{etag}\"")),
            is_encrypted,
            content_range: None,
            body: Vec::new(),
        };
        let other = md5_of(b"there");
        assert!(tells_sum(&answer(&md5, false), &md5) && !tells_sum(&answer(&other, false), &md5));
        assert!(tells_sum(&answer(&other, true), &md5), "encrypted with a key of the store's");
        assert!(tells_sum(&answer(&format!("{other}-3"), false), &md5), "uploaded in parts");
    }
}
