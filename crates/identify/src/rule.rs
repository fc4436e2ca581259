//! One rule: checked when loaded, so that applying it cannot go wrong.

use std::sync::Arc;

use hinomi_model::{Confidence, DeviceKind, Protocol};
use hinomi_wire::Field;
use regex::bytes::Captures;

use crate::clean::{self, MAX_VALUE_CHARS, clean};
use crate::error::{Fault, RuleError};
use crate::fields;
use crate::files;
use crate::found::{Found, Origin, View, proof};
use crate::pattern::{Dialect, Pattern};
use crate::raw::{RawCondition, RawExample, RawRule};
use crate::template::Template;

/// The most conditions, and the most exceptions, besides the pattern.
const MAX_CONDITIONS: usize = 8;

/// Where a rule stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// File name.
    pub(crate) file: Arc<str>,
    /// Where it begins, from 1.
    pub(crate) line: usize,
    /// The user's, or built in.
    pub(crate) origin: Origin,
}

impl Place {
    /// That a rule of this name, here, is wrong.
    pub(crate) fn wrong(&self, rule: &str, fault: Fault) -> RuleError {
        RuleError::Rule { file: self.file.to_string(), line: self.line, rule: rule.to_owned(), fault }
    }
}

/// A checked rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// The name in proofs: a rule of the user's says in which file it stands.
    pub(crate) told: String,
    pub(crate) fields: Vec<String>,
    pub(crate) pattern: Pattern,
    /// What else must match.
    pub(crate) conditions: Vec<Condition>,
    /// What must not match.
    pub(crate) exceptions: Vec<Condition>,
    pub(crate) yields: Yields,
    pub(crate) examples: Vec<RawExample>,
    pub(crate) not: Vec<String>,
}

/// A further field that must match.
#[derive(Debug)]
pub(crate) struct Condition {
    pub(crate) field: String,
    pub(crate) pattern: Pattern,
}

/// What a rule says when it matches.
#[derive(Debug)]
pub(crate) struct Yields {
    pub(crate) vendor: Option<Template>,
    pub(crate) product: Option<Template>,
    pub(crate) version: Option<Template>,
    pub(crate) model: Option<Template>,
    pub(crate) firmware: Option<Template>,
    pub(crate) os: Option<Template>,
    pub(crate) cpe: Vec<Template>,
    pub(crate) kind: Option<DeviceKind>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) tags: Vec<String>,
    pub(crate) confidence: u8,
}

impl Rule {
    /// Checks a rule that stands there. Its name must begin with the file's.
    pub(crate) fn parse(raw: RawRule, place: Place) -> Result<Self, Fault> {
        let slug = slug(&raw.name, files::stem(&place.file))?;
        let told = match place.origin {
            Origin::User => format!("user/{}: {slug}", place.file),
            _ => raw.name.clone(),
        };
        check_presence(&raw)?;
        let names = raw.field.as_slice();
        names.iter().try_for_each(|field| fields::known(field))?;
        let pattern = matcher("the rule", raw.pattern.as_deref(), raw.equals.as_deref(), raw.contains.as_deref())?;
        let conditions = Condition::parse_all(&raw.all)?;
        let exceptions = Condition::parse_all(&raw.unless)?;
        let yields = Yields::parse(&raw)?;
        raw.examples.iter().try_for_each(check_example)?;
        yields.check_captures(&pattern, &conditions)?;
        let RawRule { name, field, examples, not, .. } = raw;
        let fields = field.as_slice().to_vec();
        Ok(Self { name, place, told, fields, pattern, conditions, exceptions, yields, examples, not })
    }

    /// Applies the rule to one field of one of the views; `views` are all of the service, for the conditions.
    pub(crate) fn apply(&self, view: &View<'_>, field: &Field<'_>, views: &[View<'_>]) -> Option<Found> {
        let captures = self.pattern.captures(&field.value)?;
        let mut all = vec![captures];
        for condition in &self.conditions {
            all.push(condition.captures(views)?);
        }
        if self.exceptions.iter().any(|exception| exception.captures(views).is_some()) {
            return None;
        }
        let whole = all.first()?.get(0)?;
        let proof = proof(&self.told, view, field, whole.start(), whole.end());
        Some(self.yields.fill(&all, Found::new(self.place.origin, self.yields.confidence, proof)))
    }

    /// Compiles everything it needs.
    pub(crate) fn compile(&self) -> Result<(), Fault> {
        self.patterns().try_for_each(Pattern::compile)
    }

    /// Compiles what it needs as far as that might fail.
    pub(crate) fn check_size(&self) -> Result<(), Fault> {
        self.patterns().try_for_each(Pattern::check_size)
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let others = self.conditions.iter().chain(&self.exceptions);
        std::iter::once(&self.pattern).chain(others.map(|condition| &condition.pattern))
    }
}

impl Condition {
    fn parse_all(raw: &[RawCondition]) -> Result<Vec<Self>, Fault> {
        match raw.len() {
            0..=MAX_CONDITIONS => raw.iter().map(Self::parse).collect(),
            count => Err(Fault::Conditions { count, limit: MAX_CONDITIONS }),
        }
    }

    fn parse(raw: &RawCondition) -> Result<Self, Fault> {
        fields::known(&raw.field)?;
        let place = "each condition under all";
        let pattern = matcher(place, raw.pattern.as_deref(), raw.equals.as_deref(), raw.contains.as_deref())?;
        Ok(Self { field: raw.field.clone(), pattern })
    }

    fn captures<'v>(&self, views: &'v [View<'_>]) -> Option<Captures<'v>> {
        let fields = views.iter().flat_map(|view| &view.fields).filter(|field| field.name == self.field.as_str());
        fields.into_iter().find_map(|field| self.pattern.captures(&field.value))
    }
}

impl Yields {
    fn parse(raw: &RawRule) -> Result<Self, Fault> {
        let template = |key, text: &Option<String>| text.as_deref().map(|text| Template::parse(key, text)).transpose();
        raw.cpe.as_slice().iter().try_for_each(|text| check_cpe(text))?;
        let cpe = raw.cpe.as_slice().iter().map(|text| Template::parse("cpe", text));
        Ok(Self {
            vendor: template("vendor", &raw.vendor)?,
            product: template("product", &raw.product)?,
            version: template("version", &raw.version)?,
            model: template("model", &raw.model)?,
            firmware: template("firmware", &raw.firmware)?,
            os: template("os", &raw.os)?,
            cpe: cpe.collect::<Result<_, _>>()?,
            kind: raw.kind,
            protocol: raw.protocol.clone(),
            tags: raw.tags.iter().map(|tag| clean(tag.as_bytes(), 32)).collect(),
            confidence: Confidence::percent(raw.confidence).as_percent(),
        })
    }

    /// The values that may have holes, with their keys.
    pub(crate) fn templates(&self) -> [(&'static str, Option<&Template>); 7] {
        [
            ("vendor", self.vendor.as_ref()),
            ("product", self.product.as_ref()),
            ("version", self.version.as_ref()),
            ("model", self.model.as_ref()),
            ("firmware", self.firmware.as_ref()),
            ("os", self.os.as_ref()),
            ("cpe", self.cpe.first()),
        ]
    }

    /// Every capture that is asked for must exist: numbers in the pattern, names there or in a condition.
    fn check_captures(&self, pattern: &Pattern, conditions: &[Condition]) -> Result<(), Fault> {
        let rest = self.cpe.iter().skip(1).map(|template| ("cpe", Some(template)));
        for (key, template) in self.templates().into_iter().chain(rest) {
            for capture in template.into_iter().flat_map(Template::captures) {
                let named = capture.parse::<usize>().is_err();
                let elsewhere = || conditions.iter().any(|condition| condition.pattern.has_group(capture));
                if !(pattern.has_group(capture) || (named && elsewhere())) {
                    return Err(Fault::Capture { key, capture: capture.to_owned() });
                }
            }
        }
        Ok(())
    }

    fn fill(&self, all: &[Captures<'_>], mut found: Found) -> Found {
        let look = |name: &str| lookup(all, name);
        let cpe_look = |name: &str| lookup(all, name).map(|value| clean::cpe_component(&value));
        let fill = |template: &Option<Template>| template.as_ref().and_then(|template| template.fill(&look));
        found.vendor = fill(&self.vendor);
        found.product = fill(&self.product);
        found.version = fill(&self.version);
        found.model = fill(&self.model);
        found.firmware = fill(&self.firmware);
        found.os = fill(&self.os);
        found.cpe = self.cpe.iter().filter_map(|template| template.fill(&cpe_look)).collect();
        found.kind = self.kind;
        found.protocol = self.protocol.clone();
        found.tags.clone_from(&self.tags);
        found
    }
}

/// A capture's value by number (of the first pattern) or name (of any), cleaned.
fn lookup(all: &[Captures<'_>], name: &str) -> Option<String> {
    let value = match name.parse::<usize>() {
        Ok(number) => all.first()?.get(number),
        Err(_) => all.iter().find_map(|captures| captures.name(name)),
    };
    Some(clean(value?.as_bytes(), MAX_VALUE_CHARS))
}

/// The pattern that exactly one of three keys gives.
fn matcher(
    place: &'static str,
    pattern: Option<&str>,
    equals: Option<&str>,
    contains: Option<&str>,
) -> Result<Pattern, Fault> {
    match (pattern, equals, contains) {
        (Some(text), None, None) if !text.is_empty() => Pattern::parse(text, Dialect::default()),
        (None, Some(text), None) => Pattern::parse(&format!(r"\A{}\z", regex::escape(text)), Dialect::default()),
        (None, None, Some(text)) if !text.is_empty() => Pattern::parse(&regex::escape(text), Dialect::default()),
        _ => Err(Fault::Matcher { place }),
    }
}

/// What follows the area in a rule's name.
fn slug<'n>(name: &'n str, area: &str) -> Result<&'n str, Fault> {
    let fits = |slug: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !slug.is_empty() && slug.len() <= 64 && slug.chars().all(allowed)
    };
    let slug = name.strip_prefix(area).and_then(|rest| rest.strip_prefix('/'));
    slug.filter(|slug| fits(slug)).ok_or_else(|| Fault::Name { area: area.to_owned() })
}

fn check_presence(raw: &RawRule) -> Result<(), Fault> {
    if raw.field.as_slice().is_empty() {
        return Err(Fault::Missing { key: "field", why: "it says where to look" });
    }
    if raw.source.trim().is_empty() {
        return Err(Fault::Missing { key: "source", why: "it says in a few words how this is known" });
    }
    if raw.examples.is_empty() {
        return Err(Fault::Missing { key: "examples", why: "they show what the rule is for, and are its test" });
    }
    if !(1..=100).contains(&raw.confidence) {
        return Err(Fault::Confidence { percent: raw.confidence });
    }
    let says = [&raw.vendor, &raw.product, &raw.model, &raw.firmware, &raw.os].iter().any(|value| value.is_some());
    if !(says || raw.kind.is_some() || raw.protocol.is_some() || !raw.tags.is_empty()) {
        return Err(Fault::NoYield);
    }
    Ok(())
}

/// An example has text or bytes, and names only fields that there are.
fn check_example(example: &RawExample) -> Result<(), Fault> {
    example.with.keys().try_for_each(|field| fields::known(field))?;
    let both = example.hex.is_some() && !example.text.is_empty();
    match example.bytes().filter(|bytes| !both && !bytes.is_empty()) {
        Some(_) => Ok(()),
        None => {
            Err(Fault::Missing { key: "text", why: "an example has text, or hex with pairs of hexadecimal digits" })
        }
    }
}

/// A formatted string has thirteen parts; holes count as text.
fn check_cpe(text: &str) -> Result<(), Fault> {
    let known_part = ["cpe:2.3:a:", "cpe:2.3:o:", "cpe:2.3:h:"].iter().any(|start| text.starts_with(start));
    let parts = text.replace("\\:", "").split(':').count();
    match known_part && parts == 13 && text.len() <= 256 {
        true => Ok(()),
        false => Err(Fault::Cpe { text: text.chars().take(128).collect() }),
    }
}
