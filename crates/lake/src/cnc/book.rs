//! What follows from the journal: what is held now, and the story of each endpoint.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_model::cnc::{Code, Endpoint, ExportVerdict, Finding, Listing, Message, Retraction, Withdrawn};
use serde::Serialize;

use super::LeftOut;

/// What somebody showed to be wrong is not held again for so many days, whatever is found.
pub const REFUTED_DAYS: u64 = 90;
/// Most scorings that the story of one endpoint keeps: the newest.
const MAX_POINTS: usize = 400;
/// Most times that an endpoint was taken back that its story keeps: the newest.
const MAX_TAKEN: usize = 50;
const MICROS_A_DAY: i64 = 86_400_000_000;

/// A finding that is held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldFinding {
    /// As of the moment asked for: what speaks for it has faded since it was told.
    pub finding: Finding,
    /// Confidence when it was told last.
    pub told_confidence: f64,
    /// When it was told first since it was taken back last, if ever.
    pub first_told: Timestamp,
    /// When it was told last.
    pub last_told: Timestamp,
    /// What the export gate said when it was told last.
    pub export: ExportVerdict,
    /// When a list last named it, if one did and none took it back since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
}

/// One scoring of an endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When.
    pub time: Timestamp,
    /// 0 to 1.
    pub confidence: f64,
    /// What was seen, with log-likelihood ratios; negative ones speak against.
    pub reasons: Vec<(Code, f64)>,
}

/// A finding that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Where.
    pub endpoint: Endpoint,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub reason: Withdrawn,
}

/// What a list named and the next ones take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToWithdraw {
    /// Where.
    pub endpoint: Endpoint,
    /// When a list named it last.
    pub listed: Timestamp,
    /// When a list first took it back since, if one did: other readers and other forms are still to be told.
    pub withdrawn: Option<Timestamp>,
    /// How often it had been taken back by lists before one named it last: forms in which what was taken back cannot come
    /// again name it anew each time.
    pub again: u32,
}

/// Everything told of one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// Which.
    pub endpoint: Endpoint,
    /// As it is held at the moment asked for, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldFinding>,
    /// As it was told last, whether held or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Finding>,
    /// Its scorings, oldest first.
    pub points: Vec<Point>,
    /// When it was taken back, oldest first.
    pub taken: Vec<Taken>,
}

/// The journal, by endpoint.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pages: BTreeMap<Endpoint, Page>,
    /// The last day on which lists were shared, and how many.
    lists: (i64, u64),
    /// What could not be read.
    pub left_out: LeftOut,
}

#[derive(Clone, Debug, Default)]
struct Page {
    last: Option<(Finding, ExportVerdict)>,
    /// First and last telling since it was taken back last; none while it is not held.
    told: Option<(Timestamp, Timestamp)>,
    refuted: Option<Timestamp>,
    /// When a list named it last.
    listed: Option<Timestamp>,
    /// When a list first took it back since.
    withdrawn: Option<Timestamp>,
    /// How often a list named it after another had taken it back.
    again: u32,
    points: VecDeque<Point>,
    taken: VecDeque<Taken>,
}

impl Book {
    /// Takes in the next message.
    pub(super) fn take(&mut self, time: Timestamp, message: Message) {
        match message {
            Message::Found { finding, export } => self.page(finding.endpoint).found(time, *finding, export),
            Message::Retracted(retraction) => self.page(retraction.endpoint).retracted(time, retraction),
            Message::Listed(Listing { endpoints, withdrawn }) => {
                self.lists = (day(time), self.lists_on(time).saturating_add(1));
                endpoints.into_iter().for_each(|endpoint| self.page(endpoint).listed(time));
                withdrawn.into_iter().for_each(|endpoint| self.page(endpoint).withdrawn(time));
            }
        }
    }

    /// How many lists of any form were shared on the day (UTC) of this moment; it must not lie before the last list.
    pub fn lists_on(&self, now: Timestamp) -> u64 {
        let (last, count) = self.lists;
        if last == day(now) { count } else { 0 }
    }

    fn page(&mut self, endpoint: Endpoint) -> &mut Page {
        self.pages.entry(endpoint).or_default()
    }

    /// What is held at this moment, the surest first.
    pub fn held(&self, now: Timestamp) -> Vec<HeldFinding> {
        let mut held: Vec<HeldFinding> = self.pages.values().filter_map(|page| page.held(now)).collect();
        held.sort_by(|one, other| {
            let surer = other.finding.fused.log_odds.total_cmp(&one.finding.fused.log_odds);
            surer.then(one.finding.endpoint.cmp(&other.finding.endpoint))
        });
        held
    }

    /// What was taken back, or faded without a word, and is not held at this moment; the newest first.
    pub fn taken(&self, now: Timestamp) -> Vec<Taken> {
        let mut taken: Vec<Taken> =
            self.pages.iter().filter_map(|(endpoint, page)| page.gone(*endpoint, now)).collect();
        taken.sort_by(|one, other| other.time.cmp(&one.time).then(one.endpoint.cmp(&other.endpoint)));
        taken
    }

    /// Endpoints that a list named and that are not held at this moment: every list takes them back, for as long as
    /// somebody may hold what was listed. One list goes to one reader in one form, so that one does not settle it.
    pub fn to_withdraw(&self, now: Timestamp) -> Vec<ToWithdraw> {
        let gone = |(endpoint, page): (&Endpoint, &Page)| {
            let listed = page.listed.filter(|_| page.held(now).is_none())?;
            Some(ToWithdraw { endpoint: *endpoint, listed, withdrawn: page.withdrawn, again: page.again })
        };
        self.pages.iter().filter_map(gone).collect()
    }

    /// Endpoints that lists took back before, and how often, as the next list that names them must reckon; none that was
    /// never taken back.
    pub fn listed_again(&self) -> BTreeMap<Endpoint, u32> {
        let again = |page: &Page| page.again.saturating_add(u32::from(page.withdrawn.is_some()));
        let pages = self.pages.iter().map(|(endpoint, page)| (*endpoint, again(page)));
        pages.filter(|(_, again)| *again > 0).collect()
    }

    /// Everything told of one endpoint.
    pub fn story(&self, endpoint: &Endpoint, now: Timestamp) -> Option<Story> {
        let page = self.pages.get(endpoint)?;
        Some(Story {
            endpoint: *endpoint,
            held: page.held(now),
            last: page.last.as_ref().map(|(finding, _)| finding.clone()),
            points: page.points.iter().cloned().collect(),
            taken: page.taken.iter().copied().collect(),
        })
    }

    /// What a collector that begins anew takes over: findings as they were told, with their verdicts.
    pub fn resume(&self, now: Timestamp) -> Vec<(Finding, ExportVerdict)> {
        self.pages.values().filter(|page| page.held(now).is_some()).filter_map(|page| page.last.clone()).collect()
    }

    /// Whether somebody showed this endpoint to be none, not longer than [`REFUTED_DAYS`] ago.
    pub fn is_refuted(&self, endpoint: &Endpoint, now: Timestamp) -> bool {
        self.pages.get(endpoint).is_some_and(|page| page.is_refuted(now))
    }
}

const fn day(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(MICROS_A_DAY)
}

impl Page {
    fn found(&mut self, time: Timestamp, finding: Finding, export: ExportVerdict) {
        if self.points.len() >= MAX_POINTS {
            self.points.pop_front();
        }
        let all = finding.reasons.iter().chain(&finding.counter_evidence);
        let reasons = all.map(|reason| (reason.code, reason.log_likelihood_ratio)).collect();
        self.points.push_back(Point { time: finding.time, confidence: finding.confidence, reasons });
        let first = self.told.map_or(time, |(first, _)| first);
        self.told = Some((first, time));
        self.last = Some((finding, export));
    }

    fn retracted(&mut self, time: Timestamp, Retraction { endpoint, reason }: Retraction) {
        if reason == Withdrawn::Refuted {
            self.refuted = Some(time);
        } else if self.told.is_none() {
            // What is not held cannot be taken back: a collector heard later than others that it was refuted.
            return;
        }
        if self.taken.len() >= MAX_TAKEN {
            self.taken.pop_front();
        }
        self.taken.push_back(Taken { endpoint, time, reason });
        self.told = None;
    }

    fn listed(&mut self, time: Timestamp) {
        self.again = self.again.saturating_add(u32::from(self.withdrawn.is_some()));
        (self.listed, self.withdrawn) = (Some(time), None);
    }

    fn withdrawn(&mut self, time: Timestamp) {
        self.withdrawn.get_or_insert(time);
    }

    fn is_refuted(&self, now: Timestamp) -> bool {
        let span = Duration::from_secs(REFUTED_DAYS * 86_400);
        self.refuted.is_some_and(|time| now.since(time) < span)
    }

    fn held(&self, now: Timestamp) -> Option<HeldFinding> {
        let ((first_told, last_told), (told, export)) = (self.told?, self.last.as_ref()?);
        let finding = told.faded(now);
        let holds = finding.is_named() && !self.is_refuted(now);
        holds.then(|| HeldFinding {
            finding,
            told_confidence: told.confidence,
            first_told,
            last_told,
            export: export.clone(),
            listed: self.listed.filter(|_| self.withdrawn.is_none()),
        })
    }

    /// When and why it ended; what was never retracted has faded since it was told last, or was refuted before.
    fn gone(&self, endpoint: Endpoint, now: Timestamp) -> Option<Taken> {
        if self.held(now).is_some() {
            return None;
        }
        match (self.told, self.taken.back()) {
            (None, last) => last.copied(),
            (Some(_), Some(last)) if self.is_refuted(now) => Some(*last),
            (Some((_, time)), _) => Some(Taken { endpoint, time, reason: Withdrawn::Faded }),
        }
    }
}
