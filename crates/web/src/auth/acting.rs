//! For which organisation somebody acts on the pages of one.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use hinomi_model::Purpose;
use hinomi_share::{Member, Viewer};
use hinomi_state::Role;

use super::{Caller, ask};
use crate::app::App;
use crate::page::fault::Fault;

/// For whom is acted, and how far.
#[derive(Clone, Debug)]
pub(crate) struct Acting {
    /// Id of the organisation.
    pub(crate) organisation: String,
    /// What people call it, in Japanese and in English.
    pub(crate) names: [String; 2],
    /// Whether its saved queries and channels may be changed.
    pub(crate) edits: bool,
    /// For what is read.
    pub(crate) purpose: Purpose,
    /// Who acts, for history and ledger.
    pub(crate) by: String,
    /// All for which this caller may act.
    pub(crate) all: Vec<String>,
}

impl Acting {
    /// As whom the lake is read for the organisation: as one who acts for it and for nobody else.
    pub(crate) fn viewer(&self) -> Viewer {
        let organisations = [self.organisation.clone()].into();
        Viewer::Member(Member { name: self.by.clone(), organisations, purpose: self.purpose })
    }

    /// The same, where it may be changed.
    pub(crate) fn editor(self) -> Result<Self, Fault> {
        match self.edits {
            true => Ok(self),
            false => Err(Fault::new(StatusCode::FORBIDDEN, "not-entitled")
                .because(&"to change this takes the role of an editor of the organisation")),
        }
    }
}

/// For which organisation this caller acts: the one that is asked for, or the only one, or the first.
///
/// # Errors
/// When he acts for none, or not for that one: whether it is there is not told.
pub(crate) async fn acting(app: &App, caller: &Caller, asked: Option<&str>) -> Result<Acting, Fault> {
    let (own, purpose, writes) = match caller {
        Caller::Operator => (None, Purpose::ExposureReduction, true),
        Caller::Person(known) => {
            let roles: BTreeMap<String, Role> = known.memberships().map(|(id, role)| (id.to_owned(), role)).collect();
            (Some(roles).filter(|_| !known.sees_all()), known.purpose, caller.may_write())
        }
    };
    let all = ask(app, |accounts| accounts.database()?.organisations()).await?;
    let open = all.into_iter().filter(|one| one.closed.is_none());
    let mine = |id: &str| own.as_ref().is_none_or(|own| own.contains_key(id));
    let all: Vec<_> = open.filter(|one| mine(&one.id)).collect();
    let found = match asked {
        Some(asked) => all.iter().find(|one| one.id == asked),
        None => all.first(),
    };
    let found = found.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "no-organisation"))?;
    let role = own.as_ref().and_then(|own| own.get(&found.id)).copied();
    Ok(Acting {
        organisation: found.id.clone(),
        names: [found.name(true).to_owned(), found.name(false).to_owned()],
        edits: writes && (own.is_none() || role.is_some_and(|role| role >= Role::Editor)),
        purpose,
        by: caller.name(),
        all: all.iter().map(|one| one.id.clone()).collect(),
    })
}
