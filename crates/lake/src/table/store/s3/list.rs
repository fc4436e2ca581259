//! One page of a listing (`ListObjectsV2`, Amazon S3 API reference).
//!
//! At a hundred times the data: a page holds a thousand names at most, whatever the bucket holds.

use hinomi_model::Timestamp;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::super::Listed;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Whole names.
    pub(super) objects: Vec<Listed>,
    /// Where the next page begins, when there is one.
    pub(super) next: Option<String>,
}

/// Reads a page; says what is wrong with it.
pub(super) fn read(body: &[u8]) -> Result<Page, String> {
    let mut page = Page::default();
    walk(body, &mut |step| match step {
        Step::Begins("Contents") => page.objects.push(Listed { name: String::new(), modified: None }),
        Step::Begins(_) => {}
        Step::Ends(name, value) => take(&mut page, name, value),
    })?;
    Ok(page)
}

/// An element of an answer.
pub(super) enum Step<'a> {
    /// It begins, under this name.
    Begins(&'a str),
    /// It ends: its name and text; no name where others were in it.
    Ends(&'a str, &'a str),
}

/// Goes through the elements of an answer; says what is wrong with it, also when it ends in the middle.
pub(super) fn walk(body: &[u8], each: &mut dyn FnMut(Step<'_>)) -> Result<(), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    let (mut name, mut value, mut depth, mut closed) = (String::new(), String::new(), 0_u32, false);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Eof => break,
            Event::Start(element) => {
                depth += 1;
                element.name().as_ref().clone_into(&mut name);
                value.clear();
                each(Step::Begins(&name));
            }
            Event::Text(part) => value.push_str(&part.xml10_content()),
            // Names of ours have no character that would be written so: such an object is nobody we know.
            Event::GeneralRef(_) => value.push('?'),
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                closed = depth == 0;
                each(Step::Ends(&name, &value));
                name.clear();
            }
            _ => {}
        }
    }
    if closed { Ok(()) } else { Err("the listing ends in the middle".to_owned()) }
}

fn take(page: &mut Page, name: &str, value: &str) {
    match (name, page.objects.last_mut()) {
        ("Key", Some(object)) => value.clone_into(&mut object.name),
        ("LastModified", Some(object)) => object.modified = value.parse::<Timestamp>().ok(),
        ("NextContinuationToken", _) => page.next = Some(value.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult
        xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>true</IsTruncated>
        <Contents><Key>a/1.json</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified><Size>3</Size></Contents>
        <Contents><Key>a/x&amp;y</Key></Contents>
        <NextContinuationToken>abc=</NextContinuationToken></ListBucketResult>"#;

    #[test]
    fn names_times_and_what_follows_are_read() {
        let page = read(PAGE.as_bytes()).unwrap();
        let names: Vec<_> = page.objects.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a/1.json", "a/x?y"]);
        assert_eq!(page.objects[0].modified, "2026-11-22T00:00:00Z".parse().ok());
        assert_eq!(page.next.as_deref(), Some("abc="));
    }

    #[test]
    fn a_page_cut_short_is_told() {
        for length in [0, 10, 150, PAGE.len() - 5] {
            assert!(read(&PAGE.as_bytes()[..length]).is_err(), "{length}");
        }
    }
}
