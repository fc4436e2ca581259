//! A report as PDF, without a browser and without fonts of our own.
//!
//! ```text
//!   Document -> layout: pages of texts, lines and areas -> the glyphs that are used -> one file
//!                  ^ Font: of this machine, its used part embedded; or a name, and readers use what they have
//! ```
//!
//! - Text is text: each glyph names its characters, so that it can be searched and copied. The file has a title, a language,
//!   page numbers and a bookmark for each heading.
//! - Two runs over the same document and font give the same bytes.
//!
//! At a hundred times the data: a report is bounded, and so is its file; a font is read once for each report.

mod font;
mod layout;

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, PageMode, SystemInfo, TextRenderingMode, UnicodeCmap};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;
use ttf_parser::Face;

pub use font::{Font, FontError};

use super::document::Document;
use font::Measure;
use layout::{Colour, Laid, Op, Page};

/// A4, in points.
const SIZE: (f32, f32) = (595.28, 841.89);
/// What the font is called in the file.
const FONT: Name<'static> = Name(b"F1");
/// The font that readers of Japanese have or replace, where none is embedded.
const NAMED: Name<'static> = Name(b"HeiseiKakuGo-W5");
/// Its characters: Unicode, with letters of half the width.
const NAMED_MAP: Name<'static> = Name(b"UniJIS-UCS2-HW-H");

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PdfError {
    /// The font.
    #[error(transparent)]
    Font(#[from] FontError),
    /// Its part.
    #[error("the used part of the font cannot be taken out: {0}")]
    Subset(String),
}

/// The whole file.
///
/// # Errors
/// When the font cannot be read.
pub fn write(document: &Document, font: &Font) -> Result<Vec<u8>, PdfError> {
    let measure = font.measure()?;
    let laid = layout::lay(document, &measure);
    let codes = Codes::of(&laid.pages, &measure);
    let mut file = Pdf::new();
    let mut next = 1;
    let mut give = || {
        let id = Ref::new(next);
        next += 1;
        id
    };
    let (catalog, tree, outline, font_id, info) = (give(), give(), give(), give(), give());
    let pages: Vec<(Ref, Ref)> = laid.pages.iter().map(|_| (give(), give())).collect();
    let marks: Vec<Ref> = laid.marks.iter().map(|_| give()).collect();
    let mut root = file.catalog(catalog);
    root.pages(tree).outlines(outline).page_mode(PageMode::UseOutlines).lang(TextStr(document.language));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    file.pages(tree).kids(pages.iter().map(|(page, _)| *page)).count(count);
    for ((page_id, content), page) in pages.iter().zip(&laid.pages) {
        let mut page_object = file.page(*page_id);
        page_object.media_box(Rect::new(0.0, 0.0, SIZE.0, SIZE.1)).parent(tree).contents(*content);
        page_object.resources().fonts().pair(FONT, font_id);
        page_object.finish();
        file.stream(*content, &drawn(page, &codes));
    }
    bookmarks(&mut file, (outline, &marks), &laid, &pages);
    let mut about = file.document_info(info);
    about.title(TextStr(&document.title)).creator(TextStr("Hinomi")).producer(TextStr("Hinomi"));
    about.finish();
    let ids = FontIds { font: font_id, cid: give(), descriptor: give(), map: give(), data: give() };
    match (font, &measure) {
        (Font::Embedded { bytes, index, .. }, Measure::Face(face)) => {
            embed(&mut file, &ids, (bytes, *index, face), &codes)?;
        }
        _ => name_only(&mut file, &ids),
    }
    Ok(file.finish())
}

struct FontIds {
    font: Ref,
    cid: Ref,
    descriptor: Ref,
    map: Ref,
    data: Ref,
}

/// How characters are written.
enum Codes {
    /// As glyphs of the embedded part.
    Glyphs { by_char: BTreeMap<char, u16>, remapper: GlyphRemapper, widths: BTreeMap<u16, f32> },
    /// As UCS-2.
    Ucs2,
}

impl Codes {
    fn of(pages: &[Page], measure: &Measure<'_>) -> Self {
        let Measure::Face(face) = measure else { return Self::Ucs2 };
        let (mut by_char, mut remapper, mut widths) = (BTreeMap::new(), GlyphRemapper::new(), BTreeMap::new());
        let texts =
            pages.iter().flatten().filter_map(|op| if let Op::Text { text, .. } = op { Some(text) } else { None });
        for c in texts.flat_map(|text| text.chars()) {
            let Some(glyph) = face.glyph_index(c) else { continue };
            let code = remapper.remap(glyph.0);
            by_char.insert(c, code);
            widths.insert(code, measure.width(c));
        }
        Self::Glyphs { by_char, remapper, widths }
    }

    fn write(&self, text: &str) -> Vec<u8> {
        let code = |c: char| match self {
            Self::Glyphs { by_char, .. } => by_char.get(&c).copied().unwrap_or(0),
            Self::Ucs2 => u16::try_from(u32::from(c)).unwrap_or(0x3013),
        };
        text.chars().flat_map(|c| code(c).to_be_bytes()).collect()
    }
}

fn drawn(page: &Page, codes: &Codes) -> Vec<u8> {
    let mut content = Content::new();
    for op in page {
        match op {
            Op::Area { x, y, width, height, colour } => {
                fill(&mut content, *colour);
                content.rect(*x, *y, *width, *height).fill_nonzero();
            }
            Op::Line { from, to, width, colour } => {
                let Colour(r, g, b) = *colour;
                content.set_stroke_rgb(r, g, b).set_line_width(*width);
                content.move_to(from.0, from.1).line_to(to.0, to.1).stroke();
            }
            Op::Text { x, y, size, bold, colour, text } => {
                let Colour(r, g, b) = *colour;
                content.begin_text();
                fill(&mut content, *colour);
                if *bold {
                    // There is one font: what is bold is drawn with an edge.
                    content.set_stroke_rgb(r, g, b).set_line_width(size * 0.03);
                    content.set_text_rendering_mode(TextRenderingMode::FillStroke);
                } else {
                    content.set_text_rendering_mode(TextRenderingMode::Fill);
                }
                content.set_font(FONT, *size).next_line(*x, *y).show(Str(&codes.write(text)));
                content.end_text();
            }
        }
    }
    content.finish().to_vec()
}

fn fill(content: &mut Content, Colour(r, g, b): Colour) {
    content.set_fill_rgb(r, g, b);
}

fn bookmarks(file: &mut Pdf, (outline, ids): (Ref, &[Ref]), laid: &Laid, pages: &[(Ref, Ref)]) {
    let mut root = file.outline(outline);
    if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
        root.first(*first).last(*last).count(i32::try_from(ids.len()).unwrap_or(i32::MAX));
    }
    root.finish();
    for (place, (id, mark)) in ids.iter().zip(&laid.marks).enumerate() {
        let mut item = file.outline_item(*id);
        item.title(TextStr(&mark.title)).parent(outline);
        if let Some(before) = place.checked_sub(1).and_then(|before| ids.get(before)) {
            item.prev(*before);
        }
        if let Some(after) = ids.get(place + 1) {
            item.next(*after);
        }
        if let Some((page, _)) = pages.get(mark.page) {
            item.dest().page(*page).xyz(0.0, mark.top, None);
        }
    }
}

const IDENTITY: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
const JAPAN: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Japan1"), supplement: 2 };

/// Embeds the glyphs that are used.
fn embed(
    file: &mut Pdf,
    ids: &FontIds,
    (bytes, index, face): (&[u8], u32, &Face<'_>),
    codes: &Codes,
) -> Result<(), PdfError> {
    let Codes::Glyphs { by_char, remapper, widths } = codes else { return Ok(()) };
    let part = subsetter::subset(bytes, index, remapper).map_err(|error| PdfError::Subset(error.to_string()))?;
    let outlines = ttf_parser::RawFace::parse(&part, 0).ok();
    let cff = outlines.and_then(|raw| raw.table(ttf_parser::Tag::from_bytes(b"CFF ")));
    // Six letters before the name say that it is a part.
    let name = format!("HINOMI+{}", font::plain_name(face));
    let name = Name(name.as_bytes());
    let mut font = file.type0_font(ids.font);
    font.base_font(name).encoding_predefined(Name(b"Identity-H")).descendant_font(ids.cid).to_unicode(ids.map);
    font.finish();
    let mut cid = file.cid_font(ids.cid);
    cid.subtype(if cff.is_some() { CidFontType::Type0 } else { CidFontType::Type2 });
    cid.base_font(name).system_info(IDENTITY).font_descriptor(ids.descriptor).default_width(1000.0);
    if cff.is_none() {
        cid.cid_to_gid_map_predefined(Name(b"Identity"));
    }
    let mut told = cid.widths();
    for (code, width) in widths {
        told.consecutive(*code, [*width]);
    }
    told.finish();
    cid.finish();
    let scale = 1000.0 / f32::from(face.units_per_em());
    let of = |units: i16| f32::from(units) * scale;
    let bounds = face.global_bounding_box();
    let mut descriptor = file.font_descriptor(ids.descriptor);
    descriptor.name(name).flags(FontFlags::SYMBOLIC).italic_angle(0.0).stem_v(80.0);
    descriptor.bbox(Rect::new(of(bounds.x_min), of(bounds.y_min), of(bounds.x_max), of(bounds.y_max)));
    descriptor.ascent(of(face.ascender())).descent(of(face.descender()));
    descriptor.cap_height(face.capital_height().map_or(700.0, of));
    match cff {
        Some(_) => descriptor.font_file3(ids.data),
        None => descriptor.font_file2(ids.data),
    };
    descriptor.finish();
    match cff {
        Some(cff) => drop(file.stream(ids.data, cff).pair(Name(b"Subtype"), Name(b"CIDFontType0C"))),
        None => drop(file.stream(ids.data, &part)),
    }
    let mut map = UnicodeCmap::<u16>::new(Name(b"Custom"), IDENTITY);
    let by_code: BTreeMap<u16, char> = by_char.iter().map(|(c, code)| (*code, *c)).collect();
    by_code.iter().for_each(|(code, c)| map.pair(*code, *c));
    file.cmap(ids.map, &map.finish());
    Ok(())
}

/// Names a font that readers have, or replace by one that they have.
fn name_only(file: &mut Pdf, ids: &FontIds) {
    let mut font = file.type0_font(ids.font);
    font.base_font(NAMED).encoding_predefined(NAMED_MAP).descendant_font(ids.cid);
    font.finish();
    let mut cid = file.cid_font(ids.cid);
    cid.subtype(CidFontType::Type0).base_font(NAMED).system_info(JAPAN).font_descriptor(ids.descriptor);
    cid.default_width(1000.0);
    let mut told = cid.widths();
    // Adobe-Japan1: letters and katakana of half the width.
    told.same(231, 632, 500.0);
    told.finish();
    cid.finish();
    let mut descriptor = file.font_descriptor(ids.descriptor);
    descriptor.name(NAMED).flags(FontFlags::SYMBOLIC).bbox(Rect::new(-92.0, -250.0, 1010.0, 922.0)).italic_angle(0.0);
    descriptor.ascent(752.0).descent(-221.0).cap_height(737.0).stem_v(114.0);
    descriptor.finish();
}

#[cfg(test)]
mod tests;
