//! `hinomi lake hold`: what is kept whatever its age and whoever wants it erased.

use anyhow::Result;
use clap::{Args, Subcommand};
use hinomi_lake::retain::{Hold, Holds, range};
use hinomi_model::{Clock, SystemClock, Timestamp};
use serde_json::json;

use super::super::Common;
use crate::{output, witness};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Put a hold on everything that meets all conditions given; at least one.
    Add(Box<Add>),
    /// The holds that are on.
    List,
    /// Take a hold off.
    Release {
        /// Its name.
        name: String,
        /// Why; it stands in the proof.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Its name; it stands in the proof, as the reason does.
    name: String,
    /// Only of these addresses.
    #[arg(long)]
    prefix: Option<String>,
    /// Only of this campaign.
    #[arg(long)]
    campaign: Option<String>,
    /// Not before this time.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Not after this time.
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Why. Name no person and no address.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    match verb {
        Verb::Add(add) => {
            let hold = Hold {
                name: add.name.clone(),
                prefix: add.prefix.as_deref().map(range).transpose()?,
                campaign: add.campaign.clone(),
                from: add.from,
                until: add.until,
                reason: add.reason.clone(),
                by: witness::user(),
                since: SystemClock.now(),
            };
            common.state()?.open_to_identify()?.hold(hold.clone())?;
            say(common, &json!(hold), &format!("{} is held", output::clean_line(&hold.name, 200)))
        }
        Verb::List => list(common),
        Verb::Release { name, reason } => {
            common.state()?.open_to_identify()?.release(name, reason, &witness::user())?;
            say(common, &json!({ "released": name }), &format!("{} is held no more", output::clean_line(name, 200)))
        }
    }
}

fn list(common: &Common) -> Result<()> {
    let holds = Holds::of_state(common.state()?.dir())?;
    if common.json {
        return output::json(&holds);
    }
    for hold in &holds.0 {
        let words = [
            hold.prefix.map(|prefix| prefix.to_string()),
            hold.campaign.as_ref().map(|campaign| format!("campaign {campaign}")),
            hold.from.map(|time| format!("from {time}")),
            hold.until.map(|time| format!("until {time}")),
        ];
        let words: Vec<_> = words.into_iter().flatten().collect();
        let text = format!("{}: {}; {}, by {} on {}", hold.name, words.join(", "), hold.reason, hold.by, hold.since);
        output::line(&output::clean_line(&text, 1_000))?;
    }
    Ok(())
}

fn say(common: &Common, told: &serde_json::Value, text: &str) -> Result<()> {
    match common.json {
        true => output::json(told),
        false => output::line(text),
    }
}
