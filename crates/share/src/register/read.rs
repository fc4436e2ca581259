//! From the rows of the state to a register as of one moment.

use hinomi_model::Timestamp;
use hinomi_state::claims::Subject;
use hinomi_state::organisations::{Everything, Relation};
use hinomi_state::{Database, StateError};

use super::{Claim, Held, Organisation, Register};

impl Register {
    /// The register as it stands now: organisations that are open, with what each belongs to at this moment; and every
    /// claim that ever held, of closed organisations too, so that their past is nobody else's.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn read(database: &Database, now: Timestamp) -> Result<Self, StateError> {
        Ok(Self::of(&database.register()?, now))
    }

    pub(super) fn of(everything: &Everything, now: Timestamp) -> Self {
        let mut register = Self::default();
        let open = everything.organisations.iter().filter(|one| one.closed.is_none_or(|closed| now < closed));
        for one in open {
            let (id, sector) = (one.id.clone(), one.profile.sector.clone());
            register.organisations.insert(one.id.clone(), Organisation { id, sector, ..Organisation::default() });
        }
        for related in everything.relations.iter().filter(|related| related.stands_at(now)) {
            let acts_for_somebody = register.organisations.contains_key(&related.target);
            let Some(one) = register.organisations.get_mut(&related.organisation) else { continue };
            match related.relation {
                Relation::ActsFor if acts_for_somebody => drop(one.acts_for.insert(related.target.clone())),
                Relation::ActsFor => {}
                Relation::Audience => drop(one.audiences.insert(related.target.clone())),
                // A purpose that this version does not know opens nothing.
                Relation::Purpose => one.purposes.extend(related.target.parse::<hinomi_model::Purpose>()),
            }
        }
        let held = everything.claims.iter().filter_map(|claim| {
            let (from, until) = claim.from.zip(claim.until).filter(|(from, until)| from < until)?;
            let subject = match &claim.subject {
                Subject::Prefix(prefix) => Held::Prefix(*prefix),
                Subject::As(number) => Held::As(*number),
                Subject::Domain(name) => Held::Domain(name.clone()),
            };
            Some(Claim { organisation: claim.organisation.clone(), subject, from, until })
        });
        register.claims = held.collect();
        register
    }
}

/// The next moment after `now` at which something dated begins or ends, other than claims, which carry their own times.
pub(super) fn next_turn(everything: &Everything, now: Timestamp) -> Option<Timestamp> {
    let turns = everything.relations.iter().flat_map(|related| [Some(related.begins), related.ends]);
    let closings = everything.organisations.iter().map(|one| one.closed);
    turns.chain(closings).flatten().filter(|turn| *turn > now).min()
}
