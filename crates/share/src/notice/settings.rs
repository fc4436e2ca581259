//! What an installation says of itself in notices, and how much one person may let leave.

use hinomi_state::contacts::{FRESH_DAYS, Language};
use serde::Deserialize;

/// Longest text, in characters.
const MAX_CHARS: usize = 500;
/// Longest silence about the same finding: two years.
const MAX_AGAIN_DAYS: u32 = 730;

/// What does not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// `notices.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who we are, in Japanese.
    pub name_ja: String,
    /// Who we are, in English.
    pub name_en: String,
    /// By which right and under which scope we look, in Japanese.
    pub authority_ja: String,
    /// The same in English.
    pub authority_en: String,
    /// A page that says who we are: `https://...`.
    pub page: String,
    /// A telephone number.
    pub phone: String,
    /// Where answers go: `notices@example.jp`.
    pub reply_to: String,
    /// The same is not told to the same party for so many days.
    pub again_days: u32,
    /// After so many days a contact must be confirmed.
    pub fresh_days: u32,
    /// How much one person may let leave.
    pub alone: Alone,
    /// Response teams that are told of what nobody else answers for, the first first; none named is every one.
    pub csirts: Vec<String>,
}

/// What one person may let leave; more takes a second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alone {
    /// So many notices of one draft, and of one day.
    pub recipients: u32,
    /// So many findings of one notice.
    pub findings: u32,
}

impl Default for Alone {
    fn default() -> Self {
        Self { recipients: 10, findings: 100 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name_ja: String::new(),
            name_en: String::new(),
            authority_ja: String::new(),
            authority_en: String::new(),
            page: String::new(),
            phone: String::new(),
            reply_to: String::new(),
            again_days: 30,
            fresh_days: FRESH_DAYS,
            alone: Alone::default(),
            csirts: Vec::new(),
        }
    }
}

impl Settings {
    /// Refuses what would break a mail or hide who writes.
    ///
    /// # Errors
    /// What does not do.
    pub fn check(&self) -> Result<(), SettingsError> {
        let refuse = |why: &str| Err(SettingsError(why.to_owned()));
        let texts = [
            &self.name_ja,
            &self.name_en,
            &self.authority_ja,
            &self.authority_en,
            &self.page,
            &self.phone,
            &self.reply_to,
        ];
        if texts.iter().any(|text| text.chars().any(char::is_control) || text.chars().count() > MAX_CHARS) {
            return refuse("a text is one line of at most 500 characters");
        }
        if self.name_ja.is_empty() && self.name_en.is_empty() {
            return refuse("name_ja or name_en says who writes; a notice without it is not sent");
        }
        let plain = |c: char| c.is_ascii_graphic() && !"<>,;\"()[]:\\".contains(c);
        let fits = |(local, domain): (&str, &str)| !local.is_empty() && domain.contains('.') && !domain.contains('@');
        if !self.reply_to.chars().all(plain) || !self.reply_to.split_once('@').is_some_and(fits) {
            return refuse("reply_to is the mail address that answers go to, as notices@example.jp");
        }
        if !self.page.is_empty() && !self.page.starts_with("https://") && !self.page.starts_with("http://") {
            return refuse("page is an https address");
        }
        if self.again_days > MAX_AGAIN_DAYS {
            return refuse("again_days is at most 730");
        }
        Ok(())
    }

    /// Who we are, in this language or else in the other.
    pub fn name(&self, language: Language) -> &str {
        either(language, &self.name_ja, &self.name_en)
    }

    /// By which right we look, in this language or else in the other.
    pub fn authority(&self, language: Language) -> &str {
        either(language, &self.authority_ja, &self.authority_en)
    }

    /// The domain of our own address.
    pub fn domain(&self) -> &str {
        self.reply_to.split_once('@').map_or("", |(_, domain)| domain)
    }
}

fn either<'a>(language: Language, japanese: &'a str, english: &'a str) -> &'a str {
    let (first, second) = match language {
        Language::Ja => (japanese, english),
        Language::En => (english, japanese),
    };
    if first.is_empty() { second } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_and_where_answers_go_must_be_said() {
        let good =
            Settings {
                name_ja: "火の見".to_owned(), reply_to: "notices@example.jp".to_owned(), ..Settings::default()
            };
        assert_eq!(good.check(), Ok(()));
        assert_eq!((good.name(Language::En), good.domain()), ("火の見", "example.jp"));
        let with = |change: fn(&mut Settings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings.check()
        };
        assert!(with(|all| all.name_ja.clear()).is_err());
        assert!(with(|all| all.name_ja.push('\n')).is_err());
        for wrong in ["", "a", "a@b", "@b.c", "a@b.c\r\nBcc: x@y.z", "A <a@b.c>", "a@b.c,x@y.z"] {
            let settings = Settings { reply_to: wrong.to_owned(), ..good.clone() };
            assert!(settings.check().is_err(), "{wrong:?}");
        }
    }
}
