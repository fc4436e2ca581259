//! What of the register needs a person: claims that end, contacts that nobody made sure of.

use hinomi_model::Timestamp;
use hinomi_share::policy::MaySee;
use hinomi_state::contacts::{Contact, FRESH_DAYS};

use crate::app::App;
use crate::auth::ask;
use crate::limits::CLAIM_ENDS_SOON;
use crate::moment;
use crate::page::fault::Fault;
use crate::seen::Seen;
use crate::words::Words;

/// Organisations whose contacts are looked at.
const MAX_ORGANISATIONS: usize = 20;
/// Things that are listed.
const MAX_LISTED: usize = 20;

/// Something to be done.
pub(super) struct CareView {
    pub(super) what: String,
    pub(super) about: Seen,
    pub(super) how: String,
    pub(super) command: String,
}

/// The contacts of those for whom this viewer acts.
pub(super) async fn contacts(app: &App, may: &MaySee) -> Result<Vec<Contact>, Fault> {
    let of: Vec<String> = may.organisations.iter().take(MAX_ORGANISATIONS).cloned().collect();
    ask(app, move |accounts| {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let database = accounts.database()?;
        let mut all = Vec::new();
        for one in &of {
            all.extend(database.contacts_of(one)?);
        }
        Ok(all)
    })
    .await
}

/// What is to be done, the claims first.
pub(super) fn views(w: &Words, may: &MaySee, contacts: &[Contact], now: Timestamp) -> Vec<CareView> {
    let soon = now.plus(CLAIM_ENDS_SOON);
    let own = |organisation: &String| may.organisations.contains(organisation);
    let ending = may.claims.iter().filter(|one| own(&one.organisation) && now < one.until && one.until <= soon);
    let claims = ending.map(|one| CareView {
        what: w.with("organisation-care-claim", moment::date(one.until)),
        about: Seen::word(&one.subject),
        how: w.say("organisation-care-claim-how"),
        command: format!("hinomi claim ask {} {}", one.organisation, Seen::word(&one.subject)),
    });
    let stale = contacts.iter().filter(|one| one.is_stale(now, FRESH_DAYS));
    let stale = stale.map(|one| CareView {
        what: w.with("organisation-care-contact", moment::date(one.confirmed)),
        about: Seen::word(&one.said.name),
        how: w.say("organisation-care-contact-how"),
        command: format!("hinomi contact confirm {}", one.number),
    });
    let none = may.organisations.iter().filter(|id| !contacts.iter().any(|one| one.organisation == **id));
    let none = none.map(|id| CareView {
        what: w.say("organisation-care-none"),
        about: Seen::word(id),
        how: w.say("organisation-care-none-how"),
        command: format!("hinomi contact add {id}"),
    });
    claims.chain(stale).chain(none).take(MAX_LISTED).collect()
}
