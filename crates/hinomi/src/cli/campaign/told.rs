//! A plan, told to people and to programs.

use anyhow::Result;
use hinomi_model::{CampaignId, Marking};
use hinomi_survey::campaign::forecast::{Limit, Load, Packets, Time};
use hinomi_survey::{Authorised, Forecast};
use serde_json::json;

use super::super::Common;
use crate::books::PlanFile;
use crate::output;

/// Prefixes that people are shown.
const SHOWN: usize = 5;

pub(super) fn show(common: &Common, file: &PlanFile, by: &Authorised, plan: &Forecast) -> Result<()> {
    let (campaign, scope) = (&file.campaign, by.scope());
    if common.json {
        return output::json(&json!({
            "campaign": campaign, "scope": scope.name, "digest": by.digest().to_string(), "signer": by.signer(),
            "rate": scope.rate, "hours": scope.hours, "valid_from": scope.valid_from, "valid_until": scope.valid_until,
            "plan": plan, "means": file.means, "marking": file.marked(),
        }));
    }
    let marking = ("marking", marked(&file.marked()));
    for (name, text) in lines(campaign, by, plan).into_iter().chain([marking]) {
        output::line(&format!("{name:<12} {}", output::clean_line(&text, 200)))?;
    }
    output::line("heaviest prefixes, packets to each of them if nothing answers:")?;
    for load in plan.heaviest.iter().take(SHOWN) {
        output::line(&format!("  {}", of_prefix(load)))?;
    }
    if plan.ports_refused > 0 {
        output::talk(&format!(
            "{} of the ports asked for are not in the scope: nothing is sent there",
            plan.ports_refused
        ));
    }
    if !plan.fits {
        output::talk(&format!(
            "it cannot be over before the scope ends at {}: ask for less, or for more time",
            scope.valid_until
        ));
    }
    output::talk(&format!("nothing was sent; hinomi campaign start {campaign} runs it"));
    Ok(())
}

fn lines(campaign: &CampaignId, by: &Authorised, plan: &Forecast) -> Vec<(&'static str, String)> {
    let scope = by.scope();
    let addresses = &plan.addresses;
    vec![
        ("campaign", campaign.to_string()),
        ("scope", format!("{}, signed by {}, {}", scope.name, by.signer(), by.digest())),
        (
            "addresses",
            format!(
                "{} left of {}: {} opted out, {} reserved, {} excluded",
                addresses.left, addresses.named, addresses.opted_out, addresses.reserved, addresses.excluded
            ),
        ),
        ("targets", format!("{} (address and port)", plan.targets)),
        ("packets", packets(&plan.packets)),
        (
            "",
            format!(
                "counted: connections, datagrams and frames; {} attempts at a silent target, at most {} handshakes for a grab",
                plan.attempts, plan.handshakes
            ),
        ),
        (
            "time",
            format!(
                "{} if all refuse, {} if nothing answers, {} if everything is there",
                time(plan.time_least),
                time(plan.time_silent),
                time(plan.time_most)
            ),
        ),
        (
            "rate",
            format!(
                "{} a second in total, {} to a prefix, {} to a host",
                scope.rate.total_pps, scope.rate.per_prefix_pps, scope.rate.per_host_pps
            ),
        ),
        ("hours", scope.hours.to_string()),
        ("valid", format!("{} to {}", scope.valid_from, scope.valid_until)),
        ("prefixes", format!("{} (/24 or /48)", plan.prefixes)),
    ]
}

/// Label, purpose and audiences; the terms in short.
fn marked(marking: &Marking) -> String {
    let audience = marking.audience.join(", ");
    let mut told = format!("{}, {}", marking.tlp.label(), marking.purpose.name());
    let more = [
        ("for", Some(audience).filter(|names| !names.is_empty())),
        ("embargo until", marking.embargo.map(|until| until.to_string())),
        ("licence", marking.licence.clone()),
        (
            "handling",
            Some(marking.handling.iter().cloned().collect::<Vec<_>>().join(", ")).filter(|words| !words.is_empty()),
        ),
    ];
    for (name, value) in more {
        told += &value.map(|value| format!(", {name} {value}")).unwrap_or_default();
    }
    told
}

fn packets(packets: &Packets) -> String {
    format!("at least {}, {} if nothing answers, at most {}", packets.least, packets.silent, packets.most)
}

/// A time for people, with what binds it.
fn time(time: Time) -> String {
    let limit = match time.limit {
        Limit::Total => "total rate",
        Limit::Prefix => "prefix rate",
        Limit::Host => "host rate",
    };
    let calendar = match time.calendar_s == time.sending_s {
        true => String::new(),
        false => format!(", {} with its hours", span(time.calendar_s)),
    };
    format!("{} ({limit}{calendar})", span(time.sending_s))
}

fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        7_200..=172_799 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

fn of_prefix(load: &Load) -> String {
    format!(
        "{:<20} {} addresses, {} packets (at most {}), {:.1} a second on average, never more than {}",
        load.prefix.to_string(),
        load.addresses,
        load.packets.silent,
        load.packets.most,
        load.average_pps,
        load.ceiling_pps
    )
}
