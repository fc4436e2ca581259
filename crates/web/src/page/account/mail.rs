//! Where somebody is told of changes of their own account: named, confirmed with a code, taken away.

use axum::http::StatusCode;
use hinomi_state::account_mail::AccountMail;
use hinomi_state::contacts;

use super::{Notice, found, mine};
use crate::app::App;
use crate::auth::again::recent;
use crate::auth::ask;
use crate::auth::form::Form;
use crate::language::Language;
use crate::page::fault::Fault;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// An address of an account on its page.
pub(crate) struct MailView {
    pub(crate) mail: Seen,
    pub(crate) language: String,
    /// It waits for the code that was mailed there.
    pub(crate) waits: bool,
}

impl MailView {
    pub(super) fn new(w: &Words, one: &AccountMail) -> Self {
        let language = w.say(&format!("mail-language-{}", one.language.name()));
        Self { mail: Seen::word(&one.mail), language, waits: !one.confirmed }
    }
}

/// Does what the form says.
pub(super) async fn change(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let mine = mine(visit)?;
    // Who sat down at somebody's browser may not turn these messages elsewhere.
    recent(app, &mine).await?;
    let (id, by, now) = (mine.person.id, mine.person.name, app.now());
    let say = |key: &str| Notice::done(visit.words.say(key));
    match form.get("do") {
        "mail-ask" => {
            let japanese = visit.words.language() == Language::Japanese;
            let usual = if japanese { contacts::Language::Ja } else { contacts::Language::En };
            let language = match form.get("language") {
                "ja" => contacts::Language::Ja,
                "en" => contacts::Language::En,
                _ => usual,
            };
            let mail = form.get("mail").to_owned();
            ask(app, move |accounts| accounts.by(&by).ask_account_mail(&id, (&mail, language), now)).await?;
            Ok(say("mail-asked"))
        }
        "mail-confirm" => {
            let code = form.get("code").to_owned();
            ask(app, move |accounts| accounts.by(&by).confirm_account_mail(&id, &code)).await?;
            Ok(say("mail-confirmed"))
        }
        "mail-remove" => {
            found(ask(app, move |accounts| accounts.by(&by).remove_account_mail(&id)).await?)?;
            Ok(say("mail-removed"))
        }
        _ => Err(Fault::new(StatusCode::BAD_REQUEST, "parameter")),
    }
}
