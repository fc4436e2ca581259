//! Everything about one address: its services now, and what was seen of it over time.
//!
//! Files are passed over by the address bounds in the log, row groups by those in the file. At a hundred times the
//! data: many small files with wide bounds make this slow before anything else; compaction is the answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::sighting::content_of;
use hinomi_model::{Facts, Marking, Outcome, ServiceKey, Sighting, SightingId};

use crate::entitlement::{Entitlement, Seen};
use crate::error::LakeError;
use crate::identify::{AtHand, Contents, Known};
use crate::lake::Lake;
use crate::search::{HistoryEntry, Host, MAX_LIMIT};
use crate::sightings::{self, Row, halves};
use crate::table::{Rows, read};

/// The tag of services that take an old version of TLS.
const OLD_TLS: &str = "old-tls";

impl Lake {
    /// Services, and sightings newest first, of one address.
    ///
    /// # Errors
    /// When index or tables cannot be read.
    pub fn host(&self, address: IpAddr) -> Result<Host, LakeError> {
        self.host_within(address, None)
    }

    /// The same for who may not see all; none is all.
    ///
    /// # Errors
    /// When index or tables cannot be read.
    pub fn host_within(&self, address: IpAddr, may: Option<&Arc<Entitlement>>) -> Result<Host, LakeError> {
        self.see_others()?;
        let address = address.to_canonical();
        let may = may.map(|may| self.asked_now(may));
        let may = may.as_ref();
        let services = self.index.services_of(address, may)?;
        let (rows, complete) = self.sightings_of(address, may.map(Arc::as_ref))?;
        // What the services say now is at hand; mostly they never said anything else. Otherwise all is asked of one place:
        // while facts are derived again, the index has those of before.
        let mut said: HashMap<_, _> =
            services.iter().map(|one| (content_of(&one.evidence), one.facts.as_ref())).collect();
        if !rows.iter().all(|row| said.contains_key(&row.content)) {
            said.clear();
        }
        let others = rows.iter().filter(|row| !said.contains_key(&row.content));
        let contents: Contents<'_> = others.map(|row| (row.content, row.sighting.evidence.as_slice())).collect();
        let Known { derived, new } = self.knowledge.of(&contents, &self.pieces, &AtHand::default())?;
        if self.reads_only() {
            // A writer remembers what it also stores, and nothing else.
            self.knowledge.remember(new);
        }
        let facts = |row: &Row| {
            said.get(&row.content).copied().or_else(|| derived.get(&row.content).map(|derived| derived.facts.as_ref()))
        };
        let changes = all_changes(&rows, complete, &facts);
        let none = Facts::default();
        let entries = rows.iter().zip(changes).map(|(row, changes)| entry(row, facts(row).unwrap_or(&none), changes));
        let history = entries.collect();
        Ok(Host { address, services, history })
    }

    /// The newest sighting of a service that answered and may be seen, with the AS number of its address; `None` when there is none
    /// among the newest of that address.
    ///
    /// # Errors
    /// When tables cannot be read.
    pub fn newest_sighting(
        &self,
        service: &ServiceKey,
        may: Option<&Entitlement>,
    ) -> Result<Option<(Sighting, Option<u32>)>, LakeError> {
        self.see_others()?;
        let address = service.address.to_canonical();
        let wanted = ServiceKey { address, ..*service };
        let may = may.map(|may| self.asked_now(may));
        let (rows, _) = self.sightings_of(address, may.as_deref())?;
        let newest =
            rows.into_iter().find(|row| row.sighting.subject == wanted && row.sighting.outcome != Outcome::Closed);
        let then = self.then()?;
        Ok(newest.map(|row| {
            let asn = then.asn(address, row.sighting.time);
            (row.sighting, asn)
        }))
    }

    /// The newest sightings of an address that may be seen, newest first, and whether that is all of them.
    fn sightings_of(&self, address: IpAddr, may: Option<&Entitlement>) -> Result<(Vec<Row>, bool), LakeError> {
        let (wanted, then, columns) = (halves(address), self.then()?, sightings::without_content());
        let visible = |row: &Row| {
            let Sighting { time, marking, .. } = &row.sighting;
            let asn = || then.asn(address, *time);
            may.is_none_or(|may| may.admits(&Seen { address, asn: asn(), time: *time, marking }))
        };
        let mut rows: Vec<Row> = Vec::new();
        let mut retold: HashMap<SightingId, Marking> = HashMap::new();
        let mut complete = true;
        for file in self.sightings.files(|file| file.extent.may_hold(wanted)) {
            read::read(&self.sightings.path(&file), &columns, Rows::Address(wanted), &mut |batch| {
                for row in sightings::decode(batch)? {
                    if row.again {
                        let told = &row.sighting.marking;
                        retold.entry(row.id).and_modify(|known| *known = known.together(told)).or_insert(told.clone());
                    }
                    rows.extend(Some(row).filter(visible));
                }
                if rows.len() > 2 * MAX_LIMIT {
                    complete &= keep_newest(&mut rows);
                }
                Ok(())
            })?;
        }
        for row in &mut rows {
            if let Some(marking) = retold.get(&row.id) {
                row.sighting.marking = row.sighting.marking.together(marking);
            }
        }
        rows.retain(visible);
        complete &= keep_newest(&mut rows);
        Ok((rows, complete))
    }
}

/// Sorts newest first and keeps what a page may hold; whether that was everything.
fn keep_newest(rows: &mut Vec<Row>) -> bool {
    rows.sort_by_key(|row| std::cmp::Reverse((row.sighting.time, row.sighting.subject, row.id)));
    // Told again: the stricter one stays.
    rows.dedup_by(|next, kept| {
        let same = next.id == kept.id;
        if same && kept.sighting.marking.by_strictness(&next.sighting.marking).is_lt() {
            std::mem::swap(next, kept);
        }
        same
    });
    let complete = rows.len() <= MAX_LIMIT;
    rows.truncate(MAX_LIMIT);
    complete
}

/// What changed with each of these sightings, newest first as they are. The first sighting of a service is an opening
/// when there is nothing before it, and says nothing when what was before is not at hand.
fn all_changes<'f>(rows: &[Row], complete: bool, facts: &dyn Fn(&Row) -> Option<&'f Facts>) -> Vec<Vec<String>> {
    let mut before: HashMap<ServiceKey, &Row> = HashMap::new();
    let mut all: Vec<Vec<String>> = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let names = match before.insert(row.sighting.subject, row) {
            Some(last) => changes(last, row, facts),
            None if complete => vec![word_of(row.sighting.outcome)],
            None => Vec::new(),
        };
        all.push(names.into_iter().map(ToOwned::to_owned).collect());
    }
    all.reverse();
    all
}

const fn word_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "opened",
        Outcome::Closed => "closed",
        _ => "pseudo",
    }
}

fn changes<'f>(last: &Row, row: &Row, facts: &dyn Fn(&Row) -> Option<&'f Facts>) -> Vec<&'static str> {
    if last.sighting.outcome != row.sighting.outcome {
        return vec![word_of(row.sighting.outcome)];
    }
    if last.content == row.content {
        return Vec::new();
    }
    let named = facts(last).zip(facts(row)).map(|(old, new)| differences(old, new)).unwrap_or_default();
    if named.is_empty() { vec!["evidence"] } else { named }
}

/// Which facts are other than before, by name.
pub(crate) fn differences(old: &Facts, new: &Facts) -> Vec<&'static str> {
    let certificate = |facts: &Facts| facts.certificate.as_ref().map(|one| one.sha256.clone());
    let crypto = match (&old.crypto, &new.crypto) {
        (Some(before), Some(after)) => before.changed(after),
        (before, after) => before != after,
    };
    // The tag of old versions of TLS follows from a question that is not put at every look.
    let open = [old, new].iter().any(|facts| facts.crypto.as_ref().is_some_and(|crypto| crypto.old_versions_open));
    let tags =
        |facts: &Facts| -> Vec<String> { facts.tags.iter().filter(|tag| !open || *tag != OLD_TLS).cloned().collect() };
    let told = [
        ("protocol", old.protocol != new.protocol),
        ("tls", old.tls != new.tls || old.tls_version != new.tls_version),
        ("vendor", old.vendor != new.vendor),
        ("product", old.product != new.product),
        ("version", old.version != new.version),
        ("model", old.model != new.model),
        ("firmware", old.firmware != new.firmware),
        ("kind", old.kind != new.kind),
        ("os", old.os != new.os),
        ("title", old.title != new.title),
        ("certificate", certificate(old) != certificate(new)),
        ("crypto", crypto),
        ("hassh", old.hassh != new.hassh),
        ("host-key", old.host_key != new.host_key),
        ("tags", tags(old) != tags(new)),
    ];
    told.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn entry(row: &Row, facts: &Facts, changes: Vec<String>) -> HistoryEntry {
    let seen = &row.sighting;
    HistoryEntry {
        time: seen.time,
        port: seen.subject.port,
        transport: seen.subject.transport,
        outcome: seen.outcome,
        sensor: seen.sensor.to_string(),
        campaign: seen.campaign.as_ref().map(ToString::to_string),
        remark: seen.remark.clone(),
        label: label(facts),
        changes,
        evidence: seen.evidence.clone(),
        tlp: seen.marking.tlp,
        terms: seen.marking.terms(),
    }
}

/// Protocol, product and version in one line; the model where no product is known.
pub(crate) fn label(facts: &Facts) -> String {
    let tls = if facts.tls { Some("(TLS)") } else { None };
    let product = facts.product.as_deref().or(facts.model.as_deref());
    let version = facts.version.as_deref().or(facts.firmware.as_deref());
    let parts = [facts.protocol.as_ref().map(|name| name.as_str()), tls, product, version];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use hinomi_model::Cryptography;

    use super::*;

    fn facts(versions: &[&str], open: bool) -> Facts {
        let weak = if versions.contains(&"1.0") { vec!["tls-1.0".to_owned()] } else { Vec::new() };
        let tags = weak.iter().map(|_| OLD_TLS.to_owned()).chain(["self-signed".to_owned()]).collect();
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        let crypto = Cryptography { versions, weak, old_versions_open: open, ..Cryptography::default() };
        Facts { crypto: Some(crypto), tags, ..Facts::default() }
    }

    #[test]
    fn a_look_that_asks_less_changes_nothing() {
        let (full, brief, fixed) = (facts(&["1.3", "1.0"], false), facts(&["1.3"], true), facts(&["1.3"], false));
        assert!(differences(&full, &brief).is_empty() && differences(&brief, &full).is_empty());
        assert_eq!(differences(&full, &fixed), ["crypto", "tags"]);
        let untagged = Facts { tags: Vec::new(), ..brief };
        assert_eq!(differences(&full, &untagged), ["tags"], "other tags count");
        assert_eq!(differences(&full, &Facts { crypto: None, ..full.clone() }), ["crypto"]);
    }
}
