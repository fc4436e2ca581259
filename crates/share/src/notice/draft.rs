//! From candidates to drafts: one message for each party of a run, and a list of what nobody is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hinomi_model::{Service, ServiceKey, Timestamp};
use hinomi_state::StateError;
use hinomi_state::contacts::Contact;
use hinomi_state::notices::{MAX_FINDINGS, NewNotice, Notice, NoticeState, Party, Said, new_token};
use hinomi_state::organisations::Deed;
use ipnet::IpNet;
use serde::Serialize;

use super::measure::{product, reopened};
use super::party::{Book, Chain, Link, Reach};
use super::rules::{self, judge};
use super::sight::{Sighted, is_theirs, sight};
use super::{Desk, NoticeError, formats, words};
use crate::policy::Viewer;

/// The most services of one run that are looked at.
const MAX_CANDIDATES: usize = 500_000;
/// Services that are named of what is not told, for each reason.
const MAX_NAMED: usize = 1_000;
/// Characters of a first line, of a tag; tags and pieces of evidence of a finding.
const MAX_SUMMARY_CHARS: usize = 160;
const MAX_TAG_CHARS: usize = 40;
const MAX_TAGS: usize = 8;
const MAX_EVIDENCE: usize = 4;

/// What to draft.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// What is a finding; none is the defaults.
    pub query: Option<String>,
    /// Of these prefixes alone; none named is all.
    pub nets: Vec<IpNet>,
    /// Of these services alone: those of a campaign.
    pub only: Option<BTreeSet<ServiceKey>>,
    /// Under which campaign and scope that was seen, in a line; empty says nothing of it.
    pub scope: String,
}

/// What is not told, for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// How many findings.
    pub count: u64,
    /// The first of them.
    pub services: Vec<String>,
}

/// What a run drafted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Drafted {
    /// The number of the run; none where nothing was drafted.
    pub run: Option<i64>,
    /// One for each party.
    pub notices: Vec<Notice>,
    /// What is not told, by reason: `no-party`, `not-entitled`, `no-contact`, `opted-out`, `changed-hands`, `told`,
    /// `too-many`.
    pub left: BTreeMap<&'static str, LeftOut>,
}

/// What a draft would come to.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The first of the notices, at most [`MAX_PREVIEWED`]; [`NO_TOKEN`] stands where each will have its own.
    pub notices: Vec<NewNotice>,
    /// How many parties there are.
    pub parties: usize,
    /// What nobody is told, by reason.
    pub left: BTreeMap<&'static str, LeftOut>,
}

/// The most notices of a preview.
pub const MAX_PREVIEWED: usize = 20;
/// What stands for the token of a notice that is not drafted.
pub const NO_TOKEN: &str = "----------------";

impl Drafted {
    fn leave(&mut self, why: &'static str, service: &ServiceKey) {
        let left = self.left.entry(why).or_default();
        left.count += 1;
        if left.services.len() < MAX_NAMED {
            left.services.push(service.to_string());
        }
    }
}

/// A finding that looks for its party.
struct Candidate {
    key: ServiceKey,
    chain: Vec<Link>,
    /// How far down the chain it is.
    at: usize,
    /// Why the nearest party is not told.
    why: &'static str,
}

/// What a party is to be told.
struct Parcel<'a> {
    contact: &'a Contact,
    link: Link,
    said: Vec<Said>,
}

/// Drafts a notice to each party that answers for something that the order finds, and may know it.
///
/// # Errors
/// When the query is not understood, there is too much for one run, or lake or state cannot be asked.
pub fn draft(desk: &Desk<'_>, order: &Order, now: Timestamp) -> Result<Drafted, NoticeError> {
    let book = Book::read(desk.database, desk.settings, now)?;
    let (ready, mut drafted) = prepare(desk, &book, order, now)?;
    if ready.is_empty() {
        return Ok(drafted);
    }
    let deed = Deed { by: desk.by, now };
    let run = desk.database.new_run(deed, &format!("{} parties, query {}", ready.len(), asked(order)))?;
    drafted.run = Some(run);
    let many = is_many(desk, &ready);
    for (parcel, again) in ready {
        let new = compose(desk, &book, (order, new_token()?), &parcel, many, now)?;
        let since = now.minus(again_after(desk));
        match desk.database.draft_notice(deed, run, &new, &again, since) {
            Ok(notice) => drafted.notices.push(notice),
            // Another draft took one of its findings meanwhile: the next run tells what is left.
            Err(StateError::Refused { .. }) => {
                parcel.said.iter().for_each(|one| drafted.leave("refused", &one.service));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(drafted)
}

/// What [`draft`] would make now; nothing is written.
///
/// # Errors
/// As for [`draft`].
pub fn preview(desk: &Desk<'_>, order: &Order, now: Timestamp) -> Result<Preview, NoticeError> {
    let book = Book::read(desk.database, desk.settings, now)?;
    let (ready, drafted) = prepare(desk, &book, order, now)?;
    let (many, parties) = (is_many(desk, &ready), ready.len());
    let first = ready.iter().take(MAX_PREVIEWED);
    let one = |(parcel, _): &(Parcel<'_>, _)| compose(desk, &book, (order, NO_TOKEN.to_owned()), parcel, many, now);
    Ok(Preview { notices: first.map(one).collect::<Result<_, _>>()?, parties, left: drafted.left })
}

/// Findings by party, and what told them before.
type Ready<'a> = Vec<(Parcel<'a>, BTreeSet<(String, String)>)>;

/// What each party would be told, and what nobody is told.
fn prepare<'a>(
    desk: &Desk<'_>,
    book: &'a Book,
    order: &Order,
    now: Timestamp,
) -> Result<(Ready<'a>, Drafted), NoticeError> {
    desk.settings.check().map_err(|error| NoticeError::Unfit(error.to_string()))?;
    let (query, mut drafted) = (asked(order), Drafted::default());
    let candidates = candidates(desk, book, order, &query, now, &mut drafted)?;
    let parcels = assign(desk, book, (order, &query), candidates, now, &mut drafted)?;
    let mut ready = Vec::new();
    for (_, parcel) in parcels {
        let (parcel, again) = unsaid(desk, parcel, now, &mut drafted)?;
        if !parcel.said.is_empty() {
            ready.push((parcel, again));
        }
    }
    Ok((ready, drafted))
}

/// Whether these are so many that a second person releases each.
fn is_many(desk: &Desk<'_>, ready: &Ready<'_>) -> bool {
    ready.len() > usize::try_from(desk.settings.alone.recipients).unwrap_or(usize::MAX)
}

fn asked(order: &Order) -> String {
    let nets: Vec<String> = order.nets.iter().map(ToString::to_string).collect();
    let within = if nets.is_empty() { String::new() } else { format!(" net:{}", nets.join(",")) };
    format!("{}{within}", rules::query(order.query.as_deref()))
}

fn again_after(desk: &Desk<'_>) -> Duration {
    Duration::from_secs(u64::from(desk.settings.again_days) * 86_400)
}

/// What there is to tell, with who answers for it.
fn candidates(
    desk: &Desk<'_>,
    book: &Book,
    order: &Order,
    query: &str,
    now: Timestamp,
    drafted: &mut Drafted,
) -> Result<Vec<Candidate>, NoticeError> {
    let (mut found, mut too_many) = (Vec::new(), false);
    let mut take = |service: Service| {
        let wanted = order.only.as_ref().is_none_or(|only| only.contains(&service.key));
        if !wanted || judge(&service, order.query.is_some()).is_none() {
            return;
        }
        too_many |= found.len() >= MAX_CANDIDATES;
        if !too_many {
            found.push((service.key, service.asn, service.last_seen));
        }
    };
    desk.door.reader(&Viewer::Operator)?.each_service(query, now, &mut take)?;
    if too_many {
        return Err(NoticeError::Unfit(format!(
            "more than {MAX_CANDIDATES} findings: narrow the query, or name networks with --net"
        )));
    }
    let mut candidates = Vec::new();
    for (key, asn, then) in found {
        match book.chain(key.address, asn, then) {
            Chain::ChangedHands => drafted.leave("changed-hands", &key),
            Chain::Of(chain) if chain.is_empty() => drafted.leave("no-party", &key),
            Chain::Of(chain) => candidates.push(Candidate { key, chain, at: 0, why: "" }),
        }
    }
    Ok(candidates)
}

/// Gives each finding to the nearest party that may know it, level by level.
fn assign<'a>(
    desk: &Desk<'_>,
    book: &'a Book,
    (order, query): (&Order, &str),
    mut open: Vec<Candidate>,
    now: Timestamp,
    drafted: &mut Drafted,
) -> Result<BTreeMap<String, Parcel<'a>>, NoticeError> {
    let mut parcels: BTreeMap<String, Parcel<'a>> = BTreeMap::new();
    while !open.is_empty() {
        let mut groups: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
        for one in open.drain(..) {
            match one.chain.get(one.at) {
                Some(link) => groups.entry(link.organisation.clone()).or_default().push(one),
                None => drafted.leave(one.why, &one.key),
            }
        }
        for (organisation, mut group) in groups {
            let contact = match book.reach(&organisation) {
                // It is theirs to decide: nobody else is told instead.
                Reach::OptedOut => {
                    group.iter().for_each(|one| drafted.leave("opted-out", &one.key));
                    continue;
                }
                Reach::NoContact => Err("no-contact"),
                Reach::NotEntitled => Err("not-entitled"),
                Reach::Contact(contact) => Ok(contact),
            };
            group.sort_by_key(|one| one.key);
            let keys: Vec<ServiceKey> = group.iter().map(|one| one.key).collect();
            let seen = match contact {
                Ok(_) => sight(desk, book, &organisation, (query, &keys), now)?,
                Err(_) => BTreeMap::new(),
            };
            for mut one in group {
                let sighted = seen.get(&one.key).filter(|seen| is_theirs(book, &organisation, seen));
                let told = sighted.zip(one.chain.get(one.at)).zip(contact.ok());
                let said = told.and_then(|((seen, link), _)| said_of(seen, link, order.query.is_some()));
                if let (Some(said), Some(((_, link), contact))) = (said, told) {
                    let parcel = parcels.entry(organisation.clone());
                    let begin = || Parcel { contact, link: link.clone(), said: Vec::new() };
                    parcel.or_insert_with(begin).said.push(said);
                    continue;
                }
                if one.why.is_empty() {
                    one.why = contact.err().unwrap_or("not-entitled");
                }
                one.at += 1;
                open.push(one);
            }
        }
    }
    Ok(parcels)
}

/// A finding as this party is told it: of what it may see, bounded and without what would act.
fn said_of(seen: &Sighted, link: &Link, asked: bool) -> Option<Said> {
    let service = &seen.service;
    let (concern, severity) = judge(service, asked)?;
    let facts = &service.facts;
    let tags = facts.tags.iter().take(MAX_TAGS).map(|tag| words::line(tag, MAX_TAG_CHARS));
    Some(Said {
        service: service.key,
        concern: concern.to_owned(),
        severity: severity.name().to_owned(),
        confidence: facts.confidence.as_percent(),
        seen: service.last_seen,
        first: service.first_seen,
        asn: service.asn,
        country: service.country.clone(),
        protocol: facts.protocol.as_ref().map(ToString::to_string).unwrap_or_default(),
        product: product(service),
        summary: words::line(facts.summary.as_deref().unwrap_or_default(), MAX_SUMMARY_CHARS),
        tags: tags.collect(),
        evidence: service.evidence.iter().take(MAX_EVIDENCE).map(|one| one.hash.to_string()).collect(),
        purpose: seen.purpose.name().to_owned(),
        label: seen.label.label().to_owned(),
        terms: service.terms.licence.iter().chain(&service.terms.handling).cloned().collect(),
        by: link.by.clone(),
    })
}

/// Leaves out what the party was told lately, unless it was closed and is open again; gives what is told again so.
fn unsaid<'a>(
    desk: &Desk<'_>,
    mut parcel: Parcel<'a>,
    now: Timestamp,
    drafted: &mut Drafted,
) -> Result<(Parcel<'a>, BTreeSet<(String, String)>), NoticeError> {
    let told = desk.database.told_by_notices(&parcel.link.organisation)?;
    let since = now.minus(again_after(desk));
    let mut lately: BTreeMap<ServiceKey, Timestamp> = BTreeMap::new();
    let mut new = Vec::new();
    for one in std::mem::take(&mut parcel.said) {
        match told.get(&one.key()) {
            None => new.push((one, false)),
            Some((_, when, NoticeState::Sent)) if *when < since => new.push((one, false)),
            Some((_, when, NoticeState::Sent)) => {
                lately.insert(one.service, *when);
                new.push((one, true));
            }
            // It waits in another notice, or nobody knows whether it arrived.
            Some(_) => drafted.leave("told", &one.service),
        }
    }
    let back = reopened(&desk.door.reader(&Viewer::Operator)?, &lately)?;
    let mut again = BTreeSet::new();
    for (one, before) in new {
        if before && !back.contains(&one.service) {
            drafted.leave("told", &one.service);
        } else if parcel.said.len() >= MAX_FINDINGS {
            drafted.leave("too-many", &one.service);
        } else {
            if before {
                again.insert(one.key());
            }
            parcel.said.push(one);
        }
    }
    Ok((parcel, again))
}

/// The message, whole.
fn compose(
    desk: &Desk<'_>,
    book: &Book,
    (order, token): (&Order, String),
    parcel: &Parcel<'_>,
    many: bool,
    now: Timestamp,
) -> Result<NewNotice, NoticeError> {
    let (contact, link) = (parcel.contact, &parcel.link);
    let mut said = parcel.said.clone();
    let worst = |one: &Said| rules::severity(&one.severity);
    said.sort_by(|left, right| worst(right).cmp(&worst(left)).then_with(|| left.service.cmp(&right.service)));
    let party = Party {
        organisation: link.organisation.clone(),
        basis: link.basis.to_owned(),
        contact: contact.number,
        role: contact.said.role.clone(),
        name: contact.said.name.clone(),
        mail: contact.said.mail.clone(),
        language: contact.said.language,
        confirmed: contact.confirmed,
        stale: book.is_stale(contact),
    };
    let label = said.iter().map(|one| hinomi_model::Tlp::read(&one.label)).max().unwrap_or(hinomi_model::Tlp::Red);
    let name = book.name(&link.organisation, contact.said.language == hinomi_state::contacts::Language::Ja);
    let letter = words::Letter {
        settings: desk.settings,
        party: &party,
        organisation: &name,
        token: &token,
        label: label.label(),
        scope: &order.scope,
        said: &said,
        now,
    };
    let large = said.len() > usize::try_from(desk.settings.alone.findings).unwrap_or(usize::MAX);
    let (subject, body) = (words::subject(&letter), words::body(&letter));
    let files = formats::attached(desk.settings, &token, (&said, link.basis), now);
    Ok(NewNotice {
        party,
        label: label.label().to_owned(),
        subject,
        body,
        needs: if many || large { 2 } else { 1 },
        alone: desk.settings.alone.recipients,
        findings: said,
        files,
        token,
    })
}
