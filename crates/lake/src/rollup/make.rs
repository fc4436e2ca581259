//! From the sightings to what changed, a share of the addresses at a time; from that to the rows of the table.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::address::{from_u128, to_u128};
use hinomi_model::{ContentHash, EvidenceRef, Facts, Outcome, Transport};

use super::count::{Look, Saw, Turns, count};
use super::pass::moment;
use super::{DIMENSIONS, DayCount, MAX_VALUES};
use crate::error::LakeError;
use crate::identify::{AtHand, Contents};
use crate::pass::Source;
use crate::place::Places;
use crate::query::AddressRanges;
use crate::sightings::{self, Run};
use crate::table::{Rows, read};

/// Contents whose facts are in memory at once.
const CONTENTS_AT_ONCE: usize = 4_096;

/// Texts as numbers.
#[derive(Debug, Default)]
pub(super) struct Values {
    numbers: HashMap<(usize, String), u32>,
    all: Vec<(usize, String)>,
}

impl Values {
    /// The number of a value.
    pub(super) fn number(&mut self, dimension: &str, value: &str) -> Option<u32> {
        let dimension = DIMENSIONS.iter().position(|one| *one == dimension)?;
        let key = (dimension, value.to_owned());
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        let number = u32::try_from(self.all.len()).ok()?;
        self.all.push(key.clone());
        self.numbers.insert(key, number);
        Some(number)
    }

    /// Number of the dimension, and the value, of a number.
    pub(super) fn named(&self, number: u32) -> Option<(usize, &str)> {
        let (dimension, value) = self.all.get(usize::try_from(number).ok()?)?;
        Some((*dimension, value))
    }
}

/// Distinct contents as numbers.
#[derive(Debug, Default)]
struct Numbered {
    numbers: HashMap<ContentHash, u32>,
    hashes: Vec<ContentHash>,
    evidence: Vec<Vec<EvidenceRef>>,
}

impl Numbered {
    fn number(&mut self, content: ContentHash, evidence: &[EvidenceRef]) -> u32 {
        *self.numbers.entry(content).or_insert_with(|| {
            self.hashes.push(content);
            self.evidence.push(evidence.to_vec());
            u32::try_from(self.hashes.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// Counts the addresses between these two, both included.
pub(super) fn count_share(
    (first, last): (u128, u128),
    source: &Source<'_>,
    values: &mut Values,
    turns: &mut Turns,
) -> Result<(), LakeError> {
    let ranges = Arc::new(AddressRanges::between(first, last));
    let (mut looks, mut contents) = (Vec::new(), Numbered::default());
    for file in source.files.iter().filter(|file| file.extent.may_touch(&ranges)) {
        let path = source.sightings.path(file);
        read::read(&path, sightings::STORED, Rows::Within(&ranges), &mut |batch| {
            for run in sightings::decode_runs(batch)? {
                let first = look(&run, &mut contents);
                looks.extend(run.looks().map(|(time, _)| Look { time: time.as_micros(), ..first }));
            }
            Ok(())
        })?;
    }
    looks.sort_unstable_by_key(|look: &Look| (look.address, look.time, look.place));
    let said = said(source, &contents, values)?;
    for looks in looks.chunk_by(|a, b| a.address == b.address) {
        let Some(first) = looks.first() else { continue };
        let around = around(&source.places, from_u128(first.address), values);
        let mut of = |place: u32, content: u32| {
            let port = values.number("port", &(place >> 1).to_string());
            let said = usize::try_from(content).ok().and_then(|at| said.get(at)).into_iter().flatten();
            around.iter().copied().chain(port).chain(said.copied()).collect()
        };
        count(looks, &contents.hashes, &mut of, turns);
    }
    Ok(())
}

/// The values of each content, by its number.
fn said(source: &Source<'_>, contents: &Numbered, values: &mut Values) -> Result<Vec<Vec<u32>>, LakeError> {
    let all: Vec<(&ContentHash, &Vec<EvidenceRef>)> = contents.hashes.iter().zip(&contents.evidence).collect();
    let mut said = Vec::with_capacity(all.len());
    for chunk in all.chunks(CONTENTS_AT_ONCE) {
        let asked: Contents<'_> = chunk.iter().map(|(content, evidence)| (**content, evidence.as_slice())).collect();
        let known = source.knowledge.of(&asked, source.pieces, &AtHand::default())?;
        for (content, _) in chunk {
            let facts = known.derived.get(*content).map(|derived| derived.facts.as_ref());
            said.push(facts.map_or_else(Vec::new, |facts| of_facts(facts, values)));
        }
    }
    Ok(said)
}

/// The first observation of a run.
fn look(run: &Run, contents: &mut Numbered) -> Look {
    let subject = run.first.subject;
    let mut content = || contents.number(run.content, &run.first.evidence);
    let saw = match run.first.outcome {
        Outcome::Open => Saw::Open(content()),
        Outcome::Closed => Saw::Closed,
        _ => Saw::Pseudo(content()),
    };
    let place = u32::from(subject.port) << 1 | u32::from(subject.transport == Transport::Udp);
    Look { address: to_u128(subject.address), place, time: run.first.time.as_micros(), saw }
}

fn of_facts(facts: &Facts, values: &mut Values) -> Vec<u32> {
    let one = [
        ("protocol", facts.protocol.as_ref().map(|protocol| protocol.as_str())),
        ("vendor", facts.vendor.as_deref()),
        ("product", facts.product.as_deref()),
        ("kind", facts.kind.map(hinomi_model::DeviceKind::name)),
    ];
    let one = one.into_iter().filter_map(|(dimension, value)| Some((dimension, value?)));
    let weak = facts.crypto.iter().flat_map(|crypto| &crypto.weak).map(|value| ("weak", value.as_str()));
    let tags = facts.tags.iter().map(|value| ("tag", value.as_str()));
    let all: BTreeSet<u32> =
        one.chain(weak).chain(tags).filter_map(|(dimension, value)| values.number(dimension, value)).collect();
    all.into_iter().collect()
}

/// The values of an address, whatever answers there.
fn around(places: &Places, address: IpAddr, values: &mut Values) -> Vec<u32> {
    let place = places.find(address);
    let operator = place.and_then(|place| match (place.asn, place.name.as_deref()) {
        (Some(asn), Some(name)) => Some(format!("AS{asn} {name}")),
        (Some(asn), None) => Some(format!("AS{asn}")),
        (None, name) => name.map(ToOwned::to_owned),
    });
    let text = |value: Option<&String>| value.filter(|value| !value.is_empty()).cloned();
    let all = [
        ("all", Some(String::new())),
        ("operator", operator),
        ("prefecture", text(place.and_then(|place| place.prefecture.as_ref()))),
        ("country", text(place.and_then(|place| place.country.as_ref()))),
    ];
    all.into_iter().filter_map(|(dimension, value)| values.number(dimension, &value?)).collect()
}

/// Sums up what changed; rows of the values that are kept, by day, and how many values are not.
pub(super) fn in_days(values: &Values, turns: &Turns, all: u32) -> (Vec<DayCount>, u64) {
    let mut of_value: BTreeMap<u32, BTreeMap<i64, &super::count::Turn>> = BTreeMap::new();
    for ((day, value), turn) in &turns.by_day {
        of_value.entry(*value).or_default().insert(*day, turn);
    }
    let none = super::count::Turn::default();
    // Every day that was looked at has a row of its own, whatever counts on it.
    let of_all = of_value.entry(all).or_default();
    if let Some(first) = turns.days.first() {
        of_all.entry(*first).or_insert(&none);
    }
    let mut by_dimension: BTreeMap<usize, Vec<(u64, Vec<DayCount>)>> = BTreeMap::new();
    for (number, changes) in of_value {
        let Some((dimension, value)) = usize::try_from(number).ok().and_then(|at| values.all.get(at)) else { continue };
        let rows = of_one(DIMENSIONS.get(*dimension).copied().unwrap_or_default(), value, &changes, &turns.days);
        let peak = rows.iter().map(|row| row.services).max().unwrap_or(0);
        by_dimension.entry(*dimension).or_default().push((peak, rows));
    }
    let (mut kept, mut left_out) = (Vec::new(), 0);
    for mut all in by_dimension.into_values() {
        let name = |rows: &[DayCount]| rows.first().map(|row| row.value.clone());
        all.sort_by(|(a_peak, a), (b_peak, b)| b_peak.cmp(a_peak).then_with(|| name(a).cmp(&name(b))));
        left_out += u64::try_from(all.len().saturating_sub(MAX_VALUES)).unwrap_or(u64::MAX);
        kept.extend(all.into_iter().take(MAX_VALUES).flat_map(|(_, rows)| rows));
    }
    kept.sort_unstable();
    (kept, left_out)
}

/// The rows of one value: of each day that was looked at, from its first on.
fn of_one(
    dimension: &str,
    value: &str,
    changes: &BTreeMap<i64, &super::count::Turn>,
    days: &BTreeSet<i64>,
) -> Vec<DayCount> {
    let Some(first) = changes.keys().next() else { return Vec::new() };
    let (mut services, mut addresses) = (0_u64, 0_u64);
    let mut rows = Vec::new();
    for day in days.range(first..) {
        let turn = changes.get(day).map_or_else(Default::default, |turn| **turn);
        services = (services + turn.opened).saturating_sub(turn.closed);
        addresses = (addresses + turn.addresses_opened).saturating_sub(turn.addresses_closed);
        if services + turn.opened + turn.closed == 0 && dimension != "all" {
            continue;
        }
        rows.push(DayCount {
            day: moment(*day),
            dimension: dimension.to_owned(),
            value: value.to_owned(),
            services,
            addresses,
            opened: turn.opened,
            closed: turn.closed,
            seen: turn.seen,
        });
    }
    rows
}
