//! DNS: who are you (`version.bind`, class CHAOS), and one question that tells whether the server resolves for us.
//!
//! Follows RFC 1035 (section 4, messages and compression) and RFC 4892 (server identification). Evidence is one
//! response without the length that stands before it over TCP ([`tcp_message`]).

mod names;

pub use names::{KIND_A, KIND_AAAA, KIND_PTR, KIND_TXT, question, reverse_name};

use crate::{Field, Malformed, Reader};

/// The longest name, in the form on the wire (RFC 1035 section 2.3.4).
pub const MAX_NAME_BYTES: usize = 255;

/// The most compression pointers followed for one name. Each must point backwards, so this only bounds work.
pub const MAX_POINTERS: usize = 32;

/// A name that every resolver knows without asking anybody (RFC 6761 section 6.3): whether a server resolves for
/// strangers shows in the flags of its answer, and no question of ours sets others to work.
pub const OWN_NAME: &str = "localhost";

/// The most questions and records read from one message, each.
pub const MAX_RECORDS: usize = 128;

const HEADER_BYTES: usize = 12;
const TYPE_TXT: u16 = 16;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;
const CLASS_CHAOS: u16 = 3;
const RESPONSE: u16 = 0x8000;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;
const VERSION_NAMES: [&str; 2] = ["version.bind", "version.server"];

/// Asks a server for its version: `version.bind TXT CH`, no recursion.
pub fn version_query(id: u16) -> Vec<u8> {
    let mut message = header(id, 0);
    message.extend(b"\x07version\x04bind\0");
    message.extend(TYPE_TXT.to_be_bytes());
    message.extend(CLASS_CHAOS.to_be_bytes());
    message
}

/// Asks a server to resolve a name (`A IN`, recursion desired), as [`OWN_NAME`].
///
/// # Errors
/// When `name` is no domain name: a label empty or over 63 bytes, or more than [`MAX_NAME_BYTES`].
pub fn recursion_query(id: u16, name: &str) -> Result<Vec<u8>, Malformed> {
    question(id, name, KIND_A)
}

/// Id, flags, one question.
fn header(id: u16, flags: u16) -> Vec<u8> {
    [id, flags, 1, 0, 0, 0].iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The message as sent over TCP: behind its length (RFC 1035 section 4.2.2).
pub fn over_tcp(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(message.iter().take(usize::from(length)));
    framed
}

/// The first message of a TCP stream, once it is all there.
pub fn tcp_message(stream: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(stream);
    let length = reader.u16("DNS length").ok()?;
    reader.take(usize::from(length), "DNS message").ok()
}

/// A resource record's parts that are used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Lower case, without the final dot; labels are kept as sent otherwise.
    pub name: String,
    /// The type, as 16 for TXT.
    pub kind: u16,
    /// The class, as 3 for CHAOS.
    pub class: u16,
    /// Where the time to live stands in the input.
    pub ttl_at: usize,
    /// The data, names in it still compressed.
    pub data: &'a [u8],
    /// Where the data starts in the input.
    pub data_at: usize,
}

/// A DNS response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The id of the query.
    pub id: u16,
    /// 0 no error, 2 failure, 3 no such name, 4 not implemented, 5 refused.
    pub code: u8,
    /// Whether the server says it resolves for us.
    pub recursion: bool,
    /// Name, type and class of each question.
    pub questions: Vec<(String, u16, u16)>,
    /// Answers, authorities and additional records. Cut short when [`Response::problem`] says why.
    pub records: Vec<Record<'a>>,
    /// How many of the records are answers.
    pub answers: usize,
    /// Why not everything could be read, if so. Servers of devices often get the counts wrong.
    pub problem: Option<Malformed>,
}

impl<'a> Response<'a> {
    /// Reads a response.
    ///
    /// # Errors
    /// When the header is cut or is a query's. What is wrong behind the header is [`Response::problem`].
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message);
        let id = reader.u16("DNS id")?;
        let flags = reader.u16("DNS flags")?;
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = usize::from(reader.u16("DNS counts")?);
        }
        let [_, low] = flags.to_be_bytes();
        // The opcode must be that of a query.
        if flags & RESPONSE == 0 || flags & 0x7800 != 0 {
            return Err(Malformed::Invalid { what: "DNS response flags", at: 2 });
        }
        let mut response = Self {
            id,
            code: low & 0x0F,
            recursion: flags & RECURSION_AVAILABLE != 0,
            questions: Vec::new(),
            records: Vec::new(),
            answers: 0,
            problem: None,
        };
        response.problem = response.read_sections(message, &mut reader, counts).err();
        Ok(response)
    }

    fn read_sections(
        &mut self,
        message: &'a [u8],
        reader: &mut Reader<'a>,
        counts: [usize; 4],
    ) -> Result<(), Malformed> {
        let [questions, answers, authorities, additional] = counts;
        let records = answers + authorities + additional;
        if questions > MAX_RECORDS || records > MAX_RECORDS {
            return Err(Malformed::TooMuch { what: "DNS records", at: 4, limit: MAX_RECORDS });
        }
        for _ in 0..questions {
            let name = read_name(message, reader)?;
            self.questions.push((name, reader.u16("DNS question type")?, reader.u16("DNS question class")?));
        }
        for number in 0..records {
            self.records.push(read_record(message, reader)?);
            self.answers = answers.min(number + 1);
        }
        Ok(())
    }

    /// The server's own version: the first TXT answer in class CHAOS.
    pub fn version(&self) -> Option<&Record<'a>> {
        let answers = self.records.iter().take(self.answers);
        answers.into_iter().find(|record| {
            let asked = VERSION_NAMES.contains(&record.name.as_str());
            asked && (record.kind, record.class) == (TYPE_TXT, CLASS_CHAOS)
        })
    }
}

fn read_record<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Result<Record<'a>, Malformed> {
    let name = read_name(message, reader)?;
    let kind = reader.u16("DNS record type")?;
    let class = reader.u16("DNS record class")?;
    let ttl_at = reader.at();
    reader.u32("DNS time to live")?;
    let length = usize::from(reader.u16("DNS data length")?);
    let data_at = reader.at();
    let data = reader.take(length, "DNS record data")?;
    Ok(Record { name, kind, class, ttl_at, data, data_at })
}

/// Reads a name that may be compressed and leaves the reader behind it.
pub(crate) fn read_name<'a>(message: &'a [u8], reader: &mut Reader<'a>) -> Result<String, Malformed> {
    let mut name = String::new();
    let mut wire_bytes = 0;
    // Once a pointer was followed, `elsewhere` reads and `reader` stays behind the pointer.
    let mut elsewhere: Option<(Reader<'a>, usize)> = None;
    for _ in 0..=MAX_POINTERS + MAX_NAME_BYTES {
        let (from, base) = match &mut elsewhere {
            Some((jumped, base)) => (jumped, *base),
            None => (&mut *reader, 0),
        };
        let at = base + from.at();
        let length = from.u8("DNS name")?;
        match length >> 6 {
            0 if length == 0 => return Ok(name),
            0 => {
                let label = from.take(usize::from(length), "DNS label")?;
                wire_bytes += label.len() + 1;
                if wire_bytes > MAX_NAME_BYTES {
                    return Err(Malformed::TooMuch { what: "DNS name", at, limit: MAX_NAME_BYTES });
                }
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
            }
            3 => {
                let low = from.u8("DNS pointer")?;
                let target = usize::from(u16::from_be_bytes([length & 0x3F, low]));
                let start = elsewhere.as_ref().map_or(at, |(_, base)| *base);
                // Strictly backwards from where this part of the name began, so that no loop is possible.
                if target >= start {
                    return Err(Malformed::Invalid { what: "DNS pointer", at });
                }
                elsewhere = Some((Reader::new(message.get(target..).unwrap_or_default()), target));
            }
            _ => return Err(Malformed::Invalid { what: "DNS label type", at }),
        }
    }
    Err(Malformed::TooMuch { what: "DNS pointers", at: reader.at(), limit: MAX_POINTERS })
}

/// The text of a TXT record: its strings put together.
fn text_of(data: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(data);
    let mut text = Vec::new();
    while let Ok(length) = reader.u8("TXT length") {
        match reader.take(usize::from(length), "TXT string") {
            Ok(part) => text.extend(part),
            Err(_) => {
                text.extend(reader.rest());
                break;
            }
        }
    }
    text
}

/// The named parts of stored evidence: `dns.version` (text of `version.bind`), `dns.rcode` by name (`NOERROR`,
/// `REFUSED`, otherwise decimal), `dns.recursion` (`yes`, `no`): whether the server says that it resolves for us.
///
/// Many servers answer questions of class CHAOS from a part of their own that never resolves. So a `no` counts only in
/// answer to a question of class IN.
///
/// # Errors
/// When the bytes are no DNS response.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let response = Response::parse(bytes)?;
    let mut found = vec![Field::computed("dns.rcode", code_name(response.code), 3..4)];
    let ordinary = response.questions.iter().any(|(_, _, class)| *class == CLASS_IN);
    if response.recursion || ordinary {
        found.push(Field::computed("dns.recursion", if response.recursion { "yes" } else { "no" }, 3..4));
    }
    if let Some(record) = response.version() {
        let span = record.data_at..record.data_at + record.data.len();
        found.push(Field::computed("dns.version", text_of(record.data), span));
    }
    if let Some(problem) = &response.problem {
        found.push(Field::computed("malformed", problem.to_string(), 0..bytes.len()));
    }
    Ok(found)
}

/// Names of the IANA registry of DNS RCODEs.
fn code_name(code: u8) -> String {
    let name = match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// Blanks the id and the times to live (caches count them down); the fields stay the same.
///
/// A hostile message may have a name read from those very bytes. Then it is left as it is.
pub fn mask(bytes: &mut [u8]) {
    let mut masked = bytes.to_vec();
    let Some(lives) = lives_at(bytes) else { return };
    for (at, count) in lives.iter().map(|at| (*at, 4)).chain([(0, 2)]) {
        if let Some(part) = masked.get_mut(at..at + count) {
            part.fill(0);
        }
    }
    if fields(&masked) == fields(bytes) && lives_at(&masked) == Some(lives) {
        bytes.copy_from_slice(&masked);
    }
}

/// Where times to live stand. The place of an OPT record's holds flags instead.
fn lives_at(bytes: &[u8]) -> Option<Vec<usize>> {
    let response = Response::parse(bytes).ok()?;
    let lives = response.records.iter().filter(|record| record.kind != TYPE_OPT);
    Some(lives.map(|record| record.ttl_at).collect())
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    /// Laid out by hand after RFC 1035: the answer's name is a pointer to the question.
    const VERSION: &[u8] = b"\x12\x34\x84\x00\0\x01\0\x01\0\0\0\0\x07version\x04bind\0\0\x10\0\x03\
        \xC0\x0C\0\x10\0\x03\0\0\0\x3C\0\x0D\x0C9.18.28-test";

    #[test]
    fn queries_are_the_documented_bytes() {
        let expected = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x07version\x04bind\0\0\x10\0\x03";
        assert_eq!(version_query(0x1234), expected);
        let recursion = recursion_query(1, "a.example.").expect("a query");
        assert_eq!(recursion, b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01");
        for wrong in ["", "a..b", &"x".repeat(64), &"abcdefg.".repeat(32)] {
            assert!(recursion_query(1, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn masking_twice_is_masking_once_even_where_names_are_read_from_what_is_masked() {
        let hostile = b"\x0a\0\x80\x01\0\x02\0\0\0\0\0\x16\xc0\0\xf9\0\x31\0\0\x22\0\xf9\0\0\0\0\0\0\0\xc4\0\0\0\0";
        let mut once = hostile.to_vec();
        mask(&mut once);
        let mut twice = once.clone();
        mask(&mut twice);
        assert_eq!(twice, once);
    }

    #[test]
    fn version_is_read_through_a_pointer() {
        let found = fields(VERSION).expect("fields");
        let version = found.iter().find(|field| field.name == "dns.version").expect("a version");
        assert_eq!(version.text(), "9.18.28-test");
        assert_eq!(&VERSION[version.span.clone()][1..], b"9.18.28-test");
        assert!(found.iter().all(|field| field.name != "dns.recursion"), "class CHAOS does not tell");
    }

    #[test]
    fn refusal_and_recursion_are_flags() {
        let refused = b"\0\0\x81\x85\0\0\0\0\0\0\0\0";
        let found = fields(refused).expect("fields");
        assert_eq!((found[0].text().as_ref(), found[1].text().as_ref()), ("REFUSED", "yes"));
    }

    #[test]
    fn an_answer_about_localhost_tells_whether_it_resolves() {
        let mut answer = recursion_query(7, OWN_NAME).expect("a query");
        let told = |answer: &[u8]| {
            let found = fields(answer).expect("fields");
            found.iter().find(|field| field.name == "dns.recursion").map(|field| field.text().into_owned())
        };
        answer[2..4].copy_from_slice(&[0x81, 0x05]);
        assert_eq!(told(&answer).as_deref(), Some("no"));
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        assert_eq!(told(&answer).as_deref(), Some("yes"));
    }

    #[test]
    fn pointers_that_loop_are_refused() {
        for target in [0x0C, 0x0D, 0x20] {
            let mut looping = b"\0\0\x80\0\0\x01\0\0\0\0\0\0\xC0".to_vec();
            looping.push(target);
            looping.extend([0; 8]);
            let response = Response::parse(&looping).expect("the header is sound");
            assert!(response.problem.is_some(), "a pointer to {target}");
        }
    }

    #[test]
    fn mask_blanks_id_and_times_to_live() {
        let mut masked = VERSION.to_vec();
        mask(&mut masked);
        let response = Response::parse(&masked).expect("a response");
        assert_eq!(response.id, 0);
        let at = response.records[0].ttl_at;
        assert_eq!(masked[at..at + 4], [0; 4]);
    }

    #[test]
    fn tcp_frames_open_when_whole() {
        let framed = over_tcp(VERSION);
        assert_eq!(tcp_message(&framed), Some(VERSION));
        assert_eq!(tcp_message(&framed[..framed.len() - 1]), None);
    }

    #[test]
    fn queries_are_no_responses() {
        assert!(fields(&version_query(7)).is_err());
    }
}
