//! `hinomi search`: services by the query language.

use anyhow::{Result, anyhow};
use clap::Args;
use hinomi_model::{Clock, Service, SystemClock};
use hinomi_share::{
    Distinct, Plan, ReadError, SampleRequest, SearchPage, SearchRequest, query_fields, read_facets, read_histograms,
};
use serde_json::json;

use super::Common;
use crate::output::{self, clean_line};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to search, as 'port:23 NOT kind:router', in quotes; nothing finds everything. A query that begins with a
    /// minus stands after `--`. `--fields` lists what can be asked.
    query: Vec<String>,
    /// Count values, as `product,port:20`; at most 1000 values each.
    #[arg(long, default_value = "")]
    facets: String,
    /// Count different values of this field, as `ip`: by facet value, or over all matches without `--facets`.
    #[arg(long)]
    distinct: Option<String>,
    /// Count by time or number, as `seen:day,confidence:10`; steps of time: hour, day, week, month.
    #[arg(long, default_value = "")]
    histograms: String,
    /// Look at a uniform sample of about so many services instead of every match.
    #[arg(long)]
    sample: Option<u64>,
    /// Another seed gives another sample.
    #[arg(long, default_value_t = 0, requires = "sample")]
    seed: u64,
    /// Refuse to look at more services than this, by estimate.
    #[arg(long)]
    budget: Option<u64>,
    /// Say what the search would cost and why, and do not run it.
    #[arg(long)]
    explain: bool,
    /// How many services to show, at most 1000; `--cursor` or `hinomi export` for more.
    #[arg(long, default_value_t = 25)]
    limit: usize,
    /// Where the previous page ended.
    #[arg(long)]
    cursor: Option<String>,
    /// List the fields of the query language.
    #[arg(long)]
    fields: bool,
}

/// Values of a facet when nobody says how many.
const FACET_VALUES: usize = 10;

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    if options.fields {
        return list_fields(common);
    }
    let query = options.query.join(" ");
    if options.explain {
        let plan = common.state()?.reader()?.explain(&query);
        return show_plan(common, &plan.map_err(|error| told(&query, error))?);
    }
    let request = SearchRequest {
        query: query.clone(),
        facets: read_facets(&options.facets, FACET_VALUES)?,
        distinct: options.distinct.clone(),
        histograms: read_histograms(&options.histograms)?,
        sample: options.sample.map(|size| SampleRequest { size, seed: options.seed }),
        budget: options.budget,
        limit: options.limit,
        cursor: options.cursor.clone(),
        now: SystemClock.now(),
        ..SearchRequest::default()
    };
    let page = common.state()?.reader()?.search(&request).map_err(|error| told(&query, error))?;
    match common.json {
        true => output::json(&page),
        false => show(&page),
    }
}

/// An error of a search; of a query, with the place.
fn told(query: &str, error: ReadError) -> anyhow::Error {
    match error {
        ReadError::Query(problem) if problem.len > 0 => {
            anyhow!("{}", pointed(query, problem.at, problem.len, &problem.message))
        }
        ReadError::Query(problem) => anyhow!("{}", problem.message),
        other => other.into(),
    }
}

/// The query with a mark under what is wrong with it.
pub(crate) fn pointed(query: &str, at: usize, len: usize, message: &str) -> String {
    format!("{message}\n  {query}\n  {}{}", " ".repeat(at), "^".repeat(len.max(1)))
}

fn list_fields(common: &Common) -> Result<()> {
    if common.json {
        let field = |f: &hinomi_share::FieldInfo| json!({ "name": f.name, "example": f.example, "help": f.en });
        return output::json(&query_fields().iter().map(field).collect::<Vec<_>>());
    }
    query_fields().iter().try_for_each(|field| output::line(&format!("{:<24} {}", field.example, field.en)))
}

fn show(page: &SearchPage) -> Result<()> {
    for service in &page.matches {
        output::line(&one_line(service))?;
    }
    for (field, counts) in &page.facets {
        output::line(&format!("\n{field}"))?;
        for count in counts {
            let different = count.distinct.map(|distinct| format!("  {:>10}", different(distinct))).unwrap_or_default();
            output::line(&format!("{:>10}{different}  {}", count.count, clean_line(&count.value, 100)))?;
        }
    }
    for (field, columns) in &page.histograms {
        output::line(&format!("\n{field}"))?;
        for column in columns {
            output::line(&format!("{:>10}  {}", column.count, column.from))?;
        }
    }
    if let Some(distinct) = page.distinct {
        output::line(&format!("\n{} different", different(distinct)))?;
    }
    if let Some(sampled) = page.sampled {
        let share = sampled.fraction * 100.0;
        output::talk(&format!(
            "a sample of {share:.3} %: {} in it, so about {} in all ({} to {}); counts are of the sample",
            sampled.kept, sampled.total, sampled.at_least, sampled.at_most
        ));
    }
    output::talk(&format!("{} of {} services", page.matches.len(), page.total));
    if let Some(next) = &page.next {
        output::talk(&format!("more: --cursor {next}"));
    }
    Ok(())
}

/// A count, and how far off it may be.
fn different(distinct: Distinct) -> String {
    match distinct.margin {
        0 => distinct.count.to_string(),
        margin => format!("{}±{margin}", distinct.count),
    }
}

fn show_plan(common: &Common, plan: &Plan) -> Result<()> {
    if common.json {
        return output::json(plan);
    }
    for step in &plan.steps {
        let part = format!("{}{}", "  ".repeat(step.depth), step.part);
        output::line(&format!("{:>12}  {}  by {}", step.matches, clean_line(&part, 100), step.how))?;
    }
    output::line(&format!(
        "looks at about {} services on {} threads; at most {} match",
        plan.rows, plan.threads, plan.matches
    ))
}

/// A service as one line for people.
pub(crate) fn one_line(service: &Service) -> String {
    let facts = &service.facts;
    let inside = if facts.tls { "+tls" } else { "" };
    let protocol = facts.protocol.as_ref().map_or("?", |protocol| protocol.as_str());
    let words = [&facts.vendor, &facts.product, &facts.version, &facts.model, &facts.firmware];
    let mut product: Vec<&str> = Vec::with_capacity(words.len());
    for word in words.into_iter().flatten() {
        // A device's model is often its product, and its firmware the version.
        if !product.contains(&word.as_str()) {
            product.push(word);
        }
    }
    let product = if product.is_empty() { facts.summary.clone().unwrap_or_default() } else { product.join(" ") };
    let kind = facts.kind.map_or("", |kind| kind.name());
    let spoken = format!("{protocol}{inside}");
    let tags = facts.tags.join(",");
    clean_line(&format!("{:<26} {spoken:<12} {kind:<10} {product}  {tags}", service.key.to_string()), 200)
}
