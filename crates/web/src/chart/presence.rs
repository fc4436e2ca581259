//! When a host's services were there: one bar for each service, time from left to right; what happened as marks on it.
//!
//! What nobody looked at is hatched: it is neither there nor gone.

use hinomi_model::{ServiceKey, Timestamp};
use hinomi_share::{ChangeEvent, Happened, HostPresence, ServicePresence, Stretch};

use super::axis::{Axis, Tick};

/// Width of the drawing.
pub const WIDTH: u32 = 760;

/// Where time begins and ends on it.
const LEFT: u32 = 96;
const RIGHT: u32 = 740;

/// Height of one row, and of what stands above and below them.
const ROW: u32 = 30;
const TOP: u32 = 14;
const FOOT: u32 = 28;

/// The least width of what was seen once.
const LEAST: u32 = 3;

/// The most rows, bars of a row and marks of a row; the table and the history have the rest.
const MAX_ROWS: usize = 24;
const MAX_BARS: usize = 100;
const MAX_MARKS: usize = 40;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Height of the drawing.
    pub height: u32,
    /// Services, by port.
    pub rows: Vec<Row>,
    /// Dates along the foot.
    pub ticks: Vec<Tick>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// As `443/tcp`.
    pub label: String,
    /// Middle of the row.
    pub y: u32,
    /// Stretches of time.
    pub bars: Vec<Bar>,
    /// What happened.
    pub marks: Vec<Mark>,
}

/// One stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Left edge.
    pub x: u32,
    /// Width.
    pub width: u32,
    /// `open`, `pseudo`, `closed` or `not-looked-at`.
    pub class: &'static str,
    /// What it says, for who points at it.
    pub title: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where in time.
    pub x: u32,
    /// `open`, `closed` or `change`.
    pub class: &'static str,
    /// What happened, for who points at it.
    pub title: String,
}

/// What stretches and events say.
pub struct Texts<'a> {
    /// Of a service: its port.
    pub port: &'a dyn Fn(&ServiceKey) -> String,
    /// Of a stretch.
    pub stretch: &'a dyn Fn(&Stretch) -> String,
    /// Of an event.
    pub event: &'a dyn Fn(&ChangeEvent) -> String,
}

/// Draws a host's services until now.
pub fn draw(host: &HostPresence, now: Timestamp, texts: &Texts<'_>) -> Presence {
    let begins = host.services.iter().filter_map(|service| service.stretches.first()).map(|first| first.from);
    let Some(first) = begins.min() else { return Presence::default() };
    let ends = host.services.iter().filter_map(|service| service.stretches.last()).map(|last| last.until);
    let axis = Axis { left: LEFT, right: RIGHT, first, last: ends.max().unwrap_or(now) };
    let rows = (0u32..).zip(host.services.iter().take(MAX_ROWS));
    let rows: Vec<Row> =
        rows.map(|(number, service)| row(TOP + number * ROW + ROW / 2, service, &axis, texts)).collect();
    let height = TOP + u32::try_from(rows.len()).unwrap_or(0) * ROW + FOOT;
    Presence { height, rows, ticks: axis.ticks() }
}

fn row(y: u32, service: &ServicePresence, axis: &Axis, texts: &Texts<'_>) -> Row {
    let ServicePresence { service: key, stretches, events, .. } = service;
    let bar = |one: &Stretch| {
        let (x, end) = (axis.place(one.from), axis.place(one.until));
        let x = x.min(RIGHT - LEAST);
        Bar { x, width: end.saturating_sub(x).max(LEAST), class: one.was.name(), title: (texts.stretch)(one) }
    };
    let mark = |event: &ChangeEvent| {
        let class = match event.what {
            Happened::Closed => "closed",
            Happened::Changed => "change",
            _ => "open",
        };
        Mark { x: axis.place(event.time), class, title: (texts.event)(event) }
    };
    let mut bars: Vec<Bar> = newest(stretches, MAX_BARS).iter().map(bar).collect();
    // What was seen once is narrow, and must not be hidden by what nobody looked at.
    bars.sort_by_key(|bar| bar.class != "not-looked-at");
    let marks = newest(events, MAX_MARKS).iter().map(mark).collect();
    Row { label: (texts.port)(key), y, bars, marks }
}

fn newest<T>(all: &[T], most: usize) -> &[T] {
    all.get(all.len().saturating_sub(most)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::{ServiceKey, Transport};
    use hinomi_share::Was;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn service(port: u16, stretches: &[(&str, &str, Was)]) -> ServicePresence {
        let key = ServiceKey { address: [192, 0, 2, 1].into(), port, transport: Transport::Tcp };
        let one = |(from, until, was): &(&str, &str, Was)| Stretch {
            from: time(from),
            until: time(until),
            was: *was,
            looks: 1,
        };
        ServicePresence {
            service: key,
            stretches: stretches.iter().map(one).collect(),
            events: Vec::new(),
            more: false,
        }
    }

    fn drawn(services: Vec<ServicePresence>) -> Presence {
        let host = HostPresence { address: [192, 0, 2, 1].into(), services, more: false };
        let texts = Texts {
            port: &|key| key.port.to_string(),
            stretch: &|one| one.was.name().to_owned(),
            event: &|_| String::new(),
        };
        draw(&host, time("2026-12-01"), &texts)
    }

    #[test]
    fn what_was_seen_once_stands_before_what_nobody_looked_at() {
        let picture = drawn(vec![service(
            22,
            &[("2026-11-01", "2026-11-01", Was::Open), ("2026-11-01", "2026-12-01", Was::NotLookedAt)],
        )]);
        let [row] = picture.rows.as_slice() else { panic!("one row") };
        let bars: Vec<_> = row.bars.iter().map(|bar| (bar.x, bar.width, bar.class)).collect();
        assert_eq!(bars, [(LEFT, RIGHT - LEFT, "not-looked-at"), (LEFT, LEAST, "open")]);
    }

    #[test]
    fn everything_stays_inside_and_is_bounded() {
        let many =
            |port| service(port, &[("2026-11-01", "2026-11-03", Was::Open), ("2026-11-03", "2026-11-03", Was::Closed)]);
        let picture = drawn((1..=500).map(many).collect());
        assert_eq!(picture.rows.len(), MAX_ROWS);
        let bars = picture.rows.iter().flat_map(|row| &row.bars);
        assert!(bars.clone().all(|bar| bar.x >= LEFT && bar.x + bar.width <= RIGHT), "{:?}", bars.collect::<Vec<_>>());
        assert_eq!(drawn(Vec::new()), Presence::default());
    }
}
