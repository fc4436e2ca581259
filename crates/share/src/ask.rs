//! How much may be asked at once, said in the same words on the command line, in the API and on the pages.
//!
//! A number beyond its bound is refused, never cut in silence: whoever counts on 5,000 services must not work with
//! 1,000 and believe that they are all.

use hinomi_lake::search::{FacetRequest, MAX_FACET_VALUES, MAX_LIMIT, SearchRequest};

/// How many fields one search may count.
pub const MAX_FACETS: usize = 16;

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

/// Refuses what is beyond the bounds.
pub(crate) fn check(request: &SearchRequest) -> Result<(), AskError> {
    if request.limit > MAX_LIMIT {
        return Err(AskError::Limit { asked: request.limit });
    }
    if request.facets.len() > MAX_FACETS {
        return Err(AskError::Facets { asked: request.facets.len() });
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
    fn what_is_beyond_a_bound_is_refused_with_the_bound_and_the_way_out() {
        let with = |limit, facets| SearchRequest { limit, facets, ..SearchRequest::default() };
        let said = |request| check(&request).map_err(|error| error.to_string());
        assert_eq!(said(with(MAX_LIMIT, Vec::new())), Ok(()));
        let limit = said(with(5_000, Vec::new())).expect_err("too many");
        assert!(["5000", "1000", "cursor", "export"].iter().all(|word| limit.contains(word)), "{limit}");
        let facet = |size| vec![FacetRequest { field: "port".to_owned(), size }];
        assert_eq!(said(with(1, facet(MAX_FACET_VALUES))), Ok(()));
        assert!(said(with(1, facet(MAX_FACET_VALUES + 1))).expect_err("too many").contains("port:1001"));
        assert!(said(with(1, facet(0))).is_err());
        assert!(said(with(1, vec![facet(1).remove(0); MAX_FACETS + 1])).expect_err("too many").contains("17"));
    }
}
