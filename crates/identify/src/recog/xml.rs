//! Reading a fingerprint file. No document type, no entities but XML's own five, bounded depth and counts.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::{DEFAULT_PREFERENCE, Example, ExampleText, Fingerprint, FingerprintFile, Param, Source, ruby};
use crate::error::{Fault, RuleError};
use crate::files;

/// The most examples or parameters of one fingerprint.
const MAX_CHILDREN: usize = 256;

/// The most bytes of one text.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Reads one file.
pub(crate) fn read(file: &str, text: &str) -> Result<FingerprintFile, RuleError> {
    let mut reading = Reading::new(file);
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    reader.config_mut().expand_empty_elements = true;
    let line = |at: u64| files::line(text.as_bytes(), usize::try_from(at).unwrap_or(usize::MAX));
    loop {
        reading.at = reader.buffer_position();
        let event = reader.read_event();
        let at = reading.at;
        let fail = |message: String| RuleError::Xml { file: file.to_owned(), line: line(at), message };
        let event = event.map_err(|error| fail(error.to_string()))?;
        if matches!(event, Event::Eof) {
            break;
        }
        reading.take(event).map_err(|trouble| match trouble {
            Trouble::Xml(message) => fail(message),
            Trouble::Fingerprint { at, rule, fault } => {
                RuleError::Rule { file: file.to_owned(), line: line(at), rule, fault }
            }
        })?;
    }
    if reading.depth > 0 || !reading.rooted {
        let message = "the file ends before </fingerprints>; is it complete?".to_owned();
        return Err(RuleError::Xml { file: file.to_owned(), line: line(reader.buffer_position()), message });
    }
    Ok(reading.result)
}

enum Trouble {
    Xml(String),
    Fingerprint { at: u64, rule: String, fault: Fault },
}

impl From<&str> for Trouble {
    fn from(message: &str) -> Self {
        Self::Xml(message.to_owned())
    }
}

type Attributes = Vec<(String, String)>;

/// What has been read so far.
struct Reading {
    result: FingerprintFile,
    rooted: bool,
    depth: usize,
    /// Where what is being taken begins.
    at: u64,
    fingerprint: Option<Draft>,
    /// Attributes of the example being read.
    example: Option<Attributes>,
    text: String,
}

/// A fingerprint whose end has not come.
#[derive(Default)]
struct Draft {
    /// Where it begins.
    at: u64,
    attributes: Attributes,
    description: String,
    params: Vec<Param>,
    examples: Vec<Example>,
}

impl Reading {
    fn new(file: &str) -> Self {
        let stem = files::stem(file).to_owned();
        let (fingerprints, preference) = (Vec::new(), DEFAULT_PREFERENCE);
        let result = FingerprintFile { file: file.to_owned(), matches: stem, preference, fingerprints };
        Self { result, rooted: false, depth: 0, at: 0, fingerprint: None, example: None, text: String::new() }
    }

    fn take(&mut self, event: Event<'_>) -> Result<(), Trouble> {
        match event {
            Event::Start(element) => self.start(&element),
            Event::End(element) => self.end(element.name().as_ref()),
            Event::Text(text) => self.push(&text.xml10_content()),
            Event::CData(text) => self.push(&text.xml10_content()),
            Event::GeneralRef(reference) => self.push(&resolve(&reference)?),
            Event::DocType(_) => Err("a document type is not read; remove <!DOCTYPE ...>".into()),
            _ => Ok(()),
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Trouble> {
        if self.text.len() + text.len() > MAX_TEXT_BYTES {
            return Err(Trouble::Xml(format!("a text of more than {MAX_TEXT_BYTES} bytes")));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), Trouble> {
        self.depth += 1;
        self.text.clear();
        let attributes = attributes(element)?;
        match (self.depth, element.name().as_ref()) {
            (1, "fingerprints") => self.root(&attributes),
            (1, _) => return Err("the first element must be <fingerprints>".into()),
            (2, "fingerprint") => {
                self.fingerprint = Some(Draft { at: self.at, attributes, ..Draft::default() });
            }
            (3, "example") => self.example = Some(attributes),
            (3, "param") => self.param(&attributes)?,
            (3, "description") => {}
            _ => return Err("an element that fingerprint files do not have".into()),
        }
        Ok(())
    }

    fn root(&mut self, attributes: &Attributes) {
        self.rooted = true;
        if let Some(matches) = get(attributes, "matches") {
            self.result.matches = matches.to_owned();
        }
        let preference = get(attributes, "preference").and_then(|text| text.parse().ok());
        self.result.preference = preference.unwrap_or(DEFAULT_PREFERENCE);
    }

    fn param(&mut self, attributes: &Attributes) -> Result<(), Trouble> {
        let name = get(attributes, "name").ok_or("a param without name")?.to_owned();
        let group = get(attributes, "pos").and_then(|text| text.trim().parse::<usize>().ok());
        let source = match group.ok_or("a param whose pos is no number")? {
            0 => Source::Constant(get(attributes, "value").unwrap_or_default().to_owned()),
            group => Source::Group(group),
        };
        let draft = self.fingerprint.as_mut().ok_or("a param outside a fingerprint")?;
        if draft.params.len() >= MAX_CHILDREN {
            return Err("too many params in one fingerprint".into());
        }
        draft.params.push(Param { name, source });
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Trouble> {
        self.depth = self.depth.saturating_sub(1);
        let text = std::mem::take(&mut self.text);
        match (self.depth, self.fingerprint.as_mut()) {
            (2, Some(draft)) if name == "description" => draft.description = text.trim().to_owned(),
            (2, Some(draft)) if name == "example" => {
                let attributes = self.example.take().unwrap_or_default();
                if draft.examples.len() >= MAX_CHILDREN {
                    return Err("too many examples in one fingerprint".into());
                }
                draft.examples.push(example(attributes, text));
            }
            (1, Some(_)) => self.finish()?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        let draft = self.fingerprint.take().unwrap_or_default();
        let text = get(&draft.attributes, "pattern").ok_or("a fingerprint without pattern")?;
        let flags = get(&draft.attributes, "flags").unwrap_or_default();
        let rule: String = draft.description.chars().take(80).collect();
        let wrong = |fault| Trouble::Fingerprint { at: draft.at, rule: rule.clone(), fault };
        let fingerprint = Fingerprint {
            pattern: ruby::pattern(text, flags).map_err(wrong)?,
            certainty: get(&draft.attributes, "certainty").and_then(|text| text.parse().ok()),
            description: draft.description,
            params: draft.params,
            examples: draft.examples,
        };
        fingerprint.check().map_err(wrong)?;
        self.result.fingerprints.push(fingerprint);
        Ok(())
    }
}

/// An example; those attributes that begin with `_` say how to read its text.
fn example(mut attributes: Attributes, text: String) -> Example {
    let special = |name: &str| get(&attributes, name).map(str::to_owned);
    let text = match (special("_filename"), special("_encoding").as_deref()) {
        (Some(file), _) => ExampleText::File(file),
        (None, Some("base64")) => base64(&text).map_or(ExampleText::Undecodable, ExampleText::Inline),
        (None, Some(_)) => ExampleText::Undecodable,
        (None, None) => ExampleText::Inline(text.into_bytes()),
    };
    attributes.retain(|(name, _)| !name.starts_with('_'));
    Example { text, attributes }
}

fn attributes(element: &BytesStart<'_>) -> Result<Attributes, Trouble> {
    let mut list = Vec::new();
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| Trouble::Xml(error.to_string()))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| Trouble::Xml(error.to_string()))?;
        if list.len() >= MAX_CHILDREN || value.len() > MAX_TEXT_BYTES {
            return Err("too many or too long attributes".into());
        }
        list.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(list)
}

fn get<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A character reference or one of XML's five entities.
fn resolve(reference: &BytesRef<'_>) -> Result<String, Trouble> {
    let character = reference.resolve_char_ref().map_err(|error| Trouble::Xml(error.to_string()))?;
    if let Some(character) = character {
        return Ok(character.to_string());
    }
    let name: &str = reference;
    let text = quick_xml::escape::resolve_predefined_entity(name);
    let unknown =
        || Trouble::Xml(format!("entity {:?} is not one of XML's own five", name.chars().take(32).collect::<String>()));
    text.map(str::to_owned).ok_or_else(unknown)
}

/// RFC 4648 base64, white space ignored.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer, mut bits) = (Vec::with_capacity(text.len() / 4 * 3), 0u32, 0u32);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => continue,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend(u8::try_from((buffer >> bits) & 0xff).ok());
        }
    }
    Some(bytes)
}
