//! The little of HTML that a survey needs: title, icon, and values that change at every look.
//!
//! Not a parser of documents: a scanner of tags that knows comments, quotes, scripts and styles, follows the names of
//! the HTML standard and reads at most [`MAX_SCAN_BYTES`]. Titles are decoded by the character set that the header or
//! the page declares (Encoding standard): many Japanese devices write Shift_JIS or EUC-JP.

use std::borrow::Cow;
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8};
use memchr::memchr;

use crate::text::{find_ignore_case, get, starts_with_ignore_case, trim};

pub(crate) mod entity;
mod tags;

use tags::{Tag, Tags};

/// The most bytes of a page that are looked at.
pub const MAX_SCAN_BYTES: usize = 64 * 1024;

/// The most bytes of a title, as sent.
pub const MAX_TITLE_BYTES: usize = 1024;

/// The longest path of an icon.
pub const MAX_ICON_PATH_BYTES: usize = 512;

/// Shorter values are not random.
const MIN_TOKEN_BYTES: usize = 8;

/// The most values that are blanked in one page.
const MAX_TOKENS: usize = 64;

/// Parts of names of hidden inputs and meta elements whose value is made anew for every visitor.
const TOKEN_NAMES: &[&[u8]] =
    &[b"csrf", b"xsrf", b"token", b"nonce", b"viewstate", b"eventvalidation", b"session", b"challenge", b"rand"];

/// The title of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title<'a> {
    /// UTF-8, entities decoded, blanks collapsed; borrowed where that changes nothing. Invalid bytes may remain where
    /// no character set explains them.
    pub text: Cow<'a, [u8]>,
    /// The trimmed text as sent.
    pub span: Range<usize>,
}

/// The first title of a page that is not empty.
pub fn title<'a>(html: &'a [u8], content_type: Option<&[u8]>) -> Option<Title<'a>> {
    let page = scanned(html);
    for tag in Tags::new(page).filter(|tag| tag.is(b"title")) {
        let rest = get(page, tag.end..page.len().min(tag.end + MAX_TITLE_BYTES));
        let length = find_ignore_case(rest, b"</title").or_else(|| memchr(b'<', rest)).unwrap_or(rest.len());
        let span = trim(page, tag.end..tag.end + length);
        if !span.is_empty() {
            let text = readable(get(page, span.clone()), || charset(page, content_type));
            return Some(Title { text, span });
        }
    }
    None
}

/// The path on the same server of the icon that a page at `page_path` names.
pub fn icon_path(html: &[u8], page_path: &str) -> Option<String> {
    let page = scanned(html);
    let is_icon = |tag: &Tag<'_>| {
        let rel = tag.attribute(b"rel").map(|range| get(page, range));
        rel.is_some_and(|rel| rel.split(u8::is_ascii_whitespace).any(|word| word.eq_ignore_ascii_case(b"icon")))
    };
    let links = Tags::new(page).filter(|tag| tag.is(b"link") && is_icon(tag));
    links.filter_map(|tag| tag.attribute(b"href")).find_map(|href| local_path(get(page, href), page_path))
}

/// Makes a reference absolute where it names a path of the same server (RFC 3986 section 5, without dot segments).
fn local_path(reference: &[u8], page_path: &str) -> Option<String> {
    let decoded = entity::decode(std::str::from_utf8(reference.trim_ascii()).ok()?);
    let reference = decoded.split('#').next().unwrap_or_default();
    let before_path = reference.split(['/', '?']).next().unwrap_or_default();
    if reference.is_empty() || reference.starts_with("//") || before_path.contains(':') {
        return None;
    }
    let folder = page_path.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let path = if reference.starts_with('/') { reference.to_owned() } else { format!("{folder}/{reference}") };
    let fits = path.len() <= MAX_ICON_PATH_BYTES && path.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(path)
}

/// Values in a page that are made anew for every visitor: hidden inputs and meta elements named like tokens, and
/// `nonce` attributes. Only plain token characters, so that blanking them changes nothing else.
pub(crate) fn volatile_values(html: &[u8]) -> Vec<Range<usize>> {
    let page = scanned(html);
    Tags::new(page).filter_map(|tag| volatile_value(page, &tag)).take(MAX_TOKENS).collect()
}

fn volatile_value(page: &[u8], tag: &Tag<'_>) -> Option<Range<usize>> {
    let value = if tag.is(b"input") {
        is_token_name(page, tag.attribute(b"name")?).then(|| tag.attribute(b"value"))??
    } else if tag.is(b"meta") {
        is_token_name(page, tag.attribute(b"name")?).then(|| tag.attribute(b"content"))??
    } else {
        tag.attribute(b"nonce")?
    };
    let text = get(page, value.clone());
    let quoted = matches!(get(page, value.start.saturating_sub(1)..value.start), b"\"" | b"'");
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-.".contains(byte);
    (quoted && text.len() >= MIN_TOKEN_BYTES && text.iter().all(plain)).then_some(value)
}

fn is_token_name(page: &[u8], name: Range<usize>) -> bool {
    let name = get(page, name);
    TOKEN_NAMES.iter().any(|part| find_ignore_case(name, part).is_some())
}

fn scanned(html: &[u8]) -> &[u8] {
    html.get(..MAX_SCAN_BYTES).unwrap_or(html)
}

/// Text for people: decoded, entities resolved, blanks collapsed. Borrowed where nothing of that is needed.
fn readable<'a>(raw: &'a [u8], charset: impl FnOnce() -> Option<&'static Encoding>) -> Cow<'a, [u8]> {
    let special = |pair: &[u8]| matches!(pair, [b'&' | 0..=0x1f, _] | [b' ', b' ']);
    let plain = !raw.windows(2).any(special);
    if plain && raw.is_ascii() {
        return Cow::Borrowed(raw);
    }
    let encoding = charset().unwrap_or(UTF_8);
    let valid_utf8 = std::str::from_utf8(raw).is_ok();
    let (decoded, _, had_errors) = encoding.decode(raw);
    if plain && valid_utf8 && (encoding == UTF_8 || had_errors) {
        return Cow::Borrowed(raw);
    }
    let text = if had_errors { String::from_utf8_lossy(raw) } else { decoded };
    Cow::Owned(collapse(&entity::decode(&text)).into_bytes())
}

fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() && c != '\u{3000}' || c.is_control()).filter(|w| !w.is_empty()) {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

/// The declared character set: the header's, else the page's.
fn charset(page: &[u8], content_type: Option<&[u8]>) -> Option<&'static Encoding> {
    content_type.and_then(charset_parameter).or_else(|| {
        Tags::new(page).filter(|tag| tag.is(b"meta")).find_map(|tag| {
            let direct = tag.attribute(b"charset").and_then(|range| Encoding::for_label(get(page, range)));
            direct.or_else(|| charset_parameter(get(page, tag.attribute(b"content")?)))
        })
    })
}

fn charset_parameter(content_type: &[u8]) -> Option<&'static Encoding> {
    const NAME: &[u8] = b"charset=";
    let at = find_ignore_case(content_type, NAME)?;
    let rest = content_type.get(at + NAME.len()..)?;
    let is_edge = |byte: &u8| matches!(byte, b'"' | b'\'' | b';' | b' ');
    let label = rest.split(is_edge).find(|part| !part.is_empty())?;
    Encoding::for_label(label)
}

/// Whether the page begins like HTML; used to tell pages from other bodies.
pub fn looks_like_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    [&b"<!doctype html"[..], b"<html", b"<head", b"<title", b"<meta"]
        .iter()
        .any(|mark| starts_with_ignore_case(start, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title_text(html: &[u8], content_type: Option<&str>) -> Option<String> {
        title(html, content_type.map(str::as_bytes)).map(|title| String::from_utf8_lossy(&title.text).into_owned())
    }

    #[test]
    fn titles_as_pages_write_them() {
        assert_eq!(title_text(b"<HTML><TITLE >\r\n Web  Camera\n</TITLE>", None).as_deref(), Some("Web Camera"));
        assert_eq!(
            title_text(b"<!-- <title>no</title> --><title>A &amp; B &#x3042;&copy;</title>", None).as_deref(),
            Some("A & B \u{3042}\u{a9}")
        );
        assert_eq!(title_text(b"<script>'<title>no</title>'</script><title>yes</title>", None).as_deref(), Some("yes"));
        assert_eq!(title_text(b"<title></title><title>second", None).as_deref(), Some("second"));
        assert_eq!(title_text(b"<titles>no</titles>", None), None);
    }

    #[test]
    fn a_plain_title_is_borrowed_and_its_span_is_exact() {
        let html = b"<title> NVR-7 </title>";
        let title = title(html, None).expect("a title");
        assert!(matches!(title.text, Cow::Borrowed(b"NVR-7")));
        assert_eq!(html.get(title.span), Some(&b"NVR-7"[..]));
    }

    #[test]
    fn japanese_titles_by_header_or_by_page() {
        // "ルータ設定" in Shift_JIS and EUC-JP.
        let sjis = b"\x83\x8b\x81[\x83^\x90\xdd\x92\xe8";
        let euc = b"\xa5\xeb\xa1\xbc\xa5\xbf\xc0\xdf\xc4\xea";
        let page = [b"<title>", &sjis[..], b"</title>"].concat();
        assert_eq!(title_text(&page, Some("text/html; charset=Shift_JIS")).as_deref(), Some("ルータ設定"));
        let page = [b"<title>", &euc[..], b"</title><meta http-equiv=x content='text/html; charset=EUC-JP'>"].concat();
        assert_eq!(title_text(&page, None).as_deref(), Some("ルータ設定"));
        let page = [b"<meta charset=x-sjis><title>".as_slice(), sjis, b"</title>"].concat();
        assert_eq!(title_text(&page, None).as_deref(), Some("ルータ設定"));
    }

    #[test]
    fn icons_of_the_same_server_only() {
        let icon =
            |href: &str| icon_path(format!("<link rel='shortcut icon' href=\"{href}\">").as_bytes(), "/ui/a.html?x=/y");
        assert_eq!(icon("/img/f.ico").as_deref(), Some("/img/f.ico"));
        assert_eq!(icon("f.ico?v=1#z").as_deref(), Some("/ui/f.ico?v=1"));
        for elsewhere in ["//cdn.example/f.ico", "https://a.example/f.ico", "data:image/png;base64,AA", "a b", ""] {
            assert_eq!(icon(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn tokens_are_found_and_short_values_are_not() {
        let html = br#"<input type=hidden name="csrf_token" value="abcDEF123456"><input name=token value="1">"#;
        let found = volatile_values(html);
        assert_eq!(found.len(), 1);
        assert_eq!(found.first().map(|range| get(html, range.clone())), Some(&b"abcDEF123456"[..]));
    }
}
