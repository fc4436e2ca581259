//! What became of what was told, as far as somebody looked.
//!
//! - *Open*: it answered after the notice left. *Changed*: it answered, and says that it is something else.
//! - *Closed*: a look after the notice found nothing there. Whether that is mended the party says, not we.
//! - *Not rescanned*: nobody was told anything of it since; silence is no answer and is not kept.
//! - *Address changed*: somebody else answers for the address now, so what is seen there is of another device.
//!
//! Each says when that was last seen and claims nothing of later.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hinomi_model::{ServiceKey, Timestamp};
use hinomi_state::notices::{Notice, Reply, Said};
use serde::Serialize;

use super::party::{Book, Chain};
use super::{Desk, NoticeError, words};
use crate::policy::{ReadError, Reader, Viewer};
use crate::{ChangesRequest, Happened, HostPresence, Was};

/// Addresses of one question.
const ADDRESSES_A_QUESTION: usize = 64;
/// Events of one page.
const EVENTS_A_PAGE: usize = 1_000;
/// Characters of a product.
const MAX_PRODUCT_CHARS: usize = 160;

/// What became of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Became {
    /// It answered after it was told.
    Open,
    /// It answered after it was told, as another product.
    Changed,
    /// A look after it was told found nothing there.
    Closed,
    /// Nothing was seen of it since.
    NotRescanned,
    /// Somebody else answers for the address now.
    AddressChanged,
}

impl Became {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Open, Self::Changed, Self::Closed, Self::NotRescanned, Self::AddressChanged];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Changed => "changed",
            Self::Closed => "closed",
            Self::NotRescanned => "not-rescanned",
            Self::AddressChanged => "address-changed",
        }
    }
}

/// One finding, beside what was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Its place in the notice, from 1.
    pub place: usize,
    /// Which service.
    pub service: ServiceKey,
    /// What was open.
    pub concern: String,
    /// When it was told.
    pub told: Timestamp,
    /// What became of it.
    pub became: Became,
    /// When that was seen: the last answer, the first look that found it closed. None where nothing was seen.
    pub when: Option<Timestamp>,
    /// When it last answered, as far as anybody looked.
    pub answered: Timestamp,
    /// When anything else at the address last answered after it was told: the host is there.
    pub host: Option<Timestamp>,
    /// What it says now, where that is something else.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub product: String,
    /// What the party said last of it.
    pub reply: Option<Reply>,
}

/// What became of the findings of a notice that left.
///
/// # Errors
/// When the lake or the state cannot be asked.
pub fn measure(desk: &Desk<'_>, notice: &Notice, now: Timestamp) -> Result<Vec<Measured>, NoticeError> {
    let Some(told) = notice.sent else {
        return Err(NoticeError::Unfit(format!("notice {} is {}: nobody was told", notice.number, notice.state)));
    };
    let book = Book::read(desk.database, desk.settings, now)?;
    let reader = desk.door.reader(&Viewer::Operator)?;
    let said = desk.database.notice_findings(notice.number)?;
    let replies = desk.database.notice_replies(notice.number)?;
    let mut hosts: BTreeMap<IpAddr, Seen> = BTreeMap::new();
    let mut all = Vec::new();
    for (place, one) in said.iter().enumerate().map(|(at, one)| (at + 1, one)) {
        let address = one.service.address;
        if let std::collections::btree_map::Entry::Vacant(free) = hosts.entry(address) {
            free.insert(Seen::of(&reader, address, now)?);
        }
        let Some(seen) = hosts.get(&address) else { continue };
        let number = i64::try_from(place).unwrap_or(i64::MAX);
        let reply = replies.iter().rev().find(|reply| reply.place == 0 || reply.place == number).cloned();
        let chain = book.chain(address, one.asn, one.seen);
        let mut measured = seen.judge(one, told);
        let theirs = match chain {
            Chain::ChangedHands => false,
            Chain::Of(links) => links.iter().any(|link| link.organisation == notice.party.organisation),
        };
        if !theirs {
            (measured.became, measured.when) = (Became::AddressChanged, None);
        }
        all.push(Measured { place, reply, ..measured });
    }
    Ok(all)
}

/// What was seen at an address.
struct Seen {
    presence: Option<HostPresence>,
    services: Vec<hinomi_model::Service>,
}

impl Seen {
    fn of(reader: &Reader, address: IpAddr, now: Timestamp) -> Result<Self, ReadError> {
        let services = reader.host(address)?.map(|host| host.services).unwrap_or_default();
        Ok(Self { presence: reader.presence(address, now)?, services })
    }

    /// What became of one of its services since it was told.
    fn judge(&self, one: &Said, told: Timestamp) -> Measured {
        let service = self.services.iter().find(|service| service.key == one.service);
        let answered = service.map_or(one.seen, |service| service.last_seen);
        let after = |time: &Timestamp| *time > told;
        let host = self.services.iter().filter(|other| other.key != one.service).map(|other| other.last_seen);
        let product = service.map(product).unwrap_or_default();
        let closed = self.closed(&one.service).filter(|closed| *closed > answered);
        let (became, when) = match closed {
            Some(closed) => (Became::Closed, Some(closed)),
            None if answered > told && product != one.product => (Became::Changed, Some(answered)),
            None if answered > told => (Became::Open, Some(answered)),
            None => (Became::NotRescanned, None),
        };
        Measured {
            place: 0,
            service: one.service,
            concern: one.concern.clone(),
            told,
            became,
            when,
            answered,
            host: host.filter(after).max(),
            product: if became == Became::Changed { product } else { String::new() },
            reply: None,
        }
    }

    /// Since when the last look finds it closed, if it does.
    fn closed(&self, service: &ServiceKey) -> Option<Timestamp> {
        let all = self.presence.iter().flat_map(|presence| &presence.services);
        let stretches = &all.into_iter().find(|one| one.service == *service)?.stretches;
        let looked = stretches.iter().rev().find(|stretch| stretch.was != Was::NotLookedAt)?;
        (looked.was == Was::Closed).then_some(looked.from)
    }
}

/// Maker, product, version, model and firmware, as notices tell them.
pub(super) fn product(service: &hinomi_model::Service) -> String {
    let facts = &service.facts;
    let parts = [&facts.vendor, &facts.product, &facts.version, &facts.model, &facts.firmware];
    let mut known: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    known.dedup();
    words::line(&known.join(" "), MAX_PRODUCT_CHARS)
}

/// Which of these were closed and opened again after the moment beside them.
pub(super) fn reopened(
    reader: &Reader,
    since: &BTreeMap<ServiceKey, Timestamp>,
) -> Result<BTreeSet<ServiceKey>, ReadError> {
    let mut back = BTreeSet::new();
    let Some(first) = since.values().min() else { return Ok(back) };
    let addresses: BTreeSet<String> = since.keys().map(|key| key.address.to_string()).collect();
    let addresses: Vec<String> = addresses.into_iter().collect();
    for some in addresses.chunks(ADDRESSES_A_QUESTION) {
        let mut asked = ChangesRequest::new(format!("ip:{}", some.join(",")));
        (asked.from, asked.limit) = (Some(*first), EVENTS_A_PAGE);
        loop {
            let page = reader.changes(&asked)?;
            let again = page.events.iter().filter(|event| event.what == Happened::Reopened);
            back.extend(
                again
                    .filter(|event| since.get(&event.service).is_some_and(|told| event.time > *told))
                    .map(|one| one.service),
            );
            if page.next.is_none() {
                break;
            }
            asked.cursor = page.next;
        }
    }
    Ok(back)
}
