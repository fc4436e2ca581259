//! `hinomi report`: a month of an organisation, for people.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use hinomi_model::{Clock, Purpose, SystemClock};
use hinomi_share::report::pdf::{self, Font};
use hinomi_share::report::{Around, Month, gather, html_page, tell};
use hinomi_share::{Member, Viewer};
use hinomi_state::contacts::Language;
use hinomi_state::{Database, Settings};
use serde_json::json;

use super::Common;
use crate::{door, output, witness};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hinomi report --organisation city-a --month 2026-10 --out city-a.pdf --format pdf
  hinomi report --month 2026-10 --language en > report.html")]
pub(crate) struct Options {
    /// Of this organisation, as it may see it [default: everything, as the operator sees it].
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
    /// Which month, as 2026-10 [default: the last one that has ended].
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// As what.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// In which language.
    #[arg(long, value_enum, default_value_t = Spoken::Ja)]
    language: Spoken,
    /// For what the organisation reads.
    #[arg(long, default_value = "exposure-reduction")]
    purpose: Purpose,
    /// A font file for PDF [default: that of web.toml, or the best of this machine].
    #[arg(long, value_name = "FILE")]
    font: Option<PathBuf>,
    /// File to write [default: stdout].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Html,
    Pdf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Spoken {
    Ja,
    En,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    let folder = state.make()?;
    let now = SystemClock.now();
    let month = options.month.unwrap_or_else(|| Month::of(now).before());
    let language = if options.language == Spoken::En { Language::En } else { Language::Ja };
    let database = Database::open(&Settings::of_state(folder)?.target)?;
    if let Some(of) = &options.organisation {
        database.organisation(of)?.with_context(|| format!("there is no organisation {of}"))?;
    }
    let viewer = match &options.organisation {
        Some(of) => {
            let organisations = [of.clone()].into();
            Viewer::Member(Member { name: witness::user(), organisations, purpose: options.purpose })
        }
        None => Viewer::Operator,
    };
    let reader = door::open(folder, state.reader()?)?.reader(&viewer)?;
    let report = gather(&reader, options.organisation.as_deref().unwrap_or_default(), month, now)?;
    if common.json && options.out.is_none() {
        return output::json(&report);
    }
    let around = match &options.organisation {
        Some(of) => Around::of(&database, of, &report, language)?,
        None => Around { name: everything(language).to_owned(), ..Around::default() },
    };
    let document = tell(&report, &around, language);
    let (bytes, embedded) = match options.format {
        Format::Html => (html_page(&document).into_bytes(), false),
        Format::Pdf => {
            let asked = hinomi_web::Settings::of_state(folder)?.font;
            let font = match options.font.as_ref().or(asked.as_ref()) {
                Some(path) => Font::open(path)?,
                None => Font::find(),
            };
            if !font.is_embedded() {
                output::talk("no font with Japanese was found: readers show the report by one of their own");
            }
            (pdf::write(&document, &font)?, font.is_embedded())
        }
    };
    match &options.out {
        Some(path) => {
            fs::write(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
            let told = json!({ "file": path, "bytes": bytes.len(), "embedded_font": embedded, "report": report });
            if common.json { output::json(&told) } else { output::line(&path.display().to_string()) }
        }
        None => Ok(std::io::stdout().write_all(&bytes)?),
    }
}

const fn everything(language: Language) -> &'static str {
    match language {
        Language::Ja => "この設備の全体",
        Language::En => "This installation",
    }
}
