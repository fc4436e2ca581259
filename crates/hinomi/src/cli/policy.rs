//! `hinomi policy`: the rules of who may know; whether the folder's own do, what each says, and what they say of an address.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Subcommand;
use hinomi_lake::Then;
use hinomi_lake::entitlement::Seen;
use hinomi_model::{Clock, Marking, Purpose, SystemClock, Timestamp, Tlp};
use hinomi_share::Member;
use hinomi_share::policy::{Explained, explain};
use hinomi_share::register::{Holders, Register};
use hinomi_share::rules::{Rule, Rules};
use hinomi_state::{Database, Settings};
use serde_json::json;

use super::Common;
use crate::door::RULES;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read the rules of the state folder's policies/ as the program would, and say what is wrong.
    Check,
    /// Every rule with its sentence.
    Show,
    /// Which rules decide what an organisation may know of an address.
    Explain {
        /// Who would read.
        #[arg(long, value_name = "ID")]
        organisation: String,
        /// Of which address.
        #[arg(long)]
        address: IpAddr,
        /// What it would be read for.
        #[arg(long, default_value = "exposure-reduction")]
        purpose: Purpose,
        /// Not of what was seen there, but of a record with this label: clear, green, amber, amber+strict, red.
        #[arg(long, value_name = "LABEL", value_parser = label)]
        label: Option<Tlp>,
        /// An audience that it names; may be repeated.
        #[arg(long, requires = "label")]
        audience: Vec<String>,
        /// The purpose that it is marked with [default: that of the reader].
        #[arg(long, requires = "label", value_name = "PURPOSE")]
        marked: Option<Purpose>,
        /// Until when it is under an embargo.
        #[arg(long, requires = "label", value_name = "TIME")]
        embargo: Option<Timestamp>,
        /// When it was seen [default: now].
        #[arg(long, requires = "label", value_name = "TIME")]
        at: Option<Timestamp>,
    },
}

/// A label as it is typed, with or without `tlp:`.
fn label(text: &str) -> Result<Tlp, String> {
    let bare = text.to_ascii_lowercase();
    let bare = bare.strip_prefix("tlp:").unwrap_or(&bare);
    let known = ["clear", "green", "amber", "amber+strict", "red"].contains(&bare);
    if known { Ok(Tlp::read(text)) } else { Err("clear, green, amber, amber+strict or red".to_owned()) }
}

pub(crate) fn run(common: &Common, verb: Verb) -> Result<()> {
    let folder = common.state()?.dir().join(RULES);
    let rules = Rules::with_folder(&folder)?;
    match verb {
        Verb::Check => check(common, &rules),
        Verb::Show => show(common, &rules.list()),
        Verb::Explain { organisation, address, purpose, label, audience, marked, embargo, at } => {
            let member = Member { name: "operator".to_owned(), organisations: [organisation].into(), purpose };
            let marking = |tlp| Marking { tlp, audience, embargo, ..Marking::own(marked.unwrap_or(purpose)) };
            told(common, &Question { member, address, rules: Arc::new(rules) }, label.map(marking), at)
        }
    }
}

fn check(common: &Common, rules: &Rules) -> Result<()> {
    let count = rules.list().len();
    match common.json {
        true => output::json(&json!({ "rules": count, "sha256": rules.sha256() })),
        false => output::line(&format!("{count} rules hold, SHA-256 {}", rules.sha256())),
    }
}

fn show(common: &Common, rules: &[Rule]) -> Result<()> {
    match common.json {
        true => output::json(&json!({ "rules": rules })),
        false => rules.iter().try_for_each(line),
    }
}

fn line(rule: &Rule) -> Result<()> {
    let does = if rule.forbids { "forbids" } else { "permits" };
    output::line(&format!("{:<20} {does}  {}", rule.id, output::clean_line(&rule.says, 400)))
}

struct Question {
    member: Member,
    address: IpAddr,
    rules: Arc<Rules>,
}

fn told(common: &Common, asked: &Question, marking: Option<Marking>, at: Option<Timestamp>) -> Result<()> {
    let state = common.state()?;
    let (folder, now) = (state.make()?, SystemClock.now());
    let database = Database::open(&Settings::of_state(folder)?.target)?;
    let register = Arc::new(Register::read(&database, now)?);
    for id in &asked.member.organisations {
        anyhow::ensure!(
            register.organisations.contains_key(id),
            "there is no open organisation {id:?} in the register"
        );
    }
    let told = match marking {
        Some(marking) => {
            // The AS of then, as who reads is judged by.
            let time = at.unwrap_or(now);
            let asn = Then::of_state(folder)?.asn(asked.address.to_canonical(), time);
            let seen = Seen { address: asked.address, asn, time, marking: &marking };
            vec![explain(&asked.rules, &asked.member, (&register, &Holders::new(&register)), (&seen, now), None)?]
        }
        None => {
            let reader = state.reader()?;
            reader.explain_to(&asked.member, &asked.rules, &register, asked.address)?
        }
    };
    let missing = || format!("nothing was seen at {}; --label asks of a record that is not there", asked.address);
    told.first().with_context(missing)?;
    if common.json {
        return output::json(&json!({ "records": told }));
    }
    told.iter().try_for_each(one)
}

fn one(told: &Explained) -> Result<()> {
    let what = told.service.as_ref().map_or_else(|| "such a record".to_owned(), ToString::to_string);
    let may = if told.allowed { "may be known" } else { "is not told" };
    let list = |names: &[String]| if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
    output::line(&format!("{what}, seen {}: {}, for {}: {may}", told.seen, told.label, told.marked))?;
    output::line(&format!("  held by {}; run by {}", list(&told.holders), list(&told.operators)))?;
    if told.rules.is_empty() {
        output::line("  no rule permits it")?;
    }
    told.rules.iter().try_for_each(|rule| {
        let does = if rule.forbids { "forbids" } else { "permits" };
        output::line(&format!("  {does}: {} ({})", output::clean_line(&rule.says, 400), rule.id))
    })
}
