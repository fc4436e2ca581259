//! Answers questions, one line of JSON each: `{"question": "word", "parameter": "..."}` on standard input,
//! `{"seconds": .., "answer": .., "peak_memory_mb": ..}` on standard output.

use std::io::{BufRead, Write};
use std::net::IpAddr;
use std::time::Instant;

use hinomi_lake::search::MAX_LIMIT;
use hinomi_lake::{FacetRequest, Lake, LakeError, SearchPage, SearchRequest};
use hinomi_model::{Clock, Service, SystemClock};
use serde_json::{Value, json};

use crate::ingest::peak_memory_mb;

/// Answers until the input ends.
pub fn answer_all(lake: &Lake) {
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let text = |name: &str| asked[name].as_str().unwrap_or_default();
        let start = Instant::now();
        let answer = answer(lake, text("question"), text("parameter"));
        let seconds = start.elapsed().as_secs_f64();
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{}", json!({ "seconds": seconds, "answer": answer, "peak_memory_mb": peak_memory_mb() }));
        std::io::stdout().flush().expect("told");
    }
}

fn answer(lake: &Lake, question: &str, parameter: &str) -> Result<Value, LakeError> {
    match question {
        "open" => Ok(json!("open")),
        "address" => {
            let found = lake.services_of(parameter.parse::<IpAddr>().expect("an address"))?;
            Ok(sum(found.iter()))
        }
        "prefix" => all_pages(lake, &format!("net:{parameter}")),
        "word" => {
            let page = search(lake, &format!("\"{parameter}\" port:443 sort:-seen"), 100, None, None)?;
            Ok(json!(page.matches.iter().map(|one| one.key.socket().to_string()).collect::<Vec<_>>()))
        }
        "facet" => counts(lake, &format!("country:{parameter}"), "product"),
        "distinct" => distinct_addresses(lake),
        "history" => {
            let host = lake.host(parameter.parse::<IpAddr>().expect("an address"))?;
            let mut times: Vec<i64> = host.history.iter().map(|entry| entry.time.as_micros()).collect();
            times.sort_unstable();
            Ok(json!(times))
        }
        "substring" => substring(lake, parameter),
        other => panic!("no question is called {other}"),
    }
}

fn search(
    lake: &Lake,
    query: &str,
    limit: usize,
    facet: Option<&str>,
    cursor: Option<String>,
) -> Result<SearchPage, LakeError> {
    let facets = facet.map(|field| FacetRequest { field: field.to_owned(), size: 20 }).into_iter().collect();
    lake.search(&SearchRequest {
        query: query.to_owned(),
        limit,
        facets,
        cursor,
        now: SystemClock.now(),
        ..SearchRequest::default()
    })
}

/// Every service that matches: how many, and the sum of their ports.
fn all_pages(lake: &Lake, query: &str) -> Result<Value, LakeError> {
    let mut page = search(lake, query, MAX_LIMIT, None, None)?;
    let mut found = std::mem::take(&mut page.matches);
    while let Some(cursor) = page.next.take() {
        page = search(lake, query, MAX_LIMIT, None, Some(cursor))?;
        found.append(&mut page.matches);
    }
    Ok(sum(found.iter()))
}

fn sum<'s>(found: impl Iterator<Item = &'s Service> + Clone) -> Value {
    json!([found.clone().count(), found.map(|one| u64::from(one.key.port)).sum::<u64>()])
}

fn counts(lake: &Lake, query: &str, field: &str) -> Result<Value, LakeError> {
    let page = search(lake, query, 1, Some(field), None)?;
    let counted = page.facets.get(field).into_iter().flatten();
    Ok(json!(counted.map(|one| one.count).collect::<Vec<_>>()))
}

/// Distinct addresses of each port.
fn distinct_addresses(lake: &Lake) -> Result<Value, LakeError> {
    let page = lake.search(&SearchRequest {
        limit: 1,
        facets: vec![FacetRequest { field: "port".to_owned(), size: 20 }],
        distinct: Some("ip".to_owned()),
        now: SystemClock.now(),
        ..SearchRequest::default()
    })?;
    let counted = page.facets.get("port").into_iter().flatten();
    Ok(json!(counted.filter_map(|one| one.distinct).map(|one| one.count).collect::<Vec<_>>()))
}

/// How many services have words that hold these letters anywhere.
fn substring(lake: &Lake, letters: &str) -> Result<Value, LakeError> {
    Ok(json!(search(lake, &format!("text:{letters}"), 1, None, None)?.total))
}
