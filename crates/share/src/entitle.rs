//! What a member may see: the rules, asked with the record unknown, made into grants that the lake ands into every
//! question.
//!
//! - [`facts_of`] says what is known of a member: only organisations that may read for his purpose count.
//! - [`entitlement`] is the union of what remains of the rules. Where that cannot be said by grants, [`Judged`] asks the
//!   rules of each record that the grants let through.

mod compile;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_lake::entitlement::{Entitlement, Grant, Held, Judge, Marks, Seen, Stretch};
use hinomi_model::address::to_u128;
use hinomi_model::{Timestamp, Tlp};

use crate::policy::Member;
use crate::register::{Holders, Register};
use crate::rules::{Decided, MemberFacts, RecordFacts, Residual, Rules, RulesError};
use compile::{Compiled, Part, Place, Where, compile};

/// What is known of a member. An organisation that is not in the register, or may not read for this purpose, is none.
pub fn facts_of(member: &Member, register: &Register) -> MemberFacts {
    let acted_for = member.organisations.iter().filter_map(|id| register.organisations.get(id));
    let reading = acted_for.filter(|one| one.purposes.contains(&member.purpose));
    let mut facts = MemberFacts { purpose: Some(member.purpose), ..MemberFacts::default() };
    for organisation in reading {
        facts.organisations.insert(organisation.id.clone());
        facts.audiences.extend(organisation.audiences.iter().cloned());
        facts.sectors.extend(organisation.sector.iter().cloned());
    }
    facts
}

/// What rules look at of an observation, at a moment.
pub fn record_of(seen: &Seen<'_>, holders: &Holders, now: Timestamp) -> RecordFacts {
    let (held, run) = holders.of(seen.address, seen.asn, seen.time);
    let embargo = seen.marking.is_embargoed(now);
    RecordFacts { marking: seen.marking.clone(), embargo, holders: held, operators: run }
}

/// What the rules say of one observation at a moment, whenever it was seen.
///
/// # Errors
/// When the rules cannot be asked.
pub fn decide(
    rules: &Rules,
    facts: &MemberFacts,
    holders: &Holders,
    seen: &Seen<'_>,
    now: Timestamp,
) -> Result<Decided, RulesError> {
    rules.decide(facts, &record_of(seen, holders, now))
}

/// What somebody may see who comes from an address: what was seen there since a moment, unless it names who alone may
/// know.
pub fn of_visitor(address: IpAddr, since: Timestamp) -> Entitlement {
    let number = to_u128(address);
    let stretch = Stretch { from: since.as_micros(), ..Stretch::ALWAYS };
    let held = Held::new([((number, number), stretch)], []);
    let not_red = Marks::Not(Box::new(Marks::Tlp([Tlp::Red].into())));
    // It is his own address: an embargo is about others.
    Entitlement::new([Grant::of(Marks::All(vec![not_red, Marks::Unnamed]), Arc::new(held))])
}

/// What a member may see.
///
/// # Errors
/// When the rules cannot be asked.
pub fn entitlement(
    rules: &Arc<Rules>,
    facts: &MemberFacts,
    register: &Arc<Register>,
) -> Result<Entitlement, RulesError> {
    let Compiled { any, exact } = compile(&rules.residuals(facts)?);
    let holders = Holders::new(register);
    let mut helds: BTreeMap<Place, Arc<Held>> = BTreeMap::new();
    let mut grants = Vec::new();
    let mut held_at = |places: BTreeSet<Place>| -> Vec<Arc<Held>> {
        let one = |place: Place| {
            let made = helds.entry(place).or_insert_with_key(|(part, organisations)| {
                Arc::new(match part {
                    Part::Holder => holders.holding(organisations),
                    Part::Operator => holders.running(organisations),
                })
            });
            Arc::clone(made)
        };
        places.into_iter().map(one).collect()
    };
    for (Where { at, not_at }, marks) in any {
        grants.push(Grant { marks, held: held_at(at), not_held: held_at(not_at) });
    }
    let entitlement = Entitlement::new(grants);
    if exact {
        return Ok(entitlement);
    }
    let judge = Judged { rules: Arc::clone(rules), facts: facts.clone(), holders };
    Ok(entitlement.judged(Arc::new(judge)))
}

/// Ids of the rules by which this member may see anything at all.
///
/// # Errors
/// When the rules cannot be asked.
pub fn passing(rules: &Rules, facts: &MemberFacts) -> Result<BTreeSet<String>, RulesError> {
    let residuals = rules.residuals(facts)?;
    let passes = |one: &&Residual| !one.forbids && !compile(std::slice::from_ref(one)).any.is_empty();
    Ok(residuals.iter().filter(passes).map(|one| one.id.clone()).collect())
}

/// Asks the rules of each record.
struct Judged {
    rules: Arc<Rules>,
    facts: MemberFacts,
    holders: Holders,
}

impl Judge for Judged {
    fn may(&self, seen: &Seen<'_>, now: Timestamp) -> bool {
        let decided = decide(&self.rules, &self.facts, &self.holders, seen, now);
        decided.is_ok_and(|decided| decided.allowed)
    }
}
