//! What a document adds to the register: worked out in memory, before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hinomi_model::Timestamp;

use super::{BulkAudience, BulkClaim, BulkContact, BulkOrganisation, Deed, Imported, Profile, Relation};
use crate::audiences::NewAudience;
use crate::claims::{self, MAX_CLAIMS, MAX_TERM, Method, Subject, TERM};
use crate::contacts::{self, NewContact};
use crate::database::Transaction;
use crate::error::StateError;
use crate::organisations::{self, MAX_ORGANISATIONS, relations, words};

/// The most contacts and relations that one organisation has in a document.
const MAX_OF_ONE: usize = 20_000;

/// A claim to be written.
pub(super) struct PlannedClaim<'a> {
    pub(super) organisation: &'a str,
    pub(super) subject: Subject,
    pub(super) method: Method,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

/// Who held or will hold a subject, and when.
struct Period {
    organisation: String,
    from: Timestamp,
    until: Timestamp,
}

/// What is there, and what is to be written.
pub(super) struct Plan<'a> {
    now: Timestamp,
    known: BTreeMap<String, organisations::Organisation>,
    known_audiences: BTreeMap<String, bool>,
    standing: BTreeSet<(String, Relation, String)>,
    reachable: BTreeSet<(String, String, String)>,
    held: HashMap<String, Vec<Period>>,
    claims_there: usize,
    named: BTreeSet<&'a str>,
    /// Those of them that are closed, and since when.
    closed: BTreeMap<&'a str, Timestamp>,
    own: Option<String>,
    pub(super) audiences: Vec<&'a BulkAudience>,
    pub(super) organisations: Vec<(&'a str, Profile, Option<Timestamp>)>,
    pub(super) changed: Vec<(&'a str, Profile)>,
    pub(super) relations: Vec<(String, Relation, String)>,
    pub(super) contacts: Vec<(&'a str, NewContact, Timestamp)>,
    pub(super) claims: Vec<PlannedClaim<'a>>,
}

impl<'a> Plan<'a> {
    /// What is there now.
    pub(super) fn read(transaction: &mut Transaction<'_>, deed: Deed<'_>) -> Result<Self, StateError> {
        let known = organisations::all(transaction)?.into_iter().map(|one| (one.id.clone(), one));
        let known: BTreeMap<_, _> = known.collect();
        let audiences = crate::audiences::all(transaction)?.into_iter();
        let related = relations::all(transaction)?.into_iter().filter(|related| related.stands_at(deed.now));
        let contacts = contacts::all(transaction)?.into_iter();
        let mut held: HashMap<String, Vec<Period>> = HashMap::new();
        let claims = claims::all(transaction)?;
        let claims_there = claims.len();
        for claim in claims {
            let period = claim.from.zip(claim.until).filter(|(from, until)| from < until);
            if let Some((from, until)) = period {
                let organisation = claim.organisation;
                held.entry(claim.subject.to_string()).or_default().push(Period { organisation, from, until });
            }
        }
        Ok(Self {
            now: deed.now,
            own: known.values().find(|one| one.profile.own && one.closed.is_none()).map(|one| one.id.clone()),
            known,
            known_audiences: audiences.map(|one| (one.id, one.closed.is_none())).collect(),
            standing: related.map(|one| (one.organisation, one.relation, one.target)).collect(),
            reachable: contacts.map(|one| (one.organisation, one.said.role, one.said.mail)).collect(),
            held,
            claims_there,
            named: BTreeSet::new(),
            closed: BTreeMap::new(),
            audiences: Vec::new(),
            organisations: Vec::new(),
            changed: Vec::new(),
            relations: Vec::new(),
            contacts: Vec::new(),
            claims: Vec::new(),
        })
    }

    pub(super) fn audience(&mut self, audience: &'a BulkAudience) -> Result<(), StateError> {
        let BulkAudience { id, name_ja, name_en, hidden } = audience.clone();
        NewAudience { id, name_ja, name_en, hidden }.check()?;
        match self.known_audiences.insert(audience.id.clone(), true) {
            None => self.audiences.push(audience),
            Some(true) => {}
            Some(false) => return Err(StateError::refused(format!("the audience {} was closed", audience.id))),
        }
        Ok(())
    }

    pub(super) fn organisation(&mut self, told: &'a BulkOrganisation) -> Result<(), StateError> {
        words::id(&told.id)?;
        let profile = told.profile();
        profile.check().map_err(|error| at(&told.id, &error))?;
        if !self.named.insert(&told.id) {
            return Err(StateError::refused(format!("{} stands twice in the document", told.id)));
        }
        if let Some(closed) = told.closed {
            return self.closed_one(told, profile, closed);
        }
        if profile.own && self.own.get_or_insert_with(|| told.id.clone()) != &told.id {
            return Err(StateError::refused(format!("{}: another runs this installation already", told.id)));
        }
        match self.known.get(&told.id) {
            None => self.organisations.push((&told.id, profile, None)),
            Some(known) if known.closed.is_some() => {
                return Err(StateError::refused(format!("the organisation {} was closed", told.id)));
            }
            Some(known) if known.profile != profile => self.changed.push((&told.id, profile)),
            Some(_) => {}
        }
        Ok(())
    }

    /// One that is closed: told for what it held.
    fn closed_one(
        &mut self,
        told: &'a BulkOrganisation,
        profile: Profile,
        closed: Timestamp,
    ) -> Result<(), StateError> {
        let refuse = |why: &str| Err(StateError::refused(format!("{}: {why}", told.id)));
        let belongings = [&told.audiences, &told.acts_for, &told.acted_for_by].iter().any(|each| !each.is_empty());
        if belongings || !told.purposes.is_empty() || !told.contact.is_empty() {
            return refuse("what is closed has claims that are over, and nothing besides");
        }
        if closed > self.now {
            return refuse("it was closed at a time to come");
        }
        self.closed.insert(&told.id, closed);
        match self.known.get(&told.id) {
            None => self.organisations.push((&told.id, profile, Some(closed))),
            Some(known) if known.closed.is_none() => return refuse("it is open here: a document closes nothing"),
            Some(_) => {}
        }
        Ok(())
    }

    pub(super) fn belongings(&mut self, told: &'a BulkOrganisation) -> Result<(), StateError> {
        let id = told.id.as_str();
        if told.contact.len() + told.audiences.len() + told.acts_for.len() + told.claim.len() > MAX_OF_ONE {
            return Err(StateError::refused(format!("{id} has more than {MAX_OF_ONE} lines")));
        }
        told.purposes.iter().for_each(|purpose| self.relate(id, Relation::Purpose, purpose.name()));
        for audience in &told.audiences {
            if self.known_audiences.get(audience) != Some(&true) {
                return Err(StateError::refused(format!("{id}: there is no audience {audience:?}")));
            }
            self.relate(id, Relation::Audience, audience);
        }
        let acting = told.acts_for.iter().map(|customer| (id, customer.as_str()));
        for (agent, customer) in acting.chain(told.acted_for_by.iter().map(|agent| (agent.as_str(), id))) {
            let other = if agent == id { customer } else { agent };
            let open = self.known.get(other).is_some_and(|known| known.closed.is_none());
            let comes = self.named.contains(other) && !self.closed.contains_key(other);
            if agent == customer || !(open || comes) {
                return Err(StateError::refused(format!("{id}: there is no other organisation {other:?}")));
            }
            self.relate(agent, Relation::ActsFor, customer);
        }
        told.contact.iter().try_for_each(|contact| self.contact(id, contact)).map_err(|error| at(id, &error))?;
        told.claim.iter().try_for_each(|claim| self.claim(id, claim)).map_err(|error| at(id, &error))
    }

    fn relate(&mut self, organisation: &str, relation: Relation, target: &str) {
        let key = (organisation.to_owned(), relation, target.to_owned());
        if self.standing.insert(key.clone()) {
            self.relations.push(key);
        }
    }

    fn contact(&mut self, organisation: &'a str, told: &BulkContact) -> Result<(), StateError> {
        let contact = told.new_contact();
        contact.check()?;
        let key = (organisation.to_owned(), contact.role.clone(), contact.mail.clone());
        if self.reachable.insert(key) {
            self.contacts.push((organisation, contact, told.confirmed.unwrap_or(self.now).min(self.now)));
        }
        Ok(())
    }

    fn claim(&mut self, organisation: &'a str, told: &BulkClaim) -> Result<(), StateError> {
        let from = told.from.unwrap_or(self.now);
        let until = told.until.unwrap_or_else(|| from.max(self.now).plus(TERM));
        let subject = told.subject.clone();
        if from >= until || until.since(self.now.max(from)) > MAX_TERM {
            return Err(StateError::refused(format!("{subject} must end after it begins, and within ten years")));
        }
        if self.closed.get(organisation).is_some_and(|closed| until > *closed) {
            return Err(StateError::refused(format!("{subject} must end when its holder is closed")));
        }
        let periods = self.held.entry(subject.to_string()).or_default();
        let overlapping = periods.iter().find(|period| period.from < until && from < period.until);
        match overlapping {
            Some(period) if period.organisation == organisation => return Ok(()),
            Some(period) => {
                let other = &period.organisation;
                return Err(StateError::refused(format!(
                    "{other} holds {subject} from {} until {}: a person decides between the two, with \
                     hinomi claim approve or refuse",
                    period.from, period.until
                )));
            }
            None => periods.push(Period { organisation: organisation.to_owned(), from, until }),
        }
        let method = told.method.unwrap_or(Method::Manual);
        self.claims.push(PlannedClaim { organisation, subject, method, from, until });
        Ok(())
    }

    /// Refuses what there is no room for.
    pub(super) fn fits(&self) -> Result<(), StateError> {
        let most = |limit: i64| usize::try_from(limit).unwrap_or(usize::MAX);
        let organisations = self.known.len() + self.organisations.len();
        if organisations > most(MAX_ORGANISATIONS) {
            return Err(StateError::refused(format!("{organisations} organisations; at most {MAX_ORGANISATIONS}")));
        }
        let claims = self.claims_there + self.claims.len();
        if claims > most(MAX_CLAIMS) {
            return Err(StateError::refused(format!("{claims} claims would be there; at most {MAX_CLAIMS}")));
        }
        Ok(())
    }

    /// What is added to each organisation, in words.
    pub(super) fn summary(&self) -> Vec<(&'a str, String)> {
        let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        let mut add = |id: &'a str, which: usize| {
            if let Some(count) = counts.entry(id).or_default().get_mut(which) {
                *count += 1;
            }
        };
        // Named with nothing counted: it is new or said anew itself.
        self.organisations.iter().for_each(|(id, ..)| add(id, usize::MAX));
        self.changed.iter().for_each(|(id, _)| add(id, usize::MAX));
        self.contacts.iter().for_each(|(id, _, _)| add(id, 0));
        self.claims.iter().for_each(|claim| add(claim.organisation, 1));
        let named: BTreeSet<&'a str> = self.named.clone();
        for (organisation, _, _) in &self.relations {
            if let Some(id) = named.get(organisation.as_str()) {
                add(id, 2);
            }
        }
        let text = |[contacts, claims, relations]: [usize; 3]| {
            format!("{contacts} contacts, {claims} claims, {relations} relations")
        };
        counts.into_iter().map(|(id, counts)| (id, text(counts))).collect()
    }

    pub(super) fn imported(&self) -> Imported {
        Imported {
            organisations: self.organisations.len(),
            changed: self.changed.len(),
            audiences: self.audiences.len(),
            relations: self.relations.len(),
            contacts: self.contacts.len(),
            claims: self.claims.len(),
        }
    }
}

fn at(id: &str, error: &StateError) -> StateError {
    StateError::refused(format!("{id}: {error}"))
}
