//! What a report is made of, asked through the door.

use std::collections::{BTreeMap, HashMap};

use hinomi_lake::past::days::{Days, OnDay};
use hinomi_lake::past::{PastRequest, PastService, Presence};
use hinomi_lake::search::MAX_LIMIT;
use hinomi_model::{Service, ServiceKey, Timestamp};
use serde::Serialize;

use super::days::DayCount;
use super::{MAX_LISTED, MAX_SERVICES, Month};
use crate::advice::Concern;
use crate::policy::{MaySee, ReadError, Reader};

/// What one reader may know of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which month, as `2026-10`.
    #[serde(serialize_with = "as_text")]
    pub month: Month,
    /// When it was made.
    pub made: Timestamp,
    /// Until when it tells: the end of the month, or when it was made.
    pub until: Timestamp,
    /// What the reader may see.
    pub may: MaySee,
    /// Services that stood open at its end, and at the end of the month before.
    pub open: [u64; 2],
    /// Of these, such as should be dealt with first.
    pub urgent: [u64; 2],
    /// Services that opened or answered again during the month, and the month before.
    pub opened: [u64; 2],
    /// Services that stood open at the beginning, were looked at and found closed; and the month before.
    pub closed: [u64; 2],
    /// Services that stood open at the beginning and still answer.
    pub still_open: u64,
    /// Services that stood open at the beginning and that nobody looked at since. They are neither open nor closed.
    pub not_looked_at: u64,
    /// By what they are, the most pressing first; those without any are left out.
    pub by_concern: Vec<ByConcern>,
    /// Each day of the month, as far as it has come.
    pub days: Vec<DayCount>,
    /// Services at its end, the most pressing first; at most [`MAX_LISTED`].
    pub services: Vec<Listed>,
    /// Whether there were too many to tell all of them apart: those that were not count as `other`.
    pub cut: bool,
}

/// Services of one concern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByConcern {
    /// Which, as [`Concern::name`].
    #[serde(skip)]
    pub concern: Option<Concern>,
    /// Open at the end of the month before.
    pub before: u64,
    /// Opened or reopened.
    pub opened: u64,
    /// Looked at and found closed.
    pub closed: u64,
    /// Open at the end.
    pub open: u64,
}

/// A service of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Which.
    pub service: ServiceKey,
    /// What it is, as [`Concern::name`].
    #[serde(skip)]
    pub concern: Concern,
    /// Vendor, product and version, as far as they are known.
    pub says: String,
    /// When it was first seen, as far as the reader may know.
    pub first_seen: Timestamp,
    /// When it last answered.
    pub last_seen: Timestamp,
    /// Whether it opened during the month.
    pub is_new: bool,
}

fn as_text<S: serde::Serializer>(month: &Month, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(month)
}

/// Reads everything for a report of an organisation, as one look.
///
/// # Errors
/// When the month has not begun, the look cannot be written down, or the lake cannot be read.
pub fn gather(reader: &Reader, organisation: &str, month: Month, now: Timestamp) -> Result<Report, ReadError> {
    if now < month.start() {
        return Err(ReadError::Unfit(format!("{month} has not begun")));
    }
    let reader = reader.witnessed("report", &format!("{organisation} {month}"))?;
    let until = month.end().min(now);
    let (there, cut) = services(&reader, until)?;
    let (before, cut_before) = services(&reader, month.start())?;
    let concerns: HashMap<ServiceKey, Concern> =
        before.iter().chain(&there).map(|one| (one.service.key, Concern::of(&one.service))).collect();
    let counted = count(&reader, month, until, &concerns)?;
    let report = Report {
        month,
        made: now,
        until,
        may: reader.may_see()?,
        services: list(&there, &counted),
        cut: cut || cut_before,
        ..counted.report
    };
    Ok(report)
}

/// Services as they stood, as many as are told apart; and whether there were more.
fn services(reader: &Reader, at: Timestamp) -> Result<(Vec<PastService>, bool), ReadError> {
    let (mut all, mut cursor) = (Vec::new(), None);
    // The moment itself belongs to what follows.
    let at = Timestamp::from_micros(at.as_micros().saturating_sub(1));
    loop {
        let page = reader.as_of(&PastRequest { cursor, limit: MAX_LIMIT, ..PastRequest::new("", at) })?;
        all.extend(page.matches.into_iter().filter(|one| one.state == Presence::Open));
        match page.next {
            Some(_) if all.len() >= MAX_SERVICES => return Ok((all, true)),
            Some(next) => cursor = Some(next),
            None => return Ok((all, false)),
        }
    }
}

struct Counted {
    report: Report,
    /// Services that opened during the month.
    new: std::collections::HashSet<ServiceKey>,
}

fn count(
    reader: &Reader,
    month: Month,
    until: Timestamp,
    concerns: &HashMap<ServiceKey, Concern>,
) -> Result<Counted, ReadError> {
    let (last, first) = (month.before(), month.before().first_day() - 1);
    let end = until.as_micros().saturating_sub(1).div_euclid(86_400_000_000);
    let days = Days { first, count: u32::try_from(end - first + 1).unwrap_or(0) };
    // Where in the window the ends of the months stand.
    let (begin_last, begin) = (0, last.days() as usize);
    let mut counted = Counted { report: empty(month, until), new: Default::default() };
    let own_days = month.first_day()..=end;
    let mut by_day: Vec<DayCount> = own_days.map(|day| DayCount { day, ..DayCount::default() }).collect();
    let mut by_concern: BTreeMap<Concern, ByConcern> = BTreeMap::new();
    reader.service_days(days, until, &mut |key, told| {
        let concern = concerns.get(&key).copied().unwrap_or(Concern::Other);
        let at = |place: usize| told.get(place).copied().unwrap_or(OnDay::NotYet);
        let month_days = told.get(begin + 1..).unwrap_or_default();
        for (count, was) in by_day.iter_mut().zip(month_days) {
            count.looked_at += u64::from(was.was_looked_at());
            count.open += u64::from(was.is_open());
        }
        let ended = month_days.last().copied().unwrap_or(OnDay::NotYet);
        let report = &mut counted.report;
        let urgent = concern.is_urgent();
        let of = by_concern.entry(concern).or_default();
        add(&mut report.open, &mut report.urgent, urgent, [ended.is_open(), at(begin).is_open()]);
        add_moves(report, (at(begin), ended), 0);
        add_moves(report, (at(begin_last), at(begin)), 1);
        let looked = month_days.iter().any(|was| was.was_looked_at());
        report.still_open += u64::from(at(begin).is_open() && ended.is_open() && looked);
        report.not_looked_at += u64::from(at(begin).is_open() && !looked);
        let is_new = ended.is_open() && !at(begin).is_open();
        if is_new {
            counted.new.insert(key);
        }
        of.before += u64::from(at(begin).is_open());
        of.open += u64::from(ended.is_open());
        of.opened += u64::from(is_new);
        of.closed += u64::from(at(begin).is_open() && is_closed(ended));
    })?;
    counted.report.days = by_day;
    counted.report.by_concern = by_concern
        .into_iter()
        .map(|(concern, counts)| ByConcern { concern: Some(concern), ..counts })
        .filter(|one| one.before + one.opened + one.closed + one.open > 0)
        .collect();
    Ok(counted)
}

fn empty(month: Month, until: Timestamp) -> Report {
    Report {
        month,
        made: until,
        until,
        may: MaySee::default(),
        open: [0; 2],
        urgent: [0; 2],
        opened: [0; 2],
        closed: [0; 2],
        still_open: 0,
        not_looked_at: 0,
        by_concern: Vec::new(),
        days: Vec::new(),
        services: Vec::new(),
        cut: false,
    }
}

fn add(open: &mut [u64; 2], urgent: &mut [u64; 2], is_urgent: bool, are: [bool; 2]) {
    for ((open, urgent), is) in open.iter_mut().zip(urgent).zip(are) {
        *open += u64::from(is);
        *urgent += u64::from(is && is_urgent);
    }
}

/// What became of a service between the ends of two months.
fn add_moves(report: &mut Report, (from, to): (OnDay, OnDay), month: usize) {
    if let Some(opened) = report.opened.get_mut(month) {
        *opened += u64::from(to.is_open() && !from.is_open());
    }
    if let Some(closed) = report.closed.get_mut(month) {
        *closed += u64::from(from.is_open() && is_closed(to));
    }
}

const fn is_closed(was: OnDay) -> bool {
    matches!(was, OnDay::SeenClosed | OnDay::StandsClosed)
}

fn list(there: &[PastService], counted: &Counted) -> Vec<Listed> {
    let one = |past: &PastService| Listed {
        service: past.service.key,
        concern: Concern::of(&past.service),
        says: says(&past.service),
        first_seen: past.service.first_seen,
        last_seen: past.service.last_seen,
        is_new: counted.new.contains(&past.service.key),
    };
    let mut all: Vec<Listed> = there.iter().map(one).collect();
    all.sort_by_key(|one| (one.concern, !one.is_new, one.service));
    all.truncate(MAX_LISTED);
    all
}

fn says(service: &Service) -> String {
    let facts = &service.facts;
    let protocol = facts.protocol.as_ref().map(ToString::to_string);
    let parts = [protocol, facts.vendor.clone(), facts.product.clone(), facts.version.clone()];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(" ")
}
