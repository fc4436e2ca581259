//! How much may be asked at once, said in the same words on the command line, in the API and on the pages.
//!
//! A number beyond its bound is refused, never cut in silence: whoever counts on 5,000 services must not work with
//! 1,000 and believe that they are all.

use hinomi_lake::Known;
use hinomi_lake::past::diff::Side;
use hinomi_lake::search::{FacetRequest, HistogramRequest, MAX_FACET_VALUES, MAX_HISTOGRAMS, MAX_LIMIT, SearchRequest};

/// How many fields one search may count.
pub const MAX_FACETS: usize = 16;

/// The most services a sample may have.
pub const MAX_SAMPLE: u64 = 10_000_000;

/// Why a search was not even begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// More services than one answer holds.
    #[error(
        "limit {asked}: one answer holds at most {MAX_LIMIT} services; follow its cursor to the next ones, or take all of \
         them with export"
    )]
    Limit {
        /// How many were asked for.
        asked: usize,
    },
    /// More values of one field than one answer holds.
    #[error(
        "facet {field}:{asked}: one answer lists 1 to {MAX_FACET_VALUES} values of a field; narrow the query, or take all \
         services with export and count there"
    )]
    FacetValues {
        /// Which field.
        field: String,
        /// How many were asked for.
        asked: usize,
    },
    /// Too many fields to count.
    #[error("facets: one search counts at most {MAX_FACETS} fields, {asked} were asked for; ask again for the others")]
    Facets {
        /// How many were asked for.
        asked: usize,
    },
    /// A sample that is none, or larger than one may be.
    #[error("sample {asked}: ask for 1 to {MAX_SAMPLE} services; all of them are had with export")]
    Sample {
        /// How many were asked for.
        asked: u64,
    },
    /// Too many histograms.
    #[error("histograms: one search draws at most {MAX_HISTOGRAMS}, {asked} were asked for; ask again for the others")]
    Histograms {
        /// How many were asked for.
        asked: usize,
    },
    /// Not a field and a step.
    #[error("histogram {part:?}: write a field and a step, as seen:day or confidence:10")]
    NotAHistogram {
        /// What was written, cut.
        part: String,
    },
    /// The search would look at more than the asker may spend.
    #[error(
        "this search would look at about {rows} services, and {budget} are allowed; add an address, a prefix, a port or \
         another word that must be there, or ask for a sample"
    )]
    TooCostly {
        /// How many it would look at.
        rows: u64,
        /// How many are allowed.
        budget: u64,
    },
    /// Not a moment, a version or a campaign.
    #[error("{part:?}: write {wanted}")]
    NotThen {
        /// What was written, cut.
        part: String,
        /// What may be written.
        wanted: &'static str,
    },
    /// Not a field and a number.
    #[error("facet {part:?}: write a field, or a field and a number, as product,port:20")]
    NotAFacet {
        /// What was written, cut.
        part: String,
    },
}

/// Characters of a malformed request that an error repeats.
const MAX_QUOTED_CHARS: usize = 40;

/// Reads `product,port:20`: fields to count, each with how many values to list or `usual` many.
///
/// # Errors
/// When a number cannot be read. Whether fields exist and numbers are within bounds is seen when the lake is asked.
pub fn read_facets(text: &str, usual: usize) -> Result<Vec<FacetRequest>, AskError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| {
        let (field, size) = match part.split_once(':') {
            None => (part, Ok(usual)),
            Some((field, digits)) => (field, digits.parse()),
        };
        let refuse = |_| AskError::NotAFacet { part: part.chars().take(MAX_QUOTED_CHARS).collect() };
        Ok(FacetRequest { field: field.to_owned(), size: size.map_err(refuse)? })
    };
    parts.map(read).collect()
}

/// Reads `seen:day,confidence:10`: fields to draw, each with its step.
///
/// # Errors
/// When a part is not a field and a step. Whether the field has that step is seen when the lake is asked.
pub fn read_histograms(text: &str) -> Result<Vec<HistogramRequest>, AskError> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| {
        let refuse = || AskError::NotAHistogram { part: part.chars().take(MAX_QUOTED_CHARS).collect() };
        let (field, step) = part.split_once(':').ok_or_else(refuse)?;
        Ok(HistogramRequest { field: field.to_owned(), step: step.parse().map_err(|()| refuse())? })
    };
    parts.map(read).collect()
}

/// Reads whose knowledge is meant: a moment, or a version of the table of sightings.
///
/// # Errors
/// When it is neither.
pub fn read_known(text: &str) -> Result<Known, AskError> {
    let wanted = "a moment as 2026-11-01 or 2026-11-01T00:00:00Z, or the number of a version";
    let version = text.parse().map(Known::Version);
    version.or_else(|_| text.parse().map(Known::At)).map_err(|_| not_then(text, wanted))
}

/// Reads one side of a comparison: a moment, or a campaign.
///
/// # Errors
/// When it is neither.
pub fn read_side(text: &str) -> Result<Side, AskError> {
    let wanted = "a moment as 2026-11-01 or 2026-11-01T00:00:00Z, or campaign:NAME";
    let side = match text.strip_prefix("campaign:") {
        Some(name) => name.parse().ok().map(Side::Campaign),
        None => text.parse().ok().map(Side::At),
    };
    side.ok_or_else(|| not_then(text, wanted))
}

fn not_then(text: &str, wanted: &'static str) -> AskError {
    AskError::NotThen { part: text.chars().take(MAX_QUOTED_CHARS).collect(), wanted }
}

/// One term of the query language, quoted where its value needs it.
pub fn term(field: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    // Two dots would be read as a range.
    if !value.is_empty() && value.chars().all(plain) && !value.contains("..") {
        return format!("{field}:{value}");
    }
    let mut quoted = String::with_capacity(value.len() + field.len() + 3);
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    format!("{field}:\"{quoted}\"")
}

/// Refuses more services than one answer holds.
pub(crate) const fn check_limit(asked: usize) -> Result<(), AskError> {
    if asked > MAX_LIMIT { Err(AskError::Limit { asked }) } else { Ok(()) }
}

/// Refuses what is beyond the bounds.
pub(crate) fn check(request: &SearchRequest) -> Result<(), AskError> {
    check_limit(request.limit)?;
    if request.facets.len() > MAX_FACETS {
        return Err(AskError::Facets { asked: request.facets.len() });
    }
    if request.histograms.len() > MAX_HISTOGRAMS {
        return Err(AskError::Histograms { asked: request.histograms.len() });
    }
    if let Some(sample) = request.sample.filter(|sample| !(1..=MAX_SAMPLE).contains(&sample.size)) {
        return Err(AskError::Sample { asked: sample.size });
    }
    let beyond = request.facets.iter().find(|facet| !(1..=MAX_FACET_VALUES).contains(&facet.size));
    match beyond {
        Some(FacetRequest { field, size }) => {
            let field = field.chars().take(MAX_QUOTED_CHARS).collect();
            Err(AskError::FacetValues { field, asked: *size })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use hinomi_lake::search::SampleRequest;

    use super::*;

    #[test]
    fn facets_are_a_field_and_perhaps_a_number() {
        let read = read_facets("product, port:20,,", 10).expect("facets");
        let pairs: Vec<_> = read.iter().map(|facet| (facet.field.as_str(), facet.size)).collect();
        assert_eq!(pairs, [("product", 10), ("port", 20)]);
        for wrong in ["port:", "port:x", "port:-1", "port:1:2", "port:99999999999999999999999"] {
            assert!(matches!(read_facets(wrong, 10), Err(AskError::NotAFacet { .. })), "{wrong}");
        }
    }

    #[test]
    fn histograms_are_a_field_and_a_step() {
        let read = read_histograms("seen:day, confidence:10,").expect("histograms");
        let pairs: Vec<_> = read.iter().map(|asked| (asked.field.as_str(), asked.step.to_string())).collect();
        assert_eq!(pairs, [("seen", "day".to_owned()), ("confidence", "10".to_owned())]);
        for wrong in ["seen", "seen:", "seen:fortnight", "port:0", "port:-1", "port:99999999999"] {
            assert!(matches!(read_histograms(wrong), Err(AskError::NotAHistogram { .. })), "{wrong}");
        }
    }

    #[test]
    fn sides_and_knowledge_are_moments_or_something_else() {
        assert!(matches!(read_side("2026-11-01"), Ok(Side::At(_))));
        assert!(matches!(read_side("campaign:spring"), Ok(Side::Campaign(_))));
        assert!(matches!((read_known("7"), read_known("2026-11-01")), (Ok(Known::Version(7)), Ok(Known::At(_)))));
        for wrong in ["", "yesterday", "campaign:", "campaign:a b"] {
            assert!(matches!(read_side(wrong), Err(AskError::NotThen { .. })), "{wrong}");
        }
        assert!(read_known("-1").expect_err("no version").to_string().contains("version"));
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused_with_the_bound_and_the_way_out() {
        let with = |limit, facets| SearchRequest { limit, facets, ..SearchRequest::default() };
        let said = |request| check(&request).map_err(|error| error.to_string());
        assert_eq!(said(with(MAX_LIMIT, Vec::new())), Ok(()));
        let limit = said(with(5_000, Vec::new())).expect_err("too many");
        assert!(["5000", "1000", "cursor", "export"].iter().all(|word| limit.contains(word)), "{limit}");
        let sample = |size| SearchRequest { sample: Some(SampleRequest { size, seed: 0 }), ..with(1, Vec::new()) };
        assert!(said(sample(1)).is_ok() && said(sample(0)).is_err() && said(sample(MAX_SAMPLE + 1)).is_err());
        let facet = |size| vec![FacetRequest { field: "port".to_owned(), size }];
        assert_eq!(said(with(1, facet(MAX_FACET_VALUES))), Ok(()));
        assert!(said(with(1, facet(MAX_FACET_VALUES + 1))).expect_err("too many").contains("port:1001"));
        assert!(said(with(1, facet(0))).is_err());
        assert!(said(with(1, vec![facet(1).remove(0); MAX_FACETS + 1])).expect_err("too many").contains("17"));
    }
}
