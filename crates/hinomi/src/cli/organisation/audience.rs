//! `hinomi audience`: named circles that records are marked for, and who belongs to them.

use anyhow::{Context, Result};
use clap::Subcommand;
use hinomi_model::Timestamp;
use hinomi_state::audiences::{Audience, NewAudience};
use hinomi_state::organisations::Relation;
use serde_json::json;

use super::{Desk, list, say};
use crate::cli::Common;
use crate::output;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  hinomi audience add medical-isac --name-ja 医療ISAC --hidden
  hinomi audience join medical-isac hospital-a
  hinomi audience show medical-isac --seen-by hospital-a")]
pub(crate) enum Verb {
    /// Enter an audience.
    Add {
        /// As markings name it.
        id: String,
        /// Its name in Japanese.
        #[arg(long, default_value = "")]
        name_ja: String,
        /// Its name in English.
        #[arg(long, default_value = "")]
        name_en: String,
        /// Its members shall not know of each other.
        #[arg(long)]
        hidden: bool,
    },
    /// Every audience.
    List,
    /// Who belongs to one, and belonged.
    Show {
        /// The audience.
        id: String,
        /// As this organisation may know it.
        #[arg(long, value_name = "ORGANISATION")]
        seen_by: Option<String>,
    },
    /// An organisation belongs to it from now on.
    Join {
        /// The audience.
        id: String,
        /// The organisation.
        organisation: String,
        /// Before this moment only.
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// An organisation belongs to it no longer.
    Leave {
        /// The audience.
        id: String,
        /// The organisation.
        organisation: String,
    },
    /// End an audience and every membership.
    Close {
        /// The audience.
        id: String,
    },
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let desk = Desk::open(common)?;
    match verb {
        Verb::Add { id, name_ja, name_en, hidden } => {
            let (id, name_ja, name_en) = (id.clone(), name_ja.clone(), name_en.clone());
            let new = NewAudience { id, name_ja, name_en, hidden: *hidden };
            let audience = desk.database.add_audience(desk.deed(), &new)?;
            say(common, &audience, &format!("{} is entered", line(&audience)))
        }
        Verb::List => list(common, "audiences", &desk.database.audiences()?, line),
        Verb::Show { id, seen_by: Some(viewer) } => {
            let members = desk.database.members_seen_by(id, viewer, desk.now)?;
            say(common, &json!({ "audience": id, "members": members }), &members.join("\n"))
        }
        Verb::Show { id, seen_by: None } => show(common, &desk, id),
        Verb::Join { id, organisation, until } => {
            let new = desk.database.relate(desk.deed(), organisation, (Relation::Audience, id), *until)?;
            let told = json!({ "audience": id, "organisation": organisation, "joined": new });
            say(common, &told, &format!("{organisation} belongs to {id}"))
        }
        Verb::Leave { id, organisation } => {
            let left = desk.database.unrelate(desk.deed(), organisation, (Relation::Audience, id))?;
            let told = json!({ "audience": id, "organisation": organisation, "left": left });
            let word = if left { "belongs no longer" } else { "did not belong" };
            say(common, &told, &format!("{organisation} {word} to {id}"))
        }
        Verb::Close { id } => {
            let closed = desk.database.close_audience(desk.deed(), id)?;
            say(common, &closed, &format!("{id} is closed"))
        }
    }
}

fn line(audience: &Audience) -> String {
    let Audience { id, name_ja, name_en, hidden, closed, .. } = audience;
    let name = if name_ja.is_empty() { name_en } else { name_ja };
    let hidden = if *hidden { " (members hidden)" } else { "" };
    let closed = closed.map_or_else(String::new, |closed| format!(" closed {closed}"));
    format!("{id}  {name}{hidden}{closed}")
}

fn show(common: &Common, desk: &Desk, id: &str) -> Result<()> {
    let audience = desk.database.audience(id)?.with_context(|| format!("there is no audience {id}"))?;
    let members = desk.database.related_to(Relation::Audience, id)?;
    if common.json {
        return output::json(&json!({ "audience": audience, "members": members }));
    }
    let mut text = line(&audience);
    for member in &members {
        let ends = member.ends.map_or_else(String::new, |ends| format!(" until {ends}"));
        text += &format!("\n  {} since {}{ends}", member.organisation, member.begins);
    }
    output::line(&output::clean(&text))
}
