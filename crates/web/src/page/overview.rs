//! What the tower sees: the first page.

mod outlook;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::{DeviceKind, Timestamp};
use hinomi_share::DayCount;

use super::fault::{self, Fault};
use super::service::TagView;
use super::surveys::SurveyView;
use super::{Frame, render};
use crate::app::App;
use crate::chart::Family;
use crate::chart::days;
use crate::chart::map::{Panel, Spot};
use crate::limits::MAX_MAP_ROWS;
use crate::link;
use crate::moment;
use crate::read::{Desk, DeskError};
use crate::seen::Seen;
use crate::tags;
use crate::visit::Visit;
use crate::watch::Surveys;
use crate::words::Words;

use outlook::{DAY_MICROS, day_of};
pub(crate) use outlook::{Outlook, Picture};

/// Fields with a bar chart on the first page, and how many bars.
const CHARTS: &[(&str, usize)] = &[("kind", 10), ("protocol", 10), ("port", 10), ("product", 10)];

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    empty: bool,
    headline: String,
    figures: Vec<Figure>,
    /// The one that runs, or the last one that did.
    survey: Option<SurveyView>,
    running: bool,
    panels: Vec<PanelView>,
    partial: Option<String>,
    legend: Vec<LegendEntry>,
    rows: Vec<MapRow>,
    more_rows: bool,
    standing: Vec<Standing>,
    charts: Vec<Chart>,
    days: Vec<DayView>,
    days_most: String,
    days_width: u32,
    days_height: u32,
}

/// One day of the picture over time, and its line in the table.
struct DayView {
    bar: days::Day,
    date: String,
    services: String,
    /// Addresses, opened, closed; none of a day that was not looked at.
    numbers: Option<[String; 3]>,
}

/// One number with its name.
struct Figure {
    value: String,
    label: String,
    href: Option<String>,
}

/// One square of the map with its words.
struct PanelView {
    panel: Panel,
    title: String,
    description: String,
    links: Vec<(crate::chart::map::Link, String)>,
}

struct LegendEntry {
    family: &'static str,
    label: String,
    href: Option<String>,
}

struct MapRow {
    address: String,
    href: String,
    kind: Option<String>,
    alarm: bool,
}

struct Standing {
    tag: TagView,
    count: String,
}

struct Chart {
    caption: String,
    column: String,
    bars: Vec<Bar>,
}

struct Bar {
    label: Seen,
    href: String,
    count: String,
    /// Of 100.
    width: u64,
    family: &'static str,
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    let looked = async { Ok::<_, DeskError>((app.outlook.look(&app, &desk).await?, app.surveys(&desk).await?)) };
    match looked.await {
        Ok((picture, surveys)) => render(&visit, StatusCode::OK, &compose(&app, &visit, &picture, &surveys)),
        Err(error) => fault::page(&visit, &Fault::from(error)),
    }
}

fn compose(app: &App, visit: &Visit, picture: &Picture, surveys: &Surveys) -> OverviewPage {
    let w = &visit.words;
    OverviewPage {
        frame: Frame::new(visit, &w.say("overview-title"), "overview"),
        empty: picture.services == 0,
        headline: headline(w, picture),
        figures: figures(w, picture),
        survey: surveys.surveys.first().map(|survey| SurveyView::new(w, app.now(), survey)),
        running: surveys.any_running(),
        panels: picture.panels.iter().map(|panel| panel_view(w, panel)).collect(),
        partial: (!picture.complete).then(|| w.count("map-partial", picture.drawn)),
        legend: legend(w, picture),
        rows: picture.spots.iter().take(MAX_MAP_ROWS).map(|spot| map_row(w, spot)).collect(),
        more_rows: picture.spots.len() > MAX_MAP_ROWS,
        standing: standing(w, picture),
        days_most: moment::grouped(picture.days.values().map(|count| count.services).max().unwrap_or(0)),
        days: day_views(picture),
        days_width: days::WIDTH,
        days_height: days::HEIGHT,
        charts: CHARTS.iter().filter_map(|(field, size)| chart(w, picture, field, *size)).collect(),
    }
}

fn day_views(picture: &Picture) -> Vec<DayView> {
    let services = picture.days.iter().map(|(day, count)| (*day, count.services)).collect();
    let view = |bar: days::Day| {
        let count = picture.days.get(&bar.day);
        let number = |get: fn(&DayCount) -> u64| count.map_or_else(String::new, |count| moment::grouped(get(count)));
        DayView {
            bar,
            date: moment::date(Timestamp::from_micros(bar.day * DAY_MICROS)),
            services: number(|count| count.services),
            numbers: count.map(|_| [number(|c| c.addresses), number(|c| c.opened), number(|c| c.closed)]),
        }
    };
    days::draw(&services, day_of(picture.taken)).into_iter().map(view).collect()
}

fn headline(w: &Words, picture: &Picture) -> String {
    let hosts = w.count("hosts-count", picture.hosts);
    w.with(if picture.complete { "overview-headline" } else { "overview-headline-more" }, hosts)
}

fn figures(w: &Words, picture: &Picture) -> Vec<Figure> {
    let figure = |value: String, key: &str, href: Option<String>| Figure { value, label: w.say(key), href };
    let hosts =
        if picture.complete { moment::grouped(picture.hosts) } else { format!("{}+", moment::grouped(picture.hosts)) };
    vec![
        figure(hosts, "figure-hosts", None),
        figure(moment::grouped(picture.services), "figure-services", Some("/search".to_owned())),
        figure(moment::grouped(picture.sightings), "figure-sightings", None),
        figure(moment::grouped(picture.evidence), "figure-evidence", None),
    ]
}

fn panel_view(w: &Words, panel: &Panel) -> PanelView {
    let description = [
        w.with("map-range", panel.prefix()),
        w.count("hosts-count", u64::try_from(panel.hosts).unwrap_or(u64::MAX)),
        w.count("map-alarms", u64::try_from(panel.alarms).unwrap_or(u64::MAX)),
        w.count("map-per-cell", panel.per_cell),
    ];
    let links = panel.links.iter().map(|link| (link.clone(), link_title(w, link))).collect();
    PanelView {
        panel: panel.clone(),
        title: w.with("map-title", panel.prefix()),
        description: description.join(" · "),
        links,
    }
}

fn link_title(w: &Words, link: &crate::chart::map::Link) -> String {
    let what = match link.kind {
        Some(kind) => w.say(&format!("kind-{kind}")),
        None if link.hosts == 1 => w.say("kind-unknown"),
        None => w.count("hosts-count", u64::try_from(link.hosts).unwrap_or(u64::MAX)),
    };
    let alarm = if link.alarm { format!(" · {}", w.say("stands-out")) } else { String::new() };
    format!("{} · {what}{alarm}", link.label)
}

fn legend(w: &Words, picture: &Picture) -> Vec<LegendEntry> {
    let present =
        |family: &&Family| picture.panels.iter().any(|panel| panel.layers.iter().any(|layer| layer.family == **family));
    let entry = |family: &Family| {
        let kinds = DeviceKind::all().filter(|kind| Family::of(Some(*kind)) == *family);
        let kinds = kinds.map(DeviceKind::name).collect::<Vec<_>>().join(",");
        let query = if kinds.is_empty() { "NOT has:kind".to_owned() } else { format!("kind:{kinds}") };
        let label = w.say(&format!("family-{}", family.name()));
        LegendEntry { family: family.name(), label, href: Some(link::search(&query)) }
    };
    Family::ALL.iter().filter(present).map(entry).collect()
}

fn map_row(w: &Words, spot: &Spot) -> MapRow {
    MapRow {
        address: spot.address.to_string(),
        href: link::host(spot.address.into()),
        kind: spot.kind.map(|kind| w.say(&format!("kind-{kind}"))),
        alarm: spot.alarm,
    }
}

fn standing(w: &Words, picture: &Picture) -> Vec<Standing> {
    let mut counts: Vec<_> = picture.facet("tag").to_vec();
    // Other tags say what a device is, not what is wrong with it.
    counts.retain(|count| tags::known(&count.value).is_some_and(|tag| tag.name != tags::EXPIRED));
    let mut named: Vec<_> = counts.iter().map(|count| (count.value.as_str(), count.count)).collect();
    if picture.expired > 0 {
        named.push((tags::EXPIRED, picture.expired));
    }
    named.sort_by_key(|(name, count)| (tags::rank(name), std::cmp::Reverse(*count)));
    let entry = |(name, count): &(&str, u64)| Standing { tag: TagView::new(w, name), count: moment::grouped(*count) };
    named.iter().take(9).map(entry).collect()
}

fn chart(w: &Words, picture: &Picture, field: &str, size: usize) -> Option<Chart> {
    let counts = picture.facet(field);
    let most = counts.iter().map(|count| count.count).max().filter(|most| *most > 0)?;
    let bar = |count: &hinomi_share::FacetCount| {
        let kind = if field == "kind" { count.value.parse().ok() } else { None };
        let label = kind.map(|kind: DeviceKind| w.say(&format!("kind-{kind}")));
        Bar {
            label: Seen::word(label.as_deref().unwrap_or(&count.value)),
            href: link::search(&link::term(field, &count.value)),
            count: moment::grouped(count.count),
            width: (count.count.saturating_mul(100) / most).max(1),
            family: kind.map_or("plain", |kind| Family::of(Some(kind)).name()),
        }
    };
    let bars = counts.iter().take(size).map(bar).collect();
    let column = w.say(&format!("facet-{field}"));
    Some(Chart { caption: w.with("chart-caption", &column), column, bars })
}
