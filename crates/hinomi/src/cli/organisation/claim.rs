//! `hinomi claim`: who holds which prefix, AS number or domain, how that was proved, and who held it then.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Subcommand};
use hinomi_lake::Places;
use hinomi_model::Timestamp;
use hinomi_share::proof::{self, LABEL};
use hinomi_share::register::{Claim as Held, Holders, Register};
use hinomi_state::claims::{Claim, ClaimsOf, Decision, Method, Settled, Subject};
use hinomi_state::organisations::{EventsOf, MAX_EVENTS};
use hinomi_survey::outward::token::PATH;
use serde_json::{Value, json};

use super::way::Way;
use super::{Desk, events, list, say};
use crate::cli::Common;
use crate::output;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  hinomi claim ask city-a 192.0.2.0/24            # tells the token, and where to put it
  hinomi claim prove 7 --dns                      # looks for it
  hinomi claim vouch 8 --by isp-a                 # who holds the network around it says so
  hinomi claim approve 9 --note 'contract of May' # a person of this installation decides
  hinomi claim who 192.0.2.7 --at 2026-05-15      # who held it then
  hinomi claim list --ending 30")]
pub(crate) enum Verb {
    /// Ask for a claim, ask for a new token, or ask to renew a claim that holds.
    Ask {
        /// The organisation.
        organisation: String,
        /// A prefix as 192.0.2.0/24, an AS number as AS64500, a domain as example.org.
        subject: Subject,
    },
    /// Look for the proof of a claim.
    #[command(group = ArgGroup::new("method").required(true))]
    Prove {
        /// The claim.
        number: i64,
        /// A TXT record under the domain, or in the reverse zone of the prefix.
        #[arg(long, group = "method")]
        dns: bool,
        /// A file on the web server of the domain or address.
        #[arg(long, group = "method")]
        http: bool,
        /// Of a network of IPv6: which address serves the file [default: its first].
        #[arg(long, value_name = "ADDRESS")]
        address: Option<IpAddr>,
        #[command(flatten)]
        way: Way,
    },
    /// Decide that a claim is right.
    Approve {
        /// The claim.
        number: i64,
        /// It counts from this moment on [default: now].
        #[arg(long, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Before this moment [default: a year from now].
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
        /// Others who hold the same end where this begins.
        #[arg(long)]
        instead: bool,
        /// Why; stands in the history.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// An organisation that holds what lies around it, or the AS that announces it, says that it is right.
    Vouch {
        /// The claim.
        number: i64,
        /// The organisation that vouches.
        #[arg(long, value_name = "ORGANISATION")]
        by: String,
    },
    /// Decide that a claim is not right, and never was.
    Refuse {
        /// The claim.
        number: i64,
        /// Why; stands in the history.
        #[arg(long, default_value = "")]
        why: String,
    },
    /// Give a claim up; what was held until now stays in the history.
    Withdraw {
        /// The claim.
        number: i64,
        /// Why; stands in the history.
        #[arg(long, default_value = "")]
        why: String,
    },
    /// Claims.
    List {
        /// Of this organisation only.
        organisation: Option<String>,
        /// To this alone.
        #[arg(long)]
        subject: Option<Subject>,
        /// Those that end within so many days.
        #[arg(long, value_name = "DAYS")]
        ending: Option<u32>,
        /// Those that a person must decide, since another holds the same.
        #[arg(long)]
        contested: bool,
    },
    /// What was done to a claim, by whom.
    History {
        /// The claim.
        number: i64,
    },
    /// Who holds an address, AS or domain, or held it at a moment.
    Who {
        /// As 192.0.2.7, AS64500 or www.example.org.
        subject: Subject,
        /// At this moment [default: now].
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    Desk::done(common, |desk| act(common, desk, verb))
}

fn act(common: &Common, desk: &Desk, verb: &Verb) -> Result<()> {
    let database = &desk.database;
    let tell = |claim: &Claim| say(common, &with_word(claim, desk.now), &format!("claim {}", line(claim, desk.now)));
    match verb {
        Verb::Ask { organisation, subject } => {
            ask(common, desk, &database.ask_claim(desk.deed(), organisation, subject)?)
        }
        Verb::Prove { number, dns, address, way, .. } => {
            let method = if *dns { Method::Dns } else { Method::Http };
            let world = way.open(common)?;
            let settled = proof::prove(database, desk.deed(), (*number, method, *address), &world);
            tell(&proved(settled?)?)
        }
        Verb::Approve { number, from, until, instead, note } => {
            let decision = Decision { from: *from, until: *until, instead: *instead, note: note.clone() };
            tell(&database.approve_claim(desk.deed(), *number, &decision)?)
        }
        Verb::Vouch { number, by } => {
            let origin = origin(common, &database.claim(*number)?.subject)?;
            tell(&proved(database.vouch_claim(desk.deed(), *number, by, origin)?)?)
        }
        Verb::Refuse { number, why } => tell(&database.refuse_claim(desk.deed(), *number, why)?),
        Verb::Withdraw { number, why } => tell(&database.withdraw_claim(desk.deed(), *number, why)?),
        Verb::List { organisation, subject, ending, contested } => {
            let ahead = |days: u32| desk.now.plus(Duration::from_secs(u64::from(days) * 86_400));
            let of = ClaimsOf {
                organisation: organisation.as_deref(),
                subject: subject.as_ref(),
                ending: ending.map(|days| (desk.now, ahead(days))),
                contested: *contested,
            };
            let claims = database.claims(&of)?;
            if common.json {
                let claims: Vec<Value> = claims.iter().map(|claim| with_word(claim, desk.now)).collect();
                return output::json(&json!({ "claims": claims }));
            }
            list(common, "claims", &claims, |claim| line(claim, desk.now))
        }
        Verb::History { number } => {
            database.claim(*number)?;
            let of = EventsOf { claim: Some(*number), limit: MAX_EVENTS, ..EventsOf::default() };
            events(common, &database.register_events(&of)?)
        }
        Verb::Who { subject, at } => who(common, desk, subject, at.unwrap_or(desk.now)),
    }
}

fn proved(settled: Settled) -> Result<Claim> {
    match settled {
        Settled::Proved(claim) => Ok(claim),
        Settled::Contested { claim, by } => bail!(
            "claim {} is shown to be right, but {} holds {} by claim {}: decide with hinomi claim approve {} --instead, or \
             hinomi claim refuse",
            claim.number,
            by.organisation,
            by.subject,
            by.number,
            claim.number
        ),
    }
}

/// The claim as JSON, with what it comes to now.
pub(super) fn with_word(claim: &Claim, now: Timestamp) -> Value {
    let mut value = json!(claim);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("now".to_owned(), claim.word(now).into());
    }
    value
}

pub(super) fn line(claim: &Claim, now: Timestamp) -> String {
    let Claim { number, organisation, subject, method, .. } = claim;
    let method = method.map_or_else(String::new, |method| format!(", {method}"));
    let time = claim.from.zip(claim.until).map_or_else(String::new, |(from, until)| format!(", {from} to {until}"));
    let open = claim.token.as_ref().map_or_else(String::new, |token| format!(", token until {}", token.until));
    format!("{number} {organisation} {subject}: {}{method}{time}{open}", claim.word(now))
}

/// Tells the token, and every place where it may stand.
fn ask(common: &Common, desk: &Desk, claim: &Claim) -> Result<()> {
    let token = claim.token.as_ref().context("the claim has no token")?;
    let places = proof::names(&claim.subject).ok();
    let file = match &claim.subject {
        Subject::Domain(name) => Some(format!("http://{name}{PATH}{}", token.text)),
        Subject::Prefix(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => {
            let address = prefix.addr();
            let host = if address.is_ipv4() { address.to_string() } else { format!("[{address}]") };
            Some(format!("http://{host}{PATH}{}", token.text))
        }
        _ => None,
    };
    if common.json {
        let mut value = with_word(claim, desk.now);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("txt_any".to_owned(), json!(places.as_ref().map(|names| &names.any)));
            fields.insert("txt_all".to_owned(), json!(places.as_ref().map(|names| &names.all)));
            fields.insert("file".to_owned(), json!(file));
        }
        return output::json(&value);
    }
    let mut text = format!("claim {}", line(claim, desk.now));
    if claim.subject.is_wide() || places.is_none() {
        text += &format!("\na person of this installation decides: hinomi claim approve {}", claim.number);
        return output::line(&text);
    }
    text += &format!("\n\ntoken {} (until {}), in one of these places:", token.text, token.until);
    for names in places.iter() {
        names.any.iter().for_each(|name| text += &format!("\n  {name}. TXT \"{}\"", token.text));
        if let (Some(first), Some(last)) = (names.all.first(), names.all.last()) {
            let count = names.all.len();
            text += &format!("\n  or under all {count} names from {first}. to {last}. ({LABEL} in each zone)");
        }
    }
    for file in file.iter() {
        text += &format!("\n  {file} with the token as its content");
    }
    let or = if file.is_some() { ", or --http" } else { "" };
    text += &format!("\nthen: hinomi claim prove {} --dns{or}", claim.number);
    output::line(&text)
}

/// The AS that announces a prefix, where places.csv knows: the same at its first and its last address.
fn origin(common: &Common, subject: &Subject) -> Result<Option<u32>> {
    let Subject::Prefix(prefix) = subject else { return Ok(None) };
    let places = Places::of_state(common.state()?.dir())?;
    let of = |address| places.find(address).and_then(|place| place.asn);
    Ok(of(prefix.network()).filter(|first| of(prefix.broadcast()) == Some(*first)))
}

fn who(common: &Common, desk: &Desk, subject: &Subject, at: Timestamp) -> Result<()> {
    let register = Register::read(&desk.database, desk.now)?;
    let holders = Holders::new(&std::sync::Arc::new(register));
    let found: Vec<&Held> = match subject {
        // Of a network those around its first address that hold all of it.
        Subject::Prefix(prefix) => {
            let around = holders.around(prefix.network(), at);
            let whole = |claim: &&Held| match &claim.subject {
                hinomi_share::register::Held::Prefix(held) => held.contains(prefix),
                _ => false,
            };
            around.filter(whole).collect()
        }
        Subject::As(number) => holders.of_as(*number, at).into_iter().collect(),
        Subject::Domain(name) => holders.of_domain(name, at).into_iter().collect(),
    };
    let claims = found.iter().map(|claim| {
        let subject = match &claim.subject {
            hinomi_share::register::Held::Prefix(prefix) => prefix.to_string(),
            hinomi_share::register::Held::As(number) => format!("AS{number}"),
            hinomi_share::register::Held::Domain(name) => name.clone(),
        };
        json!({ "organisation": claim.organisation, "subject": subject, "from": claim.from, "until": claim.until })
    });
    let claims: Vec<Value> = claims.collect();
    let holder = claims.first().cloned().unwrap_or(Value::Null);
    let around: Vec<Value> = claims.into_iter().skip(1).collect();
    if common.json {
        return output::json(&json!({ "subject": subject, "at": at, "holder": holder, "around": around }));
    }
    let text = |claim: &Value| {
        let part = |name: &str| claim.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{} ({}, {} to {})", part("organisation"), part("subject"), part("from"), part("until"))
    };
    if holder.is_null() {
        return output::line(&format!("nobody of the register held {subject} at {at}"));
    }
    output::line(&format!("{subject} at {at}: {}", text(&holder)))?;
    around.iter().try_for_each(|claim| output::line(&format!("  around it: {}", text(claim))))
}
