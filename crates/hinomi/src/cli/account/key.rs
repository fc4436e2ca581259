//! `hinomi account key`: keys for programs.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Subcommand;
use hinomi_model::{Clock, Purpose, SystemClock};
use hinomi_state::{Accounts, ApiKey, NewKey};
use serde_json::{Value, json};

use super::{found, say};
use crate::cli::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a key; it is shown once, on stdout.
    Add {
        /// Whose it is.
        name: String,
        /// What it is for.
        label: String,
        /// For how many days.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=730))]
        days: u64,
        /// Acts for this organisation alone; without, as its owner.
        #[arg(long)]
        organisation: Option<String>,
        /// What is read for.
        #[arg(long, default_value = "exposure-reduction")]
        purpose: Purpose,
        /// May change something; without, it reads.
        #[arg(long)]
        write: bool,
        /// Only for this: api, taxii, shodan, misp. May be repeated.
        #[arg(long = "kind")]
        kinds: Vec<String>,
    },
    /// The keys of an account.
    List {
        /// Whose.
        name: String,
    },
    /// Take a key back.
    Revoke {
        /// Whose it is.
        name: String,
        /// The part of it that is no secret, as the list has it.
        id: String,
    },
}

pub(super) fn run(common: &Common, accounts: &Accounts, verb: Verb) -> Result<()> {
    let now = SystemClock.now();
    match verb {
        Verb::Add { name, label, days, organisation, purpose, write, kinds } => {
            let owner = found(accounts, &name)?;
            let expires = now.plus(Duration::from_secs(days * 86_400));
            let new = NewKey { label, organisation, purpose, writes: write, kinds, expires };
            let (text, key) = accounts.add_key(&owner.id, &new, now)?;
            let mut shown = told(&key);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("key".to_owned(), text.reveal().into());
            }
            say(common, &shown, &text.reveal())
        }
        Verb::List { name } => {
            let keys = accounts.keys(&found(accounts, &name)?.id)?;
            if common.json {
                return output::json(&json!({ "keys": keys.iter().map(told).collect::<Vec<_>>() }));
            }
            keys.iter().try_for_each(|key| output::line(&line(key)))
        }
        Verb::Revoke { name, id } => {
            let revoked = accounts.revoke_key(&found(accounts, &name)?.id, &id, now)?;
            ensure!(revoked, "{name} has no key {id} that holds");
            say(common, &json!({ "id": id, "revoked": true }), &format!("{id} opens nothing any more"))
        }
    }
}

fn line(key: &ApiKey) -> String {
    let mut words = vec![key.id.clone(), output::clean_line(&key.label, 100), key.purpose.to_string()];
    words.push(if key.writes { "writes" } else { "reads" }.to_owned());
    words.extend(key.organisation.iter().map(|organisation| format!("for {organisation}")));
    words.extend((!key.kinds.is_empty()).then(|| key.kinds.join(" ")));
    words.push(match key.revoked {
        Some(since) => format!("revoked {since}"),
        None => format!("until {}", key.expires),
    });
    words.extend(key.used.map(|used| format!("used {used}")));
    words.join(", ")
}

fn told(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "label": key.label,
        "organisation": key.organisation,
        "purpose": key.purpose,
        "writes": key.writes,
        "kinds": key.kinds,
        "created": key.created,
        "expires": key.expires,
        "revoked": key.revoked,
        "used": key.used,
    })
}
