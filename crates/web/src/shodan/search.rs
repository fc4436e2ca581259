//! Search, counts and hosts.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::extract::State;
use axum::http::StatusCode;
use hinomi_share::{FacetCount, FacetRequest, MAX_LIMIT, ReadError, Reader, SearchPage, SearchRequest};
use serde_json::{Value, json};

use super::banner::{banner, host, hostnames, is_decoy};
use super::query::translate;
use super::{Answer, App, Desk, Pairs, Path, Refusal, Told, parameter};
use crate::limits::SEARCH_BUDGET;

/// Banners of a page.
const PAGE: usize = 100;
/// The most services that a later page may lie behind.
const MAX_OFFSET: usize = 100_000;
/// The most values of a facet.
const MAX_VALUES: usize = 1_000;
/// Values of a facet when nobody says.
const VALUES: usize = 10;
/// The most addresses of one request.
const MAX_ADDRESSES: usize = 100;
/// The most facets of one request.
const MAX_FACETS: usize = 16;

/// Facets by their name there and here.
pub(super) const FACETS: &[(&str, &str)] = &[
    ("asn", "as"),
    ("country", "country"),
    ("cpe", "cpe"),
    ("device", "kind"),
    ("http.title", "title"),
    ("isp", "operator"),
    ("module", "protocol"),
    ("org", "operator"),
    ("os", "os"),
    ("port", "port"),
    ("product", "product"),
    ("region", "prefecture"),
    ("ssh.hassh", "hassh"),
    ("ssl.cert.issuer.cn", "cert.issuer"),
    ("ssl.cert.subject.cn", "cert.subject"),
    ("ssl.cipher.name", "tls.cipher"),
    ("ssl.version", "tls.version"),
    ("tag", "tag"),
    ("transport", "transport"),
    ("version", "version"),
];

/// A facet that is asked for: how it is called there, and what is counted.
struct Facet {
    theirs: &'static str,
    counted: FacetRequest,
}

fn read_facets(text: Option<&str>) -> Result<Vec<Facet>, Refusal> {
    let asked = text.unwrap_or_default().split(',').map(str::trim).filter(|one| !one.is_empty());
    let read = |one: &str| {
        let (name, size) = one.split_once(':').map_or((one, None), |(name, size)| (name, Some(size)));
        let size = size.map_or(Ok(VALUES), |size| size.parse::<usize>().map(|size| size.min(MAX_VALUES)));
        let size = size.map_err(|_| Refusal::bad(&format!("facets: {one:?} has no number")))?;
        let known = FACETS.iter().find(|(theirs, _)| *theirs == name);
        let (theirs, ours) = known.ok_or_else(|| {
            let all: Vec<_> = FACETS.iter().map(|(theirs, _)| *theirs).collect();
            Refusal::bad(&format!("there is no facet {name:?} here; there are {}", all.join(", ")))
        })?;
        Ok(Facet { theirs, counted: FacetRequest { field: (*ours).to_owned(), size: size.max(1) } })
    };
    let facets: Vec<Facet> = asked.take(MAX_FACETS + 1).map(read).collect::<Result<_, Refusal>>()?;
    match facets.len() > MAX_FACETS {
        true => Err(Refusal::bad(&format!("{MAX_FACETS} facets are the most"))),
        false => Ok(facets),
    }
}

/// Values as their clients expect them: numbers as numbers, countries in capitals.
fn counts(facet: &Facet, counted: &[FacetCount]) -> Value {
    let value = |text: &str| match facet.theirs {
        "port" => text.parse::<u32>().map_or_else(|_| json!(text), |number| json!(number)),
        "asn" => json!(format!("AS{}", text.trim_start_matches("AS").trim_start_matches("as"))),
        "country" => json!(text.to_uppercase()),
        _ => json!(text),
    };
    counted.iter().map(|one| json!({ "count": one.count, "value": value(&one.value) })).collect()
}

fn told(page: &SearchPage, facets: &[Facet]) -> Value {
    let empty = Vec::new();
    let of = |facet: &Facet| {
        let counted = page.facets.get(&facet.counted.field).unwrap_or(&empty);
        // Two of their names may mean one field of ours, with different sizes.
        (facet.theirs.to_owned(), counts(facet, counted.get(..facet.counted.size).unwrap_or(counted)))
    };
    let matches: Vec<Value> = page.matches.iter().map(banner).collect();
    json!({
        "matches": matches,
        "total": page.total,
        "facets": facets.iter().map(of).collect::<serde_json::Map<_, _>>(),
    })
}

fn request(app: &App, query: String, facets: &[Facet]) -> SearchRequest {
    let mut counted: Vec<FacetRequest> = Vec::new();
    for facet in facets {
        match counted.iter_mut().find(|one| one.field == facet.counted.field) {
            Some(same) => same.size = same.size.max(facet.counted.size),
            None => counted.push(facet.counted.clone()),
        }
    }
    SearchRequest { query, facets: counted, budget: Some(SEARCH_BUDGET), now: app.now(), ..SearchRequest::default() }
}

fn asked(pairs: &Pairs) -> Result<(String, Vec<Facet>), Refusal> {
    let query = parameter(pairs, "query")?.unwrap_or_default();
    let query = translate(&query).map_err(|why| Refusal::bad(&why))?;
    Ok((query, read_facets(parameter(pairs, "facets")?.as_deref())?))
}

/// `GET /shodan/host/count`
pub(super) async fn count(State(app): State<App>, desk: Desk, pairs: Pairs) -> Answer {
    let (query, facets) = asked(&pairs)?;
    let request = SearchRequest { limit: 0, ..request(&app, query, &facets) };
    let page = desk.ask(move |reader| reader.search(&request)).await?;
    Ok(Told(told(&page, &facets)))
}

/// `GET /shodan/host/search`
pub(super) async fn search(State(app): State<App>, desk: Desk, pairs: Pairs) -> Answer {
    let (query, facets) = asked(&pairs)?;
    let (offset, limit) = bounds(&pairs)?;
    let request = request(&app, query, &facets);
    let page = desk.ask(move |reader| from_offset(reader, request, offset, limit)).await?;
    Ok(Told(told(&page, &facets)))
}

/// Which services are wanted: a page of a hundred, or so many from one on.
fn bounds(pairs: &Pairs) -> Result<(usize, usize), Refusal> {
    let number = |name: &str| {
        let text = parameter(pairs, name)?;
        let read =
            |text: String| text.parse::<usize>().map_err(|_| Refusal::bad(&format!("{name}: a number is wanted")));
        text.map(read).transpose()
    };
    let (offset, limit) = match (number("limit")?, number("offset")?, number("page")?) {
        (Some(limit), offset, _) => (offset.unwrap_or(0), limit.min(MAX_LIMIT)),
        (None, _, page) => (page.unwrap_or(1).max(1).saturating_sub(1).saturating_mul(PAGE), PAGE),
    };
    match offset > MAX_OFFSET {
        true => Err(Refusal::bad(&format!(
            "{MAX_OFFSET} services are the most that can be paged through; narrow the query"
        ))),
        false => Ok((offset, limit)),
    }
}

/// Goes on to a place among the matches, by pages that nobody is shown.
pub(crate) fn from_offset(
    reader: &Reader,
    mut request: SearchRequest,
    offset: usize,
    limit: usize,
) -> Result<SearchPage, ReadError> {
    let reader = &reader.witnessed("search", &request.query)?;
    let mut left = offset;
    while left > 0 {
        let step = left.min(MAX_LIMIT);
        let bare = SearchRequest { limit: step, facets: Vec::new(), ..request.clone() };
        let page = reader.search(&bare)?;
        left = left.saturating_sub(step);
        let Some(next) = page.next else {
            // Behind the last: counts alone.
            let page = reader.search(&SearchRequest { limit: 0, cursor: None, ..request })?;
            return Ok(SearchPage { next: None, ..page });
        };
        request.cursor = Some(next);
    }
    reader.search(&SearchRequest { limit, ..request })
}

/// `GET /shodan/host/search/tokens`
pub(super) async fn tokens(_: Desk, pairs: Pairs) -> Answer {
    let query = parameter(&pairs, "query")?.unwrap_or_default();
    Ok(Told(match translate(&query) {
        Ok(ours) => json!({ "string": ours, "filters": [], "attributes": {}, "errors": [] }),
        Err(why) => json!({ "string": query, "filters": [], "attributes": {}, "errors": [why] }),
    }))
}

/// `GET /shodan/host/{address[,address]}`
pub(super) async fn hosts(desk: Desk, Path(addresses): Path<String>) -> Answer {
    let wanted: Vec<IpAddr> = addresses
        .split(',')
        .take(MAX_ADDRESSES)
        .map(|one| one.trim().parse().map_err(|_| Refusal::bad(&format!("{one:?} is no address"))))
        .collect::<Result<_, _>>()?;
    let many = wanted.len() > 1;
    let look = move |reader: &Reader| wanted.iter().map(|address| reader.host(*address)).collect::<Result<Vec<_>, _>>();
    let found = desk.ask(look).await?;
    let told: Vec<Value> =
        found.iter().flatten().filter(|one| !one.services.is_empty()).map(|one| host(&one.services)).collect();
    match (told.first(), many) {
        (None, _) => Err(Refusal::new(StatusCode::NOT_FOUND, "No information available for that IP.")),
        (Some(_), true) => Ok(Told(told.into())),
        (Some(one), false) => Ok(Told(one.clone())),
    }
}

/// `GET /labs/honeyscore/{address}`
pub(super) async fn honeyscore(desk: Desk, Path(address): Path<String>) -> Answer {
    let address: IpAddr = address.parse().map_err(|_| Refusal::bad("that is no address"))?;
    match desk.ask(move |reader| reader.host(address)).await? {
        Some(found) => Ok(Told(json!(if is_decoy(&found.services) { 1.0 } else { 0.0 }))),
        None => Err(Refusal::new(StatusCode::NOT_FOUND, "No information available for that IP.")),
    }
}

/// Values of one field over everything that the caller may see.
async fn values(app: &App, desk: &Desk, field: &str) -> Result<Vec<String>, Refusal> {
    let facets = vec![FacetRequest { field: field.to_owned(), size: MAX_VALUES }];
    let request = SearchRequest { facets, limit: 0, now: app.now(), ..SearchRequest::default() };
    let page = desk.ask(move |reader| reader.search(&request)).await?;
    Ok(page.facets.into_values().flatten().map(|one| one.value).collect())
}

/// `GET /shodan/ports`: those on which something was seen.
pub(super) async fn ports(State(app): State<App>, desk: Desk) -> Answer {
    let mut ports: Vec<u16> = values(&app, &desk, "port").await?.iter().filter_map(|port| port.parse().ok()).collect();
    ports.sort_unstable();
    Ok(Told(json!(ports)))
}

/// `GET /shodan/services`: protocols that were seen.
pub(super) async fn services(State(app): State<App>, desk: Desk) -> Answer {
    let names = values(&app, &desk, "protocol").await?;
    Ok(Told(names.into_iter().map(|name| (name.clone(), json!(name))).collect::<serde_json::Map<_, _>>().into()))
}

/// `GET /dns/domain/{domain}`: addresses whose certificates bear a name below it. No name server was asked.
pub(super) async fn domain(State(app): State<App>, desk: Desk, Path(domain): Path<String>) -> Answer {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let named = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if domain.is_empty() || domain.len() > 253 || !domain.chars().all(named) {
        return Err(Refusal::bad("that is no domain"));
    }
    let query = format!("cert.subject:\"{domain}\"");
    let request = SearchRequest { limit: MAX_LIMIT, ..request(&app, query, &[]) };
    let page = desk.ask(move |reader| reader.search(&request)).await?;
    let (mut data, mut subdomains) = (Vec::new(), BTreeSet::new());
    for service in &page.matches {
        for name in hostnames(service).iter().map(|name| name.to_ascii_lowercase()) {
            let Some(below) = name.strip_suffix(&domain).filter(|below| below.is_empty() || below.ends_with('.'))
            else {
                continue;
            };
            let below = below.trim_end_matches('.').to_owned();
            let kind = if service.key.address.is_ipv4() { "A" } else { "AAAA" };
            data.push(json!({
                "subdomain": below,
                "type": kind,
                "value": service.key.address.to_string(),
                "last_seen": service.last_seen,
                "ports": [service.key.port],
            }));
            subdomains.insert(below);
        }
    }
    subdomains.remove("");
    let more = page.next.is_some();
    Ok(Told(json!({ "domain": domain, "tags": [], "subdomains": subdomains, "data": data, "more": more })))
}
