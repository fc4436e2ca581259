//! The texts of the pages, from the fluent catalogues under `locales/`.
//!
//! [`Catalogues`] are read once at the start; [`Words`] are those of one visitor's language. Both languages have the same
//! keys and every key is used: tests see to it.

use std::borrow::Cow;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

use crate::WebError;
use crate::language::Language;
use crate::moment::grouped;

type Bundle = FluentBundle<FluentResource>;

/// The files of one language, in any order.
macro_rules! catalogue {
    ($language:literal) => {
        &[
            include_str!(concat!("../locales/", $language, "/common.ftl")),
            include_str!(concat!("../locales/", $language, "/overview.ftl")),
            include_str!(concat!("../locales/", $language, "/search.ftl")),
            include_str!(concat!("../locales/", $language, "/host.ftl")),
            include_str!(concat!("../locales/", $language, "/surveys.ftl")),
            include_str!(concat!("../locales/", $language, "/watch.ftl")),
            include_str!(concat!("../locales/", $language, "/about.ftl")),
            include_str!(concat!("../locales/", $language, "/devices.ftl")),
            include_str!(concat!("../locales/", $language, "/guide.ftl")),
            include_str!(concat!("../locales/", $language, "/flow.ftl")),
            include_str!(concat!("../locales/", $language, "/scan.ftl")),
            include_str!(concat!("../locales/", $language, "/crypto.ftl")),
            include_str!(concat!("../locales/", $language, "/account.ftl")),
            include_str!(concat!("../locales/", $language, "/selfcheck.ftl")),
            include_str!(concat!("../locales/", $language, "/organisation.ftl")),
            include_str!(concat!("../locales/", $language, "/alerts.ftl")),
            include_str!(concat!("../locales/", $language, "/notices.ftl")),
            include_str!(concat!("../locales/", $language, "/entitlement.ftl")),
            include_str!(concat!("../locales/", $language, "/outside.ftl")),
        ]
    };
}

/// The sources of a language's texts.
pub(crate) const fn sources(language: Language) -> &'static [&'static str] {
    match language {
        Language::Japanese => catalogue!("ja"),
        Language::English => catalogue!("en"),
    }
}

/// The texts of all languages.
#[derive(Clone)]
pub struct Catalogues {
    japanese: Arc<Bundle>,
    english: Arc<Bundle>,
}

impl Catalogues {
    /// Reads the catalogues built into the program.
    ///
    /// # Errors
    /// When one does not follow the syntax of fluent or names a key twice.
    pub fn load() -> Result<Self, WebError> {
        let japanese = Arc::new(read(Language::Japanese)?);
        Ok(Self { japanese, english: Arc::new(read(Language::English)?) })
    }

    /// The texts of one language.
    pub fn words(&self, language: Language) -> Words {
        let bundle = match language {
            Language::Japanese => &self.japanese,
            Language::English => &self.english,
        };
        Words { language, bundle: Arc::clone(bundle) }
    }
}

fn read(language: Language) -> Result<Bundle, WebError> {
    let refuse = |detail: String| WebError::Catalogue { language: language.tag(), detail };
    let tag = language.tag().parse().map_err(|_| refuse("not a language tag".to_owned()))?;
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    // The marks that isolate writing directions would be shown to no purpose: both languages run left to right.
    bundle.set_use_isolating(false);
    for source in sources(language) {
        let resource =
            FluentResource::try_new((*source).to_owned()).map_err(|(_, errors)| refuse(format!("{errors:?}")))?;
        bundle.add_resource(resource).map_err(|errors| refuse(format!("{errors:?}")))?;
    }
    Ok(bundle)
}

/// The texts of one visitor's language. Cheap to clone.
#[derive(Clone)]
pub struct Words {
    language: Language,
    bundle: Arc<Bundle>,
}

impl Words {
    /// Which language.
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The text of a key.
    pub fn say(&self, key: &str) -> String {
        self.format(key, None).unwrap_or_else(|| key.to_owned())
    }

    /// The text of a key made of a fixed part and a name, if the catalogue has one.
    pub fn find(&self, prefix: &str, name: &str) -> Option<String> {
        let clean = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(clean) {
            return None;
        }
        self.format(&format!("{prefix}{name}"), None)
    }

    /// The text of a key with a number: `$n` chooses the form, `$count` is the number as one reads it.
    pub fn count(&self, key: &str, number: u64) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("n", number);
        arguments.set("count", grouped(number));
        self.format(key, Some(&arguments)).unwrap_or_else(|| key.to_owned())
    }

    /// The text of a key with a value: `$it`.
    pub fn with(&self, key: &str, value: impl std::fmt::Display) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("it", value.to_string());
        self.format(key, Some(&arguments)).unwrap_or_else(|| key.to_owned())
    }

    fn format(&self, key: &str, arguments: Option<&FluentArgs<'_>>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, arguments, &mut errors);
        if !errors.is_empty() {
            tracing::warn!(key, ?errors, "a text could not be put together");
        }
        Some(Cow::into_owned(text))
    }
}

#[cfg(test)]
mod tests;
