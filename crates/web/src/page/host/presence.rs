//! When the services of a host were there, in words.

use hinomi_model::{ServiceKey, Timestamp};
use hinomi_share::{ChangeEvent, HostPresence, Stretch};

use crate::chart::presence::{self, Presence, Texts};
use crate::moment;
use crate::page::service;
use crate::words::Words;

/// A row of the table beside the picture.
pub(super) struct StretchView {
    pub(super) port: String,
    pub(super) from: String,
    pub(super) until: String,
    pub(super) was: String,
    pub(super) class: &'static str,
    pub(super) looks: String,
}

/// The picture.
pub(super) fn draw(w: &Words, host: &HostPresence, now: Timestamp) -> Presence {
    let stretch =
        |one: &Stretch| format!("{} – {}: {}", moment::minute(one.from), moment::minute(one.until), was(w, one));
    let port = |key: &ServiceKey| service::port(w, key.port, key.transport);
    presence::draw(host, now, &Texts { port: &port, stretch: &stretch, event: &|one| happened(w, one) })
}

/// Every stretch, the services by port and each the newest first.
pub(super) fn rows(w: &Words, host: &HostPresence) -> Vec<StretchView> {
    let of = |service: &hinomi_share::ServicePresence| {
        let port = service::port(w, service.service.port, service.service.transport);
        let view = |one: &Stretch| StretchView {
            port: port.clone(),
            from: moment::minute(one.from),
            until: moment::minute(one.until),
            was: was(w, one),
            class: one.was.name(),
            looks: moment::grouped(one.looks),
        };
        service.stretches.iter().rev().map(view).collect::<Vec<_>>()
    };
    host.services.iter().flat_map(of).collect()
}

/// Whether something is left out.
pub(super) fn is_cut(host: &HostPresence) -> bool {
    host.more || host.services.iter().any(|service| service.more)
}

fn was(w: &Words, one: &Stretch) -> String {
    w.find("was-", one.was.name()).unwrap_or_default()
}

/// What happened, as "2026-11-10 09:10 UTC: changed (version)".
fn happened(w: &Words, event: &ChangeEvent) -> String {
    let what = w.find("watch-what-", event.what.name()).unwrap_or_default();
    let names: Vec<_> = event.changes.iter().filter_map(|name| w.find("change-", name)).collect();
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("{}: {what}{names}", moment::minute(event.time))
}
