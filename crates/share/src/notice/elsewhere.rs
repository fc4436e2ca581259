//! Who else was told: what others were told of services that a member may see, among what he holds.

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::address::bounds;
use hinomi_model::{ServiceKey, Timestamp, Tlp};
use hinomi_state::Database;
use hinomi_state::notices::Elsewhere;
use serde::Serialize;

use super::NoticeError;
use crate::policy::Reader;
use crate::taxii::labels_of;

/// The most that are told, and claims that are asked for.
const MAX_TOLD: u32 = 200;
const MAX_CLAIMS: usize = 200;
/// Addresses of one question.
const ADDRESSES_A_QUESTION: usize = 40;

/// That somebody else was told of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TellsOthers {
    /// When.
    pub sent: Timestamp,
    /// Of which service.
    pub service: ServiceKey,
    /// What was open.
    pub concern: String,
    /// Why they: `holder`, `network`, `as`, `csirt`.
    pub basis: String,
    /// Who; none where their membership in a circle is nobody else's to know.
    pub organisation: Option<String>,
}

/// What others were told of services at addresses that a member holds or acts for, the newest first. Only of services
/// that he may see, so that a notice about a record that is closed to him shows nothing of it.
///
/// # Errors
/// When lake or state cannot be asked.
pub fn told_others(reader: &Reader, database: &Database, now: Timestamp) -> Result<Vec<TellsOthers>, NoticeError> {
    let may = reader.may_see()?;
    let own: BTreeSet<String> = may.organisations.iter().cloned().collect();
    let mut found: BTreeMap<(i64, ServiceKey), Elsewhere> = BTreeMap::new();
    for claim in may.claims.iter().filter(|claim| claim.from <= now).take(MAX_CLAIMS) {
        let Ok(prefix) = claim.subject.parse::<ipnet::IpNet>() else { continue };
        let (low, high) = bounds(prefix);
        let range = (hinomi_model::address::from_u128(low), hinomi_model::address::from_u128(high));
        let told = database.told_elsewhere(range, &own, MAX_TOLD)?;
        let held = told.into_iter().filter(|one| claim.from <= one.sent && one.sent < claim.until);
        found.extend(held.map(|one| ((one.notice, one.said.service), one)));
    }
    let visible = visible(reader, &found.keys().map(|(_, key)| *key).collect(), now)?;
    let purpose = may.purpose.unwrap_or_default();
    let hidden = hidden(database, now)?;
    let mut told: Vec<TellsOthers> = found
        .into_values()
        // A stricter look at the same service, or one for another purpose, is somebody else's to know of.
        .filter(|one| one.said.purpose == purpose)
        .filter(|one| visible.get(&one.said.service).is_some_and(|label| Tlp::read(&one.said.label) <= *label))
        .map(|one| TellsOthers {
            sent: one.sent,
            service: one.said.service,
            concern: one.said.concern,
            basis: one.party.basis,
            organisation: Some(one.party.organisation).filter(|id| !hidden.contains(id)),
        })
        .collect();
    told.sort_by(|left, right| right.cmp(left));
    told.truncate(usize::try_from(MAX_TOLD).unwrap_or(usize::MAX));
    Ok(told)
}

/// Which of these this reader sees, closed ones too, and how that is labelled.
fn visible(
    reader: &Reader,
    keys: &BTreeSet<ServiceKey>,
    now: Timestamp,
) -> Result<BTreeMap<ServiceKey, Tlp>, NoticeError> {
    let mut addresses: Vec<String> = keys.iter().map(|key| key.address.to_string()).collect();
    addresses.dedup();
    let mut seen = Vec::new();
    for some in addresses.chunks(ADDRESSES_A_QUESTION) {
        let query = format!("ip:{} (has:closed OR -has:closed)", some.join(","));
        reader.each_service(&query, now, &mut |service| {
            if keys.contains(&service.key) {
                seen.push(service);
            }
        })?;
    }
    let labels = labels_of(reader, &seen, now)?;
    Ok(seen.iter().map(|service| service.key).zip(labels).collect())
}

/// Organisations that belong to a hidden circle.
fn hidden(database: &Database, now: Timestamp) -> Result<BTreeSet<String>, NoticeError> {
    let audiences = database.audiences()?;
    let hidden: BTreeSet<String> = audiences.into_iter().filter(|one| one.hidden).map(|one| one.id).collect();
    let everything = database.register()?;
    let stands = everything.relations.into_iter().filter(|one| one.stands_at(now));
    let of = stands.filter(|one| one.relation == hinomi_state::organisations::Relation::Audience);
    Ok(of.filter(|one| hidden.contains(&one.target)).map(|one| one.organisation).collect())
}
