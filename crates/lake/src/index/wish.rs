//! What a search is to count besides finding, and the page that comes of it.

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::Service;

use super::collect::{Found, Lot};
use super::histogram::Columned;
use super::mix::mix;
use crate::error::LakeError;
use crate::query::{Class, Field, FieldInfo, QueryError};
use crate::search::{
    Bucket, Distinct, FacetCount, FacetRequest, HistogramRequest, MAX_FACET_VALUES, MAX_HISTOGRAMS, SampleRequest,
    Sampled, SearchPage, SearchRequest, Step,
};

/// The most facets of one search.
const MAX_FACETS: usize = 48;
/// Looking at a row that a sample leaves out costs so much less.
const LOT_SAVES: u64 = 4;
/// All hashes there are.
const WHOLE: f64 = 18_446_744_073_709_551_616.0;

/// What to count, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Fields, and how many values of each to show.
    pub(super) facets: Vec<(Field, usize)>,
    pub(super) distinct: Option<Field>,
    pub(super) histograms: Vec<Columned>,
}

impl Wish {
    pub(super) fn read(request: &SearchRequest) -> Result<Self, QueryError> {
        if request.sample.is_some() && request.within.is_some() {
            // Its share follows from the rows of everybody, and would tell how many others have.
            let en = "a search that is kept to some addresses takes no sample; search for all of them".to_owned();
            return Err(refuse(en, "アドレスを限った検索では標本を使えません。すべてを検索してください".to_owned()));
        }
        Ok(Self {
            facets: facet_fields(&request.facets)?,
            distinct: request.distinct.as_deref().map(distinct_field).transpose()?,
            histograms: histogram_fields(&request.histograms)?,
        })
    }

    /// The page of an index that is not there yet.
    pub(super) fn empty_page(&self) -> SearchPage {
        let facets = self.facets.iter().map(|(field, _)| (field.name().to_owned(), Vec::new())).collect();
        let histograms = self.histograms.iter().map(|asked| (asked.field.name().to_owned(), Vec::new())).collect();
        let distinct = self.distinct.map(|_| Distinct::default());
        SearchPage { facets, histograms, distinct, ..SearchPage::default() }
    }

    /// The page of what was found.
    pub(super) fn page(
        &self,
        found: Found,
        matches: Vec<Service>,
        next: Option<String>,
        lot: Option<Lot>,
    ) -> Result<SearchPage, LakeError> {
        let counts = self.facets.iter().zip(found.facets);
        let facet = |((field, size), counts): (&(Field, usize), super::facet::Counts)| {
            (field.name().to_owned(), counts.most(*field, *size))
        };
        let facets: BTreeMap<String, Vec<FacetCount>> = counts.map(facet).collect();
        let mut histograms: BTreeMap<String, Vec<Bucket>> = BTreeMap::new();
        for (asked, counts) in self.histograms.iter().zip(found.histograms) {
            histograms.insert(asked.field.name().to_owned(), asked.buckets(&counts)?);
        }
        let sampled = lot.map(|lot| lot.tell(found.total));
        let (total, distinct) = (found.total, found.distinct);
        Ok(SearchPage { total, matches, facets, distinct, histograms, sampled, next })
    }
}

impl Lot {
    /// A sample of about so many of at most so many services.
    pub(super) fn of(sample: SampleRequest, matches: u64) -> Self {
        let fraction = sample.size as f64 / matches.max(1) as f64;
        let below = if fraction >= 1.0 { u64::MAX } else { (fraction * WHOLE) as u64 };
        Self { seed: mix(sample.seed), below }
    }

    fn fraction(self) -> f64 {
        if self.below == u64::MAX { 1.0 } else { self.below as f64 / WHOLE }
    }

    /// What so many in the sample say of all.
    fn tell(self, kept: u64) -> Sampled {
        let fraction = self.fraction();
        let scaled = |count: f64| if fraction > 0.0 { (count.max(0.0) / fraction).round() as u64 } else { 0 };
        let count = kept as f64;
        // Wilson's form of the interval, for a count that spreads like its root: right for small counts, too.
        let spread = if fraction >= 1.0 { 0.0 } else { 1.96 * ((count + 0.96) * (1.0 - fraction)).sqrt() };
        let middle = if fraction >= 1.0 { count } else { count + 1.92 };
        Sampled {
            fraction,
            kept,
            total: scaled(count),
            at_least: scaled(middle - spread).max(kept),
            at_most: scaled(middle + spread),
        }
    }
}

/// What looking at so many rows costs.
pub(super) const fn cost(rows: u64, lot: Option<Lot>) -> u64 {
    if lot.is_some() { rows / LOT_SAVES } else { rows }
}

fn refuse(en: String, ja: String) -> QueryError {
    QueryError::new(0, 0, en).ja(ja)
}

fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

fn facet_fields(requests: &[FacetRequest]) -> Result<Vec<(Field, usize)>, QueryError> {
    if requests.len() > MAX_FACETS {
        let ja = format!("一度に数えられる項目は {MAX_FACETS} 個までです");
        return Err(refuse(format!("a search may count {MAX_FACETS} fields"), ja));
    }
    let field = |request: &FacetRequest| {
        let found = Field::named(&request.field).filter(|info| info.facet);
        let unknown = || {
            let (name, all) = (short(&request.field), Field::facet_names().collect::<Vec<_>>().join(", "));
            let ja = format!("{name:?} では数えられません。数えられる項目: {all}");
            refuse(format!("cannot count by {name:?}; fields that can be counted: {all}"), ja)
        };
        found.map(|info| (info.field, request.size.min(MAX_FACET_VALUES))).ok_or_else(unknown)
    };
    let fields: Vec<(Field, usize)> = requests.iter().map(field).collect::<Result<_, _>>()?;
    once_each(fields.iter().map(|(field, _)| *field))?;
    Ok(fields)
}

/// Answers are by field: a second wish for one would take the place of the first.
fn once_each(fields: impl Iterator<Item = Field>) -> Result<(), QueryError> {
    let mut seen = BTreeSet::new();
    for field in fields {
        if !seen.insert(field) {
            let name = field.name();
            return Err(refuse(
                format!("{name} is asked for twice; ask once, or search twice"),
                format!("{name} が二度指定されています。一度だけ指定するか、検索を分けてください"),
            ));
        }
    }
    Ok(())
}

fn distinct_field(name: &str) -> Result<Field, QueryError> {
    let found = Field::named(name).filter(|info| info.facet || info.field == Field::Ip);
    found.map(|info| info.field).ok_or_else(|| {
        let (name, all) = (short(name), Field::facet_names().collect::<Vec<_>>().join(", "));
        let ja = format!("{name:?} の異なる値は数えられません。数えられる項目: ip, {all}");
        refuse(format!("cannot count different values of {name:?}; fields that can be: ip, {all}"), ja)
    })
}

fn histogram_fields(requests: &[HistogramRequest]) -> Result<Vec<Columned>, QueryError> {
    if requests.len() > MAX_HISTOGRAMS {
        let ja = format!("度数分布は一度に {MAX_HISTOGRAMS} 個までです");
        return Err(refuse(format!("a search may draw {MAX_HISTOGRAMS} histograms"), ja));
    }
    let asked: Vec<Columned> = requests.iter().map(histogram_field).collect::<Result<_, _>>()?;
    once_each(asked.iter().map(|one| one.field))?;
    Ok(asked)
}

fn histogram_field(request: &HistogramRequest) -> Result<Columned, QueryError> {
    let found = Field::named(&request.field).filter(|info| is_measured(*info));
    let Some(FieldInfo { field, class, .. }) = found else {
        let name = short(&request.field);
        let all = "seen, first, cert.expires, port, as, confidence";
        let ja = format!("{name:?} の度数分布は作れません。使える項目: {all}");
        return Err(refuse(format!("cannot draw {name:?} as a histogram; fields that can be: {all}"), ja));
    };
    let (timed, wide) = (!matches!(class, Class::Number(_)), matches!(request.step, Step::Width(_)));
    if timed == wide {
        let (name, step) = (field.name(), request.step);
        let (en, ja) = match timed {
            true => ("hour, day, week or month, as", "hour、day、week、month のいずれか"),
            false => ("a number, as", "数"),
        };
        let example = if timed { format!("{name}:day") } else { format!("{name}:10") };
        let ja = format!("{name} の刻みは {step} ではなく{ja}です。例: {example}");
        return Err(refuse(format!("{name} cannot be cut by {step}; write {en} {example}"), ja));
    }
    Ok(Columned { field, step: request.step })
}

/// Whether a field has times or numbers to draw.
fn is_measured(info: FieldInfo) -> bool {
    matches!(info.class, Class::Age | Class::Ahead | Class::Number(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sees_some_addresses_alone_gets_no_sample() {
        let sample = Some(SampleRequest { size: 10, seed: 1 });
        let all = SearchRequest { sample, ..SearchRequest::default() };
        assert!(Wish::read(&all).is_ok());
        let within = Some(std::sync::Arc::new(crate::entitlement::Entitlement::nothing()));
        assert!(Wish::read(&SearchRequest { within, ..all }).expect_err("a sample").message.contains("no sample"));
    }

    #[test]
    fn a_field_asked_for_twice_is_refused() {
        let facet = |field: &str| FacetRequest { field: field.to_owned(), size: 3 };
        let drawn = |width| HistogramRequest { field: "port".to_owned(), step: Step::Width(width) };
        let none = SearchRequest::default();
        let twice = SearchRequest { facets: vec![facet("port"), facet("PORT")], ..none.clone() };
        assert!(Wish::read(&twice).expect_err("facets").message.contains("twice"));
        let twice = SearchRequest { histograms: vec![drawn(10), drawn(100)], ..none.clone() };
        assert!(Wish::read(&twice).expect_err("histograms").message.contains("twice"));
        assert!(
            Wish::read(&SearchRequest { facets: vec![facet("port")], histograms: vec![drawn(10)], ..none }).is_ok()
        );
    }

    #[test]
    fn a_sample_of_everything_is_everything() {
        let lot = Lot::of(SampleRequest { size: 100, seed: 3 }, 50);
        let whole = Sampled { fraction: 1.0, kept: 50, total: 50, at_least: 50, at_most: 50 };
        assert_eq!(lot.tell(50), whole);
        assert!((0..100).all(|n| lot.takes((n, 3))));
    }

    #[test]
    fn a_sample_has_about_its_size_and_its_interval_holds_the_total() {
        for seed in 0..20 {
            let lot = Lot::of(SampleRequest { size: 1_000, seed }, 100_000);
            let kept = (0..100_000_u128).filter(|n| lot.takes((n / 3, (n % 3) as u64))).count() as u64;
            let told = lot.tell(kept);
            assert!((850..1_150).contains(&kept), "{kept}");
            assert!(told.at_least < told.total && told.total < told.at_most, "{told:?}");
        }
        let inside = (0..200).filter(|seed| {
            let lot = Lot::of(SampleRequest { size: 100, seed: *seed }, 10_000);
            let told = lot.tell((0..10_000_u128).filter(|n| lot.takes((*n, 0))).count() as u64);
            (told.at_least..=told.at_most).contains(&10_000)
        });
        assert!(inside.count() >= 180, "the interval is meant to hold 95 of 100 times");
    }
}
