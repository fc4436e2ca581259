//! Sets of templates and data, as NetFlow v9 (RFC 3954 section 5) and IPFIX (RFC 7011 section 3.3) share them.
//!
//! [`read`] walks the sets of a message: templates are compiled and kept, data are projected by theirs, or held until
//! it comes. Every byte is counted on the way.

use zeroize::Zeroizing;

use super::books::{Books, Held, Message, Seat};
use super::counts::{Clamped, Part, Reason, wide};
use super::exporter::{Domain, DomainKey, Exporter, Known};
use super::field::{Bases, Fixed, Layout, Place, View};
use super::limits::Kept;
use super::plan::{Kind, Plan, Template, told_boot};
use super::record::FlowRecord;
use super::sampling::{Learnt, OptionPlan, Rates, Samplers};
use super::template::{self, Content};
use super::times::{Boot, Clock};

/// What is shorter than this behind the last record aligns the set (RFC 7011 section 3.3.1), even where it is not zero.
const MAX_PADDING: usize = 7;
/// What a set holds.
enum Role {
    Templates,
    OptionsTemplates,
    Data,
    Reserved,
}

impl Role {
    const fn of(key: DomainKey, id: u16) -> Self {
        match (key, id) {
            (DomainKey::NetFlow9(_), 0) | (DomainKey::Ipfix(_), 2) => Self::Templates,
            (DomainKey::NetFlow9(_), 1) | (DomainKey::Ipfix(_), 3) => Self::OptionsTemplates,
            (_, template::FIRST_ID..) => Self::Data,
            _ => Self::Reserved,
        }
    }
}

/// Reads all sets; how many data records they hold, if that can be told.
pub(super) fn read(seat: &mut Seat<'_>, message: &mut Message<'_>, each: &mut impl FnMut(FlowRecord)) -> Option<u32> {
    let mut count = Some(0_u32);
    let mut rest = message.body;
    while let Some((id, body, after)) = split(rest) {
        seat.books.counts.understood(Part::Header, 4);
        let more = match Role::of(message.key, id) {
            Role::Templates => templates(seat, message, body, false, each),
            Role::OptionsTemplates => templates(seat, message, body, true, each),
            Role::Data => data(seat, message, id, body, each),
            Role::Reserved => {
                seat.books.counts.refuse(Reason::ReservedSet, body.len());
                Some(0)
            }
        };
        count = count.zip(more).map(|(all, more)| all.saturating_add(more));
        rest = after;
    }
    seat.books.counts.rest(rest, Reason::BadSetLength);
    if rest.iter().all(|&byte| byte == 0) { count } else { None }
}

/// The next set's id and body, and what follows it; none when there is no whole set.
fn split(rest: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let &[a, b, c, d] = rest.first_chunk()?;
    let (set, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
    Some((u16::from_be_bytes([a, b]), set.get(4..)?, after))
}

fn templates(
    seat: &mut Seat<'_>,
    message: &Message<'_>,
    body: &[u8],
    options: bool,
    each: &mut impl FnMut(FlowRecord),
) -> Option<u32> {
    let mut rest = body;
    while let Some(found) = template::next(rest, message.key, options, seat.books) {
        let (taken, after) = rest.split_at_checked(found.bytes).unwrap_or((rest, &[]));
        match found.content {
            Content::Withdrawn => withdraw(seat, message.key, found.id, taken.len()),
            Content::Refused(reason) => seat.books.counts.refuse(reason, taken.len()),
            Content::Fields => learn(seat, message.key, found.id, options, taken.len(), each),
        }
        rest = after;
    }
    seat.books.counts.rest(rest, Reason::BadTemplate);
    Some(0)
}

/// Compiles the template whose fields were just read, keeps it, and decodes what waited for it.
fn learn(seat: &mut Seat<'_>, key: DomainKey, id: u16, options: bool, bytes: usize, each: &mut impl FnMut(FlowRecord)) {
    let compiled = if options {
        Template::of_options(&seat.books.specs)
    } else {
        Template::of_flows(&seat.books.specs, matches!(key, DomainKey::NetFlow9(_)))
    };
    match compiled.and_then(|template| keep(seat, key, id, template)) {
        Ok(()) => seat.books.counts.understood(Part::Template, bytes),
        Err(reason) => return seat.books.counts.refuse(reason, bytes),
    }
    seat.books.counts.templates = seat.books.counts.templates.saturating_add(1);
    replay(seat, key, id, each);
}

fn keep(seat: &mut Seat<'_>, key: DomainKey, id: u16, template: Template) -> Result<(), Reason> {
    let Seat { exporter, books, received } = seat;
    let Exporter { domains, kept, .. } = &mut **exporter;
    let domain = domains.get_mut(&key).ok_or(Reason::TooManyDomains)?;
    if let Some(known) = domain.templates.get_mut(&id) {
        known.used = *received;
        if known.template != template {
            books.counts.templates_changed = books.counts.templates_changed.saturating_add(1);
            known.template = template;
        }
        return Ok(());
    }
    if !books.has_room(kept, |kept| kept.templates, 1) {
        return Err(Reason::TooManyTemplates);
    }
    kept.templates += 1;
    books.kept.templates += 1;
    domain.templates.insert(id, Known { template, used: *received });
    Ok(())
}

/// Takes back one template, or all of its kind where the id is the set's own (RFC 7011 section 8.1).
fn withdraw(seat: &mut Seat<'_>, key: DomainKey, id: u16, bytes: usize) {
    let Seat { exporter, books, .. } = seat;
    books.counts.understood(Part::Template, bytes);
    let Exporter { domains, kept, .. } = &mut **exporter;
    let Some(domain) = domains.get_mut(&key) else { return };
    let before = domain.templates.len();
    match id {
        2 => domain.templates.retain(|_, known| !matches!(known.template.kind, Kind::Flow(_))),
        3 => domain.templates.retain(|_, known| !matches!(known.template.kind, Kind::Option(_))),
        _ => drop(domain.templates.remove(&id)),
    }
    let gone = before - domain.templates.len();
    kept.templates = kept.templates.saturating_sub(gone);
    books.kept.templates = books.kept.templates.saturating_sub(gone);
    books.counts.templates_withdrawn = books.counts.templates_withdrawn.saturating_add(wide(gone));
}

fn replay(seat: &mut Seat<'_>, key: DomainKey, id: u16, each: &mut impl FnMut(FlowRecord)) {
    let Seat { exporter, books, .. } = seat;
    let waiting = exporter.domains.get_mut(&key).and_then(|domain| domain.held.remove(&id));
    for mut held in waiting.unwrap_or_default() {
        books.release(&mut exporter.kept, &held);
        books.counts.sets_replayed = books.counts.sets_replayed.saturating_add(1);
        let _count = project(exporter, books, key, id, &mut held.clock, &held.body, each);
    }
}

/// Decodes a data set, or keeps it until its template comes. How many records it has, if that can be told.
fn data(
    seat: &mut Seat<'_>,
    message: &mut Message<'_>,
    id: u16,
    body: &[u8],
    each: &mut impl FnMut(FlowRecord),
) -> Option<u32> {
    let Seat { exporter, books, received } = seat;
    let known = exporter.domains.get_mut(&message.key).and_then(|domain| domain.templates.get_mut(&id));
    if let Some(known) = known {
        known.used = *received;
        return project(exporter, books, message.key, id, &mut message.clock, body, each);
    }
    hold(seat, message, id, body);
    None
}

fn hold(seat: &mut Seat<'_>, message: &Message<'_>, id: u16, body: &[u8]) {
    let Seat { exporter, books, received } = seat;
    let Exporter { domains, kept, .. } = &mut **exporter;
    books.counts.sets_before_template = books.counts.sets_before_template.saturating_add(1);
    let has_room = books.has_room(kept, |kept| kept.held_bytes, Held::cost(body.len()));
    match domains.get_mut(&message.key) {
        Some(domain) if has_room => {
            books.hold(kept, body.len());
            let held = Held { clock: message.clock, at: *received, body: Zeroizing::new(body.into()) };
            domain.held.entry(id).or_default().push(held);
        }
        _ => books.counts.refuse(Reason::MissingTemplate, body.len()),
    }
}

/// What a set came to.
#[derive(Default)]
struct Tally {
    /// Records of whatever use.
    records: u32,
    /// Their bytes.
    bytes: usize,
    clamped: Clamped,
}

fn project(
    exporter: &mut Exporter,
    books: &mut Books,
    key: DomainKey,
    id: u16,
    clock: &mut Clock,
    body: &[u8],
    each: &mut impl FnMut(FlowRecord),
) -> Option<u32> {
    let Exporter { domains, samplers, kept, counts: own, .. } = exporter;
    let Domain { templates, boot, .. } = domains.get_mut(&key)?;
    let Known { template, .. } = templates.get(&id)?;
    let mut tally = Tally::default();
    let rest = match &template.kind {
        Kind::Flow(plan) if plan.names_hosts() => {
            clock.boot = *boot;
            let rest = flows(&template.layout, plan, body, clock, Rates::new(samplers, key), &mut tally, each);
            *boot = clock.boot;
            own.records = own.records.saturating_add(u64::from(tally.records));
            books.counts.projected(u64::from(tally.records), tally.bytes, &tally.clamped);
            rest
        }
        Kind::Flow(_) => {
            let rest = walk(&template.layout, body, &mut tally, |_| {});
            books.counts.refuse_many(Reason::NoAddresses, u64::from(tally.records), tally.bytes);
            rest
        }
        Kind::Option(plan) => {
            let mut desk = Desk { samplers, boot, books, kept, key };
            let rest = walk(&template.layout, body, &mut tally, |view| desk.learn(plan, view));
            books.counts.understood(Part::Option, tally.bytes);
            books.counts.option_records = books.counts.option_records.saturating_add(u64::from(tally.records));
            rest
        }
    };
    leftover(books, rest, template.layout.least());
    Some(tally.records)
}

/// The loop that everything else is built around: nothing is allocated, looked up or copied for a record.
fn flows<'a>(
    layout: &Layout,
    plan: &Plan,
    body: &'a [u8],
    clock: &mut Clock,
    mut rates: Rates<'_>,
    tally: &mut Tally,
    each: &mut impl FnMut(FlowRecord),
) -> &'a [u8] {
    let Some(length) = layout.fixed() else {
        let clamped = &mut Clamped::default();
        let rest = walk(layout, body, tally, |view| each(plan.project(view, clock, &mut rates, clamped)));
        tally.clamped.add(clamped);
        return rest;
    };
    let mut records = body.chunks_exact(length);
    for bytes in &mut records {
        each(plan.project(&View { bytes, place: Fixed }, clock, &mut rates, &mut tally.clamped));
    }
    let rest = records.remainder();
    tally.bytes = body.len() - rest.len();
    tally.records = u32::try_from(tally.bytes / length).unwrap_or(u32::MAX);
    rest
}

/// Goes from record to record, of whatever length; returns what follows the last whole one.
fn walk<'a>(layout: &Layout, body: &'a [u8], tally: &mut Tally, mut each: impl FnMut(&View<'_, &Bases>)) -> &'a [u8] {
    let mut bases = Bases::default();
    let mut rest = body;
    while let Some(length) = layout.measure(rest, &mut bases) {
        let (bytes, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        each(&View { bytes, place: &bases });
        tally.records = tally.records.saturating_add(1);
        tally.bytes += bytes.len();
        rest = after;
    }
    rest
}

/// Where options are written down.
struct Desk<'a> {
    samplers: &'a mut Samplers,
    boot: &'a mut Boot,
    books: &'a mut Books,
    kept: &'a mut Kept,
    key: DomainKey,
}

impl Desk<'_> {
    fn learn<P: Place>(&mut self, plan: &OptionPlan, view: &View<'_, P>) {
        let Some(told) = plan.read(view) else { return };
        *self.boot = told_boot(told.boot_ms, *self.boot);
        let has_room = self.books.has_room(self.kept, |kept| kept.selectors, 1);
        match self.samplers.learn(self.key, &told, has_room) {
            Learnt::Known => {}
            Learnt::New => {
                self.kept.selectors += 1;
                self.books.kept.selectors += 1;
            }
            Learnt::NoRoom => {
                let counts = &mut self.books.counts;
                counts.selectors_refused = counts.selectors_refused.saturating_add(1);
            }
        }
    }
}

/// What follows the last record of a set: padding, a record that does not end, or something else.
fn leftover(books: &mut Books, rest: &[u8], least: usize) {
    if rest.len() >= least {
        books.counts.refuse(Reason::TruncatedRecord, rest.len());
    } else if rest.len() <= MAX_PADDING {
        books.counts.understood(Part::Padding, rest.len());
    } else {
        books.counts.rest(rest, Reason::Leftover);
    }
}
