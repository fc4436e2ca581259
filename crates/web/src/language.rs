//! Which language a visitor reads: `?lang=`, else a cookie, else `Accept-Language` (RFC 9110 section 12.5.4), else
//! Japanese.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};

/// Name of the cookie that remembers a choice. Cookies are shared by all ports of a host, hence the long name.
pub const COOKIE_NAME: &str = "hinomi_lang";

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Japanese.
    Japanese,
    /// English.
    English,
}

impl Language {
    /// Both, in the order they are offered.
    pub const ALL: [Self; 2] = [Self::Japanese, Self::English];

    /// The tag of RFC 5646.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }

    /// Its own name for itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Japanese => "日本語",
            Self::English => "English",
        }
    }

    /// The language that a tag begins with: `en-GB` is English.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// What the headers of a request ask for.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        from_cookie(headers).or_else(|| from_accept(headers)).unwrap_or(Self::Japanese)
    }
}

fn from_cookie(headers: &HeaderMap) -> Option<Language> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE_NAME).find_map(|(_, value)| Language::from_tag(value))
}

/// The known language with the greatest weight; the first named of equals.
fn from_accept(headers: &HeaderMap) -> Option<Language> {
    let text = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(Language, u32)> = None;
    for range in text.split(',').take(32) {
        let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
        let Some(language) = Language::from_tag(tag) else { continue };
        let weight = thousandths(weight);
        if weight > best.map_or(0, |(_, found)| found) {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

/// A weight `q=0.8` in thousandths; 1000 when none is given.
fn thousandths(weight: &str) -> u32 {
    let Some(number) = weight.trim().strip_prefix("q=") else { return 1_000 };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole != "0" {
        return 1_000;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: axum::http::HeaderName, value: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header"));
        Language::from_headers(&headers)
    }

    #[test]
    fn the_cookie_wins_over_the_browser_and_japanese_is_home() {
        assert_eq!(Language::from_headers(&HeaderMap::new()), Language::Japanese);
        assert_eq!(asked(ACCEPT_LANGUAGE, "fr, en-GB;q=0.8, ja;q=0.7"), Language::English);
        assert_eq!(asked(ACCEPT_LANGUAGE, "en;q=0, fr"), Language::Japanese);
        assert_eq!(asked(ACCEPT_LANGUAGE, "ja-JP,en;q=0.9"), Language::Japanese);
        assert_eq!(asked(COOKIE, "x=1; hinomi_lang=en"), Language::English);
        let mut both = HeaderMap::new();
        both.insert(ACCEPT_LANGUAGE, "en".parse().expect("a header"));
        both.insert(COOKIE, "hinomi_lang=ja".parse().expect("a header"));
        assert_eq!(Language::from_headers(&both), Language::Japanese);
    }
}
