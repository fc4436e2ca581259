//! `hinomi account`: who may sign in. At the machine itself, so it needs no account.

mod key;
mod mail;
mod prompt;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::ledger::Log;
use hinomi_state::{Accounts, NewPerson, PasswordHash, Person, Role, Settings};
use serde_json::{Value, json};

use super::Common;
use crate::{output, witness};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an account; the first one must be an administrator's, and from it on everybody signs in.
    Add(Add),
    /// Every account.
    List,
    /// Close an account: its sessions end and its keys open nothing.
    Disable {
        /// The account.
        name: String,
    },
    /// Open a closed account again.
    Enable {
        /// The account.
        name: String,
    },
    /// Set a password; every session of the account ends.
    Password {
        /// The account.
        name: String,
        #[command(flatten)]
        word: Word,
    },
    /// Set the rights of the installation; those not named are taken away.
    Rights {
        /// The account.
        name: String,
        /// Manages people, claims and policies; sees no record by that.
        #[arg(long)]
        administrator: bool,
        /// Sees what the operator sees.
        #[arg(long)]
        analyst: bool,
    },
    /// Say for which organisation somebody acts.
    Role {
        /// The account.
        name: String,
        /// Id of the organisation.
        organisation: String,
        /// reader, editor, manager, or none.
        role: String,
    },
    /// Keys for programs.
    #[command(subcommand)]
    Key(key::Verb),
    /// Where somebody is told of changes of their own account.
    #[command(subcommand)]
    Mail(mail::Verb),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What is typed to sign in.
    name: String,
    /// As people call them.
    #[arg(long, default_value = "")]
    full_name: String,
    /// Manages people, claims and policies; sees no record by that.
    #[arg(long)]
    administrator: bool,
    /// Sees what the operator sees.
    #[arg(long)]
    analyst: bool,
    /// Without a password: an administrator invites, and the invited chooses one.
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    word: Word,
}

/// Where a password comes from: a file, else the terminal, else the first line of stdin.
#[derive(Debug, Args)]
pub(crate) struct Word {
    /// Read the password from this file.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// The password that is typed or in a file.
pub(super) fn password(word: &Word) -> Result<String> {
    prompt::password(word)
}

pub(crate) fn run(common: &Common, verb: Verb) -> Result<()> {
    let accounts = accounts(common)?;
    let changes = !matches!(verb, Verb::List | Verb::Key(key::Verb::List { .. }) | Verb::Mail(mail::Verb::Show { .. }));
    let done = carry_out(common, &accounts, verb);
    if changes && let Err(error) = tell(common, &accounts) {
        output::talk(&format!("the ledger is not told yet: {}", output::clean(&format!("{error:#}"))));
    }
    done
}

/// The ledger takes in what was done, also what was done before and is not told yet.
fn tell(common: &Common, accounts: &Accounts) -> Result<()> {
    let log = Log::open(&accounts.database()?, common.state()?.make()?, Arc::new(SystemClock))?;
    log.take_in()?;
    Ok(())
}

fn carry_out(common: &Common, accounts: &Accounts, verb: Verb) -> Result<()> {
    let now = SystemClock.now();
    match verb {
        Verb::Add(add) => {
            let password = match add.no_password {
                true => None,
                false => Some(PasswordHash::of(&prompt::password(&add.word)?, &add.name)?),
            };
            let Add { name, full_name, administrator, analyst, .. } = add;
            let person = accounts.add(&NewPerson { name, full_name, administrator, analyst, password }, now)?;
            say(common, &told(&person), &format!("{} has an account", person.name))
        }
        Verb::List => list(common, accounts),
        Verb::Disable { name } => {
            accounts.disable(&name, Some(now))?;
            say(common, &json!({ "name": name, "disabled": true }), &format!("{name} does not sign in any more"))
        }
        Verb::Enable { name } => {
            accounts.disable(&name, None)?;
            say(common, &json!({ "name": name, "disabled": false }), &format!("{name} may sign in again"))
        }
        Verb::Password { name, word } => {
            let kept = PasswordHash::of(&prompt::password(&word)?, &name)?;
            accounts.set_password(&name, &kept, None)?;
            say(common, &json!({ "name": name }), &format!("{name} has a new password"))
        }
        Verb::Rights { name, administrator, analyst } => {
            accounts.set_rights(&name, administrator, analyst)?;
            let told = json!({ "name": name, "administrator": administrator, "analyst": analyst });
            say(common, &told, &format!("{name} has these rights from the next sign-in on"))
        }
        Verb::Role { name, organisation, role } => {
            let wanted = if role == "none" { None } else { Some(role.parse::<Role>()?) };
            accounts.set_role(&name, &organisation, wanted)?;
            let told = json!({ "name": name, "organisation": organisation, "role": role });
            say(common, &told, &format!("{name}: {role} of {organisation}"))
        }
        Verb::Key(verb) => key::run(common, accounts, verb),
        Verb::Mail(verb) => mail::run(common, accounts, &verb),
    }
}

/// The accounts of the state folder.
pub(crate) fn accounts(common: &Common) -> Result<Accounts> {
    let state = common.state()?;
    let accounts = Accounts::of(Settings::of_state(state.make()?)?.target);
    Ok(accounts.by(&format!("operator {}", witness::user())))
}

fn found(accounts: &Accounts, name: &str) -> Result<Person> {
    accounts.person(name)?.with_context(|| format!("there is no account {name}"))
}

fn list(common: &Common, accounts: &Accounts) -> Result<()> {
    let people = if accounts.exist()? { accounts.people()? } else { Vec::new() };
    if common.json {
        let people: Vec<Value> = people.iter().map(told).collect();
        return output::json(&json!({ "people": people }));
    }
    for person in &people {
        let mut words = vec![person.name.clone(), output::clean_line(&person.full_name, 100)];
        words.extend(person.administrator.then(|| "administrator".to_owned()));
        words.extend(person.analyst.then(|| "analyst".to_owned()));
        words.extend(person.memberships.iter().map(|one| format!("{} of {}", one.role, one.organisation)));
        words.extend(person.disabled.map(|since| format!("closed since {since}")));
        output::line(&words.join(", "))?;
    }
    Ok(())
}

fn told(person: &Person) -> Value {
    let membership =
        |one: &hinomi_state::Membership| json!({ "organisation": one.organisation, "role": one.role.name() });
    json!({
        "name": person.name,
        "full_name": person.full_name,
        "administrator": person.administrator,
        "analyst": person.analyst,
        "created": person.created,
        "disabled": person.disabled,
        "memberships": person.memberships.iter().map(membership).collect::<Vec<_>>(),
    })
}

fn say(common: &Common, told: &Value, text: &str) -> Result<()> {
    match common.json {
        true => output::json(told),
        false => output::line(text),
    }
}
