//! Everything at once: what one vendor keeps for a thousand small organisations, as one document.
//!
//! Taking in adds and never ends: what the document does not name stays as it is, and taking in the same document again
//! changes nothing. It happens whole or not at all. Whoever takes claims in decides them as a person of this installation.
//! At a hundred times the data: the document and the register are in memory once each.

mod plan;

use hinomi_model::{Purpose, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::{Deed, Entry, insert, note_all, take_numbers};
use super::relations::{self, FOREVER, Relation};
use super::{Kind, Organisation, Profile};
use crate::audiences;
use crate::claims::{self, Claim, Method, Standing, Subject};
use crate::contacts::{self, Contact, Language, NewContact};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::value::Value;
use plan::Plan;

/// The most bytes of a document that a program should read.
pub const MAX_BULK_BYTES: u64 = 256 << 20;
/// What stands in `format`.
const FORMAT: u32 = 1;

/// A document of organisations and everything that belongs to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// The version of this form: 1.
    pub format: u32,
    /// Audiences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<BulkAudience>,
    /// Organisations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organisation: Vec<BulkOrganisation>,
}

/// An audience in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkAudience {
    /// As markings name it.
    pub id: String,
    /// Its name in Japanese.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_ja: String,
    /// Its name in English.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_en: String,
    /// Whether its members do not know of each other.
    #[serde(default)]
    pub hidden: bool,
}

/// An organisation in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkOrganisation {
    /// Short and lasting.
    pub id: String,
    /// Its name in Japanese.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_ja: String,
    /// Its name in English.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name_en: String,
    /// Its sector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Whether it runs this installation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// For what it may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<Purpose>,
    /// Audiences that it belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Organisations that it acts for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts_for: Vec<String>,
    /// Organisations that act for it: the same, told by the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acted_for_by: Vec<String>,
    /// Whom to reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contact: Vec<BulkContact>,
    /// Since when it is closed; none: it is open. What it held is told, for its past is nobody else's, and nothing besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim: Vec<BulkClaim>,
}

/// A contact in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkContact {
    /// What for.
    pub role: String,
    /// A person or a team.
    #[serde(default)]
    pub name: String,
    /// Where mail goes.
    pub mail: String,
    /// May be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// What they read.
    #[serde(default)]
    pub language: Language,
    /// When somebody last made sure of it; none: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
}

/// A claim that holds, or held, in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BulkClaim {
    /// What is held.
    pub subject: Subject,
    /// How it was proved; none: manual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// From this moment on; none: from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before this moment; none: for a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What taking in a document added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// New organisations.
    pub organisations: usize,
    /// Organisations of which something else is said now.
    pub changed: usize,
    /// New audiences.
    pub audiences: usize,
    /// New relations.
    pub relations: usize,
    /// New contacts.
    pub contacts: usize,
    /// New claims.
    pub claims: usize,
}

impl BulkOrganisation {
    fn profile(&self) -> Profile {
        let (name_ja, name_en, sector) = (self.name_ja.clone(), self.name_en.clone(), self.sector.clone());
        Profile { name_ja, name_en, sector, kind: self.kind, own: self.own }
    }
}

impl BulkContact {
    fn new_contact(&self) -> NewContact {
        let Self { role, name, mail, phone, language, .. } = self.clone();
        NewContact { role, name, mail, phone, language }
    }
}

impl Bulk {
    /// Reads a document.
    ///
    /// # Errors
    /// Where it does not say what it should.
    pub fn from_toml(text: &str) -> Result<Self, StateError> {
        let bulk: Self = toml::from_str(text).map_err(|error| StateError::refused(error.to_string()))?;
        if bulk.format != FORMAT {
            return Err(StateError::refused(format!("format must be {FORMAT}, and is {}", bulk.format)));
        }
        Ok(bulk)
    }

    /// The document as text.
    ///
    /// # Errors
    /// When it cannot be written so.
    pub fn to_toml(&self) -> Result<String, StateError> {
        toml::to_string(self).map_err(|error| StateError::damaged(error.to_string()))
    }
}

impl Database {
    /// Takes a document in.
    ///
    /// # Errors
    /// When something in it does not do, with what; or the database cannot be asked. Nothing is taken in then.
    pub fn import_register(&self, deed: Deed<'_>, bulk: &Bulk) -> Result<Imported, StateError> {
        self.transact(|transaction| {
            let mut plan = Plan::read(transaction, deed)?;
            bulk.audience.iter().try_for_each(|audience| plan.audience(audience))?;
            bulk.organisation.iter().try_for_each(|organisation| plan.organisation(organisation))?;
            // After all are known, as one may act for a later one.
            bulk.organisation.iter().try_for_each(|organisation| plan.belongings(organisation))?;
            plan.fits()?;
            carry_out(transaction, deed, &plan)
        })
    }

    /// Everything that stands at a moment, and all that was ever held, by whom is closed too, as a document.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn export_register(&self, now: Timestamp) -> Result<Bulk, StateError> {
        self.transact(|transaction| export(transaction, now))
    }
}

/// Writes what is planned.
fn carry_out(transaction: &mut Transaction<'_>, deed: Deed<'_>, plan: &Plan<'_>) -> Result<Imported, StateError> {
    let now = Value::from(deed.now.as_micros());
    let audiences = plan.audiences.iter().map(|audience| {
        let texts = [&audience.id, &audience.name_ja, &audience.name_en].map(Value::from);
        texts.into_iter().chain([i64::from(audience.hidden).into(), now.clone()]).collect()
    });
    let columns = ["id", "name_ja", "name_en", "hidden", "created"];
    insert(transaction, "audiences", &columns, &audiences.collect::<Vec<_>>())?;
    let row = |(id, profile, closed): &(&str, Profile, Option<Timestamp>)| {
        let closed = Value::from(closed.map(Timestamp::as_micros));
        [vec![(*id).into()], profile.values(), vec![now.clone(), closed]].concat()
    };
    let columns = ["id", "name_ja", "name_en", "sector", "kind", "own", "created", "closed"];
    insert(transaction, "organisations", &columns, &plan.organisations.iter().map(row).collect::<Vec<_>>())?;
    for (id, profile) in &plan.changed {
        let sql = "UPDATE organisations SET name_ja = $1, name_en = $2, sector = $3, kind = $4, own = $5 WHERE id = $6";
        transaction.execute(sql, &[profile.values(), vec![(*id).into()]].concat())?;
    }
    let relations = plan.relations.iter().map(|(organisation, relation, target)| {
        let texts = [organisation.as_str(), relation.name(), target.as_str()].map(Value::from);
        texts.into_iter().chain([now.clone(), FOREVER.as_micros().into()]).collect()
    });
    let columns = ["organisation", "relation", "target", "begins", "ends"];
    insert(transaction, "relations", &columns, &relations.collect::<Vec<_>>())?;
    let first = take_numbers(transaction, plan.contacts.len() + plan.claims.len())?;
    let mut numbers = first..;
    let contacts = plan.contacts.iter().zip(numbers.by_ref()).map(|((organisation, contact, confirmed), number)| {
        let front = vec![number.into(), (*organisation).into()];
        [front, contact.values(), vec![confirmed.as_micros().into()]].concat()
    });
    insert(transaction, "contacts", &contacts::COLUMNS, &contacts.collect::<Vec<_>>())?;
    insert_claims(transaction, deed, plan, numbers.by_ref())?;
    let summary = plan.summary();
    let entries = summary.iter().map(|(id, text)| Entry::of(id, "organisation imported", text));
    note_all(transaction, deed, &entries.collect::<Vec<_>>())?;
    Ok(plan.imported())
}

fn insert_claims(
    transaction: &mut Transaction<'_>,
    deed: Deed<'_>,
    plan: &Plan<'_>,
    numbers: &mut dyn Iterator<Item = i64>,
) -> Result<(), StateError> {
    let now = Value::from(deed.now.as_micros());
    let (mut rows, mut entries) = (Vec::new(), Vec::new());
    for (claim, number) in plan.claims.iter().zip(numbers) {
        let (method, subject) = (claim.method.name(), claim.subject.to_string());
        let texts = [claim.organisation, &subject, Standing::Proved.name(), method].map(Value::from);
        let times = [claim.from, claim.until].map(|time| Value::from(time.as_micros()));
        let mut row = vec![number.into()];
        row.extend(texts);
        row.extend([now.clone(), deed.actor(), now.clone(), deed.actor()]);
        row.extend(times);
        row.extend([0.into(), 0.into()]);
        rows.push(row);
        let detail = format!("{subject}, {method}, from {} until {}; taken in", claim.from, claim.until);
        entries.push(Entry { claim: Some(number), ..Entry::of(claim.organisation, "claim proved", detail) });
    }
    let columns = [
        "number",
        "organisation",
        "subject",
        "standing",
        "method",
        "asked",
        "asked_by",
        "decided",
        "decided_by",
        "valid_from",
        "valid_until",
        "checks",
        "first_check",
    ];
    insert(transaction, "claims", &columns, &rows)?;
    note_all(transaction, deed, &entries)
}

fn export(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<Bulk, StateError> {
    let open = |found: &Option<Timestamp>| found.is_none();
    let audiences = audiences::all(transaction)?.into_iter().filter(|audience| open(&audience.closed));
    let audience = audiences.map(|one| BulkAudience {
        id: one.id,
        name_ja: one.name_ja,
        name_en: one.name_en,
        hidden: one.hidden,
    });
    let mut bulk = Bulk { format: FORMAT, audience: audience.collect(), organisation: Vec::new() };
    bulk.organisation = super::all(transaction)?.into_iter().map(bare).collect();
    // By id, as they were read.
    let place = |bulk: &Bulk, id: &str| bulk.organisation.binary_search_by(|one| one.id.as_str().cmp(id)).ok();
    for related in relations::all(transaction)?.into_iter().filter(|related| related.stands_at(now)) {
        if let Some(one) = place(&bulk, &related.organisation)
            .and_then(|at| bulk.organisation.get_mut(at))
            .filter(|one| one.closed.is_none())
        {
            match related.relation {
                Relation::ActsFor => one.acts_for.push(related.target),
                Relation::Audience => one.audiences.push(related.target),
                Relation::Purpose => one.purposes.extend(related.target.parse::<Purpose>()),
            }
        }
    }
    for Contact { organisation, said, confirmed, .. } in contacts::all(transaction)? {
        if let Some(one) =
            place(&bulk, &organisation).and_then(|at| bulk.organisation.get_mut(at)).filter(|one| one.closed.is_none())
        {
            let NewContact { role, name, mail, phone, language } = said;
            one.contact.push(BulkContact { role, name, mail, phone, language, confirmed: Some(confirmed) });
        }
    }
    for Claim { organisation, subject, method, from, until, .. } in claims::all(transaction)? {
        let one = place(&bulk, &organisation).and_then(|at| bulk.organisation.get_mut(at));
        if let (Some(one), true) = (one, from.is_some() && from < until) {
            one.claim.push(BulkClaim { subject, method, from, until });
        }
    }
    Ok(bulk)
}

fn bare(organisation: Organisation) -> BulkOrganisation {
    let Profile { name_ja, name_en, sector, kind, own } = organisation.profile;
    BulkOrganisation {
        id: organisation.id,
        name_ja,
        name_en,
        sector,
        kind,
        own,
        purposes: Vec::new(),
        audiences: Vec::new(),
        acts_for: Vec::new(),
        acted_for_by: Vec::new(),
        contact: Vec::new(),
        closed: organisation.closed,
        claim: Vec::new(),
    }
}
