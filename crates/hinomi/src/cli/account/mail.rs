//! `hinomi account mail`: where somebody is told of changes of their own account.

use anyhow::{Result, ensure};
use clap::{Subcommand, ValueEnum};
use hinomi_model::{Clock, SystemClock};
use hinomi_state::Accounts;
use hinomi_state::contacts::Language;
use serde_json::json;

use super::{found, say};
use crate::cli::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The address of an account.
    Show {
        /// Whose.
        name: String,
    },
    /// Name an address: a code is mailed there, and it counts once that was entered.
    Set {
        /// Whose.
        name: String,
        /// Where to.
        mail: String,
        /// In which language.
        #[arg(long, value_enum, default_value_t = Spoken::Ja)]
        language: Spoken,
    },
    /// Enter the code that was mailed.
    Confirm {
        /// Whose.
        name: String,
        /// The code.
        code: String,
    },
    /// Take the address away.
    Remove {
        /// Whose.
        name: String,
    },
}

/// A language as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Spoken {
    /// Japanese.
    Ja,
    /// English.
    En,
}

pub(super) fn run(common: &Common, accounts: &Accounts, verb: &Verb) -> Result<()> {
    match verb {
        Verb::Show { name } => {
            let mails = accounts.account_mails(&found(accounts, name)?.id)?;
            if common.json {
                return output::json(&json!({ "mails": mails }));
            }
            mails.iter().try_for_each(|one| {
                let waits = if one.confirmed { "" } else { ", waits for its code" };
                output::line(&output::clean_line(&format!("{} ({}){waits}", one.mail, one.language.name()), 400))
            })
        }
        Verb::Set { name, mail, language } => {
            let language = match language {
                Spoken::Ja => Language::Ja,
                Spoken::En => Language::En,
            };
            accounts.ask_account_mail(&found(accounts, name)?.id, (mail, language), SystemClock.now())?;
            say(common, &json!({ "mail": mail, "confirmed": false }), &format!("a code is mailed to {mail}"))
        }
        Verb::Confirm { name, code } => {
            accounts.confirm_account_mail(&found(accounts, name)?.id, code)?;
            say(common, &json!({ "confirmed": true }), &format!("{name} is told there of changes of the account"))
        }
        Verb::Remove { name } => {
            ensure!(accounts.remove_account_mail(&found(accounts, name)?.id)?, "{name} has no address");
            say(common, &json!({ "removed": true }), &format!("{name} is told of no changes any more"))
        }
    }
}
