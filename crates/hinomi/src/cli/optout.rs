//! `hinomi optout`: those who asked not to be surveyed. Campaigns that run go by it within seconds.

use anyhow::Result;
use clap::Subcommand;
use hinomi_model::address::parse_prefix;
use hinomi_survey::ledger::event::Asked;
use serde_json::json;

use super::Common;
use crate::optout::OptOuts;
use crate::{output, witness};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The entries of the list, and the requests that wait for a decision.
    List,
    /// Enter an address or a prefix.
    Add {
        /// As 192.0.2.7 or 2001:db8::/48.
        prefix: String,
    },
    /// Enter what was requested on the page.
    Approve {
        /// The number of the request.
        number: u64,
    },
    /// Turn a request down.
    Decline {
        /// The number of the request.
        number: u64,
    },
    /// Take an entry off: its addresses may be surveyed again.
    Remove {
        /// The entry, as the list has it.
        prefix: String,
    },
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let outs = OptOuts::of(&common.state()?);
    let by = witness::user();
    match verb {
        Verb::List => list(common, &outs),
        Verb::Add { prefix } => {
            let prefix = parse_prefix(prefix)?;
            let added = outs.enter(prefix, Asked::Added, &by)?;
            let word = if added { "is not surveyed from now on" } else { "was on the list already" };
            say(common, &json!({ "prefix": prefix, "added": added }), &format!("{prefix} {word}"))
        }
        Verb::Approve { number } => {
            let prefix = outs.decide(*number, true, &by)?.prefix;
            say(common, &json!({ "prefix": prefix, "added": true }), &format!("{prefix} is not surveyed from now on"))
        }
        Verb::Decline { number } => {
            let prefix = outs.decide(*number, false, &by)?.prefix;
            say(common, &json!({ "prefix": prefix, "added": false }), &format!("{prefix}: the request is turned down"))
        }
        Verb::Remove { prefix } => {
            let prefix = parse_prefix(prefix)?;
            outs.remove(prefix, &by)?;
            say(common, &json!({ "prefix": prefix, "removed": true }), &format!("{prefix} may be surveyed again"))
        }
    }
}

fn say(common: &Common, told: &serde_json::Value, text: &str) -> Result<()> {
    match common.json {
        true => output::json(told),
        false => output::line(text),
    }
}

fn list(common: &Common, outs: &OptOuts) -> Result<()> {
    let (listed, waiting) = (outs.listed()?, outs.waiting()?);
    if common.json {
        return output::json(&json!({ "listed": listed, "waiting": waiting }));
    }
    listed.iter().try_for_each(|prefix| output::line(&prefix.to_string()))?;
    for request in &waiting {
        let contact = output::clean_line(&request.contact, 200);
        output::line(&format!("request {}: {} at {}, {contact}", request.number, request.prefix, request.time))?;
    }
    Ok(())
}
