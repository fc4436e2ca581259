//! What a recipient may know, read with its own eyes.

use std::collections::BTreeMap;

use hinomi_model::{Purpose, Service, ServiceKey, Timestamp, Tlp};

use super::party::{Book, Chain};
use super::{Desk, rules};
use crate::policy::{Member, ReadError, Viewer};
use crate::taxii::labels;

/// Addresses of one question: a query names so many values.
const ADDRESSES_A_QUESTION: usize = 40;

/// A service as a recipient may see it.
#[derive(Clone, Debug)]
pub(super) struct Sighted {
    pub(super) service: Service,
    pub(super) purpose: Purpose,
    pub(super) label: Tlp,
}

/// What an organisation may see of the answer to a query, of these services. Looks are written down as its own, by who
/// drafts.
pub(super) fn sight(
    desk: &Desk<'_>,
    book: &Book,
    organisation: &str,
    (query, wanted): (&str, &[ServiceKey]),
    now: Timestamp,
) -> Result<BTreeMap<ServiceKey, Sighted>, ReadError> {
    let mut seen = BTreeMap::new();
    for purpose in book.purposes(organisation) {
        let name = format!("notices, by {}", desk.by);
        let member = Member { name, organisations: [organisation.to_owned()].into(), purpose };
        let reader = desk.door.reader(&Viewer::Member(member))?.witnessed("notices", query)?;
        let mut services: Vec<Service> = Vec::new();
        for query in narrowed(query, wanted) {
            let mut take = |service: Service| {
                // Not even by a rule that excepts somebody: a mail cannot be called back.
                let embargoed = service.terms.embargo.is_some_and(|until| now < until);
                if !embargoed && wanted.binary_search(&service.key).is_ok() {
                    services.push(service);
                }
            };
            reader.each_service(&query, now, &mut take)?;
        }
        let labels = labels::of(&reader, &services, now)?;
        for service in services {
            let label = labels::label(&labels, &service);
            seen.entry(service.key).or_insert(Sighted { service, purpose, label });
        }
    }
    Ok(seen)
}

/// The query, of these addresses alone where they are few; `wanted` is in order.
fn narrowed(query: &str, wanted: &[ServiceKey]) -> Vec<String> {
    let mut addresses: Vec<String> = wanted.iter().map(|key| key.address.to_string()).collect();
    addresses.dedup();
    match addresses.len() <= ADDRESSES_A_QUESTION * 8 {
        true => addresses.chunks(ADDRESSES_A_QUESTION).map(|some| format!("{query} ip:{}", some.join(","))).collect(),
        false => vec![query.to_owned()],
    }
}

/// What of these an organisation may see now, open and in any state of identification.
pub(super) fn sight_of(
    desk: &Desk<'_>,
    book: &Book,
    organisation: &str,
    wanted: &[ServiceKey],
    now: Timestamp,
) -> Result<BTreeMap<ServiceKey, Sighted>, ReadError> {
    sight(desk, book, organisation, (&rules::purposes(), wanted), now)
}

/// Whether an organisation answered for the address when it was seen so, and does now.
pub(super) fn is_theirs(book: &Book, organisation: &str, seen: &Sighted) -> bool {
    let service = &seen.service;
    match book.chain(service.key.address, service.asn, service.last_seen) {
        Chain::ChangedHands => false,
        Chain::Of(links) => links.iter().any(|link| link.organisation == organisation),
    }
}
