//! `hinomi search`: services by the query language.

use anyhow::{Result, bail};
use clap::Args;
use hinomi_model::{Clock, Service, SystemClock};
use hinomi_share::{ReadError, SearchPage, SearchRequest, query_fields, read_facets};
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
    let request = SearchRequest {
        query: query.clone(),
        facets: read_facets(&options.facets, FACET_VALUES)?,
        limit: options.limit,
        cursor: options.cursor.clone(),
        now: SystemClock.now(),
        within: None,
    };
    let page = match common.state()?.reader()?.search(&request) {
        Ok(page) => page,
        Err(ReadError::Query(problem)) => bail!("{}", pointed(&query, problem.at, problem.len, &problem.message)),
        Err(error) => return Err(error.into()),
    };
    match common.json {
        true => output::json(&page),
        false => show(&page),
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
            output::line(&format!("{:>10}  {}", count.count, clean_line(&count.value, 100)))?;
        }
    }
    output::talk(&format!("{} of {} services", page.matches.len(), page.total));
    if let Some(next) = &page.next {
        output::talk(&format!("more: --cursor {next}"));
    }
    Ok(())
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
