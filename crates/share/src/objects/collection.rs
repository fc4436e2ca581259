//! Collections of what is shared: one for everybody by label, one for each audience, one for exercises.

use hinomi_state::audiences::Audience;

use super::{ObjectsError, Shelf, Sight};
use crate::stix::own_uuid;

/// The key of what is shared by label.
const SHARED: &str = "shared";
/// The key of what is of exercises.
pub(super) const EXERCISE: &str = "exercise";

/// A collection of objects that others share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// As the state knows it.
    pub(super) key: String,
    /// Its id.
    pub id: String,
    /// Its name in addresses.
    pub alias: String,
    /// What people call it.
    pub title: String,
    /// What is in it.
    pub description: String,
    /// The audience that it is for, if any.
    pub audience: Option<String>,
    /// Whether the caller may add to it.
    pub can_write: bool,
}

/// The key of an audience's collection.
pub(super) fn key_of(audience: Option<&str>) -> String {
    audience.map_or_else(|| SHARED.to_owned(), |audience| format!("audience:{audience}"))
}

fn open(writes: bool) -> Shared {
    Shared {
        key: key_of(None),
        id: own_uuid("collection", SHARED),
        alias: SHARED.to_owned(),
        title: "Shared".to_owned(),
        description: "What organisations share, each object as its label lets you see it.".to_owned(),
        audience: None,
        can_write: writes,
    }
}

fn drills() -> Shared {
    Shared {
        key: EXERCISE.to_owned(),
        id: own_uuid("collection", "shared-exercise"),
        alias: "shared-exercise".to_owned(),
        title: "Shared: exercise".to_owned(),
        description: "What was shared for exercises: nothing of this world.".to_owned(),
        audience: None,
        can_write: false,
    }
}

fn of_audience(one: Audience, writes: bool) -> Shared {
    Shared {
        key: key_of(Some(&one.id)),
        id: own_uuid("collection", &format!("audience {}", one.id)),
        alias: format!("audience-{}", one.id),
        title: one.name_en,
        description: format!("What is shared with the audience {} alone. {}", one.id, one.name_ja),
        audience: Some(one.id),
        can_write: writes,
    }
}

impl Shelf {
    /// The collections of a reader; which of them whoever writes as `giver` may add to. Audiences that he does not belong
    /// to do not exist.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn collections(&self, sight: &Sight, giver: Option<&str>) -> Result<Vec<Shared>, ObjectsError> {
        let writes = giver.is_some_and(|giver| sight.is_all() || sight.is_own(giver));
        let mut found = vec![open(writes), drills()];
        if !sight.is_all() && sight.audiences().is_none_or(std::collections::BTreeSet::is_empty) {
            return Ok(found);
        }
        for one in self.database.audiences()? {
            let mine = sight.is_all() || sight.audiences().is_some_and(|own| own.contains(&one.id));
            if mine && one.closed.is_none() {
                let writes = giver.is_some_and(|giver| sight.belongs(giver, &one.id));
                found.push(of_audience(one, writes));
            }
        }
        Ok(found)
    }

    /// The collection of this id or alias, where it is one of the reader's.
    ///
    /// # Errors
    /// When there is none for him, or the state cannot be asked.
    pub fn collection(&self, sight: &Sight, giver: Option<&str>, name: &str) -> Result<Shared, ObjectsError> {
        let found = self.collections(sight, giver)?.into_iter().find(|one| one.id == name || one.alias == name);
        found.ok_or_else(|| ObjectsError::Missing("There is no such collection".to_owned()))
    }
}
