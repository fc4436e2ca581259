//! What a reader may see of objects: the rules asked of each, and a filter for the state that lets through no less.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hinomi_lake::entitlement::{Entitlement, Seen};
use hinomi_model::address::{bounds, from_u128};
use hinomi_model::{Marking, Timestamp};
use hinomi_state::objects::{ObjectPlace, ObjectRow, ObjectSight};

use crate::policy::{Ground, Reader, Viewer};
use crate::register::Held;
use crate::rules::RecordFacts;

/// The most ranges of addresses that the state is asked with; of more it is asked without, and each row is decided.
const MAX_SPANS: usize = 1_000;
/// The most boundaries of claims within a prefix; one with more is nobody's.
const MAX_CUTS: usize = 4_096;

/// What a reader may see.
pub struct Sight {
    eyes: Eyes,
}

enum Eyes {
    /// The operator's: everything.
    All,
    /// Nobody's.
    None,
    Member(Box<Member>),
}

/// Of a member.
struct Member {
    /// Organisations whose own gifts are seen: those acted for that are in the register.
    own: BTreeSet<String>,
    /// As of the moment of the question.
    may: Entitlement,
    now: Timestamp,
    ground: Arc<Ground>,
    /// Where claimed prefixes begin, and the first addresses after them.
    cuts: OnceLock<Vec<u128>>,
    /// What rules say of objects without addresses, by marking.
    nowhere: Mutex<HashMap<String, bool>>,
}

impl Sight {
    /// The eyes of a reader.
    pub fn of(reader: &Reader) -> Self {
        let eyes = match (reader.viewer(), reader.may(), reader.ground()) {
            (viewer, None, _) if viewer.sees_all() => Eyes::All,
            (Viewer::Member(member), Some(may), Some(ground)) => {
                let now = reader.lake().now();
                let known = |id: &&String| ground.register.organisations.contains_key(*id);
                Eyes::Member(Box::new(Member {
                    own: member.organisations.iter().filter(known).cloned().collect(),
                    may: may.at(now),
                    now,
                    ground: Arc::clone(ground),
                    cuts: OnceLock::new(),
                    nowhere: Mutex::default(),
                }))
            }
            _ => Eyes::None,
        };
        Self { eyes }
    }

    /// The eyes of whoever is at the machine itself.
    pub const fn operator() -> Self {
        Self { eyes: Eyes::All }
    }

    /// Whether everything is seen.
    pub(super) const fn is_all(&self) -> bool {
        matches!(self.eyes, Eyes::All)
    }

    /// Whether this organisation is one of the reader's own.
    pub(super) fn is_own(&self, organisation: &str) -> bool {
        match &self.eyes {
            Eyes::All => organisation.is_empty(),
            Eyes::None => false,
            Eyes::Member(member) => member.own.contains(organisation),
        }
    }

    /// Audiences that the reader belongs to; none for who sees everything.
    pub(super) fn audiences(&self) -> Option<&BTreeSet<String>> {
        match &self.eyes {
            Eyes::Member(member) => Some(&member.ground.facts.audiences),
            Eyes::All | Eyes::None => None,
        }
    }

    /// Whether an organisation of the reader's belongs to an audience.
    pub(super) fn belongs(&self, organisation: &str, audience: &str) -> bool {
        match &self.eyes {
            Eyes::All => true,
            Eyes::None => false,
            Eyes::Member(member) => {
                let one = member.ground.register.organisations.get(organisation);
                member.own.contains(organisation) && one.is_some_and(|one| one.audiences.contains(audience))
            }
        }
    }

    /// Whether an object is seen.
    pub(super) fn admits(&self, row: &ObjectRow) -> bool {
        match &self.eyes {
            Eyes::All => true,
            Eyes::None => false,
            Eyes::Member(member) => member.admits(row),
        }
    }

    /// A filter over these markings that lets through whatever is seen.
    pub(super) fn filter(&self, markings: Vec<String>) -> ObjectSight {
        match &self.eyes {
            Eyes::All => ObjectSight { all: true, ..ObjectSight::default() },
            Eyes::None => ObjectSight::default(),
            Eyes::Member(member) => member.filter(markings),
        }
    }
}

impl Member {
    fn admits(&self, row: &ObjectRow) -> bool {
        if self.own.contains(&row.facts.giver) {
            return true;
        }
        let Some(marking) = read(&row.facts.marking) else { return false };
        if row.places.is_empty() {
            return self.nowhere(&row.facts.marking, &marking);
        }
        row.places.iter().all(|place| self.may_place(row, place, &marking))
    }

    /// What the rules say of an object that is nowhere.
    fn nowhere(&self, text: &str, marking: &Marking) -> bool {
        let mut known = self.nowhere.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(may) = known.get(text) {
            return *may;
        }
        let embargo = marking.is_embargoed(self.now);
        let (holders, operators) = (BTreeSet::new(), BTreeSet::new());
        let record = RecordFacts { marking: marking.clone(), embargo, holders, operators };
        let may = self.ground.rules.decide(&self.ground.facts, &record).is_ok_and(|decided| decided.allowed);
        known.insert(text.to_owned(), may);
        may
    }

    /// Whether every address of a place may be known of: claims cut it into parts in which all are held alike.
    fn may_place(&self, row: &ObjectRow, place: &ObjectPlace, marking: &Marking) -> bool {
        let may = |number: u128, asn| {
            let seen = Seen { address: from_u128(number), asn, time: row.facts.seen, marking };
            self.may.admits(&seen)
        };
        if place.low == place.high {
            return may(place.low, place.asn);
        }
        let cuts = self.cuts.get_or_init(|| cuts(&self.ground));
        let first = cuts.partition_point(|cut| *cut <= place.low);
        let last = cuts.partition_point(|cut| *cut <= place.high);
        let within = cuts.get(first..last).unwrap_or_default();
        within.len() <= MAX_CUTS && may(place.low, None) && within.iter().all(|cut| may(*cut, None))
    }

    fn filter(&self, markings: Vec<String>) -> ObjectSight {
        let mut sight = ObjectSight { givers: self.own.iter().cloned().collect(), ..ObjectSight::default() };
        let (mut spans, mut asns) = (BTreeSet::new(), BTreeSet::new());
        for text in markings {
            let Some(marking) = read(&text) else { continue };
            let fitting = || self.may.grants().iter().filter(|grant| grant.marks.fit(&marking, self.now));
            if fitting().any(|grant| grant.held.is_empty()) || self.nowhere(&text, &marking) {
                sight.free.push(text);
                continue;
            }
            // Of places that must all be held one is enough here: each row is decided.
            let helds: Vec<_> = fitting().filter_map(|grant| grant.held.first()).collect();
            if !helds.is_empty() {
                spans.extend(helds.iter().flat_map(|held| held.spans()));
                asns.extend(helds.iter().flat_map(|held| held.asns()));
                sight.placed.push(text);
            }
        }
        if spans.len() + asns.len() <= MAX_SPANS {
            sight.places = Some((spans.into_iter().collect(), asns.into_iter().collect()));
        }
        sight
    }
}

/// A marking as it is kept; one that cannot be read is nobody's.
fn read(text: &str) -> Option<Marking> {
    serde_json::from_str(text).ok()
}

fn cuts(ground: &Ground) -> Vec<u128> {
    let mut cuts = BTreeSet::new();
    for claim in &ground.register.claims {
        if let Held::Prefix(net) = &claim.subject {
            let (low, high) = bounds(net.trunc());
            cuts.insert(low);
            cuts.extend(high.checked_add(1));
        }
    }
    cuts.into_iter().collect()
}
