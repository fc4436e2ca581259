//! What a viewer may see, and why he sees a record: the rules, labels and claims that it rests on.
//!
//! Both speak of the viewer's own claims and audiences alone: who else holds or may know something is not told.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_lake::entitlement::Seen;
use hinomi_model::{Marking, ServiceKey, Timestamp, Tlp};
use serde::Serialize;

use super::{Member, ReadError, Reader, Viewer};
use crate::entitle;
use crate::register::{Claim, Held, Holders, Register};
use crate::rules::{MemberFacts, Rule, Rules, RulesError};

/// The most claims that are listed.
pub(super) const MAX_CLAIMS: usize = 1_000;
/// The most services of one address of which it is told why.
const MAX_EXPLAINED: usize = 256;

/// What a member's entitlement was made of.
pub(crate) struct Ground {
    pub(crate) rules: Arc<Rules>,
    pub(crate) register: Arc<Register>,
    pub(crate) facts: MemberFacts,
}

/// A claim, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Whose.
    pub organisation: String,
    /// A prefix, `AS` and a number, or a domain.
    pub subject: String,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
}

/// Why a service is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Why {
    /// Which one.
    pub service: ServiceKey,
    /// When it last answered, as far as it is seen.
    pub seen: Timestamp,
    /// How that is marked.
    pub label: &'static str,
    /// For what it may be read.
    pub purpose: &'static str,
    /// Which of the viewer's audiences it names.
    pub audiences: Vec<String>,
    /// The rules that let it be seen; none for the operator and analysts, who see everything.
    pub rules: Vec<Rule>,
    /// The viewer's claims around it at that time.
    pub claims: Vec<Reason>,
}

/// Where a label is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MayLabel {
    /// Which label.
    pub label: &'static str,
    /// Wherever it is.
    pub anywhere: bool,
    /// At addresses that are held, or run, by whom the viewer acts for.
    pub held: bool,
}

/// What a viewer may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MaySee {
    /// Everything: the operator, and analysts.
    pub everything: bool,
    /// For which organisations he acts; those that may not read for this purpose are missing.
    pub organisations: Vec<String>,
    /// What is read for.
    pub purpose: Option<&'static str>,
    /// Their audiences.
    pub audiences: Vec<String>,
    /// Their claims, of which at most a thousand are listed.
    pub claims: Vec<Reason>,
    /// How many claims there are.
    pub claims_total: usize,
    /// Which labels, and where.
    pub labels: Vec<MayLabel>,
    /// All rules.
    pub rules: Vec<Rule>,
}

/// What the rules say of one record to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Of which service, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceKey>,
    /// When it was seen.
    pub seen: Timestamp,
    /// How that is marked.
    pub label: &'static str,
    /// For what it may be read.
    pub marked: &'static str,
    /// Audiences that it names.
    pub audiences: Vec<String>,
    /// Who held the address then.
    pub holders: Vec<String>,
    /// Who ran its network then.
    pub operators: Vec<String>,
    /// Whether it may be known.
    pub allowed: bool,
    /// Which rules decided: those that permit, or those that forbid; none where none permits.
    pub rules: Vec<Rule>,
}

/// What the rules say of a record to this member, by a register and the index over it, at a moment.
///
/// # Errors
/// When the rules cannot be asked.
pub fn explain(
    rules: &Rules,
    member: &Member,
    (register, holders): (&Register, &Holders),
    (seen, now): (&Seen<'_>, Timestamp),
    service: Option<ServiceKey>,
) -> Result<Explained, RulesError> {
    let (facts, record) = (entitle::facts_of(member, register), entitle::record_of(seen, holders, now));
    let decided = rules.decide(&facts, &record)?;
    let mut deciding = rules.list();
    deciding.retain(|rule| decided.rules.contains(&rule.id));
    Ok(Explained {
        service,
        seen: seen.time,
        label: seen.marking.tlp.label(),
        marked: seen.marking.purpose.name(),
        audiences: seen.marking.audience.clone(),
        holders: record.holders.into_iter().collect(),
        operators: record.operators.into_iter().collect(),
        allowed: decided.allowed,
        rules: deciding,
    })
}

impl Reader {
    /// What the rules say to a member of the services at an address, as each was last seen. For who sees everything.
    ///
    /// # Errors
    /// When this viewer does not, the look cannot be written down, the lake cannot be read, or the rules cannot be asked.
    pub fn explain_to(
        &self,
        member: &Member,
        rules: &Arc<Rules>,
        register: &Arc<Register>,
        address: IpAddr,
    ) -> Result<Vec<Explained>, ReadError> {
        let Some(host) = self.host(address)? else { return Ok(Vec::new()) };
        if self.may().is_some() {
            return Err(ReadError::Refused("what others may know is told to the operator alone".to_owned()));
        }
        let (holders, mut told) = (Holders::new(register), Vec::new());
        for service in host.services.iter().take(MAX_EXPLAINED) {
            let Some((sighting, asn)) = self.lake().newest_sighting(&service.key, None)? else { continue };
            let seen = Seen { address, asn, time: sighting.time, marking: &sighting.marking };
            let one = explain(rules, member, (register, &holders), (&seen, self.lake().now()), Some(service.key));
            told.push(one.map_err(|error| ReadError::Failed(error.to_string()))?);
        }
        Ok(told)
    }

    /// Why each service that is seen at an address is, at most so many.
    ///
    /// # Errors
    /// As for [`Self::why`].
    pub fn why_host(&self, address: IpAddr) -> Result<Option<Vec<Why>>, ReadError> {
        let reader = self.witnessed("why", &address.to_string())?;
        let Some(host) = reader.host(address)? else { return Ok(None) };
        let services = host.services.iter().take(MAX_EXPLAINED);
        let each = services.map(|service| reader.why(&service.key)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(each.into_iter().flatten().collect()))
    }

    /// Why a service is seen; `None` when it is not.
    ///
    /// # Errors
    /// When the look cannot be written down, the lake cannot be read, or the rules cannot be asked.
    pub fn why(&self, service: &ServiceKey) -> Result<Option<Why>, ReadError> {
        let may = self.look("why", &service.to_string())?;
        let newest = self.lake().newest_sighting(service, may.as_deref())?;
        let Some((sighting, asn)) = newest else { return Ok(None) };
        let marking = &sighting.marking;
        let mut why = Why {
            service: *service,
            seen: sighting.time,
            label: marking.tlp.label(),
            purpose: marking.purpose.name(),
            audiences: marking.audience.clone(),
            rules: Vec::new(),
            claims: Vec::new(),
        };
        if let (Viewer::Member(_), Some(ground)) = (self.viewer(), self.ground()) {
            let seen = Seen { address: service.address, asn, time: sighting.time, marking };
            let holders = Holders::new(&ground.register);
            let decided = entitle::decide(&ground.rules, &ground.facts, &holders, &seen, self.lake().now());
            let decided = decided.map_err(|error| ReadError::Failed(error.to_string()))?;
            why.audiences.retain(|name| ground.facts.audiences.contains(name));
            why.rules = ground.rules.list();
            why.rules.retain(|rule| decided.rules.contains(&rule.id));
            why.claims = ground.claims().filter(|claim| is_around(claim, &seen)).map(reason).take(MAX_CLAIMS).collect();
        }
        Ok(Some(why))
    }

    /// What this viewer may see.
    ///
    /// # Errors
    /// When the look cannot be written down.
    pub fn may_see(&self) -> Result<MaySee, ReadError> {
        let Some(may) = self.look("entitlement", "")? else {
            return Ok(MaySee { everything: true, ..MaySee::default() });
        };
        let Some(ground) = self.ground() else { return Ok(MaySee::default()) };
        let (facts, now) = (&ground.facts, self.lake().now());
        let label = |tlp: Tlp| {
            let marking =
                |audience: Vec<String>| facts.purpose.map(|purpose| Marking { tlp, audience, ..Marking::own(purpose) });
            let ways = [marking(Vec::new()), marking(facts.audiences.iter().cloned().collect())];
            let fits = |held: bool| {
                let grants = || may.grants().iter().filter(|grant| grant.held.is_empty() != held);
                ways.iter().flatten().any(|marking| grants().any(|grant| grant.marks.fit(marking, now)))
            };
            MayLabel { label: tlp.label(), anywhere: fits(false), held: fits(true) }
        };
        let labels = [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red].map(label);
        Ok(MaySee {
            everything: false,
            organisations: facts.organisations.iter().cloned().collect(),
            purpose: facts.purpose.map(hinomi_model::Purpose::name),
            audiences: facts.audiences.iter().cloned().collect(),
            claims: ground.claims().take(MAX_CLAIMS).map(reason).collect(),
            claims_total: ground.claims().count(),
            labels: labels.into(),
            rules: ground.rules.list(),
        })
    }
}

impl Ground {
    /// Claims of the organisations acted for, and of those that they act for.
    fn claims(&self) -> impl Iterator<Item = &Claim> {
        let own = &self.facts.organisations;
        let agents = own.iter().filter_map(|id| self.register.organisations.get(id));
        let mut whose: BTreeSet<&String> = agents.flat_map(|one| &one.acts_for).collect();
        whose.extend(own);
        self.register.claims.iter().filter(move |claim| whose.contains(&claim.organisation))
    }
}

fn is_around(claim: &Claim, seen: &Seen<'_>) -> bool {
    let holds = match &claim.subject {
        Held::Prefix(net) => net.contains(&seen.address),
        Held::As(asn) => Some(*asn) == seen.asn,
        Held::Domain(_) => false,
    };
    holds && claim.from <= seen.time && seen.time < claim.until
}

fn reason(claim: &Claim) -> Reason {
    let subject = match &claim.subject {
        Held::Prefix(net) => net.to_string(),
        Held::As(asn) => format!("AS{asn}"),
        Held::Domain(name) => name.clone(),
    };
    Reason { organisation: claim.organisation.clone(), subject, from: claim.from, until: claim.until }
}
