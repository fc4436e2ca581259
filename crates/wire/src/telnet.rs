//! Telnet (RFC 854, RFC 855): commands parted from text, and the polite refusal of every option.
//!
//! Many devices send their login banner only when their requests are answered: [`refuse_all`] answers each with
//! "no", which RFC 855 allows at any time and which changes nothing on the device.
//!
//! What becomes a field is [`readable`]: text that can be matched and shown, without what steers a terminal.

use std::borrow::Cow;

use memchr::memchr;

use crate::fields::Fields;
use crate::greeting;
use crate::text::get;

/// Interpret as command.
pub const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;

/// The most option requests that are kept and answered.
pub const MAX_OPTIONS: usize = 64;

/// What a server asks or offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It wants to use an option itself.
    Will,
    /// It will not.
    Wont,
    /// It wants us to use an option.
    Do,
    /// It wants us not to.
    Dont,
}

impl Verb {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            251 => Some(Self::Will),
            252 => Some(Self::Wont),
            253 => Some(Self::Do),
            254 => Some(Self::Dont),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Will => "will",
            Self::Wont => "wont",
            Self::Do => "do",
            Self::Dont => "dont",
        }
    }
}

/// Names of options that devices use (IANA registry "Telnet Options").
const OPTION_NAMES: &[(u8, &str)] = &[
    (0, "binary"),
    (1, "echo"),
    (3, "sga"),
    (5, "status"),
    (6, "timing-mark"),
    (23, "send-location"),
    (24, "ttype"),
    (25, "end-of-record"),
    (31, "naws"),
    (32, "tspeed"),
    (33, "lflow"),
    (34, "linemode"),
    (35, "xdisploc"),
    (36, "environ"),
    (37, "auth"),
    (38, "encrypt"),
    (39, "new-environ"),
];

/// One negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Ask or offer.
    pub verb: Verb,
    /// Number of the option.
    pub option: u8,
}

/// What a server sent, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue<'a> {
    /// The text without commands and without the zero bytes that follow carriage returns.
    pub text: Cow<'a, [u8]>,
    /// The first [`MAX_OPTIONS`] negotiations in order.
    pub requests: Vec<Request>,
}

/// Parts commands from text. Every input is some dialogue; a command cut off at the end is left out.
pub fn parse(input: &[u8]) -> Dialogue<'_> {
    let mut dialogue = Dialogue { text: Cow::Borrowed(&[]), requests: Vec::new() };
    let mut rest = input;
    while let Some(at) = memchr(IAC, rest) {
        dialogue.add_text(get(rest, 0..at));
        let after = get(rest, at + 1..rest.len());
        rest = get(after, dialogue.command(after)..after.len());
    }
    dialogue.add_text(rest);
    dialogue
}

impl<'a> Dialogue<'a> {
    fn add_text(&mut self, text: &'a [u8]) {
        if self.text.is_empty() && memchr(0, text).is_none() {
            self.text = Cow::Borrowed(text);
        } else {
            self.text.to_mut().extend(text.iter().filter(|byte| **byte != 0));
        }
    }

    /// Reads the command after an IAC and gives its length.
    fn command(&mut self, after: &'a [u8]) -> usize {
        match after {
            [IAC, ..] => {
                self.text.to_mut().push(IAC);
                1
            }
            [SB, inside @ ..] => 1 + memchr::memmem::find(inside, &[IAC, SE]).map_or(inside.len(), |end| end + 2),
            [verb, option, ..] if let Some(verb) = Verb::from_byte(*verb) => {
                if self.requests.len() < MAX_OPTIONS {
                    self.requests.push(Request { verb, option: *option });
                }
                2
            }
            // Cut off, or a command of one byte.
            [251..=254] => 1,
            _ => after.len().min(1),
        }
    }

    /// The negotiations as `do:echo will:sga`.
    pub fn options_text(&self) -> String {
        let mut text = String::with_capacity(self.requests.len() * 10);
        for request in &self.requests {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(request.verb.name());
            text.push(':');
            match OPTION_NAMES.iter().find(|(number, _)| *number == request.option) {
                Some((_, name)) => text.push_str(name),
                None => text.push_str(&request.option.to_string()),
            }
        }
        text
    }
}

/// The answer that refuses every offer and every wish: DONT to WILL, WONT to DO.
pub fn refuse_all(requests: &[Request]) -> Vec<u8> {
    let mut answer = Vec::with_capacity(requests.len().min(MAX_OPTIONS) * 3);
    for request in requests.iter().take(MAX_OPTIONS) {
        match request.verb {
            Verb::Will => answer.extend([IAC, 254, request.option]),
            Verb::Do => answer.extend([IAC, 252, request.option]),
            // RFC 854: a refusal is not answered, lest both sides answer for ever.
            Verb::Wont | Verb::Dont => {}
        }
    }
    answer
}

/// Escape, which begins what steers a terminal (ECMA-48 section 5.3).
const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// Text as people would read it: sequences that steer a terminal are left out, other control characters become blanks
/// (line ends and tabs stay), and bytes that are no UTF-8 are written as `\xff`.
pub fn readable(text: &[u8]) -> Cow<'_, [u8]> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    if text.iter().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut steered = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(ESC, rest) {
        steered.extend_from_slice(get(rest, 0..at));
        let after = get(rest, at + 1..rest.len());
        rest = get(after, steering_bytes(after)..after.len());
    }
    steered.extend_from_slice(rest);
    Cow::Owned(shown(&steered).into_bytes())
}

/// The most parameters, in bytes, of a sequence that steers a terminal.
pub(crate) const MAX_PARAMETERS: usize = 32;

/// Whether a byte may be a parameter of such a sequence (ECMA-48 section 5.4; a blank is none here, so that no
/// sequence reaches into words).
pub(crate) const fn is_parameter(byte: u8) -> bool {
    matches!(byte, b'0'..=b'?')
}

/// How many bytes after an escape belong to it.
fn steering_bytes(after: &[u8]) -> usize {
    let length = match after {
        // Parameters up to a final byte; without one, the bracket was all of it, and the rest is text.
        [b'[', inside @ ..] => {
            let end = inside.iter().take(MAX_PARAMETERS).position(|byte| !is_parameter(*byte));
            let whole = end.filter(|end| inside.get(*end).is_some_and(|byte| matches!(*byte, b'@'..=b'~')));
            Some(whole.map_or(1, |end| end + 2))
        }
        // A text for the terminal itself, up to a bell or up to the escape that ends it.
        [b']' | b'P' | b'X' | b'^' | b'_', inside @ ..] => {
            let end = inside.iter().position(|byte| matches!(*byte, BEL | ESC));
            end.map(|end| end + 1 + usize::from(inside.get(end) == Some(&BEL)))
        }
        [b' '..=b'/', ..] => Some(2),
        _ => Some(1),
    };
    length.unwrap_or(after.len()).min(after.len())
}

fn shown(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for part in text.utf8_chunks() {
        let safe = |c: char| if c.is_control() && !matches!(c, '\r' | '\n' | '\t') { ' ' } else { c };
        shown.extend(part.valid().chars().map(safe));
        part.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02x}")));
    }
    shown
}

/// Adds `banner`, `line`, `telnet.banner` and `telnet.options`.
pub(crate) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let dialogue = parse(input);
    let everything = 0..input.len();
    let options = dialogue.options_text();
    let text = match dialogue.text {
        Cow::Borrowed(text) => trimmed(readable(text)),
        Cow::Owned(text) => Cow::Owned(trimmed(readable(&text)).into_owned()),
    };
    let line = greeting::first_words(&text).map(|line| get(&text, line).to_vec());
    list.value("banner", text.clone(), everything.clone());
    list.value("line", Cow::Owned(line.unwrap_or_default()), everything.clone());
    list.value("telnet.banner", text, everything.clone());
    list.value("telnet.options", Cow::Owned(options.into_bytes()), everything);
}

fn trimmed(text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
        Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_and_text_part() {
        let input = b"\xff\xfd\x01\xff\xfb\x03\xff\xfa\x18\x01\xff\xf0hello\r\0\n\xff\xff\xff\xf1login: \xff\xfd";
        let dialogue = parse(input);
        assert_eq!(&*dialogue.text, b"hello\r\n\xfflogin: ");
        assert_eq!(dialogue.options_text(), "do:echo will:sga");
        assert_eq!(refuse_all(&dialogue.requests), b"\xff\xfc\x01\xff\xfe\x03");
    }

    #[test]
    fn terminals_are_not_steered() {
        let shown = |text: &[u8]| String::from_utf8(readable(text).into_owned()).expect("text");
        assert_eq!(shown(b"\x1b[2J\x1b[1;31mred\x1b[0m \x1b(Bplain\x1b7"), "red plain");
        assert_eq!(shown(b"\x1b]0;title\x07after\x1bP secret\x1b\\done"), "afterdone");
        assert_eq!(shown(b"bell\x07 \x7fdel\r\n\tend \xff\xe3\x81"), "bell   del\r\n\tend \\xff\\xe3\\x81");
        assert_eq!(shown("\u{9b}ルーター".as_bytes()), " ルーター");
        assert_eq!(shown(b"\x1b["), "");
    }

    proptest! {
        #[test]
        fn readable_text_is_text_without_control(input in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = String::from_utf8(readable(&input).into_owned()).expect("text");
            prop_assert!(!text.chars().any(|c| c.is_control() && !"\r\n\t".contains(c)), "{text:?}");
        }

        #[test]
        fn any_bytes_part_and_a_refusal_is_never_refused(input in prop::collection::vec(any::<u8>(), 0..300)) {
            let dialogue = parse(&input);
            prop_assert!(dialogue.text.len() <= input.len());
            let answer = refuse_all(&dialogue.requests);
            prop_assert!(refuse_all(&parse(&answer).requests).is_empty());
        }
    }
}
