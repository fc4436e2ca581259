//! The font of a report: one of this machine that has Japanese, and may be embedded.

use std::fs;
use std::path::{Path, PathBuf};

use ttf_parser::{Face, Permissions};

/// The largest font that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// What every page of a Japanese report needs.
const NEEDED: &str = "Aa0、。あ漢ア";
/// Folders of fonts, with all below them.
const FOLDERS: &[&str] =
    &["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts", "C:\\Windows\\Fonts"];
/// How deep folders are looked into, and at how many files.
const MAX_DEPTH: u32 = 5;
const MAX_FILES: usize = 20_000;
/// Files that do, the better first.
const FILES: &[&str] = &[
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "NotoSansJP-Regular.otf",
    "NotoSansJP-Regular.ttf",
    "SourceHanSans-Regular.ttc",
    "SourceHanSansJP-Regular.otf",
    "BIZUDGothic-Regular.ttf",
    "ipaexg.ttf",
    "ipag.ttf",
    "VL-PGothic-Regular.ttf",
    "VL-Gothic-Regular.ttf",
    "TakaoPGothic.ttf",
    "TakaoGothic.ttf",
    "YuGothR.ttc",
    "msgothic.ttc",
    "fonts-japanese-gothic.ttf",
];

/// What a report is written in.
#[derive(Clone, Debug)]
pub enum Font {
    /// A font of this machine; the part that is used goes into the file.
    Embedded {
        /// Where it is.
        path: PathBuf,
        /// The whole file.
        bytes: Vec<u8>,
        /// Which font of a collection.
        index: u32,
    },
    /// None: the file names one, and readers show it by one of their own.
    Named,
}

/// Why a font does not do.
#[derive(Debug, thiserror::Error)]
#[error("the font {path} does not do: {why}")]
pub struct FontError {
    path: String,
    why: String,
}

impl FontError {
    fn new(path: &Path, why: &dyn std::fmt::Display) -> Self {
        Self { path: path.display().to_string(), why: why.to_string() }
    }
}

impl Font {
    /// A font file: one that has Japanese, and may be embedded in part.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, FontError> {
        let about = fs::metadata(path).map_err(|error| FontError::new(path, &error))?;
        if about.len() > MAX_BYTES {
            return Err(FontError::new(path, &format!("it has more than {MAX_BYTES} bytes")));
        }
        let bytes = fs::read(path).map_err(|error| FontError::new(path, &error))?;
        let count = ttf_parser::fonts_in_collection(&bytes).unwrap_or(1);
        let index = (0..count).find(|index| Face::parse(&bytes, *index).is_ok_and(|face| does(&face)));
        let index = index.ok_or_else(|| {
            FontError::new(path, &"it has no Japanese letters with outlines, or says that it may not be embedded")
        })?;
        Ok(Self::Embedded { path: path.to_owned(), bytes, index })
    }

    /// The one that is asked for, if it does, or else the best of this machine.
    pub fn of(asked: Option<&Path>) -> Self {
        match asked.map(Self::open) {
            Some(Ok(font)) => font,
            Some(Err(_)) | None => Self::find(),
        }
    }

    /// The best of this machine; [`Self::Named`] where there is none.
    pub fn find() -> Self {
        let mut found: Vec<(usize, PathBuf)> = Vec::new();
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let own = home.iter().flat_map(|home| [home.join(".local/share/fonts"), home.join("Library/Fonts")]);
        let mut room = MAX_FILES;
        for folder in FOLDERS.iter().map(PathBuf::from).chain(own) {
            look(&folder, MAX_DEPTH, &mut room, &mut found);
        }
        found.sort();
        found.iter().find_map(|(_, path)| Self::open(path).ok()).unwrap_or(Self::Named)
    }

    /// Whether it goes into the file.
    pub const fn is_embedded(&self) -> bool {
        matches!(self, Self::Embedded { .. })
    }

    pub(super) fn measure(&self) -> Result<Measure<'_>, FontError> {
        match self {
            Self::Named => Ok(Measure::Named),
            Self::Embedded { path, bytes, index } => Face::parse(bytes, *index)
                .map(|face| Measure::Face(Box::new(face)))
                .map_err(|error| FontError::new(path, &error)),
        }
    }
}

fn look(folder: &Path, depth: u32, room: &mut usize, found: &mut Vec<(usize, PathBuf)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if *room == 0 {
            return;
        }
        *room -= 1;
        let path = entry.path();
        let name = entry.file_name();
        if let Some(place) = FILES.iter().position(|file| name.to_str() == Some(file)) {
            found.push((place, path));
        } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            look(&path, depth - 1, room, found);
        }
    }
}

fn does(face: &Face<'_>) -> bool {
    let tables = face.tables();
    let outlines = tables.cff.is_some() || tables.glyf.is_some();
    let may = face.permissions() != Some(Permissions::Restricted) && face.is_subsetting_allowed();
    outlines && may && NEEDED.chars().all(|c| face.glyph_index(c).is_some())
}

/// The name of a font for the file: letters and digits.
pub(super) fn plain_name(face: &Face<'_>) -> String {
    let names = face.names().into_iter().filter(|name| name.name_id == ttf_parser::name_id::POST_SCRIPT_NAME);
    let name = names.filter_map(|name| name.to_string()).next().unwrap_or_default();
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect();
    if plain.is_empty() { "Font".to_owned() } else { plain }
}

/// How wide characters are.
pub(super) enum Measure<'a> {
    Face(Box<Face<'a>>),
    Named,
}

impl Measure<'_> {
    /// Width of a character, in thousandths of the size.
    pub(super) fn width(&self, c: char) -> f32 {
        match self {
            Self::Named if c.is_ascii() || ('\u{ff61}'..='\u{ff9f}').contains(&c) => 500.0,
            Self::Named => 1000.0,
            Self::Face(face) => {
                let advance = face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph));
                f32::from(advance.unwrap_or_else(|| face.units_per_em())) * 1000.0 / f32::from(face.units_per_em())
            }
        }
    }

    /// Width of a text of a size, in points.
    pub(super) fn text(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.width(c)).sum::<f32>() * size / 1000.0
    }

    /// A text of what the font has: what is missing is shown as such.
    pub(super) fn shown(&self, text: &str) -> String {
        let has = |c: char| match self {
            Self::Face(face) => face.glyph_index(c).is_some(),
            Self::Named => u32::from(c) < 0x1_0000,
        };
        text.chars()
            .map(|c| {
                if has(c) {
                    c
                } else if has('〓') {
                    '〓'
                } else {
                    '?'
                }
            })
            .collect()
    }
}
