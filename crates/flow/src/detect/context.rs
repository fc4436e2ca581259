//! What speaks against a server: popularity, a harmless port, people's hours, downloads.
//!
//! Counter-evidence is bounded, so that a C&C that hides among the popular is still found when enough speaks for it.

use super::ports;
use super::statistics::{along, from_u64};
use super::view::ServerView;
use super::{Code, Evidence, World};

/// Share of all subscribers that reach it, in powers of ten.
const POPULAR: [(f64, f64); 3] = [(-2.5, 0.0), (-1.5, -2.0), (-0.7, -4.0)];
/// Popularity among fewer subscribers than this means nothing.
const MIN_SUBSCRIBERS: u64 = 200;
/// Hours of the day that were ever used, over some days: who sleeps leaves eight out.
const HOURS: [(f64, f64); 3] = [(10.0, -0.7), (16.0, -0.5), (22.0, 0.0)];
/// Over less time nothing is known of days.
const MIN_DAYS_SECONDS: u64 = 60 * 3_600;
/// Bytes back to bytes out, in powers of ten.
const FETCH: [(f64, f64); 3] = [(0.7, 0.0), (1.5, -0.8), (2.5, -1.5)];

/// Reasons against.
pub(crate) fn look(server: &ServerView, world: &World) -> Vec<Evidence> {
    [popular(server, world), port(server, world), hours(server), download(server)].into_iter().flatten().collect()
}

fn popular(server: &ServerView, world: &World) -> Option<Evidence> {
    if world.subscribers < MIN_SUBSCRIBERS {
        return None;
    }
    let share = from_u64(server.clients) / from_u64(world.subscribers);
    let ratio = along(&POPULAR, share.max(1e-12).log10());
    (ratio < 0.0).then(|| Evidence::new(Code::ContextPopular, ratio, &[("share", share)]))
}

fn port(server: &ServerView, world: &World) -> Option<Evidence> {
    let ratio = ports::log_likelihood_ratio(server.remote, world);
    let values = [("port", f64::from(server.remote.port)), ("ratio", ratio.exp())];
    (ratio < 0.0).then(|| Evidence::new(Code::ContextPort, ratio.max(-2.0), &values))
}

fn hours(server: &ServerView) -> Option<Evidence> {
    if server.total.contacts < 48 || server.last.since(server.first).as_secs() < MIN_DAYS_SECONDS {
        return None;
    }
    let ratio = along(&HOURS, f64::from(server.hours_of_day));
    (ratio < 0.0).then(|| Evidence::new(Code::ContextHours, ratio, &[("hours_of_day", f64::from(server.hours_of_day))]))
}

fn download(server: &ServerView) -> Option<Evidence> {
    let sizes = server.sizes();
    if sizes.bytes_out <= 0.0 || sizes.bytes_back < 20_000.0 {
        return None;
    }
    let times = sizes.bytes_back / sizes.bytes_out;
    let ratio = along(&FETCH, times.log10());
    (ratio < 0.0)
        .then(|| Evidence::new(Code::ContextDownload, ratio, &[("bytes_back", sizes.bytes_back), ("ratio", times)]))
}
