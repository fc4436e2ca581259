//! The labels of services, asked of the same reader.

use std::collections::BTreeMap;

use hinomi_model::{Service, ServiceKey, Timestamp, Tlp};

use crate::policy::{ReadError, Reader};
use crate::{FacetRequest, SearchRequest};

/// Labels as queries name them.
const LABELS: [(Tlp, &str); 5] = [
    (Tlp::Clear, "clear"),
    (Tlp::Green, "green"),
    (Tlp::Amber, "amber"),
    (Tlp::AmberStrict, "\"amber+strict\""),
    (Tlp::Red, "red"),
];
/// The most services that may share the addresses and ports of a page, over both transports.
const MAX_FOUND: usize = 1_000;

/// Services of one question: a query has so many characters.
const SERVICES_A_QUESTION: usize = 50;

/// The label of each of these services.
pub(crate) fn of(
    reader: &Reader,
    services: &[Service],
    now: Timestamp,
) -> Result<BTreeMap<ServiceKey, Tlp>, ReadError> {
    let mut labels = BTreeMap::new();
    for some in services.chunks(SERVICES_A_QUESTION) {
        labels.extend(of_some(reader, some, now)?);
    }
    Ok(labels)
}

fn of_some(reader: &Reader, services: &[Service], now: Timestamp) -> Result<BTreeMap<ServiceKey, Tlp>, ReadError> {
    let mut labels = BTreeMap::new();
    let each: Vec<String> =
        services.iter().map(|one| format!("(ip:{} port:{})", one.key.address, one.key.port)).collect();
    let these = format!("({})", each.join(" OR "));
    let facets = vec![FacetRequest { field: "tlp".to_owned(), size: LABELS.len() }];
    let counted = SearchRequest { query: these.clone(), facets, limit: 0, now, ..SearchRequest::default() };
    let counted = reader.search(&counted)?.facets.remove("tlp").unwrap_or_default();
    let present = |(label, _): &&(Tlp, &str)| counted.iter().any(|count| Tlp::read(&count.value) == *label);
    let present: Vec<_> = LABELS.iter().filter(present).collect();
    if let [(label, _)] = present.as_slice() {
        return Ok(services.iter().map(|service| (service.key, *label)).collect());
    }
    for (label, word) in present {
        let query = format!("{these} tlp:{word}");
        let found = SearchRequest { query, limit: MAX_FOUND, now, ..SearchRequest::default() };
        labels.extend(reader.search(&found)?.matches.into_iter().map(|service| (service.key, *label)));
    }
    Ok(labels)
}

/// The label of one of them; RED where none was told.
pub(crate) fn label(labels: &BTreeMap<ServiceKey, Tlp>, service: &Service) -> Tlp {
    labels.get(&service.key).copied().unwrap_or(Tlp::Red)
}
