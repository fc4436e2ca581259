//! `hinomi objects`: what others share, with the bytes as they came: taken from files and TAXII servers, listed, shown,
//! deleted, written out.

mod file;
mod pull;
mod web;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use hinomi_lake::Then;
use hinomi_model::address::to_u128;
use hinomi_model::{Clock, Purpose, SystemClock, Tlp};
use hinomi_share::objects::{Giver, Report, Said, Shelf, Sight, Terms};
use hinomi_state::objects::Which;
use hinomi_state::{Database, Settings};
use serde_json::json;

use super::Common;
use crate::output::{self, clean_line};
use crate::witness;

/// Failures that are told one by one.
const MAX_TOLD: usize = 20;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  hinomi objects import bundle.json event.json
  hinomi objects import --audience medical-isac --tlp amber bundle.json
  hinomi objects pull https://taxii.example/taxii2/ --collection indicators --user u --password-file p
  hinomi objects list --address 198.51.100.7
  hinomi objects export --out shared.json")]
pub(crate) enum Verb {
    /// Take in bundles and envelopes of STIX 2.1, single objects, and events of MISP.
    Import(file::Import),
    /// Take in what a collection of a TAXII 2.1 server has; the next time goes on where this ended.
    Pull(pull::Pull),
    /// The newest objects, or what is said about an address, a name, a page or a hash.
    List {
        /// What is said about this address, or a prefix around it.
        #[arg(long, value_name = "ADDRESS", value_parser = hinomi_model::parse_address)]
        address: Option<std::net::IpAddr>,
        /// What is said about this name, page or hash.
        #[arg(long, value_name = "TEXT", conflicts_with = "address")]
        value: Option<String>,
    },
    /// Every version of an object, with its bytes.
    Show {
        /// Its id.
        id: String,
    },
    /// Delete an object: every version, whoever gave it.
    Delete {
        /// Its id.
        id: String,
        /// This version only: when it was modified, created or added.
        #[arg(long, value_name = "TIME")]
        version: Option<String>,
    },
    /// Write a bundle of STIX, each object with the bytes as they came.
    Export {
        /// To this file [default: stdout].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Only what is for this audience.
        #[arg(long, value_name = "AUDIENCE", conflicts_with = "exercise")]
        audience: Option<String>,
        /// Only what is of exercises.
        #[arg(long)]
        exercise: bool,
    },
}

/// On which terms something is taken.
#[derive(Debug, Args)]
pub(crate) struct Taken {
    /// For this audience, and nobody else.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The label of what bears none: clear, green, amber, amber+strict or red.
    #[arg(long, value_name = "LABEL", default_value = "red", value_parser = label)]
    tlp: Tlp,
    /// What it may be read for.
    #[arg(long, value_name = "PURPOSE", default_value = "exposure-reduction")]
    purpose: Purpose,
}

/// A label by its name; of what is said by hand one that is not known is a slip.
fn label(text: &str) -> Result<Tlp, String> {
    let named = text.to_ascii_lowercase();
    let known = ["clear", "green", "amber", "amber+strict", "red"].contains(&named.trim_start_matches("tlp:"));
    if known { Ok(Tlp::read(&named)) } else { Err("clear, green, amber, amber+strict or red".to_owned()) }
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let state = common.state()?;
    let database = Database::open(&Settings::of_state(state.make()?)?.target)?;
    let shelf = Shelf::new(database.clone());
    match verb {
        Verb::Import(import) => file::run(common, (&shelf, &database), import),
        Verb::Pull(pull) => pull::run(common, (&shelf, &database), pull),
        Verb::List { address, value } => {
            let which = match (address, value) {
                (Some(address), _) => Which::Address(to_u128(*address)),
                (None, Some(value)) => Which::Value(value.to_lowercase()),
                (None, None) => Which::All,
            };
            list(common, &shelf, which)
        }
        Verb::Show { id } => show(common, &shelf, id),
        Verb::Delete { id, version } => {
            let deleted = shelf.forget(id, version.as_deref())?;
            ensure!(deleted > 0, "there is no such object, or not of this version; hinomi objects list tells the ids");
            match common.json {
                true => output::json(&json!({ "id": id, "deleted": deleted })),
                false => output::line(&format!("{deleted} deleted")),
            }
        }
        Verb::Export { out, audience, exercise } => {
            file::export(&shelf, out.as_deref(), (audience.as_deref(), *exercise))
        }
    }
}

fn list(common: &Common, shelf: &Shelf, which: Which) -> Result<()> {
    let found = shelf.newest(&Sight::operator(), which, SystemClock.now())?;
    if common.json {
        return output::json(&json!({ "objects": found }));
    }
    found.iter().try_for_each(|one| output::line(&line(one)))
}

fn line(one: &Said) -> String {
    let from = one.source.as_deref().unwrap_or(if one.origin.is_empty() { "-" } else { &one.origin });
    let held = if one.holds { "" } else { "  (does not hold now)" };
    clean_line(&format!("{}  {}  {}  {from}  {}{held}", one.added, one.label, one.id, one.title), 400)
}

fn show(common: &Common, shelf: &Shelf, id: &str) -> Result<()> {
    let found = shelf.bytes_of(&Sight::operator(), id)?;
    if found.is_empty() {
        bail!("there is no object {}; hinomi objects list tells the ids", clean_line(id, 200));
    }
    if common.json {
        let each: Vec<_> = found.iter().map(|(said, text)| json!({ "about": said, "bytes": text })).collect();
        return output::json(&json!({ "versions": each }));
    }
    for (said, text) in &found {
        output::line(&line(said))?;
        output::line(&output::clean(text))?;
    }
    Ok(())
}

/// Who gives at the machine itself.
fn giver(purpose: Purpose) -> Giver {
    Giver { organisation: String::new(), name: witness::user(), purpose }
}

/// Takes something on these terms; what cannot be known of addresses here is left open.
fn taking<T>(
    common: &Common,
    database: &Database,
    (taken, origin): (&Taken, &str),
    take: impl FnOnce(&Terms<'_>) -> Result<T>,
) -> Result<T> {
    if let Some(name) = &taken.audience {
        let found = database.audience(name)?.filter(|one| one.closed.is_none());
        found.with_context(|| format!("there is no audience {name}; hinomi audience list tells them"))?;
    }
    let then = Then::of_state(common.state()?.dir())?;
    let asn = |address, time| then.asn(address, time);
    let (giver, audience) = (giver(taken.purpose), taken.audience.as_deref());
    take(&Terms { giver: &giver, audience, unmarked: taken.tlp, origin, asn: &asn })
}

/// Tells what became of what was given.
fn told(common: &Common, from: &str, report: &Report) -> Result<()> {
    if common.json {
        return output::json(&json!({ "from": from, "report": report }));
    }
    let (taken, left) = (report.successes.len(), report.failures.len());
    let new = taken.saturating_sub(report.known);
    let from = clean_line(from, 200);
    output::line(&format!(
        "{from}: {} objects, {new} new, {} known already, {left} left out",
        report.total, report.known
    ))?;
    for one in report.failures.iter().take(MAX_TOLD) {
        output::talk(&clean_line(&format!("  left out: {} {}", one.id, one.message), 300));
    }
    if left > MAX_TOLD {
        output::talk(&format!("  and {} more", left - MAX_TOLD));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_named_and_slips_are_not_red() {
        assert_eq!(label("TLP:AMBER+STRICT"), Ok(Tlp::AmberStrict));
        assert_eq!(label("clear"), Ok(Tlp::Clear));
        assert!(label("puce").is_err() && label("").is_err());
    }
}
