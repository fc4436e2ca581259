//! What an engine of frames remembers across a kill: two small files in the campaign's folder.
//!
//! - `cursor`: up to which position probes were sent, up to which answers were listened for, and how far those in
//!   between were sent a second time. Written in place, a few bytes a batch; a process that is killed loses nothing of it.
//!   `sent` is noted before the frames leave and `twice` after, so a probe is never counted as sent that was not.
//! - `answers`: the positions that answered, eight bytes each, appended within a moment and before `heard` moves past.
//!
//! When the machine itself went down, what was written last may be missing: cursors of another boot are not believed, and the
//! walk goes on from what the store has, which is always right, if further back. What answered did answer all the same.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use hinomi_model::ContentHash;

const MAGIC: &[u8; 8] = b"hinomi-1";
const NUMBERS_AT: u64 = 40;
const HEADER: usize = 64;
/// Answers that are read back at most; the rest of such a campaign begins anew.
const MAX_ANSWERS: usize = 64 << 20;
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The cursors of a campaign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Every position below was sent, or was about to be.
    pub(super) sent: u64,
    /// Answers to every position below were listened for.
    pub(super) heard: u64,
    /// Positions from `heard` to below this were sent a second time.
    pub(super) twice: u64,
}

/// What is noted while frames are sent.
pub(super) struct SentNotes(File);

/// What is noted while answers are listened for.
pub(super) struct HeardNotes {
    cursor: File,
    answers: File,
    unwritten: Vec<u8>,
}

/// What an earlier run noted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) cursor: Option<Cursor>,
    pub(super) answers: Vec<u64>,
    /// Whether there were notes of this job at all.
    pub(super) is_known: bool,
}

/// Opens the notes of a job in a folder; they begin anew when they are of another job or another boot.
pub(super) fn open(folder: &Path, job: &str) -> io::Result<(Noted, SentNotes, HeardNotes)> {
    std::fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let (cursor_path, answers_path) = (folder.join("cursor"), folder.join("answers"));
    let (mut cursor, mut answers) = (options.open(&cursor_path)?, options.open(&answers_path)?);
    let names = Names::of(job);
    let mut header = Vec::new();
    Read::by_ref(&mut cursor).take(HEADER as u64).read_to_end(&mut header)?;
    let is_known = is_of(&header, &names);
    let mut noted = Noted { cursor: read(&header, &names), answers: Vec::new(), is_known };
    if is_known {
        let mut bytes = Vec::new();
        Read::by_ref(&mut answers).take(MAX_ANSWERS as u64 * 8).read_to_end(&mut bytes)?;
        noted.answers = bytes.chunks_exact(8).filter_map(|one| one.try_into().ok()).map(u64::from_le_bytes).collect();
        // A record that was cut in two by a kill.
        answers.set_len(noted.answers.len() as u64 * 8)?;
    } else {
        answers.set_len(0)?;
    }
    if noted.cursor.is_none() {
        cursor.set_len(0)?;
        cursor.write_all_at(&[MAGIC.as_slice(), &names.job, &names.boot, &[0; 24]].concat(), 0)?;
    }
    let answers = OpenOptions::new().append(true).open(&answers_path)?;
    Ok((noted, SentNotes(cursor.try_clone()?), HeardNotes { cursor, answers, unwritten: Vec::new() }))
}

/// Of which job and which boot the notes are.
struct Names {
    job: [u8; 16],
    boot: [u8; 16],
}

impl Names {
    fn of(job: &str) -> Self {
        let short = |text: &str| {
            let hash = ContentHash::of(text.as_bytes()).to_string();
            let mut name = [0; 16];
            name.iter_mut().zip(hash.bytes()).for_each(|(place, byte)| *place = byte);
            name
        };
        Self { job: short(job), boot: short(&std::fs::read_to_string(BOOT).unwrap_or_default()) }
    }
}

fn is_of(header: &[u8], names: &Names) -> bool {
    header.starts_with(MAGIC) && header.get(8..24) == Some(&names.job)
}

fn read(header: &[u8], names: &Names) -> Option<Cursor> {
    if !is_of(header, names) || header.get(24..40) != Some(&names.boot) {
        return None;
    }
    let number = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let (sent, heard, twice) = (number(40)?, number(48)?, number(56)?);
    (heard <= sent).then_some(Cursor { sent, heard, twice })
}

impl SentNotes {
    /// Positions below this are about to be sent for the first time.
    pub(super) fn sent(&self, upto: u64) -> io::Result<()> {
        self.0.write_all_at(&upto.to_le_bytes(), NUMBERS_AT)
    }

    /// Positions below this were sent a second time.
    pub(super) fn twice(&self, upto: u64) -> io::Result<()> {
        self.0.write_all_at(&upto.to_le_bytes(), NUMBERS_AT + 16)
    }
}

impl HeardNotes {
    /// This position answered.
    pub(super) fn answered(&mut self, position: u64) {
        self.unwritten.extend(position.to_le_bytes());
    }

    /// Writes what answered since this was last asked.
    pub(super) fn write_answers(&mut self) -> io::Result<()> {
        if !self.unwritten.is_empty() {
            self.answers.write_all(&self.unwritten)?;
            self.unwritten.clear();
        }
        Ok(())
    }

    /// Writes what answered, and then that answers to every position below this were listened for.
    pub(super) fn heard(&mut self, upto: u64) -> io::Result<()> {
        self.write_answers()?;
        self.cursor.write_all_at(&upto.to_le_bytes(), NUMBERS_AT + 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_and_belong_to_one_job() {
        let folder = tempfile::tempdir().expect("a folder");
        let (noted, sent, mut heard) = open(folder.path(), "a").expect("open");
        assert_eq!(noted, Noted::default());
        sent.sent(500).expect("written");
        sent.twice(20).expect("written");
        heard.answered(7);
        heard.answered(9);
        heard.heard(10).expect("written");
        heard.answered(11);
        heard.write_answers().expect("written");
        heard.answered(14);
        drop((sent, heard));
        let answers = folder.path().join("answers");
        let bytes = std::fs::read(&answers).expect("read");
        std::fs::write(&answers, [bytes, vec![1, 2, 3]].concat()).expect("a record cut in two");
        let (noted, _sent, mut heard) = open(folder.path(), "a").expect("open");
        assert_eq!(noted.cursor, Some(Cursor { sent: 500, heard: 10, twice: 20 }));
        assert_eq!(noted.answers, [7, 9, 11], "what was not yet written before the kill is asked again");
        heard.answered(12);
        heard.heard(13).expect("written");
        assert_eq!(open(folder.path(), "a").expect("open").0.answers, [7, 9, 11, 12]);
        assert_eq!(open(folder.path(), "b").expect("open").0, Noted::default());
        assert_eq!(open(folder.path(), "a").expect("open").0, Noted::default(), "begun anew by the other");
    }

    #[test]
    fn after_a_boot_answers_stand_and_cursors_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, sent, mut heard) = open(folder.path(), "a").expect("open");
        sent.sent(9).expect("written");
        heard.answered(3);
        heard.heard(5).expect("written");
        let path = folder.path().join("cursor");
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[24] ^= 1;
        std::fs::write(&path, bytes).expect("another boot");
        let noted = open(folder.path(), "a").expect("open").0;
        assert_eq!(noted, Noted { cursor: None, answers: vec![3], is_known: true });
        assert_eq!(open(folder.path(), "a").expect("open").0.cursor, Some(Cursor::default()), "begun anew");
    }

    #[test]
    fn damaged_notes_are_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("cursor"), b"hinomi-1 but not for long").expect("written");
        assert_eq!(open(folder.path(), "a").expect("open").0, Noted::default());
    }
}
